/*
 * The life of objects, and what is freed with the last reference to one.
 *
 * The last reference may go wherever somebody lets go of one: when the kernel forgets, at the end of a
 * listing, after a commit. An entry's may go under its conversation's lock, which is recursive for that.
 */
#include "core/base/sys.h"
#include "fs/kept.h"
#include "fs/recall.h"
#include "fs/repeat.h"
#include "fs/transcripts.h"
#include "fs/view.h"

#include <stdlib.h>

void jpfs_object_init(struct jpfs_view *view, struct jpfs_object *object, enum jpfs_kind kind)
{
	object->kind = kind;
	object->serial = atomic_fetch_add(&view->next_serial, 1);
	atomic_init(&object->refs, 1);
}

struct jpfs_object *jpfs_object_ref(struct jpfs_object *object)
{
	atomic_fetch_add(&object->refs, 1);
	return object;
}

bool jpfs_object_try_ref(struct jpfs_object *object)
{
	unsigned refs = atomic_load(&object->refs);

	while (refs != 0) {
		if (atomic_compare_exchange_weak(&object->refs, &refs, refs + 1))
			return true;
	}
	return false;
}

struct jpfs_conversation *jpfs_as_conversation(struct jpfs_object *object)
{
	return object->kind == JPFS_CONVERSATION ? (struct jpfs_conversation *)object : NULL;
}

struct jpfs_entry *jpfs_as_entry(struct jpfs_object *object)
{
	return object->kind == JPFS_ENTRY ? (struct jpfs_entry *)object : NULL;
}

struct jpfs_outsider *jpfs_as_outsider(struct jpfs_object *object)
{
	return object->kind == JPFS_OUTSIDER ? (struct jpfs_outsider *)object : NULL;
}

static void free_conversation(struct jpfs_conversation *conversation)
{
	jpfs_unpin_all_locked(conversation);
	jpfs_notes_free(&conversation->added);
	jpfs_notes_free(&conversation->removed);
	jpfs_notes_free(&conversation->doomed);
	jpfs_notes_free(&conversation->absent);
	jpfs_repeats_free(&conversation->repeats);
	jpfs_recall_free(conversation);
	free(conversation->judgement);
	pthread_mutex_destroy(&conversation->lock);
	free(conversation->name);
	free(conversation);
}

static void free_entry(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_entry **link;

	jpfs_conversation_lock(conversation);
	jpfs_recall_note_locked(entry);
	for (link = &conversation->entries; *link != NULL; link = &(*link)->next) {
		if (*link == entry) {
			*link = entry->next;
			break;
		}
	}
	/* Staged bytes that nobody committed and nobody will: an unlinked file's. */
	if (entry->staged_name != NULL)
		(void)jp_sys->unlinkat(conversation->view->staging.fd, entry->staged_name, 0);
	pthread_mutex_unlock(&conversation->lock);
	jpfs_content_unrefp(&entry->content);
	free(entry->staged_name);
	free(entry->told_times);
	jpfs_entry_path_free(entry->path);
	free(entry);
	jpfs_object_unref(&conversation->object);
}

void jpfs_object_unref(struct jpfs_object *object)
{
	if (object == NULL || atomic_fetch_sub(&object->refs, 1) != 1)
		return;
	switch (object->kind) {
	case JPFS_CONVERSATION:
		free_conversation((struct jpfs_conversation *)object);
		break;
	case JPFS_ENTRY:
		free_entry((struct jpfs_entry *)object);
		break;
	case JPFS_OUTSIDER:
		jpfs_outside_forget((struct jpfs_outsider *)object);
		break;
	case JPFS_STATUS:
		jpfs_status_forget(object);
		break;
	case JPFS_KEPT_OF:
	case JPFS_KEPT:
		jpfs_kept_forget((struct jpfs_kept *)object);
		break;
	case JPFS_TRANSCRIPT:
		jpfs_transcript_forget((struct jpfs_transcript *)object);
		break;
	case JPFS_ROOT:
	case JPFS_ARCHIVE:
	case JPFS_HISTORY:
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
	case JPFS_CONTROL:
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
		break; /* part of the view; its own reference keeps them from coming here */
	}
}

void jpfs_object_unrefp(struct jpfs_object **object)
{
	jpfs_object_unref(*object);
	*object = NULL;
}
