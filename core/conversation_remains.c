/*
 * Taking apart the copies of conversations that lost. See conversation_remains.h.
 *
 * Every step moves one thing to where it stays, or drops what is contained in the version that
 * stands, so that it can end anywhere and be done again. The order among the files does not matter:
 * nobody looks at what is left here as at a conversation.
 */
#include "core/conversation_remains.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/dir_index.h"
#include "core/history.h"
#include "core/managed.h"
#include "core/version.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FOLDING_NAME "folding"

enum {
	PATH_BYTES = 512,
};

int jp_remains_add(const struct jp_silo *survivor, uint64_t id, bool is_archived, int parent_fd,
		   const char *name)
{
	cleanup_close int folding = jp_open_or_make_dir(survivor->own_fd, FOLDING_NAME, 0700);
	char as[JP_CONVERSATION_PATH_BYTES];

	if (folding < 0)
		return folding;
	(void)snprintf(as, sizeof(as), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "", name);
	return jp_keep_move(folding, id, parent_fd, name, as);
}

/* What is being taken apart. */
struct remains {
	const struct jp_silo *survivor;
	struct jp_merge_failure *failure;
	uint64_t id;
	int winner_fd; /* the conversation's directory; -EBADF there is none */
	char as[PATH_BYTES];
};

static int to_trash(const struct remains *remains, int dirfd, const char *name)
{
	int r = jp_keep_move(remains->survivor->trash_fd, remains->id, dirfd, name, name);

	return r < 0 && r != -ENOENT ? jp_merge_fail(remains->failure, r, remains->as) : 0;
}

/* A version of a managed file: kept, unless the one that stands contains it. */
static int keep_version(const struct remains *remains, int dirfd, enum jp_managed which)
{
	const char *name = jp_managed_name(which);
	cleanup_close int old_fd = jp_open_regular(dirfd, name, O_RDONLY), new_fd = -EBADF;
	int r = 0;

	if (old_fd == -ENOENT)
		return 0;
	if (old_fd == -ELOOP || old_fd == -EISDIR || old_fd == -EINVAL)
		return to_trash(remains, dirfd, name); /* no version, whatever it is */
	new_fd = jp_open_regular(remains->winner_fd, name, O_RDONLY);
	if (old_fd >= 0 && new_fd >= 0)
		r = jp_version_is_contained(which, old_fd, new_fd);
	/* Kept, too, when nobody can tell. */
	if (r != 1)
		r = jp_keep_move(remains->survivor->history_fd, remains->id, dirfd, name, name);
	else
		r = jp_sys->unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
	return r < 0 && r != -ENOENT ? jp_merge_fail(remains->failure, r, remains->as) : 0;
}

/* Managed files have been dealt with; what jp was about to make one of helps nobody any more. */
static int except_managed(const struct jp_merge *merge, int from_fd, const char *name, int to_fd)
{
	int r;

	(void)to_fd; /* nothing goes there */
	if (jp_managed_from_name(name) != JP_UNMANAGED)
		return 1;
	if (!jp_name_is_managed_temporary(name))
		return 0;
	r = jp_keep_move(merge->trash_fd, merge->trash_id, from_fd, name, name);
	return r < 0 && r != -ENOENT ? r : 1;
}

/*
 * None stands: a kill came between the two copies, or somebody else moved or deleted the other one.
 * Which it was cannot be told, so the conversation is there again, as it was called.
 */
static int put_back(struct remains *remains, int dirfd, const char *name)
{
	static const char archive[] = JP_ARCHIVE_NAME "%";
	const char *stamp = strstr(name, "Z."), *as = stamp != NULL ? stamp + 2 : name;
	cleanup_close int fd = -EBADF;
	uint64_t id;
	int r;

	if (strncmp(as, archive, sizeof(archive) - 1) == 0) {
		as += sizeof(archive) - 1;
		fd = jp_open_or_make_dir(remains->survivor->conversations_fd, JP_ARCHIVE_NAME,
					 0700);
	} else {
		fd = jp_open_beneath(remains->survivor->conversations_fd, ".",
				     O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return jp_merge_fail(remains->failure, fd, remains->as);
	if (jp_conversation_id_parse(as, &id) < 0 || id != remains->id)
		return to_trash(remains, dirfd, name);
	r = jp_rename_noreplace(dirfd, name, fd, as);
	if (r == -EEXIST)
		return to_trash(remains, dirfd, name);
	if (r < 0)
		return r == -ENOENT ? 0 : jp_merge_fail(remains->failure, r, remains->as);
	if (jp_sys->fsync(fd) < 0)
		return jp_merge_fail(remains->failure, -errno, remains->as);
	/* A second copy, if there is one, has lost against this one. */
	remains->winner_fd = jp_open_beneath(fd, as, O_RDONLY | O_DIRECTORY, 0);
	return remains->winner_fd < 0 ? -ENOTEMPTY : 0;
}

/* One copy, `name` beneath `dirfd`. */
static int take_apart(struct remains *remains, int dirfd, const char *name)
{
	cleanup_close int fd = -EBADF;
	const struct jp_merge merge = {
		.trash_fd = remains->survivor->trash_fd,
		.trash_id = remains->id,
		.failure = remains->failure,
		.except = except_managed,
	};

	if (remains->winner_fd < 0)
		return put_back(remains, dirfd, name);
	fd = jp_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOTDIR || fd == -ELOOP)
		return to_trash(remains, dirfd, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : jp_merge_fail(remains->failure, fd, remains->as);
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		int r = keep_version(remains, fd, (enum jp_managed)i);

		if (r < 0)
			return r;
	}
	return jp_merge_directory(&merge, dirfd, name, remains->winner_fd, remains->as);
}

/* The directory of the conversation now, or -EBADF when there is none. */
static int open_winner(const struct jp_silo *survivor, const struct jp_index_entry *entries,
		       size_t count, uint64_t id)
{
	char path[JP_CONVERSATION_PATH_BYTES];

	for (size_t i = 0; i < count; i++) {
		int fd;

		if (entries[i].id != id)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s",
			       entries[i].is_archived ? JP_ARCHIVE_NAME "/" : "", entries[i].name);
		fd = jp_open_beneath(survivor->conversations_fd, path, O_RDONLY | O_DIRECTORY, 0);
		return fd == -ENOENT ? -EBADF : fd;
	}
	return -EBADF;
}

/* The next entry of a listing, NULL at its end. */
static const char *next_name(DIR *dir)
{
	const struct dirent *entry;

	do {
		entry = jp_sys->readdir(dir);
	} while (entry != NULL && !jp_is_single_name(entry->d_name));
	return entry != NULL ? entry->d_name : NULL;
}

static int open_listing(int dirfd, const char *name, DIR **ret_dir)
{
	cleanup_close int fd = jp_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	*ret_dir = fdopendir(fd);
	if (*ret_dir == NULL)
		return -ENOMEM;
	(void)TAKE_FD(fd); /* the stream has it now */
	return 0;
}

static int remove_empty(int dirfd, const char *name)
{
	if (jp_sys->unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* All copies of one conversation, beneath `folding_fd`. */
static int clear_conversation(struct remains *remains, int folding_fd, const char *id_name)
{
	cleanup_closedir DIR *dir = NULL;
	const char *name;
	int first = 0, r;

	(void)snprintf(remains->as, sizeof(remains->as), "jpfs/" FOLDING_NAME "/%s", id_name);
	r = open_listing(folding_fd, id_name, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : jp_merge_fail(remains->failure, r, remains->as);
	while ((name = next_name(dir)) != NULL) {
		r = take_apart(remains, dirfd(dir), name);
		if (r < 0 && first == 0)
			first = r;
	}
	return first < 0 ? first : remove_empty(folding_fd, id_name);
}

static int clear_all(const struct jp_silo *survivor, DIR *folding,
		     const struct jp_index_entry *entries, size_t count,
		     struct jp_merge_failure *failure)
{
	const char *name;
	int first = 0;

	while ((name = next_name(folding)) != NULL) {
		struct remains remains = {
			.survivor = survivor,
			.failure = failure,
			.winner_fd = -EBADF,
			.as = "jpfs/" FOLDING_NAME,
		};
		int r = 0;

		if (jp_conversation_id_parse(name, &remains.id) < 0) {
			r = to_trash(&remains, dirfd(folding), name);
		} else {
			remains.winner_fd = open_winner(survivor, entries, count, remains.id);
			if (remains.winner_fd < 0 && remains.winner_fd != -EBADF)
				r = jp_merge_fail(failure, remains.winner_fd, remains.as);
			else
				r = clear_conversation(&remains, dirfd(folding), name);
			jp_closep(&remains.winner_fd);
		}
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

int jp_remains_clear(const struct jp_silo *survivor, struct jp_merge_failure *failure)
{
	cleanup_closedir DIR *folding = NULL;
	struct jp_index_entry *entries;
	size_t count;
	int r = open_listing(survivor->own_fd, FOLDING_NAME, &folding);

	if (r < 0)
		return r == -ENOENT ? 0 : jp_merge_fail(failure, r, "jpfs/" FOLDING_NAME);
	r = jp_dir_index_read(survivor->conversations_fd, &entries, &count);
	if (r < 0)
		return jp_merge_fail(failure, r, "conversations");
	r = clear_all(survivor, folding, entries, count, failure);
	jp_index_entries_free(entries, count);
	if (r == 0)
		r = remove_empty(survivor->own_fd, FOLDING_NAME);
	return r < 0 && r != -ENOTEMPTY ? jp_merge_fail(failure, r, "jpfs/" FOLDING_NAME) : r;
}
