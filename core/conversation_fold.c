/*
 * One conversation in two silos: which copy stands, and what becomes of the other.
 *
 * Which stands. A copy that jp would reject loses against one that it would accept. Then the
 * content decides: a stream that contains the other one has all of its turns and more, so that
 * nothing is hidden by choosing it, and it is the later one whatever the times say; a store that
 * was restored or copied has the time of that. (RFD 031, and jp, go by the time alone.) The price
 * is that a conversation which was cut short in one silo is long again: reconciliation of a
 * worktree decides the same where it knows of no common past. What content does not decide, the
 * time does, as in jp: the newest entry of the whole directory. A tie goes to the survivor. The
 * order is strict, so that the same two copies are never exchanged twice.
 *
 * How. The copy that loses leaves conversations/ by one rename, to the survivor's jpfs/folding/,
 * and only there is it taken apart. So a copy is either whole or known to have lost: whoever goes
 * on after a kill never has to choose between a conversation and the remains of its other copy. A
 * sibling's copy that wins takes the place of the survivor's by changing places with it, in one
 * step; before that, the survivor's gets the winner's name. So at each moment each silo has at most
 * one directory for an ID, and one of the two has the winner whole.
 *
 * Where the filesystem cannot exchange, the survivor's copy leaves first. For a moment only the
 * sibling has the conversation then.
 *
 * jp may be folding the same two silos, or writing to them. What is gone when it is reached, or
 * there when it was not expected, is left to the next pass.
 */
#include "core/conversation_fold.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_id.h"
#include "core/conversation_remains.h"
#include "core/dir_index.h"
#include "core/history.h"
#include "core/managed.h"
#include "core/validity.h"
#include "core/version.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* One silo's conversations. */
struct side {
	int live_fd;    /* conversations/; borrowed */
	int archive_fd; /* conversations/.archive, or -EBADF; owned */
	struct jp_index_entry *entries;
	size_t count;
};

static void side_release(struct side *side)
{
	jp_index_entries_free(side->entries, side->count);
	jp_closep(&side->archive_fd);
}

struct fold {
	const struct jp_silo *survivor;
	struct jp_merge_failure *failure;
	struct side ours, theirs;
};

static void fold_release(struct fold *fold)
{
	side_release(&fold->ours);
	side_release(&fold->theirs);
}
#define cleanup_fold __attribute__((cleanup(fold_release)))

static int parent_of(const struct side *side, const struct jp_index_entry *entry)
{
	return entry->is_archived ? side->archive_fd : side->live_fd;
}

/* Note what failed, unless it only says that somebody else is at it, too. */
static void note(const struct fold *fold, int r, const struct jp_index_entry *entry)
{
	char what[NAME_MAX + 64];

	if (r >= 0 || r == -ENOENT || r == -EAGAIN)
		return;
	(void)snprintf(what, sizeof(what), "conversations/%s%s",
		       entry->is_archived ? JP_ARCHIVE_NAME "/" : "", entry->name);
	jp_ignore(jp_merge_fail(fold->failure, r, what)); /* its directory stays; others go on */
}

/* ---- which stands ---- */

struct copy {
	int fd;
	int events_fd; /* or -errno */
	bool is_accepted;
	int64_t newest_ns;
};

static void copy_release(struct copy *copy)
{
	jp_closep(&copy->events_fd);
	jp_closep(&copy->fd);
}
#define cleanup_copy __attribute__((cleanup(copy_release)))

/* When the newest entry of a directory was modified; its own time when it has none. */
static int find_newest(int fd, int64_t *ret_ns)
{
	cleanup_closedir DIR *dir = NULL;
	int copy = jp_open_beneath(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	bool has_entry = false;
	struct stat st;

	if (copy < 0)
		return copy;
	dir = fdopendir(copy);
	if (dir == NULL) {
		jp_closep(&copy);
		return -ENOMEM;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_ns = jp_mtime_ns(&st);
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return -errno;
		if (!jp_is_single_name(entry->d_name) ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone meanwhile */
		if (!has_entry || jp_mtime_ns(&st) > *ret_ns)
			*ret_ns = jp_mtime_ns(&st);
		has_entry = true;
	}
}

/* Whether jp would accept a managed file, as it is in a conversation: 1, 0, -errno. */
static int is_accepted(int fd, enum jp_managed which)
{
	cleanup_close int file = jp_open_regular(fd, jp_managed_name(which), O_RDONLY);

	if (file >= 0)
		return jp_validity_of_file(which, file);
	if (file == -ENOENT)
		return which == JP_BASE_CONFIG; /* jp does without it */
	return jp_is_absent(file) ? 0 : file;
}

static int look_at(int parent_fd, const char *name, struct copy *ret)
{
	int r;

	ret->fd = jp_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (ret->fd < 0)
		return ret->fd;
	ret->is_accepted = true;
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		r = is_accepted(ret->fd, (enum jp_managed)i);
		if (r < 0)
			return r;
		ret->is_accepted = ret->is_accepted && r == 1;
	}
	ret->events_fd = jp_open_regular(ret->fd, jp_managed_name(JP_EVENTS), O_RDONLY);
	if (ret->events_fd < 0 && !jp_is_absent(ret->events_fd))
		return ret->events_fd;
	return find_newest(ret->fd, &ret->newest_ns);
}

/* 1 the second copy stands, 0 the first one does, -errno. */
static int second_stands(int first_parent, const char *first_name, int second_parent,
			 const char *second_name)
{
	cleanup_copy struct copy first = {-EBADF, -EBADF, false, 0};
	cleanup_copy struct copy second = {-EBADF, -EBADF, false, 0};
	int r = look_at(first_parent, first_name, &first);

	if (r == 0)
		r = look_at(second_parent, second_name, &second);
	if (r < 0)
		return r;
	if (first.is_accepted != second.is_accepted)
		return second.is_accepted;
	if (first.events_fd >= 0 && second.events_fd >= 0) {
		int first_in_second =
			jp_version_is_contained(JP_EVENTS, first.events_fd, second.events_fd);
		int second_in_first =
			jp_version_is_contained(JP_EVENTS, second.events_fd, first.events_fd);

		if (first_in_second < 0 || second_in_first < 0)
			return first_in_second < 0 ? first_in_second : second_in_first;
		if (first_in_second != second_in_first)
			return first_in_second;
	}
	return second.newest_ns > first.newest_ns;
}

/* ---- moving whole conversations ---- */

/* Out of conversations/, to be taken apart. */
static int set_aside(const struct fold *fold, const struct side *side,
		     const struct jp_index_entry *entry)
{
	return jp_remains_add(fold->survivor, entry->id, entry->is_archived, parent_of(side, entry),
			      entry->name);
}

/* Rename a conversation to where none is. Something that is none, of that name, gets out of the
 * way. -EAGAIN there is a conversation now. */
static int rename_to_free(const struct fold *fold, uint64_t id, int old_fd, const char *old_name,
			  int new_fd, const char *new_name)
{
	struct stat st;
	int r = jp_rename_noreplace(old_fd, old_name, new_fd, new_name);

	if (r != -EEXIST)
		return r;
	if (fstatat(new_fd, new_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (S_ISDIR(st.st_mode))
		return -EAGAIN;
	r = jp_keep_move(fold->survivor->trash_fd, id, new_fd, new_name, new_name);
	if (r < 0)
		return r;
	r = jp_rename_noreplace(old_fd, old_name, new_fd, new_name);
	return r == -EEXIST ? -EAGAIN : r;
}

/* A conversation that only the sibling has. */
static int adopt(const struct fold *fold, const struct jp_index_entry *theirs)
{
	return rename_to_free(fold, theirs->id, parent_of(&fold->theirs, theirs), theirs->name,
			      parent_of(&fold->ours, theirs), theirs->name);
}

/* A conversation that both have, and the sibling's copy stands. */
static int give_way(const struct fold *fold, const struct jp_index_entry *ours,
		    const struct jp_index_entry *theirs)
{
	int our_fd = parent_of(&fold->ours, theirs), their_fd = parent_of(&fold->theirs, theirs);
	int r;

	if (ours->is_archived != theirs->is_archived || strcmp(ours->name, theirs->name) != 0) {
		r = rename_to_free(fold, ours->id, parent_of(&fold->ours, ours), ours->name, our_fd,
				   theirs->name);
		if (r < 0)
			return r;
	}
	if (jp_sys->renameat2(their_fd, theirs->name, our_fd, theirs->name, RENAME_EXCHANGE) == 0)
		return set_aside(fold, &fold->theirs, theirs);
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -errno;
	r = set_aside(fold, &fold->ours, theirs);
	return r < 0 ? r : adopt(fold, theirs);
}

static int settle(const struct fold *fold, const struct jp_index_entry *ours,
		  const struct jp_index_entry *theirs)
{
	int r = second_stands(parent_of(&fold->ours, ours), ours->name,
			      parent_of(&fold->theirs, theirs), theirs->name);

	if (r < 0)
		return r;
	return r == 1 ? give_way(fold, ours, theirs) : set_aside(fold, &fold->theirs, theirs);
}

/* ---- the two sides ---- */

static void drop_entry(struct side *side, size_t index)
{
	free(side->entries[index].name);
	side->count--;
	memmove(&side->entries[index], &side->entries[index + 1],
		(side->count - index) * sizeof(side->entries[0]));
}

/* One directory for each ID within a silo, too: a title that changed in two branches of git leaves
 * two, and jp deletes one of them. */
static void settle_duplicates(const struct fold *fold, struct side *side)
{
	for (size_t i = 1; i < side->count;) {
		const struct jp_index_entry *a = &side->entries[i - 1], *b = &side->entries[i];
		size_t loser;
		int r;

		if (a->id != b->id) {
			i++;
			continue;
		}
		r = second_stands(parent_of(side, a), a->name, parent_of(side, b), b->name);
		loser = r == 1 ? i - 1 : i;
		if (r >= 0)
			r = set_aside(fold, side, &side->entries[loser]);
		note(fold, r, &side->entries[loser]);
		/* One that stays where it is takes no part any more. */
		drop_entry(side, loser);
	}
}

static int read_side(struct side *side)
{
	int fd = jp_open_beneath(side->live_fd, JP_ARCHIVE_NAME, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && fd != -ENOENT)
		return fd;
	side->archive_fd = fd < 0 ? -EBADF : fd;
	return jp_dir_index_read(side->live_fd, &side->entries, &side->count);
}

/* The survivor gets an archive when the sibling has something in its own. */
static int make_archive(struct fold *fold)
{
	if (fold->theirs.archive_fd < 0 || fold->ours.archive_fd >= 0)
		return 0;
	fold->ours.archive_fd = jp_open_or_make_dir(fold->ours.live_fd, JP_ARCHIVE_NAME, 0700);
	return fold->ours.archive_fd < 0 ? fold->ours.archive_fd : 0;
}

static void move_all(const struct fold *fold)
{
	const struct side *ours = &fold->ours, *theirs = &fold->theirs;

	for (size_t i = 0, j = 0; j < theirs->count; j++) {
		int r;

		while (i < ours->count && ours->entries[i].id < theirs->entries[j].id)
			i++;
		if (i < ours->count && ours->entries[i].id == theirs->entries[j].id)
			r = settle(fold, &ours->entries[i], &theirs->entries[j]);
		else
			r = adopt(fold, &theirs->entries[j]);
		note(fold, r, &theirs->entries[j]);
	}
}

/* ---- what is no conversation ---- */

/* Whether a directory has a conversation with this ID: 1, 0, -errno. */
static int has_conversation(int fd, uint64_t id)
{
	struct jp_index_entry *entries;
	size_t count;
	int r = jp_dir_index_read(fd, &entries, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		r |= entries[i].id == id;
	jp_index_entries_free(entries, count);
	return r;
}

/* A conversation stays; it could not be moved. Something else that has the name of one does not
 * come to stand beside it: jp does not look at what it is. */
static int except_conversations(const struct jp_merge *merge, int from_fd, const char *name,
				int to_fd)
{
	struct stat st;
	uint64_t id;
	int r;

	if (strcmp(name, JP_ARCHIVE_NAME) == 0)
		return 1;
	if (jp_conversation_id_parse(name, &id) < 0)
		return 0;
	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : -errno;
	if (S_ISDIR(st.st_mode))
		return 1;
	r = has_conversation(to_fd, id);
	if (r <= 0)
		return r;
	r = jp_keep_move(merge->trash_fd, id, from_fd, name, name);
	return r < 0 && r != -ENOENT ? r : 1;
}

static int sync_side(const struct side *side)
{
	if (jp_sys->fsync(side->live_fd) < 0)
		return -errno;
	return side->archive_fd >= 0 && jp_sys->fsync(side->archive_fd) < 0 ? -errno : 0;
}

/* Read both sides. A failure is noted. */
static int read_sides(struct fold *fold)
{
	int r = read_side(&fold->ours);

	if (r < 0)
		return jp_merge_fail(fold->failure, r, "conversations of the store that stays");
	r = read_side(&fold->theirs);
	if (r < 0)
		return jp_merge_fail(fold->failure, r, "conversations");
	r = make_archive(fold);
	return r < 0 ? jp_merge_fail(fold->failure, r, "conversations/" JP_ARCHIVE_NAME) : 0;
}

int jp_fold_conversations(const struct jp_silo *survivor, int sibling_fd,
			  struct jp_merge_failure *failure)
{
	cleanup_close int from =
		jp_open_beneath(sibling_fd, "conversations", O_RDONLY | O_DIRECTORY, 0);
	cleanup_fold struct fold fold = {
		.survivor = survivor,
		.failure = failure,
		.ours = {.live_fd = survivor->conversations_fd, .archive_fd = -EBADF},
		.theirs = {.live_fd = from, .archive_fd = -EBADF},
	};
	const struct jp_merge merge = {
		.trash_fd = survivor->trash_fd,
		.failure = failure,
		.except = except_conversations,
	};
	int r;

	if (from < 0)
		return from == -ENOENT ? 0 : jp_merge_fail(failure, from, "conversations");
	r = read_sides(&fold);
	if (r < 0)
		return r;
	/* What fails keeps nothing else from being moved; it is noted, and its directory stays. */
	settle_duplicates(&fold, &fold.ours);
	settle_duplicates(&fold, &fold.theirs);
	move_all(&fold);
	r = sync_side(&fold.ours);
	if (r < 0)
		return jp_merge_fail(failure, r, "conversations");
	if (fold.theirs.archive_fd >= 0)
		r = jp_merge_directory(&merge, from, JP_ARCHIVE_NAME, fold.ours.archive_fd,
				       "conversations/" JP_ARCHIVE_NAME);
	if (r < 0)
		return r;
	return jp_merge_directory(&merge, sibling_fd, "conversations", fold.ours.live_fd,
				  "conversations");
}
