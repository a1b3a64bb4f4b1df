/* Writing, attacked at each system call: saving in place and by rename, the first durable copy. */
#include "tests/fault/editor.h"

#define ONE_TWO_THREE "[\n" EVENT("one") ",\n" EVENT("two") ",\n" EVENT("three") "\n]\n"

/* ---- a conversation that is on both sides ---- */

static void prepare_two_events(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
}

static void prepare_synced_turn(struct attack_world *world)
{
	prepare_two_events(world);
	attack_keep(world, ID, "events.json", ONE_TWO_THREE, ATTACK_PROMISED);
}

static int write_turn(struct attack_world *world, struct jpfs_view *view)
{
	return editor_save(world, view, ID, "events.json", ONE_TWO_THREE, EDITOR_SYNCS);
}

static void end_with_turn(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO_THREE));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", ONE_TWO_THREE));
}

static void a_turn_that_is_synced(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_synced_turn,
					 .in_view = write_turn,
					 .end = end_with_turn});
}

static int write_other(struct attack_world *world, struct jpfs_view *view)
{
	return editor_save(world, view, ID, "events.json", ONE_OTHER, EDITOR_CLOSES);
}

static void end_with_other(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_OTHER));
	ATTACK_CHECK(is_kept(&world->dir, HISTORY "17457886043", ONE_TWO));
}

static void an_edit_that_is_only_closed(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_two_events,
					 .in_view = write_other,
					 .end = end_with_other});
}

static void prepare_synced_edit(struct attack_world *world)
{
	prepare_two_events(world);
	attack_keep(world, ID, "events.json", ONE_OTHER, ATTACK_PROMISED);
}

static int write_other_synced(struct attack_world *world, struct jpfs_view *view)
{
	return editor_save(world, view, ID, "events.json", ONE_OTHER, EDITOR_SYNCS);
}

static void an_edit_that_is_synced(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_synced_edit,
					 .in_view = write_other_synced,
					 .end = end_with_other});
}

static int write_as_jp(struct attack_world *world, struct jpfs_view *view)
{
	int r = editor_save_beside(world, view, ID, "metadata.json", META_NEW, EDITOR_CLOSES);

	return r < 0 ? r
		     : editor_save_beside(world, view, ID, "events.json", ONE_OTHER, EDITOR_CLOSES);
}

static void a_save_of_jp(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_two_events,
					 .in_view = write_as_jp,
					 .end = end_with_other});
}

static int write_half(struct attack_world *world, struct jpfs_view *view)
{
	return editor_save(world, view, ID, "events.json", "[ half an edit", EDITOR_CLOSES);
}

static void end_with_half(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", "[ half an edit"));
}

static void a_draft_that_jp_would_reject(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_two_events,
					 .in_view = write_half,
					 .end = end_with_half});
}

static int write_notes(struct attack_world *world, struct jpfs_view *view)
{
	int r = editor_save(world, view, ID, "notes.txt", "a note", EDITOR_SYNCS);

	return r < 0 ? r
		     : editor_save(world, view, ID, "notes.txt", "a better note", EDITOR_CLOSES);
}

static void prepare_notes(struct attack_world *world)
{
	prepare_two_events(world);
	put(&world->dir, HERE NAME "/sub/old.txt", "an old note", 1000);
}

static void end_with_notes(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/notes.txt", "a better note"));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/notes.txt", "a better note"));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/sub/old.txt", "an old note"));
}

static void a_file_of_the_users_own(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_notes,
					 .in_view = write_notes,
					 .end = end_with_notes});
}

/* ---- the first durable copy ---- */

static void put_here(struct attack_world *world, const char *place, uint64_t id)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), HERE "%s", place);
	put_conversation(&world->dir, path, META_OLD, "{\"base\": 1}", ONE_TWO, attack_later());
	attack_keep(world, id, "events.json", ONE_TWO, ATTACK_ALWAYS);
	attack_keep(world, id, "metadata.json", META_OLD, ATTACK_ALWAYS);
}

static void prepare_first_use(struct attack_world *world)
{
	put_here(world, NAME, ID);
	put_here(world, ".archive/" OTHER_NAME, OTHER_ID);
	put(&world->dir, HERE NAME "/sub/notes.txt", "a note", 1000);
	attack_keep(world, ID, "notes.txt", "a note", ATTACK_ALWAYS);
	CU_ASSERT_EQUAL(symlinkat("notes.txt", world->dir.fd, HERE NAME "/sub/link"), 0);
}

static int nothing_more(struct attack_world *world, struct jpfs_view *view)
{
	(void)world;
	(void)view;
	return 0;
}

static void end_with_both(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/sub/notes.txt", "a note"));
	ATTACK_CHECK(is_there(&world->dir, STORE NAME "/sub/link"));
	ATTACK_CHECK(holds(&world->dir, STORE ".archive/" OTHER_NAME "/events.json", ONE_TWO));
}

static void the_first_use_of_a_workspace(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_first_use,
					 .in_view = nothing_more,
					 .end = end_with_both});
}

/* The silo is there, and one conversation came with a checkout. */
static void prepare_checkout(struct attack_world *world)
{
	attack_both(world, OTHER_NAME, ONE);
	attack_settle(world);
	put_here(world, NAME, ID);
	attack_keep(world, ID, "events.json", ONE_TWO_THREE, ATTACK_PROMISED);
}

static void the_first_write_to_a_conversation_of_the_workspace(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_checkout,
					 .in_view = write_turn,
					 .end = end_with_turn});
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_turn_that_is_synced),
		TEST(an_edit_that_is_only_closed),
		TEST(an_edit_that_is_synced),
		TEST(a_save_of_jp),
		TEST(a_draft_that_jp_would_reject),
		TEST(a_file_of_the_users_own),
		TEST(the_first_use_of_a_workspace),
		TEST(the_first_write_to_a_conversation_of_the_workspace),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-write", tests);
}
