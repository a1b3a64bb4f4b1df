/*
 * Ownership by scope.
 *
 * A variable declared with one of these attributes owns what it holds and lets go of it when the
 * scope ends, on every way out. TAKE_PTR and TAKE_FD hand the value over: the variable owns
 * nothing afterwards. This is why no function here needs a chain of gotos.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(template, first) __attribute__((format(printf, template, first)))

#define TAKE_PTR(pointer)                                                                          \
	__extension__({                                                                            \
		__typeof__(pointer) taken__ = (pointer);                                           \
		(pointer) = NULL;                                                                  \
		taken__;                                                                           \
	})
#define TAKE_FD(fd)                                                                                \
	__extension__({                                                                            \
		int taken__ = (fd);                                                                \
		(fd) = -EBADF;                                                                     \
		taken__;                                                                           \
	})

/* For a result that is looked at nowhere; the reason stands beside the call. */
static inline void jp_ignore(int result)
{
	(void)result;
}

/* Close *fd if it is open, and leave errno alone, so that `return -errno` after it stays true. */
static inline void jp_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -EBADF;
	errno = saved;
}

static inline void jp_freep(void *pointer)
{
	void **owned = pointer;

	free(*owned);
	*owned = NULL;
}

static inline void jp_closedirp(DIR **dir)
{
	int saved = errno;

	if (*dir != NULL)
		(void)closedir(*dir);
	*dir = NULL;
	errno = saved;
}

static inline void jp_unlockp(pthread_mutex_t **mutex)
{
	if (*mutex != NULL)
		pthread_mutex_unlock(*mutex);
	*mutex = NULL;
}

/* Lock a mutex and own the lock until the end of the scope. */
static inline pthread_mutex_t *jp_lock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return mutex;
}

#define cleanup_free __attribute__((cleanup(jp_freep)))
#define cleanup_close __attribute__((cleanup(jp_closep)))
#define cleanup_closedir __attribute__((cleanup(jp_closedirp)))
#define cleanup_unlock __attribute__((cleanup(jp_unlockp)))
