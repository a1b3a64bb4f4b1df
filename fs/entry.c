/*
 * What is in a conversation: finding it.
 *
 * An entry in memory stands for one line of versions of one file. While nobody writes, a lookup
 * compares what it knows with what is on disk; a durable file that was replaced gets a new entry,
 * and the old one, no longer linked, lives on as long as somebody has it open.
 */
#include "core/base/io.h"
#include "fs/entry_parts.h"
#include "fs/glance.h"
#include "fs/locate.h"
#include "fs/recall.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/*
 * The inode number of what is not, or no longer, a file of the workspace. Numbers of real files
 * will not do: a staged file's may be given again to another while this one is still shown.
 */
static ino_t synthetic_ino(const struct jpfs_entry *entry)
{
	return (ino_t)(UINT64_C(1) << 62 | entry->object.serial);
}

void jpfs_entry_leave_projection_locked(struct jpfs_entry *entry)
{
	entry->shown_ino = synthetic_ino(entry);
}

struct jpfs_entry *jpfs_entry_live_locked(struct jpfs_conversation *conversation, const char *path)
{
	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		if (entry->is_linked && strcmp(entry->path, path) == 0)
			return entry;
	}
	return NULL;
}

const char *jpfs_entry_path_new(const char *path)
{
	enum jp_managed managed = jp_managed_from_name(path);

	return managed != JP_UNMANAGED ? jp_managed_name(managed) : strdup(path);
}

void jpfs_entry_path_free(const char *path)
{
	if (path != NULL && jp_managed_from_name(path) == JP_UNMANAGED)
		free((char *)(uintptr_t)path); /* NOLINT: it is strdup's, not the constant */
}

int jpfs_entry_new_locked(struct jpfs_conversation *conversation, const char *path, mode_t type,
			  enum jpfs_home home, struct jpfs_entry **ret)
{
	struct jpfs_entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return -ENOMEM;
	entry->path = jpfs_entry_path_new(path);
	if (entry->path == NULL) {
		free(entry);
		return -ENOMEM;
	}
	jpfs_object_init(conversation->view, &entry->object, JPFS_ENTRY);
	jpfs_object_ref(&conversation->object);
	entry->conversation = conversation;
	entry->managed = jp_managed_from_name(path);
	entry->type = type & S_IFMT;
	entry->is_linked = true;
	entry->home = home;
	entry->shown_ino = synthetic_ino(entry);
	entry->next = conversation->entries;
	conversation->entries = entry;
	*ret = entry;
	return 0;
}

bool jpfs_entry_may_be_open_locked(const struct jpfs_entry *entry)
{
	return entry->opens > 0 || atomic_load(&entry->conversation->view->opens_unseen);
}

void jpfs_entry_orphan_locked(struct jpfs_entry *entry)
{
	cleanup_content struct jpfs_content *content = NULL;

	/* Whoever has it open goes on with these bytes, and whoever has just found it is about to open it: get
	 * hold of them while there is a name. The kernel forgets it soon. */
	if (S_ISREG(entry->type) && entry->is_linked && entry->content == NULL &&
	    jpfs_entry_content_locked(entry, &content) == 0 && entry->content == NULL)
		entry->content = TAKE_PTR(content); /* else later reads say ESTALE */
	entry->is_linked = false;
	entry->shown_ino = synthetic_ino(entry);
}

int jpfs_entry_gone_locked(struct jpfs_conversation *conversation, const char *path,
			   struct jpfs_entry **ret)
{
	int r;

	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		if (!entry->is_linked && entry->is_replaced && S_ISREG(entry->type) &&
		    strcmp(entry->path, path) == 0 && jpfs_object_try_ref(&entry->object)) {
			*ret = entry;
			return 0;
		}
	}
	r = jpfs_entry_new_locked(conversation, path, S_IFREG, JPFS_DURABLE, ret);
	if (r == 0)
		(*ret)->is_linked = false;
	return r;
}

bool jpfs_entry_is_its_projection(const struct jpfs_entry *entry, const struct stat *st)
{
	return st->st_size == entry->version.size &&
	       (st->st_ino == entry->shown_ino || jp_mtime_ns(st) == entry->version.mtime_ns);
}

/* The bytes that it stands for, from where nobody replaces them unseen: a link, or the workspace. */
static int open_as_known(const struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	const char *pin = jpfs_pin_of_locked(entry);
	cleanup_close int fd = -EBADF;
	struct stat st;

	if (pin != NULL && entry->home != JPFS_WORKSPACE) {
		fd = jp_open_regular(conversation->view->staging.fd, pin, O_RDONLY);
		if (fd >= 0 && fstat(fd, &st) == 0 && jpfs_version_matches(&entry->version, &st))
			return TAKE_FD(fd);
		jp_closep(&fd);
	}
	fd = jpfs_open_side_locked(conversation, false, entry->path);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != entry->version.size ||
	    jp_mtime_ns(&st) != entry->version.mtime_ns)
		return -ESTALE;
	return TAKE_FD(fd);
}

/* jp deletes a conversation's durable files and copies them back. A number can be given again to another file
 * of the same size, so it is the bytes that tell. */
bool jpfs_entry_take_touched_locked(struct jpfs_entry *entry, const struct stat *st)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_content struct jpfs_content *content = NULL;
	cleanup_close int durable = -EBADF, known = -EBADF;
	struct stat found;

	if (entry->home == JPFS_STAGED || entry->managed == JP_UNMANAGED || !entry->is_linked ||
	    entry->version.size != st->st_size ||
	    (entry->home == JPFS_DURABLE && jpfs_version_matches(&entry->version, st)))
		return false;
	known = open_as_known(entry);
	if (known < 0)
		return false;
	durable = jpfs_open_side_locked(conversation, true, entry->path);
	if (durable < 0 || fstat(durable, &found) < 0 || found.st_ino != st->st_ino ||
	    jp_same_content(durable, known) != 1)
		return false;
	/* Who has it open goes on in the file that is there now. */
	if (entry->content != NULL) {
		content = jpfs_content_new(TAKE_FD(durable));
		if (content == NULL)
			return false;
		jpfs_content_unrefp(&entry->content);
		entry->content = TAKE_PTR(content);
	}
	entry->home = JPFS_DURABLE;
	entry->version = jpfs_version_of(st);
	return true;
}

/* Whether an entry in memory still tells the truth about its path. */
static bool is_current(struct jpfs_entry *entry, const struct jpfs_location *location)
{
	struct jpfs_conversation *conversation = entry->conversation;

	if (((location->st.st_mode ^ entry->type) & S_IFMT) != 0)
		return false;
	if (S_ISDIR(entry->type))
		return true;
	if (location->home == JPFS_DURABLE)
		return entry->home == JPFS_DURABLE &&
		       jpfs_version_matches(&entry->version, &location->st);
	/* The durable copy vanished under it: the same version, from where it can still be had. */
	if (entry->home == JPFS_DURABLE && conversation->vanished_ms != 0 &&
	    entry->managed != JP_UNMANAGED)
		return true;
	/* The workspace has had it, or has it by now and the link has served. */
	if ((entry->home == JPFS_PINNED || entry->home == JPFS_DURABLE) &&
	    location->home == JPFS_WORKSPACE && conversation->vanished_ms != 0)
		return jpfs_entry_is_its_projection(entry, &location->st);
	return entry->home == location->home &&
	       (entry->home != JPFS_WORKSPACE || entry->version.ino == location->st.st_ino);
}

/* Nobody has it open, so nobody expects the version that it stood for: let it stand for this. */
static void rebind(struct jpfs_entry *entry, const struct jpfs_location *location)
{
	struct stat projection;

	entry->home = location->home;
	entry->version = jpfs_version_of(&location->st);
	jpfs_entry_forget_times_locked(entry);
	entry->shown_ino = synthetic_ino(entry);
	if (location->home == JPFS_WORKSPACE)
		entry->shown_ino = location->st.st_ino;
	else if (location->home == JPFS_DURABLE &&
		 jpfs_stat_projection_locked(entry->conversation, entry->path, entry->managed,
					     &location->st, &projection))
		entry->shown_ino = projection.st_ino;
}

int jpfs_entry_refresh_locked(struct jpfs_entry *entry)
{
	struct jpfs_location location;
	int r;

	if (!entry->is_linked || entry->content != NULL || entry->home == JPFS_STAGED ||
	    (S_ISREG(entry->type) && jpfs_entry_may_be_open_locked(entry)))
		return -ESTALE;
	jpfs_glance_renew_locked(entry->conversation); /* it has seen what is there no longer */
	r = jpfs_locate_locked(entry->conversation, entry->path, entry->managed, &location);
	if (r < 0 || ((location.st.st_mode ^ entry->type) & S_IFMT) != 0)
		return -ESTALE;
	rebind(entry, &location);
	return 0;
}

int jpfs_entry_lookup_locked(struct jpfs_conversation *conversation, const char *path,
			     struct jpfs_entry **ret)
{
	enum jp_managed managed = jp_managed_from_name(path);
	struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, path);
	struct jpfs_location location;
	int r;

	if (entry != NULL && entry->home == JPFS_STAGED && jpfs_object_try_ref(&entry->object)) {
		*ret = entry;
		return 0;
	}
	r = jpfs_locate_locked(conversation, path, managed, &location);
	if (r < 0 && !jp_is_absent(r))
		return r; /* nobody can tell: what is known stands */
	if (entry != NULL && r == 0 && location.home == JPFS_DURABLE)
		(void)jpfs_entry_take_touched_locked(entry, &location.st);
	if (entry != NULL && r == 0 && !is_current(entry, &location) &&
	    !jpfs_entry_may_be_open_locked(entry) &&
	    ((location.st.st_mode ^ entry->type) & S_IFMT) == 0)
		rebind(entry, &location);
	if (entry != NULL && (r < 0 || !is_current(entry, &location))) {
		jpfs_entry_orphan_locked(entry);
		entry->is_replaced = true;
		entry = NULL;
	}
	if (r < 0)
		return r;
	if (entry != NULL && jpfs_object_try_ref(&entry->object)) {
		if (entry->home != location.home) {
			entry->home = location.home;
			entry->version = jpfs_version_of(&location.st);
		}
		*ret = entry;
		return 0;
	}
	if (entry != NULL) {
		jpfs_recall_note_locked(entry);
		entry->is_linked = false; /* its last reference is just going */
	}
	r = jpfs_entry_new_locked(conversation, path, location.st.st_mode, location.home, &entry);
	if (r < 0)
		return r;
	rebind(entry, &location);
	jpfs_recall_locked(entry);
	*ret = entry;
	return 0;
}

bool jpfs_entry_is_stale_locked(const struct jpfs_entry *entry)
{
	return entry->is_replaced && !jpfs_entry_may_be_open_locked(entry);
}

bool jpfs_entry_was_replaced(struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

	return entry->is_replaced;
}

void jpfs_entry_replaced_locked(struct jpfs_conversation *conversation, const char *path,
				const struct stat *by)
{
	struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, path);

	if (entry == NULL || (entry->home != JPFS_DURABLE && entry->home != JPFS_PINNED) ||
	    !jpfs_entry_may_be_open_locked(entry) || jpfs_version_matches(&entry->version, by) ||
	    jpfs_entry_take_touched_locked(entry, by))
		return;
	jpfs_entry_orphan_locked(entry);
	entry->is_replaced = true;
}
