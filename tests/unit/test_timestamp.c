/* Timestamps as jp reads and writes them. */
#include "tests/unit/harness.h"

#include "core/timestamp.h"

#include <inttypes.h>

static int parse(const char *text, int64_t *ret_ns)
{
	return jp_timestamp_parse(text, strlen(text), ret_ns);
}

static void what_jp_writes_is_utc(void)
{
	static const struct {
		const char *text;
		int64_t expected_ns;
	} rows[] = {
		{"1970-01-01 00:00:00.0", 0},
		{"1970-01-01 00:00:00.5", 500000000},
		{"1970-01-02 00:00:00.000000001", INT64_C(86400000000001)},
		{"2026-03-05 19:31:45.777733", INT64_C(1772739105777733000)},
		{"2026-05-29 19:42:36.46732", INT64_C(1780083756467320000)},
		{"2026-03-05 19:31:45", INT64_C(1772739105000000000)},
		{"2024-02-29 00:00:00.0", INT64_C(1709164800000000000)},
		{"1969-12-31 23:59:59.5", -500000000},
		{"2262-04-11 23:47:16.854775807", INT64_MAX},
	};

	setenv("TZ", "America/New_York", 1); /* makes no difference */
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t ns = 0;

		CHECK(parse(rows[i].text, &ns) == 0 && ns == rows[i].expected_ns, "%s: %" PRId64,
		      rows[i].text, ns);
	}
}

static void a_zone_is_taken_into_account(void)
{
	static const char *const same[] = {
		"2026-03-05T19:31:45.5Z",      "2026-03-05t19:31:45.5z",
		"2026-03-05 19:31:45.5Z",      "2026-03-05T19:31:45.5+00:00",
		"2026-03-05T21:31:45.5+02:00", "2026-03-05T14:01:45.500-05:30",
		"2026-03-06T00:31:45.5+05:00", "2026-03-05T19:31:45.500000000000-00:00",
	};

	for (size_t i = 0; i < COUNT_OF(same); i++) {
		int64_t ns = 0;

		CHECK(parse(same[i], &ns) == 0 && ns == INT64_C(1772739105500000000),
		      "%s: %" PRId64, same[i], ns);
	}
}

static void digits_after_the_ninth_are_left_out_and_a_leap_second_is_the_next(void)
{
	int64_t ns = 0;

	CU_ASSERT_EQUAL(parse("1970-01-01 00:00:00.1234567899", &ns), 0);
	CU_ASSERT_EQUAL(ns, 123456789);
	CU_ASSERT_EQUAL(parse("2016-12-31T23:59:60Z", &ns), 0);
	CU_ASSERT_EQUAL(ns, INT64_C(1483228800000000000));
}

static void what_is_no_timestamp_is_refused(void)
{
	static const char *const texts[] = {
		"",
		"2026",
		"2026-03-05",
		"2026-03-05 19:31",
		"2026-03-05T19:31:45", /* without a zone it is jp's own form, and that has a blank */
		"2026-13-05 19:31:45",
		"2026-00-05 19:31:45",
		"2026-02-29 19:31:45",
		"1900-02-29 19:31:45",
		"2026-03-00 19:31:45",
		"2026-03-05 24:00:00",
		"2026-03-05 19:60:00",
		"2026-03-05 19:31:61",
		"2026-03-05 19:31:45.",
		"2026-03-05 19:31:45. 5",
		"2026-03-05  19:31:45",
		" 2026-03-05 19:31:45",
		"2026-03-05 19:31:45 ",
		"2026-03-05 19:31:45Zz",
		"2026-03-05T19:31:45+0200",
		"2026-03-05T19:31:45+02",
		"2026-03-05T19:31:45+24:00",
		"+026-03-05 19:31:45",
		"-026-03-05 19:31:45",
		"2026-03-05_19:31:45",
		"yesterday",
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		int64_t ns = 42;

		CHECK(parse(texts[i], &ns) == -EINVAL && ns == 42, "%s: %" PRId64, texts[i], ns);
	}
}

static void what_nanoseconds_cannot_hold_is_out_of_range(void)
{
	static const char *const texts[] = {"0000-01-01 00:00:00", "1600-01-01 00:00:00",
					    "2262-04-11 23:47:16.854775808", "9999-12-31 23:59:59"};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		int64_t ns = 42;

		CHECK(parse(texts[i], &ns) == -ERANGE && ns == 42, "%s", texts[i]);
	}
}

static void only_so_many_bytes_are_read(void)
{
	int64_t ns = 0;

	CU_ASSERT_EQUAL(jp_timestamp_parse("1970-01-01 00:00:01junk", 19, &ns), 0);
	CU_ASSERT_EQUAL(ns, 1000000000);
	for (size_t size = 0; size < 19; size++)
		CU_ASSERT_EQUAL(jp_timestamp_parse("1970-01-01 00:00:01", size, &ns), -EINVAL);
	CU_ASSERT_EQUAL(jp_timestamp_parse("1970-01-01\0"
					   "00:00:01",
					   19, &ns),
			-EINVAL);
}

static void what_is_written_is_read_back(void)
{
	static const struct {
		int64_t ns;
		const char *expected;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
		{INT64_C(1772739105777733000), "2026-03-05T19:31:45.777733Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
		{INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[JP_TIMESTAMP_TEXT_BYTES];
		int64_t ns = 0;

		jp_timestamp_format(rows[i].ns, text);
		CHECK(strcmp(text, rows[i].expected) == 0, "%s", text);
		if (rows[i].ns > INT64_MIN + 1000000000) /* its second alone is before the first */
			CHECK(parse(text, &ns) == 0 && ns == rows[i].ns, "%s", text);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_jp_writes_is_utc),
		TEST(a_zone_is_taken_into_account),
		TEST(digits_after_the_ninth_are_left_out_and_a_leap_second_is_the_next),
		TEST(what_is_no_timestamp_is_refused),
		TEST(what_nanoseconds_cannot_hold_is_out_of_range),
		TEST(only_so_many_bytes_are_read),
		TEST(what_is_written_is_read_back),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("timestamp", tests);
}
