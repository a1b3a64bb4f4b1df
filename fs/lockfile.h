/*
 * One daemon serves one worktree, and this file says which.
 *
 * `<silo>/jpfs/workspaces/<device>-<inode>.lock` (of the workspace's root directory, hexadecimal) is
 * locked with flock for as long as its daemon lives, also while it is detached and waits for the
 * directory to come back, and also in a mount namespace that nobody sees. The text is one JSON
 * object: {"pid": N, "state": "starting" | "serving" | "detached" | "finishing" | "clean" |
 * "failed", "error": "…" or null, "root": "…"}. The state outlives the daemon, so that `jpfs umount`
 * can tell how it ended.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/silo.h"
#include "core/workspace.h"

#include <sys/types.h>

struct jpfs_lock_state {
	pid_t pid;
	char state[16];
	char error[1024]; /* empty for null */
};

/*
 * Take the lock.
 * Returns: a new descriptor that holds it (flock; survives fork, ends with the last copy);
 *          -EWOULDBLOCK another process has it.
 */
must_check int jpfs_lockfile_take(const struct jp_silo *silo, const struct jp_workspace *workspace);

/* Wait until nobody holds the lock, at most `timeout_ms` (-1: as long as it takes). 0, -ETIMEDOUT,
 * -ENOENT when there has never been one, or -errno. */
must_check int jpfs_lockfile_wait(const struct jp_silo *silo, const struct jp_workspace *workspace,
				  int timeout_ms);

/* Write what the holder is doing. `error` may be NULL. Failing to write changes nothing else. */
void jpfs_lockfile_write(int lock_fd, const struct jp_workspace *workspace, const char *state,
			 const char *error);

/* Read what the last holder was doing. -ENOENT never held, -EBADMSG not readable. */
must_check int jpfs_lockfile_read(const struct jp_silo *silo, const struct jp_workspace *workspace,
				  struct jpfs_lock_state *ret_state);
