/*
 * Many saves at once: whoever saves waits while others have been waiting for long to be stored, and never
 * for good. The disk is stopped, so that nothing is stored.
 */
#include "core/base/sys.h"
#include "tests/fault/editor.h"

#include <pthread.h>

/* One for each thread of the background, and one that waits. */
#define COUNT 3

static struct jp_sys stopped;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool may_sync;
static int waiting;

static int fsync_stopped(int fd)
{
	(void)fd;
	pthread_mutex_lock(&lock);
	waiting++;
	pthread_cond_broadcast(&changed);
	while (!may_sync)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void prepare(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_both(world, OTHER_NAME, ONE_TWO);
	attack_both(world, "17457886045-third", ONE_TWO);
	attack_settle(world);
}

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_nsec = ms * 1000000};

	(void)nanosleep(&time, NULL);
}

static void save_all(struct attack_world *world, struct jpfs_view *view)
{
	const struct jp_sys *before = jp_sys;
	unsigned commits = 1, projections = 1;
	int64_t began;

	stopped = *before;
	stopped.fsync = fsync_stopped;
	may_sync = false;
	waiting = 0;
	jp_sys = &stopped;
	CU_ASSERT_EQUAL_FATAL(jpfs_work_start(view), 0);
	/* Nothing waits to be stored: this returns. */
	jpfs_work_admit(view);
	for (uint64_t i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL(
			editor_save(world, view, ID + i, "events.json", ONE_OTHER, EDITOR_CLOSES),
			0);
	pthread_mutex_lock(&lock);
	while (waiting < COUNT - 1)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	pause_ms(10);

	/* The third has been waiting for longer than it should: who comes now gives it time, but no more
	 * than a moment. It returns although nothing is ever stored. */
	began = jpfs_now_ms();
	jpfs_work_admit(view);
	CU_ASSERT(jpfs_now_ms() - began >= 10);

	pthread_mutex_lock(&lock);
	may_sync = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	while (commits + projections > 0) {
		pause_ms(1);
		jpfs_work_count(view, &commits, &projections);
	}
	jpfs_work_stop(view);
	jpfs_work_free(view);
	jp_sys = before;
	for (size_t i = 0; i < COUNT; i++) {
		static const char *const stored[COUNT] = {STORE NAME "/events.json",
							  STORE OTHER_NAME "/events.json",
							  STORE "17457886045-third/events.json"};

		CU_ASSERT(holds(&world->dir, stored[i], ONE_OTHER));
	}
}

static void who_saves_waits_for_a_moment_while_the_store_is_behind(void)
{
	attack_alone(prepare, save_all);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(who_saves_waits_for_a_moment_while_the_store_is_behind),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-burst", tests);
}
