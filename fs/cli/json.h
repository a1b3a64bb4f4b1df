/* JSON for whoever asked with --json, harmless also where that is a terminal. */
#pragma once

#include "core/base/cleanup.h"

#include <jansson.h>
#include <stdio.h>

/*
 * Print a value to stdout, with a line end. Characters that a terminal or the text around would obey
 * (jp_utf8_is_control()) are written as escapes; others stay readable.
 *
 * Returns: 0 or -ENOMEM; what cannot be written is seen by main().
 */
must_check int jpfs_print_json(const json_t *value);
/* The same for text that jansson made, to a stream and without a line end. */
void jpfs_print_json_text(const char *text, FILE *to);
