/*
 * Opening a workspace's silo, with its owner's word where that is needed.
 *
 * Every command that reads or changes conversations goes through here: what `jpfs mount` would not
 * show without asking, no other command may show or change either.
 */
#include "fs/cli/open.h"

#include "core/trust.h"
#include "core/user_data.h"
#include "fs/cli/command.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_BYTES_MAX 16

/* Ask at the terminal. Only a clear yes is one. */
static bool user_agrees(const struct jp_workspace *workspace, const struct jp_silo *silo)
{
	char answer[ANSWER_BYTES_MAX];

	jpfs_tell("%s is new to the conversations kept in %s.", workspace->root_path, silo->path);
	(void)fprintf(stderr, "Whoever wrote this workspace could have chosen that on purpose. "
			      "Use them here? [y/N] ");
	(void)fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static int check_trust(const struct jp_silo *silo, const struct jp_workspace *workspace,
		       struct jp_error *error)
{
	int r = jp_trust_check(silo, workspace);

	if (r < 0)
		return jp_error_set(error, r, "%s: cannot tell whether it may use %s: %s",
				    workspace->root_path, silo->path, strerrordesc_np(-r));
	if (r > 0)
		return 0;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
		if (user_agrees(workspace, silo))
			return 0;
		return jp_error_set(error, -EPERM, "%s: not mounted", workspace->root_path);
	}
	jp_error_remedy(error, "if this workspace is yours, run `jpfs allow %s`",
			workspace->root_path);
	return jp_error_set(error, -EPERM, "%s is new to the conversations kept in %s",
			    workspace->root_path, silo->path);
}

int jpfs_open_silo(const char *user_data, const struct jp_workspace *workspace,
		   struct jp_silo *ret_silo, struct jp_error *error)
{
	const char *slug = jp_workspace_slug(workspace);
	cleanup_silo struct jp_silo existing = {0}, silo = {0};
	int r;

	/* Whoever may not use it must not have changed it by asking. */
	r = jp_silo_open(user_data, workspace->id, slug, false, &existing, error);
	if (r == 0)
		r = check_trust(&existing, workspace, error);
	else if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return r;
	*error = (struct jp_error){0};
	r = jp_silo_open(user_data, workspace->id, slug, true, &silo, error);
	/* Somebody else may have made it since. */
	if (r == 0 && existing.path == NULL)
		r = check_trust(&silo, workspace, error);
	if (r == 0)
		r = jp_trust_add(&silo, workspace, error);
	if (r < 0)
		return r;
	*ret_silo = silo;
	silo = (struct jp_silo){0}; /* the caller has it now */
	return 0;
}

int jpfs_open_existing_silo(const struct jp_workspace *workspace, struct jp_silo *ret_silo,
			    struct jp_error *error)
{
	cleanup_silo struct jp_silo silo = {0};
	cleanup_free char *user_data = NULL;
	int r;

	if (workspace->id[0] == '\0')
		return -ENOENT;
	r = jp_user_data_dir(&user_data, error);
	if (r == 0)
		r = jp_silo_open(user_data, workspace->id, jp_workspace_slug(workspace), false,
				 &silo, error);
	if (r == 0)
		r = check_trust(&silo, workspace, error);
	if (r < 0)
		return r;
	*ret_silo = silo;
	silo = (struct jp_silo){0}; /* the caller has it now */
	return 0;
}
