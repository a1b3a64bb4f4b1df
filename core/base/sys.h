/*
 * The system calls that can lose data.
 *
 * Everything in core that changes what is on disk goes through this table, so that a test can make
 * the n-th change fail, or stop the process there, and look at what is left. So does what is read:
 * a failed read changes nothing, but it can lead to a wrong decision, and that can. Each member has
 * the contract of the system call that it is named after, errno included, but for one: what a
 * filesystem finds damaged when it reads (EBADMSG on ext4 and XFS) is an I/O error. Here -EBADMSG
 * says that jp would not accept a file, and what cannot be read has said nothing.
 */
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

struct open_how;

struct jp_sys {
	/* changes */
	ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
	ssize_t (*copy_file_range)(int from_fd, off_t *from, int to_fd, off_t *to, size_t size,
				   unsigned flags);
	int (*clone)(int to_fd, int from_fd); /* ioctl(2), FICLONE */
	int (*ftruncate)(int fd, off_t size);
	int (*fallocate)(int fd, int mode, off_t offset, off_t size);
	int (*fsync)(int fd);
	int (*syncfs)(int fd);
	int (*renameat2)(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			 unsigned flags);
	int (*linkat)(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
		      int flags);
	int (*symlinkat)(const char *target, int dirfd, const char *name);
	int (*unlinkat)(int dirfd, const char *name, int flags);
	int (*mkdirat)(int dirfd, const char *name, mode_t mode);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchmodat)(int dirfd, const char *path, mode_t mode, int flags);
	int (*futimens)(int fd, const struct timespec times[2]);
	int (*fsetxattr)(int fd, const char *name, const void *value, size_t size, int flags);
	/* a change with O_CREAT, else a read */
	int (*openat2)(int dirfd, const char *path, const struct open_how *how);
	/* reads */
	ssize_t (*pread)(int fd, void *data, size_t size, off_t offset);
	struct dirent *(*readdir)(DIR *dir);
};

/* The table in force. Set once before any thread starts; tests may swap it. */
extern const struct jp_sys *jp_sys;

/* The real calls. */
extern const struct jp_sys jp_sys_real;
