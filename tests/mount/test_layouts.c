/*
 * The older layout of a stream keeps the base configuration as the first element of events.json and
 * has no base_config.json. Who switches to a commit from before that file existed gets a version
 * that has none: the absence is taken with it, left with it, and hidden with it while it is a draft.
 */
#include "tests/mount/two_worktrees.h"

/*
 * Beside two_worktrees.h, for scripts: `rewrite pack|unpack|no FILE TEXT`; `packed` and `apart`, the layout
 * of the store's version; `settled N`, nothing is pending, N drafts, git sees nothing.
 */
static const char FUNCTIONS[] =
	"rewrite() { python3 - \"$@\" <<'E'\n"
	"import json, os, sys\n"
	"how, name, text = sys.argv[1:4]\n"
	"base = os.path.dirname(name) + '/base_config.json'\n"
	"events = json.load(open(name))\n"
	"if how == 'pack':\n"
	"    events.insert(0, {'type': 'config_delta', 'timestamp': '2025-04-23 00:00:00.0',\n"
	"                      'delta': json.load(open(base))})\n"
	"    os.unlink(base)\n"
	"if how == 'unpack':\n"
	"    with open(base, 'w') as file:\n"
	"        json.dump(events.pop(0)['delta'], file)\n"
	"if text:\n"
	"    events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	"                   'content': text})\n"
	"with open(name, 'w') as file:\n"
	"    file.write(json.dumps(events, indent=2) + '\\n')\n"
	"E\n"
	"}\n"
	"packed() { has config_delta \"$DE\" && gone \"$DB\"; }\n"
	"apart() { ! has config_delta \"$DE\" && [ -e \"$DB\" ]; }\n"
	"settled() { until_ok quiet; until_ok drafts \"$1\"; clean; }\n";

/*
 * Branches: `older` has the older layout, main the newer one with one event more, and `again` is the
 * older layout once more, with what main has and one event more. main is checked out.
 */
static bool begin(struct two *two)
{
	if (!two_begin(two, FUNCTIONS))
		return false;
	STEP(&two->f, ". ../lib.sh; cp \"$b\" ../base; rewrite pack \"$e\" ''\n"
		      "git add -A; git commit -qm older; git branch older\n"
		      "rewrite unpack \"$e\" 'the third'; cp ../base \"$b\"\n"
		      "git add -A; git commit -qm main\n"
		      "git switch -qc again; rewrite pack \"$e\" 'the fourth'\n"
		      "git add -A; git commit -qm again; git switch -q main; clean");
	return true;
}

static bool begin_mounted(struct two *two)
{
	if (!begin(two))
		return false;
	fixture_mount(&two->f);
	STEP(&two->f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; settled 0; apart");
	return true;
}

static void end_mounted(struct two *two)
{
	STEP(&two->f, ". ../lib.sh; until_ok quiet");
	fixture_umount(&two->f);
	CHECK_INVARIANTS(&two->f);
}

static void an_older_layout_that_is_earlier_is_a_draft_without_a_base_configuration(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; settled 1; gone \"$b\"; apart\n"
		   "same \"$DB\" ../base; has 'the third' \"$DE\"");
	for (int i = 0; i < 2; i++) {
		fixture_umount(&t.f);
		STEP(&t.f, ". ../lib.sh; clean; gone \"$b\"; has config_delta \"$e\"; apart");
		fixture_mount(&t.f);
		STEP(&t.f, ". ../lib.sh; gone \"$b\"; settled 1; gone \"$b\"; apart");
	}
	/* git has switched back. */
	STEP(&t.f, ". ../lib.sh; git switch -q main; settled 0; same \"$b\" ../base; apart\n"
		   "same \"$e\" \"$DE\"; nothing_kept");
	end_mounted(&t);
}

static void discarding_such_a_draft_shows_the_base_configuration_again(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; settled 1; \"$J\" discard $X; drafts 0\n"
		   "same \"$b\" ../base; same \"$e\" \"$DE\"; apart; until_ok quiet; nothing_kept");
	/* The same when the draft was found at mounting. */
	STEP(&t.f, ". ../lib.sh; git switch -q -f main; settled 0\n"
		   "git switch -q older; settled 1");
	fixture_umount(&t.f);
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; settled 1; \"$J\" discard $X; drafts 0; same \"$b\" ../base\n"
		   "same \"$e\" \"$DE\"; apart");
	end_mounted(&t);
}

static void committing_such_a_draft_takes_the_durable_base_configuration_to_history(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; git switch -q older; settled 1; \"$J\" commit $X; packed\n"
	     "drafts 0; gone \"$b\"; same \"$e\" \"$DE\"; kept 'the third'; settled 0\n"
	     "find \"$S/jpfs/history\" -name '*.base_config.json' -exec cmp {} ../base \\; |\n"
	     "  wc -l | grep -qx 0; [ \"$(find \"$S/jpfs/history\" -name "
	     "'*.base_config.json' | wc -l)\" = 1 ]");
	end_mounted(&t);
	STEP(&t.f, ". ../lib.sh; packed; gone \"$b\"; clean");
}

static void such_a_draft_is_continued_whole(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	STEP(&t.f, ". ../lib.sh; git switch -q older; settled 1; append 'another third'\n"
		   "until_ok packed; until_ok drafts 0; gone \"$b\"; same \"$e\" \"$DE\"\n"
		   "kept 'the third'; has 'another third' \"$DE\"");
	end_mounted(&t);
	STEP(&t.f, ". ../lib.sh; packed; gone \"$b\"");
}

static void an_older_layout_that_goes_on_takes_the_durable_base_configuration_away(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	STEP(&t.f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f, ". ../lib.sh; until_ok quiet \"$W\"; same \"$WB\" ../base\n"
		   "git switch -q again; until_ok packed; settled 0; gone \"$b\"; packed\n"
		   "has 'the fourth' \"$DE\"; [ \"$(ls \"$S\"/jpfs/history/*)\" ]\n"
		   /* The other worktree has it whole too. */
		   "until_ok gone \"$WB\"; until_ok same \"$WE\" \"$DE\"; until_ok quiet \"$W\"");
	fixture_umount_at(&t.f, t.other);
	STEP(&t.f, ". ../lib.sh; until_ok quiet");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; packed; gone \"$b\"; clean; gone \"$WB\"");
	CHECK_INVARIANTS(&t.f);
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void a_switch_while_unmounted_takes_or_leaves_the_layout_with_its_stream(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	fixture_umount(&t.f);
	STEP(&t.f, "git switch -q older");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; gone \"$b\"; settled 1; apart; gone \"$b\"");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; clean; git switch -q again");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; gone \"$b\"; until_ok packed; settled 0; gone \"$b\"\n"
		   "has 'the fourth' \"$DE\"");
	end_mounted(&t);
	STEP(&t.f, ". ../lib.sh; packed; gone \"$b\"; clean");
}

static void a_fresh_checkout_of_the_older_layout_gets_the_durable_one_whole(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	fixture_umount(&t.f);
	STEP(&t.f, "git worktree add -q \"$W\" older");
	fixture_mount_at(&t.f, t.other, "");
	STEP(&t.f, ". ../lib.sh; same \"$WB\" ../base; same \"$WE\" \"$DE\"; apart\n"
		   "until_ok quiet \"$W\"; drafts 0 \"$W\"; nothing_kept");
	fixture_umount_at(&t.f, t.other);
	STEP(&t.f, ". ../lib.sh; same \"$WB\" \"$DB\"; same \"$WE\" \"$DE\"");
	fixture_check_at(&t.f, t.other, __FILE__, __LINE__);
}

static void a_newer_layout_is_taken_and_left_whole_beside_a_durable_older_one(void)
{
	cleanup_two struct two t = {0};

	if (!begin(&t))
		return;
	STEP(&t.f, "git switch -q again");
	fixture_mount(&t.f);
	/* Earlier: both files are a draft; discarded, its base configuration has no place. */
	STEP(&t.f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; settled 0; packed\n"
		   "git switch -q main; settled 1; same \"$b\" ../base; packed\n"
		   "\"$J\" discard $X; drafts 0; gone \"$b\"; until_ok quiet\n"
		   "[ \"$(find \"$S/jpfs/history\" -name '*.base_config.json' | wc -l)\" = 1 ]\n"
		   "git checkout -q -f; settled 1; same \"$b\" ../base; packed");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; clean; same \"$b\" ../base; packed");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; settled 1; same \"$b\" ../base; packed\n"
		   /* It goes on from there, so the store has it whole. */
		   "append 'another fourth'; until_ok apart; until_ok drafts 0\n"
		   "until_ok has 'another fourth' \"$DE\"; same \"$b\" \"$DB\"; kept 'the fourth'");
	end_mounted(&t);
	STEP(&t.f, ". ../lib.sh; apart; same \"$b\" ../base");
}

static void a_base_configuration_that_was_removed_by_hand_stays_durable(void)
{
	cleanup_two struct two t = {0};

	if (!begin_mounted(&t))
		return;
	STEP(&t.f,
	     ". ../lib.sh; rm \"$b\"; append 'the fourth'; until_ok has 'the fourth' \"$DE\"\n"
	     "apart; gone \"$b\"; until_ok quiet");
	fixture_umount(&t.f);
	STEP(&t.f, ". ../lib.sh; gone \"$b\"; append 'the fifth'");
	fixture_mount(&t.f);
	STEP(&t.f, ". ../lib.sh; until_ok has 'the fifth' \"$DE\"; gone \"$b\"; apart\n"
		   "git checkout -q -- \"$b\"; same \"$b\" ../base; until_ok quiet");
	end_mounted(&t);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(an_older_layout_that_is_earlier_is_a_draft_without_a_base_configuration),
		TEST(discarding_such_a_draft_shows_the_base_configuration_again),
		TEST(committing_such_a_draft_takes_the_durable_base_configuration_to_history),
		TEST(such_a_draft_is_continued_whole),
		TEST(an_older_layout_that_goes_on_takes_the_durable_base_configuration_away),
		TEST(a_switch_while_unmounted_takes_or_leaves_the_layout_with_its_stream),
		TEST(a_fresh_checkout_of_the_older_layout_gets_the_durable_one_whole),
		TEST(a_newer_layout_is_taken_and_left_whole_beside_a_durable_older_one),
		TEST(a_base_configuration_that_was_removed_by_hand_stays_durable),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("layouts", tests);
}
