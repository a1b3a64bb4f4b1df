/*
 * What a workspace had before jpfs came: imported once, whole, or kept where it is until somebody
 * writes to it. Semantics, sections 4, 8 and 10.
 */
#include "tests/mount/acted_jp.h"
#include "tests/mount/fixture.h"

/* What every script here may use, with `. ../lib.sh` at its start. */
static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"facts() { (cd \"$1\"; find . -mindepth 1 -type f -printf '%p %m %T@ %s\\n' -o -mindepth 1 "
	"-type d -printf '%p %m\\n' -o -mindepth 1 -printf '%p %y %l\\n' | sort | grep -v "
	"'^./.archive [0-7]*$'); }\n"
	"like() { facts \"$1\" > ../facts1; facts \"$2\" > ../facts2; diff ../facts1 ../facts2 && "
	"diff -r --no-dereference \"$1\" \"$2\"; }\n"
	"presence() { python3 -c 'import os, sys\n"
	"print(os.getxattr(sys.argv[1], \"user.jpfs.presence\").decode())' \"$1\"; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	return true;
}

/* As above, with a silo that another mount has made, and what it imported. */
static bool begin_used(struct fixture *fixture)
{
	if (!begin(fixture))
		return false;
	fixture_mount(fixture);
	STEP(fixture, "for n in $X " SECOND " " THIRD "; do until_ok test -d \"$D/$n\"; done");
	fixture_umount(fixture);
	return true;
}

static void the_first_use_imports_everything_as_it_is(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; mkdir -p \"$V/.archive\"; cp -a \"$V/$X\" "
		 "\"$V/.archive/17400000000-archived\"\n"
		 "mv \"$V/" THIRD "\" \"$V/.archive/\"; chmod 600 \"$V/$X/events.json\"; chmod 750 "
		 "\"$V/$X\"\n"
		 "echo note > \"$V/$X/NOTE.md\"; mkdir \"$V/$X/sub\"; echo deep > "
		 "\"$V/$X/sub/file\"\n"
		 "ln -s NOTE.md \"$V/$X/link\"; touch -d '2020-01-02 03:04:05.678901234' "
		 "\"$V/$X/sub/file\"\n"
		 "cp -a \"$V\" ../copy");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok like ../copy \"$D\"; [ \"$(stat -c %a \"$S\")\" = 700 ]\n"
		 "like ../copy \"$V\"; [ \"$(presence \"$V/$X\")\" = projected ]\n"
		 "[ ! -e \"$S/storage\" ]");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; like ../copy \"$D\"; like ../copy \"$V\"; [ ! -e \"$S/storage\" ]");
	CHECK_INVARIANTS(&f);
}

static void the_first_use_leaves_out_what_is_no_conversation(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "echo hi > \"$V/README\"; mkdir -p \"$V/.trash/x\" \"$V/notes\"; mkfifo "
		 "\"$V/$X/fifo\"\n"
		 "ln -s /etc/hostname \"$V/" SECOND "/link\"; mkdir \"$V/.staging-1\"");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" SECOND "\"; until_ok test -d \"$D/" THIRD "\"\n"
		 "[ ! -e \"$D/README\" ]; [ ! -e \"$D/.trash\" ]; [ ! -e \"$D/notes\" ]; [ ! -e "
		 "\"$D/.staging-1\" ]\n"
		 "[ ! -e \"$D/$X/fifo\" ]; [ ! -e \"$D/" SECOND "/link\" ] || [ -L \"$D/" SECOND
		 "/link\" ]");
	fixture_umount(&f);
	STEP(&f, "[ -p \"$V/$X/fifo\" ]; [ -e \"$V/README\" ]; [ -d \"$V/notes\" ]");
}

static void an_incomplete_or_invalid_conversation_is_not_imported(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "rm \"$V/$X/metadata.json\"; echo '{' > \"$V/" SECOND "/events.json\"; cp -a "
		 "\"$V\" ../copy");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; [ ! -e \"$D/$X\" ]\n"
		 "[ ! -e \"$D/" SECOND "/events.json\" ]; diff -r ../copy \"$V\"");
	fixture_umount(&f);
	STEP(&f,
	     "diff -r ../copy \"$V\"; [ ! -e \"$D/$X\" ]; [ ! -e \"$D/" SECOND "/events.json\" ]");
}

static void an_older_layout_is_imported_as_it_is(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "rm \"$V/$X/base_config.json\"; python3 - \"$V/$X/events.json\" <<'E'\n"
		 "import json, sys\n"
		 "e = json.load(open(sys.argv[1]))\n"
		 "e.insert(0, {'type': 'config_delta', 'timestamp': '2026-03-05 19:31:44.0',\n"
		 "             'delta': {'assistant': {}}})\n"
		 "open(sys.argv[1], 'w').write(json.dumps(e, indent=2) + '\\n')\n"
		 "E\n"
		 "cp -a \"$V\" ../copy");
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/$X\"; diff -r ../copy/$X \"$D/$X\"; diff -r ../copy \"$V\"\n"
	     "[ ! -e \"$V/$X/base_config.json\" ]; [ \"$(ls \"$V/$X\" | wc -l)\" = 2 ]");
	fixture_umount(&f);
	STEP(&f, "diff -r ../copy \"$V\"; diff -r ../copy \"$D\"");
	CHECK_INVARIANTS(&f);
}

static void what_others_committed_is_read_from_the_workspace(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_used(&f))
		return;
	STEP(&f, ". ../lib.sh; n=17457886600-external; cp -a \"$V/$X\" \"$V/$n\"; echo note > "
		 "\"$V/$n/NOTE.md\"; cp -a \"$V/$n\" ../copy");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; n=17457886600-external; like ../copy \"$V/$n\"; ls \"$V\" | grep -q $n\n"
	     "[ \"$(presence \"$V/$n\")\" = ext ] || [ \"$(presence \"$V/$n\")\" = workspace-only "
	     "] || fail \"$(presence \"$V/$n\")\"\n"
	     "grep -rq First \"$V/$n\"; [ ! -e \"$D/$n\" ] || fail 'reading imported it'");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; n=17457886600-external; like ../copy \"$V/$n\"; [ ! -e \"$D/$n\" ]");
	CHECK_INVARIANTS(&f);
}

/* The first change of every kind; each imports the whole directory, with what it was. */
static void the_first_write_imports_the_whole_of_it(void)
{
	static const char *const writes[] = {
		"sed -i s/First/Edited/ \"$V/$n/metadata.json\"",
		"cat ../m > \"$V/$n/metadata.json\"",
		"printf ' ' >> \"$V/$n/events.json\"",
		"echo more > \"$V/$n/more\"",
		"truncate -s -1 \"$V/$n/metadata.json\"",
		"python3 -c 'import os, sys; os.setxattr(sys.argv[1], \"user.mine\", b\"1\")' "
		"\"$V/$n/metadata.json\" || :; echo >> \"$V/$n/metadata.json\"",
	};
	cleanup_fixture struct fixture f = {0};

	if (!begin_used(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; sed s/First/Catted/ \"$V/$X/metadata.json\" > ../m\n"
	     "for i in 0 1 2 3 4 5; do n=1745788670$i-external; cp -a \"$V/$X\" \"$V/$n\"\n"
	     "echo note > \"$V/$n/NOTE.md\"; mkdir \"$V/$n/sub\"; echo deep > \"$V/$n/sub/file\"\n"
	     "touch -d '2020-01-02 03:04:05.678901234' \"$V/$n/NOTE.md\"; done");
	fixture_mount(&f);
	for (size_t i = 0; i < COUNT_OF(writes); i++) {
		char script[1024];

		(void)snprintf(script, sizeof(script),
			       ". ../lib.sh; n=1745788670%zu-external; %s\n"
			       "until_ok test -e \"$D/$n/events.json\"; until_ok like \"$V/$n\" "
			       "\"$D/$n\"\n"
			       "grep -q deep \"$D/$n/sub/file\"; [ \"$(presence \"$V/$n\")\" = "
			       "projected ]",
			       i, writes[i]);
		STEP(&f, script);
	}
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; for i in 0 1 2 3 4 5; do n=1745788670$i-external\n"
		 "like \"$V/$n\" \"$D/$n\"; done; grep -q Edited \"$D/17457886700-external/"
		 "metadata.json\"");
	CHECK_INVARIANTS(&f);
}

static void jps_first_save_imports_it_too(void)
{
	cleanup_fixture struct fixture f = {0};
	struct acted_jp jp;
	static const struct acted_conversation what = {
		.digits = "17457886600",
		.name = "17457886600-external",
		.metadata = "{\n  \"title\": \"External\",\n  \"last_activated_at\": \"2026-03-06 "
			    "08:00:00.5\"\n}\n",
		.base_config = "{\n  \"assistant\": {}\n}\n",
		.events = "[\n  {\n    \"timestamp\": \"2026-03-06 08:00:00.0\",\n    \"type\": "
			  "\"turn_start\"\n  }\n]\n",
	};

	if (!begin_used(&f))
		return;
	(void)snprintf(jp.user, sizeof(jp.user), "%s/data/workspace/project-abc12/conversations",
		       f.base);
	(void)snprintf(jp.locks, sizeof(jp.locks), "%s/data/workspace/project-abc12/locks", f.base);
	(void)snprintf(jp.work, sizeof(jp.work), "%s", f.view);
	STEP(&f, "n=17457886600-external; cp -a \"$V/$X\" \"$V/$n\"; echo note > "
		 "\"$V/$n/NOTE.md\"");
	fixture_mount(&f);
	CU_ASSERT_EQUAL(acted_jp_presence(&jp, what.digits), ACTED_EXTERNAL);
	CU_ASSERT_EQUAL(acted_jp_save(&jp, &what), 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&jp, what.digits), ACTED_PROJECTED);
	CU_ASSERT(acted_jp_has(jp.user, &what));
	CU_ASSERT(acted_jp_has(jp.work, &what));
	fixture_umount(&f);
	CU_ASSERT(acted_jp_has(jp.work, &what));
	STEP(&f, "cmp \"$V/17457886600-external/NOTE.md\" \"$D/17457886600-external/NOTE.md\"");
	CHECK_INVARIANTS(&f);
}

static void a_pull_while_mounted_brings_conversations_in(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "git clone -q . ../clone; cd ../clone; n=17457886600-pulled; cp -r "
		 ".jp/conversations/$X .jp/conversations/$n\n"
		 "sed -i s/First/Pulled/ .jp/conversations/$n/metadata.json\n"
		 "sed -i s/Second/Theirs/ .jp/conversations/" SECOND "/metadata.json\n"
		 "git add -A; git commit -qm theirs");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" SECOND "\"; git pull -q ../clone main\n"
		 "[ \"$(title \"$V/17457886600-pulled\")\" = 'Pulled Title' ]\n"
		 "[ \"$(title \"$V/" SECOND "\")\" = 'Theirs Title' ]\n"
		 "[ -z \"$(git status --porcelain)\" ]; until_ok grep -q Theirs \"$D/" SECOND
		 "/metadata.json\"");
	fixture_umount(&f);
	STEP(&f, "[ -z \"$(git status --porcelain)\" ]; [ \"$(title \"$V/" SECOND
		 "\")\" = 'Theirs Title' ]\n"
		 "[ \"$(title \"$V/17457886600-pulled\")\" = 'Pulled Title' ]");
	CHECK_INVARIANTS(&f);
}

static void changes_made_while_unmounted_are_taken_from_either_side(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin_used(&f))
		return;
	STEP(&f, "sed -i s/First/Here/ \"$V/$X/metadata.json\"; sed -i s/Second/Store/ \"$D/" SECOND
		 "/metadata.json\"\n"
		 "rm -r \"$V/" THIRD "\"");
	fixture_mount(&f);
	STEP(&f, "until_ok grep -q Here \"$D/$X/metadata.json\"; [ \"$(title \"$V/$X\")\" = 'Here "
		 "Title' ]\n"
		 "[ \"$(title \"$V/" SECOND "\")\" = 'Store Title' ]; [ ! -e \"$V/" THIRD "\" ]\n"
		 "[ -e \"$D/" THIRD "/events.json\" ]");
	fixture_umount(&f);
	STEP(&f, "[ \"$(title \"$V/" SECOND "\")\" = 'Store Title' ]; [ ! -e \"$V/" THIRD
		 "\" ]; [ -e \"$D/" THIRD "/events.json\" ]");
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(the_first_use_imports_everything_as_it_is),
		TEST(the_first_use_leaves_out_what_is_no_conversation),
		TEST(an_incomplete_or_invalid_conversation_is_not_imported),
		TEST(an_older_layout_is_imported_as_it_is),
		TEST(what_others_committed_is_read_from_the_workspace),
		TEST(the_first_write_imports_the_whole_of_it),
		TEST(jps_first_save_imports_it_too),
		TEST(a_pull_while_mounted_brings_conversations_in),
		TEST(changes_made_while_unmounted_are_taken_from_either_side),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("import", tests);
}
