/*
 * The conversations of a workspace, and where each of them is.
 *
 * Two directories are looked at: the durable one, and what is in the workspace, as a mount shows it
 * or as it really is. They are matched by ID.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/dir_index.h"
#include "core/summary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jpfs_presence {
	JPFS_PROJECTED,      /* in the store and in this workspace */
	JPFS_LOCAL,          /* in the store only */
	JPFS_WORKSPACE_ONLY, /* not in the store */
};

struct jpfs_listed {
	uint64_t id;
	/* Of its directory on each side, "X" or ".archive/X"; NULL: it is not there; owned. */
	char *workspace_path, *durable_path;
	enum jpfs_presence presence;
	bool is_archived; /* in the workspace, or in the store if it is only there */
	bool is_gone;     /* while it was read; such rows are left out of a catalog */
	bool is_draft;    /* what is seen here is not what the store has */
	char *origin; /* name of the worktree that it was made in; NULL: not known; owned; UTF-8 */
	struct jp_summary summary;
};

struct jpfs_catalog {
	struct jpfs_listed *rows; /* by ID, until they are sorted */
	size_t count;
};

struct jpfs_catalog_request {
	/* All borrowed; -EBADF: there is none. */
	int durable_fd;   /* the silo's conversations/ */
	int workspace_fd; /* the mount's root, or the real .jp/conversations */
	int own_fd;       /* the silo's jpfs/, which has the origins */

	const uint64_t *drafts;
	size_t draft_count;
	bool prefers_workspace; /* read what is on both sides in the workspace */
	bool with_archived;
	bool only_local;
	bool without_summaries; /* only where each is: nothing in it is read */
};

/*
 * List them, with a summary of each unless that is not wanted. What is in both places is read from the store, as every reader
 * of a mount gets it, except drafts; if that one is damaged, from the workspace.
 *
 * Shape:   ret_catalog  filled; jpfs_catalog_release() it
 * Returns: 0; what reading one of the two directories failed with; -ENOMEM, -EMFILE. A conversation
 *          that cannot be read is listed as damaged; one that goes meanwhile is left out.
 */
must_check int jpfs_catalog_read(const struct jpfs_catalog_request *request,
				 struct jpfs_catalog *ret_catalog);

/* What the copies of a conversation are opened with; found again where they were renamed. */
struct jpfs_copies {
	const struct jpfs_catalog_request *request;      /* borrowed, immutable */
	struct jp_dir_index *durable_index, *work_index; /* owned; have their own locks */
};

/* jpfs_copies_release() it, also after a failure. */
must_check int jpfs_copies_init(struct jpfs_copies *copies,
				const struct jpfs_catalog_request *request);
void jpfs_copies_release(struct jpfs_copies *copies);
#define cleanup_copies __attribute__((cleanup(jpfs_copies_release)))

/*
 * Open a conversation's directory: on the side that a catalog reads it from, or on the other, which
 * is read instead if there is nothing to be had on the first.
 *
 * Returns: a new descriptor; -ENOENT it is not there (any more); others.
 * Threads: any.
 */
must_check int jpfs_copies_open(struct jpfs_copies *copies, const struct jpfs_listed *row,
				bool on_other_side);

enum jpfs_catalog_order {
	JPFS_BY_ACTIVITY,
	JPFS_BY_CREATED,
	JPFS_BY_TITLE, /* as letters are, large or small; without title first */
	JPFS_BY_SIZE,
	JPFS_BY_EVENTS,
	JPFS_BY_ID,
};

/* Put the rows into an order, ascending unless reversed; those that are equal in it by ID. */
void jpfs_catalog_sort(struct jpfs_catalog *catalog, enum jpfs_catalog_order order,
		       bool is_reversed);

/* Free what it holds. Any state, also all zeros and after an earlier release. */
void jpfs_catalog_release(struct jpfs_catalog *catalog);

#define cleanup_catalog __attribute__((cleanup(jpfs_catalog_release)))
