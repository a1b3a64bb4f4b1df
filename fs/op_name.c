/* Making, removing and renaming: MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME. */
#include "core/conversation_id.h"
#include "fs/desktop_trash.h"
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/repeat.h"
#include "fs/transcripts.h"
#include "include/jpfs.h"

#include <stdio.h>
#include <string.h>

/* Whether a name may be made in a directory that is no conversation's inside. */
static int check_outside_name(struct jpfs_view *view, struct jpfs_object *parent, const char *name)
{
	if (jpfs_is_kept(parent) || jpfs_is_transcript(parent))
		return -EROFS;
	if (parent->kind == JPFS_CONTROL || parent->kind == JPFS_STATUS ||
	    jpfs_is_local_place(parent))
		return -EPERM;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (!jpfs_is_partition(parent))
		return 0;
	if (parent->kind == JPFS_ROOT && strcmp(name, JPFS_CONTROL_NAME) == 0)
		return -EEXIST;
	return jpfs_is_temporary_name(name) || jpfs_name_is_reserved(view, name) ? -EPERM : 0;
}

static int make_node(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		     mode_t mode, struct jpfs_object **ret)
{
	struct jpfs_inner_place place;
	struct jpfs_entry *entry;
	int r = jpfs_inner_place(parent, name, &place);

	if (r == -ENOENT) {
		r = check_outside_name(view, parent, name);
		return r < 0 ? r : jpfs_outside_mknod(view, parent, name, mode, ret);
	}
	if (r == 0 && !S_ISREG(mode))
		r = -EPERM; /* what cannot be kept durably is not made in a conversation */
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(place.conversation);

		r = jpfs_entry_lookup_locked(place.conversation, place.path, &entry);
		if (r == 0) {
			jpfs_object_unref(&entry->object);
			return -EEXIST;
		}
		r = jpfs_entry_create_locked(place.conversation, place.path, mode, &entry);
		if (r == 0)
			jpfs_entry_ended_locked(entry);
	}
	if (r == 0)
		*ret = &entry->object;
	return r;
}

/* A file that came, or went, without the kernel's doing: `ret` is there, or `ret` is NULL and it is
 * not. -EPERM nothing of the kind is known. */
static int repeat(struct jpfs_object *parent, const char *name, struct jpfs_object **ret)
{
	enum jpfs_change change = ret != NULL ? JPFS_CAME : JPFS_WENT;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_inner_place place;
	struct jpfs_entry *entry;

	if (jpfs_inner_place(parent, name, &place) < 0)
		return -EPERM;
	held = jpfs_conversation_enter(place.conversation);
	if (!jpfs_repeat_is_sent_locked(place.conversation, place.path, change))
		return -EPERM;
	jpfs_repeat_forget_locked(place.conversation, place.path);
	if (jpfs_entry_lookup_locked(place.conversation, place.path, &entry) < 0)
		return ret == NULL ? 0 : -EPERM;
	object = &entry->object;
	if (ret == NULL)
		return -EPERM;
	*ret = TAKE_PTR(object);
	return 0;
}

void jpfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	cleanup_object struct jpfs_object *object = NULL;
	int r = directory == NULL ? -ESTALE
		: jpfs_is_companion(req)
			? repeat(directory, name, &object)
			: make_node(connection->view, directory, name, mode, &object);

	(void)device;
	jpfs_reply_entry(req, "mknod", r, object);
}

static int make_directory(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			  mode_t mode, struct jpfs_object **ret)
{
	struct jpfs_inner_place place;
	struct jpfs_entry *entry;
	int r;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (jpfs_is_partition(parent))
		return jpfs_partition_mkdir(view, parent, name, mode, ret);
	if (jpfs_is_local_place(parent))
		return jpfs_local_mkdir(view, parent, name, ret);
	r = jpfs_inner_place(parent, name, &place);
	if (r == -ENOENT) {
		r = check_outside_name(view, parent, name);
		return r < 0 ? r : jpfs_outside_mkdir(view, parent, name, mode, ret);
	}
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(place.conversation);

		r = jpfs_entry_mkdir_locked(place.conversation, place.path, mode & 07777, &entry);
	}
	if (r == 0)
		*ret = &entry->object;
	return r;
}

static void make_asked_directory(fuse_req_t req, struct jpfs_connection *connection,
				 fuse_ino_t parent, const char *name, mode_t mode)
{
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	cleanup_object struct jpfs_object *object = NULL;
	int r = directory == NULL
			? -ESTALE
			: make_directory(connection->view, directory, name, mode, &object);

	jpfs_reply_entry(req, "mkdir", r, object);
}

void jpfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);

	/* It wanted the kernel to look, and does not mean it. */
	if (jpfs_is_companion(req)) {
		jpfs_reply_result(req, "mkdir", -EEXIST);
		return;
	}
	make_asked_directory(req, connection, parent, name, mode);
}

static int make_symlink(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			const char *target, struct jpfs_object **ret)
{
	struct jpfs_inner_place place;
	struct jpfs_entry *entry;
	int r = jpfs_inner_place(parent, name, &place);

	if (r == -ENOENT) {
		r = check_outside_name(view, parent, name);
		return r < 0 ? r : jpfs_outside_symlink(view, target, parent, name, ret);
	}
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(place.conversation);

		r = jpfs_entry_symlink_locked(place.conversation, target, place.path, &entry);
	}
	if (r == 0)
		*ret = &entry->object;
	return r;
}

void jpfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	cleanup_object struct jpfs_object *object = NULL;
	int r = directory == NULL
			? -ESTALE
			: make_symlink(connection->view, directory, name, target, &object);

	jpfs_reply_entry(req, "symlink", r, object);
}

void jpfs_op_link(fuse_req_t req, fuse_ino_t nodeid, fuse_ino_t new_parent, const char *new_name)
{
	(void)nodeid;
	(void)new_parent;
	(void)new_name;
	/* Two names for one file would be two files on the other side. Programs then copy. */
	jpfs_reply_result(req, "link", -EPERM);
}

static int remove_file(struct jpfs_view *view, struct jpfs_object *parent, const char *name)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_inner_place place;
	int r = jpfs_inner_place(parent, name, &place);

	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(place.conversation);

		return jpfs_entry_unlink_locked(place.conversation, place.path);
	}
	if (r != -ENOENT)
		return r;
	if (jpfs_is_kept(parent) || jpfs_is_transcript(parent))
		return -EROFS;
	if (parent->kind == JPFS_CONTROL || jpfs_is_local_place(parent))
		return -EPERM;
	if (jpfs_is_partition(parent)) {
		r = jpfs_partition_lookup(view, parent, name, &object);
		if (r < 0)
			return r;
		if (object->kind != JPFS_OUTSIDER)
			return -EISDIR;
	}
	return jpfs_outside_unlink(view, parent, name, false);
}

static void note_emptiness(struct jpfs_connection *connection, int r, struct jpfs_object *parent)
{
	struct jpfs_view *view = connection->view;

	if (r < 0 || parent == NULL || !jpfs_is_partition(parent) || !jpfs_view_is_empty(view))
		return;
	/* Whoever removes the directory next must find it as empty as it is shown. */
	pthread_mutex_lock(&view->names);
	jp_ignore(jpfs_seconds_sweep_held(view, false)); /* or meets what is left */
	pthread_mutex_unlock(&view->names);
	connection->became_empty(connection);
}

void jpfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	int r = -ESTALE;

	if (directory != NULL && jpfs_is_companion(req)) {
		jpfs_reply_result(req, "unlink", repeat(directory, name, NULL));
		return;
	}
	if (directory != NULL)
		r = remove_file(connection->view, directory, name);
	note_emptiness(connection, r, directory);
	jpfs_reply_result(req, "unlink", r);
}

static int remove_directory(struct jpfs_view *view, struct jpfs_object *parent, const char *name)
{
	struct jpfs_inner_place place;
	int r;

	if (jpfs_is_partition(parent))
		return jpfs_partition_rmdir(view, parent, name);
	if (jpfs_is_local_place(parent))
		return jpfs_local_rmdir(view, parent, name);
	r = jpfs_inner_place(parent, name, &place);
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(place.conversation);

		return jpfs_entry_rmdir_locked(place.conversation, place.path);
	}
	if (r != -ENOENT)
		return r;
	return jpfs_is_kept(parent) || jpfs_is_transcript(parent) ? -EROFS
	       : parent->kind == JPFS_CONTROL                     ? -EPERM
					      : jpfs_outside_unlink(view, parent, name, true);
}

void jpfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	int r = directory == NULL ? -ESTALE : remove_directory(connection->view, directory, name);

	note_emptiness(connection, r, directory);
	jpfs_reply_result(req, "rmdir", r);
}

static int rename_inside(struct jpfs_conversation *conversation, const char *path,
			 const char *new_path, unsigned flags)
{
	cleanup_object struct jpfs_object *object = NULL;
	pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	struct jpfs_entry *entry;
	bool was_synced = false;
	int r;

	r = jpfs_entry_rename_locked(conversation, path, new_path, flags);
	if (r == 0 && jpfs_entry_lookup_locked(conversation, new_path, &entry) == 0) {
		object = &entry->object;
		was_synced = entry->was_synced && entry->is_dirty;
	}
	jp_unlockp(&held);
	/* Who synced the bytes before giving them this name wants the name to last, too. */
	return was_synced ? jpfs_commit_entry(entry, true) : r;
}

static int rename_name(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		       struct jpfs_object *new_parent, const char *new_name, unsigned flags)
{
	struct jpfs_inner_place from, to;
	int inside = jpfs_inner_place(parent, name, &from);
	int new_inside = jpfs_inner_place(new_parent, new_name, &to);

	if (inside < 0 && inside != -ENOENT)
		return inside;
	if (new_inside < 0 && new_inside != -ENOENT)
		return new_inside;
	if (jpfs_is_kept(parent) || jpfs_is_kept(new_parent) || jpfs_is_transcript(parent) ||
	    jpfs_is_transcript(new_parent))
		return -EROFS;
	if (parent->kind == JPFS_CONTROL || new_parent->kind == JPFS_CONTROL)
		return -EPERM;
	if (inside == 0 && new_inside == 0 && from.conversation == to.conversation)
		return rename_inside(from.conversation, from.path, to.path, flags);
	/* Each conversation is stored as a unit: between two of them, programs copy. */
	if (inside == 0 && new_inside < 0)
		return jpfs_desktop_trash_put(from.conversation, from.path, new_parent, new_name);
	if (inside == 0 || new_inside == 0)
		return -EXDEV;
	if (strlen(new_name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (jpfs_is_local_place(parent) || jpfs_is_local_place(new_parent))
		return jpfs_local_rename(view, parent, name, new_parent, new_name, flags);
	return jpfs_partition_rename(view, parent, name, new_parent, new_name, flags);
}

void jpfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		    const char *new_name, unsigned int flags)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	cleanup_object struct jpfs_object *target = jpfs_node_get(&connection->nodes, new_parent);
	int r = directory == NULL || target == NULL
			? -ESTALE
			: rename_name(connection->view, directory, name, target, new_name, flags);

	jpfs_reply_result(req, "rename", r);
}
