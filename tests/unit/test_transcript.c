/* A conversation as Markdown: each kind of event, whatever is in it, and real ones. */
#include "tests/unit/harness.h"

#include "core/base/utf8.h"
#include "core/transcript.h"

#define ID UINT64_C(17457886043)
#define HEAD "# A title\n\nConversation 17457886043, begun 2025-04-27T21:16:44.3Z\n\n"
#define AT "\"timestamp\": \"2026-03-05 19:31:45.5\""
#define TIME " \xe2\x80\x94 2026-03-05T19:31:45.5Z\n\n"

struct text {
	char *data; /* NUL at its end */
	size_t size;
	enum jp_transcript_part part; /* kept is only this, if only_part */
	bool only_part;
	int end_after; /* pieces; 0: never */
};

static int keep(void *context, const struct jp_transcript_piece *piece)
{
	struct text *text = context;
	char *data;

	if (text->end_after > 0 && --text->end_after == 0)
		return 7;
	if (text->only_part && piece->part != text->part)
		return 0;
	data = realloc(text->data, text->size + piece->size + 1);
	if (data == NULL)
		return -ENOMEM;
	memcpy(data + text->size, piece->text, piece->size);
	text->data = data;
	text->size += piece->size;
	data[text->size] = '\0';
	return 0;
}

/* Render events as they stand, with a base configuration unless it is NULL. */
static int render(const char *metadata, const char *base, const char *events, struct text *text)
{
	cleanup_close int metadata_fd =
		metadata != NULL ? jp_test_file(metadata, strlen(metadata)) : -EBADF;
	cleanup_close int base_fd = base != NULL ? jp_test_file(base, strlen(base)) : -EBADF;
	cleanup_close int events_fd =
		events != NULL ? jp_test_file(events, strlen(events)) : -EBADF;
	struct jp_transcript_files files = {ID, metadata_fd, base_fd, events_fd};

	return jp_transcript_render(&files, keep, text);
}

static void each_kind_of_event_is_shown(void)
{
	static const struct {
		const char *events, *expected;
	} rows[] = {
		{"[]", ""},
		{"[{" AT ",\"type\":\"turn_start\"}]", "## Turn 1" TIME},
		{"[{" AT ",\"type\":\"chat_request\",\"content\":\"Hi \\n\\n\"}]",
		 "## Turn 1\n\n### User" TIME "Hi\n\n"},
		{"[{" AT ",\"type\":\"chat_request\",\"content\":\"\",\"author\":\"a\\nb\"}]",
		 "## Turn 1\n\n### User (a b)" TIME "_(empty)_\n\n"},
		{"[{\"type\":\"chat_response\",\"message\":\"m\",\"timestamp\":7}]",
		 "## Turn 1\n\n### Assistant\n\nm\n\n"},
		{"[{\"type\":\"chat_response\",\"reasoning\":\"r\"}]",
		 "## Turn 1\n\n### Reasoning\n\nr\n\n"},
		{"[{\"type\":\"chat_response\",\"data\":[1]}]",
		 "## Turn 1\n\n### Assistant (structured)\n\n```json\n[\n  1\n]\n```\n\n"},
		/* decoded where it decodes to text, at any depth */
		{"[{\"type\":\"tool_call_request\",\"id\":\"i\",\"name\":\"rg\",\"arguments\":"
		 "{\"a\":[\"Zm9v\",\"plain!\",\"//8=\",1]}},"
		 "{\"type\":\"tool_call_response\",\"id\":\"i\",\"content\":\"Zm9v\","
		 "\"is_error\":true},"
		 "{\"type\":\"tool_call_response\",\"id\":\"x\",\"content\":\"no base64\","
		 "\"is_error\":false}]",
		 "## Turn 1\n\n### Tool: rg\n\n**Arguments**\n\n```json\n{\n  \"a\": [\n"
		 "    \"foo\",\n    \"plain!\",\n    \"//8=\",\n    1\n  ]\n}\n```\n\n"
		 "### Tool error: rg\n\n```\nfoo\n```\n\n"
		 "### Tool result: of the call x\n\n```\nno base64\n```\n\n"},
		{"[{\"type\":\"tool_call_request\",\"id\":\"i\",\"name\":\"rg\",\"arguments\":{}}]",
		 "## Turn 1\n\n### Tool: rg\n\n"},
		{"[{\"type\":\"inquiry_request\",\"id\":\"i\",\"source\":{\"source\":\"tool\","
		 "\"name\":\"rm\"},\"question\":{\"text\":\"Sure?\",\"answer_type\":\"boolean\"}},"
		 "{\"type\":\"inquiry_response\",\"id\":\"i\",\"answer\":true}]",
		 "## Turn 1\n\n### Inquiry by rm\n\nSure?\n\n**Kind of answer**\n\n"
		 "```json\n\"boolean\"\n```\n\n"
		 "### Answer to the inquiry\n\n```json\ntrue\n```\n\n"},
		{"[{\"type\":\"config_delta\",\"delta\":{\"conversation\":{\"attachments\":"
		 "[\"file://a\",{\"type\":\"cmd\"}]}}}]",
		 "### Configuration changed\n\n**Attachments**\n\n- file://a\n"
		 "- {\"type\": \"cmd\"}\n\n"},
		{"[{\"type\":\"compaction\",\"to_turn\":1}]",
		 "### Compaction\n\n```json\n{\n  \"type\": \"compaction\",\n"
		 "  \"to_turn\": 1\n}\n```\n\n"},
		/* what is not as it should be */
		{"[{\"type\":\"later\"}]",
		 "### Event of another kind: later\n\n```json\n{\n  \"type\": \"later\"\n}\n"
		 "```\n\n"},
		{"[{\"type\":\"chat_request\"}]",
		 "### Event of another kind: chat_request\n\n```json\n{\n"
		 "  \"type\": \"chat_request\"\n}\n```\n\n"},
		{"[{\"a\":123456789012345678901234567890}]",
		 "### Event that cannot be read\n\n```json\n"
		 "{\"a\":123456789012345678901234567890}\n```\n\n"},
		{"[{\"type\":\"turn_start\",\"a\":\"\xff\"}]",
		 "### Event that cannot be read\n\n_(29 bytes, not UTF-8)_\n\n"},
		{"[7,{\"type\":\"turn_start\"},null,[]]",
		 "_(elements of events.json that are no events: 1)_\n\n## Turn 1\n\n"
		 "_(elements of events.json that are no events: 2)_\n\n"},
		{"[{\"type\":\"turn_start\"},\n<<<<<<<",
		 "## Turn 1\n\n_(events.json is not JSON after its first 22 bytes; what follows "
		 "is not shown)_\n"},
		{"{}", "_(events.json is not JSON after its first 0 bytes; what follows is not "
		       "shown)_\n"},
		{NULL, "_(events.json is missing)_\n"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct text text = {0};
		int r = render("{\"title\":\"A title\"}", "{}", rows[i].events, &text);

		CHECK(r == 0, "row %zu: %d", i, r);
		CHECK(text.data != NULL && strncmp(text.data, HEAD, strlen(HEAD)) == 0 &&
			      strcmp(text.data + strlen(HEAD), rows[i].expected) == 0,
		      "row %zu: %s", i, text.data);
		free(text.data);
	}
}

static void the_base_configuration_is_told_from_a_change_of_it(void)
{
	static const char event[] = "[{\"type\":\"config_delta\",\"delta\":{\"conversation\":"
				    "{\"attachments\":[\"file://a\"]}}}]";
	struct text two = {0}, three = {0};

	CU_ASSERT_EQUAL(render("{\"title\":\"A title\"}", NULL, event, &two), 0);
	CU_ASSERT_STRING_EQUAL(two.data, HEAD "**Attachments**\n\n- file://a\n\n");
	CU_ASSERT_EQUAL(render("{\"title\":\"A title\"}",
			       "{\"conversation\":{\"attachments\":{\"value\":[\"file://b\"]}}}",
			       event, &three),
			0);
	CU_ASSERT_STRING_EQUAL(three.data,
			       HEAD "**Attachments**\n\n- file://b\n\n### Configuration changed\n\n"
				    "**Attachments**\n\n- file://a\n\n");
	free(two.data);
	free(three.data);
}

static void nothing_breaks_out_of_its_place(void)
{
	struct text text = {0};

	CU_ASSERT_EQUAL(
		render("{\"title\":\"a\\n# b\\u001b[31m\\u0000\"}", "{}",
		       "[{\"type\":\"chat_response\",\"message\":\"```c\\nint\\r\\u009b1m\"},"
		       "{\"type\":\"chat_response\",\"message\":\"~~~~\\n```\\n~~~\\n\\u007f\"},"
		       "{\"type\":\"tool_call_response\",\"id\":\"\",\"content\":"
		       "\"a\\n```\\n`````\\tb\"}]",
		       &text),
		0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "# a # b\xe2\x90\x9b[31m\xe2\x90\x80\n\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "```c\nint\xe2\x90\x8d\xef\xbf\xbd"
						 "1m\n```\n\n### Assistant\n\n"
						 "~~~~\n```\n~~~\n\xe2\x90\xa1\n~~~~\n\n### Tool"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "``````\na\n```\n`````\tb\n``````\n"));
	free(text.data);
}

/* Where the end of a list or of HTML may have ended a fence, or hidden one, another is around all. */
static void what_a_fence_is_in_does_not_let_it_out(void)
{
	static const struct {
		const char *message; /* in JSON */
		const char *expected;
	} rows[] = {
		{"a\\r\\n```\\r\\nb\\r\\n```\\r\\n", "a\n```\nb\n```\n\n"},
		{"```\\nb\\n```\\r\\r\\nc", "```\nb\n```\xe2\x90\x8d\nc\n```\n\n"},
		/* in a list, as it should be */
		{"- a\\n\\n  ```\\n  b\\n\\n    c\\n  ```\\n- d",
		 "- a\n\n  ```\n  b\n\n    c\n  ```\n- d\n\n"},
		{"1.  a\\n\\t```\\n\\tb\\n\\t```", "1.  a\n\t```\n\tb\n\t```\n\n"},
		/* the list ends, and the next fence begins */
		{"- a\\n  ```\\nb\\n```\\nc", "````markdown\n- a\n  ```\nb\n```\nc\n````\n\n"},
		{"- a\\n  ```\\n  b", "````markdown\n- a\n  ```\n  b\n````\n\n"},
		{"- ```\\n  b\\n  ```", "````markdown\n- ```\n  b\n  ```\n````\n\n"},
		{"- a\\n  ```\\n  b\\n   ```\\n",
		 "````markdown\n- a\n  ```\n  b\n   ```\n````\n\n"},
		/* HTML hides fences, until a blank line or for ever */
		{"<div>\\n```\\n</div>", "````markdown\n<div>\n```\n</div>\n````\n\n"},
		{"<div>\\n\\n```\\n</div>", "<div>\n\n```\n</div>\n```\n\n"},
		{"a\\n<!-- b", "```markdown\na\n<!-- b\n```\n\n"},
		{"`<!--` and ```x``` y", "`<!--` and ```x``` y\n\n"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct text text = {.only_part = true, .part = JP_PART_ASSISTANT};
		char events[256];

		(void)snprintf(events, sizeof(events),
			       "[{\"type\":\"chat_response\",\"message\":\"%s\"}]",
			       rows[i].message);
		CU_ASSERT_EQUAL(render("{}", "{}", events, &text), 0);
		CHECK(text.data != NULL && strcmp(text.data, rows[i].expected) == 0, "row %zu: %s",
		      i, text.data);
		free(text.data);
	}
}

static void what_somebody_said_is_told_apart(void)
{
	struct text text = {.only_part = true, .part = JP_PART_USER};

	CU_ASSERT_EQUAL(render("{}", "{}",
			       "[{\"type\":\"chat_request\",\"content\":\"u\"},"
			       "{\"type\":\"chat_response\",\"message\":\"m\"}]",
			       &text),
			0);
	CU_ASSERT_STRING_EQUAL(text.data, "u\n\n");
	free(text.data);
}

static void the_sink_ends_it(void)
{
	for (int i = 1; i < 12; i++) {
		struct text text = {.end_after = i};

		CU_ASSERT_EQUAL(render("{}", "{}",
				       "[{\"type\":\"chat_request\",\"content\":\"u\"},"
				       "{\"type\":\"chat_response\",\"message\":\"m\"}]",
				       &text),
				7);
		free(text.data);
	}
}

static int open_in(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_CLOEXEC);
}

static void real_conversations_are_shown_whole_and_the_same_twice(void)
{
	char path[PATH_MAX];
	cleanup_closedir DIR *all = NULL;
	struct dirent *entry;
	size_t count = 0;

	if (jp_test_fixtures(path) == NULL)
		return;
	all = opendir(path);
	while (all != NULL && (entry = readdir(all)) != NULL) {
		cleanup_close int one = openat(dirfd(all), entry->d_name, O_RDONLY | O_CLOEXEC);
		cleanup_close int metadata = open_in(one, "metadata.json");
		cleanup_close int base = open_in(one, "base_config.json");
		cleanup_close int events = open_in(one, "events.json");
		struct jp_transcript_files files = {ID, metadata, base, events};
		struct text first = {0}, second = {0};

		if (entry->d_name[0] == '.')
			continue;
		count++;
		CU_ASSERT_EQUAL(jp_transcript_render(&files, keep, &first), 0);
		CU_ASSERT_EQUAL(jp_transcript_render(&files, keep, &second), 0);
		CHECK(first.size == second.size && first.size > 1000 &&
			      memcmp(first.data, second.data, first.size) == 0 &&
			      jp_utf8_is_valid(first.data, first.size),
		      "%s", entry->d_name);
		for (size_t i = 0; i < first.size; i++) {
			if ((unsigned char)first.data[i] < 0x20 && first.data[i] != '\n' &&
			    first.data[i] != '\t')
				CHECK(false, "%s: control at %zu", entry->d_name, i);
		}
		CHECK(strstr(first.data, "### User") != NULL &&
			      strstr(first.data, "### Event") == NULL &&
			      strstr(first.data, "_(e") == NULL,
		      "%s", entry->d_name);
		free(first.data);
		free(second.data);
	}
	CU_ASSERT_TRUE(count > 5);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(each_kind_of_event_is_shown),
		TEST(the_base_configuration_is_told_from_a_change_of_it),
		TEST(nothing_breaks_out_of_its_place),
		TEST(what_a_fence_is_in_does_not_let_it_out),
		TEST(what_somebody_said_is_told_apart),
		TEST(the_sink_ends_it),
		TEST(real_conversations_are_shown_whole_and_the_same_twice),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("transcript", tests);
}
