/*
 * What killed daemons of this silo had received and not stored yet, of whatever worktree. Done when
 * the view is opened, before anybody compares the two sides: the comparison then finds the store
 * ahead of the workspace, as after a commit.
 */
#include "fs/log.h"
#include "fs/view.h"

#include <string.h>

void jpfs_recover(struct jpfs_view *view)
{
	const struct jp_recovered *recovered = &view->recovered;
	int r = jp_leftovers_recover(view->silo, &view->recovered);

	if (recovered->current + recovered->history + recovered->trash > 0)
		jpfs_log(JPFS_LOG_INFO,
			 "%s: recovered from a daemon that was killed: %u files are current, %u "
			 "are in history, %u in the trash",
			 view->silo->path, recovered->current, recovered->history,
			 recovered->trash);
	r = r < 0 ? r : recovered->failure;
	if (r < 0)
		jpfs_view_fail(
			view,
			"nothing is lost: it is tried again at the next mount or `jpfs "
			"sync`; make room or restore access",
			"%s/jpfs/staging: what a killed daemon has left cannot be recovered: "
			"%s",
			view->silo->path, strerrordesc_np(-r));
}
