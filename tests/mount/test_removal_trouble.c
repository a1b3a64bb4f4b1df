/*
 * Removals that do not go as rm(1) does them on a quiet machine: stopped half way, with the daemon or
 * without, by two at once, one file in a while, with files open and editors at work. Whatever it is, the
 * store has every conversation whole afterwards. Semantics, section 6.
 */
#include "tests/mount/fixture.h"

#include <signal.h>
#include <time.h>

/*
 * For every script, with `. ../lib.sh`. Conversations of three kinds, each with a note and a directory,
 * made out of the first one: `durable N` is in the store already, `brought N` only in the workspace (before
 * mounting), `fresh N` is made through the mount at this moment. `name KIND N` is the directory.
 *
 *     remove N DIRECTORY   what rm -r does, step by step, and nothing more after N steps
 *     whole KIND N         the store has it, every file: jp's own in its directory, others there or in
 *                          the trash
 *     as_it_was KIND N     the store has it, if it has it, and else the workspace, exactly as it was made
 */
static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"name() { case $1 in durable) echo 174578870$2-durable;; brought) echo "
	"174578871$2-brought;;\n"
	"  fresh) echo 174578872$2-fresh;; esac; }\n"
	"make() { mkdir \"$1\"; for f in metadata base_config events; do\n"
	"    sed \"s/First Title/$2/\" ../model/$f.json > \"$1/$f.json\"; done\n"
	"  echo \"note $2\" > \"$1/NOTE.md\"; mkdir \"$1/sub\"; echo \"deep $2\" > "
	"\"$1/sub/file\"; }\n"
	"durable() { make \"$V/$(name durable $1)\" \"durable $1\"; }\n"
	"brought() { make \"$V/$(name brought $1)\" \"brought $1\"; }\n"
	"fresh() { make \"$V/$(name fresh $1)\" \"fresh $1\"; }\n"
	"remove() { python3 ../remove.py \"$@\"; }\n"
	"store_of() { find \"$D\" -maxdepth 1 -name \"$(name $1 $2 | sed 's/-.*//')*\"; }\n"
	"expected() { rm -rf ../expected; make ../expected \"$1 $2\"; }\n"
	"whole() { expected $1 $2; d=$(store_of $1 $2); [ -n \"$d\" ] || fail \"$1 $2 is not in "
	"the store\"\n"
	"  for f in metadata base_config events; do\n"
	"    cmp ../expected/$f.json \"$d/$f.json\" || fail \"$1 $2: $f.json\"; done\n"
	"  for f in NOTE.md sub/file; do cmp -s ../expected/$f \"$d/$f\" ||\n"
	"    grep -rqxF \"$(cat ../expected/$f)\" \"$S/jpfs/trash\" || fail \"$1 $2: $f is "
	"nowhere\"; done; }\n"
	"as_it_was() { expected $1 $2; d=$(store_of $1 $2); [ -n \"$d\" ] || d=$V/$(name $1 $2)\n"
	"  diff -r ../expected \"$d\" || fail \"$1 $2 in $d\"; }\n"
	"quiet() { \"$J\" status --json \"$P\" | python3 -c 'import json, sys\n"
	"p = json.load(sys.stdin)[0][\"pending\"]; sys.exit(p[\"commits\"] + p[\"projections\"] > "
	"0)'; }\n"
	"END\n"
	"cat > ../remove.py <<'END'\n"
	"import os, sys\n"
	"left = int(sys.argv[1])\n"
	"def step(call, path):\n"
	"    global left\n"
	"    if left == 0:\n"
	"        os._exit(0)\n"
	"    left -= 1\n"
	"    call(path)\n"
	"def remove(path):\n"
	"    for entry in sorted(os.scandir(path), key=lambda e: (len(e.name) * 7 % 5, e.name)):\n"
	"        if entry.is_dir(follow_symlinks=False):\n"
	"            remove(entry.path)\n"
	"        else:\n"
	"            step(os.unlink, entry.path)\n"
	"    step(os.rmdir, path)\n"
	"remove(sys.argv[2])\n"
	"END\n"
	"cp -r \"$V/$X\" ../model\n";

/* Six files and directories, and the directory itself. */
#define STEPS "0 1 2 3 4 5 6 7"

static bool begin(struct fixture *f)
{
	if (!fixture_begin(f))
		return false;
	STEP(f, LIBRARY);
	return true;
}

/* `durable` ones are in the store, `brought` ones are not: both for each number of steps. */
static void mount_with_both(struct fixture *f)
{
	STEP(f, ". ../lib.sh; for n in " STEPS "; do durable $n; done");
	fixture_mount(f);
	STEP(f, ". ../lib.sh; for n in " STEPS
		"; do until_ok test -d \"$D/$(name durable $n)\"; done\n"
		"until_ok test -d \"$D/" THIRD "\"; until_ok quiet");
	fixture_umount(f);
	STEP(f, ". ../lib.sh; for n in " STEPS "; do brought $n; done");
	fixture_mount(f);
}

static void a_removal_that_stops_anywhere_while_the_daemon_dies_loses_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	mount_with_both(&f);
	STEP(&f, ". ../lib.sh; for n in 0 1 2 3 4 5 6; do for kind in durable brought; do\n"
		 "  remove $n \"$V/$(name $kind $n)\"; done; done");
	fixture_kill(&f, f.project);
	STEP(&f, ". ../lib.sh; for n in 0 1 2 3 4 5 6; do as_it_was durable $n; as_it_was brought "
		 "$n; done");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok quiet\n"
		 "for n in 0 1 2 3 4 5 6; do as_it_was durable $n; as_it_was brought $n; done\n"
		 "rm -rf \"$V\"/17457887*; for n in 0 1 2 3 4 5 6; do whole durable $n; whole "
		 "brought $n; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void what_was_made_a_moment_ago_outlives_a_removal_that_stops_and_the_daemon(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	/* In one script, as fast as it goes: some are stored by then, some are not. */
	STEP(&f, ". ../lib.sh; for n in " STEPS
		 "; do fresh $n; remove $n \"$V/$(name fresh $n)\"; done");
	fixture_kill(&f, f.project);
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok quiet; for n in " STEPS "; do whole fresh $n; done");
	/* Removed to the end: what is half removed is not the same on both sides. */
	STEP(&f, "rm -rf \"$V\"/17457887*");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_removal_that_stops_anywhere_leaves_everything_in_the_store(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	mount_with_both(&f);
	/* The daemon goes on, is ended at once, and is there again. */
	STEP(&f,
	     ". ../lib.sh; for n in " STEPS "; do fresh $n; for kind in fresh durable brought; do\n"
	     "  remove $n \"$V/$(name $kind $n)\"; done; done");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; for n in " STEPS "; do whole durable $n; whole fresh $n; done\n"
		 /* Of what only the workspace had nothing was to be removed when nothing was. */
		 "as_it_was brought 0; for n in 7; do whole brought $n; done");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; until_ok quiet; for n in " STEPS
	     "; do whole durable $n; whole fresh $n; done\n"
	     "rm -rf \"$V\"/17457887*; for n in " STEPS "; do for k in durable brought fresh; do\n"
	     "  whole $k $n; done; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* What was written and closed a moment ago is not stored yet when its directory goes. */
static void a_conversation_that_is_removed_as_soon_as_it_is_made_is_kept(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "python3 - \"$V\" ../model \"$D\" <<'E'\n"
		 "import os, shutil, sys\n"
		 "view, model, store = sys.argv[1:]\n"
		 "texts = {n: open(model + '/' + n).read() for n in os.listdir(model)}\n"
		 "for i in range(30):\n"
		 "    name = '17457887%02d-brief' % i\n"
		 "    os.mkdir(view + '/' + name)\n"
		 "    for n, text in texts.items():\n"
		 "        with open(view + '/' + name + '/' + n, 'w') as file:\n"
		 "            file.write(text)\n"
		 "    shutil.rmtree(view + '/' + name)\n"
		 "    for n, text in texts.items():\n"
		 "        assert open(store + '/' + name + '/' + n).read() == text, (name, n)\n"
		 "    os.rename(view + '/.jpfs/local/' + name, view + '/' + name)\n"
		 "    assert sorted(os.listdir(view + '/' + name)) == sorted(texts), name\n"
		 "E");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* rm(1) itself, and the daemon killed under it at some moment. */
static void killing_the_daemon_under_rm_loses_nothing(void)
{
	cleanup_fixture struct fixture f = {0};
	struct timespec pause = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; for n in $(seq 10 49); do durable $n; done");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; for n in $(seq 10 49); do until_ok test -d \"$D/$(name durable "
		 "$n)\"; done\n"
		 "until_ok quiet");
	for (int i = 0; i < 4; i++) {
		STEP(&f, "(rm -r \"$V\"/*-durable || :; echo > ../ended) > ../said 2>&1 &");
		pause.tv_nsec = i * 7000000;
		(void)nanosleep(&pause, NULL);
		fixture_kill(&f, f.project);
		STEP(&f, ". ../lib.sh; until_ok test -e ../ended; rm ../ended\n"
			 "for n in $(seq 10 49); do as_it_was durable $n; done");
		fixture_mount(&f);
	}
	STEP(&f,
	     ". ../lib.sh; until_ok quiet; for n in $(seq 10 49); do as_it_was durable $n; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void two_who_remove_the_same_at_once_lose_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	mount_with_both(&f);
	STEP(&f, ". ../lib.sh; for n in " STEPS "; do fresh $n; done\n"
		 "for i in 1 2 3; do rm -rf \"$V\"/17457887* 2> ../said$i & pids=\"${pids-} $!\"; "
		 "done\n"
		 "for p in $pids; do wait $p || :; done\n"
		 /* One of them may come to what another one has just removed. */
		 "cat ../said? | grep -v 'No such file' && fail 'it says something else'\n"
		 "ls \"$V\" | grep 17457887 && fail left\n"
		 "for n in " STEPS
		 "; do for kind in durable brought fresh; do whole $kind $n; done; done");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; for n in " STEPS
		 "; do for kind in durable brought fresh; do whole $kind $n\n"
		 "  done; done; ls \"$V\" | grep 17457887 && fail left; :");
	CHECK_INVARIANTS(&f);
}

static void two_who_remove_the_worktree_at_once_lose_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	mount_with_both(&f);
	STEP(&f, ". ../lib.sh; cd ..; for i in 1 2; do rm -rf project 2> said$i & pids=\"${pids-} "
		 "$!\"; done\n"
		 "for p in $pids; do wait $p || :; done; rm -rf project; [ ! -e project ]; mkdir "
		 "project\n"
		 "cd project; for n in " STEPS "; do whole durable $n; whole brought $n; done\n"
		 "for n in $X " SECOND " " THIRD "; do [ -e \"$D/$n/events.json\" ]; done");
	fixture_wait_end(&f, f.project);
}

/* Each file waits until the one before counts as removed by itself. */
static void removing_one_file_in_a_while_leaves_jps_own_in_the_store(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; durable 1; durable 2");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; for n in 1 2; do until_ok test -d \"$D/$(name durable $n)\"; done; "
		 "until_ok "
		 "quiet");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; brought 1; brought 2");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; fresh 1; fresh 2\n"
	     "all='durable brought fresh'\n"
	     "each() { for k in $all; do (cd \"$V/$(name $k $1)\" && shift && \"$@\"); done; }\n"
	     /* Of the first ones jp's own files go first, of the second ones the others. */
	     "each 1 rm metadata.json; each 2 rm NOTE.md; sleep 3.5\n"
	     "each 1 rm events.json base_config.json; each 2 rm -r sub; sleep 3.5\n"
	     "for k in $all; do whole $k 1; done; whole durable 2; whole fresh 2\n"
	     "each 1 rm NOTE.md; each 2 rm base_config.json; sleep 3.5\n"
	     "each 1 rm -r sub; each 2 rm metadata.json events.json; sleep 3.5\n"
	     "for k in $all; do rmdir \"$V/$(name $k 1)\" \"$V/$(name $k 2)\"; whole $k 1; whole "
	     "$k 2; done\n"
	     "ls \"$V\" | grep 17457887 && fail left; :");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; for k in durable brought fresh; do whole $k 1; whole $k 2; done");
	CHECK_INVARIANTS(&f);
}

static void what_editors_leave_is_no_part_of_what_a_removal_keeps(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; durable 1");
	fixture_mount(&f);
	/* Swap files of an editor that is still there, backups, a lock, names that nobody likes. */
	STEP(&f,
	     ". ../lib.sh; until_ok test -d \"$D/$(name durable 1)\"; until_ok quiet\n"
	     "d=$V/$(name durable 1); (exec 9> \"$d/.events.json.swp\"; echo swap >&9; exec sleep "
	     "1000) \\\n"
	     "  > ../open 2>&1 & echo $! > ../pid; until_ok test -s \"$d/.events.json.swp\"\n"
	     "echo x > \"$d/4913\"; echo x > \"$d/.#events.json\"; echo x > \"$d/#events.json#\"\n"
	     "cp \"$d/events.json\" \"$d/events.json~\"; ln -s events.json \"$d/link\"; mkdir "
	     "\"$d/empty\"\n"
	     "nl=$(printf 'a\\nb'); echo odd > \"$d/$nl\"; mkdir -p \"$d/sub/a/b/c\"; echo far > "
	     "\"$d/sub/a/b/c/file\"\n"
	     "rm -r \"$d\"; kill $(cat ../pid); whole durable 1; s=$(store_of durable 1)\n"
	     "until_ok grep -qx odd \"$s/$nl\"; until_ok grep -qx far \"$s/sub/a/b/c/file\"\n"
	     "[ -L \"$s/link\" ]; [ -d \"$s/empty\" ]; for n in .events.json.swp 4913; do\n"
	     "  [ ! -e \"$s/$n\" ] || fail \"$n\"; done");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; s=$(store_of durable 1); ls -A \"$s\" > ../names; for n in "
		 ".events.json.swp "
		 "4913; do\n"
		 "  grep -qxF $n ../names && fail \"$n: $(cat ../names)\"; done; :");
	CHECK_INVARIANTS(&f);
}

static void who_has_files_open_goes_on_with_them_when_their_directory_goes(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; durable 1; durable 2; durable 3");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; for n in 1 2 3; do until_ok test -d \"$D/$(name durable $n)\"; done; "
	     "until_ok "
	     "quiet\n"
	     "python3 - \"$V\" $(name durable 1) $(name durable 2) $(name durable 3) <<'E'\n"
	     "import os, shutil, sys, time\n"
	     "view, first, second, third = sys.argv[1:]\n"
	     "files = 'metadata.json', 'base_config.json', 'events.json', 'NOTE.md', 'sub/file'\n"
	     "def bytes_of(fd):\n"
	     "    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n"
	     "    return os.pread(fd, 100000, 0)\n"
	     "def hold(name, flags):\n"
	     "    return {n: os.open('%s/%s/%s' % (view, name, n), flags) for n in files}\n"
	     "readers, writers, others = hold(first, os.O_RDONLY), hold(second, os.O_RDWR), "
	     "hold(third, os.O_RDWR)\n"
	     "before = {n: bytes_of(fd) for n, fd in readers.items()}\n"
	     "for n in files:\n"
	     "    os.pwrite(others[n], b' ', len(bytes_of(others[n])))\n"
	     "for name in first, second, third:\n"
	     "    shutil.rmtree(view + '/' + name)\n"
	     "for again in range(2):\n"
	     "    for n in files:\n"
	     "        assert bytes_of(readers[n]) == before[n], n\n"
	     "        assert os.fstat(readers[n]).st_size == len(before[n]), n\n"
	     "        for fds in writers, others:\n"
	     "            was = bytes_of(fds[n])\n"
	     "            assert os.pwrite(fds[n], b'late', len(was)) == 4\n"
	     "            os.fsync(fds[n])\n"
	     "            assert bytes_of(fds[n]) == was + b'late', n\n"
	     "    time.sleep(0.5)\n"
	     "for fds in readers, writers, others:\n"
	     "    for fd in fds.values():\n"
	     "        os.close(fd)\n"
	     "E\n"
	     "until_ok quiet; whole durable 1; whole durable 2; s=$(store_of durable 3)\n"
	     /* A blank more, if it was taken for the last one. */
	     "for f in metadata base_config events; do\n"
	     "  grep -q late \"$s/$f.json\" && fail \"$f has what came late\"\n"
	     "  python3 -m json.tool \"$s/$f.json\" > ../seen; python3 -m json.tool "
	     "../model/$f.json |\n"
	     "    sed 's/First Title/durable 3/' | cmp - ../seen; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* git puts a conversation back while somebody still writes to the one that went. */
static void what_is_written_to_a_removed_file_does_not_come_to_its_successor(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; until_ok quiet\n"
		 "python3 - \"$V/$X\" \"$P\" <<'E'\n"
		 "import os, shutil, subprocess, sys, time\n"
		 "path, project = sys.argv[1:]\n"
		 "text = open(path + '/events.json').read()\n"
		 "fd = os.open(path + '/events.json', os.O_RDWR)\n"
		 "shutil.rmtree(path)\n"
		 "subprocess.run(['git', '-C', project, 'checkout', '-q', '--', '.'], check=True)\n"
		 "for again in range(3):\n"
		 "    os.ftruncate(fd, 0)\n"
		 "    os.pwrite(fd, b'[]', 0)\n"
		 "    os.fsync(fd)\n"
		 "    assert open(path + '/events.json').read() == text\n"
		 "    time.sleep(0.3)\n"
		 "os.close(fd)\n"
		 "time.sleep(0.3)\n"
		 "assert open(path + '/events.json').read() == text\n"
		 "E\n"
		 "until_ok quiet; cmp ../model/events.json \"$D/$X/events.json\"; git status "
		 "--porcelain | grep . "
		 "&& fail dirty; :");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_removal_that_stops_anywhere_while_the_daemon_dies_loses_nothing),
		TEST(what_was_made_a_moment_ago_outlives_a_removal_that_stops_and_the_daemon),
		TEST(a_removal_that_stops_anywhere_leaves_everything_in_the_store),
		TEST(a_conversation_that_is_removed_as_soon_as_it_is_made_is_kept),
		TEST(killing_the_daemon_under_rm_loses_nothing),
		TEST(two_who_remove_the_same_at_once_lose_nothing),
		TEST(two_who_remove_the_worktree_at_once_lose_nothing),
		TEST(removing_one_file_in_a_while_leaves_jps_own_in_the_store),
		TEST(what_editors_leave_is_no_part_of_what_a_removal_keeps),
		TEST(who_has_files_open_goes_on_with_them_when_their_directory_goes),
		TEST(what_is_written_to_a_removed_file_does_not_come_to_its_successor),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("removal trouble", tests);
}
