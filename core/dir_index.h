/*
 * Which conversation is where in a conversations/ directory.
 *
 * Conversations are found by ID, and their directories are renamed and archived by others at any
 * time, so the listing of the directory and of its `.archive` is remembered and read anew whenever
 * either has changed. "Changed" is told by the directories' own times; a directory that was changed
 * so shortly before it was read that its clock could not tell a further change apart is read again
 * the next time (as git does with its index).
 */
#pragma once

#include "core/base/cleanup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define JP_ARCHIVE_NAME ".archive"
/* ".archive/", a name and the NUL. */
#define JP_CONVERSATION_PATH_BYTES (NAME_MAX + 16)

struct jp_dir_index;

struct jp_index_entry {
	uint64_t id;
	bool is_archived;
	char *name; /* the directory's name, without `.archive/` */
};

/* Make an index of the directory behind `fd` (borrowed, must outlive it). Nothing is read yet. */
must_check int jp_dir_index_new(int fd, struct jp_dir_index **ret_index);
void jp_dir_index_free(struct jp_dir_index *index);

/*
 * Where a conversation is: its path relative to the directory, with `.archive/` in front when it is
 * archived; a live one goes first when both are there.
 *
 * Shape:   ret_path  JP_CONVERSATION_PATH_BYTES of room
 * Returns: 0, -ENOENT, or what reading the directory failed with.
 * Threads: any.
 */
must_check int jp_dir_index_find(struct jp_dir_index *index, uint64_t id, char *ret_path,
				 bool *ret_is_archived);

/* Forget what is remembered: the next look reads anew. For changes that this process made. */
void jp_dir_index_expire(struct jp_dir_index *index);

/* How many conversations there are, live and archived. */
must_check int jp_dir_index_count(struct jp_dir_index *index, size_t *ret_live,
				  size_t *ret_archived);

/*
 * Whoever gives a conversation a directory in a conversations/, or moves it, holds this from its
 * look for another one of that ID until then: two daemons with different names for it would both find
 * a free name. jp knows nothing of it. Returns a descriptor that is closed to let go, or -errno.
 */
must_check int jp_dir_index_lock(int fd);

/* All of it as it is now; free with jp_index_entries_free(). */
must_check int jp_dir_index_copy(struct jp_dir_index *index, struct jp_index_entry **ret_entries,
				 size_t *ret_count);

/*
 * Read one conversations/ directory and its `.archive`, without remembering anything.
 *
 * Shape:   ret_entries  new, sorted by ID, live before archived; jp_index_entries_free() it. Only
 *                       real directories with a conversation's name are in it.
 */
must_check int jp_dir_index_read(int fd, struct jp_index_entry **ret_entries, size_t *ret_count);
void jp_index_entries_free(struct jp_index_entry *entries, size_t count);
