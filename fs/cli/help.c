/*
 * The help, and the command that prints it. Every text fits a terminal of 24 lines by 80 columns,
 * because the top of a longer one is what one sees last.
 */
#include "fs/cli/command.h"

#include "include/jpfs.h"

#include <getopt.h>
#include <stdio.h>

const char jpfs_help_overview[] =
	"usage: jpfs [-C DIR] COMMAND [ARGUMENTS]\n"
	"\n"
	"Serves the conversations of a jp workspace from your own data directory, so\n"
	"that they outlive the git worktree. .jp/conversations stays as a copy for git.\n"
	"\n"
	"  mount [DIR]     mount the workspace that DIR is in (default: here)\n"
	"  umount [DIR]    bring both sides up to date on disk, and unmount\n"
	"  status [DIR]    what is mounted, what is pending, the last error\n"
	"  allow [DIR]     let this workspace use the conversations kept for its ID\n"
	"  help COMMAND    more about a command\n"
	"\n"
	"  -C DIR          do as if started in DIR; also after the command\n"
	"  -h, --help      this text\n"
	"  --version       the version\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n"
	"\n"
	"Conversations are kept in ~/.local/share/jp/workspace/<name>-<id>/conversations\n"
	"(JP_USER_DATA_DIR and XDG_DATA_HOME change that, as they do for jp).\n";

const char jpfs_help_mount[] =
	"usage: jpfs mount [-C DIR] [-f] [-o OPTIONS] [DIR]\n"
	"\n"
	"Mounts the workspace that DIR is in (default: here) over its .jp/conversations.\n"
	"Returns when files can be used; a daemon then serves them until `jpfs umount`,\n"
	"or until the worktree is removed. Already mounted is fine. A dead mount is\n"
	"cleaned up and mounted anew. A workspace that is new to conversations kept\n"
	"already is asked about once; `jpfs allow` answers beforehand.\n"
	"\n"
	"  -f, --foreground   don't go to the background; log to stderr, not to syslog\n"
	"  -o OPTIONS         separated by commas:\n"
	"       ro             nothing can be changed, and nothing is\n"
	"       list_control   list .jpfs in the root (it is always there by name)\n"
	"       debug          print every request to stderr; needs -f\n"
	"       rw noatime nosuid nodev noexec allow_other max_read=N\n"
	"       context=... fscontext=... defcontext=... rootcontext=...\n"
	"                      as for other FUSE filesystems\n"
	"  -C DIR             do as if started in DIR\n"
	"\n"
	"JPFS_DEBUG=1 in the environment makes the log say more.\n"
	"Exit codes: 0 mounted, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_umount[] =
	"usage: jpfs umount [-C DIR] [--lazy] [DIR | --all]\n"
	"\n"
	"Unmounts the workspace that DIR is in (default: here). When it returns 0,\n"
	"everything is on disk on both sides: in the store, and in .jp/conversations.\n"
	"What could not be written is said, and the mount then stays. Not mounted is\n"
	"fine. A dead mount is taken away. A daemon that waits for a removed\n"
	".jp/conversations to come back is ended.\n"
	"\n"
	"  --all     every mount of yours\n"
	"  --lazy    also while files are open, and also when something could not be\n"
	"            written: what is in use goes on until it is closed\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_status[] =
	"usage: jpfs status [-C DIR] [--json] [DIR]\n"
	"\n"
	"Tells about the workspace that DIR is in (default: here); without DIR and\n"
	"outside of all workspaces, about every mount of yours: ID, where the\n"
	"conversations are kept, the daemon, conversations by presence, what is not\n"
	"yet written, the last error.\n"
	"\n"
	"State is one of\n"
	"  mounted        served by a daemon\n"
	"  detached       nothing is mounted here, but the daemon lives: it waits for\n"
	"                 .jp/conversations to come back, or serves another container\n"
	"  dead           the daemon was killed; `jpfs mount` repairs it\n"
	"  not mounted\n"
	"\n"
	"  --json    an array of objects, with the keys of .jpfs/status.json and\n"
	"            \"mount_point\" and \"state\"\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 told, 1 failed, 2 wrong usage, 3 DIR is not in a jp workspace.\n";

const char jpfs_help_allow[] =
	"usage: jpfs allow [-C DIR] [DIR]\n"
	"\n"
	"Lets the workspace that DIR is in (default: here) use the conversations that\n"
	"are kept for its ID. The ID is committed with a project, so anybody can put\n"
	"yours into a repository: a directory that is new to your conversations needs\n"
	"your word, once. Git worktrees of a project that has it need none.\n"
	"\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 allowed, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_help[] = "usage: jpfs help [COMMAND]\n"
			      "\n"
			      "Tells about a command, or what commands there are.\n";

int jpfs_command_help(int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	const struct jpfs_command *command;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option("help", option, argv);
		if (r >= 0)
			return r;
	}
	if (optind == argc) {
		(void)fputs(jpfs_help_overview, stdout);
		return JPFS_EXIT_DONE;
	}
	command = jpfs_command_find(argv[optind]);
	if (command == NULL || argc - optind > 1)
		return jpfs_fail_usage(NULL, "there is no command %s",
				       argv[command == NULL ? optind : optind + 1]);
	(void)fputs(command->help, stdout);
	return JPFS_EXIT_DONE;
}
