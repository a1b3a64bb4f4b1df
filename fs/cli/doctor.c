/*
 * `jpfs doctor`: what somebody would be asked who says that it does not work.
 *
 * Looks and changes nothing, with one exception that it cannot avoid: a mount that is busy is waited
 * for. Each check says what is so, and if that is not as it should be, what to do. "note" is what
 * may be on purpose; only "wrong" makes the exit code 1.
 */
#include "fs/cli/command.h"

#include "core/base/io.h"
#include "core/silo.h"
#include "core/trust.h"
#include "core/user_data.h"
#include "core/workspace.h"
#include "fs/attach.h"
#include "fs/cli/automount.h"
#include "fs/cli/json.h"
#include "fs/cli/place.h"
#include "fs/fuse.h"
#include "fs/mountinfo.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

enum verdict { FINE, NOTE, WRONG };

static const char *const verdicts[] = {[FINE] = "ok", [NOTE] = "note", [WRONG] = "wrong"};

enum {
	/* Each conversation in use needs some; below this, a large project runs out of them. */
	DESCRIPTORS_MIN = 1024,
	/* A directory and each conversation's take one each. */
	WATCHES_MIN = 8192,
	ROOM_MIN = 1 << 20,
	NUMBER_BYTES_MAX = 64,
};

struct doctor {
	json_t *checks; /* what was found; owned */
	bool is_wrong;
};

/* Note a finding; `remedy` is "" where nothing needs doing. */
printf_like(5, 6) static void tell(struct doctor *doctor, const char *name, enum verdict verdict,
				   const char *remedy, const char *format, ...)
{
	char message[sizeof(((struct jp_error *)NULL)->message)];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	jp_make_printable(message);
	/* What cannot be added for want of memory is missing from the list, and still counts. */
	(void)json_array_append_new(doctor->checks,
				    json_pack("{s:s, s:s, s:s, s:s*}", "check", name, "verdict",
					      verdicts[verdict], "message", message, "remedy",
					      remedy[0] != '\0' ? remedy : NULL));
	doctor->is_wrong = doctor->is_wrong || verdict == WRONG;
}

static void tell_error(struct doctor *doctor, const char *name, int r, const struct jp_error *error)
{
	tell(doctor, name, WRONG, error->remedy, "%s",
	     error->message[0] != '\0' ? error->message : strerrordesc_np(-r));
}

/* ---- the machine ---- */

static void check_versions(struct doctor *doctor)
{
	struct utsname system = {0};

	(void)uname(&system); /* cannot fail with a valid buffer */
	tell(doctor, "versions", FINE, "", "jpfs %s, libfuse %s, Linux %s", JPFS_VERSION,
	     fuse_pkgversion(), system.release);
}

static void check_fuse(struct doctor *doctor)
{
	struct jp_error error = {0};
	int r = jpfs_attach_check(&error);

	if (r < 0)
		tell_error(doctor, "fuse", r, &error);
	else
		tell(doctor, "fuse", FINE, "", "/dev/fuse can be opened%s",
		     geteuid() == 0 ? "" : ", and there is fusermount3");
}

static void check_descriptors(struct doctor *doctor)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		tell(doctor, "descriptors", NOTE, "", "%s", strerrordesc_np(errno));
		return;
	}
	/* A daemon raises its own limit as far as it may. */
	tell(doctor, "descriptors", limit.rlim_max >= DESCRIPTORS_MIN ? FINE : WRONG,
	     limit.rlim_max >= DESCRIPTORS_MIN ? "" : "raise the hard limit (`ulimit -Hn`) to 1024",
	     "a daemon may open %llu files", (unsigned long long)limit.rlim_max);
}

static void check_watches(struct doctor *doctor)
{
	cleanup_free char *text = NULL;
	cleanup_close int fd = openat(AT_FDCWD, "/proc/sys/fs/inotify", O_PATH | O_CLOEXEC);
	size_t size;
	long count;

	if (fd < 0 || jp_read_file(fd, "max_user_watches", NUMBER_BYTES_MAX, &text, &size) < 0) {
		tell(doctor, "watches", NOTE, "", "the limit of inotify watches cannot be read");
		return;
	}
	count = strtol(text, NULL, 10);
	tell(doctor, "watches", count >= WATCHES_MIN ? FINE : NOTE,
	     count >= WATCHES_MIN ? "" : "as root, `sysctl fs.inotify.max_user_watches=65536`",
	     "there may be %ld inotify watches", count);
}

static void check_mounts(struct doctor *doctor)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	unsigned alive = 0, dead = 0;
	int r = jpfs_mountinfo_read(&info);

	for (size_t i = 0; i < info.count; i++) {
		const struct jpfs_mount *mount = &info.mounts[i];
		cleanup_place struct jpfs_place place = {0};
		struct jp_error error = {0};

		if (!jpfs_mount_is_jpfs(mount) || mount->user_id != geteuid())
			continue;
		r = jpfs_place_look(mount->mount_point, &place, &error);
		if (r < 0) {
			tell_error(doctor, "mounts", r, &error);
		} else if (place.state == JPFS_PLACE_DEAD) {
			dead++;
			tell(doctor, "mounts", WRONG,
			     "`jpfs mount` there mounts it anew, `jpfs umount` takes it away",
			     "%s: its daemon is gone", mount->mount_point);
		} else {
			alive++;
		}
	}
	if (r < 0 && info.count == 0)
		tell(doctor, "mounts", WRONG, "", "/proc/self/mountinfo: %s", strerrordesc_np(-r));
	else if (dead == 0)
		tell(doctor, "mounts", FINE, "", "%u of yours, none of them dead", alive);
}

/* ---- the account ---- */

static void check_shell(struct doctor *doctor)
{
	const char *git = getenv("GIT_DISCOVERY_ACROSS_FILESYSTEM");

	if (jpfs_automount_is_on())
		tell(doctor, "shell", FINE, "", "workspaces are mounted when they are entered");
	else
		tell(doctor, "shell", NOTE, "see `jpfs help shell-init`",
		     "workspaces are not mounted when they are entered");
	if (git == NULL || git[0] == '\0' || strcmp(git, "0") == 0)
		tell(doctor, "git", NOTE, "export GIT_DISCOVERY_ACROSS_FILESYSTEM=1",
		     "started in a conversation's directory, it finds no repository");
	else
		tell(doctor, "git", FINE, "", "finds its repository from a conversation, too");
}

/* The user data directory, new, or NULL. */
static char *check_store(struct doctor *doctor)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -EBADF;
	struct jp_error error = {0};
	struct statvfs room;
	struct stat st;
	int r = jp_user_data_dir(&path, &error);

	if (r < 0) {
		tell_error(doctor, "store", r, &error);
		return NULL;
	}
	fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		tell(doctor, "store", NOTE, "", "%s: the first mount makes it", path);
	else if (fd < 0)
		tell(doctor, "store", WRONG,
		     "make it a directory of your own, or set "
		     "JP_USER_DATA_DIR",
		     "%s: %s", path, strerrordesc_np(errno));
	else if (fstat(fd, &st) == 0 && st.st_uid != geteuid())
		tell(doctor, "store", WRONG, "give it to yourself, or set JP_USER_DATA_DIR",
		     "%s: belongs to the user with ID %u", path, st.st_uid);
	else if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		tell(doctor, "store", WRONG, "make it writable for yourself", "%s: %s", path,
		     strerrordesc_np(errno));
	else if (fstatvfs(fd, &room) == 0 && room.f_bavail < ROOM_MIN / room.f_frsize)
		tell(doctor, "store", WRONG, "make room: what is written there has no other place",
		     "%s: less than a megabyte is free on its filesystem", path);
	else
		tell(doctor, "store", FINE, "", "%s", path);
	return TAKE_PTR(path);
}

/* ---- the workspace ---- */

static void check_silo(struct doctor *doctor, const struct jp_workspace *workspace,
		       const char *user_data)
{
	cleanup_silo struct jp_silo silo = {0};
	struct jp_error error = {0};
	struct stat st;
	int r;

	if (workspace->id[0] == '\0') {
		tell(doctor, "silo", NOTE, "",
		     "the workspace has no ID; the first mount makes one");
		return;
	}
	r = jp_silo_open(user_data, workspace->id, jp_workspace_slug(workspace), false, &silo,
			 &error);
	if (r == -ENOENT) {
		tell(doctor, "silo", NOTE, "", "none for %s; the first mount makes it",
		     workspace->id);
		return;
	}
	if (r < 0) {
		tell_error(doctor, "silo", r, &error);
		return;
	}
	if (fstat(silo.fd, &st) == 0 && (st.st_mode & 077) != 0) {
		tell(doctor, "silo", NOTE, "`chmod go=` it, unless that is on purpose",
		     "%s: others may look into it", silo.path);
	} else {
		tell(doctor, "silo", FINE, "", "%s", silo.path);
	}
	r = jp_trust_check(&silo, workspace);
	if (r < 0)
		tell(doctor, "trust", WRONG, "", "%s: %s", silo.path, strerrordesc_np(-r));
	else
		tell(doctor, "trust", r > 0 ? FINE : NOTE,
		     r > 0 ? "" : "`jpfs allow`, if it is yours", "%s %s use it",
		     workspace->root_path, r > 0 ? "may" : "may not yet");
}

/* Whether a mount serves another user data directory than jp, started from here, would use. */
static bool is_kept_elsewhere(const struct jpfs_place *place, const char *user_data)
{
	const char *silo = json_string_value(json_object_get(place->status, "silo"));
	char ours[PATH_MAX + sizeof("/workspace")], its[PATH_MAX];
	struct stat our_stat, its_stat;

	if (silo == NULL || user_data == NULL)
		return false;
	(void)snprintf(ours, sizeof(ours), "%s/workspace", user_data);
	(void)snprintf(its, sizeof(its), "%s/..", silo);
	if (fstatat(AT_FDCWD, its, &its_stat, 0) < 0)
		return false; /* not there: that is told by others */
	return fstatat(AT_FDCWD, ours, &our_stat, 0) < 0 || our_stat.st_dev != its_stat.st_dev ||
	       our_stat.st_ino != its_stat.st_ino;
}

static void check_place(struct doctor *doctor, const struct jp_workspace *workspace,
			const char *user_data)
{
	cleanup_place struct jpfs_place place = {0};
	struct jp_error error = {0};
	const json_t *last, *drafts;
	const char *message, *remedy, *version;
	int r = jpfs_place_find(workspace->root_path, &place, &error);

	if (r < 0) {
		tell_error(doctor, "mount", r, &error);
		return;
	}
	if (place.state == JPFS_PLACE_DEAD)
		return; /* one of those that were told already */
	if (place.state == JPFS_PLACE_NOT_MOUNTED) {
		tell(doctor, "mount", NOTE, "`jpfs mount`", "%s: not mounted", place.mount_point);
		return;
	}
	version = json_string_value(json_object_get(place.status, "version"));
	last = json_object_get(place.status, "last_error");
	drafts = json_object_get(json_object_get(place.status, "conversations"), "drafts");
	message = json_string_value(json_object_get(last, "message"));
	remedy = json_string_value(json_object_get(last, "remedy"));
	if (message != NULL)
		tell(doctor, "mount", WRONG, remedy != NULL ? remedy : "", "%s", message);
	else if (is_kept_elsewhere(&place, user_data))
		tell(doctor, "mount", WRONG,
		     "`jpfs umount` and `jpfs mount` again from here, or set JP_USER_DATA_DIR and "
		     "XDG_DATA_HOME here as they were there",
		     "%s: was mounted with another user data directory than jp would use here",
		     place.mount_point);
	else if (version != NULL && strcmp(version, JPFS_VERSION) != 0)
		tell(doctor, "mount", NOTE,
		     "`jpfs umount` and `jpfs mount`, when nobody uses it, for this one to serve "
		     "it",
		     "%s: served by jpfs %s, which was started before this one was installed",
		     place.mount_point, version);
	else
		tell(doctor, "mount", FINE, "", "%s", place.mount_point);
	if (json_array_size(drafts) > 0)
		tell(doctor, "drafts", NOTE,
		     "`jpfs status` names them; `jpfs commit` or `jpfs "
		     "discard` ends them",
		     "%zu: other worktrees have other versions", json_array_size(drafts));
	else
		tell(doctor, "drafts", FINE, "", "none");
}

static void check_workspace(struct doctor *doctor, const char *directory, const char *user_data)
{
	cleanup_workspace struct jp_workspace workspace = {0};
	struct jp_error error = {0};
	struct stat st;
	int r = jp_workspace_find(directory, &workspace, &error);

	if (r == -ENOMEDIUM) {
		tell(doctor, "workspace", NOTE, error.remedy, "%s", error.message);
		return;
	}
	if (r < 0) {
		tell_error(doctor, "workspace", r, &error);
		return;
	}
	if (fstat(workspace.jp_fd, &st) == 0 && st.st_uid != geteuid())
		tell(doctor, "workspace", NOTE, "it is never mounted unasked",
		     "%s: belongs to the user with ID %u", workspace.root_path, st.st_uid);
	else
		tell(doctor, "workspace", FINE, "", "%s", workspace.root_path);
	check_place(doctor, &workspace, user_data);
	if (user_data != NULL)
		check_silo(doctor, &workspace, user_data);
}

/* ---- the command ---- */

static int print(const struct doctor *doctor, bool as_json)
{
	const json_t *check;
	size_t i;

	if (as_json)
		return jpfs_print_json(doctor->checks);
	json_array_foreach(doctor->checks, i, check)
	{
		const char *remedy = json_string_value(json_object_get(check, "remedy"));

		(void)printf("%-6s %-12s %s\n",
			     json_string_value(json_object_get(check, "verdict")),
			     json_string_value(json_object_get(check, "check")),
			     json_string_value(json_object_get(check, "message")));
		if (remedy != NULL)
			(void)printf("%-19s hint: %s\n", "", remedy);
	}
	return 0;
}

int jpfs_command_doctor(int argc, char **argv)
{
	enum { JSON = 256 };
	static const struct option long_options[] = {
		{"json", no_argument, NULL, JSON},
		JPFS_COMMON_LONG,
	};
	cleanup_free char *user_data = NULL;
	struct doctor doctor = {0};
	struct jp_error error = {0};
	const char *directory;
	bool as_json = false;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		if (option == JSON) {
			as_json = true;
			continue;
		}
		r = jpfs_common_option("doctor", option, argv);
		if (r >= 0)
			return r;
	}
	r = jpfs_directory_argument("doctor", argc, argv, &directory);
	if (r != 0)
		return r;
	doctor.checks = json_array();
	if (doctor.checks == NULL)
		return jpfs_fail(-ENOMEM, &error);
	check_versions(&doctor);
	check_fuse(&doctor);
	check_descriptors(&doctor);
	check_watches(&doctor);
	check_mounts(&doctor);
	check_shell(&doctor);
	user_data = check_store(&doctor);
	check_workspace(&doctor, directory, user_data);
	r = print(&doctor, as_json);
	json_decref(doctor.checks);
	if (r < 0)
		return jpfs_fail(r, &error);
	return doctor.is_wrong ? JPFS_EXIT_FAILED : JPFS_EXIT_DONE;
}
