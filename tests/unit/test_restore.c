/* Removing conversations and restoring what was kept, also when something fails on the way. */
#include "core/history.h"
#include "core/restore.h"
#include "tests/fault/fault.h"
#include "tests/unit/silo_tree.h"

#include <sys/file.h>

#define ID 17457886043
#define NAME "17457886043-title"
#define PLACE MAIN "/conversations/" NAME
#define ARCHIVED MAIN "/conversations/.archive/" NAME

static struct jp_silo open_silo(const struct jp_test_dir *dir)
{
	struct jp_silo silo = {0};

	CU_ASSERT_EQUAL(jp_silo_open(dir->path, "otvo8", "main", true, &silo, NULL), 0);
	return silo;
}

static void keep(const struct jp_silo *silo, const struct jp_test_dir *dir, const char *text)
{
	put(dir, "kept", text, 5);
	CU_ASSERT_EQUAL(jp_keep_move(silo->history_fd, ID, dir->fd, "kept", "events.json"), 0);
}

/* What is kept of it: `count` is checked. */
static struct jp_kept *kept_of(const struct jp_silo *silo, size_t expected)
{
	struct jp_kept *list = NULL;
	size_t count = 0;

	CU_ASSERT_EQUAL(jp_kept_read(silo->history_fd, silo->trash_fd, ID, &list, &count), 0);
	CHECK(count == expected, "%zu", count);
	if (count < 1)
		list = calloc(1, sizeof(*list));
	return list;
}

static void a_removed_conversation_comes_back_whole(void)
{
	static const struct {
		const char *place, *kept_as;
	} rows[] = {{PLACE, NAME}, {ARCHIVED, ".archive%" NAME}};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0};
		cleanup_free struct jp_kept *kept = NULL;
		char name[NAME_MAX + 1], path[PATH_MAX];

		jp_test_dir_open(&dir);
		put_conversation(&dir, rows[i].place, META_OLD, "{}", ONE, 5);
		(void)snprintf(path, sizeof(path), "%s/sub/note", rows[i].place);
		put(&dir, path, "note", 5);
		silo = open_silo(&dir);
		CU_ASSERT_EQUAL(jp_remove_conversation(&silo, ID), 0);
		CU_ASSERT_FALSE(is_there(&dir, rows[i].place));
		CU_ASSERT_EQUAL(jp_remove_conversation(&silo, ID), -ENOENT);
		kept = kept_of(&silo, 1);
		CU_ASSERT(kept[0].is_trash && kept[0].is_directory);
		CU_ASSERT_STRING_EQUAL(jp_kept_file(&kept[0]), rows[i].kept_as);
		CU_ASSERT_EQUAL(jp_restore_conversation(&silo, &kept[0], name), 0);
		CU_ASSERT_STRING_EQUAL(name, NAME);
		CU_ASSERT(holds(&dir, path, "note"));
		(void)snprintf(path, sizeof(path), "%s/events.json", rows[i].place);
		CU_ASSERT(holds(&dir, path, ONE));
		CU_ASSERT_EQUAL(jp_restore_conversation(&silo, &kept[0], name), -EEXIST);
	}
}

static void what_jp_would_refuse_stays_in_the_trash(void)
{
	static const char *const broken[] = {"/events.json", "/metadata.json", "/base_config.json"};

	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0};
		cleanup_free struct jp_kept *kept = NULL;
		char name[NAME_MAX + 1], path[PATH_MAX];

		jp_test_dir_open(&dir);
		put_conversation(&dir, PLACE, META_OLD, "{}", ONE, 5);
		(void)snprintf(path, sizeof(path), "%s%s", PLACE, broken[i]);
		put(&dir, path, "{", 5);
		silo = open_silo(&dir);
		CU_ASSERT_EQUAL(jp_remove_conversation(&silo, ID), 0);
		kept = kept_of(&silo, 1);
		CU_ASSERT_EQUAL(jp_restore_conversation(&silo, &kept[0], name), -EBADMSG);
		CU_ASSERT_FALSE(is_there(&dir, PLACE));
	}
}

static void jps_lock_is_respected(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	cleanup_free struct jp_kept *kept = NULL;
	cleanup_close int lock = -EBADF;

	jp_test_dir_open(&dir);
	put_conversation(&dir, PLACE, META_OLD, "{}", ONE, 5);
	put(&dir, MAIN "/locks/17457886043.lock", "", 5);
	silo = open_silo(&dir);
	keep(&silo, &dir, ONE_TWO);
	lock = openat(dir.fd, MAIN "/locks/17457886043.lock", O_RDWR | O_CLOEXEC);
	CU_ASSERT_EQUAL(flock(lock, LOCK_EX), 0);
	kept = kept_of(&silo, 1);
	CU_ASSERT_EQUAL(jp_remove_conversation(&silo, ID), -EBUSY);
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &kept[0], "events.json"), -EBUSY);
	CU_ASSERT(holds(&dir, PLACE "/events.json", ONE));
	jp_closep(&lock);
	CU_ASSERT_EQUAL(jp_remove_conversation(&silo, ID), 0);
}

static void a_restored_version_is_the_durable_one_and_the_other_is_kept(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	cleanup_free struct jp_kept *kept = NULL, *after = NULL, *last = NULL;
	struct stat st;

	jp_test_dir_open(&dir);
	put_conversation(&dir, PLACE, META_OLD, "{}", ONE, 5);
	silo = open_silo(&dir);
	CU_ASSERT_EQUAL(fchmodat(dir.fd, PLACE "/events.json", 0640, 0), 0);
	keep(&silo, &dir, ONE_TWO);
	kept = kept_of(&silo, 1);
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &kept[0], "events.json"), 0);
	CU_ASSERT(holds(&dir, PLACE "/events.json", ONE_TWO));
	CU_ASSERT_EQUAL(fstatat(dir.fd, PLACE "/events.json", &st, 0), 0);
	/* Of now, or plain jp would take the other side's; the mode is the file's. */
	CU_ASSERT(st.st_mtime > 5 && (st.st_mode & 07777) == 0640);
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &kept[0], "events.json"), -EALREADY);
	/* Contained in the new one, and kept all the same: back again. */
	after = kept_of(&silo, 2);
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &after[0], "events.json"), 0);
	CU_ASSERT(holds(&dir, PLACE "/events.json", ONE));
	last = kept_of(&silo, 2); /* the replaced one was there already */
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &last[1], "events.json"), 0);
	CU_ASSERT(holds(&dir, PLACE "/events.json", ONE_TWO));
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &last[1], "note"), -EINVAL);
	keep(&silo, &dir, "[{");
	free(last);
	last = kept_of(&silo, 3);
	CU_ASSERT_EQUAL(jp_restore_file(&silo, &last[0], "events.json"), -EBADMSG);
	CU_ASSERT(holds(&dir, PLACE "/events.json", ONE_TWO));
}

/* Whatever fails: one of the two is durable, and both are still there. */
static void no_version_is_lost_when_a_restoration_fails(void)
{
	bool is_done = false;

	for (int n = 1; !is_done && n < 60; n++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0};
		cleanup_free struct jp_kept *kept = NULL;
		cleanup_free char *text = NULL;
		size_t size;
		FILE *all = open_memstream(&text, &size);
		int r;

		jp_test_dir_open(&dir);
		put_conversation(&dir, PLACE, META_OLD, "{}", ONE_OTHER, 5);
		silo = open_silo(&dir);
		keep(&silo, &dir, ONE_TWO);
		kept = kept_of(&silo, 1);
		jp_fault_begin(n, JP_FAIL_ONCE, EIO);
		r = jp_restore_file(&silo, &kept[0], "events.json");
		is_done = jp_fault_end();
		CHECK(!is_done || r == 0, "%d: %d", n, r);
		CHECK(holds(&dir, PLACE "/events.json", ONE_TWO) ||
			      holds(&dir, PLACE "/events.json", ONE_OTHER),
		      "%d", n);
		gather(dir.fd, MAIN, all);
		(void)fclose(all);
		CHECK(strstr(text, ONE_TWO) != NULL && strstr(text, ONE_OTHER) != NULL, "%d", n);
	}
	CU_ASSERT(is_done);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_removed_conversation_comes_back_whole),
		TEST(what_jp_would_refuse_stays_in_the_trash),
		TEST(jps_lock_is_respected),
		TEST(a_restored_version_is_the_durable_one_and_the_other_is_kept),
		TEST(no_version_is_lost_when_a_restoration_fails),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("restore", tests);
}
