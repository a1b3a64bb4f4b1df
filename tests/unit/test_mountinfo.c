/* Reading mountinfo: fields, escapes, what is on top, and what is no mountinfo. */
#include "tests/unit/harness.h"

#include "fs/mountinfo.h"

#include <sys/sysmacros.h>

#define ROOT "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
#define OURS "rw,nosuid,nodev - fuse.jpfs jpfs rw,user_id=1000,group_id=100,default_permissions\n"

/* Parsing takes its text, so each test gets its own copy. */
must_check static int parse(const char *text, struct jpfs_mountinfo *ret_info)
{
	return jpfs_mountinfo_parse(strdup(text), ret_info);
}

static void fields_are_read_with_any_number_of_optional_ones(void)
{
	static const char *const optional[] = {"", "shared:1 ", "shared:1 master:2 unbindable "};

	for (size_t i = 0; i < COUNT_OF(optional); i++) {
		cleanup_mountinfo struct jpfs_mountinfo info = {0};
		char text[512];
		const struct jpfs_mount *mount;

		(void)snprintf(text, sizeof(text),
			       "36 35 0:300 / /a/b rw,nosuid %s- fuse.jpfs jpfs ro,user_id=1000\n",
			       optional[i]);
		CU_ASSERT_EQUAL(parse(text, &info), 0);
		CHECK(info.count == 1, "row %zu: %zu mounts", i, info.count);
		if (info.count != 1)
			continue;
		mount = &info.mounts[0];
		CHECK(mount->id == 36 && mount->parent_id == 35, "row %zu", i);
		CHECK(mount->device == makedev(0, 300), "row %zu", i);
		CHECK(strcmp(mount->mount_point, "/a/b") == 0, "%s", mount->mount_point);
		CHECK(mount->user_id == 1000, "row %zu: %u", i, mount->user_id);
		CHECK(jpfs_mount_is_jpfs(mount), "row %zu: %s", i, mount->type);
	}
}

static void escapes_become_bytes(void)
{
	static const struct {
		const char *field, *path;
	} rows[] = {
		{"/a\\040b", "/a b"},
		{"/\\011\\012\\134", "/\t\n\\"},
		{"/\\303\\251", "/\xc3\xa9"},
		{"/\\377", "/\xff"},
		{"/\\04", "/\\04"},
		{"/\\", "/\\"},
		{"/\\089", "/\\089"},
		{"/a\\040", "/a "},
		{"/-", "/-"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_mountinfo struct jpfs_mountinfo info = {0};
		char text[512];

		(void)snprintf(text, sizeof(text), ROOT "2 1 0:30 / %s " OURS, rows[i].field);
		CU_ASSERT_EQUAL(parse(text, &info), 0);
		CHECK(jpfs_mountinfo_top(&info, rows[i].path) != NULL, "row %zu", i);
	}
}

static void only_our_type_is_ours(void)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	static const char *const types[] = {"ext4", "fuse", "fuse.jpfsx", "fuse.jp", "fuse.jpfs"};
	static const char text[] = "1 0 8:1 / /0 rw - ext4 /dev/sda1 rw,user_id=7\n"
				   "2 1 0:31 / /1 rw - fuse jpfs rw,user_id=7\n"
				   "3 1 0:32 / /2 rw - fuse.jpfsx jpfs rw,user_id=7\n"
				   "4 1 0:33 / /3 rw - fuse.jp jpfs rw\n"
				   "5 1 0:34 / /4 rw - fuse.jpfs jpfs rw,xuser_id=9,user_id=7\n";

	CU_ASSERT_EQUAL(parse(text, &info), 0);
	CU_ASSERT_EQUAL(info.count, COUNT_OF(types));
	for (size_t i = 0; i < info.count; i++) {
		const struct jpfs_mount *mount = &info.mounts[i];
		bool has_user = i == 1 || i == 2 || i == 4;

		CHECK(strcmp(mount->type, types[i]) == 0, "row %zu: %s", i, mount->type);
		CHECK(jpfs_mount_is_jpfs(mount) == (i == 4), "row %zu", i);
		CHECK(mount->user_id == (has_user ? 7 : (uid_t)-1), "row %zu: %u", i,
		      mount->user_id);
	}
}

static void mount_on_top_is_the_one_that_a_path_leads_to(void)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	/* Numbers and order say nothing: 9 is beneath 4, and 4 beneath 7. */
	static const char text[] = ROOT "7 4 0:37 / /m " OURS "4 9 0:34 / /m " OURS
					"9 1 0:39 / /m " OURS "12 1 0:42 / /m/n " OURS;
	const struct jpfs_mount *top;

	CU_ASSERT_EQUAL(parse(text, &info), 0);
	top = jpfs_mountinfo_top(&info, "/m");
	CU_ASSERT(top != NULL && top->id == 7);
	top = jpfs_mountinfo_top(&info, "/m/n");
	CU_ASSERT(top != NULL && top->id == 12);
	top = jpfs_mountinfo_top(&info, "/");
	CU_ASSERT(top != NULL && top->id == 1);
	CU_ASSERT_PTR_NULL(jpfs_mountinfo_top(&info, "/m/"));
	CU_ASSERT_PTR_NULL(jpfs_mountinfo_top(&info, "/x"));
	CU_ASSERT_PTR_NULL(jpfs_mountinfo_top(&info, ""));
}

static void anything_else_is_refused(void)
{
	static const char *const rows[] = {
		"x",
		"1 0 8:1 / /\n",
		"1 0 8:1 / / rw shared:1\n",
		"1 0 8:1 / / rw -\n",
		"a 0 8:1 / / rw - ext4 x rw\n",
		"1 b 8:1 / / rw - ext4 x rw\n",
		"1 0 8 / / rw - ext4 x rw\n",
		ROOT "half of a li",
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_mountinfo struct jpfs_mountinfo info = {0};

		CHECK(parse(rows[i], &info) == -EBADMSG, "row %zu", i);
		CHECK(info.text == NULL && info.mounts == NULL, "row %zu", i);
	}
}

static void no_text_is_no_mounts(void)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};

	CU_ASSERT_EQUAL(parse("", &info), 0);
	CU_ASSERT_EQUAL(info.count, 0);
	CU_ASSERT_PTR_NULL(jpfs_mountinfo_top(&info, "/"));
}

static void this_process_has_proc_mounted(void)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	const struct jpfs_mount *proc;

	CU_ASSERT_EQUAL(jpfs_mountinfo_read(&info), 0);
	proc = jpfs_mountinfo_top(&info, "/proc");
	CU_ASSERT(proc != NULL && strcmp(proc->type, "proc") == 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(fields_are_read_with_any_number_of_optional_ones),
		TEST(escapes_become_bytes),
		TEST(only_our_type_is_ours),
		TEST(mount_on_top_is_the_one_that_a_path_leads_to),
		TEST(anything_else_is_refused),
		TEST(no_text_is_no_mounts),
		TEST(this_process_has_proc_mounted),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("mountinfo", tests);
}
