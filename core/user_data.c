/*
 * Finding the user data directory exactly as jp does.
 *
 * Two programs that disagree here work on two stores, and each looks complete. So jp's order is
 * kept, with its odd corners: a $JP_USER_DATA_DIR that is not UTF-8 counts as unset, since jp reads
 * it as a string, and $XDG_DATA_HOME, which it reads as a path, does not. The one difference is
 * that a relative place is tied to the current directory here and now, as a daemon has none later.
 */
#include "core/user_data.h"

#include "core/base/utf8.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

enum {
	PASSWORD_ENTRY_BYTES_MAX = 1024 * 1024, /* a directory service's entry is far smaller */
};

static const char *set_or_null(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* `path`, or `<current directory>/path` when it is relative, with `below` after it. */
static int absolute(const char *path, const char *below, char **ret_path, struct jp_error *error)
{
	cleanup_free char *current = NULL;
	char *joined;

	if (path[0] != '/') {
		current = getcwd(NULL, 0);
		if (current == NULL) {
			int r = -errno;

			jp_error_set(error, r,
				     "%s: relative to a current directory that has no path: %s",
				     path, strerrordesc_np(-r));
			jp_error_remedy(error, "set JP_USER_DATA_DIR to an absolute path");
			return r;
		}
	}
	if (asprintf(&joined, "%s%s%s%s", current != NULL ? current : "",
		     current != NULL ? "/" : "", path, below) < 0)
		return jp_error_set(error, -ENOMEM, "out of memory");
	*ret_path = joined;
	return 0;
}

static int home_of_user(char **ret_home, struct jp_error *error)
{
	int r = 0;

	for (size_t size = 4096; size <= PASSWORD_ENTRY_BYTES_MAX; size *= 2) {
		cleanup_free char *buffer = malloc(size);
		struct passwd entry, *found = NULL;

		if (buffer == NULL)
			return jp_error_set(error, -ENOMEM, "out of memory");
		r = getpwuid_r(getuid(), &entry, buffer, size, &found);
		if (r == ERANGE)
			continue;
		if (found == NULL || entry.pw_dir == NULL || entry.pw_dir[0] == '\0')
			break;
		*ret_home = strdup(entry.pw_dir);
		return *ret_home == NULL ? jp_error_set(error, -ENOMEM, "out of memory") : 0;
	}
	jp_error_set(error, -ENOENT,
		     "no home directory: HOME is not set and user %u has none in the password "
		     "database%s%s",
		     (unsigned)getuid(), r > 0 ? ": " : "", r > 0 ? strerrordesc_np(r) : "");
	jp_error_remedy(error, "set HOME, or set JP_USER_DATA_DIR to where jp keeps its data");
	return -ENOENT;
}

int jp_user_data_dir(char **ret_path, struct jp_error *error)
{
	cleanup_free char *looked_up = NULL;
	const char *value;
	int r;

	value = set_or_null("JP_USER_DATA_DIR");
	if (value != NULL && jp_utf8_is_valid(value, strlen(value)))
		return absolute(value, "", ret_path, error);
	value = set_or_null("XDG_DATA_HOME");
	if (value != NULL && value[0] == '/')
		return absolute(value, "/jp", ret_path, error);
	value = set_or_null("HOME");
	if (value == NULL) {
		r = home_of_user(&looked_up, error);
		if (r < 0)
			return r;
		value = looked_up;
	}
	return absolute(value, "/.local/share/jp", ret_path, error);
}
