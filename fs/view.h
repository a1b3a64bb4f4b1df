/*
 * The view: what is where, for one worktree. Knows nothing of FUSE.
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
 * Objects (struct jpfs_object and what begins with it) stand for what the kernel can hold: they are
 * counted, and live while the kernel, a directory in memory or a pending write refers to them.
 * An object for a file is *one version line*: when somebody else replaces the file, the next lookup
 * makes a new object, and who has the old one open goes on with the old bytes.
 *
 * Lock order, outermost first:
 *     view->names           comes and goes of conversations: mkdir, rmdir, rename of whole ones
 *     view->outside_lock    (outside.c) readers: system calls beneath non-conversations
 *     conversation->lock    everything in one conversation; two of them in the order of their IDs
 *     view->follow          finding a silo that was folded away
 *     view->table           the trees of objects, the list of errors; a leaf
 *     work->lock            the queue; a leaf
 *     notify.c's locks      what is to be told the kernel; leaves
 *     the index's own lock  (core/dir_index.c); a leaf
 *     the base record's     (core/base_record.c); a leaf
 * Bytes are copied, compared and synced under none of them, with two exceptions that wait only for
 * themselves: the first write to a file copies it under its conversation's lock, and so does a
 * write itself, so that a commit sees either all of it or nothing.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base_record.h"
#include "core/dir_index.h"
#include "core/leftovers.h"
#include "core/managed.h"
#include "core/reconcile.h"
#include "core/silo.h"
#include "core/staging.h"
#include "core/workspace.h"
#include "fs/requests.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define JPFS_ROOT_SERIAL 1 /* FUSE_ROOT_ID */
#define JPFS_HELD_MAX 32   /* versions of the history that are held open */

enum jpfs_kind {
	JPFS_ROOT,
	JPFS_ARCHIVE,             /* .archive */
	JPFS_CONTROL,             /* .jpfs */
	JPFS_STATUS,              /* .jpfs/status.json, as it was at one moment */
	JPFS_LOCAL,               /* .jpfs/local */
	JPFS_LOCAL_ARCHIVE,       /* .jpfs/local/.archive */
	JPFS_HISTORY,             /* .jpfs/history */
	JPFS_KEPT_OF,             /* a conversation's directory in it */
	JPFS_KEPT,                /* a version in that */
	JPFS_TRANSCRIPTS,         /* .jpfs/transcripts */
	JPFS_TRANSCRIPTS_ARCHIVE, /* .jpfs/transcripts/.archive */
	JPFS_TRANSCRIPT,          /* a conversation's text in either */
	JPFS_CONVERSATION,        /* a conversation's directory */
	JPFS_ENTRY,               /* anything in one */
	JPFS_OUTSIDER,            /* anything that is no conversation: passed through */
};

struct jpfs_object {
	enum jpfs_kind kind; /* immutable */
	uint64_t serial;     /* immutable; never used again in this process: the nodeid */
	atomic_uint refs;
};

/* An open file, shared by those who are using it. */
struct jpfs_content {
	atomic_uint refs;
	int fd;
};

enum jpfs_home { JPFS_DURABLE, JPFS_STAGED, JPFS_WORKSPACE, JPFS_PINNED };

struct jpfs_conversation;
struct jpfs_repeat;
struct jpfs_view;

/* A version of a file, by what stat says of it. */
struct jpfs_version {
	ino_t ino; /* 0: none known */
	int64_t mtime_ns;
	off_t size;
};

/* The times that were told first of a generation of bytes. */
struct jpfs_told_times {
	uint64_t generation;
	struct timespec ctime, mtime;
};

struct jpfs_entry {
	struct jpfs_object object;
	struct jpfs_conversation *conversation; /* a reference */
	/* protected by conversation->lock from here on */
	struct jpfs_entry *next; /* in conversation->entries */
	/* In the conversation's directory; may have several components. A managed file's is the constant
	 * name that all of them share: most entries are of such, and there are many. */
	const char *path;
	enum jp_managed managed;
	enum jpfs_home home;
	mode_t type;             /* S_IFREG, S_IFDIR, S_IFLNK or what lies in the workspace */
	unsigned opens, writers; /* as far as opening is a request; see view->opens_unseen */
	bool is_linked;          /* `path` leads to it */
	bool is_replaced;    /* it did, until somebody changed that without the kernel's knowing */
	bool is_name_told;   /* told.h: that `path` leads to it */
	bool is_awaited;     /* the end of its writers is asked for: notify.c */
	bool is_shared;      /* STAGED: another name may lead to the same inode; copy to write */
	bool times_were_set; /* STAGED: somebody asked for these times */
	bool was_synced;     /* STAGED: fsync'ed since the last change */
	bool was_unseen;     /* created over a durable file that the view does not show */
	bool is_exclusive;   /* created with O_EXCL, as git does it, and not committed since */
	bool is_restored; /* created anew with the durable version's bytes: its st_mtime is kept, too */
	bool is_dirty;                /* in conversation->dirty, which holds a reference */
	bool is_superseded;           /* a later version has its name: it may go to history only */
	ino_t shown_ino;              /* st_ino: the projection's, until the first write */
	struct jpfs_version version;  /* DURABLE, WORKSPACE: this version */
	struct jpfs_version cached;   /* the version whose pages the kernel may hold */
	uint64_t told;                /* told.h: of its attributes; 0: nothing */
	struct jpfs_content *content; /* open while opened, unlinked or being committed; or NULL */
	char *staged_name;            /* STAGED: in staging */
	uint64_t pass;                /* the last pass of commits that looked at it */
	uint64_t generation;          /* counts changes of the bytes */
	struct jpfs_told_times *told_times; /* NULL: whatever the file itself says */
	int64_t ended_ms; /* when the last write ended; 0 while one is under way */
	struct jpfs_entry *next_dirty;
};

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

/* An unmanaged file's version that the workspace has not got yet. */
struct jpfs_pin {
	struct jpfs_pin *next;
	char name[NAME_MAX + 1]; /* in staging */
	char path[];
};

/* How the two sides of a conversation were brought together. */
struct jpfs_decision {
	enum jp_row stream, metadata; /* the rows of the table that decided */
	enum jp_row by_content;       /* the stream's, where the metadata go with it */
	bool is_archived;             /* on either side */
};

struct jpfs_conversation {
	struct jpfs_object object;
	struct jpfs_view *view;
	uint64_t id;          /* immutable */
	pthread_mutex_t lock; /* recursive: the last reference to an entry may go under it */
	/* changed under view->names and lock; read under either */
	char *name; /* the directory's name here */
	bool is_archived;
	bool in_view;  /* false once it was taken out */
	bool is_local; /* in .jpfs/local: it has no workspace side */
	/* protected by lock from here on */
	bool is_reconciled;
	bool has_returned; /* put there while the daemon had detached itself, and not met since */
	bool may_repair;   /* the durable copy has been in pieces for long: make it whole */
	bool is_new;       /* made by mkdir, and nothing created in it yet */
	bool is_watched;   /* changes of the durable copy are heard of */
	atomic_bool was_durable; /* a durable copy has been seen; set under the lock */
	int reconcile_failure;   /* why not, and until it has succeeded nothing else is done */
	unsigned hidden;         /* bits of enum jp_managed: removed or not yet made here */
	unsigned
		expected; /* bits: of the hidden ones, those that git may still be making; returned.c */
	unsigned drafts;       /* bits: the workspace's version is what this view shows */
	unsigned renamed_away; /* bits: of the hidden ones, those that left by rename */
	unsigned went_back;    /* bits: drafts that git made, or that nobody saw being made; kept
				    while another version of the same is written */
	unsigned beside;       /* bits: shown as the workspace has them, beside a draft; draft.c */
	unsigned removed_drafts; /* bits: drafts, until it is decided what takes their place */
	unsigned durable_files;  /* bits: the durable copy has, or last had, these */
	atomic_uint failures;    /* of the work on it, in a row; protected by work->lock */
	struct jpfs_decision decision;
	int64_t reconcile_retry_ms;
	uint64_t writes;                             /* how often a file was about to change */
	uint64_t pass;                               /* of commits */
	struct jpfs_version known[JP_MANAGED_COUNT]; /* durable versions last accepted */
	struct jpfs_version same[JP_MANAGED_COUNT];  /* projected versions with a known one's bytes,
						      * whatever the times say */
	char *pins[JP_MANAGED_COUNT]; /* in staging: the known version, until it is projected */
	struct jpfs_pin *other_pins;  /* the same for unmanaged files */
	int64_t vanished_ms;          /* since when the durable copy is gone or not whole; 0: not */
	int64_t incomplete_ms;        /* since when it is on its way in or out; 0: not */
	struct timespec changed;      /* last change of the directory through the mount */
	struct jpfs_version
		own_change; /* the durable directory that a commit changed last, after that */
	struct jpfs_entry *entries;            /* live objects; no references */
	struct jpfs_entry *dirty, **dirty_end; /* to be committed, in this order; references */
	struct jpfs_note *added;               /* unmanaged, here but not yet in the workspace */
	struct jpfs_note *removed;             /* unmanaged, still in the workspace but not here */
	struct jpfs_note *doomed;    /* unmanaged, to be taken from the durable copy later */
	struct jpfs_note *absent;    /* told.h: names that the kernel holds to lead nowhere */
	struct jpfs_glance *glance;  /* glance.h: while one is under way; its beginner's */
	uint64_t told, told_listing; /* told.h: of the directory; 0: nothing */
	struct jpfs_repeat *repeats; /* repeat.h: changes that watchers are to hear of */
	/* protected by work->lock */
	struct jpfs_conversation *next_work;
	int64_t due_ms;
	bool is_queued, is_working, is_due_again;
	/* protected by the lock of notify.c */
	bool is_to_look;
	struct jpfs_conversation *next_look;
};

struct jpfs_outsider {
	struct jpfs_object object;
	struct jpfs_view *view; /* immutable */
	/* protected by view->table */
	struct jpfs_object *parent; /* a reference */
	char *name;
	bool is_linked;
	int fd; /* open while opened, -EBADF otherwise; protected by view->table */
	unsigned opens;
};

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
	struct jp_base_record *base; /* NULL: it could not be opened, and nothing is known */
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
	struct jpfs_notify *notify; /* NULL: the kernel keeps nothing */
	pid_t companion;            /* companion.h; 0: none */
	/* Opening and closing a file that exists is no request: whoever was told of one may have it
	 * open, and its writers' end is asked for. */
	atomic_bool opens_unseen;
	atomic_uint_least64_t told_root, told_archive; /* told.h: attributes; 0: nothing */
	struct jpfs_requests requests;                 /* of all its connections */
};

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

/* ---- view.c: life, tables, objects ---- */

must_check int jpfs_view_open(struct jpfs_view *view, const struct jp_workspace *workspace,
			      struct jp_silo *silo, int workspace_fd, bool read_only);
/* Read which conversations the workspace has. Called before each mounting, nothing being served. */
/* `is_return`: after a detachment, with git perhaps still in the middle of its work. */
must_check int jpfs_view_load(struct jpfs_view *view, bool is_return);
void jpfs_view_close(struct jpfs_view *view);

void jpfs_object_init(struct jpfs_view *view, struct jpfs_object *object, enum jpfs_kind kind);
struct jpfs_object *jpfs_object_ref(struct jpfs_object *object);
bool jpfs_object_try_ref(struct jpfs_object *object); /* false: it is going, leave it alone */
void jpfs_object_unref(struct jpfs_object *object);   /* NULL is fine */
void jpfs_object_unrefp(struct jpfs_object **object);
#define cleanup_object __attribute__((cleanup(jpfs_object_unrefp)))

struct jpfs_conversation *jpfs_as_conversation(struct jpfs_object *object);
struct jpfs_entry *jpfs_as_entry(struct jpfs_object *object);
struct jpfs_outsider *jpfs_as_outsider(struct jpfs_object *object);

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

must_check int jpfs_listing_add(struct jpfs_listing *listing, const char *name, ino_t ino,
				mode_t type);
/* Those objects are needed no longer. No lock is held that letting go of one may want. */
void jpfs_listing_drop_objects(struct jpfs_listing *listing);
void jpfs_listing_release(struct jpfs_listing *listing);

/* A path "directory/name" split for at-calls: opens the directory beneath a root. Returns a new
 * descriptor; *ret_name points into path. */
must_check int jpfs_open_parent(int root_fd, const char *path, const char **ret_name);
/* mkdirat(2) and renameat2(2) for such paths. The calls themselves follow a link on the way, such as
 * an `.archive` that somebody's repository has put there; these answer -ELOOP. */
must_check int jpfs_mkdir_beneath(int root_fd, const char *path, mode_t mode);
must_check int jpfs_rename_beneath(int root_fd, const char *old_path, const char *new_path,
				   unsigned flags);
/* stat of a path beneath a root without following anything; like fstatat otherwise. */
must_check int jpfs_stat_beneath(int root_fd, const char *path, struct stat *ret);

/* ---- partition.c: the root and .archive ---- */

must_check int jpfs_partition_lookup(struct jpfs_view *view, struct jpfs_object *parent,
				     const char *name, struct jpfs_object **ret);
must_check int jpfs_partition_list(struct jpfs_view *view, struct jpfs_object *partition,
				   struct jpfs_listing *listing);
must_check int jpfs_partition_mkdir(struct jpfs_view *view, struct jpfs_object *parent,
				    const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_partition_rmdir(struct jpfs_view *view, struct jpfs_object *parent,
				    const char *name);
/* Rename where at least one end is a conversation's directory. */
must_check int jpfs_partition_rename(struct jpfs_view *view, struct jpfs_object *old_parent,
				     const char *old_name, struct jpfs_object *new_parent,
				     const char *new_name, unsigned flags);
/* The durable directory gets this name and this partition, as far as nobody was quicker. */
must_check int jpfs_rename_durable_locked(struct jpfs_conversation *conversation,
					  const char *new_name, bool is_archived);
/* Whether jp would mistake an entry of this name for one of the view's conversations. */
bool jpfs_name_is_reserved(struct jpfs_view *view, const char *name);
bool jpfs_is_partition(const struct jpfs_object *object);

/* ---- second.c: second directories of an ID; `_held`: names is held ---- */

must_check int jpfs_second_note(struct jpfs_view *view, uint64_t id);
void jpfs_seconds_forget(struct jpfs_view *view);
/* Whether a name is a second directory's whose first one has gone. */
bool jpfs_second_is_waiting(struct jpfs_view *view, const char *name);
/* Make a directory of the workspace a conversation of the view, if none has its ID: a new reference,
 * or -ENOENT. */
must_check int jpfs_second_take_in_held(struct jpfs_view *view, const struct jpfs_object *partition,
					const char *name, struct jpfs_conversation **ret);
void jpfs_second_take_in(struct jpfs_view *view, const struct jpfs_object *partition,
			 const char *name);
/* To the silo's trash: a path in the workspace that is in the way. */
must_check int jpfs_second_put_aside(struct jpfs_view *view, uint64_t id, const char *path);
/* All that are not shown; of the archive, all that are there. */
must_check int jpfs_seconds_sweep_held(struct jpfs_view *view, bool only_archived);

/* ---- local.c: what this worktree does not have ---- */

/* .jpfs/local, or its .archive. */
bool jpfs_is_local_place(const struct jpfs_object *object);
must_check int jpfs_local_lookup(struct jpfs_view *view, struct jpfs_object *place,
				 const char *name, struct jpfs_object **ret);
must_check int jpfs_local_list(struct jpfs_view *view, struct jpfs_object *place,
			       struct jpfs_listing *listing);
must_check int jpfs_local_mkdir(struct jpfs_view *view, struct jpfs_object *place, const char *name,
				struct jpfs_object **ret);
/* To the silo's trash, whole. */
must_check int jpfs_local_rmdir(struct jpfs_view *view, struct jpfs_object *place,
				const char *name);
/* Where at least one end is here: within, out of it (project) or into it (unproject). */
must_check int jpfs_local_rename(struct jpfs_view *view, struct jpfs_object *old_place,
				 const char *old_name, struct jpfs_object *new_place,
				 const char *new_name, unsigned flags);
/* Project a conversation; `name` NULL: as the store has it. -ENOENT it is not one of these. */
must_check int jpfs_local_project(struct jpfs_view *view, uint64_t id, const char *name,
				  bool is_archived);
/* Take one out of the view; the durable copy stays. -EBUSY it is being written, or it is nothing
 * that could be made durable. */
must_check int jpfs_local_unproject(struct jpfs_view *view, struct jpfs_conversation *conversation,
				    const char *name, bool is_archived);
/* Somebody made a directory for this ID in the view: it is here no more. names is held. */
void jpfs_local_retire(struct jpfs_view *view, uint64_t id);

/* ---- conversation.c: one conversation; the lock is held where a name ends in _locked ---- */

#define JPFS_PATH_BYTES 4096
/* How long a conversation that is on its way in or out is left out of the listing. */
#define JPFS_SETTLE_MS 3000
/* One of our temporary names that is never given to a file. */
#define JPFS_NO_NAME ".jpfs-0-0"
/* How long a durable copy may be gone before the conversation is the workspace's alone. */
#define JPFS_VANISHED_MS 5000

/* Lock, bring both sides together if that was not done yet. */
pthread_mutex_t *jpfs_conversation_enter(struct jpfs_conversation *conversation);
void jpfs_workspace_path(const struct jpfs_conversation *conversation, const char *path,
			 char ret[JPFS_PATH_BYTES]);
/* Where the durable copy is, relative to silo->conversations_fd; -ENOENT there is none. */
must_check int jpfs_durable_path_locked(struct jpfs_conversation *conversation, const char *path,
					char ret[JPFS_PATH_BYTES]);
/* The durable directory that holds a path, made if it is missing; a new descriptor. */
must_check int jpfs_durable_parent_locked(struct jpfs_conversation *conversation, const char *path,
					  const char **ret_name);
/*
 * stat of a durable managed file in a version that may be shown. A version not met before is
 * accepted if the durable copy is whole; if it is not, the conversation is marked as vanished.
 * Returns 0; -ENOENT not there or not to be shown now (see vanished_ms); others: nobody can tell.
 */
must_check int jpfs_durable_stat_locked(struct jpfs_conversation *conversation,
					enum jp_managed which, struct stat *ret);
/* Remember a durable version as accepted. */
void jpfs_know_version_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			      const struct stat *st);
bool jpfs_version_matches(const struct jpfs_version *version, const struct stat *st);
struct jpfs_version jpfs_version_of(const struct stat *st);
bool jpfs_conversation_is_listed(struct jpfs_conversation *conversation);
must_check int jpfs_conversation_list(struct jpfs_conversation *conversation, const char *path,
				      struct jpfs_listing *listing);
/* What lies in the workspace's directory, jp's own files and what is in memory left out. */
must_check int jpfs_conversation_list_workspace_locked(struct jpfs_conversation *conversation,
						       const char *path,
						       struct jpfs_listing *listing);
must_check int jpfs_conversation_stat(struct jpfs_conversation *conversation, struct stat *ret);
void jpfs_conversation_changed_locked(struct jpfs_conversation *conversation);
/* Recompute whether it is on its way in or out, after a managed file came or went. */
void jpfs_conversation_settle_locked(struct jpfs_conversation *conversation);
const char *jpfs_conversation_presence_locked(struct jpfs_conversation *conversation);
struct jpfs_note *jpfs_note_find(struct jpfs_note *notes, const char *path);
must_check int jpfs_note_add(struct jpfs_note **notes, const char *path);
void jpfs_note_remove(struct jpfs_note **notes, const char *path);
void jpfs_notes_free(struct jpfs_note **notes);

/* ---- pin.c: links to versions that exist once ---- */

/*
 * Link what is the durable file now, whoever puts another in its place meanwhile.
 *
 * Shape:   ret_name  the link in staging: to be adopted, or unlinked
 *          ret       stat(2) of what is linked
 * Returns: 0; -errno and there is no link.
 */
must_check int jpfs_pin_durable_locked(struct jpfs_conversation *conversation,
				       enum jp_managed which, char ret_name[NAME_MAX + 1],
				       struct stat *ret);
/* That link is the pin from now on. */
void jpfs_pin_adopt_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			   const char *name);
/* Pin what is about to become the durable version. */
void jpfs_pin_staged_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			    const char *staged_name);
void jpfs_unpin_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* The same for an unmanaged file. */
void jpfs_pin_other_locked(struct jpfs_conversation *conversation, const char *path,
			   const char *staged_name);
/* One that somebody has put into the store directly. */
void jpfs_pin_other_durable_locked(struct jpfs_conversation *conversation, const char *path);
/* Its name in staging, or NULL. Borrowed. */
const char *jpfs_other_pin_locked(struct jpfs_conversation *conversation, const char *path);
/* The same for whatever version an entry's path has. */
const char *jpfs_pin_of_locked(const struct jpfs_entry *entry);
/* Drop those that the workspace has by now. */
void jpfs_drop_pins(struct jpfs_conversation *conversation);
void jpfs_unpin_all_locked(struct jpfs_conversation *conversation);

/* ---- converge.c: both sides of a conversation, when neither was watched ---- */

/* Whether the durable directory has every managed file that the workspace has: 1, 0; -errno when
 * nobody can tell, which is no reason to take it for one that jp is just making. */
must_check int jpfs_durable_is_whole_locked(struct jpfs_conversation *conversation);

must_check int jpfs_converge_locked(struct jpfs_conversation *conversation);
/* Only find out: conversation->decision is what would be done. */
must_check int jpfs_converge_look_locked(struct jpfs_conversation *conversation);
/* Make the workspace's version of a file durable; what it replaces is kept. */
must_check int jpfs_take_file_locked(struct jpfs_conversation *conversation, const char *path);
must_check int jpfs_sync_durable_locked(struct jpfs_conversation *conversation);
/* Open a file of one side. A new descriptor or -errno. */
must_check int jpfs_open_side_locked(struct jpfs_conversation *conversation, bool durable,
				     const char *path);
/* The workspace's version of a file is about to go: keep it, unless the durable one contains it. */
must_check int jpfs_keep_loser_locked(struct jpfs_conversation *conversation,
				      enum jp_managed which);

/* ---- version.c: which comes before which, and what is kept ---- */

/* Whether the old version comes before the new one: it is contained and has less, or the new one
 * has replaced it once. Same results. */
must_check int jpfs_version_is_earlier(struct jpfs_conversation *conversation,
				       enum jp_managed managed, int old_fd, int new_fd);
/* The same where both were equal once, and the old one may have been put back on purpose. What was
 * kept only after it was last touched has lost there, and whoever was to bring the other one over was
 * stopped. */
must_check int jpfs_version_went_back(struct jpfs_conversation *conversation,
				      enum jp_managed managed, int old_fd, int new_fd);
/* Keep a copy of a version, of which `parent` has the name, unless that was done before. */
must_check int jpfs_keep_version(struct jpfs_conversation *conversation, enum jp_managed managed,
				 int parent_fd, const char *name);
/* The version that was replaced lies in staging under `name`: keep it (managed: in history;
 * unmanaged and never seen here: in the trash) or drop it. */
must_check int jpfs_dispose_of_displaced(struct jpfs_conversation *conversation, const char *path,
					 bool was_unseen, const char *name, int new_fd);

/* ---- base.c: what both sides last had in common ---- */

/* Note it for each unit that is in step now. */
must_check int jpfs_base_note(struct jpfs_conversation *conversation);
/* What is known of a conversation; false: nothing. */
bool jpfs_base_known(struct jpfs_conversation *conversation, struct jp_base *ret);
/* Whether a file has the bytes that both sides had: 1, 0, -errno. */
must_check int jpfs_base_is(const struct jp_base_file *file, int fd);

/* ---- layout.c: streams with a base_config.json, and older ones without ---- */

/* Whether the draft that is shown has no base_config.json, and hides the durable one. */
bool jpfs_layout_is_draft_locked(const struct jpfs_conversation *conversation);
/* Whether base_config.json is hidden because this version of events.json has none: 1, 0, -errno. */
must_check int jpfs_layout_asks_locked(struct jpfs_conversation *conversation, int events_fd);
/* Whether the durable stream is of the older layout, without a base_config.json: 1, 0, -errno. */
must_check int jpfs_layout_is_older_locked(struct jpfs_conversation *conversation);
/* The durable stream is of the older layout by now: its base_config.json goes to history. The caller
 * syncs the directory. */
must_check int jpfs_layout_retire_durable_locked(struct jpfs_conversation *conversation);
/* The workspace's base_config.json has no place beside the durable stream: to history. */
must_check int jpfs_layout_retire_workspace_locked(struct jpfs_conversation *conversation);
/* The workspace follows a durable stream that has no base_config.json. */
must_check int jpfs_layout_project(struct jpfs_conversation *conversation);

/* ---- returned.c: files that git makes while the mount comes back ---- */

/* The workspace lacks this file, and git may be about to make it: it is hidden until then. */
void jpfs_returned_expect_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* Whether a hidden file has come beneath the mount since; it is shown from now on. */
bool jpfs_returned_look_locked(struct jpfs_conversation *conversation, enum jp_managed which);

/* ---- draft.c: ending a draft on purpose ---- */

/* A file is no draft any more: what is shown of it is, or becomes, durable. */
static inline void jpfs_draft_ended_locked(struct jpfs_conversation *conversation,
					   enum jp_managed which)
{
	/* A draft that has no such file hides the durable one: layout.c. */
	conversation->hidden &= ~(conversation->drafts & (1U << which));
	conversation->drafts &= ~(1U << which);
	conversation->removed_drafts &= ~(1U << which);
	conversation->went_back &= ~(1U << which);
	conversation->beside &= ~(1U << which);
}

/*
 * Whether a file of the stream is shown as the workspace has it because the other one is a draft, and
 * somebody else has changed it since: a stream is always taken from one side.
 */
bool jpfs_is_beside_draft_locked(const struct jpfs_conversation *conversation,
				 enum jp_managed which);
/* Somebody has put another durable version in the place of the one that is known: whether the known
 * one stays, because it is shown beside a draft. */
bool jpfs_draft_holds_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* Find out whether drafts have ended because one of both sides was changed. 0 or -errno. */
must_check int jpfs_draft_look(struct jpfs_conversation *conversation);
/* Make all drafts of a conversation durable: -EBADMSG one is not what jp accepts, -ENOENT there is
 * none. */
must_check int jpfs_draft_commit(struct jpfs_conversation *conversation);
/* Show the durable versions again; what they do not contain is kept. -ENOENT there is none. */
must_check int jpfs_draft_discard(struct jpfs_conversation *conversation);

/* ---- entry.c: finding, describing and reading what is in a conversation ---- */

must_check int jpfs_entry_lookup_locked(struct jpfs_conversation *conversation, const char *path,
					struct jpfs_entry **ret);
/* A path as an entry has it; NULL without memory. Only _free() may let go of it. */
const char *jpfs_entry_path_new(const char *path);
void jpfs_entry_path_free(const char *path);
struct jpfs_entry *jpfs_entry_live_locked(struct jpfs_conversation *conversation, const char *path);
must_check int jpfs_entry_new_locked(struct jpfs_conversation *conversation, const char *path,
				     mode_t type, enum jpfs_home home, struct jpfs_entry **ret);
must_check int jpfs_entry_stat_locked(struct jpfs_entry *entry, struct stat *ret);
/* Whether it was replaced, and nobody has it open: whoever comes to it came by a name that leads
 * elsewhere now. On -ESTALE the kernel asks for the name again and finds where. */
bool jpfs_entry_is_stale_locked(const struct jpfs_entry *entry);
/* Whether somebody may have it open now. */
bool jpfs_entry_may_be_open_locked(const struct jpfs_entry *entry);
/* The durable file of this path is another version now, `by`: what is in memory stays the old one. */
void jpfs_entry_replaced_locked(struct jpfs_conversation *conversation, const char *path,
				const struct stat *by);
/* Whether its name leads elsewhere without the kernel's doing. */
bool jpfs_entry_was_replaced(struct jpfs_entry *entry);
/* Its bytes, open; a new reference. */
must_check int jpfs_entry_content_locked(struct jpfs_entry *entry, struct jpfs_content **ret);
/* The workspace's file will be replaced: its inode number is shown for this one no longer. */
void jpfs_entry_leave_projection_locked(struct jpfs_entry *entry);
/* The times that are told next are those that it goes on telling. What it remembers them by; NULL: no
 * memory. */
struct jpfs_told_times *jpfs_entry_tell_times_anew_locked(struct jpfs_entry *entry);
/* It tells the times that its file has, whatever was told before. */
void jpfs_entry_forget_times_locked(struct jpfs_entry *entry);
/* `path` leads to it no longer. What is open stays open. */
void jpfs_entry_orphan_locked(struct jpfs_entry *entry);
/* What a path led to and leads to no longer, if that is still known; else something that stands for it. */
must_check int jpfs_entry_gone_locked(struct jpfs_conversation *conversation, const char *path,
				      struct jpfs_entry **ret);
must_check int jpfs_entry_readlink(struct jpfs_entry *entry, char *buffer, size_t size);
struct jpfs_content *jpfs_content_new(int fd); /* takes the descriptor; NULL: no memory, closed */
struct jpfs_content *jpfs_content_ref(struct jpfs_content *content);
void jpfs_content_unrefp(struct jpfs_content **content);
#define cleanup_content __attribute__((cleanup(jpfs_content_unrefp)))
/* A root and a path where the entry's metadata are kept now: its home's file. */
must_check int jpfs_entry_place_locked(struct jpfs_entry *entry, int *ret_root_fd,
				       char ret_path[JPFS_PATH_BYTES]);

/* ---- entry_write.c: bytes on their way in ---- */

/* `ret_is_cached`: it was opened in this version before, and the kernel may still have its bytes. */
must_check int jpfs_entry_open(struct jpfs_entry *entry, bool for_writing, bool *ret_is_cached);
void jpfs_entry_release(struct jpfs_entry *entry, bool for_writing);
must_check ssize_t jpfs_entry_write(struct jpfs_entry *entry, const void *data, size_t size,
				    off_t offset);
must_check int jpfs_entry_truncate(struct jpfs_entry *entry, off_t size);
must_check int jpfs_entry_allocate(struct jpfs_entry *entry, int mode, off_t offset, off_t size);
/* close(2) was called on one of its descriptors that could write. */
void jpfs_entry_flush(struct jpfs_entry *entry);
must_check int jpfs_entry_fsync(struct jpfs_entry *entry);
must_check int jpfs_entry_stage_locked(struct jpfs_entry *entry, bool keep_content);
/* A version that was synced and could not be committed at once (its durable copy is on its way, say)
 * is about to be written over in place, or to leave its name: it was promised to last. */
must_check int jpfs_entry_keep_synced_locked(struct jpfs_entry *entry);
/* It was created, and nobody will say when it is closed. */
void jpfs_entry_made_unseen(struct jpfs_entry *entry);
/* The companion says that nobody has it open for writing. */
void jpfs_entry_closed_locked(struct jpfs_entry *entry);
/* The last writer closed: drop the version if it changes nothing, else queue it. */
void jpfs_entry_end_locked(struct jpfs_entry *entry);
/* Something new is at this path: older versions of it that wait to be committed give way. */
void jpfs_entry_supersede_locked(struct jpfs_conversation *conversation, const char *path);
/* Queue it as it is. */
void jpfs_entry_ended_locked(struct jpfs_entry *entry);
void jpfs_entry_mark_dirty_locked(struct jpfs_entry *entry);
/* The caller has a reference of its own. */
void jpfs_entry_mark_clean_locked(struct jpfs_entry *entry);
void jpfs_entry_unstage_locked(struct jpfs_entry *entry);
must_check int jpfs_entry_create_locked(struct jpfs_conversation *conversation, const char *path,
					mode_t mode, struct jpfs_entry **ret);
must_check int jpfs_entry_set_mode(struct jpfs_entry *entry, mode_t mode);
must_check int jpfs_entry_set_owner(struct jpfs_entry *entry, uid_t uid, gid_t gid);
must_check int jpfs_entry_set_times(struct jpfs_entry *entry, const struct timespec times[2]);

/* ---- entry_names.c: names inside a conversation ---- */

must_check int jpfs_entry_mkdir_locked(struct jpfs_conversation *conversation, const char *path,
				       mode_t mode, struct jpfs_entry **ret);
must_check int jpfs_entry_symlink_locked(struct jpfs_conversation *conversation, const char *target,
					 const char *path, struct jpfs_entry **ret);
must_check int jpfs_entry_unlink_locked(struct jpfs_conversation *conversation, const char *path);
must_check int jpfs_entry_rmdir_locked(struct jpfs_conversation *conversation, const char *path);
must_check int jpfs_entry_rename_locked(struct jpfs_conversation *conversation,
					const char *old_path, const char *new_path, unsigned flags);

/* ---- commit.c: from staging to the durable copy ---- */

/* Try to commit a write: 0 it is done, or needs nothing for now; -EAGAIN later; or a failure. */
must_check int jpfs_commit_once(struct jpfs_entry *entry, bool for_fsync, bool force);
must_check int jpfs_commit_entry(struct jpfs_entry *entry, bool for_fsync);
/* Its bytes became the durable version that `st` describes. */
void jpfs_entry_is_durable_locked(struct jpfs_entry *entry, const struct stat *st);

/* ---- placing.c: into a durable directory that somebody may be removing ---- */

/* Whether the directories above a path are being changed by somebody else, and may be gone already. */
bool jpfs_durable_is_going_locked(struct jpfs_conversation *conversation, const char *path);
/* Give the staged file its name in the durable directory `parent`. -ENOENT, -EAGAIN: that is going. */
must_check int jpfs_put_in_place_locked(struct jpfs_entry *entry, bool is_forced, int parent,
					const char *name, bool *ret_is_displaced);

/* ---- commit_pass.c: which of them when ---- */

/* Commit what is dirty and no longer being written. With `force`, also what would rather wait. 0,
 * or the first failure; what failed stays dirty. Not to be called with the lock held. */
must_check int jpfs_commit_conversation(struct jpfs_conversation *conversation, bool force,
					int64_t *ret_wait_ms);

/* ---- import.c: a conversation's first durable copy ---- */

/* Give a conversation of the workspace its durable copy: -EBADMSG it is not complete and valid,
 * -EAGAIN somebody else just did. */
must_check int jpfs_import(struct jpfs_conversation *conversation);
/* The same with what was removed here and is still in the workspace. */
must_check int jpfs_import_whole(struct jpfs_conversation *conversation);
/* On a workspace ID's first use, all of them; otherwise nothing. */
must_check int jpfs_import_all(struct jpfs_view *view);

/* ---- project.c: from the durable copy to the workspace ---- */

/* `is_final`: removals that might still become a whole directory's are carried out as they are. */
must_check int jpfs_project_conversation(struct jpfs_conversation *conversation, bool is_final,
					 int64_t *ret_wait_ms);

/* ---- work.c: what happens in the background ---- */

must_check int jpfs_work_start(struct jpfs_view *view);
/* Something is to be committed or projected, `delay_ms` from now at the earliest. Any lock may be
 * held. */
void jpfs_work_add(struct jpfs_conversation *conversation, int64_t delay_ms);
/*
 * A request begins: let work that has been waiting for long have its locks first. A mutex is not fair:
 * a few readers who ask without a pause were seen to keep a commit waiting for twenty seconds.
 */
void jpfs_work_give_way(struct jpfs_view *view);
/* Do all that is pending now, on the calling thread, and sync both sides. The first failure, or 0.
 * `is_final`: nothing is served any more, so what would wait for more is stored as it is. */
must_check int jpfs_work_flush(struct jpfs_view *view, bool is_final);
/* End the threads; what is pending stays pending. */
void jpfs_work_stop(struct jpfs_view *view);
/* No request is served any more: nobody can add to it. */
void jpfs_work_free(struct jpfs_view *view);
void jpfs_work_count(struct jpfs_view *view, unsigned *ret_commits, unsigned *ret_projections);

/* ---- recover.c: what killed daemons have left ---- */

/* Bring it to where it belongs; view->recovered tells. A failure is noted and changes nothing else. */
void jpfs_recover(struct jpfs_view *view);

/* ---- outside.c: what is no conversation passes through ---- */

/* Where a name (or "": the directory itself) lies in an object that is a directory on the workspace's
 * side: a descriptor to start from, borrowed, and the path from there. */
must_check int jpfs_outside_path(struct jpfs_view *view, struct jpfs_object *directory,
				 const char *name, int *ret_root_fd, char ret[JPFS_PATH_BYTES]);
must_check int jpfs_outside_lookup(struct jpfs_view *view, struct jpfs_object *parent,
				   const char *name, struct jpfs_object **ret);
must_check int jpfs_outside_stat(struct jpfs_view *view, struct jpfs_object *object,
				 struct stat *ret);
must_check int jpfs_outside_list(struct jpfs_view *view, struct jpfs_object *directory,
				 struct jpfs_listing *listing);
must_check int jpfs_outside_create(struct jpfs_view *view, struct jpfs_object *parent,
				   const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_outside_mknod(struct jpfs_view *view, struct jpfs_object *parent,
				  const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_outside_mkdir(struct jpfs_view *view, struct jpfs_object *parent,
				  const char *name, mode_t mode, struct jpfs_object **ret);
must_check int jpfs_outside_symlink(struct jpfs_view *view, const char *target,
				    struct jpfs_object *parent, const char *name,
				    struct jpfs_object **ret);
must_check int jpfs_outside_unlink(struct jpfs_view *view, struct jpfs_object *parent,
				   const char *name, bool is_directory);
must_check int jpfs_outside_rename(struct jpfs_view *view, struct jpfs_object *old_parent,
				   const char *old_name, struct jpfs_object *new_parent,
				   const char *new_name, unsigned flags);
/* The object of a name has gone from there, or has another name now (new_parent not NULL). */
void jpfs_outside_moved(struct jpfs_view *view, struct jpfs_object *parent, const char *name,
			struct jpfs_object *new_parent, const char *new_name);
must_check int jpfs_outside_open(struct jpfs_view *view, struct jpfs_outsider *outsider);
void jpfs_outside_release(struct jpfs_view *view, struct jpfs_outsider *outsider);
/* An open descriptor of it, new: what is open is duplicated, anything else opened O_PATH. */
must_check int jpfs_outside_fd(struct jpfs_view *view, struct jpfs_outsider *outsider, int flags);
void jpfs_outside_forget(struct jpfs_outsider *outsider);
/* A name leads to another object than the one that the kernel has moved there. */
void jpfs_outside_tell_name(struct jpfs_view *view, struct jpfs_object *directory,
			    const char *name);

/* ---- status.c ---- */

/* What this mount is, serves and has done, as JSON with a final newline: a new object each time. */
must_check int jpfs_status_lookup(struct jpfs_view *view, struct jpfs_object **ret);
void jpfs_status_stat(const struct jpfs_object *object, struct stat *st);
ssize_t jpfs_status_read(const struct jpfs_object *object, char *buffer, size_t size, off_t offset);
void jpfs_status_forget(struct jpfs_object *object);
