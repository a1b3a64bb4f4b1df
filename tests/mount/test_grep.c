/* `jpfs grep`: what it finds, where, and how it prints what others wrote. */
#include "tests/mount/fixture.h"

/*
 * Functions for the scripts here, with `. ../grep.sh` at their start:
 *
 *     finds EXPECTED ARGUMENT...  what it prints with --no-heading, the last two digits of each ID
 *                                 only, joined by '|'
 *     say NAME                    a conversation in the project in which everybody says "needle"
 */
static const char LIBRARY[] =
	"cat > ../grep.sh <<'END'\n"
	"finds() { want=$1; shift\n"
	"  got=$(\"$J\" grep --no-heading \"$@\" | sed 's/^174578860//' | paste -sd '|')\n"
	"  [ \"$got\" = \"$want\" ] || fail \"$got, not $want\"; }\n"
	"code() { want=$1; shift; got=0; \"$J\" grep \"$@\" > ../out 2> ../err || got=$?\n"
	"  [ $got = $want ] || { cat ../err; fail \"exit $got, not $want: $*\"; }; }\n"
	"END\n"
	/* Tools are in base64: 'find a needle' and 'no' 'needle in hay\n'. */
	"cat > ../said.json <<'END'\n"
	"[\n"
	"{\"type\": \"turn_start\", \"timestamp\": \"2026-03-05 19:31:45.0\"},\n"
	"{\"type\": \"chat_request\", \"content\": \"where is\\nthe \\u006eeedle?\","
	" \"timestamp\": \"2026-03-05 19:31:46.5\"},\n"
	"{\"type\": \"turn_start\", \"timestamp\": \"2026-03-05 19:32:45.0\"},\n"
	"{\"type\": \"chat_response\", \"reasoning\": \"Needles...\\u001b[31m\","
	" \"timestamp\": \"2026-03-05 19:33:45.0\"},\n"
	"{\"type\": \"tool_call_request\", \"id\": \"1\", \"name\": \"rg\","
	" \"arguments\": {\"pattern\": \"ZmluZCBhIG5lZWRsZQ==\"},"
	" \"timestamp\": \"2026-03-05 19:33:46.0\"},\n"
	"{\"type\": \"tool_call_response\", \"id\": \"1\", \"content\":"
	" \"bm8KbmVlZGxlIGluIGhheQo=\", \"is_error\": false,"
	" \"timestamp\": \"2026-03-05 19:33:47.0\"},\n"
	"{\"type\": \"chat_response\", \"message\": \"a needle and a needle\","
	" \"timestamp\": \"2026-03-05 19:33:48.0\"}\n"
	"]\n"
	"END\n"
	"cp ../said.json .jp/conversations/$X/events.json\n"
	"sed -i 's/First Title/A\\\\u001b[2J title/' .jp/conversations/$X/metadata.json\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	return true;
}

static void what_anybody_said_is_found(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../grep.sh\n"
		 "finds '43:1:user:the needle?|43:2:tool:find a needle|43:2:tool:needle in hay"
		 "|43:2:assistant:a needle and a needle' needle\n"
		 "finds '43:1:user:the needle?|43:2:reasoning:Needles...?[31m' -i --role reasoning "
		 "--role user needle\n"
		 "finds '43:2:tool:needle in hay' '^ne+dle '\n"
		 "finds '43:2:reasoning:Needles...?[31m' -F 'Needles...'\n"
		 "finds '' -w needl\n"
		 "finds '43:1:user:the needle?' -m 1 needle\n"
		 "finds '43-1-user-where is|43:1:user:the needle?' -B 1 needle? --role user\n"
		 "finds '43:1:user:the needle?|44:1:user:Second Title?' -e '^the' -e Second\n"
		 /* The heading, and each of the other forms. */
		 "\"$J\" grep Title | paste -sd '|' > ../out\n"
		 "grep -qx '17457886044  Second Title|1:user:Second Title?||"
		 "17457886045  Third Title|1:user:Third Title?' ../out || fail \"$(cat ../out)\"\n"
		 "[ \"$(\"$J\" grep -l needle)\" = '17457886043  A?[2J title' ] || fail -l\n"
		 "[ \"$(\"$J\" grep -c needle)\" = '17457886043  4  A?[2J title' ] || fail -c\n");
}

static void it_is_found_wherever_the_conversation_is(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	/* Nothing is kept yet, and nothing is made. */
	STEP(&f, ". ../grep.sh; finds '43  A?[2J title|44  Second Title|45  Third Title' -l .\n"
		 "[ ! -e \"$S\" ]");
	fixture_mount(&f);
	STEP(&f,
	     ". ../grep.sh; until_ok test -d \"$D/17457886045-third-title\"\n"
	     "cp -a \"$D/$X\" \"$D/17457886099-local-only\"\n"
	     "mkdir -p \"$D/.archive\"; cp -a \"$D/$X\" \"$D/.archive/17457886098-archived\"\n"
	     "finds '43  A?[2J title|98  A?[2J title|99  A?[2J title' -l needle\n"
	     "finds '43  A?[2J title|99  A?[2J title' -l --no-archived needle\n"
	     "finds '98  A?[2J title|99  A?[2J title' -l --local needle\n"
	     /* What was just written, and what only this worktree has. */
	     "sed -i 's/Second Title?/a haystack/' \"$V/17457886044-second-title/events.json\"\n"
	     "finds '44:1:user:a haystack' haystack\n"
	     "sed 's/Third Title?/a draft/; s/^]$//' \"$V/17457886045-third-title/events.json\" "
	     "> ../half\n"
	     "cat ../half > \"$V/17457886045-third-title/events.json\"\n"
	     "finds '45:1:user:a draft' 'a draft'\n"
	     /* From another worktree, which has none of them. */
	     "git worktree add -q \"$W\" --orphan -b empty 2>/dev/null || "
	     "git worktree add -q --no-checkout \"$W\"\n"
	     "mkdir -p \"$W/.jp\"; cp .jp/.id \"$W/.jp/\"\n"
	     "finds '43  A?[2J title|99  A?[2J title' -l --no-archived needle \"$W\"\n"
	     "cd \"$W\"; finds '44:1:user:a haystack' haystack; cd \"$P\"\n"
	     "\"$J\" discard 17457886045");
	fixture_umount(&f);
	STEP(&f, ". ../grep.sh\n"
		 "finds '43  A?[2J title|98  A?[2J title|99  A?[2J title' -l needle\n"
		 "finds '44:1:user:a haystack' haystack\n");
	CHECK_INVARIANTS(&f);
}

static void exit_codes_are_those_of_grep(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../grep.sh\n"
		 "code 0 needle; code 1 nowhere; code 0 -q needle; [ ! -s ../out ]\n"
		 "code 1 -q nowhere; code 2; code 2 'a(b'; grep -q 'a(b' ../err\n"
		 "code 2 --role nobody x; code 2 -m x y; code 2 --color=red x; code 2 -Z x\n"
		 "code 2 x a b; code 0 -h; code 3 x /\n"
		 "if \"$J\" grep needle > /dev/full 2> ../err; then fail full\n"
		 "elif [ $? != 2 ]; then fail code; fi\n"
		 /* One that cannot be read is named, and the others are searched. */
		 "rm .jp/conversations/17457886044-second-title/events.json\n"
		 "mkdir .jp/conversations/17457886044-second-title/events.json\n"
		 "code 2 Title; grep -q 'Third Title' ../out\n"
		 "grep -q 17457886044-second-title ../err\n");
}

static void colours_are_for_terminals_and_scripts_get_json(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../grep.sh\n"
	     "e=$(printf '\\033'); r=\"$e\\[1;31mneedle$e\\[0m\"\n"
	     "terminal() { script -qec \"$*\" /dev/null < /dev/null; }\n"
	     "\"$J\" grep --color=always needle | grep -q \" and a $r\"\n"
	     "\"$J\" grep needle | grep -q \"$e\" && fail 'colour in a pipe'\n"
	     "terminal env TERM=xterm \"$J\" grep needle | grep -q \"$r\" || fail colour\n"
	     "terminal env TERM=xterm NO_COLOR=1 \"$J\" grep -i needle > ../out\n"
	     "grep -q \"$e\" ../out && fail NO_COLOR\n"
	     "grep -q 'Needles' ../out\n"
	     "terminal env TERM=xterm \"$J\" grep --color never needle | grep -q \"$e\" && "
	     "fail never\n"
	     "\"$J\" grep -i --json needle > ../out; grep -q \"$e\" ../out && fail json\n"
	     "python3 - ../out <<'END'\n"
	     "import json, sys\n"
	     "lines = [json.loads(line) for line in open(sys.argv[1])]\n"
	     "assert [l['role'] for l in lines] == ['user', 'reasoning', 'tool', 'tool', "
	     "'assistant'], lines\n"
	     "last = lines[-1]\n"
	     "assert last.pop('path').endswith('/.jp/conversations/17457886043-first-title')\n"
	     "assert last == {'id': '17457886043', 'title': 'A\\x1b[2J title', 'directory':\n"
	     "  '17457886043-first-title', 'presence': 'workspace-only', 'archived': False,\n"
	     "  'turn': 2, 'role': 'assistant', 'time': '2026-03-05T19:33:48Z', 'context': False,\n"
	     "  'line': 'a needle and a needle', 'matches': ['needle', 'needle']}, last\n"
	     "END\n"
	     "\"$J\" grep -c --json needle | grep -q '\"count\":4'\n");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_anybody_said_is_found),
		TEST(it_is_found_wherever_the_conversation_is),
		TEST(exit_codes_are_those_of_grep),
		TEST(colours_are_for_terminals_and_scripts_get_json),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("grep", tests);
}
