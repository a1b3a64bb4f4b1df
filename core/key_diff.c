/*
 * Two JSON values side by side, as deep as both are objects. Anything else is compared whole: which
 * element of a list is which, nobody knows. See key_diff.h.
 */
#include "core/key_diff.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
	DEPTH_MAX = 64,
	PATH_BYTES_MAX = 512,
};

static json_t *load(int fd, int *ret)
{
	json_t *root;

	if (lseek(fd, 0, SEEK_SET) < 0) {
		*ret = -errno;
		return NULL;
	}
	root = json_loadfd(fd, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	*ret = root == NULL ? -EBADMSG : 0;
	return root;
}

static int add(struct jp_key_changes *changes, const char *path, const json_t *old,
	       const json_t *new)
{
	struct jp_key_change *items =
		realloc(changes->items, (changes->count + 1) * sizeof(*items));
	struct jp_key_change *item;

	if (items == NULL)
		return -ENOMEM;
	changes->items = items;
	item = &items[changes->count++];
	*item = (struct jp_key_change){
		.path = strdup(path),
		.old = old != NULL ? json_dumps(old, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL,
		.new = new != NULL ? json_dumps(new, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL,
	};
	return item->path == NULL || (old != NULL && item->old == NULL) ||
			       (new != NULL && item->new == NULL)
		       ? -ENOMEM
		       : 0;
}

static int compare_values(struct jp_key_changes *changes, const char *path, const json_t *old,
			  const json_t *new, unsigned depth)
{
	char inner[PATH_BYTES_MAX];
	json_t *value;
	const char *key;
	int r = 0;

	if (old != NULL && new != NULL && json_equal(old, new))
		return 0;
	if (!json_is_object(old) || !json_is_object(new) || depth == DEPTH_MAX)
		return add(changes, path, old, new);
	json_object_foreach((json_t *)old, key, value)
	{
		(void)snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] != '\0' ? "." : "",
			       key);
		r = compare_values(changes, inner, value, json_object_get(new, key), depth + 1);
		if (r < 0)
			return r;
	}
	json_object_foreach((json_t *)new, key, value)
	{
		if (json_object_get(old, key) != NULL)
			continue;
		(void)snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] != '\0' ? "." : "",
			       key);
		r = add(changes, inner, NULL, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_path(const void *first, const void *second)
{
	return strcmp(((const struct jp_key_change *)first)->path,
		      ((const struct jp_key_change *)second)->path);
}

int jp_keys_compare(int old_fd, int new_fd, struct jp_key_changes *ret_changes)
{
	cleanup_key_changes struct jp_key_changes changes = {0};
	json_auto_t *old = NULL, *new = NULL;
	int r;

	old = load(old_fd, &r);
	if (r == 0)
		new = load(new_fd, &r);
	if (r == 0)
		r = compare_values(&changes, "", old, new, 0);
	if (r < 0)
		return r;
	if (changes.count > 0)
		qsort(changes.items, changes.count, sizeof(*changes.items), by_path);
	*ret_changes = changes;
	changes = (struct jp_key_changes){0}; /* the caller has it now */
	return 0;
}

void jp_key_changes_release(struct jp_key_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		free(changes->items[i].path);
		free(changes->items[i].old);
		free(changes->items[i].new);
	}
	free(changes->items);
	*changes = (struct jp_key_changes){0};
}
