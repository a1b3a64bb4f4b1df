/* Opening what a workspace's conversations are read from. See sources.h. */
#include "fs/cli/sources.h"

#include "core/base/io.h"
#include "core/base/utf8.h"
#include "core/conversation_id.h"
#include "fs/cli/open.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The silo by its path, as the daemon of a mount names it. */
static int open_named_silo(const char *path, struct jpfs_sources *sources)
{
	cleanup_close int silo =
		openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd;

	if (silo < 0)
		return -errno;
	fd = jp_open_beneath(silo, "conversations", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	sources->durable_fd = fd;
	sources->own_fd = jp_open_beneath(silo, "jpfs", O_PATH | O_DIRECTORY, 0);
	sources->silo_path = strdup(path);
	return sources->silo_path == NULL ? -ENOMEM : 0;
}

/* The daemon's environment may have been another one than ours, so its word goes first. But jp may
 * have folded its silo into another one since. */
static int open_silo(struct jpfs_sources *sources, struct jp_error *error)
{
	const char *named = json_string_value(json_object_get(sources->place.status, "silo"));
	cleanup_silo struct jp_silo silo = {0};
	int r = -ENOENT;

	if (named != NULL)
		r = open_named_silo(named, sources);
	if (r != -ENOENT)
		return r < 0 ? jp_error_set(error, r, "%s: %s", named, strerrordesc_np(-r)) : r;
	r = jpfs_open_existing_silo(&sources->workspace, &silo, error);
	if (r == -ENOENT) { /* nothing was kept yet */
		*error = (struct jp_error){0};
		return 0;
	}
	if (r < 0)
		return r;
	sources->durable_fd = TAKE_FD(silo.conversations_fd);
	sources->own_fd = TAKE_FD(silo.own_fd);
	sources->silo_path = TAKE_PTR(silo.path);
	return 0;
}

static json_int_t count_of(const json_t *status, const char *object, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(status, object), key));
}

/* The mount's root, unless nothing is in it: whoever lists an empty view makes it go away. */
static int open_view(struct jpfs_sources *sources, struct jp_error *error)
{
	const char *path = sources->place.mount_point;
	const json_t *status = sources->place.status;

	if (count_of(status, "conversations", "projected") +
		    count_of(status, "conversations", "workspace_only") ==
	    0)
		return 0;
	sources->workspace_fd =
		openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sources->workspace_fd < 0)
		return jp_error_set(error, -errno, "%s: %s", path, strerrordesc_np(errno));
	return 0;
}

static int open_real_directory(struct jpfs_sources *sources, struct jp_error *error)
{
	int fd = jp_workspace_open_conversations(&sources->workspace, false, error);

	if (fd == -ENOENT) {
		*error = (struct jp_error){0};
		return 0;
	}
	if (fd < 0)
		return fd;
	sources->workspace_fd = fd;
	return 0;
}

static int compare_ids(const void *first, const void *second)
{
	const uint64_t *a = first, *b = second;

	return *a < *b ? -1 : *a > *b;
}

static int read_drafts(struct jpfs_sources *sources)
{
	const json_t *list =
		json_object_get(json_object_get(sources->place.status, "conversations"), "drafts");
	const json_t *draft;
	size_t i;

	sources->drafts = calloc(json_array_size(list) + 1, sizeof(*sources->drafts));
	if (sources->drafts == NULL)
		return -ENOMEM;
	json_array_foreach(list, i, draft)
	{
		const char *id = json_string_value(draft);

		if (id != NULL &&
		    jp_conversation_id_parse(id, &sources->drafts[sources->draft_count]) == 0)
			sources->draft_count++;
	}
	qsort(sources->drafts, sources->draft_count, sizeof(*sources->drafts), compare_ids);
	return 0;
}

int jpfs_sources_open(const char *directory, struct jpfs_sources *sources, struct jp_error *error)
{
	int r = jp_workspace_find(directory, &sources->workspace, error);

	if (r == 0)
		r = jpfs_place_find(sources->workspace.root_path, &sources->place, error);
	if (r < 0)
		return r;
	if (sources->place.state == JPFS_PLACE_DEAD) {
		jp_error_remedy(error, "`jpfs mount` mounts it anew");
		return jp_error_set(error, -ENOTCONN, "%s: its daemon is gone",
				    sources->place.mount_point);
	}
	r = open_silo(sources, error);
	if (r == 0)
		r = sources->place.state == JPFS_PLACE_MOUNTED
			    ? open_view(sources, error)
			    : open_real_directory(sources, error);
	return r == 0 ? read_drafts(sources) : r;
}

void jpfs_sources_release(struct jpfs_sources *sources)
{
	jp_workspace_release(&sources->workspace);
	jpfs_place_release(&sources->place);
	free(sources->silo_path);
	free(sources->drafts);
	jp_closep(&sources->durable_fd);
	jp_closep(&sources->workspace_fd);
	jp_closep(&sources->own_fd);
}

struct jpfs_catalog_request jpfs_sources_request(const struct jpfs_sources *sources)
{
	return (struct jpfs_catalog_request){
		.durable_fd = sources->durable_fd,
		.workspace_fd = sources->workspace_fd,
		.own_fd = sources->own_fd,
		.drafts = sources->drafts,
		.draft_count = sources->draft_count,
		/* What is on its way to the store is seen through the mount already. */
		.prefers_workspace = count_of(sources->place.status, "pending", "commits") > 0,
	};
}

/* ---- telling of them ---- */

const char *jpfs_presence_name(enum jpfs_presence presence)
{
	switch (presence) {
	case JPFS_LOCAL:
		return "local";
	case JPFS_WORKSPACE_ONLY:
		return "workspace-only";
	case JPFS_PROJECTED:
		break;
	}
	return "projected";
}

char *jpfs_sources_path(const struct jpfs_sources *sources, const struct jpfs_listed *row)
{
	char *path = NULL;
	int n = row->workspace_path != NULL
			? asprintf(&path, "%s/%s", sources->place.mount_point, row->workspace_path)
			: asprintf(&path, "%s/conversations/%s", sources->silo_path,
				   row->durable_path);

	if (n < 0)
		return NULL;
	jp_utf8_make_valid(path);
	return path;
}
