/* Which of the kept things go. */
#include "core/prune.h"
#include "core/history.h"
#include "tests/unit/harness.h"

#define NOW (INT64_C(20000) * JP_DAY_NS)

/* A line for each thing that is kept: "<e|m|T><days old>:<size> ", of conversation 1; ';' begins the
 * next conversation. T is the trash. Newest first. */
static size_t make(const char *text, struct jp_kept *list)
{
	size_t count = 0;
	uint64_t id = 1;

	for (const char *c = text; *c != '\0';) {
		struct jp_kept *kept = &list[count];
		long days, size;
		char *end;

		if (*c == ' ' || *c == ';') {
			id += *c++ == ';' ? 1 : 0;
			continue;
		}
		*kept = (struct jp_kept){.id = id, .is_trash = *c == 'T'};
		(void)snprintf(kept->entry, sizeof(kept->entry), "%s",
			       *c == 'e'   ? "events.json"
			       : *c == 'm' ? "metadata.json"
					   : "1-x");
		days = strtol(c + 1, &end, 10);
		size = strtol(end + 1, &end, 10);
		kept->kept_ns = NOW - days * JP_DAY_NS;
		kept->size = (uint64_t)size;
		c = end;
		count++;
	}
	return count;
}

static void each_limit_takes_what_it_says(void)
{
	static const struct {
		const char *kept;
		int64_t age, grace;
		size_t keep;
		uint64_t size;
		const char *fate; /* '.' stays, 'a' age, 's' size */
	} rows[] = {
		{"", 90, 30, 2, 100, ""},
		/* Age, and the last ones of each file. */
		{"e91:1", 90, 30, 2, 100, "."},
		{"e91:1 e92:1 e93:1 e94:1", 90, 30, 2, 100, "..aa"},
		{"e91:1 e92:1 m93:1 e94:1 m95:1 m96:1", 90, 30, 2, 100, "...a.a"},
		{"e91:1 e92:1 e93:1;e94:1 e95:1 e96:1", 90, 30, 2, 100, "..a..a"},
		{"e1:1 e2:1 e91:1", 90, 30, 2, 100, "..a"},
		{"e88:1 e89:1 e90:1", 90, 30, 0, 100, "..."},
		{"e89:1 e90:1 e91:1", 90, 30, 0, 100, "..a"},
		/* The trash has no last ones, and is none of a file's. */
		{"T89:1 T91:1", 90, 30, 10, 100, ".a"},
		{"T1:1 e91:1 T92:1 e93:1", 90, 30, 1, 100, "..aa"},
		/* Size: the oldest first, never within the grace, never a file's newest. */
		{"e40:60 e41:60", 90, 30, 10, 100, ".s"},
		{"e40:60 e41:60", 90, 30, 10, 120, ".."},
		{"e10:60 e20:60 e30:60", 90, 30, 10, 1, "..."},
		{"e10:60 e20:60 e31:60", 90, 30, 10, 1, "..s"},
		{"e40:60;e50:60", 90, 30, 10, 1, ".."},
		{"e40:50 e50:50;e45:50 e49:50", 90, 30, 10, 150, ".s.."},
		{"e40:50 e50:50;e45:50 e49:50", 90, 30, 10, 149, ".s.s"},
		{"e40:10 m41:10 e42:10 m43:10", 90, 30, 10, 25, "..ss"},
		{"T31:60 T40:50", 90, 30, 10, 100, ".s"},
		{"T31:60 T40:50", 90, 30, 10, 0, "ss"},
		/* What age takes does not count. */
		{"e40:60 T91:60", 90, 30, 10, 60, ".a"},
		/* The grace is for age, too; a time to come is young. */
		{"e5:1 e6:1", 0, 5, 0, 100, ".a"},
		{"T5:1 T6:1", 0, 5, 0, 100, ".a"},
		{"e-5:9 e-6:9", 0, 0, 0, 0, ".."},
		{"e1:9 e2:9", 0, 0, 0, 0, "aa"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct jp_kept list[16];
		enum jp_prune fates[16];
		const struct jp_limits limits = {rows[i].age * JP_DAY_NS, rows[i].grace * JP_DAY_NS,
						 rows[i].keep, rows[i].size};
		size_t count = make(rows[i].kept, list);
		char fate[17] = "";

		CU_ASSERT_EQUAL(jp_prune_decide(list, count, &limits, NOW, fates), 0);
		for (size_t k = 0; k < count; k++)
			fate[k] = ".as"[fates[k]];
		CHECK(strcmp(fate, rows[i].fate) == 0, "%s: %s", rows[i].kept, fate);
	}
}

static void the_defaults_are_kind(void)
{
	const struct jp_limits limits = JP_LIMITS_DEFAULT;
	struct jp_kept list[16];
	enum jp_prune fates[16];
	size_t count = make("e29:9999999999 e30:1 e89:1 T90:1", list);

	CU_ASSERT_EQUAL(jp_prune_decide(list, count, &limits, NOW, fates), 0);
	/* The size takes the second month's, the first month is sacred. */
	CU_ASSERT(fates[0] == JP_PRUNE_NOT && fates[1] == JP_PRUNE_NOT);
	CU_ASSERT(fates[2] == JP_PRUNE_SIZE && fates[3] == JP_PRUNE_SIZE);
	list[0].size = 1;
	CU_ASSERT_EQUAL(jp_prune_decide(list, count, &limits, NOW, fates), 0);
	CU_ASSERT(fates[2] == JP_PRUNE_NOT && fates[3] == JP_PRUNE_NOT);
}

static void limits_are_read(void)
{
	static const struct {
		const char *text;
		int64_t days;
		uint64_t bytes;
		int age_r, size_r;
	} rows[] = {
		{"0", 0, 0, 0, 0},
		{"90", 90, 90, 0, 0},
		{"90d", 90, 0, 0, -EINVAL},
		{"12w", 84, 0, 0, -EINVAL},
		{"1K", 0, 1024, -EINVAL, 0},
		{"2G", 0, UINT64_C(2) << 30, -EINVAL, 0},
		{"", 0, 0, -EINVAL, -EINVAL},
		{"-1", 0, 0, -EINVAL, -EINVAL},
		{" 1", 0, 0, -EINVAL, -EINVAL},
		{"1dd", 0, 0, -EINVAL, -EINVAL},
		{"1.5G", 0, 0, -EINVAL, -EINVAL},
		{"99999999999999999999", 0, 0, -ERANGE, -ERANGE},
		{"999999999w", 0, 0, -ERANGE, -EINVAL},
		{"99999999999T", 0, 0, -EINVAL, -ERANGE},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t ns = 0;
		uint64_t bytes = 0;

		CHECK(jp_limit_parse_age(rows[i].text, &ns) == rows[i].age_r, "%s", rows[i].text);
		CHECK(ns == rows[i].days * JP_DAY_NS, "%s", rows[i].text);
		CHECK(jp_limit_parse_size(rows[i].text, &bytes) == rows[i].size_r, "%s",
		      rows[i].text);
		CHECK(bytes == rows[i].bytes, "%s", rows[i].text);
	}
	{
		size_t count = 0;

		CU_ASSERT(jp_limit_parse_count("10", &count) == 0 && count == 10);
		CU_ASSERT_EQUAL(jp_limit_parse_count("10d", &count), -EINVAL);
	}
}

static void what_is_gone_already_is_fine(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	struct jp_kept kept = {.id = 7};

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(jp_prune_remove(dir.fd, dir.fd, &kept), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "events.json", 0700), 0);
	CU_ASSERT_EQUAL(jp_keep_move(dir.fd, 7, dir.fd, "events.json", "7-x"), 0);
	{
		cleanup_free struct jp_kept *list = NULL;
		size_t count = 0;

		CU_ASSERT_EQUAL(jp_kept_read(dir.fd, -EBADF, 7, &list, &count), 0);
		CU_ASSERT_EQUAL(count, 1);
		if (count == 1) {
			CU_ASSERT_EQUAL(jp_prune_remove(dir.fd, -EBADF, &list[0]), 0);
			CU_ASSERT_EQUAL(jp_prune_remove(dir.fd, -EBADF, &list[0]), 0);
		}
		free(list);
		CU_ASSERT_EQUAL(jp_kept_read(dir.fd, -EBADF, 7, &list, &count), 0);
		CU_ASSERT_EQUAL(count, 0);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(each_limit_takes_what_it_says),
		TEST(the_defaults_are_kind),
		TEST(limits_are_read),
		TEST(what_is_gone_already_is_fine),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("prune", tests);
}
