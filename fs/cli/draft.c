/*
 * `jpfs commit` and `jpfs discard`: a draft becomes durable, or the durable version is shown again.
 */
#include "fs/cli/act.h"
#include "fs/cli/command.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum {
	/* How long the daemon's second process is given to tell the kernel. */
	TELL_MS = 1000,
};

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

static int open_conversation(int root_fd, bool is_archived, const char *name)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "", name);
	fd = openat(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Tell the daemon, by the attribute that ends drafts. */
static int end_mounted(int root_fd, const struct jpfs_picked *picked, const char *how,
		       struct jp_error *error)
{
	cleanup_close int fd = -EBADF;
	char proc[64];

	if (!picked->is_here)
		return explain(-ENOENT, error);
	fd = open_conversation(root_fd, picked->here_is_archived, picked->here_name);
	if (fd < 0)
		return fd;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (setxattr(proc, JPFS_XATTR_DRAFT, how, strlen(how), 0) < 0)
		return explain(-errno, error);
	jpfs_site_look_anew(fd);
	return 0;
}

/* Whether a managed file is the same on both sides, as far as stat tells. */
static bool is_same(int shown_fd, int durable_fd, const char *name)
{
	struct stat shown, durable;
	bool is_shown = fstatat(shown_fd, name, &shown, AT_SYMLINK_NOFOLLOW) == 0;
	bool is_durable = fstatat(durable_fd, name, &durable, AT_SYMLINK_NOFOLLOW) == 0;

	return is_shown == is_durable &&
	       (!is_shown || (shown.st_size == durable.st_size &&
			      shown.st_mtim.tv_sec == durable.st_mtim.tv_sec &&
			      shown.st_mtim.tv_nsec == durable.st_mtim.tv_nsec));
}

/*
 * The daemon has ended the draft, and its second process is about to tell the kernel that the names
 * lead elsewhere: it could not while the attribute was being set. Whoever looks when this command has
 * ended must not meet the draft, so that is waited for; and then the kernel is made to ask once more,
 * whatever it was told. linkat(2) does that, as if it was to make the name. It cannot: what it is to link
 * is on another mount.
 */
static void wait_until_seen(const struct jpfs_site *site, int root_fd,
			    const struct jpfs_picked *picked)
{
	cleanup_close int shown = -EBADF, durable = -EBADF;
	int waited = 0;

	shown = open_conversation(root_fd, picked->here_is_archived, picked->here_name);
	durable = open_conversation(site->silo.conversations_fd, picked->durable_is_archived,
				    picked->durable_name);
	for (int i = 0; i < JP_MANAGED_COUNT && shown >= 0 && durable >= 0; i++) {
		const char *name = jp_managed_name((enum jp_managed)i);

		for (; waited < TELL_MS && !is_same(shown, durable, name); waited++)
			(void)poll(NULL, 0, 1);
		(void)linkat(AT_FDCWD, "/", shown, name, 0); /* fails, and has asked */
	}
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
		.seen = wait_until_seen,
		.offline = discard_offline,
	};

	return jpfs_act(&action, argc, argv);
}
