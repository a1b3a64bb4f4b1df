/* The engine on one thread, between taking the lock and giving it back. See offline.h. */
#include "fs/offline.h"

#include "core/base/sys.h"
#include "fs/lockfile.h"

#include <stdio.h>
#include <string.h>

static int take_lock(const struct jp_workspace *workspace, const struct jp_silo *silo,
		     struct jp_error *error)
{
	struct jpfs_lock_state state = {0};
	int lock = jpfs_lockfile_take(silo, workspace);

	if (lock >= 0)
		return lock;
	if (lock != -EWOULDBLOCK)
		return jp_error_set(error, lock, "%s/jpfs/workspaces: cannot lock: %s", silo->path,
				    strerrordesc_np(-lock));
	jp_error_remedy(error, "wait a moment, or end it with `jpfs umount`");
	if (jpfs_lockfile_read(silo, workspace, &state) == 0)
		return jp_error_set(error, -EBUSY, "%s: process %d is working on it (it is %s)",
				    workspace->root_path, state.pid, state.state);
	return jp_error_set(error, -EBUSY, "%s: another process is working on it",
			    workspace->root_path);
}

/* Open the view in its place: it has locks in it, which do not move. */
static int open_view(struct jpfs_offline *offline, struct jp_silo *silo, bool read_only,
		     struct jp_error *error)
{
	mode_t mask = umask(0);
	int r = jpfs_view_open(&offline->view, offline->workspace, silo, offline->workspace_fd,
			       read_only, error);

	offline->is_open = true;
	offline->view.umask = mask;
	/* What would be done cannot be told either. */
	r = r < 0 ? r : offline->view.base_failure;
	if (r < 0)
		return r;
	r = jpfs_view_load(&offline->view, false);
	return r < 0 ? jp_error_set(error, r, "%s: the two sides cannot be read: %s",
				    offline->workspace->root_path, strerrordesc_np(-r))
		     : 0;
}

int jpfs_offline_open(const struct jp_workspace *workspace, struct jp_silo *silo, bool read_only,
		      struct jpfs_offline *ret_offline, struct jp_error *error)
{
	int r;

	*ret_offline = (struct jpfs_offline){
		.lock_fd = -EBADF, .workspace_fd = -EBADF, .workspace = workspace};
	if (!read_only) {
		ret_offline->lock_fd = take_lock(workspace, silo, error);
		if (ret_offline->lock_fd < 0)
			return ret_offline->lock_fd;
		jpfs_lockfile_write(ret_offline->lock_fd, workspace, "syncing", NULL);
	}
	ret_offline->workspace_fd = jp_workspace_open_conversations(workspace, !read_only, error);
	r = ret_offline->workspace_fd;
	if (r >= 0)
		r = open_view(ret_offline, silo, read_only, error);
	if (r < 0)
		jpfs_offline_close(ret_offline);
	return r < 0 ? r : 0;
}

static int for_each(struct jpfs_offline *offline, int (*work)(struct jpfs_conversation *),
		    jpfs_progress *progress)
{
	struct jpfs_conversation **all;
	int failure = 0, r;
	size_t count;

	r = jpfs_view_snapshot(&offline->view, &all, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		r = work(all[i]);
		failure = failure == 0 ? r : failure;
		jpfs_object_unref(&all[i]->object);
		if (progress != NULL)
			progress(i + 1, count);
	}
	free(all);
	return failure;
}

static int look_at(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);

	return jpfs_converge_look_locked(conversation);
}

int jpfs_offline_look(struct jpfs_offline *offline, jpfs_progress *progress)
{
	return for_each(offline, look_at, progress);
}

static int bring_together(struct jpfs_conversation *conversation)
{
	int64_t wait;
	int r, projected;

	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	r = jpfs_commit_conversation(conversation, true, &wait);
	projected = jpfs_project_conversation(conversation, true, &wait);
	return r < 0 ? r : projected;
}

int jpfs_offline_sync(struct jpfs_offline *offline, jpfs_progress *progress)
{
	struct jpfs_view *view = &offline->view;
	int r = jpfs_import_all(view), failure;

	failure = for_each(offline, bring_together, progress);
	r = r < 0 ? r : failure;
	failure = jp_base_sync(view->base);
	r = r < 0 ? r : failure;
	if ((jp_sys->syncfs(view->workspace_fd) < 0 || jp_sys->syncfs(view->silo->fd) < 0) &&
	    r == 0)
		r = -errno;
	return r;
}

void jpfs_offline_close(struct jpfs_offline *offline)
{
	if (offline->workspace == NULL)
		return;
	if (offline->is_open)
		jpfs_view_close(&offline->view);
	if (offline->lock_fd >= 0)
		jpfs_lockfile_write(offline->lock_fd, offline->workspace, "clean", NULL);
	jp_closep(&offline->workspace_fd);
	jp_closep(&offline->lock_fd);
	offline->is_open = false;
	offline->workspace = NULL;
}
