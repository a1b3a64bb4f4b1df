/*
 * What an editor or jp does to a view, without a kernel in between: the engine's functions, in the
 * order in which the requests would come.
 */
#pragma once

#include "tests/fault/attack.h"

enum editor_how {
	EDITOR_CLOSES,
	EDITOR_SYNCS, /* and notes that the version was promised to last */
};

/* Truncate, write, close; the file is made if it is not there. What the program would be told. */
int editor_save(struct attack_world *world, struct jpfs_view *view, uint64_t id, const char *path,
		const char *text, enum editor_how how);

/* As jp and most editors do: write beside it, and rename over it. */
int editor_save_beside(struct attack_world *world, struct jpfs_view *view, uint64_t id,
		       const char *path, const char *text, enum editor_how how);
