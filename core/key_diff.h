/*
 * Which keys of two JSON objects differ, for people: metadata and base configurations.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stddef.h>

struct jp_key_change {
	char *path;      /* "assistant.name"; owned */
	char *old, *new; /* the values as JSON in one line; NULL: it has none; owned */
};

struct jp_key_changes {
	struct jp_key_change *items; /* sorted by path */
	size_t count;
};

/*
 * Compare two files, from their beginnings; their offsets are moved.
 *
 * Returns: 0; -EBADMSG one of them is no JSON; others. jp_key_changes_release() it.
 */
must_check int jp_keys_compare(int old_fd, int new_fd, struct jp_key_changes *ret_changes);
void jp_key_changes_release(struct jp_key_changes *changes);
#define cleanup_key_changes __attribute__((cleanup(jp_key_changes_release)))
