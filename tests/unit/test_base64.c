/* Base64 is decoded as strictly as jp does it, so that text which only looks like it stays. */
#include "tests/unit/harness.h"

#include "core/base/base64.h"

static void what_is_base64_is_decoded_and_nothing_else(void)
{
	static const struct {
		const char *text;
		const char *data; /* NULL: refused */
		size_t size;
	} rows[] = {
		{"", "", 0},
		{"Zg==", "f", 1},
		{"Zm8=", "fo", 2},
		{"Zm9v", "foo", 3},
		{"Zm9vYmFy", "foobar", 6},
		{"AP/+", "\0\xff\xfe", 3},
		{"Zg", NULL, 0},
		{"Zg=", NULL, 0},
		{"Zh==", NULL, 0}, /* stray bits */
		{"Zm9=", NULL, 0},
		{"Z===", NULL, 0},
		{"====", NULL, 0},
		{"Zg==Zg==", NULL, 0},
		{"Zm9v\n", NULL, 0},
		{"Zm 9", NULL, 0},
		{"Zm-_", NULL, 0}, /* the alphabet for addresses */
		{"\xc3\xa9\xc3\xa9", NULL, 0},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_free char *data = NULL;
		size_t size = 0;
		int r = jp_base64_decode(rows[i].text, strlen(rows[i].text), &data, &size);

		CHECK(r == (rows[i].data != NULL ? 0 : -EINVAL), "row %zu: %d", i, r);
		CHECK(r < 0 || (size == rows[i].size && memcmp(data, rows[i].data, size) == 0 &&
				data[size] == '\0'),
		      "row %zu: %zu bytes", i, size);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_base64_is_decoded_and_nothing_else),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("base64", tests);
}
