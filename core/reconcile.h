/*
 * Which side's version of a unit stands. Pure: facts in, decision out.
 *
 * A unit is what is always taken from one side: the stream (base_config.json and events.json) or
 * the metadata (metadata.json). D is the durable side, W the workspace's, B what both were when
 * they were last seen equal in this worktree (base_record.h). The first row that fits decides:
 *
 *     W absent, no B              project D: a checkout that is not complete
 *     W absent, B present         hidden here: somebody removed it; D is not touched
 *     D absent                    W wins
 *     D = W (the same bytes)      in step; touch nothing
 *     W is not valid, D is        D stays; W is a draft
 *     D is not valid, W is        W wins; D is kept in history
 *     W is the draft that it was  D stays; W is a draft, whatever became of D
 *     W = B                       D wins, whatever the times say: only D was changed
 *     W is earlier than D, no B   D wins, even when W is newer: a checkout of an older commit
 *     W is earlier than D, B      W is a draft; D stays: git or a person went back
 *     D is earlier than W         W wins
 *     D = B                       W wins, whatever the times say: only W was changed
 *     archived on either side     D wins; W is kept in history
 *     otherwise                   the newer one wins, a tie goes to D; the loser is kept
 *
 * A stream is earlier than one that contains it and has more, or that replaced it; metadata are
 * earlier when they were activated before. When there is no B and the stream is decided by that,
 * the metadata go with it.
 *
 * "Newer" is the time of modification; for a stream that of the newer of its two files (RFD 031).
 *
 * A base_config.json that is missing beside an events.json of the older layout, which has the base
 * configuration as its first element, is missing because that version has none: see
 * jp_reconcile_absence().
 *
 * What is written through the mount is decided by the same rows, with less to know: see
 * jp_reconcile_write().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct jp_unit_side {
	bool is_there;
	bool is_valid;    /* jp would accept every file of it */
	bool is_earlier;  /* than the other side's version, by what they contain */
	bool is_base;     /* it is what both were */
	bool is_draft;    /* the workspace's: as it was left when it was one */
	int64_t mtime_ns; /* of the newest file of it */
};

struct jp_unit_facts {
	struct jp_unit_side durable, workspace;
	bool has_base;    /* both are known to have been equal here */
	bool is_same;     /* byte for byte, file for file */
	bool is_archived; /* on either side */
};

enum jp_outcome {
	JP_NOTHING, /* absent on both sides, or in step */
	JP_PROJECT, /* the durable version goes to the workspace; what differs there is kept */
	JP_TAKE,    /* the workspace's version becomes durable; what it replaces is kept */
	JP_DRAFT,   /* the durable version stays; the workspace shows its own */
	JP_HIDE,    /* the durable version stays; the workspace shows none */
};

/* The rows, in their order; for messages and tests. */
enum jp_row {
	JP_ROW_ABSENT,
	JP_ROW_INCOMPLETE,
	JP_ROW_REMOVED,
	JP_ROW_NOT_DURABLE,
	JP_ROW_SAME,
	JP_ROW_WORKSPACE_INVALID,
	JP_ROW_DURABLE_INVALID,
	JP_ROW_KNOWN_DRAFT,
	JP_ROW_WORKSPACE_IS_BASE,
	JP_ROW_WORKSPACE_EARLIER,
	JP_ROW_WENT_BACK,
	JP_ROW_DURABLE_EARLIER,
	JP_ROW_DURABLE_IS_BASE,
	JP_ROW_ARCHIVED,
	JP_ROW_WORKSPACE_NEWER,
	JP_ROW_DURABLE_NEWER,
	JP_ROW_COUNT,
};

/* The first row that fits. */
enum jp_row jp_reconcile_row(const struct jp_unit_facts *facts);

/* What a row means for the two sides. */
enum jp_outcome jp_row_outcome(enum jp_row row);

/* Why, in a few words that follow "because": "only the store's copy was changed". */
const char *jp_row_reason(enum jp_row row);

/* jp_row_outcome() of jp_reconcile_row(). */
enum jp_outcome jp_reconcile(const struct jp_unit_facts *facts);

/* Whether the outcome came from one side being earlier than the other. */
bool jp_reconcile_is_by_content(const struct jp_unit_facts *facts);

/* What is known of a worktree that lacks a stream's base_config.json, and has its events.json. */
struct jp_absence_facts {
	bool was_there;          /* both sides had it when they were equal here */
	bool is_known_directory; /* that directory is still the one it was then */
	bool is_packed;          /* events.json has the base configuration itself */
	bool events_are_same;    /* as the durable ones */
	bool events_are_base;    /* what both were */
};

enum jp_absence {
	JP_ABSENCE_NOT_YET,    /* a checkout that is not complete: it is brought */
	JP_ABSENCE_REMOVED,    /* by hand: it stays hidden here, and durable */
	JP_ABSENCE_OF_VERSION, /* that version has none: taken with it, or left with it */
};

/*
 * Why a base configuration is missing. An events.json that stood beside one has none itself, whatever
 * it begins with.
 */
enum jp_absence jp_reconcile_absence(const struct jp_absence_facts *facts);

/* What is known of a version that was written through the mount, in place of what was shown. */
struct jp_write_facts {
	bool is_valid;
	bool is_exclusive; /* the file was created anew, as git does it, and not written over */
	bool was_draft;    /* what it takes the place of was one */
	bool goes_on;      /* from a draft that git made, or that nobody saw being made */
	bool is_earlier;   /* than the durable version */
	bool is_base;
};

enum jp_write {
	JP_WRITE_COMMIT, /* it becomes durable */
	JP_WRITE_DRAFT,  /* only this worktree shows it */
	JP_WRITE_END,    /* the draft has ended: the durable version is shown again */
};

/*
 * What becomes of a write. A person or jp writes over a file, or renames another one over it: that
 * is durable, also when it is a trim, and when half of it was seen before. git unlinks and creates,
 * and what it puts there that is merely earlier stays in this worktree, as does whatever goes on
 * from there and is earlier still.
 * When git puts back what both sides were, it has switched back. A person who writes just that wants
 * to read it again.
 * Source: semantics, section 5, "Drafts".
 */
enum jp_write jp_reconcile_write(const struct jp_write_facts *facts);
