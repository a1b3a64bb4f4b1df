/*
 * Conversations that are made in the root or in `.archive`, and that go from there.
 *
 * What goes is taken out of this worktree. Its durable copy keeps every file that it had; and what
 * has no durable copy gets one first, or a place in the trash if jp would not accept it.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/history.h"
#include "core/origin.h"
#include "fs/notify.h"
#include "fs/partition_parts.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

/* An ID is the time of a conversation's beginning: one that is made just now was started here, and
 * one that is older was brought (by git, by jp, which projects it again). */
#define BEGINNING_SECONDS 600

static void note_origin(struct jpfs_view *view, uint64_t id)
{
	struct timespec now;
	int64_t began = (int64_t)(id / 10);

	clock_gettime(CLOCK_REALTIME, &now);
	if (!view->is_read_only && began > now.tv_sec - BEGINNING_SECONDS &&
	    began < now.tv_sec + BEGINNING_SECONDS)
		jp_ignore(jp_origin_record(view->silo->own_fd, id,
					   jp_workspace_slug(view->workspace))); /* only a name */
}

static int make_conversation(struct jpfs_view *view, struct jpfs_object *parent, uint64_t id,
			     const char *name, mode_t mode, struct jpfs_object **ret)
{
	struct jpfs_conversation *conversation;
	char path[JPFS_PATH_BYTES];
	struct stat st;
	int r;

	jpfs_local_retire(view, id);
	r = jpfs_view_add(view, id, name, parent->kind == JPFS_ARCHIVE, &conversation);
	if (r < 0)
		return r;
	note_origin(view, id);
	jpfs_conversation_lock(conversation);
	conversation->is_reconciled = true; /* the workspace has nothing yet */
	/* Empty, as whoever makes a directory expects it: git creates its files exclusively. */
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		r = jpfs_durable_path_locked(conversation, jp_managed_name((enum jp_managed)i),
					     path);
		if (r < 0)
			break;
		if (fstatat(view->silo->conversations_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		conversation->hidden |= 1U << i;
		jpfs_know_version_locked(conversation, (enum jp_managed)i, &st);
	}
	conversation->is_new = true;
	jpfs_conversation_changed_locked(conversation);
	jpfs_workspace_path(conversation, "", path);
	if (r == 0 || r == -ENOENT)
		r = jpfs_mkdir_beneath(view->workspace_fd, path, mode & 07777);
	/* Shown, and taken away beneath the mount: it is there again then. */
	if (r == -ENOENT && conversation->is_archived && jpfs_workspace_make_archive(view) == 0)
		r = jpfs_mkdir_beneath(view->workspace_fd, path, mode & 07777);
	if (r == -ENOSPC || r == -EDQUOT || r == -EROFS)
		r = 0;
	if (r == 0)
		jpfs_conversation_settle_locked(conversation);
	else
		jpfs_view_drop(conversation);
	pthread_mutex_unlock(&conversation->lock);
	if (r < 0) {
		jpfs_object_unref(&conversation->object);
		return r;
	}
	*ret = &conversation->object;
	return 0;
}

/* Whether the store has it live, in a directory of this name. */
static bool is_live_in_store(struct jpfs_view *view, uint64_t id, const char *name)
{
	char path[JP_CONVERSATION_PATH_BYTES];

	return jp_dir_index_find(view->durable_index, id, path, NULL) == 0 &&
	       strcmp(path, name) == 0;
}

/* Whether somebody finds a conversation here. Of what is archived, a part is none, however long it has
 * been there: git has brought one of its files, say. */
static bool is_shown(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);

	if (!conversation->is_archived)
		return jpfs_conversation_is_listed(conversation);
	jpfs_conversation_settle_locked(conversation);
	return conversation->incomplete_ms == 0;
}

/*
 * jp saves in the store first, and then makes the same live directory here, if it finds none. What this
 * worktree has archived stays where it is, as a second directory of its ID (second.c): jp has such a
 * conversation live and archived. One that it was not shown, because it is on its way in or out, gets
 * the new name, and so does what is archived only in part: nobody would see to a piece that is
 * beside the whole. Anybody else who wants one more directory for an ID is told that it has one.
 *
 * Returns: 0, and the way is free or *ret is what was made; -errno.
 */
static int make_way(struct jpfs_view *view, struct jpfs_object *parent, uint64_t id,
		    const char *name, struct jpfs_object **ret)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);
	int64_t wait;
	int r;

	if (conversation == NULL)
		return -EEXIST;
	object = &conversation->object;
	if (parent->kind != JPFS_ROOT || view->is_read_only || !is_live_in_store(view, id, name))
		return -EEXIST;
	if (!is_shown(conversation)) {
		r = jpfs_partition_rename_held(conversation, parent, name);
		if (r == 0)
			*ret = TAKE_PTR(object);
		return r;
	}
	if (!conversation->is_archived)
		return -EEXIST;
	/* What was closed before this moment goes first. */
	jp_ignore(jpfs_commit_conversation(conversation, true, &wait)); /* it is tried again */
	r = jpfs_second_note(view, id);
	if (r < 0)
		return r;
	jpfs_conversation_lock(conversation);
	jpfs_partition_take_out_locked(conversation);
	conversation->made_way = true;
	pthread_mutex_unlock(&conversation->lock);
	/* Its name is told in a moment, and jp may look for it before. That asks for the attributes then,
	 * and by the answer the kernel asks for the name by itself. */
	if (view->notify != NULL)
		jpfs_notify_inode(view->notify, object->serial, true);
	jpfs_outside_tell_name(view, &view->archive, conversation->name);
	jpfs_notify_partitions(view->notify, view);
	return 0;
}

int jpfs_partition_mkdir(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			 mode_t mode, struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	struct jpfs_object *existing;
	uint64_t id;
	int r;

	if (jpfs_is_temporary_name(name))
		return -EPERM;
	if (jpfs_partition_lookup(view, parent, name, &existing) == 0) {
		jpfs_object_unref(existing);
		return -EEXIST;
	}
	if (parent->kind == JPFS_ROOT && strcmp(name, JP_ARCHIVE_NAME) == 0) {
		if (jp_sys->mkdirat(view->workspace_fd, name, mode & 07777) < 0)
			return -errno;
		*ret = jpfs_object_ref(&view->archive);
		return 0;
	}
	r = jp_conversation_id_parse(name, &id);
	if (jpfs_name_is_reserved(view, name)) { /* one directory for each conversation */
		*ret = NULL;
		r = r < 0 ? -EEXIST : make_way(view, parent, id, name, ret);
		if (r < 0 || *ret != NULL)
			return r;
	}
	return r == 0 ? make_conversation(view, parent, id, name, mode, ret)
		      : jpfs_outside_mkdir(view, parent, name, mode, ret);
}

void jpfs_partition_take_out_locked(struct jpfs_conversation *conversation)
{
	jpfs_conversation_leave_locked(conversation);
	jpfs_view_drop(conversation);
	jp_ignore(jp_base_forget(conversation->view->base, conversation->id)); /* only knowledge */
	jpfs_work_add(conversation, 0); /* what was closed and not yet stored still will be */
}

/* A conversation that the store does not have yet goes: it gets its durable copy now, with every
 * file that it had, or a place in the trash if it is none that jp would accept. */
static int save_only_copy(struct jpfs_conversation *conversation, int parent, const char *name)
{
	char path[JPFS_PATH_BYTES];
	int r;

	if (parent < 0 && parent != -ENOENT)
		return parent;
	r = jpfs_durable_path_locked(conversation, "", path);
	if (r != -ENOENT)
		return r;
	if (conversation->hidden == 0 && conversation->removed == NULL)
		return 0; /* made and removed, with nothing ever in it */
	/* Also where the workspace has no directory of it: what was written may still be in staging. */
	r = jpfs_import_whole(conversation);
	/* -EAGAIN: jp has just taken the durable copy away, to remove it or to replace it. Either way
	 * this may be the last one. */
	if ((r != -EBADMSG && r != -EAGAIN) || parent < 0)
		return r == -EBADMSG || r == -EAGAIN ? 0 : r;
	r = jp_keep_copy(conversation->view->silo->trash_fd, conversation->id, parent, name, name);
	return r == -ENOENT ? 0 : r;
}

int jpfs_partition_remove_held(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	cleanup_close int parent = -EBADF;
	struct jpfs_listing listing = {0};
	char path[JPFS_PATH_BYTES];
	const char *name;
	bool is_empty;
	int r;

	r = jpfs_conversation_list(conversation, "", &listing);
	is_empty = listing.count == 0;
	jpfs_listing_release(&listing);
	if (r < 0 || !is_empty)
		return r < 0 ? r : -ENOTEMPTY;
	jpfs_workspace_path(conversation, "", path);
	parent = jpfs_open_parent(view->workspace_fd, path, &name);
	r = save_only_copy(conversation, parent, name);
	if (r == 0 && parent >= 0)
		r = jpfs_remove_projection_locked(conversation, parent, name);
	if (r == 0)
		jpfs_partition_take_out_locked(conversation);
	return r;
}

int jpfs_partition_rmdir(struct jpfs_view *view, struct jpfs_object *parent, const char *name)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	cleanup_object struct jpfs_object *object = NULL;
	int r = jpfs_partition_lookup(view, parent, name, &object);
	int64_t wait;

	if (r < 0)
		return r;
	switch (object->kind) {
	case JPFS_CONVERSATION:
		r = jpfs_partition_remove_held(jpfs_as_conversation(object));
		pthread_mutex_unlock(TAKE_PTR(held));
		/* What was closed a moment ago is in the store before somebody can bring it back from there. */
		if (r == 0)
			jp_ignore(jpfs_commit_conversation(jpfs_as_conversation(object), false,
							   &wait)); /* it is tried again */
		return r;
	case JPFS_ARCHIVE: {
		struct jpfs_listing listing = {0};
		bool is_empty;

		pthread_mutex_unlock(TAKE_PTR(held));
		r = jpfs_partition_list(view, object, &listing);
		is_empty = listing.count == 0;
		jpfs_listing_release(&listing);
		if (r < 0 || !is_empty)
			return r < 0 ? r : -ENOTEMPTY;
		held = jp_lock(&view->names);
		r = jpfs_seconds_sweep_held(view, true);
		if (r == 0 && jp_sys->unlinkat(view->workspace_fd, name, AT_REMOVEDIR) < 0)
			r = -errno;
		return r;
	}
	case JPFS_OUTSIDER:
		return jpfs_outside_unlink(view, parent, name, true);
	case JPFS_ROOT:
	case JPFS_CONTROL:
	case JPFS_STATUS:
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
	case JPFS_HISTORY:
	case JPFS_KEPT_OF:
	case JPFS_KEPT:
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
	case JPFS_TRANSCRIPT:
	case JPFS_ENTRY:
		break;
	}
	return -EPERM;
}
