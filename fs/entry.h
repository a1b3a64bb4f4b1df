/*
 * What is in a conversation: files, directories and links, and the bytes on their way in.
 *
 * An entry for a file is *one version line*: when somebody else replaces the file, the next lookup
 * makes a new entry, and who has the old one open goes on with the old bytes. Where its bytes are
 * now is its home; view.h has which there are.
 */
#pragma once

#include "core/managed.h"
#include "fs/conversation.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* An open file, shared by those who are using it. */
struct jpfs_content {
	atomic_uint refs;
	int fd;
};

enum jpfs_home { JPFS_DURABLE, JPFS_STAGED, JPFS_WORKSPACE, JPFS_PINNED };

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
	mode_t type;             /* S_IFREG, S_IFDIR, S_IFLNK or what lies in the workspace */
	unsigned opens, writers; /* as far as opening is a request; see view->opens_unseen */
	uint32_t generation;     /* counts changes of the bytes */
	uint32_t pass;           /* the last pass of commits that looked at it */
	/* Small: there are some ten thousand of these, and all of it is under the one lock. */
	enum jp_managed managed : 8;
	enum jpfs_home home : 8;
	bool is_linked : 1;   /* `path` leads to it */
	bool is_replaced : 1; /* it did, until somebody changed that without the kernel's knowing */
	bool is_name_told : 1; /* told.h: that `path` leads to it */
	bool is_awaited : 1;   /* the end of its writers is asked for: notify.c */
	bool is_shared : 1;    /* STAGED: another name may lead to the same inode; copy to write */
	bool times_were_set : 1; /* STAGED: somebody asked for these times */
	bool was_synced : 1;     /* STAGED: fsync'ed since the last change */
	bool is_synced : 1;      /* STAGED: the bytes are on the disk */
	bool was_unseen : 1;     /* created over a durable file that the view does not show */
	bool is_exclusive : 1;   /* created with O_EXCL, as git does it, and not committed since */
	bool is_restored : 1; /* created anew with the durable version's bytes: its st_mtime is kept, too */
	bool is_dirty : 1;            /* in conversation->dirty, which holds a reference */
	bool is_superseded : 1;       /* a later version has its name: it may go to history only */
	ino_t shown_ino;              /* st_ino: the projection's, until the first write */
	struct jpfs_version version;  /* DURABLE, WORKSPACE: this version */
	struct jpfs_version cached;   /* the version whose pages the kernel may hold */
	uint64_t told;                /* told.h: of its attributes; 0: nothing */
	struct jpfs_content *content; /* open while opened, unlinked or being committed; or NULL */
	char *staged_name;            /* STAGED: in staging */
	struct jpfs_told_times *told_times; /* NULL: whatever the file itself says */
	int64_t ended_ms; /* when the last write ended; 0 while one is under way */
	struct jpfs_entry *next_dirty;
};

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

/* ---- entry_change.c: attributes ---- */

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
