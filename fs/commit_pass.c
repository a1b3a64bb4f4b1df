/*
 * Which of a conversation's writes are committed when. They go in the order in which their writers
 * ended; one that is not due yet, or that commit.c wants to see again, is looked at in a later pass.
 */
#include "core/base/sys.h"
#include "fs/view.h"

#include <string.h>

/* A program's temporary file is stored when it has stayed this long. */
#define TEMPORARY_MS 1000

/* The first dirty entry that is due and that this pass has not looked at; a new reference. */
static struct jpfs_entry *next_due(struct jpfs_conversation *conversation, bool force,
				   uint32_t pass, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	int64_t now = jpfs_now_ms();

	for (struct jpfs_entry *entry = conversation->dirty; entry != NULL;
	     entry = entry->next_dirty) {
		bool is_temporary = jp_name_is_temporary(entry->path);
		int64_t due = entry->ended_ms + (is_temporary ? TEMPORARY_MS : 0);

		if (entry->pass == pass)
			continue;
		if (!force && entry->ended_ms == 0)
			continue; /* its end will call */
		if (!force && jp_name_is_managed_temporary(entry->path))
			continue; /* waits for its rename */
		if (!force && due > now && !entry->is_superseded) {
			jpfs_wait_at_most(wait_ms, due - now);
			continue;
		}
		entry->pass = pass;
		if (entry->ended_ms == 0)
			entry->ended_ms = now; /* nobody will end it any more */
		return (struct jpfs_entry *)jpfs_object_ref(&entry->object);
	}
	return NULL;
}

/* Which place it is that has no room, or cannot be written, is what somebody has to know. */
static void say_failure(struct jpfs_entry *entry, int r, bool is_workspaces)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	if (is_workspaces)
		jpfs_view_fail(
			view,
			"nothing is lost: the store keeps it until then, and its own version "
			"stands; make room in the worktree or restore access, and it is tried "
			"again",
			"%s/%s cannot be written to %s/.jp/conversations: %s", conversation->name,
			entry->path, view->workspace->root_path, strerrordesc_np(-r));
	else
		jpfs_view_fail(view,
			       "nothing is lost: it is tried again, and the version before stands; "
			       "make room in the store or restore access",
			       "%s/%s cannot be stored in %s: %s", conversation->name, entry->path,
			       view->silo->path, strerrordesc_np(-r));
}

int jpfs_commit_conversation(struct jpfs_conversation *conversation, bool force,
			     int64_t *ret_wait_ms)
{
	uint32_t pass;
	int failure = 0;

	jpfs_conversation_lock(conversation);
	pass = ++conversation->pass;
	pthread_mutex_unlock(&conversation->lock);
	*ret_wait_ms = -1;
	for (;;) {
		cleanup_object struct jpfs_object *object = NULL;
		struct jpfs_entry *entry = next_due(conversation, force, pass, ret_wait_ms);
		bool is_workspaces;
		int r;

		if (entry == NULL)
			return failure;
		object = &entry->object;
		r = jpfs_commit_once(entry, false, force, &is_workspaces);
		/* Changed while it was looked at: when nothing is served any more, by us alone. */
		for (int tries = 0; r == -EAGAIN && force && tries < 3; tries++)
			r = jpfs_commit_once(entry, false, force, &is_workspaces);
		if (r == -EAGAIN) {
			jpfs_wait_at_most(ret_wait_ms, 100);
		} else if (r < 0 && failure == 0) {
			failure = r;
			say_failure(entry, r, is_workspaces);
		}
	}
}

int jpfs_sync_conversation(struct jpfs_conversation *conversation,
			   const struct jpfs_entry *directory)
{
	int64_t wait;
	int r = jpfs_commit_conversation(conversation, false, &wait);

	return r < 0 ? r : jpfs_sync_placed(conversation, directory);
}
