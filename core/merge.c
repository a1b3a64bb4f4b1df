/*
 * Moving what one directory has into another. See merge.h for the rule.
 *
 * By rename only. A copy would have other inodes: a lock that somebody holds on a file, a
 * descriptor that somebody writes through, would stay with the one that goes. It would also need a
 * window in which the same thing is there twice or half. The price is that nothing moves to another
 * filesystem, and that is said.
 *
 * A lock file that somebody holds stands against one that nobody holds. Whether it is held is read
 * in /proc/locks, and not tried: jp takes a lock that is held for a moment for one that is held,
 * and gives up where it cannot ask.
 */
#include "core/merge.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
	DEPTH_MAX = 64, /* levels that are merged; what is deeper goes to the trash whole */
	PATH_BYTES = 512,
};

int jp_merge_fail(struct jp_merge_failure *failure, int r, const char *what)
{
	if (failure->r == 0) {
		failure->r = r;
		(void)snprintf(failure->what, sizeof(failure->what), "%s", what);
	}
	return r;
}

/* Whether somebody has a lock on a file that looks like a lock file. */
static bool is_held(const char *name, const struct stat *st)
{
	const char *end = strrchr(name, '.');
	cleanup_free char *line = NULL;
	unsigned long long ino;
	size_t room = 0;
	bool held = false;
	FILE *locks;
	int fd;

	if (end == NULL || strcmp(end, ".lock") != 0)
		return false;
	fd = openat(AT_FDCWD, "/proc/locks", O_RDONLY | O_CLOEXEC);
	locks = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (locks == NULL) {
		jp_closep(&fd);
		return false;
	}
	/* "1: FLOCK  ADVISORY  WRITE 4711 fe:01:131090 0 EOF". The device is left out: on some
	 * filesystems it is not what stat(2) says, and a number alone errs on the side of a lock. */
	while (!held && getline(&line, &room, locks) >= 0)
		held = strstr(line, "FLOCK") != NULL &&
		       sscanf(line, "%*s %*s %*s %*s %*s %*x:%*x:%llu", &ino) == 1 &&
		       ino == st->st_ino;
	(void)fclose(locks); /* it was only read */
	return held;
}

static int is_same_file(int from_fd, int to_fd, const char *name)
{
	cleanup_close int from = jp_open_regular(from_fd, name, O_RDONLY);
	cleanup_close int to = jp_open_regular(to_fd, name, O_RDONLY);

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	return jp_same_content(from, to);
}

static int keep(const struct jp_merge *merge, int fd, const char *name, const char *as)
{
	int r = jp_keep_move(merge->trash_fd, merge->trash_id, fd, name, as);

	/* Somebody else was quicker, or the trash itself was moved: the next try tells. */
	return r == 0 || r == -ENOENT ? 0 : jp_merge_fail(merge->failure, r, as);
}

/* Two things of one name that cannot be merged: one of them stands in the target. */
static int choose_one(const struct jp_merge *merge, int from_fd, const char *name, int to_fd,
		      const char *as, const struct stat *from, const struct stat *to)
{
	bool is_from_held, is_to_held, stands;
	int r;

	if (!S_ISREG(from->st_mode) || !S_ISREG(to->st_mode))
		return keep(merge, from_fd, name, as);
	is_from_held = is_held(name, from);
	is_to_held = is_held(name, to);
	stands = is_from_held != is_to_held
			 ? is_from_held
			 : merge->newer_stands && jp_mtime_ns(from) > jp_mtime_ns(to);
	if (stands && jp_sys->renameat2(from_fd, name, to_fd, name, RENAME_EXCHANGE) < 0) {
		if (errno == ENOENT)
			return -ENOTEMPTY;
		if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
			return jp_merge_fail(merge->failure, -errno, as);
		/* Where the two cannot change places, they do it by way of the trash. */
		r = keep(merge, to_fd, name, as);
		return r < 0 ? r : -ENOTEMPTY;
	}
	/* Unreadable is not the same. */
	if (is_same_file(from_fd, to_fd, name) != 1)
		return keep(merge, from_fd, name, as);
	if (jp_sys->unlinkat(from_fd, name, 0) < 0 && errno != ENOENT)
		return jp_merge_fail(merge->failure, -errno, as);
	return 0;
}

static int merge_contents(const struct jp_merge *merge, int from_fd, int to_fd, const char *as,
			  int depth);

static int remove_empty(const struct jp_merge *merge, int parent_fd, const char *name,
			const char *as)
{
	if (jp_sys->unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return -ENOTEMPTY;
	return jp_merge_fail(merge->failure, -errno, as);
}

static int merge_directory(const struct jp_merge *merge, int parent_fd, const char *name, int to_fd,
			   const char *as, int depth)
{
	cleanup_close int from = jp_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (from < 0)
		return from == -ENOENT ? 0 : jp_merge_fail(merge->failure, from, as);
	r = merge_contents(merge, from, to_fd, as, depth);
	return r < 0 ? r : remove_empty(merge, parent_fd, name, as);
}

static int merge_entry(const struct jp_merge *merge, int from_fd, const char *name, int to_fd,
		       const char *as, int depth)
{
	struct stat from, to;
	int r = jp_rename_noreplace(from_fd, name, to_fd, name);

	/* Somebody else moved it, or removed the target: whoever removes `from` finds out. */
	if (r == 0 || r == -ENOENT)
		return 0;
	if (r != -EEXIST)
		return jp_merge_fail(merge->failure, r, as);
	if (fstatat(from_fd, name, &from, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : jp_merge_fail(merge->failure, -errno, as);
	if (fstatat(to_fd, name, &to, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENOTEMPTY : jp_merge_fail(merge->failure, -errno, as);
	if (S_ISDIR(from.st_mode) && S_ISDIR(to.st_mode) && depth < DEPTH_MAX) {
		cleanup_close int into = jp_open_beneath(to_fd, name, O_RDONLY | O_DIRECTORY, 0);

		if (into < 0)
			return into == -ENOENT ? -ENOTEMPTY
					       : jp_merge_fail(merge->failure, into, as);
		return merge_directory(merge, from_fd, name, into, as, depth + 1);
	}
	return choose_one(merge, from_fd, name, to_fd, as, &from, &to);
}

static int merge_contents(const struct jp_merge *merge, int from_fd, int to_fd, const char *as,
			  int depth)
{
	cleanup_closedir DIR *dir = NULL;
	int copy = jp_open_beneath(from_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	int first = 0;

	if (copy < 0)
		return jp_merge_fail(merge->failure, copy, as);
	dir = fdopendir(copy);
	if (dir == NULL) {
		jp_closep(&copy);
		return jp_merge_fail(merge->failure, -ENOMEM, as);
	}
	for (;;) {
		char path[PATH_BYTES];
		struct dirent *entry;
		int r = 0;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				return jp_merge_fail(merge->failure, -errno, as);
			break;
		}
		if (!jp_is_single_name(entry->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s", as, as[0] != '\0' ? "/" : "",
			       entry->d_name);
		if (depth == 0 && merge->except != NULL)
			r = merge->except(merge, from_fd, entry->d_name, to_fd);
		if (r < 0)
			(void)jp_merge_fail(merge->failure, r, path);
		if (r == 0)
			r = merge_entry(merge, from_fd, entry->d_name, to_fd, path, depth);
		/* One thing that cannot be moved keeps no other one from it. */
		if (r < 0 && first == 0)
			first = r;
	}
	/* The new names are durable before the old directory goes. */
	if (jp_sys->fsync(to_fd) < 0)
		return jp_merge_fail(merge->failure, -errno, as);
	return first;
}

int jp_merge_contents(const struct jp_merge *merge, int from_fd, int to_fd, const char *as)
{
	return merge_contents(merge, from_fd, to_fd, as, 0);
}

int jp_merge_directory(const struct jp_merge *merge, int parent_fd, const char *name, int to_fd,
		       const char *as)
{
	return merge_directory(merge, parent_fd, name, to_fd, as, 0);
}
