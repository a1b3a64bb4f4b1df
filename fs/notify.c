/* See notify.h. The thread sleeps in poll() for as long as nothing happens. */
#include "fs/notify.h"

#include "core/base/io.h"
#include "core/conversation_id.h"
#include "core/watch.h"
#include "fs/companion.h"
#include "fs/log.h"
#include "fs/node.h"
#include "fs/told.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

/* Keys of watches that are no conversation's. */
#define KEY_LIVE UINT64_MAX
#define KEY_ARCHIVE (UINT64_MAX - 1)
/* An answer may still be on its way to the kernel when what it says is taken back: once more. */
#define AGAIN_MS 20
#define AGAIN_TIMES 3
/* A file's writer is given this long to end before it is asked for. Most have by then. */
#define ASK_MS 2
/* When there were no watches left, they are asked for again after this. */
#define FULL_MS 60000

/* A connection to the kernel. */
struct connection {
	struct connection *next;
	const struct jpfs_kernel *kernel;
	void *session;
	struct jpfs_nodes *nodes;
	dev_t device;
};

/* Something to be told once more. */
struct again {
	struct again *next;
	uint64_t nodeid;
	bool listing;
	unsigned times;
};

/* A file whose writers are waited for. */
struct awaited {
	struct awaited *next;
	struct jpfs_entry *entry; /* a reference */
	bool is_asked;
	int64_t due_ms; /* when to ask */
};

struct jpfs_notify {
	struct jpfs_view *view; /* immutable */
	struct jp_watch *watch; /* immutable */
	int event_fd;           /* immutable; wakes the thread */
	int companion_fd;       /* immutable; -EBADF: there is no companion */
	pthread_t thread;
	bool is_running; /* owned by who starts and stops */
	atomic_bool is_ending, is_usable, hears_live, lost_events;
	atomic_bool is_alone;         /* the companion has ended */
	atomic_int_least64_t full_ms; /* when a watch was refused; 0: never */
	pthread_mutex_t lock;
	/* protected by lock */
	struct jpfs_conversation *queue, **queue_end; /* references */
	struct again *again;
	struct awaited *awaited;
	pthread_mutex_t sessions_lock;
	struct connection *connections; /* protected by sessions_lock; the newest first */
};

static void wake(struct jpfs_notify *notify)
{
	uint64_t one = 1;

	/* Full only when nobody has looked for 2^64 events. */
	(void)!write(notify->event_fd, &one, sizeof(one));
}

/* ---- telling ---- */

static void tell_again(struct jpfs_notify *notify, uint64_t nodeid, bool listing, unsigned times)
{
	struct again *again = times > 0 ? malloc(sizeof(*again)) : NULL;

	if (again == NULL)
		return;
	*again = (struct again){.nodeid = nodeid, .listing = listing, .times = times};
	pthread_mutex_lock(&notify->lock);
	again->next = notify->again;
	notify->again = again;
	pthread_mutex_unlock(&notify->lock);
	wake(notify);
}

static void tell_inode(struct jpfs_notify *notify, uint64_t nodeid, bool listing, unsigned times)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);
	bool is_on_its_way = listing;

	for (struct connection *one = notify->connections; one != NULL; one = one->next) {
		/* From -1: the attributes alone. From 0: the pages too, and a directory's hold its
		 * listing; nobody holds those locked while waiting for us. */
		int r = one->kernel->inval_inode(one->session, nodeid, listing ? 0 : -1);

		if (r == -ENOENT && jpfs_nodes_has(one->nodes, nodeid))
			is_on_its_way = true;
	}
	jp_unlockp(&held);
	if (is_on_its_way)
		tell_again(notify, nodeid, listing, times);
}

void jpfs_notify_inode(struct jpfs_notify *notify, uint64_t nodeid, bool listing)
{
	tell_inode(notify, nodeid, listing, AGAIN_TIMES);
}

void jpfs_notify_partitions(struct jpfs_notify *notify, struct jpfs_view *view)
{
	if (notify == NULL)
		return;
	tell_inode(notify, view->root.serial, true, AGAIN_TIMES);
	tell_inode(notify, view->archive.serial, true, AGAIN_TIMES);
}

/* The mount that paths lead to; false: there is none. */
static bool current_device(struct jpfs_notify *notify, dev_t *ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);

	if (notify->connections == NULL)
		return false;
	*ret = notify->connections->device;
	return true;
}

/* Have the companion prod a name, or (`st` not NULL) repeat a change. 0 or -errno. */
static int tell_companion(struct jpfs_notify *notify, const char *path, enum jpfs_change change,
			  const struct stat *st)
{
	dev_t device;
	int r = -EAGAIN;

	/* Without the lock: what the companion does, others of our threads answer. */
	if (notify->companion_fd < 0 || !current_device(notify, &device))
		return -EPIPE;
	for (int tries = 0; r == -EAGAIN && tries < 1000; tries++) {
		if (tries > 0)
			(void)poll(NULL, 0, 1);
		r = st != NULL
			    ? jpfs_companion_repeat(notify->companion_fd, device, path, change, st)
			    : jpfs_companion_prod(notify->companion_fd, device, path);
	}
	return r;
}

/* Whether the kernel has this directory on the mount that paths lead to: nobody can watch another. */
static bool kernel_has(struct jpfs_notify *notify, uint64_t nodeid)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);

	return notify->connections != NULL && jpfs_nodes_has(notify->connections->nodes, nodeid);
}

bool jpfs_notify_repeat(struct jpfs_notify *notify, uint64_t directory, const char *path,
			enum jpfs_change change, const struct stat *st)
{
	return kernel_has(notify, directory) && tell_companion(notify, path, change, st) == 0;
}

void jpfs_notify_name(struct jpfs_notify *notify, uint64_t directory, const char *path)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	const char *name = strrchr(path, '/') + 1;
	int r = tell_companion(notify, path, JPFS_CHANGED, NULL);

	held = jp_lock(&notify->sessions_lock);
	for (struct connection *one = notify->connections; one != NULL; one = one->next) {
		/* An older mount has no path that leads to it any more. */
		if (r < 0 || one != notify->connections)
			one->kernel->inval_entry(one->session, directory, name);
	}
}

/* ---- writers ---- */

int jpfs_notify_await_locked(struct jpfs_notify *notify, struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct awaited *awaited;

	if (entry->is_awaited)
		return 0; /* what is asked, or will be, is found to be too old */
	if (!jpfs_notify_can_await(notify))
		return -EPIPE;
	awaited = malloc(sizeof(*awaited));
	if (awaited == NULL)
		return -ENOMEM;
	jpfs_object_ref(&entry->object);
	entry->is_awaited = true;
	held = jp_lock(&notify->lock);
	*awaited = (struct awaited){
		.next = notify->awaited, .entry = entry, .due_ms = jpfs_now_ms() + ASK_MS};
	notify->awaited = awaited;
	jp_unlockp(&held);
	wake(notify);
	return 0;
}

/* Ask for the end of a file's writers. 0 or -errno. */
static int ask(struct jpfs_notify *notify, struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&entry->conversation->lock);
	cleanup_free char *path = jpfs_mount_path_locked(entry->conversation, entry->path);
	dev_t device;

	if (path == NULL)
		return -ENOMEM;
	if (!entry->is_linked || !current_device(notify, &device))
		return -ENOENT; /* no path leads to it */
	return jpfs_companion_await(notify->companion_fd, device, path, entry->shown_ino,
				    entry->object.serial, entry->generation);
}

/* It is waited for no longer. */
static void end_waiting(struct jpfs_entry *entry)
{
	cleanup_object struct jpfs_object *object = &entry->object; /* the list's reference */
	cleanup_unlock pthread_mutex_t *held = jp_lock(&entry->conversation->lock);

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

	for (struct awaited *one = notify->awaited; one != NULL; one = one->next) {
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

	for (struct awaited **link = &notify->awaited; *link != NULL; link = &(*link)->next) {
		struct awaited *found = *link;

		if (found->entry != entry)
			continue;
		if (later) {
			found->is_asked = false;
			found->due_ms = jpfs_now_ms() + ASK_MS;
		} else {
			*link = found->next;
			free(found);
		}
		return;
	}
}

/* Ask for all that are due. */
static void ask_due(struct jpfs_notify *notify)
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

/* In how many milliseconds one is due; -1: none. */
static int next_due_ms(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);
	int64_t now = jpfs_now_ms(), wait = -1;

	for (const struct awaited *one = notify->awaited; one != NULL; one = one->next) {
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

	for (const struct awaited *one = notify->awaited; one != NULL; one = one->next) {
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
	pthread_mutex_lock(&entry->conversation->lock);
	is_newer = entry->generation != answer->generation;
	pthread_mutex_unlock(&entry->conversation->lock);
	/* Changed since it was asked for: somebody may have it open again. */
	put_off(notify, entry, is_newer);
	if (!is_newer)
		end_waiting(entry);
}

/* The companion is gone: nobody will tell when they end. */
static void give_up_waiting(struct jpfs_notify *notify)
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

static void hear_companion(struct jpfs_notify *notify)
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
		give_up_waiting(notify);
	}
}

/* ---- connections ---- */

int jpfs_notify_attach(struct jpfs_notify *notify, const struct jpfs_kernel *kernel, void *session,
		       struct jpfs_nodes *nodes, dev_t device)
{
	struct connection *connection = malloc(sizeof(*connection));
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (connection == NULL)
		return -ENOMEM;
	held = jp_lock(&notify->sessions_lock);
	*connection = (struct connection){notify->connections, kernel, session, nodes, device};
	notify->connections = connection;
	return 0;
}

void jpfs_notify_detach(struct jpfs_notify *notify, const void *session)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->sessions_lock);

	for (struct connection **link = &notify->connections; *link != NULL;
	     link = &(*link)->next) {
		if ((*link)->session == session) {
			struct connection *gone = *link;

			*link = gone->next;
			free(gone);
			return;
		}
	}
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
	wake(notify);
}

static void look_at_all(struct jpfs_notify *notify)
{
	struct jpfs_conversation **all;
	size_t count;

	if (jpfs_view_snapshot(notify->view, &all, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		jpfs_notify_look(notify, all[i]);
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
}

/* A file of others that is shown here was changed in the store: the workspace follows. */
static void look_at_other(struct jpfs_conversation *conversation, const char *name)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
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
		pthread_mutex_lock(&conversation->lock);
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

/* Say again what may have been too early. Whether there was something. */
static bool say_again(struct jpfs_notify *notify)
{
	struct again *list;

	pthread_mutex_lock(&notify->lock);
	list = notify->again;
	notify->again = NULL;
	pthread_mutex_unlock(&notify->lock);
	if (list == NULL)
		return false;
	while (list != NULL) {
		struct again *again = list;

		list = again->next;
		tell_inode(notify, again->nodeid, again->listing, again->times - 1);
		free(again);
	}
	return true;
}

static bool has_again(struct jpfs_notify *notify)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&notify->lock);

	return notify->again != NULL;
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
		int wait = next_due_ms(notify);
		uint64_t drained;

		if (!has_again(notify))
			again_ms = 0;
		else if (again_ms == 0)
			again_ms = now + AGAIN_MS;
		if (again_ms != 0 && now >= again_ms) {
			(void)say_again(notify);
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
			hear_companion(notify);
		ask_due(notify);
		if (jp_watch_read(notify->watch, hear, notify) < 0)
			atomic_store(&notify->lost_events, true);
		if (atomic_exchange(&notify->lost_events, false)) {
			jp_dir_index_expire(notify->view->durable_index);
			jpfs_view_follow_silo(notify->view);
			watch_partitions(notify);
			look_at_all(notify);
		}
		while ((conversation = take(notify)) != NULL) {
			jpfs_told_look(conversation);
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
	sigset_t all, before;
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
	pthread_mutex_init(&notify->lock, NULL);
	pthread_mutex_init(&notify->sessions_lock, NULL);
	notify->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify->companion_fd = TAKE_FD(companion);
	view->notify = notify;
	watch_partitions(notify);
	atomic_store(&notify->is_usable, true);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = notify->event_fd < 0 ? -EMFILE : -pthread_create(&notify->thread, NULL, run, notify);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
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
	wake(notify);
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
	give_up_waiting(notify);
	while (notify->again != NULL) {
		struct again *gone = notify->again;

		notify->again = gone->next;
		free(gone);
	}
	while (notify->connections != NULL) {
		struct connection *gone = notify->connections;

		notify->connections = gone->next;
		free(gone);
	}
	jp_watch_free(notify->watch);
	jp_closep(&notify->event_fd);
	jp_closep(&notify->companion_fd);
	pthread_mutex_destroy(&notify->lock);
	pthread_mutex_destroy(&notify->sessions_lock);
	free(notify);
}
