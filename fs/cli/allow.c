/*
 * `jpfs allow`: the user's word that a workspace may use what is kept for its ID.
 */
#include "fs/cli/automount.h"
#include "fs/cli/command.h"

#include "core/silo.h"
#include "core/trust.h"
#include "core/user_data.h"
#include "core/workspace.h"
#include "include/jpfs.h"

#include <getopt.h>

/* Where workspaces are mounted when they are entered, this one was just kept from it. */
static int mount_it(const struct jp_workspace *workspace)
{
	char name[] = "mount";
	char *argv[] = {name, workspace->root_path, NULL};

	optind = 0;
	return jpfs_command_mount(2, argv);
}

/* The first to use an ID needs no permission. */
static int tell_nothing(const struct jp_workspace *workspace)
{
	if (jpfs_automount_is_on())
		return mount_it(workspace);
	jpfs_print("nothing to allow", "no conversations are kept for %s yet",
		   workspace->root_path);
	return JPFS_EXIT_DONE;
}

int jpfs_command_allow(int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	cleanup_workspace struct jp_workspace workspace = {0};
	cleanup_silo struct jp_silo silo = {0};
	cleanup_free char *user_data = NULL;
	struct jp_error error = {0};
	const char *directory;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option("allow", option, argv);
		if (r >= 0)
			return r;
	}
	r = jpfs_directory_argument("allow", argc, argv, &directory);
	if (r != 0)
		return r;
	r = jp_workspace_find(directory, &workspace, &error);
	if (r == 0 && workspace.id[0] == '\0')
		return tell_nothing(&workspace);
	if (r == 0)
		r = jp_user_data_dir(&user_data, &error);
	if (r == 0)
		r = jp_silo_open(user_data, workspace.id, jp_workspace_slug(&workspace), false,
				 &silo, &error);
	/* Made by the first mount, which then imports what the workspace has. */
	if (r == -ENOENT && user_data != NULL)
		return tell_nothing(&workspace);
	jp_silo_release(&silo);
	if (r == 0) /* jp may have made it, and then the list has no place yet */
		r = jp_silo_open(user_data, workspace.id, jp_workspace_slug(&workspace), true,
				 &silo, &error);
	if (r == 0)
		r = jp_trust_add(&silo, &workspace, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	jpfs_print("allowed", "%s", workspace.root_path);
	if (jpfs_automount_is_on())
		return mount_it(&workspace);
	jpfs_print("kept in", "%s/conversations", silo.path);
	return JPFS_EXIT_DONE;
}
