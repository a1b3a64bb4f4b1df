/*
 * Telling the kernel what changed behind its back, and hearing of it.
 *
 * One thread waits for inotify's events from the store and for conversations to look at, compares
 * (told.c) and tells. Two kinds of telling:
 *
 * - An *inode's* attributes, or a directory's cached listing, are dropped by a message to the kernel
 *   (FUSE_NOTIFY_INVAL_INODE, without the pages of files). That waits for nobody, so any thread may
 *   do it with any lock held.
 * - A *name* is another matter: FUSE_NOTIFY_INVAL_ENTRY waits, and cannot be interrupted, for the
 *   lock of the directory, which somebody may hold who waits for an answer of ours. If the daemon is
 *   killed at that moment it cannot end, its connection stays open, and both wait for ever. So names
 *   are told by a small process of our own that has no connection open: it asks for the name through
 *   the mount in a way that makes the kernel ask again (prod.h). If we are killed, its request fails.
 *
 * Lock order: `lock` and `sessions_lock` are leaves.
 */
#pragma once

#include "core/base/cleanup.h"
#include "fs/repeat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct jpfs_conversation;
struct jpfs_entry;
struct jpfs_nodes;
struct jpfs_notify;
struct jpfs_view;

/* How to tell the kernel by a session: session.c has libfuse for it. */
struct jpfs_kernel {
	/* Drop an inode's attributes, and its pages from `offset` on; -1: none. -ENOENT: unknown. */
	int (*inval_inode)(void *session, uint64_t nodeid, off_t offset);
	void (*inval_entry)(void *session, uint64_t directory, const char *name);
};

/*
 * Start hearing and telling; sets view->notify. Where the store's filesystem does not tell of its
 * changes, or there are no watches at all, nothing is started, view->notify stays NULL and the kernel
 * keeps nothing: 0 all the same.
 *
 * Shape:   companion_fd  from jpfs_companion_start(), or less than 0; taken
 */
must_check int jpfs_notify_start(struct jpfs_view *view, int companion_fd);
/* End the thread. view->notify stays until jpfs_notify_free(), called when nobody uses it. */
void jpfs_notify_stop(struct jpfs_view *view);
void jpfs_notify_free(struct jpfs_view *view);

/* A connection to the kernel comes and goes. `device` is its mount's. All borrowed. */
must_check int jpfs_notify_attach(struct jpfs_notify *notify, const struct jpfs_kernel *kernel,
				  void *session, struct jpfs_nodes *nodes, dev_t device);
void jpfs_notify_detach(struct jpfs_notify *notify, const void *session);

/* Whether changes are heard of and can be told. */
bool jpfs_notify_is_usable(const struct jpfs_notify *notify);
/* Whether the end of writers can be asked for. */
bool jpfs_notify_can_await(const struct jpfs_notify *notify);
/* Whether conversations that come up in the store are heard of. */
bool jpfs_notify_hears_of_new(const struct jpfs_notify *notify);

/* Watch the durable directory `fd` of a conversation. 0 or -errno. */
must_check int jpfs_notify_watch(struct jpfs_notify *notify, int fd, uint64_t id);
/* How many conversations are watched, and whether some could not be. */
size_t jpfs_notify_watches(struct jpfs_notify *notify, bool *ret_is_full);

/* Look at a conversation soon. Any lock may be held. NULL is fine. */
void jpfs_notify_look(struct jpfs_notify *notify, struct jpfs_conversation *conversation);
/* Drop an inode's attributes, or what is kept of a directory's listing with them. */
void jpfs_notify_inode(struct jpfs_notify *notify, uint64_t nodeid, bool listing);
/* What is listed in the root or in its archive has changed. NULL is fine. */
void jpfs_notify_partitions(struct jpfs_notify *notify, struct jpfs_view *view);
/* Have jpfs_entry_closed_locked() called when nobody has the file open for writing any more. The
 * conversation's lock is held. 0; -errno: it will not be told. */
must_check int jpfs_notify_await_locked(struct jpfs_notify *notify, struct jpfs_entry *entry);
/* Whether so many writers' ends are waited for that they are found later than they should be. No lock of a
 * leaf is held. */
bool jpfs_notify_is_crowded(struct jpfs_notify *notify);
/* A name leads elsewhere: `path` from the mount's root, its directory's nodeid. */
void jpfs_notify_name(struct jpfs_notify *notify, uint64_t directory, const char *path);
/* Repeat a change for those who watch, and tell the name with it. False: there is nobody, or it cannot
 * be done, and the name is still to be told. */
bool jpfs_notify_repeat(struct jpfs_notify *notify, uint64_t directory, const char *path,
			enum jpfs_change change, const struct stat *st);
