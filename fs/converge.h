/*
 * Both sides of a conversation: bringing them together, telling which version is earlier, keeping
 * what loses, noting what both had in common, and drafts, where they differ on purpose.
 */
#pragma once

#include "core/base_record.h"
#include "fs/conversation.h"

/* ---- converge.c: both sides of a conversation, when neither was watched ---- */

must_check int jpfs_converge_locked(struct jpfs_conversation *conversation);
/* Only find out: conversation->decision is what would be done. */
must_check int jpfs_converge_look_locked(struct jpfs_conversation *conversation);

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
 * unmanaged and never seen here: in the trash) or drop it. `contained`: a version of which it is known that
 * the new one contains it; or NULL. */
must_check int jpfs_dispose_of_displaced(struct jpfs_conversation *conversation, const char *path,
					 bool was_unseen, const char *name, int new_fd,
					 const struct jpfs_version *contained);

/* ---- base.c: what both sides last had in common ---- */

/* Note it for each unit that is in step now. */
must_check int jpfs_base_note(struct jpfs_conversation *conversation);
/* A hidden file is made again, and the workspace has it not yet: should this process end before that, it is
 * not to be taken for removed there. To be called before it is shown. */
void jpfs_base_returns_locked(struct jpfs_conversation *conversation, enum jp_managed which);
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

/* ---- only_here.c: files of others that only the workspace has ---- */

bool jpfs_is_durable_path_locked(struct jpfs_conversation *conversation, const char *path);
/* Whether the store lacks a file of the workspace; true also where nobody can tell. */
bool jpfs_is_only_here_locked(struct jpfs_conversation *conversation, const char *path);
/* Before the workspace's directory goes: the store gets what only it has, removed a moment ago or not. What
 * cannot be put there at this moment comes to the trash. 0, also without a durable copy; -errno. */
must_check int jpfs_save_only_here_locked(struct jpfs_conversation *conversation);

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
