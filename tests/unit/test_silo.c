/* Finding the store of a workspace ID among others, and making it once. */
#include "tests/unit/harness.h"

#include "core/silo.h"
#include "tests/fault/fault.h"

#include <pthread.h>

static void make_dir(int dirfd, const char *name)
{
	CHECK(mkdirat(dirfd, name, 0755) == 0, "%s: %s", name, strerror(errno));
}

static void set_mtime(int dirfd, const char *name, time_t seconds)
{
	struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};

	CHECK(utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) == 0, "%s", name);
}

static const char *name_of(const struct jp_silo *silo)
{
	const char *slash = silo->path != NULL ? strrchr(silo->path, '/') : NULL;

	return slash != NULL ? slash + 1 : "";
}

static mode_t mode_at(int dirfd, const char *path)
{
	struct stat st = {0};

	CHECK(fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s: %s", path, strerror(errno));
	return st.st_mode;
}

static int count_entries(const struct jp_test_dir *dir, const char *name)
{
	cleanup_closedir DIR *listing =
		fdopendir(openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int count = 0;

	while (listing != NULL && readdir(listing) != NULL)
		count++;
	return count - 2; /* . and .. */
}

static void first_silo_is_made_private_with_all_its_parts(void)
{
	static const char *const made[] = {
		"data",
		"data/jp",
		"data/jp/workspace",
		"data/jp/workspace/proj-otvo8",
		"data/jp/workspace/proj-otvo8/conversations",
		"data/jp/workspace/proj-otvo8/jpfs",
		"data/jp/workspace/proj-otvo8/jpfs/staging",
		"data/jp/workspace/proj-otvo8/jpfs/history",
		"data/jp/workspace/proj-otvo8/jpfs/trash",
		"data/jp/workspace/proj-otvo8/jpfs/workspaces",
	};
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0}, again = {0};
	struct jp_error error = {0};
	char user_data[PATH_MAX + 16];

	jp_test_dir_open(&dir);
	(void)snprintf(user_data, sizeof(user_data), "%s/data/jp", dir.path);
	CHECK(jp_silo_open(user_data, "otvo8", "proj", true, &silo, &error) == 0, "%s",
	      error.message);
	CU_ASSERT(silo.was_made);
	for (size_t i = 0; i < COUNT_OF(made); i++)
		CHECK(mode_at(dir.fd, made[i]) == (S_IFDIR | 0700), "%s", made[i]);
	CU_ASSERT_EQUAL(count_entries(&dir, made[3]), 2); /* no `storage`: that is jp's */
	CU_ASSERT(silo.fd >= 0 && silo.conversations_fd >= 0 && silo.own_fd >= 0 &&
		  silo.staging_fd >= 0 && silo.history_fd >= 0 && silo.trash_fd >= 0 &&
		  silo.workspaces_fd >= 0);

	/* Another worktree of the project: the same silo, under the name that it has. */
	CU_ASSERT_EQUAL(jp_silo_open(user_data, "otvo8", "feature", true, &again, &error), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&again), "proj-otvo8");
	CU_ASSERT(!again.was_made);
}

static void nothing_is_made_when_only_looking(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	struct jp_error error = {0};

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, &error), -ENOENT);
	CHECK(strstr(error.message, "otvo8") != NULL, "%s", error.message);
	CU_ASSERT_EQUAL(count_entries(&dir, "."), 0);
	CU_ASSERT(silo.path == NULL);

	make_dir(dir.fd, "workspace");
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, &error), -ENOENT);
	make_dir(dir.fd, "workspace/proj-otvo8");
	make_dir(dir.fd, "workspace/proj-otvo8/conversations");
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, &error), 0);
	CU_ASSERT(silo.fd >= 0 && silo.conversations_fd >= 0);
	CU_ASSERT_EQUAL(silo.own_fd, -EBADF);
	CU_ASSERT_EQUAL(silo.staging_fd, -EBADF);
	CU_ASSERT_EQUAL(count_entries(&dir, "workspace/proj-otvo8"), 1);
	CU_ASSERT(!silo.was_made);
}

static void unusable_slug_is_left_out(void)
{
	char fits[NAME_MAX + 1] = "", too_long[NAME_MAX + 1] = "", longest[NAME_MAX + 1];
	const struct {
		const char *slug;
		const char *name;
	} rows[] = {
		{"", "otvo8"},    {"a/b", "otvo8"},         {".", "otvo8"},
		{"..", "otvo8"},  {too_long, "otvo8"},      {fits, longest},
		{"-", "--otvo8"}, {"a b\n", "a b\n-otvo8"}, {"otvo8", "otvo8-otvo8"},
	};

	memset(fits, 'x', NAME_MAX - 6);
	memset(too_long, 'x', NAME_MAX - 5);
	memset(longest, 'x', NAME_MAX - 6);
	(void)snprintf(longest + NAME_MAX - 6, 7, "-otvo8");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0};
		struct jp_error error = {0};

		jp_test_dir_open(&dir);
		CHECK(jp_silo_open(dir.path, "otvo8", rows[i].slug, true, &silo, &error) == 0,
		      "row %zu: %s", i, error.message);
		CHECK(strcmp(name_of(&silo), rows[i].name) == 0, "row %zu: %s", i, name_of(&silo));
		CU_ASSERT(silo.was_made);
	}
}

static void id_that_is_none_is_refused(void)
{
	static const char *const ids[] = {"", "otvo", "otvo88", "../..", "OTVO8", "a/b/c"};
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		CHECK(jp_silo_open(dir.path, ids[i], "proj", true, &silo, NULL) == -EINVAL, "%s",
		      ids[i]);
	CU_ASSERT_EQUAL(count_entries(&dir, "."), 0);
}

static void silo_is_found_by_the_end_of_its_name(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	make_dir(dir.fd, "workspace");
	make_dir(dir.fd, "workspace/projotvo8"); /* no hyphen */
	make_dir(dir.fd, "workspace/otvo8-proj");
	make_dir(dir.fd, "workspace/proj-otvo9");
	make_dir(dir.fd, "elsewhere");
	CU_ASSERT_EQUAL(symlinkat("../elsewhere", dir.fd, "workspace/link-otvo8"), 0);
	CU_ASSERT_EQUAL(mknodat(dir.fd, "workspace/file-otvo8", S_IFREG | 0600, 0), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, NULL), -ENOENT);

	make_dir(dir.fd, "workspace/any \xff name-otvo8");
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", true, &silo, NULL), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&silo), "any \xff name-otvo8");
	CU_ASSERT(!silo.was_made);
	CU_ASSERT_EQUAL(count_entries(&dir, "elsewhere"), 0);
}

static void exact_name_wins_over_a_newer_silo(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	make_dir(dir.fd, "workspace");
	make_dir(dir.fd, "workspace/proj-otvo8");
	make_dir(dir.fd, "workspace/zzz-otvo8");
	make_dir(dir.fd, "workspace/otvo8");
	set_mtime(dir.fd, "workspace/proj-otvo8", 1000);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, NULL), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&silo), "proj-otvo8");
	jp_silo_release(&silo);
	/* Without a slug the bare ID is the exact name. */
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "", false, &silo, NULL), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&silo), "otvo8");
}

static void silo_with_the_newest_entry_wins(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	make_dir(dir.fd, "workspace");
	make_dir(dir.fd, "workspace/a-otvo8");
	make_dir(dir.fd, "workspace/a-otvo8/conversations");
	make_dir(dir.fd, "workspace/b-otvo8");
	make_dir(dir.fd, "workspace/b-otvo8/conversations");
	make_dir(dir.fd, "workspace/c-otvo8"); /* empty: its own time counts */
	CU_ASSERT_EQUAL(symlinkat("/nowhere/.jp", dir.fd, "workspace/b-otvo8/storage"), 0);
	set_mtime(dir.fd, "workspace/a-otvo8/conversations", 5000);
	set_mtime(dir.fd, "workspace/b-otvo8/conversations", 4000);
	set_mtime(dir.fd, "workspace/b-otvo8/storage", 9000);
	set_mtime(dir.fd, "workspace/a-otvo8", 1000);
	set_mtime(dir.fd, "workspace/b-otvo8", 8000);
	set_mtime(dir.fd, "workspace/c-otvo8", 3000);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, NULL), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&silo), "a-otvo8");
	jp_silo_release(&silo);

	set_mtime(dir.fd, "workspace/c-otvo8", 6000);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, NULL), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&silo), "c-otvo8");
	jp_silo_release(&silo);

	set_mtime(dir.fd, "workspace/b-otvo8/conversations", 6000); /* a tie */
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, NULL), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&silo), "c-otvo8");
}

static void parts_that_are_no_real_directories_are_named(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_silo silo = {0};
	struct jp_error error = {0};

	jp_test_dir_open(&dir);
	make_dir(dir.fd, "workspace");
	make_dir(dir.fd, "workspace/proj-otvo8");
	CU_ASSERT_EQUAL(symlinkat("/tmp", dir.fd, "workspace/proj-otvo8/jpfs"), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", true, &silo, &error), -ELOOP);
	CHECK(strstr(error.message, "/workspace/proj-otvo8/jpfs: ") != NULL, "%s", error.message);
	CU_ASSERT(error.remedy[0] != '\0');
	CU_ASSERT(silo.path == NULL);

	/* Something else has the name that a new silo would get. */
	CU_ASSERT_EQUAL(mknodat(dir.fd, "workspace/proj-abc12", S_IFREG | 0600, 0), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "abc12", "proj", true, &silo, &error), -ENOTDIR);
	CHECK(strstr(error.message, "/workspace/proj-abc12: ") != NULL, "%s", error.message);
}

static void unwritable_directory_is_named(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_silo silo = {0};
	struct jp_error error = {0};

	jp_test_dir_open(&dir);
	if (geteuid() == 0) {
		(void)printf("(root may write anywhere: skipped) ");
		return;
	}
	make_dir(dir.fd, "workspace");
	make_dir(dir.fd, "workspace/proj-otvo8");
	CU_ASSERT_EQUAL(fchmodat(dir.fd, "workspace/proj-otvo8", 0500, 0), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", true, &silo, &error), -EACCES);
	CHECK(strstr(error.message, "/workspace/proj-otvo8/conversations: cannot be made") != NULL,
	      "%s", error.message);
	CU_ASSERT_EQUAL(fchmodat(dir.fd, "workspace/proj-otvo8", 0700, 0), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "workspace/proj-otvo8/conversations", 0500), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", true, &silo, &error), -EACCES);
	CHECK(strstr(error.message, "/workspace/proj-otvo8/conversations: cannot be written") !=
		      NULL,
	      "%s", error.message);

	CU_ASSERT_EQUAL(fchmodat(dir.fd, "workspace", 0500, 0), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "abc12", "proj", true, &silo, &error), -EACCES);
	CHECK(strstr(error.message, "/workspace: ") != NULL, "%s", error.message);
	CU_ASSERT_EQUAL(fchmodat(dir.fd, "workspace", 0700, 0), 0);
}

struct racer {
	pthread_t thread;
	const char *user_data;
	char slug[16];
	struct jp_silo silo;
	int r;
};

static void *race(void *argument)
{
	struct racer *racer = argument;

	racer->r = jp_silo_open(racer->user_data, "otvo8", racer->slug, true, &racer->silo, NULL);
	return NULL;
}

static void racing_makers_end_with_one_silo_and_one_of_them_made_it(void)
{
	for (int round = 0; round < 20; round++) {
		cleanup_test_dir struct jp_test_dir dir;
		struct racer racers[6] = {0};
		int makers = 0;

		jp_test_dir_open(&dir);
		for (size_t i = 0; i < COUNT_OF(racers); i++) {
			racers[i].user_data = dir.path;
			/* Some agree on the name, others do not. */
			(void)snprintf(racers[i].slug, sizeof(racers[i].slug), "w%zu", i / 2);
			CU_ASSERT_EQUAL(pthread_create(&racers[i].thread, NULL, race, &racers[i]),
					0);
		}
		for (size_t i = 0; i < COUNT_OF(racers); i++) {
			CU_ASSERT_EQUAL(pthread_join(racers[i].thread, NULL), 0);
			CHECK(racers[i].r == 0, "%s: %d", racers[i].slug, racers[i].r);
			makers += racers[i].silo.was_made;
		}
		CU_ASSERT_EQUAL(makers, 1);
		CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 1);
		for (size_t i = 0; i < COUNT_OF(racers); i++)
			jp_silo_release(&racers[i].silo);
	}
}

static void opening_again_completes_what_any_fault_left(void)
{
	bool is_done = false;

	for (int n = 1; !is_done && n < 100; n++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0}, again = {0};
		struct jp_error error = {0};
		char user_data[PATH_MAX + 16];
		int r;

		jp_test_dir_open(&dir);
		(void)snprintf(user_data, sizeof(user_data), "%s/data", dir.path);
		jp_fault_begin(n, JP_FAIL_ONCE, EIO);
		r = jp_silo_open(user_data, "otvo8", "proj", true, &silo, &error);
		is_done = jp_fault_end();
		CHECK(is_done ? r == 0 : r == -EIO && error.message[0] != '\0', "n %d: %d", n, r);
		CHECK(jp_silo_open(user_data, "otvo8", "proj", true, &again, &error) == 0,
		      "n %d: %s", n, error.message);
		CU_ASSERT(again.workspaces_fd >= 0);
	}
	CU_ASSERT(is_done);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(first_silo_is_made_private_with_all_its_parts),
		TEST(nothing_is_made_when_only_looking),
		TEST(unusable_slug_is_left_out),
		TEST(id_that_is_none_is_refused),
		TEST(silo_is_found_by_the_end_of_its_name),
		TEST(exact_name_wins_over_a_newer_silo),
		TEST(silo_with_the_newest_entry_wins),
		TEST(parts_that_are_no_real_directories_are_named),
		TEST(unwritable_directory_is_named),
		TEST(racing_makers_end_with_one_silo_and_one_of_them_made_it),
		TEST(opening_again_completes_what_any_fault_left),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("silo", tests);
}
