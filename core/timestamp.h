/*
 * The timestamps in jp's files. Pure.
 *
 * jp writes `YYYY-MM-DD HH:MM:SS.f` in UTC, without saying so, and reads RFC 3339 as well: other
 * programs, and people, may have written that.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

/* No time, or none that can be told. As a time it would be before all that can be written. */
#define JP_TIME_UNKNOWN INT64_MIN

/* "2262-04-11T23:47:16.854775807Z" and the NUL; more than that, as compilers don't know the years. */
#define JP_TIMESTAMP_TEXT_BYTES 40

/*
 * Read a timestamp.
 *
 * Shape:   text  `size` bytes, any value, borrowed: the whole of the timestamp and nothing else
 * Units:   nanoseconds since the epoch; digits after the ninth are left out
 * Returns: 0; -EINVAL it is none, there is no such day or time; -ERANGE it is before 1677-09-22 or
 *          after 2262-04-10, where nanoseconds end (so do jp's IDs)
 * Source:  jp_conversation/src/lib.rs:80-98: `%Y-%m-%d %H:%M:%S%.f` or RFC 3339. A leap second is
 *          taken for the second after it, as POSIX counts.
 */
must_check int jp_timestamp_parse(const char *text, size_t size, int64_t *ret_ns);

/*
 * Write a timestamp as RFC 3339 in UTC, with as many digits after the second as say something.
 *
 * Shape:   ret_text  JP_TIMESTAMP_TEXT_BYTES of room; any time but JP_TIME_UNKNOWN can be written
 */
void jp_timestamp_format(int64_t ns, char *ret_text);
