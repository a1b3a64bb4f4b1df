/* Moving replaced versions and removed files out of the way. See history.h. */
#include "core/history.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/kept.h"
#include "core/managed.h"
#include "core/version.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int open_place(int keep_fd, uint64_t id)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%" PRIu64, id);
	return jp_open_or_make_dir(keep_fd, name, 0700);
}

static void format_name(const char *as, char name[NAME_MAX + 1])
{
	struct timespec now;
	struct tm utc;
	char stamp[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &utc);
	(void)snprintf(name, NAME_MAX + 1, "%s.%09ldZ.%.200s", stamp, now.tv_nsec, as);
	for (char *c = name; *c != '\0'; c++) {
		if (*c == '/')
			*c = '%';
	}
}

/* Sync a regular file; a directory's are left to the filesystem. */
static int sync_file(int parent, const char *name)
{
	cleanup_close int fd = jp_open_regular(parent, name, O_RDONLY);

	if (fd < 0)
		return fd == -EISDIR || fd == -ELOOP || fd == -EINVAL ? 0 : fd;
	return jp_sys->fsync(fd) < 0 ? -errno : 0;
}

static int put(int keep_fd, uint64_t id, int from_dirfd, const char *from_name, const char *as,
	       bool move)
{
	cleanup_close int place = open_place(keep_fd, id);
	char name[NAME_MAX + 1];
	int r;

	if (place < 0)
		return place;
	/* Another thread may take the same nanosecond: then the next one is ours. */
	do {
		format_name(as, name);
		r = move ? jp_rename_noreplace(from_dirfd, from_name, place, name)
			 : jp_copy_tree(from_dirfd, from_name, place, name, NULL);
	} while (r == -EEXIST);
	if (move && r == -EXDEV) {
		r = jp_copy_tree(from_dirfd, from_name, place, name, NULL);
		if (r == 0)
			r = jp_remove_tree(from_dirfd, from_name);
	}
	/* A copy is made because the original is about to change: from now on it is all there is. */
	if (r == 0 && !move)
		r = sync_file(place, name);
	if (r < 0)
		return r;
	return jp_sys->fsync(place) < 0 ? -errno : 0;
}

int jp_keep_move(int keep_fd, uint64_t id, int from_dirfd, const char *from_name, const char *as)
{
	return put(keep_fd, id, from_dirfd, from_name, as, true);
}

int jp_keep_copy(int keep_fd, uint64_t id, int from_dirfd, const char *from_name, const char *as)
{
	return put(keep_fd, id, from_dirfd, from_name, as, false);
}

/* Whether an entry's name is an earlier time and then `as`. */
static bool is_named_as(const char *name, const char *as, int64_t before_ns)
{
	const char *file;
	int64_t kept_ns;

	return jp_kept_parse(name, &kept_ns, &file) == 0 && kept_ns < before_ns &&
	       strcmp(file, as) == 0;
}

/* Find a version that is the same, or that contains this one. */
static int find(int keep_fd, uint64_t id, const char *as, int fd, int64_t before_ns, bool is_whole)
{
	enum jp_managed managed = jp_managed_from_name(as);
	cleanup_closedir DIR *dir = NULL;
	struct stat wanted, st;
	char place[32];
	int place_fd;

	(void)snprintf(place, sizeof(place), "%" PRIu64, id);
	place_fd = jp_open_beneath(keep_fd, place, O_RDONLY | O_DIRECTORY, 0);
	if (place_fd < 0)
		return place_fd == -ENOENT ? 0 : place_fd;
	dir = fdopendir(place_fd);
	if (dir == NULL) {
		jp_closep(&place_fd);
		return -ENOMEM;
	}
	if (fstat(fd, &wanted) < 0)
		return -errno;
	for (;;) {
		cleanup_close int kept = -EBADF;
		struct dirent *entry;
		int r;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return -errno;
		if (!is_named_as(entry->d_name, as, before_ns) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (is_whole && st.st_size != wanted.st_size))
			continue;
		kept = jp_open_regular(dirfd(dir), entry->d_name, O_RDONLY);
		if (kept < 0 && !jp_is_absent(kept))
			return kept;
		r = kept < 0   ? 0
		    : is_whole ? jp_same_content(kept, fd)
			       : jp_version_is_contained(managed, fd, kept);
		if (r != 0)
			return r;
	}
}

int jp_history_has(int keep_fd, uint64_t id, const char *as, int fd)
{
	return find(keep_fd, id, as, fd, INT64_MAX, true);
}

int jp_history_contains(int keep_fd, uint64_t id, const char *as, int fd, int64_t before_ns)
{
	return find(keep_fd, id, as, fd, before_ns, false);
}
