/* See heap.h. */
#include "fs/heap.h"

#include <malloc.h>
#include <stdatomic.h>

/* Some hundred kilobytes. */
#define FREED_MANY 1000

/* One thread serves most of the time; each arena more keeps half a megabyte of holes. */
#define ARENAS 1

void jpfs_heap_begin(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_ARENA_MAX, ARENAS); /* or more memory is used */
#endif
}

void jpfs_heap_freed(unsigned count)
{
	static atomic_uint freed; /* malloc's memory is the process's, and so is this */

	if (atomic_fetch_add(&freed, count) + count < FREED_MANY)
		return;
	atomic_store(&freed, 0);
#ifdef __GLIBC__
	(void)malloc_trim(0); /* whether there was something to give back */
#endif
}
