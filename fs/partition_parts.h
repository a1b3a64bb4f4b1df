/*
 * What the parts of partition.h share: finding and listing (partition.c), making and removing
 * (partition_make.c), renaming (partition_rename.c).
 */
#pragma once

#include "fs/object.h"

/* The conversation that a name in a partition is; a new reference or NULL. */
struct jpfs_conversation *jpfs_partition_find(struct jpfs_view *view, struct jpfs_object *parent,
					      const char *name);
/* Take a conversation out of this worktree. names is held, and the conversation's lock. */
void jpfs_partition_take_out_locked(struct jpfs_conversation *conversation);
/* The same as somebody who removes its directory wants it: -ENOTEMPTY while something is shown in it.
 * names is held. */
must_check int jpfs_partition_remove_held(struct jpfs_conversation *conversation);
/* Give it another name, here and in the store, or its place in the other partition. names is held. */
must_check int jpfs_partition_rename_held(struct jpfs_conversation *conversation,
					  struct jpfs_object *new_parent, const char *new_name);
