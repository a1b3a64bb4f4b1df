/* Which keys differ. */
#include "core/key_diff.h"
#include "tests/unit/harness.h"

/* The changes as "path old new;", "-" for none. */
static void compare(const char *old, const char *new, int expected_r, const char *expected)
{
	cleanup_close int old_fd = jp_test_file(old, strlen(old));
	cleanup_close int new_fd = jp_test_file(new, strlen(new));
	cleanup_key_changes struct jp_key_changes changes = {0};
	char text[512] = "";
	int r = jp_keys_compare(old_fd, new_fd, &changes);

	for (size_t i = 0; i < changes.count; i++) {
		const struct jp_key_change *item = &changes.items[i];
		size_t used = strlen(text);

		(void)snprintf(text + used, sizeof(text) - used, "%s %s %s;", item->path,
			       item->old != NULL ? item->old : "-",
			       item->new != NULL ? item->new : "-");
	}
	CHECK(r == expected_r, "%s %s: %d", old, new, r);
	CHECK(strcmp(text, expected) == 0, "%s %s: %s", old, new, text);
}

static void keys_are_named_by_their_path(void)
{
	static const struct {
		const char *old, *new;
		int r;
		const char *expected;
	} rows[] = {
		{"{}", "{}", 0, ""},
		{"{\"a\": 1, \"b\": 2}", "{\"b\":2,\"a\":1}", 0, ""},
		{"{\"title\": \"x\"}", "{\"title\": \"y\"}", 0, "title \"x\" \"y\";"},
		{"{\"a\": 1}", "{}", 0, "a 1 -;"},
		{"{}", "{\"a\": null}", 0, "a - null;"},
		{"{\"z\": 1, \"a\": {\"b\": {\"c\": 1, \"d\": 2}}}",
		 "{\"z\": 2, \"a\": {\"b\": {\"c\": 3, \"d\": 2}}}", 0, "a.b.c 1 3;z 1 2;"},
		{"{\"a\": {\"b\": 1}}", "{\"a\": 2}", 0, "a {\"b\": 1} 2;"},
		{"{\"a\": [1, 2]}", "{\"a\": [1, 3]}", 0, "a [1, 2] [1, 3];"},
		{"[1]", "[2]", 0, " [1] [2];"},
		{"{", "{}", -EBADMSG, ""},
		{"{}", "", -EBADMSG, ""},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		compare(rows[i].old, rows[i].new, rows[i].r, rows[i].expected);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(keys_are_named_by_their_path),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("key_diff", tests);
}
