/*
 * One conversation: what is known of it, where its copies are, what is shown of it, and the links
 * that hold versions which exist once.
 *
 * All of it is guarded by the conversation's lock, which a function whose name ends in _locked is
 * called with, but for what says otherwise.
 */
#pragma once

#include "core/managed.h"
#include "core/reconcile.h"
#include "fs/beneath.h"
#include "fs/listing.h"
#include "fs/note.h"
#include "fs/object.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct jpfs_entry;
struct jpfs_glance;
struct jpfs_repeat;

/* A version of a file, by what stat says of it. */
struct jpfs_version {
	ino_t ino; /* 0: none known */
	int64_t mtime_ns;
	off_t size;
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
	bool is_put_off;   /* stored, and to be projected after others were stored */
	bool made_way;     /* left in the archive, and not shown: jp has made the same live */
	uint8_t placing; /* so many commits have put a version in place, and sync the directory now */
	uint8_t syncing;         /* so many fsync(2) are committing */
	atomic_bool was_durable; /* a durable copy has been seen; set under the lock */
	int reconcile_failure;   /* why not, and until it has succeeded nothing else is done */
	unsigned hidden;         /* bits of enum jp_managed: removed or not yet made here */
	/* bits: of the hidden ones, those that git may still be making; returned.c */
	unsigned expected;
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
	uint32_t writes;                             /* how often a file was about to change */
	uint32_t pass;                               /* of commits */
	struct jpfs_version known[JP_MANAGED_COUNT]; /* durable versions last accepted */
	struct jpfs_version same[JP_MANAGED_COUNT];  /* projected versions with a known one's bytes,
						      * whatever the times say */
	char *pins[JP_MANAGED_COUNT]; /* in staging: the known version, until it is projected */
	struct jpfs_pin *other_pins;  /* the same for unmanaged files */
	int64_t vanished_ms;          /* since when the durable copy is gone or not whole; 0: not */
	int64_t incomplete_ms;        /* since when it is on its way in or out; 0: not */
	int64_t hidden_ms; /* when a managed file was last removed or renamed away; 0: never */
	struct timespec changed; /* last change of the directory through the mount */
	struct jpfs_version
		own_change; /* the durable directory that a commit changed last, after that */
	struct jpfs_entry *entries;            /* live objects; no references */
	struct jpfs_recalled *recalled;        /* recall.h: one for each managed file; or NULL */
	struct jpfs_entry *dirty, **dirty_end; /* to be committed, in this order; references */
	struct jpfs_note *added;               /* unmanaged, here but not yet in the workspace */
	struct jpfs_note *removed;             /* unmanaged, still in the workspace but not here */
	struct jpfs_note *doomed;   /* unmanaged, to be taken from the durable copy later */
	struct jpfs_note *absent;   /* told.h: names that the kernel holds to lead nowhere */
	struct jpfs_glance *glance; /* glance.h: while one is under way; its beginner's */
	struct jpfs_foreseen
		*foreseen; /* ahead.h: its listing, if nobody had the lock since; or NULL */
	uint64_t told, told_listing;      /* told.h: of the directory; 0: nothing */
	struct jpfs_repeat *repeats;      /* repeat.h: changes that watchers are to hear of */
	struct jpfs_judgement *judgement; /* judge.h: of what was synced last; or NULL */
	/* protected by work->lock */
	struct jpfs_conversation *next_work;
	int64_t due_ms;
	bool is_queued, is_working, is_due_again;
	/* protected by the lock of notify.c */
	bool is_to_look;
	struct jpfs_conversation *next_look;
};

/* ---- conversation.c: one conversation; the lock is held where a name ends in _locked ---- */

/* How long a conversation that is on its way in or out is left out of the listing. */
#define JPFS_SETTLE_MS 3000
/* One of our temporary names that is never given to a file. */
#define JPFS_NO_NAME ".jpfs-0-0"
/* How long a durable copy may be gone before the conversation is the workspace's alone. */
#define JPFS_VANISHED_MS 5000

/* The only way to lock one (but ahead.c's): whatever was found out ahead of it may be otherwise after this. */
static inline pthread_mutex_t *jpfs_conversation_lock(struct jpfs_conversation *conversation)
{
	pthread_mutex_lock(&conversation->lock);
	conversation->foreseen = NULL;
	return &conversation->lock;
}

/* Lock, bring both sides together if that was not done yet. */
pthread_mutex_t *jpfs_conversation_enter(struct jpfs_conversation *conversation);
/* The second half of that. */
void jpfs_conversation_reconcile_locked(struct jpfs_conversation *conversation);
/* It goes from where it is shown: no name leads to its files any more. What is open of it stays open. */
void jpfs_conversation_leave_locked(struct jpfs_conversation *conversation);
/* The workspace's `.archive`, if it is missing, with the mode that mkdir(1) would give it. 0; -errno. */
must_check int jpfs_workspace_make_archive(struct jpfs_view *view);
void jpfs_workspace_path(const struct jpfs_conversation *conversation, const char *path,
			 char ret[JPFS_PATH_BYTES]);
/* Where the durable copy is, relative to silo->conversations_fd; -ENOENT there is none. */
must_check int jpfs_durable_path_locked(struct jpfs_conversation *conversation, const char *path,
					char ret[JPFS_PATH_BYTES]);
/* The durable directory that holds a path, made if it is missing; a new descriptor. */
must_check int jpfs_durable_parent_locked(struct jpfs_conversation *conversation, const char *path,
					  const char **ret_name);
/* Its directory `name` in `parent` leaves the workspace, in one step: half of one would be taken for a
 * conversation of which some files were removed. 0, also when there is none; -errno and it is there. */
must_check int jpfs_remove_projection_locked(struct jpfs_conversation *conversation, int parent,
					     const char *name);
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

/* ---- accept.c: which version of the durable copy may be shown ---- */

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
/* Whether the durable directory has every managed file that the workspace has: 1, 0; -errno when
 * nobody can tell, which is no reason to take it for one that jp is just making. */
must_check int jpfs_durable_is_whole_locked(struct jpfs_conversation *conversation);

/* ---- pin.c: links to versions that exist once ---- */

/*
 * Link what is the durable file now, whoever puts another in its place meanwhile.
 *
 * Shape:   ret_name  the link in staging: to be adopted, or dropped
 *          ret       stat(2) of what is linked
 * Returns: 0; -errno and there is no link.
 */
must_check int jpfs_pin_durable_locked(struct jpfs_conversation *conversation,
				       enum jp_managed which, char ret_name[NAME_MAX + 1],
				       struct stat *ret);
/* Only a link goes, in staging: what it led to has other names, or is needed no longer. */
void jpfs_pin_drop(struct jpfs_view *view, const char *name);
/* That link is the pin from now on. */
void jpfs_pin_adopt_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			   const char *name);
/* The same, when the durable version that was linked until now was replaced by somebody else: it is kept,
 * unless it is contained. An empty name: there is no link to the new one. */
void jpfs_pin_replaced_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			      const char *name);
/* Pin what is about to become the durable version. The pin that there was, which still holds: taken by one of
 * the next two; or NULL. */
char *jpfs_pin_staged_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			     const char *staged_name);
/* It did not become durable: that pin is the pin again. */
void jpfs_pin_back_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			  char *before);
/* It did, and displaced a version, which was kept or needs no keeping. If that is another one than was held,
 * somebody was quicker, and what was held is kept unless it is contained. */
void jpfs_pin_let_go_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			    char *before, ino_t displaced, int new_fd);
/* The workspace is about to have no such file, or another one: the durable version must not go when jp
 * renames another one over it. */
void jpfs_hold_durable_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* The same for a version of which nothing was decided yet. */
void jpfs_hold_undecided_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* It was decided by now what is durable: what is held may be another version, which was replaced meanwhile and
 * is kept then. */
void jpfs_pin_renew_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* The durable copy stays in pieces, and the workspace has a draft: the version that is linked goes back. */
void jpfs_pin_put_back_locked(struct jpfs_conversation *conversation, enum jp_managed which);
void jpfs_unpin_locked(struct jpfs_conversation *conversation, enum jp_managed which);
/* The same for an unmanaged file. */
void jpfs_pin_other_locked(struct jpfs_conversation *conversation, const char *path,
			   const char *staged_name);
/* One that somebody has put into the store directly: 0; -ENOENT it is gone again; -errno there are no
 * links. */
must_check int jpfs_pin_other_durable_locked(struct jpfs_conversation *conversation,
					     const char *path);
/* Its name in staging, or NULL. Borrowed. */
const char *jpfs_other_pin_locked(struct jpfs_conversation *conversation, const char *path);
/* The same for whatever version an entry's path has. */
const char *jpfs_pin_of_locked(const struct jpfs_entry *entry);
/* Drop those that the workspace has by now. */
void jpfs_drop_pins(struct jpfs_conversation *conversation);
void jpfs_unpin_all_locked(struct jpfs_conversation *conversation);
