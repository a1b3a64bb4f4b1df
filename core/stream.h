/*
 * How two versions of `events.json` relate.
 *
 * A version is *contained* in a later one when its events are all, in order, at the start of the
 * later one: nothing is lost when it is replaced, and no copy of it is kept.
 */
#pragma once

#include "core/base/cleanup.h"

/*
 * Whether the older version is contained in the newer one: its events are all, in order, at the
 * start of the newer one's. They are compared as JSON values, in whatever formatting, order of keys
 * and spelling of strings and numbers; 1 and 1.0 are two values, as they are to jp. What jp amends
 * by itself does not count:
 *  - differences in an event's own `metadata`;
 *  - a `turn_start` at the older one's end;
 *  - the base configuration: a `config_delta` that stands first is taken for what the two-file layout
 *    keeps there, and is left out on either side. Where both sides begin with one, and not with the
 *    same, they are the base configuration written anew if they have one `timestamp` (the
 *    conversation's creation), or one of them is an event if the other side has it too.
 *
 * What cannot be told is reported as not contained, so that a copy is kept: where bytes don't tell,
 * a file that jp would not accept, an event larger than 16 MiB, and, of two that differ, one that
 * jansson refuses (a key twice, an integer beyond 64 bits, invalid UTF-8, 2048 levels) or that has a
 * quarter of a million values.
 *
 * Shape:   regular files, in whatever is being done to them; their offsets are not moved
 * Returns: 1 contained (also when equal), 0 not known to be, -errno one of them cannot be read.
 */
must_check int jp_stream_contains(int older_fd, int newer_fd);

/*
 * Whether the first version is earlier than the second by what they contain: it is contained, and
 * the second has more events. Equal streams are not earlier in any spelling, nor are two that differ
 * only in what does not count above; base configurations in particular are no events. Of
 * two versions at most one is earlier.
 *
 * Returns: 1, 0 not known to be, -errno.
 */
must_check int jp_stream_is_earlier(int first_fd, int second_fd);

/*
 * Whether a version has the base configuration as its first element (two-file layout) and so does
 * not need a base_config.json: it begins with a `config_delta`. One that the other version begins with
 * too, beside a base_config.json, is an event that both have.
 *
 * Shape:   beside_fd  the version that has a base_config.json; negative: there is none
 * Returns: 1, 0 not known to be, -errno.
 */
must_check int jp_stream_is_packed(int fd, int beside_fd);
