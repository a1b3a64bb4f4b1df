/*
 * How two versions of one managed file relate.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/managed.h"

/*
 * Whether the old version has nothing that the new one does not have: they are the same bytes, or
 * the old stream is contained in the new one, or the old metadata are earlier. What is contained
 * needs no keeping when the new version takes its place.
 *
 * Returns: 1 contained; 0 not, also when nobody can tell; -errno.
 */
must_check int jp_version_is_contained(enum jp_managed managed, int old_fd, int new_fd);
