/*
 * Whether anybody uses a mount: what `-o idle_timeout` asks.
 *
 * Each request of the kernel leaves its time here; the main loop sleeps until the mount would have
 * been idle for long enough, and looks then. Without a timeout nothing is noted and nothing wakes
 * up. Who stands in the mount or has a file open uses it, too; that the kernel knows, and refuses to
 * unmount.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdatomic.h>
#include <stdint.h>

struct jpfs_idle {
	int64_t timeout_ms; /* immutable; 0: never */
	atomic_int_least64_t last_ms;
};

void jpfs_idle_init(struct jpfs_idle *idle, unsigned timeout_s);

/* It is being used. Any thread. */
void jpfs_idle_touch(struct jpfs_idle *idle);

/*
 * How long it may sleep, for poll(2): milliseconds until it is idle; 0 it is; -1 without a timeout.
 *
 * Shape:   now_ms  of jpfs_now_ms()
 */
int jpfs_idle_remaining_ms(const struct jpfs_idle *idle, int64_t now_ms);
