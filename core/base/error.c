/* Messages for people: formatting, and making foreign names harmless to a terminal. */
#include "core/base/error.h"

#include "core/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The bytes of the character that `text` begins with, and that character; a byte that begins none
 * is a control. */
static size_t next_character(const char *text, size_t size, uint32_t *ret_code)
{
	for (size_t n = 1; n <= 4 && n <= size; n++) {
		if (jp_utf8_is_valid(text, n))
			return jp_utf8_next(text, n, ret_code);
	}
	*ret_code = 0;
	return 1;
}

void jp_make_printable(char *text)
{
	size_t size = strlen(text), used = 0;

	for (size_t at = 0, step; at < size; at += step) {
		uint32_t code;

		step = next_character(text + at, size - at, &code);
		if (jp_utf8_is_control(code)) {
			text[used++] = '?';
		} else {
			memmove(text + used, text + at, step);
			used += step;
		}
	}
	text[used] = '\0';
}

int jp_error_set(struct jp_error *error, int r, const char *format, ...)
{
	va_list arguments;

	if (error == NULL)
		return r;
	va_start(arguments, format);
	(void)vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	jp_make_printable(error->message);
	return r;
}

void jp_error_remedy(struct jp_error *error, const char *format, ...)
{
	va_list arguments;

	if (error == NULL)
		return;
	va_start(arguments, format);
	(void)vsnprintf(error->remedy, sizeof(error->remedy), format, arguments);
	va_end(arguments);
	jp_make_printable(error->remedy);
}
