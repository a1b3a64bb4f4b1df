/*
 * Names inside a conversation: removing, renaming, making directories and links.
 *
 * A removal through the mount never removes a conversation from durable storage, and when the first
 * unlink arrives nobody knows yet whether it is one file that goes or the whole directory. So a
 * managed file is only hidden; an unmanaged one is hidden and its durable copy doomed, which
 * project.c carries out some seconds later, unless the directory went by then: in that case the
 * durable copy keeps every file it had.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "fs/recall.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Take an unmanaged path out of the workspace now, or remember that it has to go. */
static int remove_from_workspace(struct jpfs_conversation *conversation, const char *path,
				 int flags)
{
	cleanup_close int parent = -EBADF;
	char place[JPFS_PATH_BYTES];
	const char *name;

	jpfs_note_remove(&conversation->added, path);
	jpfs_workspace_path(conversation, path, place);
	parent = jpfs_open_parent(conversation->view->workspace_fd, place, &name);
	if (parent == -ENOENT)
		return 0;
	if (parent >= 0 && (jp_sys->unlinkat(parent, name, flags) == 0 || errno == ENOENT))
		return 0;
	return jpfs_note_add(&conversation->removed, path);
}

/* Its durable copy goes later, unless it is another file by then: of another worktree, of jp. */
static int doom(struct jpfs_conversation *conversation, const char *path)
{
	char place[JPFS_PATH_BYTES];
	struct jpfs_note *note;
	struct stat st;
	int r = jpfs_note_add(&conversation->doomed, path);

	if (r < 0)
		return r;
	note = jpfs_note_find(conversation->doomed, path);
	if (jpfs_durable_path_locked(conversation, path, place) == 0 &&
	    jpfs_stat_beneath(conversation->view->silo->conversations_fd, place, &st) == 0 &&
	    S_ISREG(st.st_mode)) {
		note->ino = st.st_ino;
		note->mtime_ns = jp_mtime_ns(&st);
	}
	return 0;
}

/* A program's temporary file that was synced or stayed for long is stored like any other; when it
 * goes, it leaves no trace. A backup (`name~`) is what a person may want back, and waits. */
static int remove_durable_now(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_close int parent = -EBADF;
	char place[JPFS_PATH_BYTES];
	const char *name;

	if (jpfs_durable_path_locked(conversation, path, place) < 0)
		return 0;
	parent = jpfs_open_parent(conversation->view->silo->conversations_fd, place, &name);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	return jp_sys->unlinkat(parent, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* The kernel tells of the last close(2) when it has time; that there was one is marked. Where it does
 * not tell, it may have been. */
static void end_if_closed(struct jpfs_entry *entry)
{
	if (entry->is_dirty && entry->ended_ms == 0 && entry->staged_name != NULL &&
	    (jp_staged_is_marked(entry->staged_name) ||
	     (entry->writers == 0 && jpfs_entry_may_be_open_locked(entry))))
		jpfs_entry_ended_locked(entry);
}

/* The version that an entry holds loses its name: what was written and closed is still stored, what
 * is half written is not. */
static void leave_staged(struct jpfs_entry *entry)
{
	end_if_closed(entry);
	if (entry->is_dirty && (entry->ended_ms == 0 || (entry->managed == JP_UNMANAGED &&
							 jp_name_is_temporary(entry->path))))
		jpfs_entry_mark_clean_locked(entry);
	jpfs_entry_orphan_locked(entry);
}

/*
 * A conversation that was made a moment ago is in staging and nowhere else, and its files are about to
 * lose their names one by one. If it is complete it gets its durable copy while they still have them.
 */
static int save_what_is_staged(struct jpfs_conversation *conversation)
{
	struct jpfs_entry *entry, *next;
	char place[JPFS_PATH_BYTES];
	bool is_staged = false;
	int r;

	if (conversation->is_local || jpfs_durable_path_locked(conversation, "", place) != -ENOENT)
		return 0;
	for (entry = conversation->dirty; entry != NULL; entry = next) {
		next = entry->next_dirty;
		if (!entry->is_linked)
			continue;
		end_if_closed(entry);
		is_staged = is_staged || entry->managed != JP_UNMANAGED;
	}
	r = is_staged ? jpfs_import(conversation) : 0;
	/* It is not complete, or none that jp would accept; or somebody was quicker. */
	return r == -EBADMSG || r == -EAGAIN ? 0 : r;
}

/* The workspace follows when it is clear that this is all: put_off.c. */
static void note_hidden(struct jpfs_conversation *conversation)
{
	conversation->hidden_ms = jpfs_now_ms();
	jpfs_work_add(conversation, JPFS_SETTLE_MS + 100);
}

static int hide_managed(struct jpfs_conversation *conversation, struct jpfs_entry *entry)
{
	unsigned bit = 1U << entry->managed;
	int saved = save_what_is_staged(conversation);

	if (saved < 0)
		return saved;
	if ((conversation->drafts & bit) != 0 && entry->home == JPFS_WORKSPACE) {
		/* A draft exists only here. */
		int r = jpfs_keep_loser_locked(conversation, entry->managed);

		if (r < 0)
			return r;
	}
	conversation->removed_drafts |= conversation->drafts & bit;
	conversation->drafts &= ~bit;
	conversation->hidden |= bit;
	conversation->expected &= ~bit;
	conversation->renamed_away &= ~bit;
	note_hidden(conversation);
	leave_staged(entry);
	jpfs_conversation_settle_locked(conversation);
	return 0;
}

int jpfs_entry_unlink_locked(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;
	int r = jpfs_entry_lookup_locked(conversation, path, &entry);

	if (r < 0)
		return r;
	object = &entry->object;
	if (S_ISDIR(entry->type))
		return -EISDIR;
	jpfs_conversation_changed_locked(conversation);
	if (entry->managed != JP_UNMANAGED)
		return hide_managed(conversation, entry);
	leave_staged(entry);
	if (jp_name_is_temporary(path) && path[strlen(path) - 1] != '~')
		r = remove_durable_now(conversation, path);
	else if (entry->is_dirty || jpfs_is_durable_path_locked(conversation, path)) {
		r = doom(conversation, path);
		jpfs_work_add(conversation, 4000);
	} else if (jpfs_is_only_here_locked(conversation, path)) {
		/* If the whole directory goes, the store gets it before: until then it stays. */
		jpfs_note_remove(&conversation->added, path);
		jpfs_work_add(conversation, 4000);
		return jpfs_note_add(&conversation->removed, path);
	}
	return r < 0 ? r : remove_from_workspace(conversation, path, 0);
}

int jpfs_entry_rmdir_locked(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_listing listing = {0};
	struct jpfs_entry *entry;
	bool is_empty;
	int r = jpfs_entry_lookup_locked(conversation, path, &entry);

	if (r < 0)
		return r;
	object = &entry->object;
	if (!S_ISDIR(entry->type))
		return -ENOTDIR;
	r = jpfs_conversation_list(conversation, path, &listing);
	is_empty = listing.count == 0;
	jpfs_listing_release(&listing);
	if (r < 0 || !is_empty)
		return r < 0 ? r : -ENOTEMPTY;
	jpfs_conversation_changed_locked(conversation);
	jpfs_entry_orphan_locked(entry);
	if (jpfs_is_durable_path_locked(conversation, path)) {
		r = jpfs_note_add(&conversation->doomed, path);
		jpfs_work_add(conversation, 4000);
	}
	return r < 0 ? r : remove_from_workspace(conversation, path, AT_REMOVEDIR);
}

/* Names that only regular files may have: jp's own. */
static bool is_for_files_only(const char *path)
{
	return jp_managed_from_name(path) != JP_UNMANAGED || jp_name_is_managed_temporary(path);
}

static int make_at(int parent, const char *name, const char *target, mode_t mode)
{
	return (target != NULL ? jp_sys->symlinkat(target, parent, name)
			       : jp_sys->mkdirat(parent, name, mode)) < 0
		       ? -errno
		       : 0;
}

/* Make it in the durable copy. What is in the way there is not shown here: a file that was just
 * removed, or one of jp's own. A directory serves as it is, anything else goes to the trash. */
static int make_durable(struct jpfs_conversation *conversation, const char *target,
			const char *path, mode_t mode)
{
	cleanup_close int parent = -EBADF;
	const char *name;
	struct stat st;
	int r;

	parent = jpfs_durable_parent_locked(conversation, path, &name);
	if (parent < 0)
		return parent;
	r = make_at(parent, name, target, mode);
	if (r != -EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return r;
	if (target == NULL && S_ISDIR(st.st_mode))
		return 0;
	r = jp_keep_move(conversation->view->silo->trash_fd, conversation->id, parent, name, path);
	return r < 0 ? r : make_at(parent, name, target, mode);
}

/* Make a directory or link on each side; `target` is NULL for a directory. */
static int make_on_both(struct jpfs_conversation *conversation, const char *target,
			const char *path, mode_t mode, struct jpfs_entry **ret)
{
	struct jpfs_view *view = conversation->view;
	cleanup_object struct jpfs_object *existing = NULL;
	char place[JPFS_PATH_BYTES];
	bool is_durable = false;
	struct jpfs_entry *entry;
	int r;

	if (is_for_files_only(path))
		return -EPERM;
	r = jpfs_entry_lookup_locked(conversation, path, &entry);
	if (r == 0) {
		existing = &entry->object;
		return -EEXIST;
	}
	if (r != -ENOENT)
		return r;
	conversation->is_new = false;
	jpfs_entry_supersede_locked(conversation, path);
	if (jpfs_durable_path_locked(conversation, "", place) == 0) {
		r = make_durable(conversation, target, path, mode);
		if (r < 0)
			return r;
		is_durable = true;
		jpfs_note_remove(&conversation->doomed, path);
		r = jpfs_note_add(&conversation->added, path);
		if (r < 0)
			return r;
	}
	jpfs_workspace_path(conversation, path, place);
	{
		cleanup_close int parent = -EBADF;
		const char *name;

		parent = jpfs_open_parent(view->workspace_fd, place, &name);
		r = parent < 0 ? parent : make_at(parent, name, target, mode);
	}
	if (r == 0)
		jpfs_note_remove(&conversation->added, path);
	else if (!is_durable)
		return r;
	else
		jpfs_work_add(conversation, 0); /* the projection is tried again */
	jpfs_note_remove(&conversation->removed, path);
	jpfs_conversation_changed_locked(conversation);
	return jpfs_entry_lookup_locked(conversation, path, ret);
}

int jpfs_entry_mkdir_locked(struct jpfs_conversation *conversation, const char *path, mode_t mode,
			    struct jpfs_entry **ret)
{
	return make_on_both(conversation, NULL, path, mode, ret);
}

int jpfs_entry_symlink_locked(struct jpfs_conversation *conversation, const char *target,
			      const char *path, struct jpfs_entry **ret)
{
	return make_on_both(conversation, target, path, 0777, ret);
}

/* ---- rename ---- */

/* Have the bytes in staging under a name of their own, without copying them if that can be. */
static int stage_for_rename(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_free char *name = NULL;
	char path[JPFS_PATH_BYTES];
	struct stat st;
	int r;

	if (entry->home != JPFS_DURABLE)
		return jpfs_entry_stage_locked(entry, true);
	name = malloc(NAME_MAX + 1);
	if (name == NULL)
		return -ENOMEM;
	r = jpfs_durable_path_locked(conversation, entry->path, path);
	if (r < 0)
		return r;
	jp_staging_name(&view->staging, conversation->id, entry->path, name);
	if (jp_sys->linkat(view->silo->conversations_fd, path, view->staging.fd, name, 0) < 0)
		return jpfs_entry_stage_locked(entry, true);
	if (fstatat(view->staging.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != entry->version.ino) {
		(void)jp_sys->unlinkat(view->staging.fd, name, 0); /* replaced meanwhile */
		return -ESTALE;
	}
	entry->staged_name = TAKE_PTR(name);
	entry->is_shared = true;
	entry->home = JPFS_STAGED;
	jpfs_entry_mark_dirty_locked(entry);
	return 0;
}

static int set_path(struct jpfs_entry *entry, const char *path)
{
	const char *copy = jpfs_entry_path_new(path);

	if (copy == NULL)
		return -ENOMEM;
	jpfs_entry_path_free(entry->path);
	entry->path = copy;
	entry->managed = jp_managed_from_name(path);
	entry->generation++;
	return 0;
}

/* The name that a file arrives at: it is there now, whatever was said of it before. */
static int arrive(struct jpfs_conversation *conversation, struct jpfs_entry *entry, bool replaces)
{
	int r = 0;

	entry->was_unseen = entry->managed == JP_UNMANAGED && !replaces &&
			    jpfs_note_find(conversation->doomed, entry->path) == NULL &&
			    jpfs_is_durable_path_locked(conversation, entry->path);
	jpfs_entry_supersede_locked(conversation, entry->path);
	if (entry->managed != JP_UNMANAGED) {
		jpfs_base_returns_locked(conversation, entry->managed);
		conversation->hidden &= ~(1U << entry->managed);
	} else if (!jp_name_is_managed_temporary(entry->path)) {
		r = jpfs_note_add(&conversation->added, entry->path);
	}
	jpfs_note_remove(&conversation->removed, entry->path);
	jpfs_note_remove(&conversation->doomed, entry->path);
	entry->ended_ms = 0; /* under this name it is to be looked at again, and now */
	jpfs_entry_end_locked(entry);
	return r;
}

/* The name that a file leaves by rename: its bytes live on elsewhere. */
static int depart(struct jpfs_conversation *conversation, const char *path)
{
	enum jp_managed managed = jp_managed_from_name(path);
	int r = 0;

	if (managed != JP_UNMANAGED) {
		conversation->hidden |= 1U << managed;
		conversation->expected &= ~(1U << managed);
		conversation->renamed_away |= 1U << managed;
		conversation->drafts &= ~(1U << managed);
		note_hidden(conversation);
		return 0;
	}
	if (jpfs_is_durable_path_locked(conversation, path)) {
		struct jpfs_note *note;

		r = doom(conversation, path);
		note = jpfs_note_find(conversation->doomed, path);
		if (note != NULL)
			note->is_moved = true;
		jpfs_work_add(conversation, 0);
	}
	return r < 0 ? r : remove_from_workspace(conversation, path, 0);
}

static int exchange_files(struct jpfs_conversation *conversation, struct jpfs_entry *first,
			  struct jpfs_entry *second)
{
	cleanup_free char *first_path = strdup(first->path);
	int r = first_path == NULL ? -ENOMEM : stage_for_rename(first);

	if (r == 0)
		r = stage_for_rename(second);
	if (r == 0)
		r = set_path(first, second->path);
	if (r == 0)
		r = set_path(second, first_path);
	if (r == 0)
		r = arrive(conversation, first, true);
	return r < 0 ? r : arrive(conversation, second, true);
}

static int rename_file(struct jpfs_conversation *conversation, struct jpfs_entry *entry,
		       struct jpfs_entry *replaced, const char *new_path)
{
	cleanup_free char *old_path = strdup(entry->path);
	int r;

	if (old_path == NULL)
		return -ENOMEM;
	r = jpfs_entry_keep_synced_locked(entry);
	if (r == 0)
		r = stage_for_rename(entry);
	if (r < 0)
		return r;
	if (replaced != NULL) {
		jpfs_recall_note_locked(replaced);
		leave_staged(replaced);
	}
	r = set_path(entry, new_path);
	if (r == 0)
		r = depart(conversation, old_path);
	if (r == 0)
		r = arrive(conversation, entry, replaced != NULL);
	return r;
}

/* Paths beneath a directory that was renamed. */
static int move_children(struct jpfs_conversation *conversation, const char *old_path,
			 const char *new_path)
{
	size_t length = strlen(old_path);

	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		char path[JPFS_PATH_BYTES];
		int r;

		if (strncmp(entry->path, old_path, length) != 0 || entry->path[length] != '/')
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", new_path, entry->path + length);
		if (jpfs_note_find(conversation->added, entry->path) != NULL) {
			jpfs_note_remove(&conversation->added, entry->path);
			r = jpfs_note_add(&conversation->added, path);
			if (r < 0)
				return r;
		}
		r = set_path(entry, path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Directories and links have no versions: they are renamed on each side as they are. */
static int rename_in_place(struct jpfs_conversation *conversation, struct jpfs_entry *entry,
			   struct jpfs_entry *replaced, const char *new_path, unsigned flags)
{
	struct jpfs_view *view = conversation->view;
	cleanup_free char *old_path = strdup(entry->path);
	char from[JPFS_PATH_BYTES], to[JPFS_PATH_BYTES];
	int durable = -ENOENT, workspace, r;

	if (old_path == NULL)
		return -ENOMEM;
	if (jpfs_durable_path_locked(conversation, old_path, from) == 0 &&
	    jpfs_durable_path_locked(conversation, new_path, to) == 0) {
		cleanup_close int parent = -EBADF;
		const char *name;

		parent = jpfs_durable_parent_locked(conversation, new_path, &name);
		durable = parent < 0 ? parent
				     : jpfs_rename_beneath(view->silo->conversations_fd, from, to,
							   flags);
		if (durable < 0 && durable != -ENOENT)
			return durable;
	}
	jpfs_workspace_path(conversation, old_path, from);
	jpfs_workspace_path(conversation, new_path, to);
	workspace = jpfs_rename_beneath(view->workspace_fd, from, to, flags);
	if (workspace < 0 && durable < 0)
		return workspace;
	if (workspace < 0 && jpfs_note_find(conversation->added, old_path) == NULL) {
		r = jpfs_note_add(&conversation->removed, old_path);
		if (r < 0)
			return r;
	}
	if (workspace < 0) {
		r = jpfs_note_add(&conversation->added, new_path);
		if (r < 0)
			return r;
		jpfs_note_remove(&conversation->added, old_path);
		jpfs_work_add(conversation, 0);
	}
	jpfs_note_remove(&conversation->removed, new_path);
	jpfs_note_remove(&conversation->doomed, new_path);
	if ((flags & RENAME_EXCHANGE) != 0) {
		/* By way of a name that no path can have. */
		r = move_children(conversation, new_path, "/");
		if (r == 0)
			r = move_children(conversation, old_path, new_path);
		if (r == 0)
			r = move_children(conversation, "/", old_path);
		if (r == 0)
			r = set_path(replaced, old_path);
		return r < 0 ? r : set_path(entry, new_path);
	}
	if (replaced != NULL)
		jpfs_entry_orphan_locked(replaced);
	r = move_children(conversation, old_path, new_path);
	return r < 0 ? r : set_path(entry, new_path);
}

int jpfs_entry_rename_locked(struct jpfs_conversation *conversation, const char *old_path,
			     const char *new_path, unsigned flags)
{
	cleanup_object struct jpfs_object *object = NULL, *replaced_object = NULL;
	struct jpfs_entry *entry, *replaced = NULL;
	int r = jpfs_entry_lookup_locked(conversation, old_path, &entry);

	if (r < 0)
		return r;
	object = &entry->object;
	r = jpfs_entry_lookup_locked(conversation, new_path, &replaced);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		replaced_object = &replaced->object;
	else
		replaced = NULL;
	if (replaced == entry)
		return 0;
	if (replaced != NULL && (flags & RENAME_NOREPLACE) != 0)
		return -EEXIST;
	if (replaced == NULL && (flags & RENAME_EXCHANGE) != 0)
		return -ENOENT;
	if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
		return -EINVAL;
	conversation->is_new = false;
	jpfs_conversation_changed_locked(conversation);

	if (!S_ISREG(entry->type) || (replaced != NULL && !S_ISREG(replaced->type))) {
		/* A link or a FIFO that somebody has put under a managed name makes way for a file. */
		if (S_ISREG(entry->type) && !S_ISDIR(replaced->type) &&
		    (flags & RENAME_EXCHANGE) == 0 && is_for_files_only(new_path)) {
			r = rename_file(conversation, entry, replaced, new_path);
			if (r == 0)
				jpfs_conversation_settle_locked(conversation);
			return r;
		}
		if (is_for_files_only(new_path) || is_for_files_only(old_path))
			return S_ISREG(entry->type) && replaced != NULL ? -EISDIR : -EPERM;
		/* An exchange moves both ways at once; the sides of it that lie in memory are
		 * found anew by the next lookup. */
		if ((flags & RENAME_EXCHANGE) != 0 &&
		    (entry->home == JPFS_STAGED || replaced->home == JPFS_STAGED))
			return -EBUSY;
		if (S_ISREG(entry->type) && entry->home == JPFS_STAGED)
			return S_ISDIR(replaced->type)
				       ? -EISDIR
				       : rename_file(conversation, entry, replaced, new_path);
		return rename_in_place(conversation, entry, replaced, new_path, flags);
	}
	if ((flags & RENAME_EXCHANGE) != 0)
		r = exchange_files(conversation, entry, replaced);
	else
		r = rename_file(conversation, entry, replaced, new_path);
	if (r == 0)
		jpfs_conversation_settle_locked(conversation);
	return r;
}
