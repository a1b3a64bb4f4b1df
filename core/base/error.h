/*
 * What a person is told when something cannot be done.
 *
 * Functions return 0 or a negative errno, and code branches on nothing else. Where a person needs
 * more than an errno, the function also fills a struct jp_error: one line that says what happened
 * and to which path, and one that says what to do about it.
 */
#pragma once

#include "core/base/cleanup.h"

struct jp_error {
	char message[1024]; /* what happened, to which path; no newline, control characters as '?'
			     */
	char remedy[512];   /* what to do next; empty when there is nothing to say */
};

/*
 * Say what happened.
 *
 * Shape:   error   filled; may be NULL, then nothing happens
 * Returns: `r`, so that `return jp_error_set(error, -ENOENT, ...)` reads well.
 */
int jp_error_set(struct jp_error *error, int r, const char *format, ...) printf_like(3, 4);

/* Say what to do about it. The same shape; nothing is returned. */
void jp_error_remedy(struct jp_error *error, const char *format, ...) printf_like(2, 3);

/* Make `text` harmless: each control character (jp_utf8_is_control()) becomes '?', so that no name
 * can speak to a terminal, and so does each byte that is no UTF-8. It does not get longer. */
void jp_make_printable(char *text);
