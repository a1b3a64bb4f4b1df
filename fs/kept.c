/*
 * Looking into the history. See kept.h.
 *
 * Nothing is remembered but which objects the kernel holds: every look reads the store's directory,
 * so what others keep and prune is seen at once, and nobody who does not look pays for it. The last few
 * that were looked up are held open: one that is pruned while somebody reads it can be read to its end.
 */
#include "fs/kept.h"

#include "core/base/io.h"
#include "core/conversation_id.h"
#include "core/kept.h"

#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

/* Immutable but for its reference count and `fd`. */
struct jpfs_kept {
	struct jpfs_object object;
	struct jpfs_view *view;
	uint64_t id;
	char *entry; /* its name in the store's directory; "" for a conversation's directory */
	/* Of a version, which never changes: it may be pruned while somebody has it open. */
	off_t size;
	blkcnt_t blocks;
	int fd; /* open, for a while after it was looked up; protected by view->table */
};

bool jpfs_is_kept(const struct jpfs_object *object)
{
	return object->kind == JPFS_HISTORY || object->kind == JPFS_KEPT_OF ||
	       object->kind == JPFS_KEPT;
}

static const struct jpfs_kept *as_kept(const struct jpfs_object *object)
{
	return (const struct jpfs_kept *)object;
}

/* ---- the table ---- */

static int compare_kept(const void *first, const void *second)
{
	const struct jpfs_kept *a = first, *b = second;

	return a->id != b->id ? (a->id < b->id ? -1 : 1) : strcmp(a->entry, b->entry);
}

/* The object of a place in the history, made if there is none. */
static int remember(struct jpfs_view *view, uint64_t id, const char *entry, const struct stat *st,
		    struct jpfs_object **ret)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct jpfs_kept key = {.id = id, .entry = strdup(entry)}, *kept;
	struct jpfs_kept **place;

	if (key.entry == NULL)
		return -ENOMEM;
	place = tfind(&key, &view->kept, compare_kept);
	if (place != NULL && jpfs_object_try_ref(&(*place)->object)) {
		free(key.entry);
		*ret = &(*place)->object;
		return 0;
	}
	/* Its last reference is just going: it makes way. */
	if (place != NULL)
		(void)tdelete(&key, &view->kept, compare_kept);
	kept = calloc(1, sizeof(*kept));
	if (kept == NULL) {
		free(key.entry);
		return -ENOMEM;
	}
	kept->view = view;
	kept->id = id;
	kept->entry = key.entry;
	kept->size = st->st_size;
	kept->blocks = st->st_blocks;
	kept->fd = -EBADF;
	jpfs_object_init(view, &kept->object, entry[0] != '\0' ? JPFS_KEPT : JPFS_KEPT_OF);
	if (tsearch(kept, &view->kept, compare_kept) == NULL) {
		free(kept->entry);
		free(kept);
		return -ENOMEM;
	}
	*ret = &kept->object;
	return 0;
}

void jpfs_kept_forget(struct jpfs_kept *kept)
{
	struct jpfs_view *view = kept->view;
	struct jpfs_kept **place;

	pthread_mutex_lock(&view->table);
	/* Another one may have taken its place already. */
	place = tfind(kept, &view->kept, compare_kept);
	if (place != NULL && *place == kept)
		(void)tdelete(kept, &view->kept, compare_kept);
	for (size_t i = 0; i < JPFS_HELD_MAX; i++) {
		if (view->held[i] == kept)
			view->held[i] = NULL;
	}
	pthread_mutex_unlock(&view->table);
	jp_closep(&kept->fd);
	free(kept->entry);
	free(kept);
}

static int open_by_name(const struct jpfs_kept *kept)
{
	char path[NAME_MAX + 64];

	(void)snprintf(path, sizeof(path), "%" PRIu64 "/%s", kept->id, kept->entry);
	return jp_open_regular(kept->view->silo->history_fd, path, O_RDONLY);
}

/* Hold a version open, in place of the one that has been held for longest. */
static void hold(struct jpfs_kept *kept)
{
	struct jpfs_view *view = kept->view;
	cleanup_close int fd = open_by_name(kept), gone = -EBADF;
	cleanup_unlock pthread_mutex_t *held = jp_lock(&view->table);
	struct jpfs_kept **place = &view->held[view->held_next];

	if (fd < 0 || kept->fd >= 0)
		return; /* without descriptors it is opened when it is read */
	if (*place != NULL)
		gone = TAKE_FD((*place)->fd);
	kept->fd = TAKE_FD(fd);
	*place = kept;
	view->held_next = (view->held_next + 1) % JPFS_HELD_MAX;
}

/* ---- names ---- */

/* The name of a conversation's directory: what this worktree calls it, else the store; one that was
 * removed has only its number. */
static void name_directory(struct jpfs_view *view, uint64_t id, char name[NAME_MAX + 1])
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);
	char path[JP_CONVERSATION_PATH_BYTES];
	const char *slash;
	bool is_archived;

	if (conversation != NULL) {
		jpfs_conversation_lock(conversation);
		(void)snprintf(name, NAME_MAX + 1, "%s", conversation->name);
		pthread_mutex_unlock(&conversation->lock);
		jpfs_object_unref(&conversation->object);
		return;
	}
	if (jp_dir_index_find(view->durable_index, id, path, &is_archived) < 0) {
		(void)snprintf(name, NAME_MAX + 1, "%" PRIu64, id);
		return;
	}
	slash = strrchr(path, '/');
	(void)snprintf(name, NAME_MAX + 1, "%.255s", slash != NULL ? slash + 1 : path);
}

static int stat_place(struct jpfs_view *view, uint64_t id, const char *entry, struct stat *ret)
{
	char path[NAME_MAX + 64];

	(void)snprintf(path, sizeof(path), "%" PRIu64 "%s%s", id, entry[0] != '\0' ? "/" : "",
		       entry);
	return jpfs_stat_beneath(view->silo->history_fd, path, ret);
}

int jpfs_kept_lookup(struct jpfs_view *view, struct jpfs_object *place, const char *name,
		     struct jpfs_object **ret)
{
	char entry[NAME_MAX + 1];
	struct stat st;
	uint64_t id;
	int r;

	if (place->kind == JPFS_HISTORY) {
		if (jp_conversation_id_parse(name, &id) < 0)
			return -ENOENT;
		name_directory(view, id, entry);
		r = strcmp(name, entry) == 0 ? stat_place(view, id, "", &st) : -ENOENT;
		if (r == 0 && !S_ISDIR(st.st_mode))
			r = -ENOENT;
		return r < 0 ? r : remember(view, id, "", &st, ret);
	}
	id = as_kept(place)->id;
	r = jp_kept_find_shown(view->silo->history_fd, id, name, entry);
	if (r == 0)
		r = stat_place(view, id, entry, &st);
	if (r == 0 && !S_ISREG(st.st_mode))
		r = -ENOENT;
	if (r == 0)
		r = remember(view, id, entry, &st, ret);
	if (r == 0)
		hold((struct jpfs_kept *)*ret);
	return r;
}

int jpfs_kept_list(struct jpfs_view *view, struct jpfs_object *place, struct jpfs_listing *listing)
{
	cleanup_free struct jp_kept *list = NULL;
	char name[NAME_MAX + 1];
	size_t count = 0;
	int r;

	if (place->kind == JPFS_HISTORY)
		r = jp_kept_read_all(view->silo->history_fd, -EBADF, &list, &count);
	else
		r = jp_kept_read(view->silo->history_fd, -EBADF, as_kept(place)->id, &list, &count);
	for (size_t i = 0; i < count && r == 0; i++) {
		if (place->kind != JPFS_HISTORY) {
			r = jp_kept_shown_name(list[i].entry, name);
			if (r == 0 && !list[i].is_directory)
				r = jpfs_listing_add(listing, name, 0, S_IFREG);
		} else if (list[i].id != 0 && (i == 0 || list[i].id != list[i - 1].id)) {
			name_directory(view, list[i].id, name);
			r = jpfs_listing_add(listing, name, 0, S_IFDIR);
		}
	}
	return r;
}

/* ---- what is there ---- */

int jpfs_kept_stat(struct jpfs_object *object, struct stat *st)
{
	const struct jpfs_kept *kept = as_kept(object);
	const char *file;
	struct stat found;
	int64_t ns;
	int r;

	if (kept->entry[0] == '\0') {
		r = stat_place(kept->view, kept->id, "", &found);
		if (r < 0)
			return r;
		st->st_mtim = found.st_mtim;
	} else {
		r = jp_kept_parse(kept->entry, &ns, &file);
		if (r < 0)
			return r;
		st->st_mtim = (struct timespec){ns / 1000000000, ns % 1000000000};
		st->st_size = kept->size;
		st->st_blocks = kept->blocks;
	}
	st->st_atim = st->st_ctim = st->st_mtim;
	return 0;
}

int jpfs_kept_open(struct jpfs_object *object)
{
	const struct jpfs_kept *kept = as_kept(object);
	int fd;

	pthread_mutex_lock(&kept->view->table);
	fd = kept->fd >= 0 ? fcntl(kept->fd, F_DUPFD_CLOEXEC, 3) : -EBADF;
	pthread_mutex_unlock(&kept->view->table);
	return fd >= 0 ? fd : open_by_name(kept);
}
