/* From staging to the durable file in one step, and what becomes of what was there. */
#include "tests/fault/fault.h"
#include "tests/unit/harness.h"

#include "core/base/sys.h"
#include "core/durable.h"
#include "core/history.h"

#include <sys/stat.h>

struct world {
	struct jp_test_dir dir;
	struct jp_silo silo; /* only its staging */
	struct jp_staging staging;
	int durable_fd;
};

static void world_open(struct world *world)
{
	*world = (struct world){0};
	jp_test_dir_open(&world->dir);
	CU_ASSERT_EQUAL(mkdirat(world->dir.fd, "staging", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(world->dir.fd, "durable", 0700), 0);
	world->silo.staging_fd = openat(world->dir.fd, "staging", O_RDONLY | O_DIRECTORY);
	world->durable_fd = openat(world->dir.fd, "durable", O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL(jp_staging_open(&world->silo, &world->staging), 0);
}

static void world_close(struct world *world)
{
	jp_sys = &jp_sys_real;
	jp_staging_close(&world->staging);
	jp_closep(&world->silo.staging_fd);
	jp_closep(&world->durable_fd);
	jp_test_dir_close(&world->dir);
}
#define cleanup_world __attribute__((cleanup(world_close)))

static void stage(struct world *world, const char *text, char name[NAME_MAX + 1])
{
	cleanup_close int fd = jp_staging_create(&world->staging, 1, "events.json", 0640, name);

	CU_ASSERT(fd >= 0);
	CU_ASSERT_EQUAL(jp_write_all(fd, text, strlen(text), 0), 0);
}

static bool holds(int dirfd, const char *name, const char *expected)
{
	cleanup_free char *text = NULL;

	return jp_read_file(dirfd, name, 1000, &text, NULL) == 0 && strcmp(text, expected) == 0;
}

static void a_new_file_displaces_nothing(void)
{
	cleanup_world struct world world;
	char name[NAME_MAX + 1];
	bool is_displaced = true;
	struct stat st;

	world_open(&world);
	stage(&world, "new", name);
	CU_ASSERT_EQUAL(jp_durable_put(&world.staging, 1, name, world.durable_fd, "events.json",
				       &is_displaced),
			0);
	CU_ASSERT_FALSE(is_displaced);
	CU_ASSERT(holds(world.durable_fd, "events.json", "new"));
	CU_ASSERT_EQUAL(fstatat(world.staging.fd, name, &st, 0), -1);
	CU_ASSERT_EQUAL(fstatat(world.durable_fd, "events.json", &st, 0), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0640);
}

static void the_version_before_lies_in_staging_afterwards(void)
{
	cleanup_world struct world world;
	char name[NAME_MAX + 1];
	bool is_displaced = false;

	world_open(&world);
	CU_ASSERT_EQUAL(jp_replace_file(world.durable_fd, "events.json", "old", 3, 0600), 0);
	stage(&world, "new", name);
	CU_ASSERT_EQUAL(jp_durable_put(&world.staging, 1, name, world.durable_fd, "events.json",
				       &is_displaced),
			0);
	CU_ASSERT(is_displaced);
	CU_ASSERT(holds(world.durable_fd, "events.json", "new"));
	CU_ASSERT(holds(world.staging.fd, name, "old"));
	CU_ASSERT_EQUAL(unlinkat(world.staging.fd, name, 0), 0);
}

/* As NFS and some FUSE filesystems have it: the kernel looks at the names first, then they refuse. */
static int renameat2_without_flags(int old_dirfd, const char *old_name, int new_dirfd,
				   const char *new_name, unsigned flags)
{
	if (flags != 0) {
		bool is_there = faccessat(new_dirfd, new_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

		errno = EINVAL;
		if ((flags & RENAME_EXCHANGE) != 0 && !is_there)
			errno = ENOENT;
		if ((flags & RENAME_NOREPLACE) != 0 && is_there)
			errno = EEXIST;
		return -1;
	}
	return jp_sys_real.renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static void a_filesystem_whose_renames_have_no_flags_serves_too(void)
{
	cleanup_world struct world world;
	struct jp_sys table = jp_sys_real;
	char name[NAME_MAX + 1];
	bool is_displaced = false;

	world_open(&world);
	table.renameat2 = renameat2_without_flags;
	CU_ASSERT_EQUAL(jp_replace_file(world.durable_fd, "events.json", "old", 3, 0600), 0);
	stage(&world, "new", name);
	jp_sys = &table;
	CU_ASSERT_EQUAL(jp_durable_put(&world.staging, 1, name, world.durable_fd, "events.json",
				       &is_displaced),
			0);
	CU_ASSERT(is_displaced);
	CU_ASSERT(holds(world.durable_fd, "events.json", "new"));
	CU_ASSERT(holds(world.staging.fd, name, "old"));
	CU_ASSERT_EQUAL(unlinkat(world.staging.fd, name, 0), 0);
	/* A file that was not there. */
	stage(&world, "first", name);
	CU_ASSERT_EQUAL(jp_durable_put(&world.staging, 1, name, world.durable_fd, "metadata.json",
				       &is_displaced),
			0);
	CU_ASSERT(!is_displaced);
	CU_ASSERT(holds(world.durable_fd, "metadata.json", "first"));
}

static void whatever_change_fails_both_versions_are_somewhere(void)
{
	int r = -1;

	for (int n = 1; r != 0 && n < 20; n++) {
		cleanup_world struct world world;
		char name[NAME_MAX + 1];
		bool is_displaced;

		world_open(&world);
		CU_ASSERT_EQUAL(jp_replace_file(world.durable_fd, "events.json", "old", 3, 0600),
				0);
		stage(&world, "new", name);
		jp_fault_begin(n, JP_FAIL_ONCE, EIO);
		r = jp_durable_put(&world.staging, 1, name, world.durable_fd, "events.json",
				   &is_displaced);
		(void)jp_fault_end();
		CHECK(r == 0 || r == -EIO, "n = %d", n);
		CHECK(holds(world.durable_fd, "events.json", r == 0 ? "new" : "old"), "n = %d", n);
		CHECK(holds(world.staging.fd, name, r == 0 ? "old" : "new"), "n = %d", n);
		CU_ASSERT_EQUAL(unlinkat(world.staging.fd, name, 0), 0);
	}
	CU_ASSERT_EQUAL(r, 0);
}

static void what_is_kept_is_never_gone_from_both_places(void)
{
	int r = -1;

	for (int n = 1; r != 0 && n < 20; n++) {
		cleanup_world struct world world;
		cleanup_closedir DIR *kept = NULL;
		unsigned found = 0;

		world_open(&world);
		CU_ASSERT_EQUAL(jp_replace_file(world.durable_fd, "events.json", "old", 3, 0600),
				0);
		jp_fault_begin(n, JP_FAIL_ONCE, EIO);
		r = jp_keep_move(world.silo.staging_fd, 17, world.durable_fd, "events.json",
				 "sub/events.json");
		(void)jp_fault_end();
		{
			int fd = openat(world.silo.staging_fd, "17", O_RDONLY | O_DIRECTORY);

			kept = fd >= 0 ? fdopendir(fd) : NULL;
		}
		for (struct dirent *entry; kept != NULL && (entry = readdir(kept)) != NULL;)
			found += strstr(entry->d_name, ".sub%events.json") != NULL ? 1 : 0;
		CHECK(found == 1 || holds(world.durable_fd, "events.json", "old"), "n = %d", n);
		CHECK(r < 0 || (found == 1 && !holds(world.durable_fd, "events.json", "old")),
		      "n = %d", n);
	}
	CU_ASSERT_EQUAL(r, 0);
}

static void a_copy_leaves_the_original_and_two_at_once_do_not_collide(void)
{
	cleanup_world struct world world;
	cleanup_closedir DIR *kept = NULL;
	unsigned found = 0;
	int fd;

	world_open(&world);
	CU_ASSERT_EQUAL(jp_replace_file(world.durable_fd, "f", "x", 1, 0600), 0);
	for (int i = 0; i < 50; i++)
		CU_ASSERT_EQUAL(jp_keep_copy(world.silo.staging_fd, 17, world.durable_fd, "f", "f"),
				0);
	CU_ASSERT(holds(world.durable_fd, "f", "x"));
	fd = openat(world.silo.staging_fd, "17", O_RDONLY | O_DIRECTORY);
	kept = fdopendir(fd);
	for (struct dirent *entry; (entry = readdir(kept)) != NULL;)
		found += entry->d_name[0] != '.' ? 1 : 0;
	CU_ASSERT_EQUAL(found, 50);
}

static void staging_goes_when_it_is_empty_and_stays_when_not(void)
{
	struct world world;
	char name[NAME_MAX + 1], own[64];
	struct stat st;

	world_open(&world);
	stage(&world, "x", name);
	(void)snprintf(own, sizeof(own), "%s", world.staging.name);
	jp_staging_close(&world.staging);
	CU_ASSERT_EQUAL(fstatat(world.silo.staging_fd, own, &st, 0), 0);
	CU_ASSERT_EQUAL(jp_staging_open(&world.silo, &world.staging), 0);
	(void)snprintf(own, sizeof(own), "%s", world.staging.name);
	jp_staging_close(&world.staging);
	CU_ASSERT_EQUAL(fstatat(world.silo.staging_fd, own, &st, 0), -1);
	world_close(&world);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_new_file_displaces_nothing),
		TEST(the_version_before_lies_in_staging_afterwards),
		TEST(a_filesystem_whose_renames_have_no_flags_serves_too),
		TEST(whatever_change_fails_both_versions_are_somewhere),
		TEST(what_is_kept_is_never_gone_from_both_places),
		TEST(a_copy_leaves_the_original_and_two_at_once_do_not_collide),
		TEST(staging_goes_when_it_is_empty_and_stays_when_not),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("durable", tests);
}
