/*
 * Folding the silos of one workspace ID into one.
 *
 * Several silos are from before they were shared by ID, or from a backup. jp folds them too, at
 * every start, but drops what loses: the other copy of a conversation, and of everything else that
 * both have. So it is done here, first where possible, without loss, and each part is somewhere
 * whole at each moment: every step is one rename, and what is removed is empty, or has the same
 * bytes or more where the fold put it. There is no list of what is still to be done; what a sibling
 * still has is what is to be done. A kill leaves the sibling, and the next one to open the silo
 * goes on, also when it chooses another silo as the survivor: then the same things move the other
 * way.
 *
 * The lock is that of the directory of silos (jp_silo_open() holds it while it chooses, opens and
 * folds), not one in the survivor: two worktrees prefer two names, so that two processes would each
 * lock a survivor of their own and fold the other's into it. Whoever waits for it finds one silo
 * and nothing to do. jp takes no lock. Where it is at it, too, things are gone or there
 * unexpectedly; neither is a failure, and another pass looks again.
 *
 * Daemons that serve the sibling go on: directories that they hold, their staging above all, move
 * by rename and stay what they are, and the locks that they hold on files move along. When
 * conversations/ is gone they look for the silo anew, and wait for the lock, so that they find the
 * result. This is why it goes first.
 */
#include "core/silo_fold.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/conversation_fold.h"
#include "core/conversation_remains.h"
#include "core/merge.h"
#include "core/trust.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Each is over in no time when there is little left. Who writes to a sibling while it is
	 * folded has to do it as often to keep it from going. */
	PASSES_MAX = 8,
};

/* The parts of a silo with rules of their own, and jp's link. */
static int except_parts(const struct jp_merge *merge, int from_fd, const char *name, int to_fd)
{
	struct stat st;

	(void)merge; /* has nothing to say here */
	if (strcmp(name, "conversations") == 0 || strcmp(name, "jpfs") == 0)
		return 1;
	if (strcmp(name, "storage") != 0)
		return 0;
	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : -errno;
	if (!S_ISLNK(st.st_mode) || fstatat(to_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	/* jp points it at the root that it runs in, each time. */
	return jp_sys->unlinkat(from_fd, name, 0) < 0 && errno != ENOENT ? -errno : 1;
}

/* `jpfs/`: of a worktree that both have served, what was written last is true. */
static int fold_own(const struct jp_silo *silo, int sibling_fd, struct jp_merge_failure *failure)
{
	cleanup_close int own = jp_open_beneath(sibling_fd, "jpfs", O_RDONLY | O_DIRECTORY, 0);
	struct jp_merge merge = {.trash_fd = silo->trash_fd, .failure = failure};
	int r;

	if (own < 0)
		return own == -ENOENT ? 0 : jp_merge_fail(failure, own, "jpfs");
	r = jp_trust_fold(own, silo->own_fd);
	if (r < 0)
		return jp_merge_fail(failure, r, "jpfs/allowed.json");
	merge.newer_stands = true;
	r = jp_merge_directory(&merge, own, "workspaces", silo->workspaces_fd, "jpfs/workspaces");
	merge.newer_stands = false;
	if (r < 0)
		return r;
	return jp_merge_directory(&merge, sibling_fd, "jpfs", silo->own_fd, "jpfs");
}

/* Once through all that the sibling has. 0, or what jp_merge_directory() returns. */
static int fold_once(const struct jp_silo *silo, int sibling_fd, struct jp_merge_failure *failure)
{
	const struct jp_merge merge = {
		.trash_fd = silo->trash_fd,
		.failure = failure,
		.except = except_parts,
	};
	int r = jp_fold_conversations(silo, sibling_fd, failure);
	int others = 0, own = 0, remains;

	/* A daemon that serves what is left of them there needs its jpfs/ beside it. Apart from that,
	 * what stays of one part keeps no other part from being moved. */
	if (r == 0) {
		others = jp_merge_contents(&merge, sibling_fd, silo->fd, "");
		own = fold_own(silo, sibling_fd, failure);
	}
	remains = jp_remains_clear(silo, failure);
	if (r == 0)
		r = others;
	if (r == 0)
		r = own;
	return r == 0 ? remains : r;
}

/* 0 the sibling is gone; -errno, and `failure` says why not. */
static int fold_sibling(int silos_fd, const char *name, const struct jp_silo *silo,
			struct jp_merge_failure *failure)
{
	cleanup_close int fd = jp_open_beneath(silos_fd, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat ours, theirs;
	int r = -ENOTEMPTY;

	if (fd < 0)
		return fd == -ENOENT ? 0 : jp_merge_fail(failure, fd, "");
	/* Told here, before half of it has been copied to somewhere else. */
	if (fstat(fd, &theirs) < 0 || fstat(silo->fd, &ours) < 0)
		return jp_merge_fail(failure, -errno, "");
	if (theirs.st_dev != ours.st_dev)
		return jp_merge_fail(failure, -EXDEV, "");
	for (int passes = 0; r == -ENOTEMPTY && failure->r == 0 && passes < PASSES_MAX; passes++) {
		r = fold_once(silo, fd, failure);
		if (r < 0)
			continue;
		if (jp_sys->unlinkat(silos_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = errno == EEXIST ? -ENOTEMPTY : -errno;
	}
	return r < 0 ? jp_merge_fail(failure, r, "") : 0;
}

/* The first sibling whose name is greater than `after`: directories come and go while they are
 * folded. -ENOENT there is none. */
static int next_sibling(int silos_fd, const char *id, const struct jp_silo *silo, const char *after,
			char ret_name[NAME_MAX + 1])
{
	cleanup_closedir DIR *dir = NULL;
	int copy = openat(silos_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat ours, st;
	struct dirent *entry;

	if (copy < 0)
		return -errno;
	dir = fdopendir(copy);
	if (dir == NULL) {
		jp_closep(&copy);
		return -ENOMEM;
	}
	if (fstat(silo->fd, &ours) < 0)
		return -errno;
	ret_name[0] = '\0';
	while (errno = 0, (entry = jp_sys->readdir(dir)) != NULL) {
		if (!jp_silo_has_id(entry->d_name, id) || strcmp(entry->d_name, after) <= 0 ||
		    (ret_name[0] != '\0' && strcmp(entry->d_name, ret_name) >= 0))
			continue;
		if (fstatat(silos_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode) || (st.st_dev == ours.st_dev && st.st_ino == ours.st_ino))
			continue; /* gone meanwhile, none, or the survivor */
		(void)snprintf(ret_name, NAME_MAX + 1, "%s", entry->d_name);
	}
	if (errno != 0)
		return -errno;
	return ret_name[0] != '\0' ? 0 : -ENOENT;
}

static int tell(struct jp_error *error, const struct jp_silo *silo, const char *sibling,
		const struct jp_merge_failure *failure)
{
	const char *slash = strrchr(silo->path, '/');

	jp_error_set(error, failure->r, "%.*s/%s%s%s: cannot be moved to %s: %s",
		     (int)(slash - silo->path), silo->path, sibling,
		     failure->what[0] != '\0' ? "/" : "", failure->what, silo->path,
		     strerrordesc_np(-failure->r));
	if (failure->r == -ENOSPC || failure->r == -EDQUOT)
		jp_error_remedy(error, "make room there, and do it again; nothing is lost");
	else if (failure->r == -ENOTEMPTY)
		jp_error_remedy(error, "something is writing to it; end that, and do it again");
	else
		jp_error_remedy(error, "make it an ordinary part of that directory that you can "
				       "write to, or move it elsewhere; nothing is lost");
	return failure->r;
}

/* All siblings. 0, or what the first one that stays failed with. */
static int fold_all(int silos_fd, const char *id, struct jp_silo *silo, struct jp_error *error)
{
	char name[NAME_MAX + 1], after[NAME_MAX + 1] = "";
	int first = 0, r;

	while ((r = next_sibling(silos_fd, id, silo, after, name)) == 0) {
		struct jp_merge_failure failure = {0};

		(void)snprintf(after, sizeof(after), "%s", name);
		r = fold_sibling(silos_fd, name, silo, &failure);
		silo->folded += r == 0;
		if (r < 0 && first == 0)
			first = tell(error, silo, name, &failure);
	}
	if (first == 0 && r != -ENOENT)
		first = jp_error_set(error, r, "%s: others beside it cannot be looked for: %s",
				     silo->path, strerrordesc_np(-r));
	return first;
}

int jp_silo_fold(int silos_fd, const char *id, struct jp_silo *silo, struct jp_error *error)
{
	struct jp_merge_failure failure = {0};
	int r;

	/* Left by a kill, when jp has folded the sibling since. */
	r = jp_remains_clear(silo, &failure);
	if (r < 0 && failure.r != 0)
		return tell(error, silo, strrchr(silo->path, '/') + 1, &failure);
	r = fold_all(silos_fd, id, silo, error);
	if (r == 0 && silo->folded > 0 && jp_sys->fsync(silos_fd) < 0)
		r = jp_error_set(error, -errno, "%s: cannot be synced: %s", silo->path,
				 strerrordesc_np(errno));
	return r;
}
