/*
 * Hearing of changes in directories, by inotify.
 *
 * A watch belongs to a directory's inode, not to its path: it goes along when the directory is
 * renamed and ends when that is removed. Each has a key of the caller's, which comes with its events.
 * The kernel may lose events (its queue is bounded) and may refuse watches (their number is, too):
 * both are told, so that whoever relies on this knows when not to. A filesystem that other machines
 * write to gives no events for what they do; jp_watch_is_reliable() knows those by their type.
 *
 * Threads: any, apart from jp_watch_read(), which one thread calls.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jp_watch;

/* One change in a watched directory. */
struct jp_watch_event {
	uint64_t key;
	bool was_lost;    /* events were lost: anything may have changed, in every directory */
	bool has_ended;   /* the directory is gone: its watch has ended */
	bool is_name;     /* a name came, went, or leads to another file now */
	const char *name; /* in the directory; "" for the directory itself. Valid in the callback */
};

typedef void jp_watch_callback(const struct jp_watch_event *event, void *closure);

/* Watch nothing yet. jp_watch_free() it. Returns 0, -EMFILE (no inotify instance left), -errno. */
must_check int jp_watch_new(struct jp_watch **ret_watch);
void jp_watch_free(struct jp_watch *watch);

/* Becomes readable when there are events. Borrowed. */
int jp_watch_fd(const struct jp_watch *watch);

/* Whether changes of the filesystem behind `fd` are all told: false for network filesystems. */
bool jp_watch_is_reliable(int fd);

/*
 * Watch a directory.
 *
 * Shape:   fd   the directory, O_PATH will do; borrowed for the call
 *          key  comes with its events; one key has one watch: the watch that it had before ends, if
 *               it was another directory's
 * Returns: 0, also when it is watched already; -ENOSPC no watches left; -ENOMEM; -errno.
 */
must_check int jp_watch_add(struct jp_watch *watch, int fd, uint64_t key);

/* End the watch of a key. Nothing to do if it has none. */
void jp_watch_remove(struct jp_watch *watch, uint64_t key);

/* How many directories are watched. */
size_t jp_watch_count(struct jp_watch *watch);

/* Call back for all that has happened, without waiting for more. 0 or -errno. */
must_check int jp_watch_read(struct jp_watch *watch, jp_watch_callback *callback, void *closure);
