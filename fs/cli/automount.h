/*
 * Mounting a workspace because somebody came to it, and not because they asked.
 *
 * A shell does it when a prompt appears in a workspace (share/shell-init.*), git when it made a
 * worktree (share/git). Who did not ask must not wait, must not be bothered, and must not get what
 * they would have refused. So: silent about what is not theirs; one line about what was never used
 * with jpfs; everything that takes time happens after the prompt is back.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/workspace.h"

#include <stdbool.h>

/* Whether the environment says that workspaces are mounted when they are entered: JPFS_AUTOMOUNT is
 * set, and not to 0. `jpfs shell-init` sets it. */
bool jpfs_automount_is_on(void);

/* Whether it may be mounted unasked: it is the user's own, root directory and .jp, and
 * JPFS_AUTOMOUNT is not 0. */
bool jpfs_automount_is_wanted(const struct jp_workspace *workspace);

/*
 * Whether the workspace was used with jpfs (or, as the first, with jp) before, or allowed. Nothing
 * is made and nobody is asked.
 *
 * Shape:   workspace  may have no ID yet
 * Returns: 0; -EPERM it was not, and `error` names `jpfs allow`; others.
 */
must_check int jpfs_automount_check(const char *user_data, const struct jp_workspace *workspace,
				    struct jp_error *error);

/* Results are said to nobody, failures in one line. */
void jpfs_automount_be_quiet(void);

/*
 * Let the caller go on: -1 in the process that does the rest, in a session of its own, an exit code
 * in the one that the caller waits for.
 */
must_check int jpfs_automount_leave_prompt(void);
