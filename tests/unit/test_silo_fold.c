/* Several silos of one ID become one: what stands, what is kept, and what is refused. */
#include "tests/unit/silo_tree.h"

#include "core/dir_index.h"
#include "tests/fault/fault.h"

#include <sys/file.h>

/* ---- conversations ---- */

static void what_only_a_sibling_has_moves_and_the_sibling_goes(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct stat before, after;

	jp_test_dir_open(&dir);
	put(&dir, MAIN "/conversations/", "", 0);
	put_conversation(&dir, FEATURE "/conversations/101-live", META_OLD, "{}", ONE, 100);
	put_conversation(&dir, FEATURE "/conversations/.archive/102-archived", META_OLD, "{}", ONE,
			 100);
	put(&dir, FEATURE "/conversations/101-live/QUERY_MESSAGE.md", "a question", 100);
	CU_ASSERT_EQUAL(fstatat(dir.fd, FEATURE "/conversations/101-live", &before, 0), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 1);
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-live/events.json", ONE));
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-live/QUERY_MESSAGE.md", "a question"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/.archive/102-archived/events.json", ONE));
	CU_ASSERT_EQUAL(fstatat(dir.fd, MAIN "/conversations/101-live", &after, 0), 0);
	CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
	CU_ASSERT_EQUAL(jp_mtime_ns(&before), jp_mtime_ns(&after));
	/* And again: nothing to do. */
	CU_ASSERT_EQUAL(fold(&dir, "feature"), 0);
}

static void nothing_is_folded_when_only_looking(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	put(&dir, MAIN "/conversations/", "", 0);
	put_conversation(&dir, FEATURE "/conversations/101-live", META_OLD, "{}", ONE, 100);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "main", false, &silo, NULL), 0);
	CU_ASSERT_EQUAL(silo.folded, 0);
	CU_ASSERT(is_there(&dir, FEATURE "/conversations/101-live/events.json"));
	CU_ASSERT_EQUAL(count_entries(&dir, MAIN), 1);
}

/* Two copies of conversation 101, the survivor's and the sibling's, and which one stands. */
struct pair {
	const char *ours, *our_metadata, *our_events;
	time_t our_mtime;
	const char *theirs, *their_metadata, *their_events;
	time_t their_mtime;
	bool theirs_stand;
	const char *history; /* what is in it then; NULL it is empty */
};

static void newer_or_containing_copy_stands_and_the_other_ones_own_is_in_history(void)
{
	static const struct pair pairs[] = {
		/* Different: the time decides. */
		{"101-a", META_OLD, ONE_TWO, 100, "101-a", META_NEW, ONE_OTHER, 200, true, ONE_TWO},
		{"101-a", META_NEW, ONE_TWO, 200, "101-a", META_OLD, ONE_OTHER, 100, false,
		 ONE_OTHER},
		{"101-a", META_OLD, ONE_TWO, 100, "101-a", META_NEW, ONE_OTHER, 100, false,
		 META_NEW},
		/* Contained: the longer one, whatever the time. */
		{"101-a", META_OLD, ONE, 200, "101-a", META_NEW, ONE_TWO, 100, true, NULL},
		{"101-a", META_NEW, ONE_TWO, 100, "101-a", META_OLD, ONE, 200, false, NULL},
		/* The same stream: the time decides about the rest. */
		{"101-a", META_NEW, ONE, 100, "101-a", META_OLD, ONE, 200, true, META_NEW},
		/* Not acceptable, or not whole: never. */
		{"101-a", META_OLD, ONE, 100, "101-a", META_NEW, "<<<<<<<", 200, false, "<<<<<<<"},
		{"101-a", META_OLD, "[", 200, "101-a", META_NEW, ONE, 100, true, "["},
		{"101-a", META_OLD, ONE, 100, "101-a", "", ONE_TWO, 200, false, ONE_TWO},
		/* Names and archives: those of the one that stands. */
		{"101-old", META_OLD, ONE, 100, "101-new", META_NEW, ONE_TWO, 200, true, NULL},
		{"101-new", META_NEW, ONE_TWO, 200, "101", META_OLD, ONE, 100, false, NULL},
		{"101-a", META_OLD, ONE, 100, ".archive/101-a", META_NEW, ONE_TWO, 200, true, NULL},
		{"101-a", META_OLD, ONE_TWO, 100, ".archive/101-b", META_NEW, ONE, 50, false,
		 META_NEW},
		{".archive/101-a", META_OLD, ONE, 100, "101-b", META_NEW, ONE_TWO, 200, true, NULL},
		{".archive/101-a", META_OLD, ONE, 100, ".archive/101-b", META_NEW, ONE_TWO, 20,
		 true, NULL},
	};

	for (size_t i = 0; i < COUNT_OF(pairs) * 2; i++) {
		const struct pair *pair = &pairs[i / 2];
		cleanup_test_dir struct jp_test_dir dir;
		char path[PATH_MAX];

		jp_test_dir_open(&dir);
		(void)snprintf(path, sizeof(path), MAIN "/conversations/%s", pair->ours);
		put_conversation(&dir, path, pair->our_metadata, "{}", pair->our_events,
				 pair->our_mtime);
		(void)snprintf(path, sizeof(path), FEATURE "/conversations/%s", pair->theirs);
		put_conversation(&dir, path, pair->their_metadata, "{}", pair->their_events,
				 pair->their_mtime);
		/* Also where two names cannot be exchanged. */
		jp_fault_begin(0, i % 2 == 0 ? 0 : JP_PLAIN, EIO);
		CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
		jp_fault_end();
		CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 1);
		(void)snprintf(path, sizeof(path), MAIN "/conversations/%s/events.json",
			       pair->theirs_stand ? pair->theirs : pair->ours);
		CHECK(holds(&dir, path, pair->theirs_stand ? pair->their_events : pair->our_events),
		      "row %zu: %s", i / 2, path);
		(void)snprintf(path, sizeof(path), MAIN "/conversations/%s/metadata.json",
			       pair->theirs_stand ? pair->theirs : pair->ours);
		CHECK(holds(&dir, path,
			    pair->theirs_stand ? pair->their_metadata : pair->our_metadata),
		      "row %zu: %s", i / 2, path);
		if (pair->history != NULL)
			CHECK(is_kept(&dir, MAIN "/jpfs/history/101", pair->history), "row %zu",
			      i / 2);
		else
			CHECK(count_entries(&dir, MAIN "/jpfs/history") == 0, "row %zu", i / 2);
		CU_ASSERT(!is_there(&dir, MAIN "/jpfs/folding"));
		(void)snprintf(path, sizeof(path), MAIN "/conversations/%s",
			       pair->theirs_stand ? pair->ours : pair->theirs);
		if (strcmp(pair->ours, pair->theirs) != 0)
			CHECK(!is_there(&dir, path), "row %zu: %s", i / 2, path);
	}
}

static void unmanaged_files_of_the_loser_fill_the_gaps_or_go_to_the_trash(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	put_conversation(&dir, MAIN "/conversations/101-a", META_NEW, "{}", ONE_TWO, 200);
	put_conversation(&dir, FEATURE "/conversations/101-b", META_OLD, "{\"theirs\": 1}", ONE,
			 100);
	put(&dir, MAIN "/conversations/101-a/both", "ours", 100);
	put(&dir, FEATURE "/conversations/101-b/both", "theirs", 900);
	put(&dir, MAIN "/conversations/101-a/same", "the same", 100);
	put(&dir, FEATURE "/conversations/101-b/same", "the same", 90);
	put(&dir, FEATURE "/conversations/101-b/QUERY_MESSAGE.md", "a question", 50);
	put(&dir, FEATURE "/conversations/101-b/events.json.tmp", "half", 50);
	put(&dir, MAIN "/conversations/101-a/notes/one", "1", 50);
	put(&dir, FEATURE "/conversations/101-b/notes/two", "2", 50);
	put(&dir, FEATURE "/conversations/101-b/notes/deep/three", "3", 50);
	CU_ASSERT_EQUAL(symlinkat("/etc", dir.fd, FEATURE "/conversations/101-b/link"), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-a/both", "ours"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/101", "theirs"));
	CU_ASSERT(!is_kept(&dir, MAIN "/jpfs/trash/101", "the same"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-a/QUERY_MESSAGE.md", "a question"));
	CU_ASSERT(!is_there(&dir, MAIN "/conversations/101-a/events.json.tmp"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/101", "half"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-a/notes/one", "1"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-a/notes/two", "2"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-a/notes/deep/three", "3"));
	CU_ASSERT(is_there(&dir, MAIN "/conversations/101-a/link"));
	/* The stream and the metadata are contained, the configuration is not. */
	CU_ASSERT_EQUAL(count_entries(&dir, MAIN "/jpfs/history/101"), 1);
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/history/101", "{\"theirs\": 1}"));
}

static void one_directory_for_each_id_also_where_a_silo_had_two(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_index_entry *entries = NULL;
	size_t count = 0;
	cleanup_close int fd = -EBADF;

	jp_test_dir_open(&dir);
	put_conversation(&dir, MAIN "/conversations/101-a", META_OLD, "{}", ONE, 100);
	put_conversation(&dir, MAIN "/conversations/101-b", META_OLD, "{}", ONE_TWO, 100);
	put_conversation(&dir, FEATURE "/conversations/101-c", META_OLD, "{}", ONE_OTHER, 300);
	put_conversation(&dir, FEATURE "/conversations/.archive/101-c", META_OLD, "{}", ONE, 400);
	put_conversation(&dir, FEATURE "/conversations/101-d", META_OLD, "{}", "[]", 400);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	fd = openat(dir.fd, MAIN "/conversations", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_EQUAL(jp_dir_index_read(fd, &entries, &count), 0);
	CU_ASSERT_EQUAL(count, 1);
	CU_ASSERT_STRING_EQUAL(entries[0].name, "101-c");
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-c/events.json", ONE_OTHER));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/history/101", ONE_TWO));
	jp_index_entries_free(entries, count);
}

/* ---- other entries ---- */

static void other_entries_move_if_the_survivor_lacks_them_and_go_to_the_trash_otherwise(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	put(&dir, MAIN "/conversations/README.md", "our readme", 10);
	put(&dir, MAIN "/sessions/getsid-1.json", "our session", 10);
	put(&dir, MAIN "/approvals.json", "our approvals", 10);
	put(&dir, MAIN "/thing", "our file", 10);
	put(&dir, FEATURE "/conversations/README.md", "their readme", 20);
	put(&dir, FEATURE "/conversations/.trash/9-x/TRASHED.md", "trashed", 20);
	put(&dir, FEATURE "/conversations/101-file", "no conversation", 20);
	put(&dir, FEATURE "/conversations/102-file", "nor this", 20);
	put_conversation(&dir, FEATURE "/conversations/102-a", META_OLD, "{}", ONE, 100);
	put(&dir, FEATURE "/sessions/getsid-1.json", "their session", 20);
	put(&dir, FEATURE "/sessions/getsid-2.json", "second session", 20);
	put(&dir, FEATURE "/approvals.json", "their approvals", 20);
	put(&dir, FEATURE "/config.toml", "their config", 20);
	put(&dir, FEATURE "/thing/inside", "their directory", 20);
	put(&dir, FEATURE "/odd \xff\n name/-", "odd", 20);
	put(&dir, FEATURE "/empty/", "", 20);
	CU_ASSERT_EQUAL(mknodat(dir.fd, FEATURE "/fifo", S_IFIFO | 0600, 0), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 1);
	CU_ASSERT(holds(&dir, MAIN "/conversations/README.md", "our readme"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/0", "their readme"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/.trash/9-x/TRASHED.md", "trashed"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/101-file", "no conversation"));
	CU_ASSERT(!is_there(&dir, MAIN "/conversations/102-file"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash", "nor this"));
	CU_ASSERT(holds(&dir, MAIN "/sessions/getsid-1.json", "our session"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/0", "their session"));
	CU_ASSERT(holds(&dir, MAIN "/sessions/getsid-2.json", "second session"));
	CU_ASSERT(holds(&dir, MAIN "/approvals.json", "our approvals"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/0", "their approvals"));
	CU_ASSERT(holds(&dir, MAIN "/config.toml", "their config"));
	CU_ASSERT(holds(&dir, MAIN "/thing", "our file"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/0", "their directory"));
	CU_ASSERT(holds(&dir, MAIN "/odd \xff\n name/-", "odd"));
	CU_ASSERT(is_there(&dir, MAIN "/empty"));
	CU_ASSERT(is_there(&dir, MAIN "/fifo"));
}

static void own_state_is_merged(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct stat before, after;

	jp_test_dir_open(&dir);
	put(&dir, MAIN "/jpfs/history/101/1Z.events.json", "our version", 10);
	put(&dir, MAIN "/jpfs/workspaces/1-2.base", "our newer record", 50);
	put(&dir, MAIN "/jpfs/workspaces/1-3.base", "our older record", 10);
	put(&dir, MAIN "/jpfs/allowed.json",
	    "{\"version\": 1, \"roots\": [{\"path\": \"/a\", \"directory\": {\"inode\": \"1\"}}]}",
	    10);
	put(&dir, FEATURE "/jpfs/history/101/2Z.events.json", "their version", 20);
	put(&dir, FEATURE "/jpfs/trash/102/2Z.file", "thrown away", 20);
	put(&dir, FEATURE "/jpfs/staging/77-1.000000001/1.101.events.json", "staged", 20);
	put(&dir, FEATURE "/jpfs/workspaces/1-2.base", "their older record", 20);
	put(&dir, FEATURE "/jpfs/workspaces/1-3.base", "their newer record", 20);
	put(&dir, FEATURE "/jpfs/workspaces/1-4.base", "their only record", 20);
	put(&dir, FEATURE "/jpfs/allowed.json",
	    "{\"version\": 1, \"roots\": [{\"path\": \"/b\", \"directory\": {\"inode\": \"1\"}},"
	    "{\"path\": \"/c\", \"directory\": {\"inode\": \"2\"}}]}",
	    20);
	CU_ASSERT_EQUAL(fstatat(dir.fd, FEATURE "/jpfs/staging/77-1.000000001", &before, 0), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT(holds(&dir, MAIN "/jpfs/history/101/1Z.events.json", "our version"));
	CU_ASSERT(holds(&dir, MAIN "/jpfs/history/101/2Z.events.json", "their version"));
	CU_ASSERT(holds(&dir, MAIN "/jpfs/trash/102/2Z.file", "thrown away"));
	CU_ASSERT(holds(&dir, MAIN "/jpfs/staging/77-1.000000001/1.101.events.json", "staged"));
	CU_ASSERT_EQUAL(fstatat(dir.fd, MAIN "/jpfs/staging/77-1.000000001", &after, 0), 0);
	CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
	CU_ASSERT(holds(&dir, MAIN "/jpfs/workspaces/1-2.base", "our newer record"));
	CU_ASSERT(holds(&dir, MAIN "/jpfs/workspaces/1-3.base", "their newer record"));
	CU_ASSERT(holds(&dir, MAIN "/jpfs/workspaces/1-4.base", "their only record"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/0", "our older record"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs", "/a"));
	CU_ASSERT(!is_kept(&dir, MAIN "/jpfs", "/b"));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs", "/c"));
}

static void a_lock_that_is_held_moves_with_its_file(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int ours = -EBADF, theirs = -EBADF, found = -EBADF;

	jp_test_dir_open(&dir);
	put(&dir, MAIN "/jpfs/workspaces/1-2.lock", "ended", 50);
	put(&dir, MAIN "/jpfs/workspaces/1-3.lock", "our daemon", 10);
	put(&dir, FEATURE "/jpfs/workspaces/1-2.lock", "their daemon", 20);
	put(&dir, FEATURE "/jpfs/workspaces/1-3.lock", "ended, too", 90);
	theirs = openat(dir.fd, FEATURE "/jpfs/workspaces/1-2.lock", O_RDWR | O_CLOEXEC);
	ours = openat(dir.fd, MAIN "/jpfs/workspaces/1-3.lock", O_RDWR | O_CLOEXEC);
	CU_ASSERT_EQUAL(flock(theirs, LOCK_EX | LOCK_NB), 0);
	CU_ASSERT_EQUAL(flock(ours, LOCK_EX | LOCK_NB), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT(holds(&dir, MAIN "/jpfs/workspaces/1-2.lock", "their daemon"));
	CU_ASSERT(holds(&dir, MAIN "/jpfs/workspaces/1-3.lock", "our daemon"));
	found = openat(dir.fd, MAIN "/jpfs/workspaces/1-2.lock", O_RDWR | O_CLOEXEC);
	CU_ASSERT_EQUAL(flock(found, LOCK_EX | LOCK_NB), -1);
}

/* ---- symbolic links ---- */

static void storage_link_is_never_followed_and_moves_only_to_a_silo_without_one(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	char target[16] = "";

	jp_test_dir_open(&dir);
	put(&dir, "elsewhere/file", "untouched", 10);
	put(&dir, MAIN "/conversations/", "", 0);
	put(&dir, FEATURE "/conversations/", "", 0);
	put(&dir, BARE "/conversations/", "", 0);
	CU_ASSERT_EQUAL(symlinkat("../../elsewhere", dir.fd, FEATURE "/storage"), 0);
	CU_ASSERT_EQUAL(symlinkat("../elsewhere", dir.fd, BARE "/storage"), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 2);
	CU_ASSERT_EQUAL(readlinkat(dir.fd, MAIN "/storage", target, sizeof(target)), 15);
	CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 1);
	CU_ASSERT_EQUAL(count_entries(&dir, MAIN "/jpfs/trash"), 0);
	CU_ASSERT(holds(&dir, "elsewhere/file", "untouched"));
}

static void symbolic_links_are_moved_and_parts_that_are_links_refused(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	struct jp_error error = {0};

	jp_test_dir_open(&dir);
	put(&dir, "elsewhere/101-a/events.json", ONE, 10);
	put(&dir, MAIN "/conversations/", "", 0);
	put(&dir, FEATURE "/other", "other", 0);
	CU_ASSERT_EQUAL(symlinkat("/nowhere", dir.fd, FEATURE "/link"), 0);
	CU_ASSERT_EQUAL(symlinkat("../../elsewhere", dir.fd, FEATURE "/conversations"), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "main", true, &silo, &error), -ELOOP);
	CHECK(strstr(error.message, "/workspace/feature-otvo8/conversations: ") != NULL, "%s",
	      error.message);
	CU_ASSERT(error.remedy[0] != '\0');
	CU_ASSERT(silo.path == NULL);
	CU_ASSERT(is_there(&dir, "elsewhere/101-a/events.json"));

	CU_ASSERT_EQUAL(unlinkat(dir.fd, FEATURE "/conversations", 0), 0);
	CU_ASSERT_EQUAL(symlinkat("../../elsewhere", dir.fd, FEATURE "/jpfs"), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), -ELOOP);
	/* Everything else has moved. */
	CU_ASSERT_EQUAL(count_entries(&dir, FEATURE), 1);
	CU_ASSERT(is_there(&dir, MAIN "/link"));

	CU_ASSERT_EQUAL(unlinkat(dir.fd, FEATURE "/jpfs", 0), 0);
	put(&dir, FEATURE "/conversations/", "", 0);
	CU_ASSERT_EQUAL(symlinkat("../elsewhere", dir.fd, FEATURE "/conversations/101-a"), 0);
	CU_ASSERT_EQUAL(symlinkat("../elsewhere", dir.fd, MAIN "/conversations/102-b"), 0);
	put_conversation(&dir, FEATURE "/conversations/102-b", META_OLD, "{}", ONE, 10);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT(is_there(&dir, MAIN "/conversations/101-a"));
	CU_ASSERT(holds(&dir, MAIN "/conversations/102-b/events.json", ONE));
	CU_ASSERT(is_kept(&dir, MAIN "/jpfs/trash/102", "../elsewhere"));
	CU_ASSERT_EQUAL(count_entries(&dir, "elsewhere"), 1);
}

/* ---- which directories are siblings ---- */

static void siblings_are_found_by_the_end_of_their_names_whatever_else_is_there(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	put(&dir, MAIN "/conversations/", "", 0);
	put(&dir, FEATURE "/", "", 0); /* empty */
	put(&dir, BARE "/one", "1", 0);
	put(&dir, "workspace/\xff odd\n-otvo8/two", "2", 0);
	put(&dir, "workspace/-otvo8/three", "3", 0);
	put(&dir, "workspace/mainotvo8/four", "4", 0);
	put(&dir, "workspace/main-otvo9/five", "5", 0);
	put(&dir, "workspace/file-otvo8", "6", 0);
	put(&dir, "elsewhere/seven", "7", 0);
	CU_ASSERT_EQUAL(symlinkat("../elsewhere", dir.fd, "workspace/link-otvo8"), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 4);
	CU_ASSERT_EQUAL(count_entries(&dir, "workspace"), 5);
	CU_ASSERT(holds(&dir, MAIN "/one", "1"));
	CU_ASSERT(holds(&dir, MAIN "/two", "2"));
	CU_ASSERT(holds(&dir, MAIN "/three", "3"));
	CU_ASSERT(holds(&dir, "elsewhere/seven", "7"));
}

static void what_cannot_be_moved_is_named_and_stays_and_all_else_is_folded(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	struct jp_error error = {0};

	jp_test_dir_open(&dir);
	if (geteuid() == 0) {
		(void)printf("(root may write anywhere: skipped) ");
		return;
	}
	put(&dir, MAIN "/conversations/", "", 0);
	put_conversation(&dir, FEATURE "/conversations/101-a", META_OLD, "{}", ONE, 100);
	put(&dir, FEATURE "/config/sub/file", "kept", 0);
	put(&dir, MAIN "/config/sub/", "", 0);
	put(&dir, BARE "/one", "1", 0);
	CU_ASSERT_EQUAL(fchmodat(dir.fd, FEATURE "/config/sub", 0500, 0), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "main", true, &silo, &error), -EACCES);
	CHECK(strstr(error.message, "/workspace/feature-otvo8/config/sub/file: ") != NULL, "%s",
	      error.message);
	CU_ASSERT(holds(&dir, FEATURE "/config/sub/file", "kept"));
	CU_ASSERT(is_there(&dir, MAIN "/conversations/101-a/events.json"));
	CU_ASSERT(holds(&dir, MAIN "/one", "1"));
	CU_ASSERT(!is_there(&dir, BARE));
	CU_ASSERT_EQUAL(fchmodat(dir.fd, FEATURE "/config/sub", 0700, 0), 0);
	CU_ASSERT_EQUAL(fold(&dir, "main"), 1);
	CU_ASSERT(holds(&dir, MAIN "/config/sub/file", "kept"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_only_a_sibling_has_moves_and_the_sibling_goes),
		TEST(nothing_is_folded_when_only_looking),
		TEST(newer_or_containing_copy_stands_and_the_other_ones_own_is_in_history),
		TEST(unmanaged_files_of_the_loser_fill_the_gaps_or_go_to_the_trash),
		TEST(one_directory_for_each_id_also_where_a_silo_had_two),
		TEST(other_entries_move_if_the_survivor_lacks_them_and_go_to_the_trash_otherwise),
		TEST(own_state_is_merged),
		TEST(a_lock_that_is_held_moves_with_its_file),
		TEST(storage_link_is_never_followed_and_moves_only_to_a_silo_without_one),
		TEST(symbolic_links_are_moved_and_parts_that_are_links_refused),
		TEST(siblings_are_found_by_the_end_of_their_names_whatever_else_is_there),
		TEST(what_cannot_be_moved_is_named_and_stays_and_all_else_is_folded),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("silo_fold", tests);
}
