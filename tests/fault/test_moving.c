/*
 * At each moment of bringing both sides together jp renames a conversation's durable directory, for another
 * title, or deletes it and makes it anew from the worktree's, after an edit: that is no failure, and what
 * only the worktree has gets there all the same.
 */
#include "core/base/sys.h"
#include "tests/fault/attack.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NEW_NAME "17457886043-other-title"
#define NEXT_TURN "[\n" EVENT("one") ",\n" EVENT("two") ",\n" EVENT("three") "\n]\n"
/* More than bringing together opens. */
#define MOMENTS_MAX 1000

static struct jp_sys moving;
static const struct jp_sys *as_ever;
static const struct attack_world *where;
static int until_it_happens;
static void (*what_happens)(void);

static int happen_and_open(int dirfd, const char *path, const struct open_how *how)
{
	if (until_it_happens > 0 && --until_it_happens == 0)
		what_happens();
	return as_ever->openat2(dirfd, path, how);
}

static void rename_it(void)
{
	CHECK(renameat(where->dir.fd, STORE NAME, where->dir.fd, STORE NEW_NAME) == 0, "%s",
	      where->dir.path);
}

/* What jp makes has the time of now. */
static void make_it_anew(void)
{
	time_t now = time(NULL);

	CHECK(jp_remove_tree(where->dir.fd, STORE NAME) == 0, "%s", where->dir.path);
	put_conversation(&where->dir, STORE NAME, META_OLD, "{}", NEXT_TURN, now);
	put(&where->dir, STORE NAME "/NOTE.md", "a note\n", now);
}

static void prepare(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
	/* While nothing was mounted: another turn, and a note. */
	put(&world->dir, HERE NAME "/events.json", NEXT_TURN, attack_later());
	put(&world->dir, HERE NAME "/NOTE.md", "a note\n", attack_later());
}

static void bring_together(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	bool has_happened, is_renamed;

	where = world;
	as_ever = jp_sys;
	moving = *as_ever;
	moving.openat2 = happen_and_open;
	jp_sys = &moving;
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	jp_sys = as_ever;
	has_happened = until_it_happens == 0;
	until_it_happens = 0;
	is_renamed = has_happened && what_happens == rename_it;

	CHECK(conversation->reconcile_failure == 0, "%s",
	      strerrordesc_np(-conversation->reconcile_failure));
	CU_ASSERT(holds(&world->dir, is_renamed ? STORE NEW_NAME "/NOTE.md" : STORE NAME "/NOTE.md",
			"a note\n"));
	CU_ASSERT(holds(&world->dir,
			is_renamed ? STORE NEW_NAME "/events.json" : STORE NAME "/events.json",
			NEXT_TURN));
	jpfs_object_unref(&conversation->object);
	if (!has_happened)
		where = NULL; /* that was the last one */
}

static void at_each_moment(void (*happens)(void))
{
	int moment = 1;

	what_happens = happens;
	do {
		until_it_happens = moment++;
		attack_alone(prepare, bring_together);
	} while (where != NULL && moment < MOMENTS_MAX);
	CU_ASSERT(moment > 10 && moment < MOMENTS_MAX);
}

static void a_durable_directory_that_jp_renames_meanwhile_is_followed(void)
{
	at_each_moment(rename_it);
}

static void a_durable_directory_that_jp_makes_anew_meanwhile_is_no_failure(void)
{
	at_each_moment(make_it_anew);
}

/* A trim, a moment old, of what the worktree has from a checkout. */
static void prepare_a_trim(struct attack_world *world)
{
	put_conversation(&world->dir, HERE NAME, META_OLD, "{}", ONE_TWO, attack_later());
	put_conversation(&world->dir, STORE NAME, META_OLD, "{}", "[\n" EVENT("one") "\n]\n",
			 time(NULL));
}

/* As another worktree's daemon does when it has heard of it. */
static void *keep_what_was_replaced(void *argument)
{
	const struct timespec moment = {.tv_nsec = 30000000};
	const struct attack_world *world = argument;

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	CHECK(mkdirat(world->dir.fd, HISTORY "17457886043", 0700) == 0, "%s", world->dir.path);
	put(&world->dir,
	    HISTORY "17457886043"
		    "/20260305T193146.700000000Z.events.json",
	    ONE_TWO, time(NULL));
	return NULL;
}

static void bring_together_meanwhile(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	pthread_t other;

	CU_ASSERT_EQUAL(pthread_create(&other, NULL, keep_what_was_replaced, world), 0);
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	(void)pthread_join(other, NULL);
	CU_ASSERT_EQUAL(conversation->decision.stream, JP_ROW_WORKSPACE_EARLIER);
	CU_ASSERT_FALSE(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	jpfs_object_unref(&conversation->object);
}

static void what_was_replaced_a_moment_ago_does_not_come_back(void)
{
	attack_alone(prepare_a_trim, bring_together_meanwhile);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_durable_directory_that_jp_renames_meanwhile_is_followed),
		TEST(a_durable_directory_that_jp_makes_anew_meanwhile_is_no_failure),
		TEST(what_was_replaced_a_moment_ago_does_not_come_back),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-moving", tests);
}
