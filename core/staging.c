/* The daemon's staging directory. See staging.h for what it is for. */
#include "core/staging.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int jp_staging_open(const struct jp_silo *silo, struct jp_staging *ret_staging)
{
	cleanup_close int parent = -EBADF, fd = -EBADF;
	struct timespec now;

	parent = fcntl(silo->staging_fd, F_DUPFD_CLOEXEC, 3);
	if (parent < 0)
		return -errno;
	/* The time keeps a later process with the same number from meeting these files. */
	clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(ret_staging->name, sizeof(ret_staging->name), "%ld-%lld.%09ld",
		       (long)getpid(), (long long)now.tv_sec, now.tv_nsec);
	if (jp_sys->mkdirat(parent, ret_staging->name, 0700) < 0)
		return -errno;
	fd = jp_open_beneath(parent, ret_staging->name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	ret_staging->fd = TAKE_FD(fd);
	ret_staging->parent_fd = TAKE_FD(parent);
	atomic_init(&ret_staging->next_number, 1);
	return 0;
}

void jp_staging_close(struct jp_staging *staging)
{
	/* Not empty: something could not be brought to its place and stays for recovery. */
	if (staging->parent_fd >= 0)
		(void)jp_sys->unlinkat(staging->parent_fd, staging->name, AT_REMOVEDIR);
	jp_closep(&staging->fd);
	jp_closep(&staging->parent_fd);
}

void jp_staging_name(struct jp_staging *staging, uint64_t id, const char *file_name, char *ret_name)
{
	const char *base = strrchr(file_name, '/');

	(void)snprintf(ret_name, NAME_MAX + 1, "%" PRIu64 ".%" PRIu64 ".%.200s",
		       atomic_fetch_add(&staging->next_number, 1), id,
		       base != NULL ? base + 1 : file_name);
}

int jp_staging_create(struct jp_staging *staging, uint64_t id, const char *file_name, mode_t mode,
		      char *ret_name)
{
	int fd;

	jp_staging_name(staging, id, file_name, ret_name);
	fd = jp_open_beneath(staging->fd, ret_name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	/* The mode is the caller's to decide; the daemon's umask has no say in it. */
	if (jp_sys->fchmod(fd, mode & 07777) < 0) {
		int r = -errno;

		(void)jp_sys->unlinkat(staging->fd, ret_name, 0); /* it was never used */
		jp_closep(&fd);
		return r;
	}
	return fd;
}
