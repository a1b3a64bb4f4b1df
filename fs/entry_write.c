/*
 * Bytes on their way in.
 *
 * The first change to a file copies it to staging; from then on the entry's bytes are there, and
 * everybody who looks through the mount sees them. When the writer closes, the entry has ended and
 * is queued for commit.c. A version that turns out to be what the durable copy holds already is
 * dropped at that moment, before close(2) returns: nobody sees the time of modification move twice.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/validity.h"
#include "fs/judge.h"
#include "fs/notify.h"
#include "fs/recall.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

/* How long a program's temporary file must have stayed to be stored like any other. */
#define TEMPORARY_MS 1000

void jpfs_entry_mark_dirty_locked(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;

	conversation->writes++;
	jpfs_entry_leave_projection_locked(entry);
	if (entry->is_dirty)
		return;
	jpfs_object_ref(&entry->object);
	entry->is_dirty = true;
	entry->next_dirty = NULL;
	*conversation->dirty_end = entry;
	conversation->dirty_end = &entry->next_dirty;
}

void jpfs_entry_supersede_locked(struct jpfs_conversation *conversation, const char *path)
{
	for (struct jpfs_entry *older = conversation->dirty; older != NULL;
	     older = older->next_dirty) {
		if (!older->is_linked && strcmp(older->path, path) == 0)
			older->is_superseded = true;
	}
}

/* No longer waiting to be committed. The caller has a reference of its own. */
void jpfs_entry_mark_clean_locked(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_entry **link = &conversation->dirty;

	if (!entry->is_dirty)
		return;
	while (*link != entry)
		link = &(*link)->next_dirty;
	*link = entry->next_dirty;
	if (conversation->dirty_end == &entry->next_dirty)
		conversation->dirty_end = link;
	entry->next_dirty = NULL;
	entry->is_dirty = false;
	jpfs_object_unref(&entry->object);
}

static void forget_staged(struct jpfs_entry *entry)
{
	if (entry->staged_name == NULL)
		return;
	(void)jp_sys->unlinkat(entry->conversation->view->staging.fd, entry->staged_name, 0);
	free(entry->staged_name);
	entry->staged_name = NULL;
	entry->is_shared = false;
}

/* Say in staging how far it is, for a daemon that comes after one that was killed. Without the mark
 * (no room for a name) it is kept aside by a recovery, and not made current. */
static void mark_staged(struct jpfs_entry *entry, bool has_ended)
{
	struct jpfs_conversation *conversation = entry->conversation;
	bool is_draft = entry->managed != JP_UNMANAGED &&
			((conversation->drafts | conversation->removed_drafts) &
			 (1U << entry->managed)) != 0;

	if (entry->staged_name == NULL)
		return;
	jp_ignore(jp_staging_mark(&conversation->view->staging, entry->staged_name,
				  !has_ended                        ? JP_STAGED_FLUSHED
				  : entry->is_exclusive || is_draft ? JP_STAGED_RESTORED
								    : JP_STAGED_WRITTEN,
				  conversation->id, entry->path));
}

int jpfs_entry_stage_locked(struct jpfs_entry *entry, bool keep_content)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_content struct jpfs_content *old = NULL, *content = NULL;
	cleanup_close int fd = -EBADF;
	cleanup_free char *name = NULL;
	struct stat st;
	int r;

	if (entry->home == JPFS_STAGED && !entry->is_shared)
		return 0;
	name = malloc(NAME_MAX + 1);
	if (name == NULL)
		return -ENOMEM;
	r = jpfs_entry_content_locked(entry, &old);
	if (r < 0)
		return r;
	if (fstat(old->fd, &st) < 0)
		return -errno;
	fd = jp_staging_create(&view->staging, conversation->id, entry->path, st.st_mode, name);
	if (fd < 0)
		return fd;
	r = keep_content ? jp_copy_content(old->fd, fd) : 0;
	if (r == 0)
		r = jp_copy_attributes(old->fd, fd);
	/* As any filesystem does it when a file is written to. */
	if (r == 0 && (st.st_mode & (S_ISUID | S_ISGID)) != 0 &&
	    jp_sys->fchmod(fd, st.st_mode & 01777) < 0)
		r = -errno;
	if (r == 0) {
		content = jpfs_content_new(TAKE_FD(fd));
		r = content == NULL ? -ENOMEM : 0;
	}
	if (r < 0) {
		(void)jp_sys->unlinkat(view->staging.fd, name, 0); /* the old version stands */
		return r;
	}
	forget_staged(entry);
	entry->staged_name = TAKE_PTR(name);
	entry->is_shared = false;
	entry->is_synced = false;
	entry->home = JPFS_STAGED;
	if (entry->ended_ms != 0 && entry->is_dirty)
		mark_staged(entry, true);
	jpfs_content_unrefp(&entry->content);
	if (entry->opens > 0 || !entry->is_linked)
		entry->content = TAKE_PTR(content);
	if (entry->is_linked || entry->is_replaced)
		jpfs_entry_mark_dirty_locked(entry);
	/* Written to by somebody who did not know that its name leads elsewhere: it is kept. */
	entry->is_superseded = entry->is_superseded || entry->is_replaced;
	return 0;
}

void jpfs_entry_ended_locked(struct jpfs_entry *entry)
{
	if (!entry->is_dirty)
		return;
	entry->ended_ms = jpfs_now_ms();
	mark_staged(entry, true);
	jpfs_work_add(entry->conversation,
		      jp_name_is_temporary(entry->path) ? TEMPORARY_MS + 10 : 0);
}

void jpfs_entry_unstage_locked(struct jpfs_entry *entry)
{
	struct jpfs_content *content;

	jpfs_content_unrefp(&entry->content);
	forget_staged(entry);
	jpfs_entry_mark_clean_locked(entry);
	if (entry->opens > 0 && jpfs_entry_content_locked(entry, &content) == 0)
		jpfs_content_unrefp(&content); /* the entry keeps it */
}

/* Drop a staged version that is byte for byte what the durable copy has. */
static bool drop_if_same(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_content struct jpfs_content *content = NULL;
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	struct stat staged, durable;

	if (entry->was_unseen || jp_name_is_managed_temporary(entry->path) ||
	    jpfs_durable_path_locked(conversation, entry->path, path) < 0)
		return false;
	if (entry->managed != JP_UNMANAGED &&
	    (jpfs_durable_stat_locked(conversation, entry->managed, &durable) < 0 ||
	     conversation->vanished_ms != 0))
		return false;
	fd = jp_open_regular(view->silo->conversations_fd, path, O_RDONLY);
	if (fd < 0 || fstat(fd, &durable) < 0 || jpfs_entry_content_locked(entry, &content) < 0 ||
	    fstat(content->fd, &staged) < 0 || jp_same_content(content->fd, fd) != 1)
		return false;
	if ((staged.st_mode & 07777) != (durable.st_mode & 07777) &&
	    jp_sys->fchmod(fd, staged.st_mode & 07777) < 0)
		return false;
	if (entry->times_were_set &&
	    jp_sys->futimens(fd, (struct timespec[2]){staged.st_atim, staged.st_mtim}) < 0)
		return false;
	if (fstat(fd, &durable) < 0)
		return false;
	entry->home = JPFS_DURABLE;
	entry->version = jpfs_version_of(&durable);
	/* Written over with the same bytes, nothing has happened; removed and made anew, it has. */
	if (entry->is_exclusive)
		entry->is_restored = true;
	else
		jpfs_recall_times_locked(entry);
	entry->is_exclusive = false;
	if (entry->managed != JP_UNMANAGED) {
		jpfs_know_version_locked(conversation, entry->managed, &durable);
		jpfs_draft_ended_locked(conversation, entry->managed);
	}
	jpfs_entry_unstage_locked(entry);
	jpfs_work_add(conversation, 0); /* the workspace may not have it */
	return true;
}

/* The same for a draft, whose version is the workspace's; or for what stands beside one. What git has
 * made anew is another thing: it decides about the draft. */
static bool drop_if_same_draft(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_content struct jpfs_content *content = NULL;
	cleanup_close int fd = -EBADF;
	struct stat staged, draft;

	if (entry->managed == JP_UNMANAGED || !entry->is_linked || entry->is_exclusive ||
	    conversation->is_local ||
	    ((conversation->drafts & (1U << entry->managed)) == 0 &&
	     !jpfs_is_beside_draft_locked(conversation, entry->managed)))
		return false;
	fd = jpfs_open_side_locked(conversation, false, entry->path);
	if (fd < 0 || jpfs_entry_content_locked(entry, &content) < 0 ||
	    fstat(content->fd, &staged) < 0 || fstat(fd, &draft) < 0 ||
	    ((staged.st_mode ^ draft.st_mode) & 07777) != 0 || entry->times_were_set ||
	    jp_same_content(content->fd, fd) != 1)
		return false;
	entry->home = JPFS_WORKSPACE;
	entry->version = jpfs_version_of(&draft);
	jpfs_recall_times_locked(entry);
	jpfs_entry_unstage_locked(entry);
	jpfs_work_add(conversation, 0); /* one of the other side may be the same by now */
	return true;
}

/* What is shown from the workspace first: beside a draft the durable copy may have the same bytes, and another
 * time. */
static bool drop_if_unchanged(struct jpfs_entry *entry)
{
	return drop_if_same_draft(entry) || drop_if_same(entry);
}

/* The last writer closed, or is about to. */
void jpfs_entry_end_locked(struct jpfs_entry *entry)
{
	if (entry->home != JPFS_STAGED || !entry->is_dirty || entry->ended_ms != 0)
		return;
	if (!drop_if_unchanged(entry))
		jpfs_entry_ended_locked(entry);
}

/* Whether it is the version that was opened last, which is remembered. What is being written is not
 * told apart by its time. */
static bool is_cached_locked(struct jpfs_entry *entry, int fd)
{
	struct jpfs_version before = entry->cached;
	struct stat st;

	entry->cached = (struct jpfs_version){0};
	if (entry->home == JPFS_STAGED || fstat(fd, &st) < 0)
		return false;
	entry->cached = jpfs_version_of(&st);
	if (jpfs_version_matches(&before, &st))
		return true;
	/* The size that the kernel has may be another version's, and it would read no further. */
	if (entry->told != 0) {
		entry->told = 0;
		jpfs_notify_inode(entry->conversation->view->notify, entry->object.serial, false);
	}
	return false;
}

int jpfs_entry_open(struct jpfs_entry *entry, bool for_writing, bool *ret_is_cached)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);
	cleanup_content struct jpfs_content *content = NULL;
	int r;

	/* Opening is done by name, and what is written to a version that was replaced would be lost. Who
	 * reads has found the name a moment ago, when this was it. */
	if (entry->is_replaced && (for_writing || entry->content == NULL))
		return -ESTALE;
	r = jpfs_entry_content_locked(entry, &content);
	if (r < 0)
		return r;
	entry->opens++;
	*ret_is_cached = is_cached_locked(entry, content->fd);
	if (entry->content == NULL)
		entry->content = TAKE_PTR(content);
	entry->writers += for_writing ? 1 : 0;
	return 0;
}

void jpfs_entry_release(struct jpfs_entry *entry, bool for_writing)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

	entry->opens--;
	entry->writers -= for_writing ? 1 : 0;
	if (entry->writers == 0)
		jpfs_entry_end_locked(entry);
	/* Unlinked bytes have no name to be opened by again. */
	if (entry->opens == 0 && entry->is_linked)
		jpfs_content_unrefp(&entry->content);
}

void jpfs_entry_flush(struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

	/* Whether this was the last descriptor, RELEASE tells (a shell closes the first of two at
	 * once). But if nothing has changed, that is seen before close(2) returns. */
	if (entry->home != JPFS_STAGED || !entry->is_dirty || entry->ended_ms != 0 ||
	    (entry->writers <= 1 && drop_if_unchanged(entry)))
		return;
	mark_staged(entry, false);
}

int jpfs_entry_keep_synced_locked(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_content struct jpfs_content *content = NULL;
	int r;

	if (!entry->was_synced || !entry->is_dirty || entry->home != JPFS_STAGED ||
	    entry->managed == JP_UNMANAGED)
		return 0;
	r = jpfs_entry_content_locked(entry, &content);
	if (r == 0)
		r = jp_validity_of_file(entry->managed, content->fd);
	return r == 1 ? jpfs_keep_version(conversation, entry->managed, view->staging.fd,
					  entry->staged_name)
		      : r;
}

/* Stage, and say that the bytes are about to change. */
static int begin_change(struct jpfs_entry *entry, bool keep_content, struct jpfs_content **ret)
{
	int r = jpfs_entry_is_stale_locked(entry) ? -ESTALE : jpfs_entry_keep_synced_locked(entry);

	jpfs_recall_note_locked(entry);
	if (r == 0)
		r = jpfs_entry_stage_locked(entry, keep_content);
	if (r == 0)
		r = jp_staging_unmark(&entry->conversation->view->staging, entry->staged_name,
				      entry->conversation->id, entry->path);
	if (r == 0)
		r = jpfs_entry_content_locked(entry, ret);
	if (r < 0)
		return r;
	entry->generation++;
	entry->conversation->writes++;
	entry->ended_ms = 0;
	entry->times_were_set = false;
	entry->was_synced = false;
	entry->is_synced = false;
	jpfs_judgement_forget_locked(entry);
	return 0;
}

/* Its end will be told by RELEASE, or by the companion; otherwise this was it. */
static void changed_locked(struct jpfs_entry *entry)
{
	struct jpfs_view *view = entry->conversation->view;

	if (entry->writers > 0 || (atomic_load(&view->opens_unseen) && view->notify != NULL &&
				   jpfs_notify_await_locked(view->notify, entry) == 0))
		return;
	jpfs_entry_ended_locked(entry);
}

void jpfs_entry_made_unseen(struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

	if (entry->is_dirty && entry->ended_ms == 0)
		changed_locked(entry);
}

void jpfs_entry_closed_locked(struct jpfs_entry *entry)
{
	if (entry->writers == 0)
		jpfs_entry_end_locked(entry);
}

/* Lock, to change the bytes. The first change of a version waits for its turn, and only that: a large one is
 * not kept up at each piece. */
static pthread_mutex_t *enter_to_change(struct jpfs_entry *entry)
{
	pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

	if (entry->is_dirty || entry->managed == JP_UNMANAGED)
		return held;
	jp_unlockp(&held);
	jpfs_work_admit(entry->conversation->view);
	return jpfs_conversation_lock(entry->conversation);
}

ssize_t jpfs_entry_write(struct jpfs_entry *entry, const void *data, size_t size, off_t offset)
{
	cleanup_unlock pthread_mutex_t *held = enter_to_change(entry);
	cleanup_content struct jpfs_content *content = NULL;
	int r = begin_change(entry, true, &content);

	if (r == 0)
		r = jp_write_all(content->fd, data, size, offset);
	changed_locked(entry);
	return r < 0 ? r : (ssize_t)size;
}

int jpfs_entry_truncate(struct jpfs_entry *entry, off_t size)
{
	cleanup_unlock pthread_mutex_t *held = enter_to_change(entry);
	cleanup_content struct jpfs_content *content = NULL;
	int r = begin_change(entry, size > 0, &content);

	if (r == 0 && jp_sys->ftruncate(content->fd, size) < 0)
		r = -errno;
	changed_locked(entry);
	return r;
}

int jpfs_entry_allocate(struct jpfs_entry *entry, int mode, off_t offset, off_t size)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);
	cleanup_content struct jpfs_content *content = NULL;
	int r = begin_change(entry, true, &content);

	if (r == 0 && jp_sys->fallocate(content->fd, mode, offset, size) < 0)
		r = -errno;
	changed_locked(entry);
	return r;
}

int jpfs_entry_fsync(struct jpfs_entry *entry)
{
	cleanup_content struct jpfs_content *content = NULL;
	bool is_dirty;
	int r;

	jpfs_conversation_lock(entry->conversation);
	is_dirty = entry->is_dirty;
	entry->was_synced = true;
	r = jpfs_entry_content_locked(entry, &content);
	pthread_mutex_unlock(&entry->conversation->lock);
	if (!is_dirty && r == 0)
		r = jp_sys->fsync(content->fd) < 0 ? -errno
						   : jpfs_sync_placed(entry->conversation, entry);
	if (!is_dirty)
		return r;
	r = jpfs_commit_entry(entry, true);
	/* Synced where it is: should this process end, it was promised to last. */
	jpfs_conversation_lock(entry->conversation);
	if (r == 0 && entry->home == JPFS_STAGED && entry->was_synced && entry->ended_ms == 0)
		mark_staged(entry, false);
	pthread_mutex_unlock(&entry->conversation->lock);
	return r;
}

int jpfs_entry_create_locked(struct jpfs_conversation *conversation, const char *path, mode_t mode,
			     struct jpfs_entry **ret)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int fd = -EBADF;
	cleanup_free char *name = malloc(NAME_MAX + 1);
	char place[JPFS_PATH_BYTES];
	struct jpfs_entry *entry;
	struct stat st;
	int r;

	if (name == NULL)
		return -ENOMEM;
	fd = jp_staging_create(&view->staging, conversation->id, path, mode, name);
	if (fd < 0)
		return fd;
	r = fstat(fd, &st) < 0
		    ? -errno
		    : jpfs_entry_new_locked(conversation, path, S_IFREG, JPFS_STAGED, &entry);
	/* Until it has reached the workspace, this note is what makes it visible. */
	if (r == 0 && entry->managed == JP_UNMANAGED && !jp_name_is_managed_temporary(path)) {
		r = jpfs_note_add(&conversation->added, path);
		if (r < 0)
			jpfs_object_unref(&entry->object);
	}
	if (r < 0) {
		(void)jp_sys->unlinkat(view->staging.fd, name, 0); /* it was never used */
		return r;
	}
	entry->staged_name = TAKE_PTR(name);
	entry->was_unseen =
		entry->managed == JP_UNMANAGED &&
		jpfs_durable_path_locked(conversation, path, place) == 0 &&
		faccessat(view->silo->conversations_fd, place, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
		jpfs_note_find(conversation->doomed, path) == NULL;
	jpfs_entry_mark_dirty_locked(entry);
	jpfs_entry_supersede_locked(conversation, path);
	jpfs_note_remove(&conversation->removed, path);
	jpfs_note_remove(&conversation->doomed, path);
	conversation->is_new = false;
	jpfs_conversation_changed_locked(conversation);
	if (entry->managed != JP_UNMANAGED) {
		jpfs_base_returns_locked(conversation, entry->managed);
		conversation->hidden &= ~(1U << entry->managed);
		jpfs_conversation_settle_locked(conversation);
	}
	*ret = entry;
	return 0;
}
