/*
 * Files of others that only the workspace has, of a conversation that has a durable copy.
 *
 * The store has what is put here, too. But jp deletes durable directories and makes them again from what
 * one worktree shows, and another worktree removes what both have: then the only copy of a file is the
 * one beneath this mount. It is shown as ever, and the next mount stores it again (converge_unmanaged.c). When
 * somebody removes it before, it stays where it is for some seconds, like what has no durable copy at all:
 * by itself it comes to the trash (put_off.c), and with its directory to the store.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "fs/commit.h"
#include "fs/converge_parts.h"
#include "fs/glance.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>

#define DEPTH_MAX 32

bool jpfs_is_durable_path_locked(struct jpfs_conversation *conversation, const char *path)
{
	char place[JPFS_PATH_BYTES];

	return jpfs_durable_path_locked(conversation, path, place) == 0 &&
	       faccessat(conversation->view->silo->conversations_fd, place, F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0;
}

bool jpfs_is_only_here_locked(struct jpfs_conversation *conversation, const char *path)
{
	char place[JPFS_PATH_BYTES];
	struct stat st;

	if (jp_name_is_temporary(path))
		return false;
	if (jpfs_durable_path_locked(conversation, "", place) != 0)
		return true; /* all of it is; or nobody can tell */
	return !jpfs_is_durable_path_locked(conversation, path) &&
	       !jp_is_absent(jpfs_stat_workspace_locked(conversation, path, &st));
}

/* Into the durable directory, if something new may come there; else, or when it is gone, to the trash. */
static int save(struct jpfs_conversation *conversation, const char *path, bool may_come)
{
	cleanup_close int parent = -EBADF, durable = -EBADF;
	const char *name;
	int r = -ENOENT;

	if (may_come) {
		r = jpfs_take_tree_locked(conversation, path);
		durable = r == 0 ? jpfs_open_side_parent_locked(conversation, true, path, &name)
				 : -EBADF;
		if (durable >= 0)
			r = jp_sync_directory(durable);
	}
	if (r != -ENOENT)
		return r == -EEXIST ? 0 : r;
	parent = jpfs_open_side_parent_locked(conversation, false, path, &name);
	r = parent < 0 ? parent
		       : jp_keep_copy(conversation->view->silo->trash_fd, conversation->id, parent,
				      name, path);
	return jp_is_absent(r) ? 0 : r;
}

static int save_directory(struct jpfs_conversation *conversation, const char *directory, int depth,
			  bool may_come)
{
	struct jpfs_view *view = conversation->view;
	cleanup_closedir DIR *dir = NULL;
	char place[JPFS_PATH_BYTES];
	int fd;

	jpfs_workspace_path(conversation, directory, place);
	fd = jp_open_beneath(view->workspace_fd, place, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return jp_is_absent(fd) ? 0 : fd;
	dir = fdopendir(fd);
	if (dir == NULL) {
		jp_closep(&fd);
		return -ENOMEM;
	}
	for (;;) {
		char path[JPFS_PATH_BYTES];
		struct dirent *entry;
		struct stat st;
		int r;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return -errno;
		if (!jp_is_single_name(entry->d_name) || jp_name_is_temporary(entry->d_name) ||
		    (depth == 0 && (jp_managed_from_name(entry->d_name) != JP_UNMANAGED ||
				    jp_name_is_managed_temporary(entry->d_name))))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s", directory, depth > 0 ? "/" : "",
			       entry->d_name);
		r = jpfs_stat_durable_locked(conversation, path, &st);
		if (r == 0 && S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			r = save_directory(conversation, path, depth + 1, may_come);
		else if (jp_is_absent(r))
			r = save(conversation, path, may_come);
		if (r < 0)
			return r;
	}
}

int jpfs_save_only_here_locked(struct jpfs_conversation *conversation)
{
	char place[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, "", place);

	if (r < 0 || conversation->is_local)
		return r == -ENOENT ? 0 : r;
	/* jp may just be deleting it, and would give up. */
	return save_directory(conversation, "", 0, !jpfs_durable_is_changing_locked(conversation));
}
