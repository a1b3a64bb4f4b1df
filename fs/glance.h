/*
 * A glance at a conversation: where its two directories are is found out once for all that is asked of
 * it in one hold of its lock. A listing asks for each file, and for each file where it would be; the
 * answers are the same each time, and finding them anew was half of a first walk.
 *
 * A glance only makes an answer as old as its beginning. That is no older than any answer may be:
 * whoever changes a side without our lock can do so at any moment of the request.
 */
#pragma once

#include "fs/view.h"

struct jpfs_glance {
	struct jpfs_conversation *conversation;   /* NULL: part of a glance that is under way */
	char durable[JP_CONVERSATION_PATH_BYTES]; /* empty: not looked for yet, or not there */
	int durable_fd, workspace_fd;             /* owned; -EBADF: not opened yet */
};

/* None. */
#define JPFS_GLANCE_INIT                                                                           \
	{                                                                                          \
		.durable_fd = -EBADF, .workspace_fd = -EBADF                                       \
	}

/* Begin one; the conversation's lock is held until it has ended. */
void jpfs_glance_begin_locked(struct jpfs_conversation *conversation, struct jpfs_glance *ret);
void jpfs_glance_end(struct jpfs_glance *glance);
#define cleanup_glance __attribute__((cleanup(jpfs_glance_end)))

/* Something is about to be done to either directory: where they are is found out anew after that. */
void jpfs_glance_renew_locked(struct jpfs_conversation *conversation);

/* stat(2) of the durable file at a path in the conversation, no link followed; with or without a
 * glance. 0; -errno. */
must_check int jpfs_stat_durable_locked(struct jpfs_conversation *conversation, const char *path,
					struct stat *ret);
/* stat(2) of the workspace's file at a path in the conversation, no link followed; with or without a
 * glance. 0; -errno. */
must_check int jpfs_stat_workspace_locked(struct jpfs_conversation *conversation, const char *path,
					  struct stat *ret);
