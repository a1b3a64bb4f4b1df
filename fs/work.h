/*
 * What happens in the background: committing, bringing the workspace up to date, and, once when a
 * view is opened, what killed daemons have left.
 */
#pragma once

#include "fs/conversation.h"

/* ---- project.c: from the durable copy to the workspace ---- */

/* `is_final`: removals that might still become a whole directory's are carried out as they are. */
must_check int jpfs_project_conversation(struct jpfs_conversation *conversation, bool is_final,
					 int64_t *ret_wait_ms);

/* ---- work.c: what happens in the background ---- */

must_check int jpfs_work_start(struct jpfs_view *view);
/* Something is to be committed or projected, `delay_ms` from now at the earliest. Any lock may be
 * held. */
void jpfs_work_add(struct jpfs_conversation *conversation, int64_t delay_ms);
/* Come back in this many milliseconds at the latest; *wait_ms less than 0: nobody asked yet. */
void jpfs_wait_at_most(int64_t *wait_ms, int64_t ms);
/* Each of these is to be looked at when there is time for it (leisure.h). `all` and its references are
 * taken. */
void jpfs_work_add_all(struct jpfs_view *view, struct jpfs_conversation **all, size_t count);
/*
 * A request begins: let work that has been waiting for long have its locks first. A mutex is not fair:
 * a few readers who ask without a pause were seen to keep a commit waiting for twenty seconds.
 */
void jpfs_work_give_way(struct jpfs_view *view);
/*
 * A version of a conversation is about to be begun: not while others have been waiting for long to be stored.
 * What is closed is durable some milliseconds later, however many are saved at once, because nobody saves
 * faster than the disk stores; and where that is slow, each one waits for a moment only. No lock is held.
 */
void jpfs_work_admit(struct jpfs_view *view);
/* The one thread that compares what the kernel holds with what is true begins with a conversation, or has
 * ended: it has its locks first as well. */
void jpfs_work_looks(struct jpfs_view *view, bool begins);
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
