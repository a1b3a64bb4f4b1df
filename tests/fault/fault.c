/* A table of system calls that go wrong when they are told to. See fault.h. */
#include "tests/fault/fault.h"

#include "core/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <unistd.h>

enum kind {
	CHANGE,
	ROOM,  /* a change that needs some */
	WRITE, /* the same, of bytes: it can be short */
	READ,
};

static struct {
	unsigned how;
	int error;
	int left; /* the call that makes it 0; counts on below */
	const char *call;
} fault;

static bool counts(enum kind kind)
{
	if ((fault.how & JP_SHORT) != 0)
		return kind == WRITE;
	if ((fault.how & JP_READS) != 0)
		return kind == READ;
	return (fault.how & JP_ROOM) != 0 ? kind == ROOM || kind == WRITE : kind != READ;
}

/* Whether the call fails, with errno set. */
static bool fails(enum kind kind, const char *call)
{
	bool is_failure;

	if (!counts(kind))
		return false;
	fault.left--;
	if (fault.left == 0) {
		fault.call = call;
		if ((fault.how & JP_STOP) != 0)
			_exit(JP_STOPPED);
	}
	if ((fault.how & JP_SHORT) != 0)
		is_failure = fault.left < 0 && fault.error != 0;
	else if (fault.left == 0)
		is_failure = (fault.how & (JP_FAIL_ONCE | JP_FAIL_ON)) != 0;
	else
		is_failure = fault.left < 0 && (fault.how & JP_FAIL_ON) != 0;
	if (is_failure)
		errno = fault.error;
	return is_failure;
}

/* How much of it a write may do. */
static size_t shortened(size_t size)
{
	return (fault.how & JP_SHORT) != 0 && fault.left == 0 && size > 1 ? size / 2 : size;
}

static bool is_plain(void)
{
	return (fault.how & JP_PLAIN) != 0;
}

static ssize_t do_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return fails(WRITE, "pwrite") ? -1 : jp_sys_real.pwrite(fd, data, shortened(size), offset);
}

static ssize_t do_copy_file_range(int from_fd, off_t *from, int to_fd, off_t *to, size_t size,
				  unsigned flags)
{
	struct stat st;

	if (is_plain()) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fails(WRITE, "copy_file_range"))
		return -1;
	/* It is asked for more than there is: half of the file is short. */
	if (fault.left == 0 && (fault.how & JP_SHORT) != 0 && fstat(from_fd, &st) == 0)
		size = shortened((size_t)st.st_size);
	return jp_sys_real.copy_file_range(from_fd, from, to_fd, to, size, flags);
}

static int do_clone(int to_fd, int from_fd)
{
	(void)to_fd;
	(void)from_fd;
	errno = EOPNOTSUPP; /* so that bytes are copied, on any filesystem */
	return -1;
}

static int do_ftruncate(int fd, off_t size)
{
	return fails(CHANGE, "ftruncate") ? -1 : jp_sys_real.ftruncate(fd, size);
}

static int do_fallocate(int fd, int mode, off_t offset, off_t size)
{
	return fails(ROOM, "fallocate") ? -1 : jp_sys_real.fallocate(fd, mode, offset, size);
}

static int do_fsync(int fd)
{
	(void)fd;
	return fails(CHANGE, "fsync") ? -1 : 0;
}

static int do_syncfs(int fd)
{
	(void)fd;
	return fails(CHANGE, "syncfs") ? -1 : 0;
}

static int do_renameat2(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			unsigned flags)
{
	if (flags != 0 && is_plain()) {
		errno = EINVAL;
		return -1;
	}
	return fails(ROOM, "renameat2")
		       ? -1
		       : jp_sys_real.renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int do_linkat(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
		     int flags)
{
	return fails(ROOM, "linkat")
		       ? -1
		       : jp_sys_real.linkat(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int do_symlinkat(const char *target, int dirfd, const char *name)
{
	return fails(ROOM, "symlinkat") ? -1 : jp_sys_real.symlinkat(target, dirfd, name);
}

static int do_unlinkat(int dirfd, const char *name, int flags)
{
	return fails(CHANGE, "unlinkat") ? -1 : jp_sys_real.unlinkat(dirfd, name, flags);
}

static int do_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return fails(ROOM, "mkdirat") ? -1 : jp_sys_real.mkdirat(dirfd, name, mode);
}

static int do_fchmod(int fd, mode_t mode)
{
	return fails(CHANGE, "fchmod") ? -1 : jp_sys_real.fchmod(fd, mode);
}

static int do_fchmodat(int dirfd, const char *path, mode_t mode, int flags)
{
	return fails(CHANGE, "fchmodat") ? -1 : jp_sys_real.fchmodat(dirfd, path, mode, flags);
}

static int do_futimens(int fd, const struct timespec times[2])
{
	return fails(CHANGE, "futimens") ? -1 : jp_sys_real.futimens(fd, times);
}

static int do_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return fails(ROOM, "fsetxattr") ? -1 : jp_sys_real.fsetxattr(fd, name, value, size, flags);
}

static int do_openat2(int dirfd, const char *path, const struct open_how *how)
{
	if ((how->flags & O_CREAT) != 0 ? fails(ROOM, "openat2 (create)") : fails(READ, "openat2"))
		return -1;
	return jp_sys_real.openat2(dirfd, path, how);
}

static ssize_t do_pread(int fd, void *data, size_t size, off_t offset)
{
	return fails(READ, "pread") ? -1 : jp_sys_real.pread(fd, data, size, offset);
}

static struct dirent *do_readdir(DIR *dir)
{
	return fails(READ, "readdir") ? NULL : jp_sys_real.readdir(dir);
}

static const struct jp_sys table = {
	.pwrite = do_pwrite,
	.copy_file_range = do_copy_file_range,
	.clone = do_clone,
	.ftruncate = do_ftruncate,
	.fallocate = do_fallocate,
	.fsync = do_fsync,
	.syncfs = do_syncfs,
	.renameat2 = do_renameat2,
	.linkat = do_linkat,
	.symlinkat = do_symlinkat,
	.unlinkat = do_unlinkat,
	.mkdirat = do_mkdirat,
	.fchmod = do_fchmod,
	.fchmodat = do_fchmodat,
	.futimens = do_futimens,
	.fsetxattr = do_fsetxattr,
	.openat2 = do_openat2,
	.pread = do_pread,
	.readdir = do_readdir,
};

void jp_fault_begin(int n, unsigned how, int error)
{
	fault.how = n > 0 ? how : how & JP_PLAIN;
	fault.error = error;
	fault.left = n;
	fault.call = "none";
	jp_sys = &table;
}

bool jp_fault_end(void)
{
	jp_sys = &jp_sys_real;
	return fault.left > 0;
}

const char *jp_fault_call(void)
{
	return fault.call;
}
