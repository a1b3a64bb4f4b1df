/*
 * The least that a first walk can cost: a filesystem that has every answer ready before it is asked.
 *
 *     answers DIRECTORY MOUNTPOINT
 *
 * It reads what DIRECTORY has once, names and attributes, and then answers the kernel from memory, in the way
 * that takes it the fewest requests and the least work: no open of a directory, entries with all their
 * attributes, all of it kept for an hour; of files the names only, until somebody asks for one. It looks at
 * nothing, locks nothing, and would never see a change. So whatever a walk through it takes longer than one
 * of the directory itself is the kernel's own, for two requests a directory and for the nodes that it makes
 * of the answers; nobody who is asked in this way is faster. Files have no contents.
 */
#include "fs/fuse.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_S 3600.0

struct file {
	char *name;
	struct stat st;
	size_t first, count; /* what it has, if it is a directory: consecutive */
};

/* A nodeid is an index; that of the root is FUSE_ROOT_ID, so there is none before it. */
static struct file *files;
static size_t file_count = FUSE_ROOT_ID, file_room;
static bool is_asked_for_files;

static void add_file(const char *name, const struct stat *st)
{
	if (file_count >= file_room) {
		file_room = file_room * 2 + 1024;
		files = reallocarray(files, file_room, sizeof(*files));
		if (files == NULL)
			err(1, "memory for %zu files", file_room);
	}
	files[file_count] = (struct file){.name = strdup(name), .st = *st};
	if (files[file_count].name == NULL)
		err(1, "memory for %s", name);
	files[file_count].st.st_ino = file_count;
	file_count++;
}

/* All that a directory has, and then all that those have. */
static void read_directory(size_t index, int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t first = file_count;

	if (dir == NULL)
		err(1, "%s", name);
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err(1, "%s", entry->d_name);
		add_file(entry->d_name, &st);
	}
	files[index].first = first;
	files[index].count = file_count - first;
	for (size_t i = first; i < first + files[index].count; i++) {
		if (S_ISDIR(files[i].st.st_mode))
			read_directory(i, fd, files[i].name);
	}
	(void)closedir(dir);
}

static struct fuse_entry_param entry_of(size_t index)
{
	return (struct fuse_entry_param){
		.ino = index,
		.attr = files[index].st,
		.attr_timeout = KEEP_S,
		.entry_timeout = KEEP_S,
	};
}

static void on_init(void *user, struct fuse_conn_info *connection)
{
	(void)user;
	connection->want |= FUSE_CAP_READDIRPLUS & connection->capable;
	connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
}

static void on_getattr(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	(void)file;
	(void)fuse_reply_attr(req, &files[nodeid].st, KEEP_S);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.entry_timeout = KEEP_S};

	for (size_t i = 0; i < files[parent].count; i++) {
		if (strcmp(files[files[parent].first + i].name, name) == 0)
			entry = entry_of(files[parent].first + i);
	}
	if (entry.ino != 0 && !S_ISDIR(entry.attr.st_mode))
		is_asked_for_files = true;
	(void)fuse_reply_entry(req, &entry);
}

static void on_opendir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *file)
{
	(void)nodeid;
	(void)file;
	(void)fuse_reply_err(req, ENOSYS); /* never again */
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t offset,
			   struct fuse_file_info *file)
{
	static char buffer[1 << 20];
	const struct file *directory = &files[nodeid];
	size_t used = 0;

	(void)file;
	if (size > sizeof(buffer))
		size = sizeof(buffer);
	for (off_t i = offset; i < 2 + (off_t)directory->count; i++) {
		struct fuse_entry_param entry = {.attr = {.st_ino = nodeid, .st_mode = S_IFDIR}};
		const char *name = i == 0 ? "." : "..";
		size_t needed;

		if (i >= 2) {
			entry = entry_of(directory->first + (size_t)i - 2);
			name = files[entry.ino].name;
			if (!is_asked_for_files && !S_ISDIR(entry.attr.st_mode))
				entry.ino = 0; /* not told of */
		}
		needed = fuse_add_direntry_plus(req, buffer + used, size - used, name, &entry,
						i + 1);
		if (needed > size - used)
			break;
		used += needed;
	}
	(void)fuse_reply_buf(req, buffer, used);
}

static void on_forget(fuse_req_t req, fuse_ino_t nodeid, uint64_t nlookup)
{
	(void)nodeid;
	(void)nlookup;
	fuse_reply_none(req);
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops operations = {
		.init = on_init,
		.lookup = on_lookup,
		.forget = on_forget,
		.getattr = on_getattr,
		.opendir = on_opendir,
		.readdirplus = on_readdirplus,
	};
	char *arguments[] = {argv[0], "-ofsname=answers,ro"};
	struct fuse_args args = FUSE_ARGS_INIT(2, arguments);
	struct fuse_session *session;
	struct stat st;
	int r;

	if (argc != 3)
		errx(2, "usage: answers DIRECTORY MOUNTPOINT");
	if (stat(argv[1], &st) < 0)
		err(1, "%s", argv[1]);
	add_file("", &st);
	read_directory(FUSE_ROOT_ID, AT_FDCWD, argv[1]);
	session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (session == NULL || fuse_set_signal_handlers(session) < 0 ||
	    fuse_session_mount(session, argv[2]) < 0)
		errx(1, "cannot mount on %s", argv[2]);
	r = fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return r < 0 ? 1 : 0;
}
