/*
 * What is found out about a version while the disk writes it.
 *
 * Two questions have to be answered before a version may take the durable one's place, and each reads all
 * of it: would jp accept it, and does it contain what it replaces? Whoever calls fsync(2) waits for the
 * disk first and for the answers then, although the processor has nothing to do meanwhile. So writing is
 * begun, the answers are found, and only then the disk is waited for. What jp itself does, to sync a file
 * beside the old one and to rename it, finds both at the first of the two, and the second is quick.
 *
 * An answer holds for the bytes that it was found for, and for the version that they were compared with; who
 * uses it makes sure that they are still those.
 */
#pragma once

#include "fs/conversation.h"

#include <stdbool.h>
#include <stdint.h>

struct jpfs_entry;

struct jpfs_judgement {
	uint64_t serial; /* of the entry whose bytes they are; 0: nobody has found anything out */
	enum jp_managed managed;
	bool is_valid; /* jp would accept it */
	/* The durable version that it contains: it needs no keeping. ino is 0 when none is known. */
	struct jpfs_version contained;
};

/* The version of a managed file on one side, if what `fd` has contains it. ino is 0 otherwise, also when
 * nobody can tell: who replaces it then asks again. The lock is not held. */
struct jpfs_version jpfs_find_contained(struct jpfs_conversation *conversation, bool durable,
					enum jp_managed managed, int fd);
/* Whether the new bytes contain the old version, which is not read when it is the one of which that is known;
 * `known` may be NULL. As core/version.h has it. */
must_check int jpfs_is_contained(enum jp_managed managed, int old_fd, int new_fd,
				 const struct jpfs_version *known);
/*
 * Have the disk begin to write what `fd` has, and judge it. Reads it twice at most, with no lock held.
 *
 * Returns: 0; -errno nobody can tell.
 */
must_check int jpfs_judge(struct jpfs_entry *entry, enum jp_managed managed, int fd,
			  struct jpfs_judgement *ret);
/* The entry's bytes, which are synced, were judged so. */
void jpfs_judgement_keep_locked(struct jpfs_entry *entry, const struct jpfs_judgement *judgement);
/* They are about to change. */
void jpfs_judgement_forget_locked(struct jpfs_entry *entry);
/* What was found out about the entry's bytes as they are now, as a file of that kind. */
struct jpfs_judgement jpfs_judgement_recall_locked(const struct jpfs_entry *entry,
						   enum jp_managed managed);
