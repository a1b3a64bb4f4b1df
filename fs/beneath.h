/*
 * Paths of several components beneath a directory that is held open. No link on the way is followed:
 * the last directory is opened first, and the call is made there.
 */
#pragma once

#include "core/base/cleanup.h"

#include <sys/stat.h>

#define JPFS_PATH_BYTES 4096

/* A path "directory/name" split for at-calls: opens the directory beneath a root. Returns a new
 * descriptor; *ret_name points into path. */
must_check int jpfs_open_parent(int root_fd, const char *path, const char **ret_name);
/* mkdirat(2) and renameat2(2) for such paths. The calls themselves follow a link on the way, such as
 * an `.archive` that somebody's repository has put there; these answer -ELOOP. */
must_check int jpfs_mkdir_beneath(int root_fd, const char *path, mode_t mode);
must_check int jpfs_rename_beneath(int root_fd, const char *old_path, const char *new_path,
				   unsigned flags);
/* stat of a path beneath a root without following anything; like fstatat otherwise. */
must_check int jpfs_stat_beneath(int root_fd, const char *path, struct stat *ret);
