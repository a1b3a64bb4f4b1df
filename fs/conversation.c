/*
 * One conversation: where its two copies are, and what is shown of it. Which version of the durable
 * copy that is, is decided by accept.c.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/glance.h"
#include "fs/told.h"
#include "fs/notify.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- where it is ---- */

/* Nothing is written to the workspace then: room can be missing in the store alone. */
static void say_apart(const struct jpfs_conversation *conversation, int r)
{
	struct jpfs_view *view = conversation->view;

	if (r == -ENOSPC || r == -EDQUOT)
		jpfs_view_fail(view, "nothing is lost: make room in the store; it is tried again",
			       "%s: the two sides could not be brought together in %s: %s",
			       conversation->name, view->silo->path, strerrordesc_np(-r));
	else
		jpfs_view_fail(view, "it is tried again in a moment",
			       "%s: the two sides could not be brought together: %s",
			       conversation->name, strerrordesc_np(-r));
}

void jpfs_conversation_reconcile_locked(struct jpfs_conversation *conversation)
{
	int r, before = conversation->reconcile_failure;

	if (conversation->is_reconciled || conversation->view->is_read_only ||
	    jpfs_now_ms() < conversation->reconcile_retry_ms)
		return;
	jpfs_listen_locked(conversation); /* before it is looked at */
	r = jpfs_converge_locked(conversation);
	/* Either way it is served; the background tries again, and does nothing else to it until that
	 * has worked: what it does not know of one side, it must not overwrite. */
	conversation->is_reconciled = r == 0;
	conversation->reconcile_failure = r;
	jpfs_tell_again_locked(conversation);
	conversation->reconcile_retry_ms = jpfs_now_ms() + 1000;
	if (r < 0 && r != before) /* once, however often it is tried */
		say_apart(conversation, r);
}

pthread_mutex_t *jpfs_conversation_enter(struct jpfs_conversation *conversation)
{
	pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	jpfs_conversation_reconcile_locked(conversation);
	return held;
}

void jpfs_conversation_leave_locked(struct jpfs_conversation *conversation)
{
	/* What was removed file by file went with its directory: the durable copy keeps it. */
	jpfs_notes_free(&conversation->doomed);
	jpfs_notes_free(&conversation->added);
	jpfs_notes_free(&conversation->removed);
	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		if (entry->is_linked)
			jpfs_entry_orphan_locked(entry);
	}
}

int jpfs_workspace_make_archive(struct jpfs_view *view)
{
	return jp_sys->mkdirat(view->workspace_fd, JP_ARCHIVE_NAME, 0777 & ~view->umask) < 0 &&
			       errno != EEXIST
		       ? -errno
		       : 0;
}

void jpfs_workspace_path(const struct jpfs_conversation *conversation, const char *path,
			 char ret[JPFS_PATH_BYTES])
{
	/* One of .jpfs/local has no directory there: a name that nothing can have stands for it. */
	if (conversation->is_local)
		(void)snprintf(ret, JPFS_PATH_BYTES, "%s/%s", JPFS_NO_NAME, path);
	else
		(void)snprintf(ret, JPFS_PATH_BYTES, "%s%s%s%s",
			       conversation->is_archived ? JP_ARCHIVE_NAME "/" : "",
			       conversation->name, path[0] != '\0' ? "/" : "", path);
}

int jpfs_durable_path_locked(struct jpfs_conversation *conversation, const char *path,
			     char ret[JPFS_PATH_BYTES])
{
	struct jpfs_view *view = conversation->view;
	struct jpfs_glance *glance = conversation->glance;
	char directory[JP_CONVERSATION_PATH_BYTES];
	int r;

	if (glance != NULL && glance->durable[0] != '\0') {
		(void)snprintf(ret, JPFS_PATH_BYTES, "%s%s%s", glance->durable,
			       path[0] != '\0' ? "/" : "", path);
		return 0;
	}
	r = jp_dir_index_find(view->durable_index, conversation->id, directory, NULL);
	if (r == -ENOENT) {
		jpfs_view_follow_silo(view);
		r = jp_dir_index_find(view->durable_index, conversation->id, directory, NULL);
	}
	if (r < 0)
		return r;
	if (glance != NULL)
		(void)snprintf(glance->durable, sizeof(glance->durable), "%s", directory);
	(void)snprintf(ret, JPFS_PATH_BYTES, "%s%s%s", directory, path[0] != '\0' ? "/" : "", path);
	return 0;
}

int jpfs_durable_parent_locked(struct jpfs_conversation *conversation, const char *path,
			       const char **ret_name)
{
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	const char *name;
	size_t start;
	int r = jpfs_durable_path_locked(conversation, "", place);

	*ret_name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	if (r < 0)
		return r;
	start = strlen(place) + 1;
	r = jpfs_durable_path_locked(conversation, path, place);
	if (r < 0)
		return r;
	r = jpfs_open_parent(view->silo->conversations_fd, place, &name);
	if (r != -ENOENT)
		return r;
	/* Directories that only the workspace has: made there by git, say, and just now written to. */
	for (char *slash = strchr(place + start, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (jp_sys->mkdirat(view->silo->conversations_fd, place, 0777 & ~view->umask) < 0 &&
		    errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return jpfs_open_parent(view->silo->conversations_fd, place, &name);
}

int jpfs_remove_projection_locked(struct jpfs_conversation *conversation, int parent,
				  const char *name)
{
	struct jpfs_view *view = conversation->view;
	char temporary[NAME_MAX + 1];
	int r = jpfs_save_only_here_locked(conversation);

	if (r < 0)
		return r;
	jpfs_view_temporary_name(view, temporary);
	/* Where it cannot have another name, it goes as it is. */
	if (jp_sys->renameat2(parent, name, view->workspace_fd, temporary, 0) < 0)
		return errno == ENOENT ? 0 : jp_remove_tree(parent, name);
	jp_ignore(jp_remove_tree(view->workspace_fd, temporary)); /* or when a view is opened */
	return 0;
}

/* ---- what is shown ---- */

/* 1, 0, -errno. */
static int is_visible(struct jpfs_conversation *conversation, enum jp_managed which)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;
	int r = jpfs_entry_lookup_locked(conversation, jp_managed_name(which), &entry);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	object = &entry->object;
	return 1;
}

static int is_complete(struct jpfs_conversation *conversation)
{
	int r = is_visible(conversation, JP_METADATA);

	return r == 1 ? is_visible(conversation, JP_EVENTS) : r;
}

void jpfs_conversation_changed_locked(struct jpfs_conversation *conversation)
{
	conversation->writes++;
	clock_gettime(CLOCK_REALTIME, &conversation->changed);
}

void jpfs_conversation_settle_locked(struct jpfs_conversation *conversation)
{
	bool was_incomplete = conversation->incomplete_ms != 0;
	int r = is_complete(conversation);

	if (r < 0)
		return; /* nobody can tell: it stays as it is */
	if (r == 1) {
		conversation->incomplete_ms = 0;
		if (was_incomplete)
			jpfs_notify_partitions(conversation->view->notify, conversation->view);
	} else if (!was_incomplete) {
		conversation->incomplete_ms = jpfs_now_ms();
		jpfs_notify_partitions(conversation->view->notify, conversation->view);
		jpfs_work_add(conversation, JPFS_SETTLE_MS + 100);
	}
}

bool jpfs_conversation_is_listed(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	return conversation->in_view &&
	       (conversation->incomplete_ms == 0 ||
		jpfs_now_ms() - conversation->incomplete_ms > JPFS_SETTLE_MS);
}

const char *jpfs_conversation_presence_locked(struct jpfs_conversation *conversation)
{
	char path[JPFS_PATH_BYTES];

	if (conversation->is_local)
		return "local";
	return jpfs_durable_path_locked(conversation, "", path) == -ENOENT ? "workspace-only"
									   : "projected";
}

/* The directory whose unmanaged files are shown: the workspace's, where there is one. */
static int open_listed(struct jpfs_conversation *conversation, const char *path)
{
	const struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	int r = 0;

	if (!conversation->is_local && path[0] == '\0')
		return jpfs_open_workspace_locked(conversation);
	if (conversation->is_local)
		r = jpfs_durable_path_locked(conversation, path, place);
	else
		jpfs_workspace_path(conversation, path, place);
	return r < 0 ? r
		     : jp_open_beneath(conversation->is_local ? view->silo->conversations_fd
							      : view->workspace_fd,
				       place, O_RDONLY | O_DIRECTORY, 0);
}

int jpfs_conversation_list_workspace_locked(struct jpfs_conversation *conversation,
					    const char *path, struct jpfs_listing *listing)
{
	cleanup_close int fd = -EBADF;
	cleanup_closedir DIR *dir = NULL;

	fd = open_listed(conversation, path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (dir == NULL)
		return -errno;
	fd = -EBADF; /* the stream has it now */
	for (;;) {
		char inner[JPFS_PATH_BYTES];
		struct dirent *entry;
		int r;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return errno != 0 ? -errno : 0;
		if (!jp_is_single_name(entry->d_name))
			continue;
		/* At the top, jp's own files are told of by their state, not by what lies here. */
		if (path[0] == '\0' && (jp_managed_from_name(entry->d_name) != JP_UNMANAGED ||
					jp_name_is_managed_temporary(entry->d_name)))
			continue;
		(void)snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] != '\0' ? "/" : "",
			       entry->d_name);
		if (jpfs_note_find(conversation->removed, inner) != NULL ||
		    (conversation->is_local &&
		     jpfs_note_find(conversation->doomed, inner) != NULL) ||
		    jpfs_entry_live_locked(conversation, inner) != NULL ||
		    jpfs_note_find(conversation->added, inner) != NULL)
			continue;
		r = jpfs_listing_add(listing, entry->d_name, entry->d_ino,
				     (mode_t)DTTOIF(entry->d_type));
		if (r < 0)
			return r;
	}
}

/* The name of a path directly beneath a directory; NULL for anything else. */
static const char *name_beneath(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	if (length > 0) {
		if (strncmp(path, directory, length) != 0 || path[length] != '/')
			return NULL;
		path += length + 1;
	}
	return strchr(path, '/') == NULL ? path : NULL;
}

int jpfs_conversation_list(struct jpfs_conversation *conversation, const char *path,
			   struct jpfs_listing *listing)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	cleanup_glance struct jpfs_glance glance;
	int r = 0;

	jpfs_glance_begin_locked(conversation, &glance);
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0 && path[0] == '\0'; i++) {
		cleanup_object struct jpfs_object *object = NULL;
		struct jpfs_entry *entry;

		/* A file that cannot be looked at is not a file that is not there: what has no entries
		 * may be removed. */
		r = jpfs_entry_lookup_locked(conversation, jp_managed_name((enum jp_managed)i),
					     &entry);
		if (r < 0) {
			r = r == -ENOENT ? 0 : r;
			continue;
		}
		object = &entry->object;
		r = jpfs_listing_add(listing, entry->path, entry->shown_ino, entry->type);
		if (r == 0 && listing->with_objects)
			listing->items[listing->count - 1].object = TAKE_PTR(object);
	}
	/* What is in memory first: the next call leaves out what it finds here. */
	for (struct jpfs_entry *entry = conversation->entries; entry != NULL && r == 0;
	     entry = entry->next) {
		const char *name = name_beneath(path, entry->path);

		if (name == NULL || !entry->is_linked ||
		    (path[0] == '\0' &&
		     (entry->managed != JP_UNMANAGED || jp_name_is_managed_temporary(name))))
			continue;
		r = jpfs_listing_add(listing, name, entry->shown_ino, entry->type);
	}
	for (struct jpfs_note *note = conversation->added; note != NULL && r == 0;
	     note = note->next) {
		const char *name = name_beneath(path, note->path);

		if (name != NULL && jpfs_entry_live_locked(conversation, note->path) == NULL)
			r = jpfs_listing_add(listing, name, 0, 0);
	}
	return r < 0 ? r : jpfs_conversation_list_workspace_locked(conversation, path, listing);
}

int jpfs_conversation_stat(struct jpfs_conversation *conversation, struct stat *ret)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	char path[JPFS_PATH_BYTES];
	int r;

	if (conversation->made_way)
		return -ESTALE; /* the kernel asks for its name again, and finds none */
	jpfs_workspace_path(conversation, "", path);
	r = jpfs_stat_beneath(view->workspace_fd, path, ret);
	if (r == -ENOENT || (r == 0 && !S_ISDIR(ret->st_mode))) {
		jpfs_listen_locked(conversation); /* before it is looked at */
		r = jpfs_durable_path_locked(conversation, "", path);
		if (r == 0)
			r = jpfs_stat_beneath(view->silo->conversations_fd, path, ret);
	}
	if (r == -ENOENT) {
		/* Neither side has a directory yet: it is being made, or the disk is full. */
		if (fstat(view->workspace_fd, ret) < 0)
			return -errno;
		ret->st_ino = conversation->id;
		r = 0;
	}
	if (r < 0)
		return r;
	if (conversation->changed.tv_sec > ret->st_mtim.tv_sec ||
	    (conversation->changed.tv_sec == ret->st_mtim.tv_sec &&
	     conversation->changed.tv_nsec > ret->st_mtim.tv_nsec)) {
		ret->st_mtim = conversation->changed;
		ret->st_ctim = conversation->changed;
	}
	return 0;
}
