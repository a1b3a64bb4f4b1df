/* Where `.Trash-<uid>` is, and how things get there. See desktop_trash.h. */
#include "fs/desktop_trash.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PLACE "desktop-trash"
#define NAME_PREFIX ".Trash-"

/* Whether the first component of a path is the trash of some user. */
static bool leads_there(const char *path)
{
	size_t digits;

	if (strncmp(path, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		return false;
	path += strlen(NAME_PREFIX);
	digits = strspn(path, "0123456789");
	return digits > 0 && (path[digits] == '\0' || path[digits] == '/');
}

/* One that the workspace has is its own affair. */
static bool is_in_workspace(struct jpfs_view *view, const char *path)
{
	char name[NAME_MAX + 1];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(path, "/"), path);
	return fstatat(view->workspace_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int jpfs_desktop_trash_redirect(struct jpfs_view *view, int *root_fd, char path[JPFS_PATH_BYTES])
{
	char inner[JPFS_PATH_BYTES];

	if (!leads_there(path) || view->silo->own_fd < 0 || is_in_workspace(view, path))
		return 0;
	(void)snprintf(inner, sizeof(inner), "%s", path);
	if (snprintf(path, JPFS_PATH_BYTES, PLACE "/%s", inner) >= JPFS_PATH_BYTES)
		return -ENAMETOOLONG;
	*root_fd = view->silo->own_fd;
	return 0;
}

int jpfs_desktop_trash_prepare(struct jpfs_view *view, const struct jpfs_object *parent,
			       const char *name)
{
	cleanup_close int fd = -EBADF;

	if (parent->kind != JPFS_ROOT || !leads_there(name) || view->silo->own_fd < 0 ||
	    is_in_workspace(view, name))
		return 0;
	fd = jp_open_or_make_dir(view->silo->own_fd, PLACE, 0700);
	return fd < 0 ? fd : 0;
}

int jpfs_desktop_trash_move(int old_fd, const char *old_name, int new_fd, const char *new_name,
			    unsigned flags)
{
	unsigned skipped = 0;
	struct stat st;
	int r = jp_sys->renameat2(old_fd, old_name, new_fd, new_name, flags) < 0 ? -errno : 0;

	if (r != -EXDEV || (flags & ~(unsigned)RENAME_NOREPLACE) != 0 ||
	    fstatat(new_fd, new_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return r;
	r = jp_copy_tree(old_fd, old_name, new_fd, new_name, &skipped);
	if (r == 0 && skipped > 0)
		r = -EXDEV; /* a FIFO, say: it would be lost */
	if (r == 0)
		r = jp_sync_directory(new_fd);
	if (r == 0)
		return jp_remove_tree(old_fd, old_name);
	jp_ignore(jp_remove_tree(new_fd, new_name)); /* the failure before is what counts */
	return r;
}

/* A copy of what the view shows, under a name that is not taken. */
static int copy_to(int content_fd, const struct stat *shown, int directory_fd, const char *name)
{
	const struct timespec times[2] = {shown->st_atim, shown->st_mtim};
	cleanup_close int fd =
		jp_open_beneath(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int r = fd < 0 ? fd : jp_copy_content(content_fd, fd);

	if (fd < 0)
		return fd == -EEXIST ? -EXDEV : fd; /* to replace something is not to throw away */
	if (r == 0)
		r = jp_copy_attributes(content_fd, fd);
	if (r == 0 && (jp_sys->futimens(fd, times) < 0 || jp_sys->fsync(fd) < 0))
		r = -errno;
	if (r == 0)
		r = jp_sync_directory(directory_fd);
	if (r < 0)
		(void)jp_sys->unlinkat(directory_fd, name, 0); /* the failure is what counts */
	return r;
}

int jpfs_desktop_trash_put(struct jpfs_conversation *conversation, const char *path,
			   struct jpfs_object *directory, const char *name)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	cleanup_object struct jpfs_object *object = NULL;
	cleanup_content struct jpfs_content *content = NULL;
	cleanup_close int directory_fd = -EBADF;
	char target[JPFS_PATH_BYTES];
	struct jpfs_entry *entry;
	const char *last;
	struct stat st;
	int root_fd, r;

	if (directory->kind != JPFS_OUTSIDER)
		return -EXDEV;
	r = jpfs_outside_path(conversation->view, directory, name, &root_fd, target);
	if (r < 0)
		return r;
	if (root_fd == conversation->view->workspace_fd)
		return -EXDEV;
	directory_fd = jpfs_open_parent(root_fd, target, &last);
	if (directory_fd < 0)
		return directory_fd;
	held = jpfs_conversation_enter(conversation);
	r = jpfs_entry_lookup_locked(conversation, path, &entry);
	if (r < 0)
		return r;
	object = &entry->object;
	if (!S_ISREG(entry->type))
		return -EXDEV;
	r = jpfs_entry_content_locked(entry, &content);
	if (r == 0)
		r = jpfs_entry_stat_locked(entry, &st);
	if (r == 0)
		r = copy_to(content->fd, &st, directory_fd, last);
	return r < 0 ? r : jpfs_entry_unlink_locked(conversation, path);
}
