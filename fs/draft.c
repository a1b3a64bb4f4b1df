/*
 * Ending a draft on purpose.
 *
 * A draft is a version that only its own worktree shows; it lies in the workspace, and the durable
 * version stands beside it. It ends by itself when what is written goes on from the durable
 * version, or equals it again. Here a person decides: the draft becomes durable, or it goes. What
 * either of them takes away is kept in history.
 */
#include "core/validity.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

static bool is_valid(struct jpfs_conversation *conversation, enum jp_managed which)
{
	cleanup_close int fd = jpfs_open_side_locked(conversation, false, jp_managed_name(which));

	return fd >= 0 && jp_validity_of_file(which, fd) == 1;
}

/* What is written and not yet stored decides about the draft first. */
static int settle(struct jpfs_conversation *conversation)
{
	int64_t wait;

	return jpfs_commit_conversation(conversation, true, &wait);
}

int jpfs_draft_commit(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	unsigned drafts;
	int r = settle(conversation);

	if (r < 0)
		return r;
	held = jpfs_conversation_enter(conversation);
	drafts = conversation->drafts;
	if (drafts == 0)
		return -ENOENT;
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if ((drafts & (1U << i)) != 0 && !is_valid(conversation, (enum jp_managed)i))
			return -EBADMSG;
	}
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		if ((drafts & (1U << i)) == 0)
			continue;
		r = jpfs_take_file_locked(conversation, jp_managed_name((enum jp_managed)i));
		if (r == 0)
			conversation->drafts &= ~(1U << i);
	}
	if (r == 0)
		r = jpfs_sync_durable_locked(conversation);
	jpfs_work_add(conversation, 0);
	return r;
}

int jpfs_draft_discard(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	unsigned drafts;
	int r = settle(conversation);

	if (r < 0)
		return r;
	held = jpfs_conversation_enter(conversation);
	drafts = conversation->drafts;
	if (drafts == 0)
		return -ENOENT;
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		if ((drafts & (1U << i)) == 0)
			continue;
		r = jpfs_keep_loser_locked(conversation, (enum jp_managed)i);
		if (r == 0)
			conversation->drafts &= ~(1U << i);
	}
	jpfs_work_add(conversation, 0);
	return r;
}
