/* Whole files and trees: what is exact, what is refused, and what a fault leaves. */
#include "tests/unit/harness.h"

#include "core/base/sys.h"

#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum {
	PIECE_BYTES = 64 * 1024, /* in which files are compared and copied */
	FAULTS_MAX = 100,
	MANY_LEVELS = 100, /* more than a tree may have */
	OPENED_TIMES = 100 * 1000,
};

static void put(int dirfd, const char *name, const char *content)
{
	cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CU_ASSERT(fd >= 0);
	CU_ASSERT_EQUAL(jp_write_all(fd, content, strlen(content), 0), 0);
}

static bool holds(int dirfd, const char *name, const char *expected)
{
	cleanup_free char *content = NULL;
	size_t size = 0;

	return jp_read_file(dirfd, name, 1 << 20, &content, &size) == 0 &&
	       size == strlen(expected) && memcmp(content, expected, size) == 0;
}

static bool is_there(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_dir(int dirfd, const char *path)
{
	return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What is opened at `path`, closed again: 0 or -errno. */
static int try_beneath(int dirfd, const char *path)
{
	cleanup_close int fd = jp_open_beneath(dirfd, path, O_RDONLY, 0);

	return fd < 0 ? fd : 0;
}

static int try_regular(int dirfd, const char *path)
{
	cleanup_close int fd = jp_open_regular(dirfd, path, O_RDONLY);

	return fd < 0 ? fd : 0;
}

static void beneath_reaches_what_is_below_and_nothing_else(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	static const struct {
		const char *path;
		int expected;
	} rows[] = {
		{"inner", 0},
		{"inner/file", 0},
		{"inner/../inner/file", 0}, /* leaves and returns: never above */
		{"..", -EXDEV},
		{"../outer", -EXDEV},
		{"inner/../../outer", -EXDEV},
		{"/", -EXDEV},
		{"/etc/passwd", -EXDEV},
		{"link", -ELOOP},
		{"link/file", -ELOOP},
		{"escape", -ELOOP},
		{"escape/passwd", -ELOOP},
		{"dangling", -ELOOP},
		{"absent", -ENOENT},
		{"inner/file/below", -ENOTDIR},
		{"", -ENOENT},
	};

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "root", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "root/inner", 0700), 0);
	put(dir.fd, "outer", "secret");
	put(dir.fd, "root/inner/file", "content");
	CU_ASSERT_EQUAL(symlinkat("inner", dir.fd, "root/link"), 0);
	CU_ASSERT_EQUAL(symlinkat("/etc", dir.fd, "root/escape"), 0);
	CU_ASSERT_EQUAL(symlinkat("nowhere", dir.fd, "root/dangling"), 0);
	{
		cleanup_close int root = open_dir(dir.fd, "root");

		for (size_t i = 0; i < COUNT_OF(rows); i++)
			CHECK(try_beneath(root, rows[i].path) == rows[i].expected, "\"%s\": %d",
			      rows[i].path, try_beneath(root, rows[i].path));
		CU_ASSERT_EQUAL(jp_open_beneath(root, "../made", O_WRONLY | O_CREAT, 0600), -EXDEV);
	}
	CU_ASSERT(!is_there(dir.fd, "made"));
}

/* As a commit does to whoever reads: the file that the kernel has found is elsewhere before it is opened. */
static void a_file_that_is_exchanged_while_it_is_opened_is_no_escape(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int root = -EBADF;
	int failures = 0, r = 0;
	pid_t other;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "root", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "root/inner", 0700), 0);
	put(dir.fd, "root/inner/file", "one");
	put(dir.fd, "outer", "another");
	if (renameat2(dir.fd, "root/inner/file", dir.fd, "outer", RENAME_EXCHANGE) < 0)
		return; /* not here */
	root = open_dir(dir.fd, "root");
	other = fork();
	if (other == 0) {
		for (;;)
			(void)renameat2(dir.fd, "root/inner/file", dir.fd, "outer",
					RENAME_EXCHANGE);
	}
	CU_ASSERT_FATAL(other > 0);
	for (int i = 0; i < OPENED_TIMES && failures < 10; i++) {
		r = try_beneath(root, "inner/file");
		failures += r < 0 ? 1 : 0;
	}
	CU_ASSERT_EQUAL(kill(other, SIGKILL), 0);
	CU_ASSERT_EQUAL(waitpid(other, NULL, 0), other);
	CHECK(failures == 0, "%d times at least, the last one: %d", failures, r);
}

static void what_is_opened_is_not_inherited(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int fd = -EBADF;

	jp_test_dir_open(&dir);
	fd = jp_open_beneath(dir.fd, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	CU_ASSERT(fd >= 0);
	CU_ASSERT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CU_ASSERT_EQUAL(jp_open_beneath(dir.fd, "new", O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
}

static void only_a_regular_file_is_opened_as_one(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n;

	jp_test_dir_open(&dir);
	put(dir.fd, "file", "x");
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "dir", 0700), 0);
	CU_ASSERT_EQUAL(mkfifoat(dir.fd, "fifo", 0600), 0);
	CU_ASSERT_EQUAL(symlinkat("file", dir.fd, "link"), 0);
	CU_ASSERT_EQUAL(try_regular(dir.fd, "file"), 0);
	CU_ASSERT_EQUAL(try_regular(dir.fd, "dir"), -EISDIR);
	CU_ASSERT_EQUAL(try_regular(dir.fd, "fifo"), -EINVAL); /* and did not wait for a writer */
	CU_ASSERT_EQUAL(try_regular(dir.fd, "link"), -ELOOP);
	CU_ASSERT_EQUAL(try_regular(dir.fd, "absent"), -ENOENT);
	n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir.path);
	if (n < (int)sizeof(address.sun_path)) {
		CU_ASSERT_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
		CU_ASSERT_EQUAL(try_regular(dir.fd, "socket"), -EINVAL);
	}
}

static void a_whole_file_is_read_up_to_the_limit_and_no_further(void)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 100000};
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_free char *text = malloc(100001);

	jp_test_dir_open(&dir);
	if (text == NULL)
		abort();
	memset(text, 'x', 100000);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		cleanup_free char *read = NULL, *more = NULL;
		size_t size = SIZE_MAX;

		text[sizes[i]] = '\0';
		put(dir.fd, "file", text);
		CHECK(jp_read_file(dir.fd, "file", sizes[i], &read, &size) == 0, "%zu", sizes[i]);
		CHECK(size == sizes[i] && read != NULL && strcmp(read, text) == 0, "%zu", sizes[i]);
		if (sizes[i] > 0)
			CHECK(jp_read_file(dir.fd, "file", sizes[i] - 1, &more, NULL) == -EFBIG,
			      "%zu", sizes[i]);
		CU_ASSERT_PTR_NULL(more);
		text[sizes[i]] = 'x';
	}
}

static void content_is_the_same_only_when_every_byte_is(void)
{
	static const size_t sizes[] = {0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES};
	cleanup_free char *text = calloc(1, 3 * PIECE_BYTES + 1);

	if (text == NULL)
		abort();
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t size = sizes[i];
		cleanup_close int first = jp_test_file(text, size);
		cleanup_close int second = jp_test_file(text, size);
		cleanup_close int longer = jp_test_file(text, size + 1);

		CHECK(jp_same_content(first, first) == 1, "%zu", size);
		CHECK(jp_same_content(first, second) == 1, "%zu", size);
		CHECK(jp_same_content(first, longer) == 0, "%zu", size);
		CHECK(jp_same_content(longer, first) == 0, "%zu", size);
		if (size == 0)
			continue;
		CU_ASSERT_EQUAL(jp_write_all(second, "\1", 1, (off_t)size - 1), 0);
		CHECK(jp_same_content(first, second) == 0, "%zu", size);
	}
	CU_ASSERT_EQUAL(jp_same_content(-1, -1), -EBADF);
}

static bool same_time(const struct timespec *first, const struct timespec *second)
{
	return first->tv_sec == second->tv_sec && first->tv_nsec == second->tv_nsec;
}

static void a_copied_tree_is_exact(void)
{
	static const struct timespec old[2] = {{1000000000, 1}, {1234567890, 987654321}};
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int fd = -EBADF, copy = -EBADF;
	static const char *const names[] = {"from/file", "from/sub/secret", "from/sub", "from"};
	static const char *const copies[] = {"to/file", "to/sub/secret", "to/sub", "to"};
	char target[16] = "", value[16] = "";
	bool has_xattrs;
	unsigned skipped = 0;
	struct stat st;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "from", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "from/sub", 0750), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "from/empty", 0755), 0);
	put(dir.fd, "from/file", "content");
	put(dir.fd, "from/sub/secret", "");
	put(dir.fd, "from/.hidden", "h");
	CU_ASSERT_EQUAL(symlinkat("../nowhere", dir.fd, "from/link"), 0);
	CU_ASSERT_EQUAL(mkfifoat(dir.fd, "from/fifo", 0600), 0);
	CU_ASSERT_EQUAL(mkfifoat(dir.fd, "from/sub/fifo", 0600), 0);
	CU_ASSERT_EQUAL(fchmodat(dir.fd, "from/sub/secret", 0400, 0), 0);
	fd = openat(dir.fd, "from/file", O_RDONLY | O_CLOEXEC);
	has_xattrs = fsetxattr(fd, "user.note", "kept", 4, 0) == 0;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		CU_ASSERT_EQUAL(utimensat(dir.fd, names[i], old, 0), 0);

	CU_ASSERT_EQUAL(jp_copy_tree(dir.fd, "from", dir.fd, "to", &skipped), 0);

	CU_ASSERT_EQUAL(skipped, 2);
	CU_ASSERT(!is_there(dir.fd, "to/fifo"));
	CU_ASSERT(holds(dir.fd, "to/file", "content"));
	CU_ASSERT(holds(dir.fd, "to/.hidden", "h"));
	CU_ASSERT(is_there(dir.fd, "to/empty"));
	CU_ASSERT_EQUAL(readlinkat(dir.fd, "to/link", target, sizeof(target) - 1), 10);
	CU_ASSERT_STRING_EQUAL(target, "../nowhere");
	CU_ASSERT_EQUAL(fstatat(dir.fd, "to/sub/secret", &st, 0), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0400);
	CU_ASSERT_EQUAL(fstatat(dir.fd, "to/sub", &st, 0), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0750);
	for (size_t i = 0; i < COUNT_OF(copies); i++) {
		CU_ASSERT_EQUAL(fstatat(dir.fd, copies[i], &st, 0), 0);
		CHECK(same_time(&st.st_mtim, &old[1]), "%s", copies[i]);
		CHECK(jp_mtime_ns(&st) == INT64_C(1234567890987654321), "%s", copies[i]);
	}
	copy = openat(dir.fd, "to/file", O_RDONLY | O_CLOEXEC);
	if (has_xattrs) {
		CU_ASSERT_EQUAL(fgetxattr(copy, "user.note", value, sizeof(value)), 4);
		CU_ASSERT_STRING_EQUAL(value, "kept");
	}
}

static void a_copy_replaces_nothing(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	put(dir.fd, "file", "mine");
	put(dir.fd, "other", "theirs");
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "dir", 0700), 0);
	CU_ASSERT_EQUAL(jp_copy_tree(dir.fd, "other", dir.fd, "file", NULL), -EEXIST);
	CU_ASSERT_EQUAL(jp_copy_tree(dir.fd, "dir", dir.fd, "file", NULL), -EEXIST);
	CU_ASSERT_EQUAL(jp_copy_tree(dir.fd, "absent", dir.fd, "new", NULL), -ENOENT);
	CU_ASSERT(holds(dir.fd, "file", "mine"));
	CU_ASSERT(!is_there(dir.fd, "new"));
}

static void large_content_is_copied_whole(void)
{
	size_t size = 5 * PIECE_BYTES + 17;
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_free char *text = malloc(size);
	cleanup_close int from = -EBADF, to = -EBADF;

	jp_test_dir_open(&dir);
	if (text == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		text[i] = (char)(i * 31 % 251);
	/* From memory to a disk: another filesystem, so that it goes through every way of copying.
	 */
	from = jp_test_file(text, size);
	to = jp_open_beneath(dir.fd, "to", O_RDWR | O_CREAT | O_EXCL, 0600);
	CU_ASSERT_EQUAL(jp_copy_content(from, to), 0);
	CU_ASSERT_EQUAL(jp_same_content(from, to), 1);
}

static void a_tree_is_removed_and_what_its_links_name_is_not(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "kept", 0700), 0);
	put(dir.fd, "kept/file", "kept");
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "tree", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "tree/sub", 0700), 0);
	put(dir.fd, "tree/sub/file", "x");
	put(dir.fd, "tree/.hidden", "x");
	CU_ASSERT_EQUAL(mkfifoat(dir.fd, "tree/fifo", 0600), 0);
	CU_ASSERT_EQUAL(symlinkat("../kept", dir.fd, "tree/link"), 0);
	CU_ASSERT_EQUAL(symlinkat("kept", dir.fd, "link"), 0);

	CU_ASSERT_EQUAL(jp_remove_tree(dir.fd, "tree"), 0);
	CU_ASSERT_EQUAL(jp_remove_tree(dir.fd, "link"), 0);
	CU_ASSERT_EQUAL(jp_remove_tree(dir.fd, "absent"), 0);

	CU_ASSERT(!is_there(dir.fd, "tree"));
	CU_ASSERT(!is_there(dir.fd, "link"));
	CU_ASSERT(holds(dir.fd, "kept/file", "kept"));
}

/* `deep/d/d/d...` */
static void make_deep(int dirfd, int levels)
{
	cleanup_close int at = -EBADF;

	CU_ASSERT_EQUAL(mkdirat(dirfd, "deep", 0700), 0);
	at = open_dir(dirfd, "deep");
	for (int i = 0; i < levels; i++) {
		int next;

		CU_ASSERT_EQUAL(mkdirat(at, "d", 0700), 0);
		next = open_dir(at, "d");
		jp_closep(&at);
		at = next;
	}
}

static void a_tree_without_end_is_refused(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	make_deep(dir.fd, MANY_LEVELS);
	CU_ASSERT_EQUAL(jp_copy_tree(dir.fd, "deep", dir.fd, "copy", NULL), -ELOOP);
	CU_ASSERT_EQUAL(jp_remove_tree(dir.fd, "copy"),
			0); /* what was copied before it was refused */
	CU_ASSERT_EQUAL(jp_remove_tree(dir.fd, "deep"), -ELOOP);
	/* Halved, it goes with the test's directory. */
	CU_ASSERT_EQUAL(
		renameat(dir.fd,
			 "deep/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d"
			 "/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d",
			 dir.fd, "lower"),
		0);
}

static void a_directory_is_made_once_and_never_through_a_link(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_close int first = -EBADF, second = -EBADF;
	struct stat st;

	jp_test_dir_open(&dir);
	put(dir.fd, "file", "x");
	CU_ASSERT_EQUAL(symlinkat("/tmp", dir.fd, "link"), 0);
	first = jp_open_or_make_dir(dir.fd, "dir", 0700);
	second = jp_open_or_make_dir(dir.fd, "dir", 0755);
	CU_ASSERT(first >= 0);
	CU_ASSERT(second >= 0);
	CU_ASSERT_EQUAL(fstat(second, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0700);
	CU_ASSERT_EQUAL(jp_open_or_make_dir(dir.fd, "link", 0700), -ELOOP);
	CU_ASSERT_EQUAL(jp_open_or_make_dir(dir.fd, "file", 0700), -ENOTDIR);
}

static void a_single_name_is_one_that_could_be_created(void)
{
	static const char *const yes[] = {"a", "...", ".a", "..a", "a b", "\n", "\xff", "~"};
	static const char *const no[] = {"", ".", "..", "/", "a/", "/a", "a/b", "../a"};

	for (size_t i = 0; i < COUNT_OF(yes); i++)
		CHECK(jp_is_single_name(yes[i]), "\"%s\"", yes[i]);
	for (size_t i = 0; i < COUNT_OF(no); i++)
		CHECK(!jp_is_single_name(no[i]), "\"%s\"", no[i]);
}

static void a_file_is_replaced_whole_and_leaves_nothing_beside(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	char name[NAME_MAX + 1];
	struct stat st;

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, "file", "first, and longer", 17, 0600), 0);
	CU_ASSERT(holds(dir.fd, "file", "first, and longer"));
	put(dir.fd, "file.new", "left over from a crash");
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, "file", "second", 6, 0600), 0);
	CU_ASSERT(holds(dir.fd, "file", "second"));
	CU_ASSERT(!is_there(dir.fd, "file.new"));
	CU_ASSERT_EQUAL(fstatat(dir.fd, "file", &st, 0), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, "file", NULL, 0, 0600), 0);
	CU_ASSERT(holds(dir.fd, "file", ""));
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, name, "x", 1, 0600), -ENAMETOOLONG);
}

static void a_link_is_replaced_and_not_followed(void)
{
	cleanup_test_dir struct jp_test_dir dir;

	jp_test_dir_open(&dir);
	put(dir.fd, "target", "safe");
	CU_ASSERT_EQUAL(symlinkat("target", dir.fd, "file"), 0);
	CU_ASSERT_EQUAL(symlinkat("target", dir.fd, "file.new"), 0);
	CU_ASSERT_EQUAL(jp_replace_file(dir.fd, "file", "new", 3, 0600), 0);
	CU_ASSERT(holds(dir.fd, "file", "new"));
	CU_ASSERT(holds(dir.fd, "target", "safe"));
}

/* The calls that are still to succeed before one fails with EIO; a table of functions has nowhere
 * else to keep it. */
static int calls_left;

static bool fails(void)
{
	if (--calls_left != 0)
		return false;
	errno = EIO;
	return true;
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t size, off_t offset)
{
	/* At most two bytes at a time: a short write is no failure, and is a fault point of its
	 * own. */
	return fails() ? -1 : pwrite(fd, data, size < 2 ? size : 2, offset);
}

static int faulty_fsync(int fd)
{
	return fails() ? -1 : fsync(fd);
}

static int faulty_unlinkat(int dirfd, const char *name, int flags)
{
	return fails() ? -1 : unlinkat(dirfd, name, flags);
}

static int faulty_renameat2(int old_dirfd, const char *old_name, int new_dirfd,
			    const char *new_name, unsigned flags)
{
	return fails() ? -1 : renameat2(old_dirfd, old_name, new_dirfd, new_name, flags);
}

static void replacing_leaves_old_or_new_content_at_every_fault(void)
{
	struct jp_sys faulty = jp_sys_real;
	cleanup_test_dir struct jp_test_dir dir;
	int r = -EIO, faults;

	faulty.pwrite = faulty_pwrite;
	faulty.fsync = faulty_fsync;
	faulty.unlinkat = faulty_unlinkat;
	faulty.renameat2 = faulty_renameat2;
	jp_test_dir_open(&dir);
	for (faults = 0; r != 0 && faults < FAULTS_MAX; faults++) {
		put(dir.fd, "file", "old");
		calls_left = faults + 1;
		jp_sys = &faulty;
		r = jp_replace_file(dir.fd, "file", "new!", 4, 0600);
		jp_sys = &jp_sys_real;
		CHECK(r == 0 || r == -EIO, "fault %d: %d", faults, r);
		CHECK(holds(dir.fd, "file", "old") || holds(dir.fd, "file", "new!"), "fault %d",
		      faults);
		CHECK(!is_there(dir.fd, "file.new"), "fault %d", faults);
	}
	CU_ASSERT_EQUAL(r, 0);
	/* An unlink, two writes, a sync, a rename, a sync of the directory; then none is left. */
	CHECK(faults == 6 + 1, "%d fault points", faults - 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(beneath_reaches_what_is_below_and_nothing_else),
		TEST(a_file_that_is_exchanged_while_it_is_opened_is_no_escape),
		TEST(what_is_opened_is_not_inherited),
		TEST(only_a_regular_file_is_opened_as_one),
		TEST(a_whole_file_is_read_up_to_the_limit_and_no_further),
		TEST(content_is_the_same_only_when_every_byte_is),
		TEST(a_copied_tree_is_exact),
		TEST(a_copy_replaces_nothing),
		TEST(large_content_is_copied_whole),
		TEST(a_tree_is_removed_and_what_its_links_name_is_not),
		TEST(a_tree_without_end_is_refused),
		TEST(a_directory_is_made_once_and_never_through_a_link),
		TEST(a_single_name_is_one_that_could_be_created),
		TEST(a_file_is_replaced_whole_and_leaves_nothing_beside),
		TEST(a_link_is_replaced_and_not_followed),
		TEST(replacing_leaves_old_or_new_content_at_every_fault),
		CU_TEST_INFO_NULL,
	};

	(void)umask(022);
	return jp_run_suite("io", tests);
}
