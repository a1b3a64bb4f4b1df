/*
 * Putting a staged version in a durable file's place, in one step.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/staging.h"

#include <stdbool.h>

/*
 * Make a staged file the durable file of a name. The version that was there before takes the staged
 * file's place, under its staging name, so that the caller decides what becomes of it and nobody
 * can lose it in between: the two are exchanged in one step. Where the filesystem cannot do that,
 * the old version is linked to staging first, and has another name there.
 *
 * Shape:   staged_name    in staging->fd; its bytes are synced already. Replaced by the name that the
 *                         version before has there now. NAME_MAX + 1 bytes
 *          parent_fd      the durable directory
 *          ret_displaced  whether there was a version before
 * Returns: 0; -errno, and both are where they were. The directory is not synced.
 * Source:  renameat2(2), RENAME_EXCHANGE.
 */
must_check int jp_durable_put(struct jp_staging *staging, uint64_t id, char *staged_name,
			      int parent_fd, const char *name, bool *ret_displaced);

/*
 * The same where there must be a version before: -ENOENT there is none, and nothing was done.
 *
 * jp replaces a whole durable directory by deleting it and filling a new one, in place, with what it
 * reads through the view. A file of ours that came into the new directory before jp got there would
 * be cut to nothing by that, together with every link to it: what the view serves, too.
 */
must_check int jp_durable_replace(struct jp_staging *staging, uint64_t id, char *staged_name,
				  int parent_fd, const char *name);
