/* The real system calls behind the table of sys.h. */
#include "core/base/sys.h"

#include <errno.h>
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

/* See sys.h. Returns the result as it is. */
static ssize_t told_apart(ssize_t result)
{
	if (result < 0 && errno == EBADMSG)
		errno = EIO;
	return result;
}

static int real_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return (int)told_apart(syscall(SYS_openat2, dirfd, path, how, sizeof(*how)));
}

static ssize_t real_pread(int fd, void *data, size_t size, off_t offset)
{
	return told_apart(pread(fd, data, size, offset));
}

static ssize_t real_copy_file_range(int from_fd, off_t *from, int to_fd, off_t *to, size_t size,
				    unsigned flags)
{
	return told_apart(copy_file_range(from_fd, from, to_fd, to, size, flags));
}

static struct dirent *real_readdir(DIR *dir)
{
	struct dirent *entry = readdir(dir);

	if (entry == NULL)
		(void)told_apart(-1);
	return entry;
}

const struct jp_sys jp_sys_real = {
	.pwrite = pwrite,
	.copy_file_range = real_copy_file_range,
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
	.pread = real_pread,
	.readdir = real_readdir,
};

const struct jp_sys *jp_sys = &jp_sys_real;
