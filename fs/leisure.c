/* See leisure.h. */
#include "fs/leisure.h"

#include "fs/view.h"

/* How often it is asked how busy the mount is, and what busy is: a person's shell prompt is not, nor a
 * program that looks at the status now and then. */
#define LOOK_MS 20
#define REQUESTS_MANY 20
/* They are left alone for so long at most. */
#define PATIENCE_MS 5000

/* Those of a walk. Reading, writing and their like say nothing of conversations not asked for yet. */
static uint64_t count_requests(const struct jpfs_view *view)
{
	static const enum jpfs_request kinds[] = {JPFS_REQUEST_lookup, JPFS_REQUEST_getattr,
						  JPFS_REQUEST_readdir, JPFS_REQUEST_readdirplus};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		sum += atomic_load_explicit(&view->requests.counts[kinds[i]], memory_order_relaxed);
	return sum;
}

void jpfs_leisure_begin(struct jpfs_leisure *leisure, struct jpfs_view *view,
			struct jpfs_conversation **all, size_t count)
{
	*leisure = (struct jpfs_leisure){
		.all = all,
		.count = count,
		.requests = count_requests(view),
		.looked_ms = jpfs_now_ms(),
		.began_ms = jpfs_now_ms(),
		.is_busy = true,
	};
}

void jpfs_leisure_end(struct jpfs_leisure *leisure)
{
	while (leisure->next < leisure->count)
		jpfs_object_unref(&jpfs_leisure_take(leisure)->object);
	free(leisure->all);
	leisure->all = NULL;
}

int64_t jpfs_leisure_pause_ms(struct jpfs_leisure *leisure, const struct jpfs_view *view)
{
	int64_t now = jpfs_now_ms();

	if (leisure->next == leisure->count)
		return -1;
	if (now - leisure->began_ms >= PATIENCE_MS)
		return 0;
	if (now - leisure->looked_ms >= LOOK_MS) {
		uint64_t requests = count_requests(view);

		leisure->is_busy = requests - leisure->requests > REQUESTS_MANY;
		leisure->requests = requests;
		leisure->looked_ms = now;
	}
	return leisure->is_busy ? leisure->looked_ms + LOOK_MS - now : 0;
}

struct jpfs_conversation *jpfs_leisure_take(struct jpfs_leisure *leisure)
{
	return leisure->all[leisure->next++];
}
