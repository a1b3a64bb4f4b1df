/*
 * Taking a conversation out of this worktree, for other commands too. As in struct jpfs_action.
 */
#pragma once

#include "fs/cli/act.h"

must_check int jpfs_unproject_mounted(int root_fd, const struct jpfs_picked *picked,
				      struct jp_error *error);
must_check int jpfs_unproject_offline(struct jpfs_view *view, const struct jpfs_picked *picked,
				      struct jp_error *error);
