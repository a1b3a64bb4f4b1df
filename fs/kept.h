/*
 * `.jpfs/history/`: the versions that are kept, as files that can be read and nothing else.
 *
 *     .jpfs/history/<directory's name>/20261123T162201Z.kmwzptrs.events.json
 *
 * The time (UTC) and the version's name for `jpfs restore` come first, so that a listing is in the
 * order of time; the file's own name comes last, so that programs know what it is. Its modification
 * time is when it was put there.
 */
#pragma once

#include "fs/view.h"

struct jpfs_kept;

/* .jpfs/history or anything in it. */
bool jpfs_is_kept(const struct jpfs_object *object);

must_check int jpfs_kept_lookup(struct jpfs_view *view, struct jpfs_object *place, const char *name,
				struct jpfs_object **ret);
must_check int jpfs_kept_list(struct jpfs_view *view, struct jpfs_object *place,
			      struct jpfs_listing *listing);
/* Fill in size and times. -ENOENT it was pruned. */
must_check int jpfs_kept_stat(struct jpfs_object *object, struct stat *st);
/* Open a version to read it; a new descriptor. */
must_check int jpfs_kept_open(struct jpfs_object *object);
/* Its last reference is gone. */
void jpfs_kept_forget(struct jpfs_kept *kept);
