/*
 * The thread that hears of what changes, in the store and from the companion, and has it looked at.
 * It sleeps in poll() for as long as nothing happens. See notify.h.
 */
#include "core/base/io.h"
#include "core/base/thread.h"
#include "core/conversation_id.h"
#include "fs/log.h"
#include "fs/notify_parts.h"
#include "fs/told.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

/* Keys of watches that are no conversation's. */
#define KEY_LIVE UINT64_MAX
#define KEY_ARCHIVE (UINT64_MAX - 1)
/* An answer may still be on its way to the kernel when what it says is taken back: once more. */
#define AGAIN_MS 20
/* When there were no watches left, they are asked for again after this. */
#define FULL_MS 60000

void jpfs_notify_wake(struct jpfs_notify *notify)
{
	uint64_t one = 1;

	/* Full only when nobody has looked for 2^64 events. */
	(void)!write(notify->event_fd, &one, sizeof(one));
}

/* ---- hearing ---- */

bool jpfs_notify_is_usable(const struct jpfs_notify *notify)
{
	return atomic_load(&notify->is_usable);
}

bool jpfs_notify_can_await(const struct jpfs_notify *notify)
{
	return notify->companion_fd >= 0 && !atomic_load(&notify->is_alone);
}

bool jpfs_notify_hears_of_new(const struct jpfs_notify *notify)
{
	return atomic_load(&notify->hears_live);
}

int jpfs_notify_watch(struct jpfs_notify *notify, int fd, uint64_t id)
{
	int64_t full_ms = atomic_load(&notify->full_ms);
	int r;

	if (full_ms != 0 && jpfs_now_ms() - full_ms < FULL_MS)
		return -ENOSPC;
	r = jp_watch_add(notify->watch, fd, id);
	if (r == -ENOSPC) {
		if (full_ms == 0)
			jpfs_log(JPFS_LOG_WARNING,
				 "no inotify watches left: some conversations are served more "
				 "slowly; raise fs.inotify.max_user_watches");
		atomic_store(&notify->full_ms, jpfs_now_ms());
	}
	return r;
}

size_t jpfs_notify_watches(struct jpfs_notify *notify, bool *ret_is_full)
{
	*ret_is_full = atomic_load(&notify->full_ms) != 0;
	return jp_watch_count(notify->watch);
}

/* The two directories that conversations come and go in. */
static void watch_partitions(struct jpfs_notify *notify)
{
	int conversations_fd = notify->view->silo->conversations_fd;
	cleanup_close int archive = -EBADF;

	atomic_store(&notify->hears_live,
		     jp_watch_add(notify->watch, conversations_fd, KEY_LIVE) == 0);
	archive = jp_open_beneath(conversations_fd, JP_ARCHIVE_NAME, O_PATH | O_DIRECTORY, 0);
	if (archive >= 0 && jp_watch_add(notify->watch, archive, KEY_ARCHIVE) < 0)
		atomic_store(&notify->hears_live, false);
}

void jpfs_notify_look(struct jpfs_notify *notify, struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (notify == NULL)
		return;
	held = jp_lock(&notify->lock);
	if (conversation->is_to_look)
		return;
	jpfs_object_ref(&conversation->object);
	conversation->is_to_look = true;
	conversation->next_look = NULL;
	*notify->queue_end = conversation;
	notify->queue_end = &conversation->next_look;
	jp_unlockp(&held);
	jpfs_notify_wake(notify);
}

/* Events were lost: that a directory came, or was replaced, as well. So each is listened to anew. */
static void look_at_all(struct jpfs_notify *notify)
{
	struct jpfs_conversation **all;
	size_t count;

	if (jpfs_view_snapshot(notify->view, &all, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		jpfs_conversation_lock(all[i]);
		all[i]->is_watched = false;
		pthread_mutex_unlock(&all[i]->lock);
		jpfs_notify_look(notify, all[i]);
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
}

/* A file of others that is shown here was changed in the store: the workspace follows. */
static void look_at_other(struct jpfs_conversation *conversation, const char *name)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;

	if (!conversation->is_local && conversation->is_reconciled &&
	    jpfs_entry_lookup_locked(conversation, name, &entry) == 0)
		object = &entry->object;
}

static void hear(const struct jp_watch_event *event, void *closure)
{
	struct jpfs_notify *notify = closure;
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *conversation;
	uint64_t id = event->key;

	if (event->was_lost) {
		atomic_store(&notify->lost_events, true);
		return;
	}
	if (id == KEY_LIVE || id == KEY_ARCHIVE) {
		if (event->has_ended || strcmp(event->name, JP_ARCHIVE_NAME) == 0 ||
		    event->name[0] == '\0')
			atomic_store(&notify->lost_events, true); /* which: found out below */
		if (jp_conversation_id_parse(event->name, &id) < 0)
			return;
	} else if (event->name[0] != '\0' && jp_name_is_managed_temporary(event->name)) {
		return; /* on its way; its rename is heard of */
	}
	conversation = jpfs_view_find(notify->view, id);
	if (conversation == NULL)
		return;
	object = &conversation->object;
	if (event->has_ended || event->key == KEY_LIVE || event->key == KEY_ARCHIVE) {
		jpfs_conversation_lock(conversation);
		conversation->is_watched = false; /* another directory, perhaps */
		pthread_mutex_unlock(&conversation->lock);
	} else if (event->is_name && event->name[0] != '\0' &&
		   jp_managed_from_name(event->name) == JP_UNMANAGED &&
		   !jp_name_is_temporary(event->name)) {
		look_at_other(conversation, event->name);
	}
	jpfs_notify_look(notify, conversation);
}

/* ---- the thread ---- */

static struct jpfs_conversation *take(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);
	struct jpfs_conversation *conversation = notify->queue;

	if (conversation == NULL)
		return NULL;
	notify->queue = conversation->next_look;
	if (notify->queue == NULL)
		notify->queue_end = &notify->queue;
	conversation->is_to_look = false;
	return conversation;
}

static void *run(void *argument)
{
	struct jpfs_notify *notify = argument;
	int64_t again_ms = 0;

	while (!atomic_load(&notify->is_ending)) {
		struct pollfd fds[] = {
			{.fd = jp_watch_fd(notify->watch), .events = POLLIN},
			{.fd = notify->event_fd, .events = POLLIN},
			{.fd = atomic_load(&notify->is_alone) ? -1 : notify->companion_fd,
			 .events = POLLIN},
		};
		struct jpfs_conversation *conversation;
		int64_t now = jpfs_now_ms();
		int wait = jpfs_notify_next_due_ms(notify);
		uint64_t drained;

		if (!jpfs_notify_has_again(notify))
			again_ms = 0;
		else if (again_ms == 0)
			again_ms = now + AGAIN_MS;
		if (again_ms != 0 && now >= again_ms) {
			jpfs_notify_say_again(notify);
			again_ms = 0;
			continue;
		}
		if (again_ms != 0 && (wait < 0 || again_ms - now < wait))
			wait = (int)(again_ms - now);
		if (poll(fds, 3, wait) < 0)
			continue; /* no signal comes here; memory comes back */
		if ((fds[1].revents & POLLIN) != 0)
			(void)!read(notify->event_fd, &drained, sizeof(drained));
		if (fds[2].revents != 0)
			jpfs_notify_hear_companion(notify);
		jpfs_notify_ask_due(notify);
		if (jp_watch_read(notify->watch, hear, notify) < 0)
			atomic_store(&notify->lost_events, true);
		if (atomic_exchange(&notify->lost_events, false)) {
			jp_dir_index_expire(notify->view->durable_index);
			jpfs_view_follow_silo(notify->view);
			watch_partitions(notify);
			look_at_all(notify);
		}
		while ((conversation = take(notify)) != NULL) {
			jpfs_work_looks(conversation->view, true);
			jpfs_told_look(conversation);
			jpfs_work_looks(conversation->view, false);
			jpfs_object_unref(&conversation->object);
		}
	}
	return NULL;
}

int jpfs_notify_start(struct jpfs_view *view, int companion_fd)
{
	cleanup_close int companion = companion_fd;
	struct jpfs_notify *notify;
	struct jp_watch *watch;
	int r;

	if (!jp_watch_is_reliable(view->silo->conversations_fd)) {
		jpfs_log(JPFS_LOG_INFO,
			 "%s is on a filesystem that others may change unheard: every access asks",
			 view->silo->path);
		return 0;
	}
	r = jp_watch_new(&watch);
	if (r < 0) {
		jpfs_log(JPFS_LOG_WARNING,
			 "changes of the store are not heard of: %s; every access asks; raise "
			 "fs.inotify.max_user_instances",
			 strerrordesc_np(-r));
		return 0;
	}
	notify = calloc(1, sizeof(*notify));
	if (notify == NULL) {
		jp_watch_free(watch);
		return -ENOMEM;
	}
	notify->view = view;
	notify->watch = watch;
	notify->queue_end = &notify->queue;
	notify->awaited_end = &notify->awaited;
	pthread_mutex_init(&notify->lock, NULL);
	pthread_mutex_init(&notify->sessions_lock, NULL);
	notify->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify->companion_fd = TAKE_FD(companion);
	view->notify = notify;
	watch_partitions(notify);
	atomic_store(&notify->is_usable, true);
	r = notify->event_fd < 0 ? -EMFILE : jp_thread_start(&notify->thread, run, notify);
	notify->is_running = r == 0;
	if (r < 0)
		jpfs_notify_free(view);
	return r;
}

void jpfs_notify_stop(struct jpfs_view *view)
{
	struct jpfs_notify *notify = view->notify;

	if (notify == NULL || !notify->is_running)
		return;
	atomic_store(&notify->is_usable, false);
	atomic_store(&notify->is_ending, true);
	jpfs_notify_wake(notify);
	pthread_join(notify->thread, NULL);
	notify->is_running = false;
}

void jpfs_notify_free(struct jpfs_view *view)
{
	struct jpfs_notify *notify = view->notify;
	struct jpfs_conversation *conversation;

	if (notify == NULL)
		return;
	jpfs_notify_stop(view);
	view->notify = NULL;
	while ((conversation = take(notify)) != NULL)
		jpfs_object_unref(&conversation->object);
	jpfs_notify_give_up_waiting(notify);
	jpfs_notify_forget_kernel(notify);
	jp_watch_free(notify->watch);
	jp_closep(&notify->event_fd);
	jp_closep(&notify->companion_fd);
	pthread_mutex_destroy(&notify->lock);
	pthread_mutex_destroy(&notify->sessions_lock);
	free(notify);
}
