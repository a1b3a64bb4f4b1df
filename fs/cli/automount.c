/* Mounting a workspace because somebody came to it. See automount.h. */
#include "fs/cli/automount.h"

#include "core/silo.h"
#include "core/trust.h"
#include "fs/cli/command.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool jpfs_automount_is_on(void)
{
	const char *text = getenv(JPFS_AUTOMOUNT_VARIABLE);

	return text != NULL && text[0] != '\0' && strcmp(text, "0") != 0;
}

static bool is_own(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

bool jpfs_automount_is_wanted(const struct jp_workspace *workspace)
{
	const char *text = getenv(JPFS_AUTOMOUNT_VARIABLE);

	return (text == NULL || strcmp(text, "0") != 0) && is_own(workspace->root_fd) &&
	       is_own(workspace->jp_fd);
}

static int refuse(const struct jp_workspace *workspace, struct jp_error *error)
{
	*error = (struct jp_error){0};
	jp_error_remedy(error, "if it is yours, run `jpfs allow %s`", workspace->root_path);
	return jp_error_set(error, -EPERM, "%s was not used with jpfs before, and is not mounted",
			    workspace->root_path);
}

int jpfs_automount_check(const char *user_data, const struct jp_workspace *workspace,
			 struct jp_error *error)
{
	cleanup_silo struct jp_silo silo = {0};
	int r;

	if (workspace->id[0] == '\0')
		return refuse(workspace, error);
	r = jp_silo_open(user_data, workspace->id, jp_workspace_slug(workspace), false, &silo,
			 error);
	if (r == -ENOENT)
		return refuse(workspace, error);
	if (r < 0)
		return r;
	r = jp_trust_check(&silo, workspace);
	if (r < 0)
		return jp_error_set(error, r, "%s: cannot tell whether it may use %s: %s",
				    workspace->root_path, silo.path, strerrordesc_np(-r));
	return r > 0 ? 0 : refuse(workspace, error);
}

void jpfs_automount_be_quiet(void)
{
	cleanup_close int null = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) { /* else there is something to read, and no harm done */
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
	jpfs_fail_briefly("");
}

int jpfs_automount_leave_prompt(void)
{
	struct jp_error error = {0};
	pid_t pid = fork();

	if (pid < 0)
		return jpfs_fail(-errno, &error);
	if (pid > 0)
		return JPFS_EXIT_DONE;
	/* Neither the end of the terminal nor a Ctrl-C in it is meant for this. */
	(void)setsid(); /* never a leader, so it cannot fail */
	if (isatty(STDERR_FILENO))
		jpfs_fail_briefly("\n"); /* a prompt is in that line by now */
	return -1;
}
