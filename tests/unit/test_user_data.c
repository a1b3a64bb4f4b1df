/* Where the user data directory is, whatever the environment says. */
#include "tests/unit/harness.h"

#include "core/user_data.h"

#include <pwd.h>

static void set_or_unset(const char *name, const char *value)
{
	if (value != NULL)
		(void)setenv(name, value, 1);
	else
		(void)unsetenv(name);
}

static void first_variable_that_counts_decides(void)
{
	static const struct {
		const char *own, *xdg, *home, *expected;
	} rows[] = {
		{"/data", "/xdg", "/home/u", "/data"},
		{"/data/", NULL, NULL, "/data/"}, /* verbatim, nothing appended */
		{"", "/xdg", "/home/u", "/xdg/jp"},
		{NULL, "/xdg", "/home/u", "/xdg/jp"},
		{NULL, "xdg", "/home/u", "/home/u/.local/share/jp"},
		{NULL, "", "/home/u", "/home/u/.local/share/jp"},
		{NULL, NULL, "/home/u", "/home/u/.local/share/jp"},
		{"/da\xff", "/xdg", "/home/u", "/xdg/jp"}, /* jp reads this one as text */
		{NULL, "/x\xff", "/home/u", "/x\xff/jp"},  /* and this one as a path */
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_free char *path = NULL;
		struct jp_error error = {0};
		int r;

		set_or_unset("JP_USER_DATA_DIR", rows[i].own);
		set_or_unset("XDG_DATA_HOME", rows[i].xdg);
		set_or_unset("HOME", rows[i].home);
		r = jp_user_data_dir(&path, &error);
		CHECK(r == 0 && strcmp(path, rows[i].expected) == 0, "row %zu: %d %s", i, r,
		      path != NULL ? path : "-");
	}
}

static void relative_directory_is_made_absolute_here_and_now(void)
{
	cleanup_free char *here = getcwd(NULL, 0), *path = NULL, *expected = NULL;

	CU_ASSERT(asprintf(&expected, "%s/some/where", here) > 0);
	set_or_unset("JP_USER_DATA_DIR", "some/where");
	CU_ASSERT_EQUAL(jp_user_data_dir(&path, NULL), 0);
	CHECK(path != NULL && expected != NULL && strcmp(path, expected) == 0, "%s",
	      path != NULL ? path : "-");
}

static void home_without_variable_is_the_password_databases(void)
{
	const struct passwd *entry = getpwuid(getuid());
	bool has_home = entry != NULL && entry->pw_dir != NULL && entry->pw_dir[0] != '\0';
	cleanup_free char *path = NULL, *expected = NULL;
	struct jp_error error = {0};
	int r;

	if (has_home)
		CU_ASSERT(asprintf(&expected, "%s/.local/share/jp", entry->pw_dir) > 0);
	set_or_unset("JP_USER_DATA_DIR", NULL);
	set_or_unset("XDG_DATA_HOME", NULL);
	set_or_unset("HOME", "");
	r = jp_user_data_dir(&path, &error);
	if (has_home) {
		CHECK(r == 0 && strcmp(path, expected) == 0, "%d %s", r, path != NULL ? path : "-");
	} else {
		CU_ASSERT_EQUAL(r, -ENOENT);
		CU_ASSERT(strstr(error.remedy, "JP_USER_DATA_DIR") != NULL);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(first_variable_that_counts_decides),
		TEST(relative_directory_is_made_absolute_here_and_now),
		TEST(home_without_variable_is_the_password_databases),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("user_data", tests);
}
