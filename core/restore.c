/* Removing conversations and restoring what was kept. See restore.h. */
#include "core/restore.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/dir_index.h"
#include "core/durable.h"
#include "core/history.h"
#include "core/staging.h"
#include "core/validity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/*
 * jp's lock, as long as the descriptor is open: 0 or -EBUSY; *ret_fd may stay -EBADF. jp makes the
 * file when it first needs it, and we never do.
 */
static int lock_against_jp(const struct jp_silo *silo, uint64_t id, int *ret_fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "locks/%" PRIu64 ".lock", id);
	*ret_fd = jp_open_regular(silo->fd, path, O_RDONLY);
	return *ret_fd >= 0 && flock(*ret_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK
		       ? -EBUSY
		       : 0;
}

/* Where the durable directory is; -ENOENT. */
static int find_durable(const struct jp_silo *silo, uint64_t id,
			char ret_path[JP_CONVERSATION_PATH_BYTES])
{
	struct jp_dir_index *index;
	bool is_archived;
	int r = jp_dir_index_new(silo->conversations_fd, &index);

	if (r < 0)
		return r;
	r = jp_dir_index_find(index, id, ret_path, &is_archived);
	jp_dir_index_free(index);
	return r;
}

static int move_to_trash(const struct jp_silo *silo, uint64_t id, const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_close int parent =
		jp_open_beneath(silo->conversations_fd, slash != NULL ? JP_ARCHIVE_NAME : ".",
				O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (parent < 0)
		return parent;
	/* With its path as a name: where it was is known again when it is restored. */
	r = jp_keep_move(silo->trash_fd, id, parent, slash != NULL ? slash + 1 : path, path);
	if (r < 0)
		return r;
	return jp_sys->fsync(parent) < 0 ? -errno : 0;
}

int jp_remove_conversation(const struct jp_silo *silo, uint64_t id)
{
	char path[JP_CONVERSATION_PATH_BYTES];
	cleanup_close int lock = -EBADF;
	int r = find_durable(silo, id, path);

	if (r == 0)
		r = lock_against_jp(silo, id, &lock);
	/* There may be a live and an archived one. */
	for (int i = 0; r == 0 && i < 2; i++) {
		r = move_to_trash(silo, id, path);
		if (r == 0 && find_durable(silo, id, path) == -ENOENT)
			return 0;
	}
	return r;
}

/* ---- a whole conversation ---- */

/* 1 jp would accept it, 0 not, -errno. */
static int is_acceptable(int dirfd, const char *name)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		char path[NAME_MAX + 32];
		cleanup_close int fd = -EBADF;
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s", name,
			       jp_managed_name((enum jp_managed)i));
		fd = jp_open_regular(dirfd, path, O_RDONLY);
		if (fd == -ENOENT && i == JP_BASE_CONFIG)
			continue; /* the older layout has none */
		r = fd < 0 ? fd : jp_validity_of_file((enum jp_managed)i, fd);
		if (r != 1)
			return jp_is_absent(r) ? 0 : r;
	}
	return 1;
}

int jp_restore_conversation(const struct jp_silo *silo, const struct jp_kept *kept, char *ret_name)
{
	cleanup_close int place = -EBADF, to = -EBADF, lock = -EBADF;
	char path[JP_CONVERSATION_PATH_BYTES];
	const char *name;
	bool is_archived;
	int r;

	if (!jp_kept_is_conversation(kept, &name, &is_archived))
		return -EBADMSG;
	lock = jp_dir_index_lock(silo->conversations_fd);
	if (lock < 0)
		return lock;
	r = find_durable(silo, kept->id, path);
	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	place = jp_kept_open_place(-EBADF, silo->trash_fd, kept);
	if (place < 0)
		return place;
	r = is_acceptable(place, kept->entry);
	if (r != 1)
		return r < 0 ? r : -EBADMSG;
	to = is_archived ? jp_open_or_make_dir(silo->conversations_fd, JP_ARCHIVE_NAME, 0700)
			 : fcntl(silo->conversations_fd, F_DUPFD_CLOEXEC, 3);
	if (to < 0)
		return is_archived ? to : -errno;
	r = jp_rename_noreplace(place, kept->entry, to, name);
	if (r < 0)
		return r;
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", name);
	if (jp_sys->fsync(to) < 0 || jp_sys->fsync(place) < 0)
		return -errno;
	return 0;
}

/* ---- a version of a file ---- */

static int open_version(const struct jp_silo *silo, const struct jp_kept *kept, const char *file)
{
	cleanup_close int place = jp_kept_open_place(silo->history_fd, silo->trash_fd, kept);
	char path[2 * NAME_MAX + 2];

	if (place < 0)
		return place;
	if (!kept->is_directory)
		return jp_open_regular(place, kept->entry, O_RDONLY);
	(void)snprintf(path, sizeof(path), "%s/%s", kept->entry, file);
	return jp_open_regular(place, path, O_RDONLY);
}

/* A synced copy in staging, of the present time and with the mode of the one it will replace. */
static int stage(struct jp_staging *staging, uint64_t id, int version, mode_t mode,
		 const char *file, char *ret_name)
{
	cleanup_close int fd = jp_staging_create(staging, id, file, mode, ret_name);
	int r;

	if (fd < 0)
		return fd;
	r = jp_copy_content(version, fd);
	if (r == 0 && jp_sys->fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)jp_sys->unlinkat(staging->fd, ret_name, 0); /* nobody had it */
	return r;
}

/* What was durable until now lies in staging. */
static int keep_displaced(const struct jp_silo *silo, struct jp_staging *staging, uint64_t id,
			  const char *name, const char *file)
{
	cleanup_close int fd = jp_open_regular(staging->fd, name, O_RDONLY);
	int r = fd < 0 ? fd : jp_history_has(silo->history_fd, id, file, fd);

	if (r == 1)
		return jp_sys->unlinkat(staging->fd, name, 0) < 0 ? -errno : 0;
	/* Not there, or nobody can tell: it is kept. */
	return jp_keep_move(silo->history_fd, id, staging->fd, name, file);
}

static int replace(const struct jp_silo *silo, struct jp_staging *staging, uint64_t id,
		   int directory, const char *file, int version)
{
	cleanup_close int durable = jp_open_regular(directory, file, O_RDONLY);
	bool is_displaced = true;
	char name[NAME_MAX + 1];
	struct stat st = {.st_mode = 0600};
	int r = durable == -ENOENT ? 0 : durable < 0 ? durable : fstat(durable, &st);

	if (r < 0)
		return durable < 0 ? durable : -errno;
	if (durable >= 0) {
		r = jp_same_content(version, durable);
		if (r != 0)
			return r < 0 ? r : -EALREADY;
	}
	r = stage(staging, id, version, st.st_mode, file, name);
	if (r < 0)
		return r;
	/* The older layout has no base configuration of its own; anything else that is missing is
	 * just being replaced by jp. */
	r = jp_managed_from_name(file) == JP_BASE_CONFIG
		    ? jp_durable_put(staging, id, name, directory, file, &is_displaced)
		    : jp_durable_replace(staging, id, name, directory, file);
	if (r < 0) {
		(void)jp_sys->unlinkat(staging->fd, name, 0); /* it is still where it was kept */
		return r;
	}
	if (is_displaced)
		r = keep_displaced(silo, staging, id, name, file);
	if (jp_sys->fsync(directory) < 0 && r == 0)
		r = -errno;
	return r;
}

int jp_restore_file(const struct jp_silo *silo, const struct jp_kept *kept, const char *file)
{
	cleanup_close int version = -EBADF, directory = -EBADF, lock = -EBADF;
	char path[JP_CONVERSATION_PATH_BYTES];
	enum jp_managed managed = jp_managed_from_name(file);
	struct jp_staging staging;
	int r;

	if (managed == JP_UNMANAGED)
		return -EINVAL;
	version = open_version(silo, kept, file);
	if (version < 0)
		return version;
	r = jp_validity_of_file(managed, version);
	if (r != 1)
		return r < 0 ? r : -EBADMSG;
	r = find_durable(silo, kept->id, path);
	if (r == 0)
		r = lock_against_jp(silo, kept->id, &lock);
	if (r < 0)
		return r;
	directory = jp_open_beneath(silo->conversations_fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (directory < 0)
		return directory;
	r = jp_staging_open(silo, &staging);
	if (r < 0)
		return r;
	r = replace(silo, &staging, kept->id, directory, file, version);
	jp_staging_close(&staging);
	return r;
}
