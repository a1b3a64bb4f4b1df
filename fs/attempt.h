/*
 * One attempt to commit a write: commit.c finds out what it is about and decides where it goes; the
 * others carry that out. An attempt holds no lock in between, so each of them first makes sure, under
 * the conversation's lock, that the bytes are still the same.
 */
#pragma once

#include "fs/entry.h"
#include "fs/judge.h"

#include <stdbool.h>
#include <stdint.h>

/* What one attempt works on, taken under the lock. */
struct jpfs_attempt {
	struct jpfs_content *content;
	uint64_t generation;
	enum jp_managed managed;
	bool is_synced;  /* the bytes are on the disk */
	bool is_durable; /* the conversation has a durable copy to commit to */
	bool is_waiting; /* its durable copy is gone for the moment */
	bool is_late;    /* a later version has taken the name: history, or nothing */
	bool is_shown;   /* the view leads to it */
	bool is_forced;  /* nothing is served any more: nobody is waited for */
	bool is_local;   /* there is no workspace to put a draft in */
	bool is_managed_temporary;
	bool is_exclusive;               /* made as git makes files */
	bool was_draft;                  /* what it takes the place of is one */
	bool went_back;                  /* and one that git may have made */
	int64_t age_ms;                  /* since the last write ended */
	struct jpfs_judgement judgement; /* serial 0: not yet */
	bool is_workspaces; /* set by who fails: it was the workspace that could not be written */
};

/* Whether nothing was written or renamed since the attempt began. The lock is held. */
bool jpfs_attempt_is_unchanged(struct jpfs_entry *entry, const struct jpfs_attempt *attempt);

/* ---- commit_durable.c ---- */

/* The bytes, which are synced, take the place of the durable file's: 0, -errno; -EAGAIN when the file
 * was changed meanwhile, or somebody is just replacing the durable directory. */
must_check int jpfs_attempt_replace_durable(struct jpfs_entry *entry,
					    const struct jpfs_attempt *attempt);

/* ---- commit_aside.c: 0, -errno; -EAGAIN when the file was changed meanwhile ---- */

/* The version becomes the workspace's: a draft, or part of a conversation that is not complete. */
must_check int jpfs_attempt_put_in_workspace(struct jpfs_entry *entry,
					     struct jpfs_attempt *attempt);
/* A version that has no place in the view any more and none in the durable copy: jp would reject
 * it, or a later one took its name before it was stored. */
must_check int jpfs_attempt_keep_aside(struct jpfs_entry *entry,
				       const struct jpfs_attempt *attempt);
