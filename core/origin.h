/*
 * Where a conversation was started: the name of the worktree's directory.
 *
 *     <silo>/jpfs/origins/<conversation id>     one line
 *
 * The store is shared by all worktrees, and a conversation that one of them started stays when it
 * is removed. The name tells a person which piece of work it belonged to (RFD 031, as first
 * merged, had it in the metadata). It is written once and never changed.
 */
#pragma once

#include "core/base/cleanup.h"

#include <limits.h>
#include <stdint.h>

/* Note it, unless it is known already. `own_fd` is the silo's jpfs/. 0 or -errno. */
must_check int jp_origin_record(int own_fd, uint64_t id, const char *name);

/* Returns 0 with the name, -ENOENT it is not known, others. */
must_check int jp_origin_read(int own_fd, uint64_t id, char ret_name[NAME_MAX + 1]);
