/*
 * `jpfs rm`: removes conversations from the store, into its trash.
 *
 * In two steps, each whole: first the conversation leaves this worktree, and with it everything
 * that was written and not yet stored; then its durable directory goes to the trash by one rename.
 * What stops in between leaves a conversation that is local.
 */
#include "core/restore.h"
#include "fs/cli/command.h"
#include "fs/cli/project.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_BYTES_MAX 16

static const char *name_of(const struct jpfs_picked *picked)
{
	return picked->is_here ? picked->here_name : picked->durable_name;
}

/* Ask at the terminal. Only a clear yes is one. */
static bool user_agrees(const struct jpfs_picked *picked, size_t count)
{
	char answer[ANSWER_BYTES_MAX];

	for (size_t i = 0; i < count; i++)
		jpfs_tell("to be removed: %s", name_of(&picked[i]));
	(void)fprintf(stderr, "Remove %s from the store, for every worktree? [y/N] ",
		      count == 1 ? "it" : "them");
	(void)fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

/* 0 it is wanted; -EPERM. */
static int check_will(const struct jpfs_picked *picked, size_t count, bool force,
		      struct jp_error *error)
{
	if (force)
		return 0;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
		if (user_agrees(picked, count))
			return 0;
		return jp_error_set(error, -EPERM, "nothing was removed");
	}
	jp_error_remedy(error, "--force removes without asking; `jpfs unproject` takes it out of "
			       "this worktree only");
	return jp_error_set(error, -EPERM, "%s: nobody can be asked whether to remove it",
			    name_of(&picked[0]));
}

struct leaving {
	const struct jpfs_picked *picked;
	struct jp_error *error;
};

static int leave_offline(struct jpfs_view *view, void *context)
{
	const struct leaving *leaving = context;

	return jpfs_unproject_offline(view, leaving->picked, leaving->error);
}

static int leave_mounted(const struct jpfs_site *site, const struct jpfs_picked *picked,
			 struct jp_error *error)
{
	cleanup_close int root =
		openat(AT_FDCWD, site->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : jpfs_unproject_mounted(root, picked, error);
}

static int remove_one(struct jpfs_site *site, const struct jpfs_picked *picked,
		      struct jp_error *error)
{
	struct leaving leaving = {picked, error};
	int r = 0;

	if (picked->is_here)
		r = site->is_mounted ? leave_mounted(site, picked, error)
				     : jpfs_site_with_engine(site, picked->id, leave_offline,
							     &leaving, error);
	if (r < 0 && r != -EALREADY)
		return r;
	r = jp_remove_conversation(&site->silo, picked->id);
	if (r == -EBUSY) {
		jp_error_remedy(error, "wait until jp is done with it");
		return jp_error_set(error, r, "jp is working on it; the store has it still");
	}
	return r;
}

static int remove_all(struct jpfs_site *site, char **names, size_t count, bool force)
{
	cleanup_free struct jpfs_picked *picked = calloc(count, sizeof(*picked));
	cleanup_choice struct jpfs_choice choice = {0};
	struct jp_error error = {0};
	int exit_code = JPFS_EXIT_DONE, r = picked == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = jpfs_site_choose(site, &choice);
	/* All of them first: a wrong name changes nothing. */
	for (size_t i = 0; i < count && r == 0; i++)
		r = jpfs_pick(&choice, names[i], &picked[i], &error);
	if (r == 0)
		r = check_will(picked, count, force, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	for (size_t i = 0; i < count; i++) {
		error = (struct jp_error){0};
		r = remove_one(site, &picked[i], &error);
		if (r == 0) {
			jpfs_print("removed", "%s", name_of(&picked[i]));
			continue;
		}
		struct jp_error whole = error;

		jp_error_set(&whole, r, "%s: %s", name_of(&picked[i]),
			     error.message[0] != '\0' ? error.message : strerrordesc_np(-r));
		r = jpfs_fail(r, &whole);
		exit_code = exit_code == JPFS_EXIT_DONE ? r : exit_code;
	}
	return exit_code;
}

int jpfs_command_rm(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"force", no_argument, NULL, 'f'},
		JPFS_COMMON_LONG,
	};
	cleanup_site struct jpfs_site site = {0};
	bool force = false;
	int option, r;

	while ((option = getopt_long(argc, argv, ":f" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		if (option == 'f') {
			force = true;
			continue;
		}
		r = jpfs_common_option("rm", option, argv);
		if (r >= 0)
			return r;
	}
	if (optind == argc)
		return jpfs_fail_usage("rm", "rm: which conversation?");
	jpfs_log_open(true);
	r = jpfs_site_open(".", true, &site);
	return r != 0 ? r : remove_all(&site, argv + optind, (size_t)(argc - optind), force);
}
