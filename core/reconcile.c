/* The decision table of reconcile.h, row by row. Carrying it out is for fs/converge.c. */
#include "core/reconcile.h"

enum jp_outcome jp_reconcile(const struct jp_unit_facts *facts)
{
	const struct jp_unit_side *durable = &facts->durable, *workspace = &facts->workspace;

	if (!workspace->is_there)
		return durable->is_there ? JP_PROJECT : JP_NOTHING;
	if (!durable->is_there)
		return JP_TAKE;
	if (facts->is_same)
		return JP_NOTHING;
	if (!workspace->is_valid && durable->is_valid)
		return JP_DRAFT;
	if (!durable->is_valid && workspace->is_valid)
		return JP_TAKE;
	if (workspace->is_earlier || durable->is_earlier)
		return workspace->is_earlier ? JP_PROJECT : JP_TAKE;
	if (facts->is_archived)
		return JP_PROJECT;
	return workspace->mtime_ns > durable->mtime_ns ? JP_TAKE : JP_PROJECT;
}

bool jp_reconcile_is_by_content(const struct jp_unit_facts *facts)
{
	const struct jp_unit_side *durable = &facts->durable, *workspace = &facts->workspace;

	return durable->is_there && workspace->is_there && !facts->is_same &&
	       durable->is_valid == workspace->is_valid &&
	       (durable->is_earlier || workspace->is_earlier);
}
