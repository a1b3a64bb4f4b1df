/*
 * What a shell is too coarse to measure: one save, one append, how long until somebody else sees a
 * change. Each command does its work, and prints how many nanoseconds it took: one number for each
 * time that it was done. The bench puts them into pairs and tells what they mean.
 *
 *     act save [-s] FILE...            jp's way: read, compare, write beside, rename; one number for
 *                                      all of them. Each save has one event more. -s: fsync file and
 *                                      directory
 *     act append FILE                  200 bytes, and close
 *     act copy FROM TO                 read and write it once
 *     act churn DIRECTORY COUNT        create and write small files, then remove them
 *     act visible FILE SEEN COUNT      replace FILE COUNT times, each time until SEEN, the same file
 *                                      through a mount, has it. The last number tells how often an
 *                                      older version was read after a newer one
 *     act durable [-s] FILE STORE COUNT     rewrite FILE in a mount COUNT times, each time until STORE,
 *                                      its durable copy, has it; from close(2), with -s from fsync(2)
 *     act burst VIEW STORE COUNT       the same for the metadata of COUNT conversations at once
 *     act floor DIRECTORY COUNT        the least that this takes on the disk itself: as many small files
 *                                      written, one syncfs(2), and each renamed over another; from
 *                                      close(2) to rename(2)
 *
 * Exit code: 0; 1 with a message when something could not be done, or was not seen within
 * SEEN_SECONDS.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	APPENDED_BYTES = 200,
	EVENT_ROOM = 200, /* for one more event */
	SMALL_BYTES = 100,
	REREADS = 20,
	SEEN_SECONDS = 60,
	PAUSE_MS = 20,
	LOOK_US = 50, /* between two looks, so that the one who is watched has a processor */
	BURST_MAX = 10000,
};

static _Noreturn void fail(const char *what)
{
	(void)fprintf(stderr, "act: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void pause_us(long us)
{
	struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	(void)nanosleep(&time, NULL);
}

static void print_ns(int64_t ns)
{
	(void)printf("%lld\n", (long long)ns);
}

/* Wait for a little until the next look; but a change that is never seen is a failure. */
static void wait_to_look(int64_t began, const char *path)
{
	if (now_ns() - began > SEEN_SECONDS * INT64_C(1000000000)) {
		errno = ETIMEDOUT;
		fail(path);
	}
	pause_us(LOOK_US);
}

/* A whole file with room for `room` more bytes, new. */
static char *read_whole(const char *path, size_t room, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data;
	size_t size = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(path);
	data = malloc((size_t)st.st_size + room + 1);
	if (data == NULL)
		fail("memory");
	while ((n = read(fd, data + size, (size_t)st.st_size + 1 - size)) > 0)
		size += (size_t)n;
	if (n < 0)
		fail(path);
	(void)close(fd);
	*ret_size = size;
	return data;
}

static void write_and_close(const char *path, int flags, const char *data, size_t size, bool sync)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);

	if (fd < 0)
		fail(path);
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0)
			fail(path);
		data += n;
		size -= (size_t)n;
	}
	if ((sync && fsync(fd) < 0) || close(fd) < 0)
		fail(path);
}

static void sync_parent(const char *path)
{
	char directory[PATH_MAX];
	char *slash;
	int fd;

	(void)snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash == NULL)
		(void)snprintf(directory, sizeof(directory), ".");
	else
		*slash = '\0';
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		fail(directory);
	(void)close(fd);
}

/* A whole file of its own name beside the old one, then renamed over it. */
static void replace(const char *path, const char *data, size_t size, bool sync)
{
	char temporary[PATH_MAX];

	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	write_and_close(temporary, O_CREAT | O_TRUNC, data, size, sync);
	if (rename(temporary, path) < 0)
		fail(path);
	if (sync)
		sync_parent(path);
}

/* Put one event at the end of an array of events; the data have room for it. */
static size_t add_event(char *data, size_t size)
{
	while (size > 0 && data[size - 1] != ']')
		size--;
	if (size == 0) {
		errno = EBADMSG;
		fail("no array of events");
	}
	size--;
	while (size > 0 && (data[size - 1] == '\n' || data[size - 1] == ' '))
		size--;
	return size + (size_t)snprintf(data + size, EVENT_ROOM,
				       ",\n  {\n    \"timestamp\": \"2026-03-30 10:00:00.0\",\n"
				       "    \"type\": \"turn_start\"\n  }\n]\n");
}

static int save(char **paths, bool sync)
{
	int64_t total = 0;

	for (; *paths != NULL; paths++) {
		size_t size, there;
		char *data = read_whole(*paths, EVENT_ROOM, &size), *old;
		int64_t began;

		size = add_event(data, size);
		began = now_ns();
		/* jp writes nothing that is there already. */
		old = read_whole(*paths, 0, &there);
		if (there != size || memcmp(old, data, size) != 0)
			replace(*paths, data, size, sync);
		total += now_ns() - began;
		free(old);
		free(data);
	}
	print_ns(total);
	return EXIT_SUCCESS;
}

static int append(const char *path)
{
	char blanks[APPENDED_BYTES];
	int64_t began;

	/* After the last bracket of a JSON file they change nothing for who reads it. */
	memset(blanks, ' ', sizeof(blanks));
	blanks[sizeof(blanks) - 1] = '\n';
	began = now_ns();
	write_and_close(path, O_APPEND, blanks, sizeof(blanks), false);
	print_ns(now_ns() - began);
	return EXIT_SUCCESS;
}

static int copy(const char *from, const char *to)
{
	int64_t began = now_ns();
	size_t size;
	char *data = read_whole(from, 0, &size);

	write_and_close(to, O_CREAT | O_TRUNC, data, size, false);
	print_ns(now_ns() - began);
	free(data);
	return EXIT_SUCCESS;
}

static int churn(const char *directory, int count)
{
	char path[PATH_MAX], text[SMALL_BYTES];
	int64_t began;

	memset(text, 'x', sizeof(text));
	began = now_ns();
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/small-%d", directory, i);
		write_and_close(path, O_CREAT | O_EXCL, text, sizeof(text), false);
	}
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/small-%d", directory, i);
		if (unlink(path) < 0)
			fail(path);
	}
	print_ns(now_ns() - began);
	return EXIT_SUCCESS;
}

/* ---- until somebody sees it ---- */

static size_t make_version(char *text, size_t room, long version)
{
	return (size_t)snprintf(text, room,
				"{\n  \"title\": \"version %012ld\",\n"
				"  \"last_activated_at\": \"2026-03-30 10:00:00.0\"\n}\n",
				version);
}

/* The number in what make_version() made; 0 for any other file. */
static long read_version(const char *path)
{
	char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *at;
	ssize_t n;

	if (fd < 0)
		fail(path);
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		fail(path);
	(void)close(fd);
	text[n] = '\0';
	at = strstr(text, "version ");
	return at != NULL ? strtol(at + 8, NULL, 10) : 0;
}

static int visible(const char *path, const char *seen_path, int count)
{
	int stale = 0;

	for (long version = 1; version <= count; version++) {
		char text[256];
		size_t size = make_version(text, sizeof(text), version);
		int64_t began;

		/* Its readers have it in their caches. */
		(void)read_version(seen_path);
		replace(path, text, size, false);
		began = now_ns();
		while (read_version(seen_path) != version)
			wait_to_look(began, seen_path);
		print_ns(now_ns() - began);
		for (int i = 0; i < REREADS; i++)
			stale += read_version(seen_path) < version ? 1 : 0;
		pause_us(PAUSE_MS * 1000);
	}
	(void)printf("%d\n", stale);
	return EXIT_SUCCESS;
}

static int durable(const char *path, const char *store_path, int count, bool sync)
{
	for (long version = 1; version <= count; version++) {
		char text[256];
		size_t size = make_version(text, sizeof(text), version);
		int64_t began = now_ns();

		write_and_close(path, O_TRUNC, text, size, sync);
		if (sync) {
			if (read_version(store_path) != version) {
				errno = ESTALE;
				fail(store_path);
			}
		} else {
			began = now_ns();
			while (read_version(store_path) != version)
				wait_to_look(began, store_path);
		}
		print_ns(now_ns() - began);
		pause_us(PAUSE_MS * 1000);
	}
	return EXIT_SUCCESS;
}

struct saved {
	char name[NAME_MAX + 1];
	off_t size;
	int64_t closed;
	bool is_durable;
};

/* Which of them are durable now. A file's size tells: nobody else writes here. */
static int sweep(int store_fd, struct saved *all, int count)
{
	int found = 0;

	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		struct stat st;

		if (all[i].is_durable)
			continue;
		(void)snprintf(path, sizeof(path), "%.255s/metadata.json", all[i].name);
		if (fstatat(store_fd, path, &st, 0) < 0 || st.st_size != all[i].size)
			continue;
		print_ns(now_ns() - all[i].closed);
		all[i].is_durable = true;
		found++;
	}
	return found;
}

static int burst(const char *view, const char *store, int count)
{
	static struct saved all[BURST_MAX];
	DIR *stream = opendir(view);
	const struct dirent *entry;
	int saved = 0, found = 0;
	int64_t began;
	int store_fd;

	store_fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stream == NULL || store_fd < 0)
		fail(view);
	while (saved < count && saved < BURST_MAX && (entry = readdir(stream)) != NULL) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		(void)snprintf(all[saved++].name, NAME_MAX + 1, "%s", entry->d_name);
	}
	(void)closedir(stream);
	for (int i = 0; i < saved; i++) {
		char path[PATH_MAX];
		size_t size;
		char *data;

		(void)snprintf(path, sizeof(path), "%s/%.255s/metadata.json", view, all[i].name);
		data = read_whole(path, 1, &size);
		data[size] = '\n';
		all[i].size = (off_t)size + 1;
		write_and_close(path, O_TRUNC, data, size + 1, false);
		all[i].closed = now_ns();
		free(data);
		/* Look in between, or what was quick is seen late. */
		found += sweep(store_fd, all, i + 1);
	}
	began = now_ns();
	while (found < saved) {
		found += sweep(store_fd, all, saved);
		wait_to_look(began, store);
	}
	return EXIT_SUCCESS;
}

static int rename_all(const char *directory, int count)
{
	static int64_t closed[BURST_MAX];
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX], target[PATH_MAX], text[SMALL_BYTES];

	if (fd < 0)
		fail(directory);
	if (count > BURST_MAX)
		count = BURST_MAX;
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%.4000s/old-%d", directory, i);
		write_and_close(path, O_CREAT | O_TRUNC, text, sizeof(text), false);
	}
	if (syncfs(fd) < 0)
		fail(directory);
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%.4000s/new-%d", directory, i);
		write_and_close(path, O_CREAT | O_TRUNC, text, sizeof(text), false);
		closed[i] = now_ns();
	}
	if (syncfs(fd) < 0)
		fail(directory);
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%.4000s/new-%d", directory, i);
		(void)snprintf(target, sizeof(target), "%.4000s/old-%d", directory, i);
		if (rename(path, target) < 0)
			fail(target);
		print_ns(now_ns() - closed[i]);
	}
	(void)close(fd);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	bool sync = argc > 2 && strcmp(argv[2], "-s") == 0;
	const char *command = argc > 1 ? argv[1] : "";
	char **rest = argv + (sync ? 3 : 2);
	int count = argc - (sync ? 3 : 2);

	if (strcmp(command, "save") == 0 && count >= 1)
		return save(rest, sync);
	if (strcmp(command, "append") == 0 && count == 1)
		return append(rest[0]);
	if (strcmp(command, "copy") == 0 && count == 2)
		return copy(rest[0], rest[1]);
	if (strcmp(command, "churn") == 0 && count == 2)
		return churn(rest[0], atoi(rest[1]));
	if (strcmp(command, "visible") == 0 && count == 3)
		return visible(rest[0], rest[1], atoi(rest[2]));
	if (strcmp(command, "durable") == 0 && count == 3)
		return durable(rest[0], rest[1], atoi(rest[2]), sync);
	if (strcmp(command, "burst") == 0 && count == 3)
		return burst(rest[0], rest[1], atoi(rest[2]));
	if (strcmp(command, "floor") == 0 && count == 2)
		return rename_all(rest[0], atoi(rest[1]));
	(void)fprintf(stderr, "usage: see the top of tests/bench/act.c\n");
	return 2;
}
