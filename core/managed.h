/*
 * The files that jp manages in a conversation directory, and the names that mean something to us
 * beside them. Pure.
 */
#pragma once

#include <stdbool.h>

/* In the order in which jp writes them: base before events, so that no reader meets events without
 * the configuration that they start from. */
enum jp_managed {
	JP_METADATA,
	JP_BASE_CONFIG,
	JP_EVENTS,
	JP_MANAGED_COUNT,
	JP_UNMANAGED = -1,
};

/* Which managed file has this name; JP_UNMANAGED when none has. */
enum jp_managed jp_managed_from_name(const char *name);

/* The file name of a managed file. */
const char *jp_managed_name(enum jp_managed which);

/* `<managed file>.tmp`: what jp writes before it renames it over the managed file. */
bool jp_name_is_managed_temporary(const char *name);
/* Over which one; JP_UNMANAGED: it is none of those. */
enum jp_managed jp_managed_from_temporary(const char *name);

/*
 * Whether the name looks like a program's own temporary file: an editor's swap, lock, backup or
 * probe file, or the file that `sed -i`, `perl -i` and their like rename into place. They come and
 * go within moments, so they are stored only when they stay, and leave no trace when they go.
 */
bool jp_name_is_temporary(const char *name);
