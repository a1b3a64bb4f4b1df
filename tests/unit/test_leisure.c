/* When the background may look at what nobody has asked for. */
#include "tests/unit/harness.h"

#include "fs/leisure.h"

enum { BEGAN = 1000000, COUNT = 300, FEW = 3 };

/* Never looked into here. */
static struct jpfs_conversation *all[COUNT];

static void it_waits_until_few_ask(void)
{
	struct jpfs_leisure leisure = jpfs_leisure_begin(all, COUNT, 500, BEGAN);

	/* Somebody may be about to: the first moment is given to them. */
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 500, BEGAN), 20);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 500, BEGAN + 15), 5);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 600, BEGAN + 20), 20);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 600, BEGAN + 39), 1);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 620, BEGAN + 40), 0);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 900, BEGAN + 50), 0);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 900, BEGAN + 60), 20);
}

static void nobody_asks_for_so_long_that_it_never_comes(void)
{
	struct jpfs_leisure leisure = jpfs_leisure_begin(all, COUNT, 0, BEGAN);
	uint64_t requests = 0;

	for (int64_t now = BEGAN; now < BEGAN + 2000; now += 20)
		CHECK(jpfs_leisure_pause_ms(&leisure, requests += 100, now) > 0, "at %d",
		      (int)(now - BEGAN));
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, requests + 100, BEGAN + 2000), 0);
}

static void each_is_taken_once(void)
{
	struct jpfs_leisure leisure = jpfs_leisure_begin(all, COUNT, 0, BEGAN);

	for (int i = 0; i < COUNT; i++) {
		CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 0, BEGAN + 20), 0);
		CU_ASSERT_PTR_EQUAL(jpfs_leisure_take(&leisure), all[i]);
	}
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 0, BEGAN + 20), -1);
	leisure = (struct jpfs_leisure){0};
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 0, BEGAN), -1);
}

static void few_are_done_at_once(void)
{
	struct jpfs_leisure leisure = jpfs_leisure_begin(all, FEW, 0, BEGAN);

	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 1000, BEGAN + 5), 15);
	CU_ASSERT_EQUAL(jpfs_leisure_pause_ms(&leisure, 9000, BEGAN + 20), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(it_waits_until_few_ask),
		TEST(nobody_asks_for_so_long_that_it_never_comes),
		TEST(few_are_done_at_once),
		TEST(each_is_taken_once),
		CU_TEST_INFO_NULL,
	};

	for (size_t i = 0; i < COUNT; i++)
		all[i] = (struct jpfs_conversation *)&all[i];
	return jp_run_suite("leisure", tests);
}
