/* `.jpfs/transcripts/`: what is in it, that it is what `jpfs show` prints, and follows changes. */
#include "tests/mount/fixture.h"

/*
 * Functions for the scripts here, with `. ../transcripts.sh` at their start:
 *
 *     same NAME ID    the transcript is what `jpfs show` prints, and as long as stat says
 *     $T              .jpfs/transcripts
 */
static const char LIBRARY[] =
	"cat > ../transcripts.sh <<'END'\n"
	"T=$V/.jpfs/transcripts\n"
	"is_shown() { \"$J\" show $2 > ../shown; cmp ../shown \"$T/$1\"; }\n"
	"same() { is_shown $1 $2; size=$(stat -c %s \"$T/$1\")\n"
	"  [ $size = $(wc -c < ../shown) ] || fail \"$1 has $size bytes\"; }\n"
	"listed() { [ \"$(ls $2 \"$T/$3\" | paste -sd ' ')\" = \"$1\" ] ||\n"
	"  fail \"$(ls $2 \"$T/$3\")\"; }\n"
	"refused() { \"$@\" 2> /dev/null && fail \"not refused: $*\"; true; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	return true;
}

static void each_conversation_can_be_read_and_nothing_else(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	/* One that only the store has, an archived one on each side, a name that leaves no room. */
	STEP(&f, "mkdir -p .jp/conversations/.archive\n"
		 "cp -a .jp/conversations/$X .jp/conversations/.archive/17457886090-old\n"
		 "n=17457886091-$(printf '%0243d' 0); cp -a .jp/conversations/$X "
		 ".jp/conversations/$n\n"
		 "touch -d '2026-03-06 10:00' .jp/conversations/$X/metadata.json\n");
	fixture_mount(&f);
	STEP(&f, ". ../transcripts.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
		 "cp -a \"$D/$X\" \"$D/17457886099-local-only\"\n"
		 "mkdir -p \"$D/.archive\"; cp -a \"$D/$X\" \"$D/.archive/17457886098-local-old\"\n"
		 "listed '17457886043-first-title.md 17457886044-second-title.md "
		 "17457886045-third-title.md 17457886091.md 17457886099-local-only.md' '' ''\n"
		 "listed '17457886090-old.md 17457886098-local-old.md' '' .archive\n"
		 "same $X.md 17457886043; same .archive/17457886090-old.md 17457886090\n"
		 "same 17457886091.md 17457886091; same 17457886099-local-only.md 17457886099\n"
		 "same .archive/17457886098-local-old.md 17457886098\n"
		 "[ $(stat -c %Y \"$T/$X.md\") = $(date -d '2026-03-06 10:00' +%s) ]\n"
		 "[ $(stat -c %a \"$T/$X.md\") = 444 ]\n"
		 "grep -rlF 'Second Title?' \"$T\" | grep -qx \"$T/17457886044-second-title.md\"\n"
		 "[ -z \"$(find \"$V\" -name '*.md')\" ]\n"
		 "refused test -e \"$T/17457886090-old.md\"; refused test -e \"$T/$X\"\n"
		 "refused test -e \"$T/17457886043-another.md\"; refused test -e "
		 "\"$T/17457886043.md\"\n"
		 "refused sh -c ': > \"$0\"' \"$T/$X.md\"; refused touch \"$T/$X.md\"\n"
		 "refused sh -c ': > \"$0\"' \"$T/new.md\"; refused rm -f \"$T/$X.md\"\n"
		 "refused mv \"$T/$X.md\" \"$T/y.md\"; refused mkdir \"$T/d\"; refused rmdir "
		 "\"$T/.archive\"\n"
		 "refused mv \"$V/$X/events.json\" \"$T/\"; refused ln -s x \"$T/l\"\n"
		 "same $X.md 17457886043\n"
		 "cp \"$T/$X.md\" ../copy; cmp ../copy ../shown; rm -f ../copy; cp --sparse=always "
		 "\"$T/$X.md\" "
		 "../copy; cmp ../copy ../shown");
	fixture_umount(&f);
	/* Nothing of it stays. */
	STEP(&f, "[ -z \"$(find \"$S\" -name '*.md')\" ]\n"
		 "! grep -rq '^## Turn' \"$S\"");
	CHECK_INVARIANTS(&f);
}

static void a_transcript_follows_its_conversation(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../transcripts.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
	     "same $X.md 17457886043; exec 3< \"$T/$X.md\"; cat \"$T/$X.md\" > ../before\n"
	     /* By an editor, while somebody has it open. */
	     "sed -i 's/First Title?/a longer question?/' \"$V/$X/events.json\"\n"
	     "same $X.md 17457886043; grep -q longer \"$T/$X.md\"; cmp - ../before <&3; exec 3<&-\n"
	     "sed -i 's/a longer question?/short?/' \"$V/$X/events.json\"\n"
	     "same $X.md 17457886043\n"
	     /* While it is being written. */
	     "exec 4<> \"$V/$X/metadata.json\"; printf '{\"title\":\"Half\"}%60s' ' ' >&4\n"
	     "grep -q '^# ' \"$T/$X.md\"; exec 4<&-\n"
	     "printf '{\"title\":\"Whole\"}' > \"$V/$X/metadata.json\"\n"
	     "grep -qx '# Whole' \"$T/$X.md\"; same $X.md 17457886043\n"
	     "until_ok grep -q Whole \"$D/$X/metadata.json\"\n"
	     "grep -qx '# Whole' \"$T/$X.md\"\n"
	     /* In the store, as jp does it. */
	     "sed 's/short?/by jp?/' \"$D/$X/events.json\" > \"$D/$X/events.json.tmp\"\n"
	     "mv \"$D/$X/events.json.tmp\" \"$D/$X/events.json\"\n"
	     /* `show` reads the files, whose names the kernel keeps until it is told. */
	     "until_ok grep -q 'by jp' \"$V/$X/events.json\"; same $X.md 17457886043\n"
	     /* A draft; half an edit is shown as what it is. */
	     "echo '[{' > \"$V/$X/events.json\"; grep -q 'is not JSON after' \"$T/$X.md\"\n"
	     "same $X.md 17457886043; \"$J\" discard 17457886043\n"
	     "grep -q 'by jp' \"$T/$X.md\"\n"
	     /* Another name; the archive; out of the worktree; away. */
	     "mv \"$V/$X\" \"$V/17457886043-renamed\"; refused test -e \"$T/$X.md\"\n"
	     "same 17457886043-renamed.md 17457886043\n"
	     "mkdir -p \"$V/.archive\"; mv \"$V/17457886043-renamed\" \"$V/.archive/\"\n"
	     "refused test -e \"$T/17457886043-renamed.md\"\n"
	     "same .archive/17457886043-renamed.md 17457886043\n"
	     "rm -r \"$V/17457886044-second-title\"; same 17457886044-second-title.md 17457886044\n"
	     "\"$J\" rm --force 17457886044; refused test -e \"$T/17457886044-second-title.md\"\n"
	     "listed '17457886045-third-title.md' '' ''");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* Whoever has written through the mount reads it in the transcript, in whatever way it was written, and
 * stat says how long it is. */
static void a_transcript_has_what_was_written_when_it_is_closed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/17457886045-third-title\"\n"
		 "cat > ../ways.py <<'END'\n"
		 "import os, sys, threading\n"
		 "view, first = sys.argv[1:]\n"
		 "place = view + '/' + first + '/'\n"
		 "transcript = view + '/.jpfs/transcripts/' + first + '.md'\n"
		 "def put(path, text, mode='w'):\n"
		 "    with open(path, mode) as file:\n"
		 "        file.write(text)\n"
		 "def over(name, text):\n"
		 "    put(place + name, text)\n"
		 "def in_pieces(name, text):\n"
		 "    with open(place + name, 'rb+', buffering=0) as file:\n"
		 "        for k in range(0, len(text), 100):\n"
		 "            file.write(text[k:k + 100].encode())\n"
		 "        file.truncate()\n"
		 "def beside(name, text):\n"
		 "    put(place + name + '.tmp', text)\n"
		 "    os.rename(place + name + '.tmp', place + name)\n"
		 "def with_backup(name, text):\n"
		 "    os.rename(place + name, place + name + '~')\n"
		 "    put(place + name, text)\n"
		 "    os.unlink(place + name + '~')\n"
		 "def synced(name, text):\n"
		 "    with open(place + name, 'w') as file:\n"
		 "        file.write(text)\n"
		 "        file.flush()\n"
		 "        os.fsync(file.fileno())\n"
		 "def check(wanted):\n"
		 "    size = os.stat(transcript).st_size\n"
		 "    with open(transcript, 'rb') as file:\n"
		 "        size_open = os.fstat(file.fileno()).st_size\n"
		 "        text = file.read()\n"
		 "    assert wanted.encode() in text, (wanted, text)\n"
		 "    assert size == size_open == len(text), (wanted, size, size_open, len(text))\n"
		 "def read_on():\n"
		 "    while True:\n"
		 "        try:\n"
		 "            open(transcript).read()\n"
		 "        except FileNotFoundError:\n"
		 "            pass\n"
		 "threading.Thread(target=read_on, daemon=True).start()\n"
		 "events = open(place + 'events.json').read()\n"
		 "title = open(place + 'metadata.json').read()\n"
		 "number = 1000\n"
		 "for k in range(40):\n"
		 "    for way in over, in_pieces, beside, with_backup, synced:\n"
		 "        number += 1\n"
		 "        wanted = 'Number %d' % number\n"
		 "        if number % 3 == 0:\n"
		 "            way('metadata.json', title.replace('First Title', wanted))\n"
		 "        else:\n"
		 "            way('events.json', events.replace('First Title?', wanted))\n"
		 "        check(wanted)\n"
		 "END\n"
		 "python3 ../ways.py \"$V\" \"$X\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* What is read twice is made once, and the second time the kernel has it. */
static void three_thousand_are_searched_the_second_time_without_being_made(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, ". ../transcripts.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
		 "cat > ../many.py <<'END'\n"
		 "import json, os, subprocess, sys\n"
		 "store, view = sys.argv[1:]\n"
		 "COUNT = 3000\n"
		 "first = os.path.join(store, '17457886043-first-title')\n"
		 "files = {name: open(os.path.join(first, name)).read() for name in\n"
		 "         ('metadata.json', 'base_config.json', 'events.json')}\n"
		 "for i in range(COUNT):\n"
		 "    place = os.path.join(store, '%d-many' % (17460000000 + i))\n"
		 "    os.mkdir(place)\n"
		 "    for name, text in files.items():\n"
		 "        with open(os.path.join(place, name), 'w') as file:\n"
		 "            file.write(text.replace('First Title?', 'What of number %d?' % i))\n"
		 "def state():\n"
		 "    status = json.load(open(view + '/.jpfs/status.json'))\n"
		 "    io = dict(line.split(': ') for line in open('/proc/%d/io' % status['pid']))\n"
		 "    return status['requests'], int(io['rchar'])\n"
		 "def search():\n"
		 "    before, read_before = state()\n"
		 "    found = subprocess.run(['grep', '-rlE', 'What of number [0-9]*7\\?', view +\n"
		 "        '/.jpfs/transcripts'], capture_output=True, text=True).stdout.split()\n"
		 "    after, read = state()\n"
		 "    assert len(found) == COUNT // 10, len(found)\n"
		 "    return {kind: after[kind] - before.get(kind, 0) for kind in after}, read - "
		 "read_before\n"
		 "first, first_read = search()\n"
		 "second, second_read = search()\n"
		 "text = 'first %d bytes, %s\\nsecond %d bytes, %s' % (first_read, first, "
		 "second_read, second)\n"
		 "print(text)\n"
		 "assert first['read'] >= COUNT, text\n"
		 /* The status files, and what else is asked of every one: its name. */
		 "assert second['read'] <= 10, text\n"
		 "assert second['total'] <= COUNT * 2.1, text\n"
		 "assert second_read * 4 < first_read, text\n"
		 "END\n"
		 "python3 ../many.py \"$D\" \"$V\"");
	fixture_umount(&f);
}

static void the_listing_follows_what_comes_and_goes(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../transcripts.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
	     "t='17457886043-first-title.md 17457886044-second-title.md "
	     "17457886045-third-title.md'\n"
	     "listed \"$t\" '' ''; listed \"$t\" '' ''; cp -a \"$D/$X\" \"$D/17457886050-new\"\n"
	     "listed \"$t 17457886050-new.md\" '' ''; rm -r \"$D/17457886050-new\"\n"
	     "listed \"$t\" '' ''; cp -a \"$V/$X\" \"$V/17457886051-here\"\n"
	     "listed \"$t 17457886051-here.md\" '' ''\n"
	     "mkdir -p \"$V/.archive\"; listed '' '' .archive; mv \"$V/17457886051-here\" "
	     "\"$V/.archive/\"\n"
	     "listed \"$t\" '' ''; listed 17457886051-here.md '' .archive");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void what_finds_no_room_is_made_each_time(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	/* Read-only, texts are in memory, and 32 MiB of them. */
	STEP(&f, "mkdir -p \"$D\"; cp -a .jp/conversations/* \"$D/\"; \"$J\" allow > ../allowed\n"
		 "python3 - \"$D/$X/events.json\" <<'END'\n"
		 "import sys\n"
		 "event = '{\"timestamp\": \"2026-03-05 19:31:46.5\", \"type\": \"chat_request\","
		 " \"content\": \"%s\"}'\n"
		 "with open(sys.argv[1], 'w') as to:\n"
		 "    to.write('[' + ','.join(event % (('%d line\\\\n' % i) * (1 << 20))"
		 " for i in range(5)) + ']')\n"
		 "END\n"
		 "find \"$D\" -printf '%p %s %T@\\n' | sort > ../before\n");
	fixture_mount_at(&f, f.project, "ro");
	STEP(&f, ". ../transcripts.sh; same $X.md 17457886043\n"
		 "find \"$D\" -printf '%p %s %T@\\n' | sort | cmp - ../before");
	fixture_umount(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(each_conversation_can_be_read_and_nothing_else),
		TEST(a_transcript_follows_its_conversation),
		TEST(a_transcript_has_what_was_written_when_it_is_closed),
		TEST(three_thousand_are_searched_the_second_time_without_being_made),
		TEST(the_listing_follows_what_comes_and_goes),
		TEST(what_finds_no_room_is_made_each_time),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("transcripts", tests);
}
