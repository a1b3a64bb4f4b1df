/*
 * What of the history and the trash is pruned. Pure.
 *
 * Three limits, and a time before which none of them takes anything:
 *
 *     age    what is older goes...
 *     keep   ...but of each file's versions the last ones stay, whatever their age. What is in the
 *            trash was removed on purpose, and is judged by age alone.
 *     size   when all that is kept takes more, the oldest goes first, also of the last ones and of
 *            what is not old yet, but never the newest version of a file that has one.
 *     grace  nothing younger goes, for any reason. A clock that is wrong makes things seem younger.
 *
 * Defaults that nobody regrets: who misses something notices within weeks, so nothing goes within 90
 * days; the last versions cost little, as they are parts of conversations that are kept anyway; and
 * a gigabyte is a thousand conversations, so the size limit is for accidents (a tool that rewrites a
 * large one every minute), not for every day.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/kept.h"

struct jp_limits {
	int64_t age_ns;
	int64_t grace_ns;
	size_t keep;   /* versions of each file */
	uint64_t size; /* bytes of all */
};

#define JP_DAY_NS (INT64_C(24) * 3600 * 1000000000)
#define JP_LIMITS_DEFAULT                                                                          \
	(struct jp_limits)                                                                         \
	{                                                                                          \
		.age_ns = 90 * JP_DAY_NS, .grace_ns = 30 * JP_DAY_NS, .keep = 10,                  \
		.size = UINT64_C(1) << 30                                                          \
	}

enum jp_prune {
	JP_PRUNE_NOT,
	JP_PRUNE_AGE,
	JP_PRUNE_SIZE,
};

/*
 * Decide.
 *
 * Shape:   list      all that is kept, as jp_kept_read_all() gives it: by conversation, newest first
 *          ret_fate  one for each
 * Returns: 0, -ENOMEM
 */
must_check int jp_prune_decide(const struct jp_kept *list, size_t count,
			       const struct jp_limits *limits, int64_t now_ns,
			       enum jp_prune *ret_fate);

/*
 * Read a limit: a number of days ("90", "90d", "12w"), of versions ("10"), of bytes ("500M", "2G").
 * Returns: 0, -EINVAL, -ERANGE
 */
must_check int jp_limit_parse_age(const char *text, int64_t *ret_ns);
must_check int jp_limit_parse_count(const char *text, size_t *ret_count);
must_check int jp_limit_parse_size(const char *text, uint64_t *ret_bytes);

/*
 * Take one away. Another process may have been quicker, which is fine.
 * Returns: 0, -errno
 */
must_check int jp_prune_remove(int history_fd, int trash_fd, const struct jp_kept *kept);
