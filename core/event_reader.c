/*
 * Events, one at a time. See event_reader.h.
 *
 * The lexer says what begins and ends but not where. No object begins or ends but with a brace, so
 * it is given no more than up to the next one: what it reports then is the brace just given.
 */
#include "core/event_reader.h"

#include "core/base/sys.h"

#include <string.h>

enum {
	PIECE_BYTES = 64 * 1024,
	/* A value costs jansson up to 300 bytes, and its text may be as short as "{},". */
	EVENT_VALUES_MAX = 256 * 1024,
};

/* The own values of an event that tell something. */
enum field {
	NO_FIELD,
	TYPE,
	TIME,
};

ssize_t jp_read_at(int fd, char *data, size_t size, off_t offset)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = jp_sys->pread(fd, data + got, size - got, offset + (off_t)got);

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

static bool is_text(const char *text, size_t size, const char *expected)
{
	return size == strlen(expected) && memcmp(text, expected, size) == 0;
}

/* A key or value of an event itself. */
static int see_field(struct jp_event_reader *reader, const struct jp_json_token *token)
{
	struct jp_event *event = &reader->event;

	if (token->kind == JP_JSON_STRING)
		return reader->field == NO_FIELD ? 0 : 1;
	if (token->kind == JP_JSON_KEY) {
		reader->field = NO_FIELD;
		if (is_text(token->key, token->key_size, "type"))
			reader->field = TYPE;
		else if (is_text(token->key, token->key_size, "timestamp"))
			reader->field = TIME;
	} else if (token->kind == JP_JSON_TEXT && reader->field == TYPE) {
		event->kind = JP_ANY_EVENT;
		if (is_text(token->text, token->text_size, "config_delta"))
			event->kind = JP_CONFIG_DELTA;
		else if (is_text(token->text, token->text_size, "turn_start"))
			event->kind = JP_TURN_START;
	} else if (token->kind == JP_JSON_TEXT) {
		memcpy(event->time, token->text, token->text_size);
		event->time_size = token->text_size;
	}
	return 0;
}

/* What stands in the outermost array begins or ends. */
static void see_element(struct jp_event_reader *reader, enum jp_json_kind kind)
{
	if (kind == JP_JSON_END) {
		reader->is_whole = reader->is_object;
		return;
	}
	reader->is_object = kind == JP_JSON_OBJECT;
	if (reader->is_object)
		reader->is_begun = true;
	else
		reader->event.strangers++;
}

static int see_token(void *context, const struct jp_json_token *token)
{
	struct jp_event_reader *reader = context;

	if (reader->rules == JP_EVENTS_AS_JP) {
		int r = jp_event_check_token(&reader->check, token);

		if (r < 0)
			return r;
	} else if (token->depth == 0 && token->kind != JP_JSON_ARRAY &&
		   token->kind != JP_JSON_END) {
		return -EBADMSG;
	}
	if (token->depth == JP_EVENT_KEY_DEPTH)
		return reader->is_object ? see_field(reader, token) : 0;
	if (token->depth == JP_EVENT_DEPTH)
		see_element(reader, token->kind);
	return 0;
}

void jp_event_reader_init(struct jp_event_reader *reader, int fd, enum jp_event_rules rules)
{
	*reader = (struct jp_event_reader){.fd = fd, .rules = rules};
	jp_json_lexer_init(&reader->lexer, see_token, reader, JP_EVENT_KEY_DEPTH);
}

void jp_event_reader_release(struct jp_event_reader *reader)
{
	jp_json_lexer_release(&reader->lexer);
	free(reader->text);
	reader->text = NULL;
}

off_t jp_event_reader_position(const struct jp_event_reader *reader)
{
	return reader->offset - (off_t)(reader->size - reader->fed);
}

/* Bytes that are not needed any more make room. */
static void drop(struct jp_event_reader *reader, size_t size)
{
	reader->size -= size;
	reader->fed -= size;
	memmove(reader->text, reader->text + size, reader->size);
	reader->begin = reader->begin > size ? reader->begin - size : 0;
	reader->start = 0;
}

/* The file's next bytes, after those that were not handed out yet. */
static int read_piece(struct jp_event_reader *reader)
{
	ssize_t n;

	if (reader->start > 0)
		drop(reader, reader->start);
	if (reader->size > JP_EVENT_BYTES_MAX && reader->rules == JP_EVENTS_AS_JP)
		return JP_AT_NOTHING;
	if (reader->size > JP_EVENT_BYTES_MAX) {
		reader->is_huge |= reader->is_begun;
		drop(reader, reader->fed);
	}
	if (reader->room - reader->size < PIECE_BYTES) {
		size_t room = reader->room == 0 ? (size_t)2 * PIECE_BYTES : reader->room * 2;
		char *text = realloc(reader->text, room);

		if (text == NULL)
			return -ENOMEM;
		reader->text = text;
		reader->room = room;
	}
	n = jp_read_at(reader->fd, reader->text + reader->size, reader->room - reader->size,
		       reader->offset);
	if (n < 0)
		return (int)n;
	reader->offset += n;
	reader->size += (size_t)n;
	return n == 0 ? JP_AT_END : JP_AT_EVENT;
}

/* Of the lexer's answers. */
static int refuse(int r)
{
	return r == -EBADMSG ? JP_AT_NOTHING : r;
}

/* Bytes up to the next brace, with it; all when there is none. */
static size_t to_brace(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '}' || text[i] == '{')
			return i + 1;
	}
	return size;
}

int jp_event_next(struct jp_event_reader *reader)
{
	reader->start = reader->fed;
	reader->event = (struct jp_event){0};
	reader->is_begun = reader->is_whole = reader->is_huge = false;
	while (!reader->is_whole) {
		bool was_begun = reader->is_begun;
		size_t size = reader->size - reader->fed;
		int r;

		if (size == 0) {
			r = read_piece(reader);
			if (r == JP_AT_END)
				return refuse(jp_json_lexer_finish(&reader->lexer));
			if (r != JP_AT_EVENT)
				return r;
			continue;
		}
		size = to_brace(reader->text + reader->fed, size);
		r = jp_json_lexer_feed(&reader->lexer, reader->text + reader->fed, size);
		if (r < 0)
			return refuse(r);
		reader->fed += size;
		if (reader->is_begun && !was_begun)
			reader->begin = reader->fed - 1;
	}
	/* As much as was read at once may have held it all the same. */
	if (reader->rules == JP_EVENTS_ANY && reader->fed - reader->begin > JP_EVENT_BYTES_MAX)
		reader->is_huge = true;
	if (!reader->is_huge) {
		reader->event.text = reader->text + reader->begin;
		reader->event.size = reader->fed - reader->begin;
	}
	return JP_AT_EVENT;
}

json_t *jp_event_parse(const struct jp_event *event, size_t flags)
{
	size_t values = 1;

	if (event->text == NULL || event->size > JP_EVENT_BYTES_MAX)
		return NULL;
	/* Those in strings are counted too: it is a bound. */
	for (size_t i = 0; i < event->size; i++) {
		char c = event->text[i];

		values += c == ',' || c == '[' || c == '{' ? 1 : 0;
	}
	if (values > EVENT_VALUES_MAX)
		return NULL;
	return json_loadb(event->text, event->size, JSON_ALLOW_NUL | flags, NULL);
}
