/*
 * The root and `.archive`: where whole conversations come, go and are renamed, and what becomes of
 * a second directory that claims the ID of the first.
 */
#pragma once

#include "fs/listing.h"
#include "fs/object.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* ---- partition.c: the root and .archive ---- */

must_check int jpfs_partition_lookup(struct jpfs_view *view, struct jpfs_object *parent,
				     const char *name, struct jpfs_object **ret);
must_check int jpfs_partition_list(struct jpfs_view *view, struct jpfs_object *partition,
				   struct jpfs_listing *listing);
must_check int jpfs_partition_mkdir(struct jpfs_view *view, struct jpfs_object *parent,
				    const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_partition_rmdir(struct jpfs_view *view, struct jpfs_object *parent,
				    const char *name);
/* Rename where at least one end is a conversation's directory. */
must_check int jpfs_partition_rename(struct jpfs_view *view, struct jpfs_object *old_parent,
				     const char *old_name, struct jpfs_object *new_parent,
				     const char *new_name, unsigned flags);
/* The durable directory gets this name and this partition, as far as nobody was quicker. */
must_check int jpfs_rename_durable_locked(struct jpfs_conversation *conversation,
					  const char *new_name, bool is_archived);
/* Whether jp would mistake an entry of this name for one of the view's conversations. */
bool jpfs_name_is_reserved(struct jpfs_view *view, const char *name);
bool jpfs_is_partition(const struct jpfs_object *object);

/* ---- second.c: second directories of an ID; `_held`: names is held ---- */

must_check int jpfs_second_note(struct jpfs_view *view, uint64_t id);
void jpfs_seconds_forget(struct jpfs_view *view);
/* Whether there was a second directory of an ID when the workspace was read. */
bool jpfs_second_is_noted(struct jpfs_view *view, uint64_t id);
/* Whether a name is a second directory's whose first one has gone. */
bool jpfs_second_is_waiting(struct jpfs_view *view, const char *name);
/* Make a directory of the workspace a conversation of the view, if none has its ID: a new reference,
 * or -ENOENT. */
must_check int jpfs_second_take_in_held(struct jpfs_view *view, const struct jpfs_object *partition,
					const char *name, struct jpfs_conversation **ret);
void jpfs_second_take_in(struct jpfs_view *view, const struct jpfs_object *partition,
			 const char *name);
/* To the silo's trash: a path in the workspace that is in the way. */
must_check int jpfs_second_put_aside(struct jpfs_view *view, uint64_t id, const char *path);
/* All that are not shown; of the archive, all that are there. */
must_check int jpfs_seconds_sweep_held(struct jpfs_view *view, bool only_archived);
