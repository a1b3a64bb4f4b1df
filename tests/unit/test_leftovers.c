/* What dead daemons have left in staging is brought to where it belongs, wherever one is stopped. */
#include "tests/unit/silo_tree.h"
#include "tests/fault/fault.h"

#include "core/leftovers.h"
#include "core/staging.h"

#include <sys/wait.h>

#define ID 17457886043
#define X "conversations/17457886043-a/"
#define HISTORY "history/17457886043"
#define TRASH "trash/17457886043"
#define LATER 2000

struct world {
	struct jp_test_dir dir;
	struct jp_silo silo;
	struct jp_staging staging; /* of the daemon that is to die */
};

static int part(struct world *world, const char *name)
{
	CU_ASSERT(mkdirat(world->dir.fd, name, 0700) == 0);
	return openat(world->dir.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void world_open(struct world *world, bool has_conversation)
{
	*world = (struct world){0};
	jp_test_dir_open(&world->dir);
	world->silo = (struct jp_silo){
		.fd = -EBADF,
		.own_fd = -EBADF,
		.workspaces_fd = -EBADF,
		.conversations_fd = part(world, "conversations"),
		.staging_fd = part(world, "staging"),
		.history_fd = part(world, "history"),
		.trash_fd = part(world, "trash"),
	};
	if (has_conversation) {
		put(&world->dir, X "metadata.json", META_OLD, 1000);
		put(&world->dir, X "events.json", ONE, 1000);
	}
	CU_ASSERT_EQUAL(jp_staging_open(&world->silo, &world->staging), 0);
}

static void world_close(struct world *world)
{
	jp_closep(&world->staging.fd);
	jp_closep(&world->staging.parent_fd);
	jp_silo_release(&world->silo);
	jp_test_dir_close(&world->dir);
}
#define cleanup_world __attribute__((cleanup(world_close)))

/* A file in staging, marked; JP_STAGED_OPEN: not. */
static void stage(struct world *world, enum jp_staged_state state, const char *path,
		  const char *text, time_t mtime, char ret_name[NAME_MAX + 1])
{
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
	cleanup_close int fd = jp_staging_create(&world->staging, ID, path, 0600, ret_name);

	CU_ASSERT(fd >= 0 && jp_write_all(fd, text, strlen(text), 0) == 0);
	CU_ASSERT_EQUAL(futimens(fd, times), 0);
	if (state != JP_STAGED_OPEN)
		CU_ASSERT_EQUAL(jp_staging_mark(&world->staging, ret_name, state, ID, path), 0);
}

static void add(struct world *world, enum jp_staged_state state, const char *path, const char *text)
{
	char name[NAME_MAX + 1];

	stage(world, state, path, text, LATER, name);
}

static void die(struct world *world)
{
	jp_closep(&world->staging.fd);
	jp_closep(&world->staging.parent_fd);
}

static struct jp_recovered recover(struct world *world)
{
	struct jp_recovered recovered;

	CU_ASSERT_EQUAL(jp_leftovers_recover(&world->silo, &recovered), 0);
	CU_ASSERT_EQUAL(recovered.failed, 0);
	CU_ASSERT_EQUAL(count_entries(&world->dir, "staging"), 0);
	return recovered;
}

static void a_closed_version_becomes_current(void)
{
	cleanup_world struct world world;
	struct jp_recovered told;

	world_open(&world, true);
	add(&world, JP_STAGED_WRITTEN, "events.json", ONE_TWO);
	add(&world, JP_STAGED_WRITTEN, "metadata.json", META_NEW);
	add(&world, JP_STAGED_WRITTEN, "notes.txt", "notes");
	die(&world);
	told = recover(&world);
	CU_ASSERT(told.current == 3 && told.history == 0 && told.trash == 0);
	CU_ASSERT(holds(&world.dir, X "events.json", ONE_TWO));
	CU_ASSERT(holds(&world.dir, X "metadata.json", META_NEW));
	CU_ASSERT(holds(&world.dir, X "notes.txt", "notes"));
	CU_ASSERT_EQUAL(count_entries(&world.dir, "history"), 0);
	told = recover(&world);
	CU_ASSERT_EQUAL(told.current + told.history + told.trash, 0);
}

static void what_it_replaces_is_kept(void)
{
	cleanup_world struct world world;

	world_open(&world, true);
	put(&world.dir, X "events.json", ONE_TWO, 1000);
	add(&world, JP_STAGED_WRITTEN, "events.json", ONE_OTHER);
	die(&world);
	CU_ASSERT_EQUAL(recover(&world).current, 1);
	CU_ASSERT(holds(&world.dir, X "events.json", ONE_OTHER));
	CU_ASSERT(is_kept(&world.dir, HISTORY, ONE_TWO));
}

static void the_last_of_several_versions_stands_and_all_are_there(void)
{
	cleanup_world struct world world;
	char name[NAME_MAX + 1];

	world_open(&world, true);
	for (int i = 0; i < 11; i++) /* numbers are compared as numbers */
		stage(&world, JP_STAGED_WRITTEN, "events.json", i % 2 == 0 ? ONE_TWO : ONE_OTHER,
		      LATER + i, name);
	die(&world);
	(void)recover(&world);
	CU_ASSERT(holds(&world.dir, X "events.json", ONE_TWO));
	CU_ASSERT(is_kept(&world.dir, HISTORY, ONE_OTHER));
}

static void what_was_not_closed_goes_to_the_trash(void)
{
	cleanup_world struct world world;
	struct jp_recovered told;

	world_open(&world, true);
	add(&world, JP_STAGED_OPEN, "events.json", ONE_TWO);
	add(&world, JP_STAGED_OPEN, "events.json", "");
	die(&world);
	told = recover(&world);
	CU_ASSERT(told.current == 0 && told.history == 0 && told.trash == 1);
	CU_ASSERT(holds(&world.dir, X "events.json", ONE));
	CU_ASSERT(is_kept(&world.dir, TRASH, ONE_TWO));
}

static void bytes_that_a_power_cut_took_are_never_current(void)
{
	cleanup_world struct world world;
	cleanup_close int fd = -EBADF;
	char name[NAME_MAX + 1];

	world_open(&world, true);
	stage(&world, JP_STAGED_WRITTEN, "metadata.json", META_NEW "\n", LATER, name);
	fd = openat(world.staging.fd, name, O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)strlen(META_NEW)), 0); /* valid all the same */
	stage(&world, JP_STAGED_WRITTEN, "events.json", ONE_TWO, LATER, name);
	jp_closep(&fd);
	fd = openat(world.staging.fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
	die(&world);
	CU_ASSERT_EQUAL(recover(&world).current, 0);
	CU_ASSERT(holds(&world.dir, X "metadata.json", META_OLD));
	CU_ASSERT(holds(&world.dir, X "events.json", ONE));
}

/* Killed between the exchange and what follows it. */
static void a_replaced_version_does_not_come_back(void)
{
	cleanup_world struct world world;
	char name[NAME_MAX + 1];
	struct jp_recovered told;

	world_open(&world, true);
	put(&world.dir, X "events.json", ONE_TWO, LATER * 2);
	stage(&world, JP_STAGED_WRITTEN, "events.json", ONE, LATER, name);
	CU_ASSERT_EQUAL(
		renameat2(world.staging.fd, name, world.dir.fd, X "events.json", RENAME_EXCHANGE),
		0);
	die(&world);
	told = recover(&world);
	CU_ASSERT(told.current == 0 && told.history == 1);
	CU_ASSERT(holds(&world.dir, X "events.json", ONE));
	CU_ASSERT(is_kept(&world.dir, HISTORY, ONE_TWO));
}

static void a_pin_that_nobody_has_any_more_is_kept(void)
{
	cleanup_world struct world world;
	char name[NAME_MAX + 1];

	world_open(&world, true);
	for (int i = 0; i < 2; i++) {
		jp_staging_pin_name(&world.staging, ID, "events.json", name);
		CU_ASSERT_EQUAL(linkat(world.dir.fd, X "events.json", world.staging.fd, name, 0),
				0);
		if (i == 0) { /* and now jp puts another one in its place */
			CU_ASSERT_EQUAL(unlinkat(world.dir.fd, X "events.json", 0), 0);
			put(&world.dir, X "events.json", "[\n" EVENT("two") "\n]\n", 1000);
		}
	}
	die(&world);
	CU_ASSERT_EQUAL(recover(&world).history, 1);
	CU_ASSERT(is_kept(&world.dir, HISTORY, ONE));
	CU_ASSERT(holds(&world.dir, X "events.json", "[\n" EVENT("two") "\n]\n"));
}

static void a_conversation_that_was_being_made_gets_its_durable_copy(void)
{
	cleanup_world struct world world;

	world_open(&world, false);
	add(&world, JP_STAGED_WRITTEN, "metadata.json", META_OLD);
	add(&world, JP_STAGED_WRITTEN, "base_config.json", "{}\n");
	add(&world, JP_STAGED_WRITTEN, "events.json", "[]\n");
	add(&world, JP_STAGED_WRITTEN, "events.json", ONE);
	die(&world);
	(void)recover(&world);
	CU_ASSERT(holds(&world.dir, "conversations/17457886043/metadata.json", META_OLD));
	CU_ASSERT(holds(&world.dir, "conversations/17457886043/base_config.json", "{}\n"));
	CU_ASSERT(holds(&world.dir, "conversations/17457886043/events.json", ONE));
}

static void a_conversation_in_pieces_is_kept(void)
{
	cleanup_world struct world world;

	world_open(&world, false);
	add(&world, JP_STAGED_WRITTEN, "metadata.json", META_OLD);
	add(&world, JP_STAGED_OPEN, "events.json", ONE);
	die(&world);
	(void)recover(&world);
	CU_ASSERT_EQUAL(count_entries(&world.dir, "conversations"), 0);
	CU_ASSERT(is_kept(&world.dir, HISTORY, META_OLD));
	CU_ASSERT(is_kept(&world.dir, TRASH, ONE));
}

static void what_lives_is_left_alone(void)
{
	cleanup_world struct world world;
	struct jp_recovered told;

	world_open(&world, true);
	add(&world, JP_STAGED_WRITTEN, "events.json", ONE_TWO);
	CU_ASSERT_EQUAL(jp_leftovers_recover(&world.silo, &told), 0);
	CU_ASSERT_EQUAL(told.current, 0);
	CU_ASSERT(holds(&world.dir, X "events.json", ONE));
	CU_ASSERT_EQUAL(count_entries(&world.dir, "staging"), 1);
}

/* All kinds at once, for what is stopped in between. */
static void leave_everything(struct world *world)
{
	char name[NAME_MAX + 1];

	put(&world->dir, X "base_config.json", "{\"b\": 1}\n", 1000);
	stage(world, JP_STAGED_WRITTEN, "base_config.json", "{\"b\": 2}\n", LATER, name);
	CU_ASSERT_EQUAL(renameat2(world->staging.fd, name, world->dir.fd, X "base_config.json",
				  RENAME_EXCHANGE),
			0);
	put(&world->dir, X "events.json", ONE_TWO, 1000);
	add(world, JP_STAGED_WRITTEN, "events.json", ONE_OTHER);
	add(world, JP_STAGED_WRITTEN, "metadata.json", META_NEW);
	add(world, JP_STAGED_OPEN, "events.json", "[ half");
	add(world, JP_STAGED_WRITTEN, "notes.txt", "notes");
	die(world);
}

static void check_everything(struct world *world, int n)
{
	CHECK(holds(&world->dir, X "events.json", ONE_OTHER), "change %d", n);
	CHECK(is_kept(&world->dir, HISTORY, ONE_TWO), "change %d", n);
	CHECK(holds(&world->dir, X "base_config.json", "{\"b\": 2}\n"), "change %d", n);
	CHECK(is_kept(&world->dir, HISTORY, "{\"b\": 1}\n"), "change %d", n);
	CHECK(holds(&world->dir, X "metadata.json", META_NEW), "change %d", n);
	CHECK(holds(&world->dir, X "notes.txt", "notes"), "change %d", n);
	CHECK(is_kept(&world->dir, TRASH, "[ half"), "change %d", n);
	CHECK(count_entries(&world->dir, "staging") == 0, "change %d", n);
}

/* True when the change in question never came. */
static bool recover_stopped(struct world *world, int n, unsigned how)
{
	struct jp_recovered told;
	int status = -1;
	pid_t child;

	if ((how & JP_STOP) == 0) {
		jp_fault_begin(n, how, EIO);
		CU_ASSERT_EQUAL(jp_leftovers_recover(&world->silo, &told), 0);
		return jp_fault_end();
	}
	child = fork();
	if (child == 0) {
		jp_fault_begin(n, how, EIO);
		_exit(jp_leftovers_recover(&world->silo, &told) == 0 ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT(WIFEXITED(status) &&
		  (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == JP_STOPPED));
	return WEXITSTATUS(status) == 0;
}

static void stopped_anywhere_a_second_time_completes_it(void)
{
	static const unsigned ways[] = {
		JP_STOP,
		JP_FAIL_ONCE,
		JP_FAIL_ON,
		JP_STOP | JP_PLAIN,
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		bool is_over = false;
		int n = 1;

		for (; !is_over && n < 200; n++) {
			cleanup_world struct world world;

			world_open(&world, true);
			leave_everything(&world);
			is_over = recover_stopped(&world, n, ways[i]);
			(void)recover(&world);
			check_everything(&world, n);
		}
		CHECK(n > 15 && n < 200, "%d changes", n);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_closed_version_becomes_current),
		TEST(what_it_replaces_is_kept),
		TEST(the_last_of_several_versions_stands_and_all_are_there),
		TEST(what_was_not_closed_goes_to_the_trash),
		TEST(bytes_that_a_power_cut_took_are_never_current),
		TEST(a_replaced_version_does_not_come_back),
		TEST(a_pin_that_nobody_has_any_more_is_kept),
		TEST(a_conversation_that_was_being_made_gets_its_durable_copy),
		TEST(a_conversation_in_pieces_is_kept),
		TEST(what_lives_is_left_alone),
		TEST(stopped_anywhere_a_second_time_completes_it),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("leftovers", tests);
}
