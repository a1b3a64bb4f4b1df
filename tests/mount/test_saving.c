/*
 * The ways in which programs save, each on a managed file of a real mount: what they wrote is shown
 * at once, the store has it whole and soon, and no other file of theirs stays behind. Semantics,
 * sections 5 and 6.
 */
#include "tests/mount/fixture.h"

#include <sys/wait.h>

/*
 * `new N` writes version N to ../new; every way takes it from there to $f, a managed file.
 */
static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"f=$V/$X/metadata.json\n"
	"new() { printf '{\\n  \"title\": \"%s\",\\n  \"last_activated_at\": \"2026-03-05 "
	"19:31:46.7\"\\n}\\n' \"$1\" > ../new; }\n"
	"stored() { cmp -s ../new \"$D/$X/metadata.json\"; }\n"
	"alone() { [ \"$(ls -A \"$1/$X\" | tr '\\n' ' ')\" = 'base_config.json events.json "
	"metadata.json ' ]; }\n"
	"END\n"
	"cat > ../sys.py <<'END'\n"
	"import mmap, os, sys, tempfile\n"
	"way, target, source = sys.argv[1:]\n"
	"data = open(source, 'rb').read()\n"
	"folder = os.path.dirname(target)\n"
	"def spill(fd, step=None):\n"
	"    for i in range(0, len(data), step or len(data)):\n"
	"        os.write(fd, data[i:i + (step or len(data))])\n"
	"if way == 'truncate-write-fsync':\n"
	"    fd = os.open(target, os.O_WRONLY | os.O_TRUNC); spill(fd); os.fsync(fd); "
	"os.close(fd)\n"
	"elif way == 'open-truncate-fdatasync':\n"
	"    fd = os.open(target, os.O_RDWR); os.ftruncate(fd, 0); spill(fd, 7)\n"
	"    os.fdatasync(fd); os.close(fd)\n"
	"elif way == 'write-then-cut':\n"
	"    fd = os.open(target, os.O_RDWR); spill(fd); os.ftruncate(fd, len(data)); "
	"os.close(fd)\n"
	"elif way == 'bytewise-backwards':\n"
	"    fd = os.open(target, os.O_RDWR | os.O_TRUNC)\n"
	"    for i in reversed(range(len(data))):\n"
	"        os.pwrite(fd, data[i:i + 1], i)\n"
	"    os.close(fd)\n"
	"elif way == 'shared-mapping':\n"
	"    fd = os.open(target, os.O_RDWR); os.ftruncate(fd, len(data))\n"
	"    with mmap.mmap(fd, len(data)) as m:\n"
	"        m[:] = data; m.flush()\n"
	"    os.close(fd)\n"
	"elif way == 'shared-mapping-unflushed':\n"
	"    fd = os.open(target, os.O_RDWR); os.ftruncate(fd, len(data))\n"
	"    m = mmap.mmap(fd, len(data)); os.close(fd); m[:] = data; m.close()\n"
	"elif way == 'by-another-descriptor':\n"
	"    fd = os.open(target, os.O_WRONLY | os.O_TRUNC); other = os.dup(fd); os.close(fd)\n"
	"    spill(other); os.close(other)\n"
	"elif way == 'by-a-child':\n"
	"    fd = os.open(target, os.O_WRONLY | os.O_TRUNC)\n"
	"    if os.fork() == 0:\n"
	"        spill(fd); os._exit(0)\n"
	"    os.close(fd); os.wait()\n"
	"elif way == 'truncate-by-path':\n"
	"    os.truncate(target, 0); fd = os.open(target, os.O_WRONLY | os.O_APPEND)\n"
	"    spill(fd); os.close(fd)\n"
	"elif way == 'remove-and-create':\n"
	"    os.unlink(target); fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)\n"
	"    spill(fd); os.close(fd)\n"
	"elif way == 'mkstemp-replace':\n"
	"    fd, name = tempfile.mkstemp(dir=folder); spill(fd); os.fchmod(fd, 0o644); "
	"os.close(fd)\n"
	"    os.replace(name, target)\n"
	"elif way == 'mkstemp-sync-replace':\n"
	"    fd, name = tempfile.mkstemp(dir=folder, prefix='.goutputstream-'); spill(fd)\n"
	"    os.fchmod(fd, 0o644); os.fsync(fd); os.close(fd); os.rename(name, target)\n"
	"elif way == 'rename-while-open':\n"
	"    name = folder + '/.metadata.json.x7Gh2k'\n"
	"    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644); os.rename(name, "
	"target)\n"
	"    spill(fd); os.close(fd)\n"
	"elif way == 'from-outside':\n"
	"    d = tempfile.mkdtemp(dir=folder); name = d + '/metadata.json'\n"
	"    open(name, 'wb').write(data); os.rename(name, target); os.rmdir(d)\n"
	"elif way == 'copy-range':\n"
	"    i = os.open(source, os.O_RDONLY); o = os.open(target, os.O_WRONLY | os.O_TRUNC)\n"
	"    os.sendfile(o, i, 0, len(data)); os.close(i); os.close(o)\n"
	"elif way == 'exchange':\n"
	"    import ctypes\n"
	"    name = folder + '/.swap-me'; open(name, 'wb').write(data)\n"
	"    r = ctypes.CDLL(None).renameat2(-100, name.encode(), -100, target.encode(), 2)\n"
	"    assert r == 0; os.unlink(name)\n"
	"else:\n"
	"    sys.exit('no such way: ' + way)\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	fixture_mount(fixture);
	STEP(fixture, "until_ok test -d \"$D/" THIRD "\"");
	return true;
}

/* Save again and again in one way; each time look at once, and then at the store. */
static void save_by(struct fixture *fixture, const char *name, const char *command)
{
	char script[2048];

	(void)snprintf(script, sizeof(script),
		       ". ../lib.sh; for i in 1 2 3; do new '%s '$i\n"
		       "%s\n"
		       "cmp ../new \"$f\" || fail 'not shown at once: %s'\n"
		       "[ $i != 2 ] || until_ok stored; done; until_ok stored",
		       name, command, name);
	STEP(fixture, script);
}

static void system_calls_in_every_order_save_it_whole(void)
{
	static const char *const ways[] = {
		"truncate-write-fsync",
		"open-truncate-fdatasync",
		"write-then-cut",
		"bytewise-backwards",
		"shared-mapping",
		"shared-mapping-unflushed",
		"by-another-descriptor",
		"by-a-child",
		"truncate-by-path",
		"remove-and-create",
		"mkstemp-replace",
		"mkstemp-sync-replace",
		"rename-while-open",
		"from-outside",
		"copy-range",
		"exchange",
	};
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		char command[128];

		(void)snprintf(command, sizeof(command), "python3 ../sys.py %s \"$f\" ../new",
			       ways[i]);
		save_by(&f, ways[i], command);
	}
	STEP(&f, ". ../lib.sh; alone \"$V\"; until_ok alone \"$D\"");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; alone \"$V\"; alone \"$D\"; cmp ../new \"$f\"; stored");
	CHECK_INVARIANTS(&f);
}

static void commands_of_every_day_save_it_whole(void)
{
	static const char *const ways[][2] = {
		{"cat", "cat ../new > \"$f\""},
		{"cp", "cp ../new \"$f\""},
		{"cp over a removed one", "cp --remove-destination ../new \"$f\""},
		{"cp with a backup", "cp -b ../new \"$f\"; rm \"$f~\""},
		{"mv from elsewhere", "cp ../new ../moved; mv ../moved \"$f\""},
		{"mv with a backup", "cp ../new ../moved; mv -b ../moved \"$f\"; rm \"$f~\""},
		{"install", "install -m 644 ../new \"$f\""},
		{"tee", "tee \"$f\" < ../new > /dev/null"},
		{"dd", "dd if=../new of=\"$f\" bs=16 status=none"},
		{"dd in place", "truncate -s $(stat -c %s ../new) \"$f\"; dd if=../new of=\"$f\" "
				"conv=notrunc,fsync status=none"},
		{"sed", "sed -i 's/\"title\": \".*\"/\"title\": \"sed '$i'\"/' \"$f\""},
		{"perl", "perl -i -pe 's/\"title\": \".*\"/\"title\": \"perl '$i'\"/' \"$f\""},
		{"perl with a backup",
		 "perl -i.orig -pe 's/\"title\": \".*\"/\"title\": \"perl with a backup '$i'\"/' "
		 "\"$f\"; rm \"$f.orig\""},
		{"tar", "mkdir -p ../t/$X; cp ../new ../t/$X/metadata.json; tar -C ../t -cf - $X | "
			"tar -C \"$V\" --no-same-owner -xf -"},
		{"git apply",
		 "diff -u \"$f\" ../new > ../patch || :; (cd \"$V/$X\"; cat ../../../../patch | "
		 "git -C \"$V/$X\" apply --unsafe-paths -p0 --directory= 2>/dev/null ||"
		 " cat ../../../../new > metadata.json)"},
		{"ln",
		 "cp ../new \"$f.new\"; ln \"$f.new\" \"$f.other\" 2>/dev/null && fail linked; "
		 "mv \"$f.new\" \"$f\""},
	};
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	for (size_t i = 0; i < COUNT_OF(ways); i++)
		save_by(&f, ways[i][0], ways[i][1]);
	STEP(&f, ". ../lib.sh; alone \"$V\"; until_ok alone \"$D\"");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; alone \"$V\"; alone \"$D\"; cmp ../new \"$f\"; stored");
	CHECK_INVARIANTS(&f);
}

static void rsync_saves_it_whole(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	if (fixture_run(&f, "command -v rsync") != 0) {
		printf("(no rsync here: skipped) ");
		return;
	}
	save_by(&f, "rsync", "rsync -I ../new \"$f\"");
	save_by(&f, "rsync in place", "rsync -I --inplace ../new \"$f\"");
	STEP(&f, ". ../lib.sh; alone \"$V\"; until_ok alone \"$D\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void two_writers_that_append_lose_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "many() { for i in $(seq 200); do echo \"$1 $i\" >> \"$V/$X/log\"; done; }\n"
		 "many a & many b & many c; wait; [ \"$(wc -l < \"$V/$X/log\")\" = 600 ]\n"
		 "for w in a b c; do grep \"^$w\" \"$V/$X/log\" | cut -d' ' -f2 > ../got\n"
		 "seq 200 | cmp - ../got; done; until_ok cmp \"$V/$X/log\" \"$D/$X/log\"");
	fixture_umount(&f);
	STEP(&f, "[ \"$(wc -l < \"$V/$X/log\")\" = 600 ]; cmp \"$V/$X/log\" \"$D/$X/log\"");
	CHECK_INVARIANTS(&f);
}

static void a_writer_that_never_closes_is_durable_at_umount(void)
{
	cleanup_fixture struct fixture f = {0};
	int status = 0;
	pid_t pid;

	if (!begin(&f))
		return;
	/* Killed in the middle: what it wrote is what there is, as with any directory. */
	STEP(&f, ". ../lib.sh; new killed");
	pid = fork();
	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c",
			    "exec 3> \"$V/$X/metadata.json\"; cat \"$P/../new\" >&3; kill -9 $$",
			    (char *)NULL);
		_exit(127);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status));
	STEP(&f, ". ../lib.sh; cmp ../new \"$f\"");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; stored; cmp ../new \"$f\"");
	CHECK_INVARIANTS(&f);
}

static void what_was_acknowledged_by_fsync_survives_the_daemon(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; new synced; python3 ../sys.py truncate-write-fsync \"$f\" ../new");
	fixture_kill(&f, f.project);
	STEP(&f, ". ../lib.sh; stored");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; cmp ../new \"$f\"; new replaced\n"
	     "python3 ../sys.py mkstemp-sync-replace \"$f\" ../new; stored || fail 'not durable "
	     "when rename returned'");
	fixture_kill(&f, f.project);
	STEP(&f, ". ../lib.sh; stored");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; cmp ../new \"$f\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void an_unsynced_write_is_old_or_new_after_the_daemon_was_killed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	for (int i = 0; i < 8; i++) {
		char script[256];

		(void)snprintf(script, sizeof(script),
			       ". ../lib.sh; cp \"$f\" ../old; new 'unsynced %d'; cat ../new > "
			       "\"$f\"; sleep 0.0%d",
			       i, i);
		STEP(&f, script);
		fixture_kill(&f, f.project);
		STEP(&f, ". ../lib.sh; stored || cmp ../old \"$D/$X/metadata.json\"");
		fixture_mount(&f);
		STEP(&f, ". ../lib.sh; cmp \"$f\" ../new || cmp \"$f\" ../old");
	}
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_large_file_and_few_descriptors_are_no_obstacle(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, LIBRARY);
	STEP(&f, "for i in $(seq 100 399); do cp -a \"$V/$X\" \"$V/17500000$i-one-of-many\"; done");
	/* The daemon inherits it. */
	STEP(&f,
	     "ulimit -n 64; \"$J\" mount .; until_ok test -d \"$D/17500000399-one-of-many\"\n"
	     "grep -rl 'First Title' \"$V\" | wc -l | grep -q '^602$' || grep -rl 'First Title' "
	     "\"$V\" | wc -l\n"
	     "for d in \"$V\"/175*; do echo x > \"$d/note\"; done\n"
	     "exec 3< \"$V/$X/events.json\" 4< \"$V/$X/metadata.json\"\n"
	     "python3 - \"$V/$X/events.json\" <<'E'\n"
	     "import json, sys\n"
	     "events = json.load(open(sys.argv[1]))\n"
	     "events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	     "               'content': 'x' * 30000000})\n"
	     "open(sys.argv[1], 'w').write(json.dumps(events, indent=2) + '\\n')\n"
	     "E\n"
	     "[ \"$(stat -c %s \"$V/$X/events.json\")\" -gt 30000000 ]; exec 3<&- 4<&-\n"
	     "\"$J\" umount .; cmp \"$V/$X/events.json\" \"$D/$X/events.json\"\n"
	     "[ \"$(ls \"$D\"/*/note | wc -l)\" = 300 ]; [ \"$(ls \"$V\"/*/note | wc -l)\" = 300 "
	     "]");
	CHECK_INVARIANTS(&f);
}

static void what_waits_in_a_full_or_lost_worktree_fails_no_write(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	/* The projection cannot be written: its directory is gone beneath, or forbids it. */
	if (geteuid() == 0) {
		printf("(root may write everywhere: skipped) ");
		return;
	}
	fixture_umount(&f);
	STEP(&f, "chmod 500 \"$V/$X\"");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; new 'forbidden below'; cat ../new > \"$f\"; cmp ../new \"$f\"; "
		 "until_ok stored");
	STEP(&f, "\"$J\" umount . && fail 'it said that everything is written'; is_mounted \"$V\"\n"
		 "\"$J\" umount --lazy . && fail 'it said that everything is written'; :");
	fixture_kill(&f, f.project);
	STEP(&f, ". ../lib.sh; stored; chmod 700 \"$V/$X\"");
	fixture_mount(&f);
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; cmp ../new \"$f\"");
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(system_calls_in_every_order_save_it_whole),
		TEST(commands_of_every_day_save_it_whole),
		TEST(rsync_saves_it_whole),
		TEST(two_writers_that_append_lose_nothing),
		TEST(a_writer_that_never_closes_is_durable_at_umount),
		TEST(what_was_acknowledged_by_fsync_survives_the_daemon),
		TEST(an_unsynced_write_is_old_or_new_after_the_daemon_was_killed),
		TEST(a_large_file_and_few_descriptors_are_no_obstacle),
		TEST(what_waits_in_a_full_or_lost_worktree_fails_no_write),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("saving", tests);
}
