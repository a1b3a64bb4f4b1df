/* What is seen through the mount, and what is not. Semantics, section 3. */
#include "tests/mount/fixture.h"

static void projected_conversations_are_listed_and_read_back(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, "cp -a .jp/conversations ../copy");
	fixture_mount(&f);
	STEP(&f, "[ \"$(ls .jp/conversations | wc -l)\" = 3 ]; diff -r .jp/conversations ../copy");
	STEP(&f, "git status --porcelain | grep . && fail dirty; git diff-files | grep . && fail "
		 "stat; :");
	fixture_umount(&f);
	STEP(&f, "diff -r .jp/conversations ../copy; git diff-files | grep . && fail stat; :");
	CHECK_INVARIANTS(&f);
}

static void user_local_conversations_are_neither_listed_nor_found(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"\n"
		 "cp -a \"$D/$X\" \"$D/17457886099-local-only\"\n"
		 "ls \"$V\" | grep -q local-only && fail listed\n"
		 "[ ! -e \"$V/17457886099-local-only\" ] && [ ! -e \"$V/17457886099\" ]");
	fixture_umount(&f);
	STEP(&f, "[ ! -e \"$V/17457886099-local-only\" ]; [ -d \"$D/17457886099-local-only\" ]");
}

static void the_control_directory_is_reachable_but_not_listed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "ls -A \"$V\" | grep -q '^\\.jpfs' && fail listed\n"
		 "python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); assert "
		 "d[\"workspace_id\"]==\"abc12\", d' \"$V/.jpfs/status.json\"\n"
		 "touch \"$V/.jpfs/x\" 2>/dev/null && fail writable\n"
		 "rm \"$V/.jpfs/status.json\" 2>/dev/null && fail removable; :");
	fixture_umount(&f);
}

static void the_control_directory_is_listed_on_request(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount_at(&f, f.project, "list_control");
	STEP(&f, "ls -A \"$V\" | grep -q '^\\.jpfs$'; [ \"$(echo \"$V/.jpfs/\"*)\" = "
		 "\"$V/.jpfs/history $V/.jpfs/local $V/.jpfs/status.json $V/.jpfs/transcripts\" ]");
	fixture_umount(&f);
}

static void jps_temporary_files_are_reachable_but_never_listed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "echo '[]' > \"$V/$X/events.json.tmp\"\n"
		 "ls -A \"$V/$X\" | grep -q tmp && fail listed\n"
		 "grep -q '\\[\\]' \"$V/$X/events.json.tmp\"\n"
		 "mv \"$V/$X/events.json.tmp\" \"$V/$X/events.json\"\n"
		 "[ \"$(cat \"$V/$X/events.json\")\" = '[]' ]\n"
		 "until_ok grep -q '^\\[\\]$' \"$D/$X/events.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_conversation_on_its_way_in_is_found_but_not_listed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "cp -a \"$V/$X\" ../other; n=17457886100-new; mkdir \"$V/$n\"\n"
		 "ls \"$V\" | grep -q $n && fail 'listed when empty'\n"
		 "[ -d \"$V/$n\" ]; cp ../other/metadata.json \"$V/$n/\"\n"
		 "ls \"$V\" | grep -q $n && fail 'listed when half there'\n"
		 "[ ! -e \"$D/$n\" ] || fail 'half of it is durable'\n"
		 "cp ../other/events.json \"$V/$n/\"\n"
		 "ls \"$V\" | grep -q $n || fail 'not listed when complete'\n"
		 "until_ok test -e \"$D/$n/events.json\"");
	STEP(&f, "n=17457886101-half; mkdir \"$V/$n\"; echo hi > \"$V/$n/NOTE\"\n"
		 "listed() { ls \"$V\" | grep -q 17457886101; }; until_ok listed");
	fixture_umount(&f);
	STEP(&f, "grep -q hi \"$V/17457886101-half/NOTE\"; [ ! -e \"$D/17457886101-half\" ]");
}

static void a_durable_file_that_was_never_here_is_not_shown(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD "\"; echo draft > \"$D/$X/QUERY_MESSAGE.md\"\n"
	     "ls \"$V/$X\" | grep -q QUERY && fail listed; [ ! -e \"$V/$X/QUERY_MESSAGE.md\" ]");
	fixture_umount(&f);
	STEP(&f, "[ ! -e \"$V/$X/QUERY_MESSAGE.md\" ]; [ -e \"$D/$X/QUERY_MESSAGE.md\" ]");
	CHECK_INVARIANTS(&f);
}

static void what_is_no_conversation_passes_through(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f,
	     "echo a > \"$V/README\"; mkdir -p \"$V/.trash/old\"; echo b > \"$V/.trash/old/c\"");
	fixture_mount(&f);
	STEP(&f, "grep -q a \"$V/README\"; echo more >> \"$V/README\"; ln -s README \"$V/link\"\n"
		 "[ \"$(readlink \"$V/link\")\" = README ]; grep -q more \"$V/link\"\n"
		 "mkfifo \"$V/fifo\"; mkdir \"$V/sub\"; echo x > \"$V/sub/y\"; mv \"$V/sub\" "
		 "\"$V/dir\"\n"
		 "mv \"$V/dir/y\" \"$V/.trash/y\"; rmdir \"$V/dir\"; chmod 600 \"$V/README\"\n"
		 "echo '*.json -diff' > \"$V/.gitattributes\"");
	fixture_umount(&f);
	STEP(&f, "grep -q more \"$V/README\"; [ -p \"$V/fifo\" ]; grep -q x \"$V/.trash/y\"\n"
		 "[ \"$(stat -c %a \"$V/README\")\" = 600 ]; [ -e \"$V/.gitattributes\" ]\n"
		 "[ ! -e \"$D/README\" ]; [ ! -e \"$D/.trash\" ]");
	CHECK_INVARIANTS(&f);
}

static void nothing_else_may_begin_with_a_conversations_digits(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, "echo zip > \"$V/17457886043-first.zip\"");
	fixture_mount(&f);
	STEP(&f, "ls \"$V\" | grep -q zip && fail listed; [ ! -e \"$V/17457886043-first.zip\" ]\n"
		 "touch \"$V/17457886043.bak\" 2>/dev/null && fail made\n"
		 "mkdir \"$V/17457886043-second-name\" 2>/dev/null && fail 'two for one ID'; :");
	fixture_umount(&f);
	STEP(&f, "grep -q zip \"$V/17457886043-first.zip\"");
}

static void the_archive_shows_archived_conversations(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, "mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"");
	fixture_mount(&f);
	STEP(&f, "[ \"$(ls \"$V/.archive\")\" = $X ]; [ \"$(title \"$V/.archive/$X\")\" = 'First "
		 "Title' ]\n"
		 "until_ok test -d \"$D/.archive/$X\"; mv \"$V/.archive/$X\" \"$V/\"; rmdir "
		 "\"$V/.archive\"\n"
		 "[ -d \"$D/$X\" ]; [ ! -e \"$V/.archive\" ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_conversation_directory_tells_its_id_and_presence(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; python3 - \"$V/$X\" <<'E'\n"
		 "import os, sys\n"
		 "d = sys.argv[1]\n"
		 "assert os.getxattr(d, 'user.jpfs.id') == b'17457886043'\n"
		 "assert os.getxattr(d, 'user.jpfs.presence') == b'projected'\n"
		 "assert 'user.jpfs.id' in os.listxattr(d)\n"
		 "E");
	fixture_umount(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(projected_conversations_are_listed_and_read_back),
		TEST(user_local_conversations_are_neither_listed_nor_found),
		TEST(the_control_directory_is_reachable_but_not_listed),
		TEST(the_control_directory_is_listed_on_request),
		TEST(jps_temporary_files_are_reachable_but_never_listed),
		TEST(a_conversation_on_its_way_in_is_found_but_not_listed),
		TEST(a_durable_file_that_was_never_here_is_not_shown),
		TEST(what_is_no_conversation_passes_through),
		TEST(nothing_else_may_begin_with_a_conversations_digits),
		TEST(the_archive_shows_archived_conversations),
		TEST(a_conversation_directory_tells_its_id_and_presence),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("view", tests);
}
