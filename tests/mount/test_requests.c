/*
 * That the requests of the kernel are counted. What is asserted here no cache can answer; what is
 * printed for each command is for people: the bench measures it.
 */
#include "tests/mount/fixture.h"

/*
 * `snap NAME` notes the counts; `grew KIND` prints by how much one is more in `after` than in
 * `before`, with what one noting costs. Nobody waits for RELEASE and RELEASEDIR: one may come when
 * the next command has begun, so they are left out of the total here.
 */
static const char HELPERS[] =
	"snap() { cat \"$V/.jpfs/status.json\" > ../$1.json; }\n"
	"grew() { python3 -c 'import json, sys\n"
	"def load(name):\n"
	" counts = json.load(open(\"../%s.json\" % name))[\"requests\"]\n"
	" counts[\"total\"] -= counts[\"release\"] + counts[\"releasedir\"]\n"
	" return counts[sys.argv[1]]\n"
	"print(load(\"after\") - load(\"before\"))' $1; }\n"
	/* requests KIND COMMAND...: how many of the kind a command makes */
	"requests() { kind=$1; shift; snap before; \"$@\" >/dev/null 2>&1 || :; snap after;\n"
	"  grew $kind; }\n";

static void step(struct fixture *fixture, int line, const char *script)
{
	cleanup_free char *text = NULL;

	if (asprintf(&text, "%s%s", HELPERS, script) < 0)
		return;
	fixture_step(fixture, __FILE__, line, text);
}

static void a_request_is_counted_by_its_kind(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "is() { [ $2 = $3 ] || fail \"$1: $2, not $3\"; }\n"
	     "mkdir \"$V/notes\"\n"
	     "is symlink $(requests symlink ln -s x \"$V/notes/link\") 1\n"
	     "is rename $(requests rename mv \"$V/notes\" \"$V/other\") 1\n"
	     "is unlink $(requests unlink rm \"$V/other/link\") 1\n"
	     "is rmdir $(requests rmdir rmdir \"$V/other\") 1\n"
	     "is statfs $(requests statfs stat -f \"$V\") 1\n"
	     /* Names that nobody has asked for before. */
	     "n=$(requests lookup sh -c '[ ! -e \"$V/none\" ] && [ ! -e \"$V/nor\" ]')\n"
	     "[ $n -ge 2 ] || fail \"lookup: $n\"");
	fixture_umount(&f);
}

static void the_total_is_the_sum_of_all_but_forget(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "find \"$V\" >/dev/null; rm -r \"$V/$X\"\n"
	     "\"$J\" status --json | python3 -c 'import json, sys\n"
	     "r = json.load(sys.stdin)[0][\"requests\"]\n"
	     "assert r[\"total\"] > 0, r\n"
	     "assert r[\"rmdir\"] == 1 and r[\"unlink\"] == 3, r\n"
	     "assert r.pop(\"total\") == sum(r.values()) - r[\"forget\"], r'\n"
	     "until_ok sh -c \"! ls \\\"$V\\\" | grep -q $X\"");
	fixture_umount(&f);
}

static void the_count_goes_on_when_the_mount_comes_back(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "ln -s x \"$V/link\"\n"
	     "rm -r \"$V\"/*\n" /* the mount gets out of the way of who does that */
	     "until_ok is_mounted \"$V\"; until_ok test -e \"$V/.jpfs/status.json\"\n"
	     "grep -q '\"symlink\": 1,' \"$V/.jpfs/status.json\"\n"
	     "grep -q '\"rmdir\": 3,' \"$V/.jpfs/status.json\"");
	fixture_umount(&f);
}

/* Enough of them that somebody who goes through them is taken for one who goes on. */
static bool begin_with_many(struct fixture *f)
{
	if (!fixture_begin(f))
		return false;
	STEP(f, "for i in $(seq 10 59); do cp -R \"$V/$X\" \"$V/175000000$i-walked\"; done");
	fixture_mount(f);
	return true;
}

static void who_goes_through_names_alone_is_told_no_more(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_with_many(&f))
		return;
	step(&f, __LINE__,
	     "(cd \"$V\"; find . | sort) > ../found\n"
	     "n=$(requests lookup stat \"$V\"/175000000[2345]?-walked/*)\n"
	     /* Some were told of before it was known how this one goes. */
	     "[ $n -ge 60 ] || fail \"120 files: $n had to be asked for\"\n"
	     "n=$(requests lookup stat \"$V\"/175000000[2345]?-walked/*)\n"
	     "[ $n -lt 10 ] || fail \"the same again, and the count itself: $n\"\n"
	     "(cd \"$V\"; find . | sort) | cmp - ../found");
	fixture_umount(&f);
	STEP(&f, "(cd \"$V\"; find . | sort) | cmp - ../found");
	CHECK_INVARIANTS(&f);
}

static void who_asks_for_a_file_is_told_of_the_next_ones(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_with_many(&f))
		return;
	step(&f, __LINE__,
	     "n=$(requests lookup ls -lR \"$V\")\n"
	     "[ $n -lt 60 ] || fail \"150 files: $n had to be asked for\"\n"
	     "ls -lR --time-style=full-iso \"$V\" > ../listed\n"
	     "[ $(grep -c events.json ../listed) = $(ls \"$V\" | wc -l) ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* The kernel has the flag for it since 5.12. */
static void a_write_is_not_two_requests(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "[ \"$(printf '%s\\n' 5.12 \"$(uname -r)\" | sort -V | head -1)\" = 5.12 ] || exit 0\n"
	     "n=$(requests getxattr dd if=/dev/zero of=\"$V/$X/notes\" bs=100 count=200)\n"
	     "[ $n -lt 50 ] || fail \"200 writes: security.capability was asked for $n times\"");
	fixture_umount(&f);
}

static void what_a_command_costs_can_be_told(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "until_ok test -d \"$D/" THIRD "\"\n" /* nothing else is going on */
	     "quiet() { \"$@\" >/dev/null 2>&1; }\n"
	     "cost() { first=$(($(requests total quiet \"$@\") - own))\n"
	     "  again=$(($(requests total quiet \"$@\") - own))\n"
	     "  echo \"$1 ${2##*/}: $first requests, again $again\"; }\n"
	     /* One look costs as much as the next, once nothing else is going on. */
	     "is_quiet() { requests total true; own=$(requests total true)\n"
	     "  [ \"$(cost true -)\" = 'true -: 0 requests, again 0' ]; }; until_ok is_quiet\n"
	     "cost stat \"$V/$X/events.json\"; cost cat \"$V/$X/events.json\"\n"
	     "cost ls \"$V\"; cost find \"$V\"; cost git status\n"
	     /* Each makes a name, in a directory that it has to find. */
	     "cost mkdir \"$V/a\" \"$V/b\" | grep -q ': [2-9] requests' || fail mkdir\n"
	     "rmdir \"$V/a\" \"$V/b\"");
	printf("\n%s", f.output);
	fixture_umount(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_request_is_counted_by_its_kind),
		TEST(a_write_is_not_two_requests),
		TEST(the_total_is_the_sum_of_all_but_forget),
		TEST(the_count_goes_on_when_the_mount_comes_back),
		TEST(who_goes_through_names_alone_is_told_no_more),
		TEST(who_asks_for_a_file_is_told_of_the_next_ones),
		TEST(what_a_command_costs_can_be_told),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("requests", tests);
}
