/*
 * `jpfs restore`: a kept version becomes the current one, a conversation comes back from the trash.
 *
 * A version takes the durable file's place as every write does. Mounted, the daemon sees it there
 * and brings the project up to date; a draft that this worktree shows in its place is ended first,
 * and kept. Not mounted, the same engine does both.
 */
#include "core/base/io.h"
#include "core/managed.h"
#include "core/restore.h"
#include "fs/cli/command.h"
#include "fs/cli/named.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* One thing to be done. */
struct restoration {
	struct jpfs_site *site;
	const struct jpfs_named *named;
	const struct jp_kept *kept;
	const char *file; /* in the conversation */
};

/* ---- a managed file ---- */

static int restore_offline(struct jpfs_view *view, void *context)
{
	const struct restoration *todo = context;
	struct jpfs_conversation *conversation = jpfs_view_find(view, todo->kept->id);
	struct stat st;
	int r = 0;

	if (conversation == NULL)
		return jp_restore_file(view->silo, todo->kept, todo->file);
	pthread_mutex_unlock(jpfs_conversation_enter(conversation));
	r = conversation->reconcile_failure;
	if (r == 0)
		r = jpfs_draft_discard(conversation);
	if (r == 0 || r == -ENOENT)
		r = jp_restore_file(view->silo, todo->kept, todo->file);
	if (r == 0) { /* meet it, so that it is projected */
		jpfs_conversation_lock(conversation);
		r = jpfs_durable_stat_locked(conversation, jp_managed_from_name(todo->file), &st);
		pthread_mutex_unlock(&conversation->lock);
	}
	jpfs_object_unref(&conversation->object);
	return r;
}

/* Its directory in the mount; a new descriptor. */
static int open_mounted(const struct jpfs_site *site, const struct jpfs_picked *picked)
{
	bool is_archived = picked->is_here ? picked->here_is_archived : picked->durable_is_archived;
	cleanup_close int root =
		openat(AT_FDCWD, site->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];

	if (root < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "%s%s%s",
		       picked->is_here ? "" : JPFS_CONTROL_NAME "/" JPFS_LOCAL_NAME "/",
		       is_archived ? JP_ARCHIVE_NAME "/" : "",
		       picked->is_here ? picked->here_name : picked->durable_name);
	return jp_open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
}

static int restore_mounted(const struct restoration *todo, struct jp_error *error)
{
	cleanup_close int directory = open_mounted(todo->site, &todo->named->picked);
	struct stat st;
	int r;

	if (directory < 0)
		return directory;
	if (jpfs_site_sync(todo->site) != 0) /* what was written before comes before */
		return -EIO;
	if (todo->named->picked.is_here &&
	    fsetxattr(directory, JPFS_XATTR_DRAFT, "discard", 7, 0) < 0 && errno != ENOENT)
		return jp_error_set(error, -errno, "its draft cannot be ended: %s",
				    strerrordesc_np(errno));
	r = jp_restore_file(&todo->site->silo, todo->kept, todo->file);
	if (r < 0)
		return r;
	/* The daemon meets it when it is looked at; hidden here, it stays so. */
	jpfs_site_look_anew(directory);
	if (fstatat(directory, todo->file, &st, 0) < 0 && errno != ENOENT)
		return -errno;
	return jpfs_site_sync(todo->site) != 0 ? -EIO : 0;
}

/* ---- any other file, from the trash ---- */

static int copy_other(const struct restoration *todo, int directory)
{
	cleanup_close int from = -EBADF, parent = -EBADF;
	const char *slash = strrchr(todo->file, '/');
	cleanup_free char *above =
		strndup(todo->file, slash != NULL ? (size_t)(slash - todo->file) : 0);
	int r;

	if (above == NULL)
		return -ENOMEM;
	from = jp_kept_open_place(todo->site->silo.history_fd, todo->site->silo.trash_fd,
				  todo->kept);
	if (from < 0)
		return from;
	if (!jp_kept_is_called(todo->kept, todo->file)) { /* in a whole conversation */
		char path[PATH_MAX];
		int inner;

		(void)snprintf(path, sizeof(path), "%s%s%s", todo->kept->entry,
			       above[0] != '\0' ? "/" : "", above);
		inner = jp_open_beneath(from, path, O_RDONLY | O_DIRECTORY, 0);
		jp_closep(&from);
		from = inner;
		if (from < 0)
			return from;
	}
	parent = jp_open_beneath(directory, above[0] != '\0' ? above : ".", O_RDONLY | O_DIRECTORY,
				 0);
	if (parent < 0)
		return parent;
	slash = slash != NULL ? slash + 1 : todo->file;
	r = jp_copy_tree(from,
			 jp_kept_is_called(todo->kept, todo->file) ? todo->kept->entry : slash,
			 parent, slash, NULL);
	return r;
}

static int open_side(int root_fd, bool is_archived, const char *name)
{
	char path[JP_CONVERSATION_PATH_BYTES];

	(void)snprintf(path, sizeof(path), "%s%s", is_archived ? JP_ARCHIVE_NAME "/" : "", name);
	return jp_open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

/* Into the store, and into this worktree, which has it then as if it had been put there. */
static int copy_offline(struct jpfs_view *view, void *context)
{
	const struct restoration *todo = context;
	const struct jpfs_picked *picked = &todo->named->picked;
	cleanup_close int durable = -EBADF, here = -EBADF;
	int r = 0;

	if (picked->is_durable) {
		durable = open_side(view->silo->conversations_fd, picked->durable_is_archived,
				    picked->durable_name);
		r = durable < 0 ? durable : copy_other(todo, durable);
	}
	if (r == 0 && picked->is_here) {
		here = open_side(view->workspace_fd, picked->here_is_archived, picked->here_name);
		r = here < 0 ? here : copy_other(todo, here);
	}
	return r;
}

static int restore_other(const struct restoration *todo, struct jp_error *error)
{
	cleanup_close int directory = -EBADF;
	int r;

	if (!todo->site->is_mounted)
		return jpfs_site_with_engine(todo->site, todo->kept->id, copy_offline, (void *)todo,
					     error);
	directory = open_mounted(todo->site, &todo->named->picked);
	r = directory < 0 ? directory : copy_other(todo, directory);
	return r == 0 && jpfs_site_sync(todo->site) != 0 ? -EIO : r;
}

/* ---- what is meant ---- */

static int explain(const struct restoration *todo, int r, struct jp_error *error)
{
	const struct jpfs_named *named = todo->named;

	if (error->message[0] != '\0' || r == 0)
		return r;
	if (r == -EBADMSG)
		jp_error_remedy(error, "`jpfs show %" PRIu64 "@%s` prints what there is of it",
				named->picked.id, todo->kept->version);
	else if (r == -EBUSY)
		jp_error_remedy(error, "wait until jp is done with it");
	else if (r == -EEXIST && todo->file == NULL)
		jp_error_remedy(error, "name the files to be restored from it, or `jpfs rm` it "
				       "first");
	else if (r == -EEXIST)
		jp_error_remedy(error, "move it away first");
	return jp_error_set(error, r, "%s@%s%s%s: %s", named->name, todo->kept->version,
			    todo->file != NULL ? "/" : "", todo->file != NULL ? todo->file : "",
			    r == -EBADMSG  ? "jp would not accept it"
			    : r == -EEXIST ? "there is one"
			    : r == -EBUSY  ? "jp is working on it"
					   : strerrordesc_np(-r));
}

static int restore_whole(const struct restoration *todo, struct jp_error *error)
{
	char name[NAME_MAX + 1];
	int r = jp_restore_conversation(&todo->site->silo, todo->kept, name);

	if (r < 0)
		return explain(todo, r, error);
	jpfs_print("restored", "%s", name);
	if (!todo->named->picked.is_here)
		(void)fprintf(stderr,
			      "hint: the store has it; `jpfs project %" PRIu64
			      "` puts it into this worktree\n",
			      todo->kept->id);
	return 0;
}

static int restore_file(const struct restoration *todo, struct jp_error *error)
{
	int r;

	if (!todo->named->picked.is_durable && !todo->named->picked.is_here) {
		jp_error_remedy(error,
				"`jpfs restore %" PRIu64 "` brings it back, if it is in the "
				"trash",
				todo->kept->id);
		return jp_error_set(error, -ENOENT, "%s: there is no such conversation any more",
				    todo->named->name);
	}
	if (jp_managed_from_name(todo->file) == JP_UNMANAGED)
		r = restore_other(todo, error);
	else if (todo->site->is_mounted)
		r = restore_mounted(todo, error);
	else
		r = jpfs_site_with_engine(todo->site, todo->kept->id, restore_offline, (void *)todo,
					  error);
	if (r == -EALREADY) {
		jpfs_print("nothing to do", "%s/%s: it is the current version", todo->named->name,
			   todo->file);
		return 0;
	}
	if (r == 0)
		jpfs_print("restored", "%s/%s", todo->named->name, todo->file);
	return explain(todo, r, error);
}

/* Whether a version is what the current one is: to have it back, another one is meant. */
static bool is_current(const struct restoration *todo, const struct jp_kept *kept, const char *file)
{
	cleanup_close int version = -EBADF, current = -EBADF;

	if (kept->is_directory || jp_managed_from_name(file) == JP_UNMANAGED)
		return false;
	version = jpfs_open_kept(todo->site, kept, file);
	current = jpfs_open_current(todo->site, &todo->named->picked, file);
	return version >= 0 && current >= 0 && jp_same_content(version, current) == 1;
}

/* The newest other one that is kept of a file, or of the whole conversation. */
static int find_newest(const struct restoration *todo, const char *file, struct jp_error *error)
{
	const struct jpfs_named *named = todo->named;

	for (size_t i = 0; i < named->kept_count; i++) {
		const struct jp_kept *kept = &named->kept[i];

		if (file != NULL ? jp_kept_is_called(kept, file) && !is_current(todo, kept, file)
				 : jp_kept_is_conversation(kept, NULL, NULL))
			return (int)i;
	}
	return jp_error_set(error, -ENOENT, "%s: no other version of %s is kept", named->name,
			    file != NULL ? file : "it");
}

static int restore_one(struct restoration *todo, const char *file, struct jp_error *error)
{
	const struct jpfs_named *named = todo->named;
	cleanup_free char *path = NULL;
	int index = named->version[0] == '\0' ? find_newest(todo, file, error)
					      : jp_kept_find(named->kept, named->kept_count,
							     named->version, file, error);

	if (index < 0)
		return index;
	todo->kept = &named->kept[index];
	todo->file = file;
	if (file == NULL && jp_kept_is_conversation(todo->kept, NULL, NULL))
		return restore_whole(todo, error);
	path = strdup(file != NULL ? file : jp_kept_file(todo->kept));
	if (path == NULL)
		return -ENOMEM;
	for (char *c = path; file == NULL && *c != '\0'; c++) {
		if (*c == '%')
			*c = '/'; /* as it was removed */
	}
	todo->file = path;
	return restore_file(todo, error);
}

static int restore_all(struct jpfs_site *site, const char *text, char **files, size_t count,
		       struct jp_error *error)
{
	cleanup_choice struct jpfs_choice choice = {0};
	cleanup_named struct jpfs_named named = {0};
	struct restoration todo = {.site = site, .named = &named};
	int r = jpfs_site_choose(site, &choice);

	if (r == 0)
		r = jpfs_named_find(site, &choice, text, &named, error);
	if (r < 0)
		return r;
	if (named.version[0] == '\0' && count == 0 && named.picked.is_durable) {
		jp_error_remedy(error, "`jpfs history %" PRIu64 "` lists them", named.picked.id);
		return jp_error_set(error, -EEXIST, "%s: it is there; which version?", named.name);
	}
	if (count == 0)
		return restore_one(&todo, NULL, error);
	for (size_t i = 0; i < count && r == 0; i++)
		r = restore_one(&todo, files[i], error);
	return r;
}

int jpfs_command_restore(int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	cleanup_site struct jpfs_site site = {0};
	struct jp_error error = {0};
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option("restore", option, argv);
		if (r >= 0)
			return r;
	}
	if (optind == argc)
		return jpfs_fail_usage("restore", "restore: which conversation?");
	jpfs_log_open(true);
	r = jpfs_site_open(".", true, &site);
	if (r != 0)
		return r;
	r = restore_all(&site, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1),
			&error);
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
