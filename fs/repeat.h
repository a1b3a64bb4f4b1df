/*
 * What changed outside the mount, for those who watch it.
 *
 * inotify tells of what is done through the mount, and of nothing else: a turn that jp adds in the
 * store, or another worktree writes, is there for whoever looks, but nobody who waits is woken. So
 * such a change is *repeated*: the companion does through the mount what looks like it, and the
 * handlers, which know it by its process number, answer with what is true and touch nothing. No
 * watch on the store sees anything of it, so two mounts cannot echo each other.
 *
 *     changed   opened for writing, truncated to the size that it has, closed. The version that the
 *               kernel had is the one that is opened, and its name is prodded before it is
 *               truncated: who watches the directory hears that the name was written (MODIFY,
 *               CLOSE_WRITE) when it leads to the new version, and who watches the file is told
 *               besides that it is gone (DELETE_SELF), as after a rename over it. Of a file that we
 *               may not write, at least a change of its attributes is heard.
 *     came      made with mknod(2), then as above
 *     went      unlinked
 *
 * A change is noted where it is found out, under the conversation's lock, and sent to the companion
 * with the next look (told.c), in place of the prod for that name. What is on its way there is
 * remembered: only for a name that came is the companion told that there is none yet, and only for
 * one that went is it told that there still is one, and does an unlink of it succeed.
 *
 * The kernel does not say who watches. But whoever does holds the directory, so a conversation that
 * the kernel does not know has nobody who watches, and nothing is repeated.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct jpfs_conversation;
struct jpfs_entry;

enum jpfs_change { JPFS_CHANGED, JPFS_CAME, JPFS_WENT };

/* A change of a file in a conversation. */
struct jpfs_repeat {
	struct jpfs_repeat *next;
	enum jpfs_change change;
	bool is_sent; /* to the companion: it came or went, and was not repeated yet */
	char path[];  /* in the conversation's directory */
};

/* A file that is shown changed, came or went without the kernel's doing. */
void jpfs_repeat_note_locked(struct jpfs_conversation *conversation, const char *path,
			     enum jpfs_change change);
/* The durable version of a managed file is about to be accepted that was not met before; NULL: that
 * there is none. `shows_workspace`: what the store lacked until now was shown from the workspace. */
void jpfs_repeat_note_durable_locked(struct jpfs_conversation *conversation, int which,
				     const struct stat *durable, bool shows_workspace);

/* The next one that was not sent, counted as sent: its path from the mount's root, and what to tell
 * of the file. False: there is none. */
bool jpfs_repeat_take_locked(struct jpfs_conversation *conversation, enum jpfs_change *ret_change,
			     char **ret_path, struct stat *ret);

/* For the companion's own requests: whether this is under way. Whoever carries it out forgets it. */
bool jpfs_repeat_is_sent_locked(const struct jpfs_conversation *conversation, const char *path,
				enum jpfs_change change);
void jpfs_repeat_forget_locked(struct jpfs_conversation *conversation, const char *path);
void jpfs_repeats_free(struct jpfs_repeat **repeats);
