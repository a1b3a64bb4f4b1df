/*
 * One side of a conversation. A version that goes from the workspace to the store goes by way of
 * staging, whole and synced, and what it replaces is kept unless it is contained.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/durable.h"
#include "core/validity.h"
#include "core/version.h"
#include "fs/glance.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

/* Where a path is on a side, and the descriptor that it is relative to; -errno. */
static int place_on_side(struct jpfs_conversation *conversation, bool durable, const char *path,
			 char ret_place[JPFS_PATH_BYTES])
{
	struct jpfs_view *view = conversation->view;
	int r = 0;

	if (durable)
		r = jpfs_durable_path_locked(conversation, path, ret_place);
	else
		jpfs_workspace_path(conversation, path, ret_place);
	return r < 0 ? r : durable ? view->silo->conversations_fd : view->workspace_fd;
}

int jpfs_open_side_locked(struct jpfs_conversation *conversation, bool durable, const char *name)
{
	char place[JPFS_PATH_BYTES];
	int side_fd = place_on_side(conversation, durable, name, place);

	return side_fd < 0 ? side_fd : jp_open_regular(side_fd, place, O_RDONLY);
}

int jpfs_stat_side_locked(struct jpfs_conversation *conversation, bool durable,
			  enum jp_managed which, struct stat *ret, bool *ret_is_there)
{
	const char *name = jp_managed_name(which);
	int r = durable ? jpfs_stat_durable_locked(conversation, name, ret)
			: jpfs_stat_workspace_locked(conversation, name, ret);

	*ret_is_there = r == 0 && S_ISREG(ret->st_mode);
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

int jpfs_open_side_parent_locked(struct jpfs_conversation *conversation, bool durable,
				 const char *path, const char **ret_name)
{
	char place[JPFS_PATH_BYTES];
	int side_fd = place_on_side(conversation, durable, path, place);
	const char *name;

	*ret_name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	return side_fd < 0 ? side_fd : jpfs_open_parent(side_fd, place, &name);
}

int jpfs_take_file_locked(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int from = -EBADF, staged = -EBADF, parent = -EBADF;
	enum jp_managed which = jp_managed_from_name(path);
	char name[NAME_MAX + 1];
	const char *file_name;
	bool is_displaced = false;
	int r;

	from = jpfs_open_side_locked(conversation, false, path);
	if (from < 0)
		return from;
	parent = jpfs_open_side_parent_locked(conversation, true, path, &file_name);
	if (parent < 0)
		return parent;
	staged = jp_staging_create(&view->staging, conversation->id, path, 0600, name);
	if (staged < 0)
		return staged;
	r = jp_copy_content(from, staged);
	/* It was looked at before, and somebody may have written to it since. */
	if (r == 0 && which != JP_UNMANAGED) {
		int valid = jp_validity_of_file(which, staged);

		r = valid < 0 ? valid : valid == 1 ? 0 : -EAGAIN;
	}
	if (r == 0)
		r = jp_copy_attributes(from, staged);
	if (r == 0 && jp_sys->fsync(staged) < 0)
		r = -errno;
	/* From here on it may be the version that is replaced: if this process dies, that is told. */
	if (r == 0)
		r = jp_staging_mark(&view->staging, name, JP_STAGED_COPY, conversation->id, path);
	if (r == 0 || r == -ENAMETOOLONG)
		r = jp_durable_put(&view->staging, conversation->id, name, parent, file_name,
				   &is_displaced);
	if (r < 0) {
		(void)jp_sys->unlinkat(view->staging.fd, name, 0); /* the workspace has it */
		return r;
	}
	return is_displaced
		       ? jpfs_dispose_of_displaced(conversation, path, true, name, staged, NULL)
		       : 0;
}

int jpfs_keep_loser_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	const char *name = jp_managed_name(which);
	cleanup_close int durable = -EBADF, workspace = -EBADF, parent = -EBADF;

	durable = jpfs_open_side_locked(conversation, true, name);
	workspace = jpfs_open_side_locked(conversation, false, name);
	if (workspace < 0)
		return workspace == -ENOENT ? 0 : workspace;
	if (durable >= 0 && jp_version_is_contained(which, workspace, durable) == 1)
		return 0;
	parent = jpfs_open_side_parent_locked(conversation, false, name, &name);
	return parent < 0 ? parent : jpfs_keep_version(conversation, which, parent, name);
}

int jpfs_sync_durable_locked(struct jpfs_conversation *conversation)
{
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, "", path);

	if (r < 0)
		return r;
	fd = jp_open_beneath(conversation->view->silo->conversations_fd, path,
			     O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return jp_sys->fsync(fd) < 0 ? -errno : 0;
}
