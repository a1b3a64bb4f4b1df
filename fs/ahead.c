/* See ahead.h. */
#include "fs/ahead.h"

#include "core/base/condition.h"
#include "core/base/thread.h"
#include "core/conversation_id.h"
#include "fs/heap.h"
#include "fs/told.h"

#include <pthread.h>
#include <stdlib.h>

/* A view with fewer conversations is walked through before anything could be done ahead. */
#define FEW 32
/* Somebody who has listed so many one after the other goes on like that. */
#define RUN_MIN 3
/* So many listings are kept, at most. */
#define KEPT 64
/* After so long without either, whoever it was has stopped. */
#define REST_MS 1000

struct jpfs_ahead {
	struct jpfs_view *view;
	pthread_t thread;
	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t changed;
	atomic_bool is_asked; /* for files, since the walk began */
	/* protected by lock */
	uint64_t *ids; /* what the partition has that was listed last, ascending */
	size_t count;
	size_t entered;   /* the one that was listed last itself */
	size_t made;      /* what comes before this was made, or passed */
	unsigned run;     /* so many were listed in their order */
	int64_t asked_ms; /* when there was anything of it last */
	bool is_waiting, is_ending;
	/* the thread's; NULL while it rests */
	struct jpfs_foreseen *kept;
};

/* The first one from an ID on. */
static size_t find_locked(const struct jpfs_ahead *ahead, uint64_t id)
{
	size_t low = 0, high = ahead->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ahead->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_locked(const struct jpfs_ahead *ahead, size_t index, uint64_t id)
{
	return index < ahead->count && ahead->ids[index] == id;
}

/* There is something to do, for a thread that has nothing. */
static void wake_locked(struct jpfs_ahead *ahead)
{
	if (ahead->is_waiting)
		pthread_cond_signal(&ahead->changed);
	ahead->is_waiting = false;
}

void jpfs_ahead_listed(struct jpfs_view *view, const struct jpfs_listing *listing)
{
	struct jpfs_ahead *ahead = view->ahead;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_free uint64_t *ids = NULL;
	uint64_t *before;
	size_t count = 0;

	if (ahead == NULL || listing->count < FEW)
		return;
	ids = calloc(listing->count, sizeof(*ids));
	for (size_t i = 0; i < listing->count && ids != NULL; i++) {
		uint64_t id;

		if (jp_conversation_id_parse(listing->items[i].name, &id) == 0 &&
		    (count == 0 || ids[count - 1] < id))
			ids[count++] = id;
	}
	if (count < FEW)
		return;
	held = jp_lock(&ahead->lock);
	before = ahead->ids;
	ahead->ids = TAKE_PTR(ids);
	ids = before; /* goes */
	ahead->count = count;
	ahead->entered = ahead->made = 0;
	ahead->run = 0;
	atomic_store(&ahead->is_asked, false);
	ahead->asked_ms = jpfs_now_ms();
	wake_locked(ahead);
}

void jpfs_ahead_asked(struct jpfs_view *view)
{
	/* Read first: it is asked for each file of somebody who asks for any. */
	if (view->ahead != NULL && !atomic_load(&view->ahead->is_asked))
		atomic_store(&view->ahead->is_asked, true);
}

bool jpfs_ahead_entered(struct jpfs_view *view, const struct jpfs_conversation *conversation)
{
	struct jpfs_ahead *ahead = view->ahead;
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (ahead == NULL)
		return false;
	held = jp_lock(&ahead->lock);
	if (has_locked(ahead, ahead->entered + 1, conversation->id)) {
		ahead->entered++;
		ahead->run++;
	} else {
		size_t found = find_locked(ahead, conversation->id);

		ahead->run = 0;
		if (!has_locked(ahead, found, conversation->id))
			return false;
		ahead->entered = ahead->made = found;
	}
	ahead->asked_ms = jpfs_now_ms();
	if (ahead->run >= RUN_MIN && ahead->made < ahead->entered + KEPT / 2)
		wake_locked(ahead);
	return ahead->run >= RUN_MIN && !atomic_load(&ahead->is_asked);
}

/* The next conversation that is to be listed. Whoever walks is at the next one just now. */
static bool choose_to_list_locked(struct jpfs_ahead *ahead, size_t *ret_index, uint64_t *ret_id)
{
	if (ahead->run < RUN_MIN)
		return false;
	if (ahead->made < ahead->entered + 2)
		ahead->made = ahead->entered + 2;
	if (ahead->made >= ahead->count || ahead->made >= ahead->entered + KEPT)
		return false;
	*ret_index = ahead->made++;
	*ret_id = ahead->ids[*ret_index];
	return true;
}

/* Whoever is listing it has its listing, or it is void, or nobody came for it. */
static void let_go(struct jpfs_foreseen *foreseen)
{
	struct jpfs_conversation *conversation = foreseen->conversation;
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (conversation == NULL)
		return;
	held = jpfs_conversation_lock(conversation); /* it knows of it no longer */
	jpfs_listing_release(&foreseen->listing);
	jp_unlockp(&held);
	jpfs_object_unref(&conversation->object);
	foreseen->conversation = NULL;
}

static void make_listing(struct jpfs_view *view, uint64_t id, bool with_objects,
			 struct jpfs_foreseen *ret)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);
	cleanup_unlock pthread_mutex_t *held = NULL;
	bool is_good = false;

	if (conversation == NULL)
		return;
	held = jpfs_conversation_lock(conversation);
	jpfs_glance_begin_locked(conversation, &ret->glance);
	jpfs_listen_locked(conversation);
	jpfs_conversation_reconcile_locked(conversation);
	ret->listing = (struct jpfs_listing){.with_objects = with_objects};
	if (jpfs_may_keep_locked(conversation))
		is_good = jpfs_conversation_list(conversation, "", &ret->listing) == 0 &&
			  jpfs_may_keep_locked(conversation) && !ret->glance.has_changed;
	jpfs_glance_end(&ret->glance);
	if (is_good) {
		ret->conversation = conversation;
		conversation->foreseen = ret;
		return;
	}
	jpfs_listing_release(&ret->listing);
	jp_unlockp(&held);
	jpfs_object_unref(&conversation->object);
}

pthread_mutex_t *jpfs_ahead_enter(struct jpfs_conversation *conversation,
				  struct jpfs_glance *glance, struct jpfs_listing *ret_listing)
{
	struct jpfs_foreseen *foreseen;

	pthread_mutex_lock(&conversation->lock);
	foreseen = TAKE_PTR(conversation->foreseen);
	if (foreseen != NULL) {
		*glance = foreseen->glance;
		glance->conversation = conversation;
		conversation->glance = glance;
		*ret_listing = foreseen->listing;
		foreseen->listing = (struct jpfs_listing){0};
	} else {
		jpfs_glance_begin_locked(conversation, glance);
	}
	jpfs_conversation_reconcile_locked(conversation);
	return &conversation->lock;
}

/* Nobody walks any more. */
static void rest(struct jpfs_ahead *ahead)
{
	for (size_t i = 0; i < KEPT && ahead->kept != NULL; i++)
		let_go(&ahead->kept[i]);
	free(ahead->kept);
	ahead->kept = NULL;
	jpfs_heap_freed(KEPT);
}

static void wait_locked(struct jpfs_ahead *ahead)
{
	int64_t rest_ms = ahead->asked_ms + REST_MS - jpfs_now_ms();

	ahead->is_waiting = true;
	if (ahead->count == 0) {
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	} else if (rest_ms > 0) {
		jp_condition_wait(&ahead->changed, &ahead->lock, rest_ms);
	} else {
		free(ahead->ids);
		ahead->ids = NULL;
		ahead->count = 0;
		pthread_mutex_unlock(&ahead->lock);
		rest(ahead);
		pthread_mutex_lock(&ahead->lock);
	}
	ahead->is_waiting = false;
}

static void *run(void *argument)
{
	struct jpfs_ahead *ahead = argument;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&ahead->lock);

	while (!ahead->is_ending) {
		size_t index;
		uint64_t id;

		if (choose_to_list_locked(ahead, &index, &id)) {
			pthread_mutex_unlock(&ahead->lock);
			if (ahead->kept == NULL)
				ahead->kept = calloc(KEPT, sizeof(*ahead->kept));
			if (ahead->kept != NULL) {
				let_go(&ahead->kept[index % KEPT]);
				make_listing(ahead->view, id, atomic_load(&ahead->is_asked),
					     &ahead->kept[index % KEPT]);
			}
			pthread_mutex_lock(&ahead->lock);
		} else {
			wait_locked(ahead);
		}
	}
	return NULL;
}

int jpfs_ahead_start(struct jpfs_view *view)
{
	struct jpfs_ahead *ahead = calloc(1, sizeof(*ahead));
	int r;

	if (ahead == NULL)
		return -ENOMEM;
	pthread_mutex_init(&ahead->lock, NULL);
	jp_condition_init(&ahead->changed);
	ahead->view = view;
	r = jp_thread_start(&ahead->thread, run, ahead);
	if (r == 0) {
		view->ahead = ahead;
		return 0;
	}
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
	return r;
}

void jpfs_ahead_stop(struct jpfs_view *view)
{
	struct jpfs_ahead *ahead = view->ahead;

	if (ahead == NULL || ahead->is_ending)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->is_ending = true;
	pthread_cond_signal(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	rest(ahead);
}

void jpfs_ahead_free(struct jpfs_view *view)
{
	struct jpfs_ahead *ahead = TAKE_PTR(view->ahead);

	if (ahead == NULL)
		return;
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead->ids);
	free(ahead);
}
