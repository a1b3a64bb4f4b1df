/* The decision table of reconcile.h, row by row. Carrying it out is for fs/converge.c. */
#include "core/reconcile.h"

enum jp_row jp_reconcile_row(const struct jp_unit_facts *facts)
{
	const struct jp_unit_side *durable = &facts->durable, *workspace = &facts->workspace;

	if (!workspace->is_there && !durable->is_there)
		return JP_ROW_ABSENT;
	if (!workspace->is_there)
		return facts->has_base ? JP_ROW_REMOVED : JP_ROW_INCOMPLETE;
	if (!durable->is_there)
		return JP_ROW_NOT_DURABLE;
	if (facts->is_same)
		return JP_ROW_SAME;
	if (!workspace->is_valid && durable->is_valid)
		return JP_ROW_WORKSPACE_INVALID;
	if (!durable->is_valid && workspace->is_valid)
		return JP_ROW_DURABLE_INVALID;
	if (workspace->is_draft)
		return JP_ROW_KNOWN_DRAFT;
	if (facts->has_base && workspace->is_base)
		return JP_ROW_WORKSPACE_IS_BASE;
	if (workspace->is_earlier)
		return facts->has_base ? JP_ROW_WENT_BACK : JP_ROW_WORKSPACE_EARLIER;
	if (durable->is_earlier)
		return JP_ROW_DURABLE_EARLIER;
	if (facts->has_base && durable->is_base)
		return JP_ROW_DURABLE_IS_BASE;
	if (facts->is_archived)
		return JP_ROW_ARCHIVED;
	return workspace->mtime_ns > durable->mtime_ns ? JP_ROW_WORKSPACE_NEWER
						       : JP_ROW_DURABLE_NEWER;
}

static const struct {
	enum jp_outcome outcome;
	const char *reason;
} rows[JP_ROW_COUNT] = {
	[JP_ROW_ABSENT] = {JP_NOTHING, "neither side has it"},
	[JP_ROW_INCOMPLETE] = {JP_PROJECT, "the workspace does not have it"},
	[JP_ROW_REMOVED] = {JP_HIDE, "it was removed from the workspace"},
	[JP_ROW_NOT_DURABLE] = {JP_TAKE, "the store does not have it"},
	[JP_ROW_SAME] = {JP_NOTHING, "both sides are the same"},
	[JP_ROW_WORKSPACE_INVALID] = {JP_DRAFT, "the workspace's version is not what jp accepts"},
	[JP_ROW_DURABLE_INVALID] = {JP_TAKE, "the store's version is not what jp accepts"},
	[JP_ROW_KNOWN_DRAFT] = {JP_DRAFT, "the workspace's version was a draft before"},
	[JP_ROW_WORKSPACE_IS_BASE] = {JP_PROJECT, "only the store's version was changed"},
	[JP_ROW_WORKSPACE_EARLIER] = {JP_PROJECT, "the workspace's version is an earlier one"},
	[JP_ROW_WENT_BACK] = {JP_DRAFT, "the workspace went back to an earlier version"},
	[JP_ROW_DURABLE_EARLIER] = {JP_TAKE, "the workspace's version goes on from the store's"},
	[JP_ROW_DURABLE_IS_BASE] = {JP_TAKE, "only the workspace's version was changed"},
	[JP_ROW_ARCHIVED] = {JP_PROJECT, "both were changed, and it is archived"},
	[JP_ROW_WORKSPACE_NEWER] = {JP_TAKE, "both were changed, the workspace's version last"},
	[JP_ROW_DURABLE_NEWER] = {JP_PROJECT, "both were changed, the store's version last"},
};

enum jp_outcome jp_row_outcome(enum jp_row row)
{
	return rows[row].outcome;
}

const char *jp_row_reason(enum jp_row row)
{
	return rows[row].reason;
}

enum jp_outcome jp_reconcile(const struct jp_unit_facts *facts)
{
	return jp_row_outcome(jp_reconcile_row(facts));
}

bool jp_reconcile_is_by_content(const struct jp_unit_facts *facts)
{
	enum jp_row row = jp_reconcile_row(facts);

	return row == JP_ROW_WORKSPACE_EARLIER || row == JP_ROW_WENT_BACK ||
	       row == JP_ROW_DURABLE_EARLIER;
}

enum jp_write jp_reconcile_write(const struct jp_write_facts *facts)
{
	if (!facts->is_valid)
		return JP_WRITE_DRAFT;
	if (facts->was_draft && facts->is_exclusive && facts->is_base)
		return JP_WRITE_END;
	if ((facts->is_exclusive || facts->goes_on) && facts->is_earlier)
		return JP_WRITE_DRAFT;
	return JP_WRITE_COMMIT;
}

enum jp_absence jp_reconcile_absence(const struct jp_absence_facts *facts)
{
	bool is_of_removed = facts->events_are_same || (facts->was_there && facts->events_are_base);

	if (facts->is_packed && !is_of_removed)
		return JP_ABSENCE_OF_VERSION;
	return facts->was_there && facts->is_known_directory ? JP_ABSENCE_REMOVED
							     : JP_ABSENCE_NOT_YET;
}
