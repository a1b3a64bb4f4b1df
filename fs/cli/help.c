/*
 * The help, and the command that prints it. Every text fits a terminal of 24 lines by 80 columns,
 * because the top of a longer one is what one sees last.
 */
#include "fs/cli/command.h"

#include "fs/cli/suggest.h"
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
	"  ls [DIR]        the conversations; show ID prints one, grep PATTERN searches\n"
	"  project ID...   give this worktree what only the store has; unproject: undo\n"
	"  commit ID...    make a draft durable; discard ID... shows the store's version\n"
	"  history [ID]    the versions that are kept: show, diff, restore ID[@VERSION]\n"
	"  rm ID...        remove conversations, into the store's trash; gc prunes that\n"
	"  sync [DIR]      bring both sides together without a mount\n"
	"  allow [DIR]     let this workspace use the conversations kept for its ID\n"
	"  doctor [DIR]    what may be the matter, and what to do about it\n"
	"  shell-init SHELL  for your shell's profile: mounts what you enter\n"
	"  help COMMAND    more about a command; -h, --help, --version\n"
	"  -C DIR          do as if started in DIR; also after the command\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n"
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
	"  --automount        as a shell's prompt does: nothing is asked, said or waited\n"
	"                     for; nothing is mounted that was not used or allowed before\n"
	"  -f, --foreground   don't go to the background; log to stderr, not to syslog\n"
	"  -o OPTIONS         separated by commas:\n"
	"       ro             nothing can be changed, and nothing is\n"
	"       list_control   list .jpfs in the root (it is always there by name)\n"
	"       idle_timeout=SECONDS  end when nobody has used it for so long\n"
	"       uncached       the kernel keeps nothing: slow, for tests\n"
	"       debug          print every request to stderr; needs -f\n"
	"       rw noatime nosuid nodev noexec allow_other max_read=N\n"
	"       context= fscontext= defcontext= rootcontext=\n"
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

const char jpfs_help_project[] =
	"usage: jpfs project [-C DIR] ID...\n"
	"\n"
	"Puts conversations that only the store has (`jpfs ls` calls them local) into\n"
	"this worktree, where git sees them. Mounted or not; mounted, `mv\n"
	".jp/conversations/.jpfs/local/NAME .jp/conversations/` does the same.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_unproject[] =
	"usage: jpfs unproject [-C DIR] ID...\n"
	"\n"
	"Takes conversations out of this worktree. The store keeps them, complete;\n"
	"`jpfs project` brings them back. What jp calls local.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_commit[] =
	"usage: jpfs commit [-C DIR] ID...\n"
	"\n"
	"Makes a draft durable. A draft is a version that only this worktree shows:\n"
	"what git put there and is earlier than the store's (a switch to an older\n"
	"branch), what was trimmed while nothing was mounted, and what jp would not\n"
	"accept (half an edit, conflict markers), which cannot be committed. What the\n"
	"store had is kept in its jpfs/history. `jpfs status` names the drafts.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_discard[] =
	"usage: jpfs discard [-C DIR] ID...\n"
	"\n"
	"Ends a draft (see `jpfs help commit`): the store's version is shown again. What\n"
	"it does not contain of the draft is kept in the store's jpfs/history.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_sync[] =
	"usage: jpfs sync [-C DIR] [-n] [--json] [DIR]\n"
	"\n"
	"Brings the store and .jp/conversations together without a mount, as mounting\n"
	"does, and says for each conversation what it did and why: for machines without\n"
	"FUSE and for git hooks. Nothing is lost: what loses is kept in the store's\n"
	"jpfs/history. Mounted, the daemon does this all the time, and the command waits\n"
	"until everything is on disk on both sides.\n"
	"\n"
	"  -n, --dry-run   only say what would be done\n"
	"  --json          an object: \"root\", \"mounted\", \"dry_run\", \"failed\" and\n"
	"                  \"conversations\", each with \"id\", \"name\", \"archived\", and\n"
	"                  \"outcome\" and \"reason\" of its \"stream\" and \"metadata\"\n"
	"  -C DIR          do as if started in DIR\n"
	"\n"
	"Exit codes: 0 in step, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";
const char jpfs_help_ls[] =
	"usage: jpfs ls [-C DIR] [--archived] [--local] [--sort KEY] [-r] [--json] [DIR]\n"
	"\n"
	"Lists the conversations of the workspace that DIR is in (default: here), the\n"
	"latest last; mounted or not. Presence is one of\n"
	"  projected        in your own data directory, and in this workspace for git\n"
	"  local            in your data directory only\n"
	"  workspace-only   not yet in your data directory\n"
	"and state tells of what is pinned, archived, a draft (other worktrees have\n"
	"another version; `jpfs status`), or damaged (jp would refuse its files).\n"
	"\n"
	"  --archived      also the archived ones\n"
	"  --local         only those that are not in this workspace\n"
	"  --sort KEY      activity (default), created, title, size, events or id\n"
	"  -r, --reverse   the other way around: the latest, largest first\n"
	"  --json          an array of objects: id, title, directory, path, presence,\n"
	"                  archived, draft, pinned, damaged (file names), events, turns,\n"
	"                  size, created, last_activity, expires_at, origin; what is not\n"
	"                  known is null\n"
	"  -C DIR          do as if started in DIR\n"
	"Exit codes: 0 listed, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_history[] =
	"usage: jpfs history [-C DIR] [--json] [ID]\n"
	"\n"
	"Lists what is kept of a conversation, newest first: versions of its files that\n"
	"something else took the place of, and what was removed (`jpfs rm`). Each has a\n"
	"VERSION, for `jpfs show`, `diff` and `restore`, and is told by what it has that\n"
	"the current one lacks. Without ID: the conversations of which something is kept.\n"
	"Mounted, the versions are files, too: .jp/conversations/.jpfs/history/NAME/\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  --json    an object: \"id\", \"name\" and \"versions\", each with \"version\",\n"
	"            \"kept\", \"place\" (history or trash), \"file\", \"directory\", \"size\",\n"
	"            \"what\", \"path\", \"events\" (more, other, fewer; or null). Without ID\n"
	"            an array: \"id\", \"name\", \"versions\", \"trash\", \"size\", \"last_kept\"\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 listed, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_show[] =
	"usage: jpfs show [-C DIR] ID[@VERSION] [FILE]\n"
	"\n"
	"Prints a conversation as Markdown: turns, what was said and thought, tool calls\n"
	"with their results, inquiries, attachments. What cannot be understood is named\n"
	"in its place. Mounted, it is what this worktree has, with drafts; else the\n"
	"store's. With FILE or VERSION it prints a file, the current or a kept one\n"
	"(`jpfs history` lists them). A pipe gets its exact bytes; a terminal gets text,\n"
	"with '?' for what it would obey.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  VERSION   the beginning of a version's name, or of its time in UTC\n"
	"            (20261123T1622); with FILE only those of that file are meant\n"
	"  FILE      default with VERSION: the file that the version is of\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 printed, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_restore[] =
	"usage: jpfs restore [-C DIR] ID[@VERSION] [FILE...]\n"
	"\n"
	"Makes a version that is kept (`jpfs history` lists them) the current one, in the\n"
	"store and in this worktree. What it replaces is kept, too, so that a restoration\n"
	"is undone by restoring again; a draft that this worktree has is ended. Without\n"
	"VERSION: a conversation that is only in the trash comes back, whole; with FILE\n"
	"the newest that is kept of it and differs. Files that jp does not manage are\n"
	"copied from the trash, and replace nothing.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  VERSION   the beginning of a version's name, or of its time in UTC\n"
	"  FILE      only that; of a whole conversation in the trash, a file in it\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_rm[] =
	"usage: jpfs rm [-C DIR] [-f] ID...\n"
	"\n"
	"Removes conversations: from this worktree, and from the store into its trash,\n"
	"whole. `jpfs restore ID` brings one back until `jpfs gc` prunes it. Asks first,\n"
	"at a terminal; refuses where nobody can be asked. Another worktree that has a\n"
	"copy keeps that. To take one out of this worktree only: `jpfs unproject`.\n"
	"\n"
	"  ID           an ID, the beginning of one that no other has, a directory's\n"
	"               name, or a path to it\n"
	"  -f, --force  don't ask\n"
	"  -C DIR       do as if started in DIR\n"
	"\n"
	"Exit codes: 0 removed, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_gc[] =
	"usage: jpfs gc [-n] [--age DAYS] [--keep N] [--size SIZE] [--json] [DIR]\n"
	"\n"
	"Prunes what the store keeps in its jpfs/history and jpfs/trash. Nothing does\n"
	"that by itself; daemons may run meanwhile.\n"
	"\n"
	"  --age DAYS     what is older goes (90; also 12w), but\n"
	"  --keep N       of each file the last N versions stay (10), whatever their age;\n"
	"                 of the trash none\n"
	"  --size SIZE    where all of it takes more (1G), the oldest goes, but never the\n"
	"                 newest version of a file, nor what is younger than 30 days (or\n"
	"                 than --age, if that is less)\n"
	"  -n, --dry-run  only say what would go\n"
	"  --json         an object: \"dry_run\", \"pruned\" (each with \"id\", \"version\",\n"
	"                 \"place\", \"file\", \"kept\", \"size\", \"reason\"), \"freed\", "
	"\"left\"\n"
	"  -C DIR         do as if started in DIR\n"
	"\n"
	"JPFS_GC_AGE, JPFS_GC_KEEP and JPFS_GC_SIZE in the environment are defaults.\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_grep[] =
	"usage: jpfs grep [OPTIONS] PATTERN [DIR]\n"
	"\n"
	"Searches in what was said: messages, reasoning, tool calls and their results, in\n"
	"all conversations of the project, live, local and archived, mounted or not.\n"
	"Prints the ID and the title, then turn, role and line of what matches.\n"
	"PATTERN is an extended regular expression.\n"
	"\n"
	"  -i, -w    small and large letters are the same; only whole words\n"
	"  -F, -E    PATTERN is a text, or an expression (default)\n"
	"  -e PATTERN           more of them, or one that begins with -\n"
	"  -l, -c, -q           only the conversations; with counts; nothing at all\n"
	"  -m N                 at most N lines of each\n"
	"  -A, -B, --context N  and N lines after it, before it, or both\n"
	"  --role ROLE          of user, assistant, reasoning or tool; may be repeated\n"
	"  --local, --no-archived   only these; without those\n"
	"  --no-heading         the ID in each line instead\n"
	"  --color WHEN         auto, always or never\n"
	"  --json    an object a line: id, title, directory, path, presence, archived,\n"
	"            turn, role, time, line, context, matches; with -c count\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes, grep's: 0 found, 1 not, 2 failed, 3 not in a jp workspace.\n";

const char jpfs_help_diff[] =
	"usage: jpfs diff [-C DIR] [--json] ID[@VERSION] [@VERSION]\n"
	"\n"
	"Tells what has become of a version that is kept (`jpfs history` lists them): up\n"
	"to the current one, or to the second VERSION. Of events, which were added (+),\n"
	"removed (-) or changed (~, both beginnings); of metadata and base configuration,\n"
	"which keys. Without VERSION: since the newest that is kept of the events.\n"
	"\n"
	"  ID        an ID, the beginning of one that no other has, a directory's name,\n"
	"            or a path to it\n"
	"  VERSION   the beginning of a version's name, or of its time in UTC\n"
	"  --json    an object: \"id\", \"name\", \"file\", \"old\", \"new\" (null: current), and\n"
	"            \"changes\": of events \"change\", \"type\", \"timestamp\", \"old\", \"new\"\n"
	"            (beginnings); else \"key\", \"old\", \"new\" (as JSON text, or null)\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 told, with or without differences, 1 failed, 2 wrong usage, 3 not\n"
	"in a jp workspace.\n";

const char jpfs_help_allow[] =
	"usage: jpfs allow [-C DIR] [DIR]\n"
	"\n"
	"Lets the workspace that DIR is in (default: here) use the conversations that\n"
	"are kept for its ID. The ID is committed with a project, so anybody can put\n"
	"yours into a repository: a directory that is new to your conversations needs\n"
	"your word, once. Git worktrees of a project that has it need none. With\n"
	"`jpfs shell-init` in the shell, it is then mounted at once.\n"
	"\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 allowed, 1 failed, 2 wrong usage, 3 not in a jp workspace.\n";

const char jpfs_help_doctor[] =
	"usage: jpfs doctor [-C DIR] [--json] [DIR]\n"
	"\n"
	"Looks at whatever may keep jpfs from working: the FUSE device and fusermount3,\n"
	"limits, dead mounts, the shell, the store and its permissions, and, when DIR\n"
	"(default: here) is in a workspace, that one's mount, last error, drafts, silo\n"
	"and trust. Changes nothing. One line for each, and a hint where there is\n"
	"something to do. \"note\" may be on purpose, \"wrong\" is not.\n"
	"\n"
	"  --json    an array of objects: check, verdict (ok, note or wrong), message\n"
	"            and, where there is something to do, remedy\n"
	"  -C DIR    do as if started in DIR\n"
	"\n"
	"Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.\n";

const char jpfs_help_shell_init[] =
	"usage: jpfs shell-init bash|zsh|fish\n"
	"\n"
	"Prints what an interactive shell evaluates so that a jp workspace is mounted\n"
	"when a prompt appears in it, in the background. One of these lines in the\n"
	"shell's own file, after those of other prompt hooks:\n"
	"\n"
	"  ~/.bashrc                    eval \"$(jpfs shell-init bash)\"\n"
	"  ~/.zshrc                     eval \"$(jpfs shell-init zsh)\"\n"
	"  ~/.config/fish/config.fish   jpfs shell-init fish | source\n"
	"\n"
	"A workspace that you don't own is left alone; one that was never used with jpfs\n"
	"is named once, and `jpfs allow` lets it be mounted. JPFS_AUTOMOUNT=0 turns it\n"
	"off, for a directory too (with direnv, for example). `jpfs umount` stays in\n"
	"force until the workspace is entered anew.\n"
	"\n"
	"Sets GIT_DISCOVERY_ACROSS_FILESYSTEM=1: else git, started in a conversation's\n"
	"directory, finds no repository. Completions for bash and zsh come with it.\n"
	"\n"
	"Exit codes: 0 printed, 2 wrong usage.\n";

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
	if (command == NULL || command->help == NULL || argc - optind > 1)
		return jpfs_fail_command(argv[argc - optind > 1 ? optind + 1 : optind]);
	(void)fputs(command->help, stdout);
	return JPFS_EXIT_DONE;
}
