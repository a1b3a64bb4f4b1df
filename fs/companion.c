/* See companion.h. One thread, one loop: requests, inotify's events, and writers to look at again. */
#include "fs/companion.h"

#include "fs/view.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* How soon to look again at a file that had a writer, at first and in the end. */
#define AGAIN_MS 10
#define AGAIN_MS_MAX 1000
/* Where there are no leases, quiet has to do. */
#define QUIET_MS 1000

enum task { PROD, REPEAT, AWAIT };

/* One request, as it travels. */
struct message {
	dev_t device;
	enum task task;
	enum jpfs_change change;          /* REPEAT */
	mode_t mode;                      /* the same: what the file has */
	off_t size;                       /* the same */
	uint64_t ino, serial, generation; /* AWAIT */
	char path[JPFS_PATH_BYTES];
};

/* A file that somebody is asked about. */
struct writer {
	struct writer *next;
	int number;       /* inotify's; -1: no watch */
	int64_t due_ms;   /* when to look again */
	int64_t after_ms; /* and how long after that */
	struct message message;
};

struct companion {
	int socket, workspace_fd, inotify_fd;
	struct writer *writers;
};

/* ---- finding things on the mount ---- */

/* The mount's root; -ENOENT it is not there: beneath it is the real directory, which is none of our
 * business. Found anew each time: git may have made the directories anew. A new descriptor. */
static int open_root(const struct companion *companion, dev_t device)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	cleanup_close int jp = openat(companion->workspace_fd, ".jp", flags), root = -EBADF;
	struct stat st;

	if (jp < 0)
		return -errno;
	root = openat(jp, "conversations", flags);
	return root < 0 || fstat(root, &st) < 0 || st.st_dev != device ? -ENOENT : TAKE_FD(root);
}

/* A new descriptor of the directory that has the last name of a path, and that name in it. */
static int open_parent(const struct companion *companion, const struct message *message,
		       const char **ret_name)
{
	cleanup_close int root = open_root(companion, message->device), parent = -EBADF;
	cleanup_free char *directory = strdup(message->path);
	char *slash = directory != NULL ? strrchr(directory, '/') : NULL;
	struct stat st;

	if (root < 0 || slash == NULL)
		return -ENOENT;
	*slash = '\0';
	*ret_name = message->path + (slash - directory) + 1;
	parent = openat(root, directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return parent < 0 || fstat(parent, &st) < 0 || st.st_dev != message->device
		       ? -ENOENT
		       : TAKE_FD(parent);
}

static void prod(const struct companion *companion, const struct message *message)
{
	const char *name;
	cleanup_close int parent = open_parent(companion, message, &name);

	if (parent >= 0)
		(void)mkdirat(parent, name, 0700); /* fails, and that is what it is for */
}

/* The handlers know who asks, and answer as if it had been done. Should they ever not: size and mode
 * are what the file has, so nothing is lost. */
static void repeat_change(int parent, const char *name, const struct message *message)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	cleanup_close int fd = openat(parent, name, O_WRONLY | flags);
	bool may_write = fd >= 0;

	if (!may_write)
		fd = openat(parent, name, O_RDONLY | flags); /* its mode forbids more */
	/* That was the version which the kernel had. The name leads to the new one before anybody is
	 * woken. */
	(void)mkdirat(parent, name, 0700);
	if (may_write)
		(void)!ftruncate(fd, message->size);
	else if (fd >= 0)
		(void)fchmod(fd, message->mode);
}

static void repeat(const struct companion *companion, const struct message *message)
{
	const char *name;
	cleanup_close int parent = open_parent(companion, message, &name);

	if (parent < 0)
		return;
	if (message->change == JPFS_WENT) {
		if (unlinkat(parent, name, 0) == 0)
			return;
		/* The kernel holds that there is none: it asks again, and finds what it may unlink. */
		(void)mkdirat(parent, name, 0700);
		(void)unlinkat(parent, name, 0);
		return;
	}
	if (message->change == JPFS_CAME)
		(void)mknodat(parent, name, S_IFREG | message->mode, 0);
	repeat_change(parent, name, message);
}

/* ---- writers ---- */

/* Answer, and forget it. Whether it is still there: the daemon has much to read just now. */
static bool answer(struct companion *companion, struct writer **link)
{
	struct writer *writer = *link;
	const struct jpfs_companion_answer answer = {writer->message.serial,
						     writer->message.generation};

	if (send(companion->socket, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			_exit(0); /* it is gone */
		writer->due_ms = jpfs_now_ms() + AGAIN_MS;
		return true;
	}
	*link = writer->next;
	if (writer->number >= 0)
		(void)inotify_rm_watch(companion->inotify_fd,
				       writer->number); /* or it went by itself */
	free(writer);
	return false;
}

/* Whether there is a writer: 1, 0; -EOPNOTSUPP it cannot be told. */
static int has_writer(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
		(void)fcntl(fd, F_SETLEASE,
			    F_UNLCK); /* who opens it meanwhile waits just for this */
		return 0;
	}
	return errno == EAGAIN || errno == EBUSY ? 1 : -EOPNOTSUPP;
}

/* Look at one; answer if it has no writer. Whether it is still there. */
static bool look(struct companion *companion, struct writer **link)
{
	struct writer *writer = *link;
	const char *name;
	cleanup_close int parent = open_parent(companion, &writer->message, &name), fd = -EBADF;
	char path[32];
	struct stat st;
	bool is_it;
	int r;

	if (parent >= 0)
		fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return answer(companion, link);
	is_it = st.st_ino == writer->message.ino;
	r = has_writer(fd);
	/* Renamed or replaced: what is to be waited for, the daemon knows better. But a first change gives
	 * a file another number, and the kernel may have it only a moment after we were asked. */
	if (!is_it && (r != 1 || writer->after_ms >= AGAIN_MS_MAX))
		return answer(companion, link);
	if (is_it && r == 1 && writer->number < 0) {
		/* First the watch, then the look: no closing is missed. */
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		writer->number = inotify_add_watch(companion->inotify_fd, path, IN_CLOSE_WRITE);
		r = has_writer(fd);
	}
	if (r == 0 || (r < 0 && writer->after_ms >= QUIET_MS))
		return answer(companion, link);
	writer->after_ms = r < 0 ? QUIET_MS : writer->after_ms * 2;
	if (writer->after_ms > AGAIN_MS_MAX)
		writer->after_ms = AGAIN_MS_MAX;
	writer->due_ms = jpfs_now_ms() + writer->after_ms;
	return true;
}

static void await(struct companion *companion, const struct message *message)
{
	struct writer **link = &companion->writers;

	while (*link != NULL && (*link)->message.serial != message->serial)
		link = &(*link)->next;
	if (*link == NULL) {
		struct writer *writer = malloc(sizeof(*writer));

		if (writer == NULL)
			return; /* it ends at an fsync, or with the daemon */
		writer->next = NULL;
		writer->number = -1;
		*link = writer;
	}
	(*link)->message = *message;
	(*link)->after_ms = AGAIN_MS / 2;
	(void)look(companion, link);
}

/* The writer of a watch is to be looked at now. */
static void hear(struct companion *companion)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t size = read(companion->inotify_fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(buffer + at);

		at += (ssize_t)(sizeof(*event) + event->len);
		for (struct writer *one = companion->writers; one != NULL; one = one->next) {
			if (one->number == event->wd) {
				one->due_ms = 0;
				one->after_ms = AGAIN_MS / 2;
			}
		}
	}
}

/* Look at those that are due. In how many milliseconds the next one is; -1: there is none. */
static int look_at_due(struct companion *companion)
{
	struct writer **link = &companion->writers;
	int64_t wait = -1;

	while (*link != NULL) {
		int64_t left = (*link)->due_ms - jpfs_now_ms();

		if (left <= 0) {
			if (!look(companion, link))
				continue;
			left = AGAIN_MS;
		}
		if (wait < 0 || left < wait)
			wait = left;
		link = &(*link)->next;
	}
	return (int)wait;
}

/* ---- the process ---- */

/* Whatever else the daemon had open, a lock among it, is not for this process. */
static void close_all_but(int first, int second)
{
	unsigned low = (unsigned)(first < second ? first : second);
	unsigned high = (unsigned)(first < second ? second : first);

	if (low > 3)
		(void)close_range(3, low - 1, 0);
	if (high > low + 1)
		(void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0U, 0);
}

/* Take one request. False: there will be no more. */
static bool serve_one(struct companion *companion)
{
	struct message message;
	ssize_t size = recv(companion->socket, &message, sizeof(message), MSG_DONTWAIT);

	if (size < 0)
		return errno == EINTR || errno == EAGAIN;
	if (size <= (ssize_t)offsetof(struct message, path))
		return false;
	message.path[sizeof(message.path) - 1] = '\0';
	if (message.task == AWAIT)
		await(companion, &message);
	else if (message.task == REPEAT)
		repeat(companion, &message);
	else
		prod(companion, &message);
	return true;
}

static _Noreturn void run(int socket, int workspace_fd)
{
	struct companion companion = {.socket = socket, .workspace_fd = workspace_fd};
	struct pollfd fds[2];

	close_all_but(socket, workspace_fd);
	(void)signal(SIGIO, SIG_IGN);   /* somebody opens what has a lease at this moment */
	(void)signal(SIGXFSZ, SIG_IGN); /* a file may be larger than we may make one */
	companion.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	fds[0] = (struct pollfd){.fd = socket, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = companion.inotify_fd, .events = POLLIN};
	for (;;) {
		if (poll(fds, 2, look_at_due(&companion)) < 0 && errno != EINTR)
			_exit(1);
		if ((fds[1].revents & POLLIN) != 0)
			hear(&companion);
		if ((fds[0].revents & (POLLIN | POLLHUP)) != 0 && !serve_one(&companion))
			_exit(0);
	}
}

int jpfs_companion_start(int workspace_fd, pid_t *ret_pid)
{
	cleanup_close int ours = -EBADF, theirs = -EBADF;
	int sockets[2];
	pid_t daemon = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	ours = sockets[0];
	theirs = sockets[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)prctl(PR_SET_NAME, "jpfs-companion");
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != daemon)
			_exit(0);
		/* A terminal's ^C is for the daemon, which then writes and unmounts. */
		(void)setsid();
		run(theirs, workspace_fd);
	}
	*ret_pid = pid;
	return TAKE_FD(ours);
}

/* ---- the daemon's side ---- */

static int send_message(int socket, struct message *message, const char *path)
{
	size_t length = strlen(path);

	if (length >= sizeof(message->path))
		return -ENAMETOOLONG;
	memcpy(message->path, path, length + 1);
	if (send(socket, message, offsetof(struct message, path) + length + 1,
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EAGAIN || errno == ENOBUFS ? -EAGAIN : -EPIPE;
	return 0;
}

int jpfs_companion_prod(int socket, dev_t device, const char *path)
{
	struct message message = {.device = device, .task = PROD};

	return send_message(socket, &message, path);
}

int jpfs_companion_repeat(int socket, dev_t device, const char *path, enum jpfs_change change,
			  const struct stat *st)
{
	struct message message = {
		.device = device,
		.task = REPEAT,
		.change = change,
		.mode = st->st_mode & 07777,
		.size = st->st_size,
	};

	return send_message(socket, &message, path);
}

int jpfs_companion_await(int socket, dev_t device, const char *path, uint64_t ino, uint64_t serial,
			 uint64_t generation)
{
	struct message message = {
		.device = device,
		.task = AWAIT,
		.ino = ino,
		.serial = serial,
		.generation = generation,
	};

	return send_message(socket, &message, path);
}

int jpfs_companion_answer(int socket, struct jpfs_companion_answer *ret)
{
	ssize_t size = recv(socket, ret, sizeof(*ret), MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	return size == (ssize_t)sizeof(*ret) ? 1 : -EPIPE;
}
