/*
 * Starting a thread that no signal comes to: signals are the business of whoever waits for them.
 */
#pragma once

#include "core/base/cleanup.h"

#include <pthread.h>
#include <signal.h>

/* pthread_create(3) with all signals blocked. 0; -errno. */
must_check static inline int jp_thread_start(pthread_t *ret, void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = -pthread_create(ret, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}
