/*
 * From the durable copy to the workspace: the projection that git sees.
 *
 * It follows in the background with exactly the durable file's bytes, mode and time of
 * modification, so that jp without jpfs sees a tie and takes the durable copy. A file goes to a
 * temporary name in the workspace's root and is renamed into place, so the workspace too goes from
 * one whole version to the next. Nobody waits for it: when the workspace is full or read-only, the
 * failure is reported and the work is tried again.
 *
 * What was put off is carried out afterwards: put_off.c.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/judge.h"
#include "fs/project_parts.h"
#include "fs/told.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A renaming that found no room left the directory under its old name: move it now. 0 also when
 * there is none. */
static int move_from_old_place(struct jpfs_conversation *conversation, const char *place)
{
	struct jpfs_view *view = conversation->view;
	struct jp_index_entry *entries;
	char old[JPFS_PATH_BYTES] = "";
	size_t count;
	int r = jp_dir_index_read(view->workspace_fd, &entries, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && old[0] == '\0'; i++) {
		if (entries[i].id == conversation->id)
			(void)snprintf(old, sizeof(old), "%s%s",
				       entries[i].is_archived ? JP_ARCHIVE_NAME "/" : "",
				       entries[i].name);
	}
	jp_index_entries_free(entries, count);
	if (old[0] == '\0')
		return 0;
	r = conversation->is_archived ? jpfs_workspace_make_archive(view) : 0;
	if (r < 0)
		return r;
	r = jpfs_rename_beneath(view->workspace_fd, old, place, RENAME_NOREPLACE);
	return r == -ENOENT || r == -EEXIST ? 0 : r;
}

/* The workspace's directory of the conversation, made if it is missing, with the mode
 * that mkdir(1) would give it. */
static int ensure_directory(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	struct stat st;
	int r;

	jpfs_workspace_path(conversation, "", place);
	if (fstatat(view->workspace_fd, place, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = move_from_old_place(conversation, place);
	if (r < 0)
		return r;
	r = jpfs_mkdir_beneath(view->workspace_fd, place, 0777 & ~view->umask);
	if (r == -ENOENT && conversation->is_archived) {
		r = jpfs_workspace_make_archive(view);
		if (r < 0)
			return r;
		r = jpfs_mkdir_beneath(view->workspace_fd, place, 0777 & ~view->umask);
	}
	return r == -EEXIST ? 0 : r;
}

/* What one file's projection works on. */
struct job {
	int source_fd;
	struct stat source, target;
	bool has_target;
	bool is_stores; /* set by who fails: it was the store that could not be written */
};

static void job_release(struct job *job)
{
	jp_closep(&job->source_fd);
}

/* Find out what is to be done for a regular file. 0 with source_fd, -EALREADY nothing, -errno. */
static int begin(struct jpfs_conversation *conversation, const char *path, struct job *job)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	struct jpfs_entry *entry;
	int root_fd, r;

	if (!conversation->in_view || conversation->is_local)
		return -EALREADY;
	r = jpfs_entry_lookup_locked(conversation, path, &entry);
	if (r < 0)
		return r == -ENOENT ? -EALREADY : r;
	object = &entry->object;
	if (!S_ISREG(entry->type) || (entry->home != JPFS_DURABLE && entry->home != JPFS_PINNED))
		return -EALREADY;
	r = jpfs_entry_place_locked(entry, &root_fd, place);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN
				    : r; /* the durable directory is just being replaced */
	job->source_fd = jp_open_regular(root_fd, place, O_RDONLY);
	if (job->source_fd < 0)
		return job->source_fd == -ENOENT ? -EAGAIN : job->source_fd;
	if (fstat(job->source_fd, &job->source) < 0)
		return -errno;
	jpfs_workspace_path(conversation, path, place);
	r = jpfs_stat_beneath(view->workspace_fd, place, &job->target);
	if (r < 0 && !jp_is_absent(r))
		return r; /* what is there may have to be kept */
	job->has_target = r == 0 && S_ISREG(job->target.st_mode);
	if (!job->has_target || job->target.st_size != job->source.st_size)
		return 0;
	/* The same bytes under another time, as it was found when mounting: left as it is. */
	if (entry->managed != JP_UNMANAGED &&
	    jpfs_version_matches(&conversation->same[entry->managed], &job->target) &&
	    jpfs_version_matches(&conversation->known[entry->managed], &job->source))
		return -EALREADY;
	return 0;
}

/* Whether the source is still what the view shows under this path. */
static bool is_still_shown(struct jpfs_conversation *conversation, const char *path,
			   const struct job *job)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;

	if (!conversation->in_view || conversation->is_local ||
	    jpfs_entry_lookup_locked(conversation, path, &entry) < 0)
		return false;
	object = &entry->object;
	return (entry->home == JPFS_DURABLE && entry->version.ino == job->source.st_ino) ||
	       entry->home == JPFS_PINNED;
}

/* The workspace has the bytes, and at most mode or time differ. */
static int project_attributes(struct jpfs_conversation *conversation, const char *path,
			      struct job *job)
{
	cleanup_close int parent = -EBADF, fd = -EBADF;
	const char *name;

	/* What was there a moment ago may just be removed, or renamed. */
	jpfs_conversation_lock(conversation);
	parent = jpfs_open_side_parent_locked(conversation, false, path, &name);
	pthread_mutex_unlock(&conversation->lock);
	if (parent < 0)
		return parent == -ENOENT ? -EAGAIN : parent;
	fd = jp_open_regular(parent, name, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? -EAGAIN : fd;
	/* Also when the times are the same: a clock ticks slowly, and may be set back. */
	if (jp_same_content(job->source_fd, fd) != 1)
		return -EAGAIN;
	if (jp_mtime_ns(&job->target) == jp_mtime_ns(&job->source) &&
	    ((job->target.st_mode ^ job->source.st_mode) & 07777) == 0)
		return 0;
	if (jp_sys->fchmod(fd, job->source.st_mode & 07777) < 0 ||
	    jp_sys->futimens(fd, (struct timespec[2]){job->source.st_atim, job->source.st_mtim}) <
		    0)
		return -errno;
	return 0;
}

/* Bringing a file up to date is no change that anybody made: the directory keeps its time of
 * modification (`cp -a` and rsync set it), or gets that of the last change through the mount. */
static void restore_time(const struct jpfs_conversation *conversation, int directory_fd,
			 const struct stat *before)
{
	const struct timespec *changed = &conversation->changed;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, before->st_mtim};

	if (changed->tv_sec > times[1].tv_sec ||
	    (changed->tv_sec == times[1].tv_sec && changed->tv_nsec > times[1].tv_nsec))
		times[1] = *changed;
	(void)utimensat(directory_fd, "", times, AT_EMPTY_PATH); /* only a time */
}

/* What jp replaced directly in the store, or a draft that has ended: the workspace may have the last
 * copy of it. `contained`: a version that needs no keeping. */
static int keep_replaced(struct jpfs_conversation *conversation, const char *path, int parent,
			 const char *name, int new_fd, const struct jpfs_version *contained)
{
	enum jp_managed managed = jp_managed_from_name(path);
	cleanup_close int old = -EBADF;
	int r;

	if (managed == JP_UNMANAGED)
		return 0;
	old = jp_open_regular(parent, name, O_RDONLY);
	if (old < 0)
		return old == -ENOENT ? 0 : old;
	r = jpfs_is_contained(managed, old, new_fd, contained);
	return r == 1 ? 0 : jpfs_keep_version(conversation, managed, parent, name);
}

static int project_bytes(struct jpfs_conversation *conversation, const char *path, struct job *job)
{
	struct jpfs_view *view = conversation->view;
	/* What is replaced is freed when it is closed: after the lock was let go. */
	cleanup_close int replaced = -EBADF;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_close int to = -EBADF, parent = -EBADF;
	enum jp_managed managed = jp_managed_from_name(path);
	struct jpfs_version contained = {0};
	char temporary[NAME_MAX + 1];
	struct stat before;
	const char *name = NULL;
	int r;

	jpfs_view_temporary_name(view, temporary);
	to = jp_open_beneath(view->workspace_fd, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (to < 0)
		return to;
	r = jp_copy_content(job->source_fd, to);
	if (r == 0)
		r = jp_copy_attributes(job->source_fd, to);
	/* Whatever takes long is done before the lock is taken: whoever has just saved may go on with it. */
	jp_begin_writing(to);
	if (r == 0 && job->has_target && managed != JP_UNMANAGED)
		contained = jpfs_find_contained(conversation, false, managed, job->source_fd);
	held = jpfs_conversation_lock(conversation);
	if (r == 0)
		r = is_still_shown(conversation, path, job) ? 0 : -EAGAIN;
	if (r == 0)
		r = ensure_directory(conversation);
	if (r == 0)
		r = parent = jpfs_open_side_parent_locked(conversation, false, path, &name);
	if (r >= 0 && fstat(parent, &before) < 0)
		r = -errno;
	if (r >= 0 && job->has_target) {
		r = keep_replaced(conversation, path, parent, name, job->source_fd, &contained);
		job->is_stores = r < 0;
	}
	if (r >= 0 && job->has_target)
		replaced = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (r >= 0)
		r = jp_sys->renameat2(view->workspace_fd, temporary, parent, name, 0) < 0 ? -errno
											  : 0;
	if (r == 0 && strchr(path, '/') == NULL)
		restore_time(conversation, parent, &before);
	if (r < 0)
		(void)jp_sys->unlinkat(view->workspace_fd, temporary, 0); /* it was only a copy */
	return r;
}

/* `ret_is_stores`: whether a failure is the store's, and not the workspace's. */
static int project_file(struct jpfs_conversation *conversation, const char *path,
			bool *ret_is_stores)
{
	__attribute__((cleanup(job_release))) struct job job = {.source_fd = -EBADF};
	int r = begin(conversation, path, &job);

	*ret_is_stores = false;

	if (r == -EALREADY)
		return 0;
	if (r < 0)
		return r;
	if (job.has_target && job.target.st_size == job.source.st_size) {
		r = project_attributes(conversation, path, &job);
		if (r != -EAGAIN)
			return r;
	}
	r = project_bytes(conversation, path, &job);
	*ret_is_stores = job.is_stores;
	return r;
}

/* A directory or link of the durable copy that the workspace has not got yet. */
static int project_other(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	cleanup_close int from = -EBADF, to = -EBADF;
	char place[JPFS_PATH_BYTES];
	const char *name;
	struct stat st;
	int r = jpfs_durable_path_locked(conversation, path, place);

	if (r < 0 || !conversation->in_view || conversation->is_local)
		return r == -ENOENT || r == 0 ? 0 : r;
	/* Removed since the list was read: what the store still has of it is doomed. */
	if (jpfs_note_find(conversation->added, path) == NULL)
		return 0;
	from = jpfs_open_parent(conversation->view->silo->conversations_fd, place, &name);
	if (from < 0)
		return jp_is_absent(from) ? 0 : from;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode))
		return 0;
	r = ensure_directory(conversation);
	if (r == 0)
		r = to = jpfs_open_side_parent_locked(conversation, false, path, &name);
	if (r >= 0)
		r = jp_copy_tree(from, name, to, name, NULL);
	if (r == -ENOENT)
		return -EAGAIN; /* it went while it was copied */
	return r == -EEXIST ? 0 : r;
}

/* The first path in the list that is not in progress; a copy, or NULL. */
static char *take_note(struct jpfs_conversation *conversation, struct jpfs_note *const *notes,
		       unsigned position)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	const struct jpfs_note *note = *notes;

	while (note != NULL && position-- > 0)
		note = note->next;
	return note != NULL ? strdup(note->path) : NULL;
}

/* Whether a regular file of the workspace is what the view shows, or nothing is to be shown. */
static bool is_projected(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_object struct jpfs_object *object = NULL;
	char place[JPFS_PATH_BYTES];
	struct jpfs_entry *entry;
	struct stat st;
	int r;

	r = jpfs_entry_lookup_locked(conversation, path, &entry);
	if (r < 0)
		return jp_is_absent(r);
	object = &entry->object;
	if (entry->home == JPFS_STAGED)
		return false;
	jpfs_workspace_path(conversation, path, place);
	return jpfs_stat_beneath(conversation->view->workspace_fd, place, &st) == 0;
}

/* The first failure; -EAGAIN: none, but some are to be tried again. */
static int project_added(struct jpfs_conversation *conversation)
{
	unsigned position = 0;
	int failure = 0;

	for (;;) {
		cleanup_free char *path = take_note(conversation, &conversation->added, position);
		bool is_stores; /* what is not jp's is not kept */
		int r;

		if (path == NULL)
			return failure;
		r = project_file(conversation, path, &is_stores);
		if (r == 0)
			r = project_other(conversation, path);
		jpfs_conversation_lock(conversation);
		if (r == 0 && is_projected(conversation, path))
			jpfs_note_remove(&conversation->added, path);
		else
			position++;
		pthread_mutex_unlock(&conversation->lock);
		if (r < 0 && (failure == 0 || failure == -EAGAIN))
			failure = r;
	}
}

/* A durable directory that is there and stays in pieces (jp was killed while it copied): what the
 * workspace has, and the pins held until it had it, makes it whole again. */
static void repair(struct jpfs_conversation *conversation)
{
	char path[JPFS_PATH_BYTES];

	if (conversation->vanished_ms == 0 ||
	    jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS ||
	    jpfs_durable_path_locked(conversation, "", path) < 0)
		return;
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if (conversation->pins[i] == NULL)
			continue;
		if (((conversation->drafts | conversation->beside | conversation->hidden) &
		     (1U << i)) == 0)
			return; /* the workspace first */
		jpfs_pin_put_back_locked(conversation, (enum jp_managed)i);
	}
	conversation->may_repair = true;
	jp_ignore(jpfs_converge_locked(conversation)); /* until it works it is tried again */
	conversation->may_repair = false;
	conversation->vanished_ms = 0;
}

static void look_at_vanished(struct jpfs_conversation *conversation, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct stat st;

	if (conversation->in_view && conversation->was_durable)
		jp_ignore(jpfs_durable_stat_locked(conversation, JP_EVENTS,
						   &st)); /* updates the state */
	repair(conversation);
	if (conversation->vanished_ms != 0)
		jpfs_wait_at_most(
			wait_ms,
			jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS ? 250 : 5000);
}

/* Somebody in another mount namespace has removed the directory itself: there is nothing that could
 * be brought up to date. */
static bool is_workspace_gone(const struct jpfs_view *view)
{
	struct stat st;

	return fstat(view->workspace_fd, &st) == 0 && st.st_nlink == 0;
}

/* The first thing that failed. */
struct blame {
	int r;
	bool is_stores; /* and not the workspace's */
};

static void blame(struct blame *blame, int r, bool is_stores)
{
	if (r < 0 && blame->r == 0)
		*blame = (struct blame){r, is_stores};
}

/* Which place it is that has no room, or cannot be written, is what somebody has to know. */
static void say_failure(const struct jpfs_conversation *conversation, const struct blame *blame)
{
	struct jpfs_view *view = conversation->view;
	const char *root = view->workspace->root_path, *name = conversation->name;

	if (blame->is_stores)
		jpfs_view_fail(
			view,
			"nothing is lost: make room in the store or restore access, and it is "
			"tried again",
			"%s/.jp/conversations/%s cannot be brought up to date, because %s "
			"cannot be written: %s",
			root, name, view->silo->path, strerrordesc_np(-blame->r));
	else
		jpfs_view_fail(
			view,
			"nothing is lost, the conversation is in the store; make room in the "
			"worktree or restore access, and it is tried again",
			"%s/.jp/conversations/%s cannot be brought up to date: %s", root, name,
			strerrordesc_np(-blame->r));
}

int jpfs_project_conversation(struct jpfs_conversation *conversation, bool is_final,
			      int64_t *ret_wait_ms)
{
	struct jpfs_view *view = conversation->view;
	struct blame failure = {0};
	bool is_stores;
	int r;

	*ret_wait_ms = -1;
	jpfs_conversation_lock(conversation);
	jpfs_listen_locked(conversation); /* before it is looked at */
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	pthread_mutex_unlock(&conversation->lock);
	if (!conversation->is_reconciled && !view->is_read_only)
		return conversation->reconcile_failure; /* said already; work_on() comes back */
	if (conversation->is_local)
		return jpfs_carry_out_doomed(conversation, is_final, ret_wait_ms);
	look_at_vanished(conversation, ret_wait_ms);
	blame(&failure, jpfs_draft_look(conversation), false);
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		r = project_file(conversation, jp_managed_name((enum jp_managed)i), &is_stores);
		if (r == -EAGAIN || r == -ESTALE)
			jpfs_wait_at_most(ret_wait_ms, 50);
		else
			blame(&failure, r, is_stores);
	}
	/* Removing needs no room: where there is none, it is for what is kept before. */
	r = jpfs_layout_project(conversation);
	blame(&failure, r, r == -ENOSPC || r == -EDQUOT);
	r = project_added(conversation);
	if (r == -EAGAIN)
		jpfs_wait_at_most(ret_wait_ms, 50);
	else
		blame(&failure, r, false);
	r = jpfs_carry_out_removals(conversation, is_final, ret_wait_ms);
	blame(&failure, r, r == -ENOSPC || r == -EDQUOT);
	blame(&failure, jpfs_carry_out_doomed(conversation, is_final, ret_wait_ms), true);
	jpfs_drop_pins(conversation);
	blame(&failure, jpfs_base_note(conversation), true);
	if (failure.r == -ENOENT && is_workspace_gone(view))
		failure.r = 0;
	if (failure.r < 0)
		say_failure(conversation, &failure);
	return failure.r;
}
