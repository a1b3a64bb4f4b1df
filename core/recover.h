/*
 * What becomes of a file that a dead daemon has left in staging. Only decides; leftovers.c acts.
 *
 * What was closed by its writer is a version like any other, and was only not stored yet: it
 * becomes current if it says more than the durable one, or was written after it. Otherwise it is
 * kept, unless the durable one contains it. What was not closed is never made current. Nothing that
 * is not somewhere else as well is thrown away.
 */
#pragma once

#include "core/staged_name.h"

#include <stdbool.h>

struct jp_recover_facts {
	enum jp_staged_state state;
	bool is_marked_file; /* it has the inode number that its name says: nothing took its place */
	bool is_marked_size; /* and the size */
	bool is_managed, is_temporary;
	bool is_empty;
	bool is_valid;         /* managed: jp would accept it */
	bool has_conversation; /* there is a durable copy of the conversation */
	bool has_durable;      /* and in it a file of this name */
	bool is_same;          /* byte for byte */
	bool is_durable_valid; /* managed */
	bool is_contained;     /* managed: in the durable one */
	bool contains;         /* managed: the durable one */
	bool is_in_history;    /* managed: or in a version that was replaced */
	bool is_newer;         /* its time of modification is later */
};

enum jp_recovery {
	JP_RECOVER_DROP,  /* it is elsewhere as well, or is nothing */
	JP_RECOVER_TAKE,  /* it becomes the durable version, and that one is disposed of */
	JP_RECOVER_KEEP,  /* history */
	JP_RECOVER_TRASH, /* the silo's trash: no version, or not of a managed file */
};

/* The first rule that fits, as recover.c has them. Pure. */
enum jp_recovery jp_recover_decide(const struct jp_recover_facts *facts);
