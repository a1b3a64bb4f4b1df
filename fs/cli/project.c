/*
 * `jpfs project` and `jpfs unproject`: whether this worktree has a conversation. The durable copy
 * stays in either case.
 */
#include "fs/cli/project.h"

#include "core/base/sys.h"
#include "fs/cli/command.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOCAL_PATH JPFS_CONTROL_NAME "/" JPFS_LOCAL_NAME

static void format_path(char path[PATH_MAX], const char *place, bool is_archived, const char *name)
{
	(void)snprintf(path, PATH_MAX, "%s%s%s%s", place, place[0] != '\0' ? "/" : "",
		       is_archived ? JP_ARCHIVE_NAME "/" : "", name);
}

static int say_projected(struct jp_error *error)
{
	(void)jp_error_set(error, -EALREADY, "the workspace has it");
	return -EALREADY;
}

static int say_local(struct jp_error *error)
{
	(void)jp_error_set(error, -EALREADY, "the workspace does not have it");
	return -EALREADY;
}

static int project_mounted(int root_fd, const struct jpfs_picked *picked, struct jp_error *error)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (picked->is_here)
		return say_projected(error);
	format_path(from, LOCAL_PATH, picked->durable_is_archived, picked->durable_name);
	format_path(to, "", picked->durable_is_archived, picked->durable_name);
	if (picked->durable_is_archived && mkdirat(root_fd, JP_ARCHIVE_NAME, 0777) < 0 &&
	    errno != EEXIST)
		return -errno;
	return renameat2(root_fd, from, root_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int project_offline(struct jpfs_view *view, const struct jpfs_picked *picked,
			   struct jp_error *error)
{
	if (picked->is_here)
		return say_projected(error);
	return jpfs_local_project(view, picked->id, NULL, false);
}

static int explain_unproject(int r, struct jp_error *error)
{
	if (r == -EBUSY) {
		jp_error_remedy(error, "close it, or make its files what jp accepts");
		return jp_error_set(error, r,
				    "it is being written, or was never what jp accepts: only the "
				    "workspace has it");
	}
	return r;
}

int jpfs_unproject_mounted(int root_fd, const struct jpfs_picked *picked, struct jp_error *error)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (!picked->is_here)
		return say_local(error);
	format_path(from, "", picked->here_is_archived, picked->here_name);
	format_path(to, LOCAL_PATH, picked->here_is_archived, picked->here_name);
	return renameat2(root_fd, from, root_fd, to, RENAME_NOREPLACE) < 0
		       ? explain_unproject(-errno, error)
		       : 0;
}

int jpfs_unproject_offline(struct jpfs_view *view, const struct jpfs_picked *picked,
			   struct jp_error *error)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, picked->id);
	int r;

	if (conversation == NULL)
		return say_local(error);
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	r = jpfs_local_unproject(view, conversation, NULL, false);
	jpfs_object_unref(&conversation->object);
	return explain_unproject(r, error);
}

int jpfs_command_project(int argc, char **argv)
{
	static const struct jpfs_action action = {
		.name = "project",
		.done = "projected",
		.mounted = project_mounted,
		.offline = project_offline,
	};

	return jpfs_act(&action, argc, argv);
}

int jpfs_command_unproject(int argc, char **argv)
{
	static const struct jpfs_action action = {
		.name = "unproject",
		.done = "taken out",
		.mounted = jpfs_unproject_mounted,
		.offline = jpfs_unproject_offline,
	};

	return jpfs_act(&action, argc, argv);
}
