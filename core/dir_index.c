/*
 * The remembered listing of a conversations/ directory. See dir_index.h.
 *
 * A sorted array serves: it is built in one pass, searched by bisection, and thrown away whole.
 * With 10,000 conversations a reading costs a few milliseconds, and only after a conversation came,
 * went or was renamed: a turn of a conversation changes its own directory, not this one.
 */
#include "core/dir_index.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

/* Longer than any filesystem's clock tick that we know of (10 ms at HZ=100). */
#define TICK_NS 20000000
/* Readings of a directory that is changed all the while. */
#define READINGS_MAX 10

struct directory_times {
	struct timespec mtime, ctime;
	ino_t ino; /* 0 when the directory is missing */
};

struct jp_dir_index {
	pthread_mutex_t lock; /* a leaf: nothing else is taken under it */
	int fd;               /* immutable; borrowed */
	/* protected by lock from here on */
	bool is_fresh;
	struct directory_times live, archive;
	struct jp_index_entry *entries;
	size_t count;
};

static int compare_entries(const void *first, const void *second)
{
	const struct jp_index_entry *a = first, *b = second;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->is_archived != b->is_archived)
		return a->is_archived ? 1 : -1;
	return strcmp(a->name, b->name);
}

void jp_index_entries_free(struct jp_index_entry *entries, size_t count)
{
	for (size_t i = 0; entries != NULL && i < count; i++)
		free(entries[i].name);
	free(entries);
}

static bool is_real_directory(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int read_partition(int fd, bool is_archived, struct jp_index_entry **entries, size_t *count,
			  size_t *room)
{
	cleanup_closedir DIR *dir = NULL;
	int copy = jp_open_beneath(fd, ".", O_RDONLY | O_DIRECTORY, 0);

	if (copy < 0)
		return copy;
	dir = fdopendir(copy);
	if (dir == NULL) {
		jp_closep(&copy);
		return -ENOMEM;
	}
	for (;;) {
		struct jp_index_entry *next;
		struct dirent *entry;
		uint64_t id;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return errno != 0 ? -errno : 0;
		if (jp_conversation_id_parse(entry->d_name, &id) < 0 ||
		    !is_real_directory(dirfd(dir), entry))
			continue;
		if (*count == *room) {
			size_t more = *room == 0 ? 64 : *room * 2;

			next = reallocarray(*entries, more, sizeof(**entries));
			if (next == NULL)
				return -ENOMEM;
			*entries = next;
			*room = more;
		}
		next = &(*entries)[*count];
		next->id = id;
		next->is_archived = is_archived;
		next->name = strdup(entry->d_name);
		if (next->name == NULL)
			return -ENOMEM;
		(*count)++;
	}
}

int jp_dir_index_read(int fd, struct jp_index_entry **ret_entries, size_t *ret_count)
{
	struct jp_index_entry *entries = NULL;
	cleanup_close int archive = -EBADF;
	size_t count = 0, room = 0;
	int r;

	r = read_partition(fd, false, &entries, &count, &room);
	if (r == 0) {
		archive = jp_open_beneath(fd, JP_ARCHIVE_NAME, O_RDONLY | O_DIRECTORY, 0);
		if (archive >= 0)
			r = read_partition(archive, true, &entries, &count, &room);
		else if (archive != -ENOENT && archive != -ENOTDIR && archive != -ELOOP)
			r = archive;
	}
	if (r < 0) {
		jp_index_entries_free(entries, count);
		return r;
	}
	if (count > 0)
		qsort(entries, count, sizeof(*entries), compare_entries);
	*ret_entries = entries;
	*ret_count = count;
	return 0;
}

int jp_dir_index_lock(int fd)
{
	int own = jp_open_beneath(fd, ".", O_RDONLY | O_DIRECTORY, 0);

	/* Where there are no locks, whoever comes second is not kept from it. */
	while (own >= 0 && flock(own, LOCK_EX) < 0 && errno == EINTR)
		;
	return own;
}

int jp_dir_index_new(int fd, struct jp_dir_index **ret_index)
{
	struct jp_dir_index *index = calloc(1, sizeof(*index));

	if (index == NULL)
		return -ENOMEM;
	index->fd = fd;
	pthread_mutex_init(&index->lock, NULL);
	*ret_index = index;
	return 0;
}

void jp_dir_index_free(struct jp_dir_index *index)
{
	if (index == NULL)
		return;
	jp_index_entries_free(index->entries, index->count);
	pthread_mutex_destroy(&index->lock);
	free(index);
}

static int read_times(int fd, const char *name, struct directory_times *ret)
{
	struct stat st;

	*ret = (struct directory_times){0};
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret = (struct directory_times){st.st_mtim, st.st_ctim, st.st_ino};
	return 0;
}

static bool are_same_times(const struct directory_times *a, const struct directory_times *b)
{
	return a->ino == b->ino && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* Whether the directory could be changed again without its times telling. */
static bool is_racy(const struct directory_times *times, const struct timespec *now)
{
	int64_t age = (int64_t)(now->tv_sec - times->ctime.tv_sec) * 1000000000 +
		      (now->tv_nsec - times->ctime.tv_nsec);

	return times->ino != 0 && age < TICK_NS;
}

static int read_both_times(const struct jp_dir_index *index, struct directory_times *live,
			   struct directory_times *archive)
{
	int r = read_times(index->fd, ".", live);

	return r < 0 ? r : read_times(index->fd, JP_ARCHIVE_NAME, archive);
}

static int refresh_locked(struct jp_dir_index *index)
{
	struct directory_times live, archive;
	struct jp_index_entry *entries;
	struct timespec now;
	size_t count;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	r = read_both_times(index, &live, &archive);
	if (r < 0)
		return r;
	if (index->is_fresh && are_same_times(&live, &index->live) &&
	    are_same_times(&archive, &index->archive))
		return 0;
	r = jp_dir_index_read(index->fd, &entries, &count);
	/* What was renamed while it was read may have been met nowhere, or twice. */
	for (int tries = 0; r == 0 && tries < READINGS_MAX; tries++) {
		struct directory_times live_before = live, archive_before = archive;

		r = read_both_times(index, &live, &archive);
		if (r == 0 && are_same_times(&live, &live_before) &&
		    are_same_times(&archive, &archive_before))
			break;
		jp_index_entries_free(entries, count);
		entries = NULL;
		count = 0;
		if (r == 0)
			r = jp_dir_index_read(index->fd, &entries, &count);
	}
	if (r < 0)
		return r;
	jp_index_entries_free(index->entries, index->count);
	index->entries = entries;
	index->count = count;
	index->live = live;
	index->archive = archive;
	index->is_fresh = !is_racy(&live, &now) && !is_racy(&archive, &now);
	return 0;
}

int jp_dir_index_find(struct jp_dir_index *index, uint64_t id, char *ret_path,
		      bool *ret_is_archived)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&index->lock);
	size_t low = 0, high;
	int r;

	r = refresh_locked(index);
	if (r < 0)
		return r;
	/* The first entry that is not below the ID: the live one, if both are there. */
	high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->count || index->entries[low].id != id)
		return -ENOENT;
	(void)snprintf(ret_path, JP_CONVERSATION_PATH_BYTES, "%s%s",
		       index->entries[low].is_archived ? JP_ARCHIVE_NAME "/" : "",
		       index->entries[low].name);
	if (ret_is_archived != NULL)
		*ret_is_archived = index->entries[low].is_archived;
	return 0;
}

void jp_dir_index_expire(struct jp_dir_index *index)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&index->lock);

	index->is_fresh = false;
}

int jp_dir_index_copy(struct jp_dir_index *index, struct jp_index_entry **ret_entries,
		      size_t *ret_count)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&index->lock);
	struct jp_index_entry *copy;
	int r = refresh_locked(index);

	if (r < 0)
		return r;
	copy = calloc(index->count + 1, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < index->count; i++) {
		copy[i] = index->entries[i];
		copy[i].name = strdup(index->entries[i].name);
		if (copy[i].name == NULL) {
			jp_index_entries_free(copy, i);
			return -ENOMEM;
		}
	}
	*ret_entries = copy;
	*ret_count = index->count;
	return 0;
}

int jp_dir_index_count(struct jp_dir_index *index, size_t *ret_live, size_t *ret_archived)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&index->lock);
	size_t archived = 0;
	int r = refresh_locked(index);

	if (r < 0)
		return r;
	for (size_t i = 0; i < index->count; i++)
		archived += index->entries[i].is_archived ? 1 : 0;
	*ret_live = index->count - archived;
	*ret_archived = archived;
	return 0;
}
