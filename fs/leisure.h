/*
 * What nobody has asked for yet: after mounting, each conversation is looked at once.
 *
 * Mounting itself looks at names and times only. Both sides of a conversation are brought together
 * when somebody asks for it, and those that nobody asks for follow in the background, from here. They
 * do not hurry: who walks through the view just then asks for all of them anyway, and two that do
 * the same work on the same locks make that walk take three times as long. So nothing is taken from
 * here while the kernel makes many requests, for two seconds at most; where there are few of them, it
 * does not matter.
 *
 * Not a queue: nothing is added. This decides and counts; work.c has the lock and the threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jpfs_conversation;

/* Protected by the lock of work.c, which owns what is in it. */
struct jpfs_leisure {
	struct jpfs_conversation **all; /* a reference to each from `next` on */
	size_t next, count;
	uint64_t requests; /* that there had been when it was looked at last */
	int64_t looked_ms, began_ms;
	bool is_busy;
};

/* `requests` here and below: how much the kernel has asked so far of what a walk asks: requests, and the
 * conversations that a listing describes. */
struct jpfs_leisure jpfs_leisure_begin(struct jpfs_conversation **all, size_t count,
				       uint64_t requests, int64_t now_ms);

/* How many milliseconds to leave them alone; 0: take one now; -1: there is none. */
int64_t jpfs_leisure_pause_ms(struct jpfs_leisure *leisure, uint64_t requests, int64_t now_ms);

/* The next one; there is one. */
struct jpfs_conversation *jpfs_leisure_take(struct jpfs_leisure *leisure);
