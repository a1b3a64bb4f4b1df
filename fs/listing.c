/* See listing.h. */
#include "fs/listing.h"

#include "fs/object.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int jpfs_listing_add(struct jpfs_listing *listing, const char *name, ino_t ino, mode_t type)
{
	char *copy;

	if (listing->count == listing->room) {
		size_t more = listing->room == 0 ? 32 : listing->room * 2;
		struct jpfs_listed *grown = reallocarray(listing->items, more, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		listing->items = grown;
		listing->room = more;
	}
	copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	listing->items[listing->count++] =
		(struct jpfs_listed){.name = copy, .ino = ino, .type = type & S_IFMT};
	return 0;
}

void jpfs_listing_drop_objects(struct jpfs_listing *listing)
{
	for (size_t i = 0; i < listing->count && listing->with_objects; i++) {
		jpfs_object_unref(listing->items[i].object);
		listing->items[i].object = NULL;
	}
}

void jpfs_listing_release(struct jpfs_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->items[i].name);
	jpfs_listing_drop_objects(listing);
	free(listing->items);
	*listing = (struct jpfs_listing){0};
}
