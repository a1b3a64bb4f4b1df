/* The texts that the lexer tells; what it takes for JSON is tested with validity. */
#include "tests/unit/harness.h"

#include "core/json_lexer.h"

/* Asks for the text of every string but those that stand for nothing; writes all down. */
static int note(void *context, const struct jp_json_token *token)
{
	char *notes = context;
	size_t used = strlen(notes);

	if (token->kind == JP_JSON_TEXT)
		(void)snprintf(notes + used, 256 - used, "%zu:%.*s;", token->depth,
			       (int)token->text_size, token->text);
	else if (token->kind == JP_JSON_KEY)
		(void)snprintf(notes + used, 256 - used, "%.*s=", (int)token->key_size, token->key);
	return token->kind == JP_JSON_STRING;
}

static int lex(const char *text, size_t piece, size_t depth, char notes[static 256])
{
	cleanup_json_lexer struct jp_json_lexer lexer;
	size_t size = strlen(text);
	int r = 0;

	notes[0] = '\0';
	jp_json_lexer_init(&lexer, note, notes, depth);
	for (size_t at = 0; at < size && r == 0; at += piece)
		r = jp_json_lexer_feed(&lexer, text + at, size - at < piece ? size - at : piece);
	return r < 0 ? r : jp_json_lexer_finish(&lexer);
}

static void a_text_is_told_when_it_was_asked_for(void)
{
	static const char text[] = "[\"a\", {\"k\\u0065y\": \"two\\nlines\", \"n\": 1, "
				   "\"e\": \"\", \"deep\": [\"x\"]}, \"\\ud83d\\ude00 \\\"q\\\"\"]";
	char notes[256];

	for (size_t piece = 1; piece <= sizeof(text); piece++) {
		CHECK(lex(text, piece, 2, notes) == 0, "in pieces of %zu", piece);
		CHECK(strcmp(notes, "1:a;key=2:two\nlines;n=e=2:;deep=1:😀 \"q\";") == 0,
		      "in pieces of %zu: %s", piece, notes);
	}
}

static void a_long_text_is_told_with_its_beginning(void)
{
	char text[JP_JSON_KEY_BYTES_MAX + 20], notes[256];

	memset(text, 'x', sizeof(text));
	text[0] = '"';
	memcpy(text + sizeof(text) - 2, "\"", 2);
	CU_ASSERT_EQUAL(lex(text, 7, 0, notes), 0);
	CU_ASSERT_EQUAL(strlen(notes), JP_JSON_KEY_BYTES_MAX + strlen("0:;"));
}

static void a_text_that_is_asked_for_must_be_one(void)
{
	static const char *const texts[] = {"[\"\\ud800\"]", "[\"\\udc00\"]", "[\"\xff\"]",
					    "[\"\xc3\"]", "[\"\\ud800x\"]"};
	char notes[256];

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		CHECK(lex(texts[i], 1, 1, notes) == -EBADMSG, "row %zu", i);
		CHECK(lex(texts[i], 1, 0, notes) == 0, "row %zu, not asked for", i);
	}
}

/* What ends a run of ordinary bytes is found wherever it is: eight bytes are looked at at once. */
static void a_string_ends_and_fails_at_every_place(void)
{
	for (size_t at = 1; at < 40; at++) {
		char text[48], notes[256];

		memset(text, '\xc3',
		       sizeof(text)); /* with the highest bit set, and not looked at */
		text[0] = '"';
		text[at] = '"';
		text[at + 1] = '\0';
		CHECK(lex(text, 48, 0, notes) == -EBADMSG || at == 1, "asked for, %zu", at);
		for (int c = 0; c < 0x21; c++) {
			cleanup_json_lexer struct jp_json_lexer lexer;

			text[at] = (char)c;
			text[at + 1] = '"';
			jp_json_lexer_init(&lexer, NULL, NULL, 0);
			CHECK(jp_json_lexer_feed(&lexer, text, at + 2) == (c < 0x20 ? -EBADMSG : 0),
			      "%d at %zu", c, at);
		}
		text[at] = '\\';
		text[at + 1] = '"';
		text[at + 2] = '"';
		text[at + 3] = '\0';
		for (size_t piece = 1; piece < 20; piece++) {
			cleanup_json_lexer struct jp_json_lexer lexer;
			int r = 0;

			jp_json_lexer_init(&lexer, NULL, NULL, 0);
			for (size_t i = 0; i < at + 3 && r == 0; i += piece)
				r = jp_json_lexer_feed(&lexer, text + i,
						       at + 3 - i < piece ? at + 3 - i : piece);
			CHECK(r == 0 && jp_json_lexer_finish(&lexer) == 0, "%zu by %zu", at, piece);
		}
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_text_is_told_when_it_was_asked_for),
		TEST(a_long_text_is_told_with_its_beginning),
		TEST(a_text_that_is_asked_for_must_be_one),
		TEST(a_string_ends_and_fails_at_every_place),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("json_lexer", tests);
}
