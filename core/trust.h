/*
 * Which workspace roots may use a silo.
 *
 * A workspace ID is public: it is committed with the project. A hostile repository can therefore
 * claim somebody else's, and mounting it would show it that person's conversations and let its
 * files into their store. So a root that is new to an existing silo needs the user's word, once.
 *
 * The roots that have it are listed in `<silo>/jpfs/allowed.json`, each by the identity of its
 * directory (device, inode, birth time where the filesystem tells), by that of the git repository
 * that it was a worktree of when it was listed, and, for people, its path. A new directory at an
 * old path is new; a directory that was moved is not.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/silo.h"
#include "core/workspace.h"

/*
 * Whether a root may use a silo without asking. It may when it
 * - is listed, or
 * - is the first root of a silo that this process just made (silo->was_made), or
 * - is the root that jp's `<silo>/storage` link names (the link's target is `<root>/.jp`; it is
 *   read, never followed by itself: the directory it names is compared by device and inode), while
 *   no root is listed yet, or
 * - is a linked git worktree of the same repository as a listed root or the storage root: its
 *   `.git` file names a `worktrees/<name>` directory whose `gitdir` file names this root's `.git`
 *   back, and whose common directory (`commondir`) is the listed root's own (a `.git` directory,
 *   or a linked worktree of the same common directory, checked the same way), now or when it was
 *   listed: the worktree that was allowed first may have been removed since; or
 * - is the main worktree of a repository that a listed root is a linked worktree of.
 * The storage root counts for nothing as soon as any root is listed: jp points the link at every
 * root that it runs in. A damaged list lists nobody; jp_trust_add() tells what is wrong with it.
 *
 * Returns: 1 it may, 0 the user has to be asked, -errno.
 */
must_check int jp_trust_check(const struct jp_silo *silo, const struct jp_workspace *workspace);

/* List the root. Listing it twice does nothing. Atomic; two processes at once lose no entry
 * (flock on the jpfs/ directory while read, changed and replaced). */
must_check int jp_trust_add(const struct jp_silo *silo, const struct jp_workspace *workspace,
			    struct jp_error *error);

/*
 * Put what another silo's list has into this one's, when the two silos become one: a root that was
 * allowed there needs no second question here. The other list is gone then; a damaged one, on
 * either side, stays where it is.
 *
 * Shape:   from_own_fd, own_fd  the jpfs/ directories
 * Returns: 0, also when there is no other list; -errno, and neither has lost an entry.
 */
must_check int jp_trust_fold(int from_own_fd, int own_fd);
