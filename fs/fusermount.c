/*
 * Running fusermount3.
 *
 * The protocol is libfuse's: the program gets one end of a socket pair, its number in
 * $_FUSE_COMMFD, opens /dev/fuse, mounts, and sends the open descriptor through the socket. What it
 * complains about goes to its stderr, which is read here, because it knows better than any errno.
 *
 * It takes no descriptor for the mount point: `/proc/self/fd/<n>` is a symbolic link and no
 * directory to it. So it is started *in* the directory with "." as the mount point, which it
 * resolves to a path by getcwd(2): that path is right even for a directory that was moved, and
 * leaves only the moment between its own look and its mount(2) to be checked afterwards.
 *
 * That directory belongs to somebody else's repository, which is why $PATH is not searched from
 * there (it may contain "."). The child is made by posix_spawn(3): the daemon calls this with
 * threads running, where fork(2) would copy locks that nobody ever releases.
 */
#include "fs/fusermount.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PROGRAM "fusermount3"
#define COMMFD_VARIABLE "_FUSE_COMMFD="

enum {
	WORDS_BYTES_MAX = 512, /* of what it says: a line or two */
};

static bool is_program(const char *directory, size_t size, char ret_path[PATH_MAX])
{
	int n;

	if (directory[0] != '/' || size >= PATH_MAX)
		return false;
	n = snprintf(ret_path, PATH_MAX, "%.*s/" PROGRAM, (int)size, directory);
	return n > 0 && n < PATH_MAX && faccessat(AT_FDCWD, ret_path, X_OK, AT_EACCESS) == 0;
}

int jpfs_fusermount_find(char ret_path[PATH_MAX], struct jp_error *error)
{
	static const char usual[] = "/usr/local/bin:/usr/bin:/bin";
	const char *lists[] = {getenv("PATH"), usual};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *directory = lists[i];

		while (directory != NULL) {
			const char *end = strchrnul(directory, ':');

			if (is_program(directory, (size_t)(end - directory), ret_path))
				return 0;
			directory = *end == ':' ? end + 1 : NULL;
		}
	}
	jp_error_remedy(error, "install it (on Debian: apt install fuse3)");
	return jp_error_set(error, -ENOENT, PROGRAM " is missing, and only root mounts without it");
}

static void destroy_actions(posix_spawn_file_actions_t *actions)
{
	(void)posix_spawn_file_actions_destroy(actions); /* frees memory, no more */
}

static void destroy_attributes(posix_spawnattr_t *attributes)
{
	(void)posix_spawnattr_destroy(attributes);
}

/* Our environment and one more variable: new array, borrowed strings. NULL for no memory. */
static char **make_environment(char *variable)
{
	size_t count = 0;
	char **copy;

	while (environ != NULL && environ[count] != NULL)
		count++;
	copy = calloc(count + 2, sizeof(copy[0]));
	if (copy == NULL)
		return NULL;
	copy[0] = variable; /* getenv(3) takes the first */
	if (count > 0)
		memcpy(copy + 1, environ, count * sizeof(copy[0]));
	return copy;
}

/*
 * Start the program.
 *
 * Shape:   directory_fd  its current directory; negative: ours
 *          socket_fd     inherited by it under the same number; negative: none
 *          words_fd      becomes its stdout and stderr
 */
static int start(const char *const arguments[], int directory_fd, int socket_fd, int words_fd,
		 pid_t *ret_pid)
{
	__attribute__((cleanup(destroy_actions))) posix_spawn_file_actions_t actions;
	__attribute__((cleanup(destroy_attributes))) posix_spawnattr_t attributes;
	cleanup_free char **environment = NULL;
	char variable[sizeof(COMMFD_VARIABLE) + 16];
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)snprintf(variable, sizeof(variable), COMMFD_VARIABLE "%d", socket_fd);
	environment = make_environment(variable);
	if (environment == NULL)
		return -ENOMEM;
	(void)posix_spawnattr_init(&attributes); /* neither can fail in glibc */
	(void)posix_spawn_file_actions_init(&actions);
	/* What the daemon blocks or ignores is its own affair. */
	r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&attributes, &all);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, words_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, words_fd, STDERR_FILENO);
	/* To itself: takes close-on-exec away, in the child only. */
	if (r == 0 && socket_fd >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, socket_fd, socket_fd);
	if (r == 0 && directory_fd >= 0)
		r = posix_spawn_file_actions_addfchdir_np(&actions, directory_fd);
	if (r == 0)
		/* posix_spawn() takes them as `char *const *` for old programs' sake. */
		r = posix_spawn(ret_pid, arguments[0], &actions, &attributes,
				(char *const *)arguments, environment);
	return -r;
}

/* Read all that it says, as one line without the final newline. */
static void read_words(int fd, char words[WORDS_BYTES_MAX])
{
	size_t size = 0;
	ssize_t n;

	do {
		char more[WORDS_BYTES_MAX];

		n = read(fd, more, sizeof(more));
		for (ssize_t i = 0; i < n && size < WORDS_BYTES_MAX - 1; i++)
			words[size++] = more[i];
	} while (n > 0 || (n < 0 && errno == EINTR));
	while (size > 0 && words[size - 1] == '\n')
		size--;
	words[size] = '\0';
	for (char *newline = words; (newline = strchr(newline, '\n')) != NULL;)
		*newline = ';';
}

/* Wait for the program. 0 it succeeded, -EPERM it did not. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		/* Where SIGCHLD is ignored nobody learns how a child ended. */
		if (errno != EINTR)
			return errno == ECHILD ? 0 : -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Take the descriptor that the socket carries. -EPROTO there is none. */
static int receive_descriptor(int socket_fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (n == 0 || header == NULL || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* What it said, or how it ended, as an error. */
static int refuse(int r, const char *words, struct jp_error *error)
{
	if (words[0] != '\0')
		return jp_error_set(error, r, "%s", words);
	return jp_error_set(error, r, PROGRAM ": %s", strerrordesc_np(-r));
}

int jpfs_fusermount_mount(int directory_fd, const char *options, struct jp_error *error)
{
	cleanup_close int ours = -EBADF, theirs = -EBADF, words_in = -EBADF, words_out = -EBADF;
	cleanup_close int device = -EBADF;
	char program[PATH_MAX], words[WORDS_BYTES_MAX];
	const char *arguments[] = {program, "-o", options, "--", ".", NULL};
	int sockets[2], ends[2], r;
	pid_t pid = -1;

	r = jpfs_fusermount_find(program, error);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return refuse(-errno, "", error);
	ours = sockets[0];
	theirs = sockets[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return refuse(-errno, "", error);
	words_out = ends[0];
	words_in = ends[1];
	r = start(arguments, directory_fd, theirs, words_in, &pid);
	if (r < 0)
		return refuse(r, "", error);
	/* The last other ends are the child's: reading ends when it does. */
	jp_closep(&theirs);
	jp_closep(&words_in);
	read_words(words_out, words);
	device = receive_descriptor(ours);
	r = wait_for(pid);
	if (r == 0 && device < 0)
		r = device;
	if (r < 0) {
		jp_error_remedy(error, "`man fusermount3` tells what it permits, "
				       "/etc/fuse.conf what the administrator does");
		return refuse(r, words, error);
	}
	return TAKE_FD(device);
}

int jpfs_fusermount_unmount(const char *mount_point, bool lazy, struct jp_error *error)
{
	cleanup_close int words_in = -EBADF, words_out = -EBADF;
	char program[PATH_MAX], words[WORDS_BYTES_MAX];
	const char *arguments[] = {program, "-u", "--", mount_point, NULL, NULL};
	int ends[2], r;
	pid_t pid = -1;

	r = jpfs_fusermount_find(program, error);
	if (r < 0)
		return r;
	if (lazy) {
		arguments[2] = "-z";
		arguments[3] = "--";
		arguments[4] = mount_point;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return refuse(-errno, "", error);
	words_out = ends[0];
	words_in = ends[1];
	r = start(arguments, -EBADF, -EBADF, words_in, &pid);
	if (r < 0)
		return refuse(r, "", error);
	jp_closep(&words_in);
	read_words(words_out, words);
	r = wait_for(pid);
	if (r == 0)
		return 0;
	/* Its words are perror(3)'s, in the C locale: it never calls setlocale(3). */
	if (strstr(words, strerrordesc_np(EBUSY)) != NULL)
		r = -EBUSY;
	/* It mounts without, and then cannot unmount: so in a bare chroot or container. */
	if (strstr(words, "/etc/mtab") != NULL)
		jp_error_remedy(error, "as root, `ln -s /proc/self/mounts /etc/mtab`");
	return refuse(r, words, error);
}
