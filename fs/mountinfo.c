/*
 * Reading /proc/self/mountinfo.
 *
 * A line, by proc(5):
 *
 *     36 35 98:0 /root /mount/point rw,noatime master:1 - fuse.jpfs jpfs rw,user_id=1000
 *     id |  |    |     |            |          |        | type      |    super options
 *     parent device in the fs       options    any number of them   source
 *
 * Space, tab, newline and backslash in a field are octal escapes (`\040`), so fields can be cut at
 * spaces first and unescaped afterwards. Everything stays in the one text that was read, because a
 * mount point may be any bytes of any length.
 */
#include "fs/mountinfo.h"

#include "include/jpfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

enum {
	READ_BYTES = 64 * 1024,
	MOUNTINFO_BYTES_MAX = 64 * 1024 * 1024, /* the kernel allows 100,000 mounts */
};

void jpfs_mountinfo_release(struct jpfs_mountinfo *info)
{
	jp_freep(&info->mounts);
	jp_freep(&info->text);
	info->count = 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

static void unescape(char *field)
{
	const char *from = field;
	char *to = field;

	while (*from != '\0') {
		if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) &&
		    is_octal(from[3])) {
			*to++ = (char)(((from[1] - '0') << 6) | ((from[2] - '0') << 3) |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* The value of `user_id=` in super options, or (uid_t)-1. Every FUSE mount has it. */
static uid_t find_user_id(const char *options)
{
	static const char key[] = "user_id=";

	while (options != NULL) {
		if (strncmp(options, key, sizeof(key) - 1) == 0)
			return (uid_t)strtoul(options + sizeof(key) - 1, NULL, 10);
		options = strchr(options, ',');
		if (options != NULL)
			options++;
	}
	return (uid_t)-1;
}

static int parse_line(char *line, struct jpfs_mount *ret_mount)
{
	enum { ID, PARENT, DEVICE, ROOT, MOUNT_POINT, OPTIONS, FIXED_COUNT };
	char *fixed[FIXED_COUNT], *rest = line, *tag, *type, *options;
	unsigned major_number, minor_number;
	struct jpfs_mount mount = {0};

	for (size_t i = 0; i < FIXED_COUNT; i++) {
		fixed[i] = strsep(&rest, " ");
		if (fixed[i] == NULL)
			return -EBADMSG;
	}
	do { /* optional fields, up to a hyphen */
		tag = strsep(&rest, " ");
		if (tag == NULL)
			return -EBADMSG;
	} while (strcmp(tag, "-") != 0);
	type = strsep(&rest, " ");
	(void)strsep(&rest, " "); /* the source */
	options = strsep(&rest, " ");
	if (type == NULL || sscanf(fixed[ID], "%u", &mount.id) != 1 ||
	    sscanf(fixed[PARENT], "%u", &mount.parent_id) != 1 ||
	    sscanf(fixed[DEVICE], "%u:%u", &major_number, &minor_number) != 2)
		return -EBADMSG;
	unescape(fixed[MOUNT_POINT]);
	unescape(type);
	mount.device = makedev(major_number, minor_number);
	mount.mount_point = fixed[MOUNT_POINT];
	mount.type = type;
	mount.user_id = strncmp(type, "fuse", 4) == 0 ? find_user_id(options) : (uid_t)-1;
	*ret_mount = mount;
	return 0;
}

int jpfs_mountinfo_parse(char *text, struct jpfs_mountinfo *ret_info)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {.text = text};
	char *rest = text;
	size_t lines = 1;
	int r;

	for (const char *c = text; (c = strchr(c, '\n')) != NULL; c++)
		lines++;
	info.mounts = calloc(lines, sizeof(info.mounts[0]));
	if (info.mounts == NULL)
		return -ENOMEM;
	while (rest != NULL) {
		char *line = strsep(&rest, "\n");

		if (line[0] == '\0')
			continue;
		r = parse_line(line, &info.mounts[info.count]);
		if (r < 0)
			return r;
		info.count++;
	}
	*ret_info = info;
	info = (struct jpfs_mountinfo){0}; /* the caller has it now */
	return 0;
}

static int read_at(int dirfd, const char *path, struct jpfs_mountinfo *ret_info)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	size_t size = 0, room = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		if (room - size < READ_BYTES + 1) {
			char *grown;

			room = room * 2 + READ_BYTES + 1;
			if (room > MOUNTINFO_BYTES_MAX)
				return -EFBIG;
			grown = realloc(text, room);
			if (grown == NULL)
				return -ENOMEM;
			text = grown;
		}
		n = read(fd, text + size, room - size - 1);
		if (n < 0 && errno == EINTR) {
			n = 1; /* try again */
			continue;
		}
		if (n < 0)
			return -errno;
		size += (size_t)n;
	} while (n > 0);
	text[size] = '\0';
	return jpfs_mountinfo_parse(TAKE_PTR(text), ret_info);
}

int jpfs_mountinfo_read(struct jpfs_mountinfo *ret_info)
{
	return read_at(AT_FDCWD, "/proc/self/mountinfo", ret_info);
}

int jpfs_mountinfo_read_of(int process_fd, struct jpfs_mountinfo *ret_info)
{
	return read_at(process_fd, "mountinfo", ret_info);
}

static bool is_covered(const struct jpfs_mountinfo *info, const struct jpfs_mount *mount)
{
	for (size_t i = 0; i < info->count; i++) {
		const struct jpfs_mount *other = &info->mounts[i];

		if (other->parent_id == mount->id && other != mount &&
		    strcmp(other->mount_point, mount->mount_point) == 0)
			return true;
	}
	return false;
}

const struct jpfs_mount *jpfs_mountinfo_top(const struct jpfs_mountinfo *info, const char *path)
{
	/* From the end: two at one path without one on the other are rare (the path leads to
	 * different directories, beneath and in another mount), and the newer one is seen then. */
	for (size_t i = info->count; i > 0; i--) {
		const struct jpfs_mount *mount = &info->mounts[i - 1];

		if (strcmp(mount->mount_point, path) == 0 && !is_covered(info, mount))
			return mount;
	}
	return NULL;
}

bool jpfs_mount_is_jpfs(const struct jpfs_mount *mount)
{
	return strcmp(mount->type, JPFS_FILESYSTEM_TYPE) == 0;
}
