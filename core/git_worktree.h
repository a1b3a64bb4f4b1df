/*
 * Which git repository a directory is a worktree of, as far as both sides say so.
 *
 * Read-only, without git itself and without its configuration: what is looked at may be hostile.
 */
#pragma once

#include "core/base/cleanup.h"

/*
 * Open the common directory of the repository that a directory is the top of a worktree of.
 *
 * A main worktree has it as its `.git` directory. A linked worktree has a file `.git` that names
 * `<common>/worktrees/<name>`; that must really lie there, its `commondir` must name `<common>`,
 * and its `gitdir` must name this very directory's `.git` back. A claim by one side alone counts
 * for nothing. Nor does a `.git` that is a symbolic link, or a file that names a repository without
 * being a linked worktree of it (a submodule's, `--separate-git-dir`): nothing points back there.
 *
 * Shape:   root_fd  the directory, borrowed; O_PATH will do
 * Returns: a new descriptor (O_PATH); -ENOENT it is no worktree, or the two sides disagree;
 *          -ENOMEM, -EMFILE, -ENFILE, -EIO it could not be told.
 * Source:  gitrepository-layout(5), "commondir", "worktrees/"; pointers are absolute, or relative
 *          to the directory of the file that holds them (git-worktree(1), --relative-paths).
 */
must_check int jp_git_open_common_dir(int root_fd);
