/* Whether bytes are text. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether `size` bytes are well-formed UTF-8: no overlong forms, no surrogates, nothing above
 * U+10FFFF. NULs are characters like others; no bytes at all are text.
 *
 * Source: RFC 3629, section 4; jp reads names and small files as Rust strings, which hold no other.
 */
bool jp_utf8_is_valid(const char *text, size_t size);
