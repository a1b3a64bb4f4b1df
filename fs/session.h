/*
 * The life of a mount, from the first request to the last byte on disk.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/silo.h"
#include "core/workspace.h"

#include <stdbool.h>

struct jpfs_mount_options {
	const char *fuse_options; /* for jpfs_attach(); never NULL */
	bool read_only;           /* nothing is changed on either side, not even reconciled */
	bool list_control;        /* .jpfs is listed in the root */
	unsigned idle_timeout_s;  /* end when nobody has used it for so long; 0: never */
	bool uncached;            /* the kernel keeps nothing, and opening is a request */
	bool debug;               /* libfuse prints every request to stderr */
};

/*
 * Serve a workspace until it is unmounted, the workspace is gone, or SIGTERM, SIGINT or SIGHUP
 * comes; then bring both sides up to date. Runs its own threads; the calling process is the daemon.
 *
 * Shape:   workspace  with its ID; borrowed
 *          silo       opened with make (read-only mounts too); taken over in place and changed when
 *                     jp folds the silo away; the caller still releases it
 *          lock_fd    the worktree's lock file, held; its text is kept up to date (lockfile.h)
 *          ready_fd   one byte is written when files can be used, then it is closed; -EBADF for
 * none Returns: 0 everything is on disk on both sides; -errno what could not be, and `error` says
 * which; before the byte on ready_fd: why it could not mount.
 */
must_check int jpfs_serve(const struct jp_workspace *workspace, struct jp_silo *silo, int lock_fd,
			  int ready_fd, const struct jpfs_mount_options *options,
			  struct jp_error *error);
