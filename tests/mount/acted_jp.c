/* jp's system calls, acted. See acted_jp.h. */
#include "tests/mount/acted_jp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NAMES_MAX = 64,
	FILE_BYTES_MAX = 4 * 1024 * 1024,
};

/* The names in a directory but `.` and `..`, all read at once, as jp does. */
struct names {
	size_t count;
	char all[NAMES_MAX][NAME_MAX + 1];
	bool is_directory[NAMES_MAX];
};

printf_like(2, 3) static void join(char path[static PATH_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
}

/* Any error is an empty directory: jp does not tell them apart. */
static void scan(const char *directory, struct names *ret)
{
	struct dirent *entry;
	DIR *stream;

	ret->count = 0;
	stream = opendir(directory);
	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL && ret->count < NAMES_MAX) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(ret->all[ret->count], NAME_MAX + 1, "%s", entry->d_name);
		ret->is_directory[ret->count++] = entry->d_type == DT_DIR;
	}
	(void)closedir(stream);
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* jp's strict matcher: the digits, or the digits and a title. */
static bool belongs(const char *name, const char *digits)
{
	size_t size = strlen(digits);

	return strncmp(name, digits, size) == 0 && (name[size] == '\0' || name[size] == '-');
}

/* The first name of an ID in a directory. False: there is none. */
static bool find(const char *directory, const char *digits, char ret_name[static NAME_MAX + 1])
{
	struct names names;

	scan(directory, &names);
	for (size_t i = 0; i < names.count; i++) {
		if (belongs(names.all[i], digits)) {
			(void)snprintf(ret_name, NAME_MAX + 1, "%s", names.all[i]);
			return true;
		}
	}
	return false;
}

unsigned acted_jp_count(const char *directory, const char *digits)
{
	struct names names;
	unsigned count = 0;

	scan(directory, &names);
	for (size_t i = 0; i < names.count; i++)
		count += belongs(names.all[i], digits) ? 1 : 0;
	return count;
}

enum acted_presence acted_jp_presence(const struct acted_jp *jp, const char *digits)
{
	char name[NAME_MAX + 1];
	bool is_user = find(jp->user, digits, name), is_work = find(jp->work, digits, name);

	if (is_user)
		return is_work ? ACTED_PROJECTED : ACTED_LOCAL;
	return is_work ? ACTED_EXTERNAL : ACTED_ABSENT;
}

static int make_directory(const char *path)
{
	struct stat st;

	if (mkdir(path, 0777) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* A whole file, new; a NUL follows its bytes. */
static int read_whole(const char *path, char **ret_data, size_t *ret_size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *data = NULL;
	struct stat st;
	size_t size = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > FILE_BYTES_MAX)
		return -EFBIG;
	data = malloc(FILE_BYTES_MAX + 1);
	if (data == NULL)
		return -ENOMEM;
	while ((n = read(fd, data + size, FILE_BYTES_MAX - size)) > 0)
		size += (size_t)n;
	if (n < 0)
		return -errno;
	data[size] = '\0';
	*ret_data = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

bool acted_jp_has(const char *side, const struct acted_conversation *what)
{
	const char *const files[][2] = {{"metadata.json", what->metadata},
					{"base_config.json", what->base_config},
					{"events.json", what->events}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		cleanup_free char *text = NULL;
		char path[PATH_MAX];
		size_t size = 0;
		int r;

		join(path, "%s/%s/%s", side, what->name, files[i][0]);
		r = read_whole(path, &text, &size);
		if (r == 0 && size == strlen(files[i][1]) && memcmp(text, files[i][1], size) == 0)
			continue;
		printf("\n%s: %s\n", path, r < 0 ? strerrordesc_np(-r) : "other bytes");
		return false;
	}
	return true;
}

static int write_whole(const char *path, const char *data, size_t size)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		return -errno;
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* WJ: nothing when the bytes are there; else beside and rename, without a sync. */
static int write_json(const char *directory, const char *name, const char *text)
{
	cleanup_free char *old = NULL;
	char path[PATH_MAX], beside[PATH_MAX];
	size_t size = 0;
	int r = make_directory(directory);

	if (r < 0)
		return r;
	join(path, "%s/%s", directory, name);
	join(beside, "%s/%s.tmp", directory, name);
	if (read_whole(path, &old, &size) == 0 && size == strlen(text) &&
	    memcmp(old, text, size) == 0)
		return 0;
	r = write_whole(beside, text, strlen(text));
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(beside); /* the write has failed already */
	return r;
}

/* RMTREE: all names first, then one after the other, then the directory. */
static int remove_tree(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_DIRECTORY);
	struct names names;

	if (fd < 0)
		return -errno;
	scan(path, &names);
	for (size_t i = 0; i < names.count; i++) {
		char below[PATH_MAX];
		int r = 0;

		join(below, "%s/%s", path, names.all[i]);
		if (names.is_directory[i])
			r = remove_tree(below);
		else if (unlinkat(fd, names.all[i], 0) < 0)
			r = -errno;
		if (r < 0)
			return r;
	}
	return rmdir(path) < 0 ? -errno : 0;
}

/* COPY: truncates what is there and fills it; the mode goes along, the time does not. */
static int copy_file(const char *from, const char *to)
{
	cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC), out = -EBADF;
	struct stat st;
	ssize_t n;

	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 07777);
	if (out < 0 || fchmod(out, st.st_mode & 07777) < 0)
		return -errno;
	do {
		n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
			char bytes[4096];

			n = read(in, bytes, sizeof(bytes));
			if (n > 0 && write(out, bytes, (size_t)n) != n)
				return -EIO;
		}
	} while (n > 0);
	return n < 0 ? -errno : 0;
}

static int copy_names(const char *from, const struct names *names, const char *to)
{
	for (size_t i = 0; i < names->count; i++) {
		char source[PATH_MAX], target[PATH_MAX];
		struct names below;
		int r;

		join(source, "%s/%s", from, names->all[i]);
		join(target, "%s/%s", to, names->all[i]);
		if (names->is_directory[i]) {
			r = make_directory(target);
			scan(source, &below);
			if (r == 0)
				r = copy_names(source, &below, target);
		} else {
			r = copy_file(source, target);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_tree(const char *from, const char *to)
{
	struct names names;
	int r = make_directory(to);

	if (r < 0)
		return r;
	scan(from, &names);
	return copy_names(from, &names, to);
}

/* P1: one side. Another name of the ID is renamed, further ones are removed, the files written. */
static int save_side(const char *side, const struct acted_conversation *what)
{
	char path[PATH_MAX], other[PATH_MAX];
	struct names names;
	int r;

	join(path, "%s/%s", side, what->name);
	if (!exists(path)) {
		scan(side, &names);
		for (size_t i = 0; i < names.count; i++) {
			if (!belongs(names.all[i], what->digits))
				continue;
			join(other, "%s/%s", side, names.all[i]);
			if (rename(other, path) < 0)
				return -errno;
			break;
		}
	}
	scan(side, &names);
	for (size_t i = 0; i < names.count; i++) {
		if (!belongs(names.all[i], what->digits) || strcmp(names.all[i], what->name) == 0)
			continue;
		join(other, "%s/%s", side, names.all[i]);
		r = remove_tree(other);
		if (r < 0)
			return r;
	}
	r = make_directory(path);
	if (r == 0)
		r = write_json(path, "metadata.json", what->metadata);
	if (r == 0)
		r = write_json(path, "base_config.json", what->base_config);
	if (r == 0)
		r = write_json(path, "events.json", what->events);
	return r;
}

/* The user's side, which first imports what only the workspace has. */
static int save_user(const struct acted_jp *jp, const struct acted_conversation *what)
{
	char name[NAME_MAX + 1], from[PATH_MAX], to[PATH_MAX];
	int r;

	if (!find(jp->user, what->digits, name) && find(jp->work, what->digits, name)) {
		r = make_directory(jp->user);
		join(from, "%s/%s", jp->work, name);
		join(to, "%s/%s", jp->user, what->name);
		if (r == 0)
			r = copy_tree(from, to);
		if (r < 0)
			return r;
	}
	return save_side(jp->user, what);
}

static void lock_path(const struct acted_jp *jp, const char *digits, char path[static PATH_MAX])
{
	join(path, "%s/jp-c%s.lock", jp->locks, digits);
}

static int take_lock(const struct acted_jp *jp, const char *digits)
{
	char path[PATH_MAX];
	int fd, r = make_directory(jp->locks);

	if (r < 0)
		return r;
	lock_path(jp, digits, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) { /* a start may just be looking */
		if (errno != EWOULDBLOCK && errno != EINTR) {
			r = -errno;
			(void)close(fd);
			return r;
		}
		(void)usleep(1000);
	}
	return fd;
}

static void drop_lock(const struct acted_jp *jp, const char *digits, int fd)
{
	char path[PATH_MAX];

	lock_path(jp, digits, path);
	(void)close(fd); /* nothing was written */
	(void)unlink(path);
}

int acted_jp_save(const struct acted_jp *jp, const struct acted_conversation *what)
{
	int lock = take_lock(jp, what->digits), r;

	if (lock < 0)
		return lock;
	r = save_user(jp, what);
	if (r == 0)
		r = save_side(jp->work, what);
	drop_lock(jp, what->digits, lock);
	return r;
}

/* Every directory of an ID on one side. */
static int remove_from(const char *side, const char *digits)
{
	struct names names;

	scan(side, &names);
	for (size_t i = 0; i < names.count; i++) {
		char path[PATH_MAX];
		int r;

		if (!belongs(names.all[i], digits))
			continue;
		join(path, "%s/%s", side, names.all[i]);
		r = remove_tree(path);
		if (r < 0)
			return r;
	}
	return 0;
}

int acted_jp_save_local(const struct acted_jp *jp, const struct acted_conversation *what)
{
	int r = save_user(jp, what);

	return r < 0 ? r : remove_from(jp->work, what->digits);
}

int acted_jp_remove(const struct acted_jp *jp, const char *digits)
{
	int r = remove_from(jp->work, digits);

	return r < 0 ? r : remove_from(jp->user, digits);
}

/* From one directory of a side to another, over what is there. 1: it has it not. */
static int move(const char *from_directory, const char *to_directory, const char *digits)
{
	char name[NAME_MAX + 1], from[PATH_MAX], to[PATH_MAX];
	int r;

	if (!find(from_directory, digits, name))
		return 1;
	r = make_directory(to_directory);
	if (r < 0)
		return r;
	join(from, "%s/%s", from_directory, name);
	join(to, "%s/%s", to_directory, name);
	if (exists(to))
		r = remove_tree(to);
	if (r == 0 && rename(from, to) < 0)
		r = -errno;
	return r;
}

static int move_on_both(const struct acted_jp *jp, const char *digits, bool is_archiving)
{
	const char *const sides[] = {jp->work, jp->user};
	int missing = 0;

	for (int i = 0; i < 2; i++) {
		char archive[PATH_MAX];
		int r;

		join(archive, "%s/.archive", sides[i]);
		r = is_archiving ? move(sides[i], archive, digits)
				 : move(archive, sides[i], digits);
		if (r < 0)
			return r;
		missing += r;
	}
	return missing == 2 ? -ENOENT : 0;
}

int acted_jp_archive(const struct acted_jp *jp, const char *digits)
{
	return move_on_both(jp, digits, true);
}

int acted_jp_unarchive(const struct acted_jp *jp, const char *digits)
{
	return move_on_both(jp, digits, false);
}

int acted_jp_sync_projection(const struct acted_jp *jp, const char *digits)
{
	char name[NAME_MAX + 1], from[PATH_MAX], to[PATH_MAX];
	int r;

	if (!find(jp->work, digits, name))
		return 0;
	r = remove_from(jp->user, digits);
	if (r < 0)
		return r;
	join(from, "%s/%s", jp->work, name);
	join(to, "%s/%s", jp->user, name);
	return copy_tree(from, to);
}

/* ---- the check at every start ---- */

/* Reads it whole, as jp does: a short read or an error is a corrupt file. New, or NULL. */
static json_t *parse(const char *directory, const char *name)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size;

	join(path, "%s/%s", directory, name);
	if (read_whole(path, &text, &size) < 0)
		return NULL;
	return json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static bool is_conversation(const char *path, const char *name)
{
	json_auto_t *metadata = NULL, *base_config = NULL, *events = NULL;
	char *end, base_path[PATH_MAX];
	const json_t *event;
	size_t i;

	(void)strtoll(name, &end, 10);
	if (end == name || (*end != '\0' && *end != '-'))
		return false;
	metadata = parse(path, "metadata.json");
	join(base_path, "%s/base_config.json", path);
	if (exists(base_path)) {
		base_config = parse(path, "base_config.json");
		if (base_config == NULL)
			return false;
	}
	events = parse(path, "events.json");
	if (metadata == NULL || !json_is_array(events))
		return false;
	json_array_foreach(events, i, event)
	{
		if (json_object_get(event, "timestamp") == NULL ||
		    json_object_get(event, "type") == NULL)
			return false;
	}
	return true;
}

static bool is_locked(const struct acted_jp *jp, const char *name)
{
	char path[PATH_MAX], digits[32];
	cleanup_close int fd = -EBADF;

	(void)snprintf(digits, sizeof(digits), "%.*s", (int)strspn(name, "0123456789"), name);
	lock_path(jp, digits, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static int move_to_trash(const char *side, const char *name)
{
	static const char note[] = "# Trashed Conversation\n\n**Error:** it is incomplete\n";
	char from[PATH_MAX], to[PATH_MAX];
	int r;

	join(to, "%s/.trash", side);
	r = make_directory(to);
	if (r < 0)
		return r;
	join(from, "%s/%s", side, name);
	join(to, "%s/.trash/%s", side, name);
	for (int i = 1; exists(to); i++)
		join(to, "%s/.trash/%s-%d", side, name, i);
	if (rename(from, to) < 0)
		return -errno;
	join(from, "%s/TRASHED.md", to);
	return write_whole(from, note, strlen(note));
}

void acted_jp_check_side(const struct acted_jp *jp, const char *side, struct acted_start *start)
{
	bool is_bad[NAMES_MAX] = {false};
	struct names names, below;
	char path[PATH_MAX];

	scan(side, &names);
	for (size_t i = 0; i < names.count; i++) {
		if (names.all[i][0] == '.' || !names.is_directory[i])
			continue;
		join(path, "%s/%s", side, names.all[i]);
		scan(path, &below);
		for (size_t j = 0; j < below.count; j++) {
			size_t size = strlen(below.all[j]);

			if (size < 4 || strcmp(below.all[j] + size - 4, ".tmp") != 0)
				continue;
			join(path, "%s/%s/%s", side, names.all[i], below.all[j]);
			start->removed += unlink(path) == 0 ? 1 : 0;
		}
	}
	for (size_t i = 0; i < names.count; i++) {
		if (names.all[i][0] == '.' || !names.is_directory[i])
			continue;
		join(path, "%s/%s", side, names.all[i]);
		is_bad[i] = !is_conversation(path, names.all[i]);
		start->listed += is_bad[i] ? 0 : 1;
	}
	for (size_t i = 0; i < names.count; i++) {
		if (!is_bad[i] || is_locked(jp, names.all[i]))
			continue;
		/* jp logs a failure and goes on. */
		start->trashed += move_to_trash(side, names.all[i]) == 0 ? 1 : 0;
	}
}

struct acted_start acted_jp_start(const struct acted_jp *jp)
{
	struct acted_start start = {0};

	acted_jp_check_side(jp, jp->work, &start);
	acted_jp_check_side(jp, jp->user, &start);
	return start;
}
