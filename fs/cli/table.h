/*
 * Rows in columns, as wide as the terminal is.
 *
 * Widths are those that a terminal shows: a Chinese character takes two columns, a combining mark
 * none. What a cell holds may come from anywhere, and what could speak to a terminal or turn its
 * text around is shown as '?'.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum jpfs_colour {
	JPFS_PLAIN,
	JPFS_BOLD,
	JPFS_DIM,
	JPFS_YELLOW,
	JPFS_RED,
};

struct jpfs_column {
	const char *title;
	size_t columns_min;  /* may be cut to so many; 0: never cut */
	unsigned importance; /* 0: always shown; else the highest is left out first */
	bool is_right;       /* aligned, for numbers */
};

struct jpfs_table;

/*
 * Begin a table.
 *
 * Shape:   columns    `count` of them, 16 at most, borrowed, must outlive the table
 *          ret_table  new; jpfs_table_free() it
 */
must_check int jpfs_table_new(const struct jpfs_column *columns, size_t count,
			      struct jpfs_table **ret_table);
void jpfs_table_free(struct jpfs_table *table);

/* Add the next cell, row by row. The text, UTF-8, is copied; what is none becomes '?'. */
must_check int jpfs_table_add(struct jpfs_table *table, const char *text, enum jpfs_colour colour);

/*
 * Print a line of titles and the rows. A column without content in any row is left out.
 *
 * Shape:   columns     of the terminal; 0: as many as it takes
 *          has_colour  colours and the bold line of titles may be used
 */
void jpfs_table_print(const struct jpfs_table *table, FILE *to, size_t columns, bool has_colour);

/* Print text of any bytes to a terminal: what it would obey instead of showing it, and what is no
 * text, as '?'. Tabs and line ends stay. `text` is changed on the way. */
void jpfs_print_clean(char *text, size_t size, FILE *to);

/* How wide the terminal on stdout is; 0 when stdout is none. */
size_t jpfs_terminal_columns(void);

static inline void jpfs_table_freep(struct jpfs_table **table)
{
	jpfs_table_free(*table);
	*table = NULL;
}

#define cleanup_table __attribute__((cleanup(jpfs_table_freep)))
