/*
 * What happens in the background: commits and projections.
 *
 * A queue of conversations, ordered by when they are due, and two threads that take from it; when
 * nothing in it is due, from what nobody has asked for yet (leisure.h). One
 * conversation is worked on by one thread at a time; what is asked for meanwhile is done right
 * after. A failure is tried again, at growing intervals. With nothing to do, both threads sleep
 * until somebody calls: there is no tick.
 */
#include "core/base/condition.h"
#include "core/base/sys.h"
#include "core/base/thread.h"
#include "fs/notify.h"
#include "fs/heap.h"
#include "fs/leisure.h"
#include "fs/view.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define THREADS 2
#define RETRY_MS_MAX 30000
/* When to come back to a conversation that somebody's fsync(2) is committing, and to one that was stored and
 * not projected, because others waited to be stored: most bursts are over then. */
#define RETURN_MS 20
#define PUT_OFF_MS 200
/* Work that takes longer than this may be kept from its locks by requests, which then wait a little. */
#define PATIENCE_MS 50
#define GIVE_WAY_NS 200000
/* Who saves waits while others have been waiting for longer than this; for so long at most; and no more than
 * so many of the threads that serve requests do. */
#define BEHIND_MS 2
#define ADMIT_MS 20
#define ADMIT_AT_ONCE 4

struct jpfs_work {
	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t changed, advanced;
	/* protected by lock */
	unsigned admitting;              /* wait for `advanced` */
	struct jpfs_conversation *queue; /* by due_ms; each has a reference */
	struct jpfs_conversation *last;
	unsigned queued, working;
	struct jpfs_leisure leisure;
	bool is_ending;
	/* owned by the thread that starts and stops */
	pthread_t threads[THREADS];
	atomic_uint next_thread;
	atomic_int_least64_t
		since_ms[THREADS + 1]; /* when each began with what it is at; 0: nothing */
	unsigned thread_count;
	struct jpfs_view *view;
	atomic_flag import_is_taken; /* by the first of the threads */
};

static void insert_locked(struct jpfs_work *work, struct jpfs_conversation *conversation)
{
	struct jpfs_conversation **link = &work->queue;

	/* Most come last: what is put off by a fixed time, and everything at mounting. */
	if (work->last != NULL && work->last->due_ms <= conversation->due_ms) {
		link = &work->last->next_work;
	} else {
		while (*link != NULL && (*link)->due_ms <= conversation->due_ms)
			link = &(*link)->next_work;
	}
	conversation->next_work = *link;
	*link = conversation;
	if (conversation->next_work == NULL)
		work->last = conversation;
	conversation->is_queued = true;
	work->queued++;
}

static void remove_locked(struct jpfs_work *work, struct jpfs_conversation *conversation)
{
	struct jpfs_conversation *before = NULL;
	struct jpfs_conversation **link = &work->queue;

	while (*link != conversation) {
		before = *link;
		link = &(*link)->next_work;
	}
	*link = conversation->next_work;
	if (work->last == conversation)
		work->last = before;
	conversation->next_work = NULL;
	conversation->is_queued = false;
	work->queued--;
}

static void add_locked(struct jpfs_work *work, struct jpfs_conversation *conversation,
		       int64_t due_ms)
{
	if (conversation->is_working) {
		if (!conversation->is_due_again || due_ms < conversation->due_ms)
			conversation->due_ms = due_ms;
		conversation->is_due_again = true;
		return;
	}
	if (conversation->is_queued) {
		if (conversation->due_ms <= due_ms)
			return;
		remove_locked(work, conversation);
	} else {
		jpfs_object_ref(&conversation->object);
	}
	conversation->due_ms = due_ms;
	insert_locked(work, conversation);
	pthread_cond_signal(&work->changed);
}

void jpfs_work_add(struct jpfs_conversation *conversation, int64_t delay_ms)
{
	struct jpfs_work *work = conversation->view->work;
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (work == NULL)
		return;
	held = jp_lock(&work->lock);
	add_locked(work, conversation, jpfs_now_ms() + delay_ms);
}

void jpfs_wait_at_most(int64_t *wait_ms, int64_t ms)
{
	if (*wait_ms < 0 || *wait_ms > ms)
		*wait_ms = ms;
}

enum share { NOTHING, COMMIT_ONLY, EVERYTHING };

/* How much of a conversation's work is to be done now. Where somebody's fsync(2) commits, a second one
 * would only do the same again. And while others wait to be stored, this comes first: whoever
 * wrote them is safe by it, and the workspace's copies can be made a moment later. */
static enum share choose_share(struct jpfs_conversation *conversation, bool others_wait)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	if (conversation->syncing > 0)
		return NOTHING;
	conversation->is_put_off =
		others_wait && conversation->dirty != NULL && !conversation->is_put_off;
	return conversation->is_put_off ? COMMIT_ONLY : EVERYTHING;
}

/* Commit, then project. Returns in how many milliseconds to come back, or -1. */
static int64_t work_on(struct jpfs_conversation *conversation, enum share share, bool force,
		       int *ret_failure)
{
	int64_t commit_wait, project_wait = PUT_OFF_MS, wait;
	int r = jpfs_commit_conversation(conversation, force, &commit_wait);
	int projected = 0;

	if (share == EVERYTHING)
		projected = jpfs_project_conversation(conversation, force, &project_wait);
	jpfs_notify_look(conversation->view->notify, conversation);
	*ret_failure = r < 0 ? r : projected;
	if (*ret_failure < 0) {
		conversation->failures =
			conversation->failures < 6 ? conversation->failures + 1 : 6;
		wait = 500LL << conversation->failures;
		return wait < RETRY_MS_MAX ? wait : RETRY_MS_MAX;
	}
	atomic_store(&conversation->failures, 0);
	if (commit_wait < 0 || (project_wait >= 0 && project_wait < commit_wait))
		return project_wait;
	return commit_wait;
}

/* What a walk asks. Reading and writing say nothing of conversations that nobody has asked for yet; and one
 * listing of the root asks for a hundred of them. */
static uint64_t count_asked(const struct jpfs_view *view)
{
	static const enum jpfs_request kinds[] = {JPFS_REQUEST_lookup, JPFS_REQUEST_getattr,
						  JPFS_REQUEST_readdir, JPFS_REQUEST_readdirplus};
	uint64_t sum = atomic_load_explicit(&view->told, memory_order_relaxed);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		sum += atomic_load_explicit(&view->requests.counts[kinds[i]], memory_order_relaxed);
	return sum;
}

/* Not with the lock held: a reference may be the last. */
static void release_leisure(struct jpfs_leisure *leisure)
{
	while (leisure->next < leisure->count)
		jpfs_object_unref(&jpfs_leisure_take(leisure)->object);
	free(leisure->all);
}

void jpfs_work_add_all(struct jpfs_view *view, struct jpfs_conversation **all, size_t count)
{
	struct jpfs_work *work = view->work;
	struct jpfs_leisure before;

	pthread_mutex_lock(&work->lock);
	before = work->leisure;
	work->leisure = jpfs_leisure_begin(all, count, count_asked(view), jpfs_now_ms());
	pthread_cond_broadcast(&work->changed);
	pthread_mutex_unlock(&work->lock);
	release_leisure(&before);
}

/* What is to be worked on now; its reference comes along. NULL: nothing before `ret_until_ms`, 0: at
 * all. */
static struct jpfs_conversation *take_locked(struct jpfs_work *work, int64_t now,
					     int64_t *ret_until_ms)
{
	struct jpfs_conversation *conversation = work->queue;
	int64_t pause_ms;

	*ret_until_ms = conversation != NULL ? conversation->due_ms : 0;
	if (conversation != NULL && conversation->due_ms <= now) {
		remove_locked(work, conversation);
		return conversation;
	}
	while ((pause_ms = jpfs_leisure_pause_ms(&work->leisure, count_asked(work->view), now)) ==
	       0) {
		conversation = jpfs_leisure_take(&work->leisure);
		if (!conversation->is_queued && !conversation->is_working)
			return conversation;
		jpfs_object_unref(&conversation->object); /* not the last one: the work's is left */
	}
	if (pause_ms > 0 && (*ret_until_ms == 0 || now + pause_ms < *ret_until_ms))
		*ret_until_ms = now + pause_ms;
	return NULL;
}

static void *run(void *argument)
{
	struct jpfs_work *work = argument;
	cleanup_unlock pthread_mutex_t *held = NULL;
	atomic_int_least64_t *since_ms = &work->since_ms[atomic_fetch_add(&work->next_thread, 1)];

	if (!atomic_flag_test_and_set(&work->import_is_taken))
		jp_ignore(jpfs_import_all(work->view)); /* it has said what failed */
	held = jp_lock(&work->lock);
	while (!work->is_ending) {
		int64_t now = jpfs_now_ms(), wait = RETURN_MS, until;
		struct jpfs_conversation *conversation = take_locked(work, now, &until);
		bool others_wait;
		enum share share;
		int failure;

		if (conversation == NULL) {
			if (until == 0)
				pthread_cond_wait(&work->changed, &work->lock);
			else
				jp_condition_wait(&work->changed, &work->lock, until - now);
			continue;
		}
		if (work->admitting > 0)
			pthread_cond_broadcast(&work->advanced);
		others_wait = work->queue != NULL && work->queue->due_ms <= now;
		conversation->is_working = true;
		conversation->is_due_again = false;
		work->working++;
		pthread_mutex_unlock(&work->lock);
		atomic_store(since_ms, jpfs_now_ms());
		share = choose_share(conversation, others_wait);
		if (share != NOTHING)
			wait = work_on(conversation, share, false, &failure);
		atomic_store(since_ms, 0);
		pthread_mutex_lock(&work->lock);
		work->working--;
		conversation->is_working = false;
		/* Whichever is sooner: what was asked for meanwhile may be far away. */
		if (conversation->is_due_again)
			add_locked(work, conversation, conversation->due_ms);
		if (wait >= 0)
			add_locked(work, conversation, jpfs_now_ms() + wait);
		pthread_mutex_unlock(&work->lock);
		jpfs_object_unref(&conversation->object);
		jpfs_heap_freed(1);
		pthread_mutex_lock(&work->lock);
	}
	return NULL;
}

void jpfs_work_looks(struct jpfs_view *view, bool begins)
{
	if (view->work != NULL)
		atomic_store(&view->work->since_ms[THREADS], begins ? jpfs_now_ms() : 0);
}

void jpfs_work_give_way(struct jpfs_view *view)
{
	const struct timespec moment = {.tv_nsec = GIVE_WAY_NS};
	struct jpfs_work *work = view->work;
	int64_t now = 0;

	if (work == NULL)
		return;
	for (int i = 0; i <= THREADS; i++) {
		int64_t since = atomic_load(&work->since_ms[i]);

		if (since != 0 && now == 0)
			now = jpfs_now_ms();
		if (since != 0 && now - since > PATIENCE_MS) {
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &moment,
					      NULL); /* or a little less */
			return;
		}
	}
}

static bool is_behind_locked(const struct jpfs_work *work, int64_t now)
{
	return !work->is_ending && work->queue != NULL && now - work->queue->due_ms > BEHIND_MS;
}

void jpfs_work_admit(struct jpfs_view *view)
{
	struct jpfs_work *work = view->work;
	int64_t now = jpfs_now_ms(), until = now + ADMIT_MS;

	for (; work != NULL && now < until; now = jpfs_now_ms()) {
		bool is_crowded = jpfs_notify_is_crowded(view->notify);
		cleanup_unlock pthread_mutex_t *held = jp_lock(&work->lock);

		if (work->admitting >= ADMIT_AT_ONCE ||
		    (!is_crowded && !is_behind_locked(work, now)))
			return;
		work->admitting++;
		jp_condition_wait(&work->advanced, &work->lock, is_crowded ? 1 : until - now);
		work->admitting--;
	}
}

int jpfs_work_start(struct jpfs_view *view)
{
	struct jpfs_work *work = calloc(1, sizeof(*work));
	int r = 0;

	if (work == NULL)
		return -ENOMEM;
	pthread_mutex_init(&work->lock, NULL);
	jp_condition_init(&work->changed);
	jp_condition_init(&work->advanced);
	work->view = view;
	atomic_flag_clear(&work->import_is_taken);
	view->work = work;
	for (; work->thread_count < THREADS && r == 0; work->thread_count += r == 0 ? 1 : 0)
		r = jp_thread_start(&work->threads[work->thread_count], run, work);
	return work->thread_count > 0 ? 0 : r;
}

/* Whether something of it could not be brought to its place although nothing is to come. */
static bool is_left_over(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	return conversation->dirty != NULL;
}

static int flush_one(struct jpfs_conversation *conversation, bool is_final)
{
	int failure;
	int64_t wait;

	jpfs_conversation_lock(conversation);
	conversation->reconcile_retry_ms = 0; /* somebody waits for it */
	pthread_mutex_unlock(&conversation->lock);
	wait = work_on(conversation, EVERYTHING, is_final, &failure);
	if (!is_final && wait >= 0)
		jpfs_work_add(conversation, wait);
	if (is_final && failure == 0 && is_left_over(conversation)) {
		failure = -EIO;
		jpfs_view_fail(
			conversation->view,
			"nothing is lost: the next mount or `jpfs sync` recovers it from the "
			"silo's jpfs/staging",
			"conversation %" PRIu64 ": a write could not be stored", conversation->id);
	}
	return failure;
}

/* Say that a place cannot be synced, if `r` is an error; returns it. */
static int sync_failed(struct jpfs_view *view, const char *place, int r)
{
	if (r < 0)
		jpfs_view_fail(view, "see to its disk; what is there already is not touched",
			       "%s cannot be synced: %s", place, strerrordesc_np(-r));
	return r;
}

int jpfs_work_flush(struct jpfs_view *view, bool is_final)
{
	struct jpfs_work *work = view->work;
	struct jpfs_conversation **all, *gone = NULL;
	size_t count;
	int failure = 0, r;

	if (work == NULL)
		return 0;
	r = jpfs_view_snapshot(view, &all, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		r = flush_one(all[i], is_final);
		failure = failure == 0 ? r : failure;
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
	/* What is in .jpfs/local, and what was taken out of the view and may still have something to commit. */
	pthread_mutex_lock(&work->lock);
	for (struct jpfs_conversation *next, *one = work->queue; one != NULL; one = next) {
		next = one->next_work;
		if (one->in_view && !one->is_local)
			continue;
		remove_locked(work, one); /* its reference is ours now */
		one->next_work = gone;
		gone = one;
	}
	pthread_mutex_unlock(&work->lock);
	while (gone != NULL) {
		struct jpfs_conversation *conversation = gone;

		gone = conversation->next_work;
		conversation->next_work = NULL;
		r = flush_one(conversation, is_final);
		failure = failure == 0 ? r : failure;
		jpfs_object_unref(&conversation->object);
	}
	r = jp_base_sync(view->base);
	if (r < 0)
		jpfs_view_fail(view, "nothing is lost: make room in the store or see to its disk",
			       "%s/jpfs/workspaces, what both sides have in common, cannot be "
			       "written: %s",
			       view->silo->path, strerrordesc_np(-r));
	failure = failure == 0 ? r : failure;
	r = jp_sys->syncfs(view->silo->fd) < 0 ? -errno : 0;
	r = sync_failed(view, view->silo->path, r);
	failure = failure == 0 ? r : failure;
	r = jp_sys->syncfs(view->workspace_fd) < 0 ? -errno : 0;
	r = sync_failed(view, view->workspace->root_path, r);
	return failure == 0 ? r : failure;
}

void jpfs_work_stop(struct jpfs_view *view)
{
	struct jpfs_work *work = view->work;

	if (work == NULL)
		return;
	pthread_mutex_lock(&work->lock);
	work->is_ending = true;
	pthread_cond_broadcast(&work->changed);
	pthread_cond_broadcast(&work->advanced);
	pthread_mutex_unlock(&work->lock);
	for (unsigned i = 0; i < work->thread_count; i++)
		pthread_join(work->threads[i], NULL);
	work->thread_count = 0;
}

void jpfs_work_free(struct jpfs_view *view)
{
	struct jpfs_work *work = view->work;

	if (work == NULL)
		return;
	view->work = NULL;
	release_leisure(&work->leisure);
	while (work->queue != NULL) {
		struct jpfs_conversation *conversation = work->queue;

		remove_locked(work, conversation);
		jpfs_object_unref(&conversation->object);
	}
	pthread_cond_destroy(&work->changed);
	pthread_cond_destroy(&work->advanced);
	pthread_mutex_destroy(&work->lock);
	free(work);
}

void jpfs_work_count(struct jpfs_view *view, unsigned *ret_commits, unsigned *ret_projections)
{
	struct jpfs_work *work = view->work;
	struct jpfs_conversation **all;
	size_t count;

	*ret_commits = 0;
	*ret_projections = 0;
	if (work == NULL || jpfs_view_snapshot(view, &all, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		jpfs_conversation_lock(all[i]);
		for (struct jpfs_entry *entry = all[i]->dirty; entry != NULL;
		     entry = entry->next_dirty)
			(*ret_commits)++;
		pthread_mutex_unlock(&all[i]->lock);
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
	pthread_mutex_lock(&work->lock);
	*ret_projections =
		work->queued + work->working + (unsigned)(work->leisure.count - work->leisure.next);
	pthread_mutex_unlock(&work->lock);
}
