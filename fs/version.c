/*
 * Versions of managed files: which comes before which, and what becomes of those that are replaced.
 *
 * What replaces a version may contain it, and then nothing is kept: that is every normal turn of a
 * conversation. Otherwise the old one goes to history first. The history in turn tells what came
 * before what, where the contents do not.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/history.h"
#include "core/metadata.h"
#include "core/stream.h"
#include "fs/judge.h"
#include "fs/view.h"

#include <fcntl.h>

int jpfs_version_is_earlier(struct jpfs_conversation *conversation, enum jp_managed managed,
			    int old_fd, int new_fd)
{
	int r = jp_same_content(old_fd, new_fd);

	if (r != 0)
		return r < 0 ? r : 0;
	if (managed == JP_METADATA)
		return jp_metadata_is_earlier(old_fd, new_fd);
	if (managed == JP_EVENTS)
		r = jp_stream_is_earlier(old_fd, new_fd);
	if (r == 0 && conversation != NULL)
		r = jp_history_contains(conversation->view->silo->history_fd, conversation->id,
					jp_managed_name(managed), old_fd, INT64_MAX);
	return r;
}

int jpfs_version_went_back(struct jpfs_conversation *conversation, enum jp_managed managed,
			   int old_fd, int new_fd)
{
	int r = jpfs_version_is_earlier(NULL, managed, old_fd, new_fd);
	struct stat st;

	if (r != 0)
		return r;
	if (fstat(old_fd, &st) < 0)
		return -errno;
	return jp_history_contains(conversation->view->silo->history_fd, conversation->id,
				   jp_managed_name(managed), old_fd,
				   (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
}

int jpfs_keep_version(struct jpfs_conversation *conversation, enum jp_managed managed,
		      int parent_fd, const char *name)
{
	const struct jp_silo *silo = conversation->view->silo;
	cleanup_close int fd = jp_open_regular(parent_fd, name, O_RDONLY);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_size == 0)
		return 0; /* nothing is kept of nothing */
	r = jp_history_has(silo->history_fd, conversation->id, jp_managed_name(managed), fd);
	if (r == 1)
		return 0;
	/* Not there, or nobody can tell: it is kept. */
	return jp_keep_copy(silo->history_fd, conversation->id, parent_fd, name,
			    jp_managed_name(managed));
}

int jpfs_dispose_of_displaced(struct jpfs_conversation *conversation, const char *path,
			      bool was_unseen, const char *name, int new_fd,
			      const struct jpfs_version *contained)
{
	struct jpfs_view *view = conversation->view;
	enum jp_managed managed = jp_managed_from_name(path);
	cleanup_close int displaced = -EBADF;
	int r;

	if (managed == JP_UNMANAGED) {
		if (was_unseen)
			return jp_keep_move(view->silo->trash_fd, conversation->id,
					    view->staging.fd, name, path);
		return jp_sys->unlinkat(view->staging.fd, name, 0) < 0 ? -errno : 0;
	}
	displaced = jp_open_regular(view->staging.fd, name, O_RDONLY);
	r = displaced < 0 ? displaced : jpfs_is_contained(managed, displaced, new_fd, contained);
	if (r == 1)
		return jp_sys->unlinkat(view->staging.fd, name, 0) < 0 ? -errno : 0;
	/* Not contained, or nobody can tell: it is kept. */
	return jp_keep_move(view->silo->history_fd, conversation->id, view->staging.fd, name, path);
}
