/* Events are read one at a time, by jp's rules or whatever they are. */
#include "tests/unit/harness.h"

#include "core/event_reader.h"

static void what_is_no_event_is_counted_and_passed(void)
{
	static const char text[] = "[1, {\"type\": \"turn_start\"}, [{\"a\": {}}], \"{}\", null, "
				   "{\"b\": \"}{\"} , []]";
	cleanup_close int fd = jp_test_file(text, strlen(text));
	cleanup_event_reader struct jp_event_reader reader;

	jp_event_reader_init(&reader, fd, JP_EVENTS_ANY);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_EVENT);
	CU_ASSERT_EQUAL(reader.event.strangers, 1);
	CU_ASSERT_EQUAL(reader.event.kind, JP_TURN_START);
	CU_ASSERT_EQUAL(reader.event.size, strlen("{\"type\": \"turn_start\"}"));
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_EVENT);
	CU_ASSERT_EQUAL(reader.event.strangers, 3);
	CHECK(reader.event.size == 11 && memcmp(reader.event.text, "{\"b\": \"}{\"}", 11) == 0,
	      "%.*s", (int)reader.event.size, reader.event.text);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_END);
	CU_ASSERT_EQUAL(reader.event.strangers, 1);
}

static void by_jps_rules_it_ends_the_reading(void)
{
	static const char text[] = "[{\"type\": \"turn_start\"}, {\"type\": 1, \"timestamp\": 2}]";
	cleanup_close int fd = jp_test_file(text, strlen(text));
	cleanup_event_reader struct jp_event_reader reader;

	jp_event_reader_init(&reader, fd, JP_EVENTS_AS_JP);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_NOTHING);
}

static void an_event_too_large_has_no_text_and_the_next_has(void)
{
	static const char begin[] = "[{\"type\": \"turn_start\", \"x\": \"";
	static const char end[] = "\"},{\"type\":\"config_delta\"}]";
	size_t filling = JP_EVENT_BYTES_MAX + 100000;
	size_t size = strlen(begin) + filling + strlen(end);
	cleanup_free char *text = malloc(size);
	cleanup_close int fd = -EBADF;
	cleanup_event_reader struct jp_event_reader reader;

	memcpy(text, begin, strlen(begin));
	memset(text + strlen(begin), 'x', filling);
	memcpy(text + strlen(begin) + filling, end, strlen(end));
	fd = jp_test_file(text, size);
	jp_event_reader_init(&reader, fd, JP_EVENTS_ANY);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_EVENT);
	CU_ASSERT_PTR_NULL(reader.event.text);
	CU_ASSERT_EQUAL(reader.event.kind, JP_TURN_START);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_EVENT);
	CHECK(reader.event.text != NULL && reader.event.size == 23 &&
		      memcmp(reader.event.text, "{\"type\":\"config_delta\"}", 23) == 0,
	      "%zu bytes", reader.event.size);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_END);
}

static void where_json_ends_is_told(void)
{
	static const char text[] = "[{\"a\": 1},\n<<<<<<< HEAD\n{\"b\": 1}]";
	cleanup_close int fd = jp_test_file(text, strlen(text));
	cleanup_event_reader struct jp_event_reader reader;

	jp_event_reader_init(&reader, fd, JP_EVENTS_ANY);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_EVENT);
	CU_ASSERT_EQUAL(jp_event_next(&reader), JP_AT_NOTHING);
	CU_ASSERT_EQUAL(jp_event_reader_position(&reader), 9);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_no_event_is_counted_and_passed),
		TEST(by_jps_rules_it_ends_the_reading),
		TEST(an_event_too_large_has_no_text_and_the_next_has),
		TEST(where_json_ends_is_told),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("event_reader", tests);
}
