/*
 * Files and their bytes: CREATE, OPEN, READ, WRITE, FLUSH, RELEASE, FSYNC, FALLOCATE, LSEEK.
 *
 * Opening a file that exists is no request where the kernel can do without (since Linux 3.16): what
 * it keeps of a file is then read without us. Such a file is not released and not flushed either, so
 * reading and writing go by the nodeid alone, and the end of a writer is asked for (entry_write.c).
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/transcripts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What fi->fh stands for. */
struct handle {
	struct jpfs_handle handle;  /* first: one pointer serves for both */
	struct jpfs_object *object; /* a reference */
	bool can_write;
	bool keeps_cache; /* the pages that the kernel has are this version's */
};

static void destroy_file(struct jpfs_handle *base)
{
	struct handle *handle = (struct handle *)base;

	if (handle->object->kind == JPFS_ENTRY)
		jpfs_entry_release(jpfs_as_entry(handle->object), handle->can_write);
	else if (handle->object->kind == JPFS_OUTSIDER)
		jpfs_outside_release(base->connection->view, jpfs_as_outsider(handle->object));
	jpfs_object_unref(handle->object);
	free(handle);
}

static int open_object(struct jpfs_connection *connection, struct jpfs_object *object, int flags,
		       struct handle **ret)
{
	struct jpfs_view *view = connection->view;
	struct handle *handle = calloc(1, sizeof(*handle));
	int r = -EISDIR;

	if (handle == NULL)
		return -ENOMEM;
	handle->can_write = (flags & O_ACCMODE) != O_RDONLY;
	if (object->kind == JPFS_ENTRY)
		r = jpfs_entry_open(jpfs_as_entry(object), handle->can_write, &handle->keeps_cache);
	else if (object->kind == JPFS_OUTSIDER)
		r = jpfs_outside_open(view, jpfs_as_outsider(object));
	else if (object->kind == JPFS_STATUS)
		r = handle->can_write ? -EACCES : 0;
	else if (object->kind == JPFS_KEPT || object->kind == JPFS_TRANSCRIPT)
		r = handle->can_write ? -EROFS : 0;
	if (r < 0) {
		free(handle);
		return r;
	}
	handle->object = jpfs_object_ref(object);
	handle->handle.connection = connection;
	*ret = handle;
	return 0;
}

static void reply_open(fuse_req_t req, const char *operation, int r, struct handle *handle,
		       struct fuse_file_info *file)
{
	if (r < 0) {
		jpfs_reply_result(req, operation, r);
		return;
	}
	file->fh = (uintptr_t)handle;
	file->noflush = handle->can_write ? 0 : 1;
	/* A transcript's object is one version. */
	file->keep_cache = handle->keeps_cache || handle->object->kind == JPFS_TRANSCRIPT ? 1 : 0;
	jpfs_handle_add(handle->handle.connection, &handle->handle, destroy_file);
	if (fuse_reply_open(req, file) < 0)
		jpfs_handle_close(&handle->handle); /* nobody has it */
}

void jpfs_op_open(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = NULL;
	struct handle *handle = NULL;
	int r;

	if (connection->needs_no_open) {
		(void)fuse_reply_err(req, ENOSYS); /* never again */
		return;
	}
	object = jpfs_node_get(&connection->nodes, nodeid);
	r = object == NULL ? -ESTALE : open_object(connection, object, file->flags, &handle);

	reply_open(req, "open", r, handle, file);
}

static int create_outside(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			  mode_t mode, int flags, struct jpfs_object **ret)
{
	int r;

	if (jpfs_is_kept(parent) || jpfs_is_transcript(parent))
		return -EROFS;
	if (parent->kind == JPFS_CONTROL || parent->kind == JPFS_STATUS ||
	    jpfs_is_local_place(parent))
		return -EPERM;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (jpfs_is_partition(parent) &&
	    (jpfs_is_temporary_name(name) || jpfs_name_is_reserved(view, name)))
		return -EPERM;
	r = jpfs_outside_create(view, parent, name, mode, ret);
	if (r == -EEXIST && (flags & O_EXCL) == 0)
		r = jpfs_outside_lookup(view, parent, name, ret);
	return r;
}

static int create_inside(const struct jpfs_inner_place *place, mode_t mode, int flags,
			 struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_entry *entry;
	int r;

	if (jp_managed_from_name(place->path) != JP_UNMANAGED ||
	    jp_name_is_managed_temporary(place->path))
		jpfs_work_admit(place->conversation->view);
	held = jpfs_conversation_enter(place->conversation);
	r = jpfs_entry_lookup_locked(place->conversation, place->path, &entry);
	if (r == 0 && (flags & O_EXCL) != 0) {
		jpfs_object_unref(&entry->object);
		return -EEXIST;
	}
	if (r == -ENOENT) {
		r = jpfs_entry_create_locked(place->conversation, place->path, mode, &entry);
		/* As git makes a file: in place of one that it removed, or in a directory of its own. An
		 * editor that keeps a backup has renamed it. */
		if (r == 0 && entry->managed != JP_UNMANAGED)
			entry->is_exclusive =
				(flags & O_EXCL) != 0 &&
				(place->conversation->renamed_away & (1U << entry->managed)) == 0;
	}
	if (r == 0)
		*ret = &entry->object;
	return r;
}

static int create(struct jpfs_connection *connection, struct jpfs_object *parent, const char *name,
		  mode_t mode, int flags, struct jpfs_object **ret_object,
		  struct handle **ret_handle)
{
	struct jpfs_inner_place place;
	int r = jpfs_inner_place(parent, name, &place);

	if (r == -ENOENT)
		r = create_outside(connection->view, parent, name, mode, flags, ret_object);
	else if (r == 0)
		r = create_inside(&place, mode, flags, ret_object);
	if (r < 0)
		return r;
	if (connection->needs_no_open) {
		if ((*ret_object)->kind == JPFS_ENTRY)
			jpfs_entry_made_unseen(jpfs_as_entry(*ret_object));
		return 0;
	}
	r = open_object(connection, *ret_object, flags, ret_handle);
	/* Made, but nobody has it open who could end it. */
	if (r < 0 && (*ret_object)->kind == JPFS_ENTRY) {
		struct jpfs_entry *entry = jpfs_as_entry(*ret_object);
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

		jpfs_entry_ended_locked(entry);
	}
	return r;
}

void jpfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		    struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *directory = jpfs_node_get(&connection->nodes, parent);
	cleanup_object struct jpfs_object *object = NULL;
	struct fuse_entry_param entry;
	struct handle *handle = NULL;
	int r = directory == NULL
			? -ESTALE
			: create(connection, directory, name, mode, file->flags, &object, &handle);

	if (r == 0)
		r = jpfs_make_entry(connection, object, &entry);
	if (r < 0) {
		if (handle != NULL)
			destroy_file(&handle->handle);
		jpfs_reply_result(req, "create", r);
		return;
	}
	file->fh = (uintptr_t)handle;
	if (handle != NULL)
		jpfs_handle_add(connection, &handle->handle, destroy_file);
	else
		file->keep_cache = 1;
	if (fuse_reply_create(req, &entry, file) < 0) {
		jpfs_node_forget(&connection->nodes, entry.ino, 1); /* the kernel never got it */
		if (handle != NULL)
			jpfs_handle_close(&handle->handle);
	}
}

/* An open file for as long as one request needs it. */
struct bytes {
	struct jpfs_content *content; /* an entry's; a reference */
	int fd;                       /* borrowed from it, or an outsider's own */
	bool is_own;
};

static void bytes_release(struct bytes *bytes)
{
	if (bytes->is_own)
		jp_closep(&bytes->fd);
	jpfs_content_unrefp(&bytes->content);
}

/* `flags` as for open(2): an outsider's mode may forbid more. */
static int get_bytes(struct jpfs_view *view, struct jpfs_object *object, int flags,
		     struct bytes *ret)
{
	struct jpfs_entry *entry = jpfs_as_entry(object);
	int r;

	if (entry != NULL) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

		r = jpfs_entry_content_locked(entry, &ret->content);
		if (r == 0)
			ret->fd = ret->content->fd;
		return r;
	}
	if (object->kind == JPFS_KEPT)
		ret->fd = jpfs_kept_open(object);
	else if (object->kind == JPFS_OUTSIDER)
		ret->fd = jpfs_outside_fd(view, jpfs_as_outsider(object), flags | O_NONBLOCK);
	else
		return -EBADF;
	ret->is_own = true;
	return ret->fd < 0 ? ret->fd : 0;
}

/* One that is not kept is made for each opening. Where reading is all that is heard of, it is made for
 * the first reading, and stays open while nothing else of the kind is read. A new descriptor, or
 * -EBADF: it is kept. */
static int open_transcript(struct jpfs_connection *connection, struct jpfs_object *object,
			   int *ret_fd)
{
	cleanup_close int fd = -EBADF, before = -EBADF;
	int r;

	pthread_mutex_lock(&connection->readings_lock);
	if (connection->transcript_nodeid == object->serial)
		fd = fcntl(connection->transcript_fd, F_DUPFD_CLOEXEC, 3);
	pthread_mutex_unlock(&connection->readings_lock);
	r = fd >= 0 ? 0 : jpfs_transcript_open(object, &fd);
	if (r < 0 || fd < 0)
		return r;
	pthread_mutex_lock(&connection->readings_lock);
	if (connection->transcript_nodeid != object->serial) {
		before = connection->transcript_fd;
		connection->transcript_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		connection->transcript_nodeid = connection->transcript_fd >= 0 ? object->serial : 0;
	}
	pthread_mutex_unlock(&connection->readings_lock);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static ssize_t read_bytes(struct jpfs_connection *connection, struct jpfs_object *object,
			  char *buffer, size_t size, off_t offset)
{
	struct jpfs_view *view = connection->view;
	__attribute__((cleanup(bytes_release))) struct bytes bytes = {.fd = -EBADF};
	size_t got = 0;
	int r;

	if (object->kind == JPFS_STATUS)
		return jpfs_status_read(object, buffer, size, offset);
	if (object->kind == JPFS_TRANSCRIPT) {
		r = open_transcript(connection, object, &bytes.fd);
		if (r == 0 && bytes.fd < 0)
			return jpfs_transcript_read(object, buffer, size, offset);
		bytes.is_own = true;
	} else {
		r = get_bytes(view, object, O_RDONLY, &bytes);
	}
	if (r < 0)
		return r;
	/* A short answer means the end of the file to the kernel. */
	while (got < size) {
		ssize_t n = pread(bytes.fd, buffer + got, size - got, offset + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

void jpfs_op_read(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
		  struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	cleanup_free char *buffer = malloc(size > 0 ? size : 1);
	ssize_t n = object == NULL   ? -ESTALE
		    : buffer == NULL ? -ENOMEM
				     : read_bytes(connection, object, buffer, size, offset);

	(void)file;
	if (n < 0)
		jpfs_reply_result(req, "read", (int)n);
	else
		(void)fuse_reply_buf(req, buffer,
				     (size_t)n); /* the asker is gone: nothing to undo */
}

static ssize_t write_bytes(struct jpfs_view *view, struct jpfs_object *object, const char *data,
			   size_t size, off_t offset)
{
	__attribute__((cleanup(bytes_release))) struct bytes bytes = {.fd = -EBADF};
	int r;

	if (object->kind == JPFS_ENTRY)
		return jpfs_entry_write(jpfs_as_entry(object), data, size, offset);
	r = get_bytes(view, object, O_RDWR, &bytes);
	if (r == 0)
		r = jp_write_all(bytes.fd, data, size, offset);
	return r < 0 ? r : (ssize_t)size;
}

void jpfs_op_write(fuse_req_t req, fuse_ino_t nodeid, const char *data, size_t size, off_t offset,
		   struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	ssize_t n = object == NULL ? -ESTALE
				   : write_bytes(connection->view, object, data, size, offset);

	(void)file;
	if (n < 0)
		jpfs_reply_result(req, "write", (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n); /* the asker is gone: nothing to undo */
}

void jpfs_op_flush(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = NULL;

	if (connection->needs_no_open) {
		(void)fuse_reply_err(req, ENOSYS); /* never again */
		return;
	}
	object = jpfs_node_get(&connection->nodes, nodeid);
	(void)file;
	if (object != NULL && object->kind == JPFS_ENTRY)
		jpfs_entry_flush(jpfs_as_entry(object));
	jpfs_reply_result(req, "flush", 0);
}

void jpfs_op_release(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	(void)nodeid;
	if (file->fh != 0) {
		cleanup_handle struct jpfs_handle *base = jpfs_handle_get(req, file);

		jpfs_handle_close(base);
	}
	jpfs_reply_result(req, "release", 0);
}

static int sync_bytes(struct jpfs_view *view, struct jpfs_object *object)
{
	__attribute__((cleanup(bytes_release))) struct bytes bytes = {.fd = -EBADF};
	int r;

	if (object->kind == JPFS_ENTRY)
		return jpfs_entry_fsync(jpfs_as_entry(object));
	if (object->kind == JPFS_STATUS || object->kind == JPFS_KEPT ||
	    object->kind == JPFS_TRANSCRIPT)
		return 0;
	r = get_bytes(view, object, O_RDONLY, &bytes);
	return r == 0 && jp_sys->fsync(bytes.fd) < 0 ? -errno : r;
}

void jpfs_op_fsync(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);

	(void)data_only;
	(void)file;
	jpfs_reply_result(req, "fsync",
			  object == NULL ? -ESTALE : sync_bytes(connection->view, object));
}

static int allocate(struct jpfs_view *view, struct jpfs_object *object, int mode, off_t offset,
		    off_t length)
{
	__attribute__((cleanup(bytes_release))) struct bytes bytes = {.fd = -EBADF};
	int r;

	if (object->kind == JPFS_ENTRY)
		return jpfs_entry_allocate(jpfs_as_entry(object), mode, offset, length);
	r = get_bytes(view, object, O_RDWR, &bytes);
	return r == 0 && fallocate(bytes.fd, mode, offset, length) < 0 ? -errno : r;
}

void jpfs_op_fallocate(fuse_req_t req, fuse_ino_t nodeid, int mode, off_t offset, off_t length,
		       struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);

	(void)file;
	jpfs_reply_result(req, "fallocate",
			  object == NULL
				  ? -ESTALE
				  : allocate(connection->view, object, mode, offset, length));
}
