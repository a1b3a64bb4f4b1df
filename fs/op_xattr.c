/*
 * Extended attributes: SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR.
 *
 * They are kept on the real files, the durable one first. A conversation's directory has a few of
 * its own that tell what it is; those cannot be changed.
 */
#include "core/base/io.h"
#include "core/origin.h"
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/told.h"
#include "fs/transcripts.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define NAMES_BYTES_MAX 65536 /* XATTR_LIST_MAX */

/* A path of /proc that leads to the file itself; the descriptor keeps it valid. */
static int open_path(int root_fd, const char *path, char proc[64])
{
	int fd = jp_open_beneath(root_fd, path[0] != '\0' ? path : ".", O_PATH | O_NOFOLLOW, 0);

	if (fd >= 0)
		(void)snprintf(proc, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Where an object's attributes are, and the workspace's copy of it where there is one apart. */
struct places {
	int fd, projection_fd;
	char path[64], projection_path[64];
};

static void places_release(struct places *places)
{
	jp_closep(&places->fd);
	jp_closep(&places->projection_fd);
}

static int open_places(struct jpfs_view *view, struct jpfs_object *object, struct places *ret)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);
	struct jpfs_entry *entry = jpfs_as_entry(object);
	char path[JPFS_PATH_BYTES];
	int root_fd, r;

	if (entry != NULL) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(entry->conversation);

		if (!entry->is_linked && entry->content != NULL) {
			ret->fd = fcntl(entry->content->fd, F_DUPFD_CLOEXEC, 3);
			(void)snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d", ret->fd);
			return ret->fd < 0 ? -errno : 0;
		}
		r = entry->is_linked ? jpfs_entry_place_locked(entry, &root_fd, path) : -ESTALE;
		if (r < 0)
			return r;
		ret->fd = open_path(root_fd, path, ret->path);
		if (entry->home == JPFS_DURABLE) {
			jpfs_workspace_path(entry->conversation, entry->path, path);
			ret->projection_fd =
				open_path(view->workspace_fd, path, ret->projection_path);
		}
		return ret->fd < 0 ? ret->fd : 0;
	}
	if (conversation != NULL) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);

		jpfs_workspace_path(conversation, "", path);
		ret->fd = open_path(view->workspace_fd, path, ret->path);
		if (ret->fd == -ENOENT && jpfs_durable_path_locked(conversation, "", path) == 0)
			ret->fd = open_path(view->silo->conversations_fd, path, ret->path);
		return ret->fd < 0 ? ret->fd : 0;
	}
	if (object->kind == JPFS_CONTROL || object->kind == JPFS_STATUS ||
	    jpfs_is_local_place(object) || jpfs_is_kept(object) || jpfs_is_transcript(object))
		return -EOPNOTSUPP;
	r = jpfs_outside_path(view, object, "", &root_fd, path);
	if (r < 0)
		return r;
	ret->fd = open_path(root_fd, path, ret->path);
	return ret->fd < 0 ? ret->fd : 0;
}

/* Our own attributes; -ENODATA for any other. Returns the value's size. */
static int own_value(struct jpfs_object *object, const char *name, char value[NAME_MAX + 1])
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);

	if (conversation == NULL)
		return -ENODATA;
	if (strcmp(name, JPFS_XATTR_ID) == 0)
		return snprintf(value, NAME_MAX, "%" PRIu64, conversation->id);
	if (strcmp(name, JPFS_XATTR_PRESENCE) == 0) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

		return snprintf(value, NAME_MAX, "%s",
				jpfs_conversation_presence_locked(conversation));
	}
	if (strcmp(name, JPFS_XATTR_ORIGIN) == 0) {
		int r = jp_origin_read(conversation->view->silo->own_fd, conversation->id, value);

		return r == -ENOENT ? -ENODATA : r < 0 ? r : (int)strlen(value);
	}
	return -ENODATA;
}

static bool is_own_name(const char *name)
{
	return strncmp(name, "user.jpfs.", 10) == 0;
}

/* The two commands that end a draft, for programs that meet it through the mount. */
static int end_draft(struct jpfs_object *object, const char *value, size_t size)
{
	struct jpfs_conversation *conversation = jpfs_as_conversation(object);

	int r = -EINVAL;

	if (conversation == NULL)
		return -EOPNOTSUPP;
	if (size == 6 && memcmp(value, "commit", 6) == 0)
		r = jpfs_draft_commit(conversation);
	else if (size == 7 && memcmp(value, "discard", 7) == 0)
		r = jpfs_draft_discard(conversation);
	jpfs_told_look(conversation); /* whoever asked looks next */
	return r;
}

static int set_value(struct jpfs_view *view, struct jpfs_object *object, const char *name,
		     const char *value, size_t size, int flags)
{
	__attribute__((cleanup(places_release))) struct places places = {-EBADF, -EBADF, "", ""};
	int r;

	if (strcmp(name, JPFS_XATTR_DRAFT) == 0)
		return view->is_read_only ? -EROFS : end_draft(object, value, size);
	r = is_own_name(name) ? -EPERM : open_places(view, object, &places);
	if (r < 0)
		return r;
	if (setxattr(places.path, name, value, size, flags) < 0)
		return -errno;
	/* The projection takes what it can hold; its bytes are what counts there. */
	if (places.projection_fd >= 0)
		(void)setxattr(places.projection_path, name, value, size, 0);
	return 0;
}

void jpfs_op_setxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, const char *value,
		      size_t size, int flags)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);

	jpfs_reply_result(req, "setxattr",
			  object == NULL
				  ? -ESTALE
				  : set_value(connection->view, object, name, value, size, flags));
}

static int remove_value(struct jpfs_view *view, struct jpfs_object *object, const char *name)
{
	__attribute__((cleanup(places_release))) struct places places = {-EBADF, -EBADF, "", ""};
	int r = is_own_name(name) ? -EPERM : open_places(view, object, &places);

	if (r < 0)
		return r;
	if (removexattr(places.path, name) < 0)
		return -errno;
	if (places.projection_fd >= 0)
		(void)removexattr(places.projection_path, name); /* as above */
	return 0;
}

void jpfs_op_removexattr(fuse_req_t req, fuse_ino_t nodeid, const char *name)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);

	jpfs_reply_result(req, "removexattr",
			  object == NULL ? -ESTALE : remove_value(connection->view, object, name));
}

/* A size of 0 asks for the size alone. */
static void reply_value(fuse_req_t req, const char *operation, const char *value, ssize_t n,
			size_t size)
{
	if (n < 0)
		jpfs_reply_result(req, operation, (int)n);
	else if (size == 0)
		(void)fuse_reply_xattr(req, (size_t)n); /* the asker is gone: nothing to undo */
	else if ((size_t)n > size)
		jpfs_reply_result(req, operation, -ERANGE);
	else
		(void)fuse_reply_buf(req, value, (size_t)n);
}

/* `ls -l` asks for these of each file. Of a filesystem that says that it has no such thing it does not
 * ask again; "none here" would be asked of every file anew, and the kernel keeps neither answer. */
static bool is_asked_of_everything(const char *name)
{
	return strcmp(name, "security.selinux") == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

static ssize_t get_value(struct jpfs_view *view, struct jpfs_object *object, const char *name,
			 char *buffer, size_t size)
{
	__attribute__((cleanup(places_release))) struct places places = {-EBADF, -EBADF, "", ""};
	int r = open_places(view, object, &places);
	ssize_t n;

	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	n = getxattr(places.path, name, buffer, size);
	if (n < 0 && errno == ENODATA && is_asked_of_everything(name))
		return -EOPNOTSUPP;
	return n < 0 ? -errno : n;
}

void jpfs_op_getxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, size_t size)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	cleanup_free char *buffer = malloc(size > 0 ? size : 1);
	char own[NAME_MAX + 1];
	int n = object == NULL ? -ESTALE : own_value(object, name, own);

	if (object != NULL && buffer != NULL && n == -ENODATA)
		reply_value(req, "getxattr", buffer,
			    get_value(connection->view, object, name, buffer, size), size);
	else
		reply_value(req, "getxattr", own, buffer == NULL ? -ENOMEM : n, size);
}

/* The last one is there only when it is known. */
static size_t own_names_size(struct jpfs_object *object, size_t all)
{
	char origin[NAME_MAX + 1];

	if (object->kind != JPFS_CONVERSATION)
		return 0;
	return own_value(object, JPFS_XATTR_ORIGIN, origin) >= 0 ? all
								 : all - sizeof(JPFS_XATTR_ORIGIN);
}

static ssize_t list_names(struct jpfs_view *view, struct jpfs_object *object, char *buffer)
{
	__attribute__((cleanup(places_release))) struct places places = {-EBADF, -EBADF, "", ""};
	static const char own[] = JPFS_XATTR_ID "\0" JPFS_XATTR_PRESENCE "\0" JPFS_XATTR_ORIGIN;
	size_t used = own_names_size(object, sizeof(own));
	int r = open_places(view, object, &places);
	ssize_t n = 0;

	memcpy(buffer, own, used);
	if (r < 0 && r != -ENOENT && r != -EOPNOTSUPP)
		return r;
	if (r == 0)
		n = listxattr(places.path, buffer + used, NAMES_BYTES_MAX - used);
	return n < 0 ? -errno : n + (ssize_t)used;
}

void jpfs_op_listxattr(fuse_req_t req, fuse_ino_t nodeid, size_t size)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	cleanup_free char *buffer = malloc(NAMES_BYTES_MAX);
	ssize_t n = object == NULL   ? -ESTALE
		    : buffer == NULL ? -ENOMEM
				     : list_names(connection->view, object, buffer);

	reply_value(req, "listxattr", buffer, n, size);
}
