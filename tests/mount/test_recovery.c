/* What a killed daemon had received is there at the next mount, and status says so. */
#include "tests/mount/fixture.h"

/* Keep the daemon from storing for as long as the script is at it: what is closed waits in staging
 * while a durable copy is in pieces, as jp leaves it for a moment. */
#define IN_PIECES                                                                                  \
	"until_ok grep -q '\"commits\": 0' \"$V/.jpfs/status.json\"\n"                             \
	"cat \"$V/$X/events.json\" > /dev/null\n"                                                  \
	"mv \"$D/$X/metadata.json\" \"$P/../aside\"\n"

static void a_closed_write_survives_kill(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"\n" IN_PIECES
	     "sed 's/First Title?/another question/' \"$V/$X/events.json\" > \"$P/../new\"\n"
	     "cat \"$P/../new\" > \"$V/$X/events.json\"\n"
	     "cmp \"$P/../new\" \"$V/$X/events.json\"\n"
	     "! cmp -s \"$P/../new\" \"$D/$X/events.json\" || fail 'stored at once'\n"
	     /* That it was closed, the daemon finds out within moments. */
	     "marked() { ls \"$S\"/jpfs/staging/* | grep -q '^w.*events.json'; }; until_ok "
	     "marked\n");
	fixture_kill(&fixture, fixture.project);
	STEP(&fixture, "mv \"$P/../aside\" \"$D/$X/metadata.json\"\n");
	fixture_mount(&fixture);
	STEP(&fixture,
	     "cmp \"$P/../new\" \"$D/$X/events.json\"\n"
	     "cmp \"$P/../new\" \"$V/$X/events.json\"\n"
	     "\"$J\" status . > \"$P/../status\"\n"
	     "grep -q 'recovered: .*1 current, 0 in history, 0 in the trash' "
	     "\"$P/../status\" || fail \"$(cat \"$P/../status\")\"\n"
	     "grep -rq 'First Title' \"$S/jpfs/history\" || fail 'not kept'\n"
	     "test \"$(ls \"$S/jpfs/staging\" | wc -l)\" -eq 1 || fail 'staging stays'\n");
	fixture_umount(&fixture);
	CHECK_INVARIANTS(&fixture);
}

/* fsync(2) has returned, and the file is still open: it was promised to last. */
static void a_synced_write_that_is_not_stored_yet_is_kept_through_a_kill(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture, "until_ok test -e \"$D/$X/events.json\"\n" IN_PIECES
		       "python3 - \"$V/$X/events.json\" ../pid ../synced <<'E'\n"
		       "import json, os, sys, time\n"
		       "text = open(sys.argv[1]).read().replace('First Title', 'another title')\n"
		       "open(sys.argv[3], 'w').write(text)\n"
		       "if os.fork():\n"
		       "    while not os.path.exists(sys.argv[2]):\n"
		       "        time.sleep(0.01)\n"
		       "    sys.exit()\n"
		       "for fd in 0, 1, 2:\n"
		       "    os.close(fd)\n"
		       "file = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)\n"
		       "os.write(file, text.encode())\n"
		       "os.fsync(file)\n"
		       "open(sys.argv[2] + '.new', 'w').write(str(os.getpid()))\n"
		       "os.rename(sys.argv[2] + '.new', sys.argv[2])\n"
		       "time.sleep(1000)\n"
		       "E\n");
	fixture_kill(&fixture, fixture.project);
	STEP(&fixture, "kill $(cat ../pid); mv ../aside \"$D/$X/metadata.json\"\n");
	fixture_mount(&fixture);
	STEP(&fixture,
	     "found=$(grep -rl 'another title' \"$S/jpfs/history\") || fail 'not kept'\n"
	     "cmp \"$found\" ../synced; grep -q 'First Title' \"$D/$X/events.json\"\n"
	     "test \"$(ls \"$S/jpfs/staging\" | wc -l)\" -eq 1 || fail 'staging stays'\n");
	fixture_umount(&fixture);
	CHECK_INVARIANTS(&fixture);
}

static void a_half_written_file_is_never_current(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	/* Valid, longer, and not closed: its writer may be about to go on. */
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"\n"
	     "cp \"$D/$X/events.json\" \"$P/../old\"\n"
	     "python3 - \"$V/$X/events.json\" \"$P/../pid\" <<'E'\n"
	     "import json, os, sys, time\n"
	     "events = json.load(open(sys.argv[1]))\n"
	     "if os.fork():\n"
	     "    while not os.path.exists(sys.argv[2]):\n"
	     "        time.sleep(0.01)\n"
	     "    sys.exit()\n"
	     "for fd in 0, 1, 2:\n"
	     "    os.close(fd)\n"
	     "file = os.open(sys.argv[1], os.O_WRONLY)\n"
	     "os.write(file, json.dumps(events + [dict(events[1], content='half')]).encode())\n"
	     "with open(sys.argv[2] + '.new', 'w') as pid:\n"
	     "    pid.write(str(os.getpid()))\n"
	     "os.rename(sys.argv[2] + '.new', sys.argv[2])\n"
	     "time.sleep(600)\n"
	     "E\n"
	     "grep -q half \"$V/$X/events.json\"\n");
	fixture_kill(&fixture, fixture.project);
	STEP(&fixture, "kill \"$(cat \"$P/../pid\")\"\n");
	fixture_mount(&fixture);
	STEP(&fixture, "cmp \"$P/../old\" \"$V/$X/events.json\"\n"
		       "cmp \"$P/../old\" \"$D/$X/events.json\"\n"
		       "grep -rq half \"$S/jpfs/trash\" || fail 'gone'\n");
	fixture_umount(&fixture);
	CHECK_INVARIANTS(&fixture);
}

static void what_is_changed_after_closing_is_half_written_again(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"\n" IN_PIECES
	     "marked() { ls \"$S\"/jpfs/staging/* | grep -q \"^$1.*events.json\"; }\n"
	     "echo '[]' > \"$V/$X/events.json\"\n"
	     "until_ok marked w\n"
	     "python3 - \"$V/$X/events.json\" \"$S/jpfs/staging\" <<'E'\n"
	     "import glob, os, sys\n"
	     "def marks():\n"
	     "    names = map(os.path.basename, glob.glob(sys.argv[2] + '/*/*events.json'))\n"
	     "    return [name[0] for name in names if not name[0].isdigit() and name[0] != 'p']\n"
	     "file = os.open(sys.argv[1], os.O_WRONLY)\n"
	     "assert marks() == ['w'], marks()\n"
	     "os.write(file, b'[ ]')\n"
	     "assert marks() == [], marks()\n"
	     "os.write(file, b' ')\n"
	     "assert marks() == [], marks()\n"
	     "E\n"
	     "until_ok marked w\n"
	     "mv \"$P/../aside\" \"$D/$X/metadata.json\"\n");
	fixture_umount(&fixture);
}

/* RELEASE comes when the kernel has time, and here never: that the writer closed is known before. */
static void what_was_closed_and_removed_at_once_is_stored(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"\n"
	     "python3 - \"$V/$X\" <<'E'\n"
	     "import json, os, shutil, sys\n"
	     "path = sys.argv[1] + '/events.json'\n"
	     "events = json.load(open(path))\n"
	     "file = os.open(path, os.O_WRONLY | os.O_TRUNC)\n"
	     "other = os.dup(file)\n"
	     "os.write(file, json.dumps(events + [dict(events[1], content='last')]).encode())\n"
	     "os.close(file)\n"
	     "shutil.rmtree(sys.argv[1])\n"
	     "E\n"
	     "until_ok grep -q last \"$D/$X/events.json\"\n");
	fixture_umount(&fixture);
	CHECK_INVARIANTS(&fixture);
}

static void what_was_synced_and_could_not_be_stored_is_kept(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture, "until_ok test -e \"$D/$X/events.json\"\n" IN_PIECES
		       "python3 - \"$V/$X/events.json\" <<'E'\n"
		       "import json, os, sys\n"
		       "path = sys.argv[1]\n"
		       "events = json.load(open(path))\n"
		       "def save(word, sync):\n"
		       "    with open(path, 'w') as file:\n"
		       "        json.dump([dict(events[1], content=word)], file)\n"
		       "        file.flush()\n"
		       "        sync and os.fsync(file.fileno())\n"
		       "save('first word', True)\n"
		       "save('second word', True)\n"
		       "os.rename(path, path + '~')\n"
		       "save('third word', False)\n"
		       "os.unlink(path + '~')\n"
		       "E\n"
		       "mv \"$P/../aside\" \"$D/$X/metadata.json\"\n"
		       "until_ok grep -q 'third word' \"$D/$X/events.json\"\n"
		       "grep -rq 'first word' \"$S/jpfs/history\" || fail 'the first is gone'\n"
		       "grep -rq 'second word' \"$S/jpfs/history\" || fail 'the second is gone'\n");
	fixture_umount(&fixture);
	CHECK_INVARIANTS(&fixture);
}

/* As `git stash` and `git stash pop` do it, with some seconds in between. */
static void what_was_removed_and_made_again_is_there_after_a_kill(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"; cp \"$V/$X/base_config.json\" ../config\n"
	     "rm \"$V/$X/base_config.json\"\n"
	     "is_quiet() { ! \"$J\" status --json | grep -E '\"(commits|projections)\": [1-9]'; }\n"
	     "sleep 3.5; until_ok is_quiet\n" IN_PIECES
	     "cp ../config \"$V/$X/base_config.json\"\n");
	fixture_kill(&fixture, fixture.project);
	STEP(&fixture,
	     "[ ! -e \"$V/$X/base_config.json\" ] || fail 'the workspace has it already'\n"
	     "mv \"$P/../aside\" \"$D/$X/metadata.json\"\n");
	fixture_mount(&fixture);
	STEP(&fixture, "cmp ../config \"$V/$X/base_config.json\"; git diff --exit-code\n");
	fixture_umount(&fixture);
	STEP(&fixture, "cmp ../config \"$V/$X/base_config.json\"; git diff --exit-code\n");
	CHECK_INVARIANTS(&fixture);
}

static void sync_without_a_mount_recovers_too(void)
{
	cleanup_fixture struct fixture fixture = {0};

	if (!fixture_begin(&fixture))
		return;
	fixture_mount(&fixture);
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"\n" IN_PIECES
	     "sed 's/First Title?/another question/' \"$V/$X/events.json\" > \"$P/../new\"\n"
	     "cp \"$P/../new\" \"$V/$X/events.json.tmp\"\n"
	     "mv \"$V/$X/events.json.tmp\" \"$V/$X/events.json\"\n");
	fixture_kill(&fixture, fixture.project);
	STEP(&fixture,
	     "mv \"$P/../aside\" \"$D/$X/metadata.json\"\n"
	     "\"$J\" sync . 2>&1 | grep 'recovered .*: 1 files are current' || fail 'says "
	     "nothing'\n"
	     "cmp \"$P/../new\" \"$D/$X/events.json\"\n"
	     "cmp \"$P/../new\" \"$V/$X/events.json\"\n"
	     "test -z \"$(ls \"$S/jpfs/staging\")\" || fail 'staging stays'\n");
	CHECK_INVARIANTS(&fixture);
}

static void another_worktree_leaves_a_live_daemon_its_files(void)
{
	cleanup_fixture struct fixture fixture = {0};
	char second[320];

	if (!fixture_begin(&fixture))
		return;
	STEP(&fixture, "git worktree add -q \"$W\" -b other\n");
	(void)snprintf(second, sizeof(second), "%.290s/wt", fixture.base);
	fixture_mount(&fixture);
	STEP(&fixture,
	     "until_ok test -e \"$D/$X/events.json\"\n" IN_PIECES
	     "sed 's/First Title?/another question/' \"$V/$X/events.json\" > \"$P/../new\"\n"
	     "cat \"$P/../new\" > \"$V/$X/events.json\"\n");
	fixture_mount_at(&fixture, second, "");
	STEP(&fixture, "test \"$(ls \"$S/jpfs/staging\" | wc -l)\" -eq 2\n"
		       "! grep -q recovered: \"$WV/.jpfs/status.json\"\n"
		       "cmp \"$P/../new\" \"$V/$X/events.json\"\n"
		       "mv \"$P/../aside\" \"$D/$X/metadata.json\"\n"
		       "until_ok cmp \"$P/../new\" \"$D/$X/events.json\"\n");
	fixture_umount_at(&fixture, second);
	fixture_umount(&fixture);
	CHECK_INVARIANTS(&fixture);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_closed_write_survives_kill),
		TEST(a_synced_write_that_is_not_stored_yet_is_kept_through_a_kill),
		TEST(a_half_written_file_is_never_current),
		TEST(what_is_changed_after_closing_is_half_written_again),
		TEST(what_was_closed_and_removed_at_once_is_stored),
		TEST(what_was_synced_and_could_not_be_stored_is_kept),
		TEST(what_was_removed_and_made_again_is_there_after_a_kill),
		TEST(sync_without_a_mount_recovers_too),
		TEST(another_worktree_leaves_a_live_daemon_its_files),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("recovery", tests);
}
