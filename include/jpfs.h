/*
 * What other programs may rely on: exit codes, extended attributes, reserved names, version.
 */
#pragma once

#define JPFS_VERSION "0.1.0"

/* Exit codes of every command, but for what grep(1) has made a habit: of `jpfs grep`, 1 is that
 * nothing was found, and 2 also that something failed. */
enum jpfs_exit {
	JPFS_EXIT_DONE = 0,
	JPFS_EXIT_FAILED = 1,
	JPFS_EXIT_USAGE = 2,
	JPFS_EXIT_NO_WORKSPACE = 3,
};

/* In the environment: 0, and nothing is mounted unasked; set by `jpfs shell-init`. */
#define JPFS_AUTOMOUNT_VARIABLE "JPFS_AUTOMOUNT"

/* Type of the filesystem in /proc/self/mountinfo. */
#define JPFS_FILESYSTEM_TYPE "fuse.jpfs"

/* The control directory in a mount's root: reachable by name, not listed. */
#define JPFS_CONTROL_NAME ".jpfs"
/* In it: what this mount is, serves and has done, as JSON. */
#define JPFS_STATUS_NAME "status.json"
/* In it: the conversations of the store that this worktree does not have. */
#define JPFS_LOCAL_NAME "local"
/* In it: the versions that are kept, one directory for each conversation. */
#define JPFS_HISTORY_NAME "history"
/* In it: each conversation as Markdown. */
#define JPFS_TRANSCRIPTS_NAME "transcripts"

/* Extended attributes of a conversation directory. */
#define JPFS_XATTR_ID "user.jpfs.id" /* decimal digits */
/* Written to, it ends the conversation's drafts: "commit" or "discard". It has no value. */
#define JPFS_XATTR_DRAFT "user.jpfs.draft"
#define JPFS_XATTR_PRESENCE "user.jpfs.presence" /* "projected", "workspace-only" or "local" */
#define JPFS_XATTR_ORIGIN "user.jpfs.origin"     /* the worktree it was started in, if known */
