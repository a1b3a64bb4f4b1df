/* Folding that is killed, that fails, or that several do at once, at every place. */
#include "tests/unit/silo_tree.h"

#include "core/dir_index.h"
#include "core/silo_fold.h"
#include "tests/fault/fault.h"

#include <sys/wait.h>

/* One silo with nearly everything, and what has to be true of it at every moment. */
static void make_scene(const struct jp_test_dir *dir)
{
	/* 101: the sibling's copy stands; 102: the survivor's; 103: only one; 104: archived. */
	put_conversation(dir, MAIN "/conversations/101-old", META_OLD, "{\"b\": 1}", ONE, 100);
	put_conversation(dir, FEATURE "/conversations/101-new", META_NEW, "{\"b\": 2}", ONE_TWO,
			 200);
	put(dir, MAIN "/conversations/101-old/QUERY_MESSAGE.md", "typed in main", 50);
	put_conversation(dir, MAIN "/conversations/102-a", META_NEW, "{\"b\": 3}", ONE_TWO, 300);
	put_conversation(dir, FEATURE "/conversations/102-a", META_OLD, "{\"b\": 4}", ONE_OTHER,
			 200);
	put(dir, FEATURE "/conversations/102-a/notes", "typed in feature", 50);
	put(dir, FEATURE "/conversations/102-a/metadata.json.tmp", "temporary", 50);
	put_conversation(dir, BARE "/conversations/102-b", META_OLD, "{\"b\": 5}", ONE, 400);
	put_conversation(dir, FEATURE "/conversations/103-a", META_NEW, "{\"b\": 6}", ONE, 10);
	put_conversation(dir, MAIN "/conversations/104-a", META_OLD, "{\"b\": 7}", ONE, 10);
	put_conversation(dir, BARE "/conversations/.archive/104-b", META_NEW, "{\"b\": 8}",
			 ONE_OTHER, 20);
	put(dir, MAIN "/conversations/README.md", "readme of main", 10);
	put(dir, FEATURE "/conversations/README.md", "readme of feature", 10);
	put(dir, MAIN "/sessions/one.json", "session of main", 10);
	put(dir, FEATURE "/sessions/one.json", "session of feature", 10);
	put(dir, BARE "/sessions/two.json", "second session", 10);
	put(dir, FEATURE "/config.toml", "config of feature", 10);
	put(dir, BARE "/config.toml", "config of bare", 10);
	put(dir, FEATURE "/jpfs/history/101/1Z.events.json", "version of feature", 10);
	put(dir, FEATURE "/jpfs/staging/7-1/1.101.events.json", "staged in feature", 10);
	put(dir, FEATURE "/jpfs/workspaces/1-2.base", "record of feature", 90);
	put(dir, MAIN "/jpfs/workspaces/1-2.base", "record of main", 10);
	put(dir, FEATURE "/jpfs/allowed.json",
	    "{\"version\": 1, \"roots\": [{\"path\": \"root-b\", \"directory\": {\"i\": 2}}]}", 10);
	put(dir, MAIN "/jpfs/allowed.json",
	    "{\"version\": 1, \"roots\": [{\"path\": \"root-a\", \"directory\": {\"i\": 1}}]}", 10);
	CU_ASSERT_EQUAL(symlinkat("/root/a", dir->fd, MAIN "/storage"), 0);
	CU_ASSERT_EQUAL(symlinkat("/root/b", dir->fd, FEATURE "/storage"), 0);
}

/* What stands of each conversation, where, in the end. */
static const struct {
	const char *id, *base, *events, *path;
} standing[] = {
	{"101", "{\"b\": 2}", ONE_TWO, "101-new"},
	{"102", "{\"b\": 3}", ONE_TWO, "102-a"},
	{"103", "{\"b\": 6}", ONE, "103-a"},
	{"104", "{\"b\": 8}", ONE_OTHER, ".archive/104-b"},
};

static const char *const silos[] = {MAIN, FEATURE, BARE};

/* Whether some silo has the conversation's best copy, whole; its name may be changing. */
static bool is_standing_somewhere(const struct jp_test_dir *dir, size_t index)
{
	for (size_t i = 0; i < COUNT_OF(silos); i++) {
		cleanup_close int fd = -EBADF;
		struct jp_index_entry *entries = NULL;
		char path[PATH_MAX];
		size_t count = 0;
		bool found = false;

		(void)snprintf(path, sizeof(path), "%s/conversations", silos[i]);
		fd = openat(dir->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || jp_dir_index_read(fd, &entries, &count) < 0)
			continue;
		for (size_t j = 0; j < count; j++) {
			int n = snprintf(path, sizeof(path), "%s/conversations/%s%s", silos[i],
					 entries[j].is_archived ? ".archive/" : "",
					 entries[j].name);

			(void)snprintf(path + n, sizeof(path) - (size_t)n, "/base_config.json");
			if (!holds(dir, path, standing[index].base))
				continue;
			(void)snprintf(path + n, sizeof(path) - (size_t)n, "/events.json");
			found = found || holds(dir, path, standing[index].events);
		}
		jp_index_entries_free(entries, count);
		if (found)
			return true;
	}
	return false;
}

static void check_nothing_is_lost(const struct jp_test_dir *dir, int n)
{
	/* Streams without their ends: what is contained is at the start of another. */
	static const char *const texts[] = {
		"[\n" EVENT("one"),
		"[\n" EVENT("one") ",\n" EVENT("two"),
		"[\n" EVENT("one") ",\n" EVENT("other"),
		META_NEW,
		"{\"b\": 1}",
		"{\"b\": 2}",
		"{\"b\": 3}",
		"{\"b\": 4}",
		"{\"b\": 5}",
		"{\"b\": 6}",
		"{\"b\": 7}",
		"{\"b\": 8}",
		"typed in main",
		"typed in feature",
		"temporary",
		"readme of main",
		"readme of feature",
		"session of main",
		"session of feature",
		"second session",
		"config of feature",
		"config of bare",
		"version of feature",
		"staged in feature",
		"record of feature",
		"record of main",
		"root-a",
		"root-b",
	};
	cleanup_free char *all = all_of(dir, "workspace");

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		CHECK(strstr(all, texts[i]) != NULL, "n %d: %s", n, texts[i]);
	for (size_t i = 0; i < COUNT_OF(standing); i++)
		CHECK(is_standing_somewhere(dir, i), "n %d: %s", n, standing[i].id);
}

/* In the end: one silo, each conversation where it belongs, nothing on the way. */
static void check_is_folded(const struct jp_test_dir *dir, const char *silo, int n)
{
	char path[PATH_MAX];

	check_nothing_is_lost(dir, n);
	CHECK(count_entries(dir, "workspace") == 1, "n %d", n);
	(void)snprintf(path, sizeof(path), "%s/jpfs/folding", silo);
	CHECK(!is_there(dir, path), "n %d", n);
	(void)snprintf(path, sizeof(path), "%s/conversations", silo);
	CHECK(count_entries(dir, path) == 5, "n %d: %d", n, count_entries(dir, path));
	(void)snprintf(path, sizeof(path), "%s/conversations/.archive", silo);
	CHECK(count_entries(dir, path) == 1, "n %d", n);
	for (size_t i = 0; i < COUNT_OF(standing); i++) {
		(void)snprintf(path, sizeof(path), "%s/conversations/%s/base_config.json", silo,
			       standing[i].path);
		CHECK(holds(dir, path, standing[i].base), "n %d: %s", n, path);
	}
}

static const char *silo_that_is_there(const struct jp_test_dir *dir)
{
	size_t i = 0;

	while (i + 1 < COUNT_OF(silos) && !is_there(dir, silos[i]))
		i++;
	return silos[i];
}

/* True when it was over before the n-th change. The next run may choose another survivor. */
static bool stop_and_go_on(int n, unsigned flags, const char *next_slug)
{
	cleanup_test_dir struct jp_test_dir dir;
	int status = 0;
	pid_t pid;

	jp_test_dir_open(&dir);
	make_scene(&dir);
	pid = fork();
	if (pid == 0) {
		cleanup_silo struct jp_silo silo = {0};

		jp_fault_begin(n, flags | JP_STOP, EIO);
		_exit(jp_silo_open(dir.path, "otvo8", "main", true, &silo, NULL) == 0 ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == JP_STOPPED),
	      "n %d: %x", n, status);
	check_nothing_is_lost(&dir, n);
	if (WEXITSTATUS(status) == 0)
		check_is_folded(&dir, MAIN, n);
	jp_fault_begin(0, flags, EIO);
	CHECK(fold(&dir, next_slug) >= 0, "n %d", n);
	jp_fault_end();
	check_is_folded(&dir, silo_that_is_there(&dir), n);
	return WEXITSTATUS(status) == 0;
}

static void a_kill_at_any_change_loses_nothing_and_the_next_run_completes_it(void)
{
	int n = 1;

	while (n < 2000 && !stop_and_go_on(n, 0, "main"))
		n++;
	CHECK(n > 50 && n < 2000, "%d", n);
}

static void a_kill_where_names_cannot_be_exchanged_loses_nothing_either(void)
{
	int n = 1;

	while (n < 2000 && !stop_and_go_on(n, JP_PLAIN, "main"))
		n++;
	CHECK(n > 50 && n < 2000, "%d", n);
}

static void a_kill_and_another_survivor_lose_nothing(void)
{
	int n = 1;

	/* The next one is of another worktree: what it prefers may be there still, or not. */
	while (n < 2000 && !stop_and_go_on(n, 0, "feature"))
		n++;
	CHECK(n > 50 && n < 2000, "%d", n);
	/* The places are the same ones, more or less: some of them will do. */
	for (n = 1; n < 2000 && !stop_and_go_on(n, JP_PLAIN, "feature");)
		n += 3;
	CHECK(n > 50 && n < 2000, "%d", n);
}

static void any_change_that_fails_loses_nothing_and_the_next_run_completes_it(void)
{
	static const unsigned hows[] = {JP_FAIL_ONCE, JP_FAIL_ON};

	for (size_t i = 0; i < COUNT_OF(hows); i++) {
		bool is_done = false;

		for (int n = 1; n < 2000 && !is_done; n++) {
			cleanup_test_dir struct jp_test_dir dir;
			cleanup_silo struct jp_silo silo = {0};
			struct jp_error error = {0};
			int r;

			jp_test_dir_open(&dir);
			make_scene(&dir);
			jp_fault_begin(n, hows[i], EIO);
			r = jp_silo_open(dir.path, "otvo8", "main", true, &silo, &error);
			is_done = jp_fault_end();
			CHECK(!is_done || r == 0, "n %d: %s", n, error.message);
			CHECK(r == 0 || (error.message[0] != '\0' && silo.path == NULL), "n %d: %d",
			      n, r);
			check_nothing_is_lost(&dir, n);
			jp_fault_begin(0, 0, EIO);
			CHECK(fold(&dir, "main") >= 0, "n %d", n);
			jp_fault_end();
			check_is_folded(&dir, MAIN, n);
		}
		CU_ASSERT(is_done);
	}
}

/* ---- several at once ---- */

static void many_processes_fold_once(void)
{
	static const char *const slugs[] = {"main", "feature", "other"};

	for (int round = 0; round < 20; round++) {
		cleanup_test_dir struct jp_test_dir dir;
		pid_t pids[8];
		int folded = 0;

		jp_test_dir_open(&dir);
		make_scene(&dir);
		for (size_t i = 0; i < COUNT_OF(pids); i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				cleanup_silo struct jp_silo silo = {0};

				jp_fault_begin(0, 0, EIO);
				_exit(jp_silo_open(dir.path, "otvo8", slugs[i % COUNT_OF(slugs)],
						   true, &silo, NULL) < 0
					      ? 99
					      : (int)silo.folded);
			}
		}
		for (size_t i = 0; i < COUNT_OF(pids); i++) {
			int status = 0;

			CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 2, "%x", status);
			folded += WEXITSTATUS(status);
		}
		CHECK(folded == 2, "%d", folded);
		check_is_folded(&dir, silo_that_is_there(&dir), round);
	}
}

/* As jp does, and as it is where directories cannot be locked: nobody waits for anybody. */
static int fold_without_lock(const struct jp_test_dir *dir, const char *slug)
{
	cleanup_silo struct jp_silo silo = {0};
	cleanup_close int silos_fd =
		openat(dir->fd, "workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = jp_silo_open(dir->path, "otvo8", slug, false, &silo, NULL);

	return r < 0 ? r : jp_silo_fold(silos_fd, "otvo8", &silo, NULL);
}

static void folding_without_a_lock_both_ways_loses_nothing(void)
{
	static const char *const parts[] = {"staging", "history", "trash", "workspaces"};
	static const char *const slugs[] = {"main", "feature"};

	for (int round = 0; round < 20; round++) {
		cleanup_test_dir struct jp_test_dir dir;
		pid_t pids[4];

		jp_test_dir_open(&dir);
		make_scene(&dir);
		for (size_t i = 0; i < COUNT_OF(parts) * 2; i++) {
			char path[PATH_MAX];

			(void)snprintf(path, sizeof(path), "%s/jpfs/%s/", silos[i % 2],
				       parts[i / 2]);
			put(&dir, path, "", 0);
		}
		for (size_t i = 0; i < COUNT_OF(pids); i++) {
			pids[i] = fork();
			if (pids[i] == 0) {

				jp_fault_begin(0, 0, EIO);
				/* What it makes of it is its own affair: the others are in the way. */
				_exit(fold_without_lock(&dir, slugs[i % 2]) < 0);
			}
		}
		for (size_t i = 0; i < COUNT_OF(pids); i++) {
			int status = 0;

			CU_ASSERT_EQUAL(waitpid(pids[i], &status, 0), pids[i]);
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "%x", status);
		}
		CU_ASSERT(fold(&dir, "main") >= 0);
		CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 1);
		for (size_t i = 0; i < COUNT_OF(standing); i++) {
			CHECK(is_kept(&dir, "workspace", standing[i].base), "round %d: %s", round,
			      standing[i].id);
			CHECK(is_kept(&dir, "workspace", standing[i].events), "round %d: %s", round,
			      standing[i].id);
		}
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_kill_at_any_change_loses_nothing_and_the_next_run_completes_it),
		TEST(a_kill_where_names_cannot_be_exchanged_loses_nothing_either),
		TEST(a_kill_and_another_survivor_lose_nothing),
		TEST(any_change_that_fails_loses_nothing_and_the_next_run_completes_it),
		TEST(many_processes_fold_once),
		TEST(folding_without_a_lock_both_ways_loses_nothing),
		CU_TEST_INFO_NULL,
	};

	/* Some thousand trees are made and removed: in memory, where there is room for them. */
	if (faccessat(AT_FDCWD, "/dev/shm", W_OK | X_OK, AT_EACCESS) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	return jp_run_suite("silo_fold_stop", tests);
}
