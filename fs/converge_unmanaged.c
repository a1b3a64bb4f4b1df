/*
 * Files of a conversation that are not jp's, on both sides: what the workspace has and the store lacks
 * is copied, by way of staging, whole or not at all; of two versions the newer one stands, and the
 * other goes to the trash.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/staging.h"
#include "fs/converge_parts.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

bool jpfs_is_recent(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return st->st_mtim.tv_sec > now.tv_sec - 10;
}

int jpfs_take_tree_locked(struct jpfs_conversation *conversation, const char *path)
{
	struct jpfs_view *view = conversation->view;
	cleanup_close int from = -EBADF, to = -EBADF;
	char staged[NAME_MAX + 1];
	const char *name;
	int r;

	from = jpfs_open_side_parent_locked(conversation, false, path, &name);
	if (from < 0)
		return from;
	to = jpfs_open_side_parent_locked(conversation, true, path, &name);
	if (to < 0)
		return to;
	jp_staging_name(&view->staging, conversation->id, path, staged);
	r = jp_copy_tree(from, name, view->staging.fd, staged, NULL);
	if (r == 0)
		r = jp_rename_noreplace(view->staging.fd, staged, to, name);
	if (r == -ENOENT && faccessat(view->staging.fd, staged, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
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
	parent = jpfs_open_side_parent_locked(conversation, false, path, &name);
	r = parent < 0 ? parent
		       : jp_keep_copy(conversation->view->silo->trash_fd, conversation->id, parent,
				      name, path);
	if (r == 0)
		r = jpfs_note_add(&conversation->added, path);
	jpfs_work_add(conversation, 0);
	return r;
}

int jpfs_converge_unmanaged_locked(struct jpfs_conversation *conversation, const char *directory,
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
		durable_parent = jpfs_open_side_parent_locked(conversation, true, path, &name);
		workspace_parent = jpfs_open_side_parent_locked(conversation, false, path, &name);
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
			r = jpfs_take_tree_locked(conversation, path);
			continue;
		}
		if (S_ISDIR(workspace.st_mode) && S_ISDIR(durable.st_mode) && depth < 32)
			r = jpfs_converge_unmanaged_locked(conversation, path, depth + 1);
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
			   !conversation->may_repair && !jpfs_is_recent(&durable)) {
			r = project_newer(conversation, path);
		}
	}
	jpfs_listing_release(&listing);
	return r;
}
