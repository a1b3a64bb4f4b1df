/*
 * Both sides of a conversation, when it was not watched: while nothing was mounted, or while the
 * mount was detached and git wrote to the real directory.
 *
 * Each unit is decided by core/reconcile.c; here the facts are gathered and the outcome is carried
 * out. Nothing is deleted: the losing version goes to history, unless the winner contains it. Done
 * once for each conversation, when it is first touched or by the background soon after mounting,
 * under the conversation's lock: nobody can see or change it before it is settled.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/durable.h"
#include "core/history.h"
#include "core/reconcile.h"
#include "core/stream.h"
#include "core/validity.h"
#include "core/version.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* One managed file on both sides. */
struct pair {
	enum jp_managed which;
	bool is_durable, is_workspace; /* there, as a regular file */
	bool is_same;
	bool is_removed;  /* the workspace had it when both were equal, and has it no more */
	bool is_left_out; /* the workspace lacks it, because its version has none */
	bool is_missing;  /* the durable side lacks it, and its version needs it */
	bool durable_is_base, workspace_is_base;
	bool is_draft; /* the workspace's is the draft that it was */
	struct stat durable, workspace;
};

static const enum jp_managed METADATA_UNIT[] = {JP_METADATA};
static const enum jp_managed STREAM_UNIT[] = {JP_BASE_CONFIG, JP_EVENTS};

int jpfs_open_side_locked(struct jpfs_conversation *conversation, bool durable, const char *name)
{
	char path[JPFS_PATH_BYTES];
	int r = 0;

	if (durable)
		r = jpfs_durable_path_locked(conversation, name, path);
	else
		jpfs_workspace_path(conversation, name, path);
	return r < 0 ? r
		     : jp_open_regular(durable ? conversation->view->silo->conversations_fd
					       : conversation->view->workspace_fd,
				       path, O_RDONLY);
}

static int stat_side(struct jpfs_conversation *conversation, bool durable, enum jp_managed which,
		     struct stat *ret, bool *ret_is_there)
{
	char path[JPFS_PATH_BYTES];
	int r = 0;

	if (durable)
		r = jpfs_durable_path_locked(conversation, jp_managed_name(which), path);
	else
		jpfs_workspace_path(conversation, jp_managed_name(which), path);
	if (r == 0)
		r = jpfs_stat_beneath(durable ? conversation->view->silo->conversations_fd
					      : conversation->view->workspace_fd,
				      path, ret);
	/* Anything else than a regular file is as good as absent: it is never taken in. */
	*ret_is_there = r == 0 && S_ISREG(ret->st_mode);
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

static int open_side_parent(struct jpfs_conversation *conversation, bool durable, const char *path,
			    const char **ret_name)
{
	char place[JPFS_PATH_BYTES];
	const char *name;
	int r = 0;

	*ret_name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	if (durable)
		r = jpfs_durable_path_locked(conversation, path, place);
	else
		jpfs_workspace_path(conversation, path, place);
	return r < 0 ? r
		     : jpfs_open_parent(durable ? conversation->view->silo->conversations_fd
						: conversation->view->workspace_fd,
					place, &name);
}

/* Compare by reading: both sides with each other, and each with what both were. */
static int compare_bytes(struct jpfs_conversation *conversation, const struct jp_base_file *base,
			 struct pair *pair)
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

/*
 * Whether the workspace's directory is the one that was there when both sides were equal: one of its
 * files still is as it was. What such a directory lacks was removed; what another one lacks (the old
 * one went, and git has begun a new one) has not come yet. 1, 0, -errno.
 */
static int is_known_directory(struct jpfs_conversation *conversation, const struct jp_base *base)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		struct stat st;
		bool is_there;
		int r;

		if (!base->files[i].is_there)
			continue;
		r = stat_side(conversation, false, (enum jp_managed)i, &st, &is_there);
		if (r < 0)
			return r;
		if (is_there && (jp_stamp_matches(&base->files[i].workspace, &st) ||
				 jp_stamp_matches(&base->files[i].draft, &st)))
			return 1;
	}
	return 0;
}

/* Whether what one side has is what both were, when the other side has nothing. */
static int gather_single(struct jpfs_conversation *conversation, const struct jp_base_file *base,
			 struct pair *pair)
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
		  bool may_be_removed, struct pair *pair)
{
	int r = stat_side(conversation, true, pair->which, &pair->durable, &pair->is_durable);

	if (r == 0)
		r = stat_side(conversation, false, pair->which, &pair->workspace,
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
	return pair->is_same ? 0 : compare_bytes(conversation, base, pair);
}

/*
 * One side of a stream has no base_config.json: either its events.json is of the layout that needs
 * none, or the file is missing.
 */
static int judge_absence(struct jpfs_conversation *conversation, const struct jp_base *base,
			 bool is_known_directory, struct pair *config, const struct pair *events)
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
static int is_valid_side(struct jpfs_conversation *conversation, const struct pair *pairs,
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
static int64_t newest(const struct pair *pairs, size_t count, bool durable)
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

int jpfs_take_file_locked(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int from = -EBADF, staged = -EBADF, parent = -EBADF;
	enum jp_managed which = jp_managed_from_name(path);
	char name[NAME_MAX + 1];
	const char *file_name;
	bool is_displaced = false;
	int r;

	from = jpfs_open_side_locked(conversation, false, path);
	if (from < 0)
		return from;
	parent = open_side_parent(conversation, true, path, &file_name);
	if (parent < 0)
		return parent;
	staged = jp_staging_create(&view->staging, conversation->id, path, 0600, name);
	if (staged < 0)
		return staged;
	r = jp_copy_content(from, staged);
	/* It was looked at before, and somebody may have written to it since. */
	if (r == 0 && which != JP_UNMANAGED) {
		int valid = jp_validity_of_file(which, staged);

		r = valid < 0 ? valid : valid == 1 ? 0 : -EAGAIN;
	}
	if (r == 0)
		r = jp_copy_attributes(from, staged);
	if (r == 0 && jp_sys->fsync(staged) < 0)
		r = -errno;
	/* From here on it may be the version that is replaced: if this process dies, that is told. */
	if (r == 0)
		r = jp_staging_mark(&view->staging, name, JP_STAGED_COPY, conversation->id, path);
	if (r == 0 || r == -ENAMETOOLONG)
		r = jp_durable_put(&view->staging, conversation->id, name, parent, file_name,
				   &is_displaced);
	if (r < 0) {
		(void)jp_sys->unlinkat(view->staging.fd, name, 0); /* the workspace has it */
		return r;
	}
	return is_displaced ? jpfs_dispose_of_displaced(conversation, path, true, name, staged) : 0;
}

int jpfs_keep_loser_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	const char *name = jp_managed_name(which);
	cleanup_close int durable = -EBADF, workspace = -EBADF, parent = -EBADF;

	durable = jpfs_open_side_locked(conversation, true, name);
	workspace = jpfs_open_side_locked(conversation, false, name);
	if (workspace < 0)
		return workspace == -ENOENT ? 0 : workspace;
	if (durable >= 0 && jp_version_is_contained(which, workspace, durable) == 1)
		return 0;
	parent = open_side_parent(conversation, false, name, &name);
	return parent < 0 ? parent : jpfs_keep_version(conversation, which, parent, name);
}

int jpfs_sync_durable_locked(struct jpfs_conversation *conversation)
{
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, "", path);

	if (r < 0)
		return r;
	fd = jp_open_beneath(conversation->view->silo->conversations_fd, path,
			     O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return jp_sys->fsync(fd) < 0 ? -errno : 0;
}

/* Whether the workspace has another version of it than both had. */
static bool is_changed(const struct pair *pair)
{
	return pair->is_left_out ||
	       (pair->is_workspace && !pair->is_same && !pair->workspace_is_base);
}

static int carry_out(struct jpfs_conversation *conversation, enum jp_outcome outcome,
		     const struct pair *pairs, size_t count)
{
	bool is_left_out = false;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const struct pair *pair = &pairs[i];

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

/* What is known of a unit's files, put together. */
static int gather_unit(struct jpfs_conversation *conversation, const struct jp_base *base,
		       struct pair *pairs, size_t count, struct jp_unit_facts *facts)
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
		has_draft = has_draft || pairs[i].is_draft;
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

/* What stands now is known; where the bytes are the same, so is the projection as it is. */
static void remember(struct jpfs_conversation *conversation, const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum jp_managed which = pairs[i].which;
		struct stat st;
		bool is_there;

		if (pairs[i].is_removed)
			conversation->hidden |= 1U << which;
		if (stat_side(conversation, true, which, &st, &is_there) < 0 || !is_there)
			continue;
		jpfs_know_version_locked(conversation, which, &st);
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

/* So new that somebody may still be writing it. */
static bool is_recent(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return st->st_mtim.tv_sec > now.tv_sec - 10;
}

/* 1, 0, -errno. */
static int is_being_written(struct jpfs_conversation *conversation, const enum jp_managed *unit,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stat st;
		bool is_there;
		int r = stat_side(conversation, true, unit[i], &st, &is_there);

		if (r < 0 || (is_there && is_recent(&st)))
			return r < 0 ? r : 1;
	}
	return 0;
}

static int converge_unit(struct jpfs_conversation *conversation, const struct jp_base *base,
			 const enum jp_managed *unit, size_t count, struct jpfs_decision *decision,
			 bool is_dry)
{
	struct jp_unit_facts facts = {.is_same = true, .is_archived = decision->is_archived};
	struct pair pairs[2] = {0};
	enum jp_row row;
	int r;

	for (size_t i = 0; i < count; i++)
		pairs[i].which = unit[i];
	r = gather_unit(conversation, base, pairs, count, &facts);
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
	row = decide_unit(&facts, count, &decision->by_content);
	if (count > 1)
		decision->stream = row;
	else
		decision->metadata = row;
	if (is_dry)
		return 0;
	r = carry_out(conversation, jp_row_outcome(row), pairs, count);
	if (r < 0)
		return r;
	remember(conversation, pairs, count);
	if (jp_row_outcome(row) != JP_NOTHING)
		jpfs_work_add(conversation, 0);
	return 0;
}

/* ---- unmanaged files ---- */

/* Copy what the durable directory lacks, by way of staging: whole or not at all. */
static int take_tree(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int from = -EBADF, to = -EBADF;
	char staged[NAME_MAX + 1];
	const char *name;
	int r;

	from = open_side_parent(conversation, false, path, &name);
	if (from < 0)
		return from;
	to = open_side_parent(conversation, true, path, &name);
	if (to < 0)
		return to;
	jp_staging_name(&view->staging, conversation->id, path, staged);
	r = jp_copy_tree(from, name, view->staging.fd, staged, NULL);
	if (r == 0)
		r = jp_rename_noreplace(view->staging.fd, staged, to, name);
	if (r == -ENOENT)
		r = 0; /* a FIFO or the like: nothing was copied */
	if (r < 0)
		jp_ignore(jp_remove_tree(view->staging.fd, staged)); /* the workspace has it */
	return r;
}

/* The durable file is newer: the workspace gets it, unless the bytes are the same. */
static int project_newer(struct jpfs_conversation *conversation, const char *path)
{
	cleanup_close int durable = jpfs_open_side_locked(conversation, true, path);
	cleanup_close int workspace = jpfs_open_side_locked(conversation, false, path);
	cleanup_close int parent = -EBADF;
	const char *name;
	int r;

	if (durable < 0 || workspace < 0)
		return durable < 0 ? durable : workspace;
	r = jp_same_content(durable, workspace);
	if (r != 0)
		return r < 0 ? r : 0;
	parent = open_side_parent(conversation, false, path, &name);
	r = parent < 0 ? parent
		       : jp_keep_copy(conversation->view->silo->trash_fd, conversation->id, parent,
				      name, path);
	if (r == 0)
		r = jpfs_note_add(&conversation->added, path);
	jpfs_work_add(conversation, 0);
	return r;
}

static int converge_unmanaged(struct jpfs_conversation *conversation, const char *directory,
			      int depth)
{
	struct jpfs_listing listing = {0};
	int r = jpfs_conversation_list_workspace_locked(conversation, directory, &listing);

	for (size_t i = 0; i < listing.count && r == 0; i++) {
		cleanup_close int durable_parent = -EBADF, workspace_parent = -EBADF;
		struct stat durable, workspace;
		char path[JPFS_PATH_BYTES];
		const char *name;

		(void)snprintf(path, sizeof(path), "%s%s%s", directory,
			       directory[0] != '\0' ? "/" : "", listing.items[i].name);
		durable_parent = open_side_parent(conversation, true, path, &name);
		workspace_parent = open_side_parent(conversation, false, path, &name);
		if (durable_parent < 0 && !jp_is_absent(durable_parent))
			r = durable_parent;
		else if (workspace_parent < 0 && !jp_is_absent(workspace_parent))
			r = workspace_parent;
		if (r < 0)
			break;
		if (workspace_parent < 0 ||
		    fstatat(workspace_parent, name, &workspace, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone meanwhile */
		if (durable_parent < 0 ||
		    fstatat(durable_parent, name, &durable, AT_SYMLINK_NOFOLLOW) < 0) {
			r = take_tree(conversation, path);
			continue;
		}
		if (S_ISDIR(workspace.st_mode) && S_ISDIR(durable.st_mode) && depth < 32)
			r = converge_unmanaged(conversation, path, depth + 1);
		else if (S_ISREG(workspace.st_mode) && S_ISREG(durable.st_mode) &&
			 jp_mtime_ns(&workspace) > jp_mtime_ns(&durable)) {
			cleanup_close int first = jpfs_open_side_locked(conversation, true, path);
			cleanup_close int second = jpfs_open_side_locked(conversation, false, path);

			r = first < 0    ? first
			    : second < 0 ? second
					 : jp_same_content(first, second);
			if (r >= 0)
				r = r == 1 ? 0 : jpfs_take_file_locked(conversation, path);
		} else if (S_ISREG(workspace.st_mode) && S_ISREG(durable.st_mode) &&
			   jp_mtime_ns(&workspace) < jp_mtime_ns(&durable) &&
			   !conversation->may_repair && !is_recent(&durable)) {
			r = project_newer(conversation, path);
		}
	}
	jpfs_listing_release(&listing);
	return r;
}

/* Both units; `is_dry`: nothing is done, and `ret` tells what would be. */
static int converge_units(struct jpfs_conversation *conversation, bool is_dry,
			  struct jpfs_decision *ret)
{
	struct jpfs_view *view = conversation->view;
	char path[JP_CONVERSATION_PATH_BYTES];
	struct jp_base base;
	int r;

	*ret = (struct jpfs_decision){.stream = JP_ROW_NOT_DURABLE, .metadata = JP_ROW_NOT_DURABLE};
	r = jp_dir_index_find(view->durable_index, conversation->id, path, &ret->is_archived);
	if (r < 0)
		return r;
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

int jpfs_converge_locked(struct jpfs_conversation *conversation)
{
	int r;

	conversation->is_reconciled = true; /* what is called from here must not come back here */
	r = converge_units(conversation, false, &conversation->decision);
	/* The workspace's alone, until it is written; or being made. */
	if (r == -ENOENT || r == -EAGAIN)
		return 0;
	if (r < 0)
		return r;
	conversation->has_returned = false;
	return converge_unmanaged(conversation, "", 0);
}

int jpfs_converge_look_locked(struct jpfs_conversation *conversation)
{
	int r = converge_units(conversation, true, &conversation->decision);

	return r == -ENOENT || r == -EAGAIN ? 0 : r;
}
