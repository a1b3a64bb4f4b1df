/*
 * Coherence under load: while versions are written in the store, through one mount and through another,
 * no reader anywhere sees half a version, or an older one after a newer one. What is written says its
 * own number twice, at its beginning and at its end, and has another size each time.
 *
 * JPFS_LOAD_SECONDS in the environment makes each test longer than its few seconds.
 */
#include "tests/mount/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { STORE, PROJECT, WORKTREE, PLACES };

static const char *const names[PLACES] = {FIRST, SECOND, THIRD};

struct load {
	struct fixture fixture;
	char paths[PLACES][400]; /* the store, and both views */
	time_t end;
	atomic_bool is_over;
	atomic_uint reads, writes, torn, back;
	atomic_int failure;    /* of a read, the last one */
	unsigned last[PLACES]; /* by conversation; its writer's, until it has ended */
};

static void write_numbered(int directory, unsigned number)
{
	char text[4096];
	cleanup_close int fd = -EBADF;
	int length =
		snprintf(text, sizeof(text), "{\n  \"title\": \"%08u\",\n  \"pad\": \"", number);

	for (unsigned i = 0; i < number * 7 % 3000; i++)
		text[length++] = 'x';
	length += snprintf(text + length, sizeof(text) - (size_t)length,
			   "\",\n  \"again\": \"%08u\"\n}\n", number);
	fd = openat(directory, "metadata.json.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)length) != length ||
	    renameat(directory, "metadata.json.tmp", directory, "metadata.json") < 0)
		CHECK(false, "version %u: %s", number, strerrordesc_np(errno));
}

static bool read_numbered(int directory, unsigned *ret)
{
	char text[8192];
	cleanup_close int fd = openat(directory, "metadata.json", O_RDONLY | O_CLOEXEC);
	const char *first, *second;
	ssize_t size = 0, n;

	if (fd < 0)
		return false;
	errno = 0;
	while ((n = read(fd, text + size, sizeof(text) - 1 - (size_t)size)) > 0)
		size += n;
	text[size] = '\0';
	first = strstr(text, "\"title\": \"");
	second = strstr(text, "\"again\": \"");
	if (n < 0 || first == NULL || second == NULL || strcmp(text + size - 2, "}\n") != 0)
		return false;
	*ret = (unsigned)strtoul(first + 10, NULL, 10);
	return *ret == (unsigned)strtoul(second + 10, NULL, 10);
}

static int open_conversation(const struct load *load, unsigned place, unsigned conversation)
{
	char path[500];

	(void)snprintf(path, sizeof(path), "%s/%s", load->paths[place], names[conversation]);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Long enough for a disk that is busy with other things: what is stored is synced before, and for that
 * ext4 writes whatever else is waiting. Gigabytes of others' were seen to take ten seconds. */
#define ARRIVAL_SECONDS 180

/* Whether this number is, or comes to be, what the place shows of a conversation. If not, it is told which
 * of all places has it: there the way ends. */
static bool arrives(const struct load *load, unsigned place, unsigned conversation, unsigned number)
{
	cleanup_close int directory = open_conversation(load, place, conversation);
	time_t end = time(NULL) + ARRIVAL_SECONDS;
	unsigned seen = 0;

	while (time(NULL) < end) {
		if (read_numbered(directory, &seen) && seen == number)
			return true;
		(void)usleep(1000);
	}
	printf("\n%s: %u never arrives at %s\n", names[conversation], number, load->paths[place]);
	for (unsigned i = 0; i < PLACES; i++) {
		cleanup_close int other = open_conversation(load, i, conversation);
		bool is_whole = read_numbered(other, &seen);

		printf("%s %s %u\n", load->paths[i], is_whole ? "has" : "cannot be read after",
		       seen);
	}
	return false;
}

/* ---- threads; each is given its place by a struct of its own ---- */

struct worker {
	struct load *load;
	unsigned place;
	pthread_t thread;
};

static void *read_on(void *closure)
{
	const struct worker *worker = closure;
	struct load *load = worker->load;
	int directories[PLACES];
	unsigned last[PLACES] = {0};

	for (unsigned i = 0; i < PLACES; i++)
		directories[i] = open_conversation(load, worker->place, i);
	for (unsigned i = 0; !atomic_load(&load->is_over); i = (i + 1) % PLACES) {
		unsigned number = 0;

		if (!read_numbered(directories[i], &number)) {
			atomic_store(&load->failure, errno);
			atomic_fetch_add(&load->torn, 1);
		} else if (number < last[i])
			atomic_fetch_add(&load->back, 1);
		else
			last[i] = number;
		atomic_fetch_add(&load->reads, 1);
	}
	for (unsigned i = 0; i < PLACES; i++)
		jp_closep(&directories[i]);
	return NULL;
}

/* Each place has its own conversation to write, so nobody overtakes anybody. */
static void *write_on(void *closure)
{
	const struct worker *worker = closure;
	struct load *load = worker->load;
	cleanup_close int directory = open_conversation(load, worker->place, worker->place);

	while (time(NULL) < load->end) {
		write_numbered(directory, ++load->last[worker->place]);
		atomic_fetch_add(&load->writes, 1);
	}
	return NULL;
}

static void start(struct worker *worker, struct load *load, unsigned place, void *(*run)(void *))
{
	*worker = (struct worker){.load = load, .place = place};
	CU_ASSERT_EQUAL(pthread_create(&worker->thread, NULL, run, worker), 0);
}

static void end(struct worker *worker)
{
	CU_ASSERT_EQUAL(pthread_join(worker->thread, NULL), 0);
}

/* Two mounts, and each conversation with its first number everywhere. False: no mounts here. */
static bool load_begin(struct load *load)
{
	const char *seconds = getenv("JPFS_LOAD_SECONDS");
	struct fixture *f = &load->fixture;
	char worktree[300];

	if (!fixture_begin(f))
		return false;
	fixture_mount(f);
	STEP(f, "until_ok test -d \"$D/" THIRD "\"; git worktree add -q \"$W\"");
	(void)snprintf(worktree, sizeof(worktree), "%.280s/wt", f->base);
	fixture_mount_at(f, worktree, "");
	(void)snprintf(load->paths[STORE], sizeof(load->paths[STORE]),
		       "%s/data/workspace/project-abc12/conversations", f->base);
	(void)snprintf(load->paths[PROJECT], sizeof(load->paths[PROJECT]), "%s", f->view);
	(void)snprintf(load->paths[WORKTREE], sizeof(load->paths[WORKTREE]),
		       "%.280s/wt/.jp/conversations", f->base);
	for (unsigned i = 0; i < PLACES; i++) {
		cleanup_close int first = open_conversation(load, PROJECT, i);

		load->last[i] = 1;
		write_numbered(first, 1);
		for (unsigned place = 0; place < PLACES; place++)
			CU_ASSERT(arrives(load, place, i, 1));
	}
	load->end = time(NULL) + (seconds != NULL ? strtol(seconds, NULL, 10) : 4);
	return true;
}

static void load_end(struct load *load)
{
	char worktree[300];

	CHECK(load->torn == 0, "%u of %u torn (%s)", load->torn, load->reads,
	      load->failure != 0 ? strerrordesc_np(load->failure) : "whole reads");
	CHECK(load->back == 0, "%u of %u went back", load->back, load->reads);
	CU_ASSERT(load->reads > 0);
	if (getenv("JPFS_LOAD_SECONDS") != NULL)
		(void)fprintf(stderr, "%u versions, %u reads\n", load->writes, load->reads);
	(void)snprintf(worktree, sizeof(worktree), "%.280s/wt", load->fixture.base);
	fixture_umount_at(&load->fixture, worktree);
	fixture_umount(&load->fixture);
	CHECK_INVARIANTS(&load->fixture);
	fixture_end(&load->fixture);
}

static void writers_on_three_sides_at_full_speed_tear_nothing(void)
{
	struct load load = {.last = {0}};
	struct worker readers[PLACES], writers[PLACES];

	if (!load_begin(&load))
		return;
	for (unsigned i = 0; i < PLACES; i++)
		start(&readers[i], &load, i, read_on);
	for (unsigned i = 0; i < PLACES; i++)
		start(&writers[i], &load, i, write_on);
	for (unsigned i = 0; i < PLACES; i++)
		end(&writers[i]);
	/* What was written last is what all have in the end, while the readers go on. */
	for (unsigned i = 0; i < PLACES * PLACES; i++)
		CU_ASSERT(arrives(&load, i / PLACES, i % PLACES, load.last[i % PLACES]));
	atomic_store(&load.is_over, true);
	for (unsigned i = 0; i < PLACES; i++)
		end(&readers[i]);
	CU_ASSERT(load.writes > PLACES);
	load_end(&load);
}

static void a_version_that_is_handed_round_never_goes_back(void)
{
	struct load load = {.last = {0}};
	struct worker readers[PLACES];
	int directories[PLACES];
	bool is_seen = true;

	if (!load_begin(&load))
		return;
	for (unsigned i = 0; i < PLACES; i++) {
		start(&readers[i], &load, i, read_on);
		directories[i] = open_conversation(&load, i, STORE);
	}
	/* Each writes when it has seen what the one before it wrote. */
	while (is_seen && time(NULL) < load.end) {
		unsigned number = ++load.last[STORE];

		write_numbered(directories[number % PLACES], number);
		atomic_fetch_add(&load.writes, 1);
		is_seen = arrives(&load, (number + 1) % PLACES, STORE, number);
		CU_ASSERT(is_seen);
	}
	atomic_store(&load.is_over, true);
	for (unsigned i = 0; i < PLACES; i++) {
		end(&readers[i]);
		jp_closep(&directories[i]);
	}
	load_end(&load);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(writers_on_three_sides_at_full_speed_tear_nothing),
		TEST(a_version_that_is_handed_round_never_goes_back),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("coherence", tests);
}
