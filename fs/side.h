/*
 * One side of a conversation, the durable one or the workspace's: looking at a file there, opening it,
 * and what takes it from the one to the other. The conversation's lock is held.
 */
#pragma once

#include "fs/conversation.h"

#include <stdbool.h>
#include <sys/stat.h>

/* stat(2) of a managed file. Anything else than a regular file is as good as absent: it is never
 * taken in, and only ret->st_mode tells that it is there. 0 or -errno: nobody can tell. */
must_check int jpfs_stat_side_locked(struct jpfs_conversation *conversation, bool durable,
				     enum jp_managed which, struct stat *ret, bool *ret_is_there);
/* Open a file of one side. A new descriptor or -errno. */
must_check int jpfs_open_side_locked(struct jpfs_conversation *conversation, bool durable,
				     const char *path);
/* Open the directory that holds a path. A new descriptor or -errno; *ret_name points into path. */
must_check int jpfs_open_side_parent_locked(struct jpfs_conversation *conversation, bool durable,
					    const char *path, const char **ret_name);
/* Make the workspace's version of a file durable; what it replaces is kept. */
must_check int jpfs_take_file_locked(struct jpfs_conversation *conversation, const char *path);
/* The workspace's version of a file is about to go: keep it, unless the durable one contains it. */
must_check int jpfs_keep_loser_locked(struct jpfs_conversation *conversation,
				      enum jp_managed which);
must_check int jpfs_sync_durable_locked(struct jpfs_conversation *conversation);
