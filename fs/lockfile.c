/*
 * One daemon for one worktree.
 *
 * What counts is the flock: it goes with the process, whatever ends it, and it is seen from every
 * mount namespace. The text in the file is only what the holder says of itself. It has to be
 * written in place, because a lock belongs to the inode and a rename would leave the holder with a
 * lock on a file that nobody finds; so it is written over first and cut afterwards, and a reader
 * takes the first JSON object and tries again when that is torn.
 *
 * The file's name is made of the root directory's device and inode, not of its path: a worktree
 * that was moved is the same one, and a new one at an old path is not.
 */
#include "fs/lockfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum {
	NAME_BYTES = 64,
	TEXT_BYTES_MAX = 32 * 1024, /* an error, and a root of PATH_MAX bytes, escaped */
	POLL_MS = 20,
	TAKE_TRIES_MAX = 10, /* each POLL_MS: who waits for the lock holds it for a moment */
	READ_TRIES_MAX = 5,
};

static void wait_a_moment(void)
{
	(void)poll(NULL, 0, POLL_MS);
}

/* Open the worktree's lock file; `flags` as for openat(2). Returns a new descriptor or -errno. */
static int open_lock(const struct jp_silo *silo, const struct jp_workspace *workspace, int flags)
{
	char name[NAME_BYTES];
	struct stat st;
	int fd;

	if (silo->workspaces_fd < 0)
		return -ENOENT;
	if (fstat(workspace->root_fd, &st) < 0)
		return -errno;
	(void)snprintf(name, sizeof(name), "%jx-%jx.lock", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	fd = openat(silo->workspaces_fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	return fd < 0 ? -errno : fd;
}

int jpfs_lockfile_take(const struct jp_silo *silo, const struct jp_workspace *workspace)
{
	cleanup_close int fd = open_lock(silo, workspace, O_RDWR | O_CREAT);

	if (fd < 0)
		return fd;
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (tries >= TAKE_TRIES_MAX)
			return -EWOULDBLOCK;
		wait_a_moment();
	}
	return TAKE_FD(fd);
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int jpfs_lockfile_wait(const struct jp_silo *silo, const struct jp_workspace *workspace,
		       int timeout_ms)
{
	cleanup_close int fd = open_lock(silo, workspace, O_RDONLY);
	int64_t until = now_ms() + timeout_ms;

	if (fd < 0)
		return fd;
	/* Shared: two who wait do not wait for each other. */
	while (flock(fd, LOCK_SH | (timeout_ms < 0 ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return -errno;
		if (now_ms() >= until)
			return -ETIMEDOUT;
		wait_a_moment();
	}
	return 0;
}

void jpfs_lockfile_write(int lock_fd, const struct jp_workspace *workspace, const char *state,
			 const char *error)
{
	json_auto_t *object = json_object();
	cleanup_free char *text = NULL;
	size_t size;

	(void)json_object_set_new(object, "pid", json_integer(getpid()));
	(void)json_object_set_new(object, "state", json_string(state));
	if (error == NULL ||
	    json_object_set_new(object, "error", json_string(error)) < 0) /* not UTF-8 */
		(void)json_object_set_new(object, "error",
					  error == NULL ? json_null() : json_string("see the log"));
	/* For people only, so that a root that is not UTF-8 may be left out. */
	if (json_object_set_new(object, "root", json_string(workspace->root_path)) < 0)
		(void)json_object_set_new(object, "root", json_null());
	text = json_dumps(object, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text == NULL)
		return;
	size = strlen(text);
	/* The new text is whole before the rest of the old one goes. */
	if (pwrite(lock_fd, text, size, 0) == (ssize_t)size)
		(void)ftruncate(lock_fd, (off_t)size); /* what is left over is never read */
}

/* Read the first JSON object in the file. -EBADMSG there is none, or not a whole one. */
static int read_state(int fd, struct jpfs_lock_state *ret_state)
{
	char text[TEXT_BYTES_MAX];
	ssize_t size = pread(fd, text, sizeof(text), 0);
	json_auto_t *object = NULL;
	const char *state, *error;
	json_int_t pid;

	if (size < 0)
		return -errno;
	object = json_loadb(text, (size_t)size, JSON_DISABLE_EOF_CHECK, NULL);
	pid = json_integer_value(json_object_get(object, "pid"));
	state = json_string_value(json_object_get(object, "state"));
	error = json_string_value(json_object_get(object, "error"));
	if (pid <= 0 || pid > INT32_MAX || state == NULL)
		return -EBADMSG;
	ret_state->pid = (pid_t)pid;
	(void)snprintf(ret_state->state, sizeof(ret_state->state), "%s", state);
	(void)snprintf(ret_state->error, sizeof(ret_state->error), "%s",
		       error == NULL ? "" : error);
	return 0;
}

int jpfs_lockfile_read(const struct jp_silo *silo, const struct jp_workspace *workspace,
		       struct jpfs_lock_state *ret_state)
{
	cleanup_close int fd = open_lock(silo, workspace, O_RDONLY);
	int r;

	if (fd < 0)
		return fd;
	for (int tries = 0;; tries++) {
		r = read_state(fd, ret_state);
		if (r != -EBADMSG || tries >= READ_TRIES_MAX)
			return r;
		wait_a_moment();
	}
}
