/* See serve.h. */
#include "fs/serve.h"

#include "core/base/condition.h"
#include "fs/fuse.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 10
/* A request that takes between one and two of these is not waited for any longer. */
#define MOMENT_MS 1
/* After so many moments without a request nobody watches. */
#define QUIET_MOMENTS 2

struct serving {
	struct fuse_session *session;
	/* Odd while whoever has the seat serves a request; each request has numbers of its own, so that a
	 * seat is only taken from the request that it was looked at with. */
	atomic_uint_least64_t turn;
	atomic_bool is_watched; /* set under the lock, or by the watcher */
	pthread_mutex_t lock;   /* a leaf */
	pthread_cond_t offered, watched;
	/* protected by lock */
	pthread_t threads[THREADS_MAX];
	unsigned count, spare;
	bool is_offered; /* the seat: whoever sees it first takes it */
	bool has_ended;
	int result;
};

static void *serve(void *argument);

/* One more thread, which takes the seat. */
static int start_locked(struct serving *serving)
{
	int r = -pthread_create(&serving->threads[serving->count], NULL, serve, serving);

	serving->count += r == 0 ? 1 : 0;
	return r;
}

/* Whether somebody else can have the seat; then it is theirs. */
static bool offer_locked(struct serving *serving)
{
	if (serving->is_offered || serving->has_ended)
		return false;
	serving->is_offered = true;
	if (serving->spare > 0) {
		pthread_cond_signal(&serving->offered);
		return true;
	}
	if (serving->count < THREADS_MAX && start_locked(serving) == 0)
		return true;
	serving->is_offered = false;
	return false;
}

/* Wait for the seat. False: there is nothing to be served any more. */
static bool sit_down(struct serving *serving)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&serving->lock);

	serving->spare++;
	while (!serving->is_offered && !serving->has_ended)
		pthread_cond_wait(&serving->offered, &serving->lock);
	serving->spare--;
	serving->is_offered = false;
	return !serving->has_ended;
}

static void end(struct serving *serving, int result)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&serving->lock);

	serving->has_ended = true;
	serving->result = result;
	pthread_cond_broadcast(&serving->offered);
	pthread_cond_signal(&serving->watched);
}

static bool waits_for_disk(const struct fuse_buf *request)
{
	struct fuse_in_header header;

	if ((request->flags & FUSE_BUF_IS_FD) != 0 || request->size < sizeof(header))
		return false;
	memcpy(&header, request->mem, sizeof(header));
	return header.opcode == FUSE_FSYNC || header.opcode == FUSE_FSYNCDIR;
}

static bool is_another_there(const struct serving *serving)
{
	struct pollfd fd = {.fd = fuse_session_fd(serving->session), .events = POLLIN};

	return poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0;
}

/* Serve one request; whether the seat is still ours. */
static bool serve_one(struct serving *serving, const struct fuse_buf *request)
{
	uint64_t turn = atomic_load(&serving->turn) + 1;
	bool is_ours = true;

	if (waits_for_disk(request) || is_another_there(serving)) {
		cleanup_unlock pthread_mutex_t *held = jp_lock(&serving->lock);

		is_ours = !offer_locked(serving);
	}
	if (is_ours) {
		atomic_store(&serving->turn, turn);
		if (!atomic_load(&serving->is_watched)) {
			cleanup_unlock pthread_mutex_t *held = jp_lock(&serving->lock);

			atomic_store(&serving->is_watched, true);
			pthread_cond_signal(&serving->watched);
		}
	}
	fuse_session_process_buf(serving->session, request);
	return is_ours && atomic_compare_exchange_strong(&serving->turn, &turn, turn + 1);
}

static void *serve(void *argument)
{
	struct serving *serving = argument;
	struct fuse_buf request = {0};

	while (sit_down(serving)) {
		bool is_ours = true;

		while (is_ours) {
			int r = fuse_session_receive_buf(serving->session, &request);

			if (r == -EINTR || r == -EAGAIN)
				continue;
			if (r <= 0) {
				end(serving, r);
				break;
			}
			is_ours = serve_one(serving, &request);
		}
	}
	free(request.mem);
	return NULL;
}

/* Nobody is served, and was not for a while: sleep until somebody is. */
static void sleep_locked(struct serving *serving)
{
	atomic_store(&serving->is_watched, false);
	/* Whoever began meanwhile may not have seen that. */
	if ((atomic_load(&serving->turn) & 1) != 0)
		atomic_store(&serving->is_watched, true);
	while (!atomic_load(&serving->is_watched) && !serving->has_ended)
		pthread_cond_wait(&serving->watched, &serving->lock);
}

/* Take the seat from a request that takes long, until all is over. */
static void watch_locked(struct serving *serving)
{
	uint64_t before = 0;
	unsigned quiet = 0;

	while (!serving->has_ended) {
		uint64_t turn = atomic_load(&serving->turn);

		quiet = turn == before && (turn & 1) == 0 ? quiet + 1 : 0;
		if ((turn & 1) != 0 && turn == before && offer_locked(serving) &&
		    !atomic_compare_exchange_strong(&serving->turn, &turn, turn + 1))
			serving->is_offered = false; /* it has just ended */
		before = turn;
		if (quiet >= QUIET_MOMENTS)
			sleep_locked(serving);
		else
			jp_condition_wait(&serving->watched, &serving->lock, MOMENT_MS);
	}
}

int jpfs_serve_requests(struct fuse_session *session)
{
	struct serving serving = {.session = session};
	int r;

	pthread_mutex_init(&serving.lock, NULL);
	pthread_cond_init(&serving.offered, NULL);
	jp_condition_init(&serving.watched);

	pthread_mutex_lock(&serving.lock);
	serving.is_offered = true;
	r = start_locked(&serving);
	if (r == 0)
		watch_locked(&serving);
	pthread_mutex_unlock(&serving.lock);
	for (unsigned i = 0; i < serving.count; i++)
		pthread_join(serving.threads[i], NULL);

	pthread_cond_destroy(&serving.offered);
	pthread_cond_destroy(&serving.watched);
	pthread_mutex_destroy(&serving.lock);
	return r < 0 ? r : serving.result;
}
