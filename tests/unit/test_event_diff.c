/* Which events two streams do not have in common, and that in words. */
#include "core/event_diff.h"
#include "tests/unit/harness.h"

/* An event for each letter, in its minute; a small one has another content than the large one of
 * the same time. '+' after it: with metadata. */
static int make(const char *letters)
{
	char text[8192] = "[";
	size_t used = 1;

	for (const char *c = letters; *c != '\0'; c++) {
		bool is_amended = c[1] == '+';

		used += (size_t)snprintf(
			text + used, sizeof(text) - used,
			"%s{\"timestamp\": \"2026-03-05 19:%02d:45.5\", \"type\": \"chat_request\","
			" %s\"content\": \"says %c\"}",
			used > 1 ? ", " : "", (*c & 31), is_amended ? "\"metadata\": {}, " : "",
			*c);
		c += is_amended ? 1 : 0;
	}
	(void)snprintf(text + used, sizeof(text) - used, "]");
	return jp_test_file(text, strlen(text));
}

/* Both in one line: the changes, and the words. */
static void compare(const char *old_letters, const char *new_letters, const char *expected,
		    const char *words)
{
	cleanup_close int old_fd = make(old_letters), new_fd = make(new_letters);
	cleanup_events struct jp_events old = {0}, new = {0};
	struct jp_event_changes changes = {0};
	char text[256] = "", phrase[JP_PHRASE_BYTES] = "";

	CU_ASSERT_EQUAL(jp_events_read(old_fd, &old), 0);
	CU_ASSERT_EQUAL(jp_events_read(new_fd, &new), 0);
	CU_ASSERT_EQUAL(jp_events_compare(&old, &new, &changes), 0);
	for (size_t i = 0; i < changes.count; i++) {
		const struct jp_event_change *item = &changes.items[i];
		size_t used = strlen(text);
		const struct jp_told_event *event = item->kind == JP_EVENT_ADDED
							    ? &new.items[item->new_index]
							    : &old.items[item->old_index];

		(void)snprintf(text + used, sizeof(text) - used, "%c%c", "+-~"[item->kind],
			       event -> excerpt[5]);
	}
	jp_events_phrase(&changes, &old, phrase);
	CHECK(strcmp(text, expected) == 0, "%s %s: %s", old_letters, new_letters, text);
	CHECK(strcmp(phrase, words) == 0, "%s %s: %s", old_letters, new_letters, phrase);
	CHECK(changes.added + changes.removed + changes.changed == changes.count, "%s",
	      old_letters);
	free(changes.items);
}

static void changes_are_found_and_told(void)
{
	static const struct {
		const char *old, *new, *expected, *words;
	} rows[] = {
		{"", "", "", "the same events"},
		{"ABC", "ABC", "", "the same events, ends 2026-03-05 19:03"},
		{"AB+C", "ABC", "", "the same events, ends 2026-03-05 19:03"},
		{"ABCD", "ABC", "-D", "1 event more, ends 2026-03-05 19:04"},
		{"ABCDEF", "ABC", "-D-E-F", "3 events more, ends 2026-03-05 19:06"},
		{"ABC", "ABCD", "+D", "1 event fewer, ends 2026-03-05 19:03"},
		{"ABC", "AC", "-B", "1 event more, ends 2026-03-05 19:03"},
		{"AbC", "ABC", "~b", "1 event other, ends 2026-03-05 19:03"},
		{"AbCD", "ABCEF", "~b-D+E+F",
		 "1 event more, 1 other, 2 fewer, ends 2026-03-05 19:04"},
		{"ABCD", "BXD", "-A-C+X", "2 events more, 1 fewer, ends 2026-03-05 19:04"},
		{"ABC", "", "-A-B-C", "3 events more, ends 2026-03-05 19:03"},
		{"", "AB", "+A+B", "2 events fewer"},
		{"AABB", "ABAB", "-A+A", "1 event more, 1 fewer, ends 2026-03-05 19:02"},
		{"XabcY", "XABCY", "~a~b~c", "3 events other, ends 2026-03-05 19:25"},
		{"XabY", "XQABY", "+Q~a~b", "2 events other, 1 fewer, ends 2026-03-05 19:25"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		compare(rows[i].old, rows[i].new, rows[i].expected, rows[i].words);
}

static void what_cannot_be_compared_is_said(void)
{
	static const char *const texts[] = {"", "{}", "[1]", "[{}", "[{}] x", "\x80"};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		cleanup_close int fd = jp_test_file(texts[i], strlen(texts[i]));
		cleanup_events struct jp_events events = {0};

		CHECK(jp_events_read(fd, &events) == -EBADMSG, "%s", texts[i]);
		CU_ASSERT_EQUAL(events.count, 0);
	}
}

static void excerpts_are_one_short_line(void)
{
	static const struct {
		const char *event, *expected;
	} rows[] = {
		{"{\"type\": \"chat_request\", \"content\": \" # One\\n\\ttwo \\u001b[31m \"}",
		 "# One two [31m"},
		{"{\"type\": \"chat_response\", \"message\": \"said\"}", "said"},
		{"{\"type\": \"chat_response\", \"reasoning\": \"thought\"}", "thought"},
		{"{\"type\": \"tool_call_request\", \"name\": \"fs_read\"}", "fs_read"},
		{"{\"type\": \"tool_call_response\", \"content\": \"YWJj\"}", ""},
		{"{\"type\": \"inquiry_request\", \"question\": {\"text\": \"Really?\"}}",
		 "Really?"},
		{"{\"type\": 1, \"content\": 2}", ""},
		{"{}", ""},
	};
	char many[1024];
	size_t used;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[256];
		cleanup_close int fd = -EBADF;
		cleanup_events struct jp_events events = {0};

		(void)snprintf(text, sizeof(text), "[%s]", rows[i].event);
		fd = jp_test_file(text, strlen(text));
		CU_ASSERT_EQUAL(jp_events_read(fd, &events), 0);
		CHECK(events.count == 1 && strcmp(events.items[0].excerpt, rows[i].expected) == 0,
		      "%s: %s", rows[i].event, events.count == 1 ? events.items[0].excerpt : "");
	}
	used = (size_t)snprintf(many, sizeof(many), "[{\"content\": \"");
	for (int i = 0; i < 200; i++)
		used += (size_t)snprintf(many + used, sizeof(many) - used, "\u00e4");
	(void)snprintf(many + used, sizeof(many) - used, "\"}]");
	{
		cleanup_close int fd = jp_test_file(many, strlen(many));
		cleanup_events struct jp_events events = {0};

		CU_ASSERT_EQUAL(jp_events_read(fd, &events), 0);
		CU_ASSERT(events.count == 1 && strlen(events.items[0].excerpt) == 120 * 2 + 3);
	}
}

/* More than can be compared one by one: what is alike at both ends still is. */
static void long_streams_are_compared_at_their_ends(void)
{
	struct jp_events old = {calloc(5000, sizeof(struct jp_told_event)), 5000};
	struct jp_events new = {calloc(5000, sizeof(struct jp_told_event)), 5000};
	struct jp_event_changes changes = {0};

	CU_ASSERT(old.items != NULL && new.items != NULL);
	for (size_t i = 0; i < 5000; i++) {
		bool is_end = i < 100 || i >= 4900;

		old.items[i] = (struct jp_told_event){.type = strdup("a"),
						      .time = strdup(""),
						      .excerpt = strdup(""),
						      .key = {i, 0}};
		new.items[i] = (struct jp_told_event){.type = strdup("b"),
						      .time = strdup(""),
						      .excerpt = strdup(""),
						      .key = {i, is_end ? 0 : 1}};
	}
	CU_ASSERT_EQUAL(jp_events_compare(&old, &new, &changes), 0);
	CU_ASSERT_EQUAL(changes.removed, 4800);
	CU_ASSERT_EQUAL(changes.added, 4800);
	free(changes.items);
	jp_events_release(&old);
	jp_events_release(&new);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(changes_are_found_and_told),
		TEST(what_cannot_be_compared_is_said),
		TEST(excerpts_are_one_short_line),
		TEST(long_streams_are_compared_at_their_ends),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("event_diff", tests);
}
