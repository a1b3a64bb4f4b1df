/*
 * The life of a mount: attach, detach, attach again, end.
 *
 * A mount point cannot be removed while something is mounted on it, and nobody asks us first. So
 * when a removal leaves the view empty, or somebody lists an empty view, the daemon detaches its
 * own mount *before* it answers: the next rmdir meets the real directory. Then it waits. If the
 * directory stays, or comes back (git switched branches), the view is read anew and mounted again;
 * if the workspace itself is gone, the daemon ends.
 *
 * Threads: the calling one waits here for signals and for its connections; each connection has a
 * thread that starts those that serve its requests (serve.c); work.c has two for
 * the background. Somebody may hold on to a detached mount (a shell that stands in it): that
 * connection is served until they let go.
 */
#include "fs/session.h"

#include "core/base/io.h"
#include "core/base/thread.h"
#include "fs/ahead.h"
#include "fs/attach.h"
#include "fs/channel.h"
#include "fs/companion.h"
#include "fs/heap.h"
#include "fs/lockfile.h"
#include "fs/log.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/serve.h"
#include "include/jpfs.h"
#include "fs/requests.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

/* How long to leave the directory alone after detaching: its remover comes back within this. */
#define DETACHED_MS 400
/* How often to look for a directory that went; inotify usually tells sooner. */
#define RETURN_MS 1000
/* How often to try to mount again in a directory that is there, DETACHED_MS apart. */
#define RETURN_TRIES 20
/* How long a mount that was taken away by force is given to let go of its last requests. */
#define END_MS 2000

struct daemon;

struct session {
	struct jpfs_connection connection;
	struct session *next; /* owned by the main thread */
	struct daemon *daemon;
	struct fuse_session *fuse;
	dev_t device;
	pthread_t thread;
	pthread_mutex_t detaching; /* a leaf; held while the mount is taken away */
	atomic_bool is_detached;   /* by ourselves */
	atomic_bool has_ended;     /* the loop returned; the thread is to be joined */
};

struct daemon {
	struct jpfs_view view;
	const struct jp_workspace *workspace;
	const struct jpfs_mount_options *options;
	int lock_fd;
	int event_fd;  /* a session ended or detached itself */
	int signal_fd; /* SIGTERM, SIGINT, SIGHUP */
	struct jpfs_idle idle;
	struct session *current; /* owned by the main thread */
	struct session *old;     /* detached, perhaps still held on to */
};

static const struct fuse_lowlevel_ops operations = {
	.init = jpfs_op_init,
	.lookup = jpfs_op_lookup,
	.forget = jpfs_op_forget,
	.forget_multi = jpfs_op_forget_multi,
	.getattr = jpfs_op_getattr,
	.setattr = jpfs_op_setattr,
	.statfs = jpfs_op_statfs,
	.readlink = jpfs_op_readlink,
	.mknod = jpfs_op_mknod,
	.mkdir = jpfs_op_mkdir,
	.symlink = jpfs_op_symlink,
	.link = jpfs_op_link,
	.unlink = jpfs_op_unlink,
	.rmdir = jpfs_op_rmdir,
	.rename = jpfs_op_rename,
	.create = jpfs_op_create,
	.open = jpfs_op_open,
	.read = jpfs_op_read,
	.write = jpfs_op_write,
	.flush = jpfs_op_flush,
	.release = jpfs_op_release,
	.fsync = jpfs_op_fsync,
	.fallocate = jpfs_op_fallocate,
	/* No lseek: all of a file is data then, and `grep -r` asks nothing about holes. */
	.opendir = jpfs_op_opendir,
	.readdir = jpfs_op_readdir,
	.readdirplus = jpfs_op_readdirplus,
	.releasedir = jpfs_op_releasedir,
	.fsyncdir = jpfs_op_fsyncdir,
	.setxattr = jpfs_op_setxattr,
	.getxattr = jpfs_op_getxattr,
	.listxattr = jpfs_op_listxattr,
	.removexattr = jpfs_op_removexattr,
	/* No lock handlers: the kernel then locks by itself, and right. */
};

static int inval_inode(void *session, uint64_t nodeid, off_t offset)
{
	return fuse_lowlevel_notify_inval_inode(session, nodeid, offset, 0);
}

static void inval_entry(void *session, uint64_t directory, const char *name)
{
	/* Unknown to the kernel: fine. */
	(void)fuse_lowlevel_notify_inval_entry(session, directory, name, strlen(name));
}

static const struct jpfs_kernel kernel = {.inval_inode = inval_inode, .inval_entry = inval_entry};

static void wake(struct daemon *daemon)
{
	uint64_t one = 1;

	/* Full only when nobody has looked for 2^64 events. */
	(void)!write(daemon->event_fd, &one, sizeof(one));
}

static void drain(int fd)
{
	char buffer[4096];

	(void)!read(fd, buffer, sizeof(buffer));
}

/* Called by a request's thread, before it answers. */
static void became_empty(struct jpfs_connection *connection)
{
	struct session *session =
		(struct session *)((char *)connection - offsetof(struct session, connection));
	struct jp_error error = {0};
	int r;

	/* Two removals at once: the second one's answer waits for the detachment as well. */
	pthread_mutex_lock(&session->detaching);
	if (!atomic_load(&session->is_detached)) {
		r = jpfs_detach_from(connection->view->workspace_fd, session->device, true, &error);
		if (r < 0)
			jpfs_view_fail(connection->view, error.remedy, "%s", error.message);
		atomic_store(&session->is_detached, r == 0);
	}
	pthread_mutex_unlock(&session->detaching);
	wake(session->daemon);
}

static void *serve_session(void *argument)
{
	struct session *session = argument;
	int r = jpfs_serve_requests(session->fuse);

	/* One that we detached is cut off when others still hold on to it. */
	if (r < 0 && r != -ENODEV && (r != -ECONNABORTED || !atomic_load(&session->is_detached)))
		jpfs_log(JPFS_LOG_ERROR, "serving %s ended: %s; mount it again with `jpfs mount`",
			 session->daemon->workspace->root_path, strerrordesc_np(-r));
	atomic_store(&session->has_ended, true);
	wake(session->daemon);
	return NULL;
}

static void free_session(struct session *session)
{
	if (session == NULL)
		return;
	if (session->fuse != NULL && session->daemon->view.notify != NULL)
		jpfs_notify_detach(session->daemon->view.notify, session->fuse);
	if (session->fuse != NULL)
		fuse_session_destroy(session->fuse);
	jpfs_connection_release(&session->connection);
	pthread_mutex_destroy(&session->detaching);
	free(session);
}

/* Mount the view on its directory and serve it. */
static int attach(struct daemon *daemon, struct jp_error *error)
{
	char *arguments[] = {"jpfs", "-d", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(daemon->options->debug ? 2 : 1, arguments);
	struct session *session = calloc(1, sizeof(*session));
	struct fuse_lowlevel_ops counted;
	int fd, r;

	if (session == NULL)
		return -ENOMEM;
	session->daemon = daemon;
	pthread_mutex_init(&session->detaching, NULL);
	jpfs_connection_init(&session->connection, &daemon->view, &daemon->idle);
	session->connection.became_empty = became_empty;
	jpfs_requests_count(&daemon->view.requests, &operations, &counted);
	session->fuse = fuse_session_new(&args, &counted, sizeof(counted), &session->connection);
	fuse_opt_free_args(&args);
	if (session->fuse == NULL) {
		free_session(session);
		return jp_error_set(error, -EINVAL, "libfuse would not start");
	}
	fd = jpfs_attach(daemon->view.workspace_fd, daemon->options->fuse_options, &session->device,
			 error);
	if (fd < 0) {
		free_session(session);
		return fd;
	}
	r = jpfs_channel_open(session->fuse, fd);
	if (r == 0 && daemon->view.notify != NULL)
		r = jpfs_notify_attach(daemon->view.notify, &kernel, session->fuse,
				       &session->connection.nodes, session->device);
	if (r == 0)
		r = jp_thread_start(&session->thread, serve_session, session);
	if (r < 0) {
		jp_ignore(jpfs_detach_from(daemon->view.workspace_fd, session->device, true, NULL));
		free_session(session);
		return jp_error_set(error, r, "%s: the mount cannot be served: %s",
				    daemon->workspace->root_path, strerrordesc_np(-r));
	}
	daemon->current = session;
	return 0;
}

/* Join what has ended; what is held on to stays on the list. */
static void reap_old(struct daemon *daemon)
{
	struct session **link = &daemon->old;

	while (*link != NULL) {
		struct session *session = *link;

		if (!atomic_load(&session->has_ended)) {
			link = &session->next;
			continue;
		}
		*link = session->next;
		pthread_join(session->thread, NULL);
		free_session(session);
	}
}

static bool was_signalled(const struct daemon *daemon)
{
	struct pollfd poll_fd = {.fd = daemon->signal_fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0;
}

/* ---- while detached ---- */

enum place { PLACE_THERE, PLACE_MISSING, PLACE_GONE };

/* Whether the directory to mount on is there; if so, it is the view's workspace_fd. */
static enum place find_place(struct daemon *daemon)
{
	cleanup_close int fd = -EBADF;
	struct stat st;

	if (fstat(daemon->workspace->root_fd, &st) < 0 || st.st_nlink == 0)
		return PLACE_GONE;
	fd = jp_open_beneath(daemon->workspace->root_fd, ".jp/conversations",
			     O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return PLACE_MISSING;
	return dup3(fd, daemon->view.workspace_fd, O_CLOEXEC) < 0 ? PLACE_MISSING : PLACE_THERE;
}

static void watch(const struct daemon *daemon, int inotify_fd, const char *path)
{
	cleanup_close int fd = -EBADF;
	char proc[64];

	fd = jp_open_beneath(daemon->workspace->root_fd, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	/* Without a watch, the next look is up to RETURN_MS away. */
	(void)inotify_add_watch(inotify_fd, proc, IN_CREATE | IN_MOVED_TO | IN_DELETE);
}

/* Wait until the directory is there (0), the workspace is gone (-ENOENT), or a signal (-EINTR). */
static int wait_for_return(struct daemon *daemon)
{
	cleanup_close int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fds[] = {
		{.fd = daemon->signal_fd, .events = POLLIN},
		{.fd = inotify_fd, .events = POLLIN},
	};

	/* Whoever emptied it may be about to remove it. */
	(void)poll(fds, 1, DETACHED_MS);
	for (;;) {
		enum place place;

		if (was_signalled(daemon))
			return -EINTR;
		watch(daemon, inotify_fd, ".");
		watch(daemon, inotify_fd, ".jp");
		place = find_place(daemon);
		if (place != PLACE_MISSING)
			return place == PLACE_GONE ? -ENOENT : 0;
		(void)poll(fds, 2, RETURN_MS);
		if ((fds[1].revents & POLLIN) != 0)
			drain(inotify_fd);
	}
}

/* ---- the main loop ---- */

/* In the background: reconcile and project what nobody has asked for yet. */
static void queue_all(struct jpfs_view *view)
{
	struct jpfs_conversation **all;
	size_t count;

	if (view->is_read_only || jpfs_view_snapshot(view, &all, &count) < 0)
		return;
	jpfs_work_add_all(view, all, count);
}

static int attach_again(struct daemon *daemon, struct jp_error *error)
{
	int failures = 0;

	jpfs_lockfile_write(daemon->lock_fd, daemon->workspace, "detached", NULL);
	for (;;) {
		int r = wait_for_return(daemon);

		if (r < 0)
			return r;
		r = jpfs_view_load(&daemon->view, true);
		if (r == 0)
			r = attach(daemon, error);
		/* Once more: what git made between the two, now that it cannot any more. */
		if (r == 0) {
			jp_ignore(jpfs_view_load(&daemon->view, true));
			jpfs_notify_partitions(daemon->view.notify, &daemon->view);
		}
		if (r == 0)
			break;
		/* git may have taken it away meanwhile, and made it again since: a rebase does so with
		 * each commit. Only what goes on failing is more than that. */
		if (find_place(daemon) == PLACE_THERE && ++failures == RETURN_TRIES)
			return r;
	}
	jpfs_lockfile_write(daemon->lock_fd, daemon->workspace, "serving", NULL);
	queue_all(&daemon->view);
	return 0;
}

/* Nobody has used it for as long as was asked for: take the mount away, and its session ends. */
static void end_idle(struct daemon *daemon)
{
	struct jp_error error = {0};
	int r = jpfs_detach_from(daemon->view.workspace_fd, daemon->current->device, false, &error);

	if (r == 0)
		jpfs_log(JPFS_LOG_INFO, "%s: not used for %d s, unmounted",
			 daemon->workspace->root_path, (int)(daemon->idle.timeout_ms / 1000));
	else if (r != -EBUSY) /* somebody stands there, or has a file open */
		jpfs_log(JPFS_LOG_WARNING, "%s; %s", error.message, error.remedy);
	jpfs_idle_touch(&daemon->idle);
}

/* Until it is over: 0, or why it could not be mounted again. */
static int run(struct daemon *daemon, struct jp_error *error)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = daemon->signal_fd, .events = POLLIN},
			{.fd = daemon->event_fd, .events = POLLIN},
		};
		int r;

		if (poll(fds, 2, jpfs_idle_remaining_ms(&daemon->idle, jpfs_now_ms())) < 0 &&
		    errno != EINTR)
			return -errno;
		if (was_signalled(daemon))
			return 0;
		if (daemon->current != NULL &&
		    jpfs_idle_remaining_ms(&daemon->idle, jpfs_now_ms()) == 0)
			end_idle(daemon);
		if ((fds[1].revents & POLLIN) == 0)
			continue;
		drain(daemon->event_fd);
		reap_old(daemon);
		if (daemon->current == NULL)
			continue;
		if (atomic_load(&daemon->current->is_detached)) {
			daemon->current->next = daemon->old;
			daemon->old = daemon->current;
			daemon->current = NULL;
			r = attach_again(daemon, error);
			if (r < 0)
				return r == -ENOENT || r == -EINTR ? 0 : r;
		} else if (atomic_load(&daemon->current->has_ended)) {
			return 0; /* unmounted from outside */
		}
	}
}

/* Take the mount away if it is still there, and wait for the last requests. */
static void end_sessions(struct daemon *daemon)
{
	if (daemon->current != NULL) {
		struct jp_error error = {0};

		if (!atomic_load(&daemon->current->has_ended) &&
		    jpfs_detach_from(daemon->view.workspace_fd, daemon->current->device, true,
				     &error) < 0)
			jpfs_log(JPFS_LOG_WARNING, "%s; %s", error.message, error.remedy);
		daemon->current->next = daemon->old;
		daemon->old = daemon->current;
		daemon->current = NULL;
	}
	for (int waited = 0; daemon->old != NULL && waited < END_MS; waited += 20) {
		struct pollfd fd = {.fd = daemon->event_fd, .events = POLLIN};

		reap_old(daemon);
		if (daemon->old == NULL)
			break;
		if (poll(&fd, 1, 20) > 0)
			drain(daemon->event_fd);
	}
	/* Held on to (a shell stands there, a file is open): they will see it disconnected. The
	 * process is about to end, and the sessions with it. */
	if (daemon->old != NULL)
		jpfs_log(JPFS_LOG_INFO, "%s: unmounted while in use", daemon->workspace->root_path);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* the old limit serves too */
	}
}

static int open_signals(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* The store and the workspace are one again; what could not be done is said. */
static int finish(struct daemon *daemon, struct jp_error *error)
{
	struct jpfs_view *view = &daemon->view;
	int r;

	jpfs_lockfile_write(daemon->lock_fd, daemon->workspace, "finishing", NULL);
	/* The threads first: what one of them has in hand is in no list. */
	jpfs_ahead_stop(view);
	jpfs_notify_stop(view);
	jpfs_work_stop(view);
	r = jpfs_work_flush(view, true);
	if (r < 0) {
		(void)jp_error_set(error, r, "%s", view->failure.message);
		jp_error_remedy(error, "%s", view->failure.remedy);
		if (error->message[0] == '\0')
			(void)jp_error_set(error, r, "%s: %s", daemon->workspace->root_path,
					   strerrordesc_np(-r));
	}
	return r;
}

/* While somebody holds on to an old mount, its threads may still use the view and whatever belongs
 * to it: all of that stays as it is to the end, which is now. */
_Noreturn static void end_process(const struct daemon *daemon, const struct jp_error *error)
{
	for (const struct session *session = daemon->old; session != NULL; session = session->next)
		pthread_detach(session->thread);
	if (error != NULL)
		jpfs_log(JPFS_LOG_ERROR, "%s; %s", error->message, error->remedy);
	_exit(error != NULL ? JPFS_EXIT_FAILED : JPFS_EXIT_DONE);
}

int jpfs_serve(const struct jp_workspace *workspace, struct jp_silo *silo, int lock_fd,
	       int ready_fd, const struct jpfs_mount_options *options, struct jp_error *error)
{
	cleanup_close int workspace_fd = -EBADF, event_fd = -EBADF, signal_fd = -EBADF;
	cleanup_close int ready = ready_fd, companion_fd = -EBADF;
	pid_t companion = 0;
	struct daemon daemon = {.workspace = workspace, .options = options, .lock_fd = lock_fd};
	mode_t mask;
	int finished, r;

	jpfs_heap_begin();
	/* Before anything is open that it would have open, too. Without it names are told in a way
	 * that is not safe if this process is killed; see notify.h. */
	if (!options->uncached) {
		companion_fd = jpfs_companion_start(workspace->root_fd, &companion);
		if (companion_fd < 0)
			jpfs_log(JPFS_LOG_WARNING, "no second process can be started: %s",
				 strerrordesc_np(-companion_fd));
	}
	workspace_fd = jp_workspace_open_conversations(workspace, true, error);
	if (workspace_fd < 0)
		return workspace_fd;
	raise_descriptor_limit();
	signal_fd = open_signals();
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal_fd < 0 || event_fd < 0)
		return jp_error_set(error, signal_fd < 0 ? signal_fd : -errno,
				    "no descriptors left: raise `ulimit -n`");
	daemon.signal_fd = signal_fd;
	jpfs_idle_init(&daemon.idle, options->idle_timeout_s);
	daemon.event_fd = event_fd;
	/* Modes are the callers', with their own umask taken off by the kernel. */
	mask = umask(0);
	jpfs_lockfile_write(lock_fd, workspace, "starting", NULL);
	r = jpfs_view_open(&daemon.view, workspace, silo, workspace_fd, options->read_only, error);
	if (r < 0) {
		jpfs_view_close(&daemon.view);
		return r;
	}
	daemon.view.umask = mask;
	daemon.view.list_control = options->list_control;
	r = jpfs_view_load(&daemon.view, false);
	if (r < 0)
		return jp_error_set(error, r, "%s/.jp/conversations cannot be read: %s",
				    workspace->root_path, strerrordesc_np(-r));
	daemon.view.companion = companion;
	r = options->uncached ? 0 : jpfs_notify_start(&daemon.view, TAKE_FD(companion_fd));
	if (r == 0 && !options->read_only)
		r = jpfs_work_start(&daemon.view);
	if (r == 0 && daemon.view.notify != NULL)
		r = jpfs_ahead_start(&daemon.view);
	if (r == 0)
		r = attach(&daemon, error);
	if (r < 0) {
		jpfs_ahead_stop(&daemon.view);
		jpfs_notify_stop(&daemon.view);
		jpfs_work_stop(&daemon.view);
		jpfs_ahead_free(&daemon.view);
		jpfs_notify_free(&daemon.view);
		jpfs_work_free(&daemon.view);
		jpfs_view_close(&daemon.view);
		return r;
	}
	jpfs_lockfile_write(lock_fd, workspace, "serving", NULL);
	if (ready >= 0)
		(void)!write(ready, "\n", 1); /* whoever waited for it may be gone */
	jp_closep(&ready);
	queue_all(&daemon.view);

	r = run(&daemon, error);
	end_sessions(&daemon);
	finished = finish(&daemon, error);
	r = r < 0 ? r : finished;
	jpfs_lockfile_write(lock_fd, workspace, r < 0 ? "failed" : "clean",
			    r < 0 ? error->message : NULL);
	reap_old(&daemon);
	if (daemon.old != NULL)
		end_process(&daemon, r < 0 ? error : NULL);
	jpfs_ahead_free(&daemon.view);
	jpfs_notify_free(&daemon.view);
	jpfs_work_free(&daemon.view);
	jpfs_view_close(&daemon.view);
	return r; /* the companion ends with this process, if not before */
}
