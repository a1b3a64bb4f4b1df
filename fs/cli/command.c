/*
 * How commands talk, and the options that all of them take.
 *
 * Lines are made whole and cleaned before they are printed, because paths and messages hold bytes
 * that somebody else chose. getopt's own messages are off: they name the wrong program and no
 * remedy.
 */
#include "fs/cli/command.h"

#include "fs/cli/suggest.h"
#include "include/jpfs.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	LINE_BYTES_MAX = PATH_MAX + 1024,
};

const struct jpfs_command jpfs_commands[] = {
	{"mount", "mount a workspace", jpfs_help_mount, jpfs_command_mount},
	{"umount", "bring both sides up to date on disk, and unmount", jpfs_help_umount,
	 jpfs_command_umount},
	{"status", "what is mounted, what is pending, the last error", jpfs_help_status,
	 jpfs_command_status},
	{"ls", "the conversations, and where each of them is", jpfs_help_ls, jpfs_command_ls},
	{"project", "give this worktree conversations that only the store has", jpfs_help_project,
	 jpfs_command_project},
	{"unproject", "take them out of this worktree; the store keeps them", jpfs_help_unproject,
	 jpfs_command_unproject},
	{"commit", "make a draft durable", jpfs_help_commit, jpfs_command_commit},
	{"discard", "show the store's version instead of a draft", jpfs_help_discard,
	 jpfs_command_discard},
	{"history", "the versions that are kept", jpfs_help_history, jpfs_command_history},
	{"show", "print a conversation, or one of its files", jpfs_help_show, jpfs_command_show},
	{"grep", "search in what was said, in all conversations", jpfs_help_grep,
	 jpfs_command_grep},
	{"diff", "what two versions do not have in common", jpfs_help_diff, jpfs_command_diff},
	{"restore", "bring back a version, or a removed conversation", jpfs_help_restore,
	 jpfs_command_restore},
	{"rm", "remove conversations, into the store's trash", jpfs_help_rm, jpfs_command_rm},
	{"gc", "prune history and trash", jpfs_help_gc, jpfs_command_gc},
	{"sync", "bring both sides together without a mount", jpfs_help_sync, jpfs_command_sync},
	{"allow", "let a workspace use the conversations kept for its ID", jpfs_help_allow,
	 jpfs_command_allow},
	{"doctor", "what may be the matter, and what to do about it", jpfs_help_doctor,
	 jpfs_command_doctor},
	{"shell-init", "mount what a shell enters", jpfs_help_shell_init, jpfs_command_shell_init},
	{"help", "more about a command", jpfs_help_help, jpfs_command_help},
	{"complete", "", NULL, jpfs_command_complete},
};
const size_t jpfs_command_count = sizeof(jpfs_commands) / sizeof(jpfs_commands[0]);

const struct jpfs_command *jpfs_command_find(const char *name)
{
	for (size_t i = 0; i < jpfs_command_count; i++) {
		if (strcmp(jpfs_commands[i].name, name) == 0)
			return &jpfs_commands[i];
	}
	return NULL;
}

printf_like(3, 0) static void print_line(FILE *to, const char *start, const char *format,
					 va_list arguments)
{
	char line[LINE_BYTES_MAX];

	(void)vsnprintf(line, sizeof(line), format, arguments);
	jp_make_printable(line);
	(void)fprintf(to, "%s: %s\n", start, line); /* main() looks at stdout when all is done */
}

bool jpfs_has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0') &&
	       terminal != NULL && strcmp(terminal, "dumb") != 0;
}

void jpfs_tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(stderr, "jpfs", format, arguments);
	va_end(arguments);
}

void jpfs_print(const char *word, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(stdout, word, format, arguments);
	va_end(arguments);
}

/* Set once, before any thread exists; NULL: message and remedy have a line each. */
static const char *brief_start;

void jpfs_fail_briefly(const char *before)
{
	brief_start = before;
}

int jpfs_fail(int r, const struct jp_error *error)
{
	const char *message = error->message[0] != '\0' ? error->message : strerrordesc_np(-r);

	if (brief_start != NULL) {
		(void)fputs(brief_start, stderr);
		jpfs_tell("%s%s%s", message, error->remedy[0] != '\0' ? "; " : "", error->remedy);
		return r == -ENOMEDIUM ? JPFS_EXIT_NO_WORKSPACE : JPFS_EXIT_FAILED;
	}
	jpfs_tell("%s", message);
	if (error->remedy[0] != '\0')
		(void)fprintf(stderr, "hint: %s\n", error->remedy); /* printable already */
	return r == -ENOMEDIUM ? JPFS_EXIT_NO_WORKSPACE : JPFS_EXIT_FAILED;
}

int jpfs_fail_usage(const char *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(stderr, "jpfs", format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "hint: `jpfs help%s%s` tells what there is\n",
		      command != NULL ? " " : "", command != NULL ? command : "");
	return JPFS_EXIT_USAGE;
}

int jpfs_change_directory(const char *directory)
{
	cleanup_close int fd = openat(AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fchdir(fd) < 0) {
		jpfs_tell("%s: %s", directory, strerrordesc_np(errno));
		return JPFS_EXIT_FAILED;
	}
	return 0;
}

int jpfs_common_option(const char *command, int option, char **argv)
{
	int r;

	switch (option) {
	case 'C':
		r = jpfs_change_directory(optarg);
		return r == 0 ? -1 : r;
	case 'h':
		(void)fputs(jpfs_command_find(command)->help, stdout);
		return JPFS_EXIT_DONE;
	case ':':
		return jpfs_fail_usage(command, "%s: %s needs a value", command, argv[optind - 1]);
	default:
		/* A wrong long option was one whole word; of a word of short ones, one is wrong. */
		if (optopt > 0 && optopt < 0x80 && isprint(optopt) &&
		    strncmp(argv[optind > 1 ? optind - 1 : 1], "--", 2) != 0)
			return jpfs_fail_usage(command, "%s: there is no option -%c", command,
					       optopt);
		return jpfs_fail_option(command, argv[optind - 1]);
	}
}

int jpfs_directory_argument(const char *command, int argc, char **argv, const char **ret_directory)
{
	if (argc - optind > 1)
		return jpfs_fail_usage(command, "%s: one directory at most, but there is also %s",
				       command, argv[optind + 1]);
	if (optind < argc && argv[optind][0] == '\0')
		return jpfs_fail_usage(command, "%s: the directory's name is empty", command);
	*ret_directory = optind < argc ? argv[optind] : ".";
	return 0;
}
