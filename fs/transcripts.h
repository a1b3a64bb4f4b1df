/*
 * `.jpfs/transcripts/`: each conversation as Markdown that can be read and nothing else.
 *
 *     .jpfs/transcripts/<directory's name>.md
 *     .jpfs/transcripts/.archive/<directory's name>.md      archived ones
 *
 * Those of this worktree and those of `.jpfs/local` are side by side: who searches does not care
 * where a conversation is. The text is what `jpfs show` prints. Its modification time is when the
 * conversation last changed. A name too long for ".md" after it is the bare ID.
 */
#pragma once

#include "fs/view.h"

struct jpfs_transcript;

/* .jpfs/transcripts or anything in it. */
bool jpfs_is_transcript(const struct jpfs_object *object);

must_check int jpfs_transcripts_open(struct jpfs_view *view);
void jpfs_transcripts_close(struct jpfs_view *view);

/*
 * Find one, and make its text unless it is known.
 *
 * Returns: 0; -ENOENT; what reading the conversation failed with.
 * Locks:   none is held while a text is made.
 */
must_check int jpfs_transcript_lookup(struct jpfs_view *view, struct jpfs_object *place,
				      const char *name, struct jpfs_object **ret);
must_check int jpfs_transcript_list(struct jpfs_view *view, struct jpfs_object *place,
				    struct jpfs_listing *listing);
/* Fill in size and times: those of the version that the object stands for. */
void jpfs_transcript_stat(const struct jpfs_object *object, struct stat *st);

/*
 * Open one to read it.
 *
 * Shape:   ret_fd  a new descriptor of the text, or -EBADF: it is kept, and jpfs_transcript_read()
 *                  reads it
 * Returns: 0; -ESTALE it is not kept, and the conversation has changed; others.
 */
must_check int jpfs_transcript_open(struct jpfs_object *object, int *ret_fd);
must_check ssize_t jpfs_transcript_read(struct jpfs_object *object, char *buffer, size_t size,
					off_t offset); /* Its last reference is gone. */
void jpfs_transcript_forget(struct jpfs_transcript *transcript);
