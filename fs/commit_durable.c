/*
 * Into the durable copy: where a commit changes places with what is stored.
 *
 * The staged file and the durable one change names in one step (RENAME_EXCHANGE): the version that
 * was there, whoever put it there and whenever, is then ours to keep in history or to drop, and there
 * is no moment at which it could slip away. Last, the directory is synced.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/attempt.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

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

int jpfs_attempt_replace_durable(struct jpfs_entry *entry, const struct jpfs_attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_close int parent = -EBADF;
	cleanup_free char *displaced_name = NULL;
	const char *name;
	bool is_displaced;
	bool asks_for_layout = false, is_placing = false;
	struct stat st, displaced = {0};
	char *linked = NULL;
	int r;

	jpfs_conversation_lock(conversation);
	if (!jpfs_attempt_is_unchanged(entry, attempt) ||
	    is_being_replaced(conversation, attempt->is_forced) ||
	    (!attempt->is_forced && jpfs_durable_is_going_locked(conversation, entry->path))) {
		pthread_mutex_unlock(&conversation->lock);
		return -EAGAIN;
	}
	r = parent = jpfs_durable_parent_locked(conversation, entry->path, &name);
	/* From here until the workspace has it, this version exists once: somebody who takes the
	 * durable directory away in between (jp does) must not take it along. */
	if (r >= 0 && entry->is_linked && !conversation->is_local) {
		if (entry->managed != JP_UNMANAGED)
			linked = jpfs_pin_staged_locked(conversation, entry->managed,
							entry->staged_name);
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
	if (r < 0)
		jpfs_pin_back_locked(conversation, entry->managed, TAKE_PTR(linked));
	/* The durable directory went in between: it is waited for, like one that is gone already. */
	if (r == -ENOENT)
		r = -EAGAIN;
	if (r == 0) {
		displaced_name = is_displaced ? strdup(entry->staged_name) : NULL;
		r = fstat(attempt->content->fd, &st) < 0 ? -errno : 0;
	}
	if (displaced_name != NULL)
		(void)fstatat(conversation->view->staging.fd, displaced_name, &displaced,
			      AT_SYMLINK_NOFOLLOW); /* else what was linked is compared */
	if (r == 0) {
		bool was_unseen = entry->was_unseen;

		/* jp's own files are always looked at; of the others, those that are noted. */
		if (entry->managed == JP_UNMANAGED && entry->is_linked && conversation->in_view)
			r = jpfs_note_add(&conversation->added, entry->path);

		if (!entry->is_linked)
			follow_doom(conversation, entry->path, &st);
		jpfs_entry_is_durable_locked(entry, &st);
		conversation->placing++;
		is_placing = true;
		if (displaced_name != NULL && r == 0)
			r = jpfs_dispose_of_displaced(conversation, entry->path, was_unseen,
						      displaced_name, attempt->content->fd,
						      &attempt->judgement.contained);
		if (asks_for_layout && r == 0)
			r = jpfs_layout_retire_durable_locked(conversation);
	}
	jpfs_pin_let_go_locked(conversation, entry->managed, linked, displaced.st_ino,
			       attempt->content->fd);
	pthread_mutex_unlock(&conversation->lock);
	if (r == 0)
		r = jp_sync_directory(parent);
	if (is_placing) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

		conversation->placing--;
	}
	if (r == 0)
		jpfs_work_add(conversation, 0); /* now the workspace */
	return r;
}

int jpfs_sync_placed(struct jpfs_conversation *conversation, const struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	cleanup_close int fd = -EBADF;
	char place[JPFS_PATH_BYTES];
	int r;

	if (conversation->placing == 0)
		return 0;
	r = jpfs_durable_path_locked(conversation, entry != NULL ? entry->path : "", place);
	if (r == 0 && entry != NULL && !S_ISDIR(entry->type))
		*strrchr(place, '/') = '\0'; /* the directory that has its name */
	if (r == 0)
		r = fd = jp_open_beneath(conversation->view->silo->conversations_fd, place,
					 O_RDONLY | O_DIRECTORY, 0);
	jp_unlockp(&held);
	/* Somebody has just taken it away: then these are no names that could last. */
	if (r < 0)
		return jp_is_absent(r) ? 0 : r;
	return jp_sys->fsync(fd) < 0 ? -errno : 0;
}
