/* Recovering what dead daemons have left. See leftovers.h. */
#include "core/leftovers.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/dir_index.h"
#include "core/durable.h"
#include "core/history.h"
#include "core/managed.h"
#include "core/recover.h"
#include "core/staging.h"
#include "core/validity.h"
#include "core/version.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct recovery {
	const struct jp_silo *silo;
	struct jp_dir_index *index; /* of the durable copies */
	struct jp_staging staging;  /* the dead one's */
	struct jp_recovered *told;
};

/* One file there. */
struct leftover {
	char *name;
	struct jp_staged staged;
	bool is_ours;    /* its name is one that we give */
	bool is_put_off; /* its conversation may still be made, another time */
};

struct leftovers {
	struct leftover *items;
	size_t count;
};

static void leftovers_release(struct leftovers *leftovers)
{
	for (size_t i = 0; i < leftovers->count; i++)
		free(leftovers->items[i].name);
	free(leftovers->items);
}

static int compare_numbers(const void *first, const void *second)
{
	uint64_t a = ((const struct leftover *)first)->staged.number;
	uint64_t b = ((const struct leftover *)second)->staged.number;

	return a < b ? -1 : a > b;
}

/* The names in a directory, in the order of their numbers. */
static int list(int fd, struct leftovers *ret)
{
	cleanup_closedir DIR *dir = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t room = 0;

	dir = copy < 0 ? NULL : fdopendir(copy);
	if (dir == NULL) {
		int r = -errno;

		jp_closep(&copy);
		return r;
	}
	for (;;) {
		struct leftover item = {0};
		const struct dirent *entry;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL && errno != 0)
			return -errno;
		if (entry == NULL)
			break;
		if (!jp_is_single_name(entry->d_name))
			continue;
		if (ret->count == room) {
			size_t more = room == 0 ? 16 : room * 2;
			struct leftover *grown = reallocarray(ret->items, more, sizeof(*grown));

			if (grown == NULL)
				return -ENOMEM;
			ret->items = grown;
			room = more;
		}
		item.name = strdup(entry->d_name);
		if (item.name == NULL)
			return -ENOMEM;
		item.is_ours = jp_staged_parse(item.name, &item.staged);
		ret->items[ret->count++] = item;
	}
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_numbers);
	return 0;
}

/* ---- one file ---- */

/* The durable directory that a path lies in: a new descriptor, -ENOENT there is none. */
static int open_durable_parent(struct recovery *recovery, uint64_t id, const char *path,
			       const char **ret_name, bool *ret_has_conversation)
{
	char place[JP_CONVERSATION_PATH_BYTES + NAME_MAX + 2];
	const char *slash = strrchr(path, '/');
	bool is_archived;
	size_t used;
	int r = jp_dir_index_find(recovery->index, id, place, &is_archived);

	*ret_name = slash != NULL ? slash + 1 : path;
	*ret_has_conversation = r == 0;
	if (r < 0)
		return r;
	used = strlen(place);
	if (slash != NULL)
		(void)snprintf(place + used, sizeof(place) - used, "/%.*s", (int)(slash - path),
			       path);
	return jp_open_beneath(recovery->silo->conversations_fd, place, O_RDONLY | O_DIRECTORY, 0);
}

static int compare(enum jp_managed managed, int fd, int durable_fd, struct jp_recover_facts *facts)
{
	struct stat st, durable;
	int r = jp_same_content(fd, durable_fd);

	if (r < 0 || fstat(fd, &st) < 0 || fstat(durable_fd, &durable) < 0)
		return r < 0 ? r : -errno;
	facts->has_durable = true;
	facts->is_same = r == 1;
	facts->is_newer = jp_mtime_ns(&st) > jp_mtime_ns(&durable);
	if (managed == JP_UNMANAGED || facts->is_same)
		return 0;
	r = jp_validity_of_file(managed, durable_fd);
	facts->is_durable_valid = r == 1;
	if (r >= 0)
		r = jp_version_is_contained(managed, fd, durable_fd);
	facts->is_contained = r == 1;
	if (r >= 0)
		r = jp_version_is_contained(managed, durable_fd, fd);
	facts->contains = r == 1;
	return r < 0 ? r : 0;
}

/* `name` is the one that it has in staging by now. */
static int keep_named(struct recovery *recovery, const struct leftover *item, const char *name,
		      int fd, bool in_history)
{
	const struct jp_silo *silo = recovery->silo;
	uint64_t id = item->staged.id;
	int r = 0;

	if (in_history)
		r = jp_history_has(silo->history_fd, id, item->staged.path, fd);
	if (r == 1)
		return jp_sys->unlinkat(recovery->staging.fd, name, 0) < 0 ? -errno : 0;
	/* Not there, or nobody can tell: it is kept. */
	if (jp_sys->fsync(fd) < 0)
		return -errno;
	return jp_keep_move(in_history ? silo->history_fd : silo->trash_fd, id,
			    recovery->staging.fd, name, item->staged.path);
}

static int keep(struct recovery *recovery, const struct leftover *item, int fd, bool in_history)
{
	return keep_named(recovery, item, item->name, fd, in_history);
}

static int take(struct recovery *recovery, const struct leftover *item, int fd, int parent_fd,
		const char *name)
{
	enum jp_managed managed = jp_managed_from_name(item->staged.path);
	cleanup_close int displaced_fd = -EBADF;
	char displaced[NAME_MAX + 1];
	bool is_displaced = false;
	int r = jp_sys->fsync(fd) < 0 ? -errno : 0;

	(void)snprintf(displaced, sizeof(displaced), "%s", item->name);
	if (r == 0)
		r = jp_durable_put(&recovery->staging, item->staged.id, displaced, parent_fd, name,
				   &is_displaced);
	if (r == 0 && jp_sys->fsync(parent_fd) < 0)
		r = -errno;
	if (r < 0 || !is_displaced)
		return r;
	if (managed != JP_UNMANAGED) {
		displaced_fd = jp_open_regular(recovery->staging.fd, displaced, O_RDONLY);
		if (displaced_fd < 0)
			return displaced_fd;
		if (jp_version_is_contained(managed, displaced_fd, fd) != 1)
			return keep_named(recovery, item, displaced, displaced_fd, true);
	}
	return jp_sys->unlinkat(recovery->staging.fd, displaced, 0) < 0 ? -errno : 0;
}

/* Whether opening failed for another reason than what is, or is not, there. */
static bool is_trouble(int r)
{
	return r < 0 && !jp_is_absent(r);
}

static int recover_file(struct recovery *recovery, const struct leftover *item)
{
	const struct jp_staged *staged = &item->staged;
	enum jp_managed managed = jp_managed_from_name(staged->path);
	struct jp_recover_facts facts = {
		.state = staged->state,
		.is_managed = managed != JP_UNMANAGED,
		.is_temporary = jp_name_is_temporary(staged->path),
	};
	cleanup_close int fd = jp_open_regular(recovery->staging.fd, item->name, O_RDONLY);
	cleanup_close int parent = -EBADF, durable = -EBADF;
	const char *name;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	facts.is_marked_file = (uint64_t)st.st_ino == staged->ino;
	facts.is_marked_size = (uint64_t)st.st_size == staged->size;
	facts.is_empty = st.st_size == 0;
	/* What cannot be read is not invalid: it stays until it can be. */
	r = facts.is_managed ? jp_validity_of_file(managed, fd) : 0;
	if (r < 0)
		return r;
	facts.is_valid = r == 1;
	parent = open_durable_parent(recovery, staged->id, staged->path, &name,
				     &facts.has_conversation);
	if (parent >= 0)
		durable = jp_open_regular(parent, name, O_RDONLY);
	r = durable >= 0 ? compare(managed, fd, durable, &facts) : 0;
	if (r == 0 && facts.is_managed && staged->state == JP_STAGED_RESTORED) {
		r = jp_history_contains(recovery->silo->history_fd, staged->id, staged->path, fd,
					INT64_MAX);
		facts.is_in_history = r == 1;
	}
	if (r < 0)
		return r;
	if (is_trouble(parent) || (parent >= 0 && is_trouble(durable)))
		return parent < 0 ? parent : durable;
	switch (jp_recover_decide(&facts)) {
	case JP_RECOVER_DROP:
		return jp_sys->unlinkat(recovery->staging.fd, item->name, 0) < 0 ? -errno : 0;
	case JP_RECOVER_TAKE:
		r = parent < 0 ? parent : take(recovery, item, fd, parent, name);
		/* Its directory is gone, or something else has the name. */
		if (parent < 0 || r == -EISDIR || r == -ENOTEMPTY)
			break;
		recovery->told->current += r == 0;
		return r;
	case JP_RECOVER_KEEP:
		r = keep(recovery, item, fd, true);
		recovery->told->history += r == 0;
		return r;
	case JP_RECOVER_TRASH:
		break;
	}
	r = keep(recovery, item, fd, false);
	recovery->told->trash += r == 0;
	return r;
}

/* ---- a conversation that was being made ---- */

/* The last version of a file of a conversation that was closed; NULL: none. */
static const struct leftover *last_closed(const struct leftovers *all, uint64_t id,
					  enum jp_managed which)
{
	const struct leftover *found = NULL;

	for (size_t i = 0; i < all->count; i++) {
		const struct leftover *item = &all->items[i];

		if (item->is_ours && item->staged.id == id &&
		    (item->staged.state == JP_STAGED_WRITTEN ||
		     item->staged.state == JP_STAGED_RESTORED) &&
		    jp_managed_from_name(item->staged.path) == which)
			found = item;
	}
	return found;
}

/* Link it into the copy, synced: 1; 0 it is not whole or not valid. */
static int add_to_copy(struct recovery *recovery, const struct leftover *item,
		       enum jp_managed which, int copy_fd)
{
	cleanup_close int fd = jp_open_regular(recovery->staging.fd, item->name, O_RDONLY);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if ((uint64_t)st.st_ino != item->staged.ino || (uint64_t)st.st_size != item->staged.size)
		return 0;
	r = jp_validity_of_file(which, fd);
	if (r != 1)
		return r;
	if (jp_sys->fsync(fd) < 0 || jp_sys->linkat(recovery->staging.fd, item->name, copy_fd,
						    jp_managed_name(which), 0) < 0)
		return -errno;
	return 1;
}

/* 1: the copy is complete; 0: it cannot be. */
static int fill_copy(struct recovery *recovery, const struct leftovers *all, uint64_t id,
		     int copy_fd)
{
	int r = 1;

	for (int i = 0; i < JP_MANAGED_COUNT && r == 1; i++) {
		const struct leftover *item = last_closed(all, id, (enum jp_managed)i);

		if (item != NULL)
			r = add_to_copy(recovery, item, (enum jp_managed)i, copy_fd);
		else if (i != JP_BASE_CONFIG)
			r = 0;
	}
	if (r == 1 && jp_sys->fsync(copy_fd) < 0)
		r = -errno;
	return r;
}

static int make_conversation(struct recovery *recovery, const struct leftovers *all, uint64_t id)
{
	char copy_name[NAME_MAX + 1], name[32], place[JP_CONVERSATION_PATH_BYTES];
	cleanup_close int copy = -EBADF, lock = -EBADF;
	bool is_archived;
	int r;

	lock = jp_dir_index_lock(recovery->silo->conversations_fd);
	if (lock < 0)
		return lock;
	r = jp_dir_index_find(recovery->index, id, place, &is_archived);

	if (r != -ENOENT || last_closed(all, id, JP_EVENTS) == NULL ||
	    last_closed(all, id, JP_METADATA) == NULL)
		return r == -ENOENT ? 0 : r;
	jp_staging_name(&recovery->staging, id, "import", copy_name);
	if (jp_sys->mkdirat(recovery->staging.fd, copy_name, 0700) < 0)
		return -errno;
	copy = jp_open_beneath(recovery->staging.fd, copy_name, O_RDONLY | O_DIRECTORY, 0);
	r = copy < 0 ? copy : fill_copy(recovery, all, id, copy);
	/* Only the ID is known here; the name is the worktree's. */
	(void)snprintf(name, sizeof(name), "%" PRIu64, id);
	if (r == 1) {
		r = jp_rename_noreplace(recovery->staging.fd, copy_name,
					recovery->silo->conversations_fd, name);
		if (r == 0 && jp_sys->fsync(recovery->silo->conversations_fd) < 0)
			r = -errno;
		jp_dir_index_expire(recovery->index);
		if (r == 0)
			recovery->told->current +=
				last_closed(all, id, JP_BASE_CONFIG) != NULL ? 3 : 2;
		return r == -EEXIST ? 0 : r;
	}
	jp_ignore(jp_remove_tree(recovery->staging.fd, copy_name)); /* it was only links */
	return r;
}

/* ---- all of it ---- */

static void note_failure(struct recovery *recovery, int r)
{
	if (r >= 0)
		return;
	recovery->told->failed++;
	if (recovery->told->failure == 0)
		recovery->told->failure = r;
}

static void recover_directory(struct recovery *recovery)
{
	__attribute__((cleanup(leftovers_release))) struct leftovers all = {0};
	int r = list(recovery->staging.fd, &all);

	note_failure(recovery, r);
	if (r == 0 && all.count > 0)
		atomic_store(&recovery->staging.next_number,
			     all.items[all.count - 1].staged.number + 1);
	for (size_t i = 0; i < all.count && r == 0; i++) {
		int made = 0;

		if (all.items[i].is_ours && all.items[i].staged.state != JP_STAGED_OPEN)
			made = make_conversation(recovery, &all, all.items[i].staged.id);
		note_failure(recovery, made);
		for (size_t j = 0; j < all.count && made < 0; j++)
			all.items[j].is_put_off = all.items[j].is_put_off ||
						  all.items[j].staged.id == all.items[i].staged.id;
	}
	for (size_t i = 0; i < all.count && r == 0; i++) {
		const struct leftover *item = &all.items[i];
		struct stat st;

		if (!item->is_ours || item->is_put_off ||
		    fstatat(recovery->staging.fd, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* A directory is assembled there out of what is elsewhere as well. */
		note_failure(recovery, S_ISDIR(st.st_mode)
					       ? jp_remove_tree(recovery->staging.fd, item->name)
					       : recover_file(recovery, item));
	}
}

int jp_leftovers_recover(const struct jp_silo *silo, struct jp_recovered *ret_recovered)
{
	__attribute__((cleanup(leftovers_release))) struct leftovers directories = {0};
	struct recovery recovery = {.silo = silo, .told = ret_recovered};
	int r;

	*ret_recovered = (struct jp_recovered){0};
	r = list(silo->staging_fd, &directories);
	if (r < 0 || directories.count == 0)
		return r;
	r = jp_dir_index_new(silo->conversations_fd, &recovery.index);
	if (r < 0)
		return r;
	for (size_t i = 0; i < directories.count; i++) {
		r = jp_staging_inherit(silo, directories.items[i].name, &recovery.staging);
		/* Its daemon lives, or somebody else has just done it. */
		if (r < 0 && (r == -EWOULDBLOCK || r == -ENAMETOOLONG || jp_is_absent(r)))
			continue;
		if (r < 0) {
			note_failure(&recovery, r);
			continue;
		}
		recover_directory(&recovery);
		jp_staging_close(&recovery.staging);
	}
	jp_dir_index_free(recovery.index);
	return 0;
}
