/* Every row of the decision table, with times before, after and equal. */
#include "tests/unit/harness.h"

#include "core/reconcile.h"

static const int64_t TIMES[][2] = {{1, 2}, {2, 1}, {1, 1}}; /* durable, workspace */

static struct jp_unit_facts both(const int64_t times[2])
{
	return (struct jp_unit_facts){
		.durable = {.is_there = true, .is_valid = true, .mtime_ns = times[0]},
		.workspace = {.is_there = true, .is_valid = true, .mtime_ns = times[1]},
	};
}

static void what_is_on_neither_side_needs_nothing(void)
{
	CU_ASSERT_EQUAL(jp_reconcile(&(struct jp_unit_facts){.is_same = true}), JP_NOTHING);
}

static void a_side_that_lacks_the_unit_gets_it(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		facts.workspace.is_there = false;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_PROJECT);
		facts = both(TIMES[i]);
		facts.durable.is_there = false;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_TAKE);
	}
}

static void the_same_bytes_are_in_step_whatever_the_times_say(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		facts.is_same = true;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_NOTHING);
		facts.is_archived = true;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_NOTHING);
	}
}

static void what_jp_would_reject_never_wins_over_what_it_accepts(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		facts.workspace.is_valid = false;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_DRAFT);
		facts = both(TIMES[i]);
		facts.durable.is_valid = false;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_TAKE);
	}
}

static void an_earlier_version_loses_also_when_it_is_newer(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		facts.workspace.is_earlier = true;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_PROJECT);
		CU_ASSERT(jp_reconcile_is_by_content(&facts));
		facts = both(TIMES[i]);
		facts.durable.is_earlier = true;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_TAKE);
		CU_ASSERT(jp_reconcile_is_by_content(&facts));
	}
}

static void archived_ones_take_no_part_in_the_rule_of_times(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		facts.is_archived = true;
		CU_ASSERT_EQUAL(jp_reconcile(&facts), JP_PROJECT);
	}
}

static void otherwise_the_newer_wins_and_a_tie_goes_to_the_durable_side(void)
{
	static const enum jp_outcome expected[] = {JP_TAKE, JP_PROJECT, JP_PROJECT};

	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		CHECK(jp_reconcile(&facts) == expected[i], "times %zu", i);
		CU_ASSERT_FALSE(jp_reconcile_is_by_content(&facts));
		/* Neither is valid: the times decide all the same. */
		facts.durable.is_valid = facts.workspace.is_valid = false;
		CHECK(jp_reconcile(&facts) == expected[i], "invalid, times %zu", i);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_on_neither_side_needs_nothing),
		TEST(a_side_that_lacks_the_unit_gets_it),
		TEST(the_same_bytes_are_in_step_whatever_the_times_say),
		TEST(what_jp_would_reject_never_wins_over_what_it_accepts),
		TEST(an_earlier_version_loses_also_when_it_is_newer),
		TEST(archived_ones_take_no_part_in_the_rule_of_times),
		TEST(otherwise_the_newer_wins_and_a_tie_goes_to_the_durable_side),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("reconcile", tests);
}
