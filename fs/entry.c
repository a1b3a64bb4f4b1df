/*
 * What is in a conversation: finding it, describing it, opening its bytes.
 *
 * An entry in memory stands for one line of versions of one file. While nobody writes, a lookup
 * compares what it knows with what is on disk; a durable file that was replaced gets a new entry,
 * and the old one, no longer linked, lives on as long as somebody has it open.
 */
#include "core/base/io.h"
#include "core/base/sys.h"
#include "fs/glance.h"
#include "fs/repeat.h"
#include "fs/view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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

/* Where the bytes of a path are, apart from what is staged. */
struct location {
	enum jpfs_home home;
	struct stat st;
};

static int locate_managed(struct jpfs_conversation *conversation, enum jp_managed which,
			  struct location *ret)
{
	struct jpfs_view *view = conversation->view;
	unsigned bit = 1U << which;
	int r = -ENOENT;

	if ((conversation->hidden & bit) != 0 && !jpfs_returned_look_locked(conversation, which))
		return -ENOENT;
	if ((conversation->drafts & bit) == 0 &&
	    !jpfs_is_beside_draft_locked(conversation, which)) {
		r = jpfs_durable_stat_locked(conversation, which, &ret->st);
		if (r != -ENOENT) {
			ret->home = JPFS_DURABLE;
			return r;
		}
		if (conversation->pins[which] != NULL && conversation->vanished_ms != 0 &&
		    fstatat(view->staging.fd, conversation->pins[which], &ret->st,
			    AT_SYMLINK_NOFOLLOW) == 0) {
			ret->home = JPFS_PINNED;
			return 0;
		}
		/* A whole durable copy without this file: it has none. */
		if (conversation->was_durable && conversation->vanished_ms == 0)
			return -ENOENT;
	} else {
		struct stat durable;

		/* Has it changed, and is it the same by now? Then the draft ends: jpfs_draft_look(). */
		jp_ignore(jpfs_durable_stat_locked(conversation, which, &durable));
	}
	r = jpfs_stat_workspace_locked(conversation, jp_managed_name(which), &ret->st);
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	ret->home = JPFS_WORKSPACE;
	return 0;
}

/* Another worktree, or jp, has changed it in the store: the workspace gets it, too, and until then a
 * link is held to it. */
static void follow_unmanaged(struct jpfs_conversation *conversation, const char *path,
			     const struct stat *durable)
{
	const char *pin = jpfs_other_pin_locked(conversation, path);
	struct stat st;

	if (pin == NULL ||
	    fstatat(conversation->view->staging.fd, pin, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != durable->st_ino) {
		jpfs_entry_replaced_locked(conversation, path,
					   durable); /* while its link is there */
		jpfs_pin_other_durable_locked(conversation, path);
	}
	if (jpfs_note_find(conversation->added, path) != NULL)
		return;
	jp_ignore(jpfs_note_add(&conversation->added, path)); /* the next look tries again */
	jpfs_repeat_note_locked(conversation, path, JPFS_CHANGED);
	jpfs_work_add(conversation, 0);
}

static int locate_unmanaged(struct jpfs_conversation *conversation, const char *path,
			    struct location *ret)
{
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	struct stat workspace_st;
	int durable, r;

	if (jp_name_is_managed_temporary(path) ||
	    jpfs_note_find(conversation->removed, path) != NULL)
		return -ENOENT;
	if (conversation->is_local) {
		if (jpfs_note_find(conversation->doomed, path) != NULL)
			return -ENOENT;
		r = jpfs_durable_path_locked(conversation, path, place);
		if (r == 0)
			r = jpfs_stat_beneath(view->silo->conversations_fd, place, &ret->st);
		ret->home = JPFS_DURABLE;
		return r == -ENOTDIR || r == -ELOOP ? -ENOENT : r;
	}
	r = jpfs_stat_workspace_locked(conversation, path, &workspace_st);
	if (r == -ENOTDIR || r == -ELOOP)
		r = -ENOENT;
	if (r < 0 && (r != -ENOENT || jpfs_note_find(conversation->added, path) == NULL))
		return r;
	durable = jpfs_durable_path_locked(conversation, path, place);
	if (durable == 0 &&
	    fstatat(view->silo->conversations_fd, place, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
		durable = -errno;
	if (durable < 0 && !jp_is_absent(durable))
		return durable; /* what the workspace has may be an older one */
	/* While jp is still making the durable copy, out of what it reads here, its files are not to
	 * be looked at: jp would read what it is just writing. */
	if (durable == 0 && conversation->was_durable && conversation->vanished_ms == 0 &&
	    (r < 0 || (ret->st.st_mode & S_IFMT) == (workspace_st.st_mode & S_IFMT) ||
	     jpfs_note_find(conversation->added, path) != NULL)) {
		ret->home = JPFS_DURABLE;
		if (r == 0 && S_ISREG(ret->st.st_mode) && !view->is_read_only &&
		    (ret->st.st_size != workspace_st.st_size ||
		     jp_mtime_ns(&ret->st) != jp_mtime_ns(&workspace_st)))
			follow_unmanaged(conversation, path, &ret->st);
		return 0;
	}
	if (r < 0) {
		const char *pin = jpfs_other_pin_locked(conversation, path);

		ret->home = JPFS_PINNED;
		return pin != NULL && fstatat(view->staging.fd, pin, &ret->st,
					      AT_SYMLINK_NOFOLLOW) == 0
			       ? 0
			       : r;
	}
	ret->home = JPFS_WORKSPACE;
	ret->st = workspace_st;
	return 0;
}

static int locate(struct jpfs_conversation *conversation, const char *path, enum jp_managed managed,
		  struct location *ret)
{
	return managed != JP_UNMANAGED ? locate_managed(conversation, managed, ret)
				       : locate_unmanaged(conversation, path, ret);
}

/* What the workspace's file says, when it is a projection of this version: git compares inode
 * numbers and times, and finds them unchanged by mounting and unmounting. */
static bool stat_projection(struct jpfs_conversation *conversation, const char *path,
			    enum jp_managed managed, const struct stat *durable, struct stat *ret)
{
	if (jpfs_stat_workspace_locked(conversation, path, ret) < 0 ||
	    ((ret->st_mode ^ durable->st_mode) & S_IFMT) != 0 || ret->st_size != durable->st_size)
		return false;
	if (jp_mtime_ns(ret) == jp_mtime_ns(durable))
		return true;
	return managed != JP_UNMANAGED && jpfs_version_matches(&conversation->same[managed], ret);
}

/*
 * The inode number of what is not, or no longer, a file of the workspace. Numbers of real files
 * will not do: a staged file's may be given again to another while this one is still shown.
 */
static ino_t synthetic_ino(const struct jpfs_entry *entry)
{
	return (ino_t)(UINT64_C(1) << 62 | entry->object.serial);
}

void jpfs_entry_leave_projection_locked(struct jpfs_entry *entry)
{
	entry->shown_ino = synthetic_ino(entry);
}

struct jpfs_entry *jpfs_entry_live_locked(struct jpfs_conversation *conversation, const char *path)
{
	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		if (entry->is_linked && strcmp(entry->path, path) == 0)
			return entry;
	}
	return NULL;
}

const char *jpfs_entry_path_new(const char *path)
{
	enum jp_managed managed = jp_managed_from_name(path);

	return managed != JP_UNMANAGED ? jp_managed_name(managed) : strdup(path);
}

void jpfs_entry_path_free(const char *path)
{
	if (path != NULL && jp_managed_from_name(path) == JP_UNMANAGED)
		free((char *)(uintptr_t)path); /* NOLINT: it is strdup's, not the constant */
}

int jpfs_entry_new_locked(struct jpfs_conversation *conversation, const char *path, mode_t type,
			  enum jpfs_home home, struct jpfs_entry **ret)
{
	struct jpfs_entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return -ENOMEM;
	entry->path = jpfs_entry_path_new(path);
	if (entry->path == NULL) {
		free(entry);
		return -ENOMEM;
	}
	jpfs_object_init(conversation->view, &entry->object, JPFS_ENTRY);
	jpfs_object_ref(&conversation->object);
	entry->conversation = conversation;
	entry->managed = jp_managed_from_name(path);
	entry->type = type & S_IFMT;
	entry->is_linked = true;
	entry->home = home;
	entry->shown_ino = synthetic_ino(entry);
	entry->next = conversation->entries;
	conversation->entries = entry;
	*ret = entry;
	return 0;
}

bool jpfs_entry_may_be_open_locked(const struct jpfs_entry *entry)
{
	return entry->opens > 0 || atomic_load(&entry->conversation->view->opens_unseen);
}

void jpfs_entry_orphan_locked(struct jpfs_entry *entry)
{
	cleanup_content struct jpfs_content *content = NULL;

	/* Whoever has it open goes on with these bytes: get hold of them while there is a name. */
	if (S_ISREG(entry->type) && entry->is_linked && entry->content == NULL &&
	    jpfs_entry_may_be_open_locked(entry) &&
	    jpfs_entry_content_locked(entry, &content) == 0 && entry->content == NULL)
		entry->content = TAKE_PTR(content); /* else later reads say ESTALE */
	entry->is_linked = false;
	entry->shown_ino = synthetic_ino(entry);
}

int jpfs_entry_gone_locked(struct jpfs_conversation *conversation, const char *path,
			   struct jpfs_entry **ret)
{
	int r;

	for (struct jpfs_entry *entry = conversation->entries; entry != NULL; entry = entry->next) {
		if (!entry->is_linked && entry->is_replaced && S_ISREG(entry->type) &&
		    strcmp(entry->path, path) == 0 && jpfs_object_try_ref(&entry->object)) {
			*ret = entry;
			return 0;
		}
	}
	r = jpfs_entry_new_locked(conversation, path, S_IFREG, JPFS_DURABLE, ret);
	if (r == 0)
		(*ret)->is_linked = false;
	return r;
}

/* Whether a file of the workspace is a projection of an entry's version. */
static bool is_its_projection(const struct jpfs_entry *entry, const struct stat *st)
{
	return st->st_size == entry->version.size &&
	       (st->st_ino == entry->shown_ino || jp_mtime_ns(st) == entry->version.mtime_ns);
}

/*
 * Only the durable file's time is another: whoever has it open has the file that is there. A number
 * can be given again to another file of the same size, so it is the bytes that tell, as the workspace
 * has them.
 */
static bool take_touched(struct jpfs_entry *entry, const struct stat *st)
{
	struct jpfs_conversation *conversation = entry->conversation;
	cleanup_close int durable = -EBADF, workspace = -EBADF;
	struct stat projected;

	if (entry->home != JPFS_DURABLE || entry->managed == JP_UNMANAGED ||
	    entry->version.ino != st->st_ino || entry->version.size != st->st_size ||
	    entry->version.mtime_ns == jp_mtime_ns(st))
		return false;
	workspace = jpfs_open_side_locked(conversation, false, entry->path);
	if (workspace < 0 || fstat(workspace, &projected) < 0 ||
	    projected.st_size != entry->version.size ||
	    jp_mtime_ns(&projected) != entry->version.mtime_ns)
		return false;
	durable = jpfs_open_side_locked(conversation, true, entry->path);
	if (durable < 0 || jp_same_content(durable, workspace) != 1)
		return false;
	entry->version = jpfs_version_of(st);
	return true;
}

/* Whether an entry in memory still tells the truth about its path. */
static bool is_current(struct jpfs_entry *entry, const struct location *location)
{
	struct jpfs_conversation *conversation = entry->conversation;

	if (((location->st.st_mode ^ entry->type) & S_IFMT) != 0)
		return false;
	if (S_ISDIR(entry->type))
		return true;
	if (location->home == JPFS_DURABLE)
		return entry->home == JPFS_DURABLE &&
		       jpfs_version_matches(&entry->version, &location->st);
	/* The durable copy vanished under it: the same version, from where it can still be had. */
	if (entry->home == JPFS_DURABLE && conversation->vanished_ms != 0 &&
	    entry->managed != JP_UNMANAGED)
		return true;
	/* The workspace has had it, or has it by now and the link has served. */
	if ((entry->home == JPFS_PINNED || entry->home == JPFS_DURABLE) &&
	    location->home == JPFS_WORKSPACE && conversation->vanished_ms != 0)
		return is_its_projection(entry, &location->st);
	return entry->home == location->home &&
	       (entry->home != JPFS_WORKSPACE || entry->version.ino == location->st.st_ino);
}

/* Nobody has it open, so nobody expects the version that it stood for: let it stand for this. */
static void rebind(struct jpfs_entry *entry, const struct location *location)
{
	struct stat projection;

	entry->home = location->home;
	entry->version = jpfs_version_of(&location->st);
	jpfs_entry_forget_times_locked(entry);
	entry->shown_ino = synthetic_ino(entry);
	if (location->home == JPFS_WORKSPACE)
		entry->shown_ino = location->st.st_ino;
	else if (location->home == JPFS_DURABLE &&
		 stat_projection(entry->conversation, entry->path, entry->managed, &location->st,
				 &projection))
		entry->shown_ino = projection.st_ino;
}

/* Its version was replaced or removed between two requests: find what its path leads to now. A
 * directory or a link has no versions: it is found wherever it can still be had. */
static int refresh(struct jpfs_entry *entry)
{
	struct location location;
	int r;

	if (!entry->is_linked || entry->content != NULL || entry->home == JPFS_STAGED ||
	    (S_ISREG(entry->type) && jpfs_entry_may_be_open_locked(entry)))
		return -ESTALE;
	r = locate(entry->conversation, entry->path, entry->managed, &location);
	if (r < 0 || ((location.st.st_mode ^ entry->type) & S_IFMT) != 0)
		return -ESTALE;
	rebind(entry, &location);
	return 0;
}

int jpfs_entry_lookup_locked(struct jpfs_conversation *conversation, const char *path,
			     struct jpfs_entry **ret)
{
	enum jp_managed managed = jp_managed_from_name(path);
	struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, path);
	struct location location;
	int r;

	if (entry != NULL && entry->home == JPFS_STAGED && jpfs_object_try_ref(&entry->object)) {
		*ret = entry;
		return 0;
	}
	r = locate(conversation, path, managed, &location);
	if (r < 0 && !jp_is_absent(r))
		return r; /* nobody can tell: what is known stands */
	if (entry != NULL && r == 0 && location.home == JPFS_DURABLE)
		(void)take_touched(entry, &location.st);
	if (entry != NULL && r == 0 && !is_current(entry, &location) &&
	    !jpfs_entry_may_be_open_locked(entry) &&
	    ((location.st.st_mode ^ entry->type) & S_IFMT) == 0)
		rebind(entry, &location);
	if (entry != NULL && (r < 0 || !is_current(entry, &location))) {
		jpfs_entry_orphan_locked(entry);
		entry->is_replaced = true;
		entry = NULL;
	}
	if (r < 0)
		return r;
	if (entry != NULL && jpfs_object_try_ref(&entry->object)) {
		if (entry->home != location.home) {
			entry->home = location.home;
			entry->version = jpfs_version_of(&location.st);
		}
		*ret = entry;
		return 0;
	}
	if (entry != NULL)
		entry->is_linked = false; /* its last reference is just going */
	r = jpfs_entry_new_locked(conversation, path, location.st.st_mode, location.home, &entry);
	if (r < 0)
		return r;
	rebind(entry, &location);
	*ret = entry;
	return 0;
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

bool jpfs_entry_is_stale_locked(const struct jpfs_entry *entry)
{
	return entry->is_replaced && !jpfs_entry_may_be_open_locked(entry);
}

bool jpfs_entry_was_replaced(struct jpfs_entry *entry)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&entry->conversation->lock);

	return entry->is_replaced;
}

/* stat of the file that holds the bytes now; -ESTALE it is another version by now. */
static int stat_place(struct jpfs_entry *entry, struct stat *ret)
{
	char path[JPFS_PATH_BYTES];
	int root_fd, r;

	if (entry->content != NULL)
		return fstat(entry->content->fd, ret) < 0 ? -errno : 0;
	r = jpfs_entry_place_locked(entry, &root_fd, path);
	if (r == 0 && entry->home == JPFS_DURABLE && entry->managed != JP_UNMANAGED)
		r = fstatat(root_fd, path, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	else if (r == 0)
		r = jpfs_stat_beneath(root_fd, path, ret);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	return S_ISREG(entry->type) && entry->home == JPFS_DURABLE &&
			       !jpfs_version_matches(&entry->version, ret) &&
			       !take_touched(entry, ret)
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
	int r = jpfs_entry_is_stale_locked(entry) ? -ESTALE : stat_place(entry, ret);

	if (r == -ESTALE && refresh(entry) == 0)
		r = stat_place(entry, ret);
	/* Replaced a moment ago: it is what remains of it, for whoever has it open. */
	if (r == -ESTALE && jpfs_entry_may_be_open_locked(entry))
		r = stat_remains(entry, ret);
	if (r < 0)
		return r;
	if (entry->home == JPFS_DURABLE && entry->is_linked &&
	    stat_projection(entry->conversation, entry->path, entry->managed, ret, &projection)) {
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
	    (fstat(fd, &st) < 0 ||
	     (!jpfs_version_matches(&entry->version, &st) && !take_touched(entry, &st))))
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
	if (fd < 0 || fstat(fd, &st) < 0 || !is_its_projection(entry, &st))
		return -ESTALE;
	return TAKE_FD(fd);
}

void jpfs_entry_replaced_locked(struct jpfs_conversation *conversation, const char *path,
				const struct stat *by)
{
	struct jpfs_entry *entry = jpfs_entry_live_locked(conversation, path);

	if (entry == NULL || (entry->home != JPFS_DURABLE && entry->home != JPFS_PINNED) ||
	    !jpfs_entry_may_be_open_locked(entry) || jpfs_version_matches(&entry->version, by) ||
	    take_touched(entry, by))
		return;
	jpfs_entry_orphan_locked(entry);
	entry->is_replaced = true;
}

int jpfs_entry_content_locked(struct jpfs_entry *entry, struct jpfs_content **ret)
{
	struct jpfs_content *content;
	int fd;

	if (entry->content != NULL) {
		*ret = jpfs_content_ref(entry->content);
		return 0;
	}
	/* One more try each time that somebody was quicker in the store. */
	fd = open_place(entry);
	for (int tries = 0; fd == -ESTALE && tries < 10 && refresh(entry) == 0; tries++)
		fd = open_place(entry);
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

int jpfs_entry_readlink(struct jpfs_entry *entry, char *buffer, size_t size)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&entry->conversation->lock);
	int r = read_link(entry, buffer, size);

	return r == -ENOENT && refresh(entry) == 0 ? read_link(entry, buffer, size) : r;
}
