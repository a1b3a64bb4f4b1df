/*
 * `.jpfs/local`: the conversations that this worktree does not have. A conversation that moves from
 * there into the root is projected, and the other way round taken out.
 */
#pragma once

#include "fs/listing.h"
#include "fs/object.h"

#include <stdbool.h>
#include <stdint.h>

/* .jpfs/local, or its .archive. */
bool jpfs_is_local_place(const struct jpfs_object *object);
must_check int jpfs_local_lookup(struct jpfs_view *view, struct jpfs_object *place,
				 const char *name, struct jpfs_object **ret);
must_check int jpfs_local_list(struct jpfs_view *view, struct jpfs_object *place,
			       struct jpfs_listing *listing);
must_check int jpfs_local_mkdir(struct jpfs_view *view, struct jpfs_object *place, const char *name,
				struct jpfs_object **ret);
/* To the silo's trash, whole. */
must_check int jpfs_local_rmdir(struct jpfs_view *view, struct jpfs_object *place,
				const char *name);
/* Where at least one end is here: within, out of it (project) or into it (unproject). */
must_check int jpfs_local_rename(struct jpfs_view *view, struct jpfs_object *old_place,
				 const char *old_name, struct jpfs_object *new_place,
				 const char *new_name, unsigned flags);
/* Project a conversation; `name` NULL: as the store has it. -ENOENT it is not one of these. */
must_check int jpfs_local_project(struct jpfs_view *view, uint64_t id, const char *name,
				  bool is_archived);
/* Take one out of the view; the durable copy stays. -EBUSY it is being written, or it is nothing
 * that could be made durable. */
must_check int jpfs_local_unproject(struct jpfs_view *view, struct jpfs_conversation *conversation,
				    const char *name, bool is_archived);
/* Somebody made a directory for this ID in the view: it is here no more. names is held. */
void jpfs_local_retire(struct jpfs_view *view, uint64_t id);
