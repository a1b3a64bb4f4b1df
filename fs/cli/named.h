/*
 * What `ID[@VERSION]` on a command line means: a conversation, also one that is only in the trash,
 * and what is kept of it.
 */
#pragma once

#include "core/kept.h"
#include "fs/cli/act.h"

struct jpfs_named {
	struct jpfs_picked picked; /* is_durable and is_here false: only kept */
	char name[NAME_MAX + 1];   /* its directory's, for people */
	struct jp_kept *kept;      /* newest first; owned */
	size_t kept_count;
	const char *version; /* as it was typed; "" none; borrowed from the argument */
};

/* Find it. `site->has_silo` may be false. -ENOENT, -ENOTUNIQ with `error`. */
must_check int jpfs_named_find(const struct jpfs_site *site, const struct jpfs_choice *choice,
			       const char *text, struct jpfs_named *ret_named,
			       struct jp_error *error);
void jpfs_named_release(struct jpfs_named *named);
#define cleanup_named __attribute__((cleanup(jpfs_named_release)))

/* The name of a conversation that may only be kept. `ret_name` has NAME_MAX + 1 bytes of room. */
void jpfs_name_of_kept(const struct jp_kept *kept, size_t count, char *ret_name);

/*
 * Open a file of the current version: what this worktree shows, else what the store has.
 *
 * Shape:   file  a path in the conversation's directory
 * Returns: a new descriptor of a regular file, -errno
 */
must_check int jpfs_open_current(const struct jpfs_site *site, const struct jpfs_picked *picked,
				 const char *file);

/*
 * Open what is kept.
 *
 * Shape:   file  in a directory of the trash; NULL or its own name for a file
 * Returns: a new descriptor of a regular file; -EISDIR it is a directory and `file` is NULL;
 *          -ENOENT it has another name; others
 */
must_check int jpfs_open_kept(const struct jpfs_site *site, const struct jp_kept *kept,
			      const char *file);
