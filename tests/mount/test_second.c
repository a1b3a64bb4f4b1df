/*
 * Second directories of an ID: what git and people can leave in a worktree, and what is made of it.
 * Semantics, section 3: exactly one directory is shown per ID.
 */
#include "tests/mount/fixture.h"

#define OTHER "17457886043-zz-another"

/* The worktree has the first conversation twice, the second time with another title and a note. */
static bool begin(struct fixture *f, const char *place)
{
	char script[512];

	if (!fixture_begin(f))
		return false;
	fixture_mount(f);
	STEP(f, "until_ok test -d \"$D/" THIRD "\"");
	fixture_umount(f);
	(void)snprintf(script, sizeof(script),
		       "mkdir -p \"$V/%s\"; cp -a \"$V/$X\" \"$V/%s/" OTHER "\"\n"
		       "sed -i 's/First Title/Another/' \"$V/%s/" OTHER "/metadata.json\"\n"
		       "echo note > \"$V/%s/" OTHER "/NOTE.md\"\n",
		       place, place, place, place);
	STEP(f, script);
	fixture_mount(f);
	STEP(f, "[ \"$(ls \"$V\" | grep -c ^17457886043)\" = 1 ]; [ -e \"$V/$X/events.json\" ]\n"
		"[ ! -e \"$V/" OTHER "\" ]; [ -z \"$(ls \"$V/.archive\" 2> /dev/null)\" ]");
	return true;
}

static void a_second_directory_is_shown_when_the_first_one_goes(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f, ""))
		return;
	STEP(&f, "rm -r \"$V/$X\"; [ \"$(ls \"$V\" | grep ^17457886043)\" = " OTHER " ]\n"
		 "[ \"$(cat \"$V/" OTHER "/NOTE.md\")\" = note ]; [ ! -e \"$V/.jpfs/local/$X\" ]\n"
		 "cmp \"$V/" OTHER "/events.json\" \"$D/$X/events.json\"\n"
		 "sed -i 's/Title/Edited/; s/Another/Edited/' \"$V/" OTHER "/metadata.json\"\n"
		 "until_ok grep -q Edited \"$D/$X/metadata.json\"\n"
		 "until_ok grep -q note \"$D/$X/NOTE.md\"\n"
		 "[ \"$(ls \"$D\" | grep -c ^17457886043)\" = 1 ]");
	fixture_umount(&f);
	STEP(&f, "[ \"$(ls \"$V\" | grep ^17457886043)\" = " OTHER " ]");
	CHECK_INVARIANTS(&f);
}

/* By its name, before anybody has listed anything: as git looks for what it tracks. */
static void a_second_directory_is_found_by_its_name_when_the_first_one_goes(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f, ".archive"))
		return;
	STEP(&f, "rm -r \"$V/$X\"; [ -e \"$V/.archive/" OTHER "/events.json\" ]\n"
		 "[ \"$(ls \"$V/.archive\")\" = " OTHER " ]; [ ! -e \"$V/$X\" ]");
	fixture_umount(&f);
	STEP(&f, "[ -e \"$V/.archive/" OTHER "/NOTE.md\" ]; [ -e \"$D/$X/events.json\" ]");
	CHECK_INVARIANTS(&f);
}

static void who_removes_all_that_is_shown_has_removed_it_all(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f, ""))
		return;
	STEP(&f, "cp -a \"$D\" ../copy; cd ..; rm -rf project; [ ! -e project ]\n"
		 "diff -r copy \"$D\"; grep -rq Another \"$S/jpfs/trash/17457886043\"\n"
		 "grep -rq note \"$S/jpfs/trash/17457886043\"; mkdir project");
	fixture_wait_end(&f, f.project);
}

static void an_archive_that_shows_nothing_can_be_removed(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f, ".archive"))
		return;
	STEP(&f, "rm -r \"$V/.archive\"; [ ! -e \"$V/.archive\" ]; [ -e \"$V/$X/events.json\" ]\n"
		 "grep -rq note \"$S/jpfs/trash/17457886043\"; [ -e \"$D/$X/events.json\" ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* jp asks whether the new name is free, sees that it is, and gives up where it may not rename. */
static void the_name_of_a_second_directory_is_free(void)
{
	static const char *const places[] = {"", ".archive"};

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		cleanup_fixture struct fixture f = {0};
		char script[512];

		if (!begin(&f, places[i]))
			return;
		(void)snprintf(script, sizeof(script),
			       "mv -nT \"$V/$X\" \"$V/%s/" OTHER "\"; [ ! -e \"$V/$X\" ]\n"
			       "[ \"$(title \"$V/%s/" OTHER "\")\" = 'First Title' ]\n"
			       "[ ! -e \"$V/%s/" OTHER "/NOTE.md\" ]\n"
			       "grep -rq note \"$S/jpfs/trash/17457886043\"",
			       places[i], places[i], places[i]);
		STEP(&f, script);
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

static void a_merge_that_brings_another_title_shows_one_and_its_resolution_the_other(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f,
	     "git switch -q -c theirs; git mv \".jp/conversations/$X\" .jp/conversations/" OTHER
	     "\n"
	     "git commit -qm renamed; git switch -q main\n"
	     "touch -d 2026-03-05 .jp/conversations/*/*.json; cp -a .jp/conversations/$X ../kept");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"");
	fixture_umount(&f);
	/* Both are tracked from here on, then somebody removes the old one and it is pulled. */
	STEP(&f, "git checkout -q theirs -- .jp; git commit -qam both; git branch both\n"
		 "git switch -q -c resolved; git rm -rq \".jp/conversations/$X\"; git commit -qm "
		 "resolved\n"
		 "git switch -q both");
	fixture_mount(&f);
	STEP(&f,
	     "[ \"$(ls \"$V\" | grep -c ^17457886043)\" = 1 ]; [ -e \"$V/$X/events.json\" ]\n"
	     "git checkout -q -f resolved; [ \"$(ls \"$V\" | grep ^17457886043)\" = " OTHER " ]\n"
	     "git status --porcelain > ../status; [ ! -s ../status ] || fail \"$(cat ../status)\"\n"
	     "diff -r ../kept \"$V/" OTHER "\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* What jp does when it saves what it was not shown: the store first, then a directory here. */
#define JP_SAVES                                                                                   \
	"save() { mkdir \"$2/$1\"; for n in metadata base_config events; do\n"                     \
	"  cmp -s \"../saved/$n.json\" \"$2/$1/$n.json\" && continue\n"                            \
	"  cp \"../saved/$n.json\" \"$2/$1/$n.json.tmp\"\n"                                        \
	"  mv \"$2/$1/$n.json.tmp\" \"$2/$1/$n.json\"; done; }\n"                                  \
	"saved() { diff -r ../saved \"$1\"; }\n"                                                   \
	"cp -r \"$D/$X\" ../saved; sed -i 's/First Title/Saved/' ../saved/metadata.json\n"

/*
 * Here it is archived, and another worktree has it live, or jp has just made it so: jp makes a live
 * directory with whatever title it has by now, and must meet no error. Both directories are there then,
 * as without a mount, and the live one is shown; when that goes, the archived one is. A program that
 * has a file of the archived one open goes on reading it.
 */
static void jp_makes_a_live_directory_of_what_is_archived_here(void)
{
	static const char *const names[] = {FIRST, OTHER};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		cleanup_fixture struct fixture f = {0};

		if (!fixture_begin(&f))
			return;
		setenv("Y", names[i], 1);
		fixture_mount(&f);
		STEP(&f, "until_ok test -d \"$D/" THIRD "\"\n"
			 "echo note > \"$V/$X/NOTE.md\"; until_ok test -e \"$D/$X/NOTE.md\"");
		fixture_umount(&f);
		STEP(&f, "mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"");
		fixture_mount(&f);
		STEP(&f, JP_SAVES
		     "exec 4< \"$V/.archive/$X/events.json\"; cp \"$V/.archive/$X/events.json\" "
		     "../old\n"
		     "[ \"$Y\" = \"$X\" ] || mv \"$D/$X\" \"$D/$Y\"\n"
		     "cp ../saved/metadata.json \"$D/$Y/metadata.json.tmp\"\n"
		     "mv \"$D/$Y/metadata.json.tmp\" \"$D/$Y/metadata.json\"\n"
		     "mkdir \"$V/17457886043-not-the-stores\" 2> /dev/null && fail 'a third name'\n"
		     "save \"$Y\" \"$V\"; rm ../saved/NOTE.md; saved \"$V/$Y\"\n"
		     "[ \"$(ls \"$V\" | grep ^17457886043)\" = \"$Y\" ]; [ -z \"$(ls "
		     "\"$V/.archive\")\" ]\n"
		     "[ ! -e \"$V/.archive/$X\" ]; cmp ../old - <&4; [ -e \"$D/$Y/NOTE.md\" ]");
		fixture_umount(&f);
		/* As jp leaves it, and as it is when it comes back. */
		STEP(&f,
		     "diff -r ../saved \"$V/$Y\"; [ -e \"$V/.archive/$X/NOTE.md\" ]\n"
		     "cmp ../old \"$V/.archive/$X/events.json\"; git status --short > ../status\n"
		     "[ -e \"$D/$Y/NOTE.md\" ]; cmp \"$D/$Y/events.json\" \"$V/$Y/events.json\"");
		fixture_mount(&f);
		STEP(&f, "saved() { diff -r ../saved \"$1\"; }; saved \"$V/$Y\"\n"
			 "rm -r \"$V/$Y\"; [ \"$(ls \"$V/.archive\")\" = \"$X\" ]\n"
			 "[ -e \"$V/.archive/$X/NOTE.md\" ]; [ \"$(title \"$V/.archive/$X\")\" = "
			 "Saved ]\n"
			 "[ -d \"$D/$Y\" ]");
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

/* jp archives it again in the next moment, and removes before what it finds in its place. The process
 * that makes the kernel ask for the old name may not have come to that yet: here it is held up. */
static void what_jp_makes_live_is_not_met_in_the_archive_at_that_moment(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"");
	fixture_umount(&f);
	STEP(&f, "mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"");
	fixture_mount(&f);
	STEP(&f, JP_SAVES
	     "for i in 1 2 3; do ls -l \"$V/.archive\" \"$V/.archive/$X\"; cat "
	     "\"$V/.archive/$X/\"*; done\n"
	     "daemon=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[\"pid\"])' "
	     "\"$V/.jpfs/status.json\")\n"
	     "for p in $(cat /proc/$daemon/task/*/children); do\n"
	     "  [ \"$(cat /proc/$p/comm)\" != jpfs-companion ] || companion=$p; done\n"
	     "cp ../saved/metadata.json \"$D/$X/metadata.json\"; kill -STOP $companion\n"
	     "trap 'kill -CONT $companion' EXIT; save \"$X\" \"$V\"\n"
	     "[ ! -e \"$V/.archive/$X\" ]; ! ls \"$V/.archive/$X\" || fail listed\n"
	     "[ -z \"$(ls \"$V/.archive\")\" ]; ! cat \"$V/.archive/$X/events.json\" || fail read\n"
	     "mv \"$V/$X\" \"$V/.archive/\"; [ ! -e \"$V/$X\" ]; saved \"$V/.archive/$X\"\n"
	     "kill -CONT $companion; trap - EXIT; saved \"$V/.archive/$X\"; [ ! -e \"$V/$X\" ]");
	fixture_umount(&f);
	STEP(&f, "diff -r ../saved \"$V/.archive/$X\"; diff -r ../saved \"$D/.archive/$X\"");
	CHECK_INVARIANTS(&f);
}

/* It is on its way out and not listed, so jp takes it for one that is not here. */
static void jp_makes_a_directory_under_another_name_for_one_on_its_way_out(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD "\"; mkdir \"$V/" OTHER "\" 2> /dev/null && fail made\n"
	     "[ ! -e \"$V/" OTHER "\" ]; [ -e \"$V/$X/events.json\" ]");
	STEP(&f,
	     JP_SAVES "rm \"$V/$X/metadata.json\"; [ -z \"$(ls \"$V\" | grep ^17457886043)\" ]\n"
		      "mv \"$D/$X\" \"$D/" OTHER "\"; cp ../saved/metadata.json \"$D/" OTHER
		      "/metadata.json\"\n"
		      "save " OTHER " \"$V\"; saved \"$V/" OTHER "\"; [ ! -e \"$V/$X\" ]\n"
		      "[ \"$(ls \"$V\" | grep ^17457886043)\" = " OTHER " ]");
	fixture_umount(&f);
	STEP(&f, "diff -r \"$V/" OTHER "\" \"$D/" OTHER "\"; [ ! -e \"$V/$X\" ]");
	CHECK_INVARIANTS(&f);
}

/* git has brought one file of it into the archive and nothing else; then jp saves it, and makes it live here.
 * There is one directory: what was in the other one came along. */
static void jp_makes_a_live_directory_of_what_the_archive_has_in_part(void)
{
	static const char *const delays[] = {"", "sleep 4; "};

	for (size_t i = 0; i < COUNT_OF(delays); i++) {
		cleanup_fixture struct fixture f = {0};
		char script[1024];

		if (!fixture_begin(&f))
			return;
		STEP(&f, "mkdir \"$V/.archive\"; git mv \"$V/$X\" \"$V/.archive/$X\"\n"
			 "git commit -qm archived");
		fixture_mount(&f);
		(void)snprintf(script, sizeof(script), "%s%s%s",
			       "until_ok test -d \"$D/" THIRD "\"\n"
			       "mv \"$V/.archive/$X\" \"$V/$X\"; rm -r \"$V/$X\"\n"
			       "git checkout -q -- \"$V/.archive/$X/base_config.json\"\n"
			       "[ -d \"$D/$X\" ]; echo note > \"$V/.archive/$X/NOTE.md\"\n",
			       delays[i],
			       JP_SAVES
			       "cp ../saved/metadata.json \"$D/$X/metadata.json\"\n"
			       "save \"$X\" \"$V\"; [ ! -e \"$V/.archive/$X\" ]\n"
			       "[ \"$(cat \"$V/$X/NOTE.md\")\" = note ]\n"
			       "rm -f ../saved/NOTE.md; diff -r -x NOTE.md ../saved \"$V/$X\"");
		STEP(&f, script);
		fixture_umount(&f);
		STEP(&f, "[ ! -e \"$V/.archive/$X\" ]; diff -r \"$V/$X\" \"$D/$X\"");
		CHECK_INVARIANTS(&f);
	}
}

/* A title was changed elsewhere and git has brought that; a note that git does not track keeps the old
 * directory. What is shown of the two is whole. */
static void a_directory_that_lost_all_of_jps_files_hides_no_other_one(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	STEP(&f, "git switch -q -c theirs; git mv \"$V/$X\" \"$V/" OTHER "\"\n"
		 "git commit -qm renamed; git switch -q main\n"
		 "touch -d 2026-03-05 .jp/conversations/*/*.json");
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; echo note > \"$V/$X/NOTE.md\"\n"
		 "until_ok test -e \"$D/$X/NOTE.md\"");
	fixture_umount(&f);
	STEP(&f, "git switch -q theirs; [ -e \"$V/$X/NOTE.md\" ]; [ ! -e \"$V/$X/events.json\" ]");
	fixture_mount(&f);
	STEP(&f, "name=$(ls \"$V\" | grep ^17457886043); cmp \"$V/$name/events.json\" "
		 "\"$D/$X/events.json\"\n"
		 "rm -r \"$V/$name\"; other=$(ls \"$V\" | grep ^17457886043)\n"
		 "[ \"$other\" != \"$name\" ]; [ -e \"$D/$X/events.json\" ]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* Only jp has saved it in the store before: a copy beside the archived one is somebody's mistake. */
static void a_copy_of_an_archived_one_is_refused_and_harms_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD
		 "\"; mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"\n"
		 "cp -r \"$V/.archive/$X\" \"$V/\" 2> ../err && fail copied; grep -q 'File exists' "
		 "../err\n"
		 "[ ! -e \"$V/$X\" ]; diff -r \"$V/.archive/$X\" \"$D/.archive/$X\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_second_directory_is_shown_when_the_first_one_goes),
		TEST(a_second_directory_is_found_by_its_name_when_the_first_one_goes),
		TEST(who_removes_all_that_is_shown_has_removed_it_all),
		TEST(an_archive_that_shows_nothing_can_be_removed),
		TEST(the_name_of_a_second_directory_is_free),
		TEST(a_merge_that_brings_another_title_shows_one_and_its_resolution_the_other),
		TEST(jp_makes_a_live_directory_of_what_is_archived_here),
		TEST(what_jp_makes_live_is_not_met_in_the_archive_at_that_moment),
		TEST(jp_makes_a_directory_under_another_name_for_one_on_its_way_out),
		TEST(jp_makes_a_live_directory_of_what_the_archive_has_in_part),
		TEST(a_directory_that_lost_all_of_jps_files_hides_no_other_one),
		TEST(a_copy_of_an_archived_one_is_refused_and_harms_nothing),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("second", tests);
}
