/*
 * What a directory has, put together before it is told: names with what readdir(3) says of each, and
 * the objects that were at hand, so that a listing which the kernel wants with all attributes
 * (READDIRPLUS) does not look for each of them a second time.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct jpfs_object;

/* One name in a listing. */
struct jpfs_listed {
	char *name;
	ino_t ino;
	mode_t type;
	off_t offset;               /* op_dir.c's */
	struct jpfs_object *object; /* a reference, if it was asked for and at hand; or NULL */
};

struct jpfs_listing {
	struct jpfs_listed *items;
	size_t count, room;
	bool with_objects; /* whoever lists is going to ask for each */
};

must_check int jpfs_listing_add(struct jpfs_listing *listing, const char *name, ino_t ino,
				mode_t type);
/* Those objects are needed no longer. No lock is held that letting go of one may want. */
void jpfs_listing_drop_objects(struct jpfs_listing *listing);
void jpfs_listing_release(struct jpfs_listing *listing);
