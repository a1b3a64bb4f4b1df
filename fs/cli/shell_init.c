/*
 * `jpfs shell-init`: what a shell evaluates so that workspaces are mounted when they are entered.
 *
 * The scripts are in share/, one for each shell. All that differs from one installation to the next
 * is where this program is, and that is said before the script: the shell may have another PATH
 * later, or none that has it. After it come the completions.
 */
#include "fs/cli/command.h"

#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

extern const char jpfs_shell_init_bash[], jpfs_shell_init_fish[], jpfs_shell_init_zsh[];
extern const char jpfs_completions_bash[], jpfs_completions_zsh[];

static const struct shell {
	const char *name;
	const char *script;
	const char *assignment;
	const char *escapes; /* what needs a backslash in single quotes; NULL: '\'' is the way */
	/* Around the completions, for a shell that may not look where they are installed: bash
	 * without bash-completion, and zsh, unless it is for everybody. */
	const char *before, *completions, *after;
} shells[] = {
	{"bash", jpfs_shell_init_bash, "_jpfs_program=", NULL, "\n", jpfs_completions_bash, ""},
	{"zsh", jpfs_shell_init_zsh, "typeset -g _jpfs_program=", NULL,
	 "\nif (( ${+functions[compdef]} )) && (( ! ${+_comps[jpfs]} )); then\n_jpfs() {\n",
	 jpfs_completions_zsh, "}\ncompdef _jpfs jpfs\nfi\n"},
	{"fish", jpfs_shell_init_fish, "set -g _jpfs_program ", "'\\", "", "", ""},
};

static void print_quoted(const struct shell *shell, const char *text)
{
	(void)putchar('\'');
	for (const char *at = text; *at != '\0'; at++) {
		if (shell->escapes == NULL && *at == '\'') {
			(void)fputs("'\\''", stdout);
			continue;
		}
		if (shell->escapes != NULL && strchr(shell->escapes, *at) != NULL)
			(void)putchar('\\');
		(void)putchar(*at);
	}
	(void)putchar('\'');
}

int jpfs_command_shell_init(int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	char program[PATH_MAX] = "jpfs"; /* without /proc, as PATH has it */
	ssize_t size;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option("shell-init", option, argv);
		if (r >= 0)
			return r;
	}
	if (argc - optind != 1)
		return jpfs_fail_usage("shell-init", "shell-init: name one shell: bash, zsh or "
						     "fish");
	size = readlinkat(AT_FDCWD, "/proc/self/exe", program, sizeof(program) - 1);
	if (size > 0)
		program[size] = '\0';
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shells[i].name, argv[optind]) != 0)
			continue;
		(void)fputs(shells[i].assignment, stdout);
		print_quoted(&shells[i], program);
		(void)printf("\n%s%s%s%s", shells[i].script, shells[i].before,
			     shells[i].completions, shells[i].after);
		return JPFS_EXIT_DONE;
	}
	return jpfs_fail_usage("shell-init", "shell-init: %s is not bash, zsh or fish",
			       argv[optind]);
}
