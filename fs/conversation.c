/*
 * One conversation: where its durable copy is, whether that copy is whole, what is shown of it.
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
#include "core/base/sys.h"
#include "core/validity.h"
#include "fs/glance.h"
#include "fs/log.h"
#include "fs/notify.h"
#include "fs/repeat.h"
#include "fs/view.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- notes: paths to remember ---- */

struct jpfs_note *jpfs_note_find(struct jpfs_note *notes, const char *path)
{
	while (notes != NULL && strcmp(notes->path, path) != 0)
		notes = notes->next;
	return notes;
}

int jpfs_note_add(struct jpfs_note **notes, const char *path)
{
	struct jpfs_note *note = jpfs_note_find(*notes, path);

	if (note == NULL) {
		size_t bytes = strlen(path) + 1;

		note = malloc(sizeof(*note) + bytes);
		if (note == NULL)
			return -ENOMEM;
		memcpy(note->path, path, bytes);
		note->next = *notes;
		*notes = note;
	}
	note->since_ms = jpfs_now_ms();
	note->is_moved = false;
	note->ino = 0;
	return 0;
}

void jpfs_note_remove(struct jpfs_note **notes, const char *path)
{
	for (struct jpfs_note **link = notes; *link != NULL; link = &(*link)->next) {
		if (strcmp((*link)->path, path) == 0) {
			struct jpfs_note *note = *link;

			*link = note->next;
			free(note);
			return;
		}
	}
}

void jpfs_notes_free(struct jpfs_note **notes)
{
	while (*notes != NULL) {
		struct jpfs_note *note = *notes;

		*notes = note->next;
		free(note);
	}
}

/* ---- where it is ---- */

pthread_mutex_t *jpfs_conversation_enter(struct jpfs_conversation *conversation)
{
	pthread_mutex_t *held = jp_lock(&conversation->lock);

	if (!conversation->is_reconciled && !conversation->view->is_read_only &&
	    jpfs_now_ms() >= conversation->reconcile_retry_ms) {
		int r = jpfs_converge_locked(conversation),
		    before = conversation->reconcile_failure;

		/* Either way it is served; the background tries again, and does nothing else to it
		 * until that has worked: what it does not know of one side, it must not overwrite. */
		conversation->is_reconciled = r == 0;
		conversation->reconcile_failure = r;
		conversation->reconcile_retry_ms = jpfs_now_ms() + 1000;
		if (r < 0 && r != before) /* once, however often it is tried */
			jpfs_view_fail(conversation->view, "it is tried again in a moment",
				       "%s: the two sides could not be brought together: %s",
				       conversation->name, strerrordesc_np(-r));
	}
	return held;
}

void jpfs_workspace_path(const struct jpfs_conversation *conversation, const char *path,
			 char ret[JPFS_PATH_BYTES])
{
	/* One of .jpfs/local has no directory there: a name that nothing can have stands for it. */
	if (conversation->is_local)
		(void)snprintf(ret, JPFS_PATH_BYTES, "%s/%s", JPFS_NO_NAME, path);
	else
		(void)snprintf(ret, JPFS_PATH_BYTES, "%s%s%s%s",
			       conversation->is_archived ? JP_ARCHIVE_NAME "/" : "",
			       conversation->name, path[0] != '\0' ? "/" : "", path);
}

int jpfs_durable_path_locked(struct jpfs_conversation *conversation, const char *path,
			     char ret[JPFS_PATH_BYTES])
{
	struct jpfs_view *view = conversation->view;
	struct jpfs_glance *glance = conversation->glance;
	char directory[JP_CONVERSATION_PATH_BYTES];
	int r;

	if (glance != NULL && glance->durable[0] != '\0') {
		(void)snprintf(ret, JPFS_PATH_BYTES, "%s%s%s", glance->durable,
			       path[0] != '\0' ? "/" : "", path);
		return 0;
	}
	r = jp_dir_index_find(view->durable_index, conversation->id, directory, NULL);
	if (r == -ENOENT) {
		jpfs_view_follow_silo(view);
		r = jp_dir_index_find(view->durable_index, conversation->id, directory, NULL);
	}
	if (r < 0)
		return r;
	if (glance != NULL)
		(void)snprintf(glance->durable, sizeof(glance->durable), "%s", directory);
	(void)snprintf(ret, JPFS_PATH_BYTES, "%s%s%s", directory, path[0] != '\0' ? "/" : "", path);
	return 0;
}

int jpfs_durable_parent_locked(struct jpfs_conversation *conversation, const char *path,
			       const char **ret_name)
{
	struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	const char *name;
	size_t start;
	int r = jpfs_durable_path_locked(conversation, "", place);

	*ret_name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	if (r < 0)
		return r;
	start = strlen(place) + 1;
	r = jpfs_durable_path_locked(conversation, path, place);
	if (r < 0)
		return r;
	r = jpfs_open_parent(view->silo->conversations_fd, place, &name);
	if (r != -ENOENT)
		return r;
	/* Directories that only the workspace has: made there by git, say, and just now written to. */
	for (char *slash = strchr(place + start, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (jp_sys->mkdirat(view->silo->conversations_fd, place, 0777 & ~view->umask) < 0 &&
		    errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return jpfs_open_parent(view->silo->conversations_fd, place, &name);
}

/* ---- versions of managed files ---- */

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
	char path[JPFS_PATH_BYTES];
	int r = jpfs_durable_path_locked(conversation, jp_managed_name(which), path);

	if (r < 0)
		return r;
	r = jpfs_stat_beneath(conversation->view->silo->conversations_fd, path, ret);
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
		(void)jp_sys->unlinkat(candidate->conversation->view->staging.fd, candidate->pin,
				       0); /* only a link */
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
		if (conversation->is_local || is_projected(conversation, which, &new->st))
			continue;
		if (new->pin[0] != '\0')
			jpfs_pin_adopt_locked(conversation, which, new->pin);
		new->pin[0] = '\0';
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

/* ---- what is shown ---- */

/* 1, 0, -errno. */
static int is_visible(struct jpfs_conversation *conversation, enum jp_managed which)
{
	cleanup_object struct jpfs_object *object = NULL;
	struct jpfs_entry *entry;
	int r = jpfs_entry_lookup_locked(conversation, jp_managed_name(which), &entry);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	object = &entry->object;
	return 1;
}

static int is_complete(struct jpfs_conversation *conversation)
{
	int r = is_visible(conversation, JP_METADATA);

	return r == 1 ? is_visible(conversation, JP_EVENTS) : r;
}

void jpfs_conversation_changed_locked(struct jpfs_conversation *conversation)
{
	conversation->writes++;
	clock_gettime(CLOCK_REALTIME, &conversation->changed);
}

void jpfs_conversation_settle_locked(struct jpfs_conversation *conversation)
{
	bool was_incomplete = conversation->incomplete_ms != 0;
	int r = is_complete(conversation);

	if (r < 0)
		return; /* nobody can tell: it stays as it is */
	if (r == 1) {
		conversation->incomplete_ms = 0;
		if (was_incomplete)
			jpfs_notify_partitions(conversation->view->notify, conversation->view);
	} else if (!was_incomplete) {
		conversation->incomplete_ms = jpfs_now_ms();
		jpfs_notify_partitions(conversation->view->notify, conversation->view);
		jpfs_work_add(conversation, JPFS_SETTLE_MS + 100);
	}
}

bool jpfs_conversation_is_listed(struct jpfs_conversation *conversation)
{
	cleanup_unlock pthread_mutex_t *held = jp_lock(&conversation->lock);

	return conversation->in_view &&
	       (conversation->incomplete_ms == 0 ||
		jpfs_now_ms() - conversation->incomplete_ms > JPFS_SETTLE_MS);
}

const char *jpfs_conversation_presence_locked(struct jpfs_conversation *conversation)
{
	char path[JPFS_PATH_BYTES];

	if (conversation->is_local)
		return "local";
	return jpfs_durable_path_locked(conversation, "", path) == -ENOENT ? "workspace-only"
									   : "projected";
}

/* The directory whose unmanaged files are shown: the workspace's, where there is one. */
static int open_listed(struct jpfs_conversation *conversation, const char *path)
{
	const struct jpfs_view *view = conversation->view;
	char place[JPFS_PATH_BYTES];
	int r = 0;

	if (conversation->is_local)
		r = jpfs_durable_path_locked(conversation, path, place);
	else
		jpfs_workspace_path(conversation, path, place);
	return r < 0 ? r
		     : jp_open_beneath(conversation->is_local ? view->silo->conversations_fd
							      : view->workspace_fd,
				       place, O_RDONLY | O_DIRECTORY, 0);
}

int jpfs_conversation_list_workspace_locked(struct jpfs_conversation *conversation,
					    const char *path, struct jpfs_listing *listing)
{
	cleanup_close int fd = -EBADF;
	cleanup_closedir DIR *dir = NULL;

	fd = open_listed(conversation, path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir(fd);
	if (dir == NULL)
		return -errno;
	fd = -EBADF; /* the stream has it now */
	for (;;) {
		char inner[JPFS_PATH_BYTES];
		struct dirent *entry;
		int r;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return errno != 0 ? -errno : 0;
		if (!jp_is_single_name(entry->d_name))
			continue;
		/* At the top, jp's own files are told of by their state, not by what lies here. */
		if (path[0] == '\0' && (jp_managed_from_name(entry->d_name) != JP_UNMANAGED ||
					jp_name_is_managed_temporary(entry->d_name)))
			continue;
		(void)snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] != '\0' ? "/" : "",
			       entry->d_name);
		if (jpfs_note_find(conversation->removed, inner) != NULL ||
		    (conversation->is_local &&
		     jpfs_note_find(conversation->doomed, inner) != NULL) ||
		    jpfs_entry_live_locked(conversation, inner) != NULL ||
		    jpfs_note_find(conversation->added, inner) != NULL)
			continue;
		r = jpfs_listing_add(listing, entry->d_name, entry->d_ino,
				     (mode_t)DTTOIF(entry->d_type));
		if (r < 0)
			return r;
	}
}

/* The name of a path directly beneath a directory; NULL for anything else. */
static const char *name_beneath(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	if (length > 0) {
		if (strncmp(path, directory, length) != 0 || path[length] != '/')
			return NULL;
		path += length + 1;
	}
	return strchr(path, '/') == NULL ? path : NULL;
}

int jpfs_conversation_list(struct jpfs_conversation *conversation, const char *path,
			   struct jpfs_listing *listing)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	cleanup_glance struct jpfs_glance glance;
	int r = 0;

	jpfs_glance_begin_locked(conversation, &glance);
	for (int i = 0; i < JP_MANAGED_COUNT && r == 0 && path[0] == '\0'; i++) {
		cleanup_object struct jpfs_object *object = NULL;
		struct jpfs_entry *entry;

		/* A file that cannot be looked at is not a file that is not there: what has no entries
		 * may be removed. */
		r = jpfs_entry_lookup_locked(conversation, jp_managed_name((enum jp_managed)i),
					     &entry);
		if (r < 0) {
			r = r == -ENOENT ? 0 : r;
			continue;
		}
		object = &entry->object;
		r = jpfs_listing_add(listing, entry->path, entry->shown_ino, entry->type);
		if (r == 0 && listing->with_objects)
			listing->items[listing->count - 1].object = TAKE_PTR(object);
	}
	/* What is in memory first: the next call leaves out what it finds here. */
	for (struct jpfs_entry *entry = conversation->entries; entry != NULL && r == 0;
	     entry = entry->next) {
		const char *name = name_beneath(path, entry->path);

		if (name == NULL || !entry->is_linked ||
		    (path[0] == '\0' &&
		     (entry->managed != JP_UNMANAGED || jp_name_is_managed_temporary(name))))
			continue;
		r = jpfs_listing_add(listing, name, entry->shown_ino, entry->type);
	}
	for (struct jpfs_note *note = conversation->added; note != NULL && r == 0;
	     note = note->next) {
		const char *name = name_beneath(path, note->path);

		if (name != NULL && jpfs_entry_live_locked(conversation, note->path) == NULL)
			r = jpfs_listing_add(listing, name, 0, 0);
	}
	return r < 0 ? r : jpfs_conversation_list_workspace_locked(conversation, path, listing);
}

int jpfs_conversation_stat(struct jpfs_conversation *conversation, struct stat *ret)
{
	cleanup_unlock pthread_mutex_t *held = jpfs_conversation_enter(conversation);
	struct jpfs_view *view = conversation->view;
	char path[JPFS_PATH_BYTES];
	int r;

	jpfs_workspace_path(conversation, "", path);
	r = jpfs_stat_beneath(view->workspace_fd, path, ret);
	if (r == -ENOENT || (r == 0 && !S_ISDIR(ret->st_mode))) {
		r = jpfs_durable_path_locked(conversation, "", path);
		if (r == 0)
			r = jpfs_stat_beneath(view->silo->conversations_fd, path, ret);
	}
	if (r == -ENOENT) {
		/* Neither side has a directory yet: it is being made, or the disk is full. */
		if (fstat(view->workspace_fd, ret) < 0)
			return -errno;
		ret->st_ino = conversation->id;
		r = 0;
	}
	if (r < 0)
		return r;
	if (conversation->changed.tv_sec > ret->st_mtim.tv_sec ||
	    (conversation->changed.tv_sec == ret->st_mtim.tv_sec &&
	     conversation->changed.tv_nsec > ret->st_mtim.tv_nsec)) {
		ret->st_mtim = conversation->changed;
		ret->st_ctim = conversation->changed;
	}
	return 0;
}
