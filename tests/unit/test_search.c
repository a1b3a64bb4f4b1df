/* What was said is found, however the file hides it, and nothing is lost by looking quickly. */
#include "tests/unit/harness.h"

#include "core/search.h"

#include <dirent.h>
#include <stdint.h>

enum { EVERYBODY = (1 << JP_SAID_BY_COUNT) - 1, TEXT_BYTES = 65536 };

struct lines {
	char text[TEXT_BYTES]; /* "turn by:line\n", context with '-' for ':', "--" between */
	size_t size;
	int end_after; /* lines; 0: never */
};

static int keep(void *context, const struct jp_found *found)
{
	struct lines *lines = context;
	int n = snprintf(lines->text + lines->size, TEXT_BYTES - lines->size, "%s%ju %s%c%.*s\n",
			 found->is_apart ? "--\n" : "", (uintmax_t)found->turn,
			 jp_said_by_name(found->by), found->is_context ? '-' : ':',
			 (int)found->size, found->line);

	if (n < 0 || (size_t)n >= TEXT_BYTES - lines->size)
		return -ENOMEM;
	lines->size += (size_t)n;
	return lines->end_after > 0 && --lines->end_after == 0 ? 7 : 0;
}

static const struct jp_search_options all = {.by = EVERYBODY, .lines_max = UINT64_MAX};

/* Search a text as an events.json; without the sieves every event is read. */
static int search(const char *events, size_t size, const char *text,
		  const struct jp_pattern_options *how, bool with_sieves,
		  const struct jp_search_options *options, struct lines *lines,
		  struct jp_search_result *result)
{
	cleanup_pattern struct jp_pattern pattern = {0};
	cleanup_close int fd = jp_test_file(events, size);
	struct jp_error error = {0};
	int r = jp_pattern_init(&pattern, text, how, &error);

	lines->size = 0;
	lines->text[0] = '\0';
	if (r < 0)
		return r;
	if (!with_sieves)
		pattern.has_sieves = false;
	return jp_search_file(fd, &pattern, options, keep, lines, result);
}

static struct lines found; /* too large for a stack */

static void expect(const char *events, const char *text, const struct jp_pattern_options *how,
		   const struct jp_search_options *options, const char *expected)
{
	struct jp_search_result result;

	for (int with_sieves = 0; with_sieves < 2; with_sieves++) {
		found.end_after = 0;
		CU_ASSERT_EQUAL(search(events, strlen(events), text, how, with_sieves != 0, options,
				       &found, &result),
				0);
		CHECK(strcmp(found.text, expected) == 0, "%s, sieves %d: got\n%s", text,
		      with_sieves, found.text);
	}
}

#define START "{\"type\":\"turn_start\"},"
#define ASKED(text) "{\"type\":\"chat_request\",\"content\":\"" text "\"},"
#define TOLD(text) "{\"type\":\"chat_response\",\"message\":\"" text "\"}"
static const struct jp_pattern_options plainly = {0};

static void everybody_is_heard(void)
{
	static const char events[] =
		"[{\"type\":\"config_delta\",\"delta\":{\"a\":\"needle\"}}," ASKED(
			"a needle") START ASKED("no\\nneedle\\nno")
			TOLD("needle 1") ",{\"type\":\"chat_response\",\"reasoning\":\"needle 2\"},"
					 "{\"type\":\"chat_response\",\"data\":{\"needle\":["
					 "\"needle 3\",true]}},"
					 /* "the needle", "a needle too", "needles\n" */
					 "{\"type\":\"tool_call_request\",\"name\":\"needle_tool\","
					 "\"arguments\":"
					 "{\"a\":[\"dGhlIG5lZWRsZQ==\",\"plain "
					 "needle\"],\"b\":\"YSBuZWVkbGUgdG9v\"}},"
					 "{\"type\":\"tool_call_response\",\"content\":"
					 "\"bmVlZGxlcwo=\"},"
					 "{\"type\":\"inquiry_request\",\"question\":{\"text\":"
					 "\"needle?\"}},"
					 "{\"type\":\"inquiry_response\",\"answer\":\"needle!\"},"
					 "{\"type\":\"else\",\"needle\":\"needle\"}]";

	expect(events, "needle", &plainly, &all,
	       "1 user:a needle\n2 user:needle\n2 assistant:needle 1\n2 reasoning:needle 2\n"
	       "2 assistant:needle 3\n2 tool:needle_tool\n2 tool:the needle\n2 tool:plain needle\n"
	       "2 tool:a needle too\n2 tool:needles\n2 tool:needle?\n2 tool:needle!\n");
	expect(events, "needle", &plainly,
	       &(struct jp_search_options){.by = 1 << JP_SAID_BY_REASONING | 1 << JP_SAID_BY_USER,
					   .lines_max = 2},
	       "1 user:a needle\n2 user:needle\n");
	expect(events, "^true$", &plainly, &all, "2 assistant:true\n");
}

static void escapes_hide_nothing(void)
{
	expect("[" TOLD("n\\u0065edle \\u0022x\\\"") "]", "needle \"x\"", &plainly, &all,
	       "1 assistant:needle \"x\"\n");
}

static void expressions_are_those_of_grep(void)
{
	static const struct {
		const char *text, *events;
		struct jp_pattern_options how;
		const char *expected; /* lines of turn 1, by the assistant, separated by '|' */
	} rows[] = {
		{"ab+c", TOLD("abbc\\nac"), {0}, "abbc"},
		{"ab*c", TOLD("abbc\\nac"), {0}, "abbc|ac"},
		{"xyzab?", TOLD("xyza\\nxyz"), {0}, "xyza"},
		{"xyzab+?", TOLD("xyza\\nxyz"), {0}, "xyza"},
		{"abcd{0}", TOLD("abc"), {0}, "abc"},
		{"abcde{0,1}f", TOLD("abcdf"), {0}, "abcdf"},
		{"one|two", TOLD("one\\nthree\\ntwo"), {0}, "one|two"},
		{"one\ntwo", TOLD("one\\nthree\\ntwo"), {0}, "one|two"},
		{"(abcd|x)efgh", TOLD("xefgh"), {0}, "xefgh"},
		{"[abc]def[]x]y", TOLD("adef]y"), {0}, "adef]y"},
		{"[[:digit:]]abc", TOLD("1abc\\nxabc"), {0}, "1abc"},
		{"a\\.b\\{c", TOLD("a.b{c\\naxb{c"), {0}, "a.b{c"},
		{"a.b",
		 TOLD("a\xc3\xbc"
		      "b"),
		 {0},
		 "a\xc3\xbc"
		 "b"},
		{"\xc3\xbc*bcd", TOLD("bcd"), {0}, "bcd"},
		{"(.)bcd\\1", TOLD("xbcdx\\nxbcdy"), {0}, "xbcdx"},
		{"^abc$", TOLD("abc\\r\\nabcd\\nabc"), {0}, "abc|abc"},
		{"a.b*", TOLD("a.b*\\naxb"), {.is_fixed = true}, "a.b*"},
		{"a\\b", TOLD("a\\\\b"), {.is_fixed = true}, "a\\b"},
		{"x\ny", TOLD("x\\ny\\nz"), {.is_fixed = true}, "x|y"},
		{"DATABASE", TOLD("a Database"), {.ignore_case = true}, "a Database"},
		{"stra\xc3\x9f"
		 "e|\xc3\x9c"
		 "ber",
		 TOLD("\xc3\xbc"
		      "BER"),
		 {.ignore_case = true},
		 "\xc3\xbc"
		 "BER"},
		/* the long s is no s, but itself */
		{"miss",
		 TOLD("mi\xc5\xbf"
		      "s\\nmISs"),
		 {.ignore_case = true},
		 "mISs"},
		{"mi\xc5\xbf"
		 "s",
		 TOLD("mi\xc5\xbf"
		      "s"),
		 {.ignore_case = true},
		 "mi\xc5\xbf"
		 "s"},
		{"word", TOLD("sword\\na word.\\nword_"), {.is_word = true}, "a word."},
		{"wor|wordy", TOLD("wordy"), {.is_word = true}, "wordy"},
		{"(w)o\\1", TOLD("wow\\nwoo"), {0}, "wow"},
		{"-x", TOLD("a-x\\n -x "), {.is_fixed = true, .is_word = true}, " -x "},
		{"", TOLD("a\\n\\nb\\n"), {0}, "a||b"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char events[512], expected[512] = "", *rest, *line;
		cleanup_free char *lines = strdup(rows[i].expected);

		(void)snprintf(events, sizeof(events), "[" START "%s]", rows[i].events);
		rest = lines;
		while ((line = strsep(&rest, "|")) != NULL)
			(void)snprintf(expected + strlen(expected),
				       sizeof(expected) - strlen(expected), "1 assistant:%s\n",
				       line);
		expect(events, rows[i].text, &rows[i].how, &all, expected);
	}
}

static void a_wrong_expression_is_refused(void)
{
	cleanup_pattern struct jp_pattern pattern = {0};
	struct jp_error error = {0};

	CU_ASSERT_EQUAL(jp_pattern_init(&pattern, "a(b", &plainly, &error), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.message, "a(b: "));
	jp_pattern_release(&pattern);
	CU_ASSERT_EQUAL(jp_pattern_init(&pattern, "(a)\\1",
					&(struct jp_pattern_options){.is_word = true}, &error),
			-EINVAL);
}

static void lines_near_a_match_are_context(void)
{
	static const char events[] = "[" START
		TOLD("a\\nb\\nhit 1\\nd\\nhit 2\\nf\\ng\\nh\\ni\\nhit 3\\nk\\nl") "," TOLD(
			"hit 4\\nz") "]";
	struct jp_search_options options = all;

	options.before = options.after = 1;
	expect(events, "hit", &plainly, &options,
	       "1 assistant-b\n1 assistant:hit 1\n1 assistant-d\n1 assistant:hit 2\n"
	       "1 assistant-f\n--\n1 assistant-i\n1 assistant:hit 3\n1 assistant-k\n"
	       "1 assistant:hit 4\n1 assistant-z\n");
	options.before = 0;
	options.after = 2;
	options.lines_max = 2;
	expect(events, "hit", &plainly, &options,
	       "1 assistant:hit 1\n1 assistant-d\n1 assistant:hit 2\n1 assistant-f\n"
	       "1 assistant-g\n");
	options.before = 9;
	options.after = 0;
	options.lines_max = 1;
	expect(events, "hit", &plainly, &options,
	       "1 assistant-a\n1 assistant-b\n1 assistant:hit 1\n");
}

static void what_is_no_event_ends_nothing(void)
{
	struct jp_search_result result;

	/* No pair of surrogates: jansson refuses it, and it is looked at as it is written. */
	expect("[1," TOLD("\\ud800 needle") "," START TOLD("needle") "]", "needle", &plainly, &all,
	       "0 unknown:" TOLD("\\ud800 needle") "\n1 assistant:needle\n");
	expect("[" TOLD("needle") ", nonsense", "needle", &plainly, &all, "1 assistant:needle\n");
	expect("", "needle", &plainly, &all, "");
	found.end_after = 1;
	CU_ASSERT_EQUAL(search("[" TOLD("xyz\\nxyz") "]", strlen("[" TOLD("xyz\\nxyz") "]"), "xyz",
			       &plainly, true, &all, &found, &result),
			7);
	CU_ASSERT_EQUAL(result.lines, 1);
}

static void encode(const char *text, size_t size, char *ret)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		unsigned char group[3] = {0};
		size_t n = size - i < 3 ? size - i : 3;

		memcpy(group, text + i, n);
		*ret++ = alphabet[group[0] >> 2];
		*ret++ = alphabet[(group[0] & 3) << 4 | group[1] >> 4];
		*ret++ = n > 1 ? alphabet[(group[1] & 15) << 2 | group[2] >> 6] : '=';
		*ret++ = n > 2 ? alphabet[group[2] & 63] : '=';
	}
	*ret = '\0';
}

/* Texts of every length, at every place in a group, in every case, over the end of a piece. */
static void no_place_in_base64_hides_a_text(void)
{
	static const char letters[] = "needleWorkRow\xc3\xbc-42";

	for (size_t size = JP_SIEVE_TEXT_MIN; size < sizeof(letters); size++) {
		for (size_t before = 0; before < 4; before++) {
			char plain[64], encoded[128], text[32];
			cleanup_pattern struct jp_pattern exact = {0}, either = {0};
			struct jp_error error = {0};
			struct jp_sieve_state state = {0};
			size_t half;

			(void)snprintf(text, sizeof(text), "%.*s", (int)size, letters);
			(void)snprintf(plain, sizeof(plain), "%.*s%stail", (int)before,
				       "\xc3\xbf?x", text);
			encode(plain, strlen(plain), encoded);
			half = strlen(encoded) / 2;
			CU_ASSERT_EQUAL(
				jp_pattern_init(&exact, text,
						&(struct jp_pattern_options){.is_fixed = true},
						&error),
				0);
			CHECK(exact.has_sieves, "%s", text);
			CHECK(jp_pattern_may_be_in(&exact, &state, encoded, half) ||
				      jp_pattern_may_be_in(&exact, &state, encoded + half,
							   strlen(encoded) - half),
			      "%s in %s", text, encoded);
			for (char *at = plain; *at != '\0'; at++)
				*at = *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
			encode(plain, strlen(plain), encoded);
			CU_ASSERT_EQUAL(
				jp_pattern_init(&either, text,
						&(struct jp_pattern_options){.ignore_case = true},
						&error),
				0);
			state = (struct jp_sieve_state){0};
			CHECK(jp_pattern_may_be_in(&either, &state, encoded, strlen(encoded)),
			      "%s in %s", text, encoded);
			state = (struct jp_sieve_state){0};
			CHECK(!jp_pattern_may_be_in(&exact, &state, encoded, strlen(encoded)),
			      "%s in %s", text, encoded);
		}
	}
}

/* Every word of real conversations is found with the sieves where it is found without. */
static void real_conversations_lose_nothing(void)
{
	static const char *const texts[] = {"workspace", "unlink", "fn [a-z_]+\\(", "TODO",
					    "the quick"};
	char root[PATH_MAX], path[PATH_MAX + 512];
	static struct lines plain;
	struct jp_search_options options = all;
	cleanup_free struct dirent **names = NULL;
	int count = jp_test_fixtures(root) != NULL ? scandir(root, &names, NULL, alphasort) : 0;
	size_t hits = 0;

	options.lines_max = 20;
	options.by = EVERYBODY & ~(1 << JP_SAID_BY_TOOL);
	for (int i = 0; i < count; i++) {
		cleanup_free struct dirent *name = names[i];
		cleanup_close int fd = -EBADF;

		(void)snprintf(path, sizeof(path), "%s/%s/events.json", root, name->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		for (size_t k = 0; fd >= 0 && k < 2 * COUNT_OF(texts); k++) {
			struct jp_pattern_options how = {.ignore_case = k % 2 != 0};
			cleanup_pattern struct jp_pattern pattern = {0};
			struct jp_search_result result, slow;
			struct jp_error error = {0};

			if (k % 4 < 2) /* tool calls have the longest lines */
				options.by = 1 << JP_SAID_BY_USER | 1 << JP_SAID_BY_ASSISTANT;
			CU_ASSERT_EQUAL(jp_pattern_init(&pattern, texts[k / 2], &how, &error), 0);
			found.size = plain.size = 0;
			CU_ASSERT(jp_search_file(fd, &pattern, &options, keep, &found, &result) <=
				  0);
			pattern.has_sieves = false;
			CU_ASSERT(jp_search_file(fd, &pattern, &options, keep, &plain, &slow) <= 0);
			CHECK(found.size == plain.size &&
				      memcmp(found.text, plain.text, found.size) == 0,
			      "%s: %s", path, texts[k / 2]);
			hits += result.lines;
		}
	}
	CU_ASSERT(count == 0 || hits > 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(everybody_is_heard),
		TEST(escapes_hide_nothing),
		TEST(expressions_are_those_of_grep),
		TEST(a_wrong_expression_is_refused),
		TEST(lines_near_a_match_are_context),
		TEST(what_is_no_event_ends_nothing),
		TEST(no_place_in_base64_hides_a_text),
		TEST(real_conversations_lose_nothing),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("search", tests);
}
