/*
 * What is mounted where, as the kernel tells it.
 *
 * Nothing here asks a filesystem anything: a mount that nobody serves, or whose daemon is gone or
 * stuck, can be looked at like any other. This is why device numbers come from here and not from
 * stat(2).
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct jpfs_mount {
	unsigned id, parent_id;
	dev_t device;
	const char *mount_point; /* as bytes, not escaped; borrowed from the list */
	const char *type;        /* borrowed from the list */
	uid_t user_id;           /* whose FUSE mount it is; (uid_t)-1 for other filesystems */
};

struct jpfs_mountinfo {
	char *text;                /* owned */
	struct jpfs_mount *mounts; /* owned; in the kernel's order, the oldest first as a rule */
	size_t count;
};

/* Read /proc/self/mountinfo. Shape: ret_info filled; jpfs_mountinfo_release() it. */
must_check int jpfs_mountinfo_read(struct jpfs_mountinfo *ret_info);
/* The same of another process, whose directory in /proc this is; borrowed. */
must_check int jpfs_mountinfo_read_of(int process_fd, struct jpfs_mountinfo *ret_info);

/*
 * The same from a text.
 *
 * Shape:   text      taken, also after an error; changed in place
 * Returns: 0; -EBADMSG a line is not what proc(5) says; -ENOMEM.
 */
must_check int jpfs_mountinfo_parse(char *text, struct jpfs_mountinfo *ret_info);

/* What a path leads to when it is a mount point: the mount on top of all that are mounted there.
 * NULL when it is none. Borrowed from the list. */
const struct jpfs_mount *jpfs_mountinfo_top(const struct jpfs_mountinfo *info, const char *path);

/* Whether it is a mount of ours, dead or alive. */
bool jpfs_mount_is_jpfs(const struct jpfs_mount *mount);

/* Free what it holds. Any state, also all zeros and after an earlier release. */
void jpfs_mountinfo_release(struct jpfs_mountinfo *info);

#define cleanup_mountinfo __attribute__((cleanup(jpfs_mountinfo_release)))
