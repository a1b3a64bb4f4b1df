/*
 * Versions and files that something else took the place of.
 *
 *     <silo>/jpfs/history/<conversation id>/<UTC time>.<file>   versions of managed files
 *     <silo>/jpfs/trash/<conversation id>/<UTC time>.<name>     removed files and directories; an
 *                                                               archived one: .archive%<name>
 *
 * The time, to the nanosecond, is when it was put there, so names sort by age. Things are moved in
 * by rename where that is possible and never changed afterwards.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdint.h>

/*
 * Move what is at a path into a keeping directory.
 *
 * Shape:   keep_fd         the history or trash directory
 *          from_dirfd      where it is; the same filesystem is quick, another one copies, removes
 *          from_name       one component
 *          as              the name that it had in its conversation; a '/' in it becomes '%'
 * Returns: 0 it is there, and the directory is synced; -errno, then it is still where it was.
 */
must_check int jp_keep_move(int keep_fd, uint64_t id, int from_dirfd, const char *from_name,
			    const char *as);

/*
 * Whether a version of a file is kept there: byte for byte, under any time.
 * Returns: 1, 0, -errno.
 */
must_check int jp_history_has(int keep_fd, uint64_t id, const char *as, int fd);

/*
 * Whether a version of a managed file is kept there, or one that contains it: what was contained in
 * its successor was not kept, and came before whatever replaced that. `before_ns`: kept before that
 * time, or INT64_MAX.
 * Returns: 1, 0, -errno.
 */
must_check int jp_history_contains(int keep_fd, uint64_t id, const char *as, int fd,
				   int64_t before_ns);

/* Put a copy of a file or directory there, and leave the original where it is. */
must_check int jp_keep_copy(int keep_fd, uint64_t id, int from_dirfd, const char *from_name,
			    const char *as);
