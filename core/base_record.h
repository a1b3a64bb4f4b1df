/*
 * What the two sides of a worktree's conversations were when they were last seen equal there.
 *
 * With it, reconciliation can tell who changed: the side that still is what both were is the one
 * that did not. It also makes mounting cheap: a file that stat(2) describes as it did then holds
 * the same bytes, and is not read.
 *
 *     <silo>/jpfs/workspaces/<device>-<inode>-<birth time>.base
 *
 * The name is of the worktree's root directory, not of its path: a new worktree at an old path is
 * new. The file is a header line and one line for each conversation, its own checksum at the end; a
 * later line for an ID takes the place of an earlier one. So an update is one pwrite(2) at the end,
 * and a line that a crash or a bad disk left in pieces is ignored. Losing the file, or the last
 * lines of it, loses no data: only knowledge, and what then cannot be decided by it is decided by
 * what the versions contain.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/content_id.h"
#include "core/managed.h"

#include <sys/stat.h>

/* A file as stat(2) describes it. */
struct jp_stamp {
	uint64_t ino, size;
	int64_t mtime_ns;
	int64_t ctime_ns; /* 0: not compared */
};

struct jp_base_file {
	bool is_there; /* on both sides */
	struct jp_content_id content;
	struct jp_stamp
		durable; /* its ctime is not kept: a link that is made to the file moves it */
	struct jp_stamp workspace;
	struct jp_stamp draft; /* the workspace's file where it is one; ino 0: it is none */
};

struct jp_base {
	struct jp_base_file files[JP_MANAGED_COUNT];
};

struct jp_base_record;

#define JP_BASE_NAME_BYTES 128

/* The name that a worktree's record has, by its root directory. 0 or -errno. */
must_check int jp_base_name(int root_fd, char ret_name[JP_BASE_NAME_BYTES]);

/*
 * Read a worktree's record. What cannot be read now is not taken for absent or damaged: it would be
 * written over, and what it tells about what was edited since could not be told any more.
 *
 * Shape:   workspaces_fd  <silo>/jpfs/workspaces; borrowed for the call
 *          root_fd        the worktree's root directory
 *          ret_record     new, also when there was none: jp_base_close() it
 * Returns: 0; -errno when it cannot be read. What is in pieces is no error; nor is it one when the
 *          record cannot be written: it is in memory, and jp_base_sync() tries to write it.
 * Threads: any, from here on.
 */
must_check int jp_base_open(int workspaces_fd, int root_fd, bool read_only,
			    struct jp_base_record **ret_record);

/* All functions below take NULL for a record: then nothing is known, and nothing is kept. */

/* 0, or -ENOENT nothing is known of it. */
must_check int jp_base_find(struct jp_base_record *record, uint64_t id, struct jp_base *ret);

/* Keep it, in memory and at the end of the file. After an error it is in memory only, until
 * jp_base_sync(). */
must_check int jp_base_put(struct jp_base_record *record, uint64_t id, const struct jp_base *base);

/* It was taken out of the projection. */
must_check int jp_base_forget(struct jp_base_record *record, uint64_t id);

/* Forget all of them that `keep` does not want. */
must_check int jp_base_forget_others(struct jp_base_record *record,
				     bool (*keep)(uint64_t id, void *closure), void *closure);

/* Sync what was written, in a new file when the old one holds much that no longer counts, or lacks
 * what could not be written to it. */
must_check int jp_base_sync(struct jp_base_record *record);

void jp_base_close(struct jp_base_record *record);

/* Whether stat(2) still says the same. */
bool jp_stamp_matches(const struct jp_stamp *stamp, const struct stat *st);
struct jp_stamp jp_stamp_of(const struct stat *st, bool with_ctime);
