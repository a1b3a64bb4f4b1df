/* See note.h. */
#include "fs/note.h"

#include "fs/view.h"

#include <stdlib.h>
#include <string.h>

struct jpfs_note *jpfs_note_find(struct jpfs_note *notes, const char *path)
{
	while (notes != NULL && strcmp(notes->path, path) != 0)
		notes = notes->next;
	return notes;
}

int jpfs_note_add(struct jpfs_note **notes, const char *path)
{
	struct jpfs_note *note = jpfs_note_find(*notes, path);

	if (note == NULL) {
		size_t bytes = strlen(path) + 1;

		note = malloc(sizeof(*note) + bytes);
		if (note == NULL)
			return -ENOMEM;
		memcpy(note->path, path, bytes);
		note->next = *notes;
		*notes = note;
	}
	note->since_ms = jpfs_now_ms();
	note->is_moved = false;
	note->ino = 0;
	return 0;
}

void jpfs_note_remove(struct jpfs_note **notes, const char *path)
{
	for (struct jpfs_note **link = notes; *link != NULL; link = &(*link)->next) {
		if (strcmp((*link)->path, path) == 0) {
			struct jpfs_note *note = *link;

			*link = note->next;
			free(note);
			return;
		}
	}
}

void jpfs_notes_free(struct jpfs_note **notes)
{
	while (*notes != NULL) {
		struct jpfs_note *note = *notes;

		*notes = note->next;
		free(note);
	}
}
