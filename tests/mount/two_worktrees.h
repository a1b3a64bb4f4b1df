/*
 * A project and a second worktree of it, over one store: fixture.h's world with what tests of several
 * sides need in their scripts, with `. ../lib.sh`:
 *
 *     $e $m $b     events.json, metadata.json, base_config.json of the first conversation in the view
 *     $DE $DM $DB  the same in the store           $WE $WB  in the second worktree
 *
 *     append TEXT [FILE]   one more event, written as a person's editor does ($e)
 *     trim N [FILE]        leave N events
 *     retitle DIR TEXT     titled DIR TEXT: whether it has that title
 *     has TEXT FILE        gone_from TEXT FILE        same A B         gone PATH
 *     kept TEXT            something in history has it; `nothing_kept`
 *     drafts N [ROOT]      so many are named by `jpfs status`
 *     quiet [ROOT]         its daemon has nothing to do
 *     clean [ROOT]         git sees nothing
 */
#pragma once

#include "tests/mount/fixture.h"

struct two {
	struct fixture f;
	char other[300]; /* $W */
};

/* Put those functions there, and `more` after them. */
void two_functions(struct fixture *fixture, const char *more);

/* Make the world, with the functions; nothing is mounted, and there is no second worktree yet. False: no mounts are to be had. */
bool two_begin(struct two *two, const char *more);
void two_end(struct two *two);
#define cleanup_two __attribute__((cleanup(two_end)))

/* Make the second worktree, of the branch that is checked out, and mount it. */
void two_mount_other(struct two *two);
/* Unmount both, and check what the contract says of both. */
void two_end_both(struct two *two);
