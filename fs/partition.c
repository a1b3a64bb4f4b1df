/*
 * The root and `.archive`: which conversations are there, and what else.
 *
 * Which conversation a directory belongs to is told by the digits at its beginning, and exactly one
 * directory is shown for each. What happens to one here happens on both sides, or takes it out of
 * this worktree (partition_make.c, partition_rename.c); nothing here removes a durable copy.
 */
#include "core/base/io.h"
#include "core/conversation_id.h"
#include "fs/partition_parts.h"
#include "fs/view.h"
#include "include/jpfs.h"

#include <stdlib.h>
#include <string.h>

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

struct jpfs_conversation *jpfs_partition_find(struct jpfs_view *view, struct jpfs_object *parent,
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
	jpfs_conversation_lock(conversation);
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
	conversation = jpfs_partition_find(view, parent, name);
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
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

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
