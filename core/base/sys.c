/* The real system calls behind the table of sys.h. */
#include "core/base/sys.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static int real_renameat2(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			  unsigned flags)
{
	return renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static int real_clone(int to_fd, int from_fd)
{
	return ioctl(to_fd, FICLONE, from_fd);
}

static int real_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

const struct jp_sys jp_sys_real = {
	.pwrite = pwrite,
	.copy_file_range = copy_file_range,
	.clone = real_clone,
	.ftruncate = ftruncate,
	.fallocate = fallocate,
	.fsync = fsync,
	.syncfs = syncfs,
	.renameat2 = real_renameat2,
	.linkat = linkat,
	.symlinkat = symlinkat,
	.unlinkat = unlinkat,
	.mkdirat = mkdirat,
	.fchmod = fchmod,
	.fchmodat = fchmodat,
	.futimens = futimens,
	.fsetxattr = fsetxattr,
	.openat2 = real_openat2,
	.pread = pread,
	.readdir = readdir,
};

const struct jp_sys *jp_sys = &jp_sys_real;
