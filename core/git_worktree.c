/*
 * Checking that a directory and a repository belong together, each by the other's word.
 *
 * A linked worktree and its repository point at each other by path. Both files are plain text:
 * whoever makes a directory can write into its `.git` whatever he likes, and can build a look-alike
 * of a repository inside of it too. What he cannot do without writing into the real repository is
 * to make *that* name his directory. So every step is compared by device and inode with what the
 * other side leads to, and nothing follows from a name alone.
 *
 *     root/.git  "gitdir: <common>/worktrees/<name>"  ->  entry
 *     entry/commondir  "../.."                        ->  common;  entry/.. == common/worktrees
 *     entry/gitdir  "<root>/.git"                     ->  its directory == root
 *
 * These paths lead out of the workspace, through places where symbolic links are ordinary (a home
 * that is one), so links are followed on the way to a directory, except the kernel's own in /proc,
 * which lead wherever a descriptor does. The small files themselves are opened without following.
 */
#include "core/git_worktree.h"

#include "core/base/io.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

enum {
	POINTER_BYTES_MAX = PATH_MAX + 64, /* one path, what stands before it, and a line end */
};

/* Open a directory at any path, for looking only. */
static int open_directory(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* 1 the two descriptors are of one directory, 0 not, -errno. */
static int is_same(int first_fd, int second_fd)
{
	struct stat first, second;

	if (fstat(first_fd, &first) < 0 || fstat(second_fd, &second) < 0)
		return -errno;
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* Read the one path in a small file, after `prefix`. -EBADMSG there is no such thing in it. */
static int read_pointer(int dirfd, const char *name, const char *prefix, char **ret_path)
{
	cleanup_free char *text = NULL;
	size_t size, prefix_size = strlen(prefix);
	int r = jp_read_file(dirfd, name, POINTER_BYTES_MAX, &text, &size);

	if (r < 0)
		return r;
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		text[--size] = '\0';
	if (size <= prefix_size || strlen(text) != size || strncmp(text, prefix, prefix_size) != 0)
		return -EBADMSG;
	*ret_path = strdup(text + prefix_size);
	return *ret_path == NULL ? -ENOMEM : 0;
}

/* Whether the entry's `gitdir` names the root's `.git`: 1, 0 or -errno. */
static int names_root(int entry_fd, int root_fd)
{
	cleanup_close int named = -EBADF;
	cleanup_free char *path = NULL;
	char *slash;
	int r = read_pointer(entry_fd, "gitdir", "", &path);

	if (r < 0)
		return r;
	slash = strrchr(path, '/');
	if (slash == NULL || strcmp(slash, "/.git") != 0)
		return 0;
	slash[slash == path ? 1 : 0] = '\0';
	named = open_directory(entry_fd, path);
	return named < 0 ? named : is_same(named, root_fd);
}

/* Whether the entry lies in the `worktrees` of the common directory: 1, 0 or -errno. */
static int lies_in(int entry_fd, int common_fd)
{
	cleanup_close int worktrees =
		jp_open_beneath(common_fd, "worktrees", O_PATH | O_DIRECTORY, 0);
	cleanup_close int above = open_directory(entry_fd, "..");

	if (worktrees < 0)
		return worktrees;
	return above < 0 ? above : is_same(above, worktrees);
}

/* The common directory of a linked worktree; any error when it is not one. */
static int open_common_of_linked(int root_fd)
{
	cleanup_close int entry = -EBADF, common = -EBADF;
	cleanup_free char *entry_path = NULL, *common_path = NULL;
	int r = read_pointer(root_fd, ".git", "gitdir: ", &entry_path);

	if (r < 0)
		return r;
	entry = open_directory(root_fd, entry_path);
	if (entry < 0)
		return entry;
	r = names_root(entry, root_fd);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = read_pointer(entry, "commondir", "", &common_path);
	if (r < 0)
		return r;
	common = open_directory(entry, common_path);
	if (common < 0)
		return common;
	r = lies_in(entry, common);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return TAKE_FD(common);
}

int jp_git_open_common_dir(int root_fd)
{
	int fd = jp_open_beneath(root_fd, ".git", O_PATH | O_DIRECTORY, 0);

	if (fd == -ENOTDIR)
		fd = open_common_of_linked(root_fd);
	/* Whatever a stranger's files lead to is one answer: they prove nothing. Only what says
	 * that this process could not look is something else. */
	if (fd < 0 && fd != -ENOMEM && fd != -EMFILE && fd != -ENFILE && fd != -EIO)
		return -ENOENT;
	return fd;
}
