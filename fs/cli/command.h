/*
 * The commands, and what they share: how they talk to a person.
 *
 * Results go to stdout, one `word: value` in a line; everything else to stderr, as one line
 * "jpfs: WHAT HAPPENED" and one "hint: WHAT TO DO". Nothing that came from a file name reaches a
 * terminal unchecked.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct jpfs_command {
	const char *name;
	const char *what; /* in a few words, for completions and manual pages */
	const char *help; /* the whole text of `jpfs help NAME`; NULL: not for people */
	/* argv[0] is the command's name, getopt's state is fresh. Returns an exit code. */
	int (*run)(int argc, char **argv);
};

/* All of them, in the order of the help; `count` in them. */
extern const struct jpfs_command jpfs_commands[];
extern const size_t jpfs_command_count;

/* The command of that name, or NULL. */
const struct jpfs_command *jpfs_command_find(const char *name);

int jpfs_command_mount(int argc, char **argv);
int jpfs_command_umount(int argc, char **argv);
int jpfs_command_status(int argc, char **argv);
int jpfs_command_ls(int argc, char **argv);
int jpfs_command_project(int argc, char **argv);
int jpfs_command_unproject(int argc, char **argv);
int jpfs_command_commit(int argc, char **argv);
int jpfs_command_discard(int argc, char **argv);
int jpfs_command_sync(int argc, char **argv);
int jpfs_command_allow(int argc, char **argv);
int jpfs_command_diff(int argc, char **argv);
int jpfs_command_gc(int argc, char **argv);
int jpfs_command_grep(int argc, char **argv);
int jpfs_command_history(int argc, char **argv);
int jpfs_command_restore(int argc, char **argv);
int jpfs_command_rm(int argc, char **argv);
int jpfs_command_show(int argc, char **argv);
int jpfs_command_complete(int argc, char **argv);
int jpfs_command_doctor(int argc, char **argv);
int jpfs_command_shell_init(int argc, char **argv);
int jpfs_command_help(int argc, char **argv);

extern const char jpfs_help_overview[];
extern const char jpfs_help_mount[], jpfs_help_umount[], jpfs_help_status[], jpfs_help_allow[],
	jpfs_help_help[], jpfs_help_project[], jpfs_help_unproject[], jpfs_help_commit[],
	jpfs_help_discard[], jpfs_help_sync[], jpfs_help_ls[], jpfs_help_history[],
	jpfs_help_show[], jpfs_help_restore[], jpfs_help_rm[], jpfs_help_gc[], jpfs_help_diff[],
	jpfs_help_shell_init[], jpfs_help_doctor[], jpfs_help_grep[];

/* The short options that every command takes, and its long ones, for getopt_long(3). */
#define JPFS_COMMON_SHORT "C:h"
#define JPFS_COMMON_LONG                                                                           \
	{"help", no_argument, NULL, 'h'},                                                          \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}

/*
 * Do what an option that every command takes asks for, or say that there is no such option.
 *
 * Shape:   command      its name
 *          option       as getopt_long(3) returned it; its other results are looked at
 *          argv         as given to it
 * Returns: -1 go on; an exit code otherwise.
 */
must_check int jpfs_common_option(const char *command, int option, char **argv);

/*
 * The one directory that a command takes: "." without it.
 * Returns: 0, or an exit code; it was said what is wrong.
 */
must_check int jpfs_directory_argument(const char *command, int argc, char **argv,
				       const char **ret_directory);

/* Make a directory the current one, as `-C` asks. 0 or an exit code. */
must_check int jpfs_change_directory(const char *directory);

/* Say what went wrong: message and, if there is one, remedy. `r` chooses among the exit codes. */
int jpfs_fail(int r, const struct jp_error *error);

/* From here on, jpfs_fail() says both in one line, for who did not ask; `before` comes first, and
 * is a constant. */
void jpfs_fail_briefly(const char *before);

/* Say how a command was wrongly used; `command` may be NULL. Returns JPFS_EXIT_USAGE. */
int jpfs_fail_usage(const char *command, const char *format, ...) printf_like(2, 3);

/* Whether stdout is a terminal that shows colours, to somebody who wants them. */
bool jpfs_has_colour(void);

/* A line on stderr, after "jpfs: ". */
void jpfs_tell(const char *format, ...) printf_like(1, 2);

/* A line on stdout: `word: text`. */
void jpfs_print(const char *word, const char *format, ...) printf_like(2, 3);
