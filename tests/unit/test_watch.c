/* What is heard of changes in watched directories. */
#include "tests/unit/harness.h"

#include "core/watch.h"

#include <poll.h>

/* What came in one reading. */
struct heard {
	unsigned count;
	uint64_t keys[64];
	char names[64][32];
	bool has_ended, is_name;
};

static void note(const struct jp_watch_event *event, void *closure)
{
	struct heard *heard = closure;

	if (heard->count < 64) {
		heard->keys[heard->count] = event->key;
		(void)snprintf(heard->names[heard->count], 32, "%s", event->name);
		heard->count++;
	}
	heard->has_ended = heard->has_ended || event->has_ended;
	heard->is_name = heard->is_name || event->is_name;
}

static struct heard hear(struct jp_watch *watch)
{
	struct heard heard = {0};

	CU_ASSERT_EQUAL(jp_watch_read(watch, note, &heard), 0);
	return heard;
}

static bool has(const struct heard *heard, uint64_t key, const char *name)
{
	for (unsigned i = 0; i < heard->count; i++) {
		if (heard->keys[i] == key && strcmp(heard->names[i], name) == 0)
			return true;
	}
	return false;
}

static int make_directory(const struct jp_test_dir *dir, const char *name)
{
	CU_ASSERT_EQUAL(mkdirat(dir->fd, name, 0755), 0);
	return openat(dir->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void make_file(int directory, const char *name, const char *text)
{
	cleanup_close int fd =
		openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CU_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void each_change_comes_with_the_key_of_its_directory(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int first = -EBADF, second = -EBADF;
	struct jp_watch *watch;
	struct heard heard;

	jp_test_dir_open(&dir);
	first = make_directory(&dir, "first");
	second = make_directory(&dir, "second");
	CU_ASSERT_EQUAL(jp_watch_new(&watch), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, first, 1), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, second, 2), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, second, 2), 0); /* once more: no matter */
	CU_ASSERT_EQUAL(jp_watch_count(watch), 2);
	CU_ASSERT_EQUAL(hear(watch).count, 0);
	make_file(first, "one", "x");
	make_file(second, "two", "x");
	heard = hear(watch);
	CU_ASSERT(has(&heard, 1, "one") && has(&heard, 2, "two") && heard.is_name);
	CU_ASSERT(!has(&heard, 2, "one") && !has(&heard, 1, "two"));
	/* In place, by rename, and away. */
	make_file(first, "one", "another");
	heard = hear(watch);
	CU_ASSERT(has(&heard, 1, "one") && !heard.is_name);
	CU_ASSERT_EQUAL(renameat(first, "one", second, "three"), 0);
	heard = hear(watch);
	CU_ASSERT(has(&heard, 1, "one") && has(&heard, 2, "three"));
	CU_ASSERT_EQUAL(unlinkat(second, "two", 0), 0);
	heard = hear(watch);
	CU_ASSERT(has(&heard, 2, "two"));
	jp_watch_free(watch);
}

static void a_watch_goes_along_with_its_directory_and_ends_with_it(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int fd = -EBADF;
	struct jp_watch *watch;
	struct heard heard;

	jp_test_dir_open(&dir);
	fd = make_directory(&dir, "before");
	CU_ASSERT_EQUAL(jp_watch_new(&watch), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, fd, 7), 0);
	CU_ASSERT_EQUAL(renameat(dir.fd, "before", dir.fd, "after"), 0);
	(void)hear(watch);
	make_file(fd, "file", "x");
	heard = hear(watch);
	CU_ASSERT(has(&heard, 7, "file"));
	CU_ASSERT_EQUAL(unlinkat(fd, "file", 0), 0);
	jp_closep(&fd);
	CU_ASSERT_EQUAL(unlinkat(dir.fd, "after", AT_REMOVEDIR), 0);
	heard = hear(watch);
	CU_ASSERT(heard.has_ended && has(&heard, 7, ""));
	CU_ASSERT_EQUAL(jp_watch_count(watch), 0);
	jp_watch_free(watch);
}

static void a_key_has_one_watch_and_a_removed_one_is_silent(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int first = -EBADF, second = -EBADF;
	struct jp_watch *watch;
	struct heard heard;

	jp_test_dir_open(&dir);
	first = make_directory(&dir, "first");
	second = make_directory(&dir, "second");
	CU_ASSERT_EQUAL(jp_watch_new(&watch), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, first, 1), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, second, 1), 0);
	CU_ASSERT_EQUAL(jp_watch_count(watch), 1);
	make_file(first, "unheard", "x");
	make_file(second, "heard", "x");
	heard = hear(watch);
	CU_ASSERT(has(&heard, 1, "heard") && !has(&heard, 1, "unheard"));
	jp_watch_remove(watch, 1);
	jp_watch_remove(watch, 1);
	make_file(second, "unheard", "x");
	CU_ASSERT_EQUAL(hear(watch).count, 0);
	jp_watch_free(watch);
}

static void what_waits_for_events_is_woken_by_them(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_watch *watch;
	struct pollfd fd;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(jp_watch_new(&watch), 0);
	CU_ASSERT_EQUAL(jp_watch_add(watch, dir.fd, 1), 0);
	fd = (struct pollfd){.fd = jp_watch_fd(watch), .events = POLLIN};
	CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
	make_file(dir.fd, "file", "x");
	CU_ASSERT_EQUAL(poll(&fd, 1, 0), 1);
	jp_watch_free(watch);
}

static void filesystems_that_others_write_to_are_known(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	CU_ASSERT(jp_watch_is_reliable(dir.fd));
	CU_ASSERT(!jp_watch_is_reliable(-1));
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(each_change_comes_with_the_key_of_its_directory),
		TEST(a_watch_goes_along_with_its_directory_and_ends_with_it),
		TEST(a_key_has_one_watch_and_a_removed_one_is_silent),
		TEST(what_waits_for_events_is_woken_by_them),
		TEST(filesystems_that_others_write_to_are_known),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("watch", tests);
}
