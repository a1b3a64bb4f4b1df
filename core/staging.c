/* The daemon's staging directory. See staging.h for what it is for. */
#include "core/staging.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* Open and lock it. -EWOULDBLOCK another process has it; -ENOENT it is gone, or just went. */
static int open_locked(int parent_fd, const char *name, bool must_lock)
{
	cleanup_close int fd = jp_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	/* Where there are no locks, nobody's directory is ever taken for a dead one's. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && (must_lock || errno == EWOULDBLOCK))
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -ENOENT : TAKE_FD(fd);
}

int jp_staging_open(const struct jp_silo *silo, struct jp_staging *ret_staging)
{
	cleanup_close int parent = -EBADF, fd = -EBADF;

	parent = fcntl(silo->staging_fd, F_DUPFD_CLOEXEC, 3);
	if (parent < 0)
		return -errno;
	/* Between its making and its locking, somebody may clear it away as a dead one's: again. */
	do {
		struct timespec now;

		/* The time keeps a later process with the same number from meeting these files. */
		clock_gettime(CLOCK_REALTIME, &now);
		(void)snprintf(ret_staging->name, sizeof(ret_staging->name), "%ld-%lld.%09ld",
			       (long)getpid(), (long long)now.tv_sec, now.tv_nsec);
		if (jp_sys->mkdirat(parent, ret_staging->name, 0700) < 0)
			return -errno;
		fd = open_locked(parent, ret_staging->name, false);
	} while (fd == -EWOULDBLOCK || fd == -ENOENT);
	if (fd < 0)
		return fd;
	ret_staging->fd = TAKE_FD(fd);
	ret_staging->parent_fd = TAKE_FD(parent);
	atomic_init(&ret_staging->next_number, 1);
	return 0;
}

int jp_staging_inherit(const struct jp_silo *silo, const char *name, struct jp_staging *ret_staging)
{
	cleanup_close int parent = -EBADF, fd = -EBADF;

	if (strlen(name) >= sizeof(ret_staging->name))
		return -ENAMETOOLONG; /* none of ours */
	parent = fcntl(silo->staging_fd, F_DUPFD_CLOEXEC, 3);
	if (parent < 0)
		return -errno;
	fd = open_locked(parent, name, true);
	if (fd < 0)
		return fd;
	memcpy(ret_staging->name, name, strlen(name) + 1);
	ret_staging->fd = TAKE_FD(fd);
	ret_staging->parent_fd = TAKE_FD(parent);
	atomic_init(&ret_staging->next_number, 1); /* the caller knows which are taken */
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

/* ---- marks ---- */

static int format_marked(struct jp_staging *staging, enum jp_staged_state state,
			 const struct stat *st, uint64_t id, const char *path, char *ret_name)
{
	size_t used = (size_t)snprintf(ret_name, NAME_MAX + 1,
				       "%c%" PRIu64 ".%" PRIu64 "-%" PRIu64 ".%" PRIu64 ".", state,
				       atomic_fetch_add(&staging->next_number, 1),
				       (uint64_t)st->st_ino, (uint64_t)st->st_size, id);

	for (; *path != '\0'; path++) {
		bool is_special = *path == '/' || *path == '%';

		if (used + (is_special ? 3 : 1) > NAME_MAX)
			return -ENAMETOOLONG;
		if (is_special)
			memcpy(ret_name + used, *path == '/' ? "%2F" : "%25", 3);
		else
			ret_name[used] = *path;
		used += is_special ? 3 : 1;
	}
	ret_name[used] = '\0';
	return 0;
}

static int rename_staged(struct jp_staging *staging, char *name, const char *new_name)
{
	if (jp_sys->renameat2(staging->fd, name, staging->fd, new_name, 0) < 0)
		return -errno;
	memcpy(name, new_name, strlen(new_name) + 1);
	return 0;
}

void jp_staging_pin_name(struct jp_staging *staging, uint64_t id, const char *file_name,
			 char *ret_name)
{
	const struct stat none = {0};

	/* Pins of a path that is too long are of no use to anybody else. */
	if (format_marked(staging, JP_STAGED_PIN, &none, id, file_name, ret_name) < 0)
		jp_staging_name(staging, id, file_name, ret_name);
}

int jp_staging_mark(struct jp_staging *staging, char *name, enum jp_staged_state state, uint64_t id,
		    const char *path)
{
	char marked[NAME_MAX + 1];
	struct stat st;
	int r;

	if (fstatat(staging->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = format_marked(staging, state, &st, id, path, marked);
	return r < 0 ? r : rename_staged(staging, name, marked);
}

int jp_staging_unmark(struct jp_staging *staging, char *name, uint64_t id, const char *path)
{
	char unmarked[NAME_MAX + 1];

	if (!jp_staged_is_marked(name))
		return 0;
	jp_staging_name(staging, id, path, unmarked);
	return rename_staged(staging, name, unmarked);
}
