/*
 * What nobody has asked for yet: after mounting, each conversation is looked at once.
 *
 * Mounting itself looks at names and times only. Both sides of a conversation are brought together
 * when somebody asks for it, and those that nobody asks for follow here, in the background. They do
 * not hurry: who walks through the view just then asks for all of them anyway, and two that do the
 * same work on the same locks make that walk take three times as long. So nothing is taken from here
 * while the kernel makes many requests, for some seconds at most.
 *
 * Not a queue: nothing is added, and what has come into the queue of work.c by itself is left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jpfs_conversation;
struct jpfs_view;

/* Protected by the lock of work.c. */
struct jpfs_leisure {
	struct jpfs_conversation **all; /* owned; a reference to each from `next` on */
	size_t next, count;
	uint64_t requests; /* that there had been when it was looked at last */
	int64_t looked_ms, began_ms;
	bool is_busy;
};

/* Look at these from now on; `all` and the references are taken. */
void jpfs_leisure_begin(struct jpfs_leisure *leisure, struct jpfs_view *view,
			struct jpfs_conversation **all, size_t count);
/* Nothing is left then. Not with the lock held: a reference may be the last. */
void jpfs_leisure_end(struct jpfs_leisure *leisure);

/* How many milliseconds to leave them alone; 0: one can be taken now; -1: there are none. */
int64_t jpfs_leisure_pause_ms(struct jpfs_leisure *leisure, const struct jpfs_view *view);
/* The next one, and its reference. */
struct jpfs_conversation *jpfs_leisure_take(struct jpfs_leisure *leisure);
