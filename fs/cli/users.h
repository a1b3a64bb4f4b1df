/*
 * Who uses a mount: for the message that says why it cannot be unmounted.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Name processes that have their current directory, their root, or an open file in a mount, as
 * "123 (bash), 456 (vim)": as many as fit, three at most. Empty when none can be seen: other users'
 * processes cannot. The daemon is left out, and who has the directory beneath open, which has the same
 * name: `device` is the mount's. Asks the mount nothing.
 */
void jpfs_users_of(const char *mount_point, dev_t device, pid_t daemon, char *text, size_t size);
