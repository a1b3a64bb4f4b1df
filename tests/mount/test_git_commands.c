/*
 * git's other commands on a real mount: what goes back and forth in history (rebase, bisect), what
 * arranges worktrees (move, lock, prune, sparse checkouts, submodules), and its caches of what it
 * has seen. After each git sees no difference where it should see none, and no turn is lost.
 */
#include "tests/mount/fixture.h"
#include "tests/mount/git.h"

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, GIT_LIBRARY);
	fixture_mount(fixture);
	STEP(fixture, "until_ok test -d \"$D/" THIRD "\"");
	return true;
}

static void log_blame_and_diff_tell_who_said_what(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; e=.jp/conversations/$X/events.json\n"
		 "append $e second; git commit -qam second; append $e third; git add $e; append $e "
		 "fourth\n"
		 "[ \"$(git log --format=%s -- $e | tr '\\n' ' ')\" = 'second one ' ]\n"
		 "git log -p -S third -- $e | grep . && fail 'not committed yet'\n"
		 "git blame $e > ../blame\n"
		 "grep -q \"$(git rev-parse --short HEAD).*second\" ../blame && grep -q "
		 "'^0000000.*fourth' ../blame\n"
		 "git diff --cached | grep '^+.*third' && git diff | grep '^+.*fourth' && git diff "
		 "HEAD --stat | grep events\n"
		 "git mv .jp/conversations/$X .jp/conversations/17457886043-renamed; [ -d "
		 "\"$V/17457886043-renamed\" ]\n"
		 "git commit -qam renamed; clean\n"
		 "[ \"$(git log --follow --format=%s -- "
		 ".jp/conversations/17457886043-renamed/events.json | wc -l)\" = 3 ]\n"
		 "until_ok grep -q fourth \"$D/17457886043-renamed/events.json\"\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; [ \"$(ls -d \"$D\"/17457886043-*)\" = "
		 "\"$D/17457886043-renamed\" ]");
	CHECK_INVARIANTS(&f);
}

static void a_rebase_and_its_conflict_lose_no_turn(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; git checkout -q -b side; append \"$V/$X/events.json\" 'side one'; "
		 "git commit -qam one\n"
		 "append \"$V/" SECOND
		 "/events.json\" 'side two'; git commit -qam two; git checkout -q main\n"
		 "append \"$V/" THIRD "/events.json\" 'main one'; git commit -qam three; clean\n"
		 "git checkout -q side; git rebase -q main; clean\n"
		 "grep -q 'side one' \"$V/$X/events.json\"; grep -q 'side two' \"$V/" SECOND
		 "/events.json\"\n"
		 "grep -q 'main one' \"$V/" THIRD
		 "/events.json\"; none() { [ \"$(drafts .)\" = 0 ]; }; until_ok none\n"
		 "for n in $X " SECOND " " THIRD
		 "; do until_ok cmp \"$V/$n/events.json\" \"$D/$n/events.json\"; done\n");
	STEP(&f,
	     ". ../lib.sh; e=\"$V/$X/events.json\"; d=\"$D/$X/events.json\"\n"
	     "git checkout -q main; git merge -q --ff-only side; append \"$e\" 'on main'; git "
	     "commit -qam main; cp \"$e\" ../main\n"
	     "until_ok cmp \"$e\" \"$d\"; git checkout -q side; append \"$e\" 'on side'; git "
	     "commit -qam side; cp \"$e\" ../side\n"
	     "until_ok grep -q 'on side' \"$d\"; git rebase main > ../log 2>&1 && fail 'no "
	     "conflict'\n"
	     "grep -q '^<<<<<<< ' \"$e\" || fail \"$(cat ../log)\"; one() { [ \"$(drafts .)\" = 1 "
	     "]; }; until_ok one\n"
	     "grep -q '<<<<' \"$d\" && fail 'it reached the store'\n"
	     "cp ../main \"$e\"; append \"$e\" 'on side'; cp \"$e\" ../resolved; git add \"$e\"\n"
	     "GIT_EDITOR=true git rebase --continue > ../log 2>&1 || fail \"$(cat ../log)\"; "
	     "clean\n"
	     "none() { [ \"$(drafts .)\" = 0 ]; }; until_ok none; until_ok cmp ../resolved \"$d\"; "
	     "cmp ../resolved \"$e\"\n"
	     "append \"$e\" 'and on'; git commit -qam on; git rebase -q --no-ff HEAD~3 --exec 'git "
	     "status --porcelain' 2> ../log ||\n"
	     "  fail \"$(cat ../log)\"; clean\n"
	     "until_ok none; until_ok cmp \"$e\" \"$d\"\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean");
	CHECK_INVARIANTS(&f);
}

/*
 * git compares what stat says with its index, and some of its commands take a difference for an edit:
 * what it has just written must not look touched when the store and the projection follow.
 */
static void what_was_written_looks_untouched_when_both_sides_have_it(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; e=.jp/conversations/$X/events.json; cp $e ../old; append $e 'one "
	     "more'; cp $e ../more\n"
	     "as_git() { rm $e; (set -C; cat \"$1\" > $e); stat -c '%i %Y %Z %y %z %s %a' $e > "
	     "../written; }\n"
	     "same() { stat -c '%i %Y %Z %y %z %s %a' $e | diff ../written - || fail \"$1\"; }\n"
	     "# The kernel may forget it at any moment, and then asks again.\n"
	     "untouched() { same \"$1\"; { echo 2 > /proc/sys/vm/drop_caches; } 2>/dev/null || :\n"
	     "  same \"$1, forgotten\"; }\n"
	     "kept=$D/$X/events.json\n"
	     "none() { [ \"$(drafts .)\" = 0 ]; }\n"
	     "until_ok cmp ../more \"$kept\"\n"
	     "# What goes on from there, and what is durable; then what merely goes back, and "
	     "is a draft.\n"
	     "append ../more 'and another'; as_git ../more; until_ok cmp ../more \"$kept\"; "
	     "untouched committed\n"
	     "python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' \"$V\"; "
	     "untouched projected\n"
	     "as_git ../old; one() { [ \"$(drafts .)\" = 1 ]; }; until_ok one; untouched 'a "
	     "draft'\n"
	     "python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' \"$V\"; "
	     "untouched 'a projected draft'\n"
	     "chmod 600 $e; [ \"$(stat -c %a $e)\" = 600 ]; stat -c %z $e | grep -qF \"$(cut "
	     "-d' ' -f8 ../written)\" && fail 'chmod'\n"
	     "chmod 644 $e; as_git ../more; until_ok none; untouched 'no draft'; cmp ../more "
	     "\"$kept\"\n"
	     "as_git ../more; untouched 'made anew'\n");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_long_rebase_never_takes_its_own_writes_for_edits(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; e=.jp/conversations/$X/events.json; git checkout -q -b side\n"
	     "for i in 1 2 3 4; do append $e \"turn $i\"; git commit -qam $i; done; cp $e ../all\n"
	     "git checkout -q main; sed -i 's/19:31:45.0/19:31:45.1/' $e; git commit -qam main; "
	     "git checkout -q side\n"
	     "none() { [ \"$(drafts .)\" = 0 ]; }; until_ok not none\n"
	     "# Both sides follow while the hook sleeps, and git goes on with what it knows of the "
	     "file.\n"
	     "printf '#!/bin/sh\\nsleep 0.6\\n' > .git/hooks/post-checkout; chmod +x "
	     ".git/hooks/post-checkout\n"
	     "git rebase -q main > ../log 2>&1 || fail \"$(cat ../log)\"\n"
	     "sed -i 's/19:31:45.0/19:31:45.1/' ../all; clean; cmp ../all $e\n"
	     "until_ok none; until_ok cmp ../all \"$D/$X/events.json\"\n");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/*
 * The whole tree goes, the mount with it, and comes back while git goes on writing; the more often the
 * slower the machine.
 */
static void a_rebase_from_the_root_loses_no_turn(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; e=.jp/conversations/$X/events.json\n"
	     "for i in 1 2 3 4 5 6; do append $e \"turn $i\"; git commit -qam $i; done; cp $e "
	     "../all\n"
	     "until_ok cmp $e \"$D/$X/events.json\"\n"
	     "for sleep in 0 0.2 0.4 0.5; do\n"
	     "  printf '#!/bin/sh\\nsleep %s\\n' $sleep > .git/hooks/post-checkout\n"
	     "  cp .git/hooks/post-checkout .git/hooks/post-commit; chmod +x .git/hooks/post-c*\n"
	     "  git rebase --root --no-ff -q > ../log 2>&1 || fail \"$sleep: $(cat ../log; git "
	     "status)\"\n"
	     "  clean; cmp ../all $e; until_ok is_mounted \"$V\"; clean; cmp ../all $e\n"
	     "  none() { [ \"$(drafts .)\" = 0 ]; }; until_ok none; until_ok cmp ../all "
	     "\"$D/$X/events.json\"\n"
	     "done\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; cmp ../all .jp/conversations/$X/events.json");
	CHECK_INVARIANTS(&f);
}

/* A rebase from the root takes the directory away and makes it again with each commit; here it is away
 * in half of all moments, mounting again among them. */
static void a_directory_that_comes_and_goes_is_mounted_in_the_end(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; cp -a \"$V\" ../copy; rm -r \"$V\"; cat > ../flip.py <<'END'\n"
		 "import os, sys, time\n"
		 "end = time.monotonic() + 3\n"
		 "while time.monotonic() < end:\n"
		 "    try:\n"
		 "        os.mkdir(sys.argv[1])\n"
		 "    except FileExistsError:\n"
		 "        os.listdir(sys.argv[1])  # an empty mount goes when it is looked into\n"
		 "    try:\n"
		 "        os.rmdir(sys.argv[1])\n"
		 "    except OSError:\n"
		 "        pass  # mounted\n"
		 "END\n"
		 "python3 ../flip.py \"$V\"; [ -d \"$V\" ] || mkdir \"$V\"; ls \"$V\"\n"
		 "for n in ../copy/*; do until_ok cp -a \"$n\" \"$V/\"; done; until_ok is_mounted "
		 "\"$V\"\n"
		 "until_ok diff -r ../copy \"$V\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_bisection_takes_no_turn_from_the_store(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; e=.jp/conversations/$X/events.json; d=\"$D/$X/events.json\"\n"
		 "for i in 1 2 3 4 5 6 7; do append $e \"turn $i\"; git commit -qam $i; done; "
		 "until_ok cmp $e \"$d\"; cp $e ../all\n"
		 "git bisect start HEAD HEAD~7 > ../log\n"
		 "git bisect run sh -c \"cmp -s ../all '$d' || exit 255; ! grep -q 'turn 5' $e\" "
		 ">> ../log 2>&1 ||\n"
		 "  fail \"$(cat ../log)\"\n"
		 "grep -q \"^$(git log --format=%H --grep='^5$' main) is the first bad commit\" "
		 "../log || fail \"$(cat ../log)\"\n"
		 "git bisect reset > ../log 2>&1; clean; cmp ../all $e; cmp ../all \"$d\"\n"
		 "none() { [ \"$(drafts .)\" = 0 ]; }; until_ok none\n"
		 "[ -z \"$(find \"$S/jpfs/history\" -type f)\" ] || fail 'something was cut'\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; cmp ../all \"$D/$X/events.json\"");
	CHECK_INVARIANTS(&f);
}

static void clean_with_all_its_options_takes_what_git_does_not_know_and_the_store_keeps_it(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; n=17457886400-untracked; cp -r \"$V/$X\" \"$V/$n\"; echo note > "
		 "\"$V/$n/note.txt\"\n"
		 "echo '*.log' > .gitignore; git add .gitignore; git commit -qm ignore; echo x > "
		 "\"$V/$X/run.log\"\n"
		 "mkdir \"$V/scratch\"; echo x > \"$V/scratch/file\"; until_ok test -e "
		 "\"$D/$n/note.txt\"\n"
		 "\"$J\" unproject " SECOND " > ../log; git rm -q -r --cached \"$V/" SECOND
		 "\"; git commit -qm local\n"
		 "[ \"$(git clean -ndx | wc -l)\" = 3 ]; git clean -qfdx; clean\n"
		 "[ ! -e \"$V/$n\" ] && [ ! -e \"$V/scratch\" ] && [ ! -e \"$V/$X/run.log\" ]\n"
		 "[ \"$(ls \"$D/$n\" | wc -l)\" = 4 ]; [ -d \"$V/.jpfs/local/$n\" ] && [ -d "
		 "\"$V/.jpfs/local/" SECOND "\" ]\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; ls \"$D\" | grep -c . | grep -qx 4");
	CHECK_INVARIANTS(&f);
}

static void worktrees_are_locked_moved_removed_and_pruned(void)
{
	cleanup_fixture struct fixture f = {0};
	char moved[300];

	if (!begin(&f))
		return;
	(void)snprintf(moved, sizeof(moved), "%.250s/moved", f.base);
	STEP(&f, "git worktree add -q --lock \"$W\"; git worktree move \"$W\" ../moved 2>/dev/null "
		 "&& fail 'locked'\n"
		 "git worktree unlock \"$W\"; git worktree move \"$W\" ../moved");
	fixture_mount_at(&f, moved, "");
	STEP(&f,
	     ". ../lib.sh; M=$(cd ../moved && pwd -P); MV=$M/.jp/conversations; git worktree lock "
	     "--reason why \"$M\"\n"
	     "git worktree remove --force \"$M\" 2>/dev/null && fail 'locked'; is_mounted \"$MV\"\n"
	     "append \"$MV/$X/events.json\" 'in the worktree'; git worktree unlock \"$M\"\n"
	     "git worktree remove \"$M\" 2>/dev/null && fail 'it has changes'; is_mounted \"$MV\"\n"
	     "git -C \"$M\" commit -qam moved; clean \"$M\"; mv \"$M\" ../elsewhere\n"
	     "[ \"$(git worktree list --porcelain | grep -c prunable)\" = 1 ]; git worktree repair "
	     "../elsewhere > ../log 2>&1\n"
	     "M=$(cd ../elsewhere && pwd -P); MV=$M/.jp/conversations; is_mounted \"$MV\"; clean "
	     "\"$M\"\n"
	     "append \"$MV/$X/events.json\" 'moved by hand'; until_ok grep -q 'moved by hand' "
	     "\"$D/$X/events.json\"\n"
	     "rm -rf \"$M\"; [ ! -e \"$M\" ]; git worktree prune; [ \"$(git worktree list | wc "
	     "-l)\" = 1 ]\n"
	     "grep -q 'moved by hand' \"$V/$X/events.json\"\n");
	fixture_wait_end(&f, moved);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_sparse_checkout_leaves_conversations_in_the_store(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; append \"$V/$X/events.json\" kept; git commit -qam kept; until_ok "
		 "grep -q kept \"$D/$X/events.json\"\n"
		 "git sparse-checkout set --no-cone '/*' '!/.jp/conversations/" FIRST
		 "/'; clean; [ ! -e \"$V/$X\" ]\n"
		 "grep -q kept \"$D/$X/events.json\"; [ \"$(ls \"$V\" | wc -l)\" = 2 ]; [ -d "
		 "\"$V/.jpfs/local/$X\" ]\n"
		 "# In a cone without any conversation the mount goes, and comes back.\n"
		 "git sparse-checkout set --cone share 2> ../log; clean; [ -z \"$(ls -A "
		 ".jp/conversations 2>/dev/null)\" ]\n"
		 "git sparse-checkout disable; clean; grep -q kept \"$V/$X/events.json\"\n"
		 "[ \"$(ls \"$V\" | wc -l)\" = 3 ]; back() { \"$J\" status . | grep -q \"^mount\"; "
		 "}; until_ok back\n"
		 "until_ok is_mounted \"$V\"; clean; grep -q kept \"$V/$X/events.json\"; none() { "
		 "[ \"$(drafts .)\" = 0 ]; }\n"
		 "until_ok none\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; grep -q kept \"$D/$X/events.json\"");
	CHECK_INVARIANTS(&f);
}

static void a_project_may_be_a_submodule(void)
{
	cleanup_fixture struct fixture f = {0};
	char module[300];

	if (!fixture_begin(&f))
		return;
	(void)snprintf(module, sizeof(module), "%.250s/super/module", f.base);
	STEP(&f, GIT_LIBRARY);
	STEP(&f, "git init -q -b main ../super; cd ../super; git -c protocol.file.allow=always "
		 "submodule --quiet add ../project module\n"
		 "git commit -qm module\n");
	fixture_mount_at(&f, module, "");
	STEP(&f,
	     ". ../lib.sh; M=$P/../super/module; MV=$M/.jp/conversations; "
	     "D=$P/../data/workspace/module-abc12/conversations\n"
	     "until_ok test -d \"$D/" THIRD
	     "\"; cd ../super; clean .; append \"$MV/$X/events.json\" 'in the module'\n"
	     "[ \"$(git status --porcelain)\" = ' M module' ]; git -C module commit -qam said; "
	     "clean module\n"
	     "git commit -qam 'a newer module'; clean .; until_ok grep -q 'in the module' "
	     "\"$D/$X/events.json\"\n"
	     "# Back to the module's older commit: a draft, and nothing is lost.\n"
	     "git checkout -q HEAD~; git submodule --quiet update; clean .; clean module\n"
	     "grep -q 'in the module' \"$MV/$X/events.json\" && fail 'it is not the older one'\n"
	     "grep -q 'in the module' \"$D/$X/events.json\"; none() { [ \"$(drafts \"$M\")\" = 0 "
	     "]; }; until_ok not none\n"
	     "git checkout -q main; git submodule --quiet update; clean .; grep -q 'in the module' "
	     "\"$MV/$X/events.json\"\n"
	     "until_ok none\n"
	     "git -C \"$MV/$X\" rev-parse 2>/dev/null && fail 'it has a repository'\n"
	     "[ \"$(GIT_DISCOVERY_ACROSS_FILESYSTEM=1 git -C \"$MV/$X\" rev-parse "
	     "--show-toplevel)\" = \"$(cd \"$M\" && pwd -P)\" ]\n"
	     "git submodule --quiet deinit --force module; [ -z \"$(ls -A module)\" ]\n"
	     "grep -q 'in the module' \"$D/$X/events.json\"\n");
	fixture_wait_end(&f, module);
}

static void an_untracked_cache_and_a_monitor_hide_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; git config core.untrackedCache true; git update-index "
	     "--untracked-cache\n"
	     "# A monitor that tells everything; the one in git runs for no filesystem like this.\n"
	     "printf '#!/bin/sh\\nprintf \"%%s\\\\0/\\\\0\" now\\n' > ../monitor; chmod +x "
	     "../monitor\n"
	     "sees() { git status --porcelain -uall > ../seen; [ \"$(cat ../seen)\" = \"$1\" ] || "
	     "fail \"$2: $(cat ../seen)\"; }\n"
	     "p=.jp/conversations\n"
	     "for monitor in false true \"$P/../monitor\"; do git config core.fsmonitor "
	     "\"$monitor\"\n"
	     "  for i in 1 2; do sees '' \"nothing, $monitor\"; done\n"
	     "  echo x > $p/$X/note; sees \"?? $p/$X/note\" made; rm $p/$X/note; sees '' unmade\n"
	     "  mkdir $p/dir; echo x > $p/dir/file; sees \"?? $p/dir/file\" 'a directory'; echo y "
	     "> $p/dir/other\n"
	     "  sees \"?? $p/dir/file\n"
	     "?? $p/dir/other\" 'in it'; rm -r $p/dir; sees '' 'no directory'\n"
	     "  cp -r $p/$X $p/17457886400-new; [ \"$(git status --porcelain -uall | wc -l)\" = 3 "
	     "] || fail 'new'\n"
	     "  until_ok test -e \"$D/17457886400-new/events.json\"\n"
	     "  rm -r $p/17457886400-new; sees '' 'gone'\n"
	     "  append $p/$X/events.json \"with $monitor\"; sees \" M $p/$X/events.json\" edited; "
	     "git commit -qam edited; sees '' in\n"
	     "  mv \"$V/.jpfs/local/17457886400-new\" $p/; [ \"$(git status --porcelain -uall | wc "
	     "-l)\" = 3 ] || fail 'moved in'\n"
	     "  mv $p/17457886400-new \"$V/.jpfs/local/\"; sees '' 'moved out'; \"$J\" rm -f "
	     "17457886400 > ../log\n"
	     "done\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; git config core.fsmonitor false; clean; git config "
		 "core.untrackedCache false; clean");
	CHECK_INVARIANTS(&f);
}

static void mounting_makes_git_read_no_file_again(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	/* What the index's stat data do not fit is what git would read and hash again. */
	STEP(&f, GIT_LIBRARY);
	STEP(&f, "cat >> ../lib.sh <<'END'\n"
		 "stale() { git diff-files --name-only > ../stale; [ \"$(wc -l < ../stale)\" -le "
		 "\"$1\" ] || fail \"$2: $(cat ../stale)\"; }\n"
		 "END\n"
		 ". ../lib.sh; clean; stale 0 'at first'\n");
	for (int i = 0; i < 2; i++) {
		fixture_mount(&f);
		STEP(&f, ". ../lib.sh; until_ok test -d \"$D/" THIRD
			 "\"; stale 0 mounted; clean; stale 0 'after a status'");
		fixture_umount(&f);
		STEP(&f, ". ../lib.sh; stale 0 umounted; clean");
	}
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; append \"$V/$X/events.json\" 'one more'; git commit -qam more\n"
		 "until_ok cmp \"$V/$X/events.json\" \"$D/$X/events.json\"; stale 1 'the one that "
		 "was written'; clean\n"
		 "stale 0 'read once'\n");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; stale 1 'umounted after a write'; clean; stale 0 'read once'");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; stale 0 'mounted again'; clean");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; stale 0 'umounted again'; clean");
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(log_blame_and_diff_tell_who_said_what),
		TEST(a_rebase_and_its_conflict_lose_no_turn),
		TEST(what_was_written_looks_untouched_when_both_sides_have_it),
		TEST(a_long_rebase_never_takes_its_own_writes_for_edits),
		TEST(a_rebase_from_the_root_loses_no_turn),
		TEST(a_directory_that_comes_and_goes_is_mounted_in_the_end),
		TEST(a_bisection_takes_no_turn_from_the_store),
		TEST(clean_with_all_its_options_takes_what_git_does_not_know_and_the_store_keeps_it),
		TEST(worktrees_are_locked_moved_removed_and_pruned),
		TEST(a_sparse_checkout_leaves_conversations_in_the_store),
		TEST(a_project_may_be_a_submodule),
		TEST(an_untracked_cache_and_a_monitor_hide_nothing),
		TEST(mounting_makes_git_read_no_file_again),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("git commands", tests);
}
