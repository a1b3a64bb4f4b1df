/* See judge.h. */
#include "fs/judge.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/validity.h"
#include "core/version.h"
#include "fs/view.h"

#include <fcntl.h>
#include <time.h>

/* A version that was written to more lately than this may be written to again without showing it: times
 * are no finer than the kernel's clock ticks. */
#define SETTLED_NS 100000000

static bool is_settled(const struct stat *st)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - jp_mtime_ns(st) > SETTLED_NS;
}

struct jpfs_version jpfs_find_contained(struct jpfs_conversation *conversation, bool durable,
					enum jp_managed managed, int fd)
{
	const struct jpfs_version none = {0};
	cleanup_close int old = -EBADF;
	struct stat st;

	pthread_mutex_lock(&conversation->lock);
	old = jpfs_open_side_locked(conversation, durable, jp_managed_name(managed));
	pthread_mutex_unlock(&conversation->lock);
	if (old < 0 || fstat(old, &st) < 0 || !is_settled(&st) ||
	    jp_version_is_contained(managed, old, fd) != 1)
		return none;
	return jpfs_version_of(&st);
}

int jpfs_judge(struct jpfs_entry *entry, enum jp_managed managed, int fd,
	       struct jpfs_judgement *ret)
{
	int r;

	jp_begin_writing(fd);
	r = jp_validity_of_file(managed, fd);
	*ret = (struct jpfs_judgement){
		.serial = entry->object.serial,
		.managed = managed,
		.is_valid = r == 1,
	};
	if (r == 1)
		ret->contained = jpfs_find_contained(entry->conversation, true, managed, fd);
	return r < 0 ? r : 0;
}

void jpfs_judgement_keep_locked(struct jpfs_entry *entry, const struct jpfs_judgement *judgement)
{
	struct jpfs_conversation *conversation = entry->conversation;

	/* One for each conversation: the last one that was synced is the next to be renamed. */
	if (conversation->judgement == NULL)
		conversation->judgement = malloc(sizeof(*conversation->judgement));
	if (conversation->judgement != NULL)
		*conversation->judgement = *judgement;
}

void jpfs_judgement_forget_locked(struct jpfs_entry *entry)
{
	struct jpfs_judgement *kept = entry->conversation->judgement;

	if (kept != NULL && kept->serial == entry->object.serial)
		kept->serial = 0;
}

bool jpfs_judgement_recall_locked(const struct jpfs_entry *entry, enum jp_managed managed,
				  struct jpfs_judgement *ret)
{
	const struct jpfs_judgement *kept = entry->conversation->judgement;

	if (kept == NULL || !entry->is_synced || kept->serial != entry->object.serial ||
	    kept->managed != managed)
		return false;
	*ret = *kept;
	return true;
}
