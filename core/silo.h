/*
 * The silo: everything that is kept on this machine for one workspace ID, shared by all worktrees
 * and clones of the project.
 *
 *     <user data dir>/workspace/<slug>-<id>/
 *         conversations/            durable copies, by directory name
 *         conversations/.archive/   the archived ones
 *         locks/ sessions/ storage  jp's own; never touched, `storage` never followed
 *         jpfs/                     ours: staging/ history/ trash/ workspaces/
 *
 * A silo is found by the end of its name, never by its exact name, and is never renamed.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"

#include <stdbool.h>

/* In jpfs/ of a silo that we made, until what an ID's very first use asks for is done. It comes with
 * the silo, so that whoever is stopped in between does not leave one that looks used. */
#define JP_SILO_FIRST_USE "import-pending"

struct jp_silo {
	char *path;           /* absolute, for messages; owned */
	int fd;               /* the silo; owned */
	int conversations_fd; /* owned */
	int own_fd;           /* jpfs/; owned */
	int staging_fd;       /* jpfs/staging/; owned */
	int history_fd;       /* jpfs/history/; owned */
	int trash_fd;         /* jpfs/trash/; owned */
	int workspaces_fd;    /* jpfs/workspaces/; owned */
	bool was_made;        /* no silo existed for this ID: this is the ID's very first use */
	unsigned folded;      /* how many other silos of this ID went into it when it was opened */
};

/*
 * Find the silo of a workspace ID, or make it.
 *
 * Candidates are the directories (no symbolic links) in `<user_data>/workspace/` named `<id>` or
 * ending in `-<id>`. Chosen: `<slug>-<id>` exactly if there is one; else the one modified last
 * (the newest of its entries' times, `storage` left out; its own time when it has none; ties to the
 * greatest name). Missing parts are made, 0700: the silo (`<slug>-<id>`, or `<id>` when the slug is
 * empty or unusable as a file name), conversations/, jpfs/ and what is in it, with the import marker in a new one. Then all other
 * candidates are folded into it (silo_fold.h), once when several processes do it.
 *
 * Shape:   make      false: nothing is made or folded, and descriptors of missing parts are -EBADF
 *          ret_silo  filled; jp_silo_release() it
 * Returns: 0; -ENOENT no silo, and `make` is false; -EACCES, -EROFS and the like with `error`
 *          naming the directory that cannot be written, or what of another candidate cannot be
 *          moved: then that one stays, nothing is lost, and the next one to open it goes on.
 * Source:  RFD 031, "Storage location"; jp_storage/src/lib.rs:596-662.
 */
must_check int jp_silo_open(const char *user_data, const char *id, const char *slug, bool make,
			    struct jp_silo *ret_silo, struct jp_error *error);

/* Whether a directory of this name is a silo of this ID: `<id>`, or something ending in `-<id>`. */
bool jp_silo_has_id(const char *name, const char *id);

/* Close and free what it holds. Any state, also all zeros and after an earlier release. */
void jp_silo_release(struct jp_silo *silo);

#define cleanup_silo __attribute__((cleanup(jp_silo_release)))
