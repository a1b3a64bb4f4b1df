/* What becomes of a dead daemon's file: the rules, and what its name says. */
#include "tests/unit/harness.h"

#include "core/recover.h"

#include <string.h>

/* A version of a managed file that was closed and not stored. */
static struct jp_recover_facts closed(enum jp_staged_state state)
{
	return (struct jp_recover_facts){
		.state = state,
		.is_marked_file = true,
		.is_marked_size = true,
		.is_managed = true,
		.is_valid = true,
		.has_conversation = true,
		.has_durable = true,
		.is_durable_valid = true,
		.is_newer = true,
	};
}

static void what_was_closed_becomes_current(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_WRITTEN);

	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE); /* an edit */
	facts.is_contained = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE); /* a trim by hand */
	facts.is_contained = false;
	facts.contains = true;
	facts.is_newer = false; /* a clock that jumped */
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE);
	facts = closed(JP_STAGED_WRITTEN);
	facts.has_durable = facts.is_newer = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE);
	facts = closed(JP_STAGED_WRITTEN);
	facts.is_durable_valid = facts.is_newer = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE);
}

static void what_somebody_wrote_after_it_stands(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_WRITTEN);

	facts.is_newer = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_KEEP);
	facts.is_contained = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
}

static void what_git_put_back_takes_no_turn_away(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_RESTORED);

	facts.is_contained = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
	facts.is_contained = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE);
}

static void what_was_half_received_is_never_current(void)
{
	/* Whatever else is true of it. */
	for (unsigned bits = 0; bits < 1U << 10; bits++) {
		struct jp_recover_facts facts = {
			.state = JP_STAGED_OPEN,
			.is_marked_file = (bits & 1) != 0,
			.is_marked_size = (bits & 2) != 0,
			.is_managed = (bits & 4) != 0,
			.is_temporary = (bits & 8) != 0,
			.is_valid = (bits & 16) != 0,
			.has_conversation = (bits & 32) != 0,
			.has_durable = (bits & 64) != 0,
			.is_contained = (bits & 128) != 0,
			.contains = (bits & 256) != 0,
			.is_newer = (bits & 512) != 0,
		};
		enum jp_recovery outcome = jp_recover_decide(&facts);

		CU_ASSERT(outcome == JP_RECOVER_TRASH ||
			  (outcome == JP_RECOVER_DROP && facts.is_managed && facts.is_contained));
		/* Bytes that a power cut took: the same, whoever had closed it. */
		facts.state = JP_STAGED_WRITTEN;
		facts.is_marked_file = true;
		facts.is_marked_size = false;
		CU_ASSERT_EQUAL(jp_recover_decide(&facts), outcome);
	}
}

static void what_was_replaced_is_kept_and_never_current(void)
{
	static const enum jp_staged_state states[] = {JP_STAGED_WRITTEN, JP_STAGED_RESTORED,
						      JP_STAGED_COPY, JP_STAGED_PIN};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct jp_recover_facts facts = closed(states[i]);

		facts.is_marked_file = false;
		facts.contains = true; /* a trim took its place */
		CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_KEEP);
		facts.has_conversation = facts.has_durable = facts.contains = false;
		CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_KEEP);
		facts.is_contained = true;
		CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
	}
}

static void what_one_of_its_writers_closed_is_kept(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_FLUSHED);

	facts.contains = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_KEEP);
	facts.contains = false;
	facts.is_contained = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
	facts.is_managed = facts.is_contained = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TRASH);
}

static void what_jp_would_reject_is_kept(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_WRITTEN);

	facts.is_valid = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_KEEP);
	facts.has_durable = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_KEEP);
	facts.is_empty = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
}

static void what_is_elsewhere_as_well_goes(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_COPY);

	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
	facts = closed(JP_STAGED_PIN);
	facts.is_same = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
	facts.state = JP_STAGED_OPEN;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_DROP);
}

static void other_files_become_current_or_go_to_the_trash(void)
{
	struct jp_recover_facts facts = closed(JP_STAGED_WRITTEN);

	facts.is_managed = facts.is_valid = facts.is_durable_valid = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE);
	facts.is_newer = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TRASH);
	facts.has_durable = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TAKE);
	facts.is_temporary = true;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TRASH);
	facts.is_temporary = facts.has_conversation = false;
	CU_ASSERT_EQUAL(jp_recover_decide(&facts), JP_RECOVER_TRASH);
}

/* ---- names ---- */

static void names_say_what_was_marked(void)
{
	struct jp_staged staged;

	CU_ASSERT(jp_staged_parse("w7.123-45.17457886043.events.json", &staged));
	CU_ASSERT(staged.state == JP_STAGED_WRITTEN && staged.number == 7 && staged.ino == 123 &&
		  staged.size == 45 && staged.id == 17457886043);
	CU_ASSERT_STRING_EQUAL(staged.path, "events.json");
	CU_ASSERT(jp_staged_parse("g1.2-3.4.a%2Fb%25c.txt", &staged));
	CU_ASSERT(staged.state == JP_STAGED_RESTORED);
	CU_ASSERT_STRING_EQUAL(staged.path, "a/b%c.txt");
	CU_ASSERT(jp_staged_parse("7.17457886043.events.json", &staged));
	CU_ASSERT(staged.state == JP_STAGED_OPEN && staged.number == 7);
	/* A file of a conversation may be named like a mark. */
	CU_ASSERT(jp_staged_parse("7.17457886043.w1.2-3.4.x", &staged));
	CU_ASSERT(staged.state == JP_STAGED_OPEN);
	CU_ASSERT_STRING_EQUAL(staged.path, "w1.2-3.4.x");
}

static void other_names_are_none_of_ours(void)
{
	static const char *const names[] = {
		"",
		"w",
		"x1.2-3.4.a",
		"w1.2.4.a",
		"w.2-3.4.a",
		"1.2.",
		"1.2",
		"-1.2.a",
		"1..a",
		"w1.2-3.4.",
		"events",
		"1 .2.events",
		"w1.+2-3.4.a",
		"99999999999999999999999.1.a",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct jp_staged staged;

		CHECK(!jp_staged_parse(names[i], &staged), "%s", names[i]);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_was_closed_becomes_current),
		TEST(what_somebody_wrote_after_it_stands),
		TEST(what_git_put_back_takes_no_turn_away),
		TEST(what_was_half_received_is_never_current),
		TEST(what_was_replaced_is_kept_and_never_current),
		TEST(what_one_of_its_writers_closed_is_kept),
		TEST(what_jp_would_reject_is_kept),
		TEST(what_is_elsewhere_as_well_goes),
		TEST(other_files_become_current_or_go_to_the_trash),
		TEST(names_say_what_was_marked),
		TEST(other_names_are_none_of_ours),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("recover", tests);
}
