/*
 * `.jpfs/local/`: the conversations of the store that this worktree does not have.
 *
 * They are read and written there like any other, only that nothing is projected: there is no
 * workspace side. Moving one out of here into the root projects it, moving one in takes it out of
 * the projection; that is what `jp conversation edit --local` toggles. A directory made here is a
 * conversation that is never projected. Archived ones are in `.archive/`, as on either side.
 *
 * Removing one here is on purpose, because nothing walks in by accident: its durable directory goes
 * to the silo's trash, whole.
 *
 * An object is made for one when it is first looked up, and stays in a table of its own: the same
 * ID is never in both tables, and while a conversation is in the view it is not here.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/history.h"
#include "core/origin.h"
#include "fs/notify.h"
#include "fs/told.h"

#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

bool jpfs_is_local_place(const struct jpfs_object *object)
{
	return object->kind == JPFS_LOCAL || object->kind == JPFS_LOCAL_ARCHIVE;
}

static int compare_ids(const void *first, const void *second)
{
	uint64_t a = ((const struct jpfs_conversation *)first)->id;
	uint64_t b = ((const struct jpfs_conversation *)second)->id;

	return a < b ? -1 : a > b;
}

/* ---- the table ---- */

static struct jpfs_conversation *find_object(struct jpfs_view *view, uint64_t id)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	const struct jpfs_conversation key = {.id = id};
	struct jpfs_conversation **found = tfind(&key, &view->locals, compare_ids);

	if (found == NULL)
		return NULL;
	jpfs_object_ref(&(*found)->object);
	return *found;
}

/* Put it in the table, which gets a reference of its own. */
static int insert_object(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct jpfs_conversation **place = tsearch(conversation, &view->locals, compare_ids);

	if (place == NULL)
		return -ENOMEM;
	if (*place != conversation)
		return -EEXIST;
	jpfs_object_ref(&conversation->object);
	return 0;
}

static void remove_object(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	struct jpfs_conversation **found;
	bool was_there = false;

	pthread_mutex_lock(&view->table);
	found = tfind(conversation, &view->locals, compare_ids);
	if (found != NULL && *found == conversation) {
		(void)tdelete(conversation, &view->locals, compare_ids);
		was_there = true;
	}
	pthread_mutex_unlock(&view->table);
	if (was_there)
		jpfs_object_unref(&conversation->object); /* the table's; the caller has one */
}

static bool is_in_view(struct jpfs_view *view, uint64_t id)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);

	if (conversation != NULL)
		jpfs_object_unref(&conversation->object);
	return conversation != NULL;
}

static int make_object(struct jpfs_view *view, uint64_t id, const char *name, bool is_archived,
		       bool is_durable, struct jpfs_conversation **ret)
{
	struct jpfs_conversation *conversation;
	int r = jpfs_conversation_new(view, id, name, is_archived, &conversation);

	if (r < 0)
		return r;
	conversation->is_local = true;
	conversation->is_reconciled = true; /* there is no other side */
	conversation->was_durable = is_durable;
	r = insert_object(conversation);
	if (r < 0) {
		jpfs_object_unref(&conversation->object);
		return r;
	}
	*ret = conversation;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The object of a conversation that is not in the view, as the store has it now. */
static int find_local(struct jpfs_view *view, uint64_t id, struct jpfs_conversation **ret)
{
	char path[JP_CONVERSATION_PATH_BYTES];
	struct jpfs_conversation *conversation;
	bool is_archived;
	int r;

	if (is_in_view(view, id))
		return -ENOENT;
	conversation = find_object(view, id);
	r = jp_dir_index_find(view->durable_index, id, path, &is_archived);
	if (r == -ENOENT && conversation != NULL && !conversation->was_durable) {
		*ret = conversation; /* just made here */
		return 0;
	}
	if (r < 0) {
		if (conversation != NULL && r == -ENOENT) {
			jpfs_conversation_lock(conversation);
			conversation->in_view = false; /* jp removed it */
			pthread_mutex_unlock(&conversation->lock);
			remove_object(conversation);
		}
		if (conversation != NULL)
			jpfs_object_unref(&conversation->object);
		return r;
	}
	if (conversation == NULL)
		return make_object(view, id, base_name(path), is_archived, true, ret);
	jpfs_conversation_lock(conversation);
	if (strcmp(conversation->name, base_name(path)) != 0) {
		char *copy = strdup(base_name(path));

		if (copy != NULL) {
			free(conversation->name);
			conversation->name = copy;
		}
	}
	conversation->is_archived = is_archived;
	pthread_mutex_unlock(&conversation->lock);
	*ret = conversation;
	return 0;
}

/* ---- looking ---- */

/* A conversation by its name in `.jpfs/local` or its archive; names is held. */
static int find_named(struct jpfs_view *view, const struct jpfs_object *place, const char *name,
		      struct jpfs_conversation **ret)
{
	struct jpfs_conversation *conversation;
	uint64_t id;
	bool is_it;
	int r;

	if (jp_conversation_id_parse(name, &id) < 0)
		return -ENOENT;
	r = find_local(view, id, &conversation);
	if (r < 0)
		return r;
	is_it = strcmp(conversation->name, name) == 0 &&
		conversation->is_archived == (place->kind == JPFS_LOCAL_ARCHIVE);
	if (!is_it) {
		jpfs_object_unref(&conversation->object);
		return -ENOENT;
	}
	*ret = conversation;
	return 0;
}

int jpfs_local_lookup(struct jpfs_view *view, struct jpfs_object *place, const char *name,
		      struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	struct jpfs_conversation *conversation;
	int r;

	if (place->kind == JPFS_LOCAL && strcmp(name, JP_ARCHIVE_NAME) == 0) {
		*ret = jpfs_object_ref(&view->local_archive);
		return 0;
	}
	r = find_named(view, place, name, &conversation);
	if (r == 0)
		*ret = &conversation->object;
	return r;
}

struct listing_of {
	struct jpfs_listing *listing;
	bool is_archived;
	int failure;
};

/* One that was made here and has no durable copy yet. */
static void list_new(const void *node, VISIT visit, void *closure)
{
	struct listing_of *of = closure;
	const struct jpfs_conversation *conversation;

	if (visit != postorder && visit != leaf)
		return;
	conversation = *(struct jpfs_conversation *const *)node;
	if (!conversation->was_durable && conversation->is_archived == of->is_archived &&
	    of->failure == 0)
		of->failure = jpfs_listing_add(of->listing, conversation->name,
					       conversation->object.serial, S_IFDIR);
}

int jpfs_local_list(struct jpfs_view *view, struct jpfs_object *place, struct jpfs_listing *listing)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	struct listing_of of = {.listing = listing,
				.is_archived = place->kind == JPFS_LOCAL_ARCHIVE};
	struct jp_index_entry *entries;
	size_t count;
	int r = jp_dir_index_copy(view->durable_index, &entries, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++) {
		/* One directory for each ID: the live one, if the store has both. */
		if ((i > 0 && entries[i].id == entries[i - 1].id) ||
		    entries[i].is_archived != of.is_archived || is_in_view(view, entries[i].id))
			continue;
		r = jpfs_listing_add(listing, entries[i].name, 0, S_IFDIR);
	}
	jp_index_entries_free(entries, count);
	if (r == 0 && !of.is_archived)
		r = jpfs_listing_add(listing, JP_ARCHIVE_NAME, view->local_archive.serial, S_IFDIR);
	if (r < 0)
		return r;
	pthread_mutex_lock(&view->table);
	twalk_r(view->locals, list_new, &of);
	pthread_mutex_unlock(&view->table);
	return of.failure;
}

/* ---- making and removing ---- */

int jpfs_local_mkdir(struct jpfs_view *view, struct jpfs_object *place, const char *name,
		     struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	struct jpfs_conversation *conversation;
	uint64_t id;
	int r;

	if (view->is_read_only)
		return -EROFS;
	if (jp_conversation_id_parse(name, &id) < 0)
		return strcmp(name, JP_ARCHIVE_NAME) == 0 ? -EEXIST : -EPERM;
	if (is_in_view(view, id))
		return -EEXIST;
	r = find_local(view, id, &conversation);
	if (r == 0) {
		jpfs_object_unref(&conversation->object);
		return -EEXIST;
	}
	if (r != -ENOENT)
		return r;
	r = make_object(view, id, name, place->kind == JPFS_LOCAL_ARCHIVE, false, &conversation);
	if (r < 0)
		return r;
	jpfs_conversation_lock(conversation);
	conversation->is_new = true;
	jpfs_conversation_changed_locked(conversation);
	pthread_mutex_unlock(&conversation->lock);
	jp_ignore(jp_origin_record(view->silo->own_fd, id, jp_workspace_slug(view->workspace)));
	*ret = &conversation->object;
	return 0;
}

/* It leaves this table; what is open of it stays open. names and its lock are held. */
static void take_out(struct jpfs_conversation *conversation)
{
	jpfs_conversation_leave_locked(conversation);
	conversation->in_view = false;
	remove_object(conversation);
}

int jpfs_local_rmdir(struct jpfs_view *view, struct jpfs_object *place, const char *name)
{
	cleanup_unlock pthread_mutex_t *names = jp_lock(&view->names);
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_object struct jpfs_object *object = NULL;
	cleanup_close int parent = -EBADF;
	struct jpfs_conversation *conversation;
	struct jpfs_listing listing = {0};
	char path[JPFS_PATH_BYTES];
	const char *directory;
	bool is_empty;
	int r = find_named(view, place, name, &conversation);

	if (r < 0)
		return r == -ENOENT && strcmp(name, JP_ARCHIVE_NAME) == 0 ? -EPERM : r;
	object = &conversation->object;
	held = jpfs_conversation_enter(conversation);
	r = jpfs_conversation_list(conversation, "", &listing);
	is_empty = listing.count == 0;
	jpfs_listing_release(&listing);
	if (r < 0 || !is_empty)
		return r < 0 ? r : -ENOTEMPTY;
	/* Its files were only hidden until now: it goes to the trash with everything that it had. */
	r = jpfs_durable_path_locked(conversation, "", path);
	if (r == 0) {
		parent = jpfs_open_parent(view->silo->conversations_fd, path, &directory);
		r = parent < 0 ? parent
			       : jp_keep_move(view->silo->trash_fd, conversation->id, parent,
					      directory, path);
		jp_dir_index_expire(view->durable_index);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	conversation->was_durable = false;
	take_out(conversation);
	return 0;
}

/* ---- the toggle ---- */

void jpfs_local_retire(struct jpfs_view *view, uint64_t id)
{
	struct jpfs_conversation *conversation = find_object(view, id);

	if (conversation == NULL)
		return;
	jpfs_conversation_lock(conversation);
	take_out(conversation);
	jpfs_work_add(conversation, 0); /* what was closed and not yet stored still will be */
	jpfs_tell_local_name_locked(conversation);
	pthread_mutex_unlock(&conversation->lock);
	jpfs_object_unref(&conversation->object);
}

static int set_name(struct jpfs_conversation *conversation, const char *name, bool is_archived)
{
	char *copy = strdup(name);

	if (copy == NULL)
		return -ENOMEM;
	free(conversation->name);
	conversation->name = copy;
	conversation->is_archived = is_archived;
	jpfs_conversation_changed_locked(conversation);
	return 0;
}

/* The other files of the durable directory come along, as they would by mv; but the query that jp
 * keeps there while it is typed must not be seen by git. */
static int bring_unmanaged(struct jpfs_conversation *conversation)
{
	struct jpfs_listing listing = {0};
	int r = jpfs_conversation_list(conversation, "", &listing);

	for (size_t i = 0; i < listing.count && r == 0; i++) {
		const char *name = listing.items[i].name;

		if (jp_managed_from_name(name) == JP_UNMANAGED && !jp_name_is_temporary(name) &&
		    strcmp(name, "QUERY_MESSAGE.md") != 0)
			r = jpfs_note_add(&conversation->added, name);
	}
	jpfs_listing_release(&listing);
	return r;
}

static int put_in_view(struct jpfs_conversation *conversation, const char *name, bool is_archived)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	int r = jpfs_rename_durable_locked(conversation, name, is_archived);

	if (r == 0)
		r = bring_unmanaged(conversation);
	if (r == 0)
		r = set_name(conversation, name, is_archived);
	if (r == 0)
		r = jpfs_view_insert(conversation);
	if (r < 0)
		return r;
	remove_object(conversation);
	conversation->is_local = false;
	jpfs_work_add(conversation, 0);
	return 0;
}

int jpfs_local_project(struct jpfs_view *view, uint64_t id, const char *name, bool is_archived)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *conversation;
	int r;

	if (view->is_read_only)
		return -EROFS;
	r = find_local(view, id, &conversation);
	if (r < 0)
		return r;
	object = &conversation->object;
	return put_in_view(conversation, name != NULL ? name : conversation->name,
			   name != NULL ? is_archived : conversation->is_archived);
}

/* Everything that the view shows of it is durable, drafts apart; what they have of their own is
 * kept. */
static int make_durable(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	char path[JPFS_PATH_BYTES];
	int64_t wait;
	int r = jpfs_commit_conversation(conversation, true, &wait);

	if (r == 0)
		r = jpfs_import(conversation);
	held = jpfs_conversation_lock(conversation);
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		if ((conversation->drafts & (1U << i)) != 0)
			r = jpfs_keep_loser_locked(conversation, (enum jp_managed)i);
	}
	if (r == 0)
		r = jpfs_durable_path_locked(conversation, "", path);
	/* What jp would reject has no durable copy to stay as. */
	return r == -EBADMSG || r == -EAGAIN ? -EBUSY : r;
}

static int take_from_view(struct jpfs_conversation *conversation, const char *name,
			  bool is_archived)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_view *view = conversation->view;
	cleanup_close int parent = -EBADF;
	char path[JPFS_PATH_BYTES];
	const char *directory;
	int r = make_durable(conversation);

	if (r < 0)
		return r;
	held = jpfs_conversation_enter(conversation);
	if (conversation->dirty != NULL)
		return -EBUSY; /* somebody is writing it */
	r = jpfs_rename_durable_locked(conversation, name, is_archived);
	if (r < 0)
		return r;
	jpfs_workspace_path(conversation, "", path);
	parent = jpfs_open_parent(view->workspace_fd, path, &directory);
	r = parent == -ENOENT ? 0
	    : parent < 0      ? parent
			      : jpfs_remove_projection_locked(conversation, parent, directory);
	if (r == 0)
		r = set_name(conversation, name, is_archived);
	if (r < 0)
		return r;
	jpfs_view_drop(conversation);
	jp_ignore(jp_base_forget(view->base, conversation->id)); /* only knowledge */
	jpfs_notes_free(&conversation->added);
	jpfs_notes_free(&conversation->removed);
	jpfs_unpin_all_locked(conversation);
	conversation->hidden = 0;
	conversation->drafts = conversation->removed_drafts = 0;
	conversation->incomplete_ms = 0;
	conversation->is_local = true;
	conversation->in_view = true;
	/* The kernel moves what it keeps along, and nobody would hear of changes there. */
	jpfs_tell_local_name_locked(conversation);
	jpfs_notify_look(view->notify, conversation);
	return insert_object(conversation);
}

int jpfs_local_unproject(struct jpfs_view *view, struct jpfs_conversation *conversation,
			 const char *name, bool is_archived)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);

	if (view->is_read_only)
		return -EROFS;
	if (!conversation->in_view || conversation->is_local)
		return -ENOENT;
	return take_from_view(conversation, name != NULL ? name : conversation->name,
			      name != NULL ? is_archived : conversation->is_archived);
}

static int rename_local(struct jpfs_conversation *conversation, const char *name, bool is_archived)
{
	cleanup_unlock pthread_mutex_t *names = jp_lock(&conversation->view->names);
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	int r = jpfs_rename_durable_locked(conversation, name, is_archived);

	return r < 0 ? r : set_name(conversation, name, is_archived);
}

int jpfs_local_rename(struct jpfs_view *view, struct jpfs_object *old_place, const char *old_name,
		      struct jpfs_object *new_place, const char *new_name, unsigned flags)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *conversation = NULL;
	bool is_archived = new_place->kind == JPFS_LOCAL_ARCHIVE || new_place->kind == JPFS_ARCHIVE;
	uint64_t id, old_id;
	int r;

	if (view->is_read_only)
		return -EROFS;
	if ((flags & RENAME_EXCHANGE) != 0)
		return -EINVAL;
	/* Conversations alone live here, and stay themselves: anything else is copied. */
	if (jp_conversation_id_parse(new_name, &id) < 0 ||
	    jp_conversation_id_parse(old_name, &old_id) < 0 || id != old_id)
		return -EXDEV;
	if (jpfs_is_local_place(old_place)) {
		r = jpfs_local_lookup(view, old_place, old_name, &object);
		if (r < 0)
			return r;
		if (!jpfs_is_local_place(new_place))
			return jpfs_is_partition(new_place)
				       ? jpfs_local_project(view, id, new_name, is_archived)
				       : -EXDEV;
		conversation = jpfs_as_conversation(object);
		return conversation == NULL ? -EPERM
					    : rename_local(conversation, new_name, is_archived);
	}
	if (!jpfs_is_partition(old_place))
		return -EXDEV;
	r = jpfs_partition_lookup(view, old_place, old_name, &object);
	if (r < 0)
		return r;
	conversation = jpfs_as_conversation(object);
	return conversation == NULL
		       ? -EXDEV
		       : jpfs_local_unproject(view, conversation, new_name, is_archived);
}
