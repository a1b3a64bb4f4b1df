/* See glance.h. */
#include "fs/glance.h"

#include "core/base/io.h"

#include <fcntl.h>
#include <string.h>

void jpfs_glance_begin_locked(struct jpfs_conversation *conversation, struct jpfs_glance *ret)
{
	*ret = (struct jpfs_glance)JPFS_GLANCE_INIT;
	if (conversation->glance != NULL)
		return;
	ret->conversation = conversation;
	conversation->glance = ret;
}

void jpfs_glance_end(struct jpfs_glance *glance)
{
	if (glance->conversation != NULL)
		glance->conversation->glance = NULL;
	jp_closep(&glance->durable_fd);
	jp_closep(&glance->workspace_fd);
}

void jpfs_glance_renew_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_glance *glance = conversation->glance;

	if (glance == NULL)
		return;
	jp_closep(&glance->durable_fd);
	jp_closep(&glance->workspace_fd);
	glance->durable[0] = '\0';
	glance->has_changed = true;
}

static int open_workspace(struct jpfs_conversation *conversation, int flags)
{
	char place[JPFS_PATH_BYTES];

	jpfs_workspace_path(conversation, "", place);
	return jp_open_beneath(conversation->view->workspace_fd, place, flags | O_DIRECTORY, 0);
}

/* The durable directory, opened the first time; -errno. */
static int durable_of(struct jpfs_glance *glance)
{
	struct jpfs_conversation *conversation = glance->conversation;
	char place[JPFS_PATH_BYTES];
	int r;

	if (glance->durable_fd >= 0)
		return glance->durable_fd;
	r = jpfs_durable_path_locked(conversation, "", place);
	if (r < 0)
		return r;
	glance->durable_fd = jp_open_beneath(conversation->view->silo->conversations_fd, place,
					     O_PATH | O_DIRECTORY, 0);
	return glance->durable_fd;
}

/* The workspace's, in such a way that it can be listed as well, where it may be. */
static int workspace_of(struct jpfs_glance *glance)
{
	if (glance->workspace_fd >= 0)
		return glance->workspace_fd;
	glance->workspace_fd = open_workspace(glance->conversation, O_RDONLY);
	glance->is_readable = glance->workspace_fd >= 0;
	if (glance->workspace_fd == -EACCES)
		glance->workspace_fd = open_workspace(glance->conversation, O_PATH);
	return glance->workspace_fd;
}

/* stat(2) of a name in one of the directories, made the first time that it is asked for. */
static int stat_in(struct jpfs_glance *glance, bool durable, const char *name, struct stat *ret)
{
	enum jp_managed which = jp_managed_from_name(name);
	struct jpfs_seen *seen = NULL;
	int r;

	if (which != JP_UNMANAGED && !glance->has_changed)
		seen = durable ? &glance->seen_durable[which] : &glance->seen_workspace[which];
	if (seen != NULL && seen->is_seen) {
		if (seen->r == 0)
			*ret = seen->st;
		return seen->r;
	}
	r = durable ? durable_of(glance) : workspace_of(glance);
	if (r >= 0 && fstatat(r, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		r = errno == EBADMSG ? -EIO : -errno; /* as in core/base/sys.h */
	r = r < 0 ? r : 0;
	if (seen != NULL) {
		*seen = (struct jpfs_seen){.is_seen = true, .r = r};
		if (r == 0)
			seen->st = *ret;
	}
	return r;
}

int jpfs_stat_durable_locked(struct jpfs_conversation *conversation, const char *path,
			     struct stat *ret)
{
	struct jpfs_glance *glance = conversation->glance;
	char place[JPFS_PATH_BYTES];
	int r;

	if (glance != NULL && strchr(path, '/') == NULL)
		return stat_in(glance, true, path, ret);
	r = jpfs_durable_path_locked(conversation, path, place);
	return r < 0 ? r
		     : jpfs_stat_beneath(conversation->view->silo->conversations_fd, place, ret);
}

int jpfs_stat_workspace_locked(struct jpfs_conversation *conversation, const char *path,
			       struct stat *ret)
{
	struct jpfs_glance *glance = conversation->glance;
	char place[JPFS_PATH_BYTES];

	if (glance != NULL && strchr(path, '/') == NULL)
		return stat_in(glance, false, path, ret);
	jpfs_workspace_path(conversation, path, place);
	return jpfs_stat_beneath(conversation->view->workspace_fd, place, ret);
}

int jpfs_durable_directory_locked(struct jpfs_conversation *conversation)
{
	return durable_of(conversation->glance);
}

int jpfs_open_workspace_locked(struct jpfs_conversation *conversation)
{
	struct jpfs_glance *glance = conversation->glance;

	/* What else is asked of it was asked before, as a rule: it would only be closed. */
	if (glance != NULL && glance->workspace_fd >= 0 && glance->is_readable)
		return TAKE_FD(glance->workspace_fd);
	return open_workspace(conversation, O_RDONLY);
}
