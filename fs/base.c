/*
 * What both sides last had in common, as the view learns it.
 *
 * It is noted for a unit whose files are the same on both sides' disks at this moment, also while
 * somebody is writing: a daemon may be killed at any time, and what it had projected last must be
 * known for what it is, or the next mount takes it for a step back. A unit that is a draft keeps what was
 * noted before it became one; so does a file that is hidden here. That is how the next mount can
 * tell a draft from an edit, and a removed file from one that a checkout has not brought yet. Which
 * files are drafts is noted too: they stay that, whatever becomes of the durable version meanwhile.
 * A draft in a directory of which nothing was noted (git removed the old one and made it anew)
 * stands beside the durable version of this moment, and that is noted.
 */
#include "core/base/io.h"
#include "fs/glance.h"
#include "fs/view.h"

#include <fcntl.h>
#include <string.h>

bool jpfs_base_known(struct jpfs_conversation *conversation, struct jp_base *ret)
{
	*ret = (struct jp_base){0};
	return jp_base_find(conversation->view->base, conversation->id, ret) == 0;
}

int jpfs_base_is(const struct jp_base_file *file, int fd)
{
	struct jp_content_id content;
	struct stat st;
	int r;

	if (!file->is_there)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != file->content.size)
		return 0;
	r = jp_content_id_of_file(fd, &content);
	return r < 0 ? r : jp_content_id_equals(&content, &file->content);
}

/* What one look at a conversation found. */
struct findings {
	struct jp_base base;
	bool is_changed[JP_MANAGED_COUNT]; /* the content is to be read */
	int fds[JP_MANAGED_COUNT];         /* durable files to read it from; owned */
	bool is_new;                       /* something is to be noted */
};

static void findings_release(struct findings *findings)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++)
		jp_closep(&findings->fds[i]);
}

#define cleanup_findings __attribute__((cleanup(findings_release)))

static bool is_same_stamp(const struct jp_stamp *a, const struct jp_stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

static bool is_in_step(const struct jpfs_conversation *conversation, enum jp_managed which,
		       const struct stat *durable, const struct stat *workspace)
{
	return S_ISREG(workspace->st_mode) && workspace->st_size == durable->st_size &&
	       (jp_mtime_ns(workspace) == jp_mtime_ns(durable) ||
		jpfs_version_matches(&conversation->same[which], workspace));
}

/* Look at one file: 1 in step, 0 not, or nobody can tell. */
static int look_at_file(struct jpfs_conversation *conversation, enum jp_managed which,
			const struct jp_base_file *old, struct findings *findings)
{
	struct jp_base_file *file = &findings->base.files[which];
	char path[JPFS_PATH_BYTES];
	struct stat durable, workspace;
	bool is_durable, is_workspace;
	int r;

	*file = *old;
	file->draft = (struct jp_stamp){0};
	if ((conversation->hidden & (1U << which)) != 0)
		return 1;
	r = jpfs_durable_stat_locked(conversation, which, &durable);
	is_durable = r == 0;
	if (r < 0 && r != -ENOENT)
		return 0;
	jpfs_workspace_path(conversation, jp_managed_name(which), path);
	r = jpfs_stat_beneath(conversation->view->workspace_fd, path, &workspace);
	is_workspace = r == 0;
	if (is_durable != is_workspace || (r < 0 && !jp_is_absent(r)))
		return 0;
	if (!is_durable) {
		*file = (struct jp_base_file){0};
		return 1;
	}
	if (!is_in_step(conversation, which, &durable, &workspace))
		return 0;
	if (old->is_there && jp_stamp_matches(&old->durable, &durable) &&
	    jp_stamp_matches(&old->workspace, &workspace))
		return 1;
	file->is_there = true;
	file->durable = jp_stamp_of(&durable, false);
	file->workspace = jp_stamp_of(&workspace, true);
	findings->is_changed[which] = true;
	return 1;
}

/* Whether a file of a draft's unit is shown here, in whatever way: what is durable, or becomes so, may
 * be another version by the time of the next mount. */
static bool is_shown_here_locked(struct jpfs_conversation *conversation, enum jp_managed which,
				 const struct stat *workspace)
{
	struct stat durable;

	return (conversation->drafts & (1U << which)) != 0 ||
	       jpfs_is_beside_draft_locked(conversation, which) ||
	       (jpfs_durable_stat_locked(conversation, which, &durable) == 0 &&
		is_in_step(conversation, which, &durable, workspace));
}

/* A file of a draft: which one it is, and if nothing is known of it, what it is a draft of. */
static void look_at_draft(struct jpfs_conversation *conversation, enum jp_managed which,
			  struct findings *findings)
{
	struct jp_base_file *file = &findings->base.files[which];
	struct stat durable, workspace;
	char path[JPFS_PATH_BYTES];

	if (!file->is_there && jpfs_durable_stat_locked(conversation, which, &durable) == 0) {
		/* No file of the workspace is like it. */
		*file = (struct jp_base_file){
			.is_there = true,
			.durable = jp_stamp_of(&durable, false),
		};
		findings->is_changed[which] = true;
	}
	file->draft = (struct jp_stamp){0};
	jpfs_workspace_path(conversation, jp_managed_name(which), path);
	if (file->is_there &&
	    jpfs_stat_beneath(conversation->view->workspace_fd, path, &workspace) == 0 &&
	    is_shown_here_locked(conversation, which, &workspace))
		file->draft = jp_stamp_of(&workspace, true);
}

static bool has_both_sides(struct jpfs_conversation *conversation)
{
	return conversation->in_view && !conversation->is_local && conversation->is_reconciled &&
	       conversation->was_durable && conversation->vanished_ms == 0 &&
	       !conversation->view->is_read_only;
}

/* The units: the stream, and the metadata. */
static const unsigned UNITS[] = {1U << JP_BASE_CONFIG | 1U << JP_EVENTS, 1U << JP_METADATA};

/* Find what can be noted; false when there is nothing. */
static bool look(struct jpfs_conversation *conversation, struct findings *ret)
{
	struct jp_base old;

	*ret = (struct findings){.fds = {-EBADF, -EBADF, -EBADF}};
	if (conversation->view->base == NULL || !has_both_sides(conversation))
		return false;
	(void)jpfs_base_known(conversation, &old);
	for (size_t u = 0; u < sizeof(UNITS) / sizeof(UNITS[0]); u++) {
		bool is_draft = (conversation->drafts & UNITS[u]) != 0;
		bool is_in_step = !is_draft;

		for (int i = 0; i < JP_MANAGED_COUNT; i++) {
			if ((UNITS[u] & (1U << i)) != 0 && is_in_step)
				is_in_step = look_at_file(conversation, (enum jp_managed)i,
							  &old.files[i], ret) == 1;
		}
		for (int i = 0; i < JP_MANAGED_COUNT; i++) {
			if ((UNITS[u] & (1U << i)) == 0)
				continue;
			if (!is_in_step) {
				ret->base.files[i] = old.files[i];
				ret->is_changed[i] = false;
			}
			if (is_draft)
				look_at_draft(conversation, (enum jp_managed)i, ret);
			ret->is_new =
				ret->is_new || ret->is_changed[i] ||
				ret->base.files[i].is_there != old.files[i].is_there ||
				!is_same_stamp(&ret->base.files[i].draft, &old.files[i].draft);
		}
	}
	return ret->is_new;
}

static bool are_equal(const struct findings *a, const struct findings *b)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const struct jp_base_file *x = &a->base.files[i], *y = &b->base.files[i];

		if (a->is_changed[i] != b->is_changed[i] || x->is_there != y->is_there ||
		    !is_same_stamp(&x->durable, &y->durable) ||
		    !is_same_stamp(&x->workspace, &y->workspace) ||
		    !is_same_stamp(&x->draft, &y->draft))
			return false;
	}
	return true;
}

static int open_changed(struct jpfs_conversation *conversation, struct findings *findings)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if (!findings->is_changed[i])
			continue;
		findings->fds[i] = jpfs_open_side_locked(conversation, true,
							 jp_managed_name((enum jp_managed)i));
		if (findings->fds[i] < 0)
			return findings->fds[i];
	}
	return 0;
}

int jpfs_base_note(struct jpfs_conversation *conversation)
{
	cleanup_findings struct findings before, after = {.fds = {-EBADF, -EBADF, -EBADF}};
	bool is_found;
	int r = 0;

	jpfs_conversation_lock(conversation);
	is_found = look(conversation, &before);
	if (is_found)
		r = open_changed(conversation, &before);
	pthread_mutex_unlock(&conversation->lock);
	if (!is_found || r < 0)
		return r == -ENOENT ? 0 : r; /* gone meanwhile: it is looked at again then */
	/* Read with no lock held, and noted only if nothing has moved meanwhile. */
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0; i++) {
		if (before.is_changed[i])
			r = jp_content_id_of_file(before.fds[i], &before.base.files[i].content);
	}
	if (r < 0)
		return r;
	jpfs_conversation_lock(conversation);
	if (look(conversation, &after) && are_equal(&before, &after))
		r = jp_base_put(conversation->view->base, conversation->id, &before.base);
	pthread_mutex_unlock(&conversation->lock);
	return r;
}

void jpfs_base_returns_locked(struct jpfs_conversation *conversation, enum jp_managed which)
{
	struct jp_base base;
	struct stat st;

	if ((conversation->hidden & (1U << which)) == 0 || !jpfs_base_known(conversation, &base) ||
	    !base.files[which].is_there ||
	    !jp_is_absent(jpfs_stat_workspace_locked(conversation, jp_managed_name(which), &st)))
		return;
	base.files[which] = (struct jp_base_file){0};
	/* Else it is hidden after a kill, until somebody makes it once more. */
	jp_ignore(jp_base_put(conversation->view->base, conversation->id, &base));
}
