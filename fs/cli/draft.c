/*
 * `jpfs commit` and `jpfs discard`: a draft becomes durable, or the durable version is shown again.
 */
#include "fs/cli/act.h"
#include "fs/cli/command.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

static int explain(int r, struct jp_error *error)
{
	if (r == -ENOENT) {
		(void)jp_error_set(error, r, "it has no draft");
		return -EALREADY;
	}
	if (r == -EBADMSG) {
		jp_error_remedy(error, "make its files valid JSON (conflict markers?), or "
				       "`jpfs discard` it");
		return jp_error_set(error, r, "the draft is not what jp accepts");
	}
	return r;
}

/* Tell the daemon, by the attribute that ends drafts. */
static int end_mounted(int root_fd, const struct jpfs_picked *picked, const char *how,
		       struct jp_error *error)
{
	cleanup_close int fd = -EBADF;
	char path[PATH_MAX], proc[64];

	if (!picked->is_here)
		return explain(-ENOENT, error);
	(void)snprintf(path, sizeof(path), "%s%s",
		       picked->here_is_archived ? JP_ARCHIVE_NAME "/" : "", picked->here_name);
	fd = openat(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (setxattr(proc, JPFS_XATTR_DRAFT, how, strlen(how), 0) < 0)
		return explain(-errno, error);
	jpfs_site_look_anew(fd);
	return 0;
}

static int end_offline(struct jpfs_view *view, const struct jpfs_picked *picked,
		       int (*end)(struct jpfs_conversation *), struct jp_error *error)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, picked->id);
	int r;

	if (conversation == NULL)
		return explain(-ENOENT, error);
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	r = end(conversation);
	jpfs_object_unref(&conversation->object);
	return explain(r, error);
}

static int commit_mounted(int root_fd, const struct jpfs_picked *picked, struct jp_error *error)
{
	return end_mounted(root_fd, picked, "commit", error);
}

static int commit_offline(struct jpfs_view *view, const struct jpfs_picked *picked,
			  struct jp_error *error)
{
	return end_offline(view, picked, jpfs_draft_commit, error);
}

static int discard_mounted(int root_fd, const struct jpfs_picked *picked, struct jp_error *error)
{
	return end_mounted(root_fd, picked, "discard", error);
}

static int discard_offline(struct jpfs_view *view, const struct jpfs_picked *picked,
			   struct jp_error *error)
{
	return end_offline(view, picked, jpfs_draft_discard, error);
}

int jpfs_command_commit(int argc, char **argv)
{
	static const struct jpfs_action action = {
		.name = "commit",
		.done = "committed",
		.mounted = commit_mounted,
		.offline = commit_offline,
	};

	return jpfs_act(&action, argc, argv);
}

int jpfs_command_discard(int argc, char **argv)
{
	static const struct jpfs_action action = {
		.name = "discard",
		.done = "discarded",
		.mounted = discard_mounted,
		.offline = discard_offline,
	};

	return jpfs_act(&action, argc, argv);
}
