/*
 * The events of an `events.json`, one after the other, with memory for one at a time.
 *
 * The lexer finds where events begin and end; what of them is wanted becomes values. Everything is
 * read by pread(2), and once: a file that somebody truncates or writes to meanwhile gives another
 * answer and nothing worse.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/json_lexer.h"
#include "core/validity.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* The largest event of real conversations has a third of a megabyte. */
#define JP_EVENT_BYTES_MAX ((size_t)16 * 1024 * 1024)

enum jp_event_kind {
	JP_ANY_EVENT,
	JP_CONFIG_DELTA,
	JP_TURN_START,
};

/* What is next in a file. */
enum jp_event_step {
	JP_AT_END,
	JP_AT_EVENT,
	JP_AT_NOTHING, /* that is an event */
};

/* How much is asked of a file. */
enum jp_event_rules {
	JP_EVENTS_AS_JP, /* what jp would not accept, or is too large, ends the reading */
	/* Whatever is JSON is passed: an event too large has no text, and what is no object is
	 * counted. */
	JP_EVENTS_ANY,
};

struct jp_event {
	const char *text; /* borrowed from the reader, until it goes on; NULL: too large */
	size_t size;      /* 0 when too large */
	size_t strangers; /* elements before it that are no objects */
	enum jp_event_kind kind;
	char time[JP_JSON_KEY_BYTES_MAX]; /* as it is written; empty when it is no string */
	size_t time_size;
};

/*
 * `text` has the bytes from some place of the file on; [0, start) were handed out already, [start,
 * fed) were lexed, [fed, size) were read.
 */
struct jp_event_reader {
	int fd; /* borrowed */
	enum jp_event_rules rules;
	off_t offset; /* of what is read next */
	char *text;   /* owned */
	size_t room, start, fed, size;

	struct jp_json_lexer lexer;
	struct jp_event_check check;
	int field; /* whose value comes next */
	struct jp_event event;
	size_t begin;   /* of the event, in `text` */
	bool is_begun;  /* the event */
	bool is_whole;  /* ... and ended */
	bool is_object; /* what is open in the outermost array */
	bool is_huge;   /* the event's text was let go of */
};

/* Begin, with a regular file. */
void jp_event_reader_init(struct jp_event_reader *reader, int fd, enum jp_event_rules rules);
void jp_event_reader_release(struct jp_event_reader *reader);
#define cleanup_event_reader __attribute__((cleanup(jp_event_reader_release)))

/*
 * Go on to the next event, `reader->event`. At the end its `strangers` are those that came last.
 *
 * Returns: a step, or -errno. After JP_AT_NOTHING or an error there is no going on.
 */
must_check int jp_event_next(struct jp_event_reader *reader);

/* The byte of the file up to which it was understood. */
off_t jp_event_reader_position(const struct jp_event_reader *reader);

/*
 * An event as a value; `flags` are jansson's. New, or NULL when it is not to be had: too large, a
 * quarter of a million values in it, or jansson refuses it.
 */
json_t *jp_event_parse(const struct jp_event *event, size_t flags);

/* Read as much of `size` as there is. Returns the bytes read or -errno. */
must_check ssize_t jp_read_at(int fd, char *data, size_t size, off_t offset);
