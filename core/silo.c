/*
 * Finding the store of a workspace ID, or making it.
 *
 * The end of a silo's name is its identity; the slug before it is only there for people, and is
 * that of whichever worktree came first. So finding means reading the directory of silos, and where
 * several fit (from before they were shared), jp's own choice is made again, so that both programs
 * use one store at every moment.
 *
 * The way to the user data directory is the user's own and may contain symbolic links; a silo and
 * what is in it may not, so that nothing is ever stored or found elsewhere than it says.
 */
#include "core/silo.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/silo_fold.h"
#include "core/workspace_id.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

enum {
	/* jp folds silos together at its start: one may be gone between finding and opening. */
	VANISHED_TRIES_MAX = 10,
};

void jp_silo_release(struct jp_silo *silo)
{
	/* Without a path nothing was ever opened: in a zeroed one, descriptor 0 is not ours. */
	if (silo->path == NULL)
		return;
	jp_closep(&silo->workspaces_fd);
	jp_closep(&silo->trash_fd);
	jp_closep(&silo->history_fd);
	jp_closep(&silo->staging_fd);
	jp_closep(&silo->own_fd);
	jp_closep(&silo->conversations_fd);
	jp_closep(&silo->fd);
	jp_freep(&silo->path);
}

static int refuse(struct jp_error *error, int r, const char *path, const char *what)
{
	jp_error_set(error, r, "%s: %s: %s", path, what, strerrordesc_np(-r));
	if (r == -ELOOP || r == -ENOTDIR)
		jp_error_remedy(error, "move it out of the way, or replace it by a directory");
	else if (r == -ENOSPC || r == -EDQUOT)
		jp_error_remedy(error,
				"make room there, or name another place in JP_USER_DATA_DIR");
	else
		jp_error_remedy(error, "make it a directory that you can read and write, or name "
				       "another place in JP_USER_DATA_DIR");
	return r;
}

/* Make a directory, private, and its name durable. 0 made, -EEXIST it was there. */
static int make_private_dir(int dirfd, const char *name)
{
	cleanup_close int readable = -EBADF;

	if (jp_sys->mkdirat(dirfd, name, 0700) < 0)
		return -errno;
	readable = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Of a directory that may be written but not read, nothing can be synced. */
	if (readable < 0)
		return errno == EACCES ? 0 : -errno;
	return jp_sys->fsync(readable) < 0 ? -errno : 0;
}

/*
 * Open an absolute path as a directory, making each missing part of it when `make` is true.
 * Symbolic links on the way are followed.
 */
static int open_directories(const char *path, bool make, struct jp_error *error)
{
	cleanup_close int fd = -EBADF;
	cleanup_free char *parts = strdup(path);
	char *rest = NULL;
	int r, readable;

	if (parts == NULL)
		return jp_error_set(error, -ENOMEM, "out of memory");
	fd = openat(AT_FDCWD, path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		return refuse(error, r, path, "cannot be opened");
	}
	for (char *part = strtok_r(parts, "/", &rest); part != NULL;
	     part = strtok_r(NULL, "/", &rest)) {
		int next = openat(fd, part, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (next < 0 && errno == ENOENT && make) {
			r = make_private_dir(fd, part);
			if (r < 0 && r != -EEXIST) {
				/* Up to and with this part: the rest is not there yet. */
				cleanup_free char *reached =
					strndup(path, (size_t)(part - parts) + strlen(part));

				return refuse(error, r, reached != NULL ? reached : path,
					      "cannot be made");
			}
			next = openat(fd, part, O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		if (next < 0) {
			r = -errno;
			return refuse(error, r, path, "cannot be opened");
		}
		jp_closep(&fd);
		fd = next;
	}
	readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable < 0) {
		r = -errno;
		return refuse(error, r, path, "cannot be read");
	}
	return readable;
}

/* A stream of a directory's entries of its own, so that nobody else's offset is moved. */
static int open_listing(int dirfd, const char *name, DIR **ret_dir)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_dir = fdopendir(fd);
	if (*ret_dir == NULL)
		return -errno;
	(void)TAKE_FD(fd); /* the stream has it now */
	return 0;
}

/*
 * When a silo was modified last, as jp sees it: the newest of its entries' times, its own when it
 * has none. `storage` is left out: through that link jp sees a workspace's time instead.
 */
static int last_modified(int silos_fd, const char *name, int64_t *ret_ns)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	bool has_entry = false;
	int64_t newest = INT64_MIN;
	int r;

	if (fstatat(silos_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret_ns = jp_mtime_ns(&st);
	r = open_listing(silos_fd, name, &dir);
	if (r < 0)
		return r == -EACCES ? 0 : r; /* jp cannot read its entries either */
	while (errno = 0, (entry = jp_sys->readdir(dir)) != NULL) {
		if (!jp_is_single_name(entry->d_name) || strcmp(entry->d_name, "storage") == 0)
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone meanwhile */
		has_entry = true;
		if (jp_mtime_ns(&st) > newest)
			newest = jp_mtime_ns(&st);
	}
	if (errno != 0)
		return -errno;
	if (has_entry)
		*ret_ns = newest;
	return 0;
}

bool jp_silo_has_id(const char *name, const char *id)
{
	size_t size = strlen(name), id_size = strlen(id);

	if (size < id_size || strcmp(name + size - id_size, id) != 0)
		return false;
	return size == id_size || name[size - id_size - 1] == '-';
}

/* The name of a silo with this slug: `<slug>-<id>`, or `<id>` when the slug cannot be used. */
static void preferred_name(const char *id, const char *slug, char *ret_name)
{
	bool usable = jp_is_single_name(slug) && strlen(slug) + 1 + strlen(id) <= NAME_MAX;

	(void)snprintf(ret_name, NAME_MAX + 1, "%s%s%s", usable ? slug : "", usable ? "-" : "", id);
}

/* The name of the silo to use; -ENOENT there is none. */
static int choose(int silos_fd, const char *id, const char *preferred, char *ret_name)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	bool has_preferred = false, has_any = false;
	int64_t newest = 0;
	char best[NAME_MAX + 1] = "";
	int r = open_listing(silos_fd, ".", &dir);

	if (r < 0)
		return r;
	while (errno = 0, (entry = jp_sys->readdir(dir)) != NULL) {
		int64_t modified = 0;
		struct stat st;

		if (!jp_silo_has_id(entry->d_name, id))
			continue;
		if (fstatat(silos_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue; /* gone meanwhile, or none of ours */
		if (strcmp(entry->d_name, preferred) == 0) {
			has_preferred = true;
			break;
		}
		r = last_modified(silos_fd, entry->d_name, &modified);
		if (r == -ENOENT)
			continue; /* gone meanwhile */
		if (r < 0)
			return r;
		if (!has_any || modified > newest ||
		    (modified == newest && strcmp(entry->d_name, best) > 0)) {
			has_any = true;
			newest = modified;
			(void)snprintf(best, sizeof(best), "%s", entry->d_name);
		}
	}
	if (!has_preferred && errno != 0)
		return -errno;
	if (!has_any && !has_preferred)
		return -ENOENT;
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", has_preferred ? preferred : best);
	return 0;
}

/*
 * Nobody else makes a silo, or folds some, while this is held. Two worktrees of one project prefer
 * two names: mkdir(2) alone would let two processes make a silo each, and each would fold the
 * other's silo into its own. Returns a new descriptor; the lock ends with it.
 */
static int lock_silos(int silos_fd)
{
	cleanup_close int lock = openat(silos_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock < 0)
		return -errno;
	while (flock(lock, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		/* NFS locks no directories. Two that fold at once there lose nothing, but the copy
		 * that should stand may be found in history. */
		break;
	}
	return TAKE_FD(lock);
}

/* A new silo under a name that nobody looks for: marked, so that whoever comes next knows that what
 * is to be done on an ID's very first use is not done yet. */
static int assemble_silo(int silos_fd, const char *beside)
{
	cleanup_close int silo = -EBADF, own = -EBADF;
	int r = jp_remove_tree(silos_fd, beside); /* somebody died at it */

	if (r == 0)
		r = make_private_dir(silos_fd, beside);
	if (r < 0)
		return r;
	silo = jp_open_beneath(silos_fd, beside, O_RDONLY | O_DIRECTORY, 0);
	if (silo < 0)
		return silo;
	r = make_private_dir(silo, "jpfs");
	if (r < 0)
		return r;
	own = jp_open_beneath(silo, "jpfs", O_RDONLY | O_DIRECTORY, 0);
	if (own < 0)
		return own;
	return jp_replace_file(own, JP_SILO_FIRST_USE, "", 0, 0600);
}

/* Make the silo, unless somebody has done so meanwhile. */
static int make_silo(int silos_fd, const char *id, const char *preferred, char *ret_name,
		     bool *ret_was_made)
{
	char beside[32];
	int r;

	(void)snprintf(beside, sizeof(beside), ".%s.new", id);
	r = assemble_silo(silos_fd, beside);
	if (r == 0)
		r = jp_rename_noreplace(silos_fd, beside, silos_fd, preferred);
	if (r < 0)
		jp_ignore(jp_remove_tree(silos_fd, beside)); /* nothing is in it yet */
	if (r < 0 && r != -EEXIST)                           /* jp takes no lock */
		return r;
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", preferred);
	*ret_was_made = r == 0;
	return jp_sys->fsync(silos_fd) < 0 ? -errno : 0;
}

/*
 * Open one of the directories of a silo, making it when `make` is true. Missing and not to be made:
 * 0, and *ret_fd is left as it was.
 */
static int open_part(int dirfd, const char *silo_path, const char *path, bool make, int *ret_fd,
		     struct jp_error *error)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	cleanup_free char *full = NULL;
	int r, fd;

	if (dirfd < 0)
		return 0;
	if (asprintf(&full, "%s/%s", silo_path, path) < 0) {
		full = NULL;
		return jp_error_set(error, -ENOMEM, "out of memory");
	}
	fd = jp_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT) {
		if (!make)
			return 0;
		r = make_private_dir(dirfd, name);
		if (r < 0 && r != -EEXIST)
			return refuse(error, r, full, "cannot be made");
		fd = jp_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return refuse(error, fd, full, "cannot be opened");
	*ret_fd = fd;
	/* Better refused here, by name, than at the first write through a mount. */
	if (make && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		r = -errno;
		return refuse(error, r, full, "cannot be written");
	}
	return 0;
}

static int open_parts(struct jp_silo *silo, bool make, struct jp_error *error)
{
	const struct {
		const int *dirfd;
		const char *path;
		int *fd;
	} parts[] = {
		{&silo->fd, "conversations", &silo->conversations_fd},
		{&silo->fd, "jpfs", &silo->own_fd},
		{&silo->own_fd, "jpfs/staging", &silo->staging_fd},
		{&silo->own_fd, "jpfs/history", &silo->history_fd},
		{&silo->own_fd, "jpfs/trash", &silo->trash_fd},
		{&silo->own_fd, "jpfs/workspaces", &silo->workspaces_fd},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int r = open_part(*parts[i].dirfd, silo->path, parts[i].path, make, parts[i].fd,
				  error);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Open the silo of that name. -ENOENT it is gone again, which is no reason to give up. */
static int open_silo(int silos_fd, const char *silos_path, const char *name, bool make,
		     struct jp_silo *ret_silo, struct jp_error *error)
{
	cleanup_silo struct jp_silo silo = {
		.fd = -EBADF,
		.conversations_fd = -EBADF,
		.own_fd = -EBADF,
		.staging_fd = -EBADF,
		.history_fd = -EBADF,
		.trash_fd = -EBADF,
		.workspaces_fd = -EBADF,
	};
	int r;

	if (asprintf(&silo.path, "%s/%s", silos_path, name) < 0) {
		silo.path = NULL;
		return jp_error_set(error, -ENOMEM, "out of memory");
	}
	silo.fd = openat(silos_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (silo.fd < 0) {
		r = -errno;
		return refuse(error, r, silo.path, "cannot be opened");
	}
	r = open_parts(&silo, make, error);
	if (r < 0)
		return r;
	*ret_silo = silo;
	silo = (struct jp_silo){0}; /* the caller has it now */
	return 0;
}

/* Fold the ID's other silos into this one. -ENOENT it has been folded away itself, by jp. */
static int fold_others(int silos_fd, const char *id, struct jp_silo *silo, struct jp_error *error)
{
	struct stat st;
	int r = jp_silo_fold(silos_fd, id, silo, error);

	if (fstat(silo->fd, &st) == 0 && st.st_nlink == 0)
		r = -ENOENT;
	if (r == -ENOENT)
		jp_silo_release(silo);
	return r;
}

static int refuse_missing(struct jp_error *error, const char *silos_path, const char *id)
{
	jp_error_set(error, -ENOENT, "%s: nothing is stored for the workspace ID %s", silos_path,
		     id);
	jp_error_remedy(error, "mount the workspace, or run jp in it, to start its store");
	return -ENOENT;
}

int jp_silo_open(const char *user_data, const char *id, const char *slug, bool make,
		 struct jp_silo *ret_silo, struct jp_error *error)
{
	cleanup_free char *silos_path = NULL;
	cleanup_close int silos_fd = -EBADF, lock = -EBADF;
	cleanup_silo struct jp_silo silo = {0};
	char preferred[NAME_MAX + 1], name[NAME_MAX + 1];
	bool was_made;
	int r = -ENOENT;

	if (!jp_workspace_id_is_valid(id))
		return jp_error_set(error, -EINVAL, "'%s' is not a workspace ID", id);
	if (asprintf(&silos_path, "%s/workspace", user_data) < 0) {
		silos_path = NULL;
		return jp_error_set(error, -ENOMEM, "out of memory");
	}
	silos_fd = open_directories(silos_path, make, error);
	if (silos_fd < 0)
		return silos_fd == -ENOENT && !make ? refuse_missing(error, silos_path, id)
						    : silos_fd;
	preferred_name(id, slug, preferred);
	if (make) {
		lock = lock_silos(silos_fd);
		if (lock < 0)
			return refuse(error, lock, silos_path, "cannot be locked");
	}
	for (int tries = 0; tries < VANISHED_TRIES_MAX && r == -ENOENT; tries++) {
		was_made = false;
		r = choose(silos_fd, id, preferred, name);
		if (r == -ENOENT && !make)
			return refuse_missing(error, silos_path, id);
		if (r == -ENOENT)
			r = make_silo(silos_fd, id, preferred, name, &was_made);
		if (r < 0)
			return refuse(error, r, silos_path, "cannot be searched or added to");
		r = open_silo(silos_fd, silos_path, name, make, &silo, error);
		if (r == 0 && make)
			r = fold_others(silos_fd, id, &silo, error);
	}
	if (r < 0)
		return r;
	silo.was_made = was_made;
	*ret_silo = silo;
	silo = (struct jp_silo){0}; /* the caller has it now */
	return 0;
}
