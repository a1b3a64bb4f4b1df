/* Which of the kept things go. See prune.h. */
#include "core/prune.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

/* How many versions of the same file come before this one, being newer. */
static size_t rank_of(const struct jp_kept *list, size_t index)
{
	size_t rank = 0;

	for (size_t i = index; i > 0 && list[i - 1].id == list[index].id; i--) {
		if (!list[i - 1].is_trash &&
		    strcmp(jp_kept_file(&list[i - 1]), jp_kept_file(&list[index])) == 0)
			rank++;
	}
	return rank;
}

struct candidate {
	size_t index;
	int64_t kept_ns;
};

static int by_age(const void *first, const void *second)
{
	const struct candidate *a = first, *b = second;

	if (a->kept_ns != b->kept_ns)
		return a->kept_ns < b->kept_ns ? -1 : 1;
	return a->index > b->index ? -1 : 1;
}

int jp_prune_decide(const struct jp_kept *list, size_t count, const struct jp_limits *limits,
		    int64_t now_ns, enum jp_prune *ret_fate)
{
	cleanup_free struct candidate *candidates = calloc(count + 1, sizeof(*candidates));
	size_t candidate_count = 0;
	uint64_t total = 0;

	if (candidates == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int64_t age = now_ns - list[i].kept_ns;
		size_t rank = list[i].is_trash ? 0 : rank_of(list, i);
		bool is_last = !list[i].is_trash && rank < limits->keep;

		ret_fate[i] = JP_PRUNE_NOT;
		if (age > limits->grace_ns && age > limits->age_ns && !is_last) {
			ret_fate[i] = JP_PRUNE_AGE;
			continue;
		}
		total += list[i].size;
		if (age > limits->grace_ns && (list[i].is_trash || rank > 0))
			candidates[candidate_count++] = (struct candidate){i, list[i].kept_ns};
	}
	qsort(candidates, candidate_count, sizeof(*candidates), by_age);
	for (size_t i = 0; i < candidate_count && total > limits->size; i++) {
		ret_fate[candidates[i].index] = JP_PRUNE_SIZE;
		total -= list[candidates[i].index].size;
	}
	return 0;
}

/* ---- limits ---- */

/* A number and one of the letters after it; the letter's factor, or the first one's without. */
static int parse(const char *text, const char *letters, const uint64_t *factors, uint64_t max,
		 uint64_t *ret)
{
	uint64_t value = 0, factor = factors[0];
	const char *letter;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -ERANGE;
	}
	if (*text != '\0') {
		letter = strchr(letters, *text);
		if (letter == NULL || text[1] != '\0')
			return -EINVAL;
		factor = factors[letter - letters];
	}
	if (__builtin_mul_overflow(value, factor, &value) || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int jp_limit_parse_age(const char *text, int64_t *ret_ns)
{
	static const uint64_t factors[] = {JP_DAY_NS, 7 * JP_DAY_NS};
	uint64_t value;
	int r = parse(text, "dw", factors, INT64_MAX, &value);

	if (r == 0)
		*ret_ns = (int64_t)value;
	return r;
}

int jp_limit_parse_count(const char *text, size_t *ret_count)
{
	static const uint64_t factors[] = {1};
	uint64_t value;
	int r = parse(text, "", factors, SIZE_MAX, &value);

	if (r == 0)
		*ret_count = (size_t)value;
	return r;
}

int jp_limit_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const uint64_t factors[] = {1, UINT64_C(1) << 10, UINT64_C(1) << 20,
					   UINT64_C(1) << 30, UINT64_C(1) << 40};

	return parse(text, "BKMGT", factors, UINT64_MAX, ret_bytes);
}

/* ---- the store ---- */

int jp_prune_remove(int history_fd, int trash_fd, const struct jp_kept *kept)
{
	cleanup_close int place = jp_kept_open_place(history_fd, trash_fd, kept);

	/* Its directory stays, even when it is empty: somebody may be just putting something there. */
	if (place < 0)
		return place == -ENOENT ? 0 : place;
	return jp_remove_tree(place, kept->entry);
}
