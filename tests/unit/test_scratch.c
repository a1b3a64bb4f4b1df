/* Texts in a file without a name: what is read is what was added, and room comes back. */
#include "tests/unit/harness.h"

#include "fs/scratch.h"

#include <stdint.h>

enum { STEP = 50021, TEXT_BYTES = 40 * STEP };

/* Texts that grow side by side, in steps that fit no piece. */
static void check(int directory_fd)
{
	struct jpfs_scratch scratch;
	struct jpfs_scratch_text texts[3] = {0};
	cleanup_free char *data = malloc(TEXT_BYTES), *back = malloc(TEXT_BYTES + 1);

	for (size_t i = 0; i < TEXT_BYTES; i++)
		data[i] = (char)(i * 7 + i / 251);
	jpfs_scratch_init(&scratch);
	for (size_t at = 0; at < TEXT_BYTES; at += STEP) {
		for (size_t i = 0; i < COUNT_OF(texts); i++)
			CU_ASSERT_EQUAL(jpfs_scratch_append(&scratch, directory_fd, &texts[i],
							    data + at, STEP - i),
					0);
	}
	CU_ASSERT_EQUAL(jpfs_scratch_read(&scratch, &texts[0], back, TEXT_BYTES + 1, 0),
			TEXT_BYTES);
	CU_ASSERT_EQUAL(memcmp(back, data, TEXT_BYTES), 0);
	for (off_t at = 0; at < TEXT_BYTES; at += 16383) {
		ssize_t n = jpfs_scratch_read(&scratch, &texts[0], back, 20000, at);

		CHECK(n == (TEXT_BYTES - at < 20000 ? TEXT_BYTES - at : 20000), "%zd", n);
		CHECK(n < 0 || memcmp(back, data + at, (size_t)n) == 0, "at %jd", (intmax_t)at);
	}
	CU_ASSERT_EQUAL(jpfs_scratch_read(&scratch, &texts[0], back, 1, TEXT_BYTES), 0);
	CU_ASSERT_EQUAL(texts[2].size, (STEP - 2) * (TEXT_BYTES / STEP));
	jpfs_scratch_drop(&scratch, &texts[1]);
	CU_ASSERT_EQUAL(jpfs_scratch_read(&scratch, &texts[2], back, 100,
					  (off_t)(STEP - 2) * (TEXT_BYTES / STEP - 1)),
			100);
	CU_ASSERT_EQUAL(memcmp(back, data + TEXT_BYTES - STEP, 100), 0);
	jpfs_scratch_drop(&scratch, &texts[0]);
	jpfs_scratch_drop(&scratch, &texts[2]);
	CU_ASSERT_EQUAL(scratch.used, 0);
	jpfs_scratch_release(&scratch);
}

static void what_was_added_is_read_back(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	check(dir.fd);
	check(-EBADF);
	/* There was never a name: the directory can be removed as it is. */
	CU_ASSERT_EQUAL(unlinkat(dir.parent_fd, dir.name, AT_REMOVEDIR), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.parent_fd, dir.name, 0700), 0);
}

static void memory_has_an_end_and_what_is_dropped_is_free_again(void)
{
	struct jpfs_scratch scratch;
	struct jpfs_scratch_text text = {0};
	cleanup_free char *data = calloc(1, (size_t)1 << 20);
	int r = 0;

	jpfs_scratch_init(&scratch);
	for (int i = 0; i < 1024 && r == 0; i++)
		r = jpfs_scratch_append(&scratch, -EBADF, &text, data, (size_t)1 << 20);
	CU_ASSERT_EQUAL(r, -ENOSPC);
	jpfs_scratch_drop(&scratch, &text);
	CU_ASSERT_EQUAL(text.size, 0);
	CU_ASSERT_EQUAL(jpfs_scratch_append(&scratch, -EBADF, &text, "text", 4), 0);
	CU_ASSERT_EQUAL(jpfs_scratch_read(&scratch, &text, data, 16, 0), 4);
	CU_ASSERT_EQUAL(memcmp(data, "text", 4), 0);
	jpfs_scratch_drop(&scratch, &text);
	jpfs_scratch_release(&scratch);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_was_added_is_read_back),
		TEST(memory_has_an_end_and_what_is_dropped_is_free_again),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("scratch", tests);
}
