/*
 * Where the bytes of a path are. jp's own files are looked for in the durable copy, as far as it is
 * whole; then among the links that hold what is there no more; then in the workspace, which has the
 * drafts, too. Other files are shown if they were put into this workspace.
 */
#include "fs/locate.h"

#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/repeat.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int locate_managed(struct jpfs_conversation *conversation, enum jp_managed which,
			  struct jpfs_location *ret)
{
	struct jpfs_view *view = conversation->view;
	unsigned bit = 1U << which;
	int r = -ENOENT;

	if ((conversation->hidden & bit) != 0 && !jpfs_returned_look_locked(conversation, which))
		return -ENOENT;
	if ((conversation->drafts & bit) == 0 &&
	    !jpfs_is_beside_draft_locked(conversation, which)) {
		r = jpfs_durable_stat_locked(conversation, which, &ret->st);
		if (r != -ENOENT) {
			ret->home = JPFS_DURABLE;
			return r;
		}
		if (conversation->pins[which] != NULL && conversation->vanished_ms != 0 &&
		    fstatat(view->staging.fd, conversation->pins[which], &ret->st,
			    AT_SYMLINK_NOFOLLOW) == 0) {
			ret->home = JPFS_PINNED;
			return 0;
		}
		/* A whole durable copy without this file: it has none. */
		if (conversation->was_durable && conversation->vanished_ms == 0)
			return -ENOENT;
	} else {
		struct stat durable;

		/* Has it changed, and is it the same by now? Then the draft ends: jpfs_draft_look(). */
		jp_ignore(jpfs_durable_stat_locked(conversation, which, &durable));
	}
	r = jpfs_stat_workspace_locked(conversation, jp_managed_name(which), &ret->st);
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	ret->home = JPFS_WORKSPACE;
	return 0;
}

/* Somebody copies a file by writing it to its end, and until then it is shorter than it was. jp does so,
 * and another file in the store is put in place whole. After this it is taken for what is meant. */
#define COPYING_MS 500

/* Whether the durable file may be one that jp is just copying back: a part of what is known of it. */
static bool is_on_its_way(struct jpfs_conversation *conversation, const char *path,
			  const struct stat *durable, const struct stat *workspace)
{
	const char *pin = jpfs_other_pin_locked(conversation, path);
	off_t whole = workspace->st_size;
	struct stat st;
	int64_t age_ms;

	if (pin != NULL &&
	    fstatat(conversation->view->staging.fd, pin, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (st.st_ino == durable->st_ino)
			return false; /* it was met whole */
		whole = st.st_size;
	} else if (jpfs_note_find(conversation->added, path) != NULL) {
		return false;
	}
	if (durable->st_size >= whole)
		return false;
	age_ms = jp_age_ms(&durable->st_ctim);
	if (age_ms < 0 || age_ms > COPYING_MS)
		return false;
	jpfs_work_add(conversation, COPYING_MS + 10);
	return true;
}

/* Another worktree, or jp, has changed it in the store: the workspace gets it, too, and until then a
 * link is held to it. `durable` is what was linked: it may have been replaced since it was looked at.
 * False: it is not there any more. */
static bool follow_unmanaged(struct jpfs_conversation *conversation, const char *path,
			     struct stat *durable)
{
	const char *pin = jpfs_other_pin_locked(conversation, path);
	int staging_fd = conversation->view->staging.fd;
	struct stat st;
	int r;

	if (pin == NULL || fstatat(staging_fd, pin, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != durable->st_ino) {
		jpfs_entry_replaced_locked(conversation, path,
					   durable); /* while its link is there */
		r = jpfs_pin_other_durable_locked(conversation, path);
		if (r == -ENOENT)
			return false;
		pin = r == 0 ? jpfs_other_pin_locked(conversation, path) : NULL;
	}
	if (pin != NULL && fstatat(staging_fd, pin, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*durable = st;
	if (jpfs_note_find(conversation->added, path) != NULL)
		return true;
	jp_ignore(jpfs_note_add(&conversation->added, path)); /* the next look tries again */
	jpfs_repeat_note_locked(conversation, path, JPFS_CHANGED);
	jpfs_work_add(conversation, 0);
	return true;
}

static int locate_unmanaged(struct jpfs_conversation *conversation, const char *path,
			    struct jpfs_location *ret)
{
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	struct stat workspace_st;
	int durable, r;

	if (jp_name_is_managed_temporary(path) ||
	    jpfs_note_find(conversation->removed, path) != NULL)
		return -ENOENT;
	if (conversation->is_local) {
		if (jpfs_note_find(conversation->doomed, path) != NULL)
			return -ENOENT;
		r = jpfs_durable_path_locked(conversation, path, place);
		if (r == 0)
			r = jpfs_stat_beneath(view->silo->conversations_fd, place, &ret->st);
		ret->home = JPFS_DURABLE;
		return r == -ENOTDIR || r == -ELOOP ? -ENOENT : r;
	}
	r = jpfs_stat_workspace_locked(conversation, path, &workspace_st);
	if (r == -ENOTDIR || r == -ELOOP)
		r = -ENOENT;
	if (r < 0 && (r != -ENOENT || jpfs_note_find(conversation->added, path) == NULL))
		return r;
	durable = jpfs_durable_path_locked(conversation, path, place);
	if (durable == 0 &&
	    fstatat(view->silo->conversations_fd, place, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
		durable = -errno;
	if (durable < 0 && !jp_is_absent(durable))
		return durable; /* what the workspace has may be an older one */
	/* While jp is still making the durable copy, out of what it reads here, its files are not to
	 * be looked at: jp would read what it is just writing. */
	if (durable == 0 && conversation->was_durable && conversation->vanished_ms == 0 &&
	    (r < 0 || (ret->st.st_mode & S_IFMT) == (workspace_st.st_mode & S_IFMT) ||
	     jpfs_note_find(conversation->added, path) != NULL)) {
		bool is_other = r == 0 && S_ISREG(ret->st.st_mode) &&
				(ret->st.st_size != workspace_st.st_size ||
				 jp_mtime_ns(&ret->st) != jp_mtime_ns(&workspace_st));

		ret->home = JPFS_DURABLE;
		if (!is_other || view->is_read_only ||
		    (!is_on_its_way(conversation, path, &ret->st, &workspace_st) &&
		     follow_unmanaged(conversation, path, &ret->st)))
			return 0;
	}
	if (r < 0) {
		const char *pin = jpfs_other_pin_locked(conversation, path);

		ret->home = JPFS_PINNED;
		return pin != NULL && fstatat(view->staging.fd, pin, &ret->st,
					      AT_SYMLINK_NOFOLLOW) == 0
			       ? 0
			       : r;
	}
	ret->home = JPFS_WORKSPACE;
	ret->st = workspace_st;
	return 0;
}

int jpfs_locate_locked(struct jpfs_conversation *conversation, const char *path,
		       enum jp_managed managed, struct jpfs_location *ret)
{
	return managed != JP_UNMANAGED ? locate_managed(conversation, managed, ret)
				       : locate_unmanaged(conversation, path, ret);
}

bool jpfs_stat_projection_locked(struct jpfs_conversation *conversation, const char *path,
				 enum jp_managed managed, const struct stat *durable,
				 struct stat *ret)
{
	if (jpfs_stat_workspace_locked(conversation, path, ret) < 0 ||
	    ((ret->st_mode ^ durable->st_mode) & S_IFMT) != 0 || ret->st_size != durable->st_size)
		return false;
	if (jp_mtime_ns(ret) == jp_mtime_ns(durable))
		return true;
	return managed != JP_UNMANAGED && jpfs_version_matches(&conversation->same[managed], ret);
}
