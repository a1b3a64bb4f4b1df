/*
 * Containment of one `events.json` in another. See stream.h.
 *
 * First by bytes, because that is what happens in every normal turn: jp rewrites the whole file, but
 * pretty-printed, so an appended event changes only the tail: `\n]\n` becomes `,\n  {`. Both are
 * JSON, where a raw newline cannot stand inside a string, so the older file's last `\n]` is the end
 * of its array; and as all bytes before it are the same, the `,\n` is at the same place in the
 * newer file's array, after the same events.
 *
 * Then by values: a file that was formatted anew, or that jp has amended (it adds to the metadata
 * of events that are there already, and takes away a turn that was begun and left empty). Elements
 * whose bytes are the same need no parsing; only those that differ are parsed. What a text is made
 * of decides nothing that its bytes could not: where the two disagree, the answer is no.
 */
#include "core/stream.h"

#include "core/base/io.h"
#include "core/validity.h"

#include <jansson.h>
#include <string.h>

enum {
	PIECE_BYTES = 64 * 1024,
	TAIL_BYTES = 3,      /* "\n]\n" */
	SEPARATOR_BYTES = 2, /* ",\n" */
	/* Larger ones are not compared by value: a copy is kept. */
	FILE_BYTES_MAX = 128 * 1024 * 1024,
	ELEMENT_BYTES_MAX = 16 * 1024 * 1024,
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

/* 1 as far as bytes tell, 0 they don't, -errno. */
static int contains_bytes(int older_fd, int newer_fd)
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

/* ---- by values ---- */

struct element {
	const char *text; /* borrowed from the stream's text */
	size_t size;
};

/* A file's elements. */
struct elements {
	char *text; /* owned */
	struct element *items;
	size_t count;
};

static void elements_release(struct elements *elements)
{
	free(elements->text);
	free(elements->items);
}

#define cleanup_elements __attribute__((cleanup(elements_release)))

static int add_element(struct elements *elements, const char *start, const char *end, size_t *room)
{
	if (elements->count == *room) {
		size_t more = *room == 0 ? 256 : *room * 2;
		struct element *grown = reallocarray(elements->items, more, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		elements->items = grown;
		*room = more;
	}
	elements->items[elements->count++] = (struct element){start, (size_t)(end - start)};
	return 0;
}

/* Cut a text that is known to be a JSON array of objects: brackets outside of strings tell. */
static int cut(struct elements *elements, size_t size)
{
	const char *start = NULL, *end = elements->text + size;
	bool is_string = false;
	size_t depth = 0, room = 0;

	for (const char *c = elements->text; c < end; c++) {
		if (is_string) {
			if (*c == '\\')
				c++;
			else if (*c == '"')
				is_string = false;
			continue;
		}
		if (*c == '"') {
			is_string = true;
		} else if (*c == '[' || *c == '{') {
			if (depth++ == 1)
				start = c;
		} else if (*c == ']' || *c == '}') {
			int r = 0;

			if (--depth == 1)
				r = add_element(elements, start, c + 1, &room);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Returns 1, 0 when it is nothing to be compared, or -errno. */
static int read_elements(int fd, struct elements *ret)
{
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > FILE_BYTES_MAX)
		return 0;
	ret->text = malloc((size_t)st.st_size);
	if (ret->text == NULL)
		return -ENOMEM;
	n = read_at(fd, ret->text, (size_t)st.st_size, 0);
	if (n < 0)
		return (int)n;
	/* What was read and not what is there by now. */
	if (jp_validity_of_text(JP_EVENTS, ret->text, (size_t)n) != 1)
		return 0;
	r = cut(ret, (size_t)n);
	return r < 0 ? r : 1;
}

static json_t *parse(const struct element *element)
{
	if (element->size > ELEMENT_BYTES_MAX)
		return NULL;
	return json_loadb(element->text, element->size, JSON_ALLOW_NUL, NULL);
}

static bool has_type(const struct element *element, const char *type)
{
	json_t *value = parse(element);
	const char *found = json_string_value(json_object_get(value, "type"));
	bool is_it = found != NULL && strcmp(found, type) == 0;

	json_decref(value);
	return is_it;
}

/* Whether two events are the same, an event's own metadata apart. */
static bool are_alike(const struct element *a, const struct element *b)
{
	json_t *first, *second;
	bool result;

	if (a->size == b->size && memcmp(a->text, b->text, a->size) == 0)
		return true;
	first = parse(a);
	second = parse(b);
	if (first != NULL && second != NULL) {
		json_object_del(first, "metadata");
		json_object_del(second, "metadata");
	}
	result = first != NULL && second != NULL && json_equal(first, second) == 1;
	json_decref(first);
	json_decref(second);
	return result;
}

/* The two-file layout keeps the base configuration as the first element, the three-file layout in a
 * file of its own: where only one of the two has it, it is left out. */
static void skip_base(struct elements *older, struct elements *newer, size_t *older_at,
		      size_t *newer_at)
{
	bool older_has, newer_has;

	*older_at = *newer_at = 0;
	if (older->count == 0 || newer->count == 0 || are_alike(&older->items[0], &newer->items[0]))
		return;
	older_has = has_type(&older->items[0], "config_delta");
	newer_has = has_type(&newer->items[0], "config_delta");
	if (older_has != newer_has) {
		*older_at = older_has ? 1 : 0;
		*newer_at = newer_has ? 1 : 0;
	}
}

static int contains_values(int older_fd, int newer_fd)
{
	cleanup_elements struct elements older = {0}, newer = {0};
	size_t i, k;
	int r = read_elements(older_fd, &older);

	if (r == 1)
		r = read_elements(newer_fd, &newer);
	if (r != 1)
		return r;
	for (skip_base(&older, &newer, &i, &k); i < older.count; i++, k++) {
		if (k < newer.count && are_alike(&older.items[i], &newer.items[k]))
			continue;
		/* A turn that was begun and left: jp takes it away again. */
		return i + 1 == older.count && has_type(&older.items[i], "turn_start");
	}
	return 1;
}

int jp_stream_contains(int older_fd, int newer_fd)
{
	int r = contains_bytes(older_fd, newer_fd);

	return r != 0 ? r : contains_values(older_fd, newer_fd);
}
