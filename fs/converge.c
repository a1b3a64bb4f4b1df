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
	struct stat durable, workspace;
};

static const enum jp_managed METADATA_UNIT[] = {JP_METADATA};
static const enum jp_managed STREAM_UNIT[] = {JP_BASE_CONFIG, JP_EVENTS};

static int open_side(struct jpfs_conversation *conversation, bool durable, const char *name)
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

static int gather(struct jpfs_conversation *conversation, struct pair *pair)
{
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	const char *name = jp_managed_name(pair->which);
	int r;

	durable = open_side(conversation, true, name);
	workspace = open_side(conversation, false, name);
	/* Anything else than a regular file is as good as absent: it is never taken in. */
	pair->is_durable = durable >= 0 && fstat(durable, &pair->durable) == 0;
	pair->is_workspace = workspace >= 0 && fstat(workspace, &pair->workspace) == 0;
	if (durable == -EMFILE || durable == -ENFILE || durable == -EIO)
		return durable;
	if (workspace == -EMFILE || workspace == -ENFILE || workspace == -EIO)
		return workspace;
	if (pair->is_durable != pair->is_workspace)
		return 0;
	if (!pair->is_durable) {
		pair->is_same = true;
		return 0;
	}
	if (pair->durable.st_size == pair->workspace.st_size &&
	    jp_mtime_ns(&pair->durable) == jp_mtime_ns(&pair->workspace)) {
		pair->is_same = true;
		return 0;
	}
	r = jp_same_content(durable, workspace);
	pair->is_same = r == 1;
	return r < 0 ? r : 0;
}

static bool is_valid_side(struct jpfs_conversation *conversation, const struct pair *pairs,
			  size_t count, bool durable)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_close int fd = -EBADF;

		if (!(durable ? pairs[i].is_durable : pairs[i].is_workspace)) {
			if (pairs[i].which != JP_BASE_CONFIG)
				return false;
			continue;
		}
		fd = open_side(conversation, durable, jp_managed_name(pairs[i].which));
		if (fd < 0 || jp_validity_of_file(pairs[i].which, fd) != 1)
			return false;
	}
	return true;
}

static int64_t newest(const struct pair *pairs, size_t count, bool durable)
{
	int64_t result = INT64_MIN;

	for (size_t i = 0; i < count; i++) {
		const struct stat *st = durable ? &pairs[i].durable : &pairs[i].workspace;

		if ((durable ? pairs[i].is_durable : pairs[i].is_workspace) &&
		    jp_mtime_ns(st) > result)
			result = jp_mtime_ns(st);
	}
	return result;
}

/* Make the workspace's file durable; what it replaces is kept. */
static int take_file(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int from = -EBADF, staged = -EBADF, parent = -EBADF;
	char name[NAME_MAX + 1];
	const char *file_name;
	bool is_displaced = false;
	int r;

	from = open_side(conversation, false, path);
	if (from < 0)
		return from;
	parent = open_side_parent(conversation, true, path, &file_name);
	if (parent < 0)
		return parent;
	staged = jp_staging_create(&view->staging, conversation->id, path, 0600, name);
	if (staged < 0)
		return staged;
	r = jp_copy_content(from, staged);
	if (r == 0)
		r = jp_copy_attributes(from, staged);
	if (r == 0 && jp_sys->fsync(staged) < 0)
		r = -errno;
	if (r == 0)
		r = jp_durable_put(&view->staging, conversation->id, name, parent, file_name,
				   &is_displaced);
	if (r < 0) {
		(void)jp_sys->unlinkat(view->staging.fd, name, 0); /* the workspace has it */
		return r;
	}
	return is_displaced ? jpfs_dispose_of_displaced(conversation, path, true, name, staged) : 0;
}

/* Take a managed file of one side out of the way, to history. */
static int retire_file(struct jpfs_conversation *conversation, enum jp_managed which, bool durable)
{
	cleanup_close int parent = -EBADF;
	const char *name;

	parent = open_side_parent(conversation, durable, jp_managed_name(which), &name);
	if (parent < 0)
		return parent;
	return jp_keep_move(conversation->view->silo->history_fd, conversation->id, parent, name,
			    name);
}

/* The workspace's version loses: keep a copy, unless the durable one contains it. */
static int keep_loser(struct jpfs_conversation *conversation, const struct pair *pair)
{
	const char *name = jp_managed_name(pair->which);
	cleanup_close int durable = -EBADF, workspace = -EBADF, parent = -EBADF;

	if (!pair->is_durable)
		return retire_file(conversation, pair->which, false);
	durable = open_side(conversation, true, name);
	workspace = open_side(conversation, false, name);
	if (durable >= 0 && workspace >= 0 &&
	    jp_version_is_contained(pair->which, workspace, durable) == 1)
		return 0;
	parent = open_side_parent(conversation, false, name, &name);
	if (parent < 0)
		return parent;
	return jp_keep_copy(conversation->view->silo->history_fd, conversation->id, parent, name,
			    name);
}

static int sync_durable(struct jpfs_conversation *conversation)
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

static int carry_out(struct jpfs_conversation *conversation, enum jp_outcome outcome,
		     const struct pair *pairs, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const struct pair *pair = &pairs[i];

		if (outcome == JP_DRAFT && pair->is_workspace && !pair->is_same)
			conversation->drafts |= 1U << pair->which;
		if (outcome == JP_PROJECT && pair->is_workspace && !pair->is_same)
			r = keep_loser(conversation, pair);
		if (outcome == JP_TAKE && pair->is_workspace && !pair->is_same)
			r = take_file(conversation, jp_managed_name(pair->which));
		if (outcome == JP_TAKE && !pair->is_workspace && pair->is_durable)
			r = retire_file(conversation, pair->which, true);
	}
	return r == 0 && outcome == JP_TAKE ? sync_durable(conversation) : r;
}

/* Which side is earlier by its content. A stream with another base configuration is neither. */
static int compare_content(struct jpfs_conversation *conversation, const struct pair *pairs,
			   size_t count, struct jp_unit_facts *facts)
{
	const struct pair *last = &pairs[count - 1]; /* metadata.json, or events.json */
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	int r;

	if (!facts->durable.is_valid || !facts->workspace.is_valid ||
	    (count > 1 && !pairs[0].is_same))
		return 0;
	durable = open_side(conversation, true, jp_managed_name(last->which));
	workspace = open_side(conversation, false, jp_managed_name(last->which));
	if (durable < 0 || workspace < 0)
		return durable < 0 ? durable : workspace;
	r = jp_version_is_contained(last->which, workspace, durable);
	facts->workspace.is_earlier = r == 1;
	if (r == 0) {
		r = jp_version_is_contained(last->which, durable, workspace);
		facts->durable.is_earlier = r == 1;
	}
	return r < 0 ? r : 0;
}

/* `decided` is what the stream's content decided for the metadata too, or JP_NOTHING; the stream
 * itself fills it. */
static int converge_unit(struct jpfs_conversation *conversation, bool is_archived,
			 const enum jp_managed *unit, size_t count, enum jp_outcome *decided)
{
	struct jp_unit_facts facts = {.is_same = true, .is_archived = is_archived};
	struct pair pairs[2] = {0};
	enum jp_outcome outcome;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		pairs[i].which = unit[i];
		r = gather(conversation, &pairs[i]);
		facts.is_same = facts.is_same && pairs[i].is_same;
		facts.durable.is_there = facts.durable.is_there || pairs[i].is_durable;
		facts.workspace.is_there = facts.workspace.is_there || pairs[i].is_workspace;
	}
	if (r < 0)
		return r;
	if (!facts.is_same) {
		facts.durable.is_valid = is_valid_side(conversation, pairs, count, true);
		facts.workspace.is_valid = is_valid_side(conversation, pairs, count, false);
		facts.durable.mtime_ns = newest(pairs, count, true);
		facts.workspace.mtime_ns = newest(pairs, count, false);
		r = compare_content(conversation, pairs, count, &facts);
		if (r < 0)
			return r;
	}
	outcome = jp_reconcile(&facts);
	if (count > 1 && jp_reconcile_is_by_content(&facts))
		*decided = outcome;
	else if (count == 1 && *decided != JP_NOTHING && outcome != JP_NOTHING &&
		 facts.durable.is_valid && facts.workspace.is_valid)
		outcome = *decided;
	r = carry_out(conversation, outcome, pairs, count);
	/* What stands now is known; where the bytes are the same, so is the projection as it is. */
	for (size_t i = 0; i < count && r == 0; i++) {
		cleanup_close int fd = open_side(conversation, true, jp_managed_name(unit[i]));
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		jpfs_know_version_locked(conversation, unit[i], &st);
		if (pairs[i].is_same && pairs[i].is_workspace)
			conversation->same[unit[i]] = (struct jpfs_version){
				pairs[i].workspace.st_ino,
				jp_mtime_ns(&pairs[i].workspace),
				pairs[i].workspace.st_size,
			};
	}
	if (r == 0 && outcome != JP_NOTHING)
		jpfs_work_add(conversation, 0);
	return r;
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
	cleanup_close int durable = open_side(conversation, true, path);
	cleanup_close int workspace = open_side(conversation, false, path);
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

/* So new that somebody may still be writing it. */
static bool is_recent(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return st->st_mtim.tv_sec > now.tv_sec - 10;
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
			cleanup_close int first = open_side(conversation, true, path);
			cleanup_close int second = open_side(conversation, false, path);

			r = first < 0    ? first
			    : second < 0 ? second
					 : jp_same_content(first, second);
			if (r >= 0)
				r = r == 1 ? 0 : take_file(conversation, path);
		} else if (S_ISREG(workspace.st_mode) && S_ISREG(durable.st_mode) &&
			   jp_mtime_ns(&workspace) < jp_mtime_ns(&durable) &&
			   !conversation->may_repair && !is_recent(&durable)) {
			r = project_newer(conversation, path);
		}
	}
	jpfs_listing_release(&listing);
	return r;
}

int jpfs_converge_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_view *view = conversation->view;
	char path[JP_CONVERSATION_PATH_BYTES];
	enum jp_outcome decided = JP_NOTHING;
	bool is_archived;
	int r;

	conversation->is_reconciled = true; /* what is called from here must not come back here */
	r = jp_dir_index_find(view->durable_index, conversation->id, path, &is_archived);
	if (r == -ENOENT)
		return 0; /* the workspace's alone, until it is written */
	/* jp may be in the middle of making it. Until it is whole the workspace's files are shown; if
	 * it stays in pieces, project.c asks for the repair. */
	if (r == 0 && !conversation->may_repair && !jpfs_durable_is_whole_locked(conversation))
		return 0;
	if (r < 0)
		return r;
	is_archived = is_archived || conversation->is_archived;
	r = converge_unit(conversation, is_archived, STREAM_UNIT, 2, &decided);
	if (r == 0)
		r = converge_unit(conversation, is_archived, METADATA_UNIT, 1, &decided);
	return r < 0 ? r : converge_unmanaged(conversation, "", 0);
}
