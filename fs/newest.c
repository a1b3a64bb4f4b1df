/*
 * By stat(2) alone: what is in step by size and time, or as it was noted when both were equal, the worktree
 * has. Not a byte is read, so a link may turn out not to be needed; then it goes when the two sides are
 * brought together.
 */
#include "fs/newest.h"

#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/view.h"

#include <stdlib.h>

/* A third of a millisecond if they are in step, and a millisecond if none is. */
#define NEWEST 64

/* Whether the worktree has this durable version, for all that stat(2) tells. */
static bool is_in_step(struct jpfs_conversation *conversation, const struct jp_base_file *base,
		       enum jp_managed which, const struct stat *durable)
{
	struct stat workspace;
	bool is_there;

	if (jpfs_stat_side_locked(conversation, false, which, &workspace, &is_there) < 0 ||
	    !is_there)
		return false;
	return (workspace.st_size == durable->st_size &&
		jp_mtime_ns(&workspace) == jp_mtime_ns(durable)) ||
	       (base->is_there && jp_stamp_matches(&base->durable, durable) &&
		jp_stamp_matches(&base->workspace, &workspace));
}

static void hold(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	cleanup_glance struct jpfs_glance glance = JPFS_GLANCE_INIT;
	struct jp_base base;

	if (conversation->is_reconciled)
		return;
	(void)jpfs_base_known(conversation, &base);
	jpfs_glance_begin_locked(conversation, &glance);
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		enum jp_managed which = (enum jp_managed)i;
		struct stat durable;
		bool is_there;

		if (jpfs_stat_side_locked(conversation, true, which, &durable, &is_there) == 0 &&
		    is_there && !is_in_step(conversation, &base.files[i], which, &durable))
			jpfs_hold_undecided_locked(conversation, which);
	}
}

void jpfs_hold_newest(struct jpfs_view *view)
{
	struct jpfs_conversation **all;
	size_t count;

	if (view->is_read_only || jpfs_view_snapshot(view, &all, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) { /* in the order of their IDs, which are times */
		if (count - i <= NEWEST)
			hold(all[i]);
		jpfs_object_unref(&all[i]->object);
	}
	free(all);
}
