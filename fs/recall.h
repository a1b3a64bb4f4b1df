/*
 * What the kernel was told of a file that was written here, for when it forgets the file and asks again,
 * and for when somebody writes the same bytes over it.
 *
 * The kernel may forget a file at any moment, when memory is short or its name was told anew, and its
 * entry goes with that. Whoever was told its number and times has noted them: git, in its index, and
 * a difference is an edit to it. A rebase then stops half way for fear of losing that.
 */
#pragma once

struct jpfs_conversation;
struct jpfs_entry;

/* An entry is going, or its bytes are about to change: remember what was told of it, unless the file itself
 * says the same, or its name leads elsewhere. */
void jpfs_recall_note_locked(struct jpfs_entry *entry);

/* An entry has just been made, for the version that its path leads to: if it is the one that was
 * remembered, go on telling the same. */
void jpfs_recall_locked(struct jpfs_entry *entry);

/* The bytes that were written turn out to be those of the version that the entry stands for: nothing has
 * happened. It tells the times of its file, or those that it had told before of what git has put back. */
void jpfs_recall_times_locked(struct jpfs_entry *entry);

/* Forget all of a conversation that is going. */
void jpfs_recall_free(struct jpfs_conversation *conversation);
