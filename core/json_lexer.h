/*
 * JSON read as structure, in pieces of any size.
 *
 * The lexer decides whether a text is one JSON value, by serde_json's rules for values that it
 * skips, and reports what begins and ends near the top. It builds nothing: a text costs one bit
 * for each level of nesting that is open, whatever its size.
 *
 * Source:  RFC 8259; where that leaves room, serde_json's `Deserializer::ignore_value` and
 *          `Read::ignore_str`, which jp's check of its files ends in.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Levels, and no more: 8 MiB of nesting, where serde_json would go on until memory ends. */
#define JP_JSON_DEPTH_MAX (UINT64_C(64) << 20)

/* Bytes of a key or text that are kept, after unescaping; a longer one is reported with its first
 * bytes and its length cut to this. No name that anybody compares with may be as long. A timestamp
 * fits, to the nanosecond and with its zone. */
#define JP_JSON_KEY_BYTES_MAX 64

enum jp_json_kind {
	JP_JSON_OBJECT, /* begins */
	JP_JSON_ARRAY,  /* begins */
	JP_JSON_STRING, /* a string as a value */
	JP_JSON_NUMBER,
	JP_JSON_WORD, /* true, false or null */
	JP_JSON_KEY,
	JP_JSON_END,  /* of an object or array */
	JP_JSON_TEXT, /* of a string that was asked for, at its end */
};

struct jp_json_token {
	enum jp_json_kind kind;
	size_t depth;    /* objects and arrays around it: 0 for the outermost value and its end */
	const char *key; /* of a JP_JSON_KEY: `size` bytes, any value, valid during the call only */
	size_t key_size;
	const char *text; /* of a JP_JSON_TEXT: the same */
	size_t text_size;
};

/* Returns: 0 to go on; of a JP_JSON_STRING, 1 to be told its text when it has been read; or -errno,
 * which ends the reading. */
typedef int jp_json_report(void *context, const struct jp_json_token *token);

struct jp_json_lexer {
	jp_json_report *report; /* NULL: nothing is reported */
	void *context;          /* for `report` */
	size_t report_depth;    /* tokens deeper than this are not reported */

	int state;
	int failure;         /* what ended the reading, or 0 */
	bool is_key;         /* the string being read is a key */
	bool is_kept;        /* ... or not, but will be reported */
	const char *word;    /* what is still missing of true, false or null */
	uint32_t code_unit;  /* the \u escape being read */
	unsigned hex_digits; /* ... of which so many digits are known */

	uint32_t surrogate;                /* the first half of a pair in what is kept, or 0 */
	unsigned utf8_left;                /* bytes missing of the character in what is kept */
	unsigned char utf8_low, utf8_high; /* bounds of the next of them */
	char key[JP_JSON_KEY_BYTES_MAX];
	size_t key_size;

	size_t depth;      /* objects and arrays open */
	uint64_t *nesting; /* a bit for each, outermost first: set for objects; owned */
	size_t nesting_words;
};

/*
 * Begin.
 *
 * Shape:   report   may be NULL; `context` is borrowed
 * A key that is reported, and a string whose text is asked for, must be valid: UTF-8 and paired
 * surrogates, or the whole is refused, as serde_json refuses what it compares. Any other key or
 * string is only lexed.
 */
void jp_json_lexer_init(struct jp_json_lexer *lexer, jp_json_report *report, void *context,
			size_t report_depth);

/* Let go of what it owns; a lexer that was only initialised owns nothing. */
void jp_json_lexer_release(struct jp_json_lexer *lexer);

/*
 * Read on. How a text is divided makes no difference.
 *
 * Returns: 0, -EBADMSG no JSON text begins like this, -ENOMEM, or what `report` returned. After a
 *          failure every further call returns the same.
 */
must_check int jp_json_lexer_feed(struct jp_json_lexer *lexer, const char *text, size_t size);

/* The text ends here: 0 when it was exactly one value, otherwise as jp_json_lexer_feed(). */
must_check int jp_json_lexer_finish(struct jp_json_lexer *lexer);

#define cleanup_json_lexer __attribute__((cleanup(jp_json_lexer_release)))
