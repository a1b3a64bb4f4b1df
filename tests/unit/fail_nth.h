/*
 * Make the n-th change on disk fail with EIO, once, and let all others through.
 *
 * A test repeats what it does with n = 1, 2, 3 ... until it is done before the n-th change comes,
 * and looks each time at what was left behind.
 */
#pragma once

#include "core/base/sys.h"

#include <errno.h>
#include <stdbool.h>

static int jp_changes_left; /* the change that makes it 0 fails */

static inline bool jp_change_fails(void)
{
	if (--jp_changes_left != 0)
		return false;
	errno = EIO;
	return true;
}

static ssize_t jp_failing_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return jp_change_fails() ? -1 : jp_sys_real.pwrite(fd, data, size, offset);
}

static int jp_failing_fsync(int fd)
{
	return jp_change_fails() ? -1 : jp_sys_real.fsync(fd);
}

static int jp_failing_renameat2(int old_dirfd, const char *old_name, int new_dirfd,
				const char *new_name, unsigned flags)
{
	return jp_change_fails()
		       ? -1
		       : jp_sys_real.renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int jp_failing_unlinkat(int dirfd, const char *name, int flags)
{
	return jp_change_fails() ? -1 : jp_sys_real.unlinkat(dirfd, name, flags);
}

static int jp_failing_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return jp_change_fails() ? -1 : jp_sys_real.mkdirat(dirfd, name, mode);
}

/* Begin: the n-th change from now on fails. */
static inline void jp_fail_nth(int n, struct jp_sys *table)
{
	*table = jp_sys_real;
	table->pwrite = jp_failing_pwrite;
	table->fsync = jp_failing_fsync;
	table->renameat2 = jp_failing_renameat2;
	table->unlinkat = jp_failing_unlinkat;
	table->mkdirat = jp_failing_mkdirat;
	jp_changes_left = n;
	jp_sys = table;
}

/* End: true when the change that was to fail never came. */
static inline bool jp_fail_nth_end(void)
{
	jp_sys = &jp_sys_real;
	return jp_changes_left > 0;
}
