/*
 * A quick look at bytes: may a text be in them, in any of the ways in which jp's files hide one?
 *
 * A text stands in a file as it is, or in base64, where it looks different in each of the three
 * places that it can have in a group of three bytes. Those forms, and the two escapes of JSON by
 * which others may write any character, are looked for at once: each has some bits of one word,
 * and a byte shifts the word and takes away what it does not fit (Baeza-Yates and Gonnet, "A new
 * approach to text searching", 1992). One step for each byte, whatever is looked for.
 *
 * A sieve may let through what has no match; it never holds back what has one.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A shorter text is in too many files, in base64, to be worth a look. */
#define JP_SIEVE_TEXT_MIN 3

struct jp_sieve {
	uint64_t masks[256]; /* which places of which form a byte fits */
	uint64_t starts, ends;
};

/* How far the forms were met in the bytes so far; all zeros to begin with. */
struct jp_sieve_state {
	uint64_t places;
};

/*
 * Make one for a text that has no line break, quotation mark, backslash or control character.
 *
 * Shape:   text         `size` bytes, JP_SIEVE_TEXT_MIN at least
 *          ignore_case  ASCII letters, large or small
 */
void jp_sieve_init_for_file(struct jp_sieve *sieve, const char *text, size_t size,
			    bool ignore_case);

/* The same for text that hides nothing: any text that is not empty. Longer than 64 bytes, its first
 * 64 are looked for. */
void jp_sieve_init_for_text(struct jp_sieve *sieve, const char *text, size_t size,
			    bool ignore_case);

/*
 * Go on with `size` bytes.
 *
 * Returns: how many of them were looked at when a form was found to end, 0: none was.
 */
size_t jp_sieve_find(const struct jp_sieve *sieve, struct jp_sieve_state *state, const char *data,
		     size_t size);
