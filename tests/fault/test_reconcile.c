/* Bringing both sides together, attacked at each system call: every outcome that changes the disk. */
#include "tests/fault/attack.h"

#define NEW_BASE "{\"base\": 2}"
#define OTHER_BASE "{\"base\": 3}"
#define ONE_TWO_THREE "[\n" EVENT("one") ",\n" EVENT("two") ",\n" EVENT("three") "\n]\n"
#define ONE_THIRD "[\n" EVENT("one") ",\n" EVENT("third") "\n]\n"
/* Of these nobody can tell which are earlier. */
#define META_OTHER "{\"title\": \"other\"}\n"
#define META_LAST "{\"title\": \"last\"}\n"

static int nothing_more(struct attack_world *world, struct jpfs_view *view)
{
	(void)world;
	(void)view;
	return 0;
}

static void run(const char *name, void (*prepare)(struct attack_world *),
		void (*end)(const struct attack_world *))
{
	attack(&(struct attack_scenario){
		.name = name, .prepare = prepare, .in_view = nothing_more, .end = end});
}

static void equal_before(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
}

/* All three files of one side, of one moment: as git writes them, or an editor. */
static void change(struct attack_world *world, const char *side, const char *metadata,
		   const char *base, const char *events)
{
	char place[160];

	(void)snprintf(place, sizeof(place), "%s%s", side, NAME);
	put_conversation(&world->dir, place, metadata, base, events, attack_later());
	attack_keep(world, ID, "metadata.json", metadata, ATTACK_ALWAYS);
	attack_keep(world, ID, "base_config.json", base, ATTACK_ALWAYS);
	attack_keep(world, ID, "events.json", events, ATTACK_ALWAYS);
}

static bool side_is(const struct attack_world *world, const char *side, const char *metadata,
		    const char *base, const char *events)
{
	char path[160];
	bool is_right;

	(void)snprintf(path, sizeof(path), "%s%s/metadata.json", side, NAME);
	is_right = holds(&world->dir, path, metadata);
	(void)snprintf(path, sizeof(path), "%s%s/base_config.json", side, NAME);
	is_right = is_right && holds(&world->dir, path, base);
	(void)snprintf(path, sizeof(path), "%s%s/events.json", side, NAME);
	return is_right && holds(&world->dir, path, events);
}

static bool is_in_history(const struct attack_world *world, const char *text)
{
	return is_kept(&world->dir, HISTORY "17457886043", text);
}

/* ---- the workspace wins ---- */

static void change_here(struct attack_world *world)
{
	equal_before(world);
	change(world, HERE, META_NEW, NEW_BASE, ONE_OTHER);
}

static void end_with_here(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_NEW, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(side_is(world, HERE, META_NEW, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(is_in_history(world, ONE_TWO));
	ATTACK_CHECK(is_in_history(world, "{\"base\": 1}"));
}

static void what_only_the_workspace_changed_is_taken(void)
{
	run(__func__, change_here, end_with_here);
}

static void change_both_here_last(struct attack_world *world)
{
	equal_before(world);
	world->version_count = 0; /* both are written over, where nobody looks */
	change(world, STORE, META_OTHER, OTHER_BASE, ONE_THIRD);
	change(world, HERE, META_NEW, NEW_BASE, ONE_OTHER);
}

static void end_with_here_of_both(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_NEW, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(side_is(world, HERE, META_NEW, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(is_in_history(world, ONE_THIRD));
	ATTACK_CHECK(is_in_history(world, OTHER_BASE));
}

static void what_the_workspace_changed_last_is_taken(void)
{
	run(__func__, change_both_here_last, end_with_here_of_both);
}

static void go_on_here(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	change(world, HERE, META_NEW, NEW_BASE, ONE_TWO_THREE);
}

static void end_with_three(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_NEW, NEW_BASE, ONE_TWO_THREE));
	ATTACK_CHECK(side_is(world, HERE, META_NEW, NEW_BASE, ONE_TWO_THREE));
}

static void what_goes_on_in_the_workspace_is_taken(void)
{
	run(__func__, go_on_here, end_with_three);
}

static void break_the_store(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	world->durable_count = 0; /* it is not valid, and nobody has read it */
	put(&world->dir, STORE NAME "/events.json", "[ torn", attack_later());
	put(&world->dir, STORE NAME "/base_config.json", OTHER_BASE, attack_later());
	attack_keep(world, ID, "base_config.json", OTHER_BASE, ATTACK_ALWAYS);
}

static void end_whole(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_OLD, "{\"base\": 1}", ONE_TWO));
	ATTACK_CHECK(side_is(world, HERE, META_OLD, "{\"base\": 1}", ONE_TWO));
	ATTACK_CHECK(is_in_history(world, "[ torn"));
}

static void what_the_store_has_torn_is_taken(void)
{
	run(__func__, break_the_store, end_whole);
}

/* ---- the store wins ---- */

static void change_store(struct attack_world *world)
{
	equal_before(world);
	change(world, STORE, META_NEW, NEW_BASE, ONE_OTHER);
}

static void end_with_store(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_NEW, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(side_is(world, HERE, META_NEW, NEW_BASE, ONE_OTHER));
}

static void what_only_the_store_changed_is_projected(void)
{
	run(__func__, change_store, end_with_store);
}

static void change_both_store_last(struct attack_world *world)
{
	equal_before(world);
	world->version_count = 0; /* as above */
	change(world, HERE, META_OTHER, OTHER_BASE, ONE_THIRD);
	change(world, STORE, META_LAST, NEW_BASE, ONE_OTHER);
}

static void end_with_store_of_both(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_LAST, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(side_is(world, HERE, META_LAST, NEW_BASE, ONE_OTHER));
	ATTACK_CHECK(is_in_history(world, META_OTHER));
	ATTACK_CHECK(is_in_history(world, ONE_THIRD));
	ATTACK_CHECK(is_in_history(world, OTHER_BASE));
}

static void what_the_store_changed_last_is_projected(void)
{
	run(__func__, change_both_store_last, end_with_store_of_both);
}

/* A clone or a new worktree: newer by time, and earlier. */
static void check_out_older(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO_THREE);
	change(world, STORE, META_NEW, NEW_BASE, ONE_TWO_THREE);
	change(world, HERE, META_OLD, "{\"base\": 1}", ONE_TWO);
}

static void a_checkout_of_an_older_commit_gets_what_is_newer(void)
{
	run(__func__, check_out_older, end_with_three);
}

static void archive_and_change(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	CU_ASSERT_EQUAL(mkdirat(world->dir.fd, STORE ".archive", 0700), 0);
	CU_ASSERT_EQUAL(renameat(world->dir.fd, STORE NAME, world->dir.fd, STORE ".archive/" NAME),
			0);
	put(&world->dir, HERE NAME "/events.json", ONE_OTHER, attack_later());
	attack_keep(world, ID, "events.json", ONE_OTHER, ATTACK_ALWAYS);
}

static void end_archived(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE ".archive/" NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(is_in_history(world, ONE_OTHER));
}

static void an_archived_conversation_stands_in_the_store(void)
{
	run(__func__, archive_and_change, end_archived);
}

/* ---- nobody wins ---- */

static void go_back(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO_THREE);
	attack_settle(world);
	put(&world->dir, HERE NAME "/events.json", ONE, attack_later());
	put(&world->dir, HERE NAME "/base_config.json", NEW_BASE, attack_later());
}

static void end_with_a_draft(const struct attack_world *world)
{
	/* The record of what both were may be what could not be read: then it is an earlier checkout. */
	if (attack_is_reading() && side_is(world, HERE, META_OLD, "{\"base\": 1}", ONE_TWO_THREE))
		return;
	ATTACK_CHECK(side_is(world, STORE, META_OLD, "{\"base\": 1}", ONE_TWO_THREE));
	ATTACK_CHECK(side_is(world, HERE, META_OLD, NEW_BASE, ONE));
}

static void going_back_is_a_draft(void)
{
	run(__func__, go_back, end_with_a_draft);
}

static void break_here(struct attack_world *world)
{
	equal_before(world);
	put(&world->dir, HERE NAME "/events.json", "<<<<<<< HEAD", attack_later());
	put(&world->dir, HERE NAME "/metadata.json", META_NEW, attack_later());
	attack_keep(world, ID, "metadata.json", META_NEW, ATTACK_ALWAYS);
}

static void end_with_markers(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_NEW, "{\"base\": 1}", ONE_TWO));
	ATTACK_CHECK(side_is(world, HERE, META_NEW, "{\"base\": 1}", "<<<<<<< HEAD"));
}

static void what_jp_would_reject_is_a_draft(void)
{
	run(__func__, break_here, end_with_markers);
}

static void take_out(struct attack_world *world)
{
	equal_before(world);
	CU_ASSERT_EQUAL(jp_remove_tree(world->dir.fd, HERE NAME), 0);
	put(&world->dir, HERE OTHER_NAME "/metadata.json", META_OLD, attack_later());
}

static void end_taken_out(const struct attack_world *world)
{
	ATTACK_CHECK(side_is(world, STORE, META_OLD, "{\"base\": 1}", ONE_TWO));
	ATTACK_CHECK(!is_there(&world->dir, HERE NAME));
	ATTACK_CHECK(holds(&world->dir, HERE OTHER_NAME "/metadata.json", META_OLD));
	ATTACK_CHECK(!is_there(&world->dir, STORE OTHER_NAME));
}

static void what_was_taken_out_of_the_workspace_stays_in_the_store(void)
{
	run(__func__, take_out, end_taken_out);
}

/* ---- files that are not jp's ---- */

static void change_notes(struct attack_world *world)
{
	put(&world->dir, STORE NAME "/older-here.txt", "the store's", 1000);
	put(&world->dir, HERE NAME "/older-here.txt", "older, here", 500);
	put(&world->dir, STORE NAME "/newer-here.txt", "older, there", 500);
	put(&world->dir, HERE NAME "/newer-here.txt", "newer, here", 1000);
	put(&world->dir, HERE NAME "/sub/deep/only-here.txt", "only here", 1000);
	attack_both(world, NAME, ONE_TWO);
	attack_keep(world, ID, "older-here.txt", "the store's", ATTACK_ALWAYS);
	attack_keep(world, ID, "older-here.txt", "older, here", ATTACK_ALWAYS);
	attack_keep(world, ID, "newer-here.txt", "newer, here", ATTACK_ALWAYS);
	attack_keep(world, ID, "newer-here.txt", "older, there", ATTACK_ALWAYS);
	attack_keep(world, ID, "only-here.txt", "only here", ATTACK_ALWAYS);
}

static void end_with_notes(const struct attack_world *world)
{
	static const char *const sides[] = {STORE NAME, HERE NAME};

	for (size_t i = 0; i < COUNT_OF(sides); i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/older-here.txt", sides[i]);
		ATTACK_CHECK(holds(&world->dir, path, "the store's"));
		(void)snprintf(path, sizeof(path), "%s/newer-here.txt", sides[i]);
		ATTACK_CHECK(holds(&world->dir, path, "newer, here"));
		(void)snprintf(path, sizeof(path), "%s/sub/deep/only-here.txt", sides[i]);
		ATTACK_CHECK(holds(&world->dir, path, "only here"));
	}
}

static void files_that_are_not_jps_are_brought_together(void)
{
	run(__func__, change_notes, end_with_notes);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_only_the_workspace_changed_is_taken),
		TEST(what_the_workspace_changed_last_is_taken),
		TEST(what_goes_on_in_the_workspace_is_taken),
		TEST(what_the_store_has_torn_is_taken),
		TEST(what_only_the_store_changed_is_projected),
		TEST(what_the_store_changed_last_is_projected),
		TEST(a_checkout_of_an_older_commit_gets_what_is_newer),
		TEST(an_archived_conversation_stands_in_the_store),
		TEST(going_back_is_a_draft),
		TEST(what_jp_would_reject_is_a_draft),
		TEST(what_was_taken_out_of_the_workspace_stays_in_the_store),
		TEST(files_that_are_not_jps_are_brought_together),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-reconcile", tests);
}
