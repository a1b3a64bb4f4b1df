/*
 * Numbers as a person says them. Pure, but for the local time zone.
 */
#pragma once

#include <stdint.h>

/* Any phrase and the NUL. */
#define JPFS_PHRASE_BYTES 32

/*
 * A time as seen from now: "just now", "3 days ago", "in 2 hours", and a date (local) when it is
 * more than 30 days away. "" for JP_TIME_UNKNOWN.
 *
 * Units:   nanoseconds since the epoch
 */
void jpfs_phrase_time(int64_t when_ns, int64_t now_ns, char *ret_phrase);

/* A number of bytes as `ls -h` writes it, but rounded to the nearest: 512, 1.5K, 23M. */
void jpfs_phrase_size(uint64_t bytes, char *ret_phrase);
