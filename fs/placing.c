/*
 * One file's way into the durable directory, which somebody may be removing at this moment.
 *
 * jp deletes a durable directory name by name: it lists it, unlinks what it has found, and removes the
 * directory. Whatever came into it in between would be in its way, and jp would give up with the store
 * half empty. So a file that is there is only ever exchanged, and one that is new has to wait while the
 * directory is being changed by somebody else.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/durable.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Changed so short a time ago, it may be going. */
#define CHANGING_MS 100

static bool is_changing(const struct jpfs_conversation *conversation, int directory_fd)
{
	struct stat st;
	int64_t age_ms;

	if (fstat(directory_fd, &st) < 0)
		return false;
	age_ms = jp_age_ms(&st.st_mtim);
	return age_ms >= -CHANGING_MS && age_ms < CHANGING_MS &&
	       !jpfs_version_matches(&conversation->own_change, &st);
}

bool jpfs_durable_is_changing_locked(struct jpfs_conversation *conversation)
{
	cleanup_close int top = -EBADF;
	char place[JPFS_PATH_BYTES];

	if (jpfs_durable_path_locked(conversation, "", place) < 0)
		return false;
	top = jp_open_beneath(conversation->view->silo->conversations_fd, place,
			      O_PATH | O_DIRECTORY, 0);
	return top >= 0 && is_changing(conversation, top);
}

bool jpfs_durable_is_going_locked(struct jpfs_conversation *conversation, const char *path)
{
	return strchr(path, '/') != NULL && jpfs_durable_is_changing_locked(conversation);
}

/* Whether there is no durable file of this name yet, and may be none. */
static bool is_new(struct jpfs_entry *entry, int parent, const char *name)
{
	return (entry->managed == JP_UNMANAGED || entry->managed == JP_BASE_CONFIG ||
		entry->conversation->vanished_ms != 0) &&
	       faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

int jpfs_put_in_place_locked(struct jpfs_entry *entry, bool is_forced, int parent, const char *name,
			     bool *ret_is_displaced)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jp_staging *staging = &conversation->view->staging;
	struct stat st;
	int r;

	if (!is_new(entry, parent, name)) {
		r = jp_durable_replace(staging, conversation->id, entry->staged_name, parent, name);
		*ret_is_displaced = r == 0;
	} else if (!is_forced && is_changing(conversation, parent)) {
		return -EAGAIN;
	} else {
		r = jp_durable_put(staging, conversation->id, entry->staged_name, parent, name,
				   ret_is_displaced);
	}
	if (r == 0 && fstat(parent, &st) == 0)
		conversation->own_change = jpfs_version_of(&st);
	return r;
}
