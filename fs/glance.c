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
}

/* stat(2) in a side's directory, which is opened the first time. */
static int stat_in(int *directory_fd, int side_fd, const char *directory, const char *name,
		   struct stat *ret)
{
	if (*directory_fd < 0)
		*directory_fd = jp_open_beneath(side_fd, directory, O_PATH | O_DIRECTORY, 0);
	if (*directory_fd < 0)
		return *directory_fd;
	return fstatat(*directory_fd, name, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int jpfs_stat_durable_locked(struct jpfs_conversation *conversation, const char *path,
			     struct stat *ret)
{
	struct jpfs_glance *glance = conversation->glance;
	int side_fd = conversation->view->silo->conversations_fd;
	bool is_direct = glance != NULL && strchr(path, '/') == NULL;
	char place[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, is_direct ? "" : path, place);

	if (r < 0)
		return r;
	return is_direct ? stat_in(&glance->durable_fd, side_fd, place, path, ret)
			 : jpfs_stat_beneath(side_fd, place, ret);
}

int jpfs_stat_workspace_locked(struct jpfs_conversation *conversation, const char *path,
			       struct stat *ret)
{
	struct jpfs_glance *glance = conversation->glance;
	int side_fd = conversation->view->workspace_fd;
	bool is_direct = glance != NULL && strchr(path, '/') == NULL;
	char place[JPFS_PATH_BYTES];

	jpfs_workspace_path(conversation, is_direct ? "" : path, place);
	return is_direct ? stat_in(&glance->workspace_fd, side_fd, place, path, ret)
			 : jpfs_stat_beneath(side_fd, place, ret);
}
