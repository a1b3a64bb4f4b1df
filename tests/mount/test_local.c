/*
 * `.jpfs/local`: what the store has and this worktree has not; projecting and taking out. Semantics,
 * sections 3 and 6.
 */
#include "tests/mount/fixture.h"

/* `L` is .jpfs/local; `quiet`: nothing is pending; `xattr NAME PATH`; `names DIR` in one line;
 * `make_here DIR TITLE` writes the three files of a conversation. */
static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"L=$V/.jpfs/local\n"
	"quiet() { \"$J\" status --json \"${1-$P}\" | python3 -c 'import json, sys\n"
	"p = json.load(sys.stdin)[0][\"pending\"]; sys.exit(p[\"commits\"] + p[\"projections\"] > "
	"0)'\n"
	"}\n"
	"xattr() { python3 -c 'import os, sys\n"
	"print(os.getxattr(sys.argv[2], \"user.jpfs.\" + sys.argv[1]).decode())' \"$@\"; }\n"
	"names() { ls -A \"$1\" | tr '\\n' ' '; }\n"
	"make_here() { printf '{\"title\": \"%s\"}' \"$2\" > \"$1/metadata.json\"\n"
	"  echo '{}' > \"$1/base_config.json\"\n"
	"  echo '[{\"timestamp\": \"2026-03-05 19:31:45.0\", \"type\": \"turn_start\"}]' > "
	"\"$1/events.json\"; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	fixture_mount(fixture);
	STEP(fixture, ". ../lib.sh; for n in $X " SECOND " " THIRD
		      "; do until_ok test -d \"$D/$n\"; done; until_ok quiet");
	return true;
}

static void what_leaves_the_worktree_is_local(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; [ \"$(names \"$L\")\" = '.archive ' ]; cp -a \"$D/$X\" ../kept\n"
		 "ls -A \"$V\" | grep -q jpfs && fail listed; ls \"$V/.jpfs\" | grep -qx local\n"
		 "[ \"$(xattr presence \"$V/$X\")\" = projected ]; rm -r \"$V/$X\"\n"
		 "[ \"$(names \"$L\")\" = \".archive $X \" ]; diff -r ../kept \"$L/$X\"\n"
		 "[ \"$(xattr presence \"$L/$X\")\" = local ]\n"
		 "[ \"$(xattr id \"$L/$X\")\" = 17457886043 ]; [ \"$(title \"$L/$X\")\" = 'First "
		 "Title' ]\n"
		 "[ ! -e \"$V/$X\" ]; [ ! -e \"$L/" SECOND "\" ]; [ ! -e \"$L/nothing\" ]\n"
		 "touch \"$L/file\" 2>/dev/null && fail; mkdir \"$L/no-conversation\" 2>/dev/null "
		 "&& fail\n"
		 "mkdir \"$L/17457886044-other\" 2>/dev/null && fail; rmdir \"$L\" 2>/dev/null && "
		 "fail; :");
	fixture_umount(&f);
	STEP(&f, "diff -r ../kept \"$D/$X\"; [ ! -e \"$V/$X\" ]");
	CHECK_INVARIANTS(&f);
}

static void a_local_one_is_read_and_written_like_any_other(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; rm -r \"$V/$X\"; sed -i s/First/Edited/ \"$L/$X/metadata.json\"\n"
		 "[ \"$(title \"$L/$X\")\" = 'Edited Title' ]; until_ok grep -q Edited "
		 "\"$D/$X/metadata.json\"\n"
		 "echo note > \"$L/$X/note\"; until_ok cmp \"$L/$X/note\" \"$D/$X/note\"\n"
		 "sed -i s/Edited/Direct/ \"$D/$X/metadata.json\"\n"
		 "until_ok grep -q Direct \"$L/$X/metadata.json\"\n"
		 "echo query > \"$D/$X/QUERY_MESSAGE.md\"; cat \"$L/$X/QUERY_MESSAGE.md\"\n"
		 /* Half an edit: shown, and never durable. */
		 "cp \"$D/$X/events.json\" ../events; echo '[{' > \"$L/$X/events.json\"\n"
		 "[ \"$(cat \"$L/$X/events.json\")\" = '[{' ]; sleep 0.5; cmp ../events "
		 "\"$D/$X/events.json\"\n"
		 "cat ../events > \"$L/$X/events.json\"; until_ok quiet; cmp ../events "
		 "\"$D/$X/events.json\"\n"
		 "echo '[{' > \"$L/$X/events.json\"; rm \"$L/$X/note\"; [ ! -e \"$L/$X/note\" ]\n"
		 "git status --porcelain | grep -v '^ D' && fail 'git sees it'; :");
	fixture_umount(&f);
	STEP(&f, "cmp ../events \"$D/$X/events.json\"; grep -rqF '[{' \"$S/jpfs/history\"\n"
		 "[ ! -e \"$D/$X/note\" ]; grep -rq note \"$S/jpfs/trash\"");
	CHECK_INVARIANTS(&f);
}

static void moving_out_projects_and_moving_in_takes_out(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; echo own > \"$V/$X/note\"; mkdir \"$V/$X/more\"; echo deep > "
	     "\"$V/$X/more/file\"\n"
	     "until_ok quiet; cp -a \"$D/$X\" ../kept; echo query > \"$D/$X/QUERY_MESSAGE.md\"\n"
	     "mv \"$V/$X\" \"$L/\"; [ ! -e \"$V/$X\" ]; [ \"$(title \"$L/$X\")\" = 'First Title' "
	     "]\n"
	     "[ \"$(cat \"$L/$X/note\" \"$L/$X/more/file\" \"$L/$X/QUERY_MESSAGE.md\")\" = 'own\n"
	     "deep\nquery' ]; [ \"$(git status --porcelain | grep -c '^ D')\" = 3 ]\n"
	     "mv \"$L/$X\" \"$V/\"; [ ! -e \"$L/$X\" ]; [ \"$(xattr presence \"$V/$X\")\" = "
	     "projected ]\n"
	     "[ ! -e \"$V/$X/QUERY_MESSAGE.md\" ]; diff -r ../kept \"$V/$X\"; until_ok quiet\n"
	     "[ -e \"$D/$X/QUERY_MESSAGE.md\" ]; sed -i s/First/Again/ \"$V/$X/metadata.json\"\n"
	     "until_ok grep -q Again \"$D/$X/metadata.json\"\n"
	     /* With a new title at once, and what was not yet stored. */
	     "sed -i s/Again/Last/ \"$V/$X/metadata.json\"\n"
	     "mv \"$V/$X\" \"$L/17457886043-last-title\"; [ -e \"$D/17457886043-last-title\" ]\n"
	     "[ ! -e \"$D/$X\" ]; grep -q Last \"$D/17457886043-last-title/metadata.json\"\n"
	     "mv -n \"$L/17457886043-last-title\" \"$V/$X\"; [ -e \"$D/$X\" ]\n"
	     "mv \"$V/" SECOND "\" \"$L/\"; mv \"$V/" THIRD "\" \"$L/\"; mv \"$V/$X\" \"$L/\"\n"
	     "[ \"$(ls -A \"$L\" | wc -l)\" = 4 ]; mv \"$L\"/1745788604* \"$V/\"\n"
	     "[ \"$(names \"$L\")\" = '.archive ' ]; until_ok quiet");
	fixture_umount(&f);
	STEP(&f, "grep -q Last \"$V/$X/metadata.json\"; [ \"$(cat \"$V/$X/more/file\")\" = deep ]");
	CHECK_INVARIANTS(&f);
}

static void archived_ones_are_toggled_too(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"\n"
	     "[ -e \"$D/.archive/$X\" ]; mv \"$V/.archive/$X\" \"$L/.archive/\"\n"
	     "[ -e \"$D/.archive/$X\" ]; [ \"$(names \"$L/.archive\")\" = \"$X \" ]\n"
	     "[ \"$(title \"$L/.archive/$X\")\" = 'First Title' ]; [ ! -e \"$V/.archive/$X\" ]\n"
	     "mv \"$L/.archive/$X\" \"$V/.archive/\"; [ \"$(title \"$V/.archive/$X\")\" = 'First "
	     "Title' ]\n"
	     "mv \"$V/.archive/$X\" \"$L/\"; [ -e \"$D/$X\" ]; [ ! -e \"$D/.archive/$X\" ]\n"
	     "mv \"$L/$X\" \"$L/.archive/\"; [ -e \"$D/.archive/$X\" ]; mv \"$L/.archive/$X\" "
	     "\"$V/\"\n"
	     "[ -e \"$D/$X\" ]; [ \"$(title \"$V/$X\")\" = 'First Title' ]; until_ok quiet");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void one_that_is_made_there_is_never_projected(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; n=$(date +%s)0-made; echo $n > ../name; mkdir \"$L/$n\"\n"
	     "[ \"$(names \"$L\")\" = \".archive $n \" ]; make_here \"$L/$n\" Made\n"
	     "until_ok test -e \"$D/$n/events.json\"; [ \"$(names \"$L\")\" = \".archive $n \" ]\n"
	     "[ \"$(title \"$L/$n\")\" = '' ]; grep -q Made \"$D/$n/metadata.json\"\n"
	     "[ ! -e \"$V/$n\" ]; [ -z \"$(git status --porcelain)\" ]\n"
	     "[ \"$(xattr origin \"$L/$n\")\" = project ]; until_ok quiet");
	fixture_umount(&f);
	STEP(&f, "read n < ../name; [ ! -e \"$V/$n\" ]; [ -e \"$D/$n/base_config.json\" ]");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; read n < ../name; grep -q Made \"$L/$n/metadata.json\"");
	/* Another worktree sees it, and where it was started; each has its own projection. */
	STEP(&f, ". ../lib.sh; git worktree add -q -b side \"$W\"");
	{
		char other[300];

		(void)snprintf(other, sizeof(other), "%.255s/wt", f.base);
		fixture_mount_at(&f, other, "");
		STEP(&f, ". ../lib.sh; read n < ../name; l=$WV/.jpfs/local\n"
			 "[ \"$(xattr origin \"$l/$n\")\" = project ]; mv \"$l/$n\" \"$WV/\"\n"
			 "[ -e \"$L/$n\" ]; [ ! -e \"$V/$n\" ]; until_ok quiet \"$W\"\n"
			 "[ -n \"$(git -C \"$W\" status --porcelain)\" ]\n"
			 "[ -z \"$(git status --porcelain)\" ]");
		fixture_umount_at(&f, other);
	}
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void removing_one_there_moves_it_to_the_trash(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; echo own > \"$V/$X/note\"; until_ok quiet; cp -a \"$D/$X\" ../kept\n"
	     "mv \"$V/$X\" \"$L/\"; rm -r \"$L/$X\"; [ ! -e \"$L/$X\" ]; [ ! -e \"$D/$X\" ]\n"
	     "t=$(echo \"$S/jpfs/trash/17457886043/\"*\"$X\"); diff -r ../kept \"$t\"\n"
	     "[ \"$(names \"$L\")\" = '.archive ' ]; rmdir \"$L/.archive\" 2>/dev/null && fail; :");
	fixture_umount(&f);
	STEP(&f, "[ ! -e \"$D/$X\" ]; [ ! -e \"$V/$X\" ]");
	CHECK_INVARIANTS(&f);
}

static void a_directory_that_git_brings_back_is_projected_again(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; mv \"$V/$X\" \"$L/\"; sed -i s/First/Edited/ \"$L/$X/metadata.json\"\n"
	     "exec 3< \"$L/$X/events.json\"; git checkout -q -- \"$V\"; cat <&3 > ../held\n"
	     "[ ! -e \"$L/$X\" ]; [ -e \"$V/$X\" ]; cmp ../held \"$V/$X/events.json\"\n"
	     "until_ok quiet; [ -e \"$D/$X\" ]; grep -rq Edited \"$D/$X\" \"$S/jpfs/history\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_leaves_the_worktree_is_local),
		TEST(a_local_one_is_read_and_written_like_any_other),
		TEST(moving_out_projects_and_moving_in_takes_out),
		TEST(archived_ones_are_toggled_too),
		TEST(one_that_is_made_there_is_never_projected),
		TEST(removing_one_there_moves_it_to_the_trash),
		TEST(a_directory_that_git_brings_back_is_projected_again),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("local", tests);
}
