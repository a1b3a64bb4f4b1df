/*
 * Where bytes wait until they are a whole version.
 *
 * Each daemon has a directory of its own in `<silo>/jpfs/staging/`, on the same filesystem as the
 * durable copies, so that a version takes its place by rename. The directory is locked (flock) for
 * as long as its daemon lives: one that nobody holds is a dead daemon's, and what is in it is
 * recovered (core/leftovers.h). So that this can be done, names tell what a file is:
 *
 *     <number>.<id>.<file name>                      being written, or of no use to anybody else
 *     <letter><number>.<inode>-<size>.<id>.<path>    marked: see staged_name.h
 *
 * A mark names the inode that it was made for, because committing exchanges two names: another
 * inode under a marked name is the version that was replaced, and the mark needs no change in the
 * step that has to be one. The size tells bytes that a power cut has taken. Marking is one rename.
 * In a path, '/' and '%' are written %2F and %25.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/silo.h"
#include "core/staged_name.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

struct jp_staging {
	int fd;        /* this daemon's own directory; owned */
	int parent_fd; /* staging/; owned */
	char name[64]; /* of the own directory */
	atomic_uint_least64_t next_number;
};

/* Make this process's staging directory, and lock it. jp_staging_close() it. */
must_check int jp_staging_open(const struct jp_silo *silo, struct jp_staging *ret_staging);

/*
 * Open and lock a directory that a dead process has left; jp_staging_close() it.
 * Returns: 0; -EWOULDBLOCK its process lives; -ENOENT it is gone; -errno.
 */
must_check int jp_staging_inherit(const struct jp_silo *silo, const char *name,
				  struct jp_staging *ret_staging);

/* Close it, and remove it if nothing is left in it. */
void jp_staging_close(struct jp_staging *staging);

/* A name that is not in use, for a file that becomes (or was) `file_name` of a conversation.
 * `ret_name` has NAME_MAX + 1 bytes of room. */
void jp_staging_name(struct jp_staging *staging, uint64_t id, const char *file_name,
		     char *ret_name);

/* Make an empty file, O_RDWR. Returns a new descriptor; `ret_name` as above. */
must_check int jp_staging_create(struct jp_staging *staging, uint64_t id, const char *file_name,
				 mode_t mode, char *ret_name);

/* A name for a link to a version that is complete and, at this moment, durable. As above. */
void jp_staging_pin_name(struct jp_staging *staging, uint64_t id, const char *file_name,
			 char *ret_name);

/*
 * Mark a file by renaming it.
 *
 * Shape:   name   in staging->fd, marked or not; replaced by its new name. NAME_MAX + 1 bytes
 *          path   in its conversation
 * Returns: 0; -ENAMETOOLONG the path does not fit, or another -errno: then it has its old name.
 */
must_check int jp_staging_mark(struct jp_staging *staging, char *name, enum jp_staged_state state,
			       uint64_t id, const char *path);

/* Take the mark off before the bytes change; as above. Nothing to do when there is none. */
must_check int jp_staging_unmark(struct jp_staging *staging, char *name, uint64_t id,
				 const char *path);
