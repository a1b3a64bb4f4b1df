/*
 * Both sides agree, whatever put them apart: an older checkout, a clone, a restored backup, a mount that
 * was away for a moment; and where they agree, nothing is read and nothing is changed. Semantics,
 * section 8.
 */
#include "tests/mount/two_worktrees.h"

/* Branches: `older` has two events, main has a third; mounted, and main is checked out. */
static bool begin(struct two *two)
{
	if (!two_begin(two, ""))
		return false;
	STEP(&two->f, ". ../lib.sh; git branch older; append 'the third'; git commit -qam two");
	fixture_mount(&two->f);
	STEP(&two->f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; until_ok quiet");
	return true;
}

/*
 * An edit in the middle took the place of a version that is kept. What that one contained is earlier than
 * the edited one all the same: git puts it there, and no other worktree goes back.
 */
static void a_checkout_of_what_a_kept_version_contains_is_a_draft(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	two_mount_other(&t);
	STEP(&t.f, ". ../lib.sh; sed -i 's/First Title?/Asked otherwise/' \"$e\"\n"
		   "until_ok has otherwise \"$DE\"; until_ok quiet; kept 'First Title?'\n"
		   "git commit -qam three; cp -a \"$D/$X\" ../durable");
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; clean\n"
		   "has 'First Title?' \"$e\"; diff -r ../durable \"$D/$X\"; same \"$WE\" \"$DE\"\n"
		   "git switch -q main; until_ok drafts 0; clean; same \"$e\" \"$DE\"\n"
		   "until_ok quiet; diff -r ../durable \"$D/$X\"");
	fixture_umount(&t.f);
	/* And unmounted. */
	STEP(&t.f, ". ../lib.sh; git switch -q older");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; clean; drafts 1; has 'First Title?' \"$e\"\n"
		   "diff -r ../durable \"$D/$X\"; same \"$WE\" \"$DE\"; git switch -q main\n"
		   "until_ok drafts 0; clean");
	/* A new worktree of the older branch went back to nothing: it gets what is durable. */
	STEP(&t.f, "git worktree add -q ../new older");
	STEP(&t.f, ". ../lib.sh; \"$J\" -C ../new sync > ../said; same "
		   "../new/.jp/conversations/$X/events.json \"$DE\"\n"
		   "diff -r ../durable \"$D/$X\"");
	two_end_both(&t);
}

/*
 * Somebody removes everything, the mount gets out of the way, and git puts it all back before it is there
 * again. What it puts back is met as if it had been written through the mount: an earlier version is
 * meant and is a draft, although the note about the worktree went with the directory; a later one is
 * stored; what is the same is in step. It is met once: what comes after is judged as ever.
 */
static void what_git_puts_back_while_the_mount_is_away_is_met_as_if_it_was_there(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; append 'the fourth'; until_ok has 'the fourth' \"$DE\"\n"
		   "until_ok quiet; cp -a \"$D/$X\" ../durable; git stash -q; until_ok drafts 1\n"
		   "git checkout -q stash@{0} -- .jp; git reset -q; until_ok drafts 0; git stash "
		   "drop -q\n"
		   /* A branch on which the second one has a turn more than the store. */
		   "git switch -q -c longer 2> /dev/null; until_ok quiet");
	STEP(&t.f,
	     ". ../lib.sh; python3 - <<'E'\n"
	     "import json, os, subprocess\n"
	     "path = '.jp/conversations/" SECOND "/events.json'\n"
	     "events = json.loads(subprocess.check_output(['git', 'show', 'HEAD:' + path]))\n"
	     "events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	     "               'content': 'from elsewhere'})\n"
	     "text = (json.dumps(events, indent=2) + '\\n').encode()\n"
	     "blob = subprocess.check_output(['git', 'hash-object', '-w', '--stdin'], input=text)\n"
	     "subprocess.check_call(['git', 'update-index', '--cacheinfo',\n"
	     "                       '100644,%s,%s' % (blob.decode().strip(), path)])\n"
	     "E\n"
	     "git commit -qm longer; rm -rf .jp/conversations; until_ok not is_mounted \"$V\"\n"
	     "git checkout -q -- .jp; until_ok is_mounted \"$V\"; until_ok drafts 1\n"
	     "clean; has 'the third' \"$e\"; has 'the fourth' \"$e\" && fail shown\n"
	     "diff -r ../durable \"$D/$X\"\n"
	     "until_ok has 'from elsewhere' \"$D/" SECOND "/events.json\"\n"
	     "same \"$V/" THIRD "/events.json\" \"$D/" THIRD "/events.json\"; until_ok quiet");
	/* Taken out and projected again, it is what is durable, and no draft. */
	STEP(&t.f, ". ../lib.sh; \"$J\" unproject $X; drafts 0; \"$J\" project $X; until_ok quiet\n"
		   "drafts 0; same \"$e\" \"$DE\"; diff -r ../durable \"$D/$X\"");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/*
 * jp deletes what has expired by either side's metadata, from both. What another worktree has taken back is
 * taken back here, too, whatever the times of the files say.
 */
static void an_expiry_that_was_taken_back_elsewhere_is_not_shown_here(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	two_mount_other(&t);
	STEP(&t.f, ". ../lib.sh; cp \"$m\" ../lasting\n"
		   "sed -i 's/\"title\"/\"expires_at\": \"2026-03-06 00:00:00.0\",\\n  &/' \"$m\"\n"
		   "until_ok has expires_at \"$DM\"; until_ok has expires_at "
		   "\"$WV/$X/metadata.json\"; until_ok quiet");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; cat ../lasting > \"$WV/$X/metadata.json\"; until_ok same "
		   "../lasting \"$DM\"\n"
		   "has expires_at \"$m\"; touch \"$m\"");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; same ../lasting \"$m\"; same ../lasting \"$DM\"; until_ok quiet; "
		   "drafts 0");
	two_end_both(&t);
}

/*
 * What is in step is told by stat alone. The conversations here are large, so that nobody who looks into
 * even a tenth of them stays below the limit; the kernel counts what is read, by the daemon and by sync.
 */
static void a_thousand_in_step_are_met_without_reading_them(void)
{
	static const char read_by[] =
		"limit=1600000\n"
		"cat > ../read_by.py <<'E'\n"
		"import os, sys\n"
		"pid = os.fork()\n"
		"if pid == 0:\n"
		"    os.execvp(sys.argv[1], sys.argv[1:])\n"
		"os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
		"print(open('/proc/%d/io' % pid).read().split()[1], file=sys.stderr)\n"
		"sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
		"E\n"
		"few() { python3 ../read_by.py \"$@\" > ../said 2> ../read\n"
		"  [ \"$(tail -n 1 ../read)\" -lt $limit ] || fail \"$*: read $(cat ../read)\"; "
		"}\n";
	cleanup_two struct two t = {0};

	if (!two_begin(&t, read_by))
		return;
	if (geteuid() != 0) {
		(void)printf("(the kernel tells only root what a process has read: skipped) ");
		return;
	}
	STEP(&t.f, "python3 - <<'E'\n"
		   "import os\n"
		   "source, top = '.jp/conversations/' + os.environ['X'], '.jp/conversations/'\n"
		   "files = {n: open(source + '/' + n).read() for n in os.listdir(source)}\n"
		   "files['events.json'] = files['events.json'].replace('?', 'x' * 16000)\n"
		   "for i in range(1000):\n"
		   "    path = top + '%d-number-%d' % (17400000000 + i * 10, i)\n"
		   "    os.mkdir(path)\n"
		   "    for name, text in files.items():\n"
		   "        with open(path + '/' + name, 'w') as file:\n"
		   "            file.write(text)\n"
		   "E\n"
		   "\"$J\" sync > ../said; grep -q '1003 not before' ../said");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; [ \"$(find \"$V\" -name events.json | wc -l)\" = 1003 ]; until_ok "
		   "quiet\n"
		   "pid=$(of_status 'print(status[\"pid\"])' .); read=$(sed -n 's/^rchar: //p' "
		   "/proc/$pid/io)\n"
		   "[ \"$read\" -lt $limit ] || fail \"the daemon has read $read\"");
	fixture_umount(&t.f);
	STEP(&t.f,
	     ". ../lib.sh; few \"$J\" sync; grep -q '1003 in step, 0 not' ../said || fail \"$(cat "
	     "../said)\"\n"
	     "few \"$J\" sync -n; grep -q '1003 in step, 0 not' ../said || fail \"$(cat "
	     "../said)\"\n"
	     /* It would be seen: this reads a tenth of them. */
	     "(few cat \"$V\"/17400000*/events.json) 2> /dev/null && fail 'nothing is counted'; :");
}

/*
 * A clone has the project's ID and so its store; on another machine there is another store. Its files are
 * older versions with newer times, which is where the last writer would win, and cost turns.
 */
static void a_clone_gets_the_turns_that_it_lacks(void)
{
	cleanup_two struct two t = {0};
	char clone[300];

	if (!begin(&t))
		return;
	(void)snprintf(clone, sizeof(clone), "%.255s/clone", t.f.base);
	STEP(&t.f, ". ../lib.sh; append 'the fourth'; retitle \"$V/$X\" Later; until_ok quiet\n"
		   "until_ok has 'the fourth' \"$DE\"; until_ok titled \"$D/$X\" Later; cp -a "
		   "\"$D\" ../durable\n"
		   "git clone -q . ../clone; touch ../clone/.jp/conversations/*/*.json; \"$J\" "
		   "allow ../clone\n"
		   "cp -a ../clone ../untouched");
	fixture_mount_at(&t.f, clone, "");
	STEP(&t.f,
	     ". ../lib.sh; C=../clone/.jp/conversations; for n in $X " SECOND " " THIRD "; do\n"
	     "  diff -r \"$C/$n\" \"$D/$n\"; done; diff -r ../durable \"$D\"; titled \"$C/$X\" "
	     "Later\n"
	     "append 'from the clone' \"$C/$X/events.json\"; until_ok has 'from the clone' \"$e\"\n"
	     "append 'from here'; until_ok has 'from here' \"$C/$X/events.json\"; has 'the fourth' "
	     "\"$DE\"");
	fixture_umount_at(&t.f, clone);
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; [ -z \"$(find \"$S/jpfs/history\" -name '*.events.json')\" ]; has "
		   "'from here' ../clone/.jp/conversations/$X/events.json");
	CHECK_INVARIANTS(&t.f);
	/* On another machine all of it is imported, and this store knows nothing of that. */
	STEP(&t.f, "cp -a \"$D\" ../durable2; JP_USER_DATA_DIR=$(cd ..; pwd)/elsewhere; export "
		   "JP_USER_DATA_DIR\n"
		   "\"$J\" -C ../untouched sync > ../said; grep -q '^imported: ' ../said\n"
		   "diff -r ../elsewhere/workspace/untouched-abc12/conversations "
		   "../untouched/.jp/conversations\n"
		   "diff -r ../durable2 \"$D\"");
}

/*
 * A backup of the worktree is unpacked over it: older versions with older times, or, where whoever copies
 * keeps no times, newer ones. Unmounted they are drafts, mounted it depends on who writes; no turn is lost.
 */
static void a_backup_that_is_restored_costs_no_turn(void)
{
	static const char *const ways[] = {
		"tar -C .. -xf ../backup.tar",
		"tar -C .. -xmf ../backup.tar",
		"cp -a ../backup/. .jp/conversations/",
	};

	for (size_t i = 0; i < 2 * COUNT_OF(ways); i++) {
		bool is_mounted = i >= COUNT_OF(ways);
		cleanup_two struct two t = {0};

		if (!begin(&t))
			return;
		STEP(&t.f,
		     ". ../lib.sh; tar -C .. -cf ../backup.tar project/.jp/conversations\n"
		     "cp -a .jp/conversations ../backup\n"
		     "append 'the fourth'; until_ok has 'the fourth' \"$DE\"; until_ok quiet\n"
		     "git commit -qam later; cp -a \"$D/$X\" ../durable");
		if (!is_mounted)
			fixture_umount(&t.f);
		STEP(&t.f, ways[i % COUNT_OF(ways)]);
		if (!is_mounted)
			fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; until_ok quiet; has 'the third' \"$e\"; has 'the fourth' "
			   "\"$e\" && fail shown\n"
			   "has 'the fourth' \"$DE\" || kept 'the fourth' || fail lost; has 'the "
			   "third' \"$DE\"");
		if (!is_mounted)
			STEP(&t.f, ". ../lib.sh; drafts 1; diff -r ../durable \"$D/$X\"; \"$J\" "
				   "discard $X\n"
				   "has 'the fourth' \"$e\"; clean");
		fixture_umount(&t.f);
		STEP(&t.f,
		     ". ../lib.sh; has 'the fourth' \"$DE\" || kept 'the fourth' || fail lost");
	}
}

/* The store itself comes out of a backup: the worktree has more, and the store gets it. */
static void a_store_that_is_restored_gets_the_turns_that_it_lacks(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; cp -a \"$S\" ../backup");
	STEP(&t.f,
	     ". ../lib.sh; append 'the fourth'; until_ok has 'the fourth' \"$DE\"; until_ok quiet\n"
	     "cp -a \"$D/$X\" ../durable");
	fixture_umount(&t.f);
	for (int is_newer = 0; is_newer < 2; is_newer++) {
		STEP(&t.f, "rm -rf \"$S\"; cp -a ../backup \"$S\"; rm -rf \"$S\"/jpfs/staging/*");
		if (is_newer)
			STEP(&t.f, "touch \"$D\"/*/*.json");
		fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; has 'the fourth' \"$e\"; until_ok has 'the fourth' "
			   "\"$DE\"; drafts 0\n"
			   "nothing_kept; diff -r ../durable \"$D/$X\"");
		fixture_umount(&t.f);
		if (!is_newer) /* else the same bytes keep their times */
			CHECK_INVARIANTS(&t.f);
	}
}

/* With everything in it that there can be: bytes, times, inode numbers, modes, of all of both sides. */
static void the_second_time_changes_nothing(void)
{
	cleanup_two struct two t = {0};

	if (!two_begin(&t, "everything() { find \"$P\" \"$W\" \"$S\" -path \"$S/jpfs\" -prune -o "
			   "-path '*/.git' -prune -o\\\n"
			   "  -printf '%p %i %y %m %T@ %s %l\\n' | sort\n"
			   "  find \"$P\" \"$W\" \"$S\" -path \"$S/jpfs\" -prune -o -path '*/.git' "
			   "-prune -o -type f -exec md5sum {} + | sort; }\n"
			   "unchanged() { everything | diff ../kept - || fail \"$1 changed "
			   "something\"; }\n"))
		return;
	STEP(&t.f, ". ../lib.sh; git branch older; append 'the third'; git commit -qam two\n"
		   "for n in 60 61 62 63 64; do cp -a \"$V/$X\" \"$V/174578860$n-another\"; done\n"
		   "mkdir \"$V/.archive\"; mv \"$V/17457886060-another\" "
		   "\"$V/17457886061-another\" \"$V/.archive/\"\n"
		   "echo note > \"$V/17457886062-another/NOTE.md\"; mkdir "
		   "\"$V/17457886062-another/sub\"\n"
		   "ln -s ../NOTE.md \"$V/17457886062-another/sub/link\"; \"$J\" sync > ../said");
	STEP(&t.f,
	     ". ../lib.sh; git worktree add -q -b side \"$W\"; \"$J\" -C \"$W\" sync > ../said\n"
	     "rm -r \"$V/17457886063-another\"; \"$J\" sync > ../said\n"
	     "mkdir -p \"$D/.archive\"; mv \"$D/17457886064-another\" \"$D/.archive/\"\n"
	     "cp -a \"$V/$X\" \"$V/17457886070-theirs\"; cp -a \"$V/$X\" "
	     "\"$V/.archive/17457886071-theirs\"\n"
	     "echo typing > \"$D/$X/QUERY_MESSAGE.md\"; mkdir \"$D/17457886072\"; echo typing > "
	     "\"$D/17457886072/QUERY_MESSAGE.md\"\n"
	     "echo '[{' > \"$V/17457886062-another/events.json\"; git switch -q older\n"
	     "rm \"$V/" SECOND "/metadata.json\"; echo hello > \"$V/README\"; mkdir -p "
	     "\"$V/.trash/x\" \"$V/notes\" \"$D/notes\"\n"
	     "echo x > \"$V/notes/17457886043\"; mkfifo \"$V/pipe\"; ln -s / \"$V/out\"; mkdir "
	     "\"$V/17457886073-half\"\n"
	     "echo '{}' > \"$V/17457886073-half/metadata.json\"; cp -a \"$V/$X\" "
	     "\"$V/17457886043-zz-second\"\n"
	     "\"$J\" sync > ../said; everything > ../kept");
	STEP(&t.f, ". ../lib.sh; \"$J\" sync > ../said; unchanged 'a second sync'; \"$J\" sync -n "
		   "> ../said\n"
		   "\"$J\" -C \"$W\" sync > ../said; unchanged 'a sync of the other'");
	for (int round = 0; round < 2; round++) {
		fixture_mount(&t.f);
		fixture_mount_at(&t.f, t.other, "");
		STEP(&t.f,
		     ". ../lib.sh; find \"$V\" \"$V/.jpfs\" \"$WV\" -type f -exec cat {} + > "
		     "/dev/null; ls -lR \"$V\" > /dev/null\n"
		     "git status --short > /dev/null; \"$J\" ls --archived > /dev/null; drafts 2\n"
		     "until_ok quiet; until_ok quiet \"$W\"");
		fixture_umount_at(&t.f, t.other);
		fixture_umount(&t.f);
		STEP(&t.f, ". ../lib.sh; unchanged mounting; \"$J\" sync > ../said; unchanged "
			   "'sync after mounting'");
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_checkout_of_what_a_kept_version_contains_is_a_draft),
		TEST(what_git_puts_back_while_the_mount_is_away_is_met_as_if_it_was_there),
		TEST(an_expiry_that_was_taken_back_elsewhere_is_not_shown_here),
		TEST(a_thousand_in_step_are_met_without_reading_them),
		TEST(a_clone_gets_the_turns_that_it_lacks),
		TEST(a_backup_that_is_restored_costs_no_turn),
		TEST(a_store_that_is_restored_gets_the_turns_that_it_lacks),
		TEST(the_second_time_changes_nothing),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("both_sides", tests);
}
