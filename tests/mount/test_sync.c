/*
 * What commands do to conversations, without a mount and through one: sync, project, unproject,
 * commit, discard. Semantics, sections 5, 6 and 8.
 */
#include "tests/mount/fixture.h"

/*
 * `everything` prints all but jpfs/ with bytes, inodes and times; `outcome N WHICH` of what sync
 * --json said of the N-th conversation in ../json; `said WORD` counts lines of ../said.
 */
static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"e=$V/$X/events.json; m=$V/$X/metadata.json; DE=$D/$X/events.json\n"
	"everything() { find \"$P\" \"$S\" -path \"$S/jpfs\" -prune -o -path '*/.git' -prune -o "
	"\\\n"
	"  -type f -printf '%p %i %m %T@ %C@\\n' -exec cat {} + | sort; }\n"
	"outcome() { python3 -c 'import json, sys\n"
	"print(json.load(open(\"../json\"))[\"conversations\"][int(sys.argv[1])][sys.argv[2]]"
	"[\"outcome\"])' $1 $2; }\n"
	"refused() { code=$1; shift; \"$@\" > ../out 2> ../err && r=0 || r=$?; [ $r = $code ] || "
	"fail \"exit $r\"\n"
	"  [ -s ../err ] || fail 'it said nothing'; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	return true;
}

static void a_first_sync_imports_and_a_second_changes_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; \"$J\" sync --dry-run --json > ../json\n"
		 "[ \"$(outcome 0 stream)\" = 'to be imported' ]; [ ! -e \"$S\" ] || fail 'it made "
		 "something'\n"
		 "\"$J\" sync | grep -c ^imported: | grep -qx 3; diff -r \"$D\" \"$V\"\n"
		 "everything > ../kept; \"$J\" sync > ../said; everything | diff ../kept -\n"
		 "grep -q '3 in step, 0 not' ../said; \"$J\" sync --dry-run > ../said\n"
		 "everything | diff ../kept -; find \"$D\" -newermt 2026-03-06 -name '*.json' | "
		 "grep . && "
		 "fail 'times changed'; :");
	CHECK_INVARIANTS(&f);
}

static void sync_does_what_mounting_does_and_says_why(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; \"$J\" sync; sed -i s/First/Edited/ \"$m\"\n"
	     "sed -i s/Second/Stored/ \"$D/" SECOND "/metadata.json\"; echo '[{' > \"$V/" THIRD
	     "/events.json\"; rm \"$e\"\n"
	     "everything > ../kept; \"$J\" sync -n --json > ../json; everything | diff ../kept -\n"
	     "[ \"$(outcome 0 metadata)\" = 'to be stored' ]; [ \"$(outcome 0 stream)\" = 'to be "
	     "hidden "
	     "here' ] || outcome 0 stream\n"
	     "[ \"$(outcome 1 metadata)\" = 'to be updated here' ]\n"
	     "[ \"$(outcome 2 stream)\" = 'to be a draft' ]; \"$J\" sync > ../said\n"
	     "grep -q '^stored: 17457886043-first-title (metadata): only the workspace' ../said\n"
	     "grep -q '^updated here: " SECOND " (metadata): only the store' ../said\n"
	     "grep -q '^a draft: " THIRD " (conversation): ' ../said\n"
	     "grep -q Edited \"$D/$X/metadata.json\"; grep -q Stored \"$V/" SECOND
	     "/metadata.json\"\n"
	     "[ ! -e \"$e\" ]; [ -e \"$DE\" ]; [ \"$(cat \"$V/" THIRD "/events.json\")\" = '[{' ]\n"
	     "everything > ../kept; \"$J\" sync > ../said; everything | diff ../kept -\n"
	     "\"$J\" discard " THIRD
	     "; git checkout -q -- \"$e\"; \"$J\" sync; cmp \"$e\" \"$DE\"");
	CHECK_INVARIANTS(&f);
}

static void an_older_checkout_costs_no_turn_without_a_mount_either(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; \"$J\" sync; python3 - \"$DE\" <<'E'\n"
	     "import json, sys\n"
	     "events = json.load(open(sys.argv[1]))\n"
	     "events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'turn', 'content': "
	     "'new'})\n"
	     "open(sys.argv[1], 'w').write(json.dumps(events, indent=2) + '\\n')\n"
	     "E\n"
	     "touch -d 2001-01-01 \"$DE\"; git worktree add -q -b side \"$W\"\n"
	     "\"$J\" -C \"$W\" sync > ../said; grep -q '^updated here: .*an earlier one' ../said\n"
	     "grep -q new \"$WV/$X/events.json\"; grep -q new \"$DE\"; git -C \"$W\" checkout -q "
	     "-- .\n"
	     "\"$J\" sync \"$W\" > ../said; grep -q new \"$DE\"\n"
	     /* A clone is another root: it is asked about, and nothing is changed meanwhile. */
	     "git clone -q . ../clone; everything > ../kept; refused 1 \"$J\" sync ../clone\n"
	     "grep -q 'jpfs allow' ../err; everything | diff ../kept -; \"$J\" allow ../clone\n"
	     "\"$J\" sync ../clone; grep -q new \"../clone/.jp/conversations/$X/events.json\"; "
	     "grep -q "
	     "new \"$DE\"; \"$J\" sync");
	CHECK_INVARIANTS(&f);
}

static void conversations_are_projected_and_taken_out_by_any_name(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "\"$J\" sync; cp -a \"$D\" ../kept");
	for (int round = 0; round < 2; round++) {
		STEP(&f,
		     ". ../lib.sh; \"$J\" unproject 17457886043 \"$V/" SECOND "/events.json\"\n"
		     "[ \"$(ls \"$V\")\" = " THIRD " ]; diff -r ../kept \"$D\"\n"
		     "\"$J\" unproject 17457886043 | grep -q 'nothing to do'\n"
		     "\"$J\" project $X; [ -e \"$V/$X/events.json\" ]; \"$J\" project " SECOND "\n"
		     "\"$J\" project " SECOND " | grep -q 'nothing to do'; diff -r ../kept \"$D\"\n"
		     "diff -r \"$V\" \"$D\"; refused 1 \"$J\" project 1745788604; grep -q "
		     "17457886045 ../err\n"
		     "refused 1 \"$J\" project $X no-such-thing; refused 1 \"$J\" unproject $X "
		     "99999\n"
		     "[ -e \"$V/$X\" ]; refused 2 \"$J\" project; refused 2 \"$J\" unproject "
		     "--frob x\n"
		     "refused 3 \"$J\" -C / project 17457886043\n"
		     "(cd \"$V/$X\"; \"$J\" unproject .); [ ! -e \"$V/$X\" ]; \"$J\" project "
		     "17457886043\n"
		     /* Archived ones, too. */
		     "mkdir -p \"$V/.archive\" \"$D/.archive\"; mv \"$D/$X\" \"$D/.archive/\"\n"
		     "mv \"$V/$X\" \"$V/.archive/\" || :; \"$J\" unproject 17457886043; [ ! -e "
		     "\"$V/.archive/$X\" ]\n"
		     "[ -e \"$D/.archive/$X\" ]; \"$J\" project 17457886043; [ -e "
		     "\"$V/.archive/$X\" ]\n"
		     "mv \"$D/.archive/$X\" \"$D/\"; mv \"$V/.archive/$X\" \"$V/\"; rmdir "
		     "\"$V/.archive\" "
		     "\"$D/.archive\"");
		if (round == 0)
			fixture_mount(&f);
	}
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void drafts_are_ended_by_command_mounted_or_not(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "\"$J\" sync");
	for (int round = 0; round < 2; round++) {
		STEP(&f,
		     ". ../lib.sh; cp \"$DE\" ../kept; echo '[{' > \"$e\"\n"
		     "until_ok grep -q . \"$e\"; sleep 0.7; refused 1 \"$J\" commit $X\n"
		     "grep -q 'discard' ../err; cmp ../kept \"$DE\"; \"$J\" discard $X\n"
		     "cmp ../kept \"$e\"; \"$J\" discard $X | grep -q 'nothing to do'\n"
		     "\"$J\" commit $X | grep -q 'nothing to do'; grep -rqF '[{' "
		     "\"$S/jpfs/history\"\n"
		     /* What git put back is valid, and made durable on purpose. */
		     "sed -i 's/First Title?/& and more/' \"$e\"; \"$J\" sync; grep -q 'and more' "
		     "\"$DE\"\n"
		     "git checkout -q -- \"$e\"; \"$J\" sync; grep -q 'and more' \"$e\" && fail "
		     "shown\n"
		     "grep -q 'and more' \"$DE\"; \"$J\" commit 17457886043; cmp \"$e\" \"$DE\"\n"
		     "grep -rq 'and more' \"$S/jpfs/history\"; rm -rf \"$S/jpfs/history\"/*");
		if (round == 0)
			fixture_mount(&f);
	}
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* What the kernel keeps of the draft goes before the command says that it is done. */
static void who_reads_right_after_discard_reads_the_durable_version(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "\"$J\" sync");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; cp -a \"$D/$X\" ../kept; for n in $(seq 30); do\n"
	     "  echo \"[{ $n\" > \"$e\"; until_ok grep -q 17457886043 \"$V/.jpfs/status.json\"\n"
	     "  ls -l \"$V/$X\" > /dev/null; grep -qF \"[{ $n\" \"$e\"\n"
	     "  \"$J\" discard $X > /dev/null; cmp \"$e\" ../kept/events.json\n"
	     "  stat -c %s.%.Y \"$e\" > ../now; stat -c %s.%.Y ../kept/events.json | diff - "
	     "../now; done\n"
	     "diff -r ../kept \"$D/$X\"");
	/* A draft of jp's older layout has no base configuration, and the directory's listing says so. */
	STEP(&f, ". ../lib.sh; git switch -qc older; cp \"$e\" ../newer; for n in $(seq 10); do\n"
		 "  python3 - \"$e\" \"$V/$X/base_config.json\" <<'E'\n"
		 "import json, os, sys\n"
		 "events = json.load(open(sys.argv[1]))\n"
		 "events.insert(0, {'type': 'config_delta', 'timestamp': '2025-04-23 00:00:00.0',\n"
		 "                  'delta': json.load(open(sys.argv[2]))})\n"
		 "os.unlink(sys.argv[1]); os.unlink(sys.argv[2])\n"
		 "with open(sys.argv[1], 'x') as file:\n"
		 "    json.dump(events[:-1], file)\n"
		 "E\n"
		 "  until_ok grep -q 17457886043 \"$V/.jpfs/status.json\"; [ \"$(ls \"$V/$X\" | wc "
		 "-l)\" = 2 ]\n"
		 "  \"$J\" discard $X > /dev/null; [ \"$(ls \"$V/$X\" | wc -l)\" = 3 ]\n"
		 "  diff -r ../kept \"$V/$X\"; done; diff -r ../kept \"$D/$X\"");
	fixture_umount(&f);
	STEP(&f, "diff -r ../kept \"$V/$X\"");
	CHECK_INVARIANTS(&f);
}

/* By the beginning of its ID, and for a worktree that is elsewhere, mounted or not. */
static void commands_reach_another_worktree_by_the_beginning_of_an_id(void)
{
	cleanup_fixture struct fixture f = {0};
	char other[300];

	if (!begin(&f))
		return;
	(void)snprintf(other, sizeof(other), "%.255s/wt", f.base);
	STEP(&f, "cp -a \"$V/$X\" \"$V/17600000000-another\"; git add -A; git commit -qm another\n"
		 "\"$J\" sync; git worktree add -q -b side \"$W\"; \"$J\" sync \"$W\"; cp -a "
		 "\"$D\" ../kept");
	for (int round = 0; round < 2; round++) {
		STEP(&f, ". ../lib.sh; [ \"$(\"$J\" -C \"$W\" unproject 176)\" = 'taken out: "
			 "17600000000-another' ]\n"
			 "[ ! -e \"$WV/17600000000-another\" ]; [ -e "
			 "\"$V/17600000000-another/events.json\" ]\n"
			 "refused 1 \"$J\" -C \"$W\" unproject 1745788604; grep -q 'more than one' "
			 "../err\n"
			 "for n in 17457886043 17457886044 17457886045; do grep -q \"^hint: .*$n\" "
			 "../err; done\n"
			 "[ -e \"$WV/$X\" ]; (cd \"$W\"; \"$J\" project 1760); [ -e "
			 "\"$WV/17600000000-another/events.json\" ]\n"
			 "\"$J\" -C \"$W\" unproject \"$WV/$X\" " SECOND
			 "; [ ! -e \"$WV/$X\" ]; [ ! -e \"$WV/" SECOND "\" ]\n"
			 "[ -e \"$V/$X/events.json\" ]; \"$J\" -C \"$W\" project $X 17457886044; "
			 "diff -r ../kept \"$D\"\n"
			 "diff -r \"$WV\" \"$D\"");
		/* Drafts there, ended from here. */
		STEP(&f,
		     ". ../lib.sh; n=17600000000-another; sed -i 's/First Title?/& and more/' "
		     "\"$D/$n/events.json\"\n"
		     "\"$J\" sync \"$W\"; until_ok grep -q 'and more' \"$WV/$n/events.json\"\n"
		     "until_ok sh -c '\"$J\" -C \"$W\" sync'; cp \"$D/$n/events.json\" ../durable\n"
		     "git -C \"$W\" checkout -q -- .; \"$J\" sync \"$W\"; \"$J\" status \"$W\" > "
		     "../said\n"
		     "grep -q 'and more' \"$WV/$n/events.json\" && fail 'no draft'; cmp ../durable "
		     "\"$D/$n/events.json\"\n"
		     "\"$J\" -C \"$W\" discard 176; cmp ../durable \"$WV/$n/events.json\"\n"
		     "git -C \"$W\" checkout -q -- .; \"$J\" sync \"$W\"; \"$J\" -C \"$W\" commit "
		     "176\n"
		     "cmp \"$WV/$n/events.json\" \"$D/$n/events.json\"; grep -rq 'and more' "
		     "\"$S/jpfs/history/17600000000\"\n"
		     "grep -q 'and more' \"$D/$n/events.json\" && fail 'not committed'\n"
		     "rm -rf \"$S/jpfs/history/17600000000\"; rm -rf ../kept; cp -a \"$D\" "
		     "../kept");
		if (round == 0)
			fixture_mount_at(&f, other, "");
	}
	fixture_umount_at(&f, other);
	STEP(&f, "\"$J\" sync; diff -r \"$V\" \"$D\"");
	fixture_check_at(&f, other, __FILE__, __LINE__);
}

/* Where it was started, by the name of the worktree: one that was only brought there is from elsewhere. */
static void where_a_conversation_was_started_is_told(void)
{
	cleanup_fixture struct fixture f = {0};
	char other[300];

	if (!begin(&f))
		return;
	(void)snprintf(other, sizeof(other), "%.255s/wt", f.base);
	STEP(&f, "\"$J\" sync; git worktree add -q -b side \"$W\"");
	fixture_mount(&f);
	fixture_mount_at(&f, other, "");
	STEP(&f,
	     "now=$(date +%s); echo \"$now\" > ../now\n"
	     "new() { mkdir \"$1\"; cp \"$D/$X\"/*.json \"$1\"; }\n"
	     "new \"$V/${now}1-here\"; new \"$WV/${now}2-there\"; new "
	     "\"$V/.jpfs/local/${now}3-local\"\n"
	     "new \"$V/17457886050-older\"; for n in 1-here 2-there 3-local; do until_ok test -e "
	     "\"$D/$now$n/events.json\"; done\n"
	     "until_ok test -e \"$D/17457886050-older/events.json\"; python3 - \"$V/${now}1-here\" "
	     "\"$WV/${now}2-there\" <<'E'\n"
	     "import os, sys\n"
	     "assert [os.getxattr(path, 'user.jpfs.origin') for path in sys.argv[1:]] == "
	     "[b'project', b'wt']\n"
	     "assert 'user.jpfs.origin' not in os.listxattr(os.path.join(os.environ['V'], "
	     "'17457886050-older'))\n"
	     "E\n"
	     "cat > ../told.sh <<'E'\n"
	     "now=$(cat ../now); \"$J\" ls --json --sort id > ../json; python3 - $now <<'F'\n"
	     "import json, sys\n"
	     "origins = {c['id']: c['origin'] for c in json.load(open('../json'))}\n"
	     "assert [origins[sys.argv[1] + n] for n in '123'] == ['project', 'wt', 'project'], "
	     "origins\n"
	     "assert origins['17457886050'] is None and origins['17457886043'] is None, origins\n"
	     "F\n"
	     "\"$J\" ls > ../out; head -n 1 ../out | grep -q ' ORIGIN '; grep -q \"^${now}2 .* wt  "
	     "*First Title\" ../out\n"
	     "E\n"
	     ". ../told.sh");
	fixture_umount_at(&f, other);
	fixture_umount(&f);
	/* Not mounted, and when the worktree is gone. */
	STEP(&f, ". ../told.sh; (cd \"$W\"; . ../told.sh); git worktree remove --force \"$W\"; . "
		 "../told.sh");
	CHECK_INVARIANTS(&f);
}

/* On a terminal, and when it takes longer than a second: it is stopped for that long as soon as it imports. */
static void a_long_sync_says_on_a_terminal_how_far_it_is(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     "i=0; while [ $i -lt 150 ]; do cp -r \"$V/$X\" \"$V/$((17400000000 + i))\"; "
	     "i=$((i+1)); done\n"
	     "cat > ../slow.py <<'E'\n"
	     "import os, pty, shutil, signal, sys, time\n"
	     "store = os.environ['S']\n"
	     "def sync(arguments):\n"
	     "    # All that it said; None: it was not met while it imported.\n"
	     "    pid, fd = pty.fork()\n"
	     "    if pid == 0:\n"
	     "        os.execvp(os.environ['J'], [os.environ['J'], 'sync'] + arguments)\n"
	     "    while not (os.path.isdir(store + '/conversations') and os.listdir(store + "
	     "'/conversations')):\n"
	     "        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):\n"
	     "            break\n"
	     "    os.kill(pid, signal.SIGSTOP)\n"
	     "    had = len(os.listdir(store + '/conversations'))\n"
	     "    time.sleep(1.2)\n"
	     "    os.kill(pid, signal.SIGCONT)\n"
	     "    said = b''\n"
	     "    while True:\n"
	     "        try:\n"
	     "            got = os.read(fd, 4096)\n"
	     "        except OSError:\n"
	     "            break\n"
	     "        if not got:\n"
	     "            break\n"
	     "        said += got\n"
	     "    os.close(fd)\n"
	     "    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said\n"
	     "    return said.decode() if had < 100 else None\n"
	     "for arguments in [], ['--json']:\n"
	     "    said = None\n"
	     "    while said is None:\n"
	     "        shutil.rmtree(store, True)\n"
	     "        said = sync(arguments)\n"
	     "    assert '\\r100 of 153 conversations' in said, said\n"
	     "    assert said.count('imported') >= 153, said\n"
	     "    # It takes itself away again.\n"
	     "    assert said.replace(' ', '').rfind('conversations\\r\\r') > 0, said\n"
	     "E\n"
	     "python3 ../slow.py; rm -rf \"$S\"; \"$J\" sync > ../said 2> ../err; [ ! -s ../err ]\n"
	     "[ \"$(grep -c '^imported: ' ../said)\" = 153 ]");
}

static void a_worktree_in_work_is_left_alone(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; until_ok test -e \"$D/" THIRD "\"\n"
	     "\"$J\" sync | grep -q 'keeps both sides in step'; sed -i s/First/Edited/ \"$m\"\n"
	     "\"$J\" sync; cmp \"$m\" \"$D/$X/metadata.json\"; \"$J\" sync --json | python3 -c '\n"
	     "import json, sys; assert json.load(sys.stdin)[\"mounted\"]'\n"
	     /* Its mount swept away by somebody, the daemon still has the lock. */
	     "rm -rf .jp/conversations; until_ok not is_mounted \"$V\"; refused 1 \"$J\" sync\n"
	     "grep -q 'process' ../err; git checkout -q -- .jp; until_ok is_mounted \"$V\"\n"
	     /* What git has put back is earlier than what is stored: a draft, as if it was mounted. */
	     "until_ok sh -c '\"$J\" status | grep -q draft'; grep -q First \"$m\"\n"
	     "grep -q Edited \"$D/$X/metadata.json\"; \"$J\" discard $X; until_ok grep -q Edited "
	     "\"$m\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_first_sync_imports_and_a_second_changes_nothing),
		TEST(sync_does_what_mounting_does_and_says_why),
		TEST(an_older_checkout_costs_no_turn_without_a_mount_either),
		TEST(conversations_are_projected_and_taken_out_by_any_name),
		TEST(drafts_are_ended_by_command_mounted_or_not),
		TEST(who_reads_right_after_discard_reads_the_durable_version),
		TEST(commands_reach_another_worktree_by_the_beginning_of_an_id),
		TEST(where_a_conversation_was_started_is_told),
		TEST(a_long_sync_says_on_a_terminal_how_far_it_is),
		TEST(a_worktree_in_work_is_left_alone),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("sync", tests);
}
