/*
 * Whole files and trees, on descriptors. See io.h.
 *
 * The walkers recurse by descriptor, one open directory per level, and bound their depth: a tree
 * that somebody else made must not be able to exhaust our stack or our descriptors.
 */
#include "core/base/io.h"

#include "core/base/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum {
	COMPARE_BYTES = 64 * 1024, /* per side; fits a thread's stack twice over */
	COPY_DEPTH_MAX = 64,       /* levels of a tree that is copied */
	REMOVE_DEPTH_MAX = 96,     /* more, so that any copy can be removed */
	XATTR_VALUE_BYTES_MAX = 64 * 1024,
};

int jp_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? mode & 07777 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	int fd;

	/* The kernel asks for another try when a rename raced with the walk; openat2(2), EAGAIN. What
	 * was found and is renamed to elsewhere before the walk ends (a commit exchanges what somebody is
	 * just opening) is an escape to it, EXDEV: another try finds what has the name now. */
	for (int tries = 0; tries < 100; tries++) {
		fd = jp_sys->openat2(dirfd, path, &how);
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR && errno != EXDEV)
			break;
	}
	return -errno;
}

/* Open a file of our own although its mode forbids it: what is served and stored are all its
 * versions, whatever their modes say to others. */
static int open_forbidden(int dirfd, const char *path, int flags)
{
	/* One at a time: a second one would take the first one's mode for the file's own. */
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&one);
	cleanup_close int place = -EBADF;
	char proc[64];
	struct stat st;
	int fd;

	place = jp_open_beneath(dirfd, path, O_PATH | O_NOFOLLOW, 0);
	if (place < 0)
		return place;
	if (fstat(place, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EACCES;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", place);
	if (jp_sys->fchmodat(AT_FDCWD, proc, (st.st_mode & 07777) | 0600, 0) < 0)
		return -errno;
	fd = openat(AT_FDCWD, proc, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	if (jp_sys->fchmodat(AT_FDCWD, proc, st.st_mode & 07777, 0) < 0 && fd >= 0) {
		int r = -errno;

		jp_closep(&fd);
		return r;
	}
	return fd;
}

int jp_open_regular(int dirfd, const char *path, int flags)
{
	cleanup_close int fd = -EBADF;
	struct stat st;

	fd = jp_open_beneath(dirfd, path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -EACCES)
		fd = open_forbidden(dirfd, path, flags);
	if (fd < 0)
		return fd == -ENXIO ? -EINVAL : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

bool jp_is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EISDIR || r == -EINVAL;
}

int jp_read_file(int dirfd, const char *path, size_t limit, char **ret_data, size_t *ret_size)
{
	cleanup_close int fd = -EBADF;
	cleanup_free char *data = NULL;
	size_t size = 0, room = 4096;

	fd = jp_open_regular(dirfd, path, O_RDONLY);
	if (fd < 0)
		return fd;
	for (;;) {
		char *grown = realloc(data, room + 1);
		ssize_t n;

		if (grown == NULL)
			return -ENOMEM;
		data = grown;
		n = jp_sys->pread(fd, data + size, room - size, (off_t)size);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > limit)
			return -EFBIG;
		if (size == room)
			room *= 2;
	}
	data[size] = '\0';
	*ret_data = TAKE_PTR(data);
	if (ret_size != NULL)
		*ret_size = size;
	return 0;
}

int jp_write_all(int fd, const void *data, size_t size, off_t offset)
{
	const char *next = data;

	while (size > 0) {
		ssize_t n = jp_sys->pwrite(fd, next, size, offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		next += n;
		size -= (size_t)n;
		offset += n;
	}
	return 0;
}

int jp_sync_directory(int directory_fd)
{
	cleanup_close int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || jp_sys->fsync(fd) < 0 ? -errno : 0;
}

void jp_begin_writing(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int jp_copy_content(int from_fd, int to_fd)
{
	char buffer[COMPARE_BYTES];
	off_t from = 0, to = 0;

	if (jp_sys->clone(to_fd, from_fd) == 0)
		return 0;
	for (;;) {
		ssize_t n = jp_sys->copy_file_range(from_fd, &from, to_fd, &to, 1 << 30, 0);

		if (n == 0)
			return 0;
		if (n > 0 || errno == EINTR)
			continue;
		if (errno != EXDEV && errno != ENOSYS && errno != EOPNOTSUPP && errno != EINVAL)
			return -errno;
		break;
	}
	for (;;) {
		ssize_t n = jp_sys->pread(from_fd, buffer, sizeof(buffer), from);
		int r;

		if (n == 0)
			return 0;
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		r = jp_write_all(to_fd, buffer, (size_t)n, from);
		if (r < 0)
			return r;
		from += n;
	}
}

static int copy_user_xattrs(int from_fd, int to_fd)
{
	cleanup_free char *names = NULL, *value = NULL;
	ssize_t size = flistxattr(from_fd, NULL, 0);

	if (size <= 0)
		return size == 0 || errno == ENOTSUP ? 0 : -errno;
	names = malloc((size_t)size);
	value = malloc(XATTR_VALUE_BYTES_MAX);
	if (names == NULL || value == NULL)
		return -ENOMEM;
	size = flistxattr(from_fd, names, (size_t)size);
	if (size < 0)
		return -errno;
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		ssize_t n;

		if (strncmp(name, "user.", 5) != 0)
			continue;
		n = fgetxattr(from_fd, name, value, XATTR_VALUE_BYTES_MAX);
		if (n < 0)
			continue; /* it went between the two calls: nothing to copy */
		if (jp_sys->fsetxattr(to_fd, name, value, (size_t)n, 0) < 0 && errno != ENOTSUP &&
		    errno != ENOSPC && errno != E2BIG)
			return -errno;
	}
	return 0;
}

int jp_copy_attributes(int from_fd, int to_fd)
{
	struct stat st;
	int r;

	if (fstat(from_fd, &st) < 0)
		return -errno;
	r = copy_user_xattrs(from_fd, to_fd);
	if (r < 0)
		return r;
	if (jp_sys->fchmod(to_fd, st.st_mode & 07777) < 0)
		return -errno;
	/* Times last: every other change would move them. */
	if (jp_sys->futimens(to_fd, (struct timespec[2]){st.st_atim, st.st_mtim}) < 0)
		return -errno;
	return 0;
}

int jp_same_content(int first_fd, int second_fd)
{
	cleanup_free char *first = NULL, *second = NULL;
	struct stat first_st, second_st;
	off_t offset = 0;

	if (fstat(first_fd, &first_st) < 0 || fstat(second_fd, &second_st) < 0)
		return -errno;
	if (first_st.st_dev == second_st.st_dev && first_st.st_ino == second_st.st_ino)
		return 1;
	if (first_st.st_size != second_st.st_size)
		return 0;
	first = malloc(COMPARE_BYTES);
	second = malloc(COMPARE_BYTES);
	if (first == NULL || second == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = jp_sys->pread(first_fd, first, COMPARE_BYTES, offset);
		ssize_t got = 0;

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		while (got < n) {
			ssize_t m = jp_sys->pread(second_fd, second + got, (size_t)(n - got),
						  offset + got);

			if (m < 0 && errno == EINTR)
				continue;
			if (m < 0)
				return -errno;
			if (m == 0)
				return 0;
			got += m;
		}
		if (n == 0)
			return 1;
		if (memcmp(first, second, (size_t)n) != 0)
			return 0;
		offset += n;
	}
}

int jp_replace_file(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
	char beside[NAME_MAX + 1];
	cleanup_close int fd = -EBADF;
	int r;

	if (snprintf(beside, sizeof(beside), "%s.new", name) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	if (jp_sys->unlinkat(dirfd, beside, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = jp_open_beneath(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return fd;
	r = jp_write_all(fd, data, size, 0);
	if (r == 0 && jp_sys->fsync(fd) < 0)
		r = -errno;
	if (r == 0 && jp_sys->renameat2(dirfd, beside, dirfd, name, 0) < 0)
		r = -errno;
	if (r < 0) {
		(void)jp_sys->unlinkat(dirfd, beside, 0); /* the write already failed */
		return r;
	}
	return jp_sys->fsync(dirfd) < 0 ? -errno : 0;
}

static int copy_symlink(int from_dirfd, const char *from_name, int to_dirfd, const char *to_name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dirfd, from_name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return jp_sys->symlinkat(target, to_dirfd, to_name) < 0 ? -errno : 0;
}

static int copy_regular(int from_dirfd, const char *from_name, int to_dirfd, const char *to_name,
			bool sync)
{
	cleanup_close int from = -EBADF, to = -EBADF;
	int r;

	from = jp_open_regular(from_dirfd, from_name, O_RDONLY);
	if (from < 0)
		return from;
	to = jp_open_beneath(to_dirfd, to_name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (to < 0)
		return to;
	r = jp_copy_content(from, to);
	if (r == 0)
		r = jp_copy_attributes(from, to);
	if (r == 0 && sync && jp_sys->fsync(to) < 0)
		r = -errno;
	return r;
}

int jp_rename_noreplace(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name)
{
	struct stat st;

	if (jp_sys->renameat2(old_dirfd, old_name, new_dirfd, new_name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	if (fstatat(new_dirfd, new_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return jp_sys->renameat2(old_dirfd, old_name, new_dirfd, new_name, 0) < 0 ? -errno : 0;
}

/* A directory that its owner cannot change could not be added to, nor ever be removed. */
static int make_accessible(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & 0700) == 0700)
		return 0;
	return jp_sys->fchmod(fd, (st.st_mode & 07777) | 0700) < 0 ? -errno : 0;
}

static int copy_tree(int from_dirfd, const char *from_name, int to_dirfd, const char *to_name,
		     unsigned *skipped, bool sync, int depth)
{
	cleanup_close int from = -EBADF, to = -EBADF;
	cleanup_closedir DIR *dir = NULL;
	struct stat st;
	int r;

	if (depth > COPY_DEPTH_MAX)
		return -ELOOP;
	if (fstatat(from_dirfd, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return copy_symlink(from_dirfd, from_name, to_dirfd, to_name);
	if (S_ISREG(st.st_mode))
		return copy_regular(from_dirfd, from_name, to_dirfd, to_name, sync);
	if (!S_ISDIR(st.st_mode)) {
		if (skipped != NULL)
			(*skipped)++;
		return 0;
	}
	from = jp_open_beneath(from_dirfd, from_name, O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return from;
	if (jp_sys->mkdirat(to_dirfd, to_name, 0700) < 0)
		return -errno;
	to = jp_open_beneath(to_dirfd, to_name, O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return to;
	dir = fdopendir(from);
	if (dir == NULL)
		return -errno;
	from = -EBADF; /* the stream has it now */
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				return -errno;
			break;
		}
		if (!jp_is_single_name(entry->d_name))
			continue;
		r = copy_tree(dirfd(dir), entry->d_name, to, entry->d_name, skipped, sync,
			      depth + 1);
		if (r < 0 && r != -ENOENT) /* gone meanwhile: nothing to copy */
			return r;
	}
	r = jp_copy_attributes(dirfd(dir), to);
	if (r == 0)
		r = make_accessible(to);
	if (r < 0)
		return r;
	return sync && jp_sys->fsync(to) < 0 ? -errno : 0;
}

int jp_copy_tree(int from_dirfd, const char *from_name, int to_dirfd, const char *to_name,
		 unsigned *skipped)
{
	return copy_tree(from_dirfd, from_name, to_dirfd, to_name, skipped, true, 0);
}

int jp_copy_tree_unsynced(int from_dirfd, const char *from_name, int to_dirfd, const char *to_name,
			  unsigned *skipped)
{
	return copy_tree(from_dirfd, from_name, to_dirfd, to_name, skipped, false, 0);
}

static int remove_tree(int parent, const char *name, int depth)
{
	cleanup_close int fd = -EBADF;
	cleanup_closedir DIR *dir = NULL;
	int r = 0;

	if (depth > REMOVE_DEPTH_MAX)
		return -ELOOP;
	if (jp_sys->unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = jp_open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = make_accessible(fd);
	if (r < 0)
		return r;
	dir = fdopendir(fd);
	if (dir == NULL)
		return -errno;
	fd = -EBADF; /* the stream has it now */
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL) {
			if (errno != 0 && r == 0)
				r = -errno;
			break;
		}
		if (jp_is_single_name(entry->d_name)) {
			int removed = remove_tree(dirfd(dir), entry->d_name, depth + 1);

			if (removed < 0)
				r = removed;
		}
	}
	if (r < 0)
		return r;
	return jp_sys->unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int jp_remove_tree(int dirfd, const char *name)
{
	return remove_tree(dirfd, name, 0);
}

int jp_open_or_make_dir(int dirfd, const char *name, mode_t mode)
{
	if (jp_sys->mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	return jp_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
}

bool jp_is_single_name(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}
