/*
 * What the parts of jpfs_converge_locked() share: what is found out about both sides of a unit
 * (converge_facts.c), what is decided and done (converge.c), and the files that are not jp's
 * (converge_unmanaged.c). The conversation's lock is held.
 */
#pragma once

#include "core/base_record.h"
#include "core/reconcile.h"
#include "fs/conversation.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* One managed file on both sides. */
struct jpfs_pair {
	enum jp_managed which;
	bool is_durable, is_workspace; /* there, as a regular file */
	bool is_same;
	bool is_removed;  /* the workspace had it when both were equal, and has it no more */
	bool is_left_out; /* the workspace lacks it, because its version has none */
	bool is_missing;  /* the durable side lacks it, and its version needs it */
	bool durable_is_base, workspace_is_base;
	bool is_draft; /* the workspace's is the draft that it was */
	struct stat durable, workspace;
};

/* What is known of a unit's files, put together. `facts` begins with is_same and is_archived set. */
must_check int jpfs_gather_unit_locked(struct jpfs_conversation *conversation,
				       const struct jp_base *base, struct jpfs_pair *pairs,
				       size_t count, struct jp_unit_facts *facts);
/* So new that somebody may still be writing it. */
bool jpfs_is_recent(const struct stat *st);
/* Copy a file or directory that the durable directory lacks, by way of staging: whole or not at all. -EEXIST:
 * somebody was quicker; -ENOENT: one of the two directories is not there. */
must_check int jpfs_take_tree_locked(struct jpfs_conversation *conversation, const char *path);
/* Files that are not jp's, in a directory of the conversation and below. */
must_check int jpfs_converge_unmanaged_locked(struct jpfs_conversation *conversation,
					      const char *directory, int depth);
