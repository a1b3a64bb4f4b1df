/*
 * From staging to the durable copy: the one path that every write takes, and where it leads.
 *
 * An attempt looks at the write under the conversation's lock, syncs and judges its bytes with no
 * lock held, and then, if they are still the same bytes, one of three things becomes of them. What jp
 * accepts changes places with the durable file (commit_durable.c). What jp would reject, and an
 * earlier version that git puts back, goes to the workspace as a draft (commit_aside.c); what has lost
 * its place in the view is kept beside. A conversation that has no durable copy yet gets one when it
 * is complete, assembled in staging and put in place whole (import.c).
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/reconcile.h"
#include "core/validity.h"
#include "fs/attempt.h"
#include "fs/view.h"

/* A conversation that is being made is given this long to become complete. */
#define INCOMPLETE_MS 500
/* And what was removed from it, to become part of its durable copy if all of it goes. */
#define REMOVED_MS 4000

static void attempt_release(struct jpfs_attempt *attempt)
{
	jpfs_content_unrefp(&attempt->content);
}

#define cleanup_attempt __attribute__((cleanup(attempt_release)))

/* Whether nothing was written or renamed since the attempt began. */
bool jpfs_attempt_is_unchanged(struct jpfs_entry *entry, const struct jpfs_attempt *attempt)
{
	return entry->is_dirty && entry->home == JPFS_STAGED && !entry->is_shared &&
	       entry->generation == attempt->generation && entry->is_superseded == attempt->is_late;
}

/* A conversation that was taken out and made again: what the old object still has to store is
 * older than what the new one has. */
static bool has_successor(struct jpfs_conversation *conversation)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *other;

	if (conversation->in_view)
		return false;
	other = jpfs_view_find(conversation->view, conversation->id);
	object = other != NULL ? &other->object : NULL;
	return other != NULL && other != conversation;
}

static int begin(struct jpfs_entry *entry, bool may_be_open, struct jpfs_attempt *ret)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	char place[JPFS_PATH_BYTES];
	struct stat st;
	int r;

	if (!entry->is_dirty || entry->home != JPFS_STAGED)
		return -EALREADY;
	if (!conversation->is_reconciled)
		return conversation->reconcile_failure < 0 ? conversation->reconcile_failure
							   : -EAGAIN;
	if (!may_be_open && entry->ended_ms == 0)
		return -EAGAIN; /* a writer opened it again */
	if (entry->is_shared) {
		r = jpfs_entry_stage_locked(entry, true);
		if (r < 0)
			return r;
	}
	r = jpfs_entry_content_locked(entry, &ret->content);
	if (r < 0)
		return r;
	if (!entry->is_linked && has_successor(conversation))
		entry->is_superseded = true;
	ret->generation = entry->generation;
	ret->is_synced = entry->is_synced;
	ret->managed = entry->managed;
	ret->judgement = jpfs_judgement_recall_locked(entry, entry->managed);
	ret->is_late = entry->is_superseded;
	ret->is_shown = entry->is_linked && conversation->in_view;
	ret->is_managed_temporary = jp_name_is_managed_temporary(entry->path);
	ret->is_local = conversation->is_local;
	ret->is_exclusive = entry->is_exclusive;
	ret->was_draft = entry->managed != JP_UNMANAGED &&
			 ((conversation->drafts | conversation->removed_drafts) &
			  (1U << entry->managed)) != 0;
	ret->went_back = entry->managed != JP_UNMANAGED &&
			 (conversation->went_back & (1U << entry->managed)) != 0;
	if (entry->managed == JP_BASE_CONFIG &&
	    jpfs_is_beside_draft_locked(conversation, JP_BASE_CONFIG)) {
		ret->was_draft = true;
		ret->went_back = (conversation->went_back & (1U << JP_EVENTS)) != 0;
	}
	ret->age_ms = jpfs_now_ms() - entry->ended_ms;
	if (conversation->was_durable) /* still whole? */
		jp_ignore(jpfs_durable_stat_locked(conversation, JP_EVENTS, &st));
	ret->is_waiting = conversation->vanished_ms != 0 &&
			  jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS;
	r = jpfs_durable_path_locked(conversation, "", place);
	ret->is_durable = r == 0;
	/* A directory that jp is just filling is none to commit to. */
	if (r == 0 && jpfs_durable_is_whole_locked(conversation) == 0) {
		if (conversation->vanished_ms == 0)
			conversation->vanished_ms = jpfs_now_ms();
		ret->is_waiting = jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS;
	}
	return r == -ENOENT ? 0 : r;
}

static int sync_staged(const struct jpfs_attempt *attempt)
{
	return !attempt->is_synced && jp_sys->fsync(attempt->content->fd) < 0 ? -errno : 0;
}

/* fsync(2) returns, and the store does not have the version yet. Its name in staging says that it is
 * whole: a recovery keeps it. */
static int sync_in_staging(struct jpfs_entry *entry)
{
	struct jp_staging *staging = &entry->conversation->view->staging;
	cleanup_content struct jpfs_content *content = NULL;
	struct jpfs_judgement judgement = {0};
	enum jp_managed managed;
	uint64_t generation;
	int r;

	jpfs_conversation_lock(entry->conversation);
	r = jpfs_entry_content_locked(entry, &content);
	if (r == 0 && entry->home == JPFS_STAGED && !jp_staged_is_marked(entry->staged_name))
		r = jp_staging_mark(staging, entry->staged_name, JP_STAGED_FLUSHED,
				    entry->conversation->id, entry->path);
	generation = entry->generation;
	managed = jp_managed_from_temporary(entry->path);
	pthread_mutex_unlock(&entry->conversation->lock);
	if (r < 0 && r != -ENAMETOOLONG)
		return r;
	/* It is going to be renamed over the file that it is the next version of. */
	if (managed != JP_UNMANAGED && jpfs_judge(entry, managed, content->fd, &judgement) < 0)
		judgement.serial = 0; /* the commit asks again, and says why not */
	if (jp_sys->fsync(content->fd) < 0 || jp_sys->fsync(staging->fd) < 0)
		return -errno;
	jpfs_conversation_lock(entry->conversation);
	if (entry->home == JPFS_STAGED && entry->generation == generation) {
		entry->is_synced = true;
		if (judgement.serial != 0)
			jpfs_judgement_keep_locked(entry, &judgement);
	}
	pthread_mutex_unlock(&entry->conversation->lock);
	return 0;
}

/* A version that was removed before it was stored. Somebody may be in the middle of removing all of its
 * conversation, which then gets its durable copy with everything that it had: 0. -EAGAIN that is not
 * known yet; -EBADMSG there is no conversation that it would be part of. */
static int save_removed(struct jpfs_conversation *conversation, const struct jpfs_attempt *attempt,
			bool force)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	if (!conversation->in_view || conversation->is_local)
		return -EBADMSG;
	if (!force && attempt->age_ms < JPFS_SETTLE_MS)
		return -EAGAIN;
	return jpfs_import_whole(conversation);
}

static int commit_without_durable(struct jpfs_entry *entry, struct jpfs_attempt *attempt,
				  bool for_fsync, bool force)
{
	int r = jpfs_import(entry->conversation);

	if (r == -EBADMSG && !for_fsync && !attempt->is_shown)
		r = save_removed(entry->conversation, attempt, force);
	/* Somebody may be about to bring the durable copy back; a daemon that ends cannot wait for
	 * that, and leaves the last version in the workspace. */
	if (r != -EBADMSG && (r != -EAGAIN || !force))
		return r;
	if (for_fsync)
		return sync_in_staging(entry);
	if (!attempt->is_shown && attempt->managed == JP_UNMANAGED && !force &&
	    attempt->age_ms < REMOVED_MS)
		return -EAGAIN;
	if (!attempt->is_shown)
		return jpfs_attempt_keep_aside(entry, attempt);
	if (attempt->is_local)
		return force ? jpfs_attempt_keep_aside(entry, attempt)
			     : 0; /* the next file decides */
	if (!force && attempt->age_ms < INCOMPLETE_MS)
		return -EAGAIN;
	return jpfs_attempt_put_in_workspace(entry, attempt);
}

/* ---- drafts ---- */

/* git writes base_config.json first, and events.json decides about both. */
#define UNIT_MS 500

/* Whether the stream that a base configuration belongs to is a draft: 1, 0; -EAGAIN it is not
 * decided yet. */
static int is_of_draft(struct jpfs_entry *entry, const struct jpfs_attempt *attempt, bool may_wait)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	const struct jpfs_entry *events =
		jpfs_entry_live_locked(conversation, jp_managed_name(JP_EVENTS));

	if (may_wait &&
	    (attempt->age_ms < UNIT_MS || (events != NULL && events->home == JPFS_STAGED)))
		return -EAGAIN;
	return (conversation->drafts & (1U << JP_EVENTS)) != 0;
}

/* Whether the events beside a base configuration are a draft, and nobody is writing others. */
static bool is_held_by_draft(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	const struct jpfs_entry *events =
		jpfs_entry_live_locked(conversation, jp_managed_name(JP_EVENTS));

	return (conversation->drafts & (1U << JP_EVENTS)) != 0 &&
	       (events == NULL || events->home != JPFS_STAGED);
}

static int decide(struct jpfs_entry *entry, const struct jpfs_attempt *attempt, bool may_wait,
		  enum jp_write *ret)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jp_write_facts facts = {
		.is_valid = true,
		.is_exclusive = attempt->is_exclusive,
		.was_draft = attempt->was_draft,
		.goes_on = attempt->went_back,
	};
	cleanup_close int durable = -EBADF;
	struct jp_base base;
	int r = 0;

	if (attempt->managed == JP_BASE_CONFIG)
		r = is_of_draft(entry, attempt, may_wait);
	facts.is_earlier = r == 1;
	if (r >= 0) {
		jpfs_conversation_lock(conversation);
		durable = jpfs_open_side_locked(conversation, true, entry->path);
		pthread_mutex_unlock(&conversation->lock);
	}
	if (r >= 0 && durable < 0 && !jp_is_absent(durable))
		return durable;
	if (r == 0 && durable >= 0) {
		r = jpfs_version_is_earlier(conversation, attempt->managed, attempt->content->fd,
					    durable);
		facts.is_earlier = r == 1;
	}
	if (r >= 0 && attempt->was_draft && jpfs_base_known(conversation, &base)) {
		r = jpfs_base_is(&base.files[attempt->managed], attempt->content->fd);
		/* A base configuration does not leave the draft alone that its stream is. */
		facts.is_base = r == 1 && (attempt->managed != JP_BASE_CONFIG ||
					   !is_held_by_draft(conversation));
	}
	if (r >= 0)
		*ret = jp_reconcile_write(&facts);
	return r < 0 ? r : 0;
}

/* What both sides were is back: from now on the durable version is shown again. */
static int end_draft(struct jpfs_entry *entry, const struct jpfs_attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct stat st;
	int r;

	if (!jpfs_attempt_is_unchanged(entry, attempt))
		return -EAGAIN;
	r = jpfs_durable_stat_locked(conversation, entry->managed, &st);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	jpfs_draft_ended_locked(conversation, entry->managed);
	entry->home = JPFS_DURABLE;
	entry->version = jpfs_version_of(&st);
	entry->is_exclusive = false;
	jpfs_entry_unstage_locked(entry);
	jpfs_work_add(conversation, 0);
	return 0;
}

/* Decide about an attempt that has begun, and carry it out. */
static int go_on(struct jpfs_entry *entry, struct jpfs_attempt *attempt, bool for_fsync, bool force)
{
	int r;

	if (attempt->is_late) {
		r = for_fsync ? sync_staged(attempt) : 0;
		return r < 0 ? r : jpfs_attempt_keep_aside(entry, attempt);
	}
	if (attempt->is_waiting && !force)
		return for_fsync ? sync_in_staging(entry) : -EAGAIN;
	if (attempt->is_managed_temporary) {
		if (for_fsync)
			return sync_in_staging(entry);
		return !force              ? -EAGAIN
		       : attempt->is_local ? jpfs_attempt_keep_aside(entry, attempt)
					   : jpfs_attempt_put_in_workspace(entry, attempt);
	}
	if (!attempt->is_durable)
		return commit_without_durable(entry, attempt, for_fsync, force);
	if (attempt->managed != JP_UNMANAGED) {
		r = attempt->judgement.serial != 0
			    ? 0
			    : jpfs_judge(entry, attempt->managed, attempt->content->fd,
					 &attempt->judgement);
		if (r < 0)
			return r;
		r = attempt->judgement.is_valid ? 1 : 0;
		if (r == 0 && for_fsync) /* half of an edit, perhaps: decided when it is closed */
			return sync_in_staging(entry);
		/* Without a workspace it stays where it is, until it is valid or nothing is served. */
		if (r == 0 && attempt->is_shown && attempt->is_local && !force)
			return 0;
		if (r == 0)
			return attempt->is_shown && !attempt->is_local
				       ? jpfs_attempt_put_in_workspace(entry, attempt)
				       : jpfs_attempt_keep_aside(entry, attempt);
	}
	if (attempt->managed != JP_UNMANAGED && !attempt->is_local &&
	    (attempt->is_exclusive || attempt->was_draft || attempt->went_back)) {
		enum jp_write fate = JP_WRITE_COMMIT;

		r = decide(entry, attempt, !for_fsync && !force, &fate);
		if (r < 0)
			return r;
		if (fate != JP_WRITE_COMMIT && for_fsync)
			return sync_in_staging(entry);
		if (fate != JP_WRITE_COMMIT && !attempt->is_shown)
			return jpfs_attempt_keep_aside(entry, attempt);
		if (fate == JP_WRITE_DRAFT)
			return jpfs_attempt_put_in_workspace(entry, attempt);
		if (fate == JP_WRITE_END)
			return end_draft(entry, attempt);
	}
	r = sync_staged(attempt);
	return r < 0 ? r : jpfs_attempt_replace_durable(entry, attempt);
}

int jpfs_commit_once(struct jpfs_entry *entry, bool for_fsync, bool force, bool *ret_is_workspaces)
{
	cleanup_attempt struct jpfs_attempt attempt = {.is_forced = force};
	int r = begin(entry, for_fsync || force, &attempt);

	if (r == 0)
		r = go_on(entry, &attempt, for_fsync, force);
	*ret_is_workspaces = attempt.is_workspaces;
	return r == -EALREADY ? 0 : r;
}

int jpfs_commit_entry(struct jpfs_entry *entry, bool for_fsync)
{
	struct jpfs_conversation *conversation = entry->conversation;
	bool is_workspaces;
	int r = -EAGAIN;

	jpfs_conversation_lock(conversation);
	conversation->syncing++;
	pthread_mutex_unlock(&conversation->lock);
	/* A file that is written faster than it can be synced is synced as it is in the end. */
	for (int tries = 0; tries < 8 && r == -EAGAIN; tries++)
		r = jpfs_commit_once(entry, for_fsync, false, &is_workspaces);
	jpfs_conversation_lock(conversation);
	conversation->syncing--;
	pthread_mutex_unlock(&conversation->lock);
	if (!for_fsync || (r < 0 && r != -EAGAIN))
		return r;
	return r == 0 ? jpfs_sync_placed(conversation, entry) : sync_in_staging(entry);
}
