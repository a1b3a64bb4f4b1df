/* Comparing versions of metadata.json. See metadata.h. */
#include "core/metadata.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* jp writes some hundred bytes; labels may make it more. */
#define METADATA_BYTES_MAX (1024 * 1024)

/* The time that decides, as text: jp writes `YYYY-MM-DD HH:MM:SS.f` in UTC, which sorts as it is.
 * Anything written otherwise is not compared. New, or NULL. */
static char *read_activation(int fd)
{
	static const char pattern[] = "dddd-dd-dd dd:dd:dd.";
	cleanup_free char *text = malloc(METADATA_BYTES_MAX);
	const char *time;
	char *copy = NULL;
	json_t *root;
	ssize_t size;

	if (text == NULL)
		return NULL;
	size = pread(fd, text, METADATA_BYTES_MAX, 0);
	if (size <= 0 || size == METADATA_BYTES_MAX)
		return NULL;
	root = json_loadb(text, (size_t)size, 0, NULL);
	time = json_string_value(json_object_get(root, "last_activated_at"));
	for (size_t i = 0; time != NULL && i < sizeof(pattern) - 1; i++) {
		bool is_right = pattern[i] == 'd' ? time[i] >= '0' && time[i] <= '9'
						  : time[i] == pattern[i];

		if (!is_right)
			time = NULL;
	}
	if (time != NULL)
		copy = strdup(time);
	json_decref(root);
	return copy;
}

int jp_metadata_is_earlier(int first_fd, int second_fd)
{
	cleanup_free char *first = read_activation(first_fd);
	cleanup_free char *second = read_activation(second_fd);

	return first != NULL && second != NULL && strcmp(first, second) < 0;
}
