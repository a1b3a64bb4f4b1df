/*
 * Describing what is in a conversation, and opening its bytes.
 *
 * Whoever writes the store directly can put another version in place between two of our system calls.
 * So what was opened or described is compared with the version that the entry stands for; if it is
 * another one, its path is followed anew, and who may have the old one open goes on with what is left
 * of it: a link that is held to it, or its projection.
 */
#include "core/base/io.h"
#include "fs/entry_parts.h"
#include "fs/glance.h"
#include "fs/locate.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct jpfs_content *jpfs_content_new(int fd)
{
	struct jpfs_content *content = malloc(sizeof(*content));

	if (content == NULL) {
		jp_closep(&fd);
		return NULL;
	}
	atomic_init(&content->refs, 1);
	content->fd = fd;
	return content;
}

struct jpfs_content *jpfs_content_ref(struct jpfs_content *content)
{
	atomic_fetch_add(&content->refs, 1);
	return content;
}

void jpfs_content_unrefp(struct jpfs_content **content)
{
	if (*content != NULL && atomic_fetch_sub(&(*content)->refs, 1) == 1) {
		jp_closep(&(*content)->fd);
		free(*content);
	}
	*content = NULL;
}

int jpfs_entry_place_locked(struct jpfs_entry *entry, int *ret_root_fd,
			    char ret_path[JPFS_PATH_BYTES])
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	const char *name = entry->staged_name;

	switch (entry->home) {
	case JPFS_DURABLE:
		*ret_root_fd = view->silo->conversations_fd;
		return jpfs_durable_path_locked(conversation, entry->path, ret_path);
	case JPFS_WORKSPACE:
		*ret_root_fd = view->workspace_fd;
		jpfs_workspace_path(conversation, entry->path, ret_path);
		return 0;
	case JPFS_PINNED:
		name = jpfs_pin_of_locked(entry);
		break;
	case JPFS_STAGED:
		break;
	}
	if (name == NULL)
		return -ESTALE;
	*ret_root_fd = view->staging.fd;
	(void)snprintf(ret_path, JPFS_PATH_BYTES, "%s", name);
	return 0;
}

/* stat of the file that holds the bytes now; -ESTALE it is another version by now. */
static int stat_place(struct jpfs_entry *entry, struct stat *ret)
{
	char path[JPFS_PATH_BYTES];
	int root_fd, r;

	if (entry->content != NULL)
		return fstat(entry->content->fd, ret) < 0 ? -errno : 0;
	r = jpfs_entry_place_locked(entry, &root_fd, path);
	if (r == 0 && entry->home == JPFS_DURABLE && entry->managed != JP_UNMANAGED &&
	    entry->conversation->glance != NULL)
		r = jpfs_stat_durable_locked(entry->conversation, entry->path, ret);
	else if (r == 0 && entry->home == JPFS_DURABLE && entry->managed != JP_UNMANAGED)
		r = fstatat(root_fd, path, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	else if (r == 0)
		r = jpfs_stat_beneath(root_fd, path, ret);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	return S_ISREG(entry->type) && entry->home == JPFS_DURABLE &&
			       !jpfs_version_matches(&entry->version, ret) &&
			       !jpfs_entry_take_touched_locked(entry, ret)
		       ? -ESTALE
		       : 0;
}

/*
 * What was written here moves to the store and to the workspace afterwards, and each step is a change
 * of its inode. For whoever wrote it nothing has happened: git would take the change of st_ctime
 * for an edit, and give up a rebase half way for fear of losing that. The same goes for the st_mtime
 * of what git puts back and the store has already, with a time of its own.
 */
static void keep_times(struct jpfs_entry *entry, struct stat *st)
{
	struct jpfs_told_times *told = entry->told_times;

	if (told == NULL && entry->generation == 0)
		return; /* nothing was written here */
	if (told == NULL)
		told = jpfs_entry_tell_times_anew_locked(entry);
	if (told == NULL)
		return; /* without memory git may look at a file once more than it needs to */
	if (told->generation != entry->generation) {
		/* Its mode was changed, or another time: not this one. */
		if (entry->is_restored && told->generation == UINT64_MAX && told->mtime.tv_sec != 0)
			st->st_mtim = told->mtime;
		*told = (struct jpfs_told_times){entry->generation, st->st_ctim, st->st_mtim};
	} else if (told->ctime.tv_sec != 0) {
		st->st_ctim = told->ctime;
		if (entry->is_restored)
			st->st_mtim = told->mtime;
	}
}

struct jpfs_told_times *jpfs_entry_tell_times_anew_locked(struct jpfs_entry *entry)
{
	if (entry->told_times == NULL)
		entry->told_times = calloc(1, sizeof(*entry->told_times));
	if (entry->told_times != NULL)
		entry->told_times->generation = UINT64_MAX;
	return entry->told_times;
}

void jpfs_entry_forget_times_locked(struct jpfs_entry *entry)
{
	entry->is_restored = false;
	if (entry->told_times == NULL && entry->generation != 0)
		(void)jpfs_entry_tell_times_anew_locked(entry);
	if (entry->told_times != NULL)
		*entry->told_times = (struct jpfs_told_times){.generation = entry->generation};
}

static int stat_remains(struct jpfs_entry *entry, struct stat *ret)
{
	cleanup_content struct jpfs_content *content = NULL;
	int r = jpfs_entry_content_locked(entry, &content);

	if (r == 0 && fstat(content->fd, ret) < 0)
		r = -errno;
	return r;
}

int jpfs_entry_stat_locked(struct jpfs_entry *entry, struct stat *ret)
{
	struct stat projection;
	int r = jpfs_entry_is_stale_locked(entry) && entry->content == NULL
			? -ESTALE
			: stat_place(entry, ret);

	if (r == -ESTALE && !jpfs_entry_is_stale_locked(entry)) {
		bool is_fresh = jpfs_entry_refresh_locked(entry) == 0;

		if (is_fresh)
			r = stat_place(entry, ret);
		/* Replaced a moment ago, or once more since it was looked for: it is what remains of it,
		 * for whoever has it open, or has just found it. */
		if (r == -ESTALE && (is_fresh || jpfs_entry_may_be_open_locked(entry)))
			r = stat_remains(entry, ret);
	}
	if (r < 0)
		return r;
	if (entry->home == JPFS_DURABLE && entry->is_linked &&
	    jpfs_stat_projection_locked(entry->conversation, entry->path, entry->managed, ret,
					&projection)) {
		ret->st_mtim = projection.st_mtim;
		ret->st_ctim = projection.st_ctim;
	}
	keep_times(entry, ret);
	ret->st_ino = entry->shown_ino;
	/* Links that history and pins hold are nobody's business here. */
	if (!S_ISDIR(ret->st_mode))
		ret->st_nlink = entry->is_linked ? 1 : 0;
	return 0;
}

/* Open the file that holds the bytes now; -ESTALE it is another version by now. */
static int open_place(struct jpfs_entry *entry)
{
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	struct stat st;
	int root_fd, r;

	r = jpfs_entry_place_locked(entry, &root_fd, path);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	fd = jp_open_regular(root_fd, path, entry->home == JPFS_STAGED ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? -ESTALE : fd;
	if (entry->home == JPFS_DURABLE &&
	    (fstat(fd, &st) < 0 || (!jpfs_version_matches(&entry->version, &st) &&
				    !jpfs_entry_take_touched_locked(entry, &st))))
		return -ESTALE;
	return TAKE_FD(fd);
}

/* A version that somebody has replaced in the store a moment ago: a link that is held to it, or its
 * projection, which has the same bytes until it follows. A new descriptor, or -ESTALE. */
static int open_remains(struct jpfs_entry *entry)
{
	struct jpfs_conversation *conversation = entry->conversation;
	struct jpfs_view *view = conversation->view;
	cleanup_close int fd = -EBADF;
	char path[JPFS_PATH_BYTES];
	const char *pin;
	struct stat st;

	if ((entry->home != JPFS_DURABLE && entry->home != JPFS_PINNED) || !S_ISREG(entry->type))
		return -ESTALE;
	pin = jpfs_pin_of_locked(entry);
	if (pin != NULL) {
		fd = jp_open_regular(view->staging.fd, pin, O_RDONLY);
		if (fd >= 0 && fstat(fd, &st) == 0 && jpfs_version_matches(&entry->version, &st))
			return TAKE_FD(fd);
		jp_closep(&fd);
	}
	jpfs_workspace_path(conversation, entry->path, path);
	fd = jp_open_regular(view->workspace_fd, path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || !jpfs_entry_is_its_projection(entry, &st))
		return -ESTALE;
	return TAKE_FD(fd);
}

int jpfs_entry_content_locked(struct jpfs_entry *entry, struct jpfs_content **ret)
{
	struct jpfs_content *content;
	int fd;

	if (entry->content != NULL) {
		*ret = jpfs_content_ref(entry->content);
		return 0;
	}
	/* Once more when somebody was quicker in the store. Who replaces it without a pause is quicker each
	 * time; but what was looked for is linked, and was there at that moment. */
	fd = open_place(entry);
	for (int tries = 0; fd == -ESTALE && tries < 10 && jpfs_entry_refresh_locked(entry) == 0;
	     tries++) {
		fd = open_place(entry);
		if (fd == -ESTALE)
			fd = open_remains(entry);
	}
	if (fd == -ESTALE && jpfs_entry_may_be_open_locked(entry))
		fd = open_remains(entry);
	if (fd < 0)
		return fd;
	content = jpfs_content_new(fd);
	if (content == NULL)
		return -ENOMEM;
	/* Kept only while somebody needs it: a descriptor for each file ever read would be many. */
	if (entry->opens > 0 || !entry->is_linked)
		entry->content = jpfs_content_ref(content);
	*ret = content;
	return 0;
}

static int read_link(struct jpfs_entry *entry, char *buffer, size_t size)
{
	cleanup_close int parent = -EBADF;
	char path[JPFS_PATH_BYTES];
	const char *name;
	ssize_t n;
	int root_fd, r;

	r = jpfs_entry_place_locked(entry, &root_fd, path);
	if (r < 0)
		return r;
	parent = jpfs_open_parent(root_fd, path, &name);
	if (parent < 0)
		return parent;
	n = readlinkat(parent, name, buffer, size - 1);
	if (n < 0)
		return -errno;
	buffer[n] = '\0';
	return 0;
}

/* A link has no versions: what its path leads to at this moment will do, whichever that is. */
int jpfs_entry_readlink(struct jpfs_entry *entry, char *buffer, size_t size)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_lock(conversation);
	struct jpfs_location location;
	int r = read_link(entry, buffer, size);

	for (int tries = 0; r == -ENOENT && tries < 10; tries++) {
		if (jpfs_locate_locked(conversation, entry->path, entry->managed, &location) < 0 ||
		    !S_ISLNK(location.st.st_mode))
			break;
		entry->home = location.home;
		r = read_link(entry, buffer, size);
	}
	/* The kernel asks for the name again, and finds what is there now. */
	return r == -ENOENT || r == -EINVAL ? -ESTALE : r;
}
