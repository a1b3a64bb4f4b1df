/* The lock of the one daemon: who has it, how long, and what it says of itself. */
#include "tests/unit/harness.h"

#include "fs/lockfile.h"

#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

/* A workspace and a silo in one directory, with only what a lock file needs of them. */
struct fixture {
	struct jp_test_dir dir;
	struct jp_workspace workspace;
	struct jp_silo silo;
};

static void open_fixture(struct fixture *fixture)
{
	jp_test_dir_open(&fixture->dir);
	fixture->workspace = (struct jp_workspace){
		.root_path = fixture->dir.path,
		.root_fd = fixture->dir.fd,
		.jp_fd = -EBADF,
	};
	fixture->silo = (struct jp_silo){
		.path = fixture->dir.path,
		.workspaces_fd = fixture->dir.fd,
	};
}

static void close_fixture(struct fixture *fixture)
{
	jp_test_dir_close(&fixture->dir);
}

#define cleanup_fixture __attribute__((cleanup(close_fixture)))

static int take(const struct fixture *fixture)
{
	return jpfs_lockfile_take(&fixture->silo, &fixture->workspace);
}

static int wait_for(const struct fixture *fixture, int timeout_ms)
{
	return jpfs_lockfile_wait(&fixture->silo, &fixture->workspace, timeout_ms);
}

static int read_state(const struct fixture *fixture, struct jpfs_lock_state *ret_state)
{
	return jpfs_lockfile_read(&fixture->silo, &fixture->workspace, ret_state);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void never_held_is_told_apart(void)
{
	cleanup_fixture struct fixture fixture;
	struct jpfs_lock_state state;

	open_fixture(&fixture);
	CU_ASSERT_EQUAL(wait_for(&fixture, 0), -ENOENT);
	CU_ASSERT_EQUAL(read_state(&fixture, &state), -ENOENT);
	fixture.silo.workspaces_fd = -EBADF; /* a silo that jp made */
	CU_ASSERT_EQUAL(wait_for(&fixture, 0), -ENOENT);
	CU_ASSERT_EQUAL(read_state(&fixture, &state), -ENOENT);
	CU_ASSERT_EQUAL(take(&fixture), -ENOENT);
}

static void one_has_it_until_the_last_copy_is_closed(void)
{
	cleanup_fixture struct fixture fixture;
	cleanup_close int first = -EBADF, second = -EBADF, copy = -EBADF;

	open_fixture(&fixture);
	first = take(&fixture);
	CU_ASSERT(first >= 0);
	CU_ASSERT_EQUAL(take(&fixture), -EWOULDBLOCK);
	CU_ASSERT_EQUAL(wait_for(&fixture, 0), -ETIMEDOUT);
	copy = dup(first);
	jp_closep(&first);
	CU_ASSERT_EQUAL(take(&fixture), -EWOULDBLOCK);
	jp_closep(&copy);
	CU_ASSERT_EQUAL(wait_for(&fixture, 0), 0);
	second = take(&fixture);
	CU_ASSERT(second >= 0);
}

static void who_waits_keeps_nobody_from_taking_it(void)
{
	cleanup_fixture struct fixture fixture;
	cleanup_close int held = -EBADF, started = -EBADF, lock = -EBADF;
	int ends[2];
	char byte;
	pid_t pid;

	open_fixture(&fixture);
	CU_ASSERT_EQUAL(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) { /* what a waiter has between getting the lock and letting go of it */
		struct timespec moment = {.tv_nsec = 50000000};

		held = take(&fixture);
		(void)flock(held, LOCK_SH);
		(void)close(ends[1]);
		(void)nanosleep(&moment, NULL);
		_exit(0);
	}
	(void)close(ends[1]);
	started = ends[0];
	CU_ASSERT_EQUAL(read(started, &byte, 1), 0);
	lock = take(&fixture);
	CHECK(lock >= 0, "%d", lock);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
}

static void waiting_ends_with_the_holder_or_the_time(void)
{
	cleanup_fixture struct fixture fixture;
	cleanup_close int lock = -EBADF;
	int64_t began;
	pid_t pid;

	open_fixture(&fixture);
	lock = take(&fixture);
	began = now_ms();
	CU_ASSERT_EQUAL(wait_for(&fixture, 100), -ETIMEDOUT);
	CU_ASSERT(now_ms() - began >= 100);
	pid = fork(); /* the child's copy holds it */
	if (pid == 0) {
		struct timespec moment = {.tv_nsec = 50000000};

		(void)nanosleep(&moment, NULL);
		_exit(0);
	}
	jp_closep(&lock);
	CU_ASSERT_EQUAL(wait_for(&fixture, -1), 0);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CU_ASSERT_EQUAL(wait_for(&fixture, -1), 0);
}

static void what_is_written_reads_back_and_outlives_the_holder(void)
{
	static const struct {
		const char *state, *error, *read_error;
	} rows[] = {
		{"starting", NULL, ""},
		{"failed", "no \"space\" left\non /x", "no \"space\" left\non /x"},
		{"serving", NULL, ""}, /* shorter: nothing of the one before is left */
		{"failed", "caf\xe9", "see the log"},
		{"clean", "", ""},
	};
	cleanup_fixture struct fixture fixture;
	cleanup_close int lock = -EBADF;
	struct jpfs_lock_state state;

	open_fixture(&fixture);
	lock = take(&fixture);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		jpfs_lockfile_write(lock, &fixture.workspace, rows[i].state, rows[i].error);
		CU_ASSERT_EQUAL(read_state(&fixture, &state), 0);
		CHECK(state.pid == getpid(), "row %zu: %d", i, state.pid);
		CHECK(strcmp(state.state, rows[i].state) == 0, "row %zu: %s", i, state.state);
		CHECK(strcmp(state.error, rows[i].read_error) == 0, "row %zu: %s", i, state.error);
	}
	jp_closep(&lock);
	CU_ASSERT_EQUAL(read_state(&fixture, &state), 0);
	CU_ASSERT_STRING_EQUAL(state.state, "clean");
}

static void long_texts_are_cut_and_not_refused(void)
{
	cleanup_fixture struct fixture fixture;
	cleanup_close int lock = -EBADF;
	struct jpfs_lock_state state;
	char error[4000], root[4000];

	open_fixture(&fixture);
	memset(error, 'e', sizeof(error) - 1);
	error[sizeof(error) - 1] = '\0';
	memset(root, '\x01', sizeof(root) - 1); /* six bytes each, escaped */
	root[sizeof(root) - 1] = '\0';
	fixture.workspace.root_path = root;
	lock = take(&fixture);
	jpfs_lockfile_write(lock, &fixture.workspace, "a state that is too long", error);
	CU_ASSERT_EQUAL(read_state(&fixture, &state), 0);
	CU_ASSERT_EQUAL(strlen(state.error), sizeof(state.error) - 1);
	CU_ASSERT_EQUAL(strlen(state.state), sizeof(state.state) - 1);
}

static void what_nobody_wrote_is_not_believed(void)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"pid\": 0, \"state\": \"clean\"}",
		"{\"pid\": -1, \"state\": \"clean\"}",
		"{\"pid\": 99999999999, \"state\": \"clean\"}",
		"{\"pid\": 1}",
		"{\"pid\": 1, \"state\": null}",
	};
	cleanup_fixture struct fixture fixture;
	cleanup_close int lock = -EBADF;
	struct jpfs_lock_state state;

	open_fixture(&fixture);
	lock = take(&fixture);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		CU_ASSERT_EQUAL(ftruncate(lock, 0), 0);
		CU_ASSERT_EQUAL(jp_write_all(lock, rows[i], strlen(rows[i]), 0), 0);
		CHECK(read_state(&fixture, &state) == -EBADMSG, "row %zu", i);
	}
	/* As it is between writing over and cutting. */
	CU_ASSERT_EQUAL(jp_write_all(lock, "{\"pid\":1,\"state\":\"clean\"}rest\"}", 32, 0), 0);
	CU_ASSERT_EQUAL(read_state(&fixture, &state), 0);
	CU_ASSERT_EQUAL(state.pid, 1);
}

static void link_in_its_place_is_not_followed(void)
{
	cleanup_fixture struct fixture fixture;
	struct stat st;
	char name[64];

	open_fixture(&fixture);
	CU_ASSERT_EQUAL(fstat(fixture.dir.fd, &st), 0);
	(void)snprintf(name, sizeof(name), "%jx-%jx.lock", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	CU_ASSERT_EQUAL(symlinkat("elsewhere", fixture.dir.fd, name), 0);
	CU_ASSERT_EQUAL(take(&fixture), -ELOOP);
	CU_ASSERT(faccessat(fixture.dir.fd, "elsewhere", F_OK, 0) < 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(never_held_is_told_apart),
		TEST(one_has_it_until_the_last_copy_is_closed),
		TEST(who_waits_keeps_nobody_from_taking_it),
		TEST(waiting_ends_with_the_holder_or_the_time),
		TEST(what_is_written_reads_back_and_outlives_the_holder),
		TEST(long_texts_are_cut_and_not_refused),
		TEST(what_nobody_wrote_is_not_believed),
		TEST(link_in_its_place_is_not_followed),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("lockfile", tests);
}
