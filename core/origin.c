/* One small file for each conversation that was started through a mount. See origin.h. */
#include "core/origin.h"

#include "core/base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIRECTORY "origins"

int jp_origin_record(int own_fd, uint64_t id, const char *name)
{
	cleanup_close int fd = jp_open_or_make_dir(own_fd, DIRECTORY, 0700);
	char file[32], line[NAME_MAX + 2];
	int size;

	if (fd < 0)
		return fd;
	(void)snprintf(file, sizeof(file), "%" PRIu64, id);
	if (name[0] == '\0' || faccessat(fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	size = snprintf(line, sizeof(line), "%.*s\n", NAME_MAX, name);
	return jp_replace_file(fd, file, line, (size_t)size, 0600);
}

int jp_origin_read(int own_fd, uint64_t id, char ret_name[NAME_MAX + 1])
{
	cleanup_free char *text = NULL;
	char path[64];
	size_t size;
	int r;

	(void)snprintf(path, sizeof(path), DIRECTORY "/%" PRIu64, id);
	r = jp_read_file(own_fd, path, NAME_MAX + 2, &text, &size);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", text);
	return ret_name[0] != '\0' ? 0 : -ENOENT;
}
