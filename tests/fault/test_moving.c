/*
 * jp does something to the store at each moment of bringing both sides together.
 *
 * It renames a conversation's durable directory, for another title, or deletes it and makes it anew from the
 * worktree's, after an edit: that is no failure, and what only the worktree has gets there all the same. It
 * renames another version over a durable file: the one that was looked at is kept, whichever side wins.
 */
#include "core/base/sys.h"
#include "tests/fault/editor.h"

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

	CU_ASSERT_EQUAL_FATAL(jpfs_work_start(view), 0); /* without a daemon nobody waits */
	CU_ASSERT_EQUAL(pthread_create(&other, NULL, keep_what_was_replaced, world), 0);
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	(void)pthread_join(other, NULL);
	CU_ASSERT_EQUAL(conversation->decision.stream, JP_ROW_WORKSPACE_EARLIER);
	jpfs_work_stop(view);
	CU_ASSERT_EQUAL(jpfs_work_flush(view, true), 0);
	jpfs_work_free(view);
	CU_ASSERT_FALSE(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	jpfs_object_unref(&conversation->object);
}

static void what_was_replaced_a_moment_ago_does_not_come_back(void)
{
	attack_alone(prepare_a_trim, bring_together_meanwhile);
}

/* ---- another version ---- */

#define STORED "[\n" EVENT("one") ",\n" EVENT("only the store has it") "\n]\n"
#define HERE_ONLY "[\n" EVENT("one") ",\n" EVENT("only the worktree has it") "\n]\n"
#define REPLACING "[\n" EVENT("one") ",\n" EVENT("jp has replaced it") "\n]\n"

static bool is_after_the_link; /* the moments are counted from the first link on */
static const char *worktree;   /* what it has by then; NULL: what both had */
static pthread_t bringing_together;
static bool has_begun;

static void replace_now(void)
{
	/* What the background does meanwhile is no moment of this. */
	if (pthread_equal(pthread_self(), bringing_together) && has_begun && until_it_happens > 0 &&
	    !is_after_the_link && --until_it_happens == 0)
		CHECK(renameat(where->dir.fd, STORE NAME "/events.json.tmp", where->dir.fd,
			       STORE NAME "/events.json") == 0,
		      "%s", where->dir.path);
}

static int replace_and_open(int dirfd, const char *path, const struct open_how *how)
{
	replace_now();
	return as_ever->openat2(dirfd, path, how);
}

static int link_and_replace(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	int r = as_ever->linkat(from_fd, from, to_fd, to, flags);

	if (pthread_equal(pthread_self(), bringing_together) && has_begun)
		is_after_the_link = false;
	replace_now();
	return r;
}

static int replace_and_rename(int from_fd, const char *from, int to_fd, const char *to,
			      unsigned flags)
{
	replace_now();
	return as_ever->renameat2(from_fd, from, to_fd, to, flags);
}

/* While nothing was mounted jp has stored a version, and the worktree has another one. */
static void prepare_two_versions(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
	put(&world->dir, STORE NAME "/events.json", STORED, attack_later());
	if (worktree != NULL)
		put(&world->dir, HERE NAME "/events.json", worktree, attack_later());
	put(&world->dir, STORE NAME "/events.json.tmp", REPLACING, attack_later());
}

static void replace_meanwhile(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	bool has_replaced;

	where = world;
	as_ever = jp_sys;
	bringing_together = pthread_self();
	moving = *as_ever;
	moving.openat2 = replace_and_open;
	moving.linkat = link_and_replace;
	moving.renameat2 = replace_and_rename;
	jp_sys = &moving;
	CU_ASSERT_EQUAL_FATAL(jpfs_work_start(view), 0);
	has_begun = true;
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	has_begun = false;
	has_replaced = until_it_happens == 0;
	until_it_happens = 0;

	CU_ASSERT_EQUAL(conversation->reconcile_failure, 0);
	jpfs_work_stop(view);
	CU_ASSERT_EQUAL(jpfs_work_flush(view, true), 0);
	jpfs_work_free(view);
	jp_sys = as_ever;
	CU_ASSERT(attack_has(world, ID, "events.json", STORED));
	CU_ASSERT(!has_replaced || attack_has(world, ID, "events.json", REPLACING));
	CU_ASSERT(worktree == NULL || attack_has(world, ID, "events.json", worktree));
	jpfs_object_unref(&conversation->object);
	if (!has_replaced)
		where = NULL;
}

static void replace_at_each_moment(void)
{
	static const char *const versions[] = {NULL, HERE_ONLY, "[]\n", "{ not valid"};

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		int moment = 1;

		worktree = versions[i];
		do {
			until_it_happens = moment++;
			is_after_the_link = true;
			attack_alone(prepare_two_versions, replace_meanwhile);
		} while (where != NULL && moment < MOMENTS_MAX);
		/* Most of it, the deciding, comes after the link. */
		CU_ASSERT(moment > 10 && moment < MOMENTS_MAX);
	}
}

static void what_was_looked_at_is_kept_when_jp_replaces_it(void)
{
	replace_at_each_moment();
}

/* ---- while a write is stored ---- */

static int replace_and_sync(int fd)
{
	replace_now();
	return as_ever->fsync(fd);
}

static void prepare_one_more(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
	put(&world->dir, STORE NAME "/events.json.tmp", REPLACING, attack_later());
}

/* The first version is stored, and the worktree does not have it yet: it is a link and in the store. Then jp
 * replaces it there, while the second one is on its way. */
static void store_two(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	bool has_replaced;
	int64_t wait;

	where = world;
	as_ever = jp_sys;
	bringing_together = pthread_self();
	CU_ASSERT_EQUAL(editor_save(world, view, ID, "events.json", STORED, EDITOR_CLOSES), 0);
	CU_ASSERT_EQUAL(jpfs_commit_conversation(conversation, false, &wait), 0);
	CU_ASSERT(holds(&world->dir, STORE NAME "/events.json", STORED));
	CU_ASSERT(holds(&world->dir, HERE NAME "/events.json", ONE_TWO));
	CU_ASSERT_EQUAL(editor_save(world, view, ID, "events.json", HERE_ONLY, EDITOR_CLOSES), 0);
	moving = *as_ever;
	moving.openat2 = replace_and_open;
	moving.linkat = link_and_replace;
	moving.renameat2 = replace_and_rename;
	moving.fsync = replace_and_sync;
	is_after_the_link = false;
	jp_sys = &moving;
	has_begun = true;
	CU_ASSERT_EQUAL(jpfs_commit_conversation(conversation, false, &wait), 0);
	has_begun = false;
	jp_sys = as_ever;
	has_replaced = until_it_happens == 0;
	until_it_happens = 0;

	CU_ASSERT_EQUAL(jpfs_project_conversation(conversation, true, &wait), 0);
	CU_ASSERT(attack_has(world, ID, "events.json", STORED));
	CU_ASSERT(attack_has(world, ID, "events.json", HERE_ONLY));
	CU_ASSERT(!has_replaced || attack_has(world, ID, "events.json", REPLACING));
	jpfs_object_unref(&conversation->object);
	if (!has_replaced)
		where = NULL;
}

static void what_is_only_linked_is_kept_when_jp_is_quicker_than_the_next_write(void)
{
	int moment = 1;

	do {
		until_it_happens = moment++;
		attack_alone(prepare_one_more, store_two);
	} while (where != NULL && moment < MOMENTS_MAX);
	CU_ASSERT(moment > 5 && moment < MOMENTS_MAX);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_was_looked_at_is_kept_when_jp_replaces_it),
		TEST(what_is_only_linked_is_kept_when_jp_is_quicker_than_the_next_write),
		TEST(a_durable_directory_that_jp_renames_meanwhile_is_followed),
		TEST(a_durable_directory_that_jp_makes_anew_meanwhile_is_no_failure),
		TEST(what_was_replaced_a_moment_ago_does_not_come_back),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-moving", tests);
}
