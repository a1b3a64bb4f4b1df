/*
 * Waiting for a condition for so long at most, by a clock that nobody sets.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* One for jp_condition_wait(): pthread_cond_destroy() it. */
static inline void jp_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* pthread_cond_wait(3), for `ms` at most; which it was is for the caller to look at. */
static inline void jp_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(condition, lock, &until);
}
