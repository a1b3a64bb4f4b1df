/*
 * What is searched for, and where it is in a line.
 *
 * A POSIX extended regular expression as grep -E takes it, by the C library. It works on UTF-8
 * whatever the user's locale is, because that is what the conversations are in. A text that every
 * match must have in it is taken out of the expression beforehand: looking for that first is what
 * makes a search quick.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/sieve.h"

#include <locale.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

struct jp_pattern_options {
	bool ignore_case;
	bool is_fixed; /* the text itself, not an expression */
	bool is_word;  /* no letter, digit or underscore before and after it */
};

/* One for each thread: the C library's own lock would make them wait for each other. */
struct jp_pattern {
	regex_t regex;
	size_t group; /* of the match in the expression */
	locale_t locale;
	bool is_compiled;
	bool keeps_apart; /* pattern.c */

	bool has_sieves; /* there is such a text */
	struct jp_sieve file_sieve, text_sieve;
};

struct jp_match {
	size_t begin, end; /* bytes of the line */
};

/*
 * Make one. Lines in the text are alternatives, as for grep.
 *
 * Returns: 0; -EINVAL it is no expression, `error` says why; -ENOMEM.
 */
must_check int jp_pattern_init(struct jp_pattern *pattern, const char *text,
			       const struct jp_pattern_options *options, struct jp_error *error);
void jp_pattern_release(struct jp_pattern *pattern);
#define cleanup_pattern __attribute__((cleanup(jp_pattern_release)))

/*
 * The first match in a line that begins at `from` or later; it may be empty.
 *
 * Shape:   line  `size` bytes without a line break, any other values; a NUL is after it, or later
 */
bool jp_pattern_find(struct jp_pattern *pattern, const char *line, size_t size, size_t from,
		     struct jp_match *ret);

/* Whether a part of a file as jp writes it may hold a match; false: certainly not. `state` joins
 * the parts, all zeros to begin with. */
bool jp_pattern_may_be_in(const struct jp_pattern *pattern, struct jp_sieve_state *state,
			  const char *data, size_t size);

/*
 * The next line of a text that has a match.
 *
 * Shape:   text      `size` bytes and a NUL
 *          from      0 or the beginning of a line; where to look
 *          ret_line  begin and end of the line, without its line break and a carriage return
 */
bool jp_pattern_next_line(struct jp_pattern *pattern, const char *text, size_t size, size_t from,
			  struct jp_match *ret_line);

/* The line that a place of a text is in, as above. */
struct jp_match jp_line_at(const char *text, size_t size, size_t place);
