/* Describing and changing what is not bytes: GETATTR, SETATTR, STATFS, READLINK. */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/ops.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

static void reply_attr(fuse_req_t req, const char *operation, int r, struct jpfs_object *object)
{
	struct jpfs_keep keep;
	struct stat st;

	if (r == 0) {
		jpfs_bring_together(object);
		r = jpfs_tell_object(jpfs_connection_of(req)->view, object, false, &st, &keep);
	}
	if (r < 0)
		jpfs_reply_result(req, operation, r);
	else
		(void)fuse_reply_attr(req, &st, keep.attributes); /* the asker is gone: no matter */
}

void jpfs_op_getattr(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);

	(void)file;
	reply_attr(req, "getattr", object == NULL ? -ESTALE : 0, object);
}

/* The times of a request: "now" is decided here, once for both sides. */
static void requested_times(const struct stat *attr, int to_set, struct timespec times[2])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
	times[1] = (struct timespec){.tv_nsec = UTIME_OMIT};
	if ((to_set & FUSE_SET_ATTR_ATIME) != 0)
		times[0] = (to_set & FUSE_SET_ATTR_ATIME_NOW) != 0 ? now : attr->st_atim;
	if ((to_set & FUSE_SET_ATTR_MTIME) != 0)
		times[1] = (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0 ? now : attr->st_mtim;
}

static uid_t requested_uid(const struct stat *attr, int to_set)
{
	return (to_set & FUSE_SET_ATTR_UID) != 0 ? attr->st_uid : (uid_t)-1;
}

static gid_t requested_gid(const struct stat *attr, int to_set)
{
	return (to_set & FUSE_SET_ATTR_GID) != 0 ? attr->st_gid : (gid_t)-1;
}

static int set_entry(struct jpfs_entry *entry, const struct stat *attr, int to_set)
{
	struct timespec times[2];
	int r = 0;

	if ((to_set & FUSE_SET_ATTR_SIZE) != 0)
		r = jpfs_entry_truncate(entry, attr->st_size);
	if (r == 0 && (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0)
		r = jpfs_entry_set_owner(entry, requested_uid(attr, to_set),
					 requested_gid(attr, to_set));
	if (r == 0 && (to_set & FUSE_SET_ATTR_MODE) != 0)
		r = jpfs_entry_set_mode(entry, attr->st_mode);
	if (r == 0 && (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) != 0) {
		requested_times(attr, to_set, times);
		r = jpfs_entry_set_times(entry, times);
	}
	return r;
}

/* A file of the workspace itself, or a directory. */
static int set_real(int fd, const struct stat *attr, int to_set)
{
	struct timespec times[2];
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* An open file by its descriptor: its mode may have been taken away since. */
	if ((to_set & FUSE_SET_ATTR_SIZE) != 0 && ftruncate(fd, attr->st_size) < 0 &&
	    (errno != EBADF || truncate(path, attr->st_size) < 0))
		return -errno;
	if ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0 &&
	    fchownat(fd, "", requested_uid(attr, to_set), requested_gid(attr, to_set),
		     AT_EMPTY_PATH) < 0)
		return -errno;
	if ((to_set & FUSE_SET_ATTR_MODE) != 0 &&
	    fchmodat(AT_FDCWD, path, attr->st_mode & 07777, 0) < 0)
		return -errno;
	if ((to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) != 0) {
		requested_times(attr, to_set, times);
		/* An O_PATH descriptor of a symbolic link stands for the link itself. */
		if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0 &&
		    utimensat(AT_FDCWD, path, times, 0) < 0)
			return -errno;
	}
	return 0;
}

static int set_conversation(struct jpfs_conversation *conversation, const struct stat *attr,
			    int to_set)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	struct jpfs_view *view = conversation->view;
	cleanup_close int workspace = -EBADF, durable = -EBADF;
	char path[JPFS_PATH_BYTES];
	int r = 0;

	jpfs_workspace_path(conversation, "", path);
	workspace = jp_open_beneath(view->workspace_fd, path, O_PATH | O_DIRECTORY, 0);
	if (jpfs_durable_path_locked(conversation, "", path) == 0)
		durable = jp_open_beneath(view->silo->conversations_fd, path, O_PATH | O_DIRECTORY,
					  0);
	if (durable >= 0)
		r = set_real(durable, attr, to_set);
	if (r == 0 && workspace >= 0)
		r = set_real(workspace, attr, to_set);
	conversation->changed = (struct timespec){0};
	return r;
}

static int set_attributes(struct jpfs_view *view, struct jpfs_object *object,
			  const struct stat *attr, int to_set)
{
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	int root_fd, r;

	switch (object->kind) {
	case JPFS_ENTRY:
		return set_entry(jpfs_as_entry(object), attr, to_set);
	case JPFS_CONVERSATION:
		return set_conversation(jpfs_as_conversation(object), attr, to_set);
	case JPFS_OUTSIDER:
		fd = jpfs_outside_fd(view, jpfs_as_outsider(object), O_PATH);
		break;
	case JPFS_ROOT:
	case JPFS_ARCHIVE:
		r = jpfs_outside_path(view, object, "", &root_fd, path);
		if (r < 0)
			return r;
		fd = jp_open_beneath(root_fd, path[0] != '\0' ? path : ".", O_PATH | O_DIRECTORY,
				     0);
		break;
	case JPFS_CONTROL:
	case JPFS_STATUS:
	case JPFS_LOCAL:
	case JPFS_LOCAL_ARCHIVE:
		return -EPERM;
	case JPFS_HISTORY:
	case JPFS_KEPT_OF:
	case JPFS_KEPT:
	case JPFS_TRANSCRIPTS:
	case JPFS_TRANSCRIPTS_ARCHIVE:
	case JPFS_TRANSCRIPT:
		return -EROFS;
	}
	return fd < 0 ? fd : set_real(fd, attr, to_set);
}

void jpfs_op_setattr(fuse_req_t req, fuse_ino_t nodeid, struct stat *attr, int to_set,
		     struct fuse_file_info *file)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	int r = object == NULL ? -ESTALE : 0;

	/* It repeats what was done elsewhere: repeat.h. */
	if (jpfs_is_companion(req)) {
		reply_attr(req, "setattr", r, object);
		return;
	}
	/* truncate(2), by a name that leads elsewhere now: the kernel asks for it again. */
	if (r == 0 && file == NULL && (to_set & FUSE_SET_ATTR_SIZE) != 0 &&
	    object->kind == JPFS_ENTRY && jpfs_entry_was_replaced(jpfs_as_entry(object)))
		r = -ESTALE;
	if (r == 0)
		r = set_attributes(connection->view, object, attr, to_set);
	reply_attr(req, "setattr", r, object);
}

void jpfs_op_statfs(fuse_req_t req, fuse_ino_t nodeid)
{
	struct jpfs_view *view = jpfs_connection_of(req)->view;
	struct statvfs st;

	(void)nodeid;
	/* Writes go to the store's filesystem: its room is what counts. */
	if (fstatvfs(view->silo->conversations_fd, &st) < 0)
		jpfs_reply_result(req, "statfs", -errno);
	else
		(void)fuse_reply_statfs(req, &st); /* the asker is gone: nothing to undo */
}

static int read_link(struct jpfs_view *view, struct jpfs_object *object, char *buffer, size_t size)
{
	cleanup_close int fd = -EBADF;
	ssize_t n;

	if (object->kind == JPFS_ENTRY)
		return jpfs_entry_readlink(jpfs_as_entry(object), buffer, size);
	if (object->kind != JPFS_OUTSIDER)
		return -EINVAL;
	fd = jpfs_outside_fd(view, jpfs_as_outsider(object), O_PATH);
	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", buffer, size - 1);
	if (n < 0)
		return -errno;
	buffer[n] = '\0';
	return 0;
}

void jpfs_op_readlink(fuse_req_t req, fuse_ino_t nodeid)
{
	struct jpfs_connection *connection = jpfs_connection_of(req);
	cleanup_object struct jpfs_object *object = jpfs_node_get(&connection->nodes, nodeid);
	char target[PATH_MAX];
	int r = object == NULL ? -ESTALE
			       : read_link(connection->view, object, target, sizeof(target));

	if (r < 0)
		jpfs_reply_result(req, "readlink", r);
	else
		(void)fuse_reply_readlink(req, target); /* the asker is gone: nothing to undo */
}
