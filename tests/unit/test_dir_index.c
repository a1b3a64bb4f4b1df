/* Finding conversations by ID in a directory that others change. */
#include "tests/unit/harness.h"

#include "core/dir_index.h"

#include <sys/wait.h>

static void make(const struct jp_test_dir *dir, const char *name)
{
	CU_ASSERT_EQUAL(mkdirat(dir->fd, name, 0755), 0);
}

static bool is_at(struct jp_dir_index *index, uint64_t id, const char *expected)
{
	char path[JP_CONVERSATION_PATH_BYTES] = "";
	int r = jp_dir_index_find(index, id, path, NULL);

	return expected == NULL ? r == -ENOENT : r == 0 && strcmp(path, expected) == 0;
}

static void a_conversation_is_found_under_whatever_name_it_has(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_dir_index *index;

	jp_test_dir_open(&dir);
	make(&dir, "17457886043-title");
	make(&dir, "17457886044");
	CU_ASSERT_EQUAL(jp_dir_index_new(dir.fd, &index), 0);
	CU_ASSERT(is_at(index, 17457886043, "17457886043-title"));
	CU_ASSERT(is_at(index, 17457886044, "17457886044"));
	CU_ASSERT(is_at(index, 17457886045, NULL));
	jp_dir_index_free(index);
}

static void every_change_is_seen_at_once_also_within_one_clock_tick(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_dir_index *index;

	jp_test_dir_open(&dir);
	make(&dir, JP_ARCHIVE_NAME);
	make(&dir, "17457886043-a");
	CU_ASSERT_EQUAL(jp_dir_index_new(dir.fd, &index), 0);
	for (int i = 0; i < 200; i++) {
		const char *from = i % 2 == 0 ? "17457886043-a" : "17457886043-b";
		const char *to = i % 2 == 0 ? "17457886043-b" : "17457886043-a";

		CU_ASSERT(is_at(index, 17457886043, from));
		CU_ASSERT_EQUAL(renameat(dir.fd, from, dir.fd, to), 0);
		CU_ASSERT(is_at(index, 17457886043, to));
	}
	CU_ASSERT_EQUAL(renameat(dir.fd, "17457886043-a", dir.fd, ".archive/17457886043-a"), 0);
	CU_ASSERT(is_at(index, 17457886043, ".archive/17457886043-a"));
	CU_ASSERT_EQUAL(unlinkat(dir.fd, ".archive/17457886043-a", AT_REMOVEDIR), 0);
	CU_ASSERT(is_at(index, 17457886043, NULL));
	jp_dir_index_free(index);
}

static void a_live_one_goes_before_an_archived_one(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_dir_index *index;
	size_t live, archived;

	jp_test_dir_open(&dir);
	make(&dir, JP_ARCHIVE_NAME);
	make(&dir, ".archive/17457886043-old");
	make(&dir, "17457886043-new");
	CU_ASSERT_EQUAL(jp_dir_index_new(dir.fd, &index), 0);
	CU_ASSERT(is_at(index, 17457886043, "17457886043-new"));
	CU_ASSERT_EQUAL(jp_dir_index_count(index, &live, &archived), 0);
	CU_ASSERT(live == 1 && archived == 1);
	jp_dir_index_free(index);
}

static void only_real_directories_with_an_id_count(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_index_entry *entries;
	size_t count;

	jp_test_dir_open(&dir);
	make(&dir, "17457886043-real");
	make(&dir, "no-number");
	make(&dir, "0017457886044-zeros");
	CU_ASSERT_EQUAL(mknodat(dir.fd, "17457886045-file", S_IFREG | 0644, 0), 0);
	CU_ASSERT_EQUAL(symlinkat("17457886043-real", dir.fd, "17457886046-link"), 0);
	CU_ASSERT_EQUAL(jp_dir_index_read(dir.fd, &entries, &count), 0);
	CU_ASSERT_EQUAL(count, 1);
	CU_ASSERT_EQUAL(entries[0].id, 17457886043);
	jp_index_entries_free(entries, count);
}

static void ten_thousand_are_found(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_dir_index *index;
	bool all = true;

	jp_test_dir_open(&dir);
	for (int i = 0; i < 10000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%d-x", 1700000000 + i * 7);
		all = all && mkdirat(dir.fd, name, 0700) == 0;
	}
	CU_ASSERT_EQUAL(jp_dir_index_new(dir.fd, &index), 0);
	for (int i = 0; i < 10000; i++) {
		char path[JP_CONVERSATION_PATH_BYTES];

		all = all && jp_dir_index_find(index, UINT64_C(1700000000) + (uint64_t)i * 7, path,
					       NULL) == 0;
	}
	CU_ASSERT(all);
	jp_dir_index_free(index);
}

/* Two who have different names for it: one of them is second, and sees it. */
static void only_one_at_a_time_gives_an_id_its_directory(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	int status = -1, ids = 0;
	struct jp_index_entry *entries = NULL;
	size_t count = 0;

	jp_test_dir_open(&dir);
	for (int i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (int id = 1000; id < 1200; id++) {
			int lock = jp_dir_index_lock(dir.fd);
			char name[32], path[JP_CONVERSATION_PATH_BYTES];
			struct jp_dir_index *index = NULL;
			int r = jp_dir_index_new(dir.fd, &index);

			if (lock < 0 || r < 0)
				_exit(1);
			(void)snprintf(name, sizeof(name), "%d-%d", id, i);
			if (jp_dir_index_find(index, (uint64_t)id, path, NULL) == -ENOENT &&
			    mkdirat(dir.fd, name, 0700) < 0)
				_exit(1);
			jp_dir_index_free(index);
			(void)close(lock);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		ids += wait(&status) > 0 && status == 0 ? 1 : 0;
	CU_ASSERT_EQUAL(ids, 4);
	CU_ASSERT_EQUAL(jp_dir_index_read(dir.fd, &entries, &count), 0);
	CU_ASSERT_EQUAL(count, 200);
	jp_index_entries_free(entries, count);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_conversation_is_found_under_whatever_name_it_has),
		TEST(every_change_is_seen_at_once_also_within_one_clock_tick),
		TEST(a_live_one_goes_before_an_archived_one),
		TEST(only_real_directories_with_an_id_count),
		TEST(only_one_at_a_time_gives_an_id_its_directory),
		TEST(ten_thousand_are_found),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("dir_index", tests);
}
