/*
 * Where bytes wait until they are a whole version.
 *
 * Each daemon has a directory of its own in `<silo>/jpfs/staging/`, on the same filesystem as the
 * durable copies, so that a version takes its place by rename. A file's name says what it was for:
 * `<number>.<conversation id>.<file name>`, the name cut where it would be too long. What a killed
 * daemon leaves there is left for recovery; nothing here deletes another daemon's files.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/silo.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

struct jp_staging {
	int fd;        /* this daemon's own directory; owned */
	int parent_fd; /* staging/; owned */
	char name[64]; /* of the own directory */
	atomic_uint_least64_t next_number;
};

/* Make this process's staging directory. jp_staging_close() it. */
must_check int jp_staging_open(const struct jp_silo *silo, struct jp_staging *ret_staging);

/* Close it, and remove it if nothing is left in it. */
void jp_staging_close(struct jp_staging *staging);

/* A name that is not in use, for a file that becomes (or was) `file_name` of a conversation.
 * `ret_name` has NAME_MAX + 1 bytes of room. */
void jp_staging_name(struct jp_staging *staging, uint64_t id, const char *file_name,
		     char *ret_name);

/* Make an empty file, O_RDWR. Returns a new descriptor; `ret_name` as above. */
must_check int jp_staging_create(struct jp_staging *staging, uint64_t id, const char *file_name,
				 mode_t mode, char *ret_name);
