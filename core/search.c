/* From bytes to lines that match. See search.h. */
#include "core/search.h"

#include <string.h>

enum {
	PIECE_BYTES = 256 * 1024, /* stays in a processor's cache between two looks at it */
	ENDED = 1,                /* as many lines as were asked for */
};

struct search {
	struct jp_pattern *pattern;
	const struct jp_search_options *options;
	jp_search_sink *sink;
	void *context;
	struct jp_search_result *result;
	int sink_result; /* what it returned, unless 0 */

	struct jp_event_reader reader;
	uint64_t turns;
};

/* ---- lines of one text ---- */

/* Where the reporting of a text stands. */
struct reporting {
	struct search *search;
	enum jp_said_by by;
	const char *text;
	size_t size;
	size_t shown; /* the first byte that was not reported */
	bool is_begun;
};

static int report(struct reporting *reporting, struct jp_match line, bool is_context)
{
	struct search *search = reporting->search;
	const char *end = memchr(reporting->text + line.end, '\n', reporting->size - line.end);
	struct jp_found found = {
		.line = reporting->text + line.begin,
		.size = line.end - line.begin,
		.is_context = is_context,
		.is_apart = reporting->is_begun && line.begin > reporting->shown &&
			    search->options->before + search->options->after > 0,
		.turn = search->turns,
		.by = reporting->by,
		.time = search->reader.event.time,
	};
	int r = search->sink(search->context, &found);

	reporting->shown = end != NULL ? (size_t)(end - reporting->text) + 1 : reporting->size;
	reporting->is_begun = true;
	search->sink_result = r;
	return r != 0 ? ENDED : 0;
}

/* Lines after the last one that was reported, up to `limit`. */
static int report_after(struct reporting *reporting, size_t limit)
{
	for (size_t i = 0; i < reporting->search->options->after && reporting->shown < limit; i++) {
		if (report(reporting,
			   jp_line_at(reporting->text, reporting->size, reporting->shown),
			   true) != 0)
			return ENDED;
	}
	return 0;
}

static int report_before(struct reporting *reporting, size_t begin)
{
	size_t from = begin;

	for (size_t i = 0; i < reporting->search->options->before && from > reporting->shown; i++)
		from = jp_line_at(reporting->text, reporting->size, from - 1).begin;
	while (from < begin) {
		if (report(reporting, jp_line_at(reporting->text, reporting->size, from), true) !=
		    0)
			return ENDED;
		from = reporting->shown;
	}
	return 0;
}

static int search_text(void *context, enum jp_said_by by, const char *text, size_t size)
{
	struct search *search = context;
	struct reporting reporting = {.search = search, .by = by, .text = text, .size = size};
	size_t from = 0;
	struct jp_match line;

	if ((search->options->by & 1U << by) == 0)
		return 0;
	while (search->result->lines < search->options->lines_max &&
	       jp_pattern_next_line(search->pattern, text, size, from, &line)) {
		search->result->lines++;
		if ((reporting.is_begun && report_after(&reporting, line.begin) != 0) ||
		    report_before(&reporting, line.begin) != 0 ||
		    report(&reporting, line, false) != 0)
			return ENDED;
		from = reporting.shown;
	}
	if (reporting.is_begun && report_after(&reporting, size) != 0)
		return ENDED;
	return search->result->lines < search->options->lines_max ? 0 : ENDED;
}

/* ---- events ---- */

static bool may_match(const struct search *search)
{
	struct jp_sieve_state state = {0};

	return jp_pattern_may_be_in(search->pattern, &state, search->reader.event.text,
				    search->reader.event.size);
}

/* An event that is no value that can be had, as it is written. */
static int search_raw(struct search *search)
{
	cleanup_free char *text = strndup(search->reader.event.text, search->reader.event.size);

	return text == NULL ? -ENOMEM : search_text(search, JP_SAID_BY_UNKNOWN, text, strlen(text));
}

static int search_event(struct search *search)
{
	const struct jp_event *event = &search->reader.event;
	json_auto_t *value = NULL;

	if (event->text == NULL) {
		search->result->unread++;
		return 0;
	}
	if (event->kind == JP_TURN_START) {
		search->turns++;
		return 0;
	}
	/* The first that belongs to a turn begins one. */
	if (event->kind == JP_CONFIG_DELTA || (search->turns > 0 && !may_match(search)))
		return 0;
	value = jp_event_parse(event, 0);
	if (value == NULL)
		return search_raw(search);
	if (jp_said_kind(value) == JP_SAID_NOTHING)
		return 0;
	search->turns += search->turns == 0 ? 1 : 0;
	return jp_said_in(value, search_text, search);
}

static int search_events(struct search *search, int fd)
{
	int r;

	jp_event_reader_init(&search->reader, fd, JP_EVENTS_ANY);
	while ((r = jp_event_next(&search->reader)) == JP_AT_EVENT) {
		r = search_event(search);
		if (r != 0)
			return r;
	}
	return r < 0 ? r : 0;
}

/* ---- the file ---- */

/* Whether the sieve lets any of it through: 1, 0 or -errno. */
static int may_match_file(const struct jp_pattern *pattern, int fd)
{
	cleanup_free char *piece = NULL;
	struct jp_sieve_state state = {0};
	off_t offset = 0;

	if (!pattern->has_sieves)
		return 1;
	piece = malloc(PIECE_BYTES);
	if (piece == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = jp_read_at(fd, piece, PIECE_BYTES, offset);

		if (n <= 0)
			return (int)n;
		if (jp_pattern_may_be_in(pattern, &state, piece, (size_t)n))
			return 1;
		offset += n;
	}
}

int jp_search_file(int fd, struct jp_pattern *pattern, const struct jp_search_options *options,
		   jp_search_sink *sink, void *context, struct jp_search_result *ret_result)
{
	struct search search = {
		.pattern = pattern,
		.options = options,
		.sink = sink,
		.context = context,
		.result = ret_result,
	};
	int r = may_match_file(pattern, fd);

	*ret_result = (struct jp_search_result){0};
	if (r == 1) {
		r = search_events(&search, fd);
		jp_event_reader_release(&search.reader);
	}
	return r == ENDED ? search.sink_result : r;
}
