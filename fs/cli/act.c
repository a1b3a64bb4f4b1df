/* Doing one thing to some conversations. See act.h. */
#include "fs/cli/act.h"

#include "core/managed.h"
#include "core/user_data.h"
#include "fs/attach.h"
#include "fs/cli/command.h"
#include "fs/cli/open.h"
#include "fs/cli/place.h"
#include "fs/lockfile.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
	/* How long a daemon that is starting is waited for. */
	START_MS = 5000,
	POLL_MS = 20,
};

void jpfs_site_release(struct jpfs_site *site)
{
	if (site->has_silo)
		jp_silo_release(&site->silo);
	jp_workspace_release(&site->workspace);
	site->has_silo = false;
}

static json_int_t count_of(const json_t *status, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(status, "conversations"), key));
}

static void look_mounted(struct jpfs_site *site, const struct jpfs_place *place)
{
	site->is_mounted = place->state == JPFS_PLACE_MOUNTED;
	site->is_empty = count_of(place->status, "projected") == 0 &&
			 count_of(place->status, "workspace_only") == 0;
	(void)snprintf(site->mount_point, sizeof(site->mount_point), "%s", place->mount_point);
}

/*
 * A daemon that is just starting (the prompt before this command may have started it) is about to
 * mount: wait for it, instead of finding its lock held. What it serves is mounted before it says
 * that it serves.
 */
static int wait_for_start(struct jpfs_site *site, struct jp_error *error)
{
	for (int waited = 0; waited < START_MS; waited += POLL_MS) {
		cleanup_place struct jpfs_place place = {0};
		struct jpfs_lock_state state = {0};
		int r;

		if (jpfs_lockfile_wait(&site->silo, &site->workspace, 0) != -ETIMEDOUT ||
		    jpfs_lockfile_read(&site->silo, &site->workspace, &state) < 0)
			return 0;
		r = jpfs_place_find(site->workspace.root_path, &place, error);
		if (r < 0)
			return r;
		if (place.state == JPFS_PLACE_MOUNTED) {
			look_mounted(site, &place);
			return 0;
		}
		if (strcmp(state.state, "starting") != 0)
			return 0;
		(void)poll(NULL, 0, POLL_MS);
	}
	return 0; /* its lock is told about by who needs it */
}

static int open_site(const char *directory, bool make, struct jpfs_site *site,
		     struct jp_error *error)
{
	cleanup_place struct jpfs_place place = {0};
	cleanup_free char *user_data = NULL;
	int r;

	r = jp_workspace_find(directory, &site->workspace, error);
	if (r == 0)
		r = jpfs_place_find(site->workspace.root_path, &place, error);
	if (r == 0 && place.state == JPFS_PLACE_DEAD) {
		jpfs_tell("%s: its daemon was gone, the dead mount is taken away",
			  place.mount_point);
		r = jpfs_detach(place.mount_point, place.device, true, error);
	}
	if (r < 0)
		return r;
	look_mounted(site, &place);
	r = jpfs_open_existing_silo(&site->workspace, &site->silo, error);
	if (r == -ENOENT && make) {
		*error = (struct jp_error){0};
		r = jp_user_data_dir(&user_data, error);
		if (r == 0)
			r = jp_workspace_make_id(&site->workspace, error);
		if (r == 0)
			r = jpfs_open_silo(user_data, &site->workspace, &site->silo, error);
	} else if (r == 0 && make) {
		/* Trusted already: what it lacks of ours is made. */
		jp_silo_release(&site->silo);
		r = jp_user_data_dir(&user_data, error);
		if (r == 0)
			r = jpfs_open_silo(user_data, &site->workspace, &site->silo, error);
	}
	site->has_silo = r == 0;
	if (r == 0 && make && !site->is_mounted)
		r = wait_for_start(site, error);
	return r == -ENOENT && !make ? 0 : r;
}

int jpfs_site_open(const char *directory, bool make, struct jpfs_site *ret_site)
{
	cleanup_site struct jpfs_site site = {0};
	struct jp_error error = {0};
	int r = open_site(directory, make, &site, &error);

	if (r < 0)
		return jpfs_fail(r, &error);
	*ret_site = site;
	site = (struct jpfs_site){0}; /* the caller has it now */
	return 0;
}

int jpfs_site_sync(const struct jpfs_site *site)
{
	cleanup_close int fd =
		openat(AT_FDCWD, site->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct jp_error error = {0};
	int r;

	if (fd >= 0 && fsync(fd) == 0)
		return 0;
	r = -errno;
	jp_error_set(&error, r, "%s: not everything can be written: %s", site->mount_point,
		     strerrordesc_np(-r));
	jp_error_remedy(&error, "`jpfs status` has the reason");
	return jpfs_fail(r, &error);
}

void jpfs_site_look_anew(int directory_fd)
{
	/* A name that something is to be renamed to is always asked for; onto itself nothing ever is. */
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const char *name = jp_managed_name((enum jp_managed)i);

		(void)renameat2(directory_fd, name, directory_fd, name, RENAME_NOREPLACE);
	}
}

/* ---- one action ---- */

static int tell(const struct jpfs_action *action, const struct jpfs_picked *picked, int r,
		struct jp_error *error)
{
	const char *name = picked->is_here ? picked->here_name : picked->durable_name;

	if (r == -EALREADY) {
		jpfs_print("nothing to do", "%s%s%s", name, error->message[0] != '\0' ? ": " : "",
			   error->message);
		return JPFS_EXIT_DONE;
	}
	if (r < 0) {
		struct jp_error whole = *error;

		jp_error_set(&whole, r, "%s: %s", name,
			     error->message[0] != '\0' ? error->message : strerrordesc_np(-r));
		return jpfs_fail(r, &whole);
	}
	jpfs_print(action->done, "%s", name);
	return JPFS_EXIT_DONE;
}

/* Bring one conversation to rest on both sides. */
static int settle(struct jpfs_view *view, uint64_t id)
{
	struct jpfs_conversation *conversation = jpfs_view_find(view, id);
	int64_t wait;
	int r;

	if (conversation == NULL)
		return 0;
	r = jpfs_project_conversation(conversation, true, &wait);
	jpfs_object_unref(&conversation->object);
	return r;
}

static int sync_sides(struct jpfs_offline *offline, struct jpfs_site *site)
{
	int r = jp_base_sync(offline->view.base);

	return syncfs(offline->workspace_fd) < 0 || syncfs(site->silo.fd) < 0 ? -errno : r;
}

int jpfs_site_with_engine(struct jpfs_site *site, uint64_t id,
			  int (*work)(struct jpfs_view *view, void *context), void *context,
			  struct jp_error *error)
{
	cleanup_offline struct jpfs_offline offline = {0};
	int r = jpfs_offline_open(&site->workspace, &site->silo, false, &offline, error);

	if (r == 0)
		r = work(&offline.view, context);
	if (r == 0)
		r = settle(&offline.view, id);
	return r == 0 ? sync_sides(&offline, site) : r;
}

/* An exit code; -1 a daemon was quicker, and what is in the workspace is now to be had from it. */
static int act_offline(const struct jpfs_action *action, struct jpfs_site *site,
		       const struct jpfs_picked *picked, size_t count)
{
	cleanup_offline struct jpfs_offline offline = {0};
	struct jp_error error = {0};
	int exit_code = JPFS_EXIT_DONE, r;

	r = jpfs_offline_open(&site->workspace, &site->silo, false, &offline, &error);
	if (r == -EBUSY && wait_for_start(site, NULL) == 0 && site->is_mounted)
		return -1;
	if (r < 0)
		return jpfs_fail(r, &error);
	for (size_t i = 0; i < count; i++) {
		error = (struct jp_error){0};
		r = action->offline(&offline.view, &picked[i], &error);
		if (r == 0)
			r = settle(&offline.view, picked[i].id);
		r = tell(action, &picked[i], r, &error);
		exit_code = exit_code == JPFS_EXIT_DONE ? r : exit_code;
	}
	r = sync_sides(&offline, site);
	if (r < 0) {
		jp_error_set(&error, r, "%s: %s", site->workspace.root_path, strerrordesc_np(-r));
		return jpfs_fail(r, &error);
	}
	return exit_code;
}

static int act_mounted(const struct jpfs_action *action, const struct jpfs_site *site,
		       const struct jpfs_picked *picked, size_t count)
{
	cleanup_close int root =
		openat(AT_FDCWD, site->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct jp_error error = {0};
	int exit_code = JPFS_EXIT_DONE, r;

	if (root < 0) {
		r = -errno;
		jp_error_set(&error, r, "%s: %s", site->mount_point, strerrordesc_np(-r));
		return jpfs_fail(r, &error);
	}
	for (size_t i = 0; i < count; i++) {
		error = (struct jp_error){0};
		r = action->mounted(root, &picked[i], &error);
		if (r == 0 && action->seen != NULL)
			action->seen(site, root, &picked[i]);
		r = tell(action, &picked[i], r, &error);
		exit_code = exit_code == JPFS_EXIT_DONE ? r : exit_code;
	}
	return exit_code;
}

int jpfs_site_choose(const struct jpfs_site *site, struct jpfs_choice *ret_choice)
{
	cleanup_close int fd = -EBADF;

	if (!site->is_mounted)
		fd = jp_workspace_open_conversations(&site->workspace, false, NULL);
	else if (!site->is_empty)
		fd = openat(AT_FDCWD, site->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return jpfs_choice_read(site->has_silo ? site->silo.conversations_fd : -EBADF, fd,
				ret_choice);
}

static int act_on(const struct jpfs_action *action, struct jpfs_site *site, char **names,
		  size_t count)
{
	cleanup_free struct jpfs_picked *picked = calloc(count, sizeof(*picked));
	cleanup_choice struct jpfs_choice choice = {0};
	struct jp_error error = {0};
	int r = picked == NULL ? -ENOMEM : jpfs_site_choose(site, &choice);

	/* All of them first: a wrong name changes nothing. */
	for (size_t i = 0; i < count && r == 0; i++)
		r = jpfs_pick(&choice, names[i], &picked[i], &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	if (site->is_mounted)
		return act_mounted(action, site, picked, count);
	r = act_offline(action, site, picked, count);
	return r >= 0 ? r : act_on(action, site, names, count); /* once: it is mounted now */
}

int jpfs_act(const struct jpfs_action *action, int argc, char **argv)
{
	static const struct option long_options[] = {JPFS_COMMON_LONG};
	cleanup_site struct jpfs_site site = {0};
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		r = jpfs_common_option(action->name, option, argv);
		if (r >= 0)
			return r;
	}
	if (optind == argc)
		return jpfs_fail_usage(action->name, "%s: which conversation?", action->name);
	jpfs_log_open(true);
	r = jpfs_site_open(".", true, &site);
	return r != 0 ? r : act_on(action, &site, argv + optind, (size_t)(argc - optind));
}
