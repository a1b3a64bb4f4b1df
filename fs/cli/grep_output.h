/*
 * What `jpfs grep` prints: for people, for programs that read lines, and as JSON.
 *
 * Nothing that was said reaches the output but as text: what a terminal would obey is shown as '?',
 * wherever the output goes, because a pager is a terminal, too.
 */
#pragma once

#include "core/search.h"
#include "fs/cli/sources.h"

enum jpfs_grep_form {
	JPFS_GREP_LINES,         /* those that match */
	JPFS_GREP_CONVERSATIONS, /* that have one */
	JPFS_GREP_COUNTS,        /* ... and how many */
};

struct jpfs_grep_output {
	const struct jpfs_sources *sources; /* borrowed */
	enum jpfs_grep_form form;
	bool as_json, has_colour;
	bool without_heading; /* the ID stands in each line */
};

/* A conversation that is printed; `title` NULL: it has none. */
struct jpfs_grep_place {
	const struct jpfs_listed *row;
	const char *title;
};

/* The line above the others of a conversation, where there is one. */
void jpfs_grep_print_heading(const struct jpfs_grep_output *output,
			     const struct jpfs_grep_place *place, FILE *to);

/* A line; the pattern tells which of it to make stand out. 0, -ENOMEM. */
must_check int jpfs_grep_print_line(const struct jpfs_grep_output *output,
				    const struct jpfs_grep_place *place,
				    const struct jp_found *found, struct jp_pattern *pattern,
				    FILE *to);

/* A conversation as a whole, for the forms that have no lines. 0, -ENOMEM. */
must_check int jpfs_grep_print_conversation(const struct jpfs_grep_output *output,
					    const struct jpfs_grep_place *place, uint64_t lines,
					    FILE *to);
