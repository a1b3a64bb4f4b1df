/*
 * The end of a draft.
 *
 * A draft is a version that only its own worktree shows; it lies in the workspace, and the durable
 * version stands beside it. It ends by itself when what is written goes on from the durable
 * version (commit.c sees to that), and when it equals the durable one again, whichever of the two
 * was changed. Or a person decides: the draft becomes durable, or it goes. What either of them takes
 * away is kept in history.
 *
 * A stream is taken from one side. So when one of its two files is a draft and somebody changes the
 * other one in the store, that one stays as it is here, beside the draft, for as long as there is one.
 */
#include "core/base/io.h"
#include "core/validity.h"
#include "fs/repeat.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

#define STREAM_BITS (1U << JP_BASE_CONFIG | 1U << JP_EVENTS)

bool jpfs_is_beside_draft_locked(const struct jpfs_conversation *conversation,
				 enum jp_managed which)
{
	unsigned drafts = conversation->drafts | conversation->removed_drafts;

	return (conversation->beside & (1U << which)) != 0 &&
	       (drafts & STREAM_BITS & ~(1U << which)) != 0;
}

/*
 * The bytes that a name leads to are in another place from now on, and the same ones: it goes on leading
 * to the same file. Who has it open, or a moment later opens what the kernel knows under the name, would
 * write to a version that nobody shows any more.
 */
static void follow_bytes(struct jpfs_conversation *conversation, enum jp_managed which,
			 enum jpfs_home from, enum jpfs_home to, const struct stat *st)
{
	struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, jp_managed_name(which));

	if (entry == NULL || entry->home != from)
		return;
	entry->home = to;
	entry->version = jpfs_version_of(st);
}

bool jpfs_draft_holds_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	unsigned bit = 1U << which;
	char path[JPFS_PATH_BYTES];
	struct stat st;

	if (jpfs_is_beside_draft_locked(conversation, which))
		return true;
	if ((STREAM_BITS & bit) == 0 || (conversation->drafts & STREAM_BITS & ~bit) == 0 ||
	    ((conversation->drafts | conversation->hidden) & bit) != 0)
		return false;
	/* What the workspace does not have yet cannot be shown from there. */
	jpfs_workspace_path(conversation, jp_managed_name(which), path);
	if (jpfs_stat_beneath(conversation->view->workspace_fd, path, &st) < 0 ||
	    (!jpfs_version_matches(&conversation->same[which], &st) &&
	     (st.st_size != conversation->known[which].size ||
	      jp_mtime_ns(&st) != conversation->known[which].mtime_ns)))
		return false;
	/* Until now it was the durable version, and the workspace is no place to be kept in. */
	if (jpfs_keep_loser_locked(conversation, which) < 0)
		return false;
	conversation->beside |= bit;
	follow_bytes(conversation, which, JPFS_DURABLE, JPFS_WORKSPACE, &st);
	return true;
}

/* What the workspace shows becomes durable, and is no draft any more. 0 or -errno. */
static int make_durable(struct jpfs_conversation *conversation, enum jp_managed which)
{
	struct stat st;
	int r = jpfs_take_file_locked(conversation, jp_managed_name(which));

	if (r < 0)
		return r;
	jpfs_draft_ended_locked(conversation, which);
	if (jpfs_durable_stat_locked(conversation, which, &st) == 0)
		follow_bytes(conversation, which, JPFS_WORKSPACE, JPFS_DURABLE, &st);
	return 0;
}

/* Whether jp would accept the workspace's version: 1, 0, -errno. */
static int is_valid(struct jpfs_conversation *conversation, enum jp_managed which)
{
	char path[JPFS_PATH_BYTES];

	jpfs_workspace_path(conversation, jp_managed_name(which), path);
	return jp_validity_at(which, conversation->view->workspace_fd, path);
}

/* What is written and not yet stored decides about the draft first. */
static int settle(struct jpfs_conversation *conversation)
{
	int64_t wait;

	return jpfs_commit_conversation(conversation, true, &wait);
}

/* Whether the draft of a file and its durable version are the same bytes: 1, 0, -errno. */
static int has_come_together(struct jpfs_conversation *conversation, enum jp_managed which)
{
	const char *name = jp_managed_name(which);
	cleanup_close int durable = jpfs_open_side_locked(conversation, true, name);
	cleanup_close int workspace = jpfs_open_side_locked(conversation, false, name);

	if (durable < 0 && !jp_is_absent(durable))
		return durable;
	if (workspace < 0 && !jp_is_absent(workspace))
		return workspace;
	if (durable < 0 || workspace < 0)
		return 0; /* one of them is on its way */
	return jp_same_content(durable, workspace);
}

/* Whether the events are shown here, and as they are durable. */
static bool is_stream_settled(struct jpfs_conversation *conversation)
{
	const struct jpfs_entry *events =
		jpfs_entry_live_locked(conversation, jp_managed_name(JP_EVENTS));

	return ((conversation->drafts | conversation->hidden) & (1U << JP_EVENTS)) == 0 &&
	       (events == NULL || events->home != JPFS_STAGED);
}

/*
 * A base configuration is a draft because its stream is. When the stream is none any more, it is one
 * only if it is an earlier version itself; otherwise somebody has changed it here: 1, 0, -errno.
 */
static int is_left_behind(struct jpfs_conversation *conversation)
{
	const char *name = jp_managed_name(JP_BASE_CONFIG);
	const struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, name);
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	int r;

	if (entry != NULL && entry->home == JPFS_STAGED)
		return 0;
	r = is_valid(conversation, JP_BASE_CONFIG);
	if (r != 1)
		return r;
	workspace = jpfs_open_side_locked(conversation, false, name);
	durable = jpfs_open_side_locked(conversation, true, name);
	if (durable == -ENOENT) /* and the durable events need one */
		return 1;
	if (workspace < 0 || durable < 0) {
		r = workspace < 0 ? workspace : durable;
		return jp_is_absent(r) ? 0 : r;
	}
	r = jpfs_version_is_earlier(conversation, JP_BASE_CONFIG, workspace, durable);
	return r < 0 ? r : r == 0;
}

int jpfs_draft_look(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	int r = 0;

	if (((conversation->drafts | conversation->removed_drafts) & STREAM_BITS) == 0)
		conversation->beside = 0;
	for (int i = 0; i < JP_MANAGED_COUNT && r >= 0 && conversation->drafts != 0; i++) {
		if ((conversation->drafts & ~conversation->hidden & (1U << i)) == 0 ||
		    conversation->vanished_ms != 0)
			continue;
		r = has_come_together(conversation, (enum jp_managed)i);
		if (r == 1)
			jpfs_draft_ended_locked(conversation, (enum jp_managed)i);
	}
	if (r < 0 || (conversation->drafts & (1U << JP_BASE_CONFIG)) == 0 ||
	    conversation->vanished_ms != 0 || !is_stream_settled(conversation))
		return r < 0 ? r : 0;
	/* A base configuration that is shown no more, and one that has no place: it goes to history. */
	r = jpfs_layout_is_draft_locked(conversation) ? 1
						      : jpfs_layout_is_older_locked(conversation);
	if (r < 0)
		return r;
	if (r == 1) {
		jpfs_draft_ended_locked(conversation, JP_BASE_CONFIG);
		return 0;
	}
	r = is_left_behind(conversation);
	if (r == 1) {
		r = make_durable(conversation, JP_BASE_CONFIG);
		if (r == 0)
			r = jpfs_sync_durable_locked(conversation);
	}
	return r;
}

int jpfs_draft_commit(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	unsigned drafts, files;
	int r = settle(conversation);

	if (r < 0)
		return r;
	held = jpfs_conversation_enter(conversation);
	drafts = conversation->drafts;
	if (drafts == 0)
		return -ENOENT;
	/* What is shown becomes durable: the draft, and what is shown beside it. */
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if (jpfs_is_beside_draft_locked(conversation, (enum jp_managed)i))
			drafts |= 1U << i;
	}
	files = drafts & ~conversation->hidden;
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if ((files & (1U << i)) == 0)
			continue;
		r = is_valid(conversation, (enum jp_managed)i);
		if (r != 1)
			return r < 0 ? r : -EBADMSG;
		r = 0;
	}
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		if ((files & (1U << i)) == 0)
			continue;
		r = make_durable(conversation, (enum jp_managed)i);
	}
	if (r == 0 && files != drafts) /* a stream that has no base_config.json */
		r = jpfs_layout_retire_durable_locked(conversation);
	if (r == 0)
		r = jpfs_sync_durable_locked(conversation);
	jpfs_work_add(conversation, 0);
	return r;
}

int jpfs_draft_discard(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	enum jpfs_change change;
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
		change = (conversation->hidden & (1U << i)) != 0 ? JPFS_CAME : JPFS_CHANGED;
		r = jpfs_keep_loser_locked(conversation, (enum jp_managed)i);
		if (r == 0) {
			jpfs_draft_ended_locked(conversation, (enum jp_managed)i);
			jpfs_repeat_note_locked(conversation, jp_managed_name((enum jp_managed)i),
						change);
		}
	}
	jpfs_work_add(conversation, 0);
	return r;
}
