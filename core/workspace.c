/*
 * Finding a workspace, its ID and its conversations.
 *
 * All of it is somebody else's repository. git stores symbolic links as readily as files, and both
 * mount(2) and fusermount3 follow one: a committed `.jp/conversations -> ~/.ssh` was seen to put a
 * mount there. So what lies below the root is reached only from the root's descriptor and without
 * following any link, what is found is checked on the descriptor that will be used, and a link is
 * refused by name instead of being walked around. The way *to* the root is the user's own and may
 * contain links.
 */
#include "core/workspace.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
	ID_FILE_BYTES_MAX = 4096, /* jp writes 57; the rest is room for a merge conflict */
};

void jp_workspace_release(struct jp_workspace *workspace)
{
	/* Without a path nothing was ever opened: in a zeroed one, descriptor 0 is not ours. */
	if (workspace->root_path == NULL)
		return;
	jp_closep(&workspace->jp_fd);
	jp_closep(&workspace->root_fd);
	jp_freep(&workspace->root_path);
}

const char *jp_workspace_slug(const struct jp_workspace *workspace)
{
	const char *slash = strrchr(workspace->root_path, '/');

	return slash != NULL ? slash + 1 : workspace->root_path;
}

/* Paths below the root for messages: "/" already ends in the slash. */
static const char *without_slash(const char *root_path)
{
	return strcmp(root_path, "/") == 0 ? "" : root_path;
}

/* What is wrong with an entry that should be a real directory, and what to do about it. */
static int refuse_directory(const char *root_path, const char *name, int r, struct jp_error *error)
{
	const char *root = without_slash(root_path);

	switch (r) {
	case -ELOOP:
		jp_error_set(error, r,
			     "%s/%s: a symbolic link, which a repository could point anywhere",
			     root, name);
		jp_error_remedy(error, "replace it by a directory");
		return r;
	case -ENOTDIR:
		jp_error_set(error, r, "%s/%s: not a directory", root, name);
		jp_error_remedy(error, "move it out of the way, and make a directory in its place");
		return r;
	case -EXDEV:
		jp_error_set(error, r, "%s/%s: a filesystem is mounted on it", root, name);
		jp_error_remedy(error, "unmount that first (`findmnt %s/%s` shows what it is)",
				root, name);
		return r;
	case -EACCES:
		jp_error_set(error, r, "%s/%s: %s", root, name, strerrordesc_np(-r));
		jp_error_remedy(error, "make it readable, writable and searchable for yourself");
		return r;
	default:
		return jp_error_set(error, r, "%s/%s: %s", root, name, strerrordesc_np(-r));
	}
}

/* 1 the directory has a real directory `.jp`, 0 it has nothing of that name, -errno. */
static int has_jp(int dirfd, const char *path, struct jp_error *error)
{
	struct stat st;

	if (fstatat(dirfd, ".jp", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : refuse_directory(path, ".jp", -errno, error);
	if (S_ISLNK(st.st_mode))
		return refuse_directory(path, ".jp", -ELOOP, error);
	if (!S_ISDIR(st.st_mode))
		return refuse_directory(path, ".jp", -ENOTDIR, error);
	return 1;
}

/* Read `.jp/.id` into workspace->id; leave that empty when there is no such file. */
static int read_id(struct jp_workspace *workspace, struct jp_error *error)
{
	const char *root = without_slash(workspace->root_path);
	cleanup_free char *text = NULL;
	size_t size;
	int r = jp_read_file(workspace->jp_fd, ".id", ID_FILE_BYTES_MAX, &text, &size);

	switch (r) {
	case 0:
		r = jp_workspace_id_parse(text, size, workspace->id);
		if (r == 0)
			return 0;
		jp_error_set(
			error, r,
			"%s/.jp/.id: not a workspace ID (its last line must be %d characters of "
			"0-9a-z)",
			root, JP_WORKSPACE_ID_CHARACTERS);
		break;
	case -ENOENT:
		workspace->id[0] = '\0';
		return 0;
	case -EFBIG:
		r = jp_error_set(error, -EBADMSG,
				 "%s/.jp/.id: not a workspace ID (larger than %d bytes)", root,
				 ID_FILE_BYTES_MAX);
		break;
	case -EINVAL:
	case -EISDIR:
	case -ELOOP:
		r = jp_error_set(error, -EBADMSG, "%s/.jp/.id: not a regular file%s", root,
				 r == -ELOOP ? ", but a symbolic link" : "");
		break;
	default:
		jp_error_set(error, r, "%s/.jp/.id: %s", root, strerrordesc_np(-r));
		jp_error_remedy(error, "make it readable: it names the store to use");
		return r;
	}
	jp_error_remedy(error, "restore the file from git (a merge conflict in it, perhaps), or "
			       "remove it to start a new one");
	return r;
}

/* "/a/b" becomes "/a", and "/a" becomes "/". */
static void drop_last_component(char *path)
{
	char *slash = strrchr(path, '/');

	slash[slash == path ? 1 : 0] = '\0';
}

int jp_workspace_find(const char *directory, struct jp_workspace *ret_workspace,
		      struct jp_error *error)
{
	cleanup_workspace struct jp_workspace found = {.root_fd = -EBADF, .jp_fd = -EBADF};
	cleanup_free char *start = NULL;
	int r;

	start = realpath(directory, NULL);
	found.root_path = start != NULL ? strdup(start) : NULL;
	if (found.root_path == NULL) {
		r = -errno;
		return jp_error_set(error, r, "%s: %s", directory, strerrordesc_np(-r));
	}
	found.root_fd = openat(AT_FDCWD, start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (found.root_fd < 0) {
		r = -errno;
		return jp_error_set(error, r, "%s: %s", start, strerrordesc_np(-r));
	}
	for (;;) {
		int parent;

		r = has_jp(found.root_fd, found.root_path, error);
		if (r < 0)
			return r;
		if (r > 0)
			break;
		if (strcmp(found.root_path, "/") == 0) {
			jp_error_set(error, -ENOMEDIUM, "no .jp directory in %s or above it",
				     start);
			jp_error_remedy(error, "run `jp init` there, or name a workspace");
			return -ENOMEDIUM;
		}
		drop_last_component(found.root_path);
		parent = openat(found.root_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0) {
			r = -errno;
			return jp_error_set(error, r, "%s: %s", found.root_path,
					    strerrordesc_np(-r));
		}
		jp_closep(&found.root_fd);
		found.root_fd = parent;
	}
	found.jp_fd = jp_open_beneath(found.root_fd, ".jp", O_RDONLY | O_DIRECTORY, 0);
	if (found.jp_fd < 0)
		return refuse_directory(found.root_path, ".jp", found.jp_fd, error);
	r = read_id(&found, error);
	if (r < 0)
		return r;
	*ret_workspace = found;
	found = (struct jp_workspace){0}; /* the caller has it now */
	return 0;
}

/*
 * Give a finished file its name, unless something has that name already (-EEXIST). Where a rename
 * cannot be told not to replace, as on NFS, a hard link can.
 */
static int name_without_replacing(int dirfd, const char *beside, const char *name)
{
	if (jp_sys->renameat2(dirfd, beside, dirfd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return jp_sys->linkat(dirfd, beside, dirfd, name, 0) < 0 ? -errno : 0;
}

/*
 * Write the file under a name of its own and only then call it `.id`: another process sees no file
 * or a whole one. 0 also when somebody else was first.
 */
static int write_id(int jp_fd, const char *text)
{
	cleanup_close int fd = -EBADF;
	char beside[sizeof(".id.") + 16];
	uint64_t random;
	int r;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	(void)snprintf(beside, sizeof(beside), ".id.%016" PRIx64, random);
	fd = jp_open_beneath(jp_fd, beside, O_WRONLY | O_CREAT | O_EXCL, 0666);
	if (fd < 0)
		return fd;
	r = jp_write_all(fd, text, JP_WORKSPACE_ID_TEXT_BYTES, 0);
	if (r == 0 && jp_sys->fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		r = name_without_replacing(jp_fd, beside, ".id");
	if (jp_sys->unlinkat(jp_fd, beside, 0) < 0 && errno != ENOENT && r == 0)
		r = -errno;
	if (r == -EEXIST)
		return 0;
	if (r == 0 && jp_sys->fsync(jp_fd) < 0)
		r = -errno;
	return r;
}

int jp_workspace_make_id(struct jp_workspace *workspace, struct jp_error *error)
{
	char id[JP_WORKSPACE_ID_CHARACTERS + 1], text[JP_WORKSPACE_ID_TEXT_BYTES + 1];
	struct timespec now;
	int r;

	if (workspace->id[0] != '\0')
		return 0;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	jp_workspace_id_from_time((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, id);
	jp_workspace_id_text(id, text);
	r = write_id(workspace->jp_fd, text);
	if (r < 0) {
		jp_error_set(error, r, "%s/.jp/.id: cannot be written: %s",
			     without_slash(workspace->root_path), strerrordesc_np(-r));
		jp_error_remedy(error, "make %s/.jp writable for yourself, or run `jp init` there",
				without_slash(workspace->root_path));
		return r;
	}
	r = read_id(workspace, error);
	if (r == 0 && workspace->id[0] == '\0')
		return jp_error_set(error, -ENOENT, "%s/.jp/.id: went as soon as it was written",
				    without_slash(workspace->root_path));
	return r;
}

int jp_workspace_open_conversations(const struct jp_workspace *workspace, bool make,
				    struct jp_error *error)
{
	int fd;

	if (make)
		fd = jp_open_or_make_dir(workspace->jp_fd, "conversations", 0777);
	else
		fd = jp_open_beneath(workspace->jp_fd, "conversations", O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? refuse_directory(workspace->root_path, ".jp/conversations", fd, error) : fd;
}
