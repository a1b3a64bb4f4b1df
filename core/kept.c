/* Names, times and sizes of what is kept. See kept.h. */
#include "core/kept.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/dir_index.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define STAMP_BYTES 26 /* 20261123T162201.123456789Z */
#define DEPTH_MAX 64   /* of a directory in the trash; what is deeper is not measured */
#define NAMED_MAX 4    /* of those that a version's beginning fits */

const char *jp_kept_file(const struct jp_kept *kept)
{
	return kept->entry + kept->file;
}

bool jp_kept_is_conversation(const struct jp_kept *kept, const char **ret_name,
			     bool *ret_is_archived)
{
	static const char archived[] = JP_ARCHIVE_NAME "%";
	const char *name = jp_kept_file(kept);
	bool is_archived = strncmp(name, archived, sizeof(archived) - 1) == 0;
	uint64_t id;

	if (is_archived)
		name += sizeof(archived) - 1;
	if (!kept->is_trash || !kept->is_directory || jp_conversation_id_parse(name, &id) < 0 ||
	    id != kept->id)
		return false;
	if (ret_name != NULL)
		*ret_name = name;
	if (ret_is_archived != NULL)
		*ret_is_archived = is_archived;
	return true;
}

bool jp_kept_is_called(const struct jp_kept *kept, const char *file)
{
	const char *own = jp_kept_file(kept);

	while (*own != '\0' && (*own == *file || (*own == '%' && *file == '/'))) {
		own++;
		file++;
	}
	return *own == '\0' && *file == '\0';
}

/* ---- names ---- */

static bool read_digits(const char **text, size_t count, int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < count; i++, ++*text) {
		if (!isdigit((unsigned char)**text))
			return false;
		*ret = *ret * 10 + (**text - '0');
	}
	return true;
}

static bool read_char(const char **text, char expected)
{
	if (**text != expected)
		return false;
	++*text;
	return true;
}

int jp_kept_parse(const char *entry, int64_t *ret_kept_ns, const char **ret_file)
{
	const char *text = entry;
	struct tm utc = {0}, again;
	int nanoseconds;
	time_t seconds;

	if (!read_digits(&text, 4, &utc.tm_year) || !read_digits(&text, 2, &utc.tm_mon) ||
	    !read_digits(&text, 2, &utc.tm_mday) || !read_char(&text, 'T') ||
	    !read_digits(&text, 2, &utc.tm_hour) || !read_digits(&text, 2, &utc.tm_min) ||
	    !read_digits(&text, 2, &utc.tm_sec) || !read_char(&text, '.') ||
	    !read_digits(&text, 9, &nanoseconds) || !read_char(&text, 'Z') ||
	    !read_char(&text, '.') || *text == '\0')
		return -EINVAL;
	if (utc.tm_year < 1970 || utc.tm_year > 2261)
		return -EINVAL; /* where nanoseconds begin and end */
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	again = utc;
	seconds = timegm(&again);
	/* There is such a day: nothing was carried over. */
	if (again.tm_mon != utc.tm_mon || again.tm_mday != utc.tm_mday ||
	    again.tm_hour != utc.tm_hour || again.tm_min != utc.tm_min)
		return -EINVAL;
	*ret_kept_ns = (int64_t)seconds * 1000000000 + nanoseconds;
	*ret_file = text;
	return 0;
}

void jp_kept_version(const char *entry, char *ret_version)
{
	XXH64_hash_t hash = XXH3_64bits(entry, strlen(entry));

	for (size_t i = 0; i < JP_VERSION_LETTERS; i++, hash >>= 4)
		ret_version[i] = (char)('k' + (hash & 15));
	ret_version[JP_VERSION_LETTERS] = '\0';
}

int jp_kept_shown_name(const char *entry, char *ret_name)
{
	char version[JP_VERSION_BYTES];
	const char *file;
	int64_t ns;

	if (jp_kept_parse(entry, &ns, &file) < 0)
		return -EINVAL;
	jp_kept_version(entry, version);
	(void)snprintf(ret_name, NAME_MAX + 1, "%.15sZ.%s.%.220s", entry, version, file);
	return 0;
}

bool jp_version_is_wellformed(const char *text)
{
	size_t size = strlen(text);

	if (size == 0 || size > STAMP_BYTES)
		return false;
	if (text[strspn(text, "klmnopqrstuvwxyz")] == '\0')
		return size <= JP_VERSION_LETTERS;
	return isdigit((unsigned char)text[0]) && text[strspn(text, "0123456789T.Z")] == '\0';
}

void jp_version_split(const char *text, size_t *ret_word_size, const char **ret_version)
{
	const char *at = strrchr(text, '@');

	*ret_word_size = strlen(text);
	*ret_version = "";
	if (at == NULL || !jp_version_is_wellformed(at + 1))
		return;
	*ret_word_size = (size_t)(at - text);
	*ret_version = at + 1;
}

bool jp_version_means(const char *text, const struct jp_kept *kept)
{
	const char *whole = isdigit((unsigned char)text[0]) ? kept->entry : kept->version;
	size_t size = strlen(text);

	return size > 0 && size <= STAMP_BYTES && strncmp(whole, text, size) == 0;
}

int jp_kept_find(const struct jp_kept *list, size_t count, const char *version, const char *file,
		 struct jp_error *error)
{
	char names[NAMED_MAX * (JP_VERSION_BYTES + 48) + 1] = "";
	size_t found = 0, index = 0;

	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(names);

		if (!jp_version_means(version, &list[i]) ||
		    (file != NULL && !jp_kept_is_conversation(&list[i], NULL, NULL) &&
		     !jp_kept_is_called(&list[i], file)))
			continue;
		if (found++ == 0)
			index = i;
		if (found <= NAMED_MAX)
			(void)snprintf(names + used, sizeof(names) - used, "%s%s (%.40s)",
				       found > 1 ? ", " : "", list[i].version,
				       jp_kept_file(&list[i]));
	}
	if (found == 1)
		return (int)index;
	if (found == 0)
		return jp_error_set(error, -ENOENT, "@%s: no such version%s%s is kept", version,
				    file != NULL ? " of " : "", file != NULL ? file : "");
	jp_error_remedy(error, "these begin so: %s%s", names, found > NAMED_MAX ? ", more" : "");
	return jp_error_set(error, -ENOTUNIQ, "@%s: that may be several versions", version);
}

/* ---- the store ---- */

struct list {
	struct jp_kept *items;
	size_t count, room;
};

static int add(struct list *list, const struct jp_kept *kept)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 16 : list->room * 2;
		struct jp_kept *items = realloc(list->items, room * sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = *kept;
	return 0;
}

/* Bytes of the regular files in a directory; what goes meanwhile does not count. */
static uint64_t measure(int dirfd_, const char *name, unsigned depth)
{
	int fd = jp_open_beneath(dirfd_, name, O_RDONLY | O_DIRECTORY, 0);
	cleanup_closedir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	uint64_t size = 0;
	struct stat st;

	if (dir == NULL) {
		jp_closep(&fd);
		return 0;
	}
	while ((entry = jp_sys->readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			size += (uint64_t)st.st_size;
		else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			size += measure(dirfd(dir), entry->d_name, depth + 1);
	}
	return size;
}

static int describe(int place_fd, uint64_t id, bool is_trash, const char *name, struct jp_kept *ret)
{
	const char *file;
	struct stat st;

	*ret = (struct jp_kept){.id = id, .is_trash = is_trash};
	if (jp_kept_parse(name, &ret->kept_ns, &file) < 0)
		return -EINVAL;
	if (fstatat(place_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	ret->file = (size_t)(file - name);
	(void)snprintf(ret->entry, sizeof(ret->entry), "%s", name);
	jp_kept_version(name, ret->version);
	ret->is_directory = S_ISDIR(st.st_mode);
	if (ret->is_directory)
		ret->size = measure(place_fd, name, 0);
	else if (S_ISREG(st.st_mode))
		ret->size = (uint64_t)st.st_size;
	return 0;
}

/* Open a directory to read it; *ret NULL when there is none. */
static int open_to_read(int dirfd_, const char *name, DIR **ret)
{
	int fd = dirfd_ < 0 ? -ENOENT : jp_open_beneath(dirfd_, name, O_RDONLY | O_DIRECTORY, 0);

	*ret = NULL;
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	*ret = fdopendir(fd);
	if (*ret == NULL) {
		jp_closep(&fd);
		return -ENOMEM;
	}
	return 0;
}

static int read_place(int keep_fd, uint64_t id, bool is_trash, struct list *list)
{
	cleanup_closedir DIR *dir = NULL;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "%" PRIu64, id);
	r = open_to_read(keep_fd, name, &dir);
	while (r == 0 && dir != NULL) {
		const struct dirent *entry;
		struct jp_kept kept;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return -errno;
		/* Others put things there and prune them at any time. */
		r = describe(dirfd(dir), id, is_trash, entry->d_name, &kept);
		r = r == 0 ? add(list, &kept) : r == -EINVAL || r == -ENOENT ? 0 : r;
	}
	return r;
}

int jp_kept_find_shown(int history_fd, uint64_t id, const char *shown_name, char *ret_entry)
{
	cleanup_closedir DIR *dir = NULL;
	char name[NAME_MAX + 1];
	int r;

	(void)snprintf(name, sizeof(name), "%" PRIu64, id);
	r = open_to_read(history_fd, name, &dir);
	if (r < 0 || dir == NULL)
		return r < 0 ? r : -ENOENT;
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return errno != 0 ? -errno : -ENOENT;
		if (jp_kept_shown_name(entry->d_name, name) < 0 || strcmp(name, shown_name) != 0)
			continue;
		(void)snprintf(ret_entry, NAME_MAX + 1, "%s", entry->d_name);
		return 0;
	}
}

static int read_places(int keep_fd, bool is_trash, struct list *list)
{
	cleanup_closedir DIR *dir = NULL;
	int r = open_to_read(keep_fd, ".", &dir);

	while (r == 0 && dir != NULL) {
		const struct dirent *entry;
		char canonical[32];
		uint64_t id;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return -errno;
		if (strcmp(entry->d_name, "0") == 0)
			id = 0;
		else if (jp_conversation_id_parse(entry->d_name, &id) < 0)
			continue;
		(void)snprintf(canonical, sizeof(canonical), "%" PRIu64, id);
		if (strcmp(entry->d_name, canonical) == 0)
			r = read_place(keep_fd, id, is_trash, list);
	}
	return r;
}

static int compare(const void *first, const void *second)
{
	const struct jp_kept *a = first, *b = second;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->kept_ns != b->kept_ns)
		return a->kept_ns > b->kept_ns ? -1 : 1;
	return strcmp(a->entry, b->entry);
}

static int finish(struct list *list, int r, struct jp_kept **ret_list, size_t *ret_count)
{
	if (r < 0) {
		free(list->items);
		return r;
	}
	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), compare);
	*ret_list = list->items;
	*ret_count = list->count;
	return 0;
}

int jp_kept_read(int history_fd, int trash_fd, uint64_t id, struct jp_kept **ret_list,
		 size_t *ret_count)
{
	struct list list = {0};
	int r = read_place(history_fd, id, false, &list);

	if (r == 0)
		r = read_place(trash_fd, id, true, &list);
	return finish(&list, r, ret_list, ret_count);
}

int jp_kept_read_all(int history_fd, int trash_fd, struct jp_kept **ret_list, size_t *ret_count)
{
	struct list list = {0};
	int r = read_places(history_fd, false, &list);

	if (r == 0)
		r = read_places(trash_fd, true, &list);
	return finish(&list, r, ret_list, ret_count);
}

int jp_kept_open_place(int history_fd, int trash_fd, const struct jp_kept *kept)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%" PRIu64, kept->id);
	return jp_open_beneath(kept->is_trash ? trash_fd : history_fd, name, O_RDONLY | O_DIRECTORY,
			       0);
}
