/*
 * The life of a view.
 *
 * Which conversations the workspace has is read once, when the mount is made, and kept here from
 * then on: the real directory lies beneath the mount, so nothing else has business there. What a
 * stranger does to it (another mount namespace, a vanished disk) is noticed when the mount is made
 * again, and never taken for a removal.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/user_data.h"
#include "fs/log.h"
#include "fs/transcripts.h"
#include "fs/view.h"

#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t jpfs_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the table of conversations ---- */

static int compare_ids(const void *first, const void *second)
{
	uint64_t a = ((const struct jpfs_conversation *)first)->id;
	uint64_t b = ((const struct jpfs_conversation *)second)->id;

	return a < b ? -1 : a > b;
}

struct jpfs_conversation *jpfs_view_find(struct jpfs_view *view, uint64_t id)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	const struct jpfs_conversation key = {.id = id};
	void *found = tfind(&key, &view->conversations, compare_ids);
	struct jpfs_conversation *conversation;

	if (found == NULL)
		return NULL;
	conversation = *(struct jpfs_conversation **)found;
	jpfs_object_ref(&conversation->object);
	return conversation;
}

int jpfs_conversation_new(struct jpfs_view *view, uint64_t id, const char *name, bool is_archived,
			  struct jpfs_conversation **ret)
{
	struct jpfs_conversation *conversation = calloc(1, sizeof(*conversation));
	pthread_mutexattr_t attributes;

	if (conversation == NULL)
		return -ENOMEM;
	conversation->name = strdup(name);
	if (conversation->name == NULL) {
		free(conversation);
		return -ENOMEM;
	}
	jpfs_object_init(view, &conversation->object, JPFS_CONVERSATION);
	conversation->view = view;
	conversation->id = id;
	conversation->is_archived = is_archived;
	conversation->in_view = true;
	conversation->dirty_end = &conversation->dirty;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&conversation->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	*ret = conversation;
	return 0;
}

int jpfs_view_insert(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct jpfs_conversation **place = tsearch(conversation, &view->conversations, compare_ids);

	if (place == NULL)
		return -ENOMEM;
	if (*place != conversation)
		return -EEXIST;
	jpfs_object_ref(&conversation->object);
	view->conversation_count++;
	return 0;
}

int jpfs_view_add(struct jpfs_view *view, uint64_t id, const char *name, bool is_archived,
		  struct jpfs_conversation **ret)
{
	struct jpfs_conversation *conversation;
	int r = jpfs_conversation_new(view, id, name, is_archived, &conversation);

	if (r < 0)
		return r;
	r = jpfs_view_insert(conversation);
	if (r < 0 || ret == NULL)
		jpfs_object_unref(&conversation->object);
	else
		*ret = conversation;
	return r;
}

void jpfs_view_drop(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	bool was_there;

	pthread_mutex_lock(&view->table);
	was_there = tdelete(conversation, &view->conversations, compare_ids) != NULL;
	view->conversation_count -= was_there ? 1 : 0;
	pthread_mutex_unlock(&view->table);
	conversation->in_view = false;
	if (was_there)
		jpfs_object_unref(&conversation->object); /* the table's; the caller has one */
}

struct snapshot {
	struct jpfs_conversation **items;
	size_t count;
};

static void collect(const void *node, VISIT visit, void *closure)
{
	struct snapshot *snapshot = closure;

	if (visit == postorder || visit == leaf) {
		struct jpfs_conversation *conversation = *(struct jpfs_conversation *const *)node;

		jpfs_object_ref(&conversation->object);
		snapshot->items[snapshot->count++] = conversation;
	}
}

int jpfs_view_snapshot(struct jpfs_view *view, struct jpfs_conversation ***ret, size_t *ret_count)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct snapshot snapshot = {
		.items = calloc(view->conversation_count + 1, sizeof(*snapshot.items)),
	};

	if (snapshot.items == NULL)
		return -ENOMEM;
	twalk_r(view->conversations, collect, &snapshot);
	*ret = snapshot.items;
	*ret_count = snapshot.count;
	return 0;
}

/* ---- opening and closing ---- */

/* Also where an import was cut off: it goes on the next time. */
static bool is_first_use(const struct jpfs_view *view)
{
	struct stat st;

	return !view->is_read_only &&
	       fstatat(view->silo->own_fd, JP_SILO_FIRST_USE, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What cannot be read now must not be taken for nothing: an edit that was made in the worktree could be
 * taken for a step back, and what is noted from now on would not fit what is there. */
static int open_base(struct jpfs_view *view, struct jp_error *error)
{
	char name[JP_BASE_NAME_BYTES] = "";
	int r = jp_base_open(view->silo->workspaces_fd, view->workspace->root_fd,
			     view->is_read_only, &view->base);

	view->base_failure = r;
	if (r == 0)
		return 0;
	jp_ignore(jp_base_name(view->workspace->root_fd, name)); /* only for the message */
	jp_error_set(
		error, r,
		"%s/jpfs/workspaces/%s, what both sides last had in common, cannot be read: %s",
		view->silo->path, name, strerrordesc_np(-r));
	jp_error_remedy(error,
			"nothing was changed: see to its disk or to who may read it. If it is "
			"lost, move it away; then the versions alone decide what is newer");
	return view->is_read_only ? 0 : r;
}

int jpfs_view_open(struct jpfs_view *view, const struct jp_workspace *workspace,
		   struct jp_silo *silo, int workspace_fd, bool read_only, struct jp_error *error)
{
	int r;

	*view = (struct jpfs_view){
		.workspace = workspace,
		.silo = silo,
		.workspace_fd = workspace_fd,
		.is_read_only = read_only,
		.staging = {.fd = -EBADF, .parent_fd = -EBADF},
	};
	clock_gettime(CLOCK_REALTIME, &view->started);
	pthread_rwlock_init(&view->outside_lock, NULL);
	pthread_mutex_init(&view->names, NULL);
	pthread_mutex_init(&view->follow, NULL);
	pthread_mutex_init(&view->table, NULL);
	atomic_init(&view->next_serial, JPFS_ROOT_SERIAL);
	atomic_init(&view->next_temporary, 1);
	jpfs_object_init(view, &view->root, JPFS_ROOT); /* the first serial: JPFS_ROOT_SERIAL */
	jpfs_object_init(view, &view->archive, JPFS_ARCHIVE);
	jpfs_object_init(view, &view->control, JPFS_CONTROL);
	view->status_ino = atomic_fetch_add(&view->next_serial, 1);
	jpfs_object_init(view, &view->local, JPFS_LOCAL);
	jpfs_object_init(view, &view->local_archive, JPFS_LOCAL_ARCHIVE);
	jpfs_object_init(view, &view->history, JPFS_HISTORY);
	jpfs_object_init(view, &view->transcripts, JPFS_TRANSCRIPTS);
	jpfs_object_init(view, &view->transcripts_archive, JPFS_TRANSCRIPTS_ARCHIVE);
	r = jp_dir_index_new(silo->conversations_fd, &view->durable_index);
	if (r == 0)
		r = jpfs_transcripts_open(view);
	if (r == 0 && !read_only)
		r = jp_staging_open(silo, &view->staging);
	if (r == 0 && !read_only)
		jpfs_recover(view);
	if (r < 0)
		return jp_error_set(error, r, "%s: the silo cannot be used: %s", silo->path,
				    strerrordesc_np(-r));
	view->import_all = is_first_use(view);
	return open_base(view, error);
}

static void remove_leftovers(struct jpfs_view *view)
{
	struct jpfs_listing listing = {0};

	if (view->is_read_only)
		return;
	if (jpfs_outside_list(view, &view->root, &listing) == 0) {
		for (size_t i = 0; i < listing.count; i++) {
			if (jpfs_is_temporary_name(listing.items[i].name))
				jp_ignore(
					jp_remove_tree(view->workspace_fd, listing.items[i].name));
		}
	}
	jpfs_listing_release(&listing);
}

/* It was made while the mount was away. git is perhaps still making this directory, and creates each file as if none was there: what the
 * workspace lacks stays hidden for a moment. */
static void expect_more(struct jpfs_view *view, uint64_t id)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);

	if (conversation == NULL)
		return;
	jpfs_conversation_lock(conversation);
	conversation->has_returned = true;
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		char path[JPFS_PATH_BYTES];
		struct stat st;

		jpfs_workspace_path(conversation, jp_managed_name((enum jp_managed)i), path);
		if (jpfs_stat_beneath(view->workspace_fd, path, &st) == -ENOENT)
			jpfs_returned_expect_locked(conversation, (enum jp_managed)i);
	}
	if (conversation->hidden != 0) {
		conversation->is_new = true;
		conversation->incomplete_ms = jpfs_now_ms();
	}
	pthread_mutex_unlock(&conversation->lock);
	jpfs_object_unref(&conversation->object);
}

static bool is_in_view(uint64_t id, void *closure)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_conversation *conversation = jpfs_view_find(closure, id);

	object = conversation != NULL ? &conversation->object : NULL;
	return conversation != NULL;
}

int jpfs_view_load(struct jpfs_view *view, bool is_return)
{
	struct jp_index_entry *entries;
	size_t count;
	uint64_t last = 0;
	int r;

	remove_leftovers(view);
	jpfs_seconds_forget(view);
	r = jp_dir_index_read(view->workspace_fd, &entries, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++) {
		/* A second directory for an ID is left where it is, and is not shown for now. */
		if (i > 0 && entries[i].id == last) {
			jpfs_log(JPFS_LOG_WARNING,
				 "%s: another directory for conversation %" PRIu64
				 " in %s; it is shown when %s is removed",
				 entries[i].name, last, view->workspace->root_path,
				 entries[i - 1].name);
			r = jpfs_second_note(view, last);
			continue;
		}
		last = entries[i].id;
		r = jpfs_view_add(view, last, entries[i].name, entries[i].is_archived, NULL);
		if (r == 0 && is_return)
			expect_more(view, last);
		if (r == -EEXIST)
			r = 0; /* still there from before a detachment */
	}
	jp_index_entries_free(entries, count);
	/* What the workspace has no more was taken out of it. */
	if (r == 0 && !view->is_read_only)
		r = jp_base_forget_others(view->base, is_in_view, view);
	return r;
}

static void forget_local(void *node)
{
	jpfs_object_unref(&((struct jpfs_conversation *)node)->object);
}

void jpfs_view_close(struct jpfs_view *view)
{
	struct jpfs_conversation **all = NULL;
	size_t count = 0;

	if (jpfs_view_snapshot(view, &all, &count) == 0) {
		for (size_t i = 0; i < count; i++) {
			jpfs_view_drop(all[i]);
			jpfs_object_unref(&all[i]->object);
		}
		free(all);
	}
	jpfs_seconds_forget(view);
	tdestroy(view->locals, forget_local);
	jpfs_transcripts_close(view);
	jp_base_close(view->base);
	jp_dir_index_free(view->durable_index);
	if (view->staging.fd >= 0)
		jp_staging_close(&view->staging);
	pthread_mutex_destroy(&view->table);
	pthread_mutex_destroy(&view->follow);
	pthread_mutex_destroy(&view->names);
	pthread_rwlock_destroy(&view->outside_lock);
}

void jpfs_view_follow_silo(struct jpfs_view *view)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_free char *user_data = NULL;
	cleanup_silo struct jp_silo found = {0};
	struct jp_staging staging = {0};
	struct jp_error error = {0};
	struct stat st;
	int r;

	if (fstat(view->silo->conversations_fd, &st) == 0 && st.st_nlink > 0)
		return;
	held = jp_lock(&view->follow);
	if (fstat(view->silo->conversations_fd, &st) == 0 && st.st_nlink > 0)
		return; /* another thread was quicker */
	r = jp_user_data_dir(&user_data, &error);
	if (r == 0)
		r = jp_silo_open(user_data, view->workspace->id, jp_workspace_slug(view->workspace),
				 false, &found, &error);
	jp_silo_release(&found);
	/* There is one: what it lacks of ours is made. */
	if (r == 0)
		r = jp_silo_open(user_data, view->workspace->id, jp_workspace_slug(view->workspace),
				 true, &found, &error);
	if (r == 0 && !view->is_read_only)
		r = jp_staging_open(&found, &staging);
	if (r < 0) {
		/* Somebody deleted it. It is not made again behind their back, and said once. */
		if (view->silo_is_gone)
			return;
		view->silo_is_gone = true;
		jpfs_view_fail(view, "put it back, or unmount and mount again to start a new one",
			       "the silo %s is gone: %s", view->silo->path,
			       error.message[0] != '\0' ? error.message : strerrordesc_np(-r));
		return;
	}
	view->silo_is_gone = false;
	jpfs_log(JPFS_LOG_INFO, "the silo %s was folded into %s", view->silo->path, found.path);
	/* In place: whoever uses one of these numbers meets the new silo from the next call on. */
	if (dup3(found.fd, view->silo->fd, O_CLOEXEC) < 0 ||
	    dup3(found.conversations_fd, view->silo->conversations_fd, O_CLOEXEC) < 0 ||
	    dup3(found.own_fd, view->silo->own_fd, O_CLOEXEC) < 0 ||
	    dup3(found.staging_fd, view->silo->staging_fd, O_CLOEXEC) < 0 ||
	    dup3(found.history_fd, view->silo->history_fd, O_CLOEXEC) < 0 ||
	    dup3(found.trash_fd, view->silo->trash_fd, O_CLOEXEC) < 0 ||
	    dup3(found.workspaces_fd, view->silo->workspaces_fd, O_CLOEXEC) < 0)
		jpfs_view_fail(view, "unmount and mount again",
			       "the silo %s cannot be followed: %s", found.path,
			       strerrordesc_np(errno));
	if (!view->is_read_only) {
		/* Our own staging directory may have moved along, or have been removed. */
		if (fstat(view->staging.fd, &st) < 0 || st.st_nlink == 0) {
			(void)dup3(staging.fd, view->staging.fd, O_CLOEXEC);
			(void)dup3(staging.parent_fd, view->staging.parent_fd, O_CLOEXEC);
			memcpy(view->staging.name, staging.name, sizeof(staging.name));
			jp_closep(&staging.fd);
			jp_closep(&staging.parent_fd);
		} else {
			/* It is removed at the end from where it is now. */
			(void)dup3(staging.parent_fd, view->staging.parent_fd, O_CLOEXEC);
			jp_staging_close(&staging);
		}
	}
	jp_dir_index_expire(view->durable_index);
}

/* ---- what went wrong ---- */

void jpfs_view_fail(struct jpfs_view *view, const char *remedy, const char *format, ...)
{
	struct jpfs_failure failure = {0};
	struct timespec now;
	struct tm utc;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(failure.message, sizeof(failure.message), format, arguments);
	va_end(arguments);
	(void)snprintf(failure.remedy, sizeof(failure.remedy), "%s", remedy);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	(void)strftime(failure.when, sizeof(failure.when), "%Y-%m-%dT%H:%M:%SZ", &utc);

	pthread_mutex_lock(&view->table);
	view->failure = failure;
	pthread_mutex_unlock(&view->table);
	jpfs_log(JPFS_LOG_ERROR, "%s%s%s", failure.message, remedy[0] != '\0' ? "; " : "", remedy);
}

bool jpfs_view_is_empty(struct jpfs_view *view)
{
	struct jpfs_listing listing = {0};
	bool is_empty;

	/* A few conversations more tell as much as all of them would. */
	pthread_mutex_lock(&view->table);
	is_empty = view->conversation_count == 0;
	pthread_mutex_unlock(&view->table);
	if (!is_empty)
		return false;
	is_empty = jpfs_outside_list(view, &view->root, &listing) == 0;
	for (size_t i = 0; i < listing.count && is_empty; i++)
		is_empty = jpfs_is_temporary_name(listing.items[i].name) ||
			   jpfs_second_is_waiting(view, listing.items[i].name);
	jpfs_listing_release(&listing);
	return is_empty;
}

/* ---- small things that several files need ---- */

void jpfs_view_temporary_name(struct jpfs_view *view, char *ret_name)
{
	(void)snprintf(ret_name, NAME_MAX + 1, ".jpfs-%ld-%" PRIu64, (long)getpid(),
		       atomic_fetch_add(&view->next_temporary, 1));
}

bool jpfs_is_temporary_name(const char *name)
{
	size_t digits;

	if (strncmp(name, ".jpfs-", 6) != 0)
		return false;
	name += 6;
	digits = strspn(name, "0123456789");
	if (digits == 0 || name[digits] != '-')
		return false;
	name += digits + 1;
	digits = strspn(name, "0123456789");
	return digits > 0 && name[digits] == '\0';
}
