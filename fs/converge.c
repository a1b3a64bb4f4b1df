/*
 * Both sides of a conversation, when it was not watched: while nothing was mounted, or while the
 * mount was detached and git wrote to the real directory.
 *
 * Each unit is decided by core/reconcile.c, by the facts that converge_facts.c gathers; here the
 * outcome is carried out. Nothing is deleted: the losing version goes to history, unless the winner
 * contains it. Done once for each conversation, when it is first touched or by the background soon
 * after mounting, under the conversation's lock: nobody can see or change it before it is settled.
 */
#include "core/base/io.h"
#include "core/reconcile.h"
#include "fs/converge_parts.h"
#include "fs/glance.h"
#include "fs/view.h"

#include <string.h>
#include <time.h>

/* So often jp may rename the durable directory meanwhile, or make it anew. */
#define TRIES_MAX 10
/* A version that is younger than this may have just replaced another one; and whoever keeps that has done so
 * after so many moments. */
#define YOUNG_MS 2000
#define MOMENT_NS 20000000
#define WAITS_MAX 6

static const enum jp_managed METADATA_UNIT[] = {JP_METADATA};
static const enum jp_managed STREAM_UNIT[] = {JP_BASE_CONFIG, JP_EVENTS};

/* Whether the workspace has another version of it than both had. */
static bool is_changed(const struct jpfs_pair *pair)
{
	return pair->is_left_out ||
	       (pair->is_workspace && !pair->is_same && !pair->workspace_is_base);
}

static int carry_out(struct jpfs_conversation *conversation, enum jp_outcome outcome,
		     const struct jpfs_pair *pairs, size_t count)
{
	bool is_left_out = false;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const struct jpfs_pair *pair = &pairs[i];

		if (outcome == JP_DRAFT && pair->is_workspace && !pair->is_same &&
		    pair->workspace_is_base && count > 1 && is_changed(&pairs[1 - i])) {
			conversation->beside |= 1U << pair->which;
		} else if (outcome == JP_DRAFT && pair->is_workspace && !pair->is_same) {
			conversation->drafts |= 1U << pair->which;
			conversation->went_back |= 1U << pair->which;
		}
		if (outcome == JP_DRAFT && pair->is_left_out) {
			conversation->drafts |= 1U << pair->which;
			conversation->hidden |= 1U << pair->which;
		}
		if (outcome == JP_PROJECT && pair->is_workspace && !pair->is_same)
			r = pair->is_durable ? jpfs_keep_loser_locked(conversation, pair->which)
					     : jpfs_layout_retire_workspace_locked(conversation);
		if ((outcome == JP_TAKE && pair->is_workspace && !pair->is_same) ||
		    pair->is_missing)
			r = jpfs_take_file_locked(conversation, jp_managed_name(pair->which));
		is_left_out = is_left_out || pair->is_left_out;
	}
	if (outcome == JP_TAKE && is_left_out && r == 0)
		r = jpfs_layout_retire_durable_locked(conversation);
	return r == 0 && outcome == JP_TAKE ? jpfs_sync_durable_locked(conversation) : r;
}

/* What stands now is known; where the bytes are the same, so is the projection as it is. */
static void remember(struct jpfs_conversation *conversation, const struct jpfs_pair *pairs,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum jp_managed which = pairs[i].which;
		struct stat st;
		bool is_there;

		if (pairs[i].is_removed)
			conversation->hidden |= 1U << which;
		if (jpfs_stat_side_locked(conversation, true, which, &st, &is_there) < 0 ||
		    !is_there)
			continue;
		jpfs_know_version_locked(conversation, which, &st);
		jpfs_pin_renew_locked(conversation, which);
		if (pairs[i].is_same && pairs[i].is_workspace)
			jpfs_unpin_locked(conversation, which); /* the workspace has it */
		/* The workspace does not have it yet, and jp may delete the durable directory before. */
		if (!pairs[i].is_same) {
			jpfs_hold_durable_locked(conversation, which);
			jpfs_glance_renew_locked(conversation);
		}
		if (pairs[i].is_same && pairs[i].is_workspace)
			conversation->same[which] = (struct jpfs_version){
				pairs[i].workspace.st_ino,
				jp_mtime_ns(&pairs[i].workspace),
				pairs[i].workspace.st_size,
			};
	}
}

/* Which row it is. `stream` is the row that decided the stream, when it was by content and without
 * a base: then the metadata go with it. JP_ROW_ABSENT otherwise. */
static enum jp_row decide_unit(const struct jp_unit_facts *facts, size_t count, enum jp_row *stream)
{
	enum jp_row row = jp_reconcile_row(facts);

	if (count > 1 && !facts->has_base && jp_reconcile_is_by_content(facts))
		*stream = row;
	else if (count == 1 && *stream != JP_ROW_ABSENT && jp_row_outcome(row) != JP_NOTHING &&
		 facts->durable.is_valid && facts->workspace.is_valid)
		row = *stream;
	return row;
}

/* 1, 0, -errno. */
static int is_being_written(struct jpfs_conversation *conversation, const enum jp_managed *unit,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stat st;
		bool is_there;
		int r = jpfs_stat_side_locked(conversation, true, unit[i], &st, &is_there);

		if (r < 0 || (is_there && jpfs_is_recent(&st)))
			return r < 0 ? r : 1;
	}
	return 0;
}

static bool is_young(int64_t mtime_ns)
{
	const struct timespec mtime = {mtime_ns / 1000000000, mtime_ns % 1000000000};
	int64_t age_ms = jp_age_ms(&mtime);

	return age_ms >= 0 && age_ms < YOUNG_MS;
}

/*
 * Facts and row of a unit.
 *
 * What looks like an earlier version of the workspace's may be one that has just replaced it, from another
 * worktree or by jp: the daemon there is about to keep what was replaced, and history tells the two apart.
 */
static int look_at_unit(struct jpfs_conversation *conversation, const struct jp_base *base,
			struct jpfs_pair *pairs, size_t count, bool may_wait,
			struct jpfs_decision *decision, struct jp_unit_facts *ret_facts,
			enum jp_row *ret_row)
{
	const struct jp_unit_facts blank = {.is_same = true, .is_archived = decision->is_archived};
	const enum jp_row by_content = decision->by_content;
	const struct timespec moment = {.tv_nsec = MOMENT_NS};

	for (int waits = may_wait ? WAITS_MAX : 0;; waits--) {
		int r;

		for (size_t i = 0; i < count; i++)
			pairs[i] = (struct jpfs_pair){.which = pairs[i].which};
		*ret_facts = blank;
		decision->by_content = by_content;
		r = jpfs_gather_unit_locked(conversation, base, pairs, count, ret_facts);
		if (r < 0)
			return r;
		*ret_row = decide_unit(ret_facts, count, &decision->by_content);
		if (waits == 0 || *ret_row != JP_ROW_DURABLE_EARLIER || ret_facts->has_base ||
		    !is_young(ret_facts->durable.mtime_ns))
			return 0;
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL); /* or a little less */
		jpfs_glance_renew_locked(conversation);
	}
}

static int converge_unit(struct jpfs_conversation *conversation, const struct jp_base *base,
			 const enum jp_managed *unit, size_t count, struct jpfs_decision *decision,
			 bool is_dry)
{
	struct jpfs_pair pairs[2] = {{.which = unit[0]}, {.which = unit[count - 1]}};
	struct jp_unit_facts facts;
	enum jp_row row;
	int r;

	r = look_at_unit(conversation, base, pairs, count, !is_dry, decision, &facts, &row);
	if (r < 0)
		return r;
	/* Not valid, and changed a moment ago: jp is copying into it, and would go on copying into what
	 * had been replaced. If it stays so, project.c asks for the repair. */
	if (!is_dry && !conversation->may_repair && conversation->view->work != NULL &&
	    !facts.durable.is_valid && facts.workspace.is_valid) {
		r = is_being_written(conversation, unit, count);
		if (r != 0)
			return r < 0 ? r : -EAGAIN;
	}
	if (count > 1)
		decision->stream = row;
	else
		decision->metadata = row;
	if (is_dry)
		return 0;
	if (jp_row_outcome(row) != JP_NOTHING)
		jpfs_glance_renew_locked(conversation);
	r = carry_out(conversation, jp_row_outcome(row), pairs, count);
	if (jp_row_outcome(row) != JP_NOTHING)
		jpfs_glance_renew_locked(conversation);
	if (r < 0)
		return r;
	remember(conversation, pairs, count);
	if (jp_row_outcome(row) != JP_NOTHING)
		jpfs_work_add(conversation, 0);
	return 0;
}

/* Both units; `is_dry`: nothing is done, and `ret` tells what would be. */
static int converge_units(struct jpfs_conversation *conversation, bool is_dry,
			  struct jpfs_decision *ret)
{
	char path[JPFS_PATH_BYTES];
	struct jp_base base;
	int r;

	*ret = (struct jpfs_decision){.stream = JP_ROW_NOT_DURABLE, .metadata = JP_ROW_NOT_DURABLE};
	r = jpfs_durable_path_locked(conversation, "", path);
	if (r < 0)
		return r;
	ret->is_archived = strncmp(path, JP_ARCHIVE_NAME "/", strlen(JP_ARCHIVE_NAME "/")) == 0;
	/* jp may be in the middle of making it. Until it is whole the workspace's files are shown; if
	 * it stays in pieces, project.c asks for the repair. */
	r = conversation->may_repair ? 1 : jpfs_durable_is_whole_locked(conversation);
	if (r != 1)
		return r < 0 ? r : -EAGAIN;
	ret->is_archived = ret->is_archived || conversation->is_archived;
	(void)jpfs_base_known(conversation, &base);
	r = converge_unit(conversation, &base, STREAM_UNIT, 2, ret, is_dry);
	return r < 0 ? r : converge_unit(conversation, &base, METADATA_UNIT, 1, ret, is_dry);
}

/* The durable directory as it is now. */
struct place {
	int r; /* 0; -errno: there is none */
	char path[JPFS_PATH_BYTES];
	struct stat st;
};

static void look_at_place(struct jpfs_conversation *conversation, struct place *ret)
{
	*ret = (struct place){0};
	ret->r = jpfs_durable_path_locked(conversation, "", ret->path);
	if (ret->r == 0)
		ret->r = jpfs_stat_beneath(conversation->view->silo->conversations_fd, ret->path,
					   &ret->st);
}

static bool has_stayed(const struct place *before, const struct place *after)
{
	return before->r == after->r && strcmp(before->path, after->path) == 0;
}

static bool is_as_it_was(const struct place *before, const struct place *after)
{
	return has_stayed(before, after) && before->st.st_ino == after->st.st_ino &&
	       jp_mtime_ns(&before->st) == jp_mtime_ns(&after->st);
}

int jpfs_converge_locked(struct jpfs_conversation *conversation)
{
	cleanup_glance struct jpfs_glance glance;
	int r = 0;

	jpfs_glance_begin_locked(conversation, &glance);
	conversation->is_reconciled = true; /* what is called from here must not come back here */
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		struct place before, after;
		bool are_settled;

		look_at_place(conversation, &before);
		r = converge_units(conversation, false, &conversation->decision);
		are_settled = r == 0;
		if (are_settled) {
			conversation->has_returned = false;
			r = jpfs_converge_unmanaged_locked(conversation, "", 0);
		}
		if (r != -ENOENT && r != -EAGAIN && r != -EEXIST)
			return r;
		/* jp may have renamed the durable directory meanwhile, for another title, or deleted it and
		 * made it anew, after an edit: then once more. */
		jpfs_glance_renew_locked(conversation);
		look_at_place(conversation, &after);
		if (are_settled && is_as_it_was(&before, &after))
			return r;
		if (!are_settled && r != -EEXIST && has_stayed(&before, &after))
			return 0; /* the workspace's alone, until it is written; or being made */
	}
	return r;
}

int jpfs_converge_look_locked(struct jpfs_conversation *conversation)
{
	int r = converge_units(conversation, true, &conversation->decision);

	return r == -ENOENT || r == -EAGAIN ? 0 : r;
}
