/* The companion: whom it waits for, asked about files of an ordinary directory that stands for a mount. */
#include "tests/unit/harness.h"

#include "fs/companion.h"

#include <poll.h>
#include <sys/wait.h>

#define SERIAL 7
/* Longer than the companion leaves between its first looks, and than it goes on for a wrong number. */
#define SHORT_MS 100
#define LONG_MS 60000

struct fixture {
	struct jp_test_dir dir;
	int socket;
	pid_t pid;
	dev_t device;
	ino_t ino;
	int writer; /* has .jp/conversations/X/file open for writing */
};

static void open_fixture(struct fixture *fixture)
{
	struct stat st = {0};

	jp_test_dir_open(&fixture->dir);
	if (mkdirat(fixture->dir.fd, ".jp", 0700) < 0 ||
	    mkdirat(fixture->dir.fd, ".jp/conversations", 0700) < 0 ||
	    mkdirat(fixture->dir.fd, ".jp/conversations/X", 0700) < 0)
		perror("mkdirat");
	fixture->writer = openat(fixture->dir.fd, ".jp/conversations/X/file",
				 O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL(fstat(fixture->writer, &st), 0);
	fixture->device = st.st_dev;
	fixture->ino = st.st_ino;
	fixture->socket = jpfs_companion_start(fixture->dir.fd, &fixture->pid);
	CU_ASSERT(fixture->socket >= 0);
}

static void close_fixture(struct fixture *fixture)
{
	jp_closep(&fixture->writer);
	jp_closep(&fixture->socket); /* it ends by that */
	(void)waitpid(fixture->pid, NULL, 0);
	jp_test_dir_close(&fixture->dir);
}

#define cleanup_fixture __attribute__((cleanup(close_fixture)))

/* Whether a read lease tells of writers here; where it does not, there is nothing to see. */
static bool leases_work(const struct fixture *fixture)
{
	cleanup_close int fd =
		openat(fixture->dir.fd, ".jp/conversations/X/file", O_RDONLY | O_CLOEXEC);

	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && (errno == EAGAIN || errno == EBUSY))
		return true;
	printf("(no leases here: skipped) ");
	return false;
}

static void ask(const struct fixture *fixture, ino_t ino, uint64_t generation)
{
	CU_ASSERT_EQUAL(jpfs_companion_await(fixture->socket, fixture->device, "X/file", ino,
					     SERIAL, generation),
			0);
}

/* Whether it answers in that time, and to what was asked. */
static bool answers(const struct fixture *fixture, uint64_t generation, int timeout_ms)
{
	struct jpfs_companion_answer answer = {0};
	struct pollfd fds = {.fd = fixture->socket, .events = POLLIN};

	if (poll(&fds, 1, timeout_ms) != 1)
		return false;
	CU_ASSERT_EQUAL(jpfs_companion_answer(fixture->socket, &answer), 1);
	CU_ASSERT_EQUAL(answer.serial, SERIAL);
	CU_ASSERT_EQUAL(answer.generation, generation);
	return true;
}

/* Asked about a number, it answers when the writer has closed, and not before. */
static void check_that_it_waits(bool is_known)
{
	cleanup_fixture struct fixture f;

	open_fixture(&f);
	if (!leases_work(&f))
		return;
	ask(&f, is_known ? f.ino : f.ino + 1, 1);
	CU_ASSERT_FALSE(answers(&f, 1, SHORT_MS));
	jp_closep(&f.writer);
	CU_ASSERT_TRUE(answers(&f, 1, LONG_MS));
}

static void it_answers_when_the_last_writer_has_closed(void)
{
	check_that_it_waits(true);
}

static void a_number_that_the_kernel_has_not_heard_of_yet_ends_no_writer(void)
{
	check_that_it_waits(false);
}

static void another_file_under_the_name_is_not_waited_for_for_ever(void)
{
	cleanup_fixture struct fixture f;

	open_fixture(&f);
	ask(&f, f.ino + 1, 1);
	CU_ASSERT_TRUE(answers(&f, 1, LONG_MS)); /* and its writer has it open still */
}

static void a_name_that_leads_nowhere_is_not_waited_for(void)
{
	cleanup_fixture struct fixture f;

	open_fixture(&f);
	CU_ASSERT_EQUAL(unlinkat(f.dir.fd, ".jp/conversations/X/file", 0), 0);
	ask(&f, f.ino, 3);
	CU_ASSERT_TRUE(answers(&f, 3, LONG_MS));
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(it_answers_when_the_last_writer_has_closed),
		TEST(a_number_that_the_kernel_has_not_heard_of_yet_ends_no_writer),
		TEST(another_file_under_the_name_is_not_waited_for_for_ever),
		TEST(a_name_that_leads_nowhere_is_not_waited_for),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("companion", tests);
}
