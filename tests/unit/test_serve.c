/*
 * Who serves requests: that one which takes long, for whatever reason, keeps nobody waiting, and that
 * serving ends when the line does. The kernel's end of the line is played here, over a socket.
 */
#include "fs/fuse.h"
#include "fs/serve.h"
#include "tests/unit/harness.h"

#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* As many as there are threads at most, less the one that sets the others free. */
#define WAITING_MAX 9
#define DEADLINE_MS 60000
/* One to be at rest for, and how often this thread itself sleeps in it. */
#define PAUSE_MS 300
#define OWN_SLEEPS_MAX 4

struct line {
	struct fuse_session *session;
	int kernel_fd; /* -EBADF: cut off */
	pthread_t thread;
	int result;
	uint64_t unique;
	atomic_uint begun; /* requests that wait */
	sem_t freed;
};

/* STATFS waits until it is set free, GETATTR sets one free, and LOOKUP is quick. */
static void wait_to_be_freed(fuse_req_t req, fuse_ino_t nodeid)
{
	struct line *line = fuse_req_userdata(req);

	(void)nodeid;
	atomic_fetch_add(&line->begun, 1);
	while (sem_wait(&line->freed) < 0)
		;
	(void)fuse_reply_err(req, ENOSYS);
}

static void set_free(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	struct line *line = fuse_req_userdata(req);

	(void)nodeid;
	(void)file;
	sem_post(&line->freed);
	(void)fuse_reply_err(req, ENOSYS);
}

static void sync_slowly(fuse_req_t req, fuse_ino_t nodeid, int data_only,
			struct fuse_file_info *file)
{
	(void)data_only;
	(void)file;
	wait_to_be_freed(req, nodeid);
}

static void look_up(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	(void)fuse_reply_err(req, ENOENT);
}

static const struct fuse_lowlevel_ops operations = {
	.statfs = wait_to_be_freed,
	.fsync = sync_slowly,
	.getattr = set_free,
	.lookup = look_up,
};

static ssize_t receive(int fd, void *buffer, size_t size, void *userdata)
{
	ssize_t n = read(fd, buffer, size);

	(void)userdata;
	if (n != 0)
		return n;
	errno = ENODEV; /* as /dev/fuse says it */
	return -1;
}

static ssize_t answer(int fd, struct iovec *parts, int count, void *userdata)
{
	(void)userdata;
	return writev(fd, parts, count);
}

static void *serve(void *argument)
{
	struct line *line = argument;

	line->result = jpfs_serve_requests(line->session);
	return NULL;
}

/* Returns its number. */
static uint64_t ask(struct line *line, uint32_t opcode, const void *body, size_t size)
{
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.opcode = opcode,
		.unique = ++line->unique,
		.nodeid = FUSE_ROOT_ID,
	};
	struct iovec parts[] = {
		{.iov_base = &header, .iov_len = sizeof(header)},
		{.iov_base = (void *)(uintptr_t)body, .iov_len = size}, /* NOLINT: not written to */
	};

	CU_ASSERT_EQUAL(writev(line->kernel_fd, parts, 2), (ssize_t)header.len);
	return header.unique;
}

/* The next answer's number; 0: there is none. */
static uint64_t get_answer(struct line *line)
{
	struct pollfd fd = {.fd = line->kernel_fd, .events = POLLIN};
	struct fuse_out_header header = {0};
	char buffer[4096];

	if (poll(&fd, 1, DEADLINE_MS) == 1 &&
	    read(line->kernel_fd, buffer, sizeof(buffer)) >= (ssize_t)sizeof(header))
		memcpy(&header, buffer, sizeof(header));
	return header.unique;
}

static void ask_quickly(struct line *line)
{
	uint64_t unique = ask(line, FUSE_LOOKUP, "name", 5);

	CU_ASSERT_EQUAL(get_answer(line), unique);
}

static void begin(struct line *line)
{
	static const struct fuse_custom_io io = {.writev = answer, .read = receive};
	const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION, .minor = 31};
	char *arguments[] = {"test", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	int ends[2] = {-EBADF, -EBADF};
	uint64_t unique;

	*line = (struct line){0};
	sem_init(&line->freed, 0, 0);
	line->session = fuse_session_new(&args, &operations, sizeof(operations), line);
	fuse_opt_free_args(&args);
	CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	CU_ASSERT_EQUAL(fuse_session_custom_io(line->session, &io, ends[0]), 0);
	line->kernel_fd = ends[1];
	CU_ASSERT_EQUAL(pthread_create(&line->thread, NULL, serve, line), 0);
	unique = ask(line, FUSE_INIT, &init, offsetof(struct fuse_init_in, flags) + 4);
	CU_ASSERT_EQUAL(get_answer(line), unique);
}

/* What serving has returned. */
static int end(struct line *line)
{
	jp_closep(&line->kernel_fd);
	pthread_join(line->thread, NULL);
	fuse_session_destroy(line->session);
	sem_destroy(&line->freed);
	return line->result;
}

static void await_begun(struct line *line, unsigned count)
{
	for (int waited = 0; atomic_load(&line->begun) < count && waited < DEADLINE_MS; waited++)
		(void)poll(NULL, 0, 1);
	CU_ASSERT_EQUAL(atomic_load(&line->begun), count);
}

static void it_ends_when_the_line_is_cut(void)
{
	struct line line;

	begin(&line);
	for (int i = 0; i < 100; i++)
		ask_quickly(&line);
	CU_ASSERT_EQUAL(end(&line), 0);
}

static void a_request_may_need_another_to_be_served_first(void)
{
	struct line line;
	uint64_t waiting, freeing, first;

	begin(&line);
	for (int i = 0; i < 20; i++) {
		waiting = ask(&line, FUSE_STATFS, NULL, 0);
		await_begun(&line, (unsigned)i + 1);
		ask_quickly(&line);
		freeing = ask(&line, FUSE_GETATTR, &(struct fuse_getattr_in){0},
			      sizeof(struct fuse_getattr_in));
		first = get_answer(&line);
		CU_ASSERT_EQUAL(first + get_answer(&line), waiting + freeing);
		CU_ASSERT(first == waiting || first == freeing);
	}
	CU_ASSERT_EQUAL(end(&line), 0);
}

static void as_many_wait_as_there_are_threads_but_one(void)
{
	struct line line;
	uint64_t sum = 0;

	begin(&line);
	for (unsigned i = 0; i < WAITING_MAX; i++) {
		if (i % 2 == 0)
			sum += ask(&line, FUSE_STATFS, NULL, 0);
		else
			sum += ask(&line, FUSE_FSYNC, &(struct fuse_fsync_in){0},
				   sizeof(struct fuse_fsync_in));
	}
	await_begun(&line, WAITING_MAX);
	ask_quickly(&line);
	for (unsigned i = 0; i < WAITING_MAX; i++)
		sum += ask(&line, FUSE_GETATTR, &(struct fuse_getattr_in){0},
			   sizeof(struct fuse_getattr_in));
	for (unsigned i = 0; i < 2 * WAITING_MAX; i++)
		sum -= get_answer(&line);
	CU_ASSERT_EQUAL(sum, 0);
	ask_quickly(&line);
	CU_ASSERT_EQUAL(end(&line), 0);
}

/* How often this process's threads have gone to sleep. */
static unsigned long count_sleeps(void)
{
	unsigned long sum = 0;
	cleanup_closedir DIR *tasks = opendir("/proc/self/task");

	for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
		char path[64 + NAME_MAX], text[200];
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		file = fopen(path, "re");
		while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
			if (strncmp(text, "voluntary_ctxt_switches:", 24) == 0)
				sum += strtoul(text + 24, NULL, 10);
		}
		if (file != NULL)
			(void)fclose(file);
	}
	return sum;
}

static void nobody_wakes_while_nothing_is_asked(void)
{
	struct line line;
	unsigned long before, after = 0;

	begin(&line);
	ask_quickly(&line);
	/* Until it is at rest: this thread's own sleeps are counted, and who watches would have hundreds. */
	for (int tries = 0; tries < DEADLINE_MS / PAUSE_MS; tries++) {
		before = count_sleeps();
		(void)poll(NULL, 0, PAUSE_MS);
		after = count_sleeps() - before;
		if (after <= OWN_SLEEPS_MAX)
			break;
	}
	CHECK(after <= OWN_SLEEPS_MAX, "%lu", after);
	ask_quickly(&line);
	CU_ASSERT_EQUAL(end(&line), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(it_ends_when_the_line_is_cut),
		TEST(a_request_may_need_another_to_be_served_first),
		TEST(as_many_wait_as_there_are_threads_but_one),
		TEST(nobody_wakes_while_nothing_is_asked),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("serve", tests);
}
