/*
 * What the parts of notify.h share: the thread and what it hears (notify.c), telling the kernel
 * (notify_kernel.c), waiting for the end of writers (notify_writers.c).
 */
#pragma once

#include "core/watch.h"
#include "fs/companion.h"
#include "fs/notify.h"

#include <pthread.h>
#include <stdatomic.h>

struct jpfs_again;
struct jpfs_awaited;
struct jpfs_connection;

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
	struct jpfs_again *again;
	struct jpfs_awaited *awaited,
		**awaited_end; /* the oldest first: they are asked for in this order */
	pthread_mutex_t sessions_lock;
	struct jpfs_connection *connections; /* protected by sessions_lock; the newest first */
};

/* Have the thread look around. Any lock may be held. */
void jpfs_notify_wake(struct jpfs_notify *notify);

/* ---- notify_kernel.c ---- */

/* The mount that paths lead to; false: there is none. */
bool jpfs_notify_device(struct jpfs_notify *notify, dev_t *ret);
/* Whether something is to be told again in a moment. */
bool jpfs_notify_has_again(struct jpfs_notify *notify);
/* Say again what may have been too early. */
void jpfs_notify_say_again(struct jpfs_notify *notify);
/* Let go of the connections and of what was to be told them. The thread has ended. */
void jpfs_notify_forget_kernel(struct jpfs_notify *notify);

/* ---- notify_writers.c ---- */

/* Ask for all that are due. */
void jpfs_notify_ask_due(struct jpfs_notify *notify);
/* In how many milliseconds one is due; -1: none. */
int jpfs_notify_next_due_ms(struct jpfs_notify *notify);
/* The companion has something to say, or has ended. */
void jpfs_notify_hear_companion(struct jpfs_notify *notify);
/* Nobody will tell when writers end: none is waited for any longer. */
void jpfs_notify_give_up_waiting(struct jpfs_notify *notify);
