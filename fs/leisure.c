/* See leisure.h. */
#include "fs/leisure.h"

/* How often it is asked how busy the mount is, and what busy is: a person's shell prompt is not, nor a
 * program that looks at the status now and then. */
#define LOOK_MS 20
#define REQUESTS_MANY 20
/* They are left alone for so long at most, and not at all where so few are done in no time. */
#define PATIENCE_MS 2000
#define FEW 200

struct jpfs_leisure jpfs_leisure_begin(struct jpfs_conversation **all, size_t count,
				       uint64_t requests, int64_t now_ms)
{
	return (struct jpfs_leisure){
		.all = all,
		.count = count,
		.requests = requests,
		.looked_ms = now_ms,
		.began_ms = now_ms,
		.is_busy = true,
	};
}

int64_t jpfs_leisure_pause_ms(struct jpfs_leisure *leisure, uint64_t requests, int64_t now_ms)
{
	if (leisure->next == leisure->count)
		return -1;
	if (now_ms - leisure->began_ms >= (leisure->count > FEW ? PATIENCE_MS : LOOK_MS))
		return 0;
	if (now_ms - leisure->looked_ms >= LOOK_MS) {
		leisure->is_busy = requests - leisure->requests > REQUESTS_MANY;
		leisure->requests = requests;
		leisure->looked_ms = now_ms;
	}
	return leisure->is_busy ? leisure->looked_ms + LOOK_MS - now_ms : 0;
}

struct jpfs_conversation *jpfs_leisure_take(struct jpfs_leisure *leisure)
{
	return leisure->all[leisure->next++];
}
