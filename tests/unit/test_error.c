/* Names that come from a repository, in messages: harmless to a terminal, and text in any case. */
#include "tests/unit/harness.h"

#include "core/base/error.h"
#include "core/base/utf8.h"

static void what_a_terminal_would_obey_is_never_in_a_message(void)
{
	static const struct {
		const char *name, *shown;
	} rows[] = {
		{"plain", "plain"},
		{"Grüße, 世界 😀", "Grüße, 世界 😀"},
		{"", ""},
		{"a\x1b[31mb", "a?[31mb"},
		{"two\nlines\r\ttab\x7f", "two?lines??tab?"},
		{"c1 \xc2\x9b"
		 "31m \xc2\x80\xc2\x9f.",
		 "c1 ?31m ??."}, /* CSI in one character */
		{"\xc2\xa0", "\xc2\xa0"},
		{"raw \x9b"
		 "31m",
		 "raw ?31m"},
		{"\xe2\x80\xae"
		 "gnp.exe",
		 "?gnp.exe"}, /* from right to left */
		{"\xe2\x81\xa6\xe2\x80\xa8\xe2\x80\xa9|", "???|"},
		{"\xf3\xa0\x81\x81|", "?|"}, /* a tag */
		{"bad \xff\xfe ok ü", "bad ?? ok ü"},
		{"cut \xe4\xb8", "cut ??"},
		{"overlong \xc0\xaf surrogate \xed\xa0\x80", "overlong ?? surrogate ???"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "%s", rows[i].name);
		jp_make_printable(text);
		CHECK(strcmp(text, rows[i].shown) == 0, "row %zu: %s", i, text);
		CHECK(jp_utf8_is_valid(text, strlen(text)), "row %zu", i);
	}
}

static void a_message_that_is_cut_in_a_character_is_text_all_the_same(void)
{
	struct jp_error error = {0};
	char name[sizeof(error.message) * 2] = "";

	for (size_t i = 0; i + 4 < sizeof(name); i += 3)
		memcpy(name + i, "世", 4);
	(void)jp_error_set(&error, -ENOENT, "x%s", name);
	CU_ASSERT_EQUAL(strlen(error.message), sizeof(error.message) - 1);
	CU_ASSERT(jp_utf8_is_valid(error.message, strlen(error.message)));
	CU_ASSERT_EQUAL(strncmp(error.message, "x世世", 7), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_a_terminal_would_obey_is_never_in_a_message),
		TEST(a_message_that_is_cut_in_a_character_is_text_all_the_same),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("error", tests);
}
