/*
 * Giving memory back. What the kernel forgets is freed, but malloc keeps it for the next time, and for
 * a daemon that once was walked through by `grep -r` there may be no next time for weeks.
 */
#pragma once

/* Before there are threads: few of them allocate at once, and each arena keeps what it once had. */
void jpfs_heap_begin(void);

/* So many objects were freed, or pieces of work done. Now and then this takes a millisecond or two: call
 * it where nobody waits, and with no lock held. */
void jpfs_heap_freed(unsigned count);
