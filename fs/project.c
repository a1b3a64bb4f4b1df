/*
 * From the durable copy to the workspace: the projection that git sees.
 *
 * It follows in the background with exactly the durable file's bytes, mode and time of
 * modification, so that jp without jpfs sees a tie and takes the durable copy. A file goes to a
 * temporary name in the workspace's root and is renamed into place, so the workspace too goes from
 * one whole version to the next. Nobody waits for it: when the workspace is full or read-only, the
 * failure is reported and the work is tried again.
 *
 * What was put off is carried out here too: a removed managed file leaves the workspace when its
 * directory has stayed, and the durable copy of a removed unmanaged file goes to the trash.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/version.h"
#include "fs/notify.h"
#include "fs/told.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* When a removal counts as one of its own and not as part of the directory's. */
#define SETTLE_MS 3000

static void wait_at_most(int64_t *wait_ms, int64_t ms)
{
	if (*wait_ms < 0 || *wait_ms > ms)
		*wait_ms = ms;
}

static int open_workspace_parent(struct jpfs_conversation *conversation, const char *path,
				 const char **ret_name)
{
	char place[JPFS_PATH_BYTES];
	const char *name;

	*ret_name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	jpfs_workspace_path(conversation, path, place);
	return jpfs_open_parent(conversation->view->workspace_fd, place, &name);
}

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
	if (conversation->is_archived &&
	    jp_sys->mkdirat(view->workspace_fd, JP_ARCHIVE_NAME, 0777 & ~view->umask) < 0 &&
	    errno != EEXIST)
		return -errno;
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
		if (jp_sys->mkdirat(view->workspace_fd, JP_ARCHIVE_NAME, 0777 & ~view->umask) < 0 &&
		    errno != EEXIST)
			return -errno;
		r = jpfs_mkdir_beneath(view->workspace_fd, place, 0777 & ~view->umask);
	}
	return r == -EEXIST ? 0 : r;
}

/* What one file's projection works on. */
struct job {
	int source_fd;
	struct stat source, target;
	bool has_target;
};

static void job_release(struct job *job)
{
	jp_closep(&job->source_fd);
}

/* Find out what is to be done for a regular file. 0 with source_fd, -EALREADY nothing, -errno. */
static int begin(struct jpfs_conversation *conversation, const char *path, struct job *job)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
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
		return r;
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

	/* No lock is held: what was there a moment ago may just be removed. */
	parent = open_workspace_parent(conversation, path, &name);
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
 * copy of it. */
static int keep_replaced(struct jpfs_conversation *conversation, const char *path, int parent,
			 const char *name, int new_fd)
{
	enum jp_managed managed = jp_managed_from_name(path);
	cleanup_close int old = -EBADF;
	int r;

	if (managed == JP_UNMANAGED)
		return 0;
	old = jp_open_regular(parent, name, O_RDONLY);
	if (old < 0)
		return old == -ENOENT ? 0 : old;
	r = jp_version_is_contained(managed, old, new_fd);
	return r == 1 ? 0 : jpfs_keep_version(conversation, managed, parent, name);
}

static int project_bytes(struct jpfs_conversation *conversation, const char *path, struct job *job)
{
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_close int to = -EBADF, parent = -EBADF;
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
	held = jp_lock(&conversation->lock);
	if (r == 0)
		r = is_still_shown(conversation, path, job) ? 0 : -EAGAIN;
	if (r == 0)
		r = ensure_directory(conversation);
	if (r == 0)
		r = parent = open_workspace_parent(conversation, path, &name);
	if (r >= 0 && fstat(parent, &before) < 0)
		r = -errno;
	if (r >= 0 && job->has_target)
		r = keep_replaced(conversation, path, parent, name, job->source_fd);
	if (r >= 0)
		r = jp_sys->renameat2(view->workspace_fd, temporary, parent, name, 0) < 0 ? -errno
											  : 0;
	if (r == 0 && strchr(path, '/') == NULL)
		restore_time(conversation, parent, &before);
	if (r < 0)
		(void)jp_sys->unlinkat(view->workspace_fd, temporary, 0); /* it was only a copy */
	return r;
}

static int project_file(struct jpfs_conversation *conversation, const char *path)
{
	__attribute__((cleanup(job_release))) struct job job = {.source_fd = -EBADF};
	int r = begin(conversation, path, &job);

	if (r == -EALREADY)
		return 0;
	if (r < 0)
		return r;
	if (job.has_target && job.target.st_size == job.source.st_size) {
		r = project_attributes(conversation, path, &job);
		if (r != -EAGAIN)
			return r;
	}
	return project_bytes(conversation, path, &job);
}

/* A directory or link of the durable copy that the workspace has not got yet. */
static int project_other(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
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
		r = to = open_workspace_parent(conversation, path, &name);
	if (r >= 0)
		r = jp_copy_tree(from, name, to, name, NULL);
	return r == -EEXIST ? 0 : r;
}

/* The first path in the list that is not in progress; a copy, or NULL. */
static char *take_note(struct jpfs_conversation *conversation, struct jpfs_note *const *notes,
		       unsigned position)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
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

static int project_added(struct jpfs_conversation *conversation)
{
	unsigned position = 0;
	int failure = 0;

	for (;;) {
		cleanup_free char *path = take_note(conversation, &conversation->added, position);
		int r;

		if (path == NULL)
			return failure;
		r = project_file(conversation, path);
		if (r == 0)
			r = project_other(conversation, path);
		pthread_mutex_lock(&conversation->lock);
		if (r == 0 && is_projected(conversation, path))
			jpfs_note_remove(&conversation->added, path);
		else
			position++;
		pthread_mutex_unlock(&conversation->lock);
		if (r < 0 && r != -EAGAIN && failure == 0)
			failure = r;
	}
}

/* ---- what was put off ---- */

/* A managed file that was removed while its directory stayed. */
static int carry_out_hidden(struct jpfs_conversation *conversation, bool is_final, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	int64_t age;
	int r = 0;

	if (!conversation->in_view || conversation->hidden == 0)
		return 0;
	age = jpfs_now_ms() - conversation->incomplete_ms;
	if (conversation->incomplete_ms != 0 && age < SETTLE_MS && !is_final) {
		wait_at_most(wait_ms, SETTLE_MS - age + 10);
		return 0;
	}
	if (conversation->is_new) {
		/* A directory made by hand, for a conversation that is in the store: show it. */
		conversation->is_new = false;
		conversation->hidden = 0;
		conversation->incomplete_ms = 0;
		jpfs_notify_partitions(view->notify, view);
		jpfs_work_add(conversation, 0);
		return 0;
	}
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		cleanup_close int parent = -EBADF;
		const char *name;

		if ((conversation->hidden & (1U << i)) == 0 ||
		    jpfs_returned_look_locked(conversation, (enum jp_managed)i))
			continue;
		parent = open_workspace_parent(conversation, jp_managed_name((enum jp_managed)i),
					       &name);
		if (parent < 0 && !jp_is_absent(parent))
			return parent;
		if (parent < 0 || faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
			conversation->expected &= ~(1U << i);
			continue;
		}
		if ((conversation->expected & (1U << i)) != 0)
			continue; /* nobody removed it */
		r = jpfs_durable_path_locked(conversation, "", place);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == -ENOENT) /* it is none that jp would accept */
			r = jp_keep_move(view->silo->trash_fd, conversation->id, parent, name,
					 name);
		else if (jp_sys->unlinkat(parent, name, 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r;
}

static bool is_on_its_way(struct jpfs_conversation *conversation, const char *path)
{
	for (struct jpfs_entry *entry = conversation->dirty; entry != NULL;
	     entry = entry->next_dirty) {
		if (strcmp(entry->path, path) == 0)
			return true;
	}
	return false;
}

/* Whether somebody else has put another file where the removed one was. */
static bool is_another_by_now(const struct jpfs_view *view, const char *place,
			      const struct jpfs_note *note)
{
	struct stat st;

	return note->ino != 0 && jpfs_stat_beneath(view->silo->conversations_fd, place, &st) == 0 &&
	       (st.st_ino != note->ino || jp_mtime_ns(&st) != note->mtime_ns);
}

/* Unmanaged files that were removed while their directory stayed. */
static int carry_out_doomed(struct jpfs_conversation *conversation, bool is_final, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	struct jpfs_view *view = conversation->view;
	struct jpfs_note *note, *next;
	int r = 0;

	if (!conversation->in_view || conversation->incomplete_ms != 0) {
		if (conversation->in_view && conversation->doomed != NULL)
			wait_at_most(wait_ms, SETTLE_MS);
		return 0;
	}
	for (note = conversation->doomed; note != NULL && r == 0; note = next) {
		int64_t age = jpfs_now_ms() - note->since_ms;
		cleanup_close int parent = -EBADF;
		char place[JPFS_PATH_BYTES];
		const char *name;

		next = note->next;
		/* What was renamed has its bytes elsewhere: there is nothing to have second thoughts
		 * about, and a program's temporary file should not be seen in the store. */
		if (age < SETTLE_MS && !is_final && !note->is_moved) {
			wait_at_most(wait_ms, SETTLE_MS - age + 10);
			continue;
		}
		if (note->is_moved ? conversation->dirty != NULL
				   : is_on_its_way(conversation, note->path)) {
			wait_at_most(wait_ms, 100); /* its last version may still be on the way */
			continue;
		}
		r = jpfs_durable_path_locked(conversation, note->path, place);
		if (r == 0 && !is_another_by_now(view, place, note)) {
			r = parent = jpfs_open_parent(view->silo->conversations_fd, place, &name);
			if (parent >= 0 && (note->is_moved || jp_name_is_temporary(note->path)))
				r = jp_remove_tree(parent, name);
			else if (parent >= 0)
				r = jp_keep_move(view->silo->trash_fd, conversation->id, parent,
						 name, note->path);
		}
		if (jp_is_absent(r))
			r = 0;
		if (r == 0)
			jpfs_note_remove(&conversation->doomed, note->path);
	}
	return r;
}

/* Somebody may have stopped in the middle of removing all of a conversation that has no durable
 * copy: it gets one, whole, before anything of it goes from the workspace. */
static int save_what_was_being_removed(struct jpfs_conversation *conversation, bool is_final)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	char place[JPFS_PATH_BYTES];
	int r;

	if (!conversation->in_view || conversation->hidden == 0 || conversation->is_new ||
	    (!is_final && conversation->incomplete_ms != 0 &&
	     jpfs_now_ms() - conversation->incomplete_ms < SETTLE_MS))
		return 0;
	r = jpfs_durable_path_locked(conversation, "", place);
	if (r != -ENOENT)
		return r;
	r = jpfs_import_whole(conversation);
	/* It is none that jp would accept: its files go to the trash, one by one. */
	return r == -EBADMSG || r == -EAGAIN ? 0 : r;
}

/* Unmanaged files that the workspace still has although they were removed. */
static int carry_out_removed(struct jpfs_conversation *conversation, bool is_final,
			     int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	struct jpfs_view *view = conversation->view;
	struct jpfs_note *note, *next;
	char place[JPFS_PATH_BYTES];
	int failure = jpfs_durable_path_locked(conversation, "", place);
	bool is_durable = failure == 0;

	if (failure < 0 && failure != -ENOENT)
		return failure; /* nobody can tell whether it is all there is */
	failure = 0;
	for (note = conversation->removed; note != NULL && conversation->in_view; note = next) {
		int64_t age = jpfs_now_ms() - note->since_ms;
		cleanup_close int parent = -EBADF;
		const char *name;
		int r;

		next = note->next;
		/* Without a durable copy: when it is clear that the directory stays. */
		if (!is_durable && !is_final &&
		    (age < SETTLE_MS || conversation->incomplete_ms != 0)) {
			wait_at_most(wait_ms, age < SETTLE_MS ? SETTLE_MS - age + 10 : SETTLE_MS);
			continue;
		}
		parent = open_workspace_parent(conversation, note->path, &name);
		r = parent;
		if (parent >= 0)
			r = is_durable ? jp_remove_tree(parent, name)
				       : jp_keep_move(view->silo->trash_fd, conversation->id,
						      parent, name, note->path);
		if (r == 0 || r == -ENOENT)
			jpfs_note_remove(&conversation->removed, note->path);
		else
			failure = r;
	}
	return failure;
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
		if (conversation->pins[i] != NULL)
			return; /* the workspace first */
	}
	conversation->may_repair = true;
	jp_ignore(jpfs_converge_locked(conversation)); /* until it works it is tried again */
	conversation->may_repair = false;
	conversation->vanished_ms = 0;
}

static void look_at_vanished(struct jpfs_conversation *conversation, int64_t *wait_ms)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);
	struct stat st;

	if (conversation->in_view && conversation->was_durable)
		jp_ignore(jpfs_durable_stat_locked(conversation, JP_EVENTS,
						   &st)); /* updates the state */
	repair(conversation);
	if (conversation->vanished_ms != 0)
		wait_at_most(wait_ms, jpfs_now_ms() - conversation->vanished_ms < JPFS_VANISHED_MS
					      ? 250
					      : 5000);
}

/* Somebody in another mount namespace has removed the directory itself: there is nothing that could
 * be brought up to date. */
static bool is_workspace_gone(const struct jpfs_view *view)
{
	struct stat st;

	return fstat(view->workspace_fd, &st) == 0 && st.st_nlink == 0;
}

int jpfs_project_conversation(struct jpfs_conversation *conversation, bool is_final,
			      int64_t *ret_wait_ms)
{
	struct jpfs_view *view = conversation->view;
	int failure = 0;
	int r;

	*ret_wait_ms = -1;
	pthread_mutex_lock(&conversation->lock);
	jpfs_listen_locked(conversation); /* before it is looked at */
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	pthread_mutex_unlock(&conversation->lock);
	if (!conversation->is_reconciled && !view->is_read_only)
		return conversation->reconcile_failure; /* said already; work_on() comes back */
	if (conversation->is_local)
		return carry_out_doomed(conversation, is_final, ret_wait_ms);
	look_at_vanished(conversation, ret_wait_ms);
	failure = jpfs_draft_look(conversation);
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		r = project_file(conversation, jp_managed_name((enum jp_managed)i));
		if (r == -EAGAIN || r == -ESTALE)
			wait_at_most(ret_wait_ms, 50);
		else if (r < 0 && failure == 0)
			failure = r;
	}
	r = jpfs_layout_project(conversation);
	failure = failure == 0 ? r : failure;
	r = project_added(conversation);
	failure = failure == 0 ? r : failure;
	r = save_what_was_being_removed(conversation, is_final);
	failure = failure == 0 ? r : failure;
	if (r == 0) {
		r = carry_out_removed(conversation, is_final, ret_wait_ms);
		failure = failure == 0 ? r : failure;
		r = carry_out_hidden(conversation, is_final, ret_wait_ms);
		failure = failure == 0 ? r : failure;
	}
	r = carry_out_doomed(conversation, is_final, ret_wait_ms);
	failure = failure == 0 ? r : failure;
	jpfs_drop_pins(conversation);
	r = jpfs_base_note(conversation);
	failure = failure == 0 ? r : failure;
	if (failure == -ENOENT && is_workspace_gone(view))
		failure = 0;
	if (failure < 0)
		jpfs_view_fail(
			view,
			"nothing is lost, the conversation is in the store; it is tried again "
			"when there is room or access",
			"%s/%s/%s cannot be brought up to date: %s", view->workspace->root_path,
			".jp/conversations", conversation->name, strerrordesc_np(-failure));
	return failure;
}
