/*
 * Markdown, written piece by piece into a sink.
 *
 * What came from a file is cleaned on its way: a control character that could move a cursor or end
 * a line is shown by its symbol, and no fence can be ended by what is in it.
 */
#pragma once

#include "core/transcript.h"

struct jp_markdown {
	jp_transcript_sink *sink;
	void *context;
	uint64_t turn; /* for the sink; set by who writes */
	enum jp_transcript_part part;
	int failure; /* what the sink returned first; nothing is written after it */
};

/* Our own words: any text without control characters but newlines. */
void jp_markdown_put(struct jp_markdown *markdown, const char *text);
void jp_markdown_format(struct jp_markdown *markdown, const char *format, ...) printf_like(2, 3);

/* What somebody else wrote, on one line: line breaks are shown as spaces. `text` is well-formed
 * UTF-8, as in the next two; `size` bytes, any characters. */
void jp_markdown_line(struct jp_markdown *markdown, const char *text, size_t size);

/* Markdown of somebody else: as it is, without blanks at its end, and a code block that it left open
 * is closed. Where it can't be told what is open (fences in lists that the list's end cuts off, HTML
 * comments), all of it is put into a fence. A blank line follows. */
void jp_markdown_body(struct jp_markdown *markdown, const char *text, size_t size);

/* Text in a fence longer than any in it; `language` may be "". A blank line follows. */
void jp_markdown_fence(struct jp_markdown *markdown, const char *language, const char *text,
		       size_t size);
