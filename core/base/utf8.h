/* Whether bytes are text, and which. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether `size` bytes are well-formed UTF-8: no overlong forms, no surrogates, nothing above
 * U+10FFFF. NULs are characters like others; no bytes at all are text.
 *
 * Source: RFC 3629, section 4; jp reads names and small files as Rust strings, which hold no other.
 */
bool jp_utf8_is_valid(const char *text, size_t size);

/*
 * The first character of well-formed text.
 *
 * Shape:   text      `size` bytes, at least one, as jp_utf8_is_valid() takes them
 *          ret_code  its code point
 * Returns: the bytes that it takes.
 */
size_t jp_utf8_next(const char *text, size_t size, uint32_t *ret_code);

/* Whether a terminal, or the text around it, would obey this character instead of showing it:
 * controls, line separators, and what changes the direction of other text. */
bool jp_utf8_is_control(uint32_t code);

/* Make text of any bytes: if they are not well-formed, each that is not ASCII becomes '?'. */
void jp_utf8_make_valid(char *text);
