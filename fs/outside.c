/*
 * What is no conversation passes through to the real directory.
 *
 * A README, `.gitattributes`, jp's `.trash/`: they are the workspace's own and have full POSIX
 * behaviour, because every call is made on the real file. An object here is a parent and a name;
 * the path is put together when it is needed, so that renaming a directory costs one change. The
 * root and `.archive` are directories here too, apart from the conversations in them.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/desktop_trash.h"
#include "fs/notify.h"
#include "fs/view.h"

#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

static int compare_outsiders(const void *first, const void *second)
{
	const struct jpfs_outsider *a = first, *b = second;

	if (a->parent->serial != b->parent->serial)
		return a->parent->serial < b->parent->serial ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* "" for the root, ".archive", or the path of an outsider; the table's lock is held. */
static int path_locked(struct jpfs_object *object, char *buffer, size_t room)
{
	struct jpfs_outsider *outsider = jpfs_as_outsider(object);
	size_t length;
	int r;

	buffer[0] = '\0';
	if (object->kind == JPFS_ROOT)
		return 0;
	if (object->kind == JPFS_ARCHIVE) {
		(void)snprintf(buffer, room, "%s", JP_ARCHIVE_NAME);
		return 0;
	}
	if (outsider == NULL)
		return -ENOTDIR;
	if (!outsider->is_linked)
		return -ESTALE;
	r = path_locked(outsider->parent, buffer, room);
	if (r < 0)
		return r;
	length = strlen(buffer);
	if (snprintf(buffer + length, room - length, "%s%s", length > 0 ? "/" : "",
		     outsider->name) >= (int)(room - length))
		return -ENAMETOOLONG;
	return 0;
}

int jpfs_outside_path(struct jpfs_view *view, struct jpfs_object *directory, const char *name,
		      int *ret_root_fd, char ret[JPFS_PATH_BYTES])
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	int r = path_locked(directory, ret, JPFS_PATH_BYTES);
	size_t length = r == 0 ? strlen(ret) : 0;

	if (r == 0 && name[0] != '\0' &&
	    snprintf(ret + length, JPFS_PATH_BYTES - length, "%s%s", length > 0 ? "/" : "", name) >=
		    (int)(JPFS_PATH_BYTES - length))
		r = -ENAMETOOLONG;
	*ret_root_fd = view->workspace_fd;
	return r < 0 ? r : jpfs_desktop_trash_redirect(view, ret_root_fd, ret);
}

void jpfs_outside_tell_name(struct jpfs_view *view, struct jpfs_object *directory, const char *name)
{
	char path[JPFS_PATH_BYTES] = "", whole[JPFS_PATH_BYTES + NAME_MAX + 8];
	int r;

	if (view->notify == NULL)
		return;
	pthread_mutex_lock(&view->table);
	r = path_locked(directory, path, sizeof(path));
	pthread_mutex_unlock(&view->table);
	(void)snprintf(whole, sizeof(whole), "%s/%s", path[0] != '\0' ? path : ".", name);
	if (r == 0)
		jpfs_notify_name(view->notify, directory->serial, whole);
}

/* The object of a name, made if there is none. */
static int remember(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		    struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct jpfs_outsider key = {.parent = parent, .name = strdup(name)};
	struct jpfs_outsider *outsider;
	void *place;

	if (key.name == NULL)
		return -ENOMEM;
	place = tfind(&key, &view->outsiders, compare_outsiders);
	if (place != NULL) {
		outsider = *(struct jpfs_outsider **)place;
		if (jpfs_object_try_ref(&outsider->object)) {
			free(key.name);
			*ret = &outsider->object;
			return 0;
		}
		/* Its last reference is just going: it makes way. */
		outsider->is_linked = false;
		(void)tdelete(outsider, &view->outsiders, compare_outsiders);
	}
	outsider = calloc(1, sizeof(*outsider));
	if (outsider == NULL) {
		free(key.name);
		return -ENOMEM;
	}
	jpfs_object_init(view, &outsider->object, JPFS_OUTSIDER);
	outsider->view = view;
	outsider->parent = jpfs_object_ref(parent);
	outsider->name = key.name;
	outsider->is_linked = true;
	outsider->fd = -EBADF;
	if (tsearch(outsider, &view->outsiders, compare_outsiders) == NULL) {
		outsider->is_linked = false;
		pthread_mutex_unlock(TAKE_PTR(held));
		jpfs_object_unref(&outsider->object);
		return -ENOMEM;
	}
	*ret = &outsider->object;
	return 0;
}

void jpfs_outside_forget(struct jpfs_outsider *outsider)
{
	struct jpfs_view *view = outsider->view;

	pthread_mutex_lock(&view->table);
	if (outsider->is_linked)
		(void)tdelete(outsider, &view->outsiders, compare_outsiders);
	pthread_mutex_unlock(&view->table);
	jp_closep(&outsider->fd);
	jpfs_object_unref(outsider->parent);
	free(outsider->name);
	free(outsider);
}

/* Take an object off its name. What is open stays open; anything else cannot be reached again. */
static void unlink_object(struct jpfs_view *view, struct jpfs_object *parent, const char *name)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	cleanup_free char *copy = strdup(name);
	struct jpfs_outsider key = {.parent = parent, .name = copy};
	void *place = copy != NULL ? tfind(&key, &view->outsiders, compare_outsiders) : NULL;

	if (place != NULL) {
		struct jpfs_outsider *outsider = *(struct jpfs_outsider **)place;

		(void)tdelete(outsider, &view->outsiders, compare_outsiders);
		outsider->is_linked = false;
	}
}

void jpfs_outside_moved(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			struct jpfs_object *new_parent, const char *new_name)
{
	cleanup_object struct jpfs_object *old_parent = NULL;
	cleanup_free char *old_name = NULL;
	cleanup_free char *key_name = strdup(name);
	struct jpfs_outsider key = {.parent = parent, .name = key_name};
	struct jpfs_outsider *outsider;
	char *copy;
	void *place;

	if (new_parent == NULL) {
		unlink_object(view, parent, name);
		return;
	}
	copy = strdup(new_name);
	unlink_object(view, new_parent, new_name);
	pthread_mutex_lock(&view->table);
	place = key_name != NULL ? tfind(&key, &view->outsiders, compare_outsiders) : NULL;
	if (place != NULL) {
		outsider = *(struct jpfs_outsider **)place;
		(void)tdelete(outsider, &view->outsiders, compare_outsiders);
		outsider->is_linked = false;
		if (copy != NULL) {
			old_parent = outsider->parent;
			old_name = outsider->name;
			outsider->parent = jpfs_object_ref(new_parent);
			outsider->name = TAKE_PTR(copy);
			outsider->is_linked =
				tsearch(outsider, &view->outsiders, compare_outsiders) != NULL;
		}
	}
	pthread_mutex_unlock(&view->table);
	free(copy);
}

/* The directory that a name is in. */
static int open_named_parent(struct jpfs_view *view, struct jpfs_object *parent, const char *name)
{
	char path[JPFS_PATH_BYTES];
	const char *last;
	int root_fd, r = jpfs_outside_path(view, parent, name, &root_fd, path);

	return r < 0 ? r : jpfs_open_parent(root_fd, path, &last);
}

static int open_itself(struct jpfs_view *view, struct jpfs_object *object, int flags)
{
	char path[JPFS_PATH_BYTES];
	int root_fd, r = jpfs_outside_path(view, object, "", &root_fd, path);

	return r < 0 ? r : jp_open_beneath(root_fd, path[0] != '\0' ? path : ".", flags, 0);
}

int jpfs_outside_lookup(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			struct jpfs_object **ret)
{
	cleanup_close int fd = -EBADF;
	struct stat st;
	int r;

	pthread_rwlock_rdlock(&view->outside_lock);
	fd = open_named_parent(view, parent, name);
	r = fd;
	if (fd >= 0)
		r = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0
			    ? -errno
			    : remember(view, parent, name, ret);
	pthread_rwlock_unlock(&view->outside_lock);
	if (r == -ENOENT)
		unlink_object(view, parent, name);
	return r;
}

static int open_forbidden(struct jpfs_view *view, struct jpfs_object *object, int flags)
{
	char path[JPFS_PATH_BYTES];
	int root_fd, r = jpfs_outside_path(view, object, "", &root_fd, path);

	return r < 0 ? r : jp_open_regular(root_fd, path, flags & O_ACCMODE);
}

int jpfs_outside_fd(struct jpfs_view *view, struct jpfs_outsider *outsider, int flags)
{
	int fd;

	pthread_mutex_lock(&view->table);
	fd = outsider->fd >= 0 ? fcntl(outsider->fd, F_DUPFD_CLOEXEC, 3) : -EBADF;
	pthread_mutex_unlock(&view->table);
	if (fd >= 0)
		return fd;
	pthread_rwlock_rdlock(&view->outside_lock);
	fd = open_itself(view, &outsider->object, flags | O_NOFOLLOW);
	/* Its mode forbids it by now; who had it open before may go on. */
	if (fd == -EACCES && (flags & O_PATH) == 0)
		fd = open_forbidden(view, &outsider->object, flags);
	pthread_rwlock_unlock(&view->outside_lock);
	return fd;
}

int jpfs_outside_stat(struct jpfs_view *view, struct jpfs_object *object, struct stat *ret)
{
	struct jpfs_outsider *outsider = jpfs_as_outsider(object);
	cleanup_close int fd = -EBADF;

	if (outsider != NULL)
		fd = jpfs_outside_fd(view, outsider, O_PATH);
	else
		fd = open_itself(view, object, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int jpfs_outside_list(struct jpfs_view *view, struct jpfs_object *directory,
		      struct jpfs_listing *listing)
{
	cleanup_closedir DIR *dir = NULL;
	int fd, r;

	pthread_rwlock_rdlock(&view->outside_lock);
	fd = open_itself(view, directory, O_RDONLY | O_DIRECTORY);
	pthread_rwlock_unlock(&view->outside_lock);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (dir == NULL) {
		r = -errno;
		jp_closep(&fd);
		return r;
	}
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return errno != 0 ? -errno : 0;
		if (!jp_is_single_name(entry->d_name))
			continue;
		r = jpfs_listing_add(listing, entry->d_name, entry->d_ino,
				     (mode_t)DTTOIF(entry->d_type));
		if (r < 0)
			return r;
	}
}

/* One call that makes a name, then its object. */
static int make(struct jpfs_view *view, struct jpfs_object *parent, const char *name, mode_t mode,
		const char *target, struct jpfs_object **ret)
{
	cleanup_close int fd = -EBADF, made = -EBADF;
	int r;

	r = jpfs_desktop_trash_prepare(view, parent, name);
	if (r < 0)
		return r;
	pthread_rwlock_rdlock(&view->outside_lock);
	fd = open_named_parent(view, parent, name);
	if (fd < 0) {
		r = fd;
	} else if (target != NULL) {
		r = jp_sys->symlinkat(target, fd, name) < 0 ? -errno : 0;
	} else if (S_ISDIR(mode)) {
		r = jp_sys->mkdirat(fd, name, mode & 07777) < 0 ? -errno : 0;
	} else if (S_ISREG(mode)) {
		made = jp_open_beneath(fd, name, O_RDWR | O_CREAT | O_EXCL, mode);
		r = made < 0 ? made : 0;
	} else if (S_ISFIFO(mode) || S_ISSOCK(mode)) {
		r = mknodat(fd, name, mode, 0) < 0 ? -errno : 0;
	} else {
		r = -EPERM; /* no devices: the mount is nodev, and so is what it makes */
	}
	pthread_rwlock_unlock(&view->outside_lock);
	if (r < 0)
		return r;
	unlink_object(view, parent, name); /* a name that was removed behind our back */
	return remember(view, parent, name, ret);
}

int jpfs_outside_create(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			mode_t mode, struct jpfs_object **ret)
{
	return make(view, parent, name, S_IFREG | (mode & 07777), NULL, ret);
}

int jpfs_outside_mknod(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		       mode_t mode, struct jpfs_object **ret)
{
	return make(view, parent, name, mode, NULL, ret);
}

int jpfs_outside_mkdir(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		       mode_t mode, struct jpfs_object **ret)
{
	return make(view, parent, name, S_IFDIR | (mode & 07777), NULL, ret);
}

int jpfs_outside_symlink(struct jpfs_view *view, const char *target, struct jpfs_object *parent,
			 const char *name, struct jpfs_object **ret)
{
	return make(view, parent, name, S_IFLNK, target, ret);
}

/* One descriptor serves all who have a file open, so it can do what may be done at all; what each of
 * them may do, the kernel has checked. */
static int open_for_all(int dirfd, const char *path)
{
	int fd = jp_open_regular(dirfd, path, O_RDWR);

	if (fd == -EACCES || fd == -EROFS || fd == -ETXTBSY || fd == -EPERM)
		fd = jp_open_regular(dirfd, path, O_RDONLY);
	return fd;
}

/* A name is about to go. Who has its file open goes on with it, and where opening is no request that
 * may be anybody: it stays open for as long as the kernel holds it. */
static void hold(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
		 int parent_fd)
{
	cleanup_free char *copy = strdup(name);
	struct jpfs_outsider key = {.parent = parent, .name = copy};
	cleanup_close int fd = -EBADF;
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct jpfs_outsider *outsider;
	void *place;

	if (!atomic_load(&view->opens_unseen) || copy == NULL)
		return;
	fd = open_for_all(parent_fd, name);
	held = jp_lock(&view->table);
	place = tfind(&key, &view->outsiders, compare_outsiders);
	outsider = place != NULL ? *(struct jpfs_outsider **)place : NULL;
	if (fd >= 0 && outsider != NULL && outsider->fd < 0)
		outsider->fd = TAKE_FD(fd);
}

int jpfs_outside_unlink(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			bool is_directory)
{
	cleanup_close int fd = -EBADF;
	int r;

	pthread_rwlock_rdlock(&view->outside_lock);
	fd = open_named_parent(view, parent, name);
	r = fd;
	if (fd >= 0 && !is_directory)
		hold(view, parent, name, fd);
	if (fd >= 0)
		r = jp_sys->unlinkat(fd, name, is_directory ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
	pthread_rwlock_unlock(&view->outside_lock);
	if (r == 0)
		unlink_object(view, parent, name);
	return r;
}

int jpfs_outside_rename(struct jpfs_view *view, struct jpfs_object *old_parent,
			const char *old_name, struct jpfs_object *new_parent, const char *new_name,
			unsigned flags)
{
	cleanup_close int old_fd = -EBADF, new_fd = -EBADF;
	int r = jpfs_desktop_trash_prepare(view, new_parent, new_name);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&view->outside_lock);
	r = old_fd = open_named_parent(view, old_parent, old_name);
	if (r >= 0)
		r = new_fd = open_named_parent(view, new_parent, new_name);
	if (r >= 0)
		hold(view, new_parent, new_name, new_fd);
	if (r >= 0 && (flags & RENAME_EXCHANGE) != 0)
		hold(view, old_parent, old_name, old_fd);
	if (r >= 0)
		r = jpfs_desktop_trash_move(old_fd, old_name, new_fd, new_name, flags);
	if (r == 0 && (flags & RENAME_EXCHANGE) != 0) {
		/* Both names lead elsewhere now; the next lookup finds where. */
		unlink_object(view, old_parent, old_name);
		unlink_object(view, new_parent, new_name);
	} else if (r == 0) {
		jpfs_outside_moved(view, old_parent, old_name, new_parent, new_name);
	}
	pthread_rwlock_unlock(&view->outside_lock);
	return r;
}

int jpfs_outside_open(struct jpfs_view *view, struct jpfs_outsider *outsider)
{
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	int root_fd;

	pthread_mutex_lock(&view->table);
	outsider->opens++;
	fd = outsider->fd >= 0 ? 0 : -EBADF;
	pthread_mutex_unlock(&view->table);
	if (fd == 0) {
		fd = -EBADF;
		return 0;
	}
	pthread_rwlock_rdlock(&view->outside_lock);
	fd = jpfs_outside_path(view, &outsider->object, "", &root_fd, path);
	if (fd == 0)
		fd = open_for_all(root_fd, path);
	pthread_rwlock_unlock(&view->outside_lock);
	pthread_mutex_lock(&view->table);
	if (fd < 0)
		outsider->opens--;
	else if (outsider->fd < 0)
		outsider->fd = TAKE_FD(fd);
	pthread_mutex_unlock(&view->table);
	return fd < 0 && fd != -EBADF ? fd : 0;
}

void jpfs_outside_release(struct jpfs_view *view, struct jpfs_outsider *outsider)
{
	cleanup_close int fd = -EBADF;

	pthread_mutex_lock(&view->table);
	if (--outsider->opens == 0 && outsider->is_linked)
		fd = TAKE_FD(outsider->fd);
	pthread_mutex_unlock(&view->table);
}
