/*
 * Drafts in trouble: the directory that holds one goes, the daemon that made one is killed, another one
 * finds it, there is no room for it, it lies in the archive. What the durable version does not contain is
 * never lost, and no draft ever takes anything away from the store. Semantics, sections 5 to 8.
 */
#include "tests/mount/two_worktrees.h"

#include <time.h>

/*
 * Beside two_worktrees.h, for scripts; the branch `older` has two events of the first conversation, main has
 * three:
 *
 *     half TEXT [FILE]     what jp would reject, and so stays a draft
 *     stands               the durable version has all that was ever committed to it
 *     fill DIR             leaves no room on its filesystem
 */
static const char FUNCTIONS[] =
	"half() { printf '[ \"%s\"' \"$1\" > \"${2-$e}\"; }\n"
	"status() { \"$J\" status --json \"${1-$P}\"; }\n"
	"stands() { d=$(find \"$D\" -type d -name \"$X\")\n"
	"  has 'the third' \"$d/events.json\" || fail 'the store went back'; }\n"
	"fill() { dd if=/dev/zero of=\"$1/filler\" bs=64k 2>/dev/null || :\n"
	"  while echo x >> \"$1/filler2\"; do :; done 2>/dev/null; :; }\n";

/* `prepare`: a script before anything is committed or mounted. */
static bool begin(struct two *two, const char *prepare)
{
	if (!two_begin(two, FUNCTIONS))
		return false;
	STEP(&two->f, prepare);
	STEP(&two->f, ". ../lib.sh; git branch older; append 'the third' \"$(find \"$V\" -path "
		      "\"*/$X/events.json\")\"\n"
		      "git commit -qam two");
	fixture_mount(&two->f);
	STEP(&two->f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; until_ok quiet; stands");
	return true;
}

/* ---- its directory goes ---- */

static void what_only_a_draft_had_is_kept_whatever_takes_its_directory(void)
{
	static const char *const removals[] = {
		"rm -r \"$V/$X\"",
		"rm \"$e\"; rm \"$m\"; rm -r \"$V/$X\"",
		"git rm -rqf \"$V/$X\"; git reset -q",
		"git checkout -qf --orphan bare; git rm -rqf \"$V/$X\"; git commit -qm bare; git "
		"checkout -q older",
		"mv \"$V/$X\" \"$V/.jpfs/local/\"",
		"\"$J\" unproject \"$X\"",
		"mv \"$V/$X\" ..; rm -r \"../$X\"",
		"mkdir \"$V/.trash\"; mv \"$V/$X\" \"$V/.trash/\"; rm -r \"$V/.trash/$X\"",
	};
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1");
	for (size_t i = 0; i < COUNT_OF(removals); i++) {
		char script[2048];

		(void)snprintf(
			script, sizeof(script),
			". ../lib.sh; half 'only here %zu'; until_ok quiet; drafts 1\n"
			"echo '{ \"half\": %zu' > \"$m\"; until_ok drafts 1; until_ok quiet\n"
			"%s\n"
			"kept 'only here %zu' || fail 'its events are nowhere'\n"
			"kept '\"half\": %zu' || fail 'its metadata are nowhere'\n"
			"stands; rm -rf \"$V/$X\"; git checkout -q -f older -- .jp; until_ok "
			"drafts 1\n"
			"has 'the third' \"$e\" && fail 'the draft is not back'; until_ok quiet\n",
			i, i, removals[i], i, i);
		STEP(&t.f, script);
	}
	STEP(&t.f,
	     ". ../lib.sh; git checkout -q -f main; until_ok drafts 0; until_ok quiet; clean");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_draft_that_is_removed_as_soon_as_it_is_written_is_kept(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f,
	     ". ../lib.sh; python3 - \"$V/$X\" \"$S/jpfs/history\" \"$P\" <<'E'\n"
	     "import json, os, pathlib, shutil, subprocess, sys, time\n"
	     "path, history, project = sys.argv[1:]\n"
	     "for i in range(15):\n"
	     "    with open(path + '/events.json', 'w') as file:\n"
	     "        file.write('[ half of idea %d' % i)\n"
	     "    time.sleep(i % 5 * 0.002)\n"
	     "    shutil.rmtree(path)\n"
	     "    subprocess.run(['git', '-C', project, 'checkout', '-q', '--', '.'], check=True)\n"
	     "for i in range(15):\n"
	     "    deadline = time.time() + 60\n"
	     "    while not any('[ half of idea %d' % i == p.read_text() for p in\n"
	     "                  pathlib.Path(history).rglob('*events.json')):\n"
	     "        assert time.time() < deadline, i\n"
	     "        time.sleep(0.1)\n"
	     "E\n"
	     "until_ok quiet; until_ok drafts 0; stands; has 'the third' \"$e\"; clean");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_worktree_that_goes_leaves_what_only_its_drafts_had(void)
{
	static const char *const removals[] = {"git worktree remove --force \"$W\"",
					       "rm -rf \"$W\""};

	for (size_t i = 0; i < COUNT_OF(removals); i++) {
		cleanup_two struct two t = {0};

		if (!begin(&t, ":"))
			return;
		STEP(&t.f, "git worktree add -q -b side \"$W\" main");
		fixture_mount_at(&t.f, t.other, "");
		STEP(&t.f,
		     ". ../lib.sh; git -C \"$W\" switch -q older; until_ok drafts 1 \"$W\"\n"
		     "half 'only there' \"$WE\"; until_ok quiet \"$W\"; drafts 1 \"$W\"\n"
		     "echo '[half' > \"$WV/" SECOND "/events.json\"; until_ok drafts 2 \"$W\"");
		STEP(&t.f, removals[i]);
		fixture_wait_end(&t.f, t.other);
		STEP(&t.f, ". ../lib.sh; [ ! -e \"$W\" ]; kept 'only there'; kept '[half'; stands; "
			   "drafts 0\n"
			   "clean; until_ok quiet");
		fixture_umount(&t.f);
		CHECK_INVARIANTS(&t.f);
	}
}

/* ---- another daemon finds it ---- */

static void a_draft_is_one_in_a_worktree_that_was_moved_and_for_no_other(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f, "git worktree add -q -b side \"$W\" main");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f,
	     ". ../lib.sh; git -C \"$W\" switch -q older; until_ok drafts 1 \"$W\"; drafts 0\n"
	     "half 'only there' \"$WE\"; until_ok quiet \"$W\"; cp \"$WE\" ../draft\n"
	     "drafts 1 \"$W\"; has 'the third' \"$e\"; until_ok quiet");
	fixture_umount_at(&t.f, t.other);
	STEP(&t.f,
	     "cmp ../draft \"$WV/$X/events.json\"; git worktree move \"$W\" ../wt2; mv ../wt2 "
	     "../wt3\n"
	     "git worktree repair ../wt3 2> ../said; mv ../wt3 \"$W\"; git worktree repair \"$W\"");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f,
	     ". ../lib.sh; cmp ../draft \"$WE\"; until_ok drafts 1 \"$W\"; until_ok quiet \"$W\"\n"
	     "cmp ../draft \"$WE\"; stands; has 'only there' \"$e\" && fail 'it came here'; :");
	/* Another daemon in the first one's place, while that is there, is refused and changes nothing. */
	STEP(&t.f, ". ../lib.sh; \"$J\" mount -f \"$W\" > ../said 2>&1 || :\n"
		   "cmp ../draft \"$WE\"; drafts 1 \"$W\"");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	STEP(&t.f, "cmp ../draft \"$WV/$X/events.json\"");
	CHECK_INVARIANTS(&t.f);
}

/* A copy of a worktree is another one: nobody knows what was equal there. */
static void a_copy_of_a_draft_takes_nothing_from_the_store(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; half 'only here'; "
		   "until_ok quiet\n"
		   "echo '[half' > \"$V/" SECOND "/events.json\"; until_ok drafts 2");
	fixture_umount(&t.f);
	STEP(&t.f, "cp -a \"$P\" \"$W\"; \"$J\" allow \"$W\" > ../said 2>&1");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f, ". ../lib.sh; until_ok quiet \"$W\"; drafts 2 \"$W\"; has half \"$WV/" SECOND
		   "/events.json\"\n"
		   "has 'only here' \"$WE\"; stands");
	fixture_umount_at(&t.f, t.other);
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; until_ok quiet; has 'only here' \"$e\"; has half \"$V/" SECOND
		   "/events.json\"");
	fixture_umount(&t.f);
}

/* ---- the daemon is killed ---- */

static void a_draft_that_a_killed_daemon_left_is_still_one(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; half 'only here'; "
		   "until_ok quiet\n"
		   "echo '{ half' > \"$V/" SECOND
		   "/metadata.json\"; until_ok drafts 2; cp \"$e\" ../draft");
	for (int i = 0; i < 3; i++) {
		fixture_kill(&t.f, t.f.project);
		STEP(&t.f, ". ../lib.sh; cmp ../draft \"$e\"; stands");
		/* The store goes on meanwhile, or not. */
		if (i == 1)
			STEP(&t.f, ". ../lib.sh; append 'the fourth' \"$DE\"");
		fixture_mount(&t.f);
		STEP(&t.f,
		     ". ../lib.sh; cmp ../draft \"$e\"; until_ok drafts 2; until_ok quiet; drafts "
		     "2\n"
		     "cmp ../draft \"$e\"; has '{ half' \"$V/" SECOND "/metadata.json\"; stands");
	}
	STEP(&t.f, ". ../lib.sh; \"$J\" discard $X " SECOND
		   "; drafts 0; kept 'only here'; kept '{ half'\n"
		   "until_ok quiet; cmp \"$e\" \"$DE\"; has 'the fourth' \"$e\"");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* At some moment while git goes back and forth. */
static void a_kill_while_git_switches_takes_nothing_from_the_store(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	for (int i = 0; i < 10; i++) {
		struct timespec pause = {.tv_nsec = i * 3000000};

		STEP(&t.f, "(timeout 60 git switch -q older || :; echo done > ../switched) > "
			   "../said 2>&1 &");
		(void)nanosleep(&pause, NULL);
		fixture_kill(&t.f, t.f.project);
		STEP(&t.f, ". ../lib.sh; until_ok test -e ../switched; rm -f ../switched "
			   ".git/index.lock; stands");
		fixture_mount(&t.f);
		/* Whatever git has got to, the next switch goes through, and ends it. */
		STEP(&t.f, ". ../lib.sh; until_ok quiet; stands; git checkout -q -f older; "
			   "until_ok quiet; clean\n"
			   "has 'the third' \"$e\" && fail shown; stands; until_ok drafts 1\n"
			   "git checkout -q -f main; until_ok quiet; until_ok drafts 0; clean\n"
			   "has 'the third' \"$e\"; stands");
	}
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* ---- there is no room for it ---- */

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	printf("(only root can mount a small filesystem: skipped) ");
	return false;
}

/* The worktree on a small filesystem, and git's own files elsewhere: they have room. */
#define SMALL_WORKTREE                                                                             \
	"mv .git ../git; echo 'filler*' >> ../git/info/exclude; mv README .jp ..; mount -t tmpfs " \
	"-o size=2m,mode=755 jpfs-test "                                                           \
	"\"$P\"; mv ../README ../.jp \"$P\"; cd \"$P\"; echo \"gitdir: ${P%/*}/git\" > .git"

static void a_draft_that_has_no_room_in_the_worktree_is_shown_and_comes_there_later(void)
{
	cleanup_two struct two t = {0};

	if (!is_root() || !begin(&t, SMALL_WORKTREE))
		return;
	STEP(&t.f,
	     ". ../lib.sh; cd \"$P\"; fill .; git switch -q older || fail 'git got an error'\n"
	     "has 'the third' \"$e\" && fail shown; stands; clean\n"
	     "half 'only here'; has 'only here' \"$e\"; stands; sleep 1; stands\n"
	     "has 'only here' \"$e\"; rm -f filler*; until_ok quiet; until_ok drafts 1\n"
	     "has 'only here' \"$e\"; stands; \"$J\" umount .; has 'only here' \"$e\"");
}

static void a_draft_that_never_got_room_is_kept_when_the_daemon_ends(void)
{
	cleanup_two struct two t = {0};

	if (!is_root() || !begin(&t, SMALL_WORKTREE))
		return;
	/* It stays mounted for as long as something cannot be stored, unless somebody insists. */
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; until_ok quiet; cd "
		   "\"$P\"; fill .\n"
		   "half 'only here'; half 'only here either' \"$V/" SECOND
		   "/events.json\"; sleep 1; stands\n"
		   "\"$J\" umount . > ../said 2>&1 && fail 'it ended well'; has 'only here' "
		   "\"$e\"; stands");
	/* By hand: fixture_kill() would take the small filesystem along. */
	STEP(&t.f,
	     ". ../lib.sh; kill -9 $(status | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p')\n"
	     "umount -l \"$V\"; stands; cd \"$P\"; rm -f filler*; \"$J\" mount .; until_ok quiet; "
	     "stands\n"
	     "for text in 'only here' 'only here either'; do\n"
	     "  grep -rqF \"$text\" \"$V\" \"$S/jpfs/history\" \"$S/jpfs/trash\" || fail \"$text "
	     "is "
	     "nowhere\"\n"
	     "done; \"$J\" umount .; stands");
}

static void a_full_store_tells_git_and_takes_no_turn_away(void)
{
	cleanup_two struct two t = {0};

	if (!is_root() || !begin(&t, "mkdir ../data; mount -t tmpfs -o size=2m jpfs-test ../data"))
		return;
	STEP(&t.f, ". ../lib.sh; fill ../data; git switch -q older > ../said 2>&1 || :; stands\n"
		   "timeout 60 cat \"$V/" SECOND
		   "/events.json\" > /dev/null; timeout 60 ls \"$V\" > /dev/null\n"
		   "rm -f ../data/filler*; git checkout -q -f older; until_ok quiet; until_ok "
		   "drafts 1; clean\n"
		   "has 'the third' \"$e\" && fail shown; stands\n"
		   "git switch -q main; until_ok drafts 0; until_ok quiet; clean; has 'the third' "
		   "\"$e\"; stands");
	STEP(&t.f, "\"$J\" umount ."); /* its log is not clean */
}

/* ---- in the archive ---- */

static void an_archived_conversation_may_be_a_draft_too(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, "mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"; git add -A; git "
		       "commit -qm archived"))
		return;
	STEP(&t.f, ". ../lib.sh; e=$V/.archive/$X/events.json; git switch -q older; clean; "
		   "until_ok drafts 1\n"
		   "has 'the third' \"$e\" && fail shown; stands; half 'only here' \"$e\"; "
		   "until_ok quiet\n"
		   "drafts 1; stands; cp \"$e\" ../draft");
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			fixture_kill(&t.f, t.f.project);
		else
			fixture_umount(&t.f);
		fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; until_ok quiet; drafts 1; cmp ../draft "
			   "\"$V/.archive/$X/events.json\"; "
			   "stands");
	}
	/* Brought back, it is the same draft; archived again, and gone with its directory. */
	STEP(&t.f, ". ../lib.sh; mv \"$V/.archive/$X\" \"$V/\"; cmp ../draft \"$e\"; drafts 1; "
		   "until_ok quiet; "
		   "stands\n"
		   "cmp ../draft \"$e\"; mv \"$V/$X\" \"$V/.archive/\"; until_ok quiet; drafts 1\n"
		   "cmp ../draft \"$V/.archive/$X/events.json\"; rm -r \"$V/.archive/$X\"; kept "
		   "'only here'; stands\n"
		   "git checkout -q -f main; until_ok quiet; clean; drafts 0\n"
		   "has 'the third' \"$V/.archive/$X/events.json\"");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* The events are none themselves, and neither what the store has: others went on meanwhile. */
static void what_stands_beside_a_draft_is_shown_after_mounting_again(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f,
	     ". ../lib.sh; b=$V/$X/base_config.json; cp \"$b\" ../base; echo '{\"new\": 1}' > "
	     "\"$b\"\n"
	     "until_ok has new \"$D/$X/base_config.json\"; until_ok quiet; git commit -qam three\n"
	     "git checkout -q HEAD~ -- \"$b\"; until_ok drafts 1; until_ok quiet\n"
	     "cp \"$e\" ../theirs; append theirs ../theirs; append mine; until_ok has mine "
	     "\"$DE\"; until_ok quiet; drafts 1; cp \"$e\" "
	     "../events\n"
	     "until_ok has mine \"$WE\"; cat ../theirs > \"$WE\"; until_ok has theirs \"$DE\"\n"
	     "until_ok quiet; cmp \"$e\" ../events; cmp \"$b\" ../base; drafts 1");
	for (int i = 0; i < 2; i++) {
		fixture_umount(&t.f);
		fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; until_ok quiet; cmp \"$e\" ../events; drafts 1\n"
			   "cmp \"$V/$X/base_config.json\" ../base; has theirs \"$DE\"");
	}
	STEP(&t.f, ". ../lib.sh; \"$J\" discard \"$X\"; until_ok has theirs \"$e\"; drafts 0\n"
		   "until_ok quiet; until_ok quiet \"$W\"");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* As `jp conversation edit` does: what is shown while the durable directory is gone is what jp copies. */
static void a_committed_draft_is_shown_when_the_durable_directory_goes(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f,
	     ". ../lib.sh; title() { echo \"{\\\"title\\\": \\\"$1\\\", \\\"last_activated_at\\\": "
	     "\\\"2026-03-0$2 10:00:00.0\\\"}\"; }\n"
	     "title first 6 > \"$m\"; until_ok has first \"$D/$X/metadata.json\"; until_ok quiet\n"
	     "git commit -qam first; title second 7 > \"$m\"; until_ok has second "
	     "\"$D/$X/metadata.json\"; until_ok quiet\n"
	     "git checkout -q -- \"$m\"; until_ok drafts 1; until_ok quiet; has first \"$m\"\n"
	     "title third 8 > \"$D/$X/metadata.json.tmp\"\n"
	     "mv \"$D/$X/metadata.json.tmp\" \"$D/$X/metadata.json\"; sleep 0.2; until_ok quiet\n"
	     "\"$J\" commit \"$X\"; drafts 0; has first \"$D/$X/metadata.json\"; until_ok quiet\n"
	     "cp -r \"$D/$X\" ../copy; rm -r \"$D/$X\"; has first \"$m\"; cp -r \"$V/$X\" "
	     "\"$D/$X\"\n"
	     "diff -r ../copy \"$D/$X\"; until_ok has first \"$m\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* The worktree has the draft in the place of the durable version. */
static void what_others_replace_beneath_a_draft_is_kept(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	STEP(&t.f,
	     ". ../lib.sh; jp() { python3 - \"$1\" \"$DE\" <<'E'\n"
	     "import json, os, sys\n"
	     "events = json.load(open(sys.argv[2]))[:-1]\n"
	     "events.append({'timestamp': '2026-03-06 11:00:00.0', 'type': 'chat_request',\n"
	     "               'content': sys.argv[1]})\n"
	     "with open(sys.argv[2] + '.tmp', 'w') as file:\n"
	     "    json.dump(events, file)\n"
	     "os.rename(sys.argv[2] + '.tmp', sys.argv[2])\n"
	     "E\n"
	     "}\n"
	     "git switch -q older; until_ok drafts 1; until_ok quiet\n"
	     "jp one; until_ok kept 'the third'; until_ok quiet\n"
	     "jp two; until_ok kept one; until_ok quiet; jp three; until_ok kept two; drafts 1\n"
	     /* And when jp dies in the middle of it. */
	     "until_ok quiet; cp \"$DE\" ../durable; rm \"$DE\"; until_ok cmp -s ../durable "
	     "\"$DE\"\n"
	     "drafts 1; until_ok quiet\n"
	     "git switch -q main; until_ok drafts 0; until_ok has three \"$e\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* ---- times ---- */

/* It has a time of its own, as whoever put it back has seen it, and nothing has happened to it since. */
static void what_git_puts_back_keeps_its_time_when_it_is_written_with_the_same_bytes(void)
{
	static const char THREE_WAYS[] =
		". ../lib.sh; b=$V/$X/base_config.json\n"
		"unmoved() { [ \"$(stat -c %.Y \"$b\")\" = \"$t\" ]; }\n"
		"t=$(stat -c %.Y \"$b\"); d=$(stat -c %.Y \"$D/$X/base_config.json\")\n"
		"[ \"$t\" != \"$d\" ]; cat ../base > \"$b\"; until_ok unmoved; until_ok quiet\n"
		"unmoved || fail truncated; dd if=../base of=\"$b\" conv=notrunc status=none\n"
		"until_ok unmoved; until_ok quiet; unmoved || fail 'in place'\n"
		"cp ../base \"$b.tmp\"; mv \"$b.tmp\" \"$b\"; until_ok unmoved; until_ok quiet\n"
		"unmoved || fail 'as jp writes'; same ../base \"$b\"\n"
		"[ \"$(stat -c %.Y \"$D/$X/base_config.json\")\" = \"$d\" ] || fail durable";
	cleanup_two struct two t = {0};

	if (!begin(&t, ":"))
		return;
	two_mount_other(&t);
	STEP(&t.f, ". ../lib.sh; b=$V/$X/base_config.json; cp \"$b\" ../base; until_ok quiet "
		   "\"$W\"; sleep 0.05\n"
		   "rm \"$b\"; git checkout -q -- .jp; until_ok quiet; same ../base \"$b\"");
	STEP(&t.f, THREE_WAYS);
	/* Nor is a change of something else one of its bytes. */
	STEP(&t.f,
	     ". ../lib.sh; b=$V/$X/base_config.json; t=$(stat -c %.Y \"$b\"); chmod 600 \"$b\"\n"
	     "unmoved() { [ \"$(stat -c %.Y \"$b\")\" = \"$t\" ]; }\n"
	     "unmoved || fail 'its mode'; touch -a \"$b\"; unmoved || fail 'its other time'\n"
	     "chmod 644 \"$b\"; until_ok quiet; unmoved || fail 'its mode again'");
	/* Another worktree changes its time in the store, and here it is shown beside a draft. */
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; until_ok quiet\n"
		   "touch -d @1773281028 \"$WV/$X/base_config.json\"\n"
		   "touched() { [ \"$(stat -c %Y \"$D/$X/base_config.json\")\" = 1773281028 ]; }\n"
		   "until_ok touched; until_ok quiet");
	STEP(&t.f, THREE_WAYS);
	/* And then its bytes. */
	STEP(&t.f, ". ../lib.sh; echo '{\"new\": 1}' > \"$WV/$X/base_config.json\"\n"
		   "until_ok grep -q new \"$D/$X/base_config.json\"; until_ok quiet");
	STEP(&t.f, THREE_WAYS);
	STEP(&t.f, ". ../lib.sh; git switch -q main; until_ok drafts 0; until_ok quiet");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_others_replace_beneath_a_draft_is_kept),
		TEST(a_committed_draft_is_shown_when_the_durable_directory_goes),
		TEST(what_stands_beside_a_draft_is_shown_after_mounting_again),
		TEST(what_only_a_draft_had_is_kept_whatever_takes_its_directory),
		TEST(a_draft_that_is_removed_as_soon_as_it_is_written_is_kept),
		TEST(a_worktree_that_goes_leaves_what_only_its_drafts_had),
		TEST(a_draft_is_one_in_a_worktree_that_was_moved_and_for_no_other),
		TEST(a_copy_of_a_draft_takes_nothing_from_the_store),
		TEST(a_draft_that_a_killed_daemon_left_is_still_one),
		TEST(a_kill_while_git_switches_takes_nothing_from_the_store),
		TEST(a_draft_that_has_no_room_in_the_worktree_is_shown_and_comes_there_later),
		TEST(a_draft_that_never_got_room_is_kept_when_the_daemon_ends),
		TEST(a_full_store_tells_git_and_takes_no_turn_away),
		TEST(an_archived_conversation_may_be_a_draft_too),
		TEST(what_git_puts_back_keeps_its_time_when_it_is_written_with_the_same_bytes),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("draft trouble", tests);
}
