/*
 * What both sides of a unit are: the facts that core/reconcile.c decides by.
 *
 * What nobody has touched since both were equal is told by stat(2) alone, and not a byte is read. For
 * the rest the bytes are compared with each other and with what both were. What cannot be read is
 * neither absent nor invalid: nobody knows, and nothing is decided.
 */
#include "core/base/io.h"
#include "core/stream.h"
#include "core/validity.h"
#include "fs/converge_parts.h"
#include "fs/view.h"

#include <stdint.h>

/* Compare by reading: both sides with each other, and each with what both were. */
static int compare_bytes(struct jpfs_conversation *conversation, const struct jp_base_file *base,
			 struct jpfs_pair *pair)
{
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	int r;

	durable = jpfs_open_side_locked(conversation, true, jp_managed_name(pair->which));
	workspace = jpfs_open_side_locked(conversation, false, jp_managed_name(pair->which));
	if (durable < 0 || workspace < 0)
		return durable < 0 ? durable : workspace;
	r = jp_same_content(durable, workspace);
	pair->is_same = r == 1;
	if (r == 0 && !pair->durable_is_base) {
		r = jpfs_base_is(base, durable);
		pair->durable_is_base = r == 1;
	}
	if (r >= 0 && !pair->is_same && !pair->workspace_is_base) {
		r = jpfs_base_is(base, workspace);
		pair->workspace_is_base = r == 1;
	}
	return r < 0 ? r : 0;
}

/* Whether a directory is there and has none of jp's files any more, as they were removed from it one by
 * one. Not one that git is just beginning, and not what a whole directory of the same ID may stand
 * beside. */
static bool is_emptied_directory(struct jpfs_conversation *conversation)
{
	char place[JPFS_PATH_BYTES];
	struct stat st;

	if (conversation->has_returned ||
	    jpfs_second_is_noted(conversation->view, conversation->id))
		return false;
	jpfs_workspace_path(conversation, "", place);
	return jpfs_stat_beneath(conversation->view->workspace_fd, place, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

/*
 * Whether the workspace's directory is the one that was there when both sides were equal: one of its
 * files still is as it was, or there is none any more. What such a directory lacks was removed; what
 * another one lacks (the old one went, and git has begun a new one) has not come yet. 1, 0, -errno.
 */
static int is_known_directory(struct jpfs_conversation *conversation, const struct jp_base *base)
{
	bool is_known = false, is_any_there = false;

	for (int i = 0; i < JP_MANAGED_COUNT; i++)
		is_known = is_known || base->files[i].is_there;
	for (int i = 0; i < JP_MANAGED_COUNT && is_known; i++) {
		struct stat st;
		bool is_there;
		int r;

		r = jpfs_stat_side_locked(conversation, false, (enum jp_managed)i, &st, &is_there);
		if (r < 0)
			return r;
		if (is_there && base->files[i].is_there &&
		    (jp_stamp_matches(&base->files[i].workspace, &st) ||
		     jp_stamp_matches(&base->files[i].draft, &st)))
			return 1;
		is_any_there = is_any_there || is_there;
	}
	return is_known && !is_any_there && is_emptied_directory(conversation);
}

/* Whether what one side has is what both were, when the other side has nothing. */
static int gather_single(struct jpfs_conversation *conversation, const struct jp_base_file *base,
			 struct jpfs_pair *pair)
{
	const struct stat *st = pair->is_durable ? &pair->durable : &pair->workspace;
	cleanup_close int fd = -EBADF;
	int r = 1;

	if (!base->is_there) {
		pair->durable_is_base = !pair->is_durable;
		pair->workspace_is_base = !pair->is_workspace;
		return 0;
	}
	if (!jp_stamp_matches(pair->is_durable ? &base->durable : &base->workspace, st)) {
		fd = jpfs_open_side_locked(conversation, pair->is_durable,
					   jp_managed_name(pair->which));
		r = fd < 0 ? fd : jpfs_base_is(base, fd);
	}
	pair->durable_is_base = pair->is_durable && r == 1;
	pair->workspace_is_base = pair->is_workspace && r == 1;
	return r < 0 ? r : 0;
}

static int gather(struct jpfs_conversation *conversation, const struct jp_base_file *base,
		  bool may_be_removed, struct jpfs_pair *pair)
{
	int r = jpfs_stat_side_locked(conversation, true, pair->which, &pair->durable,
				      &pair->is_durable);

	if (r == 0)
		r = jpfs_stat_side_locked(conversation, false, pair->which, &pair->workspace,
					  &pair->is_workspace);
	if (r < 0)
		return r;
	pair->is_draft = pair->is_workspace && base->is_there &&
			 jp_stamp_matches(&base->draft, &pair->workspace);
	if (pair->is_durable != pair->is_workspace) {
		/* Something else there, a link say, is no removal: what comes back under the name would
		 * be removed for it. */
		pair->is_removed = pair->is_durable && base->is_there && may_be_removed &&
				   pair->workspace.st_mode == 0;
		pair->is_same = pair->is_removed; /* there is nothing to be compared */
		return gather_single(conversation, base, pair);
	}
	if (!pair->is_durable) {
		pair->is_same = true;
		pair->durable_is_base = pair->workspace_is_base = !base->is_there;
		return 0;
	}
	/* As stat(2) described both when they were equal: not a byte is read. */
	pair->durable_is_base = base->is_there && jp_stamp_matches(&base->durable, &pair->durable);
	pair->workspace_is_base =
		base->is_there && jp_stamp_matches(&base->workspace, &pair->workspace);
	pair->is_same = pair->durable_is_base && pair->workspace_is_base;
	r = pair->is_same ? 0 : compare_bytes(conversation, base, pair);
	/* From now on jp may replace it: what is decided takes a while. */
	if (r == 0 && !pair->is_same)
		jpfs_hold_undecided_locked(conversation, pair->which);
	return r;
}

/*
 * One side of a stream has no base_config.json: either its events.json is of the layout that needs
 * none, or the file is missing.
 */
static int judge_absence(struct jpfs_conversation *conversation, const struct jp_base *base,
			 bool is_known_directory, struct jpfs_pair *config,
			 const struct jpfs_pair *events)
{
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	struct jp_absence_facts facts = {
		.was_there = base->files[JP_BASE_CONFIG].is_there,
		.is_known_directory = is_known_directory,
		.events_are_same = events->is_same,
		.events_are_base = events->workspace_is_base,
	};
	int r;

	if (config->is_durable == config->is_workspace || !events->is_durable ||
	    !events->is_workspace)
		return 0;
	if (config->is_workspace) {
		r = jpfs_layout_is_older_locked(conversation);
		config->is_missing = config->is_same = r == 0;
		return r < 0 ? r : 0;
	}
	durable = jpfs_open_side_locked(conversation, true, jp_managed_name(JP_EVENTS));
	if (durable < 0)
		return durable;
	workspace = jpfs_open_side_locked(conversation, false, jp_managed_name(JP_EVENTS));
	r = workspace < 0 ? workspace : jp_stream_is_packed(workspace, durable);
	facts.is_packed = r == 1;
	config->is_left_out = jp_reconcile_absence(&facts) == JP_ABSENCE_OF_VERSION;
	config->is_removed = jp_reconcile_absence(&facts) == JP_ABSENCE_REMOVED;
	config->is_same = config->is_removed;
	return r < 0 ? r : 0;
}

/* What cannot be read is not invalid: nobody knows, and nothing is decided. */
static int is_valid_side(struct jpfs_conversation *conversation, const struct jpfs_pair *pairs,
			 size_t count, bool durable, bool *ret_is_valid)
{
	*ret_is_valid = false;
	for (size_t i = 0; i < count; i++) {
		cleanup_close int fd = -EBADF;
		int r;

		if (!durable && pairs[i].is_removed)
			continue;
		if (!(durable ? pairs[i].is_durable : pairs[i].is_workspace)) {
			if (pairs[i].which != JP_BASE_CONFIG)
				return 0;
			continue;
		}
		fd = jpfs_open_side_locked(conversation, durable, jp_managed_name(pairs[i].which));
		r = fd < 0 ? fd : jp_validity_of_file(pairs[i].which, fd);
		if (r != 1)
			return r;
	}
	*ret_is_valid = true;
	return 0;
}

/* A file that is in step, time and all, tells nothing about who was last: it may be what an earlier
 * try, stopped half way, has brought over already. */
static int64_t newest(const struct jpfs_pair *pairs, size_t count, bool durable)
{
	int64_t result = INT64_MIN;

	for (size_t i = 0; i < count; i++) {
		const struct stat *st = durable ? &pairs[i].durable : &pairs[i].workspace;

		if (pairs[i].is_same &&
		    jp_mtime_ns(&pairs[i].durable) == jp_mtime_ns(&pairs[i].workspace))
			continue;
		if ((durable ? pairs[i].is_durable : pairs[i].is_workspace) &&
		    jp_mtime_ns(st) > result)
			result = jp_mtime_ns(st);
	}
	return result;
}

/* Which side is earlier by what it contains. */
static int compare_content(struct jpfs_conversation *conversation, enum jp_managed which,
			   struct jp_unit_facts *facts)
{
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	int r;

	if (!facts->durable.is_valid || !facts->workspace.is_valid)
		return 0;
	durable = jpfs_open_side_locked(conversation, true, jp_managed_name(which));
	workspace = jpfs_open_side_locked(conversation, false, jp_managed_name(which));
	if (durable == -ENOENT || workspace == -ENOENT)
		return 0; /* hidden here */
	if (durable < 0 || workspace < 0)
		return durable < 0 ? durable : workspace;
	r = facts->has_base ? jpfs_version_went_back(conversation, which, workspace, durable)
			    : jpfs_version_is_earlier(conversation, which, workspace, durable);
	facts->workspace.is_earlier = r == 1;
	if (r == 0) {
		r = jpfs_version_is_earlier(NULL, which, durable, workspace);
		facts->durable.is_earlier = r == 1;
	}
	return r < 0 ? r : 0;
}

int jpfs_gather_unit_locked(struct jpfs_conversation *conversation, const struct jp_base *base,
			    struct jpfs_pair *pairs, size_t count, struct jp_unit_facts *facts)
{
	int is_known = is_known_directory(conversation, base), r;
	bool has_draft = false, is_beside = true; /* the files that are none */

	if (is_known < 0)
		return is_known;

	facts->durable.is_base = facts->workspace.is_base = facts->workspace.is_draft = true;
	for (size_t i = 0; i < count; i++) {
		r = gather(conversation, &base->files[pairs[i].which], is_known == 1, &pairs[i]);
		if (r < 0)
			return r;
	}
	if (count > 1) {
		r = judge_absence(conversation, base, is_known == 1, &pairs[0], &pairs[1]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++) {
		facts->has_base = facts->has_base || base->files[pairs[i].which].is_there;
		facts->is_same = facts->is_same && pairs[i].is_same;
		facts->durable.is_there = facts->durable.is_there || pairs[i].is_durable;
		facts->workspace.is_there = facts->workspace.is_there || pairs[i].is_workspace;
		/* What is the same on both sides was changed by neither: a try that was stopped half way
		 * is decided as it was begun. */
		facts->durable.is_base =
			facts->durable.is_base && (pairs[i].durable_is_base || pairs[i].is_same);
		facts->workspace.is_draft =
			facts->workspace.is_draft &&
			(pairs[i].is_same || pairs[i].is_draft || pairs[i].is_left_out);
		/* What stood beside a draft, as both sides have it, makes none. */
		has_draft = has_draft || (pairs[i].is_draft && !pairs[i].is_same);
		is_beside = is_beside &&
			    (pairs[i].is_same || pairs[i].is_draft || pairs[i].workspace_is_base);
		facts->workspace.is_base = facts->workspace.is_base &&
					   (pairs[i].workspace_is_base || pairs[i].is_same);
	}
	facts->workspace.is_draft = facts->workspace.is_draft || (has_draft && is_beside);
	/* git put it there, or goes back to it: an earlier version is meant, as if it had been written
	 * through the mount. The note was lost when the directory went. */
	facts->has_base =
		facts->has_base || (conversation->has_returned && facts->workspace.is_there);
	if (facts->is_same)
		return 0;
	r = is_valid_side(conversation, pairs, count, true, &facts->durable.is_valid);
	if (r == 0)
		r = is_valid_side(conversation, pairs, count, false, &facts->workspace.is_valid);
	if (r < 0)
		return r;
	facts->durable.mtime_ns = newest(pairs, count, true);
	facts->workspace.mtime_ns = newest(pairs, count, false);
	if (facts->workspace.is_draft)
		return 0; /* that decides */
	/* The events tell about a stream, and where they are the same, its base configuration. */
	return compare_content(conversation, pairs[pairs[count - 1].is_same ? 0 : count - 1].which,
			       facts);
}
