/* When one version of events.json is contained in another. */
#include "tests/unit/harness.h"

#include "core/stream.h"

#include <dirent.h>

enum {
	PIECE_BYTES = 64 * 1024, /* in which the two are compared */
	PREFIXES = 12,           /* of each real file */
};

/* Events as jp writes them. */
#define E1 "  {\n    \"type\": \"turn_start\",\n    \"timestamp\": \"2026-03-05 19:31:45.0\"\n  }"
#define E2                                                                                         \
	"  {\n    \"type\": \"x\",\n    \"timestamp\": \"2026-03-05 19:31:46.0\",\n    \"a\": "    \
	"[]\n  }"
#define G2                                                                                         \
	"  {\n    \"type\": \"x\",\n    \"timestamp\": \"2026-03-05 19:31:46.0\",\n    \"a\": "    \
	"[],\n    \"b\": 1\n  }"
#define E3 "  {\n    \"type\": \"y\",\n    \"timestamp\": \"2026-03-05 19:31:47.0\"\n  }"
#define DELTA(time) "{\"type\":\"config_delta\",\"timestamp\":\"" time "\",\"delta\":{}}"
#define ONE "[\n" E1 "\n]\n"
#define TWO "[\n" E1 ",\n" E2 "\n]\n"
#define THREE "[\n" E1 ",\n" E2 ",\n" E3 "\n]\n"

struct row {
	const char *older;
	const char *newer;
};

static int contains(const char *older, size_t older_size, const char *newer, size_t newer_size)
{
	cleanup_close int older_fd = jp_test_file(older, older_size);
	cleanup_close int newer_fd = jp_test_file(newer, newer_size);

	return jp_stream_contains(older_fd, newer_fd);
}

static void check_rows(const struct row *rows, size_t count, int expected)
{
	for (size_t i = 0; i < count; i++)
		CHECK(contains(rows[i].older, strlen(rows[i].older), rows[i].newer,
			       strlen(rows[i].newer)) == expected,
		      "row %zu, %s\nin %s", i, rows[i].older, rows[i].newer);
}

#define CHECK_CONTAINS(expected, ...)                                                              \
	do {                                                                                       \
		static const struct row rows[] = {__VA_ARGS__};                                    \
		check_rows(rows, COUNT_OF(rows), expected);                                        \
	} while (0)

static void equal_bytes_are_contained_whatever_they_are(void)
{
	CHECK_CONTAINS(1, {TWO, TWO}, {"[]", "[]"}, {"", ""}, {"no JSON", "no JSON"},
		       {"[1,2]", "[1,2]"});
}

static void events_that_were_appended_leave_the_older_version_contained(void)
{
	CHECK_CONTAINS(1, {ONE, TWO}, {ONE, THREE}, {TWO, THREE},
		       {"[\n" E1 "\n]", TWO},          /* no newline at the end */
		       {ONE, "[\n" E1 ",\n" E2 "\n]"}, /* nor here */
		       {ONE, "[\n" E1 ",\n{\"type\":1,\"timestamp\":2}]"}, /* by hand */
		       {"[\n[\n]\n]\n", "[\n[\n],\n[]\n]\n"});
}

static void an_empty_array_is_contained_in_every_array(void)
{
	CHECK_CONTAINS(1, {"[]", ONE}, {"[]\n", ONE}, {"[]\n", "[]"}, {"[]", "[]\n"},
		       {"[]\n", " \n\t\r[ ]"});
	CHECK_CONTAINS(0, {"[]\n", "{}\n"}, {"[]\n", ""}, {"[]", "\n"}, {"[]", "null"},
		       {"[]", "\"[\""});
}

static void an_edit_anywhere_before_the_end_is_not_contained(void)
{
	CHECK_CONTAINS(0, {TWO, "[\n" E1 ",\n" E3 "\n]\n"},
		       {TWO, "[\n" E2 ",\n" E1 ",\n" E3 "\n]\n"}, {TWO, "[\n" E2 "\n]\n"},
		       {"[\n" E2 "\n]\n", "[\n" E3 ",\n" E2 "\n]\n"});
}

static void a_version_that_lost_its_last_events_contains_no_longer_one(void)
{
	CHECK_CONTAINS(0, {TWO, ONE}, {THREE, TWO}, {TWO, "[]\n"}, {ONE, ""});
}

static void an_event_that_grew_is_not_an_event_appended(void)
{
	CHECK_CONTAINS(0, {"[\n1\n]\n", "[\n12,\n3\n]\n"}, {"[\n[1\n]\n", "[\n[1\n],\n2]\n"},
		       {"[\n" E2 "\n]\n", "[\n" G2 ",\n" E3 "\n]\n"});
}

static void what_is_no_stream_errs_on_the_side_of_keeping_a_copy(void)
{
	CHECK_CONTAINS(0, {"[\n1]\n", "[\n,\n"}, {"[1]", "[1,2]"}, {"[1]\n", "[1,\n2]\n"},
		       {"[\n1]\n", "[\n1,\n2]\n"}, {ONE, "[{\"type\":1}]"},
		       {"[\n1\n]\n\n", "[\n1,\n2\n]\n"}, {"", ONE}, {"]", ONE}, {"[]x", ONE},
		       {"a[]", ONE});
	CHECK_CONTAINS(1, {"\n]\n", ",\nx"}); /* what is no JSON loses no bytes either */
}

static void events_are_compared_as_values(void)
{
	static const char packed[] =
		"[{\"timestamp\":\"2026-03-05 19:31:45.0\",\"type\":\"turn_start\"},"
		"{\"a\":[ ],\"type\":\"\\u0078\",\"timestamp\":\"2026-03-05 "
		"19:31:46.0\"}]";

	CHECK_CONTAINS(1, {TWO, packed}, {packed, TWO}, {packed, THREE}, {ONE, packed},
		       {"[ ]", ONE}, {"[\n]\n", ONE}, {ONE, "[\n" E1 " ,\n" E2 "\n]\n"});
	CHECK_CONTAINS(0, {THREE, packed}, {packed, ONE}, {packed, "[\n" E1 ",\n" G2 "\n]\n"});
}

static void what_jp_amends_does_not_count(void)
{
	/* Its metadata, as jp adds and removes them. */
	static const char plain[] = "[{\"type\":\"x\",\"timestamp\":\"t\",\"metadata\":{\"a\":1}}]";
	static const char amended[] =
		"[{\"type\":\"x\",\"timestamp\":\"t\",\"metadata\":{\"b\":[{}]}}, "
		"{\"type\":\"y\",\"timestamp\":\"t\"}]";
	static const char without[] = "[{\"type\":\"x\",\"timestamp\":\"t\"}]";
	static const char deeper[] =
		"[{\"type\":\"x\",\"timestamp\":\"t\",\"b\":{\"metadata\":1}}]";

	CHECK_CONTAINS(1, {plain, amended}, {plain, without}, {without, amended});
	CHECK_CONTAINS(0, {amended, plain}, {deeper, plain}, {deeper, without});
	/* A turn that was begun and left; but not one in the middle. */
	CHECK_CONTAINS(1, {"[\n" E2 ",\n" E1 "\n]\n", "[\n" E2 "\n]\n"},
		       {"[\n" E2 ",\n" E1 "\n]\n", "[\n" E2 ",\n" E3 "\n]\n"}, {ONE, "[]\n"});
	CHECK_CONTAINS(0, {"[\n" E2 ",\n" E1 ",\n" E3 "\n]\n", "[\n" E2 ",\n" E3 "\n]\n"},
		       {"[\n" E1 ",\n" E1 "\n]\n", "[]\n"});
}

static void the_base_configuration_is_left_apart(void)
{
	static const char base[] = "{\"type\":\"config_delta\",\"timestamp\":\"t\",\"delta\":{}}";
	char old_layout[1024], other[1024];

	(void)snprintf(old_layout, sizeof(old_layout), "[%s,%s]", base, E2);
	(void)snprintf(other, sizeof(other), "[%s,%s,%s]", base, E2, E3);
	CU_ASSERT_EQUAL(contains(old_layout, strlen(old_layout), "[" E2 "]", strlen("[" E2 "]")),
			1);
	CU_ASSERT_EQUAL(contains("[" E2 "]", strlen("[" E2 "]"), old_layout, strlen(old_layout)),
			1);
	CU_ASSERT_EQUAL(contains(old_layout, strlen(old_layout), other, strlen(other)), 1);
	CU_ASSERT_EQUAL(contains(other, strlen(other), old_layout, strlen(old_layout)), 0);
	CU_ASSERT_EQUAL(contains("[" E2 "]", strlen("[" E2 "]"), other, strlen(other)), 1);
	CU_ASSERT_EQUAL(contains(other, strlen(other), "[" E2 "]", strlen("[" E2 "]")), 0);
}

static void deep_nesting_is_no_danger(void)
{
	enum { DEPTH = 200000 };
	cleanup_free char *older = malloc(2 * DEPTH + 100), *newer = malloc(2 * DEPTH + 100);
	size_t size;

	if (older == NULL || newer == NULL)
		abort();
	size = (size_t)sprintf(older, "[{\"type\":1,\"timestamp\":2,\"a\":");
	memset(older + size, '[', DEPTH);
	memset(older + size + DEPTH, ']', DEPTH);
	size += 2 * (size_t)DEPTH;
	memcpy(older + size, "}]", 3);
	memcpy(newer, older, size + 3);
	newer[9] = '3'; /* the type */
	CU_ASSERT_EQUAL(contains(older, size + 2, newer, size + 2), 0);
	memcpy(newer, older, size + 3);
	memcpy(newer + size, "} ]", 4);
	CU_ASSERT_EQUAL(contains(older, size + 2, newer, size + 3), 1);
}

static void the_separator_may_end_the_newer_file(void)
{
	CHECK_CONTAINS(1, {"[\n1\n]\n", "[\n1,\n"}); /* cut off, but nothing of the older is lost */
	CHECK_CONTAINS(0, {"[\n1\n]\n", "[\n1,"}, {"[\n1\n]\n", "[\n1"}, {"[\n1\n]\n", "[\n"});
}

/* An array around one long string: `size` bytes before the tail. */
static char *long_body(size_t size)
{
	char *text = malloc(size + 8);

	if (text == NULL)
		abort();
	memset(text, 'a', size);
	memcpy(text, "[\n\"", 3);
	text[size - 1] = '"';
	return text;
}

static void size_makes_no_difference(void)
{
	static const size_t sizes[] = {
		PIECE_BYTES - 1,     PIECE_BYTES,     PIECE_BYTES + 1,
		2 * PIECE_BYTES - 1, 2 * PIECE_BYTES, 5 * PIECE_BYTES + 3,
	};

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t size = sizes[i];
		const size_t places[] = {3, PIECE_BYTES - 2, PIECE_BYTES, size - 2, size - 1};
		cleanup_free char *older = long_body(size), *newer = long_body(size);

		memcpy(older + size, "\n]\n", 3);
		memcpy(newer + size, ",\n1\n]\n", 6);
		CHECK(contains(older, size + 3, newer, size + 6) == 1, "%zu", size);
		CHECK(contains(older, size + 2, newer, size + 6) == 1, "%zu", size);
		CHECK(contains(newer, size + 6, older, size + 3) == 0, "%zu", size);
		for (size_t j = 0; j < COUNT_OF(places); j++) {
			char *changed = &newer[places[j]], was = *changed;

			if (places[j] >= size)
				continue;
			*changed = 'b';
			CHECK(contains(older, size + 3, newer, size + 6) == 0, "%zu at %zu", size,
			      places[j]);
			*changed = was;
		}
	}
}

static void offsets_are_not_moved(void)
{
	cleanup_close int older = jp_test_file(ONE, strlen(ONE));
	cleanup_close int newer = jp_test_file(TWO, strlen(TWO));

	CU_ASSERT_EQUAL(lseek(older, 5, SEEK_SET), 5);
	CU_ASSERT_EQUAL(lseek(newer, 7, SEEK_SET), 7);
	CU_ASSERT_EQUAL(jp_stream_contains(older, newer), 1);
	CU_ASSERT_EQUAL(lseek(older, 0, SEEK_CUR), 5);
	CU_ASSERT_EQUAL(lseek(newer, 0, SEEK_CUR), 7);
}

static void a_file_that_cannot_be_read_is_an_error_and_no_answer(void)
{
	cleanup_close int good = jp_test_file(ONE, strlen(ONE));
	cleanup_close int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CU_ASSERT_EQUAL(jp_stream_contains(-1, good), -EBADF);
	CU_ASSERT_EQUAL(jp_stream_contains(good, -1), -EBADF);
	CU_ASSERT(jp_stream_contains(good, dir) < 0);
	CU_ASSERT(jp_stream_contains(dir, good) < 0);
}

/* The real file as it was after some of its events: contained; and with a byte changed: not. */
static void check_real_file(int dirfd)
{
	cleanup_free char *text = NULL, *older = NULL;
	const char *at;
	char *stamp;
	size_t size = 0, step;

	if (jp_read_file(dirfd, "events.json", SIZE_MAX, &text, &size) < 0) {
		CU_FAIL("a real file cannot be read");
		return;
	}
	older = malloc(size + 4);
	if (older == NULL)
		abort();
	step = size / PREFIXES + 1;
	for (size_t from = 0; from < size && (at = strstr(text + from, "\n  },\n")) != NULL;
	     from += step) {
		size_t body = (size_t)(at - text) + strlen("\n  }");

		memcpy(older, text, body);
		memcpy(older + body, "\n]\n", 3);
		CU_ASSERT_EQUAL(contains(older, body + 3, text, size), 1);
		CU_ASSERT_EQUAL(contains(text, size, older, body + 3), 0);
		/* The first of several, or the base configuration, with another time. */
		older[body] = '\0';
		stamp = strstr(older, "\"timestamp\": \"2");
		older[body] = '\n';
		if (from == 0 || stamp == NULL)
			continue;
		stamp[strlen("\"timestamp\": \"")] = '3';
		CU_ASSERT_EQUAL(contains(older, body + 3, text, size), 0);
	}
}

static int is_earlier(const char *first, const char *second)
{
	cleanup_close int first_fd = jp_test_file(first, strlen(first));
	cleanup_close int second_fd = jp_test_file(second, strlen(second));

	return jp_stream_is_earlier(first_fd, second_fd);
}

static void only_one_with_fewer_events_is_earlier(void)
{
	static const char base[] = "{\"type\":\"config_delta\",\"timestamp\":\"t\",\"delta\":{}}";
	char with_base[1024];

	(void)snprintf(with_base, sizeof(with_base), "[%s,%s]", base, E2);
	CU_ASSERT_EQUAL(is_earlier("[\n" E2 "\n]\n", "[\n" E2 ",\n" E3 "\n]\n"), 1);
	CU_ASSERT_EQUAL(is_earlier("[\n" E2 ",\n" E3 "\n]\n", "[\n" E2 "\n]\n"), 0);
	CU_ASSERT_EQUAL(is_earlier("[" E2 "]", "[\n  " E2 " ,\t" E3 "]"), 1);
	/* Another spelling, or layout, is not another time. */
	CU_ASSERT_EQUAL(is_earlier("[" E2 "]", "[\n  " E2 "\n]\n"), 0);
	CU_ASSERT_EQUAL(is_earlier("[\n  " E2 "\n]\n", "[" E2 "]"), 0);
	CU_ASSERT_EQUAL(is_earlier(with_base, "[" E2 "]"), 0);
	CU_ASSERT_EQUAL(is_earlier("[" E2 "]", with_base), 0);
	CU_ASSERT_EQUAL(is_earlier("[" E2 "]", "[" E3 "," E2 "]"), 0);
	CU_ASSERT_EQUAL(is_earlier("[]", "[" E2 "]"), 1);
	/* A turn that was begun and left, and gone on with. */
	CU_ASSERT_EQUAL(is_earlier("[" E2 "," E1 "]", "[" E2 "," E3 "]"), 1);
	CU_ASSERT_EQUAL(is_earlier("[" E2 "," E1 "]", "[" E2 "]"), 0);
	CU_ASSERT_EQUAL(is_earlier("[" E2 "]", "[" E2 "," E1), 0);
}

static void a_base_configuration_that_stands_first_is_told_from_an_event(void)
{
	static const struct {
		const char *one;
		const char *beside; /* NULL: there is none */
		int expected;
	} rows[] = {
		{"[" DELTA("t") "]", NULL, 1},
		{"[" DELTA("t") "," E1 "]", TWO, 1},
		{"[" DELTA("t") "," E1 "]", "[" DELTA("u") "]", 1},
		{"[" DELTA("t") "," E1 "]", "no JSON", 1},
		{"[" DELTA("t") "," E1 "]", "[ " DELTA("t") "]", 0}, /* both have that event */
		{TWO, NULL, 0},
		{TWO, "[" DELTA("t") "," E1 "]", 0},
		{"[]", NULL, 0},
		{"no JSON", NULL, 0},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_close int one = jp_test_file(rows[i].one, strlen(rows[i].one));
		cleanup_close int beside =
			rows[i].beside == NULL
				? -EBADF
				: jp_test_file(rows[i].beside, strlen(rows[i].beside));

		CHECK(jp_stream_is_packed(one, beside) == rows[i].expected, "row %zu", i);
	}
}

static void every_real_conversation_contains_its_own_past(void)
{
	char path[PATH_MAX];
	cleanup_closedir DIR *dir = NULL;
	unsigned seen = 0;

	if (jp_test_fixtures(path) == NULL)
		return;
	dir = opendir(path);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		cleanup_close int fd = -EBADF;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check_real_file(fd);
		seen++;
	}
	CU_ASSERT(seen > 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(equal_bytes_are_contained_whatever_they_are),
		TEST(events_that_were_appended_leave_the_older_version_contained),
		TEST(an_empty_array_is_contained_in_every_array),
		TEST(an_edit_anywhere_before_the_end_is_not_contained),
		TEST(a_version_that_lost_its_last_events_contains_no_longer_one),
		TEST(an_event_that_grew_is_not_an_event_appended),
		TEST(what_is_no_stream_errs_on_the_side_of_keeping_a_copy),
		TEST(events_are_compared_as_values),
		TEST(what_jp_amends_does_not_count),
		TEST(the_base_configuration_is_left_apart),
		TEST(deep_nesting_is_no_danger),
		TEST(the_separator_may_end_the_newer_file),
		TEST(size_makes_no_difference),
		TEST(offsets_are_not_moved),
		TEST(a_file_that_cannot_be_read_is_an_error_and_no_answer),
		TEST(only_one_with_fewer_events_is_earlier),
		TEST(a_base_configuration_that_stands_first_is_told_from_an_event),
		TEST(every_real_conversation_contains_its_own_past),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("stream", tests);
}
