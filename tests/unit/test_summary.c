/* What is told of a conversation, from files as jp writes them and as others leave them. */
#include "tests/unit/harness.h"

#include "core/managed.h"
#include "core/summary.h"

#include <inttypes.h>

#define ID UINT64_C(17457886043)
#define EVENT(type, time) "{\"timestamp\": \"2026-03-05 19:31:" time "\", \"type\": \"" type "\"}"
#define AT(seconds_tenths) (INT64_C(1772739060000000000) + INT64_C(100000000) * (seconds_tenths))

static void put(const struct jp_test_dir *dir, const char *name, const char *text)
{
	cleanup_close int fd =
		openat(dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CU_ASSERT_EQUAL(jp_write_all(fd, text, strlen(text), 0), 0);
}

static void an_ordinary_conversation_is_summed_up(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_summary struct jp_summary summary = {0};
	static const char metadata[] =
		"{\"title\": \"A \\u00fcber \\\"title\\\"\", \"last_activated_at\": "
		"\"2026-03-05 19:31:45.5\", \"pinned_at\": \"2026-03-05 19:31:45.5\", "
		"\"expires_at\": \"2026-03-05T20:31:50+01:00\", \"labels\": {\"a\": \"b\"}, "
		"\"origin\": \"feature\", \"parent_id\": 7}";
	static const char events[] =
		"[" EVENT("turn_start", "01.0") "," EVENT("chat_request", "02.0") "," EVENT(
			"turn_start", "03.0") "," EVENT("later_invention", "47.5") "]";

	jp_test_dir_open(&dir);
	put(&dir, "metadata.json", metadata);
	put(&dir, "base_config.json", "{}");
	put(&dir, "events.json", events);
	put(&dir, "NOTE", "12345");
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "sub", 0700), 0);
	put(&dir, "sub/file", "123");
	CU_ASSERT_EQUAL(symlinkat("NOTE", dir.fd, "link"), 0);
	CU_ASSERT_EQUAL(jp_summary_read(dir.fd, ID, &summary), 0);
	CU_ASSERT_STRING_EQUAL(summary.title, "A über \"title\"");
	CU_ASSERT_STRING_EQUAL(summary.origin, "feature");
	CU_ASSERT_EQUAL(summary.created_ns, INT64_C(1745788604300000000));
	CU_ASSERT_EQUAL(summary.last_event_ns, AT(475));
	CU_ASSERT_EQUAL(summary.last_activated_ns, AT(455));
	CU_ASSERT_EQUAL(summary.expires_ns, AT(500));
	CU_ASSERT_EQUAL(jp_summary_activity_ns(&summary), AT(475));
	CU_ASSERT_EQUAL(summary.events, 4);
	CU_ASSERT_EQUAL(summary.turns, 2);
	CU_ASSERT_EQUAL(summary.bytes, strlen(metadata) + 2 + strlen(events) + 5 + 3);
	CU_ASSERT_TRUE(summary.is_pinned);
	CU_ASSERT_EQUAL(summary.damaged, 0);
}

static void events_are_counted_as_jp_understands_them(void)
{
	static const struct {
		const char *text;
		uint64_t events, turns;
		int64_t last_ns;
		bool is_damaged;
		bool has_base; /* base_config.json is there */
	} rows[] = {
		{"[]", 0, 0, JP_TIME_UNKNOWN, false, true},
		{"[]\n", 0, 0, JP_TIME_UNKNOWN, false, false},
		/* the two-file layout */
		{"[" EVENT("config_delta", "01.0") "]", 0, 0, AT(10), false, false},
		{"[" EVENT("config_delta", "01.0") "]", 1, 0, AT(10), false, true},
		{"[" EVENT("config_delta", "01.0") "," EVENT("config_delta", "02.0") "]", 1, 0,
		 AT(20), false, false},
		{"[" EVENT("turn_start", "01.0") "," EVENT("config_delta", "02.0") "]", 2, 1,
		 AT(20), false, false},
		/* turns: those before the first start are one, what is of no turn is none */
		{"[" EVENT("chat_request", "01.0") "," EVENT("chat_response", "02.0") "]", 2, 1,
		 AT(20), false, true},
		{"[" EVENT("chat_request", "01.0") "," EVENT("turn_start", "02.0") "]", 2, 2,
		 AT(20), false, true},
		{"[" EVENT("config_delta", "01.0") "," EVENT("compaction", "02.0") "," EVENT(
			 "turn_start", "03.0") "]",
		 3, 1, AT(30), false, true},
		/* keys in any order, deeper ones of the same name, escapes */
		{"[{\"type\": \"turn_start\", \"x\": {\"timestamp\": \"1999\", \"type\": 1}, "
		 "\"\\u0074imestamp\": \"2026-03-05T19:31:01.0Z\"}]",
		 1, 1, AT(10), false, true},
		/* times that are none */
		{"[" EVENT("turn_start", "01.0") ",{\"timestamp\": 7, \"type\": \"x\"}]", 2, 1,
		 JP_TIME_UNKNOWN, false, true},
		{"[{\"timestamp\": \"soon\", \"type\": null}]", 1, 0, JP_TIME_UNKNOWN, false, true},
		{"[{\"timestamp\": [\"2026-03-05 19:31:01.0\"], \"type\": \"x\"}]", 1, 0,
		 JP_TIME_UNKNOWN, false, true},
		/* what jp refuses: as much as can be had */
		{"[" EVENT("turn_start", "01.0") ",{\"timestamp\": \"2026", 1, 1, AT(10), true,
		 true},
		{"[" EVENT("turn_start", "01.0") "," EVENT("chat_request", "02.0"), 2, 1, AT(20),
		 true, true},
		{"[" EVENT("turn_start", "01.0") ",\n<<<<<<< HEAD\n", 1, 1, AT(10), true, true},
		{"[" EVENT("turn_start", "01.0") "]x", 1, 1, AT(10), true, true},
		{"[{}]", 1, 0, JP_TIME_UNKNOWN, true, true},
		{"[{\"type\": \"turn_start\"}]", 1, 1, JP_TIME_UNKNOWN, true, true},
		{"[{\"type\": \"a\", \"type\": \"b\", \"timestamp\": 1}]", 1, 0, JP_TIME_UNKNOWN,
		 true, true},
		{"[1, \"a\", null, [], [\"timestamp\", \"type\"], {\"timestamp\":1,\"type\":1}]", 6,
		 0, JP_TIME_UNKNOWN, true, true},
		{"{\"timestamp\": 1, \"type\": 2}", 0, 0, JP_TIME_UNKNOWN, true, true},
		{"null", 0, 0, JP_TIME_UNKNOWN, true, true},
		{"", 0, 0, JP_TIME_UNKNOWN, true, true},
		{"\xef\xbb\xbf[]", 0, 0, JP_TIME_UNKNOWN, true, true},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_summary struct jp_summary summary = {0};

		jp_test_dir_open(&dir);
		put(&dir, "metadata.json", "{\"last_activated_at\": \"2026-03-05 19:31:00.0\"}");
		put(&dir, "events.json", rows[i].text);
		if (rows[i].has_base)
			put(&dir, "base_config.json", "{}");
		CU_ASSERT_EQUAL(jp_summary_read(dir.fd, ID, &summary), 0);
		CHECK(summary.events == rows[i].events && summary.turns == rows[i].turns,
		      "row %zu: %" PRIu64 " events, %" PRIu64 " turns", i, summary.events,
		      summary.turns);
		CHECK(summary.last_event_ns == rows[i].last_ns, "row %zu: %" PRId64, i,
		      summary.last_event_ns);
		CHECK(summary.damaged == (rows[i].is_damaged ? 1U << JP_EVENTS : 0), "row %zu: %#x",
		      i, summary.damaged);
	}
}

static void the_activity_is_that_of_whatever_is_known(void)
{
	struct jp_summary summary = {.created_ns = 1, .last_activated_ns = 2, .last_event_ns = 3};

	CU_ASSERT_EQUAL(jp_summary_activity_ns(&summary), 3);
	summary.last_event_ns = JP_TIME_UNKNOWN;
	CU_ASSERT_EQUAL(jp_summary_activity_ns(&summary), 2);
	summary.last_activated_ns = JP_TIME_UNKNOWN;
	CU_ASSERT_EQUAL(jp_summary_activity_ns(&summary), 1);
}

static void metadata_may_be_anything(void)
{
	static const struct {
		const char *text;
		const char *title;
		bool is_damaged;
	} rows[] = {
		{"{}", NULL, false},
		{"{\"title\": null, \"pinned_at\": null, \"expires_at\": null}", NULL, false},
		{"{\"title\": \"\"}", NULL, false},
		{"{\"title\": 7, \"origin\": [1], \"last_activated_at\": {}}", NULL, false},
		{"{\"title\": \"a\\u0000b\\n\\u001b[31m\"}", "a?b\n\033[31m", false},
		{"{\"title\": \"first\", \"title\": \"second\"}", "second", false},
		{"{\"title\": \"t\", \"expires_at\": \"never\", \"x\": [{}]}", "t", false},
		{"[]", NULL, true},
		{"\"title\"", NULL, true},
		{"{\"title\": \"t\"", NULL, true},
		{"{\"title\": \"\xff\"}", NULL, true},
		{"{\"title\": \"t\"} {}", NULL, true},
		{"", NULL, true},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_summary struct jp_summary summary = {0};

		jp_test_dir_open(&dir);
		put(&dir, "metadata.json", rows[i].text);
		put(&dir, "events.json", "[]");
		CU_ASSERT_EQUAL(jp_summary_read(dir.fd, ID, &summary), 0);
		CHECK(rows[i].title == NULL
			      ? summary.title == NULL
			      : summary.title != NULL && strcmp(summary.title, rows[i].title) == 0,
		      "row %zu: %s", i, summary.title != NULL ? summary.title : "none");
		CHECK(summary.damaged == (rows[i].is_damaged ? 1U << JP_METADATA : 0), "row %zu",
		      i);
		CU_ASSERT_FALSE(summary.is_pinned);
		CU_ASSERT_EQUAL(summary.expires_ns, JP_TIME_UNKNOWN);
		CU_ASSERT_EQUAL(jp_summary_activity_ns(&summary), summary.created_ns);
	}
}

static void files_that_are_none_are_damaged_and_do_not_hang(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_summary struct jp_summary empty = {0}, odd = {0};
	const unsigned both = 1U << JP_METADATA | 1U << JP_EVENTS;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(jp_summary_read(dir.fd, ID, &empty), 0);
	CU_ASSERT_EQUAL(empty.damaged, both);
	CU_ASSERT_EQUAL(empty.bytes, 0);
	CU_ASSERT_EQUAL(jp_summary_activity_ns(&empty), empty.created_ns);
	CU_ASSERT_EQUAL(mkfifoat(dir.fd, "events.json", 0600), 0);
	CU_ASSERT_EQUAL(symlinkat("/etc/passwd", dir.fd, "metadata.json"), 0);
	CU_ASSERT_EQUAL(jp_summary_read(dir.fd, ID, &odd), 0);
	CU_ASSERT_EQUAL(odd.damaged, both);
	CU_ASSERT_EQUAL(odd.bytes, 0);
	CU_ASSERT_EQUAL(jp_summary_of_unreadable(ID).damaged, both);
	CU_ASSERT_EQUAL(jp_summary_of_unreadable(ID).created_ns, empty.created_ns);
}

static void metadata_beyond_all_measure_are_not_read(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_summary struct jp_summary summary = {0};
	cleanup_close int fd = -EBADF;

	jp_test_dir_open(&dir);
	put(&dir, "metadata.json", "{\"title\": \"t\"}");
	put(&dir, "events.json", "[]");
	fd = openat(dir.fd, "metadata.json", O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(ftruncate(fd, INT64_C(1) << 40), 0);
	CU_ASSERT_EQUAL(jp_summary_read(dir.fd, ID, &summary), 0);
	CU_ASSERT_EQUAL(summary.damaged, 1U << JP_METADATA);
	CU_ASSERT_EQUAL(summary.bytes, (UINT64_C(1) << 40) + 2);
}

static void real_conversations_are_summed_up(void)
{
	/* Counted with `jq length` and `grep -c turn_start`, less the base configuration. */
	static const struct {
		const char *directory;
		const char *title, *last_event;
		uint64_t events, turns;
	} rows[] = {
		{"17648402467-flexible-llm-provider-architecture-design",
		 "Flexible LLM Provider Architecture Design", "2025-12-04T10:29:19.567634Z", 9, 1},
		{"17727391057-managing-jp-conversations-in-git-worktrees",
		 "Managing JP conversations in git worktrees", "2026-03-05T21:29:13.361936Z", 117,
		 8},
		{"17800836875-jp-init-xdg-directory-issue-on-linux",
		 "jp init XDG directory issue on Linux", "2026-05-29T20:05:32.078219Z", 93, 4},
	};
	char path[PATH_MAX];
	cleanup_closedir DIR *dir = NULL;
	unsigned seen = 0;

	if (jp_test_fixtures(path) == NULL)
		return;
	dir = opendir(path);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		cleanup_summary struct jp_summary summary = {0};
		cleanup_close int fd = -EBADF;
		char last[JP_TIMESTAMP_TEXT_BYTES];

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		CU_ASSERT_EQUAL(jp_summary_read(fd, strtoull(entry->d_name, NULL, 10), &summary),
				0);
		CHECK(summary.damaged == 0 && summary.title != NULL && summary.events > 0 &&
			      summary.turns > 0 && summary.bytes > 10000,
		      "%s", entry->d_name);
		CHECK(summary.last_event_ns > summary.created_ns &&
			      summary.last_activated_ns >= summary.created_ns,
		      "%s", entry->d_name);
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			if (strcmp(entry->d_name, rows[i].directory) != 0)
				continue;
			jp_timestamp_format(summary.last_event_ns, last);
			CHECK(strcmp(summary.title, rows[i].title) == 0, "%s", summary.title);
			CHECK(strcmp(last, rows[i].last_event) == 0, "%s", last);
			CHECK(summary.events == rows[i].events && summary.turns == rows[i].turns,
			      "%s: %" PRIu64 ", %" PRIu64, entry->d_name, summary.events,
			      summary.turns);
			seen++;
		}
	}
	CU_ASSERT_EQUAL(seen, COUNT_OF(rows));
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(an_ordinary_conversation_is_summed_up),
		TEST(events_are_counted_as_jp_understands_them),
		TEST(the_activity_is_that_of_whatever_is_known),
		TEST(metadata_may_be_anything),
		TEST(files_that_are_none_are_damaged_and_do_not_hang),
		TEST(metadata_beyond_all_measure_are_not_read),
		TEST(real_conversations_are_summed_up),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("summary", tests);
}
