/*
 * What mounting itself holds.
 *
 * A version that jp renames another one over is kept by a mount if a link to it is held, or the worktree
 * has it. Which conversations the worktree does not have as the store has them is found out one by one,
 * when somebody asks for them or in the background; jp could be quicker. So before mount returns, the
 * versions of the newest conversations that only the store may have are linked: somebody works in those.
 * For all of ten thousand it would cost more than mounting them.
 */
#pragma once

struct jpfs_view;

/* Hold what only the store may have, of the newest conversations whose sides were not brought together yet.
 * What cannot be held is as it was: met when it is looked at. */
void jpfs_hold_newest(struct jpfs_view *view);
