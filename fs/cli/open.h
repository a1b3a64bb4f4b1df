/*
 * Opening a workspace's silo, with its owner's word where that is needed.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/silo.h"
#include "core/workspace.h"

/*
 * The silo, made if there is none, with all its parts, for a workspace that may use it; one that is
 * new to it is asked about at a terminal, and refused elsewhere (-EPERM, with the remedy).
 */
must_check int jpfs_open_silo(const char *user_data, const struct jp_workspace *workspace,
			      struct jp_silo *ret_silo, struct jp_error *error);

/* The same, and nothing is made or noted: -ENOENT there is none. */
must_check int jpfs_open_existing_silo(const struct jp_workspace *workspace,
				       struct jp_silo *ret_silo, struct jp_error *error);
