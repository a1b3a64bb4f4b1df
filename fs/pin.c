/*
 * Pins: links to versions that exist once.
 *
 * Between its commit and its projection a version is in the store and nowhere else, and jp deletes
 * the whole durable directory before it copies back what it reads through the view (`jp conversation
 * edit`). So what is committed is linked in staging first, and what jp puts in place directly is
 * linked when it is accepted. The view serves the pin while the durable file is gone, the workspace
 * gets it from there, and then the pin has served. A version whose place in the workspace a draft has
 * taken is held for as long as that is so: what jp renames over it, it is kept.
 *
 * A link holds the inode and not the bytes: it does not help against somebody who writes a durable
 * file in place. jp does that only to files of a directory that it has just made.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/version.h"
#include "fs/glance.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

void jpfs_pin_drop(struct jpfs_view *view, const char *name)
{
	(void)jp_sys->unlinkat(view->staging.fd, name,
			       0); /* what is left goes when a view is opened */
}

void jpfs_unpin_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	if (conversation->pins[which] == NULL)
		return;
	jpfs_pin_drop(conversation->view, conversation->pins[which]);
	free(conversation->pins[which]);
	conversation->pins[which] = NULL;
}

int jpfs_pin_durable_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			    char ret_name[NAME_MAX + 1], struct stat *ret)
{
	struct jpfs_view *view = conversation->view;
	char path[JPFS_PATH_BYTES], name[NAME_MAX + 1];
	int r = view->is_read_only
			? -EROFS
			: jpfs_durable_path_locked(conversation, jp_managed_name(which), path);

	if (r < 0)
		return r;
	jp_staging_pin_name(&view->staging, conversation->id, jp_managed_name(which), name);
	if (jp_sys->linkat(view->silo->conversations_fd, path, view->staging.fd, name, 0) < 0)
		return -errno;
	if (fstatat(view->staging.fd, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	else if (!S_ISREG(ret->st_mode))
		r = -ENOENT;
	if (r < 0) {
		jpfs_pin_drop(view, name);
		return r;
	}
	memcpy(ret_name, name, strlen(name) + 1);
	return 0;
}

void jpfs_pin_adopt_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			   const char *name)
{
	jpfs_unpin_locked(conversation, which);
	conversation->pins[which] = strdup(name);
	if (conversation->pins[which] == NULL)
		jpfs_pin_drop(conversation->view, name);
}

/* What a link holds has lost its place in the store: kept, unless the version that took it contains it. */
static void keep_linked(struct jpfs_conversation *conversation, enum jp_managed which,
			const char *name, int new_fd)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int old = jp_open_regular(view->staging.fd, name, O_RDONLY);
	int r;

	if (old < 0)
		return;
	r = new_fd < 0 ? new_fd : jp_version_is_contained(which, old, new_fd);
	if (r != 1)
		r = jp_history_has(view->silo->history_fd, conversation->id, jp_managed_name(which),
				   old);
	if (r != 1)
		jp_ignore(jp_keep_move(view->silo->history_fd, conversation->id, view->staging.fd,
				       name, jp_managed_name(which)));
}

void jpfs_pin_replaced_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			      const char *name)
{
	cleanup_close int new = -EBADF;

	if (name[0] == '\0')
		return; /* without links */
	if (conversation->pins[which] != NULL) {
		new = jp_open_regular(conversation->view->staging.fd, name, O_RDONLY);
		keep_linked(conversation, which, conversation->pins[which], new);
	}
	jpfs_pin_adopt_locked(conversation, which, name);
}

char *jpfs_pin_staged_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			     const char *staged_name)
{
	struct jpfs_view *view = conversation->view;
	char name[NAME_MAX + 1];
	char *before;

	jp_staging_pin_name(&view->staging, conversation->id, jp_managed_name(which), name);
	if (jp_sys->linkat(view->staging.fd, staged_name, view->staging.fd, name, 0) < 0)
		return NULL; /* without links (an odd filesystem) the projection, a moment later, remains */
	before = TAKE_PTR(conversation->pins[which]);
	jpfs_pin_adopt_locked(conversation, which, name);
	return before;
}

void jpfs_pin_back_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			  char *before)
{
	if (before == NULL)
		return;
	jpfs_unpin_locked(conversation, which);
	conversation->pins[which] = before;
}

void jpfs_pin_let_go_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			    char *before, ino_t displaced, int new_fd)
{
	struct jpfs_view *view = conversation->view;
	struct stat st;

	if (before == NULL)
		return;
	if (fstatat(view->staging.fd, before, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino != displaced)
		keep_linked(conversation, which, before, new_fd);
	jpfs_pin_drop(view, before);
	free(before);
}

/* ---- unmanaged files ---- */

static struct jpfs_pin *find(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_pin *pin = conversation->other_pins;

	while (pin != NULL && strcmp(pin->path, path) != 0)
		pin = pin->next;
	return pin;
}

static void drop(struct jpfs_conversation *conversation, struct jpfs_pin *pin)
{
	struct jpfs_pin **link = &conversation->other_pins;

	while (*link != pin)
		link = &(*link)->next;
	*link = pin->next;
	jpfs_pin_drop(conversation->view, pin->name);
	free(pin);
}

static int pin_other(struct jpfs_conversation *conversation, const char *path, int from_fd,
		     const char *from_name)
{
	struct jp_staging *staging = &conversation->view->staging;
	size_t bytes = strlen(path) + 1;
	struct jpfs_pin *old = find(conversation, path);
	struct jpfs_pin *pin = malloc(sizeof(*pin) + bytes);

	if (pin == NULL)
		return -ENOMEM;
	memcpy(pin->path, path, bytes);
	jp_staging_pin_name(staging, conversation->id, path, pin->name);
	if (jp_sys->linkat(from_fd, from_name, staging->fd, pin->name, 0) < 0) {
		int r = -errno;

		free(pin);
		return r;
	}
	if (old != NULL)
		drop(conversation, old);
	pin->next = conversation->other_pins;
	conversation->other_pins = pin;
	return 0;
}

void jpfs_pin_other_locked(struct jpfs_conversation *conversation, const char *path,
			   const char *staged_name)
{
	/* Without a link the projection has it a moment later. */
	jp_ignore(pin_other(conversation, path, conversation->view->staging.fd, staged_name));
}

int jpfs_pin_other_durable_locked(struct jpfs_conversation *conversation, const char *path)
{
	char place[JPFS_PATH_BYTES];
	int r = conversation->view->is_read_only
			? -EROFS
			: jpfs_durable_path_locked(conversation, path, place);

	return r < 0 ? r
		     : pin_other(conversation, path, conversation->view->silo->conversations_fd,
				 place);
}

const char *jpfs_other_pin_locked(struct jpfs_conversation *conversation, const char *path)
{
	const struct jpfs_pin *pin = find(conversation, path);

	return pin != NULL ? pin->name : NULL;
}

const char *jpfs_pin_of_locked(const struct jpfs_entry *entry)
{
	return entry->managed != JP_UNMANAGED
		       ? entry->conversation->pins[entry->managed]
		       : jpfs_other_pin_locked(entry->conversation, entry->path);
}

/* Whether the workspace has what a pin holds. */
static bool is_projected(struct jpfs_conversation *conversation, const char *path,
			 const char *pin_name)
{
	const struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	struct stat pin, st;

	if (fstatat(view->staging.fd, pin_name, &pin, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	jpfs_workspace_path(conversation, path, place);
	return jpfs_stat_beneath(view->workspace_fd, place, &st) == 0 &&
	       st.st_size == pin.st_size && jp_mtime_ns(&st) == jp_mtime_ns(&pin);
}

void jpfs_pin_put_back_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	struct jpfs_view *view = conversation->view;
	char path[JPFS_PATH_BYTES];

	if (jpfs_durable_path_locked(conversation, jp_managed_name(which), path) < 0)
		return;
	/* What is there by now stands; without room the next repair tries again. */
	if (jp_sys->linkat(view->staging.fd, conversation->pins[which],
			   view->silo->conversations_fd, path, 0) == 0 ||
	    errno == EEXIST)
		jpfs_unpin_locked(conversation, which);
}

/* Link the durable version, if it is to be held and is not yet. Without a daemon nobody looks who could see
 * that it was replaced. */
static bool link_to_hold(struct jpfs_conversation *conversation, enum jp_managed which,
			 char *ret_name, struct stat *ret_st)
{
	return conversation->view->work != NULL && conversation->pins[which] == NULL &&
	       conversation->in_view && !conversation->is_local && conversation->vanished_ms == 0 &&
	       jpfs_pin_durable_locked(conversation, which, ret_name, ret_st) >= 0;
}

void jpfs_hold_undecided_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	char name[NAME_MAX + 1];
	struct stat st;

	if (!link_to_hold(conversation, which, name, &st))
		return;
	jpfs_glance_renew_locked(conversation); /* the link is a change of the file */
	jpfs_pin_adopt_locked(conversation, which, name);
}

void jpfs_pin_renew_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	char name[NAME_MAX + 1];
	struct stat held, st;

	if (conversation->pins[which] == NULL ||
	    jpfs_pin_durable_locked(conversation, which, name, &st) < 0)
		return;
	jpfs_glance_renew_locked(conversation);
	if (fstatat(conversation->view->staging.fd, conversation->pins[which], &held,
		    AT_SYMLINK_NOFOLLOW) == 0 &&
	    held.st_ino == st.st_ino)
		jpfs_pin_drop(conversation->view, name);
	else
		jpfs_pin_replaced_locked(conversation, which, name);
}

void jpfs_hold_durable_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	char name[NAME_MAX + 1];
	struct stat st;

	if (!link_to_hold(conversation, which, name, &st))
		return;
	if (jpfs_version_matches(&conversation->known[which], &st))
		jpfs_pin_adopt_locked(conversation, which, name);
	else /* just replaced: it is met at the next look */
		jpfs_pin_drop(conversation->view, name);
}

void jpfs_drop_pins(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_pin *pin, *next;

	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		enum jp_managed which = (enum jp_managed)i;

		if (((conversation->drafts | conversation->beside | conversation->hidden) &
		     (1U << i)) != 0)
			jpfs_hold_durable_locked(conversation, which);

		if (conversation->pins[i] != NULL &&
		    (!conversation->in_view ||
		     is_projected(conversation, jp_managed_name(which), conversation->pins[i])))
			jpfs_unpin_locked(conversation, which);
	}
	for (pin = conversation->other_pins; pin != NULL; pin = next) {
		next = pin->next;
		/* Removed or renamed since: nobody asks for it under this name. */
		if (!conversation->in_view ||
		    (jpfs_note_find(conversation->added, pin->path) == NULL) ||
		    is_projected(conversation, pin->path, pin->name))
			drop(conversation, pin);
	}
}

void jpfs_unpin_all_locked(struct jpfs_conversation *conversation)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++)
		jpfs_unpin_locked(conversation, (enum jp_managed)i);
	while (conversation->other_pins != NULL)
		drop(conversation, conversation->other_pins);
}
