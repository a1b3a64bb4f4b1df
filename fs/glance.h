/*
 * A glance at a conversation: where its two directories are, and what stat(2) says of jp's own files in
 * them, is found out once for all that is asked of it in one hold of its lock. A listing asks for each
 * file, for each where it would be, and once more for what is told of it; the answers are the same each
 * time, and finding them anew was most of a first walk.
 *
 * A glance only makes an answer as old as its beginning. That is no older than any answer may be:
 * whoever changes a side without our lock can do so at any moment of the request.
 */
#pragma once

#include "fs/view.h"

/* What stat(2) has said of a file. */
struct jpfs_seen {
	bool is_seen;
	int r; /* 0; -errno */
	struct stat st;
};

struct jpfs_glance {
	struct jpfs_conversation *conversation;   /* NULL: part of a glance that is under way */
	char durable[JP_CONVERSATION_PATH_BYTES]; /* empty: not looked for yet, or not there */
	int durable_fd, workspace_fd;             /* owned; -EBADF: not opened yet */
	bool is_readable;                         /* workspace_fd, which nobody has read yet */
	bool has_changed; /* something was done meanwhile: each stat(2) is made when it is asked for */
	struct jpfs_seen seen_durable[JP_MANAGED_COUNT], seen_workspace[JP_MANAGED_COUNT];
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

/* Something is about to be done, or was done, to either directory, or somebody else was seen to: all of
 * it is found out anew from here on. */
void jpfs_glance_renew_locked(struct jpfs_conversation *conversation);

/* stat(2) of the durable file at a path in the conversation, no link followed; with or without a
 * glance. 0; -errno. */
must_check int jpfs_stat_durable_locked(struct jpfs_conversation *conversation, const char *path,
					struct stat *ret);
/* stat(2) of the workspace's file at a path in the conversation, no link followed; with or without a
 * glance. 0; -errno. */
must_check int jpfs_stat_workspace_locked(struct jpfs_conversation *conversation, const char *path,
					  struct stat *ret);
/* The durable directory, while a glance is under way; no link followed. The glance's descriptor; -errno. */
must_check int jpfs_durable_directory_locked(struct jpfs_conversation *conversation);
/* The workspace's directory, to be read from its beginning, no link followed; with or without a glance.
 * A new descriptor; -errno. */
must_check int jpfs_open_workspace_locked(struct jpfs_conversation *conversation);
