/* Two trees over the same watches: by the kernel's number, for events, and by key. See watch.h. */
#include "core/watch.h"

#include <errno.h>
#include <linux/magic.h>
#include <search.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

/* Types that <linux/magic.h> does not have everywhere. */
#define MAGIC_CIFS 0xFF534D42
#define MAGIC_SMB2 0xFE534D42
#define MAGIC_CEPH 0x00C36400
#define MAGIC_FUSE 0x65735546
#define MAGIC_VBOXSF 0x786F4256

#define NAME_EVENTS                                                                                \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
#define EVENTS (NAME_EVENTS | IN_MODIFY | IN_ATTRIB)

struct watched {
	uint64_t key;
	int number; /* the kernel's */
};

struct jp_watch {
	int fd;
	pthread_mutex_t lock; /* a leaf */
	/* protected by lock; the same entries in both */
	void *by_number, *by_key;
	size_t count;
};

static int compare_numbers(const void *first, const void *second)
{
	int a = ((const struct watched *)first)->number,
	    b = ((const struct watched *)second)->number;

	return a < b ? -1 : a > b;
}

static int compare_keys(const void *first, const void *second)
{
	uint64_t a = ((const struct watched *)first)->key,
		 b = ((const struct watched *)second)->key;

	return a < b ? -1 : a > b;
}

int jp_watch_new(struct jp_watch **ret_watch)
{
	struct jp_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return -ENOMEM;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0) {
		free(watch);
		return -errno;
	}
	pthread_mutex_init(&watch->lock, NULL);
	*ret_watch = watch;
	return 0;
}

static void keep_item(void *item)
{
	(void)item; /* the other tree frees it */
}

void jp_watch_free(struct jp_watch *watch)
{
	if (watch == NULL)
		return;
	jp_closep(&watch->fd);
	tdestroy(watch->by_number, keep_item);
	tdestroy(watch->by_key, free);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

int jp_watch_fd(const struct jp_watch *watch)
{
	return watch->fd;
}

bool jp_watch_is_reliable(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	switch ((uint32_t)st.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case CODA_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case V9FS_MAGIC:
	case MAGIC_CIFS:
	case MAGIC_SMB2:
	case MAGIC_CEPH:
	case MAGIC_FUSE:
	case MAGIC_VBOXSF:
		return false;
	default:
		return true;
	}
}

/* Take an entry out of both trees; it is the caller's then. */
static void forget_locked(struct jp_watch *watch, struct watched *entry)
{
	(void)tdelete(entry, &watch->by_number, compare_numbers);
	(void)tdelete(entry, &watch->by_key, compare_keys);
	watch->count--;
}

static struct watched *find(void *const *tree, const struct watched *key,
			    int (*compare)(const void *, const void *))
{
	void *found = tfind(key, tree, compare);

	return found != NULL ? *(struct watched **)found : NULL;
}

int jp_watch_add(struct jp_watch *watch, int fd, uint64_t key)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&watch->lock);
	struct watched wanted = {.key = key};
	struct watched *before = find(&watch->by_key, &wanted, compare_keys);
	struct watched *other;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wanted.number = inotify_add_watch(watch->fd, path, EVENTS | IN_ONLYDIR);
	if (wanted.number < 0)
		return -errno;
	if (before != NULL && before->number == wanted.number)
		return 0;
	if (before != NULL) {
		forget_locked(watch, before);
		(void)inotify_rm_watch(watch->fd, before->number); /* it may have ended by itself */
		free(before);
	}
	/* The directory of another key: that key's has gone, and its inode came to be this. */
	other = find(&watch->by_number, &wanted, compare_numbers);
	if (other != NULL) {
		forget_locked(watch, other);
		free(other);
	}
	other = malloc(sizeof(*other));
	if (other != NULL) {
		*other = wanted;
		if (tsearch(other, &watch->by_number, compare_numbers) == NULL) {
			free(other);
			other = NULL;
		} else if (tsearch(other, &watch->by_key, compare_keys) == NULL) {
			(void)tdelete(other, &watch->by_number, compare_numbers);
			free(other);
			other = NULL;
		}
	}
	if (other == NULL) {
		(void)inotify_rm_watch(watch->fd, wanted.number);
		return -ENOMEM;
	}
	watch->count++;
	return 0;
}

void jp_watch_remove(struct jp_watch *watch, uint64_t key)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&watch->lock);
	const struct watched wanted = {.key = key};
	struct watched *entry = find(&watch->by_key, &wanted, compare_keys);

	if (entry == NULL)
		return;
	forget_locked(watch, entry);
	(void)inotify_rm_watch(watch->fd, entry->number); /* it may have ended by itself */
	free(entry);
}

size_t jp_watch_count(struct jp_watch *watch)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&watch->lock);

	return watch->count;
}

/* Whose event it is; false for one that nobody waits for any more. */
static bool resolve(struct jp_watch *watch, const struct inotify_event *raw,
		    struct jp_watch_event *ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&watch->lock);
	const struct watched wanted = {.number = raw->wd};
	struct watched *entry = find(&watch->by_number, &wanted, compare_numbers);

	if (entry == NULL)
		return false;
	ret->key = entry->key;
	if (ret->has_ended) {
		forget_locked(watch, entry);
		free(entry);
	}
	return true;
}

int jp_watch_read(struct jp_watch *watch, jp_watch_callback *callback, void *closure)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));

	for (;;) {
		ssize_t size = read(watch->fd, buffer, sizeof(buffer));

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *raw =
				(const struct inotify_event *)(const void *)(buffer + at);
			struct jp_watch_event event = {
				.was_lost = (raw->mask & IN_Q_OVERFLOW) != 0,
				.has_ended = (raw->mask & IN_IGNORED) != 0,
				.is_name = (raw->mask & NAME_EVENTS) != 0,
				.name = raw->len > 0 ? raw->name : "",
			};

			at += (ssize_t)(sizeof(*raw) + raw->len);
			if (event.was_lost || resolve(watch, raw, &event))
				callback(&event, closure);
		}
	}
}
