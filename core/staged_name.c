/* Reading the names of staged files. See staged_name.h. */
#include "core/staged_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool jp_staged_is_marked(const char *name)
{
	static const char letters[] = {JP_STAGED_FLUSHED, JP_STAGED_WRITTEN, JP_STAGED_RESTORED,
				       JP_STAGED_COPY, JP_STAGED_PIN};

	return memchr(letters, name[0], sizeof(letters)) != NULL;
}

/* A number and the character after it. */
static bool take_number(const char **text, char after, uint64_t *ret)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret = strtoull(*text, &end, 10);
	if (errno != 0 || *end != after)
		return false;
	*text = end + 1;
	return true;
}

bool jp_staged_parse(const char *name, struct jp_staged *ret_staged)
{
	struct jp_staged staged = {.state = JP_STAGED_OPEN};
	size_t used = 0;

	if (jp_staged_is_marked(name))
		staged.state = (enum jp_staged_state) * name++;
	if (!take_number(&name, '.', &staged.number) ||
	    (staged.state != JP_STAGED_OPEN &&
	     (!take_number(&name, '-', &staged.ino) || !take_number(&name, '.', &staged.size))) ||
	    !take_number(&name, '.', &staged.id) || *name == '\0')
		return false;
	while (*name != '\0' && used < NAME_MAX) {
		bool is_slash = staged.state != JP_STAGED_OPEN && strncmp(name, "%2F", 3) == 0;
		bool is_percent = staged.state != JP_STAGED_OPEN && strncmp(name, "%25", 3) == 0;

		staged.path[used++] = is_slash ? '/' : is_percent ? '%' : *name;
		name += is_slash || is_percent ? 3 : 1;
	}
	*ret_staged = staged;
	return true;
}
