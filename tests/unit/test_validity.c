/* What jp would accept, and that the answer does not depend upon how the text is read. */
#include "tests/unit/harness.h"

#include "core/json_lexer.h"
#include "core/validity.h"
#include "tests/fault/fault.h"

#include <dirent.h>
#include <jansson.h>

enum {
	PIECE_BYTES = 64 * 1024, /* in which jp_validity_of_file() reads */
	DEEP = 100 * 1000,
	CUTS = 64,
	MUTATIONS = 20000,
};

struct row {
	const char *text;
	size_t size; /* it may hold NUL */
};

#define ROW(literal)                                                                               \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

/* One event around a key and value, and one as a prefix. */
#define KEYS "\"timestamp\":1,\"type\":2"
#define EVENT "{" KEYS "}"

/* The answer, also with each byte in turn as the first of a new piece. */
static void check_row(enum jp_managed which, const struct row *row, int expected)
{
	static char blanks[PIECE_BYTES];
	cleanup_close int fd = -EBADF;

	CHECK(jp_validity_of_text(which, row->text, row->size) == expected, "%s: %s",
	      jp_managed_name(which), row->text);
	memset(blanks, ' ', sizeof(blanks));
	fd = jp_test_file(blanks, sizeof(blanks));
	for (size_t before = 0; before <= row->size; before++) {
		off_t start = (off_t)(sizeof(blanks) - before);

		CU_ASSERT_EQUAL(jp_write_all(fd, row->text, row->size, start), 0);
		CU_ASSERT_EQUAL(ftruncate(fd, start + (off_t)row->size), 0);
		CHECK(jp_validity_of_file(which, fd) == expected, "%s: %s, divided after byte %zu",
		      jp_managed_name(which), row->text, before);
	}
}

static void check_rows(enum jp_managed which, const struct row *rows, size_t count, int expected)
{
	for (size_t i = 0; i < count; i++)
		check_row(which, &rows[i], expected);
}

#define CHECK_VALUES(expected, ...)                                                                \
	do {                                                                                       \
		static const struct row rows[] = {__VA_ARGS__};                                    \
		check_rows(JP_METADATA, rows, COUNT_OF(rows), expected);                           \
		CU_ASSERT_EQUAL(jp_validity_of_text(JP_BASE_CONFIG, rows[0].text, rows[0].size),   \
				expected);                                                         \
	} while (0)

#define CHECK_EVENTS(expected, ...)                                                                \
	do {                                                                                       \
		static const struct row rows[] = {__VA_ARGS__};                                    \
		check_rows(JP_EVENTS, rows, COUNT_OF(rows), expected);                             \
	} while (0)

static void metadata_and_base_config_are_one_value_of_any_type(void)
{
	CHECK_VALUES(1, ROW("{}"), ROW("[]"), ROW("\"\""), ROW("0"), ROW("true"), ROW("false"),
		     ROW("null"), ROW("{\"title\": \"x\", \"labels\": {\"a\": [1, 2, {}]}}\n"),
		     ROW("{\"a\":1,\"a\":2}"));
	CHECK_VALUES(0, ROW("{} {}"), ROW("1 2"), ROW("[]]"), ROW("{}x"), ROW("null,"));
}

static void an_empty_file_is_no_value(void)
{
	CHECK_VALUES(0, ROW(""), ROW(" "), ROW("\n"), ROW(" \t\r\n"));
	CHECK_EVENTS(0, ROW(""), ROW("\n"));
}

static void blank_is_space_tab_newline_and_carriage_return(void)
{
	CHECK_VALUES(1, ROW(" \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n[ \t\r\n1 \t\r\n, 2 ] } \t\r\n"));
	CHECK_VALUES(0, ROW("\v1"), ROW("\f1"), ROW("1\v"), ROW("[\f]"),
		     ROW("\xc2\xa0"
			 "1"),
		     ROW("1\x1a"));
}

static void a_byte_order_mark_is_refused(void)
{
	CHECK_VALUES(0, ROW("\xef\xbb\xbf{}"), ROW("\xff\xfe{\0}\0"));
	CHECK_EVENTS(0, ROW("\xef\xbb\xbf[]"));
}

static void a_nul_byte_is_refused_everywhere(void)
{
	CHECK_VALUES(0, ROW("\0"), ROW("{}\0"), ROW("\0{}"), ROW("\"\0\""), ROW("[\0]"), ROW("1\0"),
		     ROW("tru\0"), ROW("\"\\\0\""));
}

static void objects_and_arrays_close_in_order_without_spare_commas(void)
{
	CHECK_VALUES(1, ROW("[[],[[]],{\"a\":{}}]"), ROW("{\"a\":[],\"b\":{\"c\":1}}"));
	CHECK_VALUES(0, ROW("["), ROW("]"), ROW("[}"), ROW("{]"), ROW("{\"a\":[}]"), ROW("[1,]"),
		     ROW("[,1]"), ROW("[,]"), ROW("[1 2]"), ROW("{\"a\":1,}"), ROW("{,}"),
		     ROW("{\"a\"}"), ROW("{\"a\":}"), ROW("{\"a\" 1}"), ROW("{\"a\":1 \"b\":2}"),
		     ROW("{1:2}"), ROW("{a:1}"), ROW("{\"a\":1]"), ROW("[\"a\":1]"), ROW("[[]"),
		     ROW("[]["), ROW("[1,,2]"), ROW("{\"a\"::1}"), ROW("//\n1"), ROW("'a'"));
}

static void numbers_follow_the_grammar_and_have_no_range(void)
{
	CHECK_VALUES(1, ROW("-0"), ROW("10"), ROW("0.0"), ROW("-1.5"), ROW("1e5"), ROW("1E+5"),
		     ROW("0e-0"), ROW("1.25e10"), ROW("[0,-1,2.5e3 ]"), ROW("1e999999999"),
		     ROW("-123456789012345678901234567890123456789012345678901234567890"),
		     ROW("0.000000000000000000000000000000000000000000000000000000000001"));
	CHECK_VALUES(0, ROW("+1"), ROW("01"), ROW("-01"), ROW("00"), ROW("-"), ROW("1."), ROW(".5"),
		     ROW("1.e5"), ROW("1e"), ROW("1e+"), ROW("1e+-1"), ROW("1.5.5"), ROW("0x10"),
		     ROW("1_000"), ROW("NaN"), ROW("Infinity"), ROW("-Infinity"), ROW("--1"),
		     ROW("1-"), ROW("1e5.5"), ROW("1f"), ROW("[1-2]"), ROW("-a"));
}

static void words_are_spelled_in_full(void)
{
	CHECK_VALUES(0, ROW("tru"), ROW("truee"), ROW("True"), ROW("nul"), ROW("nulll"),
		     ROW("fals"), ROW("falsy"), ROW("undefined"), ROW("[true false]"),
		     ROW("truefalse"));
}

static void strings_refuse_control_characters_and_unknown_escapes(void)
{
	CHECK_VALUES(1, ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), ROW("\"\\u0000\\uFFFF\\uabCD\""),
		     ROW("\"\x7f\""), ROW("\"h\xc3\xa9\""), ROW("\"/\""));
	CHECK_VALUES(0, ROW("\"\n\""), ROW("\"\t\""), ROW("\"\x1f\""), ROW("\"\\x41\""),
		     ROW("\"\\'\""), ROW("\"\\0\""), ROW("\"\\U0041\""), ROW("\"\\u004\""),
		     ROW("\"\\u00g0\""), ROW("\"\\u\""), ROW("\"\\"), ROW("\""), ROW("\"a"),
		     ROW("\"\\\""), ROW("\"\\u0041"));
}

static void lone_surrogates_and_invalid_utf8_pass_in_what_jp_skips(void)
{
	CHECK_VALUES(1, ROW("\"\\ud800\""), ROW("\"\\udc00\""), ROW("\"\\ud800\\ud800x\""),
		     ROW("\"\xff\""), ROW("\"\xc3\""), ROW("\"\xed\xa0\x80\""), ROW("{\"\xff\":1}"),
		     ROW("{\"\\udc00\":1}"));
	CHECK_EVENTS(1, ROW("[{" KEYS ",\"a\":\"\\ud800\xff\"}]"),
		     ROW("[{" KEYS ",\"a\":{\"\xff\":1}}]"),
		     ROW("[{" KEYS ",\"a\":[{\"\\ud800\":1}]}]"));
}

static void the_keys_of_an_event_must_be_whole_strings(void)
{
	CHECK_EVENTS(
		1, ROW("[{" KEYS ",\"h\xc3\xa9\":1}]"), ROW("[{" KEYS ",\"\xf0\x9f\x98\x80\":1}]"),
		ROW("[{" KEYS ",\"\\ud83d\\ude00\":1}]"),
		ROW("[{" KEYS ",\"\xf4\x8f\xbf\xbf\":1}]"),
		ROW("[{" KEYS ",\"\":1,\"\\u0000\":1}]"), ROW("[{" KEYS ",\"\xe0\xa0\x80\":1}]"),
		ROW("[{" KEYS ",\"\\u00e9\\uffff\":1}]"));
	CHECK_EVENTS(0, ROW("[{" KEYS ",\"\xff\":1}]"), ROW("[{" KEYS ",\"\xc3\":1}]"),
		     ROW("[{" KEYS ",\"\xc3x\":1}]"), ROW("[{" KEYS ",\"\xc3\\u00a9\":1}]"),
		     ROW("[{" KEYS ",\"\x80\":1}]"), ROW("[{" KEYS ",\"\xc0\x80\":1}]"),
		     ROW("[{" KEYS ",\"\xe0\x9f\xbf\":1}]"), ROW("[{" KEYS ",\"\xed\xa0\x80\":1}]"),
		     ROW("[{" KEYS ",\"\xf0\x8f\xbf\xbf\":1}]"),
		     ROW("[{" KEYS ",\"\xf4\x90\x80\x80\":1}]"),
		     ROW("[{" KEYS ",\"\xf5\x80\x80\x80\":1}]"), ROW("[{" KEYS ",\"\\ud800\":1}]"),
		     ROW("[{" KEYS ",\"\\udc00\":1}]"), ROW("[{" KEYS ",\"\\ud800x\":1}]"),
		     ROW("[{" KEYS ",\"\\ud800\\n\":1}]"), ROW("[{" KEYS ",\"\\ud800\\ud800\":1}]"),
		     ROW("[{" KEYS ",\"\\ud800\\u0041\":1}]"));
}

static void events_are_an_array(void)
{
	CHECK_EVENTS(1, ROW("[]"), ROW("[]\n"), ROW(" [ ] "));
	CHECK_EVENTS(0, ROW("{}"), ROW("null"), ROW("\"[]\""), ROW("1"), ROW(EVENT), ROW("[][]"),
		     ROW("["), ROW("[]{}"));
}

static void every_event_is_an_object_with_timestamp_and_type(void)
{
	CHECK_EVENTS(1, ROW("[" EVENT "]"), ROW("[" EVENT "," EVENT "]\n"),
		     ROW("[{\"type\":null,\"timestamp\":{\"a\":[]}}]"),
		     ROW("[{\"a\":1,\"type\":\"x\",\"b\":[{}],\"timestamp\":\"y\",\"c\":true}]"));
	CHECK_EVENTS(0, ROW("[{}]"), ROW("[{\"type\":1}]"), ROW("[{\"timestamp\":1}]"),
		     ROW("[" EVENT ",{}]"), ROW("[{}," EVENT "]"), ROW("[" EVENT ",null]"),
		     ROW("[1]"), ROW("[\"type\"]"), ROW("[[" EVENT "]]"), ROW("[[]]"),
		     ROW("[" EVENT ",]"),
		     ROW("[{\"timestamp\":1}"
			 ","
			 "{\"type\":1}]"));
}

static void an_array_of_two_is_no_event(void)
{
	/* jp's generated reader would take it; see validity.c. */
	CHECK_EVENTS(0, ROW("[[\"2026-03-05 19:31:45.0\",\"turn_start\"]]"));
}

static void each_of_the_two_keys_comes_once(void)
{
	CHECK_EVENTS(0, ROW("[{" KEYS ",\"type\":2}]"), ROW("[{" KEYS ",\"timestamp\":2}]"),
		     ROW("[{" KEYS ",\"\\u0074ype\":2}]"),
		     ROW("[{\"type\":1,\"type\":1,\"timestamp\":1}]"));
	CHECK_EVENTS(1, ROW("[{" KEYS ",\"a\":1,\"a\":2}]"));
}

static void keys_are_compared_after_unescaping(void)
{
	CHECK_EVENTS(1, ROW("[{\"\\u0074ype\":1,\"time\\u0073tam\\u0070\":2}]"));
	CHECK_EVENTS(0, ROW("[{\"\\\\u0074ype\":1,\"timestamp\":2}]"),
		     ROW("[{\"Type\":1,\"timestamp\":2}]"), ROW("[{\"type \":1,\"timestamp\":2}]"),
		     ROW("[{\"typ\":1,\"timestamp\":2}]"),
		     ROW("[{\"type\\u0000\":1,\"timestamp\":2}]"),
		     ROW("[{\"\\ntype\":1,\"timestamp\":2}]"),
		     ROW("[{\"typetypetypetypetypetypetypetypetype\":1,\"timestamp\":2}]"));
}

static void only_an_events_own_keys_count(void)
{
	CHECK_EVENTS(1, ROW("[{" KEYS ",\"a\":{" KEYS "," KEYS "}}]"),
		     ROW("[{" KEYS ",\"a\":[" EVENT "]}]"));
	CHECK_EVENTS(0, ROW("[{\"a\":" EVENT "}]"), ROW("[{\"type\":{\"timestamp\":1}}]"),
		     ROW("[{\"a\":\"type\",\"timestamp\":\"type\"}]"));
}

static void a_file_is_read_from_its_beginning_and_not_moved(void)
{
	cleanup_close int fd = jp_test_file("[" EVENT "]", strlen("[" EVENT "]"));

	CU_ASSERT_EQUAL(lseek(fd, 5, SEEK_SET), 5);
	CU_ASSERT_EQUAL(jp_validity_of_file(JP_EVENTS, fd), 1);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_CUR), 5);
}

static void a_file_that_cannot_be_read_is_an_error_and_no_answer(void)
{
	cleanup_close int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CU_ASSERT_EQUAL(jp_validity_of_file(JP_EVENTS, -1), -EBADF);
	CU_ASSERT_EQUAL(jp_validity_of_file(JP_METADATA, dir), -EISDIR);
}

static void of_a_name_only_what_is_there_makes_it_invalid(void)
{
	static const int errors[] = {EIO, EMFILE, EACCES};
	struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, "whole", "{}", 2, 0600), 0);
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, "torn", "{", 1, 0600), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "directory", 0700), 0);
	CU_ASSERT_EQUAL(mkfifoat(dir.fd, "fifo", 0600), 0);
	CU_ASSERT_EQUAL(symlinkat("whole", dir.fd, "link"), 0);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "whole"), 1);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "torn"), 0);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "directory"), 0);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "fifo"), 0);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "link"), 0);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "nothing"), 0);
	CU_ASSERT_EQUAL(jp_validity_at(JP_METADATA, dir.fd, "whole/beneath"), 0);
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		for (int n = 1; n <= 2; n++) { /* opening, reading */
			jp_fault_begin(n, JP_FAIL_ON | JP_READS, errors[i]);
			CHECK(jp_validity_at(JP_METADATA, dir.fd, "whole") == -errors[i], "%s, %d",
			      strerrorname_np(errors[i]), n);
			CU_ASSERT_FALSE(jp_fault_end());
		}
	}
	jp_test_dir_close(&dir);
}

static void nesting_has_no_limit_that_anyone_meets(void)
{
	static const char head[] = "[{" KEYS ",\"deep\":", tail[] = "}]";
	size_t size = strlen(head) + 2 * DEEP + strlen(tail);
	cleanup_free char *text = malloc(size);
	cleanup_close int fd = -EBADF;
	char *next = text;

	CU_ASSERT_PTR_NOT_NULL(text);
	if (text == NULL)
		return;
	next = mempcpy(next, head, strlen(head));
	next = (char *)memset(next, '[', DEEP) + DEEP;
	next = (char *)memset(next, ']', DEEP) + DEEP;
	memcpy(next, tail, strlen(tail));
	fd = jp_test_file(text, size);
	CU_ASSERT_EQUAL(jp_validity_of_text(JP_EVENTS, text, size), 1);
	CU_ASSERT_EQUAL(jp_validity_of_file(JP_EVENTS, fd), 1);
	CU_ASSERT_EQUAL(jp_validity_of_text(JP_EVENTS, text, size - 1), 0);
	text[strlen(head) + DEEP] = '}'; /* the innermost is closed by the wrong bracket */
	CU_ASSERT_EQUAL(jp_validity_of_text(JP_EVENTS, text, size), 0);
	text[strlen(head) + DEEP] = ']';
	text[strlen(head)] = ' '; /* one opened too few */
	CU_ASSERT_EQUAL(jp_validity_of_text(JP_EVENTS, text, size), 0);
}

static void nesting_beyond_the_limit_is_refused(void)
{
	static char brackets[PIECE_BYTES];
	cleanup_json_lexer struct jp_json_lexer lexer;
	int r = 0;

	memset(brackets, '[', sizeof(brackets));
	jp_json_lexer_init(&lexer, NULL, NULL, 0);
	for (size_t depth = 0; depth < JP_JSON_DEPTH_MAX && r == 0; depth += sizeof(brackets))
		r = jp_json_lexer_feed(&lexer, brackets, sizeof(brackets));
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(jp_json_lexer_feed(&lexer, brackets, 1), -EBADMSG);
	CU_ASSERT_EQUAL(jp_json_lexer_feed(&lexer, brackets, 0), -EBADMSG);
	CU_ASSERT_EQUAL(jp_json_lexer_finish(&lexer), -EBADMSG);
}

/* Every token, as text. */
struct trace {
	char text[4096];
	size_t size;
};

static int note(void *context, const struct jp_json_token *token)
{
	struct trace *trace = context;
	int n = snprintf(trace->text + trace->size, sizeof(trace->text) - trace->size, "%zu%c%.*s ",
			 token->depth, "{[\"0tk}"[token->kind], (int)token -> key_size,
			 token -> key == NULL ? "" : token->key);

	trace->size += n > 0 ? (size_t)n : 0;
	return trace->size < sizeof(trace->text) ? 0 : -ENOBUFS;
}

static int read_in_pieces(const char *text, size_t size, size_t first, size_t piece,
			  struct trace *trace)
{
	cleanup_json_lexer struct jp_json_lexer lexer;
	int r;

	memset(trace, 0, sizeof(*trace));
	jp_json_lexer_init(&lexer, note, trace, 2);
	r = jp_json_lexer_feed(&lexer, text, first);
	for (size_t at = first; at < size && r == 0; at += piece) {
		size_t left = size - at;

		r = jp_json_lexer_feed(&lexer, text + at, left < piece ? left : piece);
	}
	return r < 0 ? r : jp_json_lexer_finish(&lexer);
}

static const char sample[] =
	"[ {\"a\\u0062\\ud83d\\ude00\\n\": [-1.5e+10, 0, true, null, \"x\\\"y\"],"
	"\"\xc3\xa9\": {\"deep\": {\"er\": [false]}}, \"\": 12},\n"
	"\"\\u12aB\", 1E-5, [], {}, [[[]]], 7 ]\n";

static void tokens_do_not_depend_upon_the_chunking(void)
{
	static const char expected[] =
		"0[ 1{ 2kab😀\n 2[ 2} 2ké 2{ 2} 2k 20 1} 1\" 10 1[ 1} 1{ 1} 1[ 2[ 2} 1} 10 0} ";
	size_t size = strlen(sample);
	struct trace trace;

	CU_ASSERT_EQUAL(read_in_pieces(sample, size, size, size, &trace), 0);
	CHECK(strcmp(trace.text, expected) == 0, "%s", trace.text);
	for (size_t first = 0; first <= size; first++) {
		for (size_t piece = 1; piece <= 3; piece++) {
			CHECK(read_in_pieces(sample, size, first, piece, &trace) == 0, "%zu, %zu",
			      first, piece);
			CHECK(strcmp(trace.text, expected) == 0, "%zu, %zu: %s", first, piece,
			      trace.text);
		}
	}
}

static void what_a_report_returns_ends_the_reading(void)
{
	struct trace full = {.size = sizeof(full.text) - 1};
	cleanup_json_lexer struct jp_json_lexer lexer;

	jp_json_lexer_init(&lexer, note, &full, 0);
	CU_ASSERT_EQUAL(jp_json_lexer_feed(&lexer, "[]", 2), -ENOBUFS);
	CU_ASSERT_EQUAL(jp_json_lexer_finish(&lexer), -ENOBUFS);
}

static void what_jansson_reads_is_accepted(void)
{
	static const char alphabet[] = "[]{}:,\"\\ \n019.-+eEtfnulu";
	const char *given = getenv("JP_SEED");
	unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();
	unsigned start = seed, accepted = 0;
	char text[sizeof(sample)];

	/* The two differ one way only: jansson refuses more. So a text changed at random that it
	 * reads must be accepted here; and sometimes it must still read one. */
	for (int i = 0; i < MUTATIONS; i++) {
		int changes = 1 + rand_r(&seed) % 2;
		json_auto_t *read = NULL;

		memcpy(text, sample, sizeof(sample));
		for (; changes > 0; changes--)
			text[(size_t)rand_r(&seed) % strlen(sample)] =
				alphabet[(size_t)rand_r(&seed) % strlen(alphabet)];
		read = json_loadb(text, strlen(text), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (read == NULL)
			continue;
		accepted++;
		CHECK(jp_validity_of_text(JP_METADATA, text, strlen(text)) == 1, "JP_SEED=%u: %s",
		      start, text);
	}
	CHECK(accepted > 100, "JP_SEED=%u: only %u texts", start, accepted);
}

static void check_real_file(int dirfd, enum jp_managed which)
{
	cleanup_close int fd = jp_open_regular(dirfd, jp_managed_name(which), O_RDONLY);
	cleanup_free char *text = NULL;
	size_t size = 0;

	if (fd == -ENOENT && which == JP_BASE_CONFIG)
		return; /* older conversations have none */
	CU_ASSERT_EQUAL(jp_validity_of_file(which, fd), 1);
	if (jp_read_file(dirfd, jp_managed_name(which), SIZE_MAX, &text, &size) < 0 || size < 3) {
		CU_FAIL("a real file cannot be read");
		return;
	}
	CU_ASSERT_EQUAL(jp_validity_of_text(which, text, size), 1);
	/* A file that was cut off anywhere is refused; all end with a bracket and a newline. */
	for (size_t i = 0; i < CUTS; i++)
		CU_ASSERT_EQUAL(jp_validity_of_text(which, text, (size - 1) * i / CUTS), 0);
	CU_ASSERT_EQUAL(jp_validity_of_text(which, text, size - 2), 0);
}

static void every_real_conversation_is_valid_and_no_part_of_one(void)
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
		for (int which = 0; which < JP_MANAGED_COUNT; which++)
			check_real_file(fd, (enum jp_managed)which);
		seen++;
	}
	CU_ASSERT(seen > 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(metadata_and_base_config_are_one_value_of_any_type),
		TEST(an_empty_file_is_no_value),
		TEST(blank_is_space_tab_newline_and_carriage_return),
		TEST(a_byte_order_mark_is_refused),
		TEST(a_nul_byte_is_refused_everywhere),
		TEST(objects_and_arrays_close_in_order_without_spare_commas),
		TEST(numbers_follow_the_grammar_and_have_no_range),
		TEST(words_are_spelled_in_full),
		TEST(strings_refuse_control_characters_and_unknown_escapes),
		TEST(lone_surrogates_and_invalid_utf8_pass_in_what_jp_skips),
		TEST(the_keys_of_an_event_must_be_whole_strings),
		TEST(events_are_an_array),
		TEST(every_event_is_an_object_with_timestamp_and_type),
		TEST(an_array_of_two_is_no_event),
		TEST(each_of_the_two_keys_comes_once),
		TEST(keys_are_compared_after_unescaping),
		TEST(only_an_events_own_keys_count),
		TEST(a_file_is_read_from_its_beginning_and_not_moved),
		TEST(a_file_that_cannot_be_read_is_an_error_and_no_answer),
		TEST(of_a_name_only_what_is_there_makes_it_invalid),
		TEST(nesting_has_no_limit_that_anyone_meets),
		TEST(nesting_beyond_the_limit_is_refused),
		TEST(tokens_do_not_depend_upon_the_chunking),
		TEST(what_a_report_returns_ends_the_reading),
		TEST(what_jansson_reads_is_accepted),
		TEST(every_real_conversation_is_valid_and_no_part_of_one),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("validity", tests);
}
