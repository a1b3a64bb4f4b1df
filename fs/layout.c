/*
 * The two layouts of a stream: with a base_config.json beside events.json, and, older, with the base
 * configuration as the first element of events.json and no such file.
 *
 * A stream comes whole from one side, so a version of the older layout brings with it that there is
 * no base_config.json. As a draft it hides the durable one: then the file is hidden *and* a draft,
 * which no other state is, and when the draft ends it is shown again. When such a version becomes
 * durable, the durable base configuration moves to history, after the events took their place: in
 * between, both are there, which jp loads like the older layout that it is just turning into the
 * newer one. The same goes for a worktree's base_config.json for which the durable stream has no
 * place.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/reconcile.h"
#include "core/stream.h"
#include "fs/view.h"

#include <fcntl.h>

#define BASE_BIT (1U << JP_BASE_CONFIG)

bool jpfs_layout_is_draft_locked(const struct jpfs_conversation *conversation)
{
	return (conversation->drafts & conversation->hidden & BASE_BIT) != 0;
}

int jpfs_layout_asks_locked(struct jpfs_conversation *conversation, int events_fd)
{
	cleanup_close int beside = -EBADF;
	struct jp_absence_facts facts = {.was_there = true, .is_known_directory = true};
	int r;

	if ((conversation->hidden & BASE_BIT) == 0 ||
	    (conversation->renamed_away & BASE_BIT) != 0) /* an editor's backup */
		return 0;
	beside = jpfs_open_side_locked(conversation, true, jp_managed_name(JP_EVENTS));
	if (beside < 0 && !jp_is_absent(beside))
		return beside;
	r = jp_stream_is_packed(events_fd, beside);
	facts.is_packed = r == 1;
	return r < 0 ? r : jp_reconcile_absence(&facts) == JP_ABSENCE_OF_VERSION;
}

int jpfs_layout_is_older_locked(struct jpfs_conversation *conversation)
{
	cleanup_close int events = -EBADF, base = -EBADF;

	base = jpfs_open_side_locked(conversation, true, jp_managed_name(JP_BASE_CONFIG));
	if (base != -ENOENT)
		return base < 0 ? base : 0;
	events = jpfs_open_side_locked(conversation, true, jp_managed_name(JP_EVENTS));
	return events < 0 ? events : jp_stream_is_packed(events, -EBADF);
}

int jpfs_layout_retire_durable_locked(struct jpfs_conversation *conversation)
{
	const char *name = jp_managed_name(JP_BASE_CONFIG);
	cleanup_close int parent = jpfs_durable_parent_locked(conversation, name, &name);
	int r = parent;

	if (parent >= 0)
		r = jp_keep_move(conversation->view->silo->history_fd, conversation->id, parent,
				 name, name);
	if (r < 0 && r != -ENOENT)
		return r;
	jpfs_unpin_locked(conversation, JP_BASE_CONFIG);
	conversation->known[JP_BASE_CONFIG] = (struct jpfs_version){0};
	conversation->same[JP_BASE_CONFIG] = (struct jpfs_version){0};
	conversation->durable_files &= ~BASE_BIT;
	jpfs_draft_ended_locked(conversation, JP_BASE_CONFIG);
	conversation->hidden &= ~BASE_BIT; /* there is none to be hidden */
	return 0;
}

int jpfs_layout_retire_workspace_locked(struct jpfs_conversation *conversation)
{
	cleanup_close int parent = -EBADF;
	char place[JPFS_PATH_BYTES];
	const char *name;
	int r;

	jpfs_workspace_path(conversation, jp_managed_name(JP_BASE_CONFIG), place);
	parent = jpfs_open_parent(conversation->view->workspace_fd, place, &name);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	r = jpfs_keep_version(conversation, JP_BASE_CONFIG, parent, name);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return jp_sys->unlinkat(parent, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int jpfs_layout_project(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	const struct jpfs_entry *entry =
		jpfs_entry_live_locked(conversation, jp_managed_name(JP_BASE_CONFIG));
	char path[JPFS_PATH_BYTES];
	struct stat st;

	if (!conversation->in_view || conversation->is_local || !conversation->was_durable ||
	    conversation->vanished_ms != 0 || conversation->view->is_read_only ||
	    (conversation->drafts & BASE_BIT) != 0 ||
	    (conversation->durable_files & BASE_BIT) != 0 ||
	    (entry != NULL && entry->home == JPFS_STAGED) ||
	    jpfs_durable_path_locked(conversation, "", path) < 0 ||
	    jpfs_durable_stat_locked(conversation, JP_BASE_CONFIG, &st) != -ENOENT ||
	    conversation->vanished_ms != 0)
		return 0;
	conversation->hidden &= ~BASE_BIT;
	return jpfs_layout_retire_workspace_locked(conversation);
}
