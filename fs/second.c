/*
 * Second directories of an ID.
 *
 * Exactly one directory is shown for each ID, and a worktree can have more: git merges a branch in
 * which somebody has given a conversation another title, a checkout puts an old name beside the new
 * one, or jp saves one that is archived here and makes it live as well. The first one is shown, the live one before an archived one. The others are left where
 * they are until the first one goes: then the next look at the partition, or a name that is asked
 * for, takes one in as a conversation like any other, and brings it together with the store as at
 * mounting. So whoever resolves a merge by removing one of the two has the other one.
 *
 * Whoever removes everything sees only what is shown, and expects to have removed it all. So where
 * nothing else is left (of the root, or of the archive), and where a conversation is to get the name of
 * a second directory, that one goes to the silo's trash.
 */
#include "core/base/io.h"
#include "core/conversation_id.h"
#include "core/history.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int jpfs_second_note(struct jpfs_view *view, uint64_t id)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	uint64_t *grown = reallocarray(view->seconds, view->second_count + 1, sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	grown[view->second_count++] = id;
	view->seconds = grown;
	return 0;
}

void jpfs_seconds_forget(struct jpfs_view *view)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);

	free(view->seconds);
	view->seconds = NULL;
	view->second_count = 0;
}

bool jpfs_second_is_noted(struct jpfs_view *view, uint64_t id)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);

	for (size_t i = 0; i < view->second_count; i++) {
		if (view->seconds[i] == id)
			return true;
	}
	return false;
}

static bool is_in_view(struct jpfs_view *view, uint64_t id)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);

	object = conversation != NULL ? &conversation->object : NULL;
	return conversation != NULL;
}

bool jpfs_second_is_waiting(struct jpfs_view *view, const char *name)
{
	uint64_t id;

	return jp_conversation_id_parse(name, &id) == 0 && jpfs_second_is_noted(view, id) &&
	       !is_in_view(view, id);
}

int jpfs_second_take_in_held(struct jpfs_view *view, const struct jpfs_object *partition,
			     const char *name, struct jpfs_conversation **ret)
{
	bool is_archived = partition->kind == JPFS_ARCHIVE;
	char path[JPFS_PATH_BYTES];
	struct stat st;
	uint64_t id;
	int r;

	if (jp_conversation_id_parse(name, &id) < 0 || is_in_view(view, id))
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "", name);
	r = jpfs_stat_beneath(view->workspace_fd, path, &st);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r < 0 ? r : -ENOENT;
	jpfs_local_retire(view, id);
	r = jpfs_view_add(view, id, name, is_archived, ret);
	if (r == 0)
		jpfs_work_add(*ret, 0);
	return r;
}

void jpfs_second_take_in(struct jpfs_view *view, const struct jpfs_object *partition,
			 const char *name)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_conversation *conversation;
	uint64_t id;

	if (jp_conversation_id_parse(name, &id) < 0 || is_in_view(view, id))
		return;
	held = jp_lock(&view->names);
	if (jpfs_second_take_in_held(view, partition, name, &conversation) == 0)
		jpfs_object_unref(&conversation->object);
}

int jpfs_second_put_aside(struct jpfs_view *view, uint64_t id, const char *path)
{
	cleanup_close int parent = -EBADF;
	const char *name;
	int r;

	parent = jpfs_open_parent(view->workspace_fd, path, &name);
	if (parent < 0)
		return parent;
	r = jp_keep_copy(view->silo->trash_fd, id, parent, name, path);
	return r < 0 ? r : jp_remove_tree(parent, name);
}

int jpfs_seconds_sweep_held(struct jpfs_view *view, bool only_archived)
{
	struct jp_index_entry *entries;
	size_t count;
	int r;

	pthread_mutex_lock(&view->table);
	count = view->second_count;
	pthread_mutex_unlock(&view->table);
	if (count == 0)
		return 0;
	r = jp_dir_index_read(view->workspace_fd, &entries, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++) {
		char path[JPFS_PATH_BYTES];

		/* In the archive nothing is shown any more, so what is there is a second one. */
		if (!jpfs_second_is_noted(view, entries[i].id) ||
		    (only_archived ? !entries[i].is_archived : is_in_view(view, entries[i].id)))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s",
			       entries[i].is_archived ? JP_ARCHIVE_NAME "/" : "", entries[i].name);
		r = jpfs_second_put_aside(view, entries[i].id, path);
	}
	jp_index_entries_free(entries, count);
	return r;
}
