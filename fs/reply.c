/*
 * Answers, and what every operation needs to find its way from a nodeid to the view.
 *
 * How long the kernel may keep an answer is decided where the answer is found, under the same hold
 * of the lock: told.c remembers it, and takes it back when it is not true any more.
 */
#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/log.h"
#include "fs/kept.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/told.h"
#include "fs/transcripts.h"

#include <stdio.h>
#include <string.h>

bool jpfs_is_companion(fuse_req_t req)
{
	const struct jpfs_connection *connection = fuse_req_userdata(req);
	const struct jpfs_view *view = connection->view;

	return view->companion > 0 && fuse_req_ctx(req)->pid == view->companion &&
	       view->notify != NULL && jpfs_notify_can_await(view->notify);
}

struct jpfs_connection *jpfs_connection_of(fuse_req_t req)
{
	struct jpfs_connection *connection = fuse_req_userdata(req);

	/* What others do in the store is no use of this mount. */
	if (!jpfs_is_companion(req))
		jpfs_idle_touch(connection->idle);
	jpfs_work_give_way(connection->view);
	return connection;
}

void jpfs_connection_init(struct jpfs_connection *connection, struct jpfs_view *view,
			  struct jpfs_idle *idle)
{
	connection->view = view;
	connection->idle = idle;
	connection->handles = NULL;
	pthread_mutex_init(&connection->handles_lock, NULL);
	connection->transcript_fd = -EBADF;
	pthread_mutex_init(&connection->readings_lock, NULL);
	jpfs_nodes_init(&connection->nodes, view);
}

void jpfs_handle_add(struct jpfs_connection *connection, struct jpfs_handle *handle,
		     void (*destroy)(struct jpfs_handle *handle))
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&connection->handles_lock);

	handle->connection = connection;
	handle->destroy = destroy;
	atomic_init(&handle->refs, 1);
	handle->next = connection->handles;
	handle->link = &connection->handles;
	if (handle->next != NULL)
		handle->next->link = &handle->next;
	connection->handles = handle;
}

struct jpfs_handle *jpfs_handle_get(fuse_req_t req, const struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	/* The lock orders this thread after the one that opened it: the kernel's word that there is
	 * such a handle is no barrier that anybody could check. */
	cleanup_unlock pthread_mutex_t *held = jp_lock(&connection->handles_lock);
	struct jpfs_handle *handle =
		(struct jpfs_handle *)(uintptr_t)file->fh; /* NOLINT: libfuse's way */

	atomic_fetch_add(&handle->refs, 1);
	return handle;
}

void jpfs_handle_putp(struct jpfs_handle **handle)
{
	if (*handle != NULL && atomic_fetch_sub(&(*handle)->refs, 1) == 1)
		(*handle)->destroy(*handle);
	*handle = NULL;
}

void jpfs_handle_close(struct jpfs_handle *handle)
{
	struct jpfs_connection *connection = handle->connection;

	pthread_mutex_lock(&connection->handles_lock);
	*handle->link = handle->next;
	if (handle->next != NULL)
		handle->next->link = handle->link;
	pthread_mutex_unlock(&connection->handles_lock);
	jpfs_handle_putp(&handle);
}

void jpfs_connection_release(struct jpfs_connection *connection)
{
	while (connection->handles != NULL)
		jpfs_handle_close(connection->handles);
	jpfs_readings_release(connection);
	jp_closep(&connection->transcript_fd);
	jpfs_nodes_release(&connection->nodes);
	pthread_mutex_destroy(&connection->handles_lock);
	pthread_mutex_destroy(&connection->readings_lock);
}

void jpfs_connection_negotiate(struct jpfs_connection *connection, struct fuse_conn_info *kernel)
{
	/* Only where it is told what changes may the kernel keep a listing, and read it unasked. */
	connection->needs_no_opendir = connection->view->notify != NULL &&
				       (kernel->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
	connection->needs_no_open = connection->view->notify != NULL &&
				    jpfs_notify_can_await(connection->view->notify) &&
				    (kernel->capable & FUSE_CAP_NO_OPEN_SUPPORT) != 0;
	if (connection->needs_no_open)
		atomic_store(&connection->view->opens_unseen, true);
}

int jpfs_inner_place(struct jpfs_object *parent, const char *name, struct jpfs_inner_place *ret)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(parent);
	struct jpfs_entry *entry = jpfs_as_entry(parent);
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (conversation == NULL && entry == NULL)
		return -ENOENT;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (conversation != NULL) {
		held = jpfs_conversation_lock(conversation);
		ret->conversation = conversation;
		(void)snprintf(ret->path, sizeof(ret->path), "%s", name);
		return conversation->in_view ? 0 : -ESTALE;
	}
	held = jpfs_conversation_lock(entry->conversation);
	ret->conversation = entry->conversation;
	if (!entry->is_linked || !entry->conversation->in_view)
		return -ESTALE;
	if (snprintf(ret->path, sizeof(ret->path), "%s/%s", entry->path, name) >=
	    (int)sizeof(ret->path) - JP_CONVERSATION_PATH_BYTES)
		return -ENAMETOOLONG;
	return 0;
}

static void stat_synthetic(struct jpfs_view *view, const struct jpfs_object *object, mode_t mode,
			   struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = object->serial,
		.st_mode = mode,
		.st_nlink = S_ISDIR(mode) ? 2 : 1,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_blksize = 4096,
		.st_mtim = view->started,
		.st_ctim = view->started,
		.st_atim = view->started,
	};
}

int jpfs_object_stat(struct jpfs_view *view, struct jpfs_object *object, struct stat *ret)
{
	struct jpfs_entry *entry = jpfs_as_entry(object);
	int r;

	switch (object->kind) {
	case JPFS_ROOT:
	case JPFS_OUTSIDER:
		return jpfs_outside_stat(view, object, ret);
	case JPFS_ARCHIVE:
		r = jpfs_outside_stat(view, object, ret);
		/* It went beneath the mount, and the kernel has it: whoever makes something in it makes it
		 * anew (partition_make.c). */
		if (r == -ENOENT)
			stat_synthetic(view, object, S_IFDIR | (0777 & ~view->umask), ret);
		return r == -ENOENT ? 0 : r;
	case JPFS_CONVERSATION:
		return jpfs_conversation_stat(jpfs_as_conversation(object), ret);
	case JPFS_ENTRY: {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

		return jpfs_entry_stat_locked(entry, ret);
	}
	case JPFS_CONTROL:
	case JPFS_HISTORY:
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
		stat_synthetic(view, object, S_IFDIR | 0555, ret);
		return 0;
	case JPFS_KEPT_OF:
	case JPFS_KEPT:
		stat_synthetic(view, object,
			       object->kind == JPFS_KEPT ? S_IFREG | 0444 : S_IFDIR | 0555, ret);
		return jpfs_kept_stat(object, ret);
	case JPFS_TRANSCRIPT:
		stat_synthetic(view, object, S_IFREG | 0444, ret);
		jpfs_transcript_stat(object, ret);
		return 0;
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
		stat_synthetic(view, object, S_IFDIR | 0700, ret);
		return 0;
	case JPFS_STATUS:
		stat_synthetic(view, object, S_IFREG | 0444, ret);
		jpfs_status_stat(object, ret);
		ret->st_ino = view->status_ino;
		return 0;
	}
	return -ENOENT;
}

void jpfs_reply_result(fuse_req_t req, const char *operation, int r)
{
	/* What programs ask for in the course of their work is not worth a line. */
	if (r < 0 && r != -ENOENT && r != -EEXIST && r != -ENOTEMPTY && r != -ENODATA)
		jpfs_log(JPFS_LOG_DEBUG, "%s: %s", operation, strerrorname_np(-r));
	(void)fuse_reply_err(req, r < 0 ? -r : 0); /* the asker is gone: nothing to undo */
}

/* A listing of these is never the same for sure. The kernel compares the time before it uses what it
 * keeps of one: like /proc, they are always of now. */
static bool is_ever_new(const struct jpfs_object *object)
{
	return object->kind == JPFS_LOCAL || object->kind == JPFS_LOCAL_ARCHIVE ||
	       object->kind == JPFS_HISTORY || object->kind == JPFS_KEPT_OF ||
	       object->kind == JPFS_TRANSCRIPTS || object->kind == JPFS_TRANSCRIPTS_ARCHIVE;
}

int jpfs_tell_object(struct jpfs_view *view, struct jpfs_object *object, bool with_name,
		     struct stat *ret, struct jpfs_keep *ret_keep)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);
	struct jpfs_entry *entry = jpfs_as_entry(object);
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_glance struct jpfs_glance glance =
		JPFS_GLANCE_INIT; /* ends before the lock is let go */
	int r;

	*ret_keep = (struct jpfs_keep){0};
	if (entry != NULL)
		held = jpfs_conversation_lock(entry->conversation);
	if (conversation != NULL) {
		atomic_fetch_add_explicit(&view->told, 1, memory_order_relaxed);
		held = jpfs_conversation_lock(conversation);
		jpfs_glance_begin_locked(conversation, &glance);
		if (jpfs_is_settled_locked(conversation))
			jpfs_listen_locked(conversation); /* before it is looked at */
	}
	r = jpfs_object_stat(view, object, ret);
	if (r < 0)
		return r;
	if (entry != NULL) {
		ret_keep->attributes = jpfs_tell_attributes_locked(entry, ret);
		ret_keep->name = with_name ? jpfs_tell_name_locked(entry) : 0;
	} else if (conversation != NULL) {
		ret_keep->attributes = jpfs_tell_directory_locked(conversation, ret);
		ret_keep->name = ret_keep->attributes == JPFS_KEEP_SECONDS ? JPFS_KEEP_SECONDS : 0;
	} else if (jpfs_is_partition(object)) {
		ret_keep->attributes = jpfs_tell_partition(view, object, ret);
		ret_keep->name = ret_keep->attributes;
	} else if (object->kind == JPFS_OUTSIDER && view->notify != NULL) {
		/* It lies beneath the mount: nobody reaches it but through us. */
		ret_keep->attributes = ret_keep->name = JPFS_KEEP_SECONDS;
	} else if (object->kind == JPFS_TRANSCRIPT) {
		ret_keep->attributes = JPFS_KEEP_SECONDS; /* one version; only the name may go on */
	} else if (is_ever_new(object)) {
		clock_gettime(CLOCK_REALTIME, &ret->st_mtim);
		ret->st_ctim = ret->st_mtim;
	}
	return 0;
}

void jpfs_bring_together(struct jpfs_object *object)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);

	if (conversation != NULL)
		pthread_mutex_unlock(jpfs_conversation_enter(conversation));
}

int jpfs_make_entry(struct jpfs_connection *connection, struct jpfs_object *object,
		    struct fuse_entry_param *ret)
{
	struct jpfs_keep keep;
	int r;

	*ret = (struct fuse_entry_param){.ino = object->serial};
	/* Counted first: what is told of it from here on concerns it. */
	r = jpfs_node_remember(&connection->nodes, object);
	if (r < 0)
		return r;
	r = jpfs_tell_object(connection->view, object, true, &ret->attr, &keep);
	if (r < 0) {
		jpfs_node_forget(&connection->nodes, object->serial, 1);
		return r;
	}
	ret->attr_timeout = keep.attributes;
	ret->entry_timeout = keep.name;
	return 0;
}

void jpfs_reply_made(fuse_req_t req, const char *operation, int r,
		     const struct fuse_entry_param *entry)
{
	if (r < 0)
		jpfs_reply_result(req, operation, r);
	else if (fuse_reply_entry(req, entry) < 0) /* the kernel never got it */
		jpfs_node_forget(&jpfs_connection_of(req)->nodes, entry->ino, 1);
}

void jpfs_reply_entry(fuse_req_t req, const char *operation, int r, struct jpfs_object *object)
{
	struct fuse_entry_param entry;

	if (r == 0) {
		jpfs_bring_together(object);
		r = jpfs_make_entry(jpfs_connection_of(req), object, &entry);
	}
	jpfs_reply_made(req, operation, r, &entry);
}
