/* See glance.h. */
#include "fs/glance.h"

#include "core/base/io.h"

#include <fcntl.h>
#include <string.h>

void jpfs_glance_begin_locked(struct jpfs_conversation *conversation, struct jpfs_glance *ret)
{
	*ret = (struct jpfs_glance){.workspace_fd = -EBADF};
	if (conversation->glance != NULL)
		return;
	ret->conversation = conversation;
	conversation->glance = ret;
}

void jpfs_glance_end(struct jpfs_glance *glance)
{
	if (glance->conversation != NULL)
		glance->conversation->glance = NULL;
	jp_closep(&glance->workspace_fd);
}

int jpfs_stat_workspace_locked(struct jpfs_conversation *conversation, const char *path,
			       struct stat *ret)
{
	struct jpfs_glance *glance = conversation->glance;
	char place[JPFS_PATH_BYTES];

	if (glance == NULL || strchr(path, '/') != NULL) {
		jpfs_workspace_path(conversation, path, place);
		return jpfs_stat_beneath(conversation->view->workspace_fd, place, ret);
	}
	if (glance->workspace_fd < 0) {
		jpfs_workspace_path(conversation, "", place);
		glance->workspace_fd = jp_open_beneath(conversation->view->workspace_fd, place,
						       O_PATH | O_DIRECTORY, 0);
	}
	if (glance->workspace_fd < 0)
		return glance->workspace_fd;
	return fstatat(glance->workspace_fd, path, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}
