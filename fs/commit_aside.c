/*
 * What is written and does not become durable by itself: to the workspace, or to one side.
 *
 * A draft, and a file of a conversation that is not complete yet, have no home but the workspace:
 * they are synced there like anything durable. What has no place in the view any more, because a
 * later version took its name or its directory went, is kept in history, or in the trash, unless the
 * durable copy has all of it.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/validity.h"
#include "core/version.h"
#include "fs/attempt.h"
#include "fs/view.h"

#include <fcntl.h>

/* The workspace may have the only copy of what is about to be written over there: a writer that
 * found no room left an empty file. Where there is a durable copy, that one stands, and is held. */
static int keep_only_copy(struct jpfs_entry *entry, const struct jpfs_attempt *attempt, int parent,
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

int jpfs_attempt_put_in_workspace(struct jpfs_entry *entry, struct jpfs_attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_close int fd = -EBADF, parent = -EBADF;
	char temporary[NAME_MAX + 1], place[JPFS_PATH_BYTES];
	bool asks_for_layout = false;
	const char *name;
	struct stat st;
	int r;

	attempt->is_workspaces = true;
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

	held = jpfs_conversation_lock(conversation);
	if (r == 0 && (!jpfs_attempt_is_unchanged(entry, attempt) || !entry->is_linked ||
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
	if (r >= 0) { /* what these two do is the store's */
		r = keep_only_copy(entry, attempt, parent, name);
		if (r >= 0 && entry->managed == JP_EVENTS && attempt->is_durable) {
			r = jpfs_layout_asks_locked(conversation, attempt->content->fd);
			asks_for_layout = r == 1;
		}
		attempt->is_workspaces = r >= 0;
	}
	if (r >= 0)
		r = jp_sys->renameat2(view->workspace_fd, temporary, parent, name, 0) < 0 ? -errno
											  : 0;
	if (r < 0) {
		(void)jp_sys->unlinkat(view->workspace_fd, temporary, 0); /* staging still has it */
		return r;
	}
	r = jp_sync_directory(parent);
	if (r < 0)
		return r;
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
static bool is_in_durable(struct jpfs_entry *entry, const struct jpfs_attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];

	if (jpfs_durable_path_locked(conversation, entry->path, path) < 0)
		return false;
	fd = jp_open_regular(conversation->view->silo->conversations_fd, path, O_RDONLY);
	return fd >= 0 && jp_version_is_contained(entry->managed, attempt->content->fd, fd) == 1;
}

int jpfs_attempt_keep_aside(struct jpfs_entry *entry, const struct jpfs_attempt *attempt)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	int r = 0;

	if (!jpfs_attempt_is_unchanged(entry, attempt))
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
