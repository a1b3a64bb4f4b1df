/*
 * `jpfs mount`: from a directory that a user names to files that can be used.
 *
 * The order is the point. Whatever can be refused is looked at before anything is made: a typing
 * error must not leave a silo, an ID or a directory behind. Then, from the outside in: the ID, the
 * user's word (trust), the silo, the lock of the one daemon, the daemon. The daemon is this process
 * forked, before any thread exists; the one that the user started stays until the other can serve
 * or has told why not.
 */
#include "fs/cli/command.h"

#include "core/base/io.h"
#include "core/silo.h"
#include "core/user_data.h"
#include "core/workspace.h"
#include "fs/attach.h"
#include "fs/cli/automount.h"
#include "fs/cli/open.h"
#include "fs/cli/place.h"
#include "fs/lockfile.h"
#include "fs/log.h"
#include "fs/session.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum {
	OPTIONS_BYTES_MAX = 2048,
	/* How long a daemon that is busy attaching or ending is waited for. */
	OTHER_DAEMON_MS = 5000,
	POLL_MS = 50,
};

struct request {
	const char *directory;
	bool foreground;
	bool automount; /* a prompt appeared in it: see automount.h */
	int notify_fd;  /* gets one byte when files can be used; -EBADF for none */
	struct jpfs_mount_options options;
	char fuse_options[OPTIONS_BYTES_MAX]; /* what of -o goes to the kernel */
};

/* ---- what was asked for ---- */

static const char known_options[] = "ro, list_control, idle_timeout=SECONDS, uncached, debug, rw, "
				    "noatime, nosuid, nodev, noexec, allow_other, "
				    "max_read=N, context=, fscontext=, defcontext=, rootcontext=";

/* Those for the kernel; the ones ending in '=' want a value. */
static const char *const kernel_options[] = {
	"ro",          "rw",        "noatime",  "nosuid",     "nodev",       "noexec",
	"allow_other", "max_read=", "context=", "fscontext=", "defcontext=", "rootcontext=",
};

static bool is_kernel_option(const char *option)
{
	for (size_t i = 0; i < sizeof(kernel_options) / sizeof(kernel_options[0]); i++) {
		const char *known = kernel_options[i];
		size_t size = strlen(known);
		bool has_value = known[size - 1] == '=';

		if (has_value ? strncmp(option, known, size) == 0 && option[size] != '\0'
			      : strcmp(option, known) == 0)
			return true;
	}
	return false;
}

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 10;
}

/* One -o. 0 or an exit code. */
static int take_options(struct request *request, char *list)
{
	char *rest = list, *option;

	while ((option = strsep(&rest, ",")) != NULL) {
		size_t used = strlen(request->fuse_options);

		if (option[0] == '\0')
			continue;
		if (strcmp(option, "ro") == 0)
			request->options.read_only = true;
		if (strcmp(option, "rw") == 0)
			request->options.read_only = false;
		if (strcmp(option, "list_control") == 0) {
			request->options.list_control = true;
		} else if (strncmp(option, "idle_timeout=", 13) == 0) {
			if (!is_number(option + 13))
				return jpfs_fail_usage(
					"mount", "mount: %s: not a number of seconds", option);
			request->options.idle_timeout_s = (unsigned)strtoul(option + 13, NULL, 10);
		} else if (strcmp(option, "uncached") == 0) {
			request->options.uncached = true;
		} else if (strcmp(option, "debug") == 0) {
			request->options.debug = true;
		} else if (!is_kernel_option(option)) {
			jpfs_tell("mount: there is no mount option '%s'", option);
			(void)fprintf(stderr, "hint: there are %s\n", known_options);
			return JPFS_EXIT_USAGE;
		} else if (strncmp(option, "max_read=", 9) == 0 && !is_number(option + 9)) {
			return jpfs_fail_usage("mount", "mount: %s: not a number of bytes", option);
		} else if (snprintf(request->fuse_options + used, OPTIONS_BYTES_MAX - used, "%s%s",
				    used > 0 ? "," : "",
				    option) >= (int)(OPTIONS_BYTES_MAX - used)) {
			return jpfs_fail_usage("mount", "mount: too many mount options");
		}
	}
	return 0;
}

static int parse(int argc, char **argv, struct request *ret)
{
	enum { NOTIFY_FD = 256, AUTOMOUNT };
	static const struct option long_options[] = {
		{"automount", no_argument, NULL, AUTOMOUNT},
		{"foreground", no_argument, NULL, 'f'},
		{"notify-fd", required_argument, NULL, NOTIFY_FD},
		JPFS_COMMON_LONG,
	};
	int option, r;

	ret->notify_fd = -EBADF;
	while ((option = getopt_long(argc, argv, ":fo:" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		switch (option) {
		case 'f':
			ret->foreground = true;
			r = -1;
			break;
		case AUTOMOUNT:
			ret->automount = true;
			r = -1;
			break;
		case 'o':
			r = take_options(ret, optarg);
			r = r == 0 ? -1 : r;
			break;
		case NOTIFY_FD:
			ret->notify_fd = is_number(optarg) ? (int)strtol(optarg, NULL, 10) : -1;
			if (ret->notify_fd < 0 || fcntl(ret->notify_fd, F_GETFD) < 0)
				return jpfs_fail_usage("mount", "mount: %s: not an open descriptor",
						       optarg);
			r = -1;
			break;
		default:
			r = jpfs_common_option("mount", option, argv);
		}
		if (r >= 0)
			return r;
	}
	if (ret->options.debug && !ret->foreground)
		return jpfs_fail_usage("mount", "mount: -o debug prints to stderr; give -f too");
	if (ret->automount && ret->foreground)
		return jpfs_fail_usage("mount", "mount: --automount goes to the background; leave "
						"out -f");
	ret->options.fuse_options = ret->fuse_options;
	r = jpfs_directory_argument("mount", argc, argv, &ret->directory);
	return r == 0 ? -1 : r;
}

/*
 * Let go of what was inherited. A daemon would keep it for as long as it lives: the other end of a
 * pipe that somebody reads to its end, a lock of the caller's.
 */
static void close_inherited(int notify_fd)
{
	unsigned first = STDERR_FILENO + 1;

	if (notify_fd >= (int)first) {
		if (notify_fd > (int)first)
			(void)close_range(first, (unsigned)notify_fd - 1, 0);
		first = (unsigned)notify_fd + 1;
	}
	(void)close_range(first, ~0U, 0); /* an old kernel: as other programs do */
}

/* Files can be used: say so to who asked. */
static void notify(const struct request *request)
{
	if (request->notify_fd >= 0)
		(void)!write(request->notify_fd, "", 1); /* nobody there: nobody is told */
}

/* ---- what can be told before anything is made ---- */

/* The part of a path that exists decides whether the rest can be made. */
static int check_can_be_made(const char *path, struct jp_error *error)
{
	cleanup_free char *part = strdup(path);

	if (part == NULL)
		return jp_error_set(error, -ENOMEM, "out of memory");
	for (;;) {
		char *slash = strrchr(part, '/');
		int r = 0;

		if (faccessat(AT_FDCWD, part[0] != '\0' ? part : "/", W_OK | X_OK, AT_EACCESS) < 0)
			r = -errno;
		if (r == 0)
			return 0;
		if (r != -ENOENT || slash == NULL) {
			jp_error_remedy(error, "make it writable for yourself, or name another "
					       "place in JP_USER_DATA_DIR");
			return jp_error_set(error, r, "%s: conversations cannot be kept there: %s",
					    part[0] != '\0' ? part : "/", strerrordesc_np(-r));
		}
		*slash = '\0';
	}
}

/* `.jp/conversations` is a real directory, or can be made one. Nothing of ours is mounted there. */
static int check_conversations(const struct jp_workspace *workspace, struct jp_error *error)
{
	cleanup_close int fd = jp_workspace_open_conversations(workspace, false, error);
	int r;

	if (fd >= 0)
		return 0;
	if (fd != -ENOENT)
		return fd;
	*error = (struct jp_error){0};
	if (faccessat(workspace->jp_fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	r = -errno;
	jp_error_remedy(error, "make %s/.jp writable for yourself, or make the directory",
			workspace->root_path);
	return jp_error_set(error, r, "%s/.jp/conversations: missing, and cannot be made: %s",
			    workspace->root_path, strerrordesc_np(-r));
}

/* ---- the one daemon ---- */

/* Say what is mounted already, and where it keeps: an environment may have changed since. */
static int tell_place(const struct request *request, const struct jpfs_place *place)
{
	const char *silo = json_string_value(json_object_get(place->status, "silo"));

	notify(request);
	jpfs_print("already mounted", "%s", place->mount_point);
	if (silo != NULL)
		jpfs_print("kept in", "%s/conversations", silo);
	return JPFS_EXIT_DONE;
}

/* It is mounted and answers: an exit code; -1 it is not. */
static int tell_mounted(const struct request *request, const struct jp_workspace *workspace)
{
	cleanup_place struct jpfs_place place = {0};

	if (jpfs_place_find(workspace->root_path, &place, NULL) < 0 ||
	    place.state != JPFS_PLACE_MOUNTED)
		return -1;
	return tell_place(request, &place);
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Take the worktree's lock. When another daemon has it, it is either about to mount, or waits for
 * the directory to come back, which is why that is made here, or about to end.
 *
 * Returns: -1 and a new descriptor in *ret_lock; or an exit code.
 */
static int take_lock(const struct request *request, const struct jp_workspace *workspace,
		     const struct jp_silo *silo, int *ret_lock)
{
	cleanup_close int conversations = -EBADF;
	struct jpfs_lock_state state = {0};
	struct jp_error error = {0};
	int lock, r;

	/* Each try to take it lasts a moment, too. */
	for (int64_t until = now_ms() + OTHER_DAEMON_MS; now_ms() < until;) {
		lock = jpfs_lockfile_take(silo, workspace);
		if (lock >= 0) {
			*ret_lock = lock;
			return -1;
		}
		if (lock != -EWOULDBLOCK) {
			jp_error_set(&error, lock, "%s/jpfs/workspaces: cannot lock: %s",
				     silo->path, strerrordesc_np(-lock));
			return jpfs_fail(lock, &error);
		}
		r = tell_mounted(request, workspace);
		if (r >= 0)
			return r;
		if (conversations < 0)
			conversations = jp_workspace_open_conversations(workspace, true, NULL);
		(void)poll(NULL, 0, POLL_MS);
	}
	if (jpfs_lockfile_read(silo, workspace, &state) == 0) {
		jp_error_set(&error, -EBUSY,
			     "%s: process %d serves it already (it is %s), but "
			     "nothing is mounted here",
			     workspace->root_path, state.pid, state.state);
		jp_error_remedy(&error, "`jpfs umount` ends it; it may be busy, or serve another "
					"mount namespace (a container)");
	} else {
		jp_error_set(&error, -EBUSY, "%s: another process serves it already",
			     workspace->root_path);
	}
	return jpfs_fail(-EBUSY, &error);
}

/* ---- the daemon ---- */

static void leave_terminal(void)
{
	cleanup_close int null = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

	/* What fails here leaves a daemon that works, and holds on to something. */
	(void)setsid();
	jp_ignore(jpfs_change_directory("/"));
	if (null < 0)
		return;
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
}

/* Serve until it is over. Why it failed stays in the lock file, for who asks later. */
static int serve_here(const struct request *request, const struct jp_workspace *workspace,
		      struct jp_silo *silo, int lock_fd, int ready_fd, struct jp_error *error)
{
	int r = jpfs_serve(workspace, silo, lock_fd, ready_fd, &request->options, error);

	if (r >= 0)
		return 0;
	if (error->message[0] == '\0')
		jp_error_set(error, r, "%s: %s", workspace->root_path, strerrordesc_np(-r));
	jpfs_lockfile_write(lock_fd, workspace, "failed", error->message);
	return r;
}

/* The daemon's life. `ready_fd` is taken; `error_fd` gets what prevented it. */
static int live(const struct request *request, const struct jp_workspace *workspace,
		struct jp_silo *silo, int lock_fd, int ready_fd, int error_fd)
{
	struct jp_error error = {0};
	int r;

	leave_terminal();
	jpfs_log_open(false);
	r = serve_here(request, workspace, silo, lock_fd, ready_fd, &error);
	if (r >= 0)
		return JPFS_EXIT_DONE;
	jpfs_log(JPFS_LOG_ERROR, "%s; %s", error.message, error.remedy);
	/* Whoever started it listens until it is ready, and is gone then. */
	(void)send(error_fd, &error, sizeof(error), MSG_NOSIGNAL);
	return JPFS_EXIT_FAILED;
}

/* Wait for the daemon to be ready. 0, or -errno and `error`. */
static int wait_until_ready(pid_t pid, int ready_fd, int error_fd, struct jp_error *error)
{
	int status = 0;
	char byte;
	ssize_t n;

	do {
		n = read(ready_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	/* The other ends are closed, or the error is on its way. */
	do {
		n = recv(error_fd, error, sizeof(*error), MSG_WAITALL);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(*error))
		return -EIO;
	*error = (struct jp_error){0};
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		return jp_error_set(error, -EIO, "the daemon was ended by signal %d (%s)",
				    WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	return jp_error_set(error, -EIO, "the daemon ended before it could serve");
}

static int serve_in_background(const struct request *request, const struct jp_workspace *workspace,
			       struct jp_silo *silo, int lock_fd)
{
	cleanup_close int ready = -EBADF, error_fd = -EBADF;
	struct jp_error error = {0};
	int pipe_fds[2], sockets[2], r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return jpfs_fail(-errno, &error);
	ready = pipe_fds[0];
	r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 ? -errno : 0;
	if (r < 0) {
		(void)close(pipe_fds[1]);
		return jpfs_fail(r, &error);
	}
	error_fd = sockets[0];
	pid = fork();
	if (pid == 0) {
		jp_closep(&ready);
		jp_closep(&error_fd);
		if (request->notify_fd > STDERR_FILENO)
			(void)close(request->notify_fd); /* the parent's to write to */
		return live(request, workspace, silo, lock_fd, pipe_fds[1], sockets[1]);
	}
	r = -errno;
	(void)close(pipe_fds[1]);
	(void)close(sockets[1]);
	if (pid < 0)
		return jpfs_fail(r, &error);
	r = wait_until_ready(pid, ready, error_fd, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	notify(request);
	jpfs_print("mounted", "%s/.jp/conversations",
		   strcmp(workspace->root_path, "/") == 0 ? "" : workspace->root_path);
	jpfs_print("kept in", "%s/conversations", silo->path);
	if (silo->folded > 0)
		jpfs_print("moved there", "what %u other director%s kept for this project",
			   silo->folded, silo->folded == 1 ? "y" : "ies");
	return JPFS_EXIT_DONE;
}

static int serve(const struct request *request, const struct jp_workspace *workspace,
		 struct jp_silo *silo, int lock_fd)
{
	struct jp_error error = {0};
	int r;

	if (!request->foreground)
		return serve_in_background(request, workspace, silo, lock_fd);
	jpfs_log_open(true);
	r = serve_here(request, workspace, silo, lock_fd, request->notify_fd, &error);
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}

/* Everything that can be refused, and a dead mount out of the way. -1 go on, or an exit code. */
static int prepare(const struct request *request, struct jp_workspace *workspace,
		   char **ret_user_data)
{
	cleanup_place struct jpfs_place place = {0};
	cleanup_free char *user_data = NULL;
	struct jp_error error = {0};
	int r;

	r = jp_workspace_find(request->directory, workspace, &error);
	if (r == 0 && request->automount && !jpfs_automount_is_wanted(workspace))
		return JPFS_EXIT_DONE;
	if (r == 0)
		r = jpfs_place_find(workspace->root_path, &place, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	if (place.state == JPFS_PLACE_MOUNTED)
		return tell_place(request, &place);
	r = jpfs_attach_check(&error);
	if (r == 0)
		r = jp_user_data_dir(&user_data, &error);
	if (r == 0 && request->automount)
		r = jpfs_automount_check(user_data, workspace, &error);
	/* With an ID, the silo may be there already, whatever surrounds it. */
	if (r == 0 && workspace->id[0] == '\0')
		r = check_can_be_made(user_data, &error);
	if (r == 0 && place.state == JPFS_PLACE_DEAD) {
		r = jpfs_detach(place.mount_point, place.device, true, &error);
		if (r == 0 && !request->automount)
			jpfs_tell("%s: its daemon was gone, mounting it anew", place.mount_point);
	}
	if (r == 0)
		r = check_conversations(workspace, &error);
	if (r == -EXDEV && tell_mounted(request, workspace) >= 0)
		return JPFS_EXIT_DONE; /* another `jpfs mount` was quicker */
	if (r < 0)
		return jpfs_fail(r, &error);
	*ret_user_data = TAKE_PTR(user_data);
	return -1;
}

int jpfs_command_mount(int argc, char **argv)
{
	cleanup_workspace struct jp_workspace workspace = {0};
	cleanup_silo struct jp_silo silo = {0};
	cleanup_free char *user_data = NULL;
	cleanup_close int lock = -EBADF;
	struct request request = {0};
	struct jp_error error = {0};
	int r;

	r = parse(argc, argv, &request);
	if (r >= 0)
		return r;
	if (!request.foreground)
		close_inherited(request.notify_fd);
	if (request.automount)
		jpfs_automount_be_quiet();
	r = prepare(&request, &workspace, &user_data);
	/* What a prompt waits for ends here; the rest takes as long as it takes. */
	if (r < 0 && request.automount)
		r = jpfs_automount_leave_prompt();
	if (r >= 0)
		return r;
	r = jp_workspace_make_id(&workspace, &error);
	if (r == 0)
		r = jpfs_open_silo(user_data, &workspace, &silo, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	r = take_lock(&request, &workspace, &silo, &lock);
	if (r >= 0)
		return r;
	return serve(&request, &workspace, &silo, lock);
}
