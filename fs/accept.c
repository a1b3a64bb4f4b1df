/*
 * Which version of the durable copy may be shown.
 *
 * jp and others change the durable copy directly, and they do it while it is served. Most of them
 * put a new version in place by rename, and the next lookup shows it. But `jp conversation edit`
 * ends by deleting the durable directory and copying the workspace's files, which it reads through
 * this view, back over it. So a version that was not met before is accepted only when the whole
 * durable copy is there and valid; until then the last accepted versions go on being served, from
 * pins (hard links made when a version was accepted that the workspace did not have yet) or from
 * the workspace.
 */
#include "core/base/io.h"
#include "core/validity.h"
#include "fs/glance.h"
#include "fs/log.h"
#include "fs/repeat.h"
#include "fs/view.h"

#include <fcntl.h>

bool jpfs_version_matches(const struct jpfs_version *version, const struct stat *st)
{
	return version->ino == st->st_ino && version->mtime_ns == jp_mtime_ns(st) &&
	       version->size == st->st_size;
}

struct jpfs_version jpfs_version_of(const struct stat *st)
{
	return (struct jpfs_version){st->st_ino, jp_mtime_ns(st), st->st_size};
}

void jpfs_know_version_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			      const struct stat *st)
{
	if (!jpfs_version_matches(&conversation->known[which], st))
		conversation->same[which] = (struct jpfs_version){0};
	conversation->known[which] = jpfs_version_of(st);
	conversation->durable_files |= 1U << which;
	conversation->was_durable = true;
}

static int stat_durable(struct jpfs_conversation *conversation, enum jp_managed which,
			struct stat *ret)
{
	int r = jpfs_stat_durable_locked(conversation, jp_managed_name(which), ret);

	if (r < 0)
		return r == -ENOTDIR || r == -ELOOP ? -ENOENT : r;
	return S_ISREG(ret->st_mode) ? 0 : -ENOENT;
}

/* 1, 0, -errno. */
static int is_valid_durable(struct jpfs_conversation *conversation, enum jp_managed which)
{
	char path[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, jp_managed_name(which), path);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return jp_validity_at(which, conversation->view->silo->conversations_fd, path);
}

/* Whether the workspace has this version already, by what jp compares. */
static bool is_projected(struct jpfs_conversation *conversation, enum jp_managed which,
			 const struct stat *durable)
{
	struct stat st;

	return jpfs_stat_workspace_locked(conversation, jp_managed_name(which), &st) == 0 &&
	       st.st_size == durable->st_size && jp_mtime_ns(&st) == jp_mtime_ns(durable);
}

/* Whether a durable copy without this file is in pieces, because jp is just deleting or making it:
 * 1, 0, -errno. */
static int is_required(struct jpfs_conversation *conversation, enum jp_managed which)
{
	struct stat st;
	int r;

	if (which != JP_BASE_CONFIG)
		return 1;
	if ((conversation->durable_files & (1U << which)) != 0) {
		/* It is in the events by now; or jp is deleting both, and then it is not. */
		r = jpfs_layout_is_older_locked(conversation);
		return r < 0 && !jp_is_absent(r) ? r : r != 1;
	}
	if (conversation->was_durable)
		return 0;
	/* Its first durable copy, made by jp out of the workspace's files, one after the other. */
	r = jpfs_stat_workspace_locked(conversation, jp_managed_name(which), &st);
	return r == 0 ? 1 : jp_is_absent(r) ? 0 : r;
}

int jpfs_durable_is_whole_locked(struct jpfs_conversation *conversation)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		struct stat st;
		int r = stat_durable(conversation, (enum jp_managed)i, &st);

		if (r == 0)
			continue;
		r = r == -ENOENT ? is_required(conversation, (enum jp_managed)i) : r;
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 1;
}

/* A durable file that is looked at. */
struct candidate {
	struct jpfs_conversation *conversation;
	bool is_there, is_new;
	struct stat st;
	char pin[NAME_MAX + 1]; /* a link to just this version, in staging; empty: none */
};

static void drop_pin(struct candidate *candidate)
{
	if (candidate->pin[0] != '\0')
		jpfs_pin_drop(candidate->conversation->view, candidate->pin);
	candidate->pin[0] = '\0';
}

static void drop_pins(struct candidate (*candidates)[JP_MANAGED_COUNT])
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++)
		drop_pin(&(*candidates)[i]);
}

/*
 * One file of the durable copy. Whoever writes it may be quicker than we are: a new version is linked
 * first, and what is judged, and told of, is what was linked. Else it could be told of a version
 * that nobody has any more.
 *
 * Returns: 1 it may be accepted; 0 it may not; -errno.
 */
static int look_at_durable(struct jpfs_conversation *conversation, enum jp_managed which,
			   struct candidate *ret)
{
	int r = stat_durable(conversation, which, &ret->st);

	if (r < 0 && r != -ENOENT)
		return r;
	ret->is_there = r == 0;
	if (!ret->is_there) {
		r = is_required(conversation, which);
		ret->is_new = conversation->known[which].ino != 0;
		return r < 0 ? r : r == 0;
	}
	if (jpfs_version_matches(&conversation->known[which], &ret->st))
		return 1;
	ret->is_new = true;
	jpfs_glance_renew_locked(conversation); /* the link is a change of the file */
	if (conversation->is_local ||
	    jpfs_pin_durable_locked(conversation, which, ret->pin, &ret->st) < 0)
		return is_valid_durable(conversation, which); /* without links: as it is now */
	return jp_validity_at(which, conversation->view->staging.fd, ret->pin);
}

/*
 * Accept all of the durable copy, or nothing of it: 1, 0, -errno.
 *
 * Shape:   ret  what was accepted of `which`: set when 1 is returned
 */
static int accept_durable(struct jpfs_conversation *conversation, enum jp_managed wanted,
			  struct candidate *ret)
{
	__attribute__((cleanup(drop_pins))) struct candidate candidates[JP_MANAGED_COUNT] = {0};
	bool shows_workspace = !conversation->was_durable || conversation->vanished_ms != 0;

	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		int r;

		candidates[i].conversation = conversation;
		r = look_at_durable(conversation, (enum jp_managed)i, &candidates[i]);
		if (r != 1)
			return r;
	}
	*ret = candidates[wanted];
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		enum jp_managed which = (enum jp_managed)i;
		struct candidate *new = &candidates[i];

		if (!new->is_new)
			continue;
		if (new->is_there && !conversation->is_local &&
		    jpfs_draft_holds_locked(conversation, which)) {
			jpfs_know_version_locked(conversation, which, &new->st);
			jpfs_pin_replaced_locked(conversation, which, new->pin);
			new->pin[0] = '\0';
			continue;
		}
		jpfs_repeat_note_durable_locked(conversation, i, new->is_there ? &new->st : NULL,
						shows_workspace);
		if (!new->is_there) {
			conversation->known[i] = conversation->same[i] = (struct jpfs_version){0};
			conversation->durable_files &= ~(1U << i);
			jpfs_work_add(conversation, 0); /* the workspace follows */
			continue;
		}
		jpfs_entry_replaced_locked(conversation, jp_managed_name(which), &new->st);
		jpfs_know_version_locked(conversation, which, &new->st);
		if (conversation->is_local)
			continue;
		jpfs_pin_replaced_locked(conversation, which, new->pin);
		new->pin[0] = '\0';
		if (is_projected(conversation, which, &new->st)) {
			jpfs_unpin_locked(conversation, which);
			continue;
		}
		if (!conversation->view->is_read_only)
			jpfs_work_add(conversation, 0);
	}
	conversation->vanished_ms = 0;
	return 1;
}

int jpfs_durable_stat_locked(struct jpfs_conversation *conversation, enum jp_managed which,
			     struct stat *ret)
{
	int64_t now = jpfs_now_ms();
	struct candidate accepted = {0};
	int r = stat_durable(conversation, which, ret);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && conversation->vanished_ms == 0 &&
	    jpfs_version_matches(&conversation->known[which], ret))
		return 0;
	if (r == -ENOENT && !conversation->was_durable)
		return r;
	if (r == -ENOENT && conversation->vanished_ms == 0 &&
	    (conversation->durable_files & (1U << which)) == 0)
		return r; /* whole, and without this file: base_config.json of the older layout */
	r = accept_durable(conversation, which, &accepted);
	if (r < 0)
		return r;
	if (r == 1) {
		*ret = accepted.st;
		return accepted.is_there ? 0 : -ENOENT;
	}
	if (conversation->vanished_ms == 0) {
		conversation->vanished_ms = now;
		jpfs_log(JPFS_LOG_DEBUG, "%s: the durable copy is not whole", conversation->name);
		if (!conversation->view->is_read_only)
			jpfs_work_add(conversation, 200);
	} else if (now - conversation->vanished_ms > JPFS_VANISHED_MS) {
		/* It stays away: workspace only, as in jp itself; or without a base by now. */
		char path[JPFS_PATH_BYTES];

		if (jpfs_durable_path_locked(conversation, "", path) == -ENOENT) {
			conversation->was_durable = false;
			conversation->vanished_ms = 0;
		}
		conversation->durable_files &= ~(1U << JP_BASE_CONFIG);
	}
	return -ENOENT;
}
