/* Which directory names are conversations. */
#include "tests/unit/harness.h"

#include "core/conversation_id.h"

#include <inttypes.h>

struct row {
	const char *name;
	uint64_t id;
};

static void check_parsed(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t id = 0;

		CHECK(jp_conversation_id_parse(rows[i].name, &id) == 0, "%s", rows[i].name);
		CHECK(id == rows[i].id, "%s is %" PRIu64, rows[i].name, id);
	}
}

static void check_refused(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t id = 42;

		CHECK(jp_conversation_id_parse(names[i], &id) == -EINVAL, "\"%s\"", names[i]);
		CHECK(id == 42, "\"%s\" changed the result", names[i]);
	}
}

static void the_digits_before_the_first_dash_are_the_id(void)
{
	static const struct row rows[] = {
		{"17457886043", 17457886043},
		{"17457886043-", 17457886043},
		{"17457886043-a-title", 17457886043},
		{"17457886043---lead", 17457886043},
		{"17457886043-日本語-の-タイトル", 17457886043},
		{"17457886043-\xff\xfe", 17457886043},
		{"17457886043-1", 17457886043},
	};

	check_parsed(rows, COUNT_OF(rows));
}

static void a_short_number_is_an_id_too(void)
{
	static const struct row rows[] = {
		{"0", 0}, {"0-x", 0}, {"5-x", 5}, {"2024-notes", 2024}, {"4913", 4913},
	};

	check_parsed(rows, COUNT_OF(rows));
}

static void the_largest_id_is_the_last_that_fits_nanoseconds(void)
{
	static const struct row rows[] = {
		{"92233720368", JP_CONVERSATION_ID_MAX},
		{"92233720368-x", JP_CONVERSATION_ID_MAX},
	};
	static const char *const refused[] = {
		"92233720369",
		"99999999999-x",
		"922337203680",
		"18446744073709551616-wraps-to-0",
		"184467440737095516160000000000000000000000000000000000000000",
	};

	check_parsed(rows, COUNT_OF(rows));
	check_refused(refused, COUNT_OF(refused));
	CU_ASSERT_EQUAL(strlen("92233720368") + 1, JP_CONVERSATION_ID_TEXT_BYTES);
}

static void a_sign_or_a_leading_zero_is_no_id(void)
{
	static const char *const names[] = {
		"+5-x", "-5", "-", "+17457886043", "0017457886043-x", "017457886043", "00", "00-x",
	};

	check_refused(names, COUNT_OF(names));
}

static void only_a_dash_or_the_end_may_follow_the_digits(void)
{
	static const char *const names[] = {
		"17457886043foo", "17457886043_x", "17457886043 -x", "17457886043.md",
		"17457886043.",   "17457886043~",  "17457886043\n",  "1745e3-x",
	};

	check_refused(names, COUNT_OF(names));
}

static void a_name_without_leading_digits_is_no_id(void)
{
	static const char *const names[] = {
		"",           " 17457886043-x", "x17457886043",    ".17457886043",  ".trash",
		"１７４５-x", "\xff",           "jp-c17457886043", "#17457886043#",
	};

	check_refused(names, COUNT_OF(names));
}

static void jps_loader_takes_whatever_begins_with_the_digits(void)
{
	static const struct {
		uint64_t id;
		const char *name;
		bool begins;
	} rows[] = {
		{17457886043, "17457886043", true},
		{17457886043, "17457886043-title", true},
		{17457886043, "17457886043.md", true},
		{17457886043, "17457886043.bak", true},
		{17457886043, "174578860431-another", true},
		{17457886043, "1745788604", false},
		{17457886043, "017457886043", false},
		{17457886043, ".17457886043", false},
		{17457886043, "", false},
		{0, "0", true},
		{0, "", false},
		{UINT64_MAX, "18446744073709551615", true},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(jp_conversation_id_begins(rows[i].id, rows[i].name) == rows[i].begins, "%s",
		      rows[i].name);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(the_digits_before_the_first_dash_are_the_id),
		TEST(a_short_number_is_an_id_too),
		TEST(the_largest_id_is_the_last_that_fits_nanoseconds),
		TEST(a_sign_or_a_leading_zero_is_no_id),
		TEST(only_a_dash_or_the_end_may_follow_the_digits),
		TEST(a_name_without_leading_digits_is_no_id),
		TEST(jps_loader_takes_whatever_begins_with_the_digits),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("conversation_id", tests);
}
