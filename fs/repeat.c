/* See repeat.h. A list of a few names at most: a conversation has three managed files. */
#include "fs/repeat.h"

#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/notify.h"
#include "fs/told.h"

#include <fcntl.h>
#include <string.h>

static struct jpfs_repeat **find(struct jpfs_repeat **link, const char *path)
{
	while (*link != NULL && strcmp((*link)->path, path) != 0)
		link = &(*link)->next;
	return link;
}

void jpfs_repeat_note_locked(struct jpfs_conversation *conversation, const char *path,
			     enum jpfs_change change)
{
	struct jpfs_repeat **link = find(&conversation->repeats, path);
	size_t bytes = strlen(path) + 1;

	if (conversation->view->notify == NULL || !conversation->in_view || conversation->is_local)
		return;
	if (*link == NULL) {
		*link = malloc(sizeof(**link) + bytes);
		if (*link == NULL)
			return; /* somebody is not told: no more than without this */
		(*link)->next = NULL;
		memcpy((*link)->path, path, bytes);
	} else if (!(*link)->is_sent && change == JPFS_CHANGED && (*link)->change == JPFS_CAME) {
		change = JPFS_CAME;
	}
	(*link)->change = change;
	(*link)->is_sent = false;
	jpfs_notify_look(conversation->view->notify, conversation);
}

/* Whether the workspace has these bytes, and is what was shown until now. */
static bool is_shown_already(struct jpfs_conversation *conversation, enum jp_managed which,
			     const struct stat *durable)
{
	cleanup_close int old = -EBADF, new = -EBADF;
	const struct jpfs_version *known = &conversation->known[which];
	struct stat st;

	old = jpfs_open_side_locked(conversation, false, jp_managed_name(which));
	if (old < 0 || fstat(old, &st) < 0 || st.st_size != durable->st_size)
		return false;
	if (known->ino != 0 && !jpfs_version_matches(&conversation->same[which], &st) &&
	    (known->size != st.st_size || known->mtime_ns != jp_mtime_ns(&st)))
		return false;
	new = jpfs_open_side_locked(conversation, true, jp_managed_name(which));
	return new >= 0 && jp_same_content(old, new) == 1;
}

void jpfs_repeat_note_durable_locked(struct jpfs_conversation *conversation, int which,
				     const struct stat *durable, bool shows_workspace)
{
	const char *name = jp_managed_name((enum jp_managed)which);
	const struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, name);
	bool was_there = conversation->known[which].ino != 0;
	struct stat st;

	if (conversation->view->notify == NULL)
		return;
	/* What this view shows of it is its own. */
	if (((conversation->hidden | conversation->drafts) & (1U << which)) != 0 ||
	    (entry != NULL && entry->home == JPFS_STAGED))
		return;
	if (durable == NULL) {
		jpfs_repeat_note_locked(conversation, name, JPFS_WENT);
		return;
	}
	if (is_shown_already(conversation, (enum jp_managed)which, durable))
		return;
	was_there = was_there ||
		    (shows_workspace && jpfs_stat_workspace_locked(conversation, name, &st) == 0);
	jpfs_repeat_note_locked(conversation, name, was_there ? JPFS_CHANGED : JPFS_CAME);
}

/* What is to be told of the file now; false: it is nothing to be repeated any more. */
static bool is_true_now(struct jpfs_conversation *conversation, const struct jpfs_repeat *repeat,
			struct stat *ret)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;

	if (jpfs_entry_lookup_locked(conversation, repeat->path, &entry) < 0)
		return repeat->change == JPFS_WENT;
	object = &entry->object;
	/* Being written here: its writer is heard. */
	return repeat->change != JPFS_WENT && S_ISREG(entry->type) && entry->home != JPFS_STAGED &&
	       jpfs_entry_stat_locked(entry, ret) == 0;
}

bool jpfs_repeat_take_locked(struct jpfs_conversation *conversation, enum jpfs_change *ret_change,
			     char **ret_path, struct stat *ret)
{
	/* It has left the view: whoever took it away was heard. */
	if (!conversation->in_view || conversation->is_local)
		jpfs_repeats_free(&conversation->repeats);
	for (struct jpfs_repeat **link = &conversation->repeats; *link != NULL;) {
		struct jpfs_repeat *repeat = *link;
		char *path = NULL;

		if (repeat->is_sent) {
			link = &repeat->next;
			continue;
		}
		*ret = (struct stat){0};
		if (is_true_now(conversation, repeat, ret))
			path = jpfs_mount_path_locked(conversation, repeat->path);
		*ret_change = repeat->change;
		if (path != NULL && repeat->change != JPFS_CHANGED) {
			repeat->is_sent = true;
		} else {
			*link = repeat->next;
			free(repeat);
		}
		if (path != NULL) {
			*ret_path = path;
			return true;
		}
	}
	return false;
}

bool jpfs_repeat_is_sent_locked(const struct jpfs_conversation *conversation, const char *path,
				enum jpfs_change change)
{
	const struct jpfs_repeat *repeat = conversation->repeats;

	while (repeat != NULL && strcmp(repeat->path, path) != 0)
		repeat = repeat->next;
	return repeat != NULL && repeat->is_sent && repeat->change == change;
}

void jpfs_repeat_forget_locked(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_repeat **link = find(&conversation->repeats, path), *gone = *link;

	if (gone != NULL) {
		*link = gone->next;
		free(gone);
	}
}

void jpfs_repeats_free(struct jpfs_repeat **repeats)
{
	while (*repeats != NULL) {
		struct jpfs_repeat *gone = *repeats;

		*repeats = gone->next;
		free(gone);
	}
}
