/* Names and versions of what is kept. */
#include "core/history.h"
#include "core/kept.h"
#include "tests/unit/harness.h"

#define STAMP "20261123T162201.123456789Z"

static void a_name_is_a_time_and_a_file(void)
{
	static const struct {
		const char *entry;
		int r;
		int64_t ns;
		const char *file;
	} rows[] = {
		{STAMP ".events.json", 0, INT64_C(1795450921123456789), "events.json"},
		{"19700101T000000.000000001Z.x", 0, 1, "x"},
		{"20240229T235959.000000000Z..archive%1-a", 0, INT64_C(1709251199000000000),
		 ".archive%1-a"},
		{STAMP ".", -EINVAL, 0, NULL},
		{STAMP, -EINVAL, 0, NULL},
		{"20261123T162201.12345678Z.events.json", -EINVAL, 0, NULL},
		{"20261123T162201Z.events.json", -EINVAL, 0, NULL},
		{"20260230T000000.000000000Z.x", -EINVAL, 0, NULL},
		{"20261323T000000.000000000Z.x", -EINVAL, 0, NULL},
		{"20261123T250000.000000000Z.x", -EINVAL, 0, NULL},
		{"19691231T235959.000000000Z.x", -EINVAL, 0, NULL},
		{"99991231T235959.000000000Z.x", -EINVAL, 0, NULL},
		{"events.json", -EINVAL, 0, NULL},
		{"", -EINVAL, 0, NULL},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *file = NULL;
		int64_t ns = 0;
		int r = jp_kept_parse(rows[i].entry, &ns, &file);

		CHECK(r == rows[i].r, "%s: %d", rows[i].entry, r);
		CHECK(ns == rows[i].ns, "%s: %lld", rows[i].entry, (long long)ns);
		CHECK(r < 0 || strcmp(file, rows[i].file) == 0, "%s", rows[i].entry);
	}
}

static void a_version_stays_what_it_was(void)
{
	char version[JP_VERSION_BYTES];

	/* People have written it down: another answer here is a break. */
	jp_kept_version(STAMP ".events.json", version);
	CU_ASSERT_STRING_EQUAL(version, "qkxoppqo");
	CU_ASSERT(jp_version_is_wellformed(version));
	jp_kept_version(STAMP ".metadata.json", version);
	CU_ASSERT_STRING_NOT_EQUAL(version, "qkxoppqo");
}

static void a_word_is_divided_at_a_version_only(void)
{
	static const struct {
		const char *text;
		size_t word;
		const char *version;
	} rows[] = {
		{"17457886043@kmno", 11, "kmno"},
		{"17457886043", 11, ""},
		{"17457886043@", 12, ""},
		{"17457886043@20261123T1622", 11, "20261123T1622"},
		{"17457886043@20261123T162201.123456789Z", 11, "20261123T162201.123456789Z"},
		{"a@b/17457886043", 15, ""},
		{"a@k/17457886043@z", 15, "z"},
		{"17457886043@kmnopqrst", 21, ""}, /* nine letters */
		{"17457886043@abc", 15, ""},
		{"17457886043@k1", 14, ""},
		{"17457886043@T1", 14, ""},
		{"@kk", 0, "kk"},
		{"", 0, ""},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *version;
		size_t word;

		jp_version_split(rows[i].text, &word, &version);
		CHECK(word == rows[i].word, "%s: %zu", rows[i].text, word);
		CHECK(strcmp(version, rows[i].version) == 0, "%s: %s", rows[i].text, version);
	}
}

static struct jp_kept make(const char *entry, const char *version)
{
	struct jp_kept kept = {0};
	const char *file;

	(void)snprintf(kept.entry, sizeof(kept.entry), "%s", entry);
	CU_ASSERT_EQUAL(jp_kept_parse(kept.entry, &kept.kept_ns, &file), 0);
	kept.file = (size_t)(file - kept.entry);
	(void)snprintf(kept.version, sizeof(kept.version), "%s", version);
	return kept;
}

static void a_beginning_means_the_only_one_that_has_it(void)
{
	const struct jp_kept list[] = {
		make("20261123T162202.000000000Z.events.json", "kkmmnnoo"),
		make("20261123T162201.500000000Z.metadata.json", "kkzznnoo"),
		make("20261123T162201.000000000Z.events.json", "zznnooyy"),
	};
	static const struct {
		const char *version, *file;
		int r;
	} rows[] = {
		{"kkm", NULL, 0},
		{"kk", NULL, -ENOTUNIQ},
		{"kk", "metadata.json", 1},
		{"z", NULL, 2},
		{"zznnooyy", NULL, 2},
		{"zznnooyy", "metadata.json", -ENOENT},
		{"p", NULL, -ENOENT},
		{"20261123T162202", NULL, 0},
		{"20261123T162201", NULL, -ENOTUNIQ},
		{"20261123T162201", "events.json", 2},
		{"20261123T162201.5", NULL, 1},
		{"20261123T162201.500000000Z", NULL, 1},
		{"2027", NULL, -ENOENT},
		{"", NULL, -ENOENT},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct jp_error error = {0};
		int r = jp_kept_find(list, COUNT_OF(list), rows[i].version, rows[i].file, &error);

		CHECK(r == rows[i].r, "%s %s: %d", rows[i].version,
		      rows[i].file != NULL ? rows[i].file : "", r);
		CHECK((r < 0) == (error.message[0] != '\0'), "%s", rows[i].version);
	}
}

static void a_path_is_found_again(void)
{
	const struct jp_kept kept = make(STAMP ".sub%a%b", "kkmmnnoo");

	CU_ASSERT(jp_kept_is_called(&kept, "sub%a%b"));
	CU_ASSERT(jp_kept_is_called(&kept, "sub/a%b"));
	CU_ASSERT(jp_kept_is_called(&kept, "sub/a/b"));
	CU_ASSERT_FALSE(jp_kept_is_called(&kept, "sub/a"));
	CU_ASSERT_FALSE(jp_kept_is_called(&kept, "sub/a/b/"));
	CU_ASSERT_FALSE(jp_kept_is_called(&kept, ""));
}

static void put(int dir, uint64_t id, const char *as, const char *content)
{
	cleanup_close int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);

	CU_ASSERT(fd >= 0);
	CU_ASSERT_EQUAL(jp_write_all(fd, content, strlen(content), 0), 0);
	CU_ASSERT_EQUAL(jp_keep_move(dir, id, dir, "new", as), 0);
}

static void what_was_kept_is_listed_newest_first(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int history = -EBADF, trash = -EBADF;
	cleanup_free struct jp_kept *list = NULL, *all = NULL, *none = NULL;
	size_t count = 0;

	jp_test_dir_open(&dir);
	history = jp_open_or_make_dir(dir.fd, "history", 0700);
	trash = jp_open_or_make_dir(dir.fd, "trash", 0700);
	CU_ASSERT_EQUAL(jp_kept_read(history, trash, 17, &none, &count), 0);
	CU_ASSERT_EQUAL(count, 0);
	put(history, 17, "events.json", "one");
	put(trash, 17, "sub/note", "three");
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "17-title", 0700), 0);
	{
		cleanup_close int made = jp_open_or_make_dir(dir.fd, "17-title", 0700);

		put(made, 9, "x", "12345678");
	}
	CU_ASSERT_EQUAL(jp_keep_move(trash, 17, dir.fd, "17-title", "17-title"), 0);
	put(history, 9, "events.json", "other");
	CU_ASSERT_EQUAL(mkdirat(history, "17/strange", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(history, "017", 0700), 0);
	CU_ASSERT_EQUAL(jp_kept_read(history, trash, 17, &list, &count), 0);
	CU_ASSERT_EQUAL(count, 3);
	if (count == 3) {
		CU_ASSERT(list[0].is_trash && list[0].is_directory && list[0].size == 8);
		CU_ASSERT_STRING_EQUAL(jp_kept_file(&list[0]), "17-title");
		CU_ASSERT_STRING_EQUAL(jp_kept_file(&list[1]), "sub%note");
		CU_ASSERT(list[1].is_trash && list[1].size == 5);
		CU_ASSERT_STRING_EQUAL(jp_kept_file(&list[2]), "events.json");
		CU_ASSERT(!list[2].is_trash && list[2].size == 3 && list[2].id == 17);
		CU_ASSERT(list[0].kept_ns > list[1].kept_ns && list[1].kept_ns > list[2].kept_ns);
	}
	for (size_t i = 0; i < count; i++) {
		char shown[NAME_MAX + 1], entry[NAME_MAX + 1];
		int r;

		CU_ASSERT_EQUAL(jp_kept_shown_name(list[i].entry, shown), 0);
		CHECK(strstr(shown, list[i].version) == shown + strlen("20261123T162201Z."), "%s",
		      shown);
		r = jp_kept_find_shown(history, 17, shown, entry);
		CHECK(r == (list[i].is_trash ? -ENOENT : 0), "%s: %d", shown, r);
		CU_ASSERT(r < 0 || strcmp(entry, list[i].entry) == 0);
	}
	CU_ASSERT_EQUAL(jp_kept_read_all(history, trash, &all, &count), 0);
	CU_ASSERT_EQUAL(count, 4);
	CU_ASSERT(count == 4 && all[0].id == 9 && all[3].id == 17);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_name_is_a_time_and_a_file),
		TEST(a_version_stays_what_it_was),
		TEST(a_word_is_divided_at_a_version_only),
		TEST(a_beginning_means_the_only_one_that_has_it),
		TEST(a_path_is_found_again),
		TEST(what_was_kept_is_listed_newest_first),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("kept", tests);
}
