/* Markdown of untrusted text. See transcript_text.h. */
#include "core/transcript_text.h"

#include "core/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	FENCE_MIN = 3,
	FORMAT_BYTES_MAX = 512,
	FIRST_PRINTABLE = 0x20,
	DELETE = 0x7f,
	C1_FIRST = 0x80, /* also the first that is not one byte */
	C1_LAST = 0x9f,
	INDENT_MAX = 3, /* of a fence, by CommonMark 4.5 */
};

static void emit(struct jp_markdown *markdown, const char *text, size_t size)
{
	struct jp_transcript_piece piece = {
		.text = text,
		.size = size,
		.turn = markdown->turn,
		.part = markdown->part,
	};

	if (markdown->failure == 0 && size > 0)
		markdown->failure = markdown->sink(markdown->context, &piece);
}

void jp_markdown_put(struct jp_markdown *markdown, const char *text)
{
	emit(markdown, text, strlen(text));
}

void jp_markdown_format(struct jp_markdown *markdown, const char *format, ...)
{
	char text[FORMAT_BYTES_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	jp_markdown_put(markdown, text);
}

/* Write a control character as what is seen of it; false: it may stand as it is. */
static bool replace(struct jp_markdown *markdown, uint32_t code, bool is_line)
{
	if (code == '\t' || (code == '\n' && !is_line))
		return false;
	if (code == '\n') {
		jp_markdown_put(markdown, " ");
	} else if (code < FIRST_PRINTABLE) {
		char symbol[4] = {(char)0xe2, (char)0x90, (char)(0x80 + code), '\0'};

		jp_markdown_put(markdown, symbol); /* U+2400 and on, the pictures of controls */
	} else {
		jp_markdown_put(markdown, code == DELETE ? "\xe2\x90\xa1" : "\xef\xbf\xbd");
	}
	return true;
}

static void put_clean(struct jp_markdown *markdown, const char *text, size_t size, bool is_line)
{
	size_t done = 0;

	for (size_t i = 0; i < size;) {
		unsigned char first = (unsigned char)text[i];
		uint32_t code = first;
		size_t length = 1;

		if (first >= C1_FIRST)
			length = jp_utf8_next(text + i, size - i, &code);
		if (code <= C1_LAST && (code < FIRST_PRINTABLE || code >= DELETE)) {
			emit(markdown, text + done, i - done);
			done = replace(markdown, code, is_line) ? i + length : i;
		}
		i += length;
	}
	emit(markdown, text + done, size - done);
}

void jp_markdown_line(struct jp_markdown *markdown, const char *text, size_t size)
{
	put_clean(markdown, text, size, true);
}

/* A code block that may be open. */
struct open_fence {
	char mark;   /* '`' or '~'; 0: none is open */
	size_t size; /* of the fence */
};

static void see_fence(struct open_fence *open, const char *line, size_t size)
{
	size_t i = 0, run = 0;
	char mark;

	while (i < size && i <= INDENT_MAX && line[i] == ' ')
		i++;
	if (i > INDENT_MAX || i == size || (line[i] != '`' && line[i] != '~'))
		return;
	mark = line[i];
	while (i + run < size && line[i + run] == mark)
		run++;
	i += run;
	if (run < FENCE_MIN)
		return;
	if (open->mark == 0) {
		if (mark == '~' || memchr(line + i, '`', size - i) == NULL)
			*open = (struct open_fence){.mark = mark, .size = run};
		return;
	}
	while (i < size && (line[i] == ' ' || line[i] == '\t'))
		i++;
	if (mark == open->mark && run >= open->size && i == size)
		open->mark = 0;
}

static struct open_fence find_open(const char *text, size_t size)
{
	struct open_fence open = {0};

	for (size_t begin = 0; begin < size;) {
		const char *end = memchr(text + begin, '\n', size - begin);
		size_t length = end != NULL ? (size_t)(end - text) - begin : size - begin;

		see_fence(&open, text + begin, length);
		begin += length + 1;
	}
	return open;
}

static size_t without_blanks_at_end(const char *text, size_t size)
{
	while (size > 0 && memchr(" \t\n\r", text[size - 1], 4) != NULL)
		size--;
	return size;
}

static void put_marks(struct jp_markdown *markdown, char mark, size_t count)
{
	while (count-- > 0)
		emit(markdown, &mark, 1);
}

void jp_markdown_body(struct jp_markdown *markdown, const char *text, size_t size)
{
	struct open_fence open;

	size = without_blanks_at_end(text, size);
	if (size == 0) {
		jp_markdown_put(markdown, "_(empty)_\n\n");
		return;
	}
	open = find_open(text, size);
	put_clean(markdown, text, size, false);
	jp_markdown_put(markdown, "\n");
	if (open.mark != 0) {
		put_marks(markdown, open.mark, open.size);
		jp_markdown_put(markdown, "\n");
	}
	jp_markdown_put(markdown, "\n");
}

void jp_markdown_fence(struct jp_markdown *markdown, const char *language, const char *text,
		       size_t size)
{
	size_t longest = FENCE_MIN - 1, run = 0;

	for (size_t i = 0; i < size; i++) {
		run = text[i] == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	put_marks(markdown, '`', longest + 1);
	jp_markdown_put(markdown, language);
	jp_markdown_put(markdown, "\n");
	put_clean(markdown, text, size, false);
	jp_markdown_put(markdown, size > 0 && text[size - 1] != '\n' ? "\n" : "");
	put_marks(markdown, '`', longest + 1);
	jp_markdown_put(markdown, "\n\n");
}
