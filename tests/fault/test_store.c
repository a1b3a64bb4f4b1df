/* What commands do to the store, and what killed daemons have left, attacked at each system call. */
#include "tests/fault/editor.h"

#include "core/prune.h"
#include "core/restore.h"

#include <sys/wait.h>

static bool is_in_history(const struct attack_world *world, const char *text)
{
	return is_kept(&world->dir, HISTORY "17457886043", text);
}

/* ONE_OTHER stands on both sides, ONE_TWO is kept. */
static void prepare_kept(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
	put(&world->dir, STORE NAME "/events.json", ONE_OTHER, attack_later());
	attack_keep(world, ID, "events.json", ONE_OTHER, ATTACK_ALWAYS);
	attack_settle(world);
	CU_ASSERT(is_in_history(world, ONE_TWO));
}

/* ---- restoring, removing, pruning ---- */

/* The first of what is kept, in the history or in the trash. */
static int find_kept(const struct jp_silo *silo, bool is_trash, struct jp_kept *ret)
{
	cleanup_free struct jp_kept *list = NULL;
	size_t count = 0;
	int r = jp_kept_read(silo->history_fd, silo->trash_fd, ID, &list, &count);

	for (size_t i = count; r == 0 && i > 0; i--) {
		if (list[i - 1].is_trash == is_trash) {
			*ret = list[i - 1];
			return 0;
		}
	}
	return r < 0 ? r : -ENOENT;
}

static int restore_version(struct attack_world *world, struct jp_silo *silo)
{
	struct jp_kept kept;
	int r = find_kept(silo, false, &kept);

	(void)world;
	return r < 0 ? r : jp_restore_file(silo, &kept, "events.json");
}

static void end_restored(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(is_in_history(world, ONE_OTHER));
}

static void restoring_a_version(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_kept,
					 .in_silo = restore_version,
					 .end = end_restored,
					 .done = -EALREADY});
}

static void prepare_removal(struct attack_world *world)
{
	put(&world->dir, STORE NAME "/notes.txt", "a note", 1000);
	attack_both(world, NAME, ONE_TWO);
	world->removes = true;
	/* Where the worktree has it too, that would be enough for some checks. */
	CU_ASSERT_EQUAL(jp_remove_tree(world->dir.fd, HERE NAME), 0);
	attack_keep(world, ID, "notes.txt", "a note", ATTACK_ALWAYS);
}

static int remove_conversation(struct attack_world *world, struct jp_silo *silo)
{
	(void)world;
	return jp_remove_conversation(silo, ID);
}

static void end_removed(const struct attack_world *world)
{
	ATTACK_CHECK(!is_there(&world->dir, STORE NAME));
	ATTACK_CHECK(is_kept(&world->dir, TRASH "17457886043", ONE_TWO));
	ATTACK_CHECK(is_kept(&world->dir, TRASH "17457886043", "a note"));
}

static void removing_a_conversation(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_removal,
					 .in_silo = remove_conversation,
					 .end = end_removed,
					 .done = -ENOENT});
}

static void prepare_trash(struct attack_world *world)
{
	prepare_removal(world);
	CU_ASSERT_EQUAL(mkdirat(world->dir.fd, STORE ".archive", 0700), 0);
	put(&world->dir, TRASH "17457886043/", "", 0);
	CU_ASSERT_EQUAL(renameat(world->dir.fd, STORE NAME, world->dir.fd,
				 TRASH "17457886043/20260301T100000.000000001Z..archive%" NAME),
			0);
}

static int restore_conversation(struct attack_world *world, struct jp_silo *silo)
{
	char name[NAME_MAX + 1];
	struct jp_kept kept;
	int r = find_kept(silo, true, &kept);

	(void)world;
	return r < 0 ? r : jp_restore_conversation(silo, &kept, name);
}

static void end_brought_back(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE ".archive/" NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, STORE ".archive/" NAME "/notes.txt", "a note"));
}

static void bringing_a_conversation_back(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_trash,
					 .in_silo = restore_conversation,
					 .end = end_brought_back,
					 .done = -ENOENT});
}

static void prepare_old(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	put(&world->dir, HISTORY "17457886043/20260301T100000.000000001Z.events.json", ONE_OTHER,
	    1);
	put(&world->dir, HISTORY "17457886043/20260301T100000.000000002Z.metadata.json", META_NEW,
	    1);
	put(&world->dir, TRASH "17457886043/20260301T100000.000000003Z.sub/deep/notes", "note", 1);
	put(&world->dir, TRASH "17457886043/20260301T100000.000000003Z.sub/more", "more", 1);
}

static int prune_all(struct attack_world *world, struct jp_silo *silo)
{
	cleanup_free struct jp_kept *list = NULL;
	size_t count = 0;
	int r = jp_kept_read_all(silo->history_fd, silo->trash_fd, &list, &count);

	(void)world;
	for (size_t i = 0; i < count && r == 0; i++)
		r = jp_prune_remove(silo->history_fd, silo->trash_fd, &list[i]);
	return r;
}

static void end_pruned(const struct attack_world *world)
{
	ATTACK_CHECK(count_entries(&world->dir, HISTORY "17457886043") == 0);
	ATTACK_CHECK(count_entries(&world->dir, TRASH "17457886043") == 0);
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
}

static void pruning(void)
{
	attack(&(struct attack_scenario){
		.name = __func__, .prepare = prepare_old, .in_silo = prune_all, .end = end_pruned});
}

/* ---- drafts ---- */

static void prepare_draft(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
	put(&world->dir, HERE NAME "/events.json", ONE, attack_later());
	put(&world->dir, HERE NAME "/base_config.json", "{\"base\": 0}", attack_later());
	attack_keep(world, ID, "base_config.json", "{\"base\": 0}", ATTACK_ALWAYS);
	attack_settle(world);
	CU_ASSERT(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
}

static int end_draft(struct jpfs_view *view, int (*end)(struct jpfs_conversation *))
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, ID);
	int r;

	if (conversation == NULL)
		return -ENOENT;
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	r = end(conversation);
	jpfs_object_unref(&conversation->object);
	return r;
}

static int commit_draft(struct attack_world *world, struct jpfs_view *view)
{
	(void)world;
	return end_draft(view, jpfs_draft_commit);
}

static int discard_draft(struct attack_world *world, struct jpfs_view *view)
{
	(void)world;
	return end_draft(view, jpfs_draft_discard);
}

static void end_committed(const struct attack_world *world)
{
	/* The record of what both were may be what could not be read: then there was no draft. */
	if (attack_is_reading() && holds(&world->dir, HERE NAME "/events.json", ONE_TWO))
		return;
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", ONE));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/base_config.json", "{\"base\": 0}"));
	ATTACK_CHECK(is_in_history(world, ONE_TWO));
}

static void committing_a_draft(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_draft,
					 .in_view = commit_draft,
					 .end = end_committed,
					 .done = -ENOENT});
}

static void end_discarded(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, HERE NAME "/base_config.json", "{\"base\": 1}"));
}

static void discarding_a_draft(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_draft,
					 .in_view = discard_draft,
					 .end = end_discarded,
					 .done = -ENOENT});
}

/* ---- leftovers ---- */

/* A process that has closed some files, and ends before it stores them. */
static void die_after(struct attack_world *world,
		      void (*work)(struct attack_world *, struct jpfs_view *))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		attack_in_view(world, work);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(count_entries(&world->dir, STAGING), 1);
}

static void write_and_make(struct attack_world *world, struct jpfs_view *view)
{
	cleanup_object struct jpfs_object *made = NULL;

	if (editor_save(world, view, ID, "events.json", ONE_OTHER, EDITOR_CLOSES) < 0 ||
	    editor_save(world, view, ID, "notes.txt", "a note", EDITOR_CLOSES) < 0 ||
	    jpfs_partition_mkdir(view, &view->root, OTHER_NAME, 0755, &made) < 0 ||
	    editor_save(world, view, OTHER_ID, "metadata.json", META_NEW, EDITOR_CLOSES) < 0 ||
	    editor_save(world, view, OTHER_ID, "base_config.json", "{}", EDITOR_CLOSES) < 0 ||
	    editor_save(world, view, OTHER_ID, "events.json", ONE_TWO, EDITOR_CLOSES) < 0)
		_exit(1);
}

static void prepare_leftovers(struct attack_world *world)
{
	attack_both(world, NAME, ONE_TWO);
	attack_settle(world);
	attack_keep(world, ID, "events.json", ONE_OTHER, ATTACK_ALWAYS);
	attack_keep(world, ID, "notes.txt", "a note", ATTACK_ALWAYS);
	attack_keep(world, OTHER_ID, "events.json", ONE_TWO, ATTACK_ALWAYS);
	attack_keep(world, OTHER_ID, "metadata.json", META_NEW, ATTACK_ALWAYS);
	die_after(world, write_and_make);
}

static int nothing_more(struct attack_world *world, struct jpfs_view *view)
{
	(void)world;
	(void)view;
	return 0;
}

static void end_recovered(const struct attack_world *world)
{
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/events.json", ONE_OTHER));
	ATTACK_CHECK(is_in_history(world, ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, STORE NAME "/notes.txt", "a note"));
	ATTACK_CHECK(holds(&world->dir, STORE "17457886044/events.json", ONE_TWO));
	ATTACK_CHECK(holds(&world->dir, STORE "17457886044/metadata.json", META_NEW));
}

static void recovering_what_a_killed_daemon_left(void)
{
	attack(&(struct attack_scenario){.name = __func__,
					 .prepare = prepare_leftovers,
					 .in_view = nothing_more,
					 .end = end_recovered});
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(restoring_a_version),
		TEST(removing_a_conversation),
		TEST(bringing_a_conversation_back),
		TEST(pruning),
		TEST(committing_a_draft),
		TEST(discarding_a_draft),
		TEST(recovering_what_a_killed_daemon_left),
		CU_TEST_INFO_NULL,
	};

	return attack_run_suite("fault-store", tests);
}
