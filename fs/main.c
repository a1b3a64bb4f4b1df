/*
 * jpfs, the program: finds the command and runs it.
 */
#include "fs/cli/command.h"
#include "fs/cli/suggest.h"
#include "include/jpfs.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* 0, 1 and 2 are open from here on: else the next file that is opened would be somebody's stderr.
 */
static void open_standard_descriptors(void)
{
	int fd;

	do {
		fd = openat(AT_FDCWD, "/dev/null", O_RDWR); /* kept open on purpose */
	} while (fd >= 0 && fd < STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

static int run(int argc, char **argv)
{
	enum { VERSION = 256 };
	static const struct option long_options[] = {
		{"version", no_argument, NULL, VERSION},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const struct jpfs_command *command;
	int option, r;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:C:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'C':
			r = jpfs_change_directory(optarg);
			if (r != 0)
				return r;
			break;
		case 'h':
			(void)fputs(jpfs_help_overview, stdout);
			return JPFS_EXIT_DONE;
		case VERSION:
			(void)puts("jpfs " JPFS_VERSION);
			return JPFS_EXIT_DONE;
		case ':':
			return jpfs_fail_usage(NULL, "%s needs a directory", argv[optind - 1]);
		default:
			/* Of a word of short options, one is wrong, and optind is still before it. */
			if (optopt > 0 && optopt < 0x80 && isprint(optopt) &&
			    strncmp(argv[optind > 1 ? optind - 1 : 1], "--", 2) != 0)
				return jpfs_fail_usage(NULL, "there is no option -%c", optopt);
			return jpfs_fail_option(NULL, argv[optind - 1]);
		}
	}
	if (optind == argc) {
		(void)fputs(jpfs_help_overview, stderr);
		return JPFS_EXIT_USAGE;
	}
	command = jpfs_command_find(argv[optind]);
	if (command == NULL)
		return jpfs_fail_command(argv[optind]);
	argv += optind;
	argc -= optind;
	optind = 0; /* glibc starts anew then */
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	int exit_code;

	open_standard_descriptors();
	exit_code = run(argc, argv);
	/* A result that did not reach anybody is none. */
	if ((fflush(stdout) != 0 || ferror(stdout) != 0) && exit_code == JPFS_EXIT_DONE) {
		jpfs_tell("stdout: %s", strerrordesc_np(errno));
		exit_code = JPFS_EXIT_FAILED;
	}
	return exit_code;
}
