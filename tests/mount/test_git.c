/*
 * git, editors and the real conversations on a real mount: what a person does all day. Semantics,
 * sections 4 to 6 and 10; the conversations are those that JPFS_FIXTURES names.
 */
#include "tests/mount/git.h"
#include "tests/mount/terminal.h"

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	fixture_terminal(fixture);
	STEP(fixture, GIT_LIBRARY);
	return true;
}

/* The same, with the real conversations committed in place of the three. */
static bool begin_with_real_ones(struct fixture *fixture)
{
	char path[PATH_MAX];
	const char *real = jp_test_fixtures(path);

	*fixture = (struct fixture){0};
	if (real == NULL || !begin(fixture))
		return false;
	setenv("REAL", real, 1);
	STEP(fixture, "rm -r \"$V\"/*; cp -a \"$REAL\"/. \"$V\"/; chmod -R u+w \"$V\"\n"
		      "git add -A; git commit -qm 'the real ones'; cp -a \"$V\" ../copy");
	return true;
}

static void mount_worktree(struct fixture *fixture)
{
	char worktree[300];

	(void)snprintf(worktree, sizeof(worktree), "%.255s/wt", fixture->base);
	fixture_mount_at(fixture, worktree, "");
}

static void umount_worktree(struct fixture *fixture)
{
	char worktree[300];

	(void)snprintf(worktree, sizeof(worktree), "%.255s/wt", fixture->base);
	fixture_umount_at(fixture, worktree);
}

static void wait_for_the_worktrees_daemon(struct fixture *fixture)
{
	char worktree[300];

	(void)snprintf(worktree, sizeof(worktree), "%.255s/wt", fixture->base);
	fixture_wait_end(fixture, worktree);
}

static void real_conversations_are_read_back_byte_for_byte(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_with_real_ones(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; diff -rq \"$V\" ../copy; [ \"$(ls \"$V\" | wc -l)\" = 10 ]\n"
	     "[ \"$(ls \"$V/.archive\")\" = \"$(ls ../copy/.archive)\" ]; clean\n"
	     "stamps() { (cd \"$1\"; find . -name '*.json' -printf '%p %m %s %T@\\n' | sort); }\n"
	     "stamps \"$V\" > ../there; stamps ../copy | diff ../there -\n"
	     "until_ok diff -rq \"$D\" ../copy");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; diff -rq \"$V\" ../copy; diff -rq \"$D\" ../copy; clean");
	CHECK_INVARIANTS(&f);
}

static void real_conversations_outlive_the_worktree_they_were_edited_in(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_with_real_ones(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "git worktree add -q -b side \"$W\"");
	mount_worktree(&f);
	STEP(&f,
	     ". ../lib.sh; a=17727391057-managing-jp-conversations-in-git-worktrees\n"
	     "b=17738348630-workspace-sanitization-strategy\n"
	     "c=17758406187-missing-date-in-version-string; diff -rq \"$WV\" ../copy\n"
	     "sed -i 's/\"title\": \"/&Sed: /' \"$WV/$a/metadata.json\"\n"
	     "perl -i -pe 's/\"title\": \"/$&Perl: /' \"$WV/$b/metadata.json\"\n"
	     "vim -es -u NONE -c '%s/\"title\": \"/&Vim: /' -c 'wq' \"$WV/$c/metadata.json\"\n"
	     "append \"$WV/$a/events.json\" 'asked in the worktree'\n"
	     "git -C \"$W\" commit -qam edited; clean \"$W\"\n"
	     "append \"$WV/$b/events.json\" 'never committed'\n"
	     "mkdir \"$WV/17800900000-new-here\"\n"
	     "cp \"$WV/$c\"/*.json \"$WV/17800900000-new-here/\"; cp -a \"$WV\" ../edited\n"
	     "git worktree remove --force \"$W\"; [ ! -e \"$W\" ]\n"
	     "for n in $a $b $c 17800900000-new-here; do diff -rq ../edited/$n \"$D/$n\"; done\n"
	     "for n in $a $b $c; do diff -rq ../edited/$n \"$V/$n\"; done");
	wait_for_the_worktrees_daemon(&f);
	STEP(&f, "git worktree add -q \"$W\" side");
	mount_worktree(&f);
	STEP(&f,
	     ". ../lib.sh; mkdir ../local; mv ../edited/17800900000-new-here ../local/\n"
	     "diff -rq \"$WV\" ../edited; [ ! -e \"$WV/17800900000-new-here\" ]\n"
	     "[ \"$(git -C \"$W\" status --porcelain)\" = "
	     "' M .jp/conversations/17738348630-workspace-sanitization-strategy/events.json' ]");
	umount_worktree(&f);
	STEP(&f, "diff -rq \"$WV\" ../edited; diff -rq ../local/* \"$D\"/17800900000-*");
	fixture_umount(&f);
	STEP(&f, "diff -rq \"$V\" ../edited");
	CHECK_INVARIANTS(&f);
}

static void an_older_checkout_of_a_new_worktree_costs_no_turns(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_with_real_ones(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; for e in \"$V\"/*/events.json; do append \"$e\" 'another turn'; done\n"
	     "git commit -qam turns; cp -a \"$V\" ../edited\n"
	     "git worktree add -q -b old \"$W\" HEAD~");
	mount_worktree(&f);
	STEP(&f,
	     "diff -rq \"$WV\" ../edited; diff -rq \"$V\" ../edited; diff -rq \"$D\" ../edited");
	umount_worktree(&f);
	fixture_umount(&f);
	STEP(&f,
	     "diff -rq \"$WV\" ../edited; diff -rq \"$V\" ../edited; diff -rq \"$D\" ../edited");
	CHECK_INVARIANTS(&f);
}

static void vim_saves_in_every_way_it_has_and_leaves_no_trace(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; n=0\n"
		 "for backup in nobackup backup; do for copy in yes no auto; do\n"
		 "  for sync in fsync nofsync; do n=$((n+1))\n"
		 "  vim -es -u NONE --cmd \"set nocp $backup backupcopy=$copy $sync\" \\\n"
		 "    -c \"%s/\\\"title\\\": \\\"[^\\\"]*/\\\"title\\\": \\\"Vim $n/\" -c wq "
		 "\"$V/$X/metadata.json\"\n"
		 "  [ \"$(title \"$V/$X\")\" = \"Vim $n\" ]\n"
		 "  rm -f \"$V/$X/metadata.json~\"\n"
		 "done; done; done; until_ok grep -q 'Vim 12' \"$D/$X/metadata.json\"\n"
		 "[ \"$(ls -A \"$V/$X\" | wc -l)\" = 3 ]; [ \"$(ls -A \"$D/$X\" | wc -l)\" = 3 ]");
	fixture_umount(&f);
	STEP(&f, "[ \"$(title \"$V/$X\")\" = 'Vim 12' ]; [ \"$(ls -A \"$V/$X\" | wc -l)\" = 3 ]");
	CHECK_INVARIANTS(&f);
}

static void vim_in_a_terminal_edits_with_a_swap_file(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"\n"
		 "typed 'First Title' ':%s/First/Typed/\\r:w\\r' written ':!ls -A %:h\\r' .swp "
		 "'\\r:%s/Typed/Typed again/\\r:wq\\r' -- "
		 "vim -u NONE --cmd 'set nocp' \"$V/$X/metadata.json\"\n"
		 "[ \"$(title \"$V/$X\")\" = 'Typed again Title' ]\n"
		 "until_ok grep -q 'Typed again' \"$D/$X/metadata.json\"\n"
		 "[ \"$(ls -A \"$V/$X\" | wc -l)\" = 3 ]; [ \"$(ls -A \"$D/$X\" | wc -l)\" = 3 ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void nano_in_a_terminal_edits_and_makes_its_backup(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	if (fixture_run(&f, "command -v nano") != 0) {
		printf("(no nano here: skipped) ");
		return;
	}
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"\n"
		 "typed 'First Title' ' \\x0f' 'Write' '\\r' Wrote '\\x18' -- "
		 "nano -I \"$V/$X/metadata.json\"\n"
		 "[ \"$(head -c 2 \"$V/$X/metadata.json\")\" = ' {' ]\n"
		 "until_ok cmp \"$V/$X/metadata.json\" \"$D/$X/metadata.json\"\n"
		 "[ \"$(ls -A \"$V/$X\" | wc -l)\" = 3 ]\n"
		 "typed 'First Title' '\\t\\x0f' 'Write' '\\r' Wrote '\\x18' -- "
		 "nano -I -B \"$V/$X/metadata.json\"\n"
		 "[ \"$(head -c 2 \"$V/$X/metadata.json~\")\" = ' {' ]\n"
		 "until_ok cmp \"$V/$X/metadata.json\" \"$D/$X/metadata.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void sed_and_perl_edit_in_place(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD "\"; sed -i s/First/Sed/ \"$V/$X/metadata.json\"\n"
	     "[ \"$(title \"$V/$X\")\" = 'Sed Title' ]\n"
	     "perl -i -pe s/Sed/Perl/ \"$V/$X/metadata.json\"\n"
	     "[ \"$(title \"$V/$X\")\" = 'Perl Title' ]\n"
	     "sed -i s/Title/All/ \"$V\"/*/metadata.json\n"
	     "[ \"$(title \"$V/" SECOND "\")\" = 'Second All' ]\n"
	     "until_ok grep -q 'Perl All' \"$D/$X/metadata.json\"\n"
	     "only_three() { [ \"$(ls -A \"$1\" | wc -l)\" = 3 ]; }; only_three \"$V/$X\"\n"
	     /* One random name in two hundred looks like a word, and is taken for a file. */
	     "until_ok only_three \"$D/$X\"\n"
	     "cp \"$V/$X/metadata.json\" \"$V/$X/seddling\"; until_ok test -e \"$D/$X/seddling\"\n"
	     "mv \"$V/$X/seddling\" \"$V/$X/metadata.json\"; until_ok only_three \"$D/$X\"\n"
	     "[ -z \"$(find \"$S/jpfs/trash\" -name seddling)\" ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void git_adds_commits_and_compares(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; clean; append \"$V/$X/events.json\" 'one more'; git diff --stat | grep "
	     "-q events.json\n"
	     "git diff | grep -q '^+.*one more'; git add -A; git diff --cached | grep -q '^+.*one "
	     "more'\n"
	     "git commit -qm more; clean; git show HEAD:.jp/conversations/$X/events.json | cmp - "
	     "\"$V/$X/events.json\"");
	STEP(&f,
	     ". ../lib.sh; n=17457886400-added; mkdir \"$V/$n\"; cp \"$V/$X\"/*.json \"$V/$n/\"\n"
	     "[ \"$(git status --porcelain -uall | wc -l)\" = 3 ]; git add \"$V/$n\"; git commit "
	     "-qm added; clean\n"
	     "git fsck --no-progress; until_ok test -e \"$D/$n/events.json\"");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; grep -q 'one more' \"$D/$X/events.json\"");
	CHECK_INVARIANTS(&f);
}

static void git_takes_back_what_was_edited(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; cp -a \"$V\" ../copy; "
		 "m=\"$V/$X/metadata.json\"\n"
		 "sed -i s/First/Edited/ \"$m\"; git checkout -q -- \"$m\"; clean; diff -rq \"$V\" "
		 "../copy\n"
		 "sed -i s/First/Edited/ \"$m\"; git stash -q; clean; diff -rq \"$V\" ../copy\n"
		 "git stash pop -q; [ \"$(title \"$V/$X\")\" = 'Edited Title' ]\n"
		 "git diff | grep -q '^+.*Edited'; git reset -q --hard; clean; diff -rq \"$V\" "
		 "../copy\n"
		 "sed -i s/First/Staged/ \"$m\"; git add -A; git reset -q --hard; clean; diff -rq "
		 "\"$V\" ../copy\n"
		 "git restore --source HEAD --staged --worktree \"$V\"; clean\n"
		 "until_ok cmp \"$D/$X/metadata.json\" \"$m\"");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; diff -rq \"$V\" ../copy");
	CHECK_INVARIANTS(&f);
}

static void git_takes_back_turns_here_and_nothing_is_lost(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; cp -a \"$V\" ../copy; "
	     "e=\"$V/$X/events.json\"\n"
	     "for way in 'checkout -q --' 'restore' 'reset -q --hard'; do\n"
	     "  append \"$e\" \"asked before $way\"; until_ok grep -q \"before $way\" "
	     "\"$D/$X/events.json\"\n"
	     "  case $way in reset*) git $way;; *) git $way \"$e\";; esac\n"
	     "  clean; diff -rq \"$V\" ../copy\n"
	     "  grep -rq \"before $way\" \"$D/$X\" \"$S/jpfs/history\" || fail \"lost by $way\"\n"
	     "done");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; diff -rq \"$V\" ../copy\n"
		 "for way in 'checkout -q --' 'restore' 'reset -q --hard'; do\n"
		 "grep -rq \"before $way\" \"$D/$X\" \"$S/jpfs/history\" || fail \"lost by $way\"; "
		 "done");
}

static void git_switches_and_merges_branches_with_other_turns(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; git checkout -q -b side; append \"$V/$X/events.json\" 'asked on side'\n"
	     "git commit -qam side; git checkout -q main; clean\n"
	     "grep -q 'asked on side' \"$V/$X/events.json\" && fail 'main has it'\n"
	     "append \"$V/" SECOND "/events.json\" 'asked on main'; git commit -qam main\n"
	     "git merge -q --no-edit side; clean; grep -q 'asked on side' \"$V/$X/events.json\"\n"
	     "grep -q 'asked on main' \"$V/" SECOND "/events.json\"\n"
	     "until_ok cmp \"$V/$X/events.json\" \"$D/$X/events.json\"\n"
	     "until_ok cmp \"$V/" SECOND "/events.json\" \"$D/" SECOND "/events.json\"\n"
	     "[ \"$(drafts .)\" = 0 ] || fail 'a draft is left'");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean");
	CHECK_INVARIANTS(&f);
}

static void a_merge_conflict_stays_a_draft_until_it_is_resolved(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; e=\"$V/$X/events.json\"; git checkout -q -b side; append \"$e\" theirs\n"
	     "git commit -qam side; git checkout -q main; append \"$e\" ours; git commit -qam "
	     "main");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; e=\"$V/$X/events.json\"; d=\"$D/$X/events.json\"; until_ok grep -q ours "
	     "\"$d\"\n"
	     "git merge -q side && fail 'no conflict'\n"
	     "grep -q '^<<<<<<< ' \"$e\" && grep -q '^>>>>>>> ' \"$e\"; one() { [ \"$(drafts .)\" "
	     "= 1 ]; }; until_ok one\n"
	     "\"$J\" status . | grep -q '^draft: *17457886043$'\n"
	     "grep -q '<<<<' \"$d\" && fail 'it reached the store'; python3 -m json.tool \"$d\" "
	     ">/dev/null\n"
	     "git status --porcelain | grep -q '^UU .*events.json'; cp \"$e\" ../conflict");
	fixture_umount(&f);
	STEP(&f,
	     ". ../lib.sh; cmp \"$V/$X/events.json\" ../conflict; grep -rq '<<<<<<' \"$D\" && fail "
	     "store; :");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; e=\"$V/$X/events.json\"; d=\"$D/$X/events.json\"; cmp \"$e\" "
	     "../conflict\n"
	     "one() { [ \"$(drafts .)\" = 1 ]; }; until_ok one; grep -q '<<<<' \"$d\" && fail 'it "
	     "reached the store'\n"
	     "git show main:.jp/conversations/$X/events.json > ../resolved; append ../resolved "
	     "theirs\n"
	     "sed -i -e '/^<<<<<<< /d' \"$e\"; one() { [ \"$(drafts .)\" = 1 ]; }; until_ok one\n"
	     "cat ../resolved > \"$e\"; git add \"$e\"; git commit -qm merged; clean\n"
	     "until_ok cmp ../resolved \"$d\"; [ \"$(drafts .)\" = 0 ] || fail 'still a draft'");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean; cmp ../resolved \"$V/$X/events.json\"; cmp ../resolved "
		 "\"$D/$X/events.json\"");
	CHECK_INVARIANTS(&f);
}

static void a_merge_that_is_given_up_leaves_no_draft(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; e=\"$V/$X/events.json\"; git checkout -q -b side; append \"$e\" theirs\n"
	     "git commit -qam side; git checkout -q main; append \"$e\" ours; git commit -qam "
	     "main");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; e=\"$V/$X/events.json\"; d=\"$D/$X/events.json\"; until_ok grep -q ours "
	     "\"$d\"\n"
	     "cp \"$d\" ../durable; git merge -q side && fail 'no conflict'; one() { [ \"$(drafts "
	     ".)\" = 1 ]; }\n"
	     "until_ok one; git merge --abort; clean; cmp \"$e\" ../durable; until_ok cmp \"$d\" "
	     "../durable\n"
	     "none() { [ \"$(drafts .)\" = 0 ]; }; until_ok none");
	fixture_umount(&f);
	STEP(&f, "cmp \"$V/$X/events.json\" ../durable; cmp \"$D/$X/events.json\" ../durable");
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(real_conversations_are_read_back_byte_for_byte),
		TEST(real_conversations_outlive_the_worktree_they_were_edited_in),
		TEST(an_older_checkout_of_a_new_worktree_costs_no_turns),
		TEST(vim_saves_in_every_way_it_has_and_leaves_no_trace),
		TEST(vim_in_a_terminal_edits_with_a_swap_file),
		TEST(nano_in_a_terminal_edits_and_makes_its_backup),
		TEST(sed_and_perl_edit_in_place),
		TEST(git_adds_commits_and_compares),
		TEST(git_takes_back_what_was_edited),
		TEST(git_takes_back_turns_here_and_nothing_is_lost),
		TEST(git_switches_and_merges_branches_with_other_turns),
		TEST(a_merge_conflict_stays_a_draft_until_it_is_resolved),
		TEST(a_merge_that_is_given_up_leaves_no_draft),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("git", tests);
}
