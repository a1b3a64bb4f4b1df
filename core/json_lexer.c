/*
 * A state machine over the bytes of a JSON text. See json_lexer.h.
 *
 * It is not a parser library because none answers the question: jp's own reader skips most of a
 * file, and tolerates in what it skips (invalid UTF-8, lone surrogates, numbers of any size, any
 * depth) what jansson refuses. And it reads in pieces because a conversation may be large and its
 * check must not be.
 *
 * States:  between tokens   VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, AFTER, DONE
 *          in a string      STRING -> ESCAPE -> STRING | HEX -> STRING
 *          in a number      MINUS -> ZERO | INTEGER -> POINT -> FRACTION -> EXPONENT ->
 *                           EXPONENT_SIGN -> EXPONENT_DIGITS
 *          in a word        WORD
 * A number has no closing mark: the first byte that cannot belong to it ends it and is then read
 * once more, as what follows a value.
 */
#include "core/json_lexer.h"

#include <errno.h>
#include <string.h>

enum state {
	VALUE,        /* a value must follow */
	VALUE_OR_END, /* after '[' */
	KEY,          /* after ',' in an object */
	KEY_OR_END,   /* after '{' */
	COLON,        /* after a key */
	AFTER,        /* after a value in an object or array */
	DONE,         /* after the outermost value */
	STRING,
	ESCAPE, /* after '\' */
	HEX,    /* in the digits of a \u escape */
	MINUS,
	ZERO,
	INTEGER,
	POINT, /* after '.', no digit yet */
	FRACTION,
	EXPONENT, /* after 'e', no sign and no digit yet */
	EXPONENT_SIGN,
	EXPONENT_DIGITS,
	WORD,
};

enum {
	NESTING_WORD_BITS = 64,
	NESTING_WORDS_FIRST = 8, /* 512 levels before the first growth: enough for any real file */
	HEX_DIGITS = 4,
};

void jp_json_lexer_init(struct jp_json_lexer *lexer, jp_json_report *report, void *context,
			size_t report_depth)
{
	*lexer = (struct jp_json_lexer){
		.report = report,
		.context = context,
		.report_depth = report_depth,
		.state = VALUE,
	};
}

void jp_json_lexer_release(struct jp_json_lexer *lexer)
{
	free(lexer->nesting);
	lexer->nesting = NULL;
	lexer->nesting_words = 0;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(unsigned char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_reported(const struct jp_json_lexer *lexer)
{
	return lexer->report != NULL && lexer->depth <= lexer->report_depth;
}

static int report(struct jp_json_lexer *lexer, enum jp_json_kind kind)
{
	struct jp_json_token token = {.kind = kind, .depth = lexer->depth};

	if (!is_reported(lexer))
		return 0;
	if (kind == JP_JSON_KEY) {
		token.key = lexer->key;
		token.key_size = lexer->key_size;
	} else if (kind == JP_JSON_TEXT) {
		token.text = lexer->key;
		token.text_size = lexer->key_size;
	}
	return lexer->report(lexer->context, &token);
}

static bool is_in_object(const struct jp_json_lexer *lexer)
{
	size_t level = lexer->depth - 1;

	return (lexer->nesting[level / NESTING_WORD_BITS] >> (level % NESTING_WORD_BITS) & 1) != 0;
}

static int open_container(struct jp_json_lexer *lexer, bool is_object)
{
	size_t word = lexer->depth / NESTING_WORD_BITS;
	uint64_t bit = UINT64_C(1) << (lexer->depth % NESTING_WORD_BITS);
	int r = report(lexer, is_object ? JP_JSON_OBJECT : JP_JSON_ARRAY);

	if (r < 0)
		return r;
	if (lexer->depth == JP_JSON_DEPTH_MAX)
		return -EBADMSG;
	if (word == lexer->nesting_words) {
		size_t words = word == 0 ? NESTING_WORDS_FIRST : word * 2;
		uint64_t *grown = reallocarray(lexer->nesting, words, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		lexer->nesting = grown;
		lexer->nesting_words = words;
	}
	if (is_object)
		lexer->nesting[word] |= bit;
	else
		lexer->nesting[word] &= ~bit;
	lexer->depth++;
	lexer->state = is_object ? KEY_OR_END : VALUE_OR_END;
	return 0;
}

static void end_value(struct jp_json_lexer *lexer)
{
	lexer->state = lexer->depth == 0 ? DONE : AFTER;
}

static int close_container(struct jp_json_lexer *lexer)
{
	lexer->depth--;
	end_value(lexer);
	return report(lexer, JP_JSON_END);
}

static void begin_string(struct jp_json_lexer *lexer, bool is_key)
{
	lexer->state = STRING;
	lexer->is_key = is_key;
	lexer->is_kept = is_key && is_reported(lexer);
	lexer->surrogate = 0;
	lexer->utf8_left = 0;
	lexer->key_size = 0;
}

/* What may come after the first byte of a character, as Unicode's table 3-7 has it: no overlong
 * form, no surrogate, nothing above U+10FFFF. */
static int begin_utf8(struct jp_json_lexer *lexer, unsigned char c)
{
	lexer->utf8_low = 0x80;
	lexer->utf8_high = 0xbf;
	if (c < 0x80) {
		lexer->utf8_left = 0;
	} else if (c >= 0xc2 && c <= 0xdf) {
		lexer->utf8_left = 1;
	} else if (c >= 0xe0 && c <= 0xef) {
		lexer->utf8_left = 2;
		if (c == 0xe0)
			lexer->utf8_low = 0xa0;
		else if (c == 0xed)
			lexer->utf8_high = 0x9f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		lexer->utf8_left = 3;
		if (c == 0xf0)
			lexer->utf8_low = 0x90;
		else if (c == 0xf4)
			lexer->utf8_high = 0x8f;
	} else {
		return -EBADMSG;
	}
	return 0;
}

/* Bytes of the unescaped key or text. */
static int keep(struct jp_json_lexer *lexer, const char *bytes, size_t size)
{
	if (lexer->surrogate != 0 && size > 0)
		return -EBADMSG; /* the other half had to be next */
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (lexer->utf8_left == 0) {
			if (begin_utf8(lexer, c) < 0)
				return -EBADMSG;
		} else {
			if (c < lexer->utf8_low || c > lexer->utf8_high)
				return -EBADMSG;
			lexer->utf8_left--;
			lexer->utf8_low = 0x80;
			lexer->utf8_high = 0xbf;
		}
		if (lexer->key_size < sizeof(lexer->key))
			lexer->key[lexer->key_size++] = bytes[i];
	}
	return 0;
}

static int keep_code_point(struct jp_json_lexer *lexer, uint32_t code)
{
	char bytes[4];
	size_t size;

	if (code < 0x80) {
		bytes[0] = (char)code;
		size = 1;
	} else if (code < 0x800) {
		bytes[0] = (char)(0xc0 | code >> 6);
		bytes[1] = (char)(0x80 | (code & 0x3f));
		size = 2;
	} else if (code < 0x10000) {
		bytes[0] = (char)(0xe0 | code >> 12);
		bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (code & 0x3f));
		size = 3;
	} else {
		bytes[0] = (char)(0xf0 | code >> 18);
		bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (code & 0x3f));
		size = 4;
	}
	return keep(lexer, bytes, size);
}

static int keep_code_unit(struct jp_json_lexer *lexer, uint32_t unit)
{
	uint32_t first = lexer->surrogate;
	bool is_first = unit >= 0xd800 && unit <= 0xdbff,
	     is_second = unit >= 0xdc00 && unit <= 0xdfff;

	if ((first != 0) != is_second)
		return -EBADMSG;
	if (is_first) {
		lexer->surrogate = unit;
		return 0;
	}
	lexer->surrogate = 0;
	if (is_second)
		unit = 0x10000 + ((first - 0xd800) << 10) + (unit - 0xdc00);
	return keep_code_point(lexer, unit);
}

static int end_string(struct jp_json_lexer *lexer)
{
	if (lexer->is_key)
		lexer->state = COLON;
	else
		end_value(lexer);
	if (!lexer->is_kept)
		return 0;
	if (lexer->surrogate != 0 || lexer->utf8_left != 0)
		return -EBADMSG;
	return report(lexer, lexer->is_key ? JP_JSON_KEY : JP_JSON_TEXT);
}

static int begin_scalar(struct jp_json_lexer *lexer, enum jp_json_kind kind, enum state state)
{
	lexer->state = (int)state;
	return report(lexer, kind);
}

static int begin_word(struct jp_json_lexer *lexer, const char *rest)
{
	lexer->word = rest;
	return begin_scalar(lexer, JP_JSON_WORD, WORD);
}

static int begin_string_value(struct jp_json_lexer *lexer)
{
	int r;

	begin_string(lexer, false);
	r = report(lexer, JP_JSON_STRING);
	lexer->is_kept = r > 0;
	return r < 0 ? r : 0;
}

static int begin_value(struct jp_json_lexer *lexer, unsigned char c)
{
	switch (c) {
	case '{':
		return open_container(lexer, true);
	case '[':
		return open_container(lexer, false);
	case '"':
		return begin_string_value(lexer);
	case 't':
		return begin_word(lexer, "rue");
	case 'f':
		return begin_word(lexer, "alse");
	case 'n':
		return begin_word(lexer, "ull");
	case '-':
		return begin_scalar(lexer, JP_JSON_NUMBER, MINUS);
	case '0':
		return begin_scalar(lexer, JP_JSON_NUMBER, ZERO);
	default:
		return is_digit(c) ? begin_scalar(lexer, JP_JSON_NUMBER, INTEGER) : -EBADMSG;
	}
}

/* A byte between tokens that is not blank. */
static int step_between(struct jp_json_lexer *lexer, unsigned char c)
{
	switch ((enum state)lexer->state) {
	case VALUE_OR_END:
		if (c == ']')
			return close_container(lexer);
		return begin_value(lexer, c);
	case VALUE:
		return begin_value(lexer, c);
	case KEY_OR_END:
		if (c == '}')
			return close_container(lexer);
		/* fall through */
	case KEY:
		if (c != '"')
			return -EBADMSG;
		begin_string(lexer, true);
		return 0;
	case COLON:
		if (c != ':')
			return -EBADMSG;
		lexer->state = VALUE;
		return 0;
	case AFTER:
		if (c == ',') {
			lexer->state = is_in_object(lexer) ? KEY : VALUE;
			return 0;
		}
		return c == (is_in_object(lexer) ? '}' : ']') ? close_container(lexer) : -EBADMSG;
	default: /* DONE: one value, and nothing after it */
		return -EBADMSG;
	}
}

/* The byte after a backslash. */
static int step_escape(struct jp_json_lexer *lexer, unsigned char c)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (c == 'u') {
		lexer->state = HEX;
		lexer->code_unit = 0;
		lexer->hex_digits = 0;
		return 0;
	}
	found = c == '\0' ? NULL : strchr(escapes, c);
	if (found == NULL)
		return -EBADMSG;
	lexer->state = STRING;
	return lexer->is_kept ? keep(lexer, &meanings[found - escapes], 1) : 0;
}

static int step_hex(struct jp_json_lexer *lexer, unsigned char c)
{
	int value = hex_value(c);

	if (value < 0)
		return -EBADMSG;
	lexer->code_unit = lexer->code_unit << 4 | (uint32_t)value;
	if (++lexer->hex_digits < HEX_DIGITS)
		return 0;
	lexer->state = STRING;
	return lexer->is_kept ? keep_code_unit(lexer, lexer->code_unit) : 0;
}

/* The state that a number is in after this byte, or -1 when the byte does not belong to it. */
static int number_state(enum state state, unsigned char c)
{
	bool digit = is_digit(c);

	switch (state) {
	case MINUS:
		return digit ? (c == '0' ? ZERO : INTEGER) : -1;
	case INTEGER:
		if (digit)
			return INTEGER;
		/* fall through */
	case ZERO:
		if (c == '.')
			return POINT;
		return c == 'e' || c == 'E' ? EXPONENT : -1;
	case POINT:
		return digit ? FRACTION : -1;
	case FRACTION:
		if (digit)
			return FRACTION;
		return c == 'e' || c == 'E' ? EXPONENT : -1;
	case EXPONENT:
		if (c == '+' || c == '-')
			return EXPONENT_SIGN;
		return digit ? EXPONENT_DIGITS : -1;
	default: /* EXPONENT_SIGN, EXPONENT_DIGITS */
		return digit ? EXPONENT_DIGITS : -1;
	}
}

static bool is_whole_number(int state)
{
	return state == ZERO || state == INTEGER || state == FRACTION || state == EXPONENT_DIGITS;
}

static int step(struct jp_json_lexer *lexer, unsigned char c)
{
	if (lexer->state == ESCAPE)
		return step_escape(lexer, c);
	if (lexer->state == HEX)
		return step_hex(lexer, c);
	if (lexer->state == WORD) {
		if (c != (unsigned char)*lexer->word)
			return -EBADMSG;
		if (*++lexer->word == '\0')
			end_value(lexer);
		return 0;
	}
	if (lexer->state >= MINUS) {
		int next = number_state((enum state)lexer->state, c);

		if (next >= 0) {
			lexer->state = next;
			return 0;
		}
		if (!is_whole_number(lexer->state))
			return -EBADMSG;
		end_value(lexer); /* and the byte is read as what follows */
	}
	return is_blank(c) ? 0 : step_between(lexer, c);
}

/* Whether one of eight bytes may end a run of ordinary ones in a string. Of a word without such a
 * byte it is never true (Warren, "Hacker's Delight", 6-1: a borrow only goes to higher bytes from
 * one that was found). */
static bool has_special(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';

	return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
		((word - ones * 0x20) & ~word)) &
	       tops;
}

/* From inside a string up to its end, an escape, or the end of the piece: the long way through
 * most files, so it has a loop of its own. */
static int read_string(struct jp_json_lexer *lexer, const char **next, const char *end)
{
	const char *start = *next, *at = start;
	unsigned char c = 0;
	uint64_t word;

	for (; (size_t)(end - at) >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		if (has_special(word))
			break;
	}
	for (; at < end; at++) {
		c = (unsigned char)*at;
		if (c == '"' || c == '\\' || c < 0x20)
			break;
	}
	if (lexer->is_kept) {
		int r = keep(lexer, start, (size_t)(at - start));

		if (r < 0)
			return r;
	}
	*next = at;
	if (at == end)
		return 0;
	if (c < 0x20)
		return -EBADMSG;
	*next = at + 1;
	if (c == '"')
		return end_string(lexer);
	lexer->state = ESCAPE;
	return 0;
}

int jp_json_lexer_feed(struct jp_json_lexer *lexer, const char *text, size_t size)
{
	const char *next = text;

	if (size == 0)
		return lexer->failure;
	while (lexer->failure == 0 && next < text + size) {
		if (lexer->state == STRING)
			lexer->failure = read_string(lexer, &next, text + size);
		else
			lexer->failure = step(lexer, (unsigned char)*next++);
	}
	return lexer->failure;
}

int jp_json_lexer_finish(struct jp_json_lexer *lexer)
{
	if (lexer->failure == 0 && lexer->depth == 0 && is_whole_number(lexer->state))
		end_value(lexer);
	if (lexer->failure == 0 && lexer->state != DONE)
		lexer->failure = -EBADMSG;
	return lexer->failure;
}
