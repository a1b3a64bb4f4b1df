/*
 * Renaming whole conversations: within a partition, into the archive and out of it, to where they are
 * none, and from elsewhere to where they become one.
 *
 * A name or a partition that is changed through the mount is changed on both sides, the durable one
 * first: if only that happened, the two are still matched by ID.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "fs/desktop_trash.h"
#include "fs/partition_parts.h"
#include "fs/view.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int jpfs_rename_durable_locked(struct jpfs_conversation *conversation, const char *new_name,
			       bool is_archived)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int archive = -EBADF, lock = -EBADF;
	char path[JP_CONVERSATION_PATH_BYTES], target[JPFS_PATH_BYTES];
	int r;

	lock = jp_dir_index_lock(view->silo->conversations_fd);
	if (lock < 0)
		return lock;
	r = jp_dir_index_find(view->durable_index, conversation->id, path, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (is_archived) {
		archive = jp_open_or_make_dir(view->silo->conversations_fd, JP_ARCHIVE_NAME, 0700);
		if (archive < 0)
			return archive;
	}
	(void)snprintf(target, sizeof(target), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "",
		       new_name);
	if (strcmp(path, target) == 0)
		return 0; /* jp renames and archives its own side first, or after */
	r = jp_rename_noreplace(view->silo->conversations_fd, path, view->silo->conversations_fd,
				target);
	jp_dir_index_expire(view->durable_index);
	if (r == -EEXIST || r == -ENOTEMPTY || r == -ENOENT)
		return 0; /* somebody else was there first; the ID tells which it is all the same */
	if (r == 0 && (jp_sys->fsync(view->silo->conversations_fd) < 0 ||
		       (archive >= 0 && jp_sys->fsync(archive) < 0)))
		r = -errno;
	return r;
}

/* The durable copy follows what was changed here, and only that: its name, or its partition. */
static int rename_durable(struct jpfs_conversation *conversation, const char *new_name,
			  bool name_changed, bool is_archived, bool partition_changed)
{
	char path[JP_CONVERSATION_PATH_BYTES];
	const char *base;
	bool was_archived;
	int r = jp_dir_index_find(conversation->view->durable_index, conversation->id, path,
				  &was_archived);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	return jpfs_rename_durable_locked(conversation, name_changed ? new_name : base,
					  partition_changed ? is_archived : was_archived);
}

/* A conversation stays itself and gets another name or partition. */
int jpfs_partition_rename_held(struct jpfs_conversation *conversation,
			       struct jpfs_object *new_parent, const char *new_name)
{
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	bool is_archived = new_parent->kind == JPFS_ARCHIVE;
	bool partition_changed = is_archived != conversation->is_archived;
	bool name_changed = strcmp(conversation->name, new_name) != 0;
	cleanup_close int to_parent = -EBADF;
	char from[JPFS_PATH_BYTES], to[JPFS_PATH_BYTES];
	char *copy = strdup(new_name);
	const char *to_name;
	int r;

	if (copy == NULL)
		return -ENOMEM;
	jpfs_workspace_path(conversation, "", from);
	(void)snprintf(to, sizeof(to), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "", new_name);
	to_parent = jpfs_open_parent(view->workspace_fd, to, &to_name);
	if (to_parent == -ELOOP || to_parent == -ENOTDIR) {
		free(copy);
		return to_parent; /* nothing can arrive there, so nothing leaves */
	}
	/* Durable first: if only that happened, the two are still matched by ID. */
	r = rename_durable(conversation, new_name, name_changed, is_archived, partition_changed);
	if (r == 0) {
		r = jpfs_rename_beneath(view->workspace_fd, from, to, RENAME_NOREPLACE);
		/* A second directory of the same ID, which nobody is shown. */
		if (r == -EEXIST && jpfs_second_put_aside(view, conversation->id, to) == 0)
			r = jpfs_rename_beneath(view->workspace_fd, from, to, RENAME_NOREPLACE);
		/* It has no directory there yet, or never can: the view knows better. */
		if (r == -ENOENT || r == -EROFS || r == -ENOSPC || r == -EDQUOT) {
			jpfs_work_add(conversation, 0);
			r = 0;
		}
	}
	if (r < 0) {
		free(copy);
		return r;
	}
	free(conversation->name);
	conversation->name = copy;
	conversation->is_archived = is_archived;
	jpfs_conversation_changed_locked(conversation);
	return 0;
}

/* Everything that the view shows of it is in the workspace's directory. */
static int materialise(struct jpfs_conversation *conversation)
{
	int64_t wait;
	int r = jpfs_commit_conversation(conversation, true, &wait);
	int projected = jpfs_project_conversation(conversation, false, &wait);

	return r < 0 ? r : projected;
}

/* A conversation's directory goes to a place where it is none, or becomes another conversation:
 * this one leaves the projection. */
static int rename_away(struct jpfs_conversation *conversation, struct jpfs_object *new_parent,
		       const char *new_name, unsigned flags)
{
	struct jpfs_view *view = conversation->view;
	cleanup_object struct jpfs_object *added = NULL;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_close int source = -EBADF, target = -EBADF;
	char from[JPFS_PATH_BYTES], to[JPFS_PATH_BYTES];
	struct jpfs_conversation *other;
	const char *name, *last;
	uint64_t id;
	int to_root, r;

	/* What can't be brought over is in the store; jp gives up when its trash refuses. */
	(void)materialise(conversation);
	r = jpfs_outside_path(view, new_parent, new_name, &to_root, to);
	if (r < 0)
		return r;
	held = jpfs_conversation_lock(conversation);
	/* A draft goes along. But where it goes nobody keeps it: jp's trash is emptied some day. */
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if ((conversation->drafts & (1U << i)) != 0)
			jp_ignore(jpfs_keep_loser_locked(conversation, (enum jp_managed)i));
	}
	jp_ignore(jpfs_save_only_here_locked(conversation));
	jpfs_workspace_path(conversation, "", from);
	r = jpfs_mkdir_beneath(view->workspace_fd, from, 0777 & ~view->umask);
	if (r < 0 && r != -EEXIST)
		return r;
	source = jpfs_open_parent(view->workspace_fd, from, &name);
	target = jpfs_open_parent(to_root, to, &last);
	if (source < 0 || target < 0)
		return source < 0 ? source : target;
	r = jpfs_desktop_trash_move(source, name, target, last, flags);
	if (r < 0)
		return r;
	jpfs_partition_take_out_locked(conversation);
	if (jp_conversation_id_parse(new_name, &id) == 0)
		jpfs_local_retire(view, id);
	if (!jpfs_is_partition(new_parent) || jp_conversation_id_parse(new_name, &id) < 0)
		return 0;
	r = jpfs_view_add(view, id, new_name, new_parent->kind == JPFS_ARCHIVE, &other);
	if (r < 0)
		return r;
	added = &other->object;
	jpfs_work_add(other, 0);
	/* The new ID's first durable copy: what is written through the mount is durable. */
	r = jpfs_import(other);
	return r == -EBADMSG || r == -EAGAIN ? 0 : r;
}

/* A directory from elsewhere gets a conversation's name. */
static int rename_here(struct jpfs_view *view, struct jpfs_object *old_parent, const char *old_name,
		       struct jpfs_object *new_parent, const char *new_name, uint64_t id,
		       unsigned flags)
{
	cleanup_object struct jpfs_object *source = NULL;
	struct stat st;
	int r = jpfs_outside_lookup(view, old_parent, old_name, &source);

	if (r == 0)
		r = jpfs_outside_stat(view, source, &st);
	if (r < 0)
		return r;
	if (!S_ISDIR(st.st_mode))
		return jpfs_outside_rename(view, old_parent, old_name, new_parent, new_name, flags);
	r = jpfs_outside_rename(view, old_parent, old_name, new_parent, new_name, flags);
	if (r < 0)
		return r;
	jpfs_outside_moved(view, new_parent, new_name, NULL, NULL);
	jpfs_local_retire(view, id);
	r = jpfs_view_add(view, id, new_name, new_parent->kind == JPFS_ARCHIVE, NULL);
	if (r == 0) {
		struct jpfs_conversation *conversation = jpfs_view_find(view, id);

		if (conversation != NULL) {
			jpfs_work_add(conversation, 0);
			r = jpfs_import(conversation);
			jpfs_object_unref(&conversation->object);
		}
	}
	return r == -EBADMSG || r == -EAGAIN ? 0 : r;
}

int jpfs_partition_rename(struct jpfs_view *view, struct jpfs_object *old_parent,
			  const char *old_name, struct jpfs_object *new_parent,
			  const char *new_name, unsigned flags)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	cleanup_object struct jpfs_object *old_object = NULL, *new_object = NULL;
	struct jpfs_conversation *conversation;
	uint64_t new_id = 0;
	bool is_conversation_name;
	int r;

	conversation = jpfs_partition_find(view, old_parent, old_name);
	old_object = conversation != NULL ? &conversation->object : NULL;
	is_conversation_name =
		jpfs_is_partition(new_parent) && jp_conversation_id_parse(new_name, &new_id) == 0;
	if (jpfs_is_temporary_name(new_name) ||
	    (new_parent->kind == JPFS_ROOT && (strcmp(new_name, JPFS_CONTROL_NAME) == 0 ||
					       strcmp(new_name, JP_ARCHIVE_NAME) == 0)) ||
	    (old_parent->kind == JPFS_ROOT &&
	     (strcmp(old_name, JPFS_CONTROL_NAME) == 0 || strcmp(old_name, JP_ARCHIVE_NAME) == 0)))
		return -EPERM;
	if (conversation != NULL && is_conversation_name && conversation->id == new_id)
		return (flags & RENAME_EXCHANGE) != 0
			       ? -EINVAL
			       : jpfs_partition_rename_held(conversation, new_parent, new_name);
	if (jpfs_is_partition(new_parent) && jpfs_name_is_reserved(view, new_name)) {
		struct jpfs_conversation *target = jpfs_partition_find(view, new_parent, new_name);

		if (target == NULL)
			return -EPERM;
		new_object = &target->object;
		if ((flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
			return (flags & RENAME_EXCHANGE) != 0 ? -EINVAL : -EEXIST;
		/* As for any directory: only an empty one can be replaced. */
		r = jpfs_partition_remove_held(target);
		if (r < 0)
			return r;
	}
	if ((flags & RENAME_EXCHANGE) != 0 && conversation != NULL)
		return -EINVAL;
	if (conversation != NULL || is_conversation_name) {
		r = conversation != NULL ? rename_away(conversation, new_parent, new_name, flags)
					 : rename_here(view, old_parent, old_name, new_parent,
						       new_name, new_id, flags);
		/* The kernel moves what it holds, and here it is another thing from now on. */
		if (r == 0)
			jpfs_outside_tell_name(view, new_parent, new_name);
		return r;
	}
	return jpfs_outside_rename(view, old_parent, old_name, new_parent, new_name, flags);
}
