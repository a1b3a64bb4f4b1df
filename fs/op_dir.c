/*
 * Listing: OPENDIR, READDIR, RELEASEDIR, FSYNCDIR.
 *
 * A listing is made once, when the directory is opened, so that its order is the same until it is
 * closed, whatever happens in between.
 */
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/transcripts.h"
#include "include/jpfs.h"

#include <stdio.h>
#include <string.h>

struct directory_handle {
	struct jpfs_handle handle;  /* first: one pointer serves for both */
	struct jpfs_object *object; /* a reference */
	struct jpfs_listing listing;
	bool was_read; /* from the beginning; the kernel reads one directory handle at a time */
};

static int list(struct jpfs_view *view, struct jpfs_object *object, struct jpfs_listing *listing)
{
	struct jpfs_inner_place place;
	int r;

	switch (object->kind) {
	case JPFS_ROOT:
	case JPFS_ARCHIVE:
		return jpfs_partition_list(view, object, listing);
	case JPFS_OUTSIDER:
		return jpfs_outside_list(view, object, listing);
	case JPFS_CONTROL:
		r = jpfs_listing_add(listing, JPFS_HISTORY_NAME, view->history.serial, S_IFDIR);
		if (r == 0)
			r = jpfs_listing_add(listing, JPFS_LOCAL_NAME, view->local.serial, S_IFDIR);
		if (r == 0)
			r = jpfs_listing_add(listing, JPFS_TRANSCRIPTS_NAME,
					     view->transcripts.serial, S_IFDIR);
		return r < 0 ? r
			     : jpfs_listing_add(listing, JPFS_STATUS_NAME, view->status.serial,
						S_IFREG);
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
		return jpfs_local_list(view, object, listing);
	case JPFS_HISTORY:
	case JPFS_KEPT_OF:
		return jpfs_kept_list(view, object, listing);
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
		return jpfs_transcript_list(view, object, listing);
	case JPFS_CONVERSATION:
		return jpfs_conversation_list(jpfs_as_conversation(object), "", listing);
	case JPFS_ENTRY:
		break;
	case JPFS_KEPT:
	case JPFS_TRANSCRIPT:
	case JPFS_STATUS:
		return -ENOTDIR;
	}
	/* The directory's own path: that of a nameless child, less the slash. */
	r = jpfs_inner_place(object, "", &place);
	if (r < 0)
		return r == -ESTALE ? 0 : r; /* removed while open: empty */
	place.path[strlen(place.path) - 1] = '\0';
	return jpfs_conversation_list(place.conversation, place.path, listing);
}

static void destroy_directory(struct jpfs_handle *base)
{
	struct directory_handle *handle = (struct directory_handle *)base;

	jpfs_listing_release(&handle->listing);
	jpfs_object_unref(handle->object);
	free(handle);
}

void jpfs_op_opendir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	struct directory_handle *handle = calloc(1, sizeof(*handle));
	int r = object == NULL ? -ESTALE : handle == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = list(connection->view, object, &handle->listing);
	/* Whoever lists an empty view may be about to remove it, and would meet a mount. */
	if (r == 0 && object->kind == JPFS_ROOT && handle->listing.count == 0 &&
	    jpfs_view_is_empty(connection->view))
		connection->became_empty(connection);
	if (r < 0) {
		if (handle != NULL)
			jpfs_listing_release(&handle->listing);
		free(handle);
		jpfs_reply_result(req, "opendir", r);
		return;
	}
	handle->object = jpfs_object_ref(object);
	jpfs_handle_add(connection, &handle->handle, destroy_directory);
	file->fh = (uintptr_t)handle;
	if (fuse_reply_open(req, file) < 0)
		jpfs_handle_close(&handle->handle); /* nobody has it */
}

/* rewinddir(3): what has come and gone since is to be seen. The kernel reads one directory handle at
 * a time; the lock orders this thread before the one that reads on. */
static void read_anew(struct jpfs_connection *connection, struct directory_handle *handle)
{
	struct jpfs_listing fresh = {0};
	int r = handle->was_read ? list(connection->view, handle->object, &fresh) : -ENOENT;

	pthread_mutex_lock(&connection->handles_lock);
	if (r == 0) {
		jpfs_listing_release(&handle->listing);
		handle->listing = fresh;
	} else {
		jpfs_listing_release(&fresh);
	}
	handle->was_read = true;
	pthread_mutex_unlock(&connection->handles_lock);
}

void jpfs_op_readdir(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
		     struct fuse_file_info *file)
{
	cleanup_handle struct jpfs_handle *base = jpfs_handle_get(req, file);
	struct directory_handle *handle = (struct directory_handle *)base;
	cleanup_free char *buffer = malloc(size);
	size_t used = 0;

	(void)nodeid;
	if (buffer == NULL) {
		jpfs_reply_result(req, "readdir", -ENOMEM);
		return;
	}
	if (offset == 0)
		read_anew(jpfs_connection_of(req), handle);
	/* Offsets count entries: ".", "..", then the listing. */
	for (size_t i = (size_t)offset; i < handle->listing.count + 2; i++) {
		struct stat st = {.st_ino = handle->object->serial, .st_mode = S_IFDIR};
		const char *name = i == 0 ? "." : "..";
		size_t needed;

		if (i >= 2) {
			name = handle->listing.items[i - 2].name;
			st.st_ino = handle->listing.items[i - 2].ino;
			st.st_mode = handle->listing.items[i - 2].type;
		}
		if (st.st_ino == 0)
			st.st_ino = 1; /* some readers take 0 for a removed entry */
		needed =
			fuse_add_direntry(req, buffer + used, size - used, name, &st, (off_t)i + 1);
		if (needed > size - used)
			break;
		used += needed;
	}
	(void)fuse_reply_buf(req, buffer, used); /* the asker is gone: nothing to undo */
}

void jpfs_op_releasedir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	cleanup_handle struct jpfs_handle *base = jpfs_handle_get(req, file);

	(void)nodeid;
	jpfs_handle_close(base);
	jpfs_reply_result(req, "releasedir", 0);
}

static int sync_directory(struct jpfs_view *view, struct jpfs_object *object)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);
	struct jpfs_entry *entry = jpfs_as_entry(object);
	int64_t wait;

	if (entry != NULL)
		conversation = entry->conversation;
	/* The root stands for everything: `jpfs umount` asks this way. */
	if (conversation == NULL)
		return jpfs_work_flush(view, false);
	return jpfs_commit_conversation(conversation, false, &wait);
}

void jpfs_op_fsyncdir(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *file)
{
	cleanup_handle struct jpfs_handle *base = jpfs_handle_get(req, file);

	(void)nodeid;
	(void)data_only;
	jpfs_reply_result(req, "fsyncdir",
			  sync_directory(jpfs_connection_of(req)->view,
					 ((struct directory_handle *)base)->object));
}
