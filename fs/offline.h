/*
 * A worktree's view without a mount: what commands use where nothing is mounted, and machines
 * without FUSE.
 *
 * The same engine does the same things, on the calling thread: it holds the worktree's lock, so
 * that no daemon serves it meanwhile, and nothing stays in the background.
 */
#pragma once

#include "fs/view.h"

struct jpfs_offline {
	struct jpfs_view view;
	int lock_fd, workspace_fd;
	const struct jp_workspace *workspace;
	bool is_open;
};

/* Called after each conversation, because it can take long: so many of so many are done. */
typedef void jpfs_progress(size_t done, size_t count);

/*
 * Take the lock and read which conversations the workspace has.
 *
 * Shape:   workspace, silo  borrowed until jpfs_offline_close()
 *          read_only        nothing is changed on either side; jpfs_offline_look() only
 * Returns: 0; -EBUSY a daemon has the worktree; others. `error` says what and what to do.
 */
must_check int jpfs_offline_open(const struct jp_workspace *workspace, struct jp_silo *silo,
				 bool read_only, struct jpfs_offline *ret_offline,
				 struct jp_error *error);

/* Find out what reconciling would do: each conversation's decision. `progress` may be NULL. */
must_check int jpfs_offline_look(struct jpfs_offline *offline, jpfs_progress *progress);

/* Import what a first use imports, reconcile all, bring the workspace up to date, sync both sides.
 * The first failure, or 0; the view remembers what it was of. `progress` may be NULL. */
must_check int jpfs_offline_sync(struct jpfs_offline *offline, jpfs_progress *progress);

/* Any state, also all zeros. */
void jpfs_offline_close(struct jpfs_offline *offline);
#define cleanup_offline __attribute__((cleanup(jpfs_offline_close)))
