/*
 * Where a workspace is mounted, in which state, and who serves it.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/silo.h"
#include "core/workspace.h"

#include <jansson.h>
#include <limits.h>
#include <sys/types.h>

enum jpfs_place_state {
	JPFS_PLACE_NOT_MOUNTED, /* not by us; something else may be */
	JPFS_PLACE_MOUNTED,     /* and answers */
	JPFS_PLACE_DEAD,        /* nobody serves it any more */
};

struct jpfs_place {
	char mount_point[PATH_MAX];
	enum jpfs_place_state state;
	dev_t device;   /* unless not mounted */
	json_t *status; /* what the daemon says of itself, when it is mounted; owned */
};

/*
 * Look at `<root>/.jp/conversations`.
 *
 * Returns: 0; -EACCES it is mounted and somebody else's; others. `error` is filled. Waits for the
 *          daemon if that is busy.
 */
must_check int jpfs_place_find(const char *root_path, struct jpfs_place *ret_place,
			       struct jp_error *error);

/* The same for a mount point in mountinfo. */
must_check int jpfs_place_look(const char *mount_point, struct jpfs_place *ret_place,
			       struct jp_error *error);

void jpfs_place_release(struct jpfs_place *place);

#define cleanup_place __attribute__((cleanup(jpfs_place_release)))

/*
 * Open what its lock file is found by: the workspace's root and the silo's directory of lock files,
 * nothing else of either. Both as the daemon of a mount names them; its environment may have been
 * another one than ours.
 *
 * Shape:   ret_workspace, ret_silo  filled; release them
 */
must_check int jpfs_place_open_lock_directory(const struct jpfs_place *place,
					      struct jp_workspace *ret_workspace,
					      struct jp_silo *ret_silo);

/* The silo of a workspace that is not mounted, by our own environment; nothing is made. -ENOENT it
 * has none. */
must_check int jpfs_find_silo(const struct jp_workspace *workspace, struct jp_silo *ret_silo,
			      struct jp_error *error);
