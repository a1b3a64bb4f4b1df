/* Which conversation a word on the command line means. See pick.h. */
#include "fs/cli/pick.h"

#include "core/conversation_id.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMED_MAX 4 /* of those that a prefix fits */

int jpfs_choice_read(int conversations_fd, int workspace_fd, struct jpfs_choice *ret_choice)
{
	struct jpfs_choice choice = {0};
	int r = 0;

	if (conversations_fd >= 0)
		r = jp_dir_index_read(conversations_fd, &choice.durable, &choice.durable_count);
	if (r == 0 && workspace_fd >= 0)
		r = jp_dir_index_read(workspace_fd, &choice.here, &choice.here_count);
	if (r < 0) {
		jpfs_choice_release(&choice);
		return r;
	}
	*ret_choice = choice;
	return 0;
}

void jpfs_choice_release(struct jpfs_choice *choice)
{
	jp_index_entries_free(choice->durable, choice->durable_count);
	jp_index_entries_free(choice->here, choice->here_count);
	*choice = (struct jpfs_choice){0};
}

static const struct jp_index_entry *find(const struct jp_index_entry *entries, size_t count,
					 uint64_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (entries[i].id == id)
			return &entries[i];
	}
	return NULL;
}

/* A path as the kernel spells it, if there is such a thing; a new string or NULL. */
static char *full_path(const char *text)
{
	cleanup_close int fd = openat(AT_FDCWD, text, O_PATH | O_CLOEXEC);
	char link[64], path[PATH_MAX];
	ssize_t n = -1;

	if (fd >= 0) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlinkat(AT_FDCWD, link, path, sizeof(path));
	}
	return n > 0 ? strndup(path, (size_t)n) : strdup(text);
}

/* The ID in a path: the last of its names that is a conversation's. */
static bool id_of_path(const char *text, uint64_t *ret_id)
{
	cleanup_free char *copy = full_path(text);
	char *rest = copy, *name;
	bool is_found = false;

	while (rest != NULL && (name = strsep(&rest, "/")) != NULL)
		is_found = jp_conversation_id_parse(name, ret_id) == 0 || is_found;
	return is_found;
}

/* IDs that begin with these digits, each once; at most `room` are returned of `*ret_count`. */
static void find_beginning(const struct jp_index_entry *entries, size_t count, const char *digits,
			   uint64_t *ids, size_t room, size_t *ret_count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_known = false;

		if (strncmp(entries[i].name, digits, strlen(digits)) != 0)
			continue;
		for (size_t k = 0; k < *ret_count && k < room; k++)
			is_known = is_known || ids[k] == entries[i].id;
		if (is_known)
			continue;
		if (*ret_count < room)
			ids[*ret_count] = entries[i].id;
		(*ret_count)++;
	}
}

static int pick_by_beginning(const struct jpfs_choice *choice, const char *text, uint64_t *ret_id,
			     struct jp_error *error)
{
	uint64_t ids[NAMED_MAX + 1] = {0};
	char names[128] = "";
	size_t count = 0;

	find_beginning(choice->durable, choice->durable_count, text, ids, NAMED_MAX + 1, &count);
	find_beginning(choice->here, choice->here_count, text, ids, NAMED_MAX + 1, &count);
	if (count == 1) {
		*ret_id = ids[0];
		return 0;
	}
	if (count == 0)
		return -ENOENT;
	for (size_t i = 0; i < count && i < NAMED_MAX; i++) {
		size_t used = strlen(names);

		(void)snprintf(names + used, sizeof(names) - used, "%s%" PRIu64, i > 0 ? ", " : "",
			       ids[i]);
	}
	jp_error_remedy(error, "give more digits; they begin so: %s%s", names,
			count > NAMED_MAX ? " and more" : "");
	return jp_error_set(error, -ENOTUNIQ, "%s: more than one conversation begins so", text);
}

int jpfs_pick(const struct jpfs_choice *choice, const char *text, struct jpfs_picked *ret_picked,
	      struct jp_error *error)
{
	const struct jp_index_entry *durable = NULL, *here = NULL;
	bool is_number = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
	uint64_t id = 0;
	int r = -ENOENT;

	if (jp_conversation_id_parse(text, &id) == 0 || (!is_number && id_of_path(text, &id))) {
		durable = find(choice->durable, choice->durable_count, id);
		here = find(choice->here, choice->here_count, id);
	}
	if (durable == NULL && here == NULL && is_number) {
		r = pick_by_beginning(choice, text, &id, error);
		if (r == -ENOTUNIQ)
			return r;
		if (r == 0) {
			durable = find(choice->durable, choice->durable_count, id);
			here = find(choice->here, choice->here_count, id);
		}
	}
	if (durable == NULL && here == NULL) {
		jp_error_remedy(error, "`jpfs ls` lists them; --archived the archived ones, too");
		return jp_error_set(error, -ENOENT, "%s: there is no such conversation", text);
	}
	*ret_picked = (struct jpfs_picked){.id = id};
	if (durable != NULL) {
		ret_picked->is_durable = true;
		ret_picked->durable_is_archived = durable->is_archived;
		(void)snprintf(ret_picked->durable_name, sizeof(ret_picked->durable_name), "%s",
			       durable->name);
	}
	if (here != NULL) {
		ret_picked->is_here = true;
		ret_picked->here_is_archived = here->is_archived;
		(void)snprintf(ret_picked->here_name, sizeof(ret_picked->here_name), "%s",
			       here->name);
	}
	return 0;
}
