/*
 * Several worktrees and the store itself, all changing the same conversations. Semantics, sections
 * 3 to 5 and 9.
 */
#include "tests/mount/two_worktrees.h"

/* The project and one more worktree of it, both mounted, all three conversations in the store. */
static bool begin(struct two *two)
{
	if (!two_begin(two, ""))
		return false;
	fixture_mount(&two->f);
	STEP(&two->f, "for n in $X " SECOND " " THIRD "; do until_ok test -d \"$D/$n\"; done");
	two_mount_other(two);
	return true;
}

static void each_sees_what_the_other_writes(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; for i in 1 2 3 4 5 6 7 8 9 10; do\n"
		   "  retitle \"$V/$X\" \"here $i\"; until_ok titled \"$WV/$X\" \"here $i\"\n"
		   "  retitle \"$WV/$X\" \"there $i\"; until_ok titled \"$V/$X\" \"there $i\"\n"
		   "done\n"
		   "append 'asked here' \"$V/$X/events.json\"; until_ok grep -q 'asked here' "
		   "\"$WV/$X/events.json\"\n"
		   "append 'asked there' \"$WV/$X/events.json\"\n"
		   "until_ok same \"$V/$X/events.json\" \"$WV/$X/events.json\"\n"
		   "grep -q 'asked here' \"$V/$X/events.json\"; grep -q 'asked there' "
		   "\"$V/$X/events.json\"");
	two_end_both(&t);
	STEP(&t.f, "diff -r \"$V\" \"$WV\"; diff -r \"$V\" \"$D\"");
}

static void a_listing_and_its_times_follow_the_other_worktree(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	/* What was looked at a moment ago may be in a cache. */
	STEP(&t.f,
	     ". ../lib.sh; ls -l \"$WV/$X\" > /dev/null; cat \"$WV/$X\"/* > /dev/null\n"
	     "append 'a longer one' \"$V/$X/events.json\"\n"
	     "stats() { stat -c '%s %.Y' \"$1/$X/events.json\"; }\n"
	     "equal() { [ \"$(stats \"$V\")\" = \"$(stats \"$WV\")\" ]; }; until_ok equal\n"
	     "until_ok same \"$V/$X/events.json\" \"$WV/$X/events.json\"\n"
	     "touch -d '2011-02-03 04:05:06' \"$V/$X/metadata.json\"\n"
	     "old() { [ \"$(stat -c %Y \"$1\")\" = \"$(date -d '2011-02-03 04:05:06' +%s)\" ]; }\n"
	     "until_ok old \"$WV/$X/metadata.json\"; until_ok old \"$D/$X/metadata.json\"\n"
	     "chmod 600 \"$WV/$X/events.json\"\n"
	     "is600() { [ \"$(stat -c %a \"$1\")\" = 600 ]; }; until_ok is600 "
	     "\"$V/$X/events.json\"");
	two_end_both(&t);
}

static void a_conversation_made_in_one_is_not_in_the_other(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, "n=17457886500-made-there; cp -r \"$WV/$X\" \"$WV/$n\"; until_ok test -e "
		   "\"$D/$n/events.json\"\n"
		   "ls \"$V\" | grep 17457886500 && fail listed; [ ! -e \"$V/$n\" ]\n"
		   "cp -r \"$D/$n\" \"$V/$n\"; [ -e \"$V/$n/events.json\" ]; diff -r \"$V/$n\" "
		   "\"$WV/$n\"");
	two_end_both(&t);
	STEP(&t.f, "diff -r \"$V/17457886500-made-there\" \"$WV/17457886500-made-there\"");
}

static void a_removal_in_one_leaves_the_other(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; cp -a \"$D/$X\" ../copy; rm -r \"$V/$X\"; diff -r ../copy \"$WV/$X\"\n"
	     "rm \"$V/" SECOND "/events.json\"; cmp \"$WV/" SECOND "/events.json\" \"$D/" SECOND
	     "/events.json\"\n"
	     "retitle \"$WV/$X\" Alone; until_ok titled \"$D/$X\" Alone; [ ! -e \"$V/$X\" ]\n"
	     "cp \"$WV/" SECOND "/events.json\" \"$V/" SECOND "/events.json\"");
	two_end_both(&t);
	STEP(&t.f,
	     ". ../lib.sh; [ ! -e \"$V/$X\" ]; titled \"$WV/$X\" Alone; titled \"$D/$X\" Alone");
}

static void a_title_is_each_worktrees_own_and_its_content_is_shared(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; n=17457886043-renamed; mv \"$V/$X\" \"$V/$n\"; [ ! -e \"$V/$X\" ]\n"
	     "until_ok test -d \"$D/$n\"; [ ! -e \"$D/$X\" ]\n"
	     "[ -d \"$WV/$X\" ] || fail 'git there would see files lost'; [ ! -e \"$WV/$n\" ]\n"
	     "[ \"$(ls \"$WV\" | grep -c 17457886043)\" = 1 ]\n"
	     "[ -z \"$(git -C \"$W\" status --porcelain)\" ]\n"
	     "retitle \"$WV/$X\" 'By the old name'; until_ok titled \"$V/$n\" 'By the old name'\n"
	     "retitle \"$V/$n\" 'By the new name'; until_ok titled \"$WV/$X\" 'By the new name'\n"
	     "[ \"$(ls \"$D\" | grep -c 17457886043)\" = 1 ]");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; titled \"$V/17457886043-renamed\" 'By the new name'\n"
		   "titled \"$WV/$X\" 'By the new name'; [ ! -e \"$WV/17457886043-renamed\" ]\n"
		   "[ ! -e \"$V/$X\" ]; titled \"$D/17457886043-renamed\" 'By the new name'");
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void archived_in_one_it_stays_live_in_the_other(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; mkdir -p \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/$X\"\n"
	     "until_ok test -d \"$D/.archive/$X\"; [ -d \"$WV/$X\" ]\n"
	     "[ -z \"$(git -C \"$W\" status --porcelain)\" ]\n"
	     "retitle \"$WV/$X\" 'Still live'; until_ok titled \"$V/.archive/$X\" 'Still live'\n"
	     "mv \"$V/.archive/$X\" \"$V/$X\"; [ -d \"$D/$X\" ]; titled \"$V/$X\" 'Still live'");
	two_end_both(&t);
}

static void direct_changes_in_the_store_are_seen_everywhere(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; for k in 1 2 3 4 5; do\n"
	     "  sed \"s/\\\"title\\\": \\\".*\\\"/\\\"title\\\": \\\"direct $k\\\"/\" "
	     "\"$D/$X/metadata.json\" > \"$D/$X/metadata.json.tmp\"\n"
	     "  mv \"$D/$X/metadata.json.tmp\" \"$D/$X/metadata.json\"\n"
	     "  until_ok titled \"$V/$X\" \"direct $k\"; until_ok titled \"$WV/$X\" \"direct $k\"\n"
	     "done\n"
	     "append 'in the store' \"$D/$X/events.json\"\n"
	     "until_ok grep -q 'in the store' \"$V/$X/events.json\"\n"
	     "until_ok grep -q 'in the store' \"$WV/$X/events.json\"\n"
	     "mv \"$D/$X\" \"$D/17457886043-elsewhere\"; titled \"$V/$X\" 'direct 5'\n"
	     "titled \"$WV/$X\" 'direct 5'; [ -z \"$(git -C \"$W\" status --porcelain | grep "
	     "-v '^ M')\" ]");
	two_end_both(&t);
	STEP(&t.f, ". ../lib.sh; for v in \"$V\" \"$WV\"; do titled \"$v/$X\" 'direct 5'\n"
		   "grep -q 'in the store' \"$v/$X/events.json\"; done");
}

static void a_reader_of_the_mount_never_meets_half_a_direct_change(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	/* As jp does, and with another worktree's writes in between. */
	STEP(&t.f, "python3 - \"$D/$X\" \"$V/$X\" \"$WV/$X\" <<'E'\n"
		   "import json, os, sys, time\n"
		   "store, here, there = (d + '/events.json' for d in sys.argv[1:])\n"
		   "def version(n):\n"
		   "    return json.dumps([{'timestamp': '2026-03-05 19:40:00.0', 'type': 'note',\n"
		   "                        'text': 'x' * (n % 7) * 1000} for i in range(n)])\n"
		   "pid = os.fork()\n"
		   "if pid == 0:\n"
		   "    for n in range(1, 200):\n"
		   "        with open(store + '.tmp', 'w') as f:\n"
		   "            f.write(version(n))\n"
		   "        os.rename(store + '.tmp', store)\n"
		   "    os._exit(0)\n"
		   "while os.waitpid(pid, os.WNOHANG)[0] == 0:\n"
		   "    for f in here, there:\n"
		   "        json.load(open(f))\n"
		   "end = time.time() + 60\n"
		   "for f in here, there:\n"
		   "    while open(f).read() != version(199):\n"
		   "        assert time.time() < end, f\n"
		   "E");
	two_end_both(&t);
}

static void a_reader_holds_the_version_that_it_opened(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; cp \"$V/$X/metadata.json\" ../old; exec 3< \"$V/$X/metadata.json\"\n"
	     "exec 4< \"$V/$X/metadata.json\"; head -c 10 <&4 > ../part\n"
	     "exec 5< \"$V/" SECOND "/events.json\"; cp \"$V/" SECOND "/events.json\" ../events\n"
	     "sed 's/First/Replaced in the store/' ../old > \"$D/$X/metadata.json.tmp\"\n"
	     "mv \"$D/$X/metadata.json.tmp\" \"$D/$X/metadata.json\"\n"
	     "until_ok titled \"$V/$X\" 'Replaced in the store Title'; cat <&3 | cmp - ../old\n"
	     "rm -r \"$D/" SECOND "\"; cat <&5 | cmp - ../events; exec 5<&-; cp -r \"$WV/" SECOND
	     "\" \"$D/" SECOND "\"\n"
	     "exec 3< \"$V/$X/metadata.json\"; cp \"$V/$X/metadata.json\" ../new\n"
	     "sed 's/Replaced/Replaced again/' ../new > \"$WV/$X/m\"; mv \"$WV/$X/m\" "
	     "\"$WV/$X/metadata.json\"\n"
	     "until_ok titled \"$V/$X\" 'Replaced again in the store Title'; cat <&3 | cmp - "
	     "../new");
	two_end_both(&t);
}

static void both_write_at_once_and_each_version_stays_whole(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     "write_many() { python3 - \"$1\" \"$2\" <<'E'\n"
	     "import json, os, sys\n"
	     "directory, who = sys.argv[1:]\n"
	     "for n in range(60):\n"
	     "    text = json.dumps({'title': '%s %d' % (who, n), 'last_activated_at':\n"
	     "        '2026-03-05 19:31:45.0', 'fill': who * (n * 50)}, indent=2)\n"
	     "    if n % 2:\n"
	     "        open(directory + '/metadata.json', 'w').write(text)\n"
	     "    else:\n"
	     "        open(directory + '/.beside-' + who, 'w').write(text)\n"
	     "        os.rename(directory + '/.beside-' + who, directory + '/metadata.json')\n"
	     "E\n"
	     "}\n"
	     "write_many \"$V/$X\" here & write_many \"$WV/$X\" there & direct=$!\n"
	     "while kill -0 $direct 2>/dev/null; do python3 -m json.tool \"$D/$X/metadata.json\" > "
	     "/dev/null || fail torn; done; wait\n"
	     "settled() { cmp -s \"$V/$X/metadata.json\" \"$WV/$X/metadata.json\" &&\n"
	     "  cmp -s \"$V/$X/metadata.json\" \"$D/$X/metadata.json\"; }; until_ok settled\n"
	     "grep -q ' 59\"' \"$D/$X/metadata.json\"\n"
	     "three() { [ \"$(ls -A \"$D/$X\" | wc -l)\" = 3 ]; }; until_ok three");
	two_end_both(&t);
}

static void a_draft_is_seen_in_its_own_worktree_only(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; cp \"$D/$X/events.json\" ../e; echo '<<<<<<< HEAD' > "
		   "\"$WV/$X/events.json\"\n"
		   "grep -q '<<<' \"$WV/$X/events.json\"; cmp \"$V/$X/events.json\" ../e\n"
		   "retitle \"$V/$X\" 'Meanwhile'; until_ok titled \"$WV/$X\" Meanwhile\n"
		   "grep -q '<<<' \"$WV/$X/events.json\"; cmp \"$D/$X/events.json\" ../e\n"
		   "cat ../e > \"$WV/$X/events.json\"; until_ok same \"$WV/$X/events.json\" ../e");
	two_end_both(&t);
}

static void a_new_worktree_shows_what_a_removed_one_left(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	for (int i = 0; i < 3; i++) {
		STEP(&t.f, ". ../lib.sh; append 'left behind' \"$WV/$X/events.json\"\n"
			   "cp \"$WV/$X/events.json\" ../left; git worktree remove --force \"$W\"\n"
			   "[ ! -e \"$W\" ]");
		fixture_wait_end(&t.f, t.other);
		STEP(&t.f, "cmp ../left \"$D/$X/events.json\"; cmp ../left \"$V/$X/events.json\"\n"
			   "git worktree add -q \"$W\" side");
		fixture_mount_at(&t.f, t.other, "");
		STEP(&t.f, "cmp ../left \"$WV/$X/events.json\"; cmp ../left \"$D/$X/events.json\"");
	}
	two_end_both(&t);
}

static void a_moved_worktree_takes_its_mount_along(void)
{
	cleanup_two struct two t = {0};
	char moved[300];

	if (!begin(&t))
		return;
	(void)snprintf(moved, sizeof(moved), "%.255s/moved", t.f.base);
	STEP(&t.f,
	     ". ../lib.sh; git worktree move \"$W\" ../moved; M=$P/../moved/.jp/conversations\n"
	     "retitle \"$M/$X\" 'After the move'; until_ok titled \"$V/$X\" 'After the move'\n"
	     "until_ok titled \"$D/$X\" 'After the move'\n"
	     "\"$J\" status ../moved | grep -q '^workspace: .*/moved$'\n"
	     "\"$J\" umount -C ../moved; titled \"$M/$X\" 'After the move'");
	fixture_wait_end(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, moved, __FILE__, __LINE__);
}

static void a_silo_that_is_folded_away_is_found_again(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	/* jp folds sibling silos: it renames what there is into another, and removes this one. */
	STEP(&t.f,
	     ". ../lib.sh; N=$P/../data/workspace/folded-abc12; mkdir -p \"$N/conversations\"\n"
	     "cp -a \"$D\" ../copy; for n in \"$D\"/*; do mv \"$n\" \"$N/conversations/\"; done\n"
	     "mv \"$S/jpfs\" \"$N/\"; rmdir \"$D\"; rm -rf \"$S\"; titled \"$V/$X\" 'First Title'\n"
	     "diff -r ../copy \"$V\"; retitle \"$V/$X\" 'In the new silo'\n"
	     "until_ok titled \"$N/conversations/$X\" 'In the new silo'\n"
	     "until_ok titled \"$WV/$X\" 'In the new silo'; [ ! -e \"$S\" ]");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	STEP(&t.f,
	     "[ ! -e \"$S\" ]; diff -r \"$V\" \"$P/../data/workspace/folded-abc12/conversations\"");
}

static void a_silo_that_another_mount_folds_is_found_again(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	fixture_umount_at(&t.f, t.other);
	/* From before silos were shared: the other worktree has one of its own, where a conversation
	 * has an older version, and another one is only there. */
	STEP(&t.f, ". ../lib.sh; N=$P/../data/workspace/wt-abc12; mkdir -p \"$N/conversations\"\n"
		   "cp -a \"$D/$X\" \"$N/conversations/\"\n"
		   "cp -a \"$D/$X\" \"$N/conversations/17457886500-only-there\"\n"
		   "ln -s \"$W/.jp\" \"$N/storage\"\n"
		   "append 'asked before' \"$V/$X/events.json\"\n"
		   "until_ok grep -q 'asked before' \"$D/$X/events.json\"");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f,
	     ". ../lib.sh; N=$P/../data/workspace/wt-abc12; [ ! -e \"$S\" ]\n"
	     "[ \"$(ls \"$N/..\")\" = wt-abc12 ]; [ -e \"$N/conversations/17457886500-only-there\" "
	     "]\n"
	     "grep -q 'asked before' \"$N/conversations/$X/events.json\"\n"
	     "retitle \"$V/$X\" 'In the new silo'; append 'asked after' \"$V/$X/events.json\"\n"
	     "until_ok titled \"$N/conversations/$X\" 'In the new silo'\n"
	     "until_ok grep -q 'asked after' \"$N/conversations/$X/events.json\"\n"
	     "until_ok titled \"$WV/$X\" 'In the new silo'; [ ! -e \"$S\" ]");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	STEP(&t.f, "N=$P/../data/workspace/wt-abc12; [ ! -e \"$S\" ]\n"
		   "diff -r \"$V/$X\" \"$N/conversations/$X\"\n"
		   "[ -z \"$(ls \"$N/jpfs/staging\")\" ]; [ ! -e "
		   "\"$N/jpfs/folding\" ]");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(each_sees_what_the_other_writes),
		TEST(a_listing_and_its_times_follow_the_other_worktree),
		TEST(a_conversation_made_in_one_is_not_in_the_other),
		TEST(a_removal_in_one_leaves_the_other),
		TEST(a_title_is_each_worktrees_own_and_its_content_is_shared),
		TEST(archived_in_one_it_stays_live_in_the_other),
		TEST(direct_changes_in_the_store_are_seen_everywhere),
		TEST(a_reader_of_the_mount_never_meets_half_a_direct_change),
		TEST(a_reader_holds_the_version_that_it_opened),
		TEST(both_write_at_once_and_each_version_stays_whole),
		TEST(a_draft_is_seen_in_its_own_worktree_only),
		TEST(a_new_worktree_shows_what_a_removed_one_left),
		TEST(a_moved_worktree_takes_its_mount_along),
		TEST(a_silo_that_is_folded_away_is_found_again),
		TEST(a_silo_that_another_mount_folds_is_found_again),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("worktrees", tests);
}
