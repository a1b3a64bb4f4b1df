/*
 * Attributes of what is in a conversation: mode, owner, times. They are not bytes, so they make no new
 * version; they are changed where the bytes are, and project.c brings them to the workspace.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>

/* A path of /proc that leads to the file itself, whatever its mode permits. */
static int open_place(int root_fd, const char *path, char proc[64])
{
	int fd = jp_open_beneath(root_fd, path, O_PATH | O_NOFOLLOW, 0);

	if (fd >= 0)
		(void)snprintf(proc, 64, "/proc/self/fd/%d", fd);
	return fd;
}

struct change {
	bool sets_mode, sets_owner, sets_times;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec times[2];
};

static int change_place(int root_fd, const char *path, const struct change *change)
{
	char proc[64];
	cleanup_close int fd = open_place(root_fd, path, proc);

	if (fd < 0)
		return fd;
	if (change->sets_owner && fchownat(fd, "", change->uid, change->gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (change->sets_mode && fchmodat(AT_FDCWD, proc, change->mode & 07777, 0) < 0)
		return -errno;
	if (change->sets_times && utimensat(AT_FDCWD, proc, change->times, 0) < 0)
		return -errno;
	return 0;
}

static int change_entry(struct jpfs_entry *entry, const struct change *change)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_view *view = conversation->view;
	struct jpfs_told_times *told;
	char path[JPFS_PATH_BYTES];
	struct stat st;
	int root_fd, r;

	told = jpfs_entry_tell_times_anew_locked(
		entry); /* without memory: those of the file itself */
	if (told != NULL && change->sets_times && change->times[1].tv_nsec != UTIME_OMIT)
		told->mtime = (struct timespec){0};
	if (!entry->is_linked) {
		if (entry->content == NULL)
			return -ESTALE;
		if ((change->sets_owner &&
		     fchown(entry->content->fd, change->uid, change->gid) < 0) ||
		    (change->sets_mode &&
		     jp_sys->fchmod(entry->content->fd, change->mode & 07777) < 0) ||
		    (change->sets_times && futimens(entry->content->fd, change->times) < 0))
			return -errno;
		return 0;
	}
	r = jpfs_entry_place_locked(entry, &root_fd, path);
	if (r == 0)
		r = change_place(root_fd, path, change);
	if (r < 0 || entry->home != JPFS_DURABLE) {
		entry->times_were_set = entry->times_were_set || (r == 0 && change->sets_times);
		return r;
	}
	if (fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == entry->version.ino) {
		entry->version = jpfs_version_of(&st);
		if (entry->managed != JP_UNMANAGED)
			jpfs_know_version_locked(conversation, entry->managed, &st);
	}
	/* The projection at once; if it cannot be had now, the background goes on trying. */
	jpfs_workspace_path(conversation, entry->path, path);
	if (change_place(view->workspace_fd, path, change) < 0)
		jpfs_work_add(conversation, 0);
	return 0;
}

int jpfs_entry_set_mode(struct jpfs_entry *entry, mode_t mode)
{
	return change_entry(entry, &(struct change){.sets_mode = true, .mode = mode});
}

int jpfs_entry_set_owner(struct jpfs_entry *entry, uid_t uid, gid_t gid)
{
	return change_entry(entry, &(struct change){.sets_owner = true, .uid = uid, .gid = gid});
}

int jpfs_entry_set_times(struct jpfs_entry *entry, const struct timespec times[2])
{
	return change_entry(entry,
			    &(struct change){.sets_times = true, .times = {times[0], times[1]}});
}
