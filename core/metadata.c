/* Comparing versions of metadata.json. See metadata.h. */
#include "core/metadata.h"

#include "core/base/sys.h"
#include "core/timestamp.h"

#include <jansson.h>

/* jp writes some hundred bytes; labels may make it more. */
#define METADATA_BYTES_MAX (1024 * 1024)

/* The time that decides, JP_TIME_UNKNOWN when there is none that can be told. Returns 0 or -errno. */
static int read_activation(int fd, int64_t *ret_ns)
{
	cleanup_free char *text = malloc(METADATA_BYTES_MAX);
	json_auto_t *root = NULL;
	const json_t *time;
	size_t size = 0;

	*ret_ns = JP_TIME_UNKNOWN;
	if (text == NULL)
		return -ENOMEM;
	while (size < METADATA_BYTES_MAX) {
		ssize_t n = jp_sys->pread(fd, text + size, METADATA_BYTES_MAX - size, (off_t)size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	if (size == METADATA_BYTES_MAX)
		return 0;
	/* Of a key that is there twice nobody knows which one jp would mean. */
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	time = json_object_get(root, "last_activated_at");
	if (json_is_string(time) &&
	    jp_timestamp_parse(json_string_value(time), json_string_length(time), ret_ns) < 0)
		*ret_ns = JP_TIME_UNKNOWN;
	return 0;
}

int jp_metadata_is_earlier(int first_fd, int second_fd)
{
	int64_t first, second;
	int r = read_activation(first_fd, &first);

	if (r == 0)
		r = read_activation(second_fd, &second);
	if (r < 0)
		return r;
	return first != JP_TIME_UNKNOWN && second != JP_TIME_UNKNOWN && first < second;
}
