/* Whether anybody uses a mount. See idle.h. */
#include "fs/idle.h"

#include "fs/view.h"

#include <limits.h>

void jpfs_idle_init(struct jpfs_idle *idle, unsigned timeout_s)
{
	idle->timeout_ms = (int64_t)timeout_s * 1000;
	atomic_init(&idle->last_ms, jpfs_now_ms());
}

void jpfs_idle_touch(struct jpfs_idle *idle)
{
	if (idle->timeout_ms > 0)
		atomic_store_explicit(&idle->last_ms, jpfs_now_ms(), memory_order_relaxed);
}

int jpfs_idle_remaining_ms(const struct jpfs_idle *idle, int64_t now_ms)
{
	int64_t end = atomic_load_explicit(&idle->last_ms, memory_order_relaxed) + idle->timeout_ms;

	if (idle->timeout_ms == 0)
		return -1;
	if (end <= now_ms)
		return 0;
	/* A longer sleep ends early, and is begun again. */
	return end - now_ms > INT_MAX ? INT_MAX : (int)(end - now_ms);
}
