/*
 * How two versions of `events.json` relate.
 *
 * A version is *contained* in a later one when its events are all, in order, at the start of the
 * later one: nothing is lost when it is replaced, and no copy of it is kept.
 */
#pragma once

#include "core/base/cleanup.h"

/*
 * Whether the older version is contained in the newer one, as far as the bytes tell: jp writes the
 * array pretty-printed, one closing bracket on the last line, so appending leaves everything before
 * it as it was. A version that is contained but was written differently is reported as not
 * contained: the answer errs on the side of keeping a copy.
 *
 * Returns: 1 contained (also when equal), 0 not known to be, -errno.
 */
must_check int jp_stream_contains(int older_fd, int newer_fd);
