/*
 * Files that git makes while the mount comes back.
 *
 * The daemon detaches itself from a directory that was emptied, and when git has made it anew reads what
 * is there and mounts again. git is still making files then. What a conversation lacked when it was
 * read is hidden, so that git finds nothing where it is about to create a file; but a file that came
 * between the reading and the mounting lies beneath the mount already, and nobody will create it again.
 * So what was *expected* is looked for in the workspace for as long as it is hidden.
 */
#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/notify.h"
#include "fs/view.h"

void jpfs_returned_expect_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	conversation->hidden |= 1U << which;
	conversation->expected |= 1U << which;
}

/* 1, 0, -errno. */
static int is_as_stored(struct jpfs_conversation *conversation, enum jp_managed which)
{
	cleanup_close int workspace =
		jpfs_open_side_locked(conversation, false, jp_managed_name(which));
	cleanup_close int durable =
		jpfs_open_side_locked(conversation, true, jp_managed_name(which));

	if (workspace < 0 || durable < 0)
		return workspace < 0 ? workspace : durable;
	return jp_same_content(workspace, durable);
}

bool jpfs_returned_look_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	unsigned bit = 1U << which;
	struct stat st;

	if ((conversation->expected & conversation->hidden & bit) == 0 ||
	    jpfs_stat_workspace_locked(conversation, jp_managed_name(which), &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	if (is_as_stored(conversation, which) != 1) {
		/* Another version: which of them it is to be is decided without what is on its way. */
		if (conversation->dirty != NULL)
			return false;
		conversation->is_reconciled = false;
	}
	conversation->hidden &= ~bit;
	conversation->expected &= ~bit;
	if ((conversation->hidden & (1U << JP_METADATA | 1U << JP_EVENTS)) == 0 &&
	    conversation->incomplete_ms != 0) {
		conversation->incomplete_ms = 0;
		jpfs_notify_partitions(conversation->view->notify, conversation->view);
	}
	jpfs_work_add(conversation, 0);
	return true;
}
