/*
 * Counting the kernel's requests on their way in: one function for each of libfuse's operations,
 * between the table and what does the work. The operations themselves know nothing of it.
 */
#include "fs/requests.h"

#include "fs/ops.h"

#include <assert.h>

static const struct fuse_lowlevel_ops *count(fuse_req_t req, enum jpfs_request kind)
{
	struct jpfs_connection *connection = fuse_req_userdata(req);
	struct jpfs_requests *requests = &connection->view->requests;

	atomic_fetch_add_explicit(&requests->counts[kind], 1, memory_order_relaxed);
	return requests->operations;
}

/* Each operation: its name, the kind that it is counted as, its parameters, and the same as
 * arguments. */
#define FILE_INFO struct fuse_file_info *fi
#define OPERATIONS(OPERATION)                                                                      \
	OPERATION(access, access, (fuse_req_t req, fuse_ino_t ino, int mask), (req, ino, mask))    \
	OPERATION(bmap, bmap, (fuse_req_t req, fuse_ino_t ino, size_t size, uint64_t index),       \
		  (req, ino, size, index))                                                         \
	OPERATION(copy_file_range, copy_file_range,                                                \
		  (fuse_req_t req, fuse_ino_t ino, off_t offset, FILE_INFO, fuse_ino_t out,        \
		   off_t out_offset, struct fuse_file_info * out_fi, size_t size, int flags),      \
		  (req, ino, offset, fi, out, out_offset, out_fi, size, flags))                    \
	OPERATION(create, create,                                                                  \
		  (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, FILE_INFO),   \
		  (req, parent, name, mode, fi))                                                   \
	OPERATION(fallocate, fallocate,                                                            \
		  (fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t size, FILE_INFO), \
		  (req, ino, mode, offset, size, fi))                                              \
	OPERATION(flock, flock, (fuse_req_t req, fuse_ino_t ino, FILE_INFO, int op),               \
		  (req, ino, fi, op))                                                              \
	OPERATION(flush, flush, (fuse_req_t req, fuse_ino_t ino, FILE_INFO), (req, ino, fi))       \
	OPERATION(forget, forget, (fuse_req_t req, fuse_ino_t ino, uint64_t nlookup),              \
		  (req, ino, nlookup))                                                             \
	OPERATION(forget_multi, forget,                                                            \
		  (fuse_req_t req, size_t size, struct fuse_forget_data * forgets),                \
		  (req, size, forgets))                                                            \
	OPERATION(fsync, fsync, (fuse_req_t req, fuse_ino_t ino, int data_only, FILE_INFO),        \
		  (req, ino, data_only, fi))                                                       \
	OPERATION(fsyncdir, fsyncdir, (fuse_req_t req, fuse_ino_t ino, int data_only, FILE_INFO),  \
		  (req, ino, data_only, fi))                                                       \
	OPERATION(getattr, getattr, (fuse_req_t req, fuse_ino_t ino, FILE_INFO), (req, ino, fi))   \
	OPERATION(getlk, getlk, (fuse_req_t req, fuse_ino_t ino, FILE_INFO, struct flock * held),  \
		  (req, ino, fi, held))                                                            \
	OPERATION(getxattr, getxattr,                                                              \
		  (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size),                 \
		  (req, ino, name, size))                                                          \
	OPERATION(ioctl, ioctl,                                                                    \
		  (fuse_req_t req, fuse_ino_t ino, unsigned int command, void *argument,           \
		   FILE_INFO, unsigned flags, const void *in, size_t in_size, size_t out_size),    \
		  (req, ino, command, argument, fi, flags, in, in_size, out_size))                 \
	OPERATION(link, link,                                                                      \
		  (fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name),           \
		  (req, ino, parent, name))                                                        \
	OPERATION(listxattr, listxattr, (fuse_req_t req, fuse_ino_t ino, size_t size),             \
		  (req, ino, size))                                                                \
	OPERATION(lookup, lookup, (fuse_req_t req, fuse_ino_t parent, const char *name),           \
		  (req, parent, name))                                                             \
	OPERATION(mkdir, mkdir,                                                                    \
		  (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode),              \
		  (req, parent, name, mode))                                                       \
	OPERATION(                                                                                 \
		mknod, mknod,                                                                      \
		(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device),  \
		(req, parent, name, mode, device))                                                 \
	OPERATION(open, open, (fuse_req_t req, fuse_ino_t ino, FILE_INFO), (req, ino, fi))         \
	OPERATION(opendir, opendir, (fuse_req_t req, fuse_ino_t ino, FILE_INFO), (req, ino, fi))   \
	OPERATION(poll, poll,                                                                      \
		  (fuse_req_t req, fuse_ino_t ino, FILE_INFO, struct fuse_pollhandle * poll),      \
		  (req, ino, fi, poll))                                                            \
	OPERATION(read, read,                                                                      \
		  (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, FILE_INFO),          \
		  (req, ino, size, offset, fi))                                                    \
	OPERATION(readdir, readdir,                                                                \
		  (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, FILE_INFO),          \
		  (req, ino, size, offset, fi))                                                    \
	OPERATION(readdirplus, readdirplus,                                                        \
		  (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, FILE_INFO),          \
		  (req, ino, size, offset, fi))                                                    \
	OPERATION(readlink, readlink, (fuse_req_t req, fuse_ino_t ino), (req, ino))                \
	OPERATION(release, release, (fuse_req_t req, fuse_ino_t ino, FILE_INFO), (req, ino, fi))   \
	OPERATION(releasedir, releasedir, (fuse_req_t req, fuse_ino_t ino, FILE_INFO),             \
		  (req, ino, fi))                                                                  \
	OPERATION(removexattr, removexattr, (fuse_req_t req, fuse_ino_t ino, const char *name),    \
		  (req, ino, name))                                                                \
	OPERATION(rename, rename,                                                                  \
		  (fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,     \
		   const char *new_name, unsigned int flags),                                      \
		  (req, parent, name, new_parent, new_name, flags))                                \
	OPERATION(rmdir, rmdir, (fuse_req_t req, fuse_ino_t parent, const char *name),             \
		  (req, parent, name))                                                             \
	OPERATION(setattr, setattr,                                                                \
		  (fuse_req_t req, fuse_ino_t ino, struct stat * attr, int to_set, FILE_INFO),     \
		  (req, ino, attr, to_set, fi))                                                    \
	OPERATION(setlk, setlk,                                                                    \
		  (fuse_req_t req, fuse_ino_t ino, FILE_INFO, struct flock * wanted, int sleep),   \
		  (req, ino, fi, wanted, sleep))                                                   \
	OPERATION(setxattr, setxattr,                                                              \
		  (fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,            \
		   size_t size, int flags),                                                        \
		  (req, ino, name, value, size, flags))                                            \
	OPERATION(statfs, statfs, (fuse_req_t req, fuse_ino_t ino), (req, ino))                    \
	OPERATION(symlink, symlink,                                                                \
		  (fuse_req_t req, const char *target, fuse_ino_t parent, const char *name),       \
		  (req, target, parent, name))                                                     \
	OPERATION(unlink, unlink, (fuse_req_t req, fuse_ino_t parent, const char *name),           \
		  (req, parent, name))                                                             \
	OPERATION(write, write,                                                                    \
		  (fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,    \
		   FILE_INFO),                                                                     \
		  (req, ino, data, size, offset, fi))                                              \
	OPERATION(write_buf, write,                                                                \
		  (fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec * data, off_t offset,        \
		   FILE_INFO),                                                                     \
		  (req, ino, data, offset, fi))

#define DEFINE(operation, kind, parameters, arguments)                                             \
	static void count_##operation parameters                                                   \
	{                                                                                          \
		count(req, JPFS_REQUEST_##kind)->operation arguments;                              \
	}
OPERATIONS(DEFINE)

void jpfs_requests_count(struct jpfs_requests *requests, const struct fuse_lowlevel_ops *operations,
			 struct fuse_lowlevel_ops *ret_counted)
{
	/* Somebody may still hold on to an earlier connection: its threads read this meanwhile. */
	if (requests->operations == NULL)
		requests->operations = operations;
	assert(requests->operations == operations);
	*ret_counted = *operations;
#define REPLACE(name, kind, parameters, arguments)                                                 \
	if (operations->name != NULL)                                                              \
		ret_counted->name = count_##name;
	OPERATIONS(REPLACE)
}
