/*
 * The trash of file managers: `.Trash-<uid>` in the mount's root.
 *
 * Whatever is to be moved to the trash on a filesystem of its own, and that a mount is, file
 * managers, `gio trash` and `trash-put` move into that directory, and make it first. In the
 * worktree git would show it as untracked, and it would go with the worktree, as everything there
 * does. So it lives in the silo, one for all worktrees, like the conversations themselves:
 *
 *     <silo>/jpfs/desktop-trash/.Trash-<uid>/{files,info}
 *
 * It is reachable by name, which is how it is looked for, and not listed. One that the workspace's
 * directory really has is passed through like any other directory there. What is in it is the
 * desktop's to bring back or to throw away: nothing here prunes it.
 *
 * Into it and out of it is a rename for whoever asks, also where the two lie on different filesystems.
 */
#pragma once

#include "fs/view.h"

/* If a path of the workspace leads into the trash: where that really is. 0 or -ENAMETOOLONG. */
must_check int jpfs_desktop_trash_redirect(struct jpfs_view *view, int *root_fd,
					   char path[JPFS_PATH_BYTES]);

/* A name is about to be made in a directory: if it is the trash's, there is a place for it. */
must_check int jpfs_desktop_trash_prepare(struct jpfs_view *view, const struct jpfs_object *parent,
					  const char *name);

/*
 * renameat2(2), and where the two lie on different filesystems a copy and a removal.
 *
 * Returns: 0, -errno; -EXDEV when it would have to replace something, or could not copy all of it.
 *          After a failure everything is where it was.
 */
must_check int jpfs_desktop_trash_move(int old_fd, const char *old_name, int new_fd,
				       const char *new_name, unsigned flags);

/*
 * A file of a conversation is renamed into the trash: a copy goes there, and it is removed here, as
 * unlink(2) would do it.
 *
 * Returns: 0, -errno; -EXDEV the target is no place in the trash, or this is no regular file.
 */
must_check int jpfs_desktop_trash_put(struct jpfs_conversation *conversation, const char *path,
				      struct jpfs_object *directory, const char *name);
