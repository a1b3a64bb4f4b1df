/*
 * Make the n-th system call of the table in core/base/sys.h go wrong, or end the process there.
 *
 * A test repeats what it does with n = 1, 2, 3 ... until it is done before the n-th call comes, and
 * looks each time at what was left behind. Only calls of the kind that is asked for count. fsync is
 * counted and not done: nothing here looks at a disk after a power cut, and thousands of runs would
 * wait for it. Not for several threads.
 */
#pragma once

#include <stdbool.h>

enum jp_fault_flags {
	/* what happens at the n-th call */
	JP_STOP = 1 << 0,      /* the process ends there, with JP_STOPPED */
	JP_FAIL_ONCE = 1 << 1, /* that call fails */
	JP_FAIL_ON = 1 << 2,   /* that one and all later ones fail */
	JP_SHORT = 1 << 3,     /* it writes half of what it was given; counts writes only */
	/* which calls count; without one of these, all that change something */
	JP_ROOM = 1 << 4,  /* those that need room on the disk */
	JP_READS = 1 << 5, /* those that only read: opening, bytes, names */
	/* besides, with any n */
	JP_PLAIN =
		1 << 6, /* a filesystem that can neither exchange names nor refuse to replace one,
			    * nor copy by itself */
};

enum {
	JP_STOPPED = 42,
};

/* Begin: it happens at the n-th call from now on, or never when `n` is 0. `error` is an errno for
 * those that fail; after a short write, of the writes that follow when it is not 0. */
void jp_fault_begin(int n, unsigned how, int error);

/* End: true when the n-th call never came. */
bool jp_fault_end(void);

/* The name of the call at which it happened, for messages. */
const char *jp_fault_call(void);
