/*
 * What the kernel was told, and telling it what has become of that.
 *
 * Names and attributes are given to the kernel for as long as it likes, so that a warm walk through
 * the view asks nothing. The price is that whatever changes behind the kernel's back must be told.
 * Rather than say at each change what it means, the conversation remembers what the kernel holds of
 * it: for each name which object it led to (or that it led to none), for each object a digest of its
 * attributes, for the directory a digest of its listing. After any change (in the store, as inotify
 * tells, or by the daemon's own background work) jpfs_told_look() compares that with what is true
 * now, and tells the difference. It may be called too often, and by anybody; a change that makes no
 * difference is never told.
 *
 * An answer may be kept only when a later change of it would be heard of: jpfs_may_keep_locked().
 * Otherwise it is given for no time at all, and the kernel asks again.
 *
 * Changes that were asked for through the mount need no telling: the kernel has seen them.
 */
#pragma once

#include "fs/view.h"

/* A year: until something is told. */
#define JPFS_KEEP_SECONDS 31536000.0
/* The root's attributes: by them a shell's prompt finds out that the daemon is dead. */
#define JPFS_KEEP_ROOT_SECONDS 1.0

/* Hear of changes of the durable copy from now on, if that is possible. */
void jpfs_listen_locked(struct jpfs_conversation *conversation);

/* Its sides were brought together, or never are. Until then nothing of what is in it is told, and of its
 * directory, what the workspace has: that changes when they are. */
bool jpfs_is_settled_locked(const struct jpfs_conversation *conversation);

/* Whether what is said of the conversation now will be taken back when it changes. */
bool jpfs_may_keep_locked(struct jpfs_conversation *conversation);

/*
 * How long the kernel may keep what it is about to be told, which is noted. Call it in the same hold
 * of the conversation's lock in which the answer was found.
 */
double jpfs_tell_attributes_locked(struct jpfs_entry *entry, const struct stat *st);
double jpfs_tell_name_locked(struct jpfs_entry *entry);
double jpfs_tell_absence_locked(struct jpfs_conversation *conversation, const char *path);
double jpfs_tell_directory_locked(struct jpfs_conversation *conversation, const struct stat *st);
void jpfs_tell_listing_locked(struct jpfs_conversation *conversation,
			      const struct jpfs_listing *listing);
/* The root and its archive: `st` is what is told of one of them. */
double jpfs_tell_partition(struct jpfs_view *view, const struct jpfs_object *partition,
			   const struct stat *st);

/* Its sides were brought together after the directory had been told of: if it is another now, the kernel is
 * going to be told. */
void jpfs_tell_again_locked(struct jpfs_conversation *conversation);

/* Where a path in a conversation is, from the mount's root; new, or NULL without memory. */
char *jpfs_mount_path_locked(const struct jpfs_conversation *conversation, const char *path);

/* A name in .jpfs/local came or went without the kernel's doing, or is kept for longer than it should. */
void jpfs_tell_local_name_locked(struct jpfs_conversation *conversation);

/* Compare, and tell. No lock is held. */
void jpfs_told_look(struct jpfs_conversation *conversation);
