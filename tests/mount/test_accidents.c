/*
 * What happens to a mount that nobody meant to happen: its connection is cut, somebody else takes it
 * away, its files are removed from beneath it, it runs out of descriptors, what jpfs knows of it is
 * damaged, clocks are wrong. Semantics, sections 6, 7, 8 and 10.
 *
 * Each ends with the invariants, and with a mount that works again.
 */
#include "tests/mount/fixture.h"

static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	/* Save metadata.json of a conversation again and again, in two ways; the title of each that was
	 * closed without an error is a line of ../closed. It ends at the first error. */
	"save_many() { python3 - \"$V/$X/metadata.json\" <<'E' &\n"
	"import os, sys\n"
	"path = sys.argv[1]\n"
	"closed = open(os.environ['P'] + '/../closed', 'w')\n"
	"for n in range(1000000):\n"
	"    text = '{\\n  \"title\": \"save %d\",\\n  \"last_activated_at\": \"2026-03-06 "
	"10:00:00.0\"\\n}\\n' % n\n"
	"    try:\n"
	"        with open(path if n % 2 else path + '.new', 'w') as file:\n"
	"            file.write(text)\n"
	"            file.flush()\n"
	"            os.fsync(file.fileno())\n"
	"        if not n % 2:\n"
	"            os.rename(path + '.new', path)\n"
	"    except OSError:\n"
	"        break\n"
	"    print('save %d' % n, file=closed, flush=True)\n"
	"E\n"
	"}\n"
	"some_saves() { [ \"$(wc -l < ../closed)\" -gt 20 ]; }\n"
	/* What was closed last is what the store has; of the save that failed, it may have all. */
	"last_is_stored() { n=$(sed -n '$s/save //p' ../closed); t=$(title \"$D/$X\")\n"
	"  [ \"$t\" = \"save $n\" ] || [ \"$t\" = \"save $((n+1))\" ]; }\n"
	"daemon() { \"$J\" status --json . | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'; }\n"
	"lines() { find \"$D\" -type f -exec cksum {} + | sort; }\n"
	"END\n"
	"chmod 755 ../lib.sh\n";

static bool begin(struct fixture *f)
{
	if (!fixture_begin(f))
		return false;
	STEP(f, LIBRARY);
	return true;
}

static void mount_and_wait(struct fixture *f)
{
	fixture_mount(f);
	STEP(f, "for n in $X " SECOND " " THIRD "; do until_ok test -d \"$D/$n\"; done");
}

/* Mounting and unmounting other places is root's; a test that needs it says so and is over. */
static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	printf("(not root: skipped) ");
	return false;
}

static void a_connection_that_is_aborted_loses_nothing_that_was_closed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!is_root() || !begin(&f))
		return;
	for (int i = 0; i < 5; i++) {
		mount_and_wait(&f);
		STEP(&f, ". ../lib.sh; C=/sys/fs/fuse/connections\n"
			 "[ -n \"$(ls $C)\" ] || mount -t fusectl none $C\n"
			 "n=$(stat -c %d \"$V\"); n=$((n & 255 | n >> 12 & 1048320)); rm -f "
			 "../closed; save_many\n"
			 "while cat \"$V/" SECOND "/events.json\" && [ -e \"$V/.jpfs\" ]; do :; "
			 "done > /dev/null 2>&1 & reader=$!\n"
			 "p=$(daemon); ended() { grep -q ') Z ' /proc/$p/stat; }\n"
			 "until_ok some_saves; echo 1 > $C/$n/abort; wait $reader || :; wait\n"
			 "until_ok last_is_stored; until_ok ended");
		fixture_kill(&f, f.project); /* it is over; its log names the abort, as it should */
		STEP(&f, ". ../lib.sh; ! is_mounted \"$V\" || \"$J\" umount .; last_is_stored");
	}
	fixture_mount(&f);
	/* The file that was just being written is like any that its writer did not finish: a draft. */
	STEP(&f, ". ../lib.sh; last_is_stored; same() { cmp -s \"$V/$X/metadata.json\" "
		 "\"$D/$X/metadata.json\"; }\n"
		 "same || { \"$J\" status . | grep -q draft; \"$J\" discard $X; until_ok same; }; "
		 "last_is_stored");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_mount_that_somebody_else_detaches_serves_what_is_open_to_its_end(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!is_root() || !begin(&f))
		return;
	mount_and_wait(&f);
	STEP(&f, "exec 3< \"$V/$X/metadata.json\"; exec 4>> \"$V/" SECOND "/NOTE\"\n"
		 "sed 's/Third/Changed/' \"$D/" THIRD "/metadata.json\" > ../m\n"
		 "exec 5> \"$V/" THIRD "/metadata.json\"; umount -l \"$V\"; not is_mounted \"$V\"\n"
		 "cat <&3 | cmp - \"$D/$X/metadata.json\"; echo later >&4; cat ../m >&5\n"
		 "exec 3<&- 4>&- 5>&-; until_ok cmp ../m \"$D/" THIRD "/metadata.json\"\n"
		 "until_ok grep -q later \"$D/" SECOND "/NOTE\"");
	fixture_wait_end(&f, f.project);
	STEP(&f, "cmp ../m \"$V/" THIRD "/metadata.json\"; cmp \"$V/" SECOND "/NOTE\" \"$D/" SECOND
		 "/NOTE\"");
	CHECK_INVARIANTS(&f);
}

static void what_another_namespace_removes_beneath_a_mount_changes_nothing_in_the_store(void)
{
	cleanup_fixture struct fixture f = {0};
	char other[300];

	if (!is_root() || !begin(&f))
		return;
	(void)snprintf(other, sizeof(other), "%.255s/wt", f.base);
	mount_and_wait(&f);
	STEP(&f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&f, other, "");
	STEP(&f,
	     ". ../lib.sh; lines > ../before\n"
	     "until_ok grep -q '\"projections\": 0' \"$WV/.jpfs/status.json\"\n"
	     /* Only what is beneath: the mount is still there, and shows what the store has. */
	     "unshare -m sh -c 'umount \"$WV\"; rm -rf \"$WV\"/*; [ -z \"$(ls \"$WV\")\" ]'\n"
	     "diff -r \"$WV\" \"$V\"; lines | cmp - ../before\n"
	     "python3 - \"$WV/$X/events.json\" <<'E'\n"
	     "import json, sys\n"
	     "events = json.load(open(sys.argv[1]))\n"
	     "events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request', "
	     "'content': 'After'})\n"
	     "open(sys.argv[1], 'w').write(json.dumps(events))\n"
	     "E\n"
	     "until_ok grep -q After \"$D/$X/events.json\"; lines > ../before; \"$J\" sync \"$W\"\n"
	     /* All of it: the kernel then takes the mount away, and asks nobody. */
	     "unshare -m sh -c 'umount \"$WV\"; rm -rf \"$W\"'; [ ! -e \"$W\" ]");
	fixture_wait_end(&f, other);
	STEP(&f, ". ../lib.sh; lines | cmp - ../before; diff -r \"$D\" \"$V\"\n"
		 "git worktree prune; git worktree add -q \"$W\" side");
	fixture_mount_at(&f, other, "");
	STEP(&f, ". ../lib.sh; grep -q After \"$WV/$X/events.json\"; lines | cmp - ../before");
	fixture_umount_at(&f, other);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_check_at(&f, other, __FILE__, __LINE__);
}

static void a_daemon_that_a_copied_namespace_keeps_alive_is_the_only_one(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!is_root() || !begin(&f))
		return;
	mount_and_wait(&f);
	STEP(&f,
	     ". ../lib.sh; p=$(daemon); unshare -m --propagation private sleep 1000 & holder=$!\n"
	     "trap 'kill $holder' EXIT\n"
	     "apart() { [ \"$(readlink /proc/$holder/ns/mnt)\" != \"$(readlink /proc/$$/ns/mnt)\" "
	     "]; }\n"
	     "until_ok apart; umount \"$V\"; kill -0 $p; lines > ../before\n"
	     "\"$J\" status . > ../said 2>&1 || :; grep -q \"$p\" ../said\n"
	     "if \"$J\" mount . > ../said 2>&1; then fail 'a second daemon'; fi\n"
	     "grep -q \"$p\" ../said || { cat ../said; fail 'it does not say which'; }\n"
	     "grep -q '^hint: ' ../said; \"$J\" umount .\n"
	     "lines | cmp - ../before");
	fixture_wait_end(&f, f.project);
	mount_and_wait(&f);
	/* The other way around: `jpfs umount` itself, while the copy is there. */
	STEP(&f, ". ../lib.sh; unshare -m --propagation private sleep 1000 & holder=$!\n"
		 "trap 'kill $holder' EXIT\n"
		 "apart() { [ \"$(readlink /proc/$holder/ns/mnt)\" != \"$(readlink "
		 "/proc/$$/ns/mnt)\" ]; }\n"
		 "until_ok apart; \"$J\" umount .; not is_mounted \"$V\"");
	fixture_wait_end(&f, f.project);
	CHECK_INVARIANTS(&f);
}

static void a_second_daemon_for_the_same_directory_is_refused_and_says_so(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!is_root() || !begin(&f))
		return;
	mount_and_wait(&f);
	/* The directory beneath the mount by another path: nothing is mounted there to be seen. */
	STEP(&f,
	     ". ../lib.sh; p=$(daemon); mkdir ../again; mount --bind . ../again\n"
	     "trap 'umount -l ../again' EXIT; [ -e ../again/.jp/conversations/$X ]\n"
	     "for command in 'mount -f' mount sync; do\n"
	     "  if timeout 100 \"$J\" $command ../again > ../said 2>&1; then fail \"$command\"; "
	     "fi\n"
	     "  grep -q \"process $p\\b\" ../said || { cat ../said; fail \"$command: which?\"; }\n"
	     "  grep -q '^hint: ' ../said || { cat ../said; fail 'no hint'; }; done\n"
	     "[ \"$(daemon)\" = $p ]; diff -r \"$V\" \"$D\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void few_descriptors_are_enough_for_many_files(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     "for i in $(seq 100 399); do cp -a .jp/conversations/$X "
	     ".jp/conversations/17457886$i-n\n"
	     "done; prlimit --nofile=64:64 \"$J\" mount .; is_mounted \"$V\"\n"
	     "python3 - <<'E'\n"
	     "import os, resource, time\n"
	     "resource.setrlimit(resource.RLIMIT_NOFILE, (4096, "
	     "resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
	     "view, refused, opened, written = os.environ['V'], 0, [], {}\n"
	     "def attempt(action, *arguments):\n"
	     "    global refused\n"
	     "    try:\n"
	     "        return action(*arguments)\n"
	     "    except OSError as error:\n"
	     "        assert error.errno in (23, 24), error  # ENFILE, EMFILE: it says why\n"
	     "        refused += 1\n"
	     "names = sorted(os.listdir(view))\n"
	     "assert len(names) == 303, len(names)\n"
	     "for name in names:\n"
	     "    for file in 'events.json', 'metadata.json':\n"
	     "        opened.append(attempt(open, os.path.join(view, name, file), 'rb'))\n"
	     "for file in filter(None, opened):\n"
	     "    text = attempt(file.read)\n"
	     "    assert text is None or text[-2:] in (b']\\n', b'}\\n'), (file.name, text)\n"
	     "for name in names[:100]:\n"
	     "    path = os.path.join(view, name, 'metadata.json')\n"
	     "    file = attempt(open, path + '.new', 'w')\n"
	     "    if file and attempt(file.write, '{\"title\": \"%s\"}' % name) and "
	     "attempt(file.close) is None:\n"
	     "        attempt(os.rename, path + '.new', path)\n"
	     "for file in filter(None, opened):\n"
	     "    file.close()\n"
	     /* The cause is gone: all of it works, without being mounted anew. What a version that was
		  * replaced is held open by is closed when the kernel has forgotten it: a moment later. */
	     "def save(path, text):\n"
	     "    with open(path + '.new', 'w') as file:\n"
	     "        file.write(text)\n"
	     "    os.rename(path + '.new', path)\n"
	     "    assert open(path).read() == text\n"
	     "    return True\n"
	     "for name in names:\n"
	     "    path, tries = os.path.join(view, name, 'metadata.json'), 0\n"
	     "    while not attempt(save, path, '{\"title\": \"%s\"}' % name):\n"
	     "        tries += 1\n"
	     "        assert tries < 2000, name\n"
	     "        time.sleep(0.05)\n"
	     "E\n"
	     "\"$J\" ls . > ../said; [ \"$(wc -l < ../said)\" -ge 303 ]; \"$J\" sync .\n"
	     "\"$J\" umount .; for d in \"$V\"/17457886*; do n=${d##*/}\n"
	     "  grep -qF \"\\\"$n\\\"\" \"$D/$n/metadata.json\" || fail \"lost: $n\"; done\n"
	     "find \"$V\" \"$D\" -name '*.new' | grep . && fail left || :");
	CHECK_INVARIANTS(&f);
}

static void a_damaged_base_record_costs_no_version(void)
{
	static const char *const damage[] = {
		"truncate -s 0",
		"truncate -s 100",
		"truncate -s 16M",
		"flip 0",
		"flip 40",
		"flip 77",
		"flip 200",
		"flip 333",
		"sed -i 1d",
		"sed -i 2d",
		"sed -i 2p",
		"tac_file",
		"dd if=/dev/urandom bs=1k count=4 status=none of",
		"replace_by_link",
	};
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	mount_and_wait(&f);
	fixture_umount(&f);
	for (size_t i = 0; i < COUNT_OF(damage); i++) {
		char script[2000];

		(void)snprintf(
			script, sizeof(script),
			"flip() { python3 -c \"import sys; f = open(sys.argv[2], 'r+b')\n"
			"f.seek(int(sys.argv[1])); b = f.read(1); f.seek(int(sys.argv[1]))\n"
			"f.write(bytes([b[0] ^ 4]))\" \"$@\"; }\n"
			"tac_file() { tac \"$1\" > ../t; cat ../t > \"$1\"; }\n"
			"replace_by_link() { cp \"$1\" ../elsewhere; ln -sf \"$P/../elsewhere\" "
			"\"$1\"; }\n"
			"dd() { command dd \"$1\" \"$2\" \"$3\" \"$4\" of=\"$6\"; }\n"
			"for r in \"$S\"/jpfs/workspaces/*; do\n"
			"  case $(head -c 9 \"$r\") in 'jpfs base') %s \"$r\" ;; esac; done\n"
			"grep -rlq 'jpfs base' \"$S/jpfs/workspaces\" || :\n"
			/* An edit on one side, a turn on the other: both are to be had afterwards. */
			"sed -i 's/\"title\": .*/\"title\": \"edit %zu\",/' "
			".jp/conversations/$X/metadata.json\n"
			"sed -i 's/Second Title?/Second Title? %zu/' \"$D/" SECOND
			"/events.json\"\n"
			"cp .jp/conversations/$X/metadata.json ../m; cp \"$D/" SECOND
			"/events.json\" ../e",
			damage[i], i, i);
		STEP(&f, script);
		fixture_mount(&f);
		STEP(&f, "kept() { for k in \"$D/$1/$2\" \"$S/jpfs/history/${1%%-*}/\"*; do\n"
			 "  cmp -s \"$3\" \"$k\" && return 0; done; return 1; }\n"
			 "until_ok kept $X metadata.json ../m; until_ok kept " SECOND
			 " events.json ../e\n"
			 "[ ! -e ../elsewhere ] || cmp ../elsewhere ../elsewhere");
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

static void clocks_that_jump_cost_no_version(void)
{
	static const char *const times[] = {"2106-01-01", "1970-01-01", "1901-12-14",  "2038-01-19",
					    "2200-07-01", "@0",         "@-1000000000"};
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		char script[2000];

		/* All times of both sides, of what is in between, and of the directories; then an edit that
		 * is as old as that, unmounted, and one through the mount. */
		(void)snprintf(script, sizeof(script),
			       "find .jp \"$S\" 2> /dev/null | xargs -d '\\n' touch -h -d '%s' 2> "
			       "/dev/null || :\n"
			       "sed -i 's/\"title\": .*/\"title\": \"edit %zu\",/' "
			       ".jp/conversations/$X/metadata.json\n"
			       "touch -d '%s' .jp/conversations/$X/metadata.json\n"
			       "cp .jp/conversations/$X/metadata.json ../m",
			       times[i], i, times[i]);
		STEP(&f, script);
		mount_and_wait(&f);
		(void)snprintf(
			script, sizeof(script),
			"kept() { for k in \"$D/$1/$2\" \"$S/jpfs/history/${1%%%%-*}/\"*; do\n"
			"  cmp -s \"$3\" \"$k\" && return 0; done; return 1; }\n"
			"until_ok kept $X metadata.json ../m\n"
			"sed -i 's/\"content\": .*/\"content\": \"mounted %zu\"/' \"$V/" SECOND
			"/events.json\"\n"
			"touch -d '%s' \"$V/" SECOND "/events.json\"\n"
			"sed 's/\"title\": .*/\"title\": \"in the store %zu\",/' \"$D/" THIRD
			"/metadata.json\" > \"$D/" THIRD "/metadata.json.tmp\"\n"
			"touch -d '%s' \"$D/" THIRD "/metadata.json.tmp\"\n"
			"mv \"$D/" THIRD "/metadata.json.tmp\" \"$D/" THIRD "/metadata.json\"\n"
			"[ \"$(title \"$V/" THIRD "\")\" = 'in the store %zu' ]\n"
			"until_ok grep -q 'mounted %zu' \"$D/" SECOND "/events.json\"\n"
			"\"$J\" ls . > /dev/null; \"$J\" ls --json . > /dev/null; \"$J\" status . "
			"> "
			"/dev/null; \"$J\" history -C . > /dev/null; \"$J\" gc --dry-run -C . > "
			"/dev/null",
			i, times[i], i, times[i], i, i);
		STEP(&f, script);
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

/* Beneath the mount, where only a bind mount from before leads. */
static void an_archive_that_went_beneath_is_made_again(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	if (geteuid() != 0) {
		(void)printf("(not root: skipped) ");
		return;
	}
	STEP(&f, "mkdir ../under .jp/conversations/.archive; mount --bind .jp ../under\n");
	fixture_mount(&f);
	STEP(&f, "trap 'umount -l ../under' EXIT\n"
		 "ls -a \"$V/.archive\"; rmdir ../under/conversations/.archive\n"
		 "mkdir \"$V/.archive/17457886300-made\"; cp \"$V/$X\"/*.json "
		 "\"$V/.archive/17457886300-made/\"\n"
		 "until_ok cmp \"$V/$X/events.json\" \"$D/.archive/17457886300-made/events.json\"\n"
		 "until_ok cmp \"$V/$X/events.json\" "
		 "../under/conversations/.archive/17457886300-made/events.json\n"
		 "umount ../under; trap - EXIT; rmdir ../under");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(an_archive_that_went_beneath_is_made_again),
		TEST(a_connection_that_is_aborted_loses_nothing_that_was_closed),
		TEST(a_mount_that_somebody_else_detaches_serves_what_is_open_to_its_end),
		TEST(what_another_namespace_removes_beneath_a_mount_changes_nothing_in_the_store),
		TEST(a_daemon_that_a_copied_namespace_keeps_alive_is_the_only_one),
		TEST(a_second_daemon_for_the_same_directory_is_refused_and_says_so),
		TEST(few_descriptors_are_enough_for_many_files),
		TEST(a_damaged_base_record_costs_no_version),
		TEST(clocks_that_jump_cost_no_version),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("accidents", tests);
}
