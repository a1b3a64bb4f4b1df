/*
 * Looking at a mount without falling into it.
 *
 * mountinfo says whether something of ours is mounted there and never waits; only then is the mount
 * itself asked, for its status. A daemon that was killed leaves a mount that answers ENOTCONN.
 */
#include "fs/cli/place.h"

#include "core/base/io.h"
#include "core/user_data.h"
#include "fs/mountinfo.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BELOW_ROOT "/.jp/conversations"

enum {
	STATUS_BYTES_MAX = 16 * 1024 * 1024, /* it lists drafts */
};

void jpfs_place_release(struct jpfs_place *place)
{
	json_decref(place->status); /* NULL is fine */
	place->status = NULL;
}

/* Ask the mount for its status. 0 it answers; -ENOTCONN it is dead; others. */
static int ask(const char *mount_point, json_t **ret_status)
{
	cleanup_close int fd = -EBADF;
	cleanup_free char *text = NULL;
	size_t size;
	int r;

	/* Not for reading: to a daemon that is listing, and an empty view detaches itself then. */
	fd = openat(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ECONNABORTED ? -ENOTCONN : -errno;
	r = jp_read_file(fd, JPFS_CONTROL_NAME "/" JPFS_STATUS_NAME, STATUS_BYTES_MAX, &text,
			 &size);
	if (r < 0)
		return r == -ECONNABORTED ? -ENOTCONN : r;
	*ret_status = json_loadb(text, size, 0, NULL);
	return json_is_object(*ret_status) ? 0 : -EBADMSG;
}

int jpfs_place_look(const char *mount_point, struct jpfs_place *ret_place, struct jp_error *error)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	cleanup_place struct jpfs_place place = {.state = JPFS_PLACE_NOT_MOUNTED};
	const struct jpfs_mount *mount;
	int r;

	if (snprintf(place.mount_point, sizeof(place.mount_point), "%s", mount_point) >= PATH_MAX)
		return jp_error_set(error, -ENAMETOOLONG, "%s: the path is too long", mount_point);
	r = jpfs_mountinfo_read(&info);
	if (r < 0)
		return jp_error_set(error, r, "/proc/self/mountinfo: %s", strerrordesc_np(-r));
	mount = jpfs_mountinfo_top(&info, mount_point);
	if (mount != NULL && jpfs_mount_is_jpfs(mount)) {
		place.device = mount->device;
		r = ask(mount_point, &place.status);
		if (r == -EACCES && mount->user_id != geteuid()) {
			jp_error_remedy(error, "do it as that user");
			return jp_error_set(error, r, "%s: mounted by the user with ID %u",
					    mount_point, mount->user_id);
		}
		if (r < 0 && r != -ENOTCONN) {
			jp_error_remedy(error, "`jpfs umount --lazy` takes it away");
			return jp_error_set(error, r, "%s: its daemon does not answer: %s",
					    mount_point, strerrordesc_np(-r));
		}
		place.state = r == 0 ? JPFS_PLACE_MOUNTED : JPFS_PLACE_DEAD;
	}
	*ret_place = place;
	place.status = NULL; /* the caller has it now */
	return 0;
}

int jpfs_place_find(const char *root_path, struct jpfs_place *ret_place, struct jp_error *error)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s" BELOW_ROOT,
		     strcmp(root_path, "/") == 0 ? "" : root_path) >= PATH_MAX)
		return jp_error_set(error, -ENAMETOOLONG, "%s: the path is too long", root_path);
	return jpfs_place_look(path, ret_place, error);
}

int jpfs_place_open_lock_directory(const struct jpfs_place *place,
				   struct jp_workspace *ret_workspace, struct jp_silo *ret_silo)
{
	cleanup_workspace struct jp_workspace workspace = {.root_fd = -EBADF, .jp_fd = -EBADF};
	cleanup_silo struct jp_silo silo = {
		.fd = -EBADF,
		.conversations_fd = -EBADF,
		.own_fd = -EBADF,
		.staging_fd = -EBADF,
		.history_fd = -EBADF,
		.trash_fd = -EBADF,
		.workspaces_fd = -EBADF,
	};
	const char *silo_path = json_string_value(json_object_get(place->status, "silo"));
	size_t size = strlen(place->mount_point), below = strlen(BELOW_ROOT);

	/* By the mount point and not as the daemon says: a worktree may have been moved. */
	if (silo_path == NULL || size < below ||
	    strcmp(place->mount_point + size - below, BELOW_ROOT) != 0)
		return -ENOENT;
	workspace.root_path =
		size == below ? strdup("/") : strndup(place->mount_point, size - below);
	silo.path = strdup(silo_path);
	if (workspace.root_path == NULL || silo.path == NULL)
		return -ENOMEM;
	workspace.root_fd = openat(AT_FDCWD, workspace.root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	silo.fd = openat(AT_FDCWD, silo_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (workspace.root_fd < 0 || silo.fd < 0)
		return -errno;
	silo.workspaces_fd = jp_open_beneath(silo.fd, "jpfs/workspaces", O_RDONLY | O_DIRECTORY, 0);
	if (silo.workspaces_fd < 0)
		return silo.workspaces_fd;
	*ret_workspace = workspace;
	*ret_silo = silo;
	workspace = (struct jp_workspace){0}; /* the caller has both now */
	silo = (struct jp_silo){0};
	return 0;
}

int jpfs_find_silo(const struct jp_workspace *workspace, struct jp_silo *ret_silo,
		   struct jp_error *error)
{
	cleanup_free char *user_data = NULL;
	int r;

	if (workspace->id[0] == '\0')
		return -ENOENT;
	r = jp_user_data_dir(&user_data, error);
	if (r < 0)
		return r;
	return jp_silo_open(user_data, workspace->id, jp_workspace_slug(workspace), false, ret_silo,
			    error);
}
