/*
 * A table that fits. See table.h.
 *
 * Every cell is cleaned and measured once, when it is added; printing only adds up and cuts. The
 * measure is wcwidth(3) in a UTF-8 locale of our own, so that it depends neither on the user's
 * locale nor on a process-wide one: what jp writes is UTF-8 whatever LANG says.
 */
#include "fs/cli/table.h"

#include "core/base/utf8.h"

#include <assert.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

enum {
	COLUMNS_MAX = 16, /* of a table */
	GAP_COLUMNS = 2,
	TERMINAL_COLUMNS = 80,        /* when nobody says how many there are */
	TERMINAL_COLUMNS_MAX = 10000, /* a larger COLUMNS is a mistake */
	/* Marks on one character; the languages that need most need four. More are a prank that
	 * covers the lines above. */
	MARKS_MAX = 4,
};

static const char ellipsis[] = "…"; /* one column */

static const char *const codes[] = {
	[JPFS_PLAIN] = "",          [JPFS_BOLD] = "\033[1m", [JPFS_DIM] = "\033[2m",
	[JPFS_YELLOW] = "\033[33m", [JPFS_RED] = "\033[31m",
};

struct cell {
	char *text; /* harmless UTF-8; owned */
	size_t columns;
	enum jpfs_colour colour;
};

struct jpfs_table {
	const struct jpfs_column *columns; /* borrowed */
	size_t column_count;
	struct cell *cells; /* row by row */
	size_t cell_count, cell_room;
	locale_t locale; /* 0 when there is no UTF-8 one; then every character counts one column */
};

/* ---- cells ---- */

/* The columns of a character, -1 when it cannot be shown. The table's locale is in use. */
static int columns_of(const struct jpfs_table *table, uint32_t code)
{
	if (jp_utf8_is_control(code))
		return -1;
	if (code < 0x7f || table->locale == (locale_t)0)
		return 1;
	return wcwidth((wchar_t)code);
}

/* Copy a text, with '?' for what cannot be shown. The table's locale is in use. */
static int clean(const struct jpfs_table *table, const char *from, struct cell *ret)
{
	size_t size = strlen(from), used = 0, columns = 0, marks = 0;
	char *source = strdup(from), *text = malloc(size + 1);

	if (source == NULL || text == NULL) {
		free(source);
		free(text);
		return -ENOMEM;
	}
	jp_utf8_make_valid(source);
	for (size_t i = 0, step; i < size; i += step) {
		uint32_t code;
		int width;

		step = jp_utf8_next(source + i, size - i, &code);
		width = columns_of(table, code);
		marks = width == 0 ? marks + 1 : 0;
		if (marks > MARKS_MAX)
			continue;
		if (width < 0) {
			text[used++] = '?';
			columns++;
			continue;
		}
		memcpy(text + used, source + i, step);
		used += step;
		columns += (size_t)width;
	}
	text[used] = '\0';
	free(source);
	ret->text = text;
	ret->columns = columns;
	return 0;
}

/* The bytes of a cell's text that fit into so many columns, and the columns that they take: one
 * less where half a wide character would be the next. */
static size_t fitting_bytes(const struct jpfs_table *table, const struct cell *cell, size_t columns,
			    size_t *ret_columns)
{
	size_t size = strlen(cell->text), at = 0, used = 0;

	while (at < size) {
		uint32_t code;
		size_t step = jp_utf8_next(cell->text + at, size - at, &code);
		size_t width = (size_t)columns_of(table, code);

		if (used + width > columns)
			break;
		used += width;
		at += step;
	}
	*ret_columns = used;
	return at;
}

/* ---- building ---- */

int jpfs_table_new(const struct jpfs_column *columns, size_t count, struct jpfs_table **ret_table)
{
	struct jpfs_table *table = calloc(1, sizeof(*table));

	assert(count > 0 && count <= COLUMNS_MAX);
	if (table == NULL)
		return -ENOMEM;
	table->columns = columns;
	table->column_count = count;
	table->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	*ret_table = table;
	return 0;
}

void jpfs_table_free(struct jpfs_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	if (table->locale != (locale_t)0)
		freelocale(table->locale);
	free(table);
}

int jpfs_table_add(struct jpfs_table *table, const char *text, enum jpfs_colour colour)
{
	locale_t before;
	int r;

	if (table->cell_count == table->cell_room) {
		size_t room = table->cell_room == 0 ? 64 : table->cell_room * 2;
		struct cell *grown = reallocarray(table->cells, room, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		table->cells = grown;
		table->cell_room = room;
	}
	before = uselocale(table->locale); /* (locale_t)0 changes nothing */
	r = clean(table, text, &table->cells[table->cell_count]);
	(void)uselocale(before);
	if (r < 0)
		return r;
	table->cells[table->cell_count++].colour = colour;
	return 0;
}

/* ---- printing ---- */

/* How wide each column is where there is room: its widest cell; 0 when none has content. */
static void measure(const struct jpfs_table *table, size_t *widths)
{
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = 0;
	for (size_t row = 0; row < table->cell_count; row += table->column_count) {
		for (size_t i = 0; i < table->column_count; i++) {
			if (table->cells[row + i].columns > widths[i])
				widths[i] = table->cells[row + i].columns;
		}
	}
	for (size_t i = 0; i < table->column_count; i++) {
		size_t title = strlen(table->columns[i].title);

		if (widths[i] > 0 && widths[i] < title)
			widths[i] = title;
	}
}

static size_t total_of(const struct jpfs_table *table, const size_t *widths)
{
	size_t total = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] > 0)
			total += widths[i] + (total > 0 ? GAP_COLUMNS : 0);
	}
	return total;
}

/* The widest column that may be cut further, or `column_count`. */
static size_t widest_to_cut(const struct jpfs_table *table, const size_t *widths)
{
	size_t found = table->column_count;

	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].columns_min == 0 ||
		    widths[i] <= table->columns[i].columns_min)
			continue;
		if (found == table->column_count || widths[i] > widths[found])
			found = i;
	}
	return found;
}

/* Leave out the least important column. False: those that are left are all to stay. */
static bool leave_one_out(const struct jpfs_table *table, size_t *widths)
{
	size_t found = table->column_count;

	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] == 0 || table->columns[i].importance == 0)
			continue;
		if (found == table->column_count ||
		    table->columns[i].importance > table->columns[found].importance)
			found = i;
	}
	if (found == table->column_count)
		return false;
	widths[found] = 0;
	return true;
}

/* Make it fit, as far as that goes: cut what may be cut, then leave out what may be left out. */
static void fit(const struct jpfs_table *table, const size_t *natural, size_t *widths, size_t room)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].columns_min > 0 && widths[i] > room)
			widths[i] = room;
	}
	while (total_of(table, widths) > room) {
		size_t widest = widest_to_cut(table, widths);

		if (widest < table->column_count)
			widths[widest]--;
		else if (!leave_one_out(table, widths))
			break;
	}
	/* What was cut before another column was left out gets that one's room, the last one first. */
	for (size_t i = table->column_count; i-- > 0;) {
		while (widths[i] > 0 && widths[i] < natural[i] && total_of(table, widths) < room)
			widths[i]++;
	}
}

static void print_spaces(FILE *to, size_t count)
{
	(void)fprintf(to, "%*s", (int)count, "");
}

static void print_cell(const struct jpfs_table *table, FILE *to, const struct cell *cell,
		       size_t width, bool is_right, bool is_last)
{
	size_t columns = cell->columns, bytes = strlen(cell->text);
	bool is_cut = columns > width, is_coloured = cell->colour != JPFS_PLAIN && bytes > 0;

	if (is_cut) {
		bytes = fitting_bytes(table, cell, width - 1, &columns);
		columns++; /* the ellipsis */
	}
	if (is_right)
		print_spaces(to, width - columns);
	if (is_coloured)
		(void)fputs(codes[cell->colour], to);
	(void)fwrite(cell->text, 1, bytes, to);
	if (is_cut)
		(void)fputs(ellipsis, to);
	if (is_coloured)
		(void)fputs("\033[0m", to);
	if (!is_right && !is_last)
		print_spaces(to, width - columns);
}

/* One line; without `cells` that of the titles. */
static void print_line(const struct jpfs_table *table, FILE *to, const struct cell *cells,
		       const size_t *widths, bool has_colour)
{
	size_t last = table->column_count - 1;
	bool is_first = true;

	while (last > 0 && widths[last] == 0)
		last--;
	for (size_t i = 0; i <= last; i++) {
		char *title = (char *)table->columns[i].title; /* only read */
		struct cell cell = {title, strlen(title), JPFS_BOLD};

		if (widths[i] == 0)
			continue;
		if (cells != NULL)
			cell = cells[i];
		if (!has_colour)
			cell.colour = JPFS_PLAIN;
		if (!is_first)
			print_spaces(to, GAP_COLUMNS);
		is_first = false;
		print_cell(table, to, &cell, widths[i], table->columns[i].is_right, i == last);
	}
	(void)putc('\n', to);
}

void jpfs_table_print(const struct jpfs_table *table, FILE *to, size_t columns, bool has_colour)
{
	size_t natural[COLUMNS_MAX], widths[COLUMNS_MAX];
	locale_t before;

	assert(table->cell_count % table->column_count == 0); /* whole rows */
	measure(table, natural);
	memcpy(widths, natural, sizeof(widths));
	if (columns > 0)
		fit(table, natural, widths, columns);
	before = uselocale(table->locale);
	print_line(table, to, NULL, widths, has_colour);
	for (size_t i = 0; i < table->cell_count; i += table->column_count)
		print_line(table, to, &table->cells[i], widths, has_colour);
	(void)uselocale(before);
}

void jpfs_print_clean(char *text, size_t size, FILE *to)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\0')
			text[i] = '?';
	}
	if (!jp_utf8_is_valid(text, size)) {
		for (size_t i = 0; i < size; i++) {
			if ((unsigned char)text[i] >= 0x80)
				text[i] = '?';
		}
	}
	for (size_t i = 0, step; i < size; i += step) {
		uint32_t code;

		step = jp_utf8_next(text + i, size - i, &code);
		if (jp_utf8_is_control(code) && code != '\n' && code != '\t')
			(void)fputc('?', to); /* main() looks at stdout when all is done */
		else
			(void)fwrite(text + i, 1, step, to);
	}
}

size_t jpfs_terminal_columns(void)
{
	const char *said = getenv("COLUMNS");
	struct winsize size;
	unsigned long columns;
	char *end;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	if (said == NULL || said[0] < '0' || said[0] > '9')
		return TERMINAL_COLUMNS;
	columns = strtoul(said, &end, 10);
	return *end == '\0' && columns > 0 && columns <= TERMINAL_COLUMNS_MAX ? columns
									      : TERMINAL_COLUMNS;
}
