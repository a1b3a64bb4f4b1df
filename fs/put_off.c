/*
 * Removals that were put off.
 *
 * Whoever removes a conversation does it file by file, and nobody knows at the first file that it is
 * all of them. So the removal of a file counts as one of its own only when its directory has stayed for
 * some seconds. Then a managed file leaves the workspace, and the store keeps it; the durable copy of
 * any other file goes to the trash. A conversation that has no durable copy gets one first, with
 * everything that it had.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "fs/notify.h"
#include "fs/project_parts.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

/* When a removal counts as one of its own and not as part of the directory's. */
#define SETTLE_MS 3000

/* In how many milliseconds the removal of managed files counts as one of its own; 0: it does. Somebody
 * may just be removing all of the conversation, or putting another file in the place of one. */
static int64_t settles_in_ms(const struct jpfs_conversation *conversation, bool is_final)
{
	int64_t since = conversation->incomplete_ms > conversation->hidden_ms
				? conversation->incomplete_ms
				: conversation->hidden_ms;
	int64_t left = since + SETTLE_MS - jpfs_now_ms();

	return since == 0 || is_final || left < 0 ? 0 : left + 10;
}

/* A managed file that was removed while its directory stayed. */
static int carry_out_hidden(struct jpfs_conversation *conversation, bool is_final, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	int64_t left = settles_in_ms(conversation, is_final);
	int r = 0;

	if (!conversation->in_view || conversation->hidden == 0)
		return 0;
	if (left > 0) {
		jpfs_wait_at_most(wait_ms, left);
		return 0;
	}
	if (conversation->is_new) {
		/* A directory made by hand, for a conversation that is in the store: show it. */
		conversation->is_new = false;
		conversation->hidden = 0;
		conversation->incomplete_ms = 0;
		jpfs_notify_partitions(view->notify, view);
		jpfs_work_add(conversation, 0);
		return 0;
	}
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		cleanup_close int parent = -EBADF;
		const char *name;

		if ((conversation->hidden & (1U << i)) == 0 ||
		    jpfs_returned_look_locked(conversation, (enum jp_managed)i))
			continue;
		parent = jpfs_open_side_parent_locked(conversation, false,
						      jp_managed_name((enum jp_managed)i), &name);
		if (parent < 0 && !jp_is_absent(parent))
			return parent;
		if (parent < 0 || faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
			conversation->expected &= ~(1U << i);
			continue;
		}
		if ((conversation->expected & (1U << i)) != 0)
			continue; /* nobody removed it */
		r = jpfs_durable_path_locked(conversation, "", place);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == -ENOENT) /* it is none that jp would accept */
			r = jp_keep_move(view->silo->trash_fd, conversation->id, parent, name,
					 name);
		else
			r = jpfs_keep_loser_locked(conversation, (enum jp_managed)i);
		if (r == 0 && jp_sys->unlinkat(parent, name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r;
}

static bool is_on_its_way(struct jpfs_conversation *conversation, const char *path)
{
	for (struct jpfs_entry *entry = conversation->dirty; entry != NULL;
	     entry = entry->next_dirty) {
		if (strcmp(entry->path, path) == 0)
			return true;
	}
	return false;
}

/* Whether somebody else has put another file where the removed one was. */
static bool is_another_by_now(const struct jpfs_view *view, const char *place,
			      const struct jpfs_note *note)
{
	struct stat st;

	return note->ino != 0 && jpfs_stat_beneath(view->silo->conversations_fd, place, &st) == 0 &&
	       (st.st_ino != note->ino || jp_mtime_ns(&st) != note->mtime_ns);
}

/* Unmanaged files that were removed while their directory stayed. */
int jpfs_carry_out_doomed(struct jpfs_conversation *conversation, bool is_final, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	struct jpfs_note *note, *next;
	int r = 0;

	if (!conversation->in_view || conversation->incomplete_ms != 0) {
		if (conversation->in_view && conversation->doomed != NULL)
			jpfs_wait_at_most(wait_ms, SETTLE_MS);
		return 0;
	}
	for (note = conversation->doomed; note != NULL && r == 0; note = next) {
		int64_t age = jpfs_now_ms() - note->since_ms;
		cleanup_close int parent = -EBADF;
		char place[JPFS_PATH_BYTES];
		const char *name;

		next = note->next;
		/* What was renamed has its bytes elsewhere: there is nothing to have second thoughts
		 * about, and a program's temporary file should not be seen in the store. */
		if (age < SETTLE_MS && !is_final && !note->is_moved) {
			jpfs_wait_at_most(wait_ms, SETTLE_MS - age + 10);
			continue;
		}
		if (note->is_moved ? conversation->dirty != NULL
				   : is_on_its_way(conversation, note->path)) {
			jpfs_wait_at_most(wait_ms,
					  100); /* its last version may still be on the way */
			continue;
		}
		r = jpfs_durable_path_locked(conversation, note->path, place);
		if (r == 0 && !is_another_by_now(view, place, note)) {
			r = parent = jpfs_open_parent(view->silo->conversations_fd, place, &name);
			if (parent >= 0 && (note->is_moved || jp_name_is_temporary(note->path)))
				r = jp_remove_tree(parent, name);
			else if (parent >= 0)
				r = jp_keep_move(view->silo->trash_fd, conversation->id, parent,
						 name, note->path);
		}
		if (jp_is_absent(r))
			r = 0;
		if (r == 0)
			jpfs_note_remove(&conversation->doomed, note->path);
	}
	return r;
}

/* Somebody may have stopped in the middle of removing all of a conversation that has no durable
 * copy: it gets one, whole, before anything of it goes from the workspace. */
static int save_what_was_being_removed(struct jpfs_conversation *conversation, bool is_final)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	char place[JPFS_PATH_BYTES];
	int r;

	if (!conversation->in_view || conversation->hidden == 0 || conversation->is_new ||
	    settles_in_ms(conversation, is_final) > 0)
		return 0;
	r = jpfs_durable_path_locked(conversation, "", place);
	if (r != -ENOENT)
		return r;
	r = jpfs_import_whole(conversation);
	/* It is none that jp would accept: its files go to the trash, one by one. */
	return r == -EBADMSG || r == -EAGAIN ? 0 : r;
}

/* Whether the store has what the workspace loses: a file, or a directory of which no file waits here, too. */
static bool is_stored_elsewhere(struct jpfs_conversation *conversation, const char *path)
{
	size_t length = strlen(path);

	for (const struct jpfs_note *note = conversation->removed; note != NULL;
	     note = note->next) {
		if (strncmp(note->path, path, length) == 0 && note->path[length] == '/')
			return false;
	}
	return jp_name_is_temporary(path) || jpfs_is_durable_path_locked(conversation, path);
}

/* Unmanaged files that the workspace still has although they were removed. */
static int carry_out_removed(struct jpfs_conversation *conversation, bool is_final,
			     int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	struct jpfs_note *note, *next;
	char place[JPFS_PATH_BYTES];
	int failure = jpfs_durable_path_locked(conversation, "", place);
	bool is_durable = failure == 0;

	if (failure < 0 && failure != -ENOENT)
		return failure; /* nobody can tell whether it is all there is */
	failure = 0;
	for (note = conversation->removed; note != NULL && conversation->in_view; note = next) {
		int64_t age = jpfs_now_ms() - note->since_ms;
		cleanup_close int parent = -EBADF;
		bool is_stored = is_durable && is_stored_elsewhere(conversation, note->path);
		const char *name;
		int r;

		next = note->next;
		/* What the store does not have: when it is clear that the directory stays. */
		if (!is_stored && !is_final &&
		    (age < SETTLE_MS || conversation->incomplete_ms != 0)) {
			jpfs_wait_at_most(wait_ms,
					  age < SETTLE_MS ? SETTLE_MS - age + 10 : SETTLE_MS);
			continue;
		}
		parent = jpfs_open_side_parent_locked(conversation, false, note->path, &name);
		r = parent;
		if (parent >= 0)
			r = is_stored ? jp_remove_tree(parent, name)
				      : jp_keep_move(view->silo->trash_fd, conversation->id, parent,
						     name, note->path);
		if (r == 0 || r == -ENOENT)
			jpfs_note_remove(&conversation->removed, note->path);
		else
			failure = r;
	}
	return failure;
}

int jpfs_carry_out_removals(struct jpfs_conversation *conversation, bool is_final, int64_t *wait_ms)
{
	int failure = save_what_was_being_removed(conversation, is_final);
	int r;

	if (failure < 0)
		return failure;
	failure = carry_out_removed(conversation, is_final, wait_ms);
	r = carry_out_hidden(conversation, is_final, wait_ms);
	return failure == 0 ? r : failure;
}
