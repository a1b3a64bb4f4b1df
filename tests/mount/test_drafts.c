/*
 * Drafts: what one worktree shows and the store does not take. Semantics, sections 5 and 8, with
 * real git, mounted and unmounted, and with a second worktree that must never go back.
 */
#include "tests/mount/two_worktrees.h"

/* Beside two_worktrees.h, for scripts: `decide HOW [DIR]` ends a draft by the attribute. */
static const char FUNCTIONS[] =
	"decide() { python3 -c 'import os, sys; os.setxattr(sys.argv[1], \"user.jpfs.draft\",\n"
	"  sys.argv[2].encode())' \"${2-$V/$X}\" $1; }\n";

/* Two commits: `older` has the conversation with two events, main has one more. */
static bool begin(struct two *two)
{
	if (!two_begin(two, FUNCTIONS))
		return false;
	STEP(&two->f, ". ../lib.sh; git branch older; append 'the third'; git commit -qam two");
	fixture_mount(&two->f);
	STEP(&two->f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; until_ok quiet");
	return true;
}

static bool begin_both(struct two *two)
{
	if (!begin(two))
		return false;
	STEP(&two->f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&two->f, two->other, "");
	STEP(&two->f, ". ../lib.sh; until_ok quiet \"$W\"");
	return true;
}

static void switching_to_an_older_branch_takes_no_turn_from_others(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; git switch -q older; clean; has 'the third' \"$e\" && fail shown\n"
	     "until_ok drafts 1; drafts 0 \"$W\"; clean; has 'the third' \"$e\" && fail shown\n"
	     "has 'the third' \"$DE\"; has 'the third' \"$WE\"; clean \"$W\"");
	/* The others go on meanwhile. */
	STEP(&t.f, ". ../lib.sh; append 'the fourth' \"$WE\"; until_ok has 'the fourth' \"$DE\"\n"
		   "has 'the third' \"$e\" && fail 'the draft went'; clean; drafts 1");
	/* What both were is back, so the draft has ended and the store's version is shown. */
	STEP(&t.f,
	     ". ../lib.sh; git switch -q main; until_ok drafts 0; until_ok has 'the fourth' "
	     "\"$e\"\n"
	     "has 'the third' \"$DE\"; has 'the fourth' \"$DE\"; has 'the fourth' \"$WE\"\n"
	     "[ -z \"$(ls \"$S/jpfs/history\")\" ] || fail \"kept: $(find \"$S/jpfs/history\")\"");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void switching_back_and_forth_changes_nothing(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; cp -a \"$D/$X\" ../kept\n"
	     "for i in 1 2 3; do git switch -q older; clean; git switch -q main; clean; done\n"
	     "until_ok drafts 0; has 'the third' \"$e\"; git switch -q older; until_ok drafts 1\n"
	     "git switch -q main; until_ok drafts 0; clean; has 'the third' \"$e\"\n"
	     "until_ok quiet; diff -r \"$D/$X\" ../kept; [ -z \"$(ls \"$S/jpfs/history\")\" ]");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; clean; diff -r \"$D/$X\" ../kept");
	CHECK_INVARIANTS(&t.f);
}

static void a_switch_while_unmounted_is_a_draft_too(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	fixture_umount(&t.f);
	STEP(&t.f, "git switch -q older");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; has 'the third' \"$e\" && fail shown; until_ok drafts 1; clean\n"
		   "has 'the third' \"$DE\"; has 'the third' \"$WE\"\n"
		   "append 'the fourth' \"$WE\"; until_ok has 'the fourth' \"$DE\"");
	/* It is one still after another mount, and one of its own. */
	fixture_umount(&t.f);
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; has 'the third' \"$e\" && fail shown; until_ok drafts 1; clean");
	fixture_umount(&t.f);
	STEP(&t.f,
	     ". ../lib.sh; has 'the third' \"$e\" && fail 'unmounting ended it'\n"
	     "git switch -q main; has 'the third' \"$e\"; has 'the fourth' \"$e\" && fail; :");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; until_ok has 'the fourth' \"$e\"; until_ok quiet; drafts 0\n"
		   "[ -z \"$(ls \"$S/jpfs/history\")\" ]");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* Of the new directory nothing was ever noted as equal. */
static void a_draft_in_a_directory_that_git_made_anew_is_one_after_mounting_again(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; rm -r \"$V/$X\"\n"
	     "git checkout -q older -- .jp/conversations; has 'the third' \"$e\" && fail shown\n"
	     "until_ok drafts 1; until_ok quiet");
	for (int i = 0; i < 2; i++) {
		fixture_umount(&t.f);
		fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; has 'the third' \"$e\" && fail shown; until_ok drafts 1\n"
			   "has 'the third' \"$DE\"");
	}
	STEP(&t.f, ". ../lib.sh; \"$J\" discard $X; until_ok drafts 0; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_draft_stays_one_whatever_becomes_of_the_durable_version(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; cp \"$e\" ../kept\n"
		   "until_ok quiet");
	/* Mounted: an edit where the draft has another text, so nothing is earlier any more. */
	STEP(&t.f, ". ../lib.sh; sed -i 's/timestamp\": \"2026/timestamp\": \"2025/' \"$WE\"\n"
		   "until_ok same \"$WE\" \"$DE\"; until_ok quiet; drafts 1; same ../kept \"$e\"");
	for (int i = 0; i < 2; i++) {
		fixture_umount(&t.f);
		STEP(&t.f, ". ../lib.sh; same ../kept \"$e\"; echo >> \"$WE\"\n"
			   "until_ok same \"$WE\" \"$DE\"; clean");
		fixture_mount(&t.f);
		STEP(&t.f,
		     ". ../lib.sh; until_ok drafts 1; same ../kept \"$e\"; clean; until_ok quiet");
	}
	STEP(&t.f, ". ../lib.sh; \"$J\" discard $X; until_ok same \"$e\" \"$DE\"; until_ok quiet");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void a_trim_is_durable_at_once_mounted_and_a_draft_unmounted(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; append 'the fourth'; until_ok has 'the fourth' \"$DE\"; trim 3\n"
		   "until_ok same \"$e\" \"$DE\"; has 'the third' \"$DE\"; drafts 0\n"
		   "grep -rq 'the fourth' \"$S/jpfs/history\"; until_ok quiet");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; trim 2");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; has 'the third' \"$e\" && fail shown; until_ok drafts 1\n"
		   "has 'the third' \"$DE\"");
	fixture_umount(&t.f);
	fixture_mount(&t.f);
	STEP(&t.f,
	     ". ../lib.sh; has 'the third' \"$e\" && fail shown; until_ok drafts 1\n"
	     /* Continued, it goes another way: what it left is kept. */
	     "append 'another third'; until_ok has 'another third' \"$DE\"; until_ok drafts 0\n"
	     "has 'the third' \"$DE\" && fail; grep -rq 'the third' \"$S/jpfs/history\"");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_draft_is_committed_or_discarded_on_purpose(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; git switch -q older; until_ok drafts 1; decide discard; drafts 0\n"
	     "has 'the third' \"$e\"; has 'the third' \"$DE\"; until_ok quiet\n"
	     "[ -z \"$(ls \"$S/jpfs/history\")\" ] # it was an earlier one\n"
	     "decide discard && fail 'there is none'; decide commit && fail 'there is none'\n"
	     "git checkout -q \"$e\"; until_ok drafts 1; has 'the third' \"$e\" && fail shown\n"
	     "decide commit; drafts 0; has 'the third' \"$e\" && fail shown\n"
	     "same \"$e\" \"$DE\"; grep -rq 'the third' \"$S/jpfs/history\"; clean\n"
	     /* What jp would reject is not committed by anybody; discarded, it is kept. */
	     "echo '[half' > \"$e\"; until_ok drafts 1; decide commit && fail 'it is not valid'\n"
	     "drafts 1; decide discard; drafts 0; same \"$e\" \"$DE\"\n"
	     "grep -rqF '[half' \"$S/jpfs/history\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void an_edit_while_unmounted_wins_whatever_its_time(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	fixture_umount(&t.f);
	for (int i = 0; i < 3; i++) {
		static const char *const times[] = {"2001-01-01", "2026-03-05 20:00:00.123456789",
						    "2038-01-01"};
		char script[512];

		(void)snprintf(script, sizeof(script),
			       ". ../lib.sh; sed -i 's/First.*Title/& First %d Title/' \"$m\"; sed "
			       "-i 's/First.*Title/& First %d Title/' "
			       "\"$e\"; touch -d '%s' \"$m\" \"$e\"; cp \"$e\" ../edited",
			       i, i, times[i]);
		STEP(&t.f, script);
		fixture_mount(&t.f);
		STEP(&t.f,
		     ". ../lib.sh; same ../edited \"$e\"; until_ok same ../edited \"$DE\"\n"
		     "until_ok same \"$m\" \"$D/$X/metadata.json\"; until_ok quiet; drafts 0");
		fixture_umount(&t.f);
	}
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_removed_file_stays_hidden_across_mounts(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; until_ok quiet; rm \"$V/$X/base_config.json\"; sleep 3.5");
	fixture_umount(&t.f);
	STEP(&t.f, "[ ! -e \"$V/$X/base_config.json\" ]; [ -e \"$D/$X/base_config.json\" ]");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; [ ! -e \"$V/$X/base_config.json\" ]; until_ok quiet\n"
		   "[ -e \"$D/$X/base_config.json\" ]; git checkout -q -- \"$V/$X\"\n"
		   "[ -e \"$V/$X/base_config.json\" ]; until_ok quiet; clean");
	fixture_umount(&t.f);
	STEP(&t.f, "rm \"$V/$X/metadata.json\""); /* by hand, without a mount */
	fixture_mount(&t.f);
	STEP(&t.f, "[ ! -e \"$V/$X/metadata.json\" ]; [ -e \"$D/$X/metadata.json\" ]\n"
		   "git checkout -q -- .; [ -e \"$V/$X/metadata.json\" ]");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_draft_that_goes_with_its_directory_leaves_what_was_its_own(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; echo '[half of an idea' > \"$e\"; until_ok drafts 1\n"
		   "rm -r \"$V/$X\"; grep -rq 'half of an idea' \"$S/jpfs/history\"\n"
		   "has 'the third' \"$DE\"; git checkout -q -- .; clean; until_ok drafts 0\n"
		   "has 'the third' \"$e\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* Truncated and then filled, with time in between: what a person does is durable all the same. */
static void a_trim_is_durable_though_half_of_it_was_seen_before(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; cp \"$e\" ../trimmed; trim 2 ../trimmed; head -c 50 ../trimmed > "
		   "\"$e\"\n"
		   "until_ok drafts 1; has 'the third' \"$DE\"; tail -c +51 ../trimmed >> \"$e\"\n"
		   "until_ok same ../trimmed \"$DE\"; until_ok drafts 0\n"
		   "grep -rq 'the third' \"$S/jpfs/history\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_draft_ends_when_the_durable_version_becomes_the_same(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; cp \"$e\" \"$WE\"\n"
		   "until_ok same \"$e\" \"$DE\"; looked() { cat \"$e\" > ../seen; drafts 0; }\n"
		   "until_ok looked; append 'the other third' \"$WE\"; until_ok has 'the other "
		   "third' \"$e\"\n"
		   "until_ok quiet; until_ok quiet \"$W\"");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void a_base_configuration_alone_is_no_draft_for_long(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	/* Both are drafts, for the events are; then the events go on, and take it with them. */
	STEP(&t.f, ". ../lib.sh; b=$V/$X/base_config.json; echo '{\"new\": 1}' > \"$b\"; git "
		   "commit -qam b\n"
		   "until_ok grep -q new \"$D/$X/base_config.json\"; until_ok quiet\n"
		   "git switch -q older; until_ok drafts 1; cp \"$e\" ../kept; cp \"$b\" ../base\n"
		   "echo '{\"other\": 1}' > \"$b\"; until_ok quiet; sleep 1\n"
		   "append 'another third'; until_ok has 'another third' \"$DE\"\n"
		   "until_ok grep -q other \"$D/$X/base_config.json\"; until_ok drafts 0\n"
		   "grep -rq new \"$S/jpfs/history\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_base_configuration_that_git_puts_back_stays_with_its_stream(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f, ". ../lib.sh; b=$V/$X/base_config.json; cp \"$b\" ../base\n"
		   "git switch -q older; until_ok drafts 1; until_ok quiet\n"
		   "echo '{\"new\": 1}' > \"$WV/$X/base_config.json\"\n"
		   "until_ok grep -q new \"$D/$X/base_config.json\"; until_ok quiet\n"
		   "for i in 1 2; do git checkout -q -- .jp; until_ok quiet; clean\n"
		   "  same \"$b\" ../base; drafts 1; grep -q new \"$D/$X/base_config.json\"\n"
		   "  echo \"{\\\"other\\\": $i}\" > \"$b\"; until_ok quiet; done\n"
		   "git checkout -q -f main; until_ok drafts 0; until_ok quiet\n"
		   "grep -q new \"$D/$X/base_config.json\"");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* Both files of a stream are always of the same side, whoever changes one of them. */
static void what_others_change_is_not_shown_beside_a_draft(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f, ". ../lib.sh; b=$V/$X/base_config.json; WB=$WV/$X/base_config.json\n"
		   "DB=$D/$X/base_config.json; cp \"$b\" ../base; cp \"$e\" ../events\n"
		   "git switch -q older; until_ok drafts 1; until_ok quiet\n"
		   "echo '{\"new\": 1}' > \"$WB\"; until_ok same \"$WB\" \"$DB\"; until_ok quiet\n"
		   "until_ok quiet \"$W\"; same \"$b\" ../base; drafts 1; clean");
	for (int i = 0; i < 2; i++) {
		fixture_umount(&t.f);
		STEP(&t.f, ". ../lib.sh; same \"$V/$X/base_config.json\" ../base; clean");
		fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; same \"$V/$X/base_config.json\" ../base; drafts 1; clean\n"
			   "echo '{\"newer\": 1}' > \"$WV/$X/base_config.json\"\n"
			   "until_ok same \"$WV/$X/base_config.json\" \"$D/$X/base_config.json\"\n"
			   "until_ok quiet; same \"$V/$X/base_config.json\" ../base");
	}
	/* The draft ends, and both are the store's. */
	STEP(&t.f, ". ../lib.sh; git switch -q main; until_ok drafts 0\n"
		   "until_ok grep -q newer \"$V/$X/base_config.json\"; same \"$e\" ../events\n"
		   "until_ok quiet; drafts 0");
	/* The other way round: half of a base configuration, and turns that others add. */
	STEP(&t.f,
	     ". ../lib.sh; b=$V/$X/base_config.json; echo '{' > \"$b\"; until_ok drafts 1\n"
	     "append 'the fourth' \"$WE\"; until_ok has 'the fourth' \"$DE\"; until_ok quiet\n"
	     "same \"$e\" ../events; drafts 1; echo '{\"mine\": 1}' > \"$b\"; until_ok drafts 0\n"
	     "until_ok has 'the fourth' \"$e\"; until_ok grep -q mine \"$D/$X/base_config.json\"\n"
	     "until_ok quiet");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

/* What is shown becomes durable, and what it takes the place of is kept. */
static void a_draft_is_committed_with_what_is_shown_beside_it(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; cp \"$V/$X/base_config.json\" ../base\n"
	     "git switch -q older; until_ok drafts 1; until_ok quiet; cp \"$e\" ../events\n"
	     "echo '{\"new\": 1}' > \"$WV/$X/base_config.json\"\n"
	     "until_ok grep new \"$D/$X/base_config.json\"; until_ok quiet; until_ok quiet \"$W\"\n"
	     "\"$J\" commit \"$X\"; drafts 0; same \"$DE\" ../events\n"
	     "same \"$D/$X/base_config.json\" ../base; grep -rq new \"$S/jpfs/history\"\n"
	     "grep -rq 'the third' \"$S/jpfs/history\"; until_ok quiet");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void an_editor_that_keeps_a_backup_leaves_a_draft_one(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; cp \"$e\" ../trimmed\n"
		   "trim 1 ../trimmed; mv \"$e\" \"$e~\"; cat ../trimmed > \"$e\"; rm \"$e~\"\n"
		   "until_ok drafts 1; until_ok quiet; sleep 1; drafts 1; same ../trimmed \"$e\"\n"
		   "has 'the third' \"$DE\"; head -c 50 ../trimmed > \"$e\"; sleep 1\n"
		   "tail -c +51 ../trimmed >> \"$e\"; until_ok quiet; sleep 1; drafts 1\n"
		   "same ../trimmed \"$e\"; has 'the third' \"$DE\"; git checkout -q -f main\n"
		   "until_ok drafts 0; has 'the third' \"$e\"; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void a_draft_that_is_written_with_the_same_bytes_keeps_its_time(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; until_ok quiet\n"
		   "cp \"$e\" ../same; t=$(stat -c %Y.%y \"$e\"); sleep 0.05\n"
		   "unmoved() { [ \"$(stat -c %Y.%y \"$e\")\" = \"$t\" ]; }\n"
		   "cat ../same > \"$e\"; until_ok quiet; unmoved || fail truncated; drafts 1\n"
		   "dd if=../same of=\"$e\" conv=notrunc status=none; until_ok quiet\n"
		   "unmoved || fail 'in place'; drafts 1\n"
		   "cp ../same \"$e.tmp\"; mv \"$e.tmp\" \"$e\"; until_ok quiet\n"
		   "unmoved || fail 'as jp writes'; drafts 1; same ../same \"$e\"\n"
		   "stat -c %y \"$e\" > ../time; has 'the third' \"$DE\"");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; same ../same \"$e\"; [ \"$(stat -c %y \"$e\")\" = "
		   "\"$(cat ../time)\" ]");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; git switch -q main; until_ok drafts 0; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

/* Where the bytes of a draft lie is nobody's business: the file stays the one that it was. */
static void who_has_a_draft_open_writes_to_it_when_it_has_moved(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; until_ok drafts 1; until_ok quiet\n"
		   "cp \"$e\" ../mine; append mine ../mine; exec 9<>\"$e\"; \"$J\" commit \"$X\"\n"
		   "drafts 0; cat ../mine >&9; exec 9>&-; same ../mine \"$e\"\n"
		   "until_ok same ../mine \"$DE\"; same ../mine \"$e\"; until_ok quiet");
	/* Beside a draft: half of a base configuration, while others add turns. */
	STEP(&t.f,
	     ". ../lib.sh; until_ok has mine \"$WE\"; b=$V/$X/base_config.json; cp \"$b\" ../base\n"
	     "echo '{' > \"$b\"; until_ok drafts 1; until_ok quiet; append again ../mine\n"
	     "exec 9<>\"$e\"; append theirs \"$WE\"; until_ok has theirs \"$DE\"; until_ok quiet\n"
	     "has theirs \"$e\" && fail shown; cat ../mine >&9; exec 9>&-; same ../mine \"$e\"\n"
	     "until_ok same ../mine \"$DE\"; same ../mine \"$e\"\n"
	     "grep -rq theirs \"$S/jpfs/history\"; cat ../base > \"$b\"; until_ok drafts 0\n"
	     "until_ok quiet; until_ok quiet \"$W\"");
	fixture_umount_at(&t.f, t.other);
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

/* Somebody is always in the middle of writing something. */
static void what_was_in_step_is_known_after_a_kill_though_a_write_was_under_way(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; (exec 9> \"$V/$X/notes.md\"; echo half >&9; exec sleep 1000) \\\n"
		   "  > ../open 2>&1 & echo $! > ../pid; until_ok test -s \"$V/$X/notes.md\"\n"
		   "append 'the fourth'; until_ok has 'the fourth' \"$DE\"\n"
		   "projected() { \"$J\" status --json | grep -q '\"projections\": 0'; }\n"
		   "until_ok projected; \"$J\" status --json | grep -q '\"commits\": 1'");
	fixture_kill(&t.f, t.f.project);
	/* The workspace has the version before; nobody went back to it. */
	STEP(&t.f, ". ../lib.sh; kill $(cat ../pid); has 'the fourth' \"$e\"\n"
		   "append 'the fifth' \"$DE\"");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; until_ok has 'the fifth' \"$e\"; drafts 0; until_ok quiet");
	fixture_umount(&t.f);
	CHECK_INVARIANTS(&t.f);
}

static void mounting_again_reads_no_bytes_and_changes_nothing(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, ". ../lib.sh; append \"$(head -c 100000 /dev/zero | tr '\\0' x)\"\n"
		   "until_ok same \"$e\" \"$DE\"; until_ok quiet; git commit -qam long");
	fixture_umount(&t.f);
	STEP(&t.f, "everything() { find \"$R\" \"$S\" -path \"$S/jpfs\" -prune -o -type f -printf "
		   "'%p %i %m "
		   "%T@ %C@\\n' -exec cat {} + | sort; }; R=$P; everything > ../kept");
	fixture_mount(&t.f);
	/* What the daemon has read in all, by the kernel's count, is less than one file. */
	STEP(&t.f, ". ../lib.sh; find \"$V\" > /dev/null; until_ok quiet\n"
		   "pid=$(\"$J\" status --json . | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p')\n"
		   "read=$(sed -n 's/^rchar: //p' /proc/$pid/io); [ \"$read\" -lt 100000 ] || fail "
		   "$read");
	fixture_umount(&t.f);
	STEP(&t.f, "everything() { find \"$R\" \"$S\" -path \"$S/jpfs\" -prune -o -type f -printf "
		   "'%p %i %m "
		   "%T@ %C@\\n' -exec cat {} + | sort; }; R=$P; everything | diff ../kept -\n"
		   /* A record that is damaged costs knowledge and nothing else. */
		   "for f in \"$S\"/jpfs/workspaces/*.base; do [ \"$(grep -c . \"$f\")\" -ge 4 ]\n"
		   "  sed -i 's/7457886043/7457886049/' \"$f\"; done");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; find \"$V\" > /dev/null; until_ok quiet");
	fixture_umount(&t.f);
	STEP(&t.f,
	     "everything() { find \"$R\" \"$S\" -path \"$S/jpfs\" -prune -o -type f -printf '%p %i "
	     "%m "
	     "%T@ %C@\\n' -exec cat {} + | sort; }; R=$P; everything | diff ../kept -\n"
	     "for f in \"$S\"/jpfs/workspaces/*.base; do [ \"$(grep -c . \"$f\")\" -ge 4 ]; done");
	CHECK_INVARIANTS(&t.f);
}

/* The turn became durable while the base configuration was a draft; and then another one took it back. */
static void what_was_stored_beside_a_draft_is_not_stored_again(void)
{
	cleanup_two struct two t = {0};

	if (!begin_both(&t))
		return;
	STEP(&t.f, ". ../lib.sh; cp \"$WE\" ../before; echo '{\"new\": 1}' > \"$WB\"; until_ok "
		   "same \"$WB\" \"$DB\"\n"
		   "until_ok quiet \"$W\"; git -C \"$W\" checkout -q -- \"$WB\"; until_ok drafts 1 "
		   "\"$W\"\n"
		   "append stored-once \"$WE\"; until_ok has stored-once \"$DE\"\n"
		   "until_ok quiet \"$W\"; until_ok quiet; until_ok has stored-once \"$e\"; drafts "
		   "1 \"$W\"");
	fixture_umount_at(&t.f, t.other);
	STEP(&t.f, ". ../lib.sh; cat ../before > \"$e\"; until_ok gone_from stored-once \"$DE\"; "
		   "until_ok quiet");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f, ". ../lib.sh; until_ok quiet \"$W\"; gone_from stored-once \"$DE\"\n"
		   "has stored-once \"$WE\"; drafts 1 \"$W\"; \"$J\" discard -C \"$W\" $X\n"
		   "gone_from stored-once \"$WE\"; until_ok quiet \"$W\"");
	two_end_both(&t);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(switching_to_an_older_branch_takes_no_turn_from_others),
		TEST(switching_back_and_forth_changes_nothing),
		TEST(a_switch_while_unmounted_is_a_draft_too),
		TEST(a_draft_in_a_directory_that_git_made_anew_is_one_after_mounting_again),
		TEST(a_draft_stays_one_whatever_becomes_of_the_durable_version),
		TEST(a_trim_is_durable_at_once_mounted_and_a_draft_unmounted),
		TEST(a_draft_is_committed_or_discarded_on_purpose),
		TEST(an_edit_while_unmounted_wins_whatever_its_time),
		TEST(a_removed_file_stays_hidden_across_mounts),
		TEST(a_draft_that_goes_with_its_directory_leaves_what_was_its_own),
		TEST(a_trim_is_durable_though_half_of_it_was_seen_before),
		TEST(a_draft_ends_when_the_durable_version_becomes_the_same),
		TEST(a_base_configuration_alone_is_no_draft_for_long),
		TEST(a_base_configuration_that_git_puts_back_stays_with_its_stream),
		TEST(what_others_change_is_not_shown_beside_a_draft),
		TEST(a_draft_is_committed_with_what_is_shown_beside_it),
		TEST(what_was_stored_beside_a_draft_is_not_stored_again),
		TEST(an_editor_that_keeps_a_backup_leaves_a_draft_one),
		TEST(a_draft_that_is_written_with_the_same_bytes_keeps_its_time),
		TEST(who_has_a_draft_open_writes_to_it_when_it_has_moved),
		TEST(what_was_in_step_is_known_after_a_kill_though_a_write_was_under_way),
		TEST(mounting_again_reads_no_bytes_and_changes_nothing),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("drafts", tests);
}
