/*
 * Commands that do one thing to some conversations, mounted or not.
 *
 * Through a mount, a command is an ordinary program: it renames directories and sets attributes,
 * and the daemon does the work. Without one it does the work itself, with the same engine.
 */
#pragma once

#include "fs/cli/pick.h"
#include "fs/offline.h"

struct jpfs_site;

struct jpfs_action {
	const char *name; /* the command's */
	const char *done; /* what is printed before a conversation's name */
	/* `root_fd` is the mount's root. 0, -EALREADY nothing to do (`error` may say what is so),
	 * -errno. */
	int (*mounted)(int root_fd, const struct jpfs_picked *picked, struct jp_error *error);
	int (*offline)(struct jpfs_view *view, const struct jpfs_picked *picked,
		       struct jp_error *error);
	/* After `mounted` has succeeded, before it is said that it was done; may be NULL. */
	void (*seen)(const struct jpfs_site *site, int root_fd, const struct jpfs_picked *picked);
};

/* Parse the command line and do it to each conversation that is named. An exit code. */
int jpfs_act(const struct jpfs_action *action, int argc, char **argv);

/* Where things are, for a command: filled as far as there is something. */
struct jpfs_site {
	struct jp_workspace workspace;
	struct jp_silo silo;
	char mount_point[PATH_MAX];
	bool has_silo;   /* false: nothing was ever kept for this ID */
	bool is_mounted; /* by a daemon that answers */
	bool is_empty;   /* is_mounted, and nothing is in the view: listing it would detach it */
};

/*
 * Find the workspace of a directory, what is mounted there, and its silo. A dead mount is taken
 * away; `make`: what a command that changes something needs is made.
 * Returns 0 or an exit code; it was said what is wrong.
 */
must_check int jpfs_site_open(const char *directory, bool make, struct jpfs_site *ret_site);
void jpfs_site_release(struct jpfs_site *site);
#define cleanup_site __attribute__((cleanup(jpfs_site_release)))

/* Which conversations there are to choose from. */
must_check int jpfs_site_choose(const struct jpfs_site *site, struct jpfs_choice *ret_choice);

/*
 * Without a mount: let the engine do something, then bring one conversation to rest on both sides,
 * and all of it to disk. `error` says what failed.
 */
must_check int jpfs_site_with_engine(struct jpfs_site *site, uint64_t id,
				     int (*work)(struct jpfs_view *view, void *context),
				     void *context, struct jp_error *error);

/*
 * Have the kernel ask anew for jp's files in a conversation's directory on the mount. It is told in some
 * milliseconds what a daemon shows from now on, and keeps until then what it had read; whoever
 * waits for a command that has changed this reads the new one.
 */
void jpfs_site_look_anew(int directory_fd);

/* Wait until a daemon has everything on disk. 0 or an exit code. */
must_check int jpfs_site_sync(const struct jpfs_site *site);
