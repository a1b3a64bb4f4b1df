/*
 * Putting the filesystem where it belongs, and taking it away.
 *
 * mount(2) and fusermount3 follow a symbolic link at the mount point, and the workspace is somebody
 * else's repository. So the place is a descriptor that was opened with openat2 and checked; we
 * mount on `/proc/self/fd/<n>` and look in mountinfo afterwards whether it is there that we are.
 * mount(2) itself is tried first (root, or a user namespace of one's own); where that is not
 * permitted, fusermount3 does it.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether this process could mount, as far as that can be told without doing it: /dev/fuse can be
 * opened, no container or sandbox forbids it, and who is not root has fusermount3.
 *
 * Returns: 0; -ENODEV, -EACCES, -ENOENT as below, -EPERM forbidden; and `error` says what to do.
 */
must_check int jpfs_attach_check(struct jp_error *error);

/*
 * Mount a FUSE filesystem on a directory.
 *
 * Shape:   directory_fd  the real directory, opened before; borrowed
 *          options       further mount options, comma-separated, as of mount(8): ro, rw, noatime,
 *                        allow_other, max_read=N and the like; "" for none.
 *                        nosuid, nodev, default_permissions, type fuse.jpfs, source "jpfs" are
 *                        always set.
 *          ret_device    what stat(2) says of the new filesystem: it finds the mount again
 * Returns: a new descriptor of /dev/fuse, connected, for fuse_session_mount("/dev/fd/<n>");
 *          -ENODEV /dev/fuse is missing, -EACCES it may not be opened, -ENOENT fusermount3 is
 *          missing, -EXDEV the mount landed elsewhere (it was taken away again), others from the
 *          kernel; `error` says what and what to do.
 */
must_check int jpfs_attach(int directory_fd, const char *options, dev_t *ret_device,
			   struct jp_error *error);

/*
 * Unmount the filesystem with this device number that is mounted on this place, and with it every
 * other place that it is bound to. The number alone will not do: the kernel gives it to the next
 * mount as soon as this one is gone, and that may be somebody else's, just being made.
 *
 * Shape:   mount_point  as mountinfo has it now
 *          lazy         detach at once, also while files are open (MNT_DETACH)
 * Returns: 0, also when it is not mounted there any more; -EBUSY in use and not lazy; others.
 */
must_check int jpfs_detach(const char *mount_point, dev_t device, bool lazy,
			   struct jp_error *error);

/* The same for the mount on a directory opened before mounting: a worktree that was moved took it
 * along. */
must_check int jpfs_detach_from(int directory_fd, dev_t device, bool lazy, struct jp_error *error);

/* Where a descriptor leads, as the kernel names it now. 0 or -errno. */
must_check int jpfs_path_of(int fd, char path[PATH_MAX]);
