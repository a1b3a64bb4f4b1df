/*
 * A walk through the view, seen ahead.
 *
 * Whoever lists the root and then one conversation after the other, as find(1), ls(1) and git do, makes
 * the daemon look at both sides of each of them, and waits for it each time; the other processors
 * do nothing. So a thread of its own goes the same way a little ahead, as a disk is read ahead: while the
 * root is listed, it brings the next conversations' sides together; and once some of them have been
 * listed in their order, it makes the next listings, which then are only handed over.
 *
 * What was made ahead must be what would be found now. A listing is kept for as long as nobody has held
 * the conversation's lock since: jpfs_conversation_lock() drops it, so whoever changes anything of it, and
 * whoever is told of a change in the store (told.h looks under that lock), makes it void, without having to
 * know of it. It is made only of a conversation whose changes are heard of. So it is as old as
 * what the kernel keeps may be, and no older.
 *
 * What the names of a conversation lead to is told with them, so that whoever asks for that next has it. But
 * find(1) never asks, and for it alone that is a third of the work, in the kernel and here. So someone who
 * goes on and on without having asked for a file gets names only, until the first file is asked for.
 */
#pragma once

#include "fs/glance.h"
#include "fs/listing.h"
#include "fs/view.h"

#include <stdbool.h>

/* One conversation's listing, made ahead. All but `conversation` is protected by that one's lock. */
struct jpfs_foreseen {
	struct jpfs_conversation *conversation; /* a reference; the thread's; NULL: none */
	struct jpfs_glance glance;              /* by which it was made; without descriptors */
	struct jpfs_listing listing;            /* with objects, if they are asked for */
};

/* Without one, and where it cannot be had, nothing is done ahead. 0; -errno. */
must_check int jpfs_ahead_start(struct jpfs_view *view);
/* The thread ends, and what it has made is let go. Requests may still come. */
void jpfs_ahead_stop(struct jpfs_view *view);
/* Stopped, and nothing is served any more. */
void jpfs_ahead_free(struct jpfs_view *view);

/* A partition was listed from its beginning: these are its names, in the order of their offsets. */
void jpfs_ahead_listed(struct jpfs_view *view, const struct jpfs_listing *listing);
/* This conversation is listed from its beginning now. Whether its names alone will do. */
bool jpfs_ahead_entered(struct jpfs_view *view, const struct jpfs_conversation *conversation);
/* Somebody asked for a file of a conversation by its name. */
void jpfs_ahead_asked(struct jpfs_view *view);

/*
 * Lock a conversation that is about to be listed, begin a glance, and bring both sides together.
 *
 * Shape:   ret_listing  what it has, if that was made ahead: owned. Otherwise it stays as it is
 * Returns: the lock, held.
 */
pthread_mutex_t *jpfs_ahead_enter(struct jpfs_conversation *conversation,
				  struct jpfs_glance *glance, struct jpfs_listing *ret_listing);
