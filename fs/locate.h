/*
 * Where the bytes of a path in a conversation are, apart from what is staged: in the durable copy, in
 * the workspace, or held by a link. The conversation's lock is held.
 */
#pragma once

#include "fs/entry.h"

#include <stdbool.h>
#include <sys/stat.h>

struct jpfs_location {
	enum jpfs_home home;
	struct stat st;
};

/* 0; -ENOENT there is nothing to be shown; others: nobody can tell. */
must_check int jpfs_locate_locked(struct jpfs_conversation *conversation, const char *path,
				  enum jp_managed managed, struct jpfs_location *ret);
/* What the workspace's file says, when it is a projection of this version: git compares inode
 * numbers and times, and finds them unchanged by mounting and unmounting. */
bool jpfs_stat_projection_locked(struct jpfs_conversation *conversation, const char *path,
				 enum jp_managed managed, const struct stat *durable,
				 struct stat *ret);
