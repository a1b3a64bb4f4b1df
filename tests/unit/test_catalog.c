/* Which conversations are listed, from which side they are read, and in which order. */
#include "tests/unit/harness.h"

#include "fs/cli/catalog.h"

#include <inttypes.h>

struct sides {
	struct jp_test_dir dir;
	int store, work, own;
	struct jpfs_catalog_request request;
};

static void open_sides(struct sides *sides)
{
	jp_test_dir_open(&sides->dir);
	for (const char *const *name =
		     (const char *const[]){"store", "work", "own", "own/origins", NULL};
	     *name != NULL; name++)
		CU_ASSERT_EQUAL(mkdirat(sides->dir.fd, *name, 0700), 0);
	sides->store = openat(sides->dir.fd, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sides->work = openat(sides->dir.fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sides->own = openat(sides->dir.fd, "own", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sides->request = (struct jpfs_catalog_request){
		.durable_fd = sides->store,
		.workspace_fd = sides->work,
		.own_fd = sides->own,
	};
}

static void close_sides(struct sides *sides)
{
	jp_closep(&sides->store);
	jp_closep(&sides->work);
	jp_closep(&sides->own);
	jp_test_dir_close(&sides->dir);
}
#define cleanup_sides __attribute__((cleanup(close_sides)))

static void put(int dirfd, const char *path, const char *text)
{
	cleanup_close int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CU_ASSERT_EQUAL(jp_write_all(fd, text, strlen(text), 0), 0);
}

/* A conversation with this title and so many events. */
static void make(int dirfd, const char *path, const char *title, unsigned events)
{
	char name[PATH_MAX], text[4096];
	int used;

	CU_ASSERT_EQUAL(mkdirat(dirfd, path, 0700), 0);
	(void)snprintf(name, sizeof(name), "%s/metadata.json", path);
	(void)snprintf(text, sizeof(text), "{\"title\": \"%s\"}", title);
	put(dirfd, name, text);
	(void)snprintf(name, sizeof(name), "%s/base_config.json", path);
	put(dirfd, name, "{}");
	(void)snprintf(name, sizeof(name), "%s/events.json", path);
	used = snprintf(text, sizeof(text), "[");
	for (unsigned i = 0; i < events; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used,
				 "%s{\"timestamp\": \"2026-03-05 19:31:%02u.0\", \"type\": "
				 "\"turn_start\"}",
				 i > 0 ? "," : "", i);
	(void)snprintf(text + used, sizeof(text) - (size_t)used, "]");
	put(dirfd, name, text);
}

/* All rows in one text: ID, presence, title, and letters for archived and draft. */
static void check(const struct sides *sides, const char *expected)
{
	static const char presences[] = {
		[JPFS_PROJECTED] = 'p', [JPFS_LOCAL] = 'l', [JPFS_WORKSPACE_ONLY] = 'w'};
	cleanup_catalog struct jpfs_catalog catalog = {0};
	char text[1024] = "";
	size_t used = 0;
	int r = jpfs_catalog_read(&sides->request, &catalog);

	CU_ASSERT_EQUAL(r, 0);
	for (size_t i = 0; i < catalog.count; i++) {
		const struct jpfs_listed *row = &catalog.rows[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%" PRIu64 "%c%s%s%s",
					 i > 0 ? " " : "", row->id, presences[row->presence],
					 row->summary.title != NULL ? row->summary.title : "-",
					 row->is_archived ? "/a" : "", row->is_draft ? "/d" : "");
	}
	CHECK(strcmp(text, expected) == 0, "%s, not %s", text, expected);
}

static void both_sides_are_matched_by_id(void)
{
	cleanup_sides struct sides sides;

	open_sides(&sides);
	check(&sides, "");
	make(sides.store, "11-old-name", "store", 1);
	make(sides.work, "11-new-name", "work", 1);
	make(sides.store, "12", "local", 1);
	make(sides.work, "13-x", "external", 1);
	CU_ASSERT_EQUAL(mkdirat(sides.work, "notes", 0700), 0);
	put(sides.work, "14-file", "");
	check(&sides, "11pstore 12llocal 13wexternal");
	sides.request.prefers_workspace = true;
	check(&sides, "11pwork 12llocal 13wexternal");
	sides.request.only_local = true;
	check(&sides, "12llocal");
	sides.request = (struct jpfs_catalog_request){
		.durable_fd = -EBADF, .workspace_fd = sides.work, .own_fd = -EBADF};
	check(&sides, "11wwork 13wexternal");
	sides.request = (struct jpfs_catalog_request){
		.durable_fd = sides.store, .workspace_fd = -EBADF, .own_fd = -EBADF};
	check(&sides, "11lstore 12llocal");
}

static void a_draft_is_what_the_workspace_shows(void)
{
	cleanup_sides struct sides sides;
	const uint64_t drafts[] = {11, 12};

	open_sides(&sides);
	make(sides.store, "11", "store", 1);
	make(sides.work, "11", "draft", 1);
	make(sides.store, "12", "store", 1);
	make(sides.work, "12", "\\", 1); /* which is no JSON */
	make(sides.store, "13", "store", 1);
	make(sides.work, "13", "work", 1);
	sides.request.drafts = drafts;
	sides.request.draft_count = COUNT_OF(drafts);
	check(&sides, "11pdraft/d 12p-/d 13pstore");
}

static void what_is_damaged_on_one_side_is_read_on_the_other(void)
{
	cleanup_sides struct sides sides;

	open_sides(&sides);
	make(sides.store, "11", "\\", 1);
	make(sides.work, "11", "work", 1);
	make(sides.store, "12", "\\", 1);
	make(sides.work, "12", "\\", 1);
	CU_ASSERT_EQUAL(mkdirat(sides.store, "13", 0700), 0);
	check(&sides, "11pwork 12p- 13l-");
}

static void the_workspaces_place_says_what_is_archived(void)
{
	cleanup_sides struct sides sides;

	open_sides(&sides);
	CU_ASSERT_EQUAL(mkdirat(sides.store, ".archive", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(sides.work, ".archive", 0700), 0);
	make(sides.store, ".archive/11", "both", 1);
	make(sides.work, ".archive/11-x", "both", 1);
	make(sides.store, ".archive/12", "live here", 1);
	make(sides.work, "12", "live here", 1);
	make(sides.store, "13", "archived here", 1);
	make(sides.work, ".archive/13", "archived here", 1);
	make(sides.store, ".archive/14", "local", 1);
	make(sides.store, "15", "twice", 1);
	make(sides.store, ".archive/15", "twice", 1);
	check(&sides, "12plive here 15ltwice");
	sides.request.with_archived = true;
	check(&sides, "11pboth/a 12plive here 13parchived here/a 14llocal/a 15ltwice");
}

static void the_origin_is_the_files_and_then_the_metadatas(void)
{
	cleanup_sides struct sides sides;
	cleanup_catalog struct jpfs_catalog catalog = {0};
	static const char *const expected[] = {"main", "feature", NULL, "met?a"};

	open_sides(&sides);
	for (const char *const *name = (const char *const[]){"11", "12", "13", "14", NULL};
	     *name != NULL; name++)
		make(sides.store, *name, "title", 1);
	put(sides.own, "origins/11", "main\n");
	put(sides.store, "11/metadata.json", "{\"origin\": \"other\"}");
	put(sides.store, "12/metadata.json", "{\"origin\": \"feature\"}");
	put(sides.own, "origins/12", "\n");
	put(sides.own, "origins/14",
	    "met\xe9"
	    "a\nsecond line\n");
	CU_ASSERT_EQUAL(jpfs_catalog_read(&sides.request, &catalog), 0);
	CU_ASSERT_EQUAL(catalog.count, COUNT_OF(expected));
	for (size_t i = 0; i < catalog.count; i++) {
		const char *origin = catalog.rows[i].origin;

		CHECK(expected[i] == NULL ? origin == NULL
					  : origin != NULL && strcmp(origin, expected[i]) == 0,
		      "%zu: %s", i, origin != NULL ? origin : "none");
	}
}

static void many_are_all_read(void)
{
	cleanup_sides struct sides sides;
	cleanup_catalog struct jpfs_catalog catalog = {0};

	open_sides(&sides);
	for (unsigned i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%u-x", 1000 + i);
		make(i % 3 == 0 ? sides.work : sides.store, name, "title", i % 7);
	}
	CU_ASSERT_EQUAL(jpfs_catalog_read(&sides.request, &catalog), 0);
	CU_ASSERT_EQUAL(catalog.count, 300);
	for (size_t i = 0; i < catalog.count; i++)
		CHECK(catalog.rows[i].id == 1000 + i && catalog.rows[i].summary.events == i % 7 &&
			      catalog.rows[i].summary.damaged == 0,
		      "%zu", i);
}

static void rows_are_sorted_by_what_was_asked_for(void)
{
	static struct jpfs_listed rows[] = {
		{.id = 1,
		 .summary =
			 {.title = (char *)"beta", .bytes = 30, .events = 3, .last_event_ns = 50}},
		{.id = 2,
		 .summary = {.title = (char *)"Alpha",
			     .bytes = 30,
			     .events = 1,
			     .last_event_ns = JP_TIME_UNKNOWN,
			     .last_activated_ns = 60}},
		{.id = 3,
		 .summary = {.title = NULL, .bytes = 10, .events = 2, .last_event_ns = 20}},
		{.id = 4,
		 .summary =
			 {.title = (char *)"Ärger", .bytes = 20, .events = 2, .last_event_ns = -1}},
		{.id = 5,
		 .summary = {.title = (char *)"ä", .bytes = 40, .events = 9, .last_event_ns = 40}},
		{.id = 6,
		 .summary = {.title = (char *)"alpha 2",
			     .bytes = 5,
			     .events = 0,
			     .last_event_ns = 41}},
	};
	static const struct {
		enum jpfs_catalog_order order;
		bool is_reversed;
		const char *expected;
	} expected[] = {
		{JPFS_BY_ACTIVITY, false, "435612"}, {JPFS_BY_ACTIVITY, true, "216534"},
		{JPFS_BY_TITLE, false, "326154"},    {JPFS_BY_SIZE, false, "634125"},
		{JPFS_BY_SIZE, true, "521436"},      {JPFS_BY_EVENTS, false, "623415"},
		{JPFS_BY_ID, false, "123456"},       {JPFS_BY_CREATED, true, "654321"},
	};

	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		struct jpfs_listed copy[COUNT_OF(rows)];
		struct jpfs_catalog catalog = {copy, COUNT_OF(rows)};
		char got[COUNT_OF(rows) + 1] = "";

		memcpy(copy, rows, sizeof(rows));
		jpfs_catalog_sort(&catalog, expected[i].order, expected[i].is_reversed);
		for (size_t k = 0; k < COUNT_OF(rows); k++)
			got[k] = (char)('0' + copy[k].id);
		CHECK(strcmp(got, expected[i].expected) == 0, "row %zu: %s", i, got);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(both_sides_are_matched_by_id),
		TEST(a_draft_is_what_the_workspace_shows),
		TEST(what_is_damaged_on_one_side_is_read_on_the_other),
		TEST(the_workspaces_place_says_what_is_archived),
		TEST(the_origin_is_the_files_and_then_the_metadatas),
		TEST(many_are_all_read),
		TEST(rows_are_sorted_by_what_was_asked_for),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("catalog", tests);
}
