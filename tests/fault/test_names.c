/* Removing, moving and renaming through a view, attacked at each system call. */
#include "tests/fault/editor.h"

static void prepare(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	put(&world->dir, HERE NAME "/notes.txt", "a note", 1000);
	attack_keep(world, ID, "notes.txt", "a note", ATTACK_ALWAYS);
	attack_settle(world);
}

static void end_local(const struct attack_world *world)
{
	ATTACK_CHECK(!is_there(&world->dir, HERE NAME));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/notes.txt", "a note"));
}

static int unlink_in(struct jpfs_view *view, const char *path)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	int r = -ENOENT;

	if (conversation != NULL) {
		cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);

		r = jpfs_entry_unlink_locked(conversation, path);
	}
	if (conversation != NULL)
		jpfs_object_unref(&conversation->object);
	return r;
}

/* As rm -r does, which goes on after a failure and then fails. */
static int remove_all(struct attack_world *world, struct jpfs_view *view)
{
	static const char *const files[] = {"events.json", "notes.txt", "base_config.json",
					    "metadata.json"};
	int failure = 0, r;

	(void)world;
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		r = unlink_in(view, files[i]);
		failure = failure == 0 ? r : failure;
	}
	r = jpfs_partition_rmdir(view, &view->root, NAME);
	return failure < 0 ? failure : r;
}

static void prepare_whole(struct attack_world *world)
{
	prepare(world);
	world->is_all_or_nothing = true;
}

static void removing_a_conversation_file_by_file(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_whole,
					 .in_view = remove_all,
					 .end = end_local,
					 .done = -ENOENT});
}

/* Only here, and with something written that is not stored yet. */
static void prepare_only_here(struct attack_world *world)
{
	attack_both(world, OTHER_NAME, ONE);
	attack_settle(world);
	put_conversation(&world->dir, HERE NAME, META_OLD, "{\"base\": 1}", ONE_TWO,
			 attack_later());
	put(&world->dir, HERE NAME "/notes.txt", "a note", 1000);
	attack_keep(world, ID, "events.json", ONE_TWO, ATTACK_ALWAYS);
	attack_keep(world, ID, "notes.txt", "a note", ATTACK_ALWAYS);
}

static void removing_a_conversation_that_only_the_workspace_has(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_only_here,
					 .in_view = remove_all,
					 .end = end_local,
					 .done = -ENOENT});
}

static int remove_some(struct attack_world *world, struct jpfs_view *view)
{
	int first = unlink_in(view, "notes.txt"), second = unlink_in(view, "base_config.json");

	(void)world;
	return first < 0 ? first : second;
}

static void end_with_some_removed(const struct attack_world *world)
{
	ATTACK_CHECK(!is_there(&world->dir, HERE NAME "/notes.txt"));
	/* What ended between the two sides leaves the store's, which nobody sees. */
	ATTACK_CHECK(is_there(&world->dir, STORE NAME "/notes.txt") !=
		     is_kept(&world->dir, TRASH "17457886043", "a note"));
	ATTACK_CHECK(!is_there(&world->dir, HERE NAME "/base_config.json"));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/base_config.json", "{\"base\": 1}"));
}

static void removing_some_files(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare,
					 .in_view = remove_some,
					 .end = end_with_some_removed,
					 .done = -ENOENT});
}

static int toggle(struct attack_world *world, struct jpfs_view *view)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	int r = 0;

	(void)world;
	if (conversation != NULL) {
		r = jpfs_local_unproject(view, conversation, NULL, false);
		jpfs_object_unref(&conversation->object);
	}
	return r < 0 ? r : jpfs_local_project(view, ID, NULL, false);
}

static void end_on_both_sides(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/notes.txt", "a note"));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/notes.txt", "a note"));
}

static void taking_out_and_projecting_again(void)
{
	attack(&(struct attack_scenario){
		.name = __func__, .prepare = prepare, .in_view = toggle, .end = end_on_both_sides});
}

static int archive(struct attack_world *world, struct jpfs_view *view)
{
	(void)world;
	return jpfs_partition_rename(view, &view->root, NAME, &view->archive, "17457886043-renamed",
				     0);
}

static void prepare_archive(struct attack_world *world)
{
	prepare(world);
	put(&world->dir, HERE ".archive/", "", 0);
}

static void end_archived(const struct attack_world *world)
{
	static const char *const sides[] = {HERE, STORE};

	for (size_t i = 0; i < COUNT_OF(sides); i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s.archive/17457886043-renamed/events.json",
			       sides[i]);
		ATTACK_CHECK(holds(&world->dir, path, ONE_TWO));
		(void)snprintf(path, sizeof(path), "%s.archive/17457886043-renamed/notes.txt",
			       sides[i]);
		ATTACK_CHECK(holds(&world->dir, path, "a note"));
	}
}

static void renaming_into_the_archive(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_archive,
					 .in_view = archive,
					 .end = end_archived,
					 .done = -ENOTEMPTY});
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(removing_a_conversation_file_by_file),
		TEST(removing_a_conversation_that_only_the_workspace_has),
		TEST(removing_some_files),
		TEST(taking_out_and_projecting_again),
		TEST(renaming_into_the_archive),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-names", tests);
}
