/*
 * Texts that can be made again, kept in one file without a name: nobody else sees it, it takes no
 * descriptor for each, and it is gone with the daemon, however that ends.
 *
 * The file is in the silo's jpfs/, because that has room for the conversations and belongs to the
 * same user; where it can't be, or must not be, it is in memory, and smaller. It never takes the
 * last of a disk. A text that finds no room is simply not kept.
 */
#pragma once

#include "core/base/cleanup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Pieces of a text double in size, the first has 16 KiB: more than any text has. */
#define JPFS_SCRATCH_PIECES 32

struct jpfs_scratch_text {
	off_t starts[JPFS_SCRATCH_PIECES]; /* of each piece in the file */
	unsigned pieces;
	off_t size;
};

struct jpfs_scratch {
	pthread_mutex_t lock; /* a leaf */
	int fd;               /* set with the first text, then immutable; protected by lock */
	off_t end;            /* where the next piece goes; protected by lock */
	off_t used, room;     /* bytes of all pieces, and how many they may be; protected by lock */
};

/* Nothing is made before it is needed. */
void jpfs_scratch_init(struct jpfs_scratch *scratch);
void jpfs_scratch_release(struct jpfs_scratch *scratch);

/*
 * Add to the end of a text, which is all zeros to begin with.
 *
 * Shape:   directory_fd  where the file is made; -EBADF: in memory
 * Returns: 0; -ENOSPC there is no room, or it cannot be written: drop the text.
 * Threads: any, each with a text of its own.
 */
must_check int jpfs_scratch_append(struct jpfs_scratch *scratch, int directory_fd,
				   struct jpfs_scratch_text *text, const char *data, size_t size);

/* Read as much of `size` as there is from `offset` on. Bytes or -errno. */
must_check ssize_t jpfs_scratch_read(struct jpfs_scratch *scratch,
				     const struct jpfs_scratch_text *text, char *buffer,
				     size_t size, off_t offset);

/* Forget a text; it is all zeros then. */
void jpfs_scratch_drop(struct jpfs_scratch *scratch, struct jpfs_scratch_text *text);
