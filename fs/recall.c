/*
 * Remembering what was told, by managed file and version. Only what was written through this mount has
 * anything to remember, so that a conversation that is only read costs nothing.
 */
#include "fs/recall.h"

#include "fs/view.h"

#include <stdlib.h>

struct jpfs_recalled {
	struct jpfs_version version; /* in `home`; no number: nothing */
	enum jpfs_home home;
	ino_t shown_ino;
	struct timespec ctime, mtime;
	bool is_restored;
};

static bool is_of_a_version(const struct jpfs_entry *entry)
{
	return entry->managed != JP_UNMANAGED &&
	       (entry->home == JPFS_DURABLE || entry->home == JPFS_WORKSPACE);
}

void jpfs_recall_note_locked(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	const struct jpfs_told_times *told = entry->told_times;

	if (!entry->is_linked || !is_of_a_version(entry))
		return;
	if (told == NULL || told->generation != entry->generation || told->ctime.tv_sec == 0) {
		if (conversation->recalled != NULL)
			conversation->recalled[entry->managed] = (struct jpfs_recalled){0};
		return;
	}
	if (conversation->recalled == NULL)
		conversation->recalled = calloc(JP_MANAGED_COUNT, sizeof(*conversation->recalled));
	if (conversation->recalled == NULL)
		return; /* without memory git may look at a file once more than it needs to */
	conversation->recalled[entry->managed] = (struct jpfs_recalled){
		.version = entry->version,
		.home = entry->home,
		.shown_ino = entry->shown_ino,
		.ctime = told->ctime,
		.mtime = told->mtime,
		.is_restored = entry->is_restored,
	};
}

/* What was noted of the version that the entry stands for; or NULL. */
static const struct jpfs_recalled *find(const struct jpfs_entry *entry)
{
	const struct jpfs_recalled *recalled = entry->conversation->recalled;

	if (recalled == NULL || !is_of_a_version(entry))
		return NULL;
	recalled += entry->managed;
	return recalled->home == entry->home && recalled->version.ino == entry->version.ino &&
			       recalled->version.mtime_ns == entry->version.mtime_ns &&
			       recalled->version.size == entry->version.size
		       ? recalled
		       : NULL;
}

/* False: without memory git may look at a file once more than it needs to. */
static bool tell_times(struct jpfs_entry *entry, const struct jpfs_recalled *recalled)
{
	struct jpfs_told_times *told = jpfs_entry_tell_times_anew_locked(entry);

	if (told == NULL)
		return false;
	*told = (struct jpfs_told_times){entry->generation, recalled->ctime, recalled->mtime};
	entry->is_restored = recalled->is_restored;
	return true;
}

void jpfs_recall_locked(struct jpfs_entry *entry)
{
	const struct jpfs_recalled *recalled = find(entry);

	if (recalled != NULL && tell_times(entry, recalled))
		entry->shown_ino = recalled->shown_ino;
}

void jpfs_recall_times_locked(struct jpfs_entry *entry)
{
	const struct jpfs_recalled *recalled = find(entry);

	jpfs_entry_forget_times_locked(entry);
	if (recalled != NULL && recalled->is_restored)
		(void)tell_times(entry, recalled); /* it tells those of its file instead */
}

void jpfs_recall_free(struct jpfs_conversation *conversation)
{
	free(conversation->recalled);
	conversation->recalled = NULL;
}
