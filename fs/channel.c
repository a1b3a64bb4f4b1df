/* See channel.h. */
#include "fs/channel.h"

#include "fs/ops.h"

#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* What libfuse can ask for by itself is asked for in op_lookup.c. */
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
#define WANTED 0U
#else
#define WANTED FUSE_HANDLE_KILLPRIV_V2
#endif

/* Up to the first 32 flags, both messages have been the same since protocol 7.6. */
#define INIT_IN_BYTES (offsetof(struct fuse_init_in, flags) + sizeof(uint32_t))
#define INIT_OUT_BYTES (offsetof(struct fuse_init_out, flags) + sizeof(uint32_t))

static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
	struct jpfs_channel *channel = &((struct jpfs_connection *)userdata)->channel;
	ssize_t n = read(fd, buffer, size);
	struct fuse_in_header header;

	if (n < (ssize_t)(sizeof(header) + INIT_IN_BYTES))
		return n;
	memcpy(&header, buffer, sizeof(header));
	if (header.opcode == FUSE_INIT) {
		memcpy(&channel->init_flags,
		       (char *)buffer + sizeof(header) + offsetof(struct fuse_init_in, flags),
		       sizeof(channel->init_flags));
		atomic_store(&channel->init_unique, header.unique);
	}
	return n;
}

/* The parts of an answer are libfuse's: what is changed is a copy. */
static ssize_t write_answer(int fd, struct iovec *parts, int count, void *userdata)
{
	struct jpfs_channel *channel = &((struct jpfs_connection *)userdata)->channel;
	const struct fuse_out_header *header = parts[0].iov_base;
	struct fuse_init_out init;
	struct iovec completed[2];
	uint64_t unique = atomic_load(&channel->init_unique);

	if (unique == 0 || header->unique != unique || count != 2 || header->error != 0 ||
	    parts[1].iov_len < INIT_OUT_BYTES || parts[1].iov_len > sizeof(init))
		return writev(fd, parts, count);
	atomic_store(&channel->init_unique, 0);
	memcpy(&init, parts[1].iov_base, parts[1].iov_len);
	init.flags |= WANTED & channel->init_flags;
	completed[0] = parts[0];
	completed[1] = (struct iovec){.iov_base = &init, .iov_len = parts[1].iov_len};
	return writev(fd, completed, 2);
}

int jpfs_channel_open(struct fuse_session *session, int fd)
{
	static const struct fuse_custom_io io = {.writev = write_answer, .read = read_request};

	return fuse_session_custom_io(session, &io, fd);
}
