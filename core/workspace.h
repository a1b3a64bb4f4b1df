/*
 * A workspace: a directory that holds `.jp/`, and in it the conversations that git sees.
 *
 * The workspace may be a clone of anybody's repository, so nothing in it is trusted: no symbolic
 * link is followed, `.jp` and `.jp/conversations` themselves included, and an ID that is not
 * exactly five characters of [0-9a-z] is refused. Descriptors are taken once and used from then on.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/workspace_id.h"

#include <stdbool.h>

struct jp_workspace {
	char *root_path; /* absolute, symbolic links resolved, for messages; owned */
	int root_fd;     /* the directory that holds .jp; O_PATH; owned */
	int jp_fd;       /* .jp; O_RDONLY; owned */
	char id[JP_WORKSPACE_ID_CHARACTERS + 1]; /* empty when .jp/.id is missing */
};

/*
 * Find the workspace that a directory is in, walking up from it.
 *
 * The first directory with an entry `.jp` decides. A `.jp` that is a symbolic link or a file is an
 * error, not a reason to walk on. `.jp/.id` is read: its last line is the ID (jp's rule: lines end
 * with LF or CRLF, one final line end does not start another line, no trimming).
 *
 * Shape:   directory      any path, relative ones from the current directory
 *          ret_workspace  filled; jp_workspace_release() it
 * Returns: 0; -ENOMEDIUM no workspace there or above; -ENOTDIR or -ELOOP `.jp` is no real
 *          directory; -EBADMSG `.jp/.id` is malformed (too large, not a regular file, or no valid
 *          last line); others from the kernel. A missing .id is no error. `error` is filled with
 *          path and remedy for each.
 */
must_check int jp_workspace_find(const char *directory, struct jp_workspace *ret_workspace,
				 struct jp_error *error);

/*
 * Give a workspace without `.jp/.id` one, as jp does: the five low base-36 digits of the time in
 * milliseconds, in a file with jp's notice as its first line. Does nothing when there is one.
 * Written so that two processes that do it at once end with the same ID (link or O_EXCL, then read
 * back). Fills workspace->id.
 */
must_check int jp_workspace_make_id(struct jp_workspace *workspace, struct jp_error *error);

/*
 * Open `.jp/conversations`, making it (mode 0777 less the umask) if it is missing and `make` is
 * true.
 *
 * Returns: a new descriptor (O_RDONLY | O_DIRECTORY) of the real directory; -EXDEV a filesystem is
 *          mounted on it; -ENOTDIR a file; -ELOOP a symbolic link; -ENOENT it is missing and not to
 *          be made; others from the kernel.
 */
must_check int jp_workspace_open_conversations(const struct jp_workspace *workspace, bool make,
					       struct jp_error *error);

/* Close and free what it holds. Any state, also all zeros and after an earlier release. */
void jp_workspace_release(struct jp_workspace *workspace);

/* The root directory's own name, which names a new silo; "" for "/". Borrowed from the workspace.
 */
const char *jp_workspace_slug(const struct jp_workspace *workspace);

#define cleanup_workspace __attribute__((cleanup(jp_workspace_release)))
