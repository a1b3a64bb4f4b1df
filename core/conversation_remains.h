/*
 * Copies of conversations that another copy was chosen over.
 *
 *     <silo>/jpfs/folding/<conversation id>/<UTC time>.<directory name>/
 *
 * A copy comes here whole, by one rename, and is taken apart here: what is in this directory has
 * lost, and needs no choosing again, however little of it a kill has left.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/merge.h"
#include "core/silo.h"

#include <stdbool.h>
#include <stdint.h>

/* Set a copy aside, in the survivor's jpfs/folding/. 0; -errno, and it is where it was. */
must_check int jp_remains_add(const struct jp_silo *survivor, uint64_t id, bool is_archived,
			      int parent_fd, const char *name);

/*
 * Take apart what was set aside: versions of managed files that the standing ones do not contain go
 * to history, other files go to the conversation if it lacks them, and what is left to the trash.
 * Where none stands, the copy is the conversation again.
 *
 * Returns: 0 nothing is set aside any more; -ENOTEMPTY something came in meanwhile; other -errno,
 *          and `failure` says what stays.
 */
must_check int jp_remains_clear(const struct jp_silo *survivor, struct jp_merge_failure *failure);
