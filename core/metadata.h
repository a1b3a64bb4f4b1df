/*
 * How two versions of `metadata.json` relate.
 */
#pragma once

#include "core/base/cleanup.h"

/*
 * Whether the first version is earlier than the second: its `last_activated_at` is older. jp moves
 * that time with every turn, so the earlier one needs no keeping. The times are compared as such: jp
 * writes them in UTC without saying so, and with as many digits as they need, but reads RFC 3339
 * with any zone too.
 *
 * Returns: 1 earlier; 0 not, or not to be told (no such times, not JSON, a key twice, a megabyte or
 *          more); -errno one of them cannot be read.
 */
must_check int jp_metadata_is_earlier(int first_fd, int second_fd);
