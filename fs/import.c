/*
 * Giving a conversation of the workspace its durable copy.
 *
 * It happens to a conversation that is written through the mount and has none yet, and to all of
 * them on the very first use of a workspace ID. The copy is assembled in staging, out of what the
 * workspace has and what is staged, and put in place by one rename: the store never holds half a
 * conversation. Only what is complete and what jp would accept is imported; anything else stays
 * where it is. The workspace keeps its own copy.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/validity.h"
#include "fs/log.h"
#include "fs/view.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Conversations that are copied before they are synced together. */
#define IMPORT_BATCH 256

/* Whether its bytes are a version: its writers have closed it, or have synced it, and then it is
 * copied before somebody writes on. */
static bool is_version(const struct jpfs_entry *entry)
{
	return !entry->is_dirty || entry->ended_ms != 0 || entry->was_synced;
}

/* 1, 0; -errno: nobody can tell, and it may be valid. */
static int is_valid_here(struct jpfs_conversation *conversation, enum jp_managed which)
{
	cleanup_object struct jpfs_object *object = NULL;
	cleanup_content struct jpfs_content *content = NULL;
	struct jpfs_entry *entry;
	int r = jpfs_entry_lookup_locked(conversation, jp_managed_name(which), &entry);

	if (r < 0)
		return r == -ENOENT ? which == JP_BASE_CONFIG : r;
	object = &entry->object;
	if (!is_version(entry) || !S_ISREG(entry->type))
		return 0;
	r = jpfs_entry_content_locked(entry, &content);
	return r < 0 ? r : jp_validity_of_file(which, content->fd);
}

/* 1, 0, -errno. */
static int is_ready_for_import(struct jpfs_conversation *conversation)
{
	int r = 1;

	for (int i = 0; i < JP_MANAGED_COUNT && r == 1; i++)
		r = is_valid_here(conversation, (enum jp_managed)i);
	return r;
}

/* Put what is staged over the copy of what the workspace has. */
static int add_staged(struct jpfs_conversation *conversation, int copy_fd, bool sync)
{
	struct jpfs_view *view = conversation->view;

	for (struct jpfs_entry *entry = conversation->dirty; entry != NULL;
	     entry = entry->next_dirty) {
		cleanup_content struct jpfs_content *content = NULL;
		cleanup_close int parent = -EBADF;
		const char *name;
		int r;

		if (!entry->is_linked || !is_version(entry) || entry->home != JPFS_STAGED ||
		    jp_name_is_managed_temporary(entry->path))
			continue;
		if (entry->is_shared) {
			r = jpfs_entry_stage_locked(entry, true);
			if (r < 0)
				return r;
		}
		r = jpfs_entry_content_locked(entry, &content);
		if (r < 0)
			return r;
		if (sync && jp_sys->fsync(content->fd) < 0)
			return -errno;
		parent = jpfs_open_parent(copy_fd, entry->path, &name);
		if (parent < 0)
			return parent;
		if (jp_sys->unlinkat(parent, name, 0) < 0 && errno != ENOENT)
			return -errno;
		/* A link: until the whole copy is in place, staging has the bytes as well. */
		if (jp_sys->linkat(view->staging.fd, entry->staged_name, parent, name, 0) < 0)
			return -errno;
	}
	return 0;
}

/* What the view does not show is not part of the conversation here. But what was removed of others' files
 * comes along: all of it may be about to go, and then it keeps what it had. See finish_import(). */
static int remove_hidden(struct jpfs_conversation *conversation, int copy_fd)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if ((conversation->hidden & (1U << i)) != 0 &&
		    jp_sys->unlinkat(copy_fd, jp_managed_name((enum jp_managed)i), 0) < 0 &&
		    errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* What was found good may have been replaced, by a link even, while it was being copied. Nobody else
 * has the copy, so what it holds now is what the store will have. */
static int check_copy(int copy_fd)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		enum jp_managed which = (enum jp_managed)i;
		cleanup_close int fd = jp_open_regular(copy_fd, jp_managed_name(which), O_RDONLY);
		int r;

		if (fd == -ENOENT && which == JP_BASE_CONFIG)
			continue;
		if (fd < 0 && !jp_is_absent(fd))
			return fd;
		r = fd < 0 ? 0 : jp_validity_of_file(which, fd);
		if (r != 1)
			return r < 0 ? r : -EAGAIN;
	}
	return 0;
}

static int assemble(struct jpfs_conversation *conversation, const char *copy_name, bool sync)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int parent = -EBADF, copy = -EBADF;
	char place[JPFS_PATH_BYTES];
	unsigned skipped = 0;
	const char *name;
	int r;

	jpfs_workspace_path(conversation, "", place);
	parent = jpfs_open_parent(view->workspace_fd, place, &name);
	if (parent < 0)
		r = parent;
	else if (sync)
		r = jp_copy_tree(parent, name, view->staging.fd, copy_name, &skipped);
	else
		r = jp_copy_tree_unsynced(parent, name, view->staging.fd, copy_name, &skipped);
	if (r == -ENOENT)
		r = jp_sys->mkdirat(view->staging.fd, copy_name, 0700) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	if (skipped > 0)
		jpfs_log(JPFS_LOG_WARNING,
			 "%s: %u special files (FIFOs, sockets, devices) are not kept in the "
			 "durable copy; move them elsewhere if they matter",
			 conversation->name, skipped);
	copy = jp_open_beneath(view->staging.fd, copy_name, O_RDONLY | O_DIRECTORY, 0);
	if (copy < 0)
		return copy == -ELOOP || copy == -ENOTDIR ? -EAGAIN : copy;
	r = remove_hidden(conversation, copy);
	if (r == 0)
		r = add_staged(conversation, copy, sync);
	if (r == 0)
		r = check_copy(copy);
	if (r == 0 && sync && jp_sys->fsync(copy) < 0)
		r = -errno;
	return r;
}

static int place_assembled(struct jpfs_conversation *conversation, const char *copy_name, bool sync)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int archive = -EBADF, lock = -EBADF;
	int parent = view->silo->conversations_fd, r;
	char place[JPFS_PATH_BYTES];

	if (conversation->is_archived) {
		archive = jp_open_or_make_dir(parent, JP_ARCHIVE_NAME, 0700);
		if (archive < 0)
			return archive;
		parent = archive;
	}
	lock = jp_dir_index_lock(view->silo->conversations_fd);
	if (lock < 0)
		return lock;
	/* Another worktree may have stored it meanwhile, under another name. */
	jp_dir_index_expire(view->durable_index);
	r = jpfs_durable_path_locked(conversation, "", place);
	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	r = jp_rename_noreplace(view->staging.fd, copy_name, parent, conversation->name);
	if (r < 0)
		return r;
	jp_dir_index_expire(view->durable_index);
	return sync && jp_sys->fsync(parent) < 0 ? -errno : 0;
}

/* The entries in memory follow their bytes. */
static int follow_import(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	struct jpfs_entry *entry, *next;
	char directory[JPFS_PATH_BYTES];
	struct stat made;

	for (entry = conversation->entries; entry != NULL; entry = next) {
		cleanup_object struct jpfs_object *object = NULL;
		char place[JPFS_PATH_BYTES];
		struct stat st;

		next = entry->next;
		if (!entry->is_linked || !S_ISREG(entry->type) ||
		    (entry->home != JPFS_WORKSPACE && entry->home != JPFS_STAGED) ||
		    (entry->home == JPFS_STAGED && !is_version(entry)) ||
		    !jpfs_object_try_ref(&entry->object))
			continue;
		object = &entry->object;
		if (jpfs_durable_path_locked(conversation, entry->path, place) < 0 ||
		    fstatat(view->silo->conversations_fd, place, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (entry->staged_name != NULL)
			(void)jp_sys->unlinkat(view->staging.fd, entry->staged_name, 0);
		jpfs_entry_is_durable_locked(entry, &st);
	}
	if (jpfs_durable_path_locked(conversation, "", directory) == 0 &&
	    fstatat(view->silo->conversations_fd, directory, &made, AT_SYMLINK_NOFOLLOW) == 0)
		conversation->own_change = jpfs_version_of(&made);
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		char place[JPFS_PATH_BYTES];
		struct stat st;

		if (jpfs_durable_path_locked(conversation, jp_managed_name((enum jp_managed)i),
					     place) == 0 &&
		    fstatat(view->silo->conversations_fd, place, &st, AT_SYMLINK_NOFOLLOW) == 0)
			jpfs_know_version_locked(conversation, (enum jp_managed)i, &st);
	}
	return 0;
}

/* It has a durable copy from now on; the lock is held. */
static int finish_import(struct jpfs_conversation *conversation, const char *copy_name, bool sync)
{
	int r = place_assembled(conversation, copy_name, sync);

	if (r < 0) {
		/* The workspace and staging still have everything. */
		jp_ignore(jp_remove_tree(conversation->view->staging.fd, copy_name));
		return r == -EEXIST || r == -ENOTEMPTY ? -EAGAIN : r;
	}
	/* Put off once more: it goes to the trash if the directory stays. */
	for (struct jpfs_note *note = conversation->removed; note != NULL; note = note->next)
		jp_ignore(jpfs_note_add(&conversation->doomed, note->path)); /* it stays stored */
	conversation->drafts = 0;
	conversation->went_back = 0;
	conversation->vanished_ms = 0;
	jpfs_work_add(conversation, 0);
	return follow_import(conversation);
}

/* Whether it may be imported: 0; -EALREADY it has a durable copy; -EBADMSG it is not complete. */
static int check_import(struct jpfs_conversation *conversation)
{
	char place[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, "", place);

	if (r != -ENOENT)
		return r == 0 ? -EALREADY : r;
	/* It had one a moment ago, and whoever took it away may be about to bring it back. */
	if (conversation->vanished_ms != 0 &&
	    jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS)
		return -EAGAIN;
	r = conversation->in_view ? is_ready_for_import(conversation) : 0;
	return r == 1 ? 0 : r < 0 ? r : -EBADMSG;
}

int jpfs_import(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	char copy_name[NAME_MAX + 1];
	int r = check_import(conversation);

	if (r < 0)
		return r == -EALREADY ? 0 : r;
	jp_staging_name(&view->staging, conversation->id, "import", copy_name);
	r = assemble(conversation, copy_name, true);
	if (r < 0) {
		jp_ignore(jp_remove_tree(view->staging.fd, copy_name)); /* it was only a copy */
		return r;
	}
	return finish_import(conversation, copy_name, true);
}

/* The last versions of jp's own files that were removed before they were stored: for once they are part
 * of the conversation. References. */
static void bring_back(struct jpfs_conversation *conversation,
		       struct jpfs_entry *ret[JP_MANAGED_COUNT])
{
	for (struct jpfs_entry *entry = conversation->dirty; entry != NULL;
	     entry = entry->next_dirty) {
		if (entry->managed != JP_UNMANAGED && !entry->is_linked && !entry->is_superseded &&
		    entry->home == JPFS_STAGED &&
		    jpfs_entry_live_locked(conversation, entry->path) == NULL)
			ret[entry->managed] = entry;
	}
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if (ret[i] == NULL)
			continue;
		jpfs_object_ref(&ret[i]->object);
		ret[i]->is_linked = true;
	}
}

static void take_away_again(struct jpfs_entry *entries[JP_MANAGED_COUNT])
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if (entries[i] == NULL)
			continue;
		jpfs_entry_orphan_locked(entries[i]);
		jpfs_object_unref(&entries[i]->object);
	}
}

int jpfs_import_whole(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_entry *brought_back[JP_MANAGED_COUNT] = {NULL};
	struct jpfs_note *removed = conversation->removed;
	unsigned hidden = conversation->hidden;
	int r;

	/* The removals were put off: the workspace, or staging, still has what they were of. */
	conversation->hidden = 0;
	conversation->removed = NULL;
	bring_back(conversation, brought_back);
	r = jpfs_import(conversation);
	take_away_again(brought_back);
	conversation->hidden = hidden;
	conversation->removed = removed;
	return r;
}

/* ---- the first use of a workspace ID ---- */

/* One of a batch: copied, and to be put in place when the batch is synced. */
struct candidate {
	struct jpfs_conversation *conversation; /* borrowed */
	uint64_t writes;
	char *copy_name; /* NULL: nothing to do */
};

static int prepare(struct candidate *candidate)
{
	struct jpfs_conversation *conversation = candidate->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	char copy_name[NAME_MAX + 1];
	int r = check_import(conversation);

	if (r < 0)
		return r == -EALREADY || r == -EBADMSG || r == -EAGAIN ? 0 : r; /* it stays */
	jp_staging_name(&view->staging, conversation->id, "import", copy_name);
	r = assemble(conversation, copy_name, false);
	if (r == 0) {
		candidate->writes = conversation->writes;
		candidate->copy_name = strdup(copy_name);
		r = candidate->copy_name == NULL ? -ENOMEM : 0;
	}
	if (r < 0)
		jp_ignore(jp_remove_tree(view->staging.fd, copy_name)); /* it was only a copy */
	return r == -EAGAIN ? 0 : r;
}

static int complete(struct candidate *candidate)
{
	struct jpfs_conversation *conversation = candidate->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	int r;

	if (candidate->copy_name == NULL)
		return 0;
	if (candidate->writes != conversation->writes || !conversation->in_view) {
		/* Written meanwhile: what was copied is not what is there. */
		jp_ignore(jp_remove_tree(conversation->view->staging.fd, candidate->copy_name));
		r = jpfs_import(conversation);
		return r == -EBADMSG || r == -EAGAIN ? 0 : r;
	}
	r = finish_import(conversation, candidate->copy_name, false);
	return r == -EAGAIN ? 0 : r;
}

/* Copy them all, sync once, put them all in place: a sync for each file would take minutes. */
static int import_batch(struct jpfs_view *view, struct candidate *batch, size_t count)
{
	int failure = 0;

	for (size_t i = 0; i < count; i++) {
		int r = prepare(&batch[i]);

		failure = failure == 0 ? r : failure;
	}
	if (failure == 0 && jp_sys->syncfs(view->staging.fd) < 0)
		failure = -errno;
	for (size_t i = 0; i < count; i++) {
		int r = 0;

		if (failure == 0)
			r = complete(&batch[i]);
		else if (batch[i].copy_name != NULL)
			jp_ignore(jp_remove_tree(view->staging.fd, batch[i].copy_name));

		failure = failure == 0 ? r : failure;
		free(batch[i].copy_name);
	}
	return failure;
}

int jpfs_import_all(struct jpfs_view *view)
{
	struct candidate batch[IMPORT_BATCH];
	struct jpfs_conversation **all;
	size_t count, used = 0;
	int failure = 0, r;

	if (!view->import_all)
		return 0;
	r = jpfs_view_snapshot(view, &all, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		batch[used++] = (struct candidate){.conversation = all[i]};
		if (used < IMPORT_BATCH && i + 1 < count)
			continue;
		r = import_batch(view, batch, used);
		failure = failure == 0 ? r : failure;
		used = 0;
	}
	if (jp_sys->syncfs(view->staging.fd) < 0 && failure == 0)
		failure = -errno;
	for (size_t i = 0; i < count; i++)
		jpfs_object_unref(&all[i]->object);
	free(all);
	if (failure < 0) {
		jpfs_view_fail(view,
			       "they stay in the workspace; make room or restore access, and mount "
			       "again",
			       "not every conversation could be copied to %s: %s", view->silo->path,
			       strerrordesc_np(-failure));
		return failure;
	}
	view->import_all = false;
	return jp_sys->unlinkat(view->silo->own_fd, JP_SILO_FIRST_USE, 0) < 0 && errno != ENOENT
		       ? -errno
		       : 0;
}
