/*
 * The root and `.archive`: where conversations come and go as whole directories.
 *
 * Which conversation a directory belongs to is told by the digits at its beginning, and exactly one
 * directory is shown for each. What happens to one here happens on both sides, or takes it out of
 * this worktree; nothing here removes a durable copy.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/history.h"
#include "core/origin.h"
#include "fs/desktop_trash.h"
#include "fs/notify.h"
#include "fs/view.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool jpfs_is_partition(const struct jpfs_object *object)
{
	return object->kind == JPFS_ROOT || object->kind == JPFS_ARCHIVE;
}

bool jpfs_name_is_reserved(struct jpfs_view *view, const char *name)
{
	uint64_t id = 0;

	/* jp takes any entry that begins with a conversation's digits for its directory. */
	for (size_t i = 0; name[i] >= '0' && name[i] <= '9' && i < 12; i++) {
		cleanup_object struct jpfs_object *object = NULL;
		struct jpfs_conversation *conversation;

		id = id * 10 + (uint64_t)(name[i] - '0');
		conversation = jpfs_view_find(view, id);
		if (conversation == NULL)
			continue;
		object = &conversation->object;
		if (jp_conversation_id_begins(id, name))
			return true;
	}
	return false;
}

/* The conversation that a name in a partition is; a new reference or NULL. */
static struct jpfs_conversation *find_named(struct jpfs_view *view, struct jpfs_object *parent,
					    const char *name)
{
	struct jpfs_conversation *conversation;
	uint64_t id;
	bool is_it;

	if (!jpfs_is_partition(parent) || jp_conversation_id_parse(name, &id) < 0)
		return NULL;
	conversation = jpfs_view_find(view, id);
	if (conversation == NULL)
		return NULL;
	pthread_mutex_lock(&conversation->lock);
	is_it = conversation->in_view && strcmp(conversation->name, name) == 0 &&
		conversation->is_archived == (parent->kind == JPFS_ARCHIVE);
	pthread_mutex_unlock(&conversation->lock);
	if (!is_it) {
		jpfs_object_unref(&conversation->object);
		return NULL;
	}
	return conversation;
}

static bool has_archive(struct jpfs_view *view)
{
	struct stat st;

	return jpfs_stat_beneath(view->workspace_fd, JP_ARCHIVE_NAME, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

int jpfs_partition_lookup(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			  struct jpfs_object **ret)
{
	struct jpfs_conversation *conversation;

	if (parent->kind == JPFS_ROOT && strcmp(name, JPFS_CONTROL_NAME) == 0) {
		*ret = jpfs_object_ref(&view->control);
		return 0;
	}
	if (parent->kind == JPFS_ROOT && strcmp(name, JP_ARCHIVE_NAME) == 0 && has_archive(view)) {
		*ret = jpfs_object_ref(&view->archive);
		return 0;
	}
	if (jpfs_is_temporary_name(name))
		return -ENOENT;
	conversation = find_named(view, parent, name);
	if (conversation != NULL) {
		*ret = &conversation->object;
		return 0;
	}
	if (jpfs_name_is_reserved(view, name))
		return -ENOENT;
	return jpfs_outside_lookup(view, parent, name, ret);
}

/* ---- listing ---- */

static int compare_to_id(const void *key, const void *item)
{
	uint64_t id = *(const uint64_t *)key;
	uint64_t other = (*(struct jpfs_conversation *const *)item)->id;

	return id < other ? -1 : id > other;
}

struct population {
	struct jpfs_conversation **all; /* by ID */
	bool *is_seen;
	size_t count;
};

static void population_release(struct population *population)
{
	for (size_t i = 0; i < population->count; i++)
		jpfs_object_unref(&population->all[i]->object);
	free(population->all);
	free(population->is_seen);
}

static int list_conversation(struct jpfs_view *view, struct jpfs_object *partition,
			     struct jpfs_conversation *conversation, ino_t ino,
			     struct jpfs_listing *listing)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);

	(void)view;
	if (conversation->is_archived != (partition->kind == JPFS_ARCHIVE) ||
	    !jpfs_conversation_is_listed(conversation))
		return 0;
	return jpfs_listing_add(listing, conversation->name,
				ino != 0 ? ino : conversation->object.serial, S_IFDIR);
}

static int list_one(struct jpfs_view *view, struct jpfs_object *partition,
		    struct population *population, const struct jpfs_listed *item,
		    struct jpfs_listing *listing)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *second;
	uint64_t id;

	if (jp_conversation_id_parse(item->name, &id) == 0) {
		struct jpfs_conversation **found = bsearch(&id, population->all, population->count,
							   sizeof(*population->all), compare_to_id);

		if (found != NULL) {
			if (strcmp((*found)->name, item->name) != 0)
				return 0; /* a second directory for its ID */
			population->is_seen[found - population->all] = true;
			return list_conversation(view, partition, *found, item->ino, listing);
		}
		if (jpfs_second_take_in_held(view, partition, item->name, &second) == 0) {
			object = &second->object;
			return list_conversation(view, partition, second, item->ino, listing);
		}
	}
	if (jpfs_is_temporary_name(item->name) || jpfs_name_is_reserved(view, item->name) ||
	    (partition->kind == JPFS_ROOT && strcmp(item->name, JPFS_CONTROL_NAME) == 0))
		return 0;
	return jpfs_listing_add(listing, item->name, item->ino, item->type);
}

int jpfs_partition_list(struct jpfs_view *view, struct jpfs_object *partition,
			struct jpfs_listing *listing)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->names);
	__attribute__((cleanup(population_release))) struct population population = {0};
	struct jpfs_listing outside = {0};
	int r;

	r = jpfs_view_snapshot(view, &population.all, &population.count);
	if (r < 0)
		return r;
	population.is_seen = calloc(population.count + 1, sizeof(*population.is_seen));
	if (population.is_seen == NULL)
		return -ENOMEM;
	r = jpfs_outside_list(view, partition, &outside);
	for (size_t i = 0; i < outside.count && r == 0; i++)
		r = list_one(view, partition, &population, &outside.items[i], listing);
	jpfs_listing_release(&outside);
	/* Those that the workspace has no directory for yet. */
	for (size_t i = 0; i < population.count && r == 0; i++) {
		if (!population.is_seen[i])
			r = list_conversation(view, partition, population.all[i], 0, listing);
	}
	if (r == 0 && partition->kind == JPFS_ROOT && view->list_control)
		r = jpfs_listing_add(listing, JPFS_CONTROL_NAME, view->control.serial, S_IFDIR);
	return r;
}

/* ---- making and removing ---- */

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
	pthread_mutex_lock(&conversation->lock);
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

static void take_out(struct jpfs_conversation *conversation);
static int rename_conversation(struct jpfs_conversation *conversation,
			       struct jpfs_object *new_parent, const char *new_name);

/* Whether the store has it live, in a directory of this name. */
static bool is_live_in_store(struct jpfs_view *view, uint64_t id, const char *name)
{
	char path[JP_CONVERSATION_PATH_BYTES];

	return jp_dir_index_find(view->durable_index, id, path, NULL) == 0 &&
	       strcmp(path, name) == 0;
}

/*
 * jp saves in the store first, and then makes the same live directory here, if it finds none. What this
 * worktree has archived stays where it is, as a second directory of its ID (second.c): jp has such a
 * conversation live and archived. One that it was not shown, because it is on its way in or out, gets
 * the new name. Anybody else who wants one more directory for an ID is told that it has one.
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
	if (!conversation->is_archived) {
		pthread_mutex_lock(&conversation->lock);
		r = jpfs_conversation_is_listed(conversation) ? -EEXIST : 0;
		pthread_mutex_unlock(&conversation->lock);
		if (r == 0)
			r = rename_conversation(conversation, parent, name);
		if (r == 0)
			*ret = TAKE_PTR(object);
		return r;
	}
	/* What was closed before this moment goes first. */
	jp_ignore(jpfs_commit_conversation(conversation, true, &wait)); /* it is tried again */
	r = jpfs_second_note(view, id);
	if (r < 0)
		return r;
	pthread_mutex_lock(&conversation->lock);
	take_out(conversation);
	pthread_mutex_unlock(&conversation->lock);
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

/* Take a conversation out of this worktree. names is held, and the conversation's lock. */
static void take_out(struct jpfs_conversation *conversation)
{
	/* What was removed file by file went with its directory: the durable copy keeps it. */
	jpfs_notes_free(&conversation->doomed);
	jpfs_notes_free(&conversation->added);
	jpfs_notes_free(&conversation->removed);
	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		if (entry->is_linked)
			jpfs_entry_orphan_locked(entry);
	}
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

static int remove_conversation(struct jpfs_conversation *conversation)
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
		r = jp_remove_tree(parent, name);
	if (r == 0)
		take_out(conversation);
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
		r = remove_conversation(jpfs_as_conversation(object));
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

/* ---- renaming ---- */

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
static int rename_conversation(struct jpfs_conversation *conversation,
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
	held = jp_lock(&conversation->lock);
	/* A draft goes along. But where it goes nobody keeps it: jp's trash is emptied some day. */
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if ((conversation->drafts & (1U << i)) != 0)
			jp_ignore(jpfs_keep_loser_locked(conversation, (enum jp_managed)i));
	}
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
	take_out(conversation);
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

	conversation = find_named(view, old_parent, old_name);
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
			       : rename_conversation(conversation, new_parent, new_name);
	if (jpfs_is_partition(new_parent) && jpfs_name_is_reserved(view, new_name)) {
		struct jpfs_conversation *target = find_named(view, new_parent, new_name);

		if (target == NULL)
			return -EPERM;
		new_object = &target->object;
		if ((flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
			return (flags & RENAME_EXCHANGE) != 0 ? -EINVAL : -EEXIST;
		/* As for any directory: only an empty one can be replaced. */
		r = remove_conversation(target);
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
