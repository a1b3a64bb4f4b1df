/* What the names of files in a conversation directory mean. */
#include "tests/unit/harness.h"

#include "core/managed.h"

static void check_temporary(const char *const *names, size_t count, bool expected)
{
	for (size_t i = 0; i < count; i++)
		CHECK(jp_name_is_temporary(names[i]) == expected, "\"%s\" %s", names[i],
		      expected ? "is temporary" : "is ordinary");
}

#define CHECK_TEMPORARY(...) CHECK_NAMES(true, __VA_ARGS__)
#define CHECK_ORDINARY(...) CHECK_NAMES(false, __VA_ARGS__)
#define CHECK_NAMES(expected, ...)                                                                 \
	do {                                                                                       \
		static const char *const names[] = {__VA_ARGS__};                                  \
		check_temporary(names, COUNT_OF(names), expected);                                 \
	} while (0)

static void each_managed_file_has_its_name_and_no_other_has(void)
{
	static const char *const others[] = {
		"",
		"metadata",
		"metadata.json ",
		"Metadata.json",
		"metadata.json.tmp",
		"events.jsonl",
		"vents.json",
		"events.json\n",
		"base-config.json",
		"query.md",
		".events.json",
		"events.json~",
		"base_config.json/",
	};

	CU_ASSERT_EQUAL(jp_managed_from_name("metadata.json"), JP_METADATA);
	CU_ASSERT_EQUAL(jp_managed_from_name("base_config.json"), JP_BASE_CONFIG);
	CU_ASSERT_EQUAL(jp_managed_from_name("events.json"), JP_EVENTS);
	for (int which = 0; which < JP_MANAGED_COUNT; which++) {
		const char *name = jp_managed_name((enum jp_managed)which);

		CHECK(jp_managed_from_name(name) == (enum jp_managed)which, "%s", name);
		CHECK(!jp_name_is_temporary(name), "%s", name);
		CHECK(!jp_name_is_managed_temporary(name), "%s", name);
	}
	for (size_t i = 0; i < COUNT_OF(others); i++)
		CHECK(jp_managed_from_name(others[i]) == JP_UNMANAGED, "\"%s\"", others[i]);
	CU_ASSERT_PTR_NULL(jp_managed_name(JP_UNMANAGED));
	CU_ASSERT_PTR_NULL(jp_managed_name(JP_MANAGED_COUNT));
}

static void jp_writes_beside_managed_files_only(void)
{
	static const struct {
		const char *name;
		bool is;
	} rows[] = {
		{"metadata.json.tmp", true},
		{"base_config.json.tmp", true},
		{"events.json.tmp", true},
		{"events.json.tmp2", false},
		{"events.json.tm", false},
		{"events.json..tmp", false},
		{"events.json", false},
		{".events.json.tmp", false},
		{"query.md.tmp", false},
		{".tmp", false},
		{"", false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(jp_name_is_managed_temporary(rows[i].name) == rows[i].is, "\"%s\"",
		      rows[i].name);
}

static void editors_swap_files_are_temporary(void)
{
	CHECK_TEMPORARY(".events.json.swp", ".events.json.swo", ".events.json.swa", ".a.swp",
			".swp", ".swo", ".events.json.swx", ".a.swpx", ".日本語.swp",
			".events.json.kate-swp");
	CHECK_ORDINARY("events.json.swp", "notes.swp.md", ".notes.swp.md", ".notes.swz",
		       ".notes.sw", ".notes.swP", ".swpx", "swp", ".kate-swp", "a.kate-swp");
}

static void vims_probe_numbers_are_temporary(void)
{
	CHECK_TEMPORARY("4913", "5036", "5159", "6020");
	CHECK_ORDINARY("4913-plan", "04913", "4914", "4790", "4913.md", "49130", "491", "6143",
		       "17457886043", "2024", "-4913");
}

static void backups_of_editors_are_temporary_and_a_persons_are_not(void)
{
	CHECK_TEMPORARY("events.json~", "a~", ".hidden~", "notes.md.~1~", ".notes.md.un~");
	CHECK_ORDINARY("~", "~notes", "events.json.bak", "events.json.orig", "events.json.old",
		       "events.json~1", "notes~.md");
}

static void emacs_locks_and_autosaves_are_temporary(void)
{
	CHECK_TEMPORARY(".#events.json", "#events.json#", "#.hidden#", "#%*mail*#");
	CHECK_ORDINARY("#", "##", ".#", "#events.json", "events.json#", "#1-plan", "issue#4#5");
}

static void office_locks_are_temporary(void)
{
	CHECK_TEMPORARY(".~lock.table.ods#");
	CHECK_ORDINARY(".~lock.#", ".~lock.table.ods", "~lock.table.ods#");
}

static void files_about_to_be_renamed_into_place_are_temporary(void)
{
	CHECK_TEMPORARY("sedJ6b7MY", "sedabcdE1", "XXmBTh42", "XXLMkWQa", ".events.json.UXMEx5",
			".query.md.4sQqLz", ".goutputstream-K2M0Y3", "events.json.hXkUqp",
			"metadata.json.Ab3dEf");
}

static void a_word_is_not_taken_for_random_characters(void)
{
	CHECK_ORDINARY("sediment", "sediments", "sedJ6b7M", "sedJ6b7MYx", "sedJ6b7M-", "sed",
		       "XXchange", "XXmBTh4", "XXmBTh42x", "XXXXXXXX.md", "xxmBTh42",
		       ".notes.backup", ".notes.json5", ".UXMEx5", "notes.UXMEx5",
		       "notes.md.sha256", "events.json.backup", "events.json.gz", ".goutputstream-",
		       ".goutputstream-K2M0Y");
}

static void files_of_atomic_writers_are_temporary(void)
{
	CHECK_TEMPORARY("events.json.tmp", "notes.md.tmp", "a.tmp",
			"events.json.tmp.4242.1755860000123", "events.json.tmp.1.0f3a9c",
			"notes.tmp.77.deadbeef0123");
	CHECK_ORDINARY(".tmp", "tmp", "tmp.md", "notes.tmp.md", "notes.tmp.2024.md",
		       "notes.tmp.4242", "notes.tmp.4242.", "notes.tmp..0f3a9c",
		       "notes.tmp.x1.0f3a9c", ".tmp.1.0f3a9c00", "notes.tmp.1.0f3", "notes.tmpl",
		       "notestmp", "notes.1.0f3a9c");
}

static void the_files_that_people_keep_are_ordinary(void)
{
	CHECK_ORDINARY("", ".", "..", "query.md", "QUERY_MESSAGE.md", "TRASHED.md", "notes.txt",
		       "a b.md", "日本語.md", ".gitignore", "plan-4913.md", "#", "image.PNG",
		       "Makefile", "README", "COPYING", "events.json.md", "\xff\xfe");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(each_managed_file_has_its_name_and_no_other_has),
		TEST(jp_writes_beside_managed_files_only),
		TEST(editors_swap_files_are_temporary),
		TEST(vims_probe_numbers_are_temporary),
		TEST(backups_of_editors_are_temporary_and_a_persons_are_not),
		TEST(emacs_locks_and_autosaves_are_temporary),
		TEST(office_locks_are_temporary),
		TEST(files_about_to_be_renamed_into_place_are_temporary),
		TEST(a_word_is_not_taken_for_random_characters),
		TEST(files_of_atomic_writers_are_temporary),
		TEST(the_files_that_people_keep_are_ordinary),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("managed", tests);
}
