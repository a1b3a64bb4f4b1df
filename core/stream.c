/*
 * Containment of one `events.json` in another, decided on bytes. See stream.h.
 *
 * jp rewrites the whole file for every event, but pretty-printed, so an appended event changes only
 * the tail: `\n]\n` becomes `,\n  {`. Both are JSON, where a raw newline cannot stand inside a
 * string, so the older file's last `\n]` is the end of its array; and as all bytes before it are
 * the same, the `,\n` is at the same place in the newer file's array, after the same events.
 * Comparing events as values would find a little more, at the price of parsing both; what is
 * missed costs one kept copy.
 */
#include "core/stream.h"

#include "core/base/io.h"

#include <string.h>

enum {
	PIECE_BYTES = 64 * 1024,
	TAIL_BYTES = 3,      /* "\n]\n" */
	SEPARATOR_BYTES = 2, /* ",\n" */
};

/* Read as much of `size` as there is. Returns the bytes read or -errno. */
static ssize_t read_at(int fd, char *data, size_t size, off_t offset)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = pread(fd, data + got, size - got, offset + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Whether both begin with the same `size` bytes: 1, 0 or -errno. */
static int begin_alike(int first_fd, int second_fd, off_t size)
{
	cleanup_free char *first = malloc(PIECE_BYTES), *second = malloc(PIECE_BYTES);

	if (first == NULL || second == NULL)
		return -ENOMEM;
	for (off_t offset = 0; offset < size;) {
		size_t want = size - offset < PIECE_BYTES ? (size_t)(size - offset) : PIECE_BYTES;
		ssize_t n = read_at(first_fd, first, want, offset);
		ssize_t m = n < 0 ? n : read_at(second_fd, second, want, offset);

		if (m < 0)
			return (int)m;
		if ((size_t)n != want || (size_t)m != want || memcmp(first, second, want) != 0)
			return 0;
		offset += n;
	}
	return 1;
}

/* Whether the first byte that is not blank is '[': 1, 0 or -errno. */
static int is_array(int fd)
{
	char piece[256];
	off_t offset = 0;

	for (;;) {
		ssize_t n = read_at(fd, piece, sizeof(piece), offset);

		if (n <= 0)
			return (int)n;
		for (ssize_t i = 0; i < n; i++) {
			if (strchr(" \t\r\n", piece[i]) == NULL || piece[i] == '\0')
				return piece[i] == '[';
		}
		offset += n;
	}
}

/* Bytes that close the array at the end of a file: 3, 2, 0 when it does not end as jp ends it, or
 * -errno. *ret_is_empty tells of `[]`. */
static int find_tail(int fd, off_t size, bool *ret_is_empty)
{
	char tail[TAIL_BYTES];
	size_t want = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
	ssize_t n = read_at(fd, tail, want, size - (off_t)want);

	*ret_is_empty = false;
	if (n < 0)
		return (int)n;
	if ((size_t)n != want || want < 2)
		return 0;
	if ((want == 2 || (size == TAIL_BYTES && tail[2] == '\n')) && memcmp(tail, "[]", 2) == 0) {
		*ret_is_empty = true;
		return 0;
	}
	if (want == TAIL_BYTES && memcmp(tail, "\n]\n", TAIL_BYTES) == 0)
		return TAIL_BYTES;
	return memcmp(tail + want - 2, "\n]", 2) == 0 ? 2 : 0;
}

int jp_stream_contains(int older_fd, int newer_fd)
{
	char separator[SEPARATOR_BYTES];
	struct stat older;
	bool is_empty;
	ssize_t n;
	off_t body;
	int r, tail;

	r = jp_same_content(older_fd, newer_fd);
	if (r != 0)
		return r;
	if (fstat(older_fd, &older) < 0)
		return -errno;
	tail = find_tail(older_fd, older.st_size, &is_empty);
	if (tail < 0)
		return tail;
	if (is_empty)
		return is_array(newer_fd);
	if (tail == 0)
		return 0;
	body = older.st_size - tail;
	/* First what is cheap: an unrelated file of any size is told by two bytes. */
	n = read_at(newer_fd, separator, sizeof(separator), body);
	if (n < 0)
		return (int)n;
	if (n != SEPARATOR_BYTES || memcmp(separator, ",\n", SEPARATOR_BYTES) != 0)
		return 0;
	return begin_alike(older_fd, newer_fd, body);
}
