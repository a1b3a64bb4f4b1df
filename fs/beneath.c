/*
 * Paths beneath a root, for system calls that take a directory and a name.
 *
 * Those calls resolve a longer path themselves and follow every link on the way: a repository with a
 * link called `.archive` would have conversations made and moved wherever that leads. So the
 * directory is opened first, by jp_open_beneath(), and the call is given one name.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int jpfs_open_parent(int root_fd, const char *path, const char **ret_name)
{
	char directory[JPFS_PATH_BYTES];
	const char *slash = strrchr(path, '/');

	if (slash == NULL) {
		*ret_name = path;
		return jp_open_beneath(root_fd, ".", O_PATH | O_DIRECTORY, 0);
	}
	if ((size_t)(slash - path) >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	*ret_name = slash + 1;
	return jp_open_beneath(root_fd, directory, O_PATH | O_DIRECTORY, 0);
}

int jpfs_mkdir_beneath(int root_fd, const char *path, mode_t mode)
{
	cleanup_close int parent = -EBADF;
	const char *name;

	parent = jpfs_open_parent(root_fd, path, &name);
	if (parent < 0)
		return parent;
	return jp_sys->mkdirat(parent, name, mode) < 0 ? -errno : 0;
}

int jpfs_rename_beneath(int root_fd, const char *old_path, const char *new_path, unsigned flags)
{
	cleanup_close int old_parent = -EBADF, new_parent = -EBADF;
	const char *old_name, *new_name;

	old_parent = jpfs_open_parent(root_fd, old_path, &old_name);
	if (old_parent < 0)
		return old_parent;
	new_parent = jpfs_open_parent(root_fd, new_path, &new_name);
	if (new_parent < 0)
		return new_parent;
	if (flags == RENAME_NOREPLACE)
		return jp_rename_noreplace(old_parent, old_name, new_parent, new_name);
	return jp_sys->renameat2(old_parent, old_name, new_parent, new_name, flags) < 0 ? -errno
											: 0;
}

int jpfs_stat_beneath(int root_fd, const char *path, struct stat *ret)
{
	cleanup_close int parent = -EBADF;
	const char *name = path;

	if (strchr(path, '/') != NULL) {
		parent = jpfs_open_parent(root_fd, path, &name);
		if (parent < 0)
			return parent;
	}
	if (fstatat(name == path ? root_fd : parent, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == EBADMSG ? -EIO : -errno; /* as in core/base/sys.h */
}
