/*
 * The system calls that can lose data.
 *
 * Everything in core that changes what is on disk goes through this table, so that a test can make
 * the n-th change fail, or stop the process there, and look at what is left. Reads need no such
 * thing: a failed read changes nothing. Each member has the contract of the system call that it is
 * named after, errno included.
 */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

struct jp_sys {
	ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
	int (*ftruncate)(int fd, off_t size);
	int (*fsync)(int fd);
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
};

/* The table in force. Set once before any thread starts; tests may swap it. */
extern const struct jp_sys *jp_sys;

/* The real calls. */
extern const struct jp_sys jp_sys_real;
