/*
 * Waiting for the end of a file's writers.
 *
 * close(2) is no request, so the companion is asked, some milliseconds after a change, whether
 * somebody still has the file open for writing, and answers when nobody has. What was changed after
 * it was asked is asked for again.
 */
#include "fs/log.h"
#include "fs/notify_parts.h"
#include "fs/told.h"
#include "fs/view.h"

#include <stdlib.h>

/* A file's writer is given this long to end before it is asked for. Most have by then. */
#define ASK_MS 2
/* More than so many at once is more than one can follow; who has a file open for longer is no crowd. */
#define CROWD 6
#define CROWD_MS 500

/* A file whose writers are waited for. */
struct jpfs_awaited {
	struct jpfs_awaited *next;
	struct jpfs_entry *entry; /* a reference */
	bool is_asked;
	int64_t began_ms, due_ms; /* when to ask */
};

int jpfs_notify_await_locked(struct jpfs_notify *notify, struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_awaited *awaited;

	if (entry->is_awaited)
		return 0; /* what is asked, or will be, is found to be too old */
	if (!jpfs_notify_can_await(notify))
		return -EPIPE;
	awaited = malloc(sizeof(*awaited));
	if (awaited == NULL)
		return -ENOMEM;
	jpfs_object_ref(&entry->object);
	entry->is_awaited = true;
	*awaited = (struct jpfs_awaited){.entry = entry, .began_ms = jpfs_now_ms()};
	awaited->due_ms = awaited->began_ms + ASK_MS;
	held = jp_lock(&notify->lock);
	*notify->awaited_end = awaited;
	notify->awaited_end = &awaited->next;
	jp_unlockp(&held);
	jpfs_notify_wake(notify);
	return 0;
}

bool jpfs_notify_is_crowded(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	int64_t since = jpfs_now_ms() - CROWD_MS;
	unsigned count = 0;

	if (notify == NULL)
		return false;
	held = jp_lock(&notify->lock);
	for (const struct jpfs_awaited *one = notify->awaited; one != NULL && count <= CROWD;
	     one = one->next)
		count += one->began_ms > since ? 1 : 0;
	return count > CROWD;
}

/* Ask for the end of a file's writers. 0 or -errno. */
static int ask(struct jpfs_notify *notify, struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);
	cleanup_free char *path = jpfs_mount_path_locked(entry->conversation, entry->path);
	dev_t device;

	if (path == NULL)
		return -ENOMEM;
	if (!entry->is_linked || !jpfs_notify_device(notify, &device))
		return -ENOENT; /* no path leads to it */
	return jpfs_companion_await(notify->companion_fd, device, path, entry->shown_ino,
				    entry->object.serial, entry->generation);
}

/* It is waited for no longer. */
static void end_waiting(struct jpfs_entry *entry)
{
	cleanup_object struct jpfs_object *object = &entry->object; /* the list's reference */
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

	entry->is_awaited = false;
	jpfs_entry_closed_locked(entry);
	jp_unlockp(&held);
	(void)object;
}

/* The next one that is due to be asked for, counted as asked; its reference is the list's. */
static struct jpfs_entry *take_due(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);
	int64_t now = jpfs_now_ms();

	for (struct jpfs_awaited *one = notify->awaited; one != NULL; one = one->next) {
		if (!one->is_asked && one->due_ms <= now) {
			one->is_asked = true;
			return one->entry;
		}
	}
	return NULL;
}

/* Have it asked for later, or (`later` false) take it off the list. */
static void put_off(struct jpfs_notify *notify, const struct jpfs_entry *entry, bool later)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);

	for (struct jpfs_awaited **link = &notify->awaited; *link != NULL; link = &(*link)->next) {
		struct jpfs_awaited *found = *link;

		if (found->entry != entry)
			continue;
		if (later) {
			found->is_asked = false;
			found->due_ms = jpfs_now_ms() + ASK_MS;
		} else {
			*link = found->next;
			if (found->next == NULL)
				notify->awaited_end = link;
			free(found);
		}
		return;
	}
}

void jpfs_notify_ask_due(struct jpfs_notify *notify)
{
	struct jpfs_entry *entry;

	while ((entry = take_due(notify)) != NULL) {
		int r = ask(notify, entry);

		if (r == -EAGAIN || r == -ENOMEM) {
			put_off(notify, entry, true);
			return; /* the companion has enough to do */
		}
		if (r < 0) {
			put_off(notify, entry, false);
			end_waiting(entry);
		}
	}
}

int jpfs_notify_next_due_ms(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);
	int64_t now = jpfs_now_ms(), wait = -1;

	for (const struct jpfs_awaited *one = notify->awaited; one != NULL; one = one->next) {
		int64_t left = one->due_ms > now ? one->due_ms - now : 0;

		if (!one->is_asked && (wait < 0 || left < wait))
			wait = left;
	}
	return (int)wait;
}

/* The entry of an answer; a new reference. NULL: it is waited for no longer. */
static struct jpfs_entry *find_awaited(struct jpfs_notify *notify, uint64_t serial)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);

	for (const struct jpfs_awaited *one = notify->awaited; one != NULL; one = one->next) {
		if (one->entry->object.serial == serial) {
			jpfs_object_ref(&one->entry->object);
			return one->entry;
		}
	}
	return NULL;
}

static void hear_answer(struct jpfs_notify *notify, const struct jpfs_companion_answer *answer)
{
	struct jpfs_entry *entry = find_awaited(notify, answer->serial);
	cleanup_object struct jpfs_object *object = NULL;
	bool is_newer;

	if (entry == NULL)
		return;
	object = &entry->object;
	jpfs_conversation_lock(entry->conversation);
	is_newer = entry->generation != answer->generation;
	pthread_mutex_unlock(&entry->conversation->lock);
	/* Changed since it was asked for: somebody may have it open again. */
	put_off(notify, entry, is_newer);
	if (!is_newer)
		end_waiting(entry);
}

void jpfs_notify_give_up_waiting(struct jpfs_notify *notify)
{
	for (;;) {
		struct jpfs_entry *entry;

		pthread_mutex_lock(&notify->lock);
		entry = notify->awaited != NULL ? notify->awaited->entry : NULL;
		pthread_mutex_unlock(&notify->lock);
		if (entry == NULL)
			return;
		put_off(notify, entry, false);
		end_waiting(entry);
	}
}

void jpfs_notify_hear_companion(struct jpfs_notify *notify)
{
	struct jpfs_companion_answer answer;
	int r;

	while ((r = jpfs_companion_answer(notify->companion_fd, &answer)) > 0)
		hear_answer(notify, &answer);
	if (r < 0 && !atomic_load(&notify->is_alone)) {
		atomic_store(&notify->is_alone, true);
		jpfs_log(JPFS_LOG_WARNING,
			 "the second process of this daemon has ended; unmount and "
			 "mount again when it suits you");
		jpfs_notify_give_up_waiting(notify);
	}
}
