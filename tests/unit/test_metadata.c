/* Which of two metadata.json is earlier. */
#include "tests/unit/harness.h"

#include "core/metadata.h"

static int text_fd(const char *text)
{
	int fd = memfd_create("metadata", MFD_CLOEXEC);

	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void the_one_that_was_activated_before_is_earlier(void)
{
	static const struct {
		const char *first, *second;
		int expected;
	} rows[] = {
		{"2026-03-05 19:31:45.7", "2026-03-05 19:31:46.0", 1},
		{"2026-03-05 19:31:46.0", "2026-03-05 19:31:45.7", 0},
		{"2026-03-05 19:31:45.7", "2026-03-05 19:31:45.7", 0},
		{"2026-03-05 19:31:45.45", "2026-03-05 19:31:45.5", 1},
		{"2026-03-05 19:31:45.5", "2026-03-05 19:31:45.45", 0},
		{"2026-03-05 19:31:45.0", "2026-03-05 19:31:45.000000001", 1},
		{"2026-03-05 19:31:45.5", "2026-03-05 19:31:45.501", 1},
		{"2026-03-05T19:31:45.7Z", "2026-03-05 19:31:46.0", 1},
		{"2026-03-05T19:31:46Z", "2026-03-05 19:31:46.0", 0},
		{"2026-03-05T21:31:45+02:00", "2026-03-05 19:31:46.0", 1},
		{"2026-03-05 19:31:45.0", "2026-03-05T20:00:00+02:00", 0},
		{"2026-03-05 19:31:45", "2026-03-05 19:31:46.0", 1},
		{"yesterday", "2026-03-05 19:31:46.0", 0},
		{"2026-03-05 19:31:46.0", "tomorrow", 0},
		{"", "2026-03-05 19:31:46.0", 0},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char first[128], second[128];
		cleanup_close int one = -EBADF, other = -EBADF;

		(void)snprintf(first, sizeof(first), "{\"last_activated_at\": \"%s\"}",
			       rows[i].first);
		(void)snprintf(second, sizeof(second),
			       "{\"title\": \"t\", \"last_activated_at\": \"%s\"}", rows[i].second);
		one = text_fd(first);
		other = text_fd(second);
		CHECK(jp_metadata_is_earlier(one, other) == rows[i].expected, "row %zu", i);
	}
}

static void what_cannot_be_read_is_not_earlier(void)
{
	static const char *const texts[] = {"",
					    "[]",
					    "{",
					    "{\"last_activated_at\": 1}",
					    "null",
					    "{\"last_activated_at\": \"2026-03-05 19:31:44.0\", "
					    "\"last_activated_at\": \"2026-03-05 19:31:45.0\"}"};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		cleanup_close int one = text_fd(texts[i]);
		cleanup_close int other =
			text_fd("{\"last_activated_at\": \"2026-03-05 19:31:46.0\"}");

		CHECK(jp_metadata_is_earlier(one, other) == 0, "%s", texts[i]);
		CHECK(jp_metadata_is_earlier(other, one) == 0, "%s", texts[i]);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(the_one_that_was_activated_before_is_earlier),
		TEST(what_cannot_be_read_is_not_earlier),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("metadata", tests);
}
