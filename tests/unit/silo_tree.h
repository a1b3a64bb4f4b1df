/*
 * Silos on disk, for the tests of folding: making them, and looking at what has become of them.
 */
#pragma once

#include "tests/unit/harness.h"

#include "core/silo.h"

#define MAIN "workspace/main-otvo8"
#define FEATURE "workspace/feature-otvo8"
#define BARE "workspace/otvo8"
#define META_OLD "{\"last_activated_at\": \"2026-03-01 10:00:00.0\", \"title\": \"old\"}\n"
#define META_NEW "{\"last_activated_at\": \"2026-03-02 10:00:00.0\", \"title\": \"new\"}\n"
#define EVENT(type) "  {\"timestamp\": \"t\", \"type\": \"" type "\"}"
#define ONE "[\n" EVENT("one") "\n]\n"
#define ONE_TWO "[\n" EVENT("one") ",\n" EVENT("two") "\n]\n"
#define ONE_OTHER "[\n" EVENT("one") ",\n" EVENT("other") "\n]\n"

/* A file with all the directories above it; an empty directory when the path ends in '/'. */
static inline void put(const struct jp_test_dir *dir, const char *path, const char *text,
		       time_t mtime)
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
	cleanup_free char *parts = strdup(path);
	cleanup_close int fd = -EBADF;

	for (char *slash = strchr(parts, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		CHECK(mkdirat(dir->fd, parts, 0700) == 0 || errno == EEXIST, "%s", parts);
		*slash = '/';
	}
	if (path[strlen(path) - 1] == '/')
		return;
	fd = openat(dir->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && jp_write_all(fd, text, strlen(text), 0) == 0, "%s", path);
	CHECK(futimens(fd, times) == 0, "%s", path);
}

/* A conversation's three files; the base configuration tells whose it is. */
static inline void put_conversation(const struct jp_test_dir *dir, const char *place,
				    const char *metadata, const char *base, const char *events,
				    time_t mtime)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/metadata.json", place);
	put(dir, path, metadata, mtime);
	(void)snprintf(path, sizeof(path), "%s/base_config.json", place);
	put(dir, path, base, mtime);
	(void)snprintf(path, sizeof(path), "%s/events.json", place);
	put(dir, path, events, mtime);
}

static inline bool is_there(const struct jp_test_dir *dir, const char *path)
{
	return faccessat(dir->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool holds(const struct jp_test_dir *dir, const char *path, const char *expected)
{
	cleanup_free char *text = NULL;

	return jp_read_file(dir->fd, path, 1 << 20, &text, NULL) == 0 &&
	       strcmp(text, expected) == 0;
}

/* All files below a directory, their contents one after the other; links as what they say. */
static inline void gather(int parent_fd, const char *name, FILE *into)
{
	cleanup_closedir DIR *dir =
		fdopendir(openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		cleanup_free char *text = NULL;
		char target[PATH_MAX];
		struct stat st;
		ssize_t n;

		if (!jp_is_single_name(entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (S_ISDIR(st.st_mode))
			gather(dirfd(dir), entry->d_name, into);
		else if (n > 0)
			(void)fprintf(into, "%.*s", (int)n, target);
		else if (jp_read_file(dirfd(dir), entry->d_name, 1 << 20, &text, NULL) == 0)
			(void)fprintf(into, "%s", text);
	}
}

/* New: everything that is in a directory, as one text. */
static inline char *all_of(const struct jp_test_dir *dir, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *into = open_memstream(&text, &size);

	gather(dir->fd, name, into);
	(void)fclose(into);
	return text;
}

static inline bool is_kept(const struct jp_test_dir *dir, const char *place, const char *text)
{
	cleanup_free char *all = all_of(dir, place);

	return strstr(all, text) != NULL;
}

static inline int count_entries(const struct jp_test_dir *dir, const char *name)
{
	cleanup_closedir DIR *listing =
		fdopendir(openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int count = 0;

	while (listing != NULL && readdir(listing) != NULL)
		count++;
	return count - 2; /* . and .. */
}

/* How many silos went into the one that was opened, or -errno. */
static inline int fold(const struct jp_test_dir *dir, const char *slug)
{
	cleanup_silo struct jp_silo silo = {0};
	struct jp_error error = {0};
	int r = jp_silo_open(dir->path, "otvo8", slug, true, &silo, &error);

	CHECK((r < 0) == (error.message[0] != '\0'), "%d: %s", r, error.message);
	return r < 0 ? r : (int)silo.folded;
}
