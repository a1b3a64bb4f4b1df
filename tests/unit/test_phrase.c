/* Times and sizes as a person says them. */
#include "tests/unit/harness.h"

#include "core/timestamp.h"
#include "fs/cli/phrase.h"

#include <time.h>

#define NOW INT64_C(1772739105000000000) /* 2026-03-05 19:31:45 UTC */

static void a_time_is_told_from_now(void)
{
	static const struct {
		double distance_s;
		const char *expected;
	} rows[] = {
		{0, "just now"},
		{0.4, "just now"},
		{59.9, "just now"},
		{60, "1 minute ago"},
		{119.9, "1 minute ago"},
		{120, "2 minutes ago"},
		{3599, "59 minutes ago"},
		{3600, "1 hour ago"},
		{86399, "23 hours ago"},
		{86400, "1 day ago"},
		{3 * 86400, "3 days ago"},
		{30 * 86400, "30 days ago"},
		{30 * 86400 + 1, "2026-02-03"},
		{365 * 86400, "2025-03-05"},
		{-0.4, "just now"},
		{-1, "in 1 second"},
		{-59, "in 59 seconds"},
		{-60, "in 1 minute"},
		{-7200, "in 2 hours"},
		{-86400, "in 1 day"},
		{-31 * 86400, "2026-04-05"},
	};

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char phrase[JPFS_PHRASE_BYTES];

		jpfs_phrase_time(NOW - (int64_t)(rows[i].distance_s * 1e9), NOW, phrase);
		CHECK(strcmp(phrase, rows[i].expected) == 0, "%s, not %s", phrase,
		      rows[i].expected);
	}
}

static void a_date_is_local(void)
{
	char phrase[JPFS_PHRASE_BYTES];

	setenv("TZ", "UTC+10", 1); /* ten hours behind */
	tzset();
	jpfs_phrase_time(0, NOW, phrase);
	CU_ASSERT_STRING_EQUAL(phrase, "1969-12-31");
	setenv("TZ", "UTC", 1);
	tzset();
}

static void times_at_the_ends_are_no_trouble(void)
{
	char phrase[JPFS_PHRASE_BYTES];

	jpfs_phrase_time(JP_TIME_UNKNOWN, NOW, phrase);
	CU_ASSERT_STRING_EQUAL(phrase, "");
	jpfs_phrase_time(JP_TIME_UNKNOWN + 1, NOW, phrase);
	CU_ASSERT_STRING_EQUAL(phrase, "1677-09-21");
	jpfs_phrase_time(INT64_MAX, -1, phrase);
	CU_ASSERT_STRING_EQUAL(phrase, "2262-04-11");
	jpfs_phrase_time(INT64_MIN + 1, INT64_MAX, phrase);
	CU_ASSERT_STRING_EQUAL(phrase, "1677-09-21");
}

static void a_size_has_two_digits_or_more(void)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} rows[] = {
		{0, "0"},
		{1023, "1023"},
		{1024, "1.0K"},
		{1536, "1.5K"},
		{10188, "9.9K"},
		{10189, "10K"},
		{206952, "202K"},
		{1048063, "1023K"},
		{1048064, "1.0M"},
		{UINT64_C(5) << 30, "5.0G"},
		{UINT64_C(1) << 40, "1.0T"},
		{UINT64_MAX, "16E"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char phrase[JPFS_PHRASE_BYTES];

		jpfs_phrase_size(rows[i].bytes, phrase);
		CHECK(strcmp(phrase, rows[i].expected) == 0, "%s, not %s", phrase,
		      rows[i].expected);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_time_is_told_from_now),
		TEST(a_date_is_local),
		TEST(times_at_the_ends_are_no_trouble),
		TEST(a_size_has_two_digits_or_more),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("phrase", tests);
}
