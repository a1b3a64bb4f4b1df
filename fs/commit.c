/*
 * From staging to the durable copy: the one path that every write takes.
 *
 * The bytes are synced first, with no lock held. Then, under the conversation's lock and only if
 * they are still the same bytes, they change places with the durable file in one step
 * (RENAME_EXCHANGE): the version that was there, whoever put it there and whenever, is then ours to
 * keep in history or to drop, and there is no moment at which it could slip away. Last, the
 * directory is synced.
 *
 * What jp would reject does not become durable. It goes to the workspace, as a draft. A
 * conversation that has no durable copy yet gets one when it is complete, assembled in staging and
 * put in place whole.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/reconcile.h"
#include "core/validity.h"
#include "core/version.h"
#include "fs/log.h"
#include "fs/view.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A conversation that is being made is given this long to become complete. */
#define INCOMPLETE_MS 500
/* And what was removed from it, to become part of its durable copy if all of it goes. */
#define REMOVED_MS 4000

/* What one attempt works on, taken under the lock. */
struct attempt {
	struct jpfs_content *content;
	uint64_t generation;
	enum jp_managed managed;
	bool is_durable; /* the conversation has a durable copy to commit to */
	bool is_waiting; /* its durable copy is gone for the moment */
	bool is_late;    /* a later version has taken the name: history, or nothing */
	bool is_shown;   /* the view leads to it */
	bool is_forced;  /* nothing is served any more: nobody is waited for */
	bool is_local;   /* there is no workspace to put a draft in */
	bool is_managed_temporary;
	bool is_exclusive; /* made as git makes files */
	bool was_draft;    /* what it takes the place of is one */
	bool went_back;    /* and one that git may have made */
	int64_t age_ms;    /* since the last write ended */
};

static void attempt_release(struct attempt *attempt)
{
	jpfs_content_unrefp(&attempt->content);
}

/* Whether nothing was written or renamed since the attempt began. */
static bool is_unchanged(struct jpfs_entry *entry, const struct attempt *attempt)
{
	return entry->is_dirty && entry->home == JPFS_STAGED && !entry->is_shared &&
	       entry->generation == attempt->generation && entry->is_superseded == attempt->is_late;
}

/* ---- into the durable copy ---- */

void jpfs_entry_is_durable_locked(struct jpfs_entry *entry, const struct stat *st)
{
	struct jpfs_conversation *conversation = entry->conversation;

	free(entry->staged_name);
	entry->staged_name = NULL;
	entry->home = JPFS_DURABLE;
	entry->version = jpfs_version_of(st);
	entry->was_unseen = false;
	entry->is_exclusive = false;
	if (entry->managed != JP_UNMANAGED) {
		jpfs_know_version_locked(conversation, entry->managed, st);
		if (entry->is_linked) {
			jpfs_draft_ended_locked(conversation, entry->managed);
		}
	}
	if (entry->opens == 0 && entry->is_linked)
		jpfs_content_unrefp(&entry->content);
	jpfs_entry_mark_clean_locked(entry);
}

/* Whether jp is just replacing the durable directory: a file that came in between would be in its
 * way. In pieces for long is another matter, and so is a daemon that ends. */
static bool is_being_replaced(struct jpfs_conversation *conversation, bool is_forced)
{
	if (conversation->vanished_ms == 0 && jpfs_durable_is_whole_locked(conversation) == 0)
		conversation->vanished_ms = jpfs_now_ms();
	return conversation->vanished_ms != 0 && !is_forced &&
	       jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS;
}

/* A removed file's last version is stored before it goes. */
static void follow_doom(struct jpfs_conversation *conversation, const char *path,
			const struct stat *st)
{
	struct jpfs_note *note = jpfs_note_find(conversation->doomed, path);

	if (note != NULL) {
		note->ino = st->st_ino;
		note->mtime_ns = jp_mtime_ns(st);
	}
}

/* 0, or -EAGAIN when it was changed meanwhile. */
static int replace_durable(struct jpfs_entry *entry, const struct attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_close int parent = -EBADF, synced = -EBADF;
	cleanup_free char *displaced_name = NULL;
	const char *name;
	bool is_displaced;
	bool asks_for_layout = false;
	struct stat st;
	int r;

	pthread_mutex_lock(&conversation->lock);
	if (!is_unchanged(entry, attempt) || is_being_replaced(conversation, attempt->is_forced) ||
	    (!attempt->is_forced && jpfs_durable_is_going_locked(conversation, entry->path))) {
		pthread_mutex_unlock(&conversation->lock);
		return -EAGAIN;
	}
	r = parent = jpfs_durable_parent_locked(conversation, entry->path, &name);
	/* From here until the workspace has it, this version exists once: somebody who takes the
	 * durable directory away in between (jp does) must not take it along. */
	if (r >= 0 && entry->is_linked && !conversation->is_local) {
		if (entry->managed != JP_UNMANAGED)
			jpfs_pin_staged_locked(conversation, entry->managed, entry->staged_name);
		else if (conversation->in_view)
			jpfs_pin_other_locked(conversation, entry->path, entry->staged_name);
	}
	/* What it takes the place of must be known for a durable version, if this process dies: without
	 * a mark the name would say that it was never closed. */
	if (r >= 0 && !jp_staged_is_marked(entry->staged_name))
		jp_ignore(jp_staging_mark(&conversation->view->staging, entry->staged_name,
					  JP_STAGED_FLUSHED, conversation->id, entry->path));
	if (r >= 0 && entry->managed == JP_EVENTS && entry->is_linked) {
		int asks = jpfs_layout_asks_locked(conversation, attempt->content->fd);

		asks_for_layout = asks == 1;
		r = asks < 0 ? asks : r;
	}
	if (r >= 0)
		r = jpfs_put_in_place_locked(entry, attempt->is_forced, parent, name,
					     &is_displaced);
	/* The durable directory went in between: it is waited for, like one that is gone already. */
	if (r == -ENOENT)
		r = -EAGAIN;
	if (r == 0) {
		displaced_name = is_displaced ? strdup(entry->staged_name) : NULL;
		r = fstat(attempt->content->fd, &st) < 0 ? -errno : 0;
	}
	if (r == 0) {
		bool was_unseen = entry->was_unseen;

		/* jp's own files are always looked at; of the others, those that are noted. */
		if (entry->managed == JP_UNMANAGED && entry->is_linked && conversation->in_view)
			r = jpfs_note_add(&conversation->added, entry->path);

		if (!entry->is_linked)
			follow_doom(conversation, entry->path, &st);
		jpfs_entry_is_durable_locked(entry, &st);
		if (displaced_name != NULL && r == 0)
			r = jpfs_dispose_of_displaced(conversation, entry->path, was_unseen,
						      displaced_name, attempt->content->fd);
		if (asks_for_layout && r == 0)
			r = jpfs_layout_retire_durable_locked(conversation);
	}
	pthread_mutex_unlock(&conversation->lock);
	if (r < 0)
		return r;
	synced = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (synced < 0 || jp_sys->fsync(synced) < 0)
		return -errno;
	jpfs_work_add(conversation, 0); /* now the workspace */
	return 0;
}

/* ---- into the workspace: drafts, and conversations that are not complete ---- */

/* The workspace may have the only copy of what is about to be written over there: a writer that
 * found no room left an empty file. Where there is a durable copy, that one stands, and is held. */
static int keep_only_copy(struct jpfs_entry *entry, const struct attempt *attempt, int parent,
			  const char *name)
{
	cleanup_close int old = -EBADF;
	int r;

	if (entry->managed == JP_UNMANAGED)
		return 0;
	if (attempt->is_durable && attempt->was_draft)
		return 0;
	/* The durable version is linked from now on; what is there may be one that jp has just replaced. */
	if (attempt->is_durable) {
		jpfs_hold_durable_locked(entry->conversation, entry->managed);
		return jpfs_keep_loser_locked(entry->conversation, entry->managed);
	}
	old = jp_open_regular(parent, name, O_RDONLY);
	if (old < 0)
		return old == -ENOENT ? 0 : old;
	r = jp_validity_of_file(entry->managed, old);
	if (r != 1)
		return r;
	r = jp_version_is_contained(entry->managed, old, attempt->content->fd);
	if (r != 0)
		return r < 0 ? r : 0;
	return jpfs_keep_version(entry->conversation, entry->managed, parent, name);
}

static int put_in_workspace(struct jpfs_entry *entry, const struct attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_close int fd = -EBADF, parent = -EBADF, synced = -EBADF;
	char temporary[NAME_MAX + 1], place[JPFS_PATH_BYTES];
	bool asks_for_layout = false;
	const char *name;
	struct stat st;
	int r;

	jpfs_view_temporary_name(view, temporary);
	fd = jp_open_beneath(view->workspace_fd, temporary, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	r = jp_copy_content(attempt->content->fd, fd);
	if (r == 0)
		r = jp_copy_attributes(attempt->content->fd, fd);
	/* A draft has no other home: it is synced like anything durable. */
	if (r == 0 && (jp_sys->fsync(fd) < 0 || fstat(fd, &st) < 0))
		r = -errno;

	held = jp_lock(&conversation->lock);
	if (r == 0 && (!is_unchanged(entry, attempt) || !entry->is_linked ||
		       !conversation->in_view || conversation->is_local))
		r = -EAGAIN;
	if (r == 0) {
		jpfs_workspace_path(conversation, "", place);
		r = jpfs_mkdir_beneath(view->workspace_fd, place, 0777 & ~view->umask);
		r = r == -EEXIST ? 0 : r;
	}
	if (r == 0) {
		jpfs_workspace_path(conversation, entry->path, place);
		r = parent = jpfs_open_parent(view->workspace_fd, place, &name);
	}
	if (r >= 0)
		r = keep_only_copy(entry, attempt, parent, name);
	if (r >= 0 && entry->managed == JP_EVENTS && attempt->is_durable) {
		int asks = jpfs_layout_asks_locked(conversation, attempt->content->fd);

		asks_for_layout = asks == 1;
		r = asks < 0 ? asks : r;
	}
	if (r >= 0)
		r = jp_sys->renameat2(view->workspace_fd, temporary, parent, name, 0) < 0 ? -errno
											  : 0;
	if (r < 0) {
		(void)jp_sys->unlinkat(view->workspace_fd, temporary, 0); /* staging still has it */
		return r;
	}
	synced = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (synced < 0 || jp_sys->fsync(synced) < 0)
		return -errno;
	(void)jp_sys->unlinkat(view->staging.fd, entry->staged_name, 0); /* the workspace has it */
	free(entry->staged_name);
	entry->staged_name = NULL;
	entry->home = JPFS_WORKSPACE;
	entry->version = jpfs_version_of(&st);
	if (entry->managed != JP_UNMANAGED && attempt->is_durable) {
		conversation->drafts |= 1U << entry->managed;
		conversation->removed_drafts &= ~(1U << entry->managed);
		if (attempt->is_exclusive)
			conversation->went_back |= 1U << entry->managed;
		if (asks_for_layout)
			conversation->drafts |= 1U << JP_BASE_CONFIG;
	}
	entry->is_exclusive = false;
	jpfs_note_remove(&conversation->added, entry->path);
	/* Who has it open goes on with the file that has the name now; without memory for that, it is
	 * opened again when it is needed. */
	jpfs_content_unrefp(&entry->content);
	if (entry->opens > 0)
		entry->content = jpfs_content_new(TAKE_FD(fd));
	jpfs_entry_mark_clean_locked(entry);
	return 0;
}

/* Whether the durable copy has all that this version has. */
static bool is_in_durable(struct jpfs_entry *entry, const struct attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];

	if (jpfs_durable_path_locked(conversation, entry->path, path) < 0)
		return false;
	fd = jp_open_regular(conversation->view->silo->conversations_fd, path, O_RDONLY);
	return fd >= 0 && jp_version_is_contained(entry->managed, attempt->content->fd, fd) == 1;
}

/* A version that has no place in the view any more and none in the durable copy: jp would reject
 * it, or a later one took its name before it was stored. */
static int keep_aside(struct jpfs_entry *entry, const struct attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	int r = 0;

	if (!is_unchanged(entry, attempt))
		return -EAGAIN;
	if (entry->managed != JP_UNMANAGED && !is_in_durable(entry, attempt))
		r = jp_keep_move(conversation->view->silo->history_fd, conversation->id,
				 conversation->view->staging.fd, entry->staged_name, entry->path);
	else if (((attempt->is_shown && attempt->is_local) || entry->is_replaced ||
		  !attempt->is_durable) &&
		 !jp_name_is_temporary(entry->path))
		r = jp_keep_move(conversation->view->silo->trash_fd, conversation->id,
				 conversation->view->staging.fd, entry->staged_name, entry->path);
	else if (jp_sys->unlinkat(conversation->view->staging.fd, entry->staged_name, 0) < 0)
		r = -errno;
	if (r < 0)
		return r;
	free(entry->staged_name);
	entry->staged_name = NULL;
	entry->is_shared = true; /* who has it open and writes on writes to a copy */
	jpfs_entry_mark_clean_locked(entry);
	return 0;
}

/* ---- one entry ---- */

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

static int begin(struct jpfs_entry *entry, bool may_be_open, struct attempt *ret)
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
	ret->managed = entry->managed;
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

static int sync_staged(const struct attempt *attempt)
{
	return jp_sys->fsync(attempt->content->fd) < 0 ? -errno : 0;
}

/* fsync(2) returns, and the store does not have the version yet. Its name in staging says that it is
 * whole: a recovery keeps it. */
static int sync_in_staging(struct jpfs_entry *entry)
{
	struct jp_staging *staging = &entry->conversation->view->staging;
	cleanup_content struct jpfs_content *content = NULL;
	int r;

	pthread_mutex_lock(&entry->conversation->lock);
	r = jpfs_entry_content_locked(entry, &content);
	if (r == 0 && entry->home == JPFS_STAGED && !jp_staged_is_marked(entry->staged_name))
		r = jp_staging_mark(staging, entry->staged_name, JP_STAGED_FLUSHED,
				    entry->conversation->id, entry->path);
	pthread_mutex_unlock(&entry->conversation->lock);
	if (r < 0 && r != -ENAMETOOLONG)
		return r;
	return jp_sys->fsync(content->fd) < 0 || jp_sys->fsync(staging->fd) < 0 ? -errno : 0;
}

/* A version that was removed before it was stored. Somebody may be in the middle of removing all of its
 * conversation, which then gets its durable copy with everything that it had: 0. -EAGAIN that is not
 * known yet; -EBADMSG there is no conversation that it would be part of. */
static int save_removed(struct jpfs_conversation *conversation, const struct attempt *attempt,
			bool force)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);

	if (!conversation->in_view || conversation->is_local)
		return -EBADMSG;
	if (!force && attempt->age_ms < JPFS_SETTLE_MS)
		return -EAGAIN;
	return jpfs_import_whole(conversation);
}

static int commit_without_durable(struct jpfs_entry *entry, const struct attempt *attempt,
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
		return keep_aside(entry, attempt);
	if (attempt->is_local)
		return force ? keep_aside(entry, attempt) : 0; /* the next file decides */
	if (!force && attempt->age_ms < INCOMPLETE_MS)
		return -EAGAIN;
	return put_in_workspace(entry, attempt);
}

/* ---- drafts ---- */

/* git writes base_config.json first, and events.json decides about both. */
#define UNIT_MS 500

/* Whether the stream that a base configuration belongs to is a draft: 1, 0; -EAGAIN it is not
 * decided yet. */
static int is_of_draft(struct jpfs_entry *entry, const struct attempt *attempt, bool may_wait)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
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
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	const struct jpfs_entry *events =
		jpfs_entry_live_locked(conversation, jp_managed_name(JP_EVENTS));

	return (conversation->drafts & (1U << JP_EVENTS)) != 0 &&
	       (events == NULL || events->home != JPFS_STAGED);
}

static int decide(struct jpfs_entry *entry, const struct attempt *attempt, bool may_wait,
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
		pthread_mutex_lock(&conversation->lock);
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
static int end_draft(struct jpfs_entry *entry, const struct attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	struct stat st;
	int r;

	if (!is_unchanged(entry, attempt))
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

int jpfs_commit_once(struct jpfs_entry *entry, bool for_fsync, bool force)
{
	__attribute__((cleanup(attempt_release))) struct attempt attempt = {.is_forced = force};
	int r = begin(entry, for_fsync || force, &attempt);

	if (r == -EALREADY)
		return 0;
	if (r < 0)
		return r;
	if (attempt.is_late) {
		r = for_fsync ? sync_staged(&attempt) : 0;
		return r < 0 ? r : keep_aside(entry, &attempt);
	}
	if (attempt.is_waiting && !force)
		return for_fsync ? sync_in_staging(entry) : -EAGAIN;
	if (attempt.is_managed_temporary) {
		if (for_fsync)
			return sync_in_staging(entry);
		return !force             ? -EAGAIN
		       : attempt.is_local ? keep_aside(entry, &attempt)
					  : put_in_workspace(entry, &attempt);
	}
	if (!attempt.is_durable)
		return commit_without_durable(entry, &attempt, for_fsync, force);
	if (attempt.managed != JP_UNMANAGED) {
		r = jp_validity_of_file(attempt.managed, attempt.content->fd);
		if (r < 0)
			return r;
		if (r == 0 && for_fsync) /* half of an edit, perhaps: decided when it is closed */
			return sync_in_staging(entry);
		/* Without a workspace it stays where it is, until it is valid or nothing is served. */
		if (r == 0 && attempt.is_shown && attempt.is_local && !force)
			return 0;
		if (r == 0)
			return attempt.is_shown && !attempt.is_local
				       ? put_in_workspace(entry, &attempt)
				       : keep_aside(entry, &attempt);
	}
	if (attempt.managed != JP_UNMANAGED && !attempt.is_local &&
	    (attempt.is_exclusive || attempt.was_draft || attempt.went_back)) {
		enum jp_write fate = JP_WRITE_COMMIT;

		r = decide(entry, &attempt, !for_fsync && !force, &fate);
		if (r < 0)
			return r;
		if (fate != JP_WRITE_COMMIT && for_fsync)
			return sync_in_staging(entry);
		if (fate != JP_WRITE_COMMIT && !attempt.is_shown)
			return keep_aside(entry, &attempt);
		if (fate == JP_WRITE_DRAFT)
			return put_in_workspace(entry, &attempt);
		if (fate == JP_WRITE_END)
			return end_draft(entry, &attempt);
	}
	r = sync_staged(&attempt);
	return r < 0 ? r : replace_durable(entry, &attempt);
}

int jpfs_commit_entry(struct jpfs_entry *entry, bool for_fsync)
{
	int r = -EAGAIN;

	/* A file that is written faster than it can be synced is synced as it is in the end. */
	for (int tries = 0; tries < 8 && r == -EAGAIN; tries++)
		r = jpfs_commit_once(entry, for_fsync, false);
	return r == -EAGAIN && for_fsync ? sync_in_staging(entry) : r;
}
