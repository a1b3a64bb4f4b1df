/*
 * Whole files and whole trees: reading, comparing, copying, removing.
 *
 * Everything works on descriptors and single names. Nothing follows a symbolic link. Content is
 * never interpreted, and a copy is exact: bytes, mode, user extended attributes, modification time.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Nanoseconds since the epoch of a file's last modification. */
static inline int64_t jp_mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* How many milliseconds ago that was; less than 0: it is yet to come. */
static inline int64_t jp_age_ms(const struct timespec *since)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)(now.tv_sec - since->tv_sec) * 1000 +
	       (now.tv_nsec - since->tv_nsec) / 1000000;
}

/*
 * Open what is at a relative path strictly beneath a directory: no symbolic link, no "..", no
 * mount point is crossed on the way or at the end.
 *
 * Shape:   path    relative, may have several components
 *          flags   as for openat(2); O_CLOEXEC is added
 * Returns: a new descriptor, or -errno; -ELOOP a symbolic link, -EXDEV an escape or a mount.
 * Source:  openat2(2), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
 *          RESOLVE_NO_XDEV.
 */
must_check int jp_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/*
 * Open a regular file for reading, and nothing else: a FIFO or device of that name fails with
 * -EINVAL instead of hanging, a symbolic link with -ELOOP, a directory with -EISDIR.
 * A file of our own whose mode forbids it is opened all the same; its mode stays as it is.
 * `path` as for jp_open_beneath. `flags` is O_RDONLY or O_RDWR.
 */
must_check int jp_open_regular(int dirfd, const char *path, int flags);

/*
 * Whether opening failed because of what is there: nothing, or something else than what was asked
 * for. Any other failure (-EIO, -EMFILE, -EACCES) tells nothing: it may be there, and whole.
 */
bool jp_is_absent(int r);

/*
 * Read a whole small file into memory.
 *
 * Shape:   ret_data  new, NUL after the last byte (not counted); free() it
 *          limit     bytes; a larger file gives -EFBIG
 */
must_check int jp_read_file(int dirfd, const char *path, size_t limit, char **ret_data,
			    size_t *ret_size);

/* Write all of it at `offset`, or fail with -errno; after a failure some of it may be there. */
must_check int jp_write_all(int fd, const void *data, size_t size, off_t offset);

/* fsync(2) of a directory, which may have been opened to look for names only. 0; -errno. */
must_check int jp_sync_directory(int directory_fd);

/* Have the disk begin to write what a file has, and do not wait for it. A hint: fsync(2) says whether it
 * worked. Also, a rename(2) of a file whose blocks are not allocated yet waits for that on ext4. */
void jp_begin_writing(int fd);

/*
 * Copy all content from one regular file to another, empty one: by reference where the filesystem
 * can (FICLONE), inside the kernel otherwise.
 */
must_check int jp_copy_content(int from_fd, int to_fd);

/* Make mode, user.* extended attributes and both times of `to_fd` those of `from_fd`. Attributes
 * that the target's filesystem cannot hold are left out. */
must_check int jp_copy_attributes(int from_fd, int to_fd);

/* 1 the same bytes, 0 not, or -errno. Both are regular files; offsets are not moved. */
must_check int jp_same_content(int first_fd, int second_fd);

/*
 * Put a whole small file in place: written beside it, synced, renamed over, directory synced.
 * After an error the file holds all of the old bytes or all of the new ones.
 */
must_check int jp_replace_file(int dirfd, const char *name, const void *data, size_t size,
			       mode_t mode);

/*
 * Copy one directory entry, whatever it is, directories with all below them. FIFOs, sockets and
 * devices are left out and counted in *skipped (may be NULL). The target must not exist. Every
 * regular file is synced before this returns. After an error the target may be there in part.
 */
must_check int jp_copy_tree(int from_dirfd, const char *from_name, int to_dirfd,
			    const char *to_name, unsigned *skipped);

/* The same without syncing: for many at once, when the caller syncs the filesystem after all. */
must_check int jp_copy_tree_unsynced(int from_dirfd, const char *from_name, int to_dirfd,
				     const char *to_name, unsigned *skipped);

/*
 * Rename, and replace nothing: -EEXIST when the new name is taken. In one step where the filesystem
 * can (RENAME_NOREPLACE); NFS and some others cannot, there it is looked for first.
 */
must_check int jp_rename_noreplace(int old_dirfd, const char *old_name, int new_dirfd,
				   const char *new_name);

/* Remove one directory entry with all below it; 0 also when it is not there. */
must_check int jp_remove_tree(int dirfd, const char *name);

/* Make a directory if it is missing and open it (O_RDONLY | O_DIRECTORY, no link followed).
 * Returns a new descriptor or -errno. */
must_check int jp_open_or_make_dir(int dirfd, const char *name, mode_t mode);

/* Whether `name` is one component that could be created: not empty, no '/', not "." or "..". */
bool jp_is_single_name(const char *name);
