/* One file without a name. See scratch.h. */
#include "fs/scratch.h"

#include "core/base/io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

enum {
	FIRST_PIECE_BYTES = 16 * 1024,
	LEFT_FREE = 20, /* of a disk, one part in so many */
};

static const off_t disk_room = (off_t)1 << 30, memory_room = (off_t)32 << 20;

void jpfs_scratch_init(struct jpfs_scratch *scratch)
{
	*scratch = (struct jpfs_scratch){.fd = -EBADF};
	pthread_mutex_init(&scratch->lock, NULL);
}

void jpfs_scratch_release(struct jpfs_scratch *scratch)
{
	jp_closep(&scratch->fd);
	pthread_mutex_destroy(&scratch->lock);
}

static off_t piece_size(unsigned piece)
{
	return (off_t)FIRST_PIECE_BYTES << piece;
}

/* Where a piece begins in the text. */
static off_t piece_offset(unsigned piece)
{
	return piece_size(piece) - FIRST_PIECE_BYTES;
}

static int open_locked(struct jpfs_scratch *scratch, int directory_fd)
{
	if (scratch->fd >= 0)
		return 0;
	scratch->room = disk_room;
	if (directory_fd >= 0)
		scratch->fd =
			openat(directory_fd, ".", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (scratch->fd >= 0)
		return 0;
	scratch->room = memory_room;
	scratch->fd = memfd_create("jpfs", MFD_CLOEXEC);
	return scratch->fd < 0 ? -errno : 0;
}

static bool has_room_locked(const struct jpfs_scratch *scratch, off_t size)
{
	struct statvfs st;

	if (scratch->used + size > scratch->room)
		return false;
	return scratch->room == memory_room ||
	       (fstatvfs(scratch->fd, &st) == 0 && st.f_bavail > st.f_blocks / LEFT_FREE);
}

static int add_piece(struct jpfs_scratch *scratch, int directory_fd, struct jpfs_scratch_text *text)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&scratch->lock);
	off_t size = piece_size(text->pieces);

	if (text->pieces == JPFS_SCRATCH_PIECES || open_locked(scratch, directory_fd) < 0 ||
	    !has_room_locked(scratch, size))
		return -ENOSPC;
	text->starts[text->pieces++] = scratch->end;
	scratch->end += size;
	scratch->used += size;
	return 0;
}

int jpfs_scratch_append(struct jpfs_scratch *scratch, int directory_fd,
			struct jpfs_scratch_text *text, const char *data, size_t size)
{
	while (size > 0) {
		size_t left, n;

		if (text->size == piece_offset(text->pieces) &&
		    add_piece(scratch, directory_fd, text) < 0)
			return -ENOSPC;
		left = (size_t)(piece_offset(text->pieces) - text->size);
		n = size < left ? size : left;
		if (jp_write_all(scratch->fd, data, n,
				 text->starts[text->pieces - 1] + text->size -
					 piece_offset(text->pieces - 1)) < 0)
			return -ENOSPC;
		text->size += (off_t)n;
		data += n;
		size -= n;
	}
	return 0;
}

ssize_t jpfs_scratch_read(struct jpfs_scratch *scratch, const struct jpfs_scratch_text *text,
			  char *buffer, size_t size, off_t offset)
{
	size_t got = 0;
	unsigned piece = 0;

	if (offset >= text->size)
		return 0;
	if ((off_t)size > text->size - offset)
		size = (size_t)(text->size - offset);
	while (got < size) {
		off_t at = offset + (off_t)got;
		size_t n = size - got;
		ssize_t r;

		while (at >= piece_offset(piece + 1))
			piece++;
		if ((off_t)n > piece_offset(piece + 1) - at)
			n = (size_t)(piece_offset(piece + 1) - at);
		r = pread(scratch->fd, buffer + got, n,
			  text->starts[piece] + at - piece_offset(piece));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

void jpfs_scratch_drop(struct jpfs_scratch *scratch, struct jpfs_scratch_text *text)
{
	off_t size = 0;

	for (unsigned i = 0; i < text->pieces; i++) {
		size += piece_size(i);
		/* A filesystem that has no holes keeps the bytes until the file goes. */
		(void)fallocate(scratch->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				text->starts[i], piece_size(i));
	}
	pthread_mutex_lock(&scratch->lock);
	scratch->used -= size;
	pthread_mutex_unlock(&scratch->lock);
	*text = (struct jpfs_scratch_text){0};
}
