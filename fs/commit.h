/*
 * From staging to the durable copy: what every write goes through, and what gives a conversation its
 * first durable copy.
 */
#pragma once

#include "fs/entry.h"

/* ---- commit.c: from staging to the durable copy ---- */

/*
 * Try to commit a write: 0 it is done, or needs nothing for now; -EAGAIN later; or a failure.
 *
 * Shape:   ret_is_workspaces  always set: whether a failure is the workspace's, where drafts have their
 *                             home, and not the store's
 */
must_check int jpfs_commit_once(struct jpfs_entry *entry, bool for_fsync, bool force,
				bool *ret_is_workspaces);
must_check int jpfs_commit_entry(struct jpfs_entry *entry, bool for_fsync);
/* Its bytes became the durable version that `st` describes. */
void jpfs_entry_is_durable_locked(struct jpfs_entry *entry, const struct stat *st);

/* ---- commit_durable.c: where a commit changes places with what is stored ---- */

/*
 * Wait until the disk has the names of what was stored: somebody else may have put a version in place, and
 * still be syncing the directory. Nothing is done when nobody is. Not to be called with the lock held.
 *
 * Shape:   entry  a directory, or a file: the directory that has its name; NULL: the conversation's own
 * Returns: 0; -errno
 */
must_check int jpfs_sync_placed(struct jpfs_conversation *conversation,
				const struct jpfs_entry *entry);

/* ---- placing.c: into a durable directory that somebody may be removing ---- */

/* Whether somebody else is changing the durable directory at this moment, and may be removing it. */
bool jpfs_durable_is_changing_locked(struct jpfs_conversation *conversation);
/* Whether the directories above a path are being changed by somebody else, and may be gone already. */
bool jpfs_durable_is_going_locked(struct jpfs_conversation *conversation, const char *path);
/* Give the staged file its name in the durable directory `parent`. -ENOENT, -EAGAIN: that is going. */
must_check int jpfs_put_in_place_locked(struct jpfs_entry *entry, bool is_forced, int parent,
					const char *name, bool *ret_is_displaced);

/* ---- commit_pass.c: which of them when ---- */

/* Commit what is dirty and no longer being written. With `force`, also what would rather wait. 0,
 * or the first failure; what failed stays dirty. Not to be called with the lock held. */
must_check int jpfs_commit_conversation(struct jpfs_conversation *conversation, bool force,
					int64_t *ret_wait_ms);
/* fsync(2) of one of its directories, NULL: its own. What can be committed is, and lasts. Not to be called
 * with the lock held. */
must_check int jpfs_sync_conversation(struct jpfs_conversation *conversation,
				      const struct jpfs_entry *directory);

/* ---- import.c: a conversation's first durable copy ---- */

/* Give a conversation of the workspace its durable copy: -EBADMSG it is not complete and valid,
 * -EAGAIN somebody else just did. */
must_check int jpfs_import(struct jpfs_conversation *conversation);
/* The same with what was removed here and is still in the workspace. */
must_check int jpfs_import_whole(struct jpfs_conversation *conversation);
/* On a workspace ID's first use, all of them; otherwise nothing. */
must_check int jpfs_import_all(struct jpfs_view *view);
