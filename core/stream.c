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
 * of events that are there already, and takes away a turn that was begun and left empty). Both are
 * read side by side, one event at a time, so a conversation may be large and its comparison is not.
 * The lexer finds where events end; only those whose bytes differ become values.
 *
 * Everything is read by pread(2), and once: a file that somebody truncates or writes to meanwhile
 * gives another answer and nothing worse.
 *
 * What nobody can tell by the events alone is whether a `config_delta` at the start is the base
 * configuration (two-file layout) or the first event (three-file layout). So the ways to line up the
 * two streams are tried one after the other, the likely ones first; all but the right one
 * end at the first event.
 */
#include "core/stream.h"

#include "core/base/io.h"
#include "core/event_reader.h"

#include <jansson.h>
#include <string.h>

enum {
	PIECE_BYTES = 64 * 1024,
	TAIL_BYTES = 3,      /* "\n]\n" */
	SEPARATOR_BYTES = 2, /* ",\n" */
};

/* In this order: each has what the one before it has. */
enum relation {
	UNRELATED, /* or nobody can tell */
	CONTAINED,
	EARLIER, /* contained, and the newer one has more events */
};

/* Whether both begin with the same `size` bytes: 1, 0 or -errno. */
static int begin_alike(int first_fd, int second_fd, off_t size)
{
	cleanup_free char *first = malloc(PIECE_BYTES), *second = malloc(PIECE_BYTES);

	if (first == NULL || second == NULL)
		return -ENOMEM;
	for (off_t offset = 0; offset < size;) {
		size_t want = size - offset < PIECE_BYTES ? (size_t)(size - offset) : PIECE_BYTES;
		ssize_t n = jp_read_at(first_fd, first, want, offset);
		ssize_t m = n < 0 ? n : jp_read_at(second_fd, second, want, offset);

		if (m < 0)
			return (int)m;
		if ((size_t)n != want || (size_t)m != want || memcmp(first, second, want) != 0)
			return 0;
		offset += n;
	}
	return 1;
}

/* The first byte at or after `offset` that is not blank; 0 when there is none; or -errno. */
static int first_byte(int fd, off_t offset)
{
	char piece[256];

	for (;;) {
		ssize_t n = jp_read_at(fd, piece, sizeof(piece), offset);

		if (n <= 0)
			return (int)n;
		for (ssize_t i = 0; i < n; i++) {
			if (piece[i] == '\0' || strchr(" \t\r\n", piece[i]) == NULL)
				return (unsigned char)piece[i];
		}
		offset += n;
	}
}

/* Bytes that close the array at the end of a file: 3, 2, 0 when it does not end as jp ends it, or
 * -errno. */
static int find_tail(int fd, off_t size)
{
	char tail[TAIL_BYTES];
	size_t want = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
	ssize_t n = jp_read_at(fd, tail, want, size - (off_t)want);

	if (n < 0)
		return (int)n;
	if ((size_t)n != want || want < 2)
		return 0;
	if (want == TAIL_BYTES && memcmp(tail, "\n]\n", TAIL_BYTES) == 0)
		return TAIL_BYTES;
	return memcmp(tail + want - 2, "\n]", 2) == 0 ? 2 : 0;
}

/* As far as bytes tell: a relation, UNRELATED when they don't, or -errno. */
static int relate_bytes(int older_fd, int newer_fd)
{
	char separator[SEPARATOR_BYTES];
	struct stat older;
	ssize_t n;
	off_t body;
	int r, tail;

	r = jp_same_content(older_fd, newer_fd);
	if (r != 0)
		return r < 0 ? r : CONTAINED;
	if (fstat(older_fd, &older) < 0)
		return -errno;
	tail = find_tail(older_fd, older.st_size);
	if (tail <= 0)
		return tail;
	body = older.st_size - tail;
	/* First what is cheap: an unrelated file of any size is told by two bytes. */
	n = jp_read_at(newer_fd, separator, sizeof(separator), body);
	if (n < 0)
		return (int)n;
	if (n != SEPARATOR_BYTES || memcmp(separator, ",\n", SEPARATOR_BYTES) != 0)
		return UNRELATED;
	r = begin_alike(older_fd, newer_fd, body);
	if (r <= 0)
		return r;
	r = first_byte(newer_fd, body + SEPARATOR_BYTES);
	if (r < 0)
		return r;
	return r == '{' ? EARLIER : CONTAINED; /* cut off, but nothing of the older is lost */
}

/* ---- by values ---- */

/* The rest is read too: what jp would not accept contains nothing. Returns JP_AT_END, JP_AT_NOTHING or
 * -errno. */
static int read_rest(struct jp_event_reader *reader, size_t *ret_count)
{
	int r;

	for (*ret_count = 0; (r = jp_event_next(reader)) == JP_AT_EVENT;)
		++*ret_count;
	return r;
}

/* Whether two events are the same, an event's own metadata apart. */
static bool are_alike(const struct jp_event *a, const struct jp_event *b)
{
	json_auto_t *first = NULL, *second = NULL;

	if (a->size == b->size && memcmp(a->text, b->text, a->size) == 0)
		return true;
	if (a->kind != b->kind)
		return false;
	first = jp_event_parse(a, JSON_REJECT_DUPLICATES);
	if (first == NULL)
		return false;
	second = jp_event_parse(b, JSON_REJECT_DUPLICATES);
	if (second == NULL)
		return false;
	(void)json_object_del(first, "metadata"); /* if there are any */
	(void)json_object_del(second, "metadata");
	return json_equal(first, second) == 1;
}

/* Nothing more is like the older one's present event: is that a turn which was begun and left? */
static int relate_ends(struct jp_event_reader *older, struct jp_event_reader *newer, int newer_step)
{
	size_t more = 0, rest;
	int r;

	if (older->event.kind != JP_TURN_START)
		return UNRELATED;
	/* In its place another one is no more than it was. */
	if (newer_step == JP_AT_EVENT && newer->event.kind != JP_TURN_START)
		more = 1;
	r = jp_event_next(older);
	if (r != JP_AT_END)
		return r < 0 ? r : UNRELATED;
	r = read_rest(newer, &rest);
	if (r != JP_AT_END)
		return r < 0 ? r : UNRELATED;
	return more + rest > 0 ? EARLIER : CONTAINED;
}

/* Line the streams up, without the first event where that is said, and see how far they go together.
 * Returns a relation or -errno; *ret_alike counts the events that both have. */
static int relate_from(int older_fd, int newer_fd, bool skip_older, bool skip_newer,
		       size_t *ret_alike)
{
	cleanup_event_reader struct jp_event_reader older, newer;
	size_t rest;
	int r, s;

	*ret_alike = 0;
	jp_event_reader_init(&older, older_fd, JP_EVENTS_AS_JP);
	jp_event_reader_init(&newer, newer_fd, JP_EVENTS_AS_JP);
	r = skip_older ? jp_event_next(&older) : JP_AT_EVENT;
	s = skip_newer ? jp_event_next(&newer) : JP_AT_EVENT;
	while (r == JP_AT_EVENT && s == JP_AT_EVENT) {
		r = jp_event_next(&older);
		if (r != JP_AT_EVENT)
			break;
		s = jp_event_next(&newer);
		if (s != JP_AT_EVENT || !are_alike(&older.event, &newer.event))
			break;
		++*ret_alike;
	}
	if (r < 0 || s < 0)
		return r < 0 ? r : s;
	if (r == JP_AT_NOTHING || s == JP_AT_NOTHING)
		return UNRELATED;
	if (r == JP_AT_EVENT)
		return relate_ends(&older, &newer, s);
	r = read_rest(&newer, &rest);
	if (r != JP_AT_END)
		return r < 0 ? r : UNRELATED;
	return rest > 0 ? EARLIER : CONTAINED;
}

/* Both begin with a `config_delta`. */
static int relate_configured(int older_fd, int newer_fd, bool is_same_time)
{
	size_t alike, other_alike;
	int r = relate_from(older_fd, newer_fd, false, false, &alike), other;

	if (r != UNRELATED || alike > 0)
		return r;
	if (is_same_time)
		r = relate_from(older_fd, newer_fd, true, true, &alike);
	if (r != UNRELATED)
		return r;
	r = relate_from(older_fd, newer_fd, true, false, &alike);
	other = r < 0 ? r : relate_from(older_fd, newer_fd, false, true, &other_alike);
	if (other < 0)
		return other;
	/* Without an event in common nothing says that either is one; and both can't be. */
	if ((alike > 0) == (other_alike > 0))
		return UNRELATED;
	return alike > 0 ? r : other;
}

/* What stands first in each of the two. */
struct beginnings {
	bool older_has, newer_has; /* a `config_delta` */
	bool is_same_time;
};

/* Returns JP_AT_EVENT, JP_AT_NOTHING or -errno. */
static int read_beginnings(int older_fd, int newer_fd, struct beginnings *ret)
{
	cleanup_event_reader struct jp_event_reader older, newer;
	const struct jp_event *first = &older.event, *second = &newer.event;
	int r;

	jp_event_reader_init(&older, older_fd, JP_EVENTS_AS_JP);
	jp_event_reader_init(&newer, newer_fd, JP_EVENTS_AS_JP);
	r = jp_event_next(&older);
	if (r >= 0 && r != JP_AT_NOTHING)
		r = jp_event_next(&newer);
	if (r < 0 || r == JP_AT_NOTHING)
		return r;
	*ret = (struct beginnings){
		.older_has = first->kind == JP_CONFIG_DELTA,
		.newer_has = second->kind == JP_CONFIG_DELTA,
		.is_same_time = first->time_size > 0 && first->time_size == second->time_size &&
				memcmp(first->time, second->time, first->time_size) == 0,
	};
	return JP_AT_EVENT;
}

static int relate_values(int older_fd, int newer_fd)
{
	struct beginnings has;
	size_t alike;
	int r = read_beginnings(older_fd, newer_fd, &has);

	if (r != JP_AT_EVENT)
		return r < 0 ? r : UNRELATED;
	if (has.older_has && has.newer_has)
		return relate_configured(older_fd, newer_fd, has.is_same_time);
	return relate_from(older_fd, newer_fd, has.older_has, has.newer_has, &alike);
}

static int relate(int older_fd, int newer_fd)
{
	int r = relate_bytes(older_fd, newer_fd);

	return r != UNRELATED ? r : relate_values(older_fd, newer_fd);
}

int jp_stream_contains(int older_fd, int newer_fd)
{
	int r = relate(older_fd, newer_fd);

	return r < 0 ? r : r >= CONTAINED;
}

int jp_stream_is_earlier(int first_fd, int second_fd)
{
	int r = relate(first_fd, second_fd);

	return r < 0 ? r : r == EARLIER;
}

int jp_stream_is_packed(int fd, int beside_fd)
{
	cleanup_event_reader struct jp_event_reader one, beside;
	int r;

	jp_event_reader_init(&one, fd, JP_EVENTS_AS_JP);
	jp_event_reader_init(&beside, beside_fd, JP_EVENTS_AS_JP);
	r = jp_event_next(&one);
	if (r != JP_AT_EVENT || one.event.kind != JP_CONFIG_DELTA)
		return r < 0 ? r : 0;
	r = beside_fd < 0 ? JP_AT_END : jp_event_next(&beside);
	return r < 0 ? r : r != JP_AT_EVENT || !are_alike(&one.event, &beside.event);
}
