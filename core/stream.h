/*
 * How two versions of `events.json` relate.
 *
 * A version is *contained* in a later one when its events are all, in order, at the start of the
 * later one: nothing is lost when it is replaced, and no copy of it is kept.
 */
#pragma once

#include "core/base/cleanup.h"

/*
 * Whether the older version is contained in the newer one: its events are all, in order, at the start
 * of the newer one's. Compared as JSON values, in any formatting; the base configuration, which the
 * two-file layout keeps as the first element, apart; differences in an event's own `metadata`, and
 * a `turn_start` at the older one's end, don't count: jp amends those itself.
 *
 * What cannot be told (not what jp accepts, larger than 128 MiB and not merely appended to) is
 * reported as not contained: the answer errs on the side of keeping a copy.
 *
 * Returns: 1 contained (also when equal), 0 not known to be, -errno.
 */
must_check int jp_stream_contains(int older_fd, int newer_fd);
