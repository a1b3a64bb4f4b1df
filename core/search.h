/*
 * Searching an `events.json` for what was said.
 *
 * Most files have nothing that could match, and of those that have, most events: only what the
 * pattern's sieve lets through is read as JSON. Memory is for one event at a time.
 */
#pragma once

#include "core/event_reader.h"
#include "core/pattern.h"
#include "core/said.h"

#include <stdint.h>

struct jp_search_options {
	unsigned by;          /* bits of enum jp_said_by: whose words */
	size_t before, after; /* lines of context */
	uint64_t lines_max;   /* with a match; the search ends there */
};

/* A line with a match, or one near it. */
struct jp_found {
	const char *line; /* borrowed, any bytes but line breaks */
	size_t size;
	bool is_context;
	bool is_apart; /* with context: lines of the same text were left out before it */
	uint64_t turn; /* from 1; 0: before the first */
	enum jp_said_by by;
	const char *time; /* of the event, as it is written; may be "" */
};

/* Take a line. 0 to go on; else it ends the search and is what that returns. */
typedef int jp_search_sink(void *context, const struct jp_found *found);

struct jp_search_result {
	uint64_t lines;  /* with a match */
	uint64_t unread; /* events that are too large to be looked at */
};

/*
 * Search a file.
 *
 * Shape:   fd          a regular file, borrowed, its offset not moved
 *          ret_result  filled in any case
 * Returns: 0, also for a file that is not what it should be: what could be understood was searched;
 *          -ENOMEM, what reading it failed with, or what the sink returned.
 */
must_check int jp_search_file(int fd, struct jp_pattern *pattern,
			      const struct jp_search_options *options, jp_search_sink *sink,
			      void *context, struct jp_search_result *ret_result);
