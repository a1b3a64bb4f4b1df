/*
 * The line to the kernel: each request is read and each answer is written here.
 *
 * libfuse would do both by itself. But it knows the flags of the protocol that there were when it
 * was released, and kernels are newer: what it has no name for it neither passes on nor asks for.
 * One such flag is worth having. Without FUSE_HANDLE_KILLPRIV_V2 (Linux 5.12, libfuse 3.15) the
 * kernel asks for security.capability before each write(2), which then is two requests; with it,
 * once for a file. So where libfuse has no name for it, the answer to the kernel's first request is
 * completed on its way.
 *
 * It leaves to us to take set-user-ID and set-group-ID from a file that is written to: entry_write.c.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdatomic.h>
#include <stdint.h>

struct fuse_session;

/* Of one connection. There is no other request until INIT is answered. */
struct jpfs_channel {
	atomic_uint_least64_t init_unique; /* the first request while it is not answered; 0: none */
	uint32_t init_flags; /* what the kernel can do; used by the thread that answers it */
};

/*
 * Serve a connected descriptor of /dev/fuse; instead of fuse_session_mount().
 *
 * Shape:   session  its user data is the struct jpfs_connection
 *          fd       taken when it returns 0: fuse_session_destroy() closes it
 * Returns: 0; -EBADF, -ENOMEM.
 */
must_check int jpfs_channel_open(struct fuse_session *session, int fd);
