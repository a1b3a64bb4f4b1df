/*
 * The view: what is where, for one worktree. Knows nothing of FUSE. Its parts have headers of their
 * own; they work on each other's, so who has a view has them all.
 *
 * The two sides are the silo (durable) and the real directory beneath the mount (workspace). The
 * view decides which conversations this worktree has, and for each file where its bytes are now:
 *
 *     home        the bytes are in                           left when
 *     DURABLE     <silo>/conversations/<name>/<path>         it is written (copied to STAGED)
 *     STAGED      <silo>/jpfs/staging/<daemon>/<n>           it is committed (renamed to DURABLE)
 *     WORKSPACE   <workspace>/.jp/conversations/<name>/<path>   it is written (copied to STAGED)
 *     PINNED      a hard link in staging/                    the durable copy is whole again
 *
 * WORKSPACE is the home of conversations that have no durable copy yet, and of drafts: versions
 * that jp would reject and that therefore do not replace the durable one.
 *
 * Lock order, outermost first:
 *     view->names           comes and goes of conversations: mkdir, rmdir, rename of whole ones
 *     view->outside_lock    (outside.c) readers: system calls beneath non-conversations
 *     conversation->lock    everything in one conversation; two of them in the order of their IDs
 *     view->follow          finding a silo that was folded away
 *     view->table           the trees of objects, the list of errors; a leaf
 *     work->lock            the queue; a leaf
 *     ahead->lock           (ahead.c) how far a walk has come; a leaf
 *     notify.c's locks      what is to be told the kernel; leaves
 *     the index's own lock  (core/dir_index.c); a leaf
 *     the base record's     (core/base_record.c); a leaf
 * Bytes are copied, compared and synced under none of them, with two exceptions that wait only for
 * themselves: the first write to a file copies it under its conversation's lock, and so does a
 * write itself, so that a commit sees either all of it or nothing.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base_record.h"
#include "core/dir_index.h"
#include "core/leftovers.h"
#include "core/managed.h"
#include "core/reconcile.h"
#include "core/silo.h"
#include "core/staging.h"
#include "core/workspace.h"
#include "fs/beneath.h"
#include "fs/commit.h"
#include "fs/converge.h"
#include "fs/conversation.h"
#include "fs/entry.h"
#include "fs/listing.h"
#include "fs/local.h"
#include "fs/object.h"
#include "fs/outside.h"
#include "fs/partition.h"
#include "fs/requests.h"
#include "fs/side.h"
#include "fs/status.h"
#include "fs/work.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define JPFS_HELD_MAX 32 /* versions of the history that are held open */

struct jpfs_failure {
	char when[40];
	char message[512];
	char remedy[256];
};

struct jpfs_work;
struct jpfs_transcripts;
struct jpfs_notify;
struct jpfs_kept;

struct jpfs_view {
	const struct jp_workspace *workspace;
	struct jp_silo *silo;
	struct jp_staging staging;
	struct jp_dir_index *durable_index;
	struct jp_base_record *base; /* NULL: it cannot be read, and nothing is known */
	int base_failure;            /* why not; 0 */
	int workspace_fd;            /* the real .jp/conversations; replaced in place by dup3 */
	bool is_read_only, list_control;
	bool silo_is_gone; /* and it was said; protected by follow */
	mode_t umask;      /* of whoever mounted, for directories that nobody asked for by mode */
	atomic_bool import_all; /* first use of the workspace ID */
	struct timespec started;
	struct jp_recovered recovered; /* when it was opened; immutable from then on */
	pthread_rwlock_t outside_lock;
	pthread_mutex_t names;
	pthread_mutex_t follow;
	pthread_mutex_t table;
	/* protected by table */
	void *conversations; /* tree by ID; each has a reference */
	size_t conversation_count;
	void *locals;      /* tree by ID: what was looked at in .jpfs/local; references */
	uint64_t *seconds; /* IDs that had a second directory when the workspace was read */
	size_t second_count;
	void *outsiders;                       /* tree by parent and name; no references */
	void *kept;                            /* tree by ID and entry: fs/kept.c; no references */
	struct jpfs_kept *held[JPFS_HELD_MAX]; /* those that are held open; no references */
	unsigned held_next;
	struct jpfs_failure failure; /* the last one; when[0] is NUL if there was none */
	atomic_uint_least64_t next_serial, next_temporary;
	struct jpfs_object root, archive, control, local, local_archive, history;
	ino_t status_ino; /* of .jpfs/status.json, whichever it is */
	struct jpfs_object transcripts, transcripts_archive;
	struct jpfs_transcripts *transcript_cache; /* fs/transcripts.c */
	struct jpfs_work *work;
	struct jpfs_ahead *ahead;   /* NULL: nothing is done ahead */
	struct jpfs_notify *notify; /* NULL: the kernel keeps nothing */
	pid_t companion;            /* companion.h; 0: none */
	/* Opening and closing a file that exists is no request: whoever was told of one may have it
	 * open, and its writers' end is asked for. */
	atomic_bool opens_unseen;
	atomic_uint_least64_t told_root, told_archive; /* told.h: attributes; 0: nothing */
	struct jpfs_requests requests;                 /* of all its connections */
	atomic_uint_least64_t told; /* how many conversations were described to the kernel so far */
};

/*
 * Open both sides.
 *
 * What both last had in common decides what was edited meanwhile. When it is there and cannot be read,
 * nothing is opened but a view that is read-only, and view->base_failure tells.
 */
must_check int jpfs_view_open(struct jpfs_view *view, const struct jp_workspace *workspace,
			      struct jp_silo *silo, int workspace_fd, bool read_only,
			      struct jp_error *error);
/* Read which conversations the workspace has. Called before each mounting, nothing being served. */
/* `is_return`: after a detachment, with git perhaps still in the middle of its work. */
must_check int jpfs_view_load(struct jpfs_view *view, bool is_return);
void jpfs_view_close(struct jpfs_view *view);

/* A new reference to the conversation with this ID in the view, or NULL. */
struct jpfs_conversation *jpfs_view_find(struct jpfs_view *view, uint64_t id);
/* A new conversation in no table; a new reference. */
must_check int jpfs_conversation_new(struct jpfs_view *view, uint64_t id, const char *name,
				     bool is_archived, struct jpfs_conversation **ret);
/* Put one in the view's table, which gets a reference of its own: -EEXIST there is one. */
must_check int jpfs_view_insert(struct jpfs_conversation *conversation);
must_check int jpfs_view_add(struct jpfs_view *view, uint64_t id, const char *name,
			     bool is_archived, struct jpfs_conversation **ret);
/* Take a conversation out of the table; names and its lock are held. */
void jpfs_view_drop(struct jpfs_conversation *conversation);
/* New references to all conversations; free the array after unref'ing each. */
must_check int jpfs_view_snapshot(struct jpfs_view *view, struct jpfs_conversation ***ret,
				  size_t *ret_count);
/* Remember and log what went wrong in the background. */
void jpfs_view_fail(struct jpfs_view *view, const char *remedy, const char *format, ...)
	printf_like(3, 4);
/* Nothing is listed in the root: the mount is in the way of whoever removes the directory. */
bool jpfs_view_is_empty(struct jpfs_view *view);
/* A name in the workspace's root for a file on its way to its place. NAME_MAX + 1 bytes. */
void jpfs_view_temporary_name(struct jpfs_view *view, char *ret_name);
bool jpfs_is_temporary_name(const char *name);
/* The silo was folded away by jp: open the one that took its place. */
void jpfs_view_follow_silo(struct jpfs_view *view);

int64_t jpfs_now_ms(void); /* CLOCK_BOOTTIME */
