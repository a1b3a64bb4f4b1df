/*
 * Mounting and unmounting, by descriptor and device number.
 *
 * A path names whatever is there at the moment that somebody looks. So mounting starts from a
 * descriptor that was checked: as root, mount(2) gets `/proc/self/fd/<n>`, which leads to exactly
 * that directory. fusermount3 only takes paths, so afterwards mountinfo is asked what is on top at
 * the directory's path; if that is not a new mount of ours, the mount landed elsewhere and is
 * taken away again. Unmounting starts from the device number, and finds the path in mountinfo at
 * that moment, because a worktree that is moved takes the mount along.
 *
 * Nothing here may touch the mounted filesystem: right after mounting nobody serves it yet, and
 * while unmounting the caller may be the very thread that would have to answer.
 */
#include "fs/attach.h"

#include "fs/fusermount.h"
#include "fs/mountinfo.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define SOURCE "jpfs"
#define ROOT_MODE "40755" /* until the daemon says otherwise */
#define CONTAINER_REMEDY                                                                           \
	"a container has to be started with `--device /dev/fuse --cap-add SYS_ADMIN`"

enum {
	OPTIONS_BYTES_MAX = 4096, /* mount(2) takes a page */
	TURNS_MAX = 100,          /* of looking for a mount that is moved while it is looked for */
};

/* Options that mount(2) takes as a flag. Those that we always set cannot be taken back. */
static const struct {
	const char *name;
	unsigned long set, clear;
} flags_by_name[] = {
	{"ro", MS_RDONLY, 0},         {"rw", 0, MS_RDONLY},        {"nosuid", MS_NOSUID, 0},
	{"nodev", MS_NODEV, 0},       {"noexec", MS_NOEXEC, 0},    {"exec", 0, MS_NOEXEC},
	{"noatime", MS_NOATIME, 0},   {"atime", 0, MS_NOATIME},    {"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0}, {"sync", MS_SYNCHRONOUS, 0}, {"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
};

int jpfs_path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlinkat(AT_FDCWD, link, path, PATH_MAX);
	if (n < 0)
		return -errno;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	path[n] = '\0';
	return 0;
}

/* Open /dev/fuse. Returns a new descriptor, -ENODEV or -EACCES or others. */
static int open_device(struct jp_error *error)
{
	int fd = openat(AT_FDCWD, "/dev/fuse", O_RDWR | O_CLOEXEC), r = -errno;

	if (fd >= 0)
		return fd;
	if (r == -ENOENT || r == -ENXIO || r == -ENODEV) {
		jp_error_remedy(error, "`modprobe fuse` as root; %s", CONTAINER_REMEDY);
		return jp_error_set(error, -ENODEV, "/dev/fuse is missing");
	}
	if (r == -EACCES || r == -EPERM) {
		jp_error_remedy(error,
				"`chmod 666 /dev/fuse` as root; in a container, allow it the "
				"device");
		return jp_error_set(error, -EACCES, "/dev/fuse may not be opened: %s",
				    strerrordesc_np(-r));
	}
	return jp_error_set(error, r, "/dev/fuse: %s", strerrordesc_np(-r));
}

int jpfs_attach_check(struct jp_error *error)
{
	cleanup_close int fd = open_device(error);
	char program[PATH_MAX];

	if (fd < 0)
		return fd;
	/* What root may not do here, fusermount3 may not either. */
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0) {
		jp_error_remedy(error, "%s", CONTAINER_REMEDY);
		return jp_error_set(error, -EPERM,
				    "nobody may mount here: a container without "
				    "CAP_SYS_ADMIN");
	}
	if (geteuid() == 0)
		return 0;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		jp_error_remedy(error,
				"mount from outside of the sandbox that this was started in");
		return jp_error_set(error, -EPERM,
				    "fusermount3 gets no privileges here: "
				    "no_new_privs is set");
	}
	return jpfs_fusermount_find(program, error);
}

struct options {
	unsigned long flags;
	char data[OPTIONS_BYTES_MAX]; /* what mount(2) does not take as a flag; starts with ',' */
};

static bool take_flag(const char *name, size_t size, unsigned long *flags)
{
	for (size_t i = 0; i < sizeof(flags_by_name) / sizeof(flags_by_name[0]); i++) {
		if (strlen(flags_by_name[i].name) == size &&
		    memcmp(flags_by_name[i].name, name, size) == 0) {
			*flags = (*flags | flags_by_name[i].set) & ~flags_by_name[i].clear;
			return true;
		}
	}
	return false;
}

static int parse_options(const char *text, struct options *ret)
{
	size_t used = 0;

	*ret = (struct options){.flags = MS_NOSUID | MS_NODEV};
	while (*text != '\0') {
		const char *name = text;
		size_t size = strcspn(text, ",");

		text += size + (text[size] == ',' ? 1 : 0);
		if (size == 0 || take_flag(name, size, &ret->flags))
			continue;
		if (used + 1 + size >= sizeof(ret->data))
			return -E2BIG;
		ret->data[used++] = ',';
		memcpy(ret->data + used, name, size);
		used += size;
	}
	ret->data[used] = '\0';
	return 0;
}

/* Mount by mount(2). Returns a new descriptor of /dev/fuse; -EPERM we may not. */
static int attach_directly(int directory_fd, const struct options *options, struct jp_error *error)
{
	cleanup_close int device = open_device(error);
	char target[64], data[OPTIONS_BYTES_MAX + 256];
	int r;

	if (device < 0)
		return device;
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", directory_fd);
	(void)snprintf(data, sizeof(data),
		       "fd=%d,rootmode=" ROOT_MODE ",user_id=%u,group_id=%u,default_permissions%s",
		       device, geteuid(), getegid(), options->data);
	if (mount(SOURCE, target, JPFS_FILESYSTEM_TYPE, options->flags, data) < 0) {
		r = -errno;
		if (r == -EPERM)
			jp_error_remedy(error, "%s", CONTAINER_REMEDY);
		if (r == -EINVAL)
			jp_error_remedy(error, "the kernel's log (`dmesg`) may name the option");
		return jp_error_set(error, r, "mount(2), with \"%s\": %s", data,
				    strerrordesc_np(-r));
	}
	return TAKE_FD(device);
}

/* Have fusermount3 mount. It takes the same options, flags too, all by name. */
static int attach_by_helper(int directory_fd, const struct options *options, struct jp_error *error)
{
	char list[OPTIONS_BYTES_MAX + 512];
	size_t used = (size_t)snprintf(list, sizeof(list),
				       "fsname=" SOURCE ",subtype=jpfs"
				       ",default_permissions%s",
				       options->data);

	for (size_t i = 0; i < sizeof(flags_by_name) / sizeof(flags_by_name[0]); i++) {
		if (flags_by_name[i].set != 0 && (options->flags & flags_by_name[i].set) != 0)
			used += (size_t)snprintf(list + used, sizeof(list) - used, ",%s",
						 flags_by_name[i].name);
	}
	return jpfs_fusermount_mount(directory_fd, list, error);
}

static bool is_in(const struct jpfs_mountinfo *info, const struct jpfs_mount *mount)
{
	for (size_t i = 0; i < info->count; i++) {
		const struct jpfs_mount *other = &info->mounts[i];

		/* Both numbers are used again after an unmount, so the place counts too. */
		if (other->id == mount->id && other->device == mount->device &&
		    strcmp(other->mount_point, mount->mount_point) == 0)
			return true;
	}
	return false;
}

static int unmount(const char *mount_point, bool lazy, struct jp_error *error)
{
	int r;

	if (umount2(mount_point, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	r = -errno;
	if (r == -EPERM && geteuid() != 0)
		return jpfs_fusermount_unmount(mount_point, lazy, error);
	return jp_error_set(error, r, "%s: %s", mount_point, strerrordesc_np(-r));
}

/*
 * Take away what was mounted elsewhere. It is the one mount of ours that is new and is not where it
 * belongs; where several are new at once, all but one are other people's or other processes', and
 * the right one cannot be told: its connection is closed, so that it does nothing more than show an
 * error, and it is named.
 */
static int refuse_place(const struct jpfs_mountinfo *before, const struct jpfs_mountinfo *after,
			const char *path, struct jp_error *error)
{
	const struct jpfs_mount *found = NULL;
	size_t count = 0;
	int r;

	for (size_t i = 0; i < after->count; i++) {
		const struct jpfs_mount *mount = &after->mounts[i];

		if (jpfs_mount_is_jpfs(mount) && mount->user_id == geteuid() &&
		    !is_in(before, mount)) {
			found = mount;
			count++;
		}
	}
	/* Dead since its connection was closed; one that answers is another process's. */
	if (count == 1 &&
	    (faccessat(AT_FDCWD, found->mount_point, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	     errno != ENOTCONN))
		count = 0;
	r = count == 1 ? unmount(found->mount_point, true, NULL) : 0;
	jp_error_remedy(error,
			"something is changing the directories at this moment; see that "
			"nothing of %s is a symbolic link, and try again",
			path);
	if (count == 1 && r == 0)
		return jp_error_set(error, -EXDEV,
				    "%s: the mount landed on %s instead, and was "
				    "taken away again",
				    path, found->mount_point);
	return jp_error_set(error, -EXDEV,
			    "%s: the mount landed elsewhere (%s); it is dead, and "
			    "`fusermount3 -u` removes it",
			    path, count > 0 ? found->mount_point : "it cannot be told where");
}

int jpfs_attach(int directory_fd, const char *options, dev_t *ret_device, struct jp_error *error)
{
	cleanup_mountinfo struct jpfs_mountinfo before = {0}, after = {0};
	cleanup_close int device = -EBADF;
	const struct jpfs_mount *top;
	struct options parsed;
	char path[PATH_MAX];
	int r;

	r = parse_options(options, &parsed);
	if (r < 0)
		return jp_error_set(error, r, "too many mount options");
	r = jpfs_mountinfo_read(&before);
	if (r < 0)
		return jp_error_set(error, r, "/proc/self/mountinfo: %s", strerrordesc_np(-r));
	device = attach_directly(directory_fd, &parsed, error);
	if (device == -EPERM && geteuid() != 0) {
		if (error != NULL)
			*error = (struct jp_error){0};
		device = attach_by_helper(directory_fd, &parsed, error);
	}
	if (device < 0)
		return device;
	r = jpfs_mountinfo_read(&after);
	if (r == 0)
		r = jpfs_path_of(directory_fd, path);
	if (r < 0) {
		/* Closing `device` leaves a dead mount, which the next `jpfs mount` removes. */
		return jp_error_set(error, r, "cannot tell where the mount is: %s",
				    strerrordesc_np(-r));
	}
	top = jpfs_mountinfo_top(&after, path);
	if (top == NULL || !jpfs_mount_is_jpfs(top) || top->user_id != geteuid() ||
	    is_in(&before, top)) {
		jp_closep(&device); /* from now on it is dead, and who walks into it gets out */
		return refuse_place(&before, &after, path, error);
	}
	*ret_device = top->device;
	return TAKE_FD(device);
}

/* The mount with this device number at this place, or NULL. */
static const struct jpfs_mount *find_at(const struct jpfs_mountinfo *info, const char *mount_point,
					dev_t device)
{
	for (size_t i = info->count; i > 0; i--) {
		const struct jpfs_mount *mount = &info->mounts[i - 1];

		if (mount->device == device && jpfs_mount_is_jpfs(mount) &&
		    strcmp(mount->mount_point, mount_point) == 0)
			return mount;
	}
	return NULL;
}

/* The same filesystem in other places, as one look found them; whoever took them away was quicker. */
static int unmount_bound(const struct jpfs_mountinfo *info, const struct jpfs_mount *first,
			 bool lazy, struct jp_error *error)
{
	for (size_t i = info->count; i > 0; i--) {
		const struct jpfs_mount *mount = &info->mounts[i - 1];
		int r;

		if (mount == first || mount->device != first->device || !jpfs_mount_is_jpfs(mount))
			continue;
		r = unmount(mount->mount_point, lazy, error);
		if (r < 0 && r != -EINVAL && r != -ENOENT)
			return r;
	}
	return 0;
}

int jpfs_detach(const char *mount_point, dev_t device, bool lazy, struct jp_error *error)
{
	int r = 0;

	/* Each turn looks anew: it may be moved meanwhile. */
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		cleanup_mountinfo struct jpfs_mountinfo info = {0};
		const struct jpfs_mount *mount;

		r = jpfs_mountinfo_read(&info);
		if (r < 0)
			return jp_error_set(error, r, "/proc/self/mountinfo: %s",
					    strerrordesc_np(-r));
		mount = find_at(&info, mount_point, device);
		if (mount == NULL)
			return 0;
		if (jpfs_mountinfo_top(&info, mount->mount_point) != mount) {
			jp_error_remedy(error, "unmount that first");
			return jp_error_set(error, -EBUSY, "%s: something else is mounted on top",
					    mount->mount_point);
		}
		r = unmount(mount->mount_point, lazy, error);
		if (r == 0)
			return unmount_bound(&info, mount, lazy, error);
		if (r != -EINVAL && r != -ENOENT) /* those two: gone or moved meanwhile */
			return r;
	}
	return r;
}

int jpfs_detach_from(int directory_fd, dev_t device, bool lazy, struct jp_error *error)
{
	char path[PATH_MAX];
	int r = jpfs_path_of(directory_fd, path);

	if (r < 0)
		return jp_error_set(error, r, "cannot tell where the mount is: %s",
				    strerrordesc_np(-r));
	return jpfs_detach(path, device, lazy, error);
}
