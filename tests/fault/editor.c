/* See editor.h. */
#include "tests/fault/editor.h"

/* A file of a conversation, made if it is not there; a new reference. */
static int get_entry(struct jpfs_conversation *conversation, const char *path,
		     struct jpfs_entry **ret)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	int r = jpfs_entry_lookup_locked(conversation, path, ret);

	return r == -ENOENT ? jpfs_entry_create_locked(conversation, path, 0644, ret) : r;
}

static int save(struct attack_world *world, struct jpfs_conversation *conversation,
		const char *path, const char *text, enum editor_how how)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;
	bool is_cached;
	int r = get_entry(conversation, path, &entry);
	ssize_t n;

	if (r < 0)
		return r;
	object = &entry->object;
	r = jpfs_entry_open(entry, true, &is_cached);
	if (r < 0)
		return r;
	r = jpfs_entry_truncate(entry, 0);
	n = r < 0 ? r : jpfs_entry_write(entry, text, strlen(text), 0);
	r = n < 0 ? (int)n : 0;
	if (r == 0 && how == EDITOR_SYNCS) {
		r = jpfs_entry_fsync(entry);
		if (r == 0)
			attack_promise(world, text);
	}
	jpfs_entry_flush(entry);
	jpfs_entry_release(entry, true);
	return r;
}

int editor_save(struct attack_world *world, struct jpfs_view *view, uint64_t id, const char *path,
		const char *text, enum editor_how how)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);
	int r;

	if (conversation == NULL)
		return -ENOENT;
	r = save(world, conversation, path, text, how);
	jpfs_object_unref(&conversation->object);
	return r;
}

int editor_save_beside(struct attack_world *world, struct jpfs_view *view, uint64_t id,
		       const char *path, const char *text, enum editor_how how)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);
	char beside[64];
	int r;

	if (conversation == NULL)
		return -ENOENT;
	(void)snprintf(beside, sizeof(beside), "%s.tmp", path);
	r = save(world, conversation, beside, text, how);
	if (r == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);

		r = jpfs_entry_rename_locked(conversation, beside, path, 0);
	}
	jpfs_object_unref(&conversation->object);
	return r;
}
