/* Nothing that is removed through the mount is removed from the store. Semantics, section 6. */
#include "tests/mount/fixture.h"

static void removing_a_conversation_keeps_its_durable_copy_whole(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD
	     "\"; cp -a \"$D/$X\" ../copy; echo note > \"$V/$X/NOTE.md\"\n"
	     "mkdir \"$V/$X/sub\"; echo deep > \"$V/$X/sub/file\"\n"
	     "rm -r \"$V/$X\"; [ ! -e \"$V/$X\" ]; ls \"$V\" | grep -q $X && fail listed\n"
	     "until_ok grep -q note \"$D/$X/NOTE.md\"; until_ok grep -q deep \"$D/$X/sub/file\"\n"
	     "for f in metadata base_config events; do cmp ../copy/$f.json \"$D/$X/$f.json\"; "
	     "done");
	fixture_umount(&f);
	STEP(&f, "[ ! -e \"$V/$X\" ]; sleep 1; grep -q note \"$D/$X/NOTE.md\"; [ -e "
		 "\"$D/$X/sub/file\" ]");
	CHECK_INVARIANTS(&f);
}

static void removing_one_managed_file_hides_it_here(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; cp \"$V/$X/metadata.json\" ../m; rm "
		 "\"$V/$X/metadata.json\"\n"
		 "[ ! -e \"$V/$X/metadata.json\" ]; [ -e \"$V/$X/events.json\" ]\n"
		 "cmp ../m \"$D/$X/metadata.json\"\n"
		 "sed s/First/Changed/ ../m > \"$V/$X/metadata.json\"\n"
		 "[ \"$(title \"$V/$X\")\" = 'Changed Title' ]\n"
		 "until_ok grep -q Changed \"$D/$X/metadata.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void removing_an_unmanaged_file_moves_its_durable_copy_to_the_trash(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "echo note > \"$V/$X/NOTE.md\"; until_ok test -e \"$D/$X/NOTE.md\"\n"
		 "rm \"$V/$X/NOTE.md\"; [ ! -e \"$V/$X/NOTE.md\" ]\n"
		 "until_ok not test -e \"$D/$X/NOTE.md\"\n"
		 "grep -rq note \"$S/jpfs/trash/17457886043\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void an_editors_temporary_files_leave_no_trace(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; for n in .events.json.swp 4913 events.json~ "
		 "sedAb12Cd; do\n"
		 "echo x > \"$V/$X/$n\"; rm \"$V/$X/$n\"; done; sed -i s/First/Sed/ "
		 "\"$V/$X/metadata.json\"\n"
		 "until_ok grep -q Sed \"$D/$X/metadata.json\"\n"
		 "[ \"$(ls -A \"$D/$X\" | wc -l)\" = 3 ]; [ ! -e \"$S/jpfs/trash/17457886043\" ]");
	fixture_umount(&f);
	STEP(&f, "[ \"$(ls -A \"$D/$X\" | wc -l)\" = 3 ]; [ \"$(ls -A \"$V/$X\" | wc -l)\" = 3 ]");
	CHECK_INVARIANTS(&f);
}

static void removing_a_worktree_keeps_its_conversations(void)
{
	cleanup_fixture struct fixture f = {0};
	char worktree[300];

	if (!fixture_begin(&f))
		return;
	(void)snprintf(worktree, sizeof(worktree), "%s/wt", f.base);
	fixture_mount(&f);
	STEP(&f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&f, worktree, "");
	STEP(&f, "n=17457886200-made-here; cp -r \"$WV/$X\" ../n; mkdir \"$WV/$n\"; cp ../n/* "
		 "\"$WV/$n/\"\n"
		 "sed -i s/First/Edited/ \"$WV/$X/metadata.json\"\n"
		 "git worktree remove --force \"$W\"; [ ! -e \"$W\" ]\n"
		 "until_ok grep -q Edited \"$D/$X/metadata.json\"; [ -e \"$D/$n/events.json\" ]\n"
		 "[ \"$(title \"$V/$X\")\" = 'Edited Title' ]");
	fixture_wait_end(&f, worktree);
	STEP(&f, "git worktree add -q \"$W\" side; [ -d \"$W\" ]");
	fixture_mount_at(&f, worktree, "");
	fixture_umount_at(&f, worktree);
	STEP(&f, "[ -e \"$D/17457886200-made-here/events.json\" ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_conversation_that_only_a_worktree_has_is_kept_when_it_goes(void)
{
	cleanup_fixture struct fixture f = {0};
	char worktree[300];

	if (!fixture_begin(&f))
		return;
	(void)snprintf(worktree, sizeof(worktree), "%s/wt", f.base);
	fixture_mount(&f);
	STEP(&f, "git worktree add -q -b side \"$W\"; n=17457886201-only-here\n"
		 "cp -a \"$V/$X\" \"$WV/$n\"; echo note > \"$WV/$n/NOTE.md\"");
	fixture_mount_at(&f, worktree, "");
	STEP(&f, "n=17457886201-only-here; [ ! -e \"$D/$n\" ]; git worktree remove --force \"$W\"\n"
		 "[ ! -e \"$W\" ]; grep -q note \"$D/$n/NOTE.md\"; [ -e \"$D/$n/events.json\" ]");
	fixture_wait_end(&f, worktree);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* Before the daemon was told of the last close: nothing of it is in the workspace yet. */
static void what_was_made_a_moment_ago_is_kept_when_it_goes(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "python3 - <<'E'\n"
		 "import os, shutil\n"
		 "view, store, first = os.environ['V'], os.environ['D'], os.environ['X']\n"
		 "names = 'metadata.json', 'base_config.json', 'events.json'\n"
		 "data = {name: open(view + '/' + first + '/' + name).read() for name in names}\n"
		 "for i in range(30):\n"
		 "    directory = view + '/%d-made' % (17457886300 + i)\n"
		 "    os.mkdir(directory)\n"
		 "    for name in names + ('NOTE.md',) * (i % 2):\n"
		 "        with open(directory + '/' + name, 'w') as file:\n"
		 "            file.write(data.get(name, 'note'))\n"
		 "    shutil.rmtree(directory)\n"
		 "E\n"
		 "for k in $(seq 17457886300 17457886329); do for n in metadata base_config "
		 "events; do\n"
		 "  until_ok cmp \"$D/$k-made/$n.json\" \"$D/$X/$n.json\"; done; done\n"
		 "for k in $(seq 17457886301 2 17457886329); do until_ok grep note "
		 "\"$D/$k-made/NOTE.md\"; done\n"
		 "[ -z \"$(ls \"$S/jpfs/history\")\" ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/*
 * A file that was there for a while goes first, and then the rest, which was not stored before: the
 * conversation gets its durable copy in the middle of its removal.
 */
static void what_is_stored_while_it_is_removed_has_what_went_before(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "python3 - <<'E'\n"
	     "import os, shutil, time\n"
	     "view, first = os.environ['V'], os.environ['X']\n"
	     "names = 'metadata.json', 'base_config.json', 'events.json'\n"
	     "data = {name: open(view + '/' + first + '/' + name).read() for name in names}\n"
	     "places = [view + '/%d-slow' % (17457886500 + i) for i in range(10)]\n"
	     "def put(path, text):\n"
	     "    with open(path, 'w') as file:\n"
	     "        file.write(text)\n"
	     "for place in places:\n"
	     "    os.mkdir(place)\n"
	     "    put(place + '/NOTE.md', 'note')\n"
	     "time.sleep(1.5) # it is in the workspace by then\n"
	     "for place in places:\n"
	     "    for name in names:\n"
	     "        put(place + '/' + name, data[name])\n"
	     "    os.unlink(place + '/NOTE.md')\n"
	     "    shutil.rmtree(place)\n"
	     "E\n"
	     "for k in $(seq 17457886500 17457886509); do\n"
	     "  until_ok grep -q note \"$D/$k-slow/NOTE.md\"; until_ok cmp "
	     "\"$D/$k-slow/events.json\" "
	     "\"$D/$X/events.json\"; done\n"
	     /* Where the directory stays, it goes to the trash. */
	     "mkdir \"$V/17457886510-stays\"; echo note > \"$V/17457886510-stays/NOTE.md\"; sleep "
	     "1.5\n"
	     "cp \"$V/$X\"/*.json \"$V/17457886510-stays/\"; rm \"$V/17457886510-stays/NOTE.md\"\n"
	     "until_ok grep -rq note \"$S/jpfs/trash/17457886510\"\n"
	     "[ ! -e \"$D/17457886510-stays/NOTE.md\" ] && [ ! -e \"$V/17457886510-stays/NOTE.md\" "
	     "]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* The directory gets its mode and times last, when its files were closed. */
static void what_was_copied_here_and_removed_at_once_is_local(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "cp -a \"$V/$X\" ../copy; echo note > ../copy/NOTE.md; mkdir ../copy/sub\n"
		 "echo deep > ../copy/sub/file; L=$V/.jpfs/local; ls \"$L\" > ../listed\n"
		 "for k in $(seq 17457886400 17457886419); do\n"
		 "  cp -a ../copy \"$V/$k-copied\"; [ $((k % 4)) = 0 ] || sleep 0.00$((k % 8))\n"
		 "  rm -r \"$V/$k-copied\"\n"
		 "  [ -e \"$L/$k-copied/events.json\" ] || fail \"$k is not local\"; done\n"
		 "for k in $(seq 17457886400 17457886419); do\n"
		 "  ls \"$L\" | grep -qx $k-copied || fail \"$k is not listed\"\n"
		 "  until_ok diff -r ../copy \"$D/$k-copied\"; until_ok diff -r ../copy "
		 "\"$L/$k-copied\"\n"
		 "  [ ! -e \"$V/$k-copied\" ]; done; [ -z \"$(ls \"$S/jpfs/history\")\" ]");
	fixture_umount(&f);
	STEP(&f,
	     "for k in $(seq 17457886400 17457886419); do diff -r ../copy \"$D/$k-copied\"; done");
	CHECK_INVARIANTS(&f);
}

static void rm_of_the_whole_workspace_ends_the_daemon_and_loses_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD
		 "\"; cp -a \"$D\" ../copy; cd ..; rm -rf project; [ ! -e "
		 "project ]\n"
		 "diff -r copy \"$D\"; mkdir project");
	fixture_wait_end(&f, f.project);
}

static void rm_of_a_workspace_with_an_empty_view_works(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, "rm -r .jp/conversations/*");
	fixture_mount(&f);
	STEP(&f, "cd ..; rm -rf project; [ ! -e project ]; mkdir project");
	fixture_wait_end(&f, f.project);
}

static void an_emptied_view_is_mounted_again_when_its_directory_stays(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; rm -r \"$V\"/*; until_ok is_mounted \"$V\"\n"
		 "mkdir \"$V/$X\"; cp \"$D/$X\"/*.json \"$V/$X/\"\n"
		 "[ \"$(title \"$V/$X\")\" = 'First Title' ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void switching_to_a_branch_without_conversations_and_back_mounts_again(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD "\"; cp -a \"$D\" ../copy\n"
	     "git checkout -q --orphan bare; git rm -rqf .jp/conversations; git commit -qm bare\n"
	     "until_ok not is_mounted \"$V\"; git checkout -q main; until_ok is_mounted \"$V\"\n"
	     "until_ok test -e \"$V/.jpfs/status.json\"\n"
	     "[ \"$(ls \"$V\" | wc -l)\" = 3 ]; git status --porcelain | grep . && fail dirty\n"
	     "diff -r ../copy \"$D\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void switching_between_branches_that_share_the_directory_keeps_the_mount(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD "\"; git checkout -q -b fewer; git rm -rq \"$V/$X\"\n"
	     "git commit -qm fewer; [ ! -e \"$V/$X\" ]; [ -e \"$D/$X/events.json\" ]\n"
	     "git checkout -q main; [ \"$(title \"$V/$X\")\" = 'First Title' ]\n"
	     "git status --porcelain | grep . && fail dirty; is_mounted \"$V\"; git checkout "
	     "-q fewer\n"
	     "[ ! -e \"$V/$X\" ]; git status --porcelain | grep . && fail dirty; :");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void git_clean_takes_conversations_out_of_the_worktree_only(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, "git rm -rq --cached .jp/conversations; echo .jp/conversations > .gitignore\n"
		 "git add .gitignore; git commit -qm ignore");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; cp -a \"$D\" ../copy; git clean -fdxq\n"
		 "[ ! -e \"$V/$X\" ]; diff -r ../copy \"$D\"");
	STEP(&f, "mkdir -p \"$V\"; until_ok is_mounted \"$V\"");
	fixture_umount(&f);
	STEP(&f, "diff -r ../copy \"$D\"");
}

static void git_stash_of_untracked_files_and_back(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "n=17457886300-stashed; mkdir \"$V/$n\"; cp \"$V/$X\"/*.json \"$V/$n/\"\n"
		 "echo note > \"$V/$X/NOTE.md\"; sed -i s/Second/Touched/ \"$V/" SECOND
		 "/metadata.json\"\n"
		 "git stash -qu; git status --porcelain | grep . && fail dirty\n"
		 "[ ! -e \"$V/$n\" ]; [ ! -e \"$V/$X/NOTE.md\" ]; [ -e \"$D/$n/events.json\" ]\n"
		 "git stash pop -q; [ -e \"$V/$n/events.json\" ]; grep -q note \"$V/$X/NOTE.md\"\n"
		 "[ \"$(title \"$V/" SECOND "\")\" = 'Touched Title' ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_removal_that_stops_half_way_loses_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; echo n > \"$V/$X/NOTE\"; until_ok test -e "
		 "\"$D/$X/NOTE\"\n"
		 "cp -a \"$D/$X\" ../copy; rm \"$V/$X/events.json\" \"$V/$X/NOTE\"");
	fixture_kill(&f, f.project);
	STEP(&f, "diff -r ../copy \"$D/$X\"");
	fixture_mount(&f);
	STEP(&f, "diff -r ../copy \"$D/$X\"; cmp \"$V/$X/metadata.json\" ../copy/metadata.json");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* git switches to where it is not, and a file that git does not track keeps the directory; or somebody removes
 * jp's three files and leaves the directory as it is. What was removed is removed after mounting, too. */
static void a_directory_that_lost_all_of_jps_files_stays_so_across_mounts(void)
{
	static const char *const ways[] = {
		"echo note > \"$V/$X/NOTE\"; until_ok test -e \"$D/$X/NOTE\"; rm \"$V/$X/\"*.json",
		"rm \"$V/$X/\"*",
	};

	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		cleanup_fixture struct fixture f = {0};
		char snapshot[512];

		if (!fixture_begin(&f))
			return;
		fixture_mount(&f);
		STEP(&f, "until_ok test -d \"$D/" THIRD "\"");
		fixture_umount(&f); /* what both sides are is known from here on */
		fixture_mount(&f);
		STEP(&f, ways[i]);
		fixture_umount(&f);
		for (int j = 0; j < 3; j++) {
			(void)snprintf(snapshot, sizeof(snapshot),
				       "[ -d \"$V/$X\" ]; [ -z \"$(ls \"$V/$X\" | grep json)\" ]\n"
				       "[ -e \"$D/$X/events.json\" ]\n"
				       "find \"$V\" \"$D\" -printf '%%p %%y %%m %%T@ %%s\\n' | "
				       "sort > ../now%d\n"
				       "diff ../now0 ../now%d",
				       j, j);
			STEP(&f, snapshot);
			fixture_mount(&f);
			STEP(&f, "ls -l \"$V\" \"$V/$X\"; [ ! -e \"$V/$X/events.json\" ]");
			if (j < 2)
				fixture_umount(&f);
		}
		STEP(&f, "git checkout -q -- .jp; cmp \"$V/$X/events.json\" \"$D/$X/events.json\"\n"
			 "[ -z \"$(git status --porcelain -uno)\" ]");
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

/*
 * jp has deleted the durable directory and copied it back from a worktree that does not show what others have
 * put into theirs: those files are nowhere but here. When they go with their directory, the store gets them;
 * by themselves they come to the trash.
 */
static void what_only_this_worktree_has_is_kept_when_it_goes(void)
{
	/* While somebody is changing the durable directory, jp for all that is known, nothing new comes into it. */
	static const char *const ways[] = {
		"rm -r \"$WV/$X\"; for text in note deep; do\n"
		"grep -rq $text \"$D/$X\" \"$S/jpfs/trash\" || fail \"$text is lost\"; done",
		"sleep 0.3; rm -r \"$WV/$X\"; is_whole",
		"sleep 0.3; \"$J\" -C \"$W\" unproject $X; is_whole",
		"rm -r \"$WV/$X/NOTE.md\" \"$WV/$X/sub\"; ls \"$WV/$X\" | grep -v json && fail "
		"listed\n"
		"until_ok grep -rq note \"$S/jpfs/trash/17457886043\"\n"
		"until_ok grep -rq deep \"$S/jpfs/trash/17457886043\"\n"
		"[ ! -e \"$D/$X/NOTE.md\" ]; [ ! -e \"$D/$X/sub\" ]",
		"sleep 0.3; mkdir -p \"$WV/.trash\"; mv \"$WV/$X\" \"$WV/.trash/\"; is_whole",
		"sleep 0.3; git worktree remove --force \"$W\"; is_whole",
	};

	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		cleanup_fixture struct fixture f = {0};
		char other[300], script[1024];

		if (!fixture_begin(&f))
			return;
		fixture_mount(&f);
		STEP(&f, "until_ok test -d \"$D/" THIRD "\"; git worktree add -q \"$W\"");
		(void)snprintf(other, sizeof(other), "%.255s/wt", f.base);
		fixture_mount_at(&f, other, "");
		STEP(&f, "echo note > \"$WV/$X/NOTE.md\"; mkdir \"$WV/$X/sub\"\n"
			 "echo deep > \"$WV/$X/sub/file\"; until_ok test -e \"$D/$X/NOTE.md\"\n"
			 "until_ok test -e \"$D/$X/sub/file\"; cp -a \"$WV/$X\" ../copy\n"
			 "rm -r \"$D/$X\"; mkdir \"$D/$X\"; cp \"$V/$X/\"*.json \"$D/$X/\"\n"
			 "[ ! -e \"$D/$X/NOTE.md\" ]; cmp ../copy/NOTE.md \"$WV/$X/NOTE.md\"");
		(void)snprintf(script, sizeof(script),
			       "is_whole() { cmp ../copy/NOTE.md \"$D/$X/NOTE.md\"\n"
			       "cmp ../copy/sub/file \"$D/$X/sub/file\"; }\n%s",
			       ways[i]);
		STEP(&f, script);
		STEP(&f, "for n in metadata base_config events; do\n"
			 "cmp ../copy/$n.json \"$D/$X/$n.json\"; done");
		if (i == COUNT_OF(ways) - 1)
			fixture_wait_end(&f, other);
		else
			fixture_umount_at(&f, other);
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(removing_a_conversation_keeps_its_durable_copy_whole),
		TEST(removing_one_managed_file_hides_it_here),
		TEST(removing_an_unmanaged_file_moves_its_durable_copy_to_the_trash),
		TEST(an_editors_temporary_files_leave_no_trace),
		TEST(removing_a_worktree_keeps_its_conversations),
		TEST(a_conversation_that_only_a_worktree_has_is_kept_when_it_goes),
		TEST(what_was_made_a_moment_ago_is_kept_when_it_goes),
		TEST(what_is_stored_while_it_is_removed_has_what_went_before),
		TEST(what_was_copied_here_and_removed_at_once_is_local),
		TEST(rm_of_the_whole_workspace_ends_the_daemon_and_loses_nothing),
		TEST(rm_of_a_workspace_with_an_empty_view_works),
		TEST(an_emptied_view_is_mounted_again_when_its_directory_stays),
		TEST(switching_to_a_branch_without_conversations_and_back_mounts_again),
		TEST(switching_between_branches_that_share_the_directory_keeps_the_mount),
		TEST(git_clean_takes_conversations_out_of_the_worktree_only),
		TEST(git_stash_of_untracked_files_and_back),
		TEST(a_removal_that_stops_half_way_loses_nothing),
		TEST(a_directory_that_lost_all_of_jps_files_stays_so_across_mounts),
		TEST(what_only_this_worktree_has_is_kept_when_it_goes),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("removal", tests);
}
