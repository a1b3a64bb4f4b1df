/* Messages for people: formatting, and making foreign names harmless to a terminal. */
#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>

void jp_make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
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
