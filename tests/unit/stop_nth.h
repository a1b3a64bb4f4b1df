/*
 * Fail every call that changes the disk from the n-th on, fail only that one, or end the process
 * there; and do as a filesystem does that can neither exchange two names nor refuse to replace one.
 *
 * Like fail_nth.h, for what takes several runs to complete: all calls count, and fsync is only
 * counted, since nothing here looks at a disk after a power cut.
 */
#pragma once

#include "core/base/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

enum jp_stop_flags {
	JP_STOP = 1 << 0,          /* end with JP_STOPPED before the n-th change */
	JP_FAIL_ONCE = 1 << 1,     /* the n-th change fails with EIO */
	JP_FAIL_ON = 1 << 2,       /* that one and all later ones fail with ENOSPC */
	JP_PLAIN_RENAMES = 1 << 3, /* no flags of renameat2(2) */
};

enum {
	JP_STOPPED = 42,
};

static int jp_stop_left; /* the change that makes it 0; counts on below */
static int jp_stop_how;

static inline bool jp_stop_here(void)
{
	jp_stop_left--;
	if (jp_stop_left == 0 && (jp_stop_how & JP_STOP) != 0)
		_exit(JP_STOPPED);
	if (jp_stop_left == 0 && (jp_stop_how & JP_FAIL_ONCE) != 0) {
		errno = EIO;
		return true;
	}
	if (jp_stop_left <= 0 && (jp_stop_how & JP_FAIL_ON) != 0) {
		errno = ENOSPC;
		return true;
	}
	return false;
}

static ssize_t jp_stop_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return jp_stop_here() ? -1 : jp_sys_real.pwrite(fd, data, size, offset);
}

static int jp_stop_ftruncate(int fd, off_t size)
{
	return jp_stop_here() ? -1 : jp_sys_real.ftruncate(fd, size);
}

static int jp_stop_fsync(int fd)
{
	(void)fd; /* counted, and not synced */
	return jp_stop_here() ? -1 : 0;
}

static int jp_stop_renameat2(int old_dirfd, const char *old_name, int new_dirfd,
			     const char *new_name, unsigned flags)
{
	if (flags != 0 && (jp_stop_how & JP_PLAIN_RENAMES) != 0) {
		errno = EINVAL;
		return -1;
	}
	return jp_stop_here()
		       ? -1
		       : jp_sys_real.renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int jp_stop_linkat(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			  int flags)
{
	return jp_stop_here() ? -1
			      : jp_sys_real.linkat(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int jp_stop_symlinkat(const char *target, int dirfd, const char *name)
{
	return jp_stop_here() ? -1 : jp_sys_real.symlinkat(target, dirfd, name);
}

static int jp_stop_unlinkat(int dirfd, const char *name, int flags)
{
	return jp_stop_here() ? -1 : jp_sys_real.unlinkat(dirfd, name, flags);
}

static int jp_stop_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return jp_stop_here() ? -1 : jp_sys_real.mkdirat(dirfd, name, mode);
}

static int jp_stop_fchmod(int fd, mode_t mode)
{
	return jp_stop_here() ? -1 : jp_sys_real.fchmod(fd, mode);
}

static int jp_stop_fchmodat(int dirfd, const char *path, mode_t mode, int flags)
{
	return jp_stop_here() ? -1 : jp_sys_real.fchmodat(dirfd, path, mode, flags);
}

static int jp_stop_futimens(int fd, const struct timespec times[2])
{
	return jp_stop_here() ? -1 : jp_sys_real.futimens(fd, times);
}

/* Begin: it happens at the n-th change from now on, or never when `n` is 0. */
static inline void jp_stop_nth(int n, int how, struct jp_sys *table)
{
	*table = (struct jp_sys){
		.pwrite = jp_stop_pwrite,
		.ftruncate = jp_stop_ftruncate,
		.fsync = jp_stop_fsync,
		.renameat2 = jp_stop_renameat2,
		.linkat = jp_stop_linkat,
		.symlinkat = jp_stop_symlinkat,
		.unlinkat = jp_stop_unlinkat,
		.mkdirat = jp_stop_mkdirat,
		.fchmod = jp_stop_fchmod,
		.fchmodat = jp_stop_fchmodat,
		.futimens = jp_stop_futimens,
	};
	jp_stop_left = n;
	jp_stop_how = n > 0 ? how : how & JP_PLAIN_RENAMES;
	jp_sys = table;
}

/* End: true when the change in question never came. */
static inline bool jp_stop_nth_end(void)
{
	jp_sys = &jp_sys_real;
	return jp_stop_left > 0;
}
