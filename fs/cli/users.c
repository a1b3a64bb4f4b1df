/*
 * Looking through /proc for who uses a mount. The links there are names that the kernel keeps, and
 * reading one does not go where it leads.
 */
#include "fs/cli/users.h"

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "fs/mountinfo.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	USERS_MAX = 3,
	COMM_BYTES = 64, /* the kernel's are 16 */
};

static bool leads_below(int dirfd, const char *name, const char *mount_point)
{
	char target[PATH_MAX];
	size_t size = strlen(mount_point);
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (n < (ssize_t)size)
		return false;
	target[n] = '\0';
	return memcmp(target, mount_point, size) == 0 &&
	       (target[size] == '/' || target[size] == '\0');
}

static DIR *open_list(int dirfd, const char *name)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list != NULL)
		(void)TAKE_FD(fd); /* the list has it now */
	return list;
}

/* Whether a descriptor is of this mount, and not of the directory beneath, whose files have the same
 * names. Where it cannot be told, it is taken to be. */
static bool is_of(int process_fd, const char *descriptor, dev_t device)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	char path[NAME_MAX + 16], text[512];
	cleanup_close int fd = -EBADF;
	const char *line;
	unsigned id;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "fdinfo/%s", descriptor);
	fd = openat(process_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	line = strstr(text, "mnt_id:");
	if (line == NULL || sscanf(line, "mnt_id: %u", &id) != 1 ||
	    jpfs_mountinfo_read_of(process_fd, &info) < 0)
		return true;
	for (size_t i = 0; i < info.count; i++) {
		if (info.mounts[i].id == id)
			return info.mounts[i].device == device;
	}
	return true; /* detached, and still in use */
}

static bool uses(int process_fd, const char *mount_point, dev_t device)
{
	cleanup_closedir DIR *list = NULL;
	const struct dirent *entry;

	if (leads_below(process_fd, "cwd", mount_point) ||
	    leads_below(process_fd, "root", mount_point))
		return true;
	list = open_list(process_fd, "fd");
	while (list != NULL && (entry = readdir(list)) != NULL) {
		if (entry->d_name[0] != '.' &&
		    leads_below(dirfd(list), entry->d_name, mount_point) &&
		    is_of(process_fd, entry->d_name, device))
			return true;
	}
	return false;
}

/* A daemon's own second process looks at names through the mount, and is no user of it. */
static bool is_child_of(int process_fd, pid_t parent)
{
	cleanup_close int fd = openat(process_fd, "stat", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *rest;

	if (n < 0 || parent <= 0)
		return false;
	text[n] = '\0';
	rest = strrchr(text, ')'); /* the name before it may hold anything */
	return rest != NULL && strlen(rest) > 4 && strtol(rest + 4, NULL, 10) == parent;
}

static void read_name(int process_fd, char name[COMM_BYTES])
{
	cleanup_close int fd = openat(process_fd, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, COMM_BYTES - 1);

	name[n < 0 ? 0 : n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	jp_make_printable(name);
}

void jpfs_users_of(const char *mount_point, dev_t device, pid_t daemon, char *text, size_t size)
{
	cleanup_closedir DIR *list = open_list(AT_FDCWD, "/proc");
	const struct dirent *entry;
	size_t used = 0;
	int count = 0;

	text[0] = '\0';
	while (list != NULL && count < USERS_MAX && (entry = readdir(list)) != NULL) {
		cleanup_close int fd = -EBADF;
		char name[COMM_BYTES];
		int n;

		if (entry->d_name[strspn(entry->d_name, "0123456789")] != '\0' ||
		    strtol(entry->d_name, NULL, 10) == daemon)
			continue;
		fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || is_child_of(fd, daemon) || !uses(fd, mount_point, device))
			continue;
		read_name(fd, name);
		n = snprintf(text + used, size - used, "%s%s (%s)", count > 0 ? ", " : "",
			     entry->d_name, name);
		if (n < 0 || (size_t)n >= size - used) {
			text[used] = '\0';
			return;
		}
		used += (size_t)n;
		count++;
	}
}
