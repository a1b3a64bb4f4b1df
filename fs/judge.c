/* See judge.h. */
#include "fs/judge.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/validity.h"
#include "core/version.h"
#include "fs/view.h"

#include <fcntl.h>

/* A version that was written to more lately than this may be written to again without showing it: times
 * are no finer than the kernel's clock ticks. */
#define SETTLED_MS 100

struct jpfs_version jpfs_find_contained(struct jpfs_conversation *conversation, bool durable,
					enum jp_managed managed, int fd)
{
	const struct jpfs_version none = {0};
	cleanup_close int old = -EBADF;
	struct stat st;

	jpfs_conversation_lock(conversation);
	old = jpfs_open_side_locked(conversation, durable, jp_managed_name(managed));
	pthread_mutex_unlock(&conversation->lock);
	if (old < 0 || fstat(old, &st) < 0 || jp_age_ms(&st.st_mtim) <= SETTLED_MS ||
	    jp_version_is_contained(managed, old, fd) != 1)
		return none;
	return jpfs_version_of(&st);
}

int jpfs_is_contained(enum jp_managed managed, int old_fd, int new_fd,
		      const struct jpfs_version *known)
{
	struct stat st;

	if (known != NULL && fstat(old_fd, &st) == 0 && jpfs_version_matches(known, &st))
		return 1;
	return jp_version_is_contained(managed, old_fd, new_fd);
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

struct jpfs_judgement jpfs_judgement_recall_locked(const struct jpfs_entry *entry,
						   enum jp_managed managed)
{
	const struct jpfs_judgement *kept = entry->conversation->judgement;

	if (kept == NULL || !entry->is_synced || kept->serial != entry->object.serial ||
	    kept->managed != managed)
		return (struct jpfs_judgement){0};
	return *kept;
}
