/*
 * The list of workspace roots that may use a silo, and what follows from it without asking.
 *
 * A directory is known by device, inode and birth time: a path says nothing about what has been put
 * there since, and a directory that was moved is still the one that the user meant. Each entry also
 * remembers which git repository the root was a worktree of, both sides agreeing: in a bare
 * repository with a worktree for each task, worktrees come and go, and the one that was allowed
 * first need not exist any more when the next one asks.
 *
 * The list is our own file, replaced whole under a lock. When it is damaged, nobody is on it: the
 * user is asked, and the answer cannot be stored before he has seen what is wrong with it.
 */
#include "core/trust.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/base/utf8.h"
#include "core/git_worktree.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#define LIST_NAME "allowed.json"

enum {
	LIST_BYTES_MAX = 4 * 1024 * 1024, /* ROOTS_MAX entries with long paths */
	ROOTS_MAX = 500,                  /* the oldest goes then: it costs one question */
};

/* A directory's identity as text: 64-bit numbers do not all fit into jansson's integers. */
struct identity {
	char device[32];
	char inode[32];
	char born[48]; /* empty where the filesystem does not tell */
};

static int identify(int fd, struct identity *ret)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) < 0)
		return -errno;
	(void)snprintf(ret->device, sizeof(ret->device), "%u:%u", st.stx_dev_major,
		       st.stx_dev_minor);
	(void)snprintf(ret->inode, sizeof(ret->inode), "%llu", (unsigned long long)st.stx_ino);
	ret->born[0] = '\0';
	if ((st.stx_mask & STATX_BTIME) != 0)
		(void)snprintf(ret->born, sizeof(ret->born), "%lld.%09u",
			       (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
	return 0;
}

/* New; NULL when there is no memory. */
static json_t *identity_to_json(const struct identity *identity)
{
	return json_pack("{s:s, s:s, s:s}", "device", identity->device, "inode", identity->inode,
			 "born", identity->born);
}

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

/* Whether a member of a list entry ("directory" or "repository") is that directory. */
static bool entry_is(const json_t *entry, const char *member, const struct identity *identity)
{
	const json_t *value = json_object_get(entry, member);

	return has_text(value, "device", identity->device) &&
	       has_text(value, "inode", identity->inode) && has_text(value, "born", identity->born);
}

/* Read the list; a new one when there is none. -EBADMSG it is damaged. */
static int load(int own_fd, json_t **ret_list)
{
	cleanup_free char *text = NULL;
	json_auto_t *list = NULL;
	size_t size;
	int r = own_fd < 0 ? -ENOENT
			   : jp_read_file(own_fd, LIST_NAME, LIST_BYTES_MAX, &text, &size);

	if (r == -ENOENT) {
		*ret_list = json_pack("{s:i, s:[]}", "version", 1, "roots");
		return *ret_list == NULL ? -ENOMEM : 0;
	}
	if (r == -EFBIG)
		return -EBADMSG;
	if (r < 0)
		return r;
	list = json_loadb(text, size, 0, NULL);
	if (!json_is_array(json_object_get(list, "roots")))
		return -EBADMSG;
	*ret_list = TAKE_PTR(list);
	return 0;
}

/* The entry of a root, borrowed from the list; NULL when it has none. */
static json_t *find_entry(const json_t *roots, const struct identity *identity)
{
	json_t *entry;
	size_t i;

	json_array_foreach(roots, i, entry)
	{
		if (entry_is(entry, "directory", identity))
			return entry;
	}
	return NULL;
}

/* Open a directory that we or jp have written down. -ENOENT it cannot be reached any more. */
static int open_noted(const char *path)
{
	int fd;

	if (path == NULL || path[0] != '/')
		return -ENOENT;
	fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -ENOENT;
}

/* Open the root that jp's `storage` link names, without following the link: its target is
 * `<root>/.jp`. -ENOENT there is none. */
static int open_storage_root(const struct jp_silo *silo)
{
	static const char end[] = "/.jp";
	char target[PATH_MAX];
	ssize_t n = readlinkat(silo->fd, "storage", target, sizeof(target));
	size_t size = (size_t)n;

	if (n < 0)
		return errno == ENOENT || errno == EINVAL ? -ENOENT : -errno;
	if (size < sizeof(end) || size >= sizeof(target))
		return -ENOENT;
	target[size] = '\0';
	size -= sizeof(end) - 1;
	if (strcmp(target + size, end) != 0)
		return -ENOENT;
	target[size] = '\0';
	return open_noted(target);
}

/* 1 the two are of one directory, 0 not, -errno. */
static int is_same(int first_fd, int second_fd)
{
	struct identity first, second;
	int r = identify(first_fd, &first);

	if (r == 0)
		r = identify(second_fd, &second);
	if (r < 0)
		return r;
	return strcmp(first.device, second.device) == 0 && strcmp(first.inode, second.inode) == 0;
}

/* 1 the directory is a worktree of that repository, 0 not, -errno. */
static int is_worktree_of(int dirfd, int common_fd)
{
	cleanup_close int own_common = jp_git_open_common_dir(dirfd);

	if (own_common < 0)
		return own_common == -ENOENT ? 0 : own_common;
	return is_same(own_common, common_fd);
}

/* 1 a listed root is, or was when it was listed, a worktree of that repository; 0 none; -errno. */
static int is_repository_listed(const json_t *roots, int common_fd)
{
	struct identity common;
	json_t *entry;
	size_t i;
	int r = identify(common_fd, &common);

	if (r < 0)
		return r;
	json_array_foreach(roots, i, entry)
	{
		cleanup_close int fd = -EBADF;
		struct identity there;

		if (entry_is(entry, "repository", &common))
			return 1;
		/* The root may have become a worktree since. */
		fd = open_noted(json_string_value(json_object_get(entry, "path")));
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		r = identify(fd, &there);
		if (r < 0)
			return r;
		if (!entry_is(entry, "directory", &there))
			continue;
		r = is_worktree_of(fd, common_fd);
		if (r != 0)
			return r;
	}
	return 0;
}

/* What may be concluded while nobody is listed: 1, 0 or -errno. `common_fd` may be -ENOENT. */
static int is_first_root(const struct jp_silo *silo, int root_fd, int common_fd)
{
	cleanup_close int storage = -EBADF;
	int r;

	if (silo->was_made)
		return 1;
	storage = open_storage_root(silo);
	if (storage < 0)
		return storage == -ENOENT ? 0 : storage;
	r = is_same(storage, root_fd);
	if (r != 0 || common_fd < 0)
		return r;
	return is_worktree_of(storage, common_fd);
}

int jp_trust_check(const struct jp_silo *silo, const struct jp_workspace *workspace)
{
	cleanup_close int common = -EBADF;
	json_auto_t *list = NULL;
	const json_t *roots;
	struct identity identity;
	int r = load(silo->own_fd, &list);

	if (r == -EBADMSG)
		return 0; /* jp_trust_add() says what is wrong */
	if (r < 0)
		return r;
	r = identify(workspace->root_fd, &identity);
	if (r < 0)
		return r;
	roots = json_object_get(list, "roots");
	if (find_entry(roots, &identity) != NULL)
		return 1;
	common = jp_git_open_common_dir(workspace->root_fd);
	if (common < 0 && common != -ENOENT)
		return common;
	/* Once somebody is listed, `storage` means nothing: jp points it at any root it runs in. */
	if (json_array_size(roots) == 0)
		return is_first_root(silo, workspace->root_fd, common);
	return common < 0 ? 0 : is_repository_listed(roots, common);
}

/* A path as JSON text, new. It is for people (and for looking, where it is exact), so that bytes
 * that are no text are replaced. NULL when there is no memory. */
static json_t *path_to_json(const char *path)
{
	cleanup_free char *text = strdup(path);

	if (text == NULL)
		return NULL;
	if (!jp_utf8_is_valid(text, strlen(text))) {
		for (char *c = text; *c != '\0'; c++) {
			if ((unsigned char)*c >= 0x80)
				*c = '?';
		}
	}
	return json_string(text);
}

/* A list entry for the root, new. */
static int make_entry(const struct jp_workspace *workspace, const struct identity *identity,
		      json_t **ret_entry)
{
	cleanup_close int common = jp_git_open_common_dir(workspace->root_fd);
	json_auto_t *entry = json_object();
	struct identity repository;
	int r;

	if (common < 0 && common != -ENOENT)
		return common;
	if (json_object_set_new(entry, "path", path_to_json(workspace->root_path)) < 0 ||
	    json_object_set_new(entry, "directory", identity_to_json(identity)) < 0)
		return -ENOMEM;
	if (common >= 0) {
		r = identify(common, &repository);
		if (r < 0)
			return r;
		if (json_object_set_new(entry, "repository", identity_to_json(&repository)) < 0)
			return -ENOMEM;
	}
	*ret_entry = TAKE_PTR(entry);
	return 0;
}

/* Put the root's entry into the list. 1 the list has changed, 0 it had exactly that, -errno. */
static int change_list(json_t *roots, const struct jp_workspace *workspace)
{
	json_auto_t *entry = NULL, *before = NULL;
	json_t *there;
	struct identity identity;
	int r = identify(workspace->root_fd, &identity);

	if (r == 0)
		r = make_entry(workspace, &identity, &entry);
	if (r < 0)
		return r;
	there = find_entry(roots, &identity);
	if (there != NULL) {
		/* It may have been moved, or have become a repository's worktree, since. */
		before = json_copy(there);
		if (before == NULL || json_object_update(there, entry) < 0)
			return -ENOMEM;
		return !json_equal(before, there);
	}
	while (json_array_size(roots) >= ROOTS_MAX) {
		if (json_array_remove(roots, 0) < 0)
			return -ENOMEM;
	}
	return json_array_append(roots, entry) < 0 ? -ENOMEM : 1;
}

/* Nobody else changes the list while this is held. Returns a new descriptor: a lock belongs to the
 * opened file, and own_fd is every thread's. */
static int lock_list(int own_fd)
{
	cleanup_close int fd = openat(own_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		break; /* NFS locks no directories; an entry lost to a race costs one question */
	}
	return TAKE_FD(fd);
}

static int add(int own_fd, const struct jp_workspace *workspace)
{
	cleanup_close int fd = lock_list(own_fd);
	cleanup_free char *text = NULL;
	json_auto_t *list = NULL;
	int r;

	if (fd < 0)
		return fd;
	r = load(fd, &list);
	if (r == 0)
		r = change_list(json_object_get(list, "roots"), workspace);
	if (r <= 0)
		return r;
	text = json_dumps(list, JSON_INDENT(2));
	if (text == NULL)
		return -ENOMEM;
	return jp_replace_file(fd, LIST_NAME, text, strlen(text), 0600);
}

int jp_trust_add(const struct jp_silo *silo, const struct jp_workspace *workspace,
		 struct jp_error *error)
{
	int r = silo->own_fd < 0 ? -ENOENT : add(silo->own_fd, workspace);

	if (r == -EBADMSG) {
		jp_error_set(error, r, "%s/jpfs/" LIST_NAME ": not a list of allowed roots",
			     silo->path);
		jp_error_remedy(error, "remove it: each root will be asked about once more");
	} else if (r < 0) {
		jp_error_set(error, r, "%s/jpfs/" LIST_NAME ": cannot be updated: %s", silo->path,
			     strerrordesc_np(-r));
		jp_error_remedy(error, "make %s/jpfs writable for yourself", silo->path);
	}
	return r;
}

/* Whether two entries are of one directory, whatever else they say of it. */
static bool is_listed(const json_t *roots, const json_t *directory)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(roots, i, entry)
	{
		if (json_equal(json_object_get(entry, "directory"), directory))
			return true;
	}
	return false;
}

/* Put the entries in front, as the older ones, and let go of those that are too many. */
static int add_all(json_t *roots, const json_t *others)
{
	for (size_t i = json_array_size(others); i > 0; i--) {
		json_t *entry = json_array_get(others, i - 1);

		if (is_listed(roots, json_object_get(entry, "directory")))
			continue;
		if (json_array_size(roots) >= ROOTS_MAX)
			break;
		if (json_array_insert(roots, 0, entry) < 0)
			return -ENOMEM;
	}
	return 0;
}

int jp_trust_fold(int from_own_fd, int own_fd)
{
	cleanup_close int fd = -EBADF;
	cleanup_free char *text = NULL;
	json_auto_t *list = NULL, *other = NULL;
	int r = jp_rename_noreplace(from_own_fd, LIST_NAME, own_fd, LIST_NAME);

	if (r != -EEXIST)
		return r == -ENOENT ? 0 : r;
	fd = lock_list(own_fd);
	if (fd < 0)
		return fd;
	r = load(fd, &list);
	if (r == 0)
		r = load(from_own_fd, &other);
	if (r == 0)
		r = add_all(json_object_get(list, "roots"), json_object_get(other, "roots"));
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	text = json_dumps(list, JSON_INDENT(2));
	if (text == NULL)
		return -ENOMEM;
	r = jp_replace_file(fd, LIST_NAME, text, strlen(text), 0600);
	if (r < 0)
		return r;
	return jp_sys->unlinkat(from_own_fd, LIST_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}
