/*
 * `jpfs ls`: what it lists, mounted or not, and how it prints what others wrote. Semantics,
 * sections 2 and 3.
 */
#include "tests/mount/fixture.h"

/*
 * The functions that the scripts here use, with `. ../ls.sh` at their start:
 *
 *     listed DIR ARGUMENT...   one word a conversation, in the order listed: ID:presence, and
 *                              /archived, /draft, /damaged after it
 *     is EXPECTED DIR ARGUMENT...
 *     on_terminal COLUMNS COMMAND...   its output on a terminal of that width
 */
static const char LIBRARY[] =
	"cat > ../ls.sh <<'END'\n"
	"listed() { \"$J\" ls --json \"$@\" | python3 -c 'import json, sys\n"
	"print(\" \".join(c[\"id\"][-2:] + \":\" + c[\"presence\"] +\n"
	"  \"\".join(\"/\" + k for k in (\"archived\", \"draft\", \"damaged\") if c[k])\n"
	"  for c in json.load(sys.stdin)))'; }\n"
	"is() { want=$1; shift; got=$(listed \"$@\"); [ \"$got\" = \"$want\" ] ||\n"
	"  fail \"$got, not $want\"; }\n"
	"on_terminal() { python3 - \"$@\" <<'E'\n"
	"import fcntl, os, pty, select, struct, sys, termios, time\n"
	"deadline = time.monotonic() + 20\n"
	"pid, fd = pty.fork()\n"
	"if pid == 0:\n"
	"    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))\n"
	"    os.execvp(sys.argv[2], sys.argv[2:])\n"
	"while select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:\n"
	"    try:\n"
	"        got = os.read(fd, 4096)\n"
	"    except OSError:\n"
	"        break\n"
	"    os.write(1, got)\n"
	"E\n"
	"}\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	return true;
}

static void presence_is_told_mounted_and_not_and_from_another_worktree(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	/* Nothing is kept yet. */
	STEP(&f, ". ../ls.sh; is '43:workspace-only 44:workspace-only 45:workspace-only'\n"
		 "[ ! -e \"$S\" ]");
	fixture_mount(&f);
	STEP(&f, ". ../ls.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
		 "for i in 1 2 3; do is '43:projected 44:projected 45:projected'; done\n"
		 "cp -a \"$D/$X\" \"$D/17457886099-local-only\"\n"
		 "is '43:projected 44:projected 45:projected 99:local'; is '99:local' --local\n"
		 "is '99:local 45:projected 44:projected 43:projected' -r --sort id\n"
		 "is '43:projected 44:projected 45:projected 99:local' .jp/conversations/$X\n"
		 "rm -r \"$V/$X\"; is '43:local 44:projected 45:projected 99:local' --sort id\n"
		 "git worktree add -q \"$W\"; rm -r \"$WV/17457886044-second-title\"\n"
		 "mkdir \"$WV/17457886088-other\"; cp \"$WV/$X\"/*.json "
		 "\"$WV/17457886088-other\"\n"
		 "is '43:projected 44:local 45:projected 88:workspace-only 99:local' --sort id "
		 "\"$W\"");
	fixture_umount(&f);
	STEP(&f, ". ../ls.sh; is '43:local 44:projected 45:projected 99:local' --sort id\n"
		 "is '43:local 44:projected 45:projected 99:local' --sort id -C .jp");
	fixture_mount_at(&f, f.project, "ro");
	STEP(&f, ". ../ls.sh; is '43:local 44:projected 45:projected 99:local' --sort id");
	fixture_umount(&f);
}

static void every_key_is_there(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/17457886045-third-title\"\n"
	     "mkdir -p \"$S/jpfs/origins\"; echo feature > \"$S/jpfs/origins/17457886043\"\n"
	     "cat > \"$V/$X/metadata.json\" <<'E'\n"
	     "{\"title\": \"Ein Titel: 日本\", \"last_activated_at\": \"2026-03-05 19:31:45.0\",\n"
	     " \"pinned_at\": \"2026-03-05 19:31:45.0\",\n"
	     " \"expires_at\": \"2030-01-01T02:00:00+02:00\"}\n"
	     "E\n"
	     "\"$J\" ls --json --sort id > ../list.json\n"
	     "python3 - <<'E'\n"
	     "import json, os\n"
	     "one, two, three = json.load(open('../list.json'))\n"
	     "path = os.environ['V'] + '/' + os.environ['X']\n"
	     "size = sum(os.path.getsize(os.path.join(path, n)) for n in os.listdir(path))\n"
	     "want = dict(id='17457886043', title='Ein Titel: 日本', directory=os.environ['X'],\n"
	     "  path=path, presence='projected', archived=False, draft=False, pinned=True,\n"
	     "  damaged=[], events=2, turns=1, size=size, created='2025-04-27T21:16:44.3Z',\n"
	     "  last_activity='2026-03-05T19:31:46.5Z', expires_at='2030-01-01T00:00:00Z',\n"
	     "  origin='feature')\n"
	     "assert one == want, (one, want)\n"
	     "assert list(one) == list(want), list(one)\n"
	     "assert two['origin'] is None and two['expires_at'] is None, two\n"
	     "assert two['pinned'] is False and list(two) == list(want), two\n"
	     "E\n"
	     "\"$J\" ls > ../out; head -n 1 ../out | grep -q "
	     "'^ID  *EVENTS  ACTIVITY  *SIZE  PRESENCE  *STATE  *EXPIRES  *ORIGIN  *TITLE$'\n"
	     "grep -q '^17457886043  *2  .*projected  pinned  .*feature  Ein Titel: 日本$' "
	     "../out");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void archived_ones_are_listed_on_request(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../ls.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
	     "mkdir -p \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive\"\n"
	     "until_ok test -d \"$D/.archive/$X\"; cp -a \"$D/.archive/$X\" "
	     "\"$D/.archive/17457886099\"\n"
	     "is '44:projected 45:projected'\n"
	     "is '43:projected/archived 44:projected 45:projected 99:local/archived' "
	     "--archived\n"
	     "is '99:local/archived' --archived --local; is '' --local\n"
	     "\"$J\" ls --archived | grep '^17457886099' | grep -q ' local  *archived  *First'\n"
	     "\"$J\" ls | grep STATE && fail 'a column of nothing'\n"
	     "\"$J\" ls --json --archived | grep -qF \"\\\"path\\\": \\\"$V/.archive/$X\\\"\"");
	fixture_umount(&f);
	STEP(&f, ". ../ls.sh\n"
		 "is '43:projected/archived 44:projected 45:projected 99:local/archived' "
		 "--archived");
}

static void drafts_are_marked_and_show_what_is_here(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../ls.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
	     "printf '[\\n  {\"timestamp\": 1, \"type\": 2},\\n<<<<<<<' > \"$V/$X/events.json\"\n"
	     "until_ok grep -q 17457886043 \"$V/.jpfs/status.json\"\n"
	     "is '43:projected/draft/damaged 44:projected 45:projected' --sort id\n"
	     "\"$J\" ls | grep -q '^17457886043  *1 .*draft, damaged *First Title'\n"
	     "git worktree add -q \"$W\"; is '43:projected 44:projected 45:projected' \"$W\"\n"
	     "git -C \"$P\" checkout -q -- .jp/conversations\n"
	     "until_ok is '43:projected 44:projected 45:projected'");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void what_was_just_written_is_listed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/17457886045-third-title\"; for i in 1 2 3 4 5 6 7 8; do\n"
		 "sed -i \"s/Title.*/Title $i\\\",/\" \"$V/$X/metadata.json\"\n"
		 "\"$J\" ls | grep -q \"First Title $i\\$\" || fail \"not $i\"; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void odd_titles_do_no_harm(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../ls.sh\n"
	     "new() { mkdir \".jp/conversations/$1\"; cp .jp/conversations/$X/*.json "
	     "\".jp/conversations/$1\"\n"
	     "  printf '%s' \"$2\" > \".jp/conversations/$1/metadata.json\"; }\n"
	     "new 17457886050 '{\"title\": "
	     "\"a\\u001b[31m\\u009b31mred\\u007f\\nnext\\u202eline\\u0000\"}'\n"
	     "new 17457886051-\"$(printf '\\033[31m\\377')\" '{\"title\": "
	     "\"日本語のタイトル日本語のタイトル日本語のタイトル\"}'\n"
	     "new 17457886052-x \"{\\\"title\\\": \\\"$(yes long | head -n 5000 | tr '\\n' ' "
	     "')\\\"}\"\n"
	     "new 17457886053-x '{\"title\": null}'\n"
	     "new 17457886054-x '{\"title\": '\n"
	     "new 17457886055-x '{}'; rm .jp/conversations/17457886055-x/metadata.json\n"
	     "new 17457886056-x '{}'; rm .jp/conversations/17457886056-x/*\n"
	     "mkdir .jp/conversations/notes; touch .jp/conversations/17457886057-file\n"
	     "ln -s $X .jp/conversations/17457886058-link\n"
	     "w=workspace-only; is \"43:$w 44:$w 45:$w 50:$w 51:$w 52:$w 53:$w 54:$w/damaged "
	     "55:$w/damaged 56:$w/damaged\" --sort id\n"
	     "for n in 20 40 80 200; do on_terminal $n env TERM=xterm NO_COLOR=1 \"$J\" ls > "
	     "../out\n"
	     "python3 - $n <<'E'\n"
	     "import sys, unicodedata\n"
	     "text = open('../out', newline='').read()\n"
	     "wide = lambda s: sum(2 if unicodedata.east_asian_width(c) in 'WF' else 1 for c in "
	     "s)\n"
	     "lines = text.split('\\r\\n')\n"
	     "assert len(lines) == 12 and lines[-1] == '', lines\n"
	     "# On the narrowest, the ID and the state are left, and something of the title.\n"
	     "assert all(wide(l) <= max(int(sys.argv[1]), 38) for l in lines), lines\n"
	     "assert all(c.isprintable() for l in lines for c in l), lines\n"
	     "E\n"
	     "done\n"
	     "\"$J\" ls > ../out; grep -q '  a?\\[31m?31mred??next?line?$' ../out\n"
	     "grep -q '日本語のタイトル日本語のタイトル日本語のタイトル$' ../out\n"
	     "[ \"$(wc -L < ../out)\" -gt 25000 ]; LC_ALL=C grep -q '[[:cntrl:]]' ../out && fail "
	     "control\n"
	     "\"$J\" ls --json > ../out; python3 - <<'E'\n"
	     "import json, os\n"
	     "raw = open('../out', 'rb').read()\n"
	     "text = raw.decode()\n"
	     "assert all(c.isprintable() or c == '\\n' or ord(c) == 0x202e for c in text)\n"
	     "rows = {c['id'][-2:]: c for c in json.loads(text)}\n"
	     "assert rows['50']['title'] == 'a\\x1b[31m\\x9b31mred\\x7f\\nnext\\u202eline?', "
	     "rows['50']\n"
	     "assert rows['51']['directory'] == '17457886051-\\x1b[31m?', rows['51']\n"
	     "assert rows['53']['title'] is None and rows['53']['events'] == 2, rows['53']\n"
	     "assert rows['54']['damaged'] == ['metadata.json'], rows['54']\n"
	     "assert rows['55']['damaged'] == ['metadata.json'], rows['55']\n"
	     "assert rows['56']['damaged'] == ['metadata.json', 'events.json'], rows['56']\n"
	     "E");
}

static void colours_and_widths_are_for_terminals(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../ls.sh; e=$(printf '\\033'); unset NO_COLOR COLUMNS\n"
		 "on_terminal 80 env TERM=xterm \"$J\" ls | grep -q \"$e\" || fail 'no colour'\n"
		 "on_terminal 80 env TERM=xterm NO_COLOR=1 \"$J\" ls | grep -q \"$e\" && fail "
		 "NO_COLOR\n"
		 "TERM=xterm \"$J\" ls | grep -q \"$e\" && fail pipe\n"
		 "width() { tr -d '\\r' | wc -L; }\n"
		 "sed -i 's/First/A title of many many many many many many many words/' "
		 ".jp/conversations/$X/metadata.json\n"
		 "[ \"$(TERM=xterm COLUMNS=60 \"$J\" ls | width)\" -gt 90 ]\n"
		 "t() { on_terminal $1 env NO_COLOR=1 COLUMNS=$2 \"$J\" ls | width; }\n"
		 "[ \"$(t 70 60)\" = 70 ]; [ \"$(t 0 60)\" = 60 ]; [ \"$(t 0 many)\" = 80 ]\n"
		 "[ \"$(t 0 '')\" = 80 ]; [ \"$(t 300 '')\" -gt 90 ]\n"
		 "LC_ALL=C on_terminal 70 \"$J\" ls | grep -q '…' || fail locale");
}

static void listing_changes_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     "s() { find .. -path ../status -prune -o -printf '%p %y %m %T@ %C@ %s\\n' | sort; }\n"
	     "s > ../../$$; \"$J\" ls > /dev/null; \"$J\" ls --json --archived > /dev/null\n"
	     "s | diff ../../$$ -; mv .jp/conversations ../kept\n"
	     "[ \"$(\"$J\" ls)\" = 'no conversations' ]; [ \"$(\"$J\" ls --json)\" = '[]' ]\n"
	     "[ ! -e .jp/conversations ]; rm .jp/.id; [ \"$(\"$J\" ls)\" = 'no conversations' ]\n"
	     "[ ! -e .jp/.id ]; mv ../kept .jp/conversations\n"
	     "[ \"$(\"$J\" ls | wc -l)\" = 4 ]; [ ! -e .jp/.id ]; [ ! -e ../data ]; rm ../../$$");
}

static void an_empty_mount_stays_when_it_is_listed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "git rm -rq .jp/conversations; mkdir -p .jp/conversations");
	fixture_mount(&f);
	STEP(&f, "mkdir -p \"$D\"; for i in 1 2 3; do [ \"$(\"$J\" ls)\" = 'no conversations' ]\n"
		 "is_mounted \"$V\"; done; mkdir \"$D/17457886050\"\n"
		 "\"$J\" ls | grep -q '^17457886050 .*local'; is_mounted \"$V\"");
	fixture_umount(&f);
}

static void a_dead_mount_is_named(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     "\"$J\" mount\n"
	     "p=$(\"$J\" status | sed -n 's/^daemon: *process \\([0-9]*\\).*/\\1/p'); kill -KILL "
	     "$p\n"
	     "until_ok not ls \"$V\"; got=0; \"$J\" ls > ../out 2> ../err || got=$?; [ $got = 1 ]\n"
	     "[ ! -s ../out ]; grep -qF \"$V: its daemon is gone\" ../err; grep -q '^hint: ' "
	     "../err\n"
	     "\"$J\" umount; [ \"$(\"$J\" ls | wc -l)\" = 4 ]");
}

static void a_clone_that_is_new_to_the_store_is_not_told_what_is_in_it(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/17457886045-third-title\"; git clone -q . ../clone\n"
	     "got=0; \"$J\" ls ../clone > ../out 2> ../err || got=$?; [ $got = 1 ]\n"
	     "[ ! -s ../out ]; grep -q '^jpfs: .* is new to' ../err; grep -q 'jpfs allow' ../err\n"
	     "\"$J\" allow ../clone; [ \"$(\"$J\" ls ../clone | wc -l)\" = 4 ]");
	fixture_umount(&f);
}

static void usage_is_checked(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "for a in '--sort' '--sort=when' '--sort=' '--frob' '-x' 'one two'; do got=0\n"
		 "\"$J\" ls $a > ../out 2> ../err || got=$?; [ $got = 2 ] || fail \"$a: $got\"\n"
		 "[ ! -s ../out ]; [ \"$(wc -l < ../err)\" = 2 ]; done\n"
		 "for k in activity created title size events id; do \"$J\" ls --sort $k; "
		 "\"$J\" ls --reverse --sort=$k; done\n"
		 "got=0; \"$J\" ls > /dev/full 2> ../err || got=$?; [ $got = 1 ]");
}

static void thousands_are_listed_quickly(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     "python3 - <<'E'\n"
	     "import os\n"
	     "source, top = '.jp/conversations/' + os.environ['X'], '.jp/conversations/'\n"
	     "files = {n: open(source + '/' + n).read() for n in os.listdir(source)}\n"
	     "for i in range(3000):\n"
	     "    path = top + '%d-number-%d' % (17400000000 + i * 10, i)\n"
	     "    os.mkdir(path)\n"
	     "    for name, text in files.items():\n"
	     "        with open(path + '/' + name, 'w') as file:\n"
	     "            file.write(text.replace('First', 'Number %d' % i))\n"
	     "E\n"
	     "cat > ../time.py <<'E'\n"
	     "import os, subprocess, sys, time\n"
	     "def seconds(*command):\n"
	     "    best = 1e9\n"
	     "    for i in range(3):\n"
	     "        start = time.monotonic()\n"
	     "        out = subprocess.check_output(command)\n"
	     "        best = min(best, time.monotonic() - start)\n"
	     "    return best, out\n"
	     "find, _ = seconds('find', os.environ['P'] + '/.jp/conversations', '-size', '+0')\n"
	     "ls, out = seconds(os.environ['J'], 'ls')\n"
	     "assert len(out.splitlines()) == 3004 and b'Number 2999' in out\n"
	     "print('%s: find %.3f s, ls %.3f s, ratio %.1f' % (sys.argv[1], find, ls, ls / "
	     "find))\n"
	     "assert ls < 20, ls\n"
	     "E\n"
	     "python3 ../time.py unmounted");
	printf("\n%s", f.output);
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/17400000000-number-0\"; python3 ../time.py mounted");
	printf("%s", f.output);
	fixture_umount(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(presence_is_told_mounted_and_not_and_from_another_worktree),
		TEST(every_key_is_there),
		TEST(archived_ones_are_listed_on_request),
		TEST(drafts_are_marked_and_show_what_is_here),
		TEST(what_was_just_written_is_listed),
		TEST(odd_titles_do_no_harm),
		TEST(colours_and_widths_are_for_terminals),
		TEST(listing_changes_nothing),
		TEST(an_empty_mount_stays_when_it_is_listed),
		TEST(a_dead_mount_is_named),
		TEST(a_clone_that_is_new_to_the_store_is_not_told_what_is_in_it),
		TEST(usage_is_checked),
		TEST(thousands_are_listed_quickly),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("ls", tests);
}
