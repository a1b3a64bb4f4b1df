/*
 * Printing JSON. jansson escapes the controls of ASCII and leaves those beyond as they are, and a
 * terminal obeys those too. They can only be in strings, so each can be an escape.
 */
#include "fs/cli/json.h"

#include "core/base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_escape(uint32_t code, FILE *to)
{
	if (code > 0xffff) {
		(void)fprintf(to, "\\u%04" PRIx32, 0xd800 + ((code - 0x10000) >> 10));
		code = 0xdc00 + ((code - 0x10000) & 0x3ff);
	}
	(void)fprintf(to, "\\u%04" PRIx32, code);
}

void jpfs_print_json_text(const char *text, FILE *to)
{
	size_t size = strlen(text), done = 0;

	for (size_t at = 0, step; at < size; at += step) {
		uint32_t code;

		step = jp_utf8_next(text + at, size - at, &code);
		if (code < 0x20 || !jp_utf8_is_control(code)) /* below: the layout's own */
			continue;
		(void)fwrite(text + done, 1, at - done, to);
		print_escape(code, to);
		done = at + step;
	}
	(void)fwrite(text + done, 1, size - done, to);
}

int jpfs_print_json(const json_t *value)
{
	cleanup_free char *text = json_dumps(value, JSON_INDENT(2));

	if (text == NULL)
		return -ENOMEM;
	jpfs_print_json_text(text, stdout);
	(void)putchar('\n');
	return 0;
}
