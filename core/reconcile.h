/*
 * Which side's version of a unit stands. Pure: facts in, decision out.
 *
 * A unit is what is always taken from one side: the stream (base_config.json and events.json) or
 * the metadata (metadata.json). The first row that fits decides:
 *
 *     W absent                    project D
 *     D absent                    W wins
 *     D = W (the same bytes)      in step; touch nothing
 *     W is not valid, D is        D stays; W is a draft
 *     D is not valid, W is        W wins; D is kept in history
 *     W is earlier than D         D wins, even when W is newer: a checkout of an older commit
 *     D is earlier than W         W wins
 *     archived on either side     D wins; W is kept in history
 *     otherwise                   the newer one wins, a tie goes to D; the loser is kept
 *
 * A stream is earlier than one that contains it and has more; metadata are earlier when they were
 * activated before. When the stream is decided by that, the metadata go with it.
 *
 * "Newer" is the time of modification; for a stream that of the newer of its two files (RFD 031).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct jp_unit_side {
	bool is_there;
	bool is_valid;    /* jp would accept every file of it */
	bool is_earlier;  /* than the other side's version, by what they contain */
	int64_t mtime_ns; /* of the newest file of it */
};

struct jp_unit_facts {
	struct jp_unit_side durable, workspace;
	bool is_same;     /* byte for byte, file for file */
	bool is_archived; /* on either side */
};

enum jp_outcome {
	JP_NOTHING, /* absent on both sides, or in step */
	JP_PROJECT, /* the durable version goes to the workspace; what differs there is kept */
	JP_TAKE,    /* the workspace's version becomes durable; what it replaces is kept */
	JP_DRAFT,   /* the durable version stays; the workspace shows its own */
};

/* Whether the outcome came from one side being earlier than the other. */
bool jp_reconcile_is_by_content(const struct jp_unit_facts *facts);

enum jp_outcome jp_reconcile(const struct jp_unit_facts *facts);
