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
#include "core/validity.h"

#include <jansson.h>
#include <string.h>

enum {
	PIECE_BYTES = 64 * 1024,
	TAIL_BYTES = 3,      /* "\n]\n" */
	SEPARATOR_BYTES = 2, /* ",\n" */
	/* The largest event of real conversations has a third of a megabyte. */
	EVENT_BYTES_MAX = 16 * 1024 * 1024,
	/* A value costs jansson up to 300 bytes, and its text may be as short as "{},". */
	EVENT_VALUES_MAX = 256 * 1024,
};

/* In this order: each has what the one before it has. */
enum relation {
	UNRELATED, /* or nobody can tell */
	CONTAINED,
	EARLIER, /* contained, and the newer one has more events */
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

/* The first byte at or after `offset` that is not blank; 0 when there is none; or -errno. */
static int first_byte(int fd, off_t offset)
{
	char piece[256];

	for (;;) {
		ssize_t n = read_at(fd, piece, sizeof(piece), offset);

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
	ssize_t n = read_at(fd, tail, want, size - (off_t)want);

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
	n = read_at(newer_fd, separator, sizeof(separator), body);
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

/* The own values of an event that tell something. */
enum field {
	NO_FIELD,
	TYPE,
	TIME,
};

enum kind {
	ANY_EVENT,
	CONFIG_DELTA,
	TURN_START,
};

/* What is next in a file. */
enum step {
	AT_END,
	AT_EVENT,
	AT_NOTHING, /* that could be compared */
};

struct event {
	const char *text; /* borrowed from the reader, until it goes on */
	size_t size;
	enum kind kind;
	char time[JP_JSON_KEY_BYTES_MAX]; /* as it is written; empty when it is no string */
	size_t time_size;
};

/*
 * The events of a file, one after the other.
 *
 * `text` has the bytes from some place of the file on; [0, start) were handed out already, [start,
 * fed) were lexed, [fed, size) were read.
 */
struct reader {
	int fd; /* borrowed */
	off_t offset;
	char *text; /* owned */
	size_t room, start, fed, size;

	struct jp_json_lexer lexer;
	struct jp_event_check check;
	enum field field; /* whose value comes next */
	struct event event;
	bool is_whole; /* the event */
};

static bool is_text(const char *text, size_t size, const char *expected)
{
	return size == strlen(expected) && memcmp(text, expected, size) == 0;
}

/* A key or value of an event itself. */
static int see_field(struct reader *reader, const struct jp_json_token *token)
{
	struct event *event = &reader->event;

	if (token->kind == JP_JSON_STRING)
		return reader->field == NO_FIELD ? 0 : 1;
	if (token->kind == JP_JSON_KEY) {
		reader->field = NO_FIELD;
		if (is_text(token->key, token->key_size, "type"))
			reader->field = TYPE;
		else if (is_text(token->key, token->key_size, "timestamp"))
			reader->field = TIME;
	} else if (token->kind == JP_JSON_TEXT && reader->field == TYPE) {
		if (is_text(token->text, token->text_size, "config_delta"))
			event->kind = CONFIG_DELTA;
		else if (is_text(token->text, token->text_size, "turn_start"))
			event->kind = TURN_START;
	} else if (token->kind == JP_JSON_TEXT) {
		memcpy(event->time, token->text, token->text_size);
		event->time_size = token->text_size;
	}
	return 0;
}

static int see_token(void *context, const struct jp_json_token *token)
{
	struct reader *reader = context;
	int r = jp_event_check_token(&reader->check, token);

	if (r < 0)
		return r;
	if (token->depth == JP_EVENT_KEY_DEPTH)
		return see_field(reader, token);
	if (token->depth == JP_EVENT_DEPTH && token->kind == JP_JSON_END)
		reader->is_whole = true;
	return 0;
}

static void reader_init(struct reader *reader, int fd)
{
	*reader = (struct reader){.fd = fd};
	jp_json_lexer_init(&reader->lexer, see_token, reader, JP_EVENT_KEY_DEPTH);
}

static void reader_release(struct reader *reader)
{
	jp_json_lexer_release(&reader->lexer);
	free(reader->text);
}

#define cleanup_reader __attribute__((cleanup(reader_release)))

/* The file's next bytes, after those that were not handed out yet. */
static int read_piece(struct reader *reader)
{
	ssize_t n;

	if (reader->start > 0) {
		reader->size -= reader->start;
		reader->fed -= reader->start;
		memmove(reader->text, reader->text + reader->start, reader->size);
		reader->start = 0;
	}
	if (reader->size > EVENT_BYTES_MAX)
		return AT_NOTHING;
	if (reader->room - reader->size < PIECE_BYTES) {
		size_t room = reader->room == 0 ? (size_t)2 * PIECE_BYTES : reader->room * 2;
		char *text = realloc(reader->text, room);

		if (text == NULL)
			return -ENOMEM;
		reader->text = text;
		reader->room = room;
	}
	n = read_at(reader->fd, reader->text + reader->size, reader->room - reader->size,
		    reader->offset);
	if (n < 0)
		return (int)n;
	reader->offset += n;
	reader->size += (size_t)n;
	return n == 0 ? AT_END : AT_EVENT;
}

/* Of the lexer's answers. */
static int refuse(int r)
{
	return r == -EBADMSG ? AT_NOTHING : r;
}

/* Go on to the next event: a step, or -errno. After AT_NOTHING or an error there is no going on. */
static int read_event(struct reader *reader)
{
	reader->start = reader->fed;
	reader->event = (struct event){0};
	reader->is_whole = false;
	while (!reader->is_whole) {
		size_t size = reader->size - reader->fed;
		const char *from, *brace;
		int r;

		if (size == 0) {
			r = read_piece(reader);
			if (r == AT_END)
				return refuse(jp_json_lexer_finish(&reader->lexer));
			if (r != AT_EVENT)
				return r;
			continue;
		}
		/* No event ends but with a brace: the lexer is given no more than it may take. */
		from = reader->text + reader->fed;
		brace = memchr(from, '}', size);
		if (brace != NULL)
			size = (size_t)(brace - from) + 1;
		r = jp_json_lexer_feed(&reader->lexer, from, size);
		if (r < 0)
			return refuse(r);
		reader->fed += size;
	}
	/* Before it are only blanks, a comma and the bracket that opens the array. */
	reader->event.text = memchr(reader->text + reader->start, '{', reader->fed - reader->start);
	reader->event.size = (size_t)(reader->text + reader->fed - reader->event.text);
	return AT_EVENT;
}

/* The rest is read too: what jp would not accept contains nothing. Returns AT_END, AT_NOTHING or
 * -errno. */
static int read_rest(struct reader *reader, size_t *ret_count)
{
	int r;

	for (*ret_count = 0; (r = read_event(reader)) == AT_EVENT;)
		++*ret_count;
	return r;
}

/* An event as a value, or NULL when it is not to be had. New. */
static json_t *parse(const struct event *event)
{
	size_t values = 1;

	if (event->size > EVENT_BYTES_MAX)
		return NULL;
	/* Those in strings are counted too: it is a bound. */
	for (size_t i = 0; i < event->size; i++) {
		char c = event->text[i];

		values += c == ',' || c == '[' || c == '{' ? 1 : 0;
	}
	if (values > EVENT_VALUES_MAX)
		return NULL;
	return json_loadb(event->text, event->size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
}

/* Whether two events are the same, an event's own metadata apart. */
static bool are_alike(const struct event *a, const struct event *b)
{
	json_auto_t *first = NULL, *second = NULL;

	if (a->size == b->size && memcmp(a->text, b->text, a->size) == 0)
		return true;
	if (a->kind != b->kind)
		return false;
	first = parse(a);
	if (first == NULL)
		return false;
	second = parse(b);
	if (second == NULL)
		return false;
	(void)json_object_del(first, "metadata"); /* if there are any */
	(void)json_object_del(second, "metadata");
	return json_equal(first, second) == 1;
}

/* Nothing more is like the older one's present event: is that a turn which was begun and left? */
static int relate_ends(struct reader *older, struct reader *newer, int newer_step)
{
	size_t more = 0, rest;
	int r;

	if (older->event.kind != TURN_START)
		return UNRELATED;
	/* In its place another one is no more than it was. */
	if (newer_step == AT_EVENT && newer->event.kind != TURN_START)
		more = 1;
	r = read_event(older);
	if (r != AT_END)
		return r < 0 ? r : UNRELATED;
	r = read_rest(newer, &rest);
	if (r != AT_END)
		return r < 0 ? r : UNRELATED;
	return more + rest > 0 ? EARLIER : CONTAINED;
}

/* Line the streams up, without the first event where that is said, and see how far they go together.
 * Returns a relation or -errno; *ret_alike counts the events that both have. */
static int relate_from(int older_fd, int newer_fd, bool skip_older, bool skip_newer,
		       size_t *ret_alike)
{
	cleanup_reader struct reader older, newer;
	size_t rest;
	int r, s;

	*ret_alike = 0;
	reader_init(&older, older_fd);
	reader_init(&newer, newer_fd);
	r = skip_older ? read_event(&older) : AT_EVENT;
	s = skip_newer ? read_event(&newer) : AT_EVENT;
	while (r == AT_EVENT && s == AT_EVENT) {
		r = read_event(&older);
		if (r != AT_EVENT)
			break;
		s = read_event(&newer);
		if (s != AT_EVENT || !are_alike(&older.event, &newer.event))
			break;
		++*ret_alike;
	}
	if (r < 0 || s < 0)
		return r < 0 ? r : s;
	if (r == AT_NOTHING || s == AT_NOTHING)
		return UNRELATED;
	if (r == AT_EVENT)
		return relate_ends(&older, &newer, s);
	r = read_rest(&newer, &rest);
	if (r != AT_END)
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

/* Returns AT_EVENT, AT_NOTHING or -errno. */
static int read_beginnings(int older_fd, int newer_fd, struct beginnings *ret)
{
	cleanup_reader struct reader older, newer;
	const struct event *first = &older.event, *second = &newer.event;
	int r;

	reader_init(&older, older_fd);
	reader_init(&newer, newer_fd);
	r = read_event(&older);
	if (r >= 0 && r != AT_NOTHING)
		r = read_event(&newer);
	if (r < 0 || r == AT_NOTHING)
		return r;
	*ret = (struct beginnings){
		.older_has = first->kind == CONFIG_DELTA,
		.newer_has = second->kind == CONFIG_DELTA,
		.is_same_time = first->time_size > 0 && first->time_size == second->time_size &&
				memcmp(first->time, second->time, first->time_size) == 0,
	};
	return AT_EVENT;
}

static int relate_values(int older_fd, int newer_fd)
{
	struct beginnings has;
	size_t alike;
	int r = read_beginnings(older_fd, newer_fd, &has);

	if (r != AT_EVENT)
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
