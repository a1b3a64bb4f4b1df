/* Words on a command line that name kept versions. See named.h. */
#include "fs/cli/named.h"

#include "core/base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int history_of(const struct jpfs_site *site)
{
	return site->has_silo ? site->silo.history_fd : -EBADF;
}

static int trash_of(const struct jpfs_site *site)
{
	return site->has_silo ? site->silo.trash_fd : -EBADF;
}

void jpfs_name_of_kept(const struct jp_kept *kept, size_t count, char *ret_name)
{
	const char *name = NULL;
	bool is_found = false;

	for (size_t i = 0; i < count && !is_found; i++)
		is_found = jp_kept_is_conversation(&kept[i], &name, NULL);
	if (is_found)
		(void)snprintf(ret_name, NAME_MAX + 1, "%s", name);
	else
		(void)snprintf(ret_name, NAME_MAX + 1, "%" PRIu64, count > 0 ? kept[0].id : 0);
}

/* A conversation that is nowhere but in the history and the trash, by (the beginning of) its ID. */
static int pick_kept(const struct jpfs_site *site, const char *word, uint64_t *ret_id,
		     struct jp_error *error)
{
	cleanup_free struct jp_kept *list = NULL;
	size_t count = 0, digits = strspn(word, "0123456789"), found = 0;
	bool is_exact = false;
	int r = -ENOENT;

	if (digits == 0 || (word[digits] != '\0' && word[digits] != '-'))
		return -ENOENT;
	if (jp_kept_read_all(history_of(site), trash_of(site), &list, &count) < 0)
		return -ENOENT; /* the conversation itself was not found either: that is said */
	for (size_t i = 0; i < count && !is_exact; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "%" PRIu64, list[i].id);
		is_exact = strlen(id) == digits && strncmp(id, word, digits) == 0;
		if (!is_exact && (word[digits] != '\0' || strncmp(id, word, digits) != 0))
			continue;
		if (is_exact || found == 0 || list[i].id != *ret_id)
			found = is_exact ? 1 : found + 1;
		*ret_id = list[i].id;
		r = 0;
	}
	if (found < 2)
		return r;
	jp_error_remedy(error, "give more digits; `jpfs history` lists them");
	return jp_error_set(error, -ENOTUNIQ, "%s: more than one conversation begins so", word);
}

int jpfs_named_find(const struct jpfs_site *site, const struct jpfs_choice *choice,
		    const char *text, struct jpfs_named *ret_named, struct jp_error *error)
{
	cleanup_named struct jpfs_named named = {0};
	struct jp_error kept_error = {0};
	cleanup_free char *word = NULL;
	size_t size;
	int r;

	jp_version_split(text, &size, &named.version);
	word = strndup(text, size);
	if (word == NULL)
		return -ENOMEM;
	r = jpfs_pick(choice, word, &named.picked, error);
	if (r == -ENOENT) {
		r = pick_kept(site, word, &named.picked.id, &kept_error);
		if (r != -ENOENT)
			*error = kept_error;
	}
	if (r == 0)
		r = jp_kept_read(history_of(site), trash_of(site), named.picked.id, &named.kept,
				 &named.kept_count);
	if (r < 0)
		return r;
	if (named.picked.is_here || named.picked.is_durable)
		(void)snprintf(named.name, sizeof(named.name), "%s",
			       named.picked.is_here ? named.picked.here_name
						    : named.picked.durable_name);
	else
		jpfs_name_of_kept(named.kept, named.kept_count, named.name);
	*ret_named = named;
	named = (struct jpfs_named){0}; /* the caller has it now */
	return 0;
}

void jpfs_named_release(struct jpfs_named *named)
{
	free(named->kept);
	*named = (struct jpfs_named){0};
}

/* A file in a conversation's directory, that being in `root_fd`. */
static int open_in(int root_fd, bool is_archived, const char *name, const char *file)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s/%s", is_archived ? JP_ARCHIVE_NAME "/" : "", name,
		     file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return jp_open_regular(root_fd, path, O_RDONLY);
}

int jpfs_open_current(const struct jpfs_site *site, const struct jpfs_picked *picked,
		      const char *file)
{
	cleanup_close int root = -EBADF;
	int fd = -ENOENT;

	if (site->is_mounted && picked->is_here) {
		root = openat(AT_FDCWD, site->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return root < 0 ? -errno
				: open_in(root, picked->here_is_archived, picked->here_name, file);
	}
	if (picked->is_durable && site->has_silo)
		fd = open_in(site->silo.conversations_fd, picked->durable_is_archived,
			     picked->durable_name, file);
	if (fd != -ENOENT || !picked->is_here)
		return fd;
	root = jp_workspace_open_conversations(&site->workspace, false, NULL);
	return root < 0 ? root : open_in(root, picked->here_is_archived, picked->here_name, file);
}

int jpfs_open_kept(const struct jpfs_site *site, const struct jp_kept *kept, const char *file)
{
	cleanup_close int place = jp_kept_open_place(history_of(site), trash_of(site), kept);
	char path[PATH_MAX];

	if (place < 0)
		return place;
	if (!kept->is_directory && file != NULL && !jp_kept_is_called(kept, file))
		return -ENOENT;
	if (kept->is_directory && file == NULL)
		return -EISDIR;
	if (snprintf(path, sizeof(path), "%s%s%s", kept->entry, kept->is_directory ? "/" : "",
		     kept->is_directory ? file : "") >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return jp_open_regular(place, path, O_RDONLY);
}
