/*
 * jp without any change on a real mount: its own sequences against both sides at once. Semantics,
 * section 9; the sequences are acted by acted_jp.c.
 */
#include "tests/mount/acted_jp.h"
#include "tests/mount/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define DIGITS "17457886043"
#define NEW_DIGITS "17600000000"

struct world {
	struct fixture f;
	struct acted_jp jp;
	struct acted_memory memory;
};

static void world_end(struct world *world)
{
	fixture_end(&world->f);
}
#define cleanup_world __attribute__((cleanup(world_end)))

/* The two sides of a workspace; all worktrees have the first one's silo. */
static void take_sides(const struct world *w, const char *root, struct acted_jp *ret)
{
	(void)snprintf(ret->user, sizeof(ret->user),
		       "%s/data/workspace/project-abc12/conversations", w->f.base);
	(void)snprintf(ret->locks, sizeof(ret->locks), "%s/data/workspace/project-abc12/locks",
		       w->f.base);
	(void)snprintf(ret->work, sizeof(ret->work), "%s/.jp/conversations", root);
}

/* Mounted, with everything of the project in the store. */
static bool begin(struct world *w)
{
	if (!fixture_begin(&w->f))
		return false;
	take_sides(w, w->f.project, &w->jp);
	fixture_mount(&w->f);
	STEP(&w->f, "for n in $X " SECOND " " THIRD "; do until_ok test -d \"$D/$n\"; done");
	return true;
}

/* Both sides have exactly what jp holds. */
static void check_saved(const struct acted_jp *jp, const struct acted_conversation *what)
{
	CU_ASSERT(acted_jp_has(jp->user, what));
	CU_ASSERT(acted_jp_has(jp->work, what));
}

static void a_new_conversation_is_saved_on_both_sides(void)
{
	cleanup_world struct world w = {0};
	struct acted_conversation what;

	if (!begin(&w))
		return;
	what = acted_in_memory(&w.memory, NEW_DIGITS, NEW_DIGITS "-a-new-one", "A new one", 2);
	CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
	check_saved(&w.jp, &what);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_PROJECTED);
	fixture_umount(&w.f);
	check_saved(&w.jp, &what);
	CHECK_INVARIANTS(&w.f);
}

static void a_query_saves_many_times_and_the_view_is_never_behind(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	for (int turns = 2; turns < 40; turns++) {
		struct acted_conversation what =
			acted_in_memory(&w.memory, DIGITS, FIRST, "First Title", turns);

		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
		check_saved(&w.jp, &what);
		/* The second save of the same writes nothing. */
		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
	}
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

static void a_title_change_renames_it_on_both_sides(void)
{
	cleanup_world struct world w = {0};
	struct acted_conversation what;

	if (!begin(&w))
		return;
	STEP(&w.f, "echo note > \"$V/$X/NOTE.md\"; until_ok test -e \"$D/$X/NOTE.md\"");
	for (int i = 1; i < 6; i++) {
		char name[64], title[32];

		(void)snprintf(name, sizeof(name), DIGITS "-title-%d", i);
		(void)snprintf(title, sizeof(title), "Title %d", i);
		what = acted_in_memory(&w.memory, DIGITS, name, title, i);
		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
		check_saved(&w.jp, &what);
		CU_ASSERT_EQUAL(acted_jp_count(w.jp.user, DIGITS), 1);
		CU_ASSERT_EQUAL(acted_jp_count(w.jp.work, DIGITS), 1);
	}
	STEP(&w.f,
	     "[ ! -e \"$V/$X\" ]; [ ! -e \"$D/$X\" ]\n"
	     "grep -q note \"$V\"/" DIGITS "-*/NOTE.md; grep -q note \"$D\"/" DIGITS "-*/NOTE.md");
	fixture_umount(&w.f);
	CU_ASSERT_EQUAL(acted_jp_count(w.jp.user, DIGITS), 1);
	CU_ASSERT_EQUAL(acted_jp_count(w.jp.work, DIGITS), 1);
	STEP(&w.f, "[ \"$(title \"$V/" DIGITS "-title-5\")\" = 'Title 5' ]");
	CHECK_INVARIANTS(&w.f);
}

static void archiving_and_back_moves_it_on_both_sides(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "cp -a \"$D/$X\" ../copy");
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(acted_jp_archive(&w.jp, DIGITS), 0);
		CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_ABSENT);
		STEP(&w.f,
		     "diff -r ../copy \"$D/.archive/$X\"; diff -r ../copy \"$V/.archive/$X\"");
		if (i == 2)
			break;
		CU_ASSERT_EQUAL(acted_jp_unarchive(&w.jp, DIGITS), 0);
		CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_PROJECTED);
		STEP(&w.f, "diff -r ../copy \"$D/$X\"; diff -r ../copy \"$V/$X\"");
	}
	fixture_umount(&w.f);
	STEP(&w.f, "diff -r ../copy \"$D/.archive/$X\"; diff -r ../copy \"$V/.archive/$X\"\n"
		   "[ ! -e \"$V/$X\" ]; [ ! -e \"$D/$X\" ]");
	CHECK_INVARIANTS(&w.f);
}

static void a_removed_conversation_does_not_come_back(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	CU_ASSERT_EQUAL(acted_jp_remove(&w.jp, DIGITS), 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_ABSENT);
	/* What jp wrote a moment ago is removed as well, with whatever is still pending of it. */
	for (int i = 0; i < 5; i++) {
		struct acted_conversation what =
			acted_in_memory(&w.memory, NEW_DIGITS, NEW_DIGITS "-brief", "Brief", 3 + i);

		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
		CU_ASSERT_EQUAL(acted_jp_remove(&w.jp, NEW_DIGITS), 0);
		CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_ABSENT);
	}
	fixture_umount(&w.f);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_ABSENT);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_ABSENT);
	CHECK_INVARIANTS(&w.f);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_ABSENT);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_ABSENT);
}

static void toggling_to_local_and_back_keeps_the_durable_copy(void)
{
	cleanup_world struct world w = {0};
	struct acted_conversation what;

	if (!begin(&w))
		return;
	for (int i = 2; i < 6; i++) {
		what = acted_in_memory(&w.memory, DIGITS, FIRST, "First Title", i);
		CU_ASSERT_EQUAL(acted_jp_save_local(&w.jp, &what), 0);
		CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_LOCAL);
		STEP(&w.f, "[ ! -e \"$V/$X\" ]; [ \"$(ls -A \"$D/$X\" | wc -l)\" = 3 ]");
		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
		CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_PROJECTED);
		check_saved(&w.jp, &what);
	}
	CU_ASSERT_EQUAL(acted_jp_save_local(&w.jp, &what), 0);
	fixture_umount(&w.f);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_LOCAL);
	CHECK_INVARIANTS(&w.f);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_LOCAL);
}

static void what_is_made_local_is_never_seen_through_the_mount(void)
{
	cleanup_world struct world w = {0};
	struct acted_conversation what;

	if (!begin(&w))
		return;
	what = acted_in_memory(&w.memory, NEW_DIGITS, NEW_DIGITS "-secret", "Secret", 2);
	CU_ASSERT_EQUAL(acted_jp_save_local(&w.jp, &what), 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_LOCAL);
	CU_ASSERT_EQUAL(acted_jp_archive(&w.jp, NEW_DIGITS), 0);
	STEP(&w.f, "[ -d \"$D/.archive/" NEW_DIGITS "-secret\" ]\n"
		   "ls -A \"$V/.archive\" 2>/dev/null | grep -q secret && fail listed\n"
		   "[ ! -e \"$V/.archive/" NEW_DIGITS "-secret\" ]");
	CU_ASSERT_EQUAL(acted_jp_unarchive(&w.jp, NEW_DIGITS), 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_LOCAL);
	fixture_umount(&w.f);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, NEW_DIGITS), ACTED_LOCAL);
	CHECK_INVARIANTS(&w.f);
}

static void managed_editing_ends_with_the_edit_on_both_sides(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "echo note > \"$V/$X/NOTE.md\"; mkdir \"$V/$X/sub\"; echo deep > "
		   "\"$V/$X/sub/file\"");
	for (int i = 0; i < 10; i++) {
		char script[512];

		/* An editor that truncates, and one that writes beside. What jp has put into the store a
		 * moment ago is another file, and cp(1) does not copy what becomes that under its eyes. */
		(void)snprintf(script, sizeof(script),
			       "n=%d; copy() { rm -rf ../edited%d; cp -a \"$V/$X\" ../edited%d; }\n"
			       "%s; until_ok copy",
			       i, i, i,
			       i % 2 == 0 ? "sed -i \"s/\\\"title\\\": \\\".*\\\"/\\\"title\\\": "
					    "\\\"Edit $n\\\"/\" "
					    "\"$V/$X/metadata.json\""
					  : "sed \"s/\\\"title\\\": \\\".*\\\"/\\\"title\\\": "
					    "\\\"Edit $n\\\"/\" "
					    "\"$V/$X/metadata.json\" > ../m; cat ../m > "
					    "\"$V/$X/metadata.json\"");
		STEP(&w.f, script);
		CU_ASSERT_EQUAL(acted_jp_sync_projection(&w.jp, DIGITS), 0);
		(void)snprintf(script, sizeof(script),
			       "[ \"$(title \"$V/$X\")\" = 'Edit %d' ]\n"
			       "diff -r ../edited%d \"$D/$X\"; diff -r ../edited%d \"$V/$X\"",
			       i, i, i);
		STEP(&w.f, script);
		CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_PROJECTED);
	}
	fixture_umount(&w.f);
	STEP(&w.f, "diff -r ../edited9 \"$D/$X\"; diff -r ../edited9 \"$V/$X\"");
	CHECK_INVARIANTS(&w.f);
}

static void the_view_serves_what_jp_deleted_until_it_is_back(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "cp -a \"$V/$X\" ../copy; rm -r \"$D/$X\"; diff -r ../copy \"$V/$X\"\n"
		   "ls \"$V\" | grep -q $X || fail 'not listed'\n"
		   "mkdir \"$D/$X\"; diff -r ../copy \"$V/$X\"\n"
		   ": > \"$D/$X/events.json\"; diff -r ../copy \"$V/$X\"\n"
		   "head -c 20 ../copy/events.json > \"$D/$X/events.json\"; diff -r ../copy "
		   "\"$V/$X\"\n"
		   "cp ../copy/metadata.json \"$D/$X/\"; diff -r ../copy \"$V/$X\"\n"
		   "cp ../copy/*.json \"$D/$X/\"; diff -r ../copy \"$V/$X\"\n"
		   "sed -i s/First/Direct/ \"$D/$X/metadata.json\"\n"
		   "until_ok grep -q Direct \"$V/$X/metadata.json\"");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

static void what_never_comes_back_ends_in_the_workspace(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "sed -i s/First/Latest/ \"$V/$X/metadata.json\"; until_ok grep -q Latest "
		   "\"$D/$X/metadata.json\"\n"
		   "cp -a \"$V/$X\" ../copy; rm -r \"$D/$X\"; diff -r ../copy \"$V/$X\"");
	fixture_umount(&w.f);
	STEP(&w.f, "diff -r ../copy \"$V/$X\"; [ ! -e \"$D/$X\" ]");
	fixture_mount(&w.f);
	STEP(&w.f, "diff -r ../copy \"$V/$X\"");
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_EXTERNAL);
	fixture_umount(&w.f);
}

/* jp removes the store's copy, and somebody else, a moment later, the one that a worktree shows. */
static void the_last_copy_of_all_goes_to_the_trash(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "cp -a \"$V/$X\" ../copy; rm -r \"$D/$X\"; rm -r \"$V/$X\"; [ ! -e \"$V/$X\" ]\n"
		   "for file in ../copy/*; do\n"
		   "  found=$(find \"$S/jpfs/trash\" -type f -exec cmp -s {} $file \\; -print)\n"
		   "  [ -n \"$found\" ] || fail \"${file##*/} is nowhere\"; done");
	fixture_umount(&w.f);
	STEP(&w.f, "[ ! -e \"$V/$X\" ]; [ ! -e \"$D/$X\" ]");
}

static void a_start_trashes_nothing_that_is_whole(void)
{
	cleanup_world struct world w = {0};
	struct acted_start start;

	if (!begin(&w))
		return;
	start = acted_jp_start(&w.jp);
	CU_ASSERT_EQUAL(start.listed, 6);
	CU_ASSERT_EQUAL(start.trashed, 0);
	/* A bad one of the workspace goes to the workspace's trash. */
	STEP(&w.f, "mkdir \"$V/17457886999-bad\"; echo '{' > \"$V/17457886999-bad/metadata.json\"\n"
		   "listed() { ls \"$V\" | grep -q 17457886999; }; until_ok listed");
	start = acted_jp_start(&w.jp);
	CU_ASSERT_EQUAL(start.listed, 6);
	CU_ASSERT_EQUAL(start.trashed, 1);
	STEP(&w.f, "[ -e \"$V/.trash/17457886999-bad/TRASHED.md\" ]; [ ! -e \"$V/17457886999-bad\" "
		   "]\n[ \"$(ls \"$D\" | wc -l)\" = 3 ]");
	fixture_umount(&w.f);
	STEP(&w.f, "[ -e \"$V/.trash/17457886999-bad/metadata.json\" ]");
	CHECK_INVARIANTS(&w.f);
}

static void what_jp_trashes_in_the_workspace_stays_durable(void)
{
	cleanup_world struct world w = {0};
	struct acted_start start;

	if (!begin(&w))
		return;
	STEP(&w.f, "cp -a \"$D/$X\" ../copy; echo '<<<<<<<' > \"$V/$X/events.json\"; cmp "
		   "../copy/events.json \"$D/$X/events.json\"");
	start = acted_jp_start(&w.jp);
	CU_ASSERT_EQUAL(start.trashed, 1);
	STEP(&w.f, "[ ! -e \"$V/$X\" ]; grep -q '<<<' \"$V/.trash/$X/events.json\"\n"
		   "[ -e \"$V/.trash/$X/TRASHED.md\" ]; diff -r ../copy \"$D/$X\"");
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_LOCAL);
	fixture_umount(&w.f);
	STEP(&w.f, "diff -r ../copy \"$D/$X\"; [ -e \"$V/.trash/$X/metadata.json\" ]");
	CHECK_INVARIANTS(&w.f);
}

/*
 * Looks at the workspace's side as every start does, until it is killed. The silo is left alone:
 * jp deletes there what another jp is just writing, and no filesystem can help that.
 */
static pid_t keep_starting(const struct acted_jp *jp, int trouble_fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (;;) {
		struct acted_start start = {0};

		acted_jp_check_side(jp, jp->work, &start);
		if ((start.trashed > 0 || start.removed > 0) &&
		    write(trouble_fd, &start, sizeof(start)) < 0)
			_exit(1);
	}
}

static void starts_in_the_middle_of_saves_trash_nothing(void)
{
	cleanup_world struct world w = {0};
	struct acted_start trouble = {0};
	int ends[2];
	pid_t pid;

	if (!begin(&w))
		return;
	CU_ASSERT_EQUAL(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	pid = keep_starting(&w.jp, ends[1]);
	for (int i = 0; i < 20; i++) {
		char digits[16], name[64];
		struct acted_conversation what;

		(void)snprintf(digits, sizeof(digits), "176000000%02d", i);
		(void)snprintf(name, sizeof(name), "%s-%s", digits, i % 2 == 0 ? "even" : "odd");
		what = acted_in_memory(&w.memory, digits, name, "Made while another starts", 5);
		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
		what = acted_in_memory(&w.memory, DIGITS, FIRST, "First Title", i + 2);
		CU_ASSERT_EQUAL(acted_jp_save(&w.jp, &what), 0);
	}
	/* A program that only knows the mount: cp, an editor, a script. */
	STEP(&w.f,
	     "for i in 1 2 3 4 5; do mkdir \"$V/1761000000$i-by-hand\"; for f in metadata "
	     "base_config events; do\n"
	     "cp \"$V/$X/$f.json\" \"$V/1761000000$i-by-hand/$f.json.tmp\"\n"
	     "mv \"$V/1761000000$i-by-hand/$f.json.tmp\" \"$V/1761000000$i-by-hand/$f.json\"; "
	     "done; done\n"
	     "[ \"$(ls -d \"$V\"/1761* | wc -l)\" = 5 ]");
	(void)kill(pid, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CHECK(read(ends[0], &trouble, sizeof(trouble)) < 0, "trashed %u, *.tmp deleted %u",
	      trouble.trashed, trouble.removed);
	(void)close(ends[0]);
	(void)close(ends[1]);
	STEP(&w.f, "[ ! -e \"$V/.trash\" ]; [ \"$(ls \"$V\" | wc -l)\" = 28 ]");
	fixture_umount(&w.f);
	STEP(&w.f, "[ \"$(ls \"$V\" | wc -l)\" = 28 ]; [ ! -e \"$V/.trash\" ]");
	CHECK_INVARIANTS(&w.f);
}

static void a_save_in_a_second_worktree_is_what_the_first_one_loads(void)
{
	cleanup_world struct world w = {0};
	struct acted_jp other;
	struct acted_conversation what;
	char worktree[300];

	if (!begin(&w))
		return;
	(void)snprintf(worktree, sizeof(worktree), "%.280s/wt", w.f.base);
	STEP(&w.f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&w.f, worktree, "");
	take_sides(&w, worktree, &other);
	for (int i = 2; i < 12; i++) {
		what = acted_in_memory(&w.memory, DIGITS, FIRST, "First Title", i);
		CU_ASSERT_EQUAL(acted_jp_save(i % 2 == 0 ? &w.jp : &other, &what), 0);
		STEP(&w.f, "until_ok cmp \"$V/$X/events.json\" \"$WV/$X/events.json\"\n"
			   "cmp \"$D/$X/events.json\" \"$V/$X/events.json\"");
		check_saved(&w.jp, &what);
		check_saved(&other, &what);
	}
	/* One that is local in one worktree stays projected in the other. */
	CU_ASSERT_EQUAL(acted_jp_save_local(&other, &what), 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&other, DIGITS), ACTED_LOCAL);
	CU_ASSERT_EQUAL(acted_jp_presence(&w.jp, DIGITS), ACTED_PROJECTED);
	fixture_umount_at(&w.f, worktree);
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
	fixture_check_at(&w.f, worktree, __FILE__, __LINE__);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_new_conversation_is_saved_on_both_sides),
		TEST(a_query_saves_many_times_and_the_view_is_never_behind),
		TEST(a_title_change_renames_it_on_both_sides),
		TEST(archiving_and_back_moves_it_on_both_sides),
		TEST(a_removed_conversation_does_not_come_back),
		TEST(toggling_to_local_and_back_keeps_the_durable_copy),
		TEST(what_is_made_local_is_never_seen_through_the_mount),
		TEST(managed_editing_ends_with_the_edit_on_both_sides),
		TEST(the_view_serves_what_jp_deleted_until_it_is_back),
		TEST(what_never_comes_back_ends_in_the_workspace),
		TEST(the_last_copy_of_all_goes_to_the_trash),
		TEST(a_start_trashes_nothing_that_is_whole),
		TEST(what_jp_trashes_in_the_workspace_stays_durable),
		TEST(starts_in_the_middle_of_saves_trash_nothing),
		TEST(a_save_in_a_second_worktree_is_what_the_first_one_loads),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("jp", tests);
}
