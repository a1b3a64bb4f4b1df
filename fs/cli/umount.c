/*
 * `jpfs umount`: nothing is left to write when it returns.
 *
 * umount(2) does not wait for a FUSE daemon, so that two things are added. Before, an fsync of the
 * mount's root: the daemon answers it when everything is on disk on both sides, or with an error,
 * and then the mount stays, because it is the only place where what could not be written can still
 * be seen. After, waiting for the daemon's lock to be free: what it did last is in the lock file.
 *
 * A daemon may also have no mount: it detached itself and waits for the directory to come back. It
 * is told by signal, and only after a look that it is one.
 */
#include "fs/cli/command.h"

#include "core/silo.h"
#include "core/workspace.h"
#include "fs/attach.h"
#include "fs/cli/place.h"
#include "fs/cli/users.h"
#include "fs/lockfile.h"
#include "fs/mountinfo.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
	PATIENCE_MS = 3000, /* then it is said what is being waited for */
	SLICE_MS = 100,     /* less than a daemon waits before it mounts again */
	RETRY_MS = 50,
	SEEN_MS = 500,  /* a glance, as of `jpfs status` in another terminal, is over by then */
	LAZY_MS = 2000, /* what is in use may keep the daemon for hours */
	USERS_BYTES_MAX = 256,
};

/* The lock file of a mount or a workspace; empty when it cannot be found. */
struct keeper {
	struct jp_workspace workspace;
	struct jp_silo silo;
	bool is_known;
	pid_t daemon; /* 0 when it is not known */
};

static void release_keeper(struct keeper *keeper)
{
	jp_silo_release(&keeper->silo);
	jp_workspace_release(&keeper->workspace);
}

/* Whether a process is one of ours: its number may have been used again. */
static bool is_jpfs(pid_t pid)
{
	char link[64], target[PATH_MAX];
	const char *name;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlinkat(AT_FDCWD, link, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	/* "jpfs (deleted)" after an upgrade */
	return name != NULL && strncmp(name, "/jpfs", 5) == 0 &&
	       (name[5] == '\0' || name[5] == ' ');
}

/* Tell a daemon to end, if it is one. */
static void tell_to_end(pid_t pid)
{
	if (pid > 0 && is_jpfs(pid))
		(void)kill(pid, SIGTERM); /* gone, or not ours: who waits will see */
}

/*
 * Wait for the lock, and see that the daemon is not going to mount again: of an empty view it
 * detaches itself when somebody opens it, as syncing does, and then waits for whoever comes next.
 */
static int wait_for_lock(const struct keeper *keeper, int timeout_ms)
{
	for (int waited = 0;; waited += SLICE_MS) {
		struct jpfs_lock_state state = {0};
		int r = jpfs_lockfile_wait(&keeper->silo, &keeper->workspace, SLICE_MS);

		if (r != -ETIMEDOUT || (timeout_ms >= 0 && waited >= timeout_ms))
			return r;
		if (jpfs_lockfile_read(&keeper->silo, &keeper->workspace, &state) == 0 &&
		    strcmp(state.state, "detached") == 0)
			tell_to_end(state.pid);
	}
}

/*
 * Wait for the daemon to end and tell how it did. An exit code.
 *
 * Shape:   what  the result's word for stdout, `path` its text
 */
static int wait_for_end(const struct keeper *keeper, bool lazy, const char *what, const char *path)
{
	struct jpfs_lock_state state = {0};
	struct jp_error error = {0};
	int r = -ENOENT;

	if (keeper->is_known) {
		r = wait_for_lock(keeper, lazy ? LAZY_MS : PATIENCE_MS);
		if (r == -ETIMEDOUT && lazy) {
			jpfs_print(what, "%s (its daemon goes on until the last file is closed)",
				   path);
			return JPFS_EXIT_DONE;
		}
		if (r == -ETIMEDOUT) {
			jpfs_tell("%s: waiting for the daemon to write everything to disk", path);
			r = wait_for_lock(keeper, -1);
		}
	}
	if (r == 0)
		r = jpfs_lockfile_read(&keeper->silo, &keeper->workspace, &state);
	if (r == 0 && strcmp(state.state, "failed") == 0) {
		jp_error_set(&error, -EIO, "%s: unmounted, but not everything was written: %s",
			     path, state.error[0] != '\0' ? state.error : "the log has the reason");
		jp_error_remedy(&error, "nothing is lost, it is in %s; `jpfs mount` tries again",
				keeper->silo.path);
		return jpfs_fail(-EIO, &error);
	}
	if (r < 0)
		jpfs_tell("%s: cannot tell how its daemon ended: %s", path, strerrordesc_np(-r));
	jpfs_print(what, "%s", path);
	return JPFS_EXIT_DONE;
}

/* What the daemon says about its last failure, or nothing. Borrowed from the status. */
static const char *last_error(const json_t *status, const char *key)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(status, "last_error"), key));

	return text != NULL ? text : "";
}

/* Have everything written. 0 or -errno, and `error` says what it means. */
static int sync_mount(const char *mount_point, struct jp_error *error)
{
	cleanup_place struct jpfs_place now = {0};
	cleanup_close int fd = openat(AT_FDCWD, mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *message, *remedy;
	int r;

	if (fd >= 0 && fsync(fd) == 0)
		return 0;
	r = -errno;
	jp_closep(&fd);
	/* It was asked before it failed: its reason is newer than the status we have. */
	if (jpfs_place_look(mount_point, &now, NULL) < 0)
		now.status = NULL;
	message = last_error(now.status, "message");
	remedy = last_error(now.status, "remedy");
	if (message[0] == '\0')
		message = strerrordesc_np(-r);
	jp_error_set(error, r, "%s: not everything can be written: %s", mount_point, message);
	if (remedy[0] != '\0')
		jp_error_remedy(error, "%s; until then it stays mounted, or `jpfs umount --lazy`",
				remedy);
	else
		jp_error_remedy(
			error,
			"it stays mounted: see to it and try again, or `jpfs umount --lazy`");
	return r;
}

/*
 * Take the mount away. The kernel also calls it busy while somebody's path leads through it at this
 * moment, or a file is being closed, or another `jpfs` asks for its status: it is tried again for a
 * moment, and for longer when nobody can be seen who has it in use.
 */
static int detach(const struct jpfs_place *place, pid_t daemon, bool lazy, struct jp_error *error)
{
	cleanup_close int top = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char users[USERS_BYTES_MAX] = "";
	int r;

	/* Not to be in the way ourselves, when started in there or by -C. */
	(void)fchdir(top); /* else it is told who is */
	for (int waited = 0;; waited += RETRY_MS) {
		r = jpfs_detach(place->mount_point, place->device, lazy, error);
		if (r != -EBUSY)
			return r;
		jpfs_users_of(place->mount_point, place->device, daemon, users, sizeof(users));
		if (waited >= (users[0] != '\0' ? SEEN_MS : LAZY_MS))
			break;
		(void)poll(NULL, 0, RETRY_MS);
	}
	jp_error_set(error, r, "%s: in use%s%s", place->mount_point, users[0] != '\0' ? " by " : "",
		     users);
	jp_error_remedy(error, "leave that directory, close what is open there and try again, or "
			       "unmount while it is in use: `jpfs umount --lazy`");
	return r;
}

static int unmount_live(const struct jpfs_place *place, bool lazy)
{
	__attribute__((cleanup(release_keeper))) struct keeper keeper = {0};
	struct jp_error error = {0};
	int r;

	keeper.is_known =
		jpfs_place_open_lock_directory(place, &keeper.workspace, &keeper.silo) == 0;
	keeper.daemon = (pid_t)json_integer_value(json_object_get(place->status, "pid"));
	r = sync_mount(place->mount_point, &error);
	if (r < 0 && !lazy)
		return jpfs_fail(r, &error);
	if (r < 0)
		jpfs_tell("%s", error.message);
	r = detach(place, keeper.daemon, lazy, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	/* Unless somebody still uses it, there is nothing left for it to do. */
	if (!lazy)
		tell_to_end(keeper.daemon);
	return wait_for_end(&keeper, lazy, "unmounted", place->mount_point);
}

static int unmount_place(const struct jpfs_place *place, bool lazy)
{
	struct jp_error error = {0};
	int r;

	if (place->state == JPFS_PLACE_MOUNTED)
		return unmount_live(place, lazy);
	r = jpfs_detach(place->mount_point, place->device, true, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	jpfs_print("unmounted", "%s (its daemon was gone)", place->mount_point);
	return JPFS_EXIT_DONE;
}

/* End the daemon that holds the lock without a mount that we see. An exit code. */
static int end_holder(const struct keeper *keeper, const char *mount_point)
{
	struct jpfs_lock_state state = {0};
	struct jp_error error = {0};
	int r = jpfs_lockfile_read(&keeper->silo, &keeper->workspace, &state);

	if (r == 0 && is_jpfs(state.pid) && kill(state.pid, SIGTERM) == 0)
		return wait_for_end(keeper, false, "ended the daemon of", mount_point);
	if (r == 0 && jpfs_lockfile_wait(&keeper->silo, &keeper->workspace, 0) == 0)
		return wait_for_end(keeper, false, "not mounted", mount_point);
	jp_error_set(&error, -EBUSY, "%s: served by process %d, which cannot be ended from here",
		     mount_point, state.pid);
	jp_error_remedy(&error, "it runs as another user or in another container: do it there");
	return jpfs_fail(-EBUSY, &error);
}

/* What is mounted in a workspace that cannot be read any more, because its ID is damaged or its disk
 * is: then the directory has to be the workspace's own, or the mount point. */
static int find_unreadable(const char *directory, struct jpfs_place *ret_place)
{
	cleanup_close int fd = openat(AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];
	int r = fd < 0 ? -errno : jpfs_path_of(fd, path);

	if (r == 0)
		r = jpfs_place_look(path, ret_place, NULL);
	if (r == 0 && ret_place->state == JPFS_PLACE_NOT_MOUNTED)
		r = jpfs_place_find(path, ret_place, NULL);
	return r == 0 && ret_place->state == JPFS_PLACE_NOT_MOUNTED ? -ENOENT : r;
}

static int unmount_workspace(const char *directory, bool lazy)
{
	__attribute__((cleanup(release_keeper))) struct keeper keeper = {0};
	cleanup_place struct jpfs_place place = {0};
	struct jp_error error = {0};
	int r;

	r = jp_workspace_find(directory, &keeper.workspace, &error);
	if (r < 0 && find_unreadable(directory, &place) == 0)
		return unmount_place(&place, lazy);
	if (r == 0)
		r = jpfs_place_find(keeper.workspace.root_path, &place, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	if (place.state != JPFS_PLACE_NOT_MOUNTED)
		return unmount_place(&place, lazy);
	keeper.is_known = jpfs_find_silo(&keeper.workspace, &keeper.silo, NULL) == 0;
	if (keeper.is_known && jpfs_lockfile_wait(&keeper.silo, &keeper.workspace, 0) == -ETIMEDOUT)
		return end_holder(&keeper, place.mount_point);
	jpfs_print("not mounted", "%s", place.mount_point);
	return JPFS_EXIT_DONE;
}

/* Every mount of this user; the newest first, as one may be beneath another. */
static int unmount_all(bool lazy)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	int r = jpfs_mountinfo_read(&info), exit_code = JPFS_EXIT_DONE;
	struct jp_error error = {0};
	size_t count = 0;

	if (r < 0) {
		jp_error_set(&error, r, "/proc/self/mountinfo: %s", strerrordesc_np(-r));
		return jpfs_fail(r, &error);
	}
	for (size_t i = info.count; i > 0; i--) {
		const struct jpfs_mount *mount = &info.mounts[i - 1];
		cleanup_place struct jpfs_place place = {0};

		if (!jpfs_mount_is_jpfs(mount) || mount->user_id != geteuid())
			continue;
		count++;
		r = jpfs_place_look(mount->mount_point, &place, &error);
		if (r < 0) {
			exit_code = jpfs_fail(r, &error);
			continue;
		}
		if (place.state == JPFS_PLACE_NOT_MOUNTED)
			continue; /* gone meanwhile, with one that was done before */
		r = unmount_place(&place, lazy);
		if (r != JPFS_EXIT_DONE)
			exit_code = r;
	}
	if (count == 0)
		(void)puts("nothing is mounted");
	return exit_code;
}

int jpfs_command_umount(int argc, char **argv)
{
	enum { ALL = 256, LAZY };
	static const struct option long_options[] = {
		{"all", no_argument, NULL, ALL},
		{"lazy", no_argument, NULL, LAZY},
		JPFS_COMMON_LONG,
	};
	bool all = false, lazy = false;
	const char *directory;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		switch (option) {
		case ALL:
			all = true;
			break;
		case LAZY:
			lazy = true;
			break;
		default:
			r = jpfs_common_option("umount", option, argv);
			if (r >= 0)
				return r;
		}
	}
	if (all && optind < argc)
		return jpfs_fail_usage("umount",
				       "umount: --all takes no directory, but there is %s",
				       argv[optind]);
	if (all)
		return unmount_all(lazy);
	r = jpfs_directory_argument("umount", argc, argv, &directory);
	return r != 0 ? r : unmount_workspace(directory, lazy);
}
