/*
 * A conversation as Markdown that a person can read and grep.
 *
 * It has the shape of jp's own transcripts (`## Turn N`, `### User`, `### Assistant`,
 * `### Reasoning`, tool calls with fenced arguments and results), with times, and with what jp
 * leaves out: attachments, inquiries, changes of the configuration, compactions. Everything stands
 * in the order in which it happened. What cannot be understood is shown as it is or named, and
 * ends nothing.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

enum jp_transcript_part {
	JP_PART_FRAME, /* headings, notes: our words */
	JP_PART_USER,
	JP_PART_ASSISTANT,
	JP_PART_REASONING,
	JP_PART_TOOL, /* calls, their results, inquiries */
	JP_PART_OTHER,
};

/* Some of the text; pieces may end anywhere between two characters. */
struct jp_transcript_piece {
	const char *text; /* borrowed, well-formed UTF-8 without control characters but \n and \t */
	size_t size;
	uint64_t turn; /* from 1; 0: before the first */
	enum jp_transcript_part part;
};

/* Take a piece. 0 to go on; anything else ends the rendering and is what it returns. */
typedef int jp_transcript_sink(void *context, const struct jp_transcript_piece *piece);

/* The managed files: regular files, borrowed, offsets not moved; -EBADF: there is none. */
struct jp_transcript_files {
	uint64_t id;
	int metadata_fd;
	int base_config_fd; /* none: the first event is the base configuration */
	int events_fd;
};

/*
 * Render it. The same files give the same bytes. Memory is for one event at a time, whatever the
 * size of the conversation.
 *
 * Returns: 0, also for files that are missing or that nobody could read as what they should be: the
 *          text says so; -ENOMEM, what reading a file failed with, or what the sink returned.
 * Source:  jp_attachment_internal/src/lib.rs:331-471.
 */
must_check int jp_transcript_render(const struct jp_transcript_files *files,
				    jp_transcript_sink *sink, void *context);
