/* What both sides had in common survives everything but the loss of its file, and lies never. */
#include "tests/unit/harness.h"

#include "core/base_record.h"
#include "tests/fault/fault.h"

/* A silo's workspaces/ and two worktrees. */
struct world {
	struct jp_test_dir dir;
	int workspaces_fd, root_fd, other_fd;
};

static bool world_begin(struct world *world)
{
	*world = (struct world){.workspaces_fd = -EBADF, .root_fd = -EBADF, .other_fd = -EBADF};
	jp_test_dir_open(&world->dir);
	world->workspaces_fd = jp_open_or_make_dir(world->dir.fd, "workspaces", 0700);
	world->root_fd = jp_open_or_make_dir(world->dir.fd, "root", 0700);
	world->other_fd = jp_open_or_make_dir(world->dir.fd, "other", 0700);
	return world->workspaces_fd >= 0 && world->root_fd >= 0 && world->other_fd >= 0;
}

static void world_end(struct world *world)
{
	jp_closep(&world->workspaces_fd);
	jp_closep(&world->root_fd);
	jp_closep(&world->other_fd);
	jp_test_dir_close(&world->dir);
}
#define cleanup_world __attribute__((cleanup(world_end)))

static void record_closep(struct jp_base_record **record)
{
	jp_base_close(*record);
	*record = NULL;
}
#define cleanup_record __attribute__((cleanup(record_closep)))

static struct jp_base some(uint64_t seed)
{
	struct jp_base base = {0};

	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		base.files[i] = (struct jp_base_file){
			.is_there = (seed + (uint64_t)i) % 4 != 0,
			.content = {seed * 3, ~seed, seed << 40},
			.durable = {seed + 1, seed * 3, -(int64_t)seed, 0},
			.workspace = {UINT64_MAX - seed, seed * 3, INT64_MAX - (int64_t)seed, 77},
			.draft = {seed % 3, seed, -(int64_t)seed, INT64_MIN + (int64_t)seed},
		};
		if (!base.files[i].is_there)
			base.files[i] = (struct jp_base_file){0};
	}
	return base;
}

static bool are_same_stamps(const struct jp_stamp *a, const struct jp_stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

static bool are_same(const struct jp_base *a, const struct jp_base *b)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const struct jp_base_file *one = &a->files[i], *other = &b->files[i];

		if (one->is_there != other->is_there ||
		    !jp_content_id_equals(&one->content, &other->content) ||
		    !are_same_stamps(&one->durable, &other->durable) ||
		    !are_same_stamps(&one->workspace, &other->workspace) ||
		    !are_same_stamps(&one->draft, &other->draft))
			return false;
	}
	return true;
}

static struct jp_base_record *open_record(const struct world *world, int root_fd)
{
	struct jp_base_record *record = NULL;

	CU_ASSERT_EQUAL(jp_base_open(world->workspaces_fd, root_fd, false, &record), 0);
	return record;
}

static void it_is_there_again_after_reopening(void)
{
	cleanup_world struct world world;
	struct jp_base found, expected;

	if (!world_begin(&world))
		return;
	for (int round = 0; round < 2; round++) {
		cleanup_record struct jp_base_record *record = open_record(&world, world.root_fd);

		for (uint64_t id = 0; id < 3000 && round == 0; id++) {
			const struct jp_base first = some(id + 5), second = some(id);

			/* Not in order, and the later one counts. */
			CU_ASSERT_EQUAL(jp_base_put(record, id * 7919 % 3001, &first), 0);
			CU_ASSERT_EQUAL(jp_base_put(record, id * 7919 % 3001, &second), 0);
		}
		if (round == 0) {
			CU_ASSERT_EQUAL(jp_base_forget(record, 7919 % 3001), 0);
			CU_ASSERT_EQUAL(jp_base_sync(record), 0);
		}
		for (uint64_t id = 0; id < 3000; id++) {
			int r = jp_base_find(record, id * 7919 % 3001, &found);

			expected = some(id);
			CHECK(id == 1 ? r == -ENOENT : r == 0 && are_same(&found, &expected),
			      "round %d, %d", round, (int)id);
		}
		CU_ASSERT_EQUAL(jp_base_find(record, 99999, &found), -ENOENT);
	}
}

static void another_worktree_knows_nothing_of_it(void)
{
	cleanup_world struct world world;
	cleanup_record struct jp_base_record *record = NULL, *other = NULL;
	const struct jp_base base = some(3);
	struct jp_base found;

	if (!world_begin(&world))
		return;
	record = open_record(&world, world.root_fd);
	other = open_record(&world, world.other_fd);
	CU_ASSERT_EQUAL(jp_base_put(record, 1, &base), 0);
	CU_ASSERT_EQUAL(jp_base_find(other, 1, &found), -ENOENT);
	/* A new directory of the same name is another worktree, also with the same inode number: it
	 * was born later, by the filesystem's clock, which ticks some hundred times a second. */
	jp_closep(&world.root_fd);
	CU_ASSERT_EQUAL(unlinkat(world.dir.fd, "root", AT_REMOVEDIR), 0);
	(void)usleep(30000);
	world.root_fd = jp_open_or_make_dir(world.dir.fd, "root", 0700);
	record_closep(&record);
	record = open_record(&world, world.root_fd);
	CU_ASSERT_EQUAL(jp_base_find(record, 1, &found), -ENOENT);
}

static bool is_even(uint64_t id, void *closure)
{
	(*(unsigned *)closure)++;
	return id % 2 == 0;
}

static void what_is_not_wanted_any_more_is_forgotten(void)
{
	cleanup_world struct world world;
	struct jp_base found;
	unsigned asked = 0;

	if (!world_begin(&world))
		return;
	for (int round = 0; round < 2; round++) {
		cleanup_record struct jp_base_record *record = open_record(&world, world.root_fd);

		for (uint64_t id = 1; id <= 10 && round == 0; id++) {
			const struct jp_base base = some(id);

			CU_ASSERT_EQUAL(jp_base_put(record, id, &base), 0);
		}
		if (round == 0)
			CU_ASSERT_EQUAL(jp_base_forget_others(record, is_even, &asked), 0);
		for (uint64_t id = 1; id <= 10; id++)
			CU_ASSERT_EQUAL(jp_base_find(record, id, &found),
					id % 2 == 0 ? 0 : -ENOENT);
	}
	CU_ASSERT_EQUAL(asked, 10);
}

/* The one file in workspaces/. */
static void name_of_file(const struct world *world, char name[256])
{
	DIR *dir = fdopendir(openat(world->workspaces_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	name[0] = '\0';
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			(void)snprintf(name, 256, "%.255s", entry->d_name);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* Whatever is done to the file: what is found is true, and it goes on working. */
static void check_damaged(const struct world *world, const char *name, const char *text,
			  size_t size, const char *what, size_t where)
{
	cleanup_record struct jp_base_record *record = NULL;
	const struct jp_base another = some(77);
	struct jp_base found, expected;
	bool is_true = true;

	CU_ASSERT_EQUAL(jp_replace_file(world->workspaces_fd, name, text, size, 0600), 0);
	record = open_record(world, world->root_fd);
	for (uint64_t id = 1; id <= 3; id++) {
		expected = some(id);
		is_true = is_true && (jp_base_find(record, id, &found) == -ENOENT ||
				      are_same(&found, &expected));
	}
	is_true = is_true && jp_base_put(record, 9, &another) == 0;
	record_closep(&record);
	record = open_record(world, world->root_fd);
	is_true = is_true && jp_base_find(record, 9, &found) == 0 && are_same(&found, &another);
	CHECK(is_true, "%s at %zu", what, where);
}

static void damage_costs_knowledge_and_nothing_else(void)
{
	cleanup_world struct world world;
	cleanup_free char *text = NULL, *damaged = NULL;
	char name[256];
	size_t size;

	if (!world_begin(&world))
		return;
	{
		cleanup_record struct jp_base_record *record = open_record(&world, world.root_fd);

		for (uint64_t id = 1; id <= 3; id++) {
			const struct jp_base base = some(id);

			CU_ASSERT_EQUAL(jp_base_put(record, id, &base), 0);
		}
	}
	name_of_file(&world, name);
	CU_ASSERT_EQUAL(jp_read_file(world.workspaces_fd, name, 1 << 20, &text, &size), 0);
	damaged = text != NULL ? malloc(size) : NULL;
	if (damaged == NULL)
		return;
	for (size_t i = 0; i < size; i++) {
		memcpy(damaged, text, size);
		damaged[i] = (char)(damaged[i] ^ (1 << i % 7));
		check_damaged(&world, name, damaged, size, "a bit flipped", i);
		check_damaged(&world, name, text, i, "cut", i);
	}
	check_damaged(&world, name, "jpfs base 2\n1 - - -\n", 20, "another version", 0);
	memset(damaged, '\n', size);
	check_damaged(&world, name, damaged, size, "empty lines", 0);
	memset(damaged, 0, size);
	check_damaged(&world, name, damaged, size, "zeros", 0);
}

static void without_a_record_nothing_is_known_and_nothing_fails(void)
{
	const struct jp_base base = some(1);
	struct jp_base found;

	CU_ASSERT_EQUAL(jp_base_find(NULL, 1, &found), -ENOENT);
	CU_ASSERT_EQUAL(jp_base_put(NULL, 1, &base), 0);
	CU_ASSERT_EQUAL(jp_base_forget(NULL, 1), 0);
	CU_ASSERT_EQUAL(jp_base_sync(NULL), 0);
}

/* A failure to read says nothing of what is there: it must not be written over as if it were damaged. */
static void what_cannot_be_read_for_now_is_known_again_later(void)
{
	static const int errors[] = {EIO, EMFILE, ENFILE, ENOMEM};
	cleanup_world struct world world;
	const struct jp_base base = some(3);
	struct jp_base found;

	if (!world_begin(&world))
		return;
	{
		cleanup_record struct jp_base_record *record = open_record(&world, world.root_fd);

		CU_ASSERT_EQUAL(jp_base_put(record, 1, &base), 0);
	}
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		bool is_over = false;

		for (int n = 1; !is_over && n < 20; n++) {
			cleanup_record struct jp_base_record *record = NULL;
			int r;

			jp_fault_begin(n, JP_FAIL_ONCE | JP_READS, errors[i]);
			r = jp_base_open(world.workspaces_fd, world.root_fd, false, &record);
			is_over = jp_fault_end();
			CHECK(r == (is_over ? 0 : -errors[i]), "%s, call %d: %d",
			      strerrorname_np(errors[i]), n, r);
			jp_base_close(TAKE_PTR(record));
			record = open_record(&world, world.root_fd);
			CHECK(jp_base_find(record, 1, &found) == 0 && are_same(&found, &base),
			      "%s, call %d", strerrorname_np(errors[i]), n);
		}
		CHECK(is_over, "%s", strerrorname_np(errors[i]));
	}
}

/* Room that is missing costs no knowledge: it is written down when there is some. */
static void what_cannot_be_written_for_now_is_known_and_written_later(void)
{
	static const int errors[] = {ENOSPC, EROFS};
	cleanup_world struct world world;
	const struct jp_base first = some(3), second = some(4);
	struct jp_base found;
	char name[256];

	if (!world_begin(&world))
		return;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		bool is_over = false;

		for (int n = 1; !is_over && n < 40; n++) {
			cleanup_record struct jp_base_record *record = NULL;
			int fd;

			jp_fault_begin(0, 0, 0); /* no fault; but nothing is synced in it */
			record = open_record(&world, world.root_fd);
			CU_ASSERT_EQUAL(jp_base_forget(record, 2), 0);
			CU_ASSERT_EQUAL(jp_base_put(record, 1, &first), 0);
			jp_base_close(TAKE_PTR(record));
			/* Half a line at its end: it is written anew when it is opened. */
			name_of_file(&world, name);
			fd = openat(world.workspaces_fd, name, O_WRONLY | O_APPEND | O_CLOEXEC);
			CU_ASSERT_EQUAL(write(fd, "17", 2), 2);
			CU_ASSERT_EQUAL(close(fd), 0);
			(void)jp_fault_end();

			jp_fault_begin(n, JP_FAIL_ONCE, errors[i]);
			record = open_record(&world, world.root_fd);
			CHECK(jp_base_find(record, 1, &found) == 0 && are_same(&found, &first),
			      "%s, call %d", strerrorname_np(errors[i]), n);
			jp_ignore(jp_base_put(record, 2, &second));
			is_over = jp_fault_end();
			jp_fault_begin(0, 0, 0);
			CHECK(jp_base_find(record, 2, &found) == 0 && are_same(&found, &second),
			      "%s, call %d", strerrorname_np(errors[i]), n);
			CHECK(jp_base_sync(record) == 0, "%s, call %d", strerrorname_np(errors[i]),
			      n);
			jp_base_close(TAKE_PTR(record));
			record = open_record(&world, world.root_fd);
			CHECK(jp_base_find(record, 1, &found) == 0 && are_same(&found, &first) &&
				      jp_base_find(record, 2, &found) == 0 &&
				      are_same(&found, &second),
			      "%s, call %d", strerrorname_np(errors[i]), n);
			(void)jp_fault_end();
		}
		CHECK(is_over, "%s", strerrorname_np(errors[i]));
	}
}

/* A link that is made to the durable file, as a pin or the history is, changes that. */
static void when_the_durable_inode_changed_is_not_kept(void)
{
	cleanup_world struct world world;
	struct jp_base base = some(5), found;

	if (!world_begin(&world))
		return;
	base.files[JP_EVENTS].durable.ctime_ns = 12345;
	for (int round = 0; round < 2; round++) {
		cleanup_record struct jp_base_record *record = open_record(&world, world.root_fd);

		if (round == 0)
			CU_ASSERT_EQUAL(jp_base_put(record, 1, &base), 0);
		CU_ASSERT_EQUAL(jp_base_find(record, 1, &found), 0);
		CU_ASSERT_EQUAL(found.files[JP_EVENTS].durable.ctime_ns, 0);
		CU_ASSERT_EQUAL(found.files[JP_EVENTS].durable.mtime_ns,
				base.files[JP_EVENTS].durable.mtime_ns);
		CU_ASSERT_EQUAL(found.files[JP_EVENTS].workspace.ctime_ns,
				base.files[JP_EVENTS].workspace.ctime_ns);
	}
}

static void a_stamp_matches_what_it_was_taken_of(void)
{
	struct stat st = {.st_ino = 7, .st_size = 9, .st_mtim = {-5, 3}, .st_ctim = {4, 5}};
	struct jp_stamp stamp = jp_stamp_of(&st, true), without = jp_stamp_of(&st, false);
	struct stat other;

	CU_ASSERT(jp_stamp_matches(&stamp, &st));
	other = st, other.st_ino++;
	CU_ASSERT_FALSE(jp_stamp_matches(&stamp, &other));
	other = st, other.st_size++;
	CU_ASSERT_FALSE(jp_stamp_matches(&stamp, &other));
	other = st, other.st_mtim.tv_nsec++;
	CU_ASSERT_FALSE(jp_stamp_matches(&stamp, &other));
	other = st, other.st_ctim.tv_nsec++;
	CU_ASSERT_FALSE(jp_stamp_matches(&stamp, &other));
	CU_ASSERT(jp_stamp_matches(&without, &other));
}

static void contents_are_told_apart(void)
{
	cleanup_free char *big = calloc(1, 600000);
	struct jp_content_id first, second;
	cleanup_close int a = -EBADF, b = -EBADF;

	if (big == NULL)
		return;
	a = jp_test_file(big, 600000);
	big[599999] = 1;
	b = jp_test_file(big, 600000);
	CU_ASSERT_EQUAL(jp_content_id_of_file(a, &first), 0);
	CU_ASSERT_EQUAL(first.size, 600000);
	CU_ASSERT_EQUAL(jp_content_id_of_file(b, &second), 0);
	CU_ASSERT_FALSE(jp_content_id_equals(&first, &second));
	CU_ASSERT_EQUAL(jp_content_id_of_file(a, &second), 0);
	CU_ASSERT(jp_content_id_equals(&first, &second));
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(it_is_there_again_after_reopening),
		TEST(another_worktree_knows_nothing_of_it),
		TEST(what_is_not_wanted_any_more_is_forgotten),
		TEST(damage_costs_knowledge_and_nothing_else),
		TEST(without_a_record_nothing_is_known_and_nothing_fails),
		TEST(what_cannot_be_read_for_now_is_known_again_later),
		TEST(what_cannot_be_written_for_now_is_known_and_written_later),
		TEST(when_the_durable_inode_changed_is_not_kept),
		TEST(a_stamp_matches_what_it_was_taken_of),
		TEST(contents_are_told_apart),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("base_record", tests);
}
