/*
 * How many requests of each kind the kernel has made of this mount.
 *
 * A request costs the one who waits for it some ten microseconds, however fast the answer; what the
 * kernel answers from its own caches costs nothing. So the count tells more of how fast a command
 * is here than a clock does, and it does not depend on what else the machine is doing.
 *
 * FORGET has no answer and nobody waits for it: it is counted apart from the total. INTERRUPT never
 * reaches us, libfuse keeps it to itself; and what the table of operations leaves out, libfuse
 * answers (with ENOSYS mostly, after which the kernel does not ask again).
 */
#pragma once

#include <stdatomic.h>

struct fuse_lowlevel_ops;

/* The kinds, by the names of libfuse's operations. */
#define JPFS_REQUEST_KINDS(KIND)                                                                   \
	KIND(access)                                                                               \
	KIND(bmap)                                                                                 \
	KIND(copy_file_range)                                                                      \
	KIND(create)                                                                               \
	KIND(fallocate)                                                                            \
	KIND(flock)                                                                                \
	KIND(flush)                                                                                \
	KIND(forget)                                                                               \
	KIND(fsync)                                                                                \
	KIND(fsyncdir)                                                                             \
	KIND(getattr)                                                                              \
	KIND(getlk)                                                                                \
	KIND(getxattr)                                                                             \
	KIND(ioctl)                                                                                \
	KIND(link)                                                                                 \
	KIND(listxattr)                                                                            \
	KIND(lookup)                                                                               \
	KIND(mkdir)                                                                                \
	KIND(mknod)                                                                                \
	KIND(open)                                                                                 \
	KIND(opendir)                                                                              \
	KIND(poll)                                                                                 \
	KIND(read)                                                                                 \
	KIND(readdir)                                                                              \
	KIND(readdirplus)                                                                          \
	KIND(readlink)                                                                             \
	KIND(release)                                                                              \
	KIND(releasedir)                                                                           \
	KIND(removexattr)                                                                          \
	KIND(rename)                                                                               \
	KIND(rmdir)                                                                                \
	KIND(setattr)                                                                              \
	KIND(setlk)                                                                                \
	KIND(setxattr)                                                                             \
	KIND(statfs)                                                                               \
	KIND(symlink)                                                                              \
	KIND(unlink)                                                                               \
	KIND(write)

#define JPFS_REQUEST_ENUMERATOR(kind) JPFS_REQUEST_##kind,
enum jpfs_request { JPFS_REQUEST_KINDS(JPFS_REQUEST_ENUMERATOR) JPFS_REQUEST_COUNT };

struct jpfs_requests {
	const struct fuse_lowlevel_ops *operations; /* immutable once one is served */
	atomic_uint_least64_t counts[JPFS_REQUEST_COUNT];
};

/*
 * The same operations, counted: each of `ret_counted` adds one and goes on to its counterpart in
 * `operations`, which must outlive the view and be the same each time. What is not in one is not in
 * the other. The user data of the session are to be a struct jpfs_connection, and the counts are in
 * its view.
 */
void jpfs_requests_count(struct jpfs_requests *requests, const struct fuse_lowlevel_ops *operations,
			 struct fuse_lowlevel_ops *ret_counted);
