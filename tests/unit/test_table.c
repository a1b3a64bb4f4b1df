/* Tables: what fits, what is cut, what a terminal never gets. */
#include "tests/unit/harness.h"

#include "fs/cli/table.h"

static const struct jpfs_column columns[] = {
	{.title = "ID"},
	{.title = "N", .is_right = true, .importance = 1},
	{.title = "NEVER", .importance = 9},
	{.title = "WHO", .columns_min = 4, .importance = 2},
	{.title = "TITLE", .columns_min = 6},
};

struct row {
	const char *cells[COUNT_OF(columns)];
};

/* What is printed; free() it. */
static char *print(const struct row *rows, size_t count, size_t width)
{
	cleanup_table struct jpfs_table *table = NULL;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	CU_ASSERT_EQUAL(jpfs_table_new(columns, COUNT_OF(columns), &table), 0);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < COUNT_OF(columns); k++)
			CU_ASSERT_EQUAL(jpfs_table_add(table, rows[i].cells[k], JPFS_PLAIN), 0);
	}
	jpfs_table_print(table, to, width, false);
	(void)fclose(to);
	return text;
}

static void check(const struct row *rows, size_t count, size_t width, const char *expected)
{
	cleanup_free char *text = print(rows, count, width);

	CHECK(strcmp(text, expected) == 0, "%zu columns:\n%s\nnot\n%s", width, text, expected);
}

static const struct row two[] = {
	{{"1745", "7", "", "somebody", "A rather long title"}},
	{{"17", "1234", "", "me", "B"}},
};

static void columns_are_as_wide_as_their_content(void)
{
	check(two, 2, 0,
	      "ID       N  WHO       TITLE\n"
	      "1745     7  somebody  A rather long title\n"
	      "17    1234  me        B\n");
	check(two, 2, 41,
	      "ID       N  WHO       TITLE\n"
	      "1745     7  somebody  A rather long title\n"
	      "17    1234  me        B\n");
}

static void the_widest_is_cut_first(void)
{
	check(two, 2, 40,
	      "ID       N  WHO       TITLE\n"
	      "1745     7  somebody  A rather long tit…\n"
	      "17    1234  me        B\n");
	check(two, 2, 28,
	      "ID       N  WHO      TITLE\n"
	      "1745     7  somebo…  A rath…\n"
	      "17    1234  me       B\n");
}

static void what_is_least_important_goes_when_cutting_does_not_help(void)
{
	check(two, 2, 23,
	      "ID       N  TITLE\n"
	      "1745     7  A rather l…\n"
	      "17    1234  B\n");
	check(two, 2, 15,
	      "ID    TITLE\n"
	      "1745  A rather…\n"
	      "17    B\n");
	/* No terminal is as narrow; nothing else is left out then. */
	check(two, 2, 3,
	      "ID    TI…\n"
	      "1745  A …\n"
	      "17    B\n");
}

static void no_line_is_wider_than_the_terminal(void)
{
	for (size_t width = 12; width < 60; width++) {
		cleanup_free char *text = print(two, 2, width);
		char *rest = text, *line;

		while ((line = strsep(&rest, "\n")) != NULL) {
			size_t columns_used = 0;

			for (const char *c = line; *c != '\0'; c++)
				columns_used += (*c & 0xc0) != 0x80 ? 1 : 0;
			CHECK(columns_used <= width, "%zu: %s", width, line);
		}
	}
}

static void characters_are_measured_as_a_terminal_shows_them(void)
{
	static const struct row wide[] = {
		{{"1", "", "", "日本", "日本語のタイトル"}},
		{{"2", "", "", "abcd", "e\u0301clair \U0001f600!"}},
		{{"3", "", "", "é", "x"}},
	};

	check(wide, 3, 0,
	      "ID  WHO   TITLE\n"
	      "1   日本  日本語のタイトル\n"
	      "2   abcd  e\u0301clair \U0001f600!\n"
	      "3   é     x\n");
	/* Eight columns: three wide characters and the ellipsis are seven. */
	check(wide, 3, 18,
	      "ID  WHO   TITLE\n"
	      "1   日本  日本語…\n"
	      "2   abcd  e\u0301clair …\n"
	      "3   é     x\n");
}

static void nothing_that_a_terminal_obeys_reaches_it(void)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{"a\033[31mb", "a?[31mb"},
		{"two\nlines\r\t\a\b", "two?lines????"},
		{"\x7f", "?"},
		{"\xc2\x9b"
		 "31m",
		 "?31m"}, /* CSI in one character */
		{"\xe2\x80\xae"
		 "txt.exe",
		 "?txt.exe"},          /* turns the text around */
		{"\xe2\x80\xa8", "?"}, /* a line separator */
		{"\xe2\x81\xa6x", "?x"},
		{"\xf3\xa0\x80\xa0", "?"}, /* an invisible tag */
		{"\xff\xfe", "??"},        /* no UTF-8 */
		{"caf\xe9", "caf?"},
		{"\xed\xa0\x80", "???"}, /* a surrogate */
		{"a\u0301\u0301\u0301\u0301\u0301\u0301\u0301b", "a\u0301\u0301\u0301\u0301b"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row row = {{"1", "", "", "", rows[i].text}};
		char expected[128];

		(void)snprintf(expected, sizeof(expected), "ID  TITLE\n1   %s\n", rows[i].expected);
		check(&row, 1, 0, expected);
	}
}

static void colours_are_around_the_text_only(void)
{
	static const struct jpfs_column plain[] = {{.title = "A"}, {.title = "B"}};
	cleanup_table struct jpfs_table *table = NULL;
	cleanup_free char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	CU_ASSERT_EQUAL(jpfs_table_new(plain, 2, &table), 0);
	CU_ASSERT_EQUAL(jpfs_table_add(table, "wide", JPFS_RED), 0);
	CU_ASSERT_EQUAL(jpfs_table_add(table, "x", JPFS_PLAIN), 0);
	CU_ASSERT_EQUAL(jpfs_table_add(table, "", JPFS_DIM), 0);
	CU_ASSERT_EQUAL(jpfs_table_add(table, "y", JPFS_PLAIN), 0);
	jpfs_table_print(table, to, 0, true);
	(void)fclose(to);
	CU_ASSERT_STRING_EQUAL(text, "\033[1mA\033[0m     \033[1mB\033[0m\n"
				     "\033[31mwide\033[0m  x\n"
				     "      y\n");
}

static void a_very_long_text_is_cut_quickly(void)
{
	cleanup_free char *text = malloc(1000001), *out = NULL;
	const struct row row = {{"1", "", "", "", text}};

	memset(text, 'x', 1000000);
	text[1000000] = '\0';
	out = print(&row, 1, 80);
	CU_ASSERT_EQUAL(strlen(out), strlen("ID  TITLE\n") + 79 + strlen("…\n"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(columns_are_as_wide_as_their_content),
		TEST(the_widest_is_cut_first),
		TEST(what_is_least_important_goes_when_cutting_does_not_help),
		TEST(no_line_is_wider_than_the_terminal),
		TEST(characters_are_measured_as_a_terminal_shows_them),
		TEST(nothing_that_a_terminal_obeys_reaches_it),
		TEST(colours_are_around_the_text_only),
		TEST(a_very_long_text_is_cut_quickly),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("table", tests);
}
