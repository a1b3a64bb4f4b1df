/*
 * Notes: paths in a conversation to remember, each with the time when it was noted. A list is guarded
 * by whoever has it.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A path in a conversation with a time. */
struct jpfs_note {
	struct jpfs_note *next;
	int64_t since_ms;
	bool is_moved; /* doomed: the bytes live on under another name */
	/* doomed: the durable file that was removed; another one by then is somebody else's */
	ino_t ino;
	int64_t mtime_ns;
	char path[];
};

struct jpfs_note *jpfs_note_find(struct jpfs_note *notes, const char *path);
must_check int jpfs_note_add(struct jpfs_note **notes, const char *path);
void jpfs_note_remove(struct jpfs_note **notes, const char *path);
void jpfs_notes_free(struct jpfs_note **notes);
