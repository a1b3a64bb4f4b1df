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

static void what_was_left_as_a_draft_is_one_whatever_became_of_the_other_side(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		for (unsigned bits = 0; bits < 32; bits++) {
			struct jp_unit_facts facts = both(TIMES[i]);

			facts.workspace.is_draft = true;
			facts.has_base = (bits & 1) != 0;
			facts.is_archived = (bits & 2) != 0;
			facts.workspace.is_earlier = (bits & 4) != 0;
			facts.durable.is_earlier = (bits & 8) != 0;
			facts.durable.is_base = facts.workspace.is_base = (bits & 16) != 0;
			CHECK(jp_reconcile(&facts) == JP_DRAFT, "bits %#x", bits);
			facts.is_same = true;
			CHECK(jp_reconcile(&facts) == JP_NOTHING, "bits %#x", bits);
		}
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

/* Each row with the times before, after and equal, archived or not where that does not matter. */
static void each_row_decides_whatever_the_times_say(void)
{
	static const struct {
		enum jp_row row;
		enum jp_outcome outcome;
		struct jp_unit_facts facts;
	} rows[] = {
		{JP_ROW_ABSENT, JP_NOTHING, {.has_base = true}},
		{JP_ROW_INCOMPLETE, JP_PROJECT, {.durable = {.is_there = true}}},
		{JP_ROW_REMOVED, JP_HIDE, {.durable = {.is_there = true}, .has_base = true}},
		{JP_ROW_NOT_DURABLE, JP_TAKE, {.workspace = {.is_there = true}}},
		{JP_ROW_NOT_DURABLE, JP_TAKE, {.workspace = {.is_there = true}, .has_base = true}},
		{JP_ROW_SAME,
		 JP_NOTHING,
		 {.durable = {true, true}, .workspace = {true, true}, .is_same = true}},
		/* What is not valid is the same row with and without B, also when it is B. */
		{JP_ROW_WORKSPACE_INVALID,
		 JP_DRAFT,
		 {.durable = {true, true}, .workspace = {true, false}}},
		{JP_ROW_WORKSPACE_INVALID,
		 JP_DRAFT,
		 {.durable = {true, true}, .workspace = {true, .is_base = true}, .has_base = true}},
		{JP_ROW_DURABLE_INVALID,
		 JP_TAKE,
		 {.durable = {true, false}, .workspace = {true, true}}},
		{JP_ROW_DURABLE_INVALID,
		 JP_TAKE,
		 {.durable = {true, false},
		  .workspace = {true, true, .is_base = true},
		  .has_base = true}},
		{JP_ROW_WORKSPACE_IS_BASE,
		 JP_PROJECT,
		 {.durable = {true, true},
		  .workspace = {true, true, .is_base = true},
		  .has_base = true}},
		/* B goes before what they contain: the store was trimmed, or went on. */
		{JP_ROW_WORKSPACE_IS_BASE,
		 JP_PROJECT,
		 {.durable = {true, true, .is_earlier = true},
		  .workspace = {true, true, .is_base = true},
		  .has_base = true}},
		{JP_ROW_WORKSPACE_IS_BASE,
		 JP_PROJECT,
		 {.durable = {true, true},
		  .workspace = {true, true, .is_earlier = true, .is_base = true},
		  .has_base = true}},
		{JP_ROW_WORKSPACE_EARLIER,
		 JP_PROJECT,
		 {.durable = {true, true}, .workspace = {true, true, .is_earlier = true}}},
		{JP_ROW_WENT_BACK,
		 JP_DRAFT,
		 {.durable = {true, true},
		  .workspace = {true, true, .is_earlier = true},
		  .has_base = true}},
		{JP_ROW_WENT_BACK,
		 JP_DRAFT,
		 {.durable = {true, true, .is_base = true},
		  .workspace = {true, true, .is_earlier = true},
		  .has_base = true}},
		{JP_ROW_DURABLE_EARLIER,
		 JP_TAKE,
		 {.durable = {true, true, .is_earlier = true}, .workspace = {true, true}}},
		{JP_ROW_DURABLE_EARLIER,
		 JP_TAKE,
		 {.durable = {true, true, .is_earlier = true},
		  .workspace = {true, true},
		  .has_base = true}},
		{JP_ROW_DURABLE_IS_BASE,
		 JP_TAKE,
		 {.durable = {true, true, .is_base = true},
		  .workspace = {true, true},
		  .has_base = true}},
		/* Without B, a version is nobody's base. */
		{JP_ROW_DURABLE_EARLIER,
		 JP_TAKE,
		 {.durable = {true, true, .is_earlier = true},
		  .workspace = {true, true, .is_base = true}}},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t t = 0; t < 2 * COUNT_OF(TIMES); t++) {
			struct jp_unit_facts facts = rows[i].facts;

			facts.durable.mtime_ns = TIMES[t / 2][0];
			facts.workspace.mtime_ns = TIMES[t / 2][1];
			facts.is_archived = t % 2 == 1;
			CHECK(jp_reconcile_row(&facts) == rows[i].row, "row %zu, times %zu", i, t);
			CHECK(jp_reconcile(&facts) == rows[i].outcome, "row %zu, times %zu", i, t);
		}
	}
	for (int row = 0; row < JP_ROW_COUNT; row++)
		CHECK(jp_row_reason((enum jp_row)row) != NULL, "row %d", row);
}

static void when_both_were_changed_the_base_says_nothing(void)
{
	for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
		struct jp_unit_facts facts = both(TIMES[i]);

		facts.has_base = true;
		CHECK(jp_reconcile(&facts) == (facts.workspace.mtime_ns > facts.durable.mtime_ns
						       ? JP_TAKE
						       : JP_PROJECT),
		      "times %zu", i);
		facts.is_archived = true;
		CHECK(jp_reconcile(&facts) == JP_PROJECT, "archived, times %zu", i);
	}
}

static void every_kind_of_write_has_its_fate(void)
{
	for (unsigned bits = 0; bits < 64; bits++) {
		const struct jp_write_facts facts = {
			.is_valid = (bits & 1) != 0,
			.is_exclusive = (bits & 2) != 0,
			.was_draft = (bits & 4) != 0,
			.is_earlier = (bits & 8) != 0,
			.is_base = (bits & 16) != 0,
			.goes_on = (bits & 32) != 0,
		};
		enum jp_write expected = JP_WRITE_COMMIT;

		if ((bits & 8) != 0 && (bits & 34) != 0)
			expected = JP_WRITE_DRAFT;
		if ((bits & 22) == 22)
			expected = JP_WRITE_END;
		if ((bits & 1) == 0)
			expected = JP_WRITE_DRAFT;
		CHECK(jp_reconcile_write(&facts) == expected, "bits %#x", bits);
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

static void a_missing_base_configuration_is_one_of_three_things(void)
{
	for (unsigned bits = 0; bits < 32; bits++) {
		const struct jp_absence_facts facts = {
			.was_there = (bits & 1) != 0,
			.is_known_directory = (bits & 2) != 0,
			.is_packed = (bits & 4) != 0,
			.events_are_same = (bits & 8) != 0,
			.events_are_base = (bits & 16) != 0,
		};
		enum jp_absence expected = JP_ABSENCE_NOT_YET;

		if ((bits & 3) == 3)
			expected = JP_ABSENCE_REMOVED;
		/* The base configuration is in events.json, which never stood beside it. */
		if ((bits & 12) == 4 && (bits & 17) != 17)
			expected = JP_ABSENCE_OF_VERSION;
		CHECK(jp_reconcile_absence(&facts) == expected, "bits %#x", bits);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_on_neither_side_needs_nothing),
		TEST(a_side_that_lacks_the_unit_gets_it),
		TEST(the_same_bytes_are_in_step_whatever_the_times_say),
		TEST(what_jp_would_reject_never_wins_over_what_it_accepts),
		TEST(what_was_left_as_a_draft_is_one_whatever_became_of_the_other_side),
		TEST(an_earlier_version_loses_also_when_it_is_newer),
		TEST(archived_ones_take_no_part_in_the_rule_of_times),
		TEST(each_row_decides_whatever_the_times_say),
		TEST(when_both_were_changed_the_base_says_nothing),
		TEST(every_kind_of_write_has_its_fate),
		TEST(otherwise_the_newer_wins_and_a_tie_goes_to_the_durable_side),
		TEST(a_missing_base_configuration_is_one_of_three_things),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("reconcile", tests);
}
