/*
 * What was said in an event: by whom, and the texts as they were before they became JSON.
 */
#pragma once

#include "core/base/cleanup.h"

#include <jansson.h>
#include <stddef.h>

/* The kinds of events that belong to a turn. */
enum jp_said_kind {
	JP_SAID_NOTHING, /* of another kind, or not as that kind should be */
	JP_SAID_REQUEST,
	JP_SAID_RESPONSE, /* a message, reasoning, or data */
	JP_SAID_CALL,
	JP_SAID_RESULT,
	JP_SAID_INQUIRY,
	JP_SAID_ANSWER,
};

enum jp_said_by {
	JP_SAID_BY_USER,
	JP_SAID_BY_ASSISTANT,
	JP_SAID_BY_REASONING, /* the assistant, to itself */
	JP_SAID_BY_TOOL,      /* calls and their results, inquiries and their answers */
	JP_SAID_BY_UNKNOWN,   /* what could not be read, as it is written */
};
#define JP_SAID_BY_COUNT 5

enum jp_said_kind jp_said_kind(const json_t *event);

/* A word for people and scripts: "user". */
const char *jp_said_by_name(enum jp_said_by by);

/* Take a text of any bytes, with a NUL after it; it is borrowed. 0 to go on; else it ends there. */
typedef int jp_said_sink(void *context, enum jp_said_by by, const char *text, size_t size);

/*
 * Hand out the texts of an event, one after the other: a message; the name of a tool and each value
 * in its arguments, those in base64 decoded; a result. Of data and arguments also whole numbers,
 * true, false and null; keys and other numbers are not.
 *
 * Returns: 0, -ENOMEM, or what the sink returned.
 */
must_check int jp_said_in(const json_t *event, jp_said_sink *sink, void *context);
