/*
 * fusermount3, the setuid helper that mounts and unmounts for ordinary users.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"

#include <limits.h>
#include <stdbool.h>

/*
 * Find the program: in the absolute directories of $PATH, then where distributions put it.
 * Returns: 0; -ENOENT, and `error` says which package has it.
 */
must_check int jpfs_fusermount_find(char ret_path[PATH_MAX], struct jp_error *error);

/*
 * Have it mount a FUSE filesystem on a directory.
 *
 * Shape:   directory_fd  borrowed; where its path leads when fusermount3 looks is where it mounts,
 *                        so the caller has to check the place afterwards
 *          options       as for `fusermount3 -o`
 * Returns: a new descriptor of /dev/fuse, connected; -ENOENT no fusermount3; -EPERM it refuses, and
 *          `error` has its words; others.
 */
must_check int jpfs_fusermount_mount(int directory_fd, const char *options, struct jp_error *error);

/* Have it unmount a path, lazily or not. 0; -EBUSY; -EPERM for everything else that it refuses. */
must_check int jpfs_fusermount_unmount(const char *mount_point, bool lazy, struct jp_error *error);
