/*
 * What every unit test program needs: a runner whose exit status is right, assertions that say
 * which row of a table failed, anonymous files, and a directory that is always removed.
 *
 * CUnit has two traps, and both are why this exists. CU_basic_run_tests() and CU_get_error() are 0
 * when tests fail, so the number of failures decides here, and a run of nothing fails. And the
 * _FATAL assertions leave by longjmp, past every cleanup attribute, so the tests do without them.
 */
#pragma once

#include <CUnit/Basic.h>

#include "core/base/cleanup.h"
#include "core/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A row of CUnit's table of tests: the function's name is the test's. */
#define TEST(function)                                                                             \
	{                                                                                          \
#function, function                                                                \
	}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Assert, and say what was looked at when it fails. CUnit keeps a copy of the text. */
#define CHECK(condition, ...) jp_check((condition), __LINE__, __FILE__, #condition, __VA_ARGS__)

printf_like(5, 6) static inline bool jp_check(bool holds, int line, const char *file,
					      const char *condition, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	int n = snprintf(text, sizeof(text), "%s: ", condition);

	if (n > 0 && (size_t)n < sizeof(text)) {
		va_start(arguments, format);
		(void)vsnprintf(text + n, sizeof(text) - (size_t)n, format, arguments);
		va_end(arguments);
	}
	return CU_assertImplementation(holds, (unsigned)line, text, file, "", CU_FALSE) != CU_FALSE;
}

static inline int jp_run_suite(const char *name, CU_TestInfo tests[])
{
	CU_SuiteInfo suites[] = {
		{.pName = name, .pTests = tests},
		CU_SUITE_INFO_NULL,
	};
	const char *only = getenv("JPFS_TEST");
	unsigned failures;

	if (only != NULL) {
		while (tests->pName != NULL && strcmp(tests->pName, only) != 0)
			tests++;
		if (tests->pName != NULL)
			tests[1] = (CU_TestInfo)CU_TEST_INFO_NULL;
		suites[0].pTests = tests;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return EXIT_FAILURE;
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A file in memory with this content. The program ends when there is none to be had: it could
 * test nothing. */
must_check static inline int jp_test_file(const char *data, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || jp_write_all(fd, data, size, 0) < 0) {
		perror("memfd_create");
		exit(EXIT_FAILURE);
	}
	return fd;
}

/* A directory for one test, gone at the end of its scope: `cleanup_test_dir struct jp_test_dir`. */
struct jp_test_dir {
	char path[PATH_MAX];
	int fd;
	int parent_fd;
	const char *name; /* in `parent_fd`; the end of `path` */
};

static inline void jp_test_dir_open(struct jp_test_dir *dir)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || parent[0] == '\0')
		parent = "/tmp";
	(void)snprintf(dir->path, sizeof(dir->path), "%s/jpfs-test-XXXXXX", parent);
	dir->parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir->fd = -EBADF;
	if (mkdtemp(dir->path) != NULL)
		dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0 || dir->parent_fd < 0) {
		perror(dir->path);
		exit(EXIT_FAILURE);
	}
	dir->name = strrchr(dir->path, '/') + 1;
}

static inline void jp_test_dir_close(struct jp_test_dir *dir)
{
	int r = jp_remove_tree(dir->parent_fd, dir->name);

	if (r < 0)
		(void)fprintf(stderr, "%s stays: %s\n", dir->path, strerror(-r));
	CU_ASSERT_EQUAL(r, 0);
	jp_closep(&dir->fd);
	jp_closep(&dir->parent_fd);
}

#define cleanup_test_dir __attribute__((cleanup(jp_test_dir_close)))

/* The directory of real conversations, or NULL when there is none here; says so then. */
static inline const char *jp_test_fixtures(char path[static PATH_MAX])
{
	const char *root = getenv("JPFS_FIXTURES");

#ifdef JPFS_FIXTURES_DEFAULT
	if (root == NULL || root[0] == '\0')
		root = JPFS_FIXTURES_DEFAULT;
#endif
	if (root == NULL || root[0] == '\0' ||
	    snprintf(path, PATH_MAX, "%s/conversations", root) >= PATH_MAX ||
	    access(path, R_OK) < 0) {
		(void)printf("(no real conversations here, JPFS_FIXTURES names none: skipped) ");
		return NULL;
	}
	return path;
}
