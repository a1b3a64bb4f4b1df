/*
 * jp renames a conversation's durable directory, for another title, at each moment of bringing both sides
 * together: that is no failure, and what only the worktree has gets there all the same.
 */
#include "core/base/sys.h"
#include "tests/fault/attack.h"

#include <stdio.h>

#define NEW_NAME "17457886043-other-title"
#define NEXT_TURN "[\n" EVENT("one") ",\n" EVENT("two") ",\n" EVENT("three") "\n]\n"
/* More than bringing together opens. */
#define MOMENTS_MAX 1000

static struct jp_sys moving;
static const struct jp_sys *as_ever;
static const struct attack_world *where;
static int until_it_moves;

static int move_and_open(int dirfd, const char *path, const struct open_how *how)
{
	if (until_it_moves > 0 && --until_it_moves == 0)
		CHECK(renameat(where->dir.fd, STORE NAME, where->dir.fd, STORE NEW_NAME) == 0, "%s",
		      where->dir.path);
	return as_ever->openat2(dirfd, path, how);
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
	bool has_moved;

	where = world;
	as_ever = jp_sys;
	moving = *as_ever;
	moving.openat2 = move_and_open;
	jp_sys = &moving;
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	jp_sys = as_ever;
	has_moved = until_it_moves == 0;
	until_it_moves = 0;

	CU_ASSERT_EQUAL(conversation->reconcile_failure, 0);
	CU_ASSERT(holds(&world->dir, has_moved ? STORE NEW_NAME "/NOTE.md" : STORE NAME "/NOTE.md",
			"a note\n"));
	CU_ASSERT(holds(&world->dir,
			has_moved ? STORE NEW_NAME "/events.json" : STORE NAME "/events.json",
			NEXT_TURN));
	jpfs_object_unref(&conversation->object);
	if (!has_moved)
		where = NULL; /* that was the last one */
}

static void a_durable_directory_that_jp_renames_meanwhile_is_followed(void)
{
	int moment = 1;

	do {
		until_it_moves = moment++;
		attack_alone(prepare, bring_together);
	} while (where != NULL && moment < MOMENTS_MAX);
	CU_ASSERT(moment > 10 && moment < MOMENTS_MAX);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_durable_directory_that_jp_renames_meanwhile_is_followed),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-moving", tests);
}
