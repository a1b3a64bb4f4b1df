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
	TAB_COLUMNS = 4,
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
		if (code == '\r' && i + 1 < size && text[i + 1] == '\n') {
			/* One line end, in two characters. */
			emit(markdown, text + done, i - done);
			done = i + 1;
		} else if (code <= C1_LAST && (code < FIRST_PRINTABLE || code >= DELETE)) {
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

/*
 * Where the lines of a body have led to: whether a code block is open, as CommonMark has it.
 *
 * What a line is depends on the lists and quotes that it is in, and on HTML before it. That is not
 * all followed here; a fence that could be read in two ways makes it unsure, and who asks does not
 * rely on it then.
 */
struct outline {
	char mark;     /* of the fence that is open, '`' or '~'; 0: none is */
	size_t size;   /* ... its marks */
	size_t indent; /* ... and the columns before it: in a list, if there are any */
	bool in_html;  /* until a blank line, fences may be part of it */
	bool is_unsure;
};

/* The columns and bytes of blanks that a line begins with. */
static size_t measure_indent(const char *line, size_t size, size_t *ret_bytes)
{
	size_t columns = 0, i = 0;

	for (; i < size && (line[i] == ' ' || line[i] == '\t'); i++)
		columns += line[i] == '\t' ? TAB_COLUMNS - columns % TAB_COLUMNS : 1;
	*ret_bytes = i;
	return columns;
}

/* HTML that a blank line does not end, by CommonMark 4.6. */
static bool is_endless_html(const char *line, size_t size)
{
	static const char *const begins[] = {"<!", "<?", "<script", "<pre", "<style", "<textarea"};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		size_t length = strlen(begins[i]);

		if (size >= length && strncasecmp(line, begins[i], length) == 0)
			return true;
	}
	return false;
}

/* A line while a fence is open; `run` marks like its own, and nothing after them, if not 0. */
static void see_inside(struct outline *outline, size_t indent, size_t run)
{
	/* In a list, this line would have ended it, and the fence with it. */
	if (indent < outline->indent)
		outline->is_unsure = true;
	if (run < outline->size)
		return;
	if (outline->indent == 0 ? indent <= INDENT_MAX : indent == outline->indent)
		outline->mark = 0;
	else if (outline->indent > 0)
		outline->is_unsure = true;
}

static void see_line(struct outline *outline, const char *line, size_t size)
{
	size_t bytes, run = 0, indent = measure_indent(line, size, &bytes), after = 0;
	bool is_fence;
	char mark;

	line += bytes;
	size -= bytes;
	if (size == 0) {
		outline->in_html &= outline->mark != 0;
		return;
	}
	mark = line[0];
	while (run < size && line[run] == mark)
		run++;
	while (run + after < size && (line[run + after] == ' ' || line[run + after] == '\t'))
		after++;
	if (outline->mark != 0) {
		see_inside(outline, indent, mark == outline->mark && run + after == size ? run : 0);
		return;
	}
	is_fence = run >= FENCE_MIN &&
		   (mark == '~' || (mark == '`' && memchr(line + run, '`', size - run) == NULL));
	if (mark == '<') {
		outline->in_html = true;
		outline->is_unsure |= is_endless_html(line, size);
	}
	if (!is_fence)
		return;
	outline->is_unsure |= outline->in_html;
	outline->mark = mark;
	outline->size = run;
	outline->indent = indent;
}

static struct outline read_outline(const char *text, size_t size)
{
	struct outline outline = {0};

	for (size_t begin = 0; begin < size;) {
		const char *end = memchr(text + begin, '\n', size - begin);
		size_t length = end != NULL ? (size_t)(end - text) - begin : size - begin;

		/* "\r\n" is one line end; any other carriage return is shown, and is text. */
		see_line(&outline, text + begin,
			 end != NULL && length > 0 && end[-1] == '\r' ? length - 1 : length);
		begin += length + 1;
	}
	outline.is_unsure |= outline.mark != 0 && outline.indent > 0;
	return outline;
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
	struct outline outline;

	size = without_blanks_at_end(text, size);
	if (size == 0) {
		jp_markdown_put(markdown, "_(empty)_\n\n");
		return;
	}
	outline = read_outline(text, size);
	if (outline.is_unsure) {
		jp_markdown_fence(markdown, "markdown", text, size);
		return;
	}
	put_clean(markdown, text, size, false);
	jp_markdown_put(markdown, "\n");
	if (outline.mark != 0) {
		put_marks(markdown, outline.mark, outline.size);
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
