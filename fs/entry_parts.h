/*
 * What finding an entry (entry.c) and reading it (entry_read.c) share. The conversation's lock is held.
 */
#pragma once

#include "fs/entry.h"

#include <stdbool.h>
#include <sys/stat.h>

/* Its version was replaced or removed between two requests: find what its path leads to now. A
 * directory or a link has no versions: it is found wherever it can still be had. 0 or -ESTALE. */
must_check int jpfs_entry_refresh_locked(struct jpfs_entry *entry);
/*
 * The durable file has the bytes that this entry stands for, under another time, or copied back: whoever has it
 * open has the file that is there, and it is this entry's version from now on. False: it is another version.
 */
bool jpfs_entry_take_touched_locked(struct jpfs_entry *entry, const struct stat *st);
/* Whether a file of the workspace is a projection of an entry's version. */
bool jpfs_entry_is_its_projection(const struct jpfs_entry *entry, const struct stat *st);
