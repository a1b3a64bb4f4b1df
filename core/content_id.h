/*
 * What tells two contents apart without having both at hand: size and a 128-bit hash.
 *
 * It is a fast hash and no cryptographic one (XXH3). Nothing is ever thrown away because two of
 * these are equal: who forges one gains that his own version is taken for an older one of ours,
 * which he could have written in the first place.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct jp_content_id {
	uint64_t size, high, low;
};

/* Read a regular file from its beginning; its offset is not moved. 0 or -errno. */
must_check int jp_content_id_of_file(int fd, struct jp_content_id *ret);

static inline bool jp_content_id_equals(const struct jp_content_id *a,
					const struct jp_content_id *b)
{
	return a->size == b->size && a->high == b->high && a->low == b->low;
}
