/*
 * What the kernel holds: nodeids and how often each was looked up.
 *
 * A nodeid is the serial number of an object of the view: never a pointer, never used again. A node
 * keeps one reference to its object for as long as its nlookup is above zero. Each connection to
 * the kernel has a table of its own: after the daemon has detached its mount from within, a process
 * may still hold on to the old one while the new one is served.
 */
#pragma once

#include "core/base/cleanup.h"
#include "fs/view.h"

struct jpfs_nodes {
	pthread_mutex_t lock; /* a leaf */
	/* protected by lock: where a nodeid is, or the next free place after it */
	struct jpfs_node *places;
	size_t room, count;     /* room: a power of two, or 0 */
	struct jpfs_view *view; /* immutable */
};

void jpfs_nodes_init(struct jpfs_nodes *nodes, struct jpfs_view *view);
/* Forget everything: the connection is gone. */
void jpfs_nodes_release(struct jpfs_nodes *nodes);

/* The object behind a nodeid; a new reference, or NULL if the kernel made it up. */
struct jpfs_object *jpfs_node_get(struct jpfs_nodes *nodes, uint64_t nodeid);
/* Whether the kernel holds it, or is about to. */
bool jpfs_nodes_has(struct jpfs_nodes *nodes, uint64_t nodeid);
/* Count one lookup of an object. */
must_check int jpfs_node_remember(struct jpfs_nodes *nodes, struct jpfs_object *object);
/* FORGET, or a reply that never arrived. */
void jpfs_node_forget(struct jpfs_nodes *nodes, uint64_t nodeid, uint64_t nlookup);
