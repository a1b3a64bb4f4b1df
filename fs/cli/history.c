/*
 * `jpfs history`: which versions are kept, and what each has that the current one lacks.
 */
#include "core/event_diff.h"
#include "core/key_diff.h"
#include "core/managed.h"
#include "core/timestamp.h"
#include "fs/cli/command.h"
#include "fs/cli/json.h"
#include "fs/cli/named.h"
#include "fs/cli/phrase.h"
#include "fs/cli/table.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What one kept thing has, as seen from the current version. */
struct told {
	char words[JP_PHRASE_BYTES];
	bool has_counts;
	struct jp_event_changes changes; /* the counts only */
};

/* ---- in words ---- */

static int tell_events(int fd, int current, struct told *told)
{
	cleanup_events struct jp_events events = {0}, now = {0};
	int r = jp_events_read(fd, &events);

	if (r == 0 && current >= 0) {
		r = jp_events_read(current, &now);
		if (r == -EBADMSG)
			r = 0; /* compared with nothing */
	}
	if (r == 0)
		r = jp_events_compare(&events, &now, &told->changes);
	if (r < 0)
		return r;
	free(told->changes.items);
	told->changes.items = NULL;
	told->has_counts = true;
	jp_events_phrase(&told->changes, &events, told->words);
	return 0;
}

static int tell_keys(int fd, int current, struct told *told)
{
	cleanup_key_changes struct jp_key_changes changes = {0};
	int r = current < 0 ? 0 : jp_keys_compare(fd, current, &changes);

	if (r < 0 || current < 0)
		return r;
	if (changes.count == 0)
		(void)snprintf(told->words, sizeof(told->words), "the same values");
	else if (changes.count == 1 && changes.items[0].old != NULL)
		(void)snprintf(told->words, sizeof(told->words), "%.60s: %.80s",
			       changes.items[0].path, changes.items[0].old);
	for (size_t i = 0; i < changes.count && told->words[0] == '\0'; i++) {
		if (strcmp(changes.items[i].path, "title") == 0 && changes.items[i].old != NULL)
			(void)snprintf(told->words, sizeof(told->words),
				       "title: %.80s, %zu more values differ", changes.items[i].old,
				       changes.count - 1);
	}
	if (told->words[0] == '\0')
		(void)snprintf(told->words, sizeof(told->words), "%zu value%s differ%s",
			       changes.count, changes.count == 1 ? "" : "s",
			       changes.count == 1 ? "s" : "");
	return 0;
}

static void tell(const struct jpfs_site *site, const struct jpfs_named *named,
		 const struct jp_kept *kept, struct told *told)
{
	const char *file = kept->is_directory ? jp_managed_name(JP_EVENTS) : jp_kept_file(kept);
	enum jp_managed managed = jp_managed_from_name(file);
	cleanup_close int fd = -EBADF, current = -EBADF;
	int r = 0;

	*told = (struct told){.words = ""};
	if (managed == JP_UNMANAGED) {
		(void)snprintf(told->words, sizeof(told->words), "in the trash");
		return;
	}
	fd = jpfs_open_kept(site, kept, file);
	current = jpfs_open_current(site, &named->picked, file);
	r = fd < 0                 ? fd
	    : managed == JP_EVENTS ? tell_events(fd, current, told)
				   : tell_keys(fd, current, told);
	if (r == -EBADMSG)
		(void)snprintf(told->words, sizeof(told->words), "nothing that jp would accept");
	else if (r < 0)
		(void)snprintf(told->words, sizeof(told->words), "%s", strerrordesc_np(-r));
	if (kept->is_directory) {
		char words[JP_PHRASE_BYTES];

		(void)snprintf(words, sizeof(words), "in the trash, whole%s%.120s",
			       told->words[0] != '\0' ? ": " : "", told->words);
		memcpy(told->words, words, sizeof(words));
	}
}

/* In local time, to the minute. */
static void phrase_kept(int64_t ns, char text[JPFS_PHRASE_BYTES])
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm local;

	text[0] = '\0';
	if (localtime_r(&seconds, &local) != NULL)
		(void)strftime(text, JPFS_PHRASE_BYTES, "%Y-%m-%d %H:%M", &local);
}

/* ---- one conversation ---- */

static json_t *clean_string(const char *text)
{
	json_t *string = json_string(text);

	return string != NULL ? string : json_string("(not UTF-8)");
}

static json_t *version_json(const struct jpfs_site *site, const struct jp_kept *kept,
			    const struct told *told)
{
	char when[JP_TIMESTAMP_TEXT_BYTES];
	cleanup_free char *path = NULL;
	json_t *object;

	jp_timestamp_format(kept->kept_ns, when);
	if (asprintf(&path, "%s/jpfs/%s/%" PRIu64 "/%s", site->silo.path,
		     kept->is_trash ? "trash" : "history", kept->id, kept->entry) < 0) {
		path = NULL;
		return NULL;
	}
	object = json_pack("{s:s, s:s, s:s, s:o, s:b, s:I, s:o, s:o}", "version", kept->version,
			   "kept", when, "place", kept->is_trash ? "trash" : "history", "file",
			   clean_string(jp_kept_file(kept)), "directory", kept->is_directory,
			   "size", (json_int_t)kept->size, "what", clean_string(told->words),
			   "path", clean_string(path));
	if (object != NULL)
		json_object_set_new(object, "events",
				    !told->has_counts
					    ? json_null()
					    : json_pack("{s:I, s:I, s:I}", "more",
							(json_int_t)told->changes.removed, "other",
							(json_int_t)told->changes.changed, "fewer",
							(json_int_t)told->changes.added));
	return object;
}

static int print_json(json_t *root)
{
	int r = root == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = jpfs_print_json(root);
	json_decref(root);
	return r;
}

static int add_row(struct jpfs_table *table, const struct jp_kept *kept, const struct told *told)
{
	char when[JPFS_PHRASE_BYTES], size[JPFS_PHRASE_BYTES], file[NAME_MAX + 2];
	const char *const cells[] = {kept->version, when, file, size, told->words};
	int r = 0;

	phrase_kept(kept->kept_ns, when);
	jpfs_phrase_size(kept->size, size);
	(void)snprintf(file, sizeof(file), "%s%s", jp_kept_file(kept),
		       kept->is_directory ? "/" : "");
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]) && r == 0; i++)
		r = jpfs_table_add(table, cells[i], kept->is_trash ? JPFS_DIM : JPFS_PLAIN);
	return r;
}

static int list_versions(const struct jpfs_site *site, const struct jpfs_named *named, bool as_json)
{
	static const struct jpfs_column columns[] = {
		{.title = "VERSION"},
		{.title = "KEPT"},
		{.title = "FILE", .columns_min = 12},
		{.title = "SIZE", .is_right = true, .importance = 1},
		{.title = "WHAT IT HAS", .columns_min = 20},
	};
	cleanup_table struct jpfs_table *table = NULL;
	json_t *versions = json_array();
	int r = jpfs_table_new(columns, sizeof(columns) / sizeof(columns[0]), &table);

	for (size_t i = 0; i < named->kept_count && r == 0; i++) {
		struct told told;

		if (!jp_version_means(named->version, &named->kept[i]) && named->version[0] != '\0')
			continue;
		tell(site, named, &named->kept[i], &told);
		if (as_json)
			r = json_array_append_new(versions,
						  version_json(site, &named->kept[i], &told)) < 0
				    ? -ENOMEM
				    : 0;
		else
			r = add_row(table, &named->kept[i], &told);
	}
	if (r == 0 && as_json) {
		char id[32];

		(void)snprintf(id, sizeof(id), "%" PRIu64, named->picked.id);
		return print_json(json_pack("{s:s, s:o, s:o}", "id", id, "name",
					    clean_string(named->name), "versions", versions));
	}
	json_decref(versions);
	if (r == 0 && named->kept_count == 0)
		jpfs_print("nothing is kept", "%s", named->name);
	else if (r == 0)
		jpfs_table_print(table, stdout, jpfs_terminal_columns(), jpfs_has_colour());
	return r;
}

/* ---- all of them ---- */

/* The name of a conversation: where it is now, or as it went to the trash. */
static void find_name(const struct jpfs_choice *choice, const struct jp_kept *kept, size_t count,
		      char name[NAME_MAX + 1])
{
	struct jpfs_picked picked;
	char id[32];

	(void)snprintf(id, sizeof(id), "%" PRIu64, kept->id);
	if (jpfs_pick(choice, id, &picked, NULL) == 0 && picked.id == kept->id)
		(void)snprintf(name, NAME_MAX + 1, "%s",
			       picked.is_here ? picked.here_name : picked.durable_name);
	else
		jpfs_name_of_kept(kept, count, name);
}

static int add_conversation(const struct jpfs_choice *choice, const struct jp_kept *kept,
			    size_t count, struct jpfs_table *table, json_t *array)
{
	char id[32], versions[24] = "", trash[24] = "", size[JPFS_PHRASE_BYTES];
	char last[JPFS_PHRASE_BYTES], name[NAME_MAX + 1], when[JP_TIMESTAMP_TEXT_BYTES];
	const char *const cells[] = {id, versions, trash, size, last, name};
	size_t trash_count = 0;
	uint64_t bytes = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		bytes += kept[i].size;
		trash_count += kept[i].is_trash ? 1 : 0;
	}
	(void)snprintf(id, sizeof(id), "%" PRIu64, kept->id);
	find_name(choice, kept, count, name);
	jp_timestamp_format(kept->kept_ns, when);
	if (array != NULL)
		return json_array_append_new(array,
					     json_pack("{s:s, s:o, s:I, s:I, s:I, s:s}", "id", id,
						       "name", clean_string(name), "versions",
						       (json_int_t)(count - trash_count), "trash",
						       (json_int_t)trash_count, "size",
						       (json_int_t)bytes, "last_kept", when)) < 0
			       ? -ENOMEM
			       : 0;
	if (count > trash_count)
		(void)snprintf(versions, sizeof(versions), "%zu", count - trash_count);
	if (trash_count > 0)
		(void)snprintf(trash, sizeof(trash), "%zu", trash_count);
	jpfs_phrase_size(bytes, size);
	phrase_kept(kept->kept_ns, last);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]) && r == 0; i++)
		r = jpfs_table_add(table, cells[i], JPFS_PLAIN);
	return r;
}

static int list_all(const struct jpfs_site *site, const struct jpfs_choice *choice, bool as_json)
{
	static const struct jpfs_column columns[] = {
		{.title = "ID"},
		{.title = "VERSIONS", .is_right = true},
		{.title = "TRASH", .is_right = true},
		{.title = "SIZE", .is_right = true, .importance = 1},
		{.title = "LAST KEPT"},
		{.title = "NAME", .columns_min = 20},
	};
	cleanup_table struct jpfs_table *table = NULL;
	cleanup_free struct jp_kept *list = NULL;
	json_t *array = as_json ? json_array() : NULL;
	size_t count = 0;
	int r = jpfs_table_new(columns, sizeof(columns) / sizeof(columns[0]), &table);

	if (r == 0 && site->has_silo)
		r = jp_kept_read_all(site->silo.history_fd, site->silo.trash_fd, &list, &count);
	for (size_t i = 0, next; i < count && r == 0; i = next) {
		for (next = i; next < count && list[next].id == list[i].id;)
			next++;
		r = add_conversation(choice, &list[i], next - i, table, array);
	}
	if (r == 0 && as_json)
		return print_json(array);
	json_decref(array);
	if (r == 0 && count == 0)
		(void)puts("nothing is kept");
	else if (r == 0)
		jpfs_table_print(table, stdout, jpfs_terminal_columns(), jpfs_has_colour());
	return r;
}

int jpfs_command_history(int argc, char **argv)
{
	enum { JSON = 256 };
	static const struct option long_options[] = {
		{"json", no_argument, NULL, JSON},
		JPFS_COMMON_LONG,
	};
	cleanup_site struct jpfs_site site = {0};
	cleanup_choice struct jpfs_choice choice = {0};
	cleanup_named struct jpfs_named named = {0};
	struct jp_error error = {0};
	bool as_json = false;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		if (option == JSON) {
			as_json = true;
			continue;
		}
		r = jpfs_common_option("history", option, argv);
		if (r >= 0)
			return r;
	}
	if (argc - optind > 1)
		return jpfs_fail_usage("history", "history: one conversation at a time");
	jpfs_log_open(true);
	r = jpfs_site_open(".", false, &site);
	if (r != 0)
		return r;
	r = jpfs_site_choose(&site, &choice);
	if (r == 0 && optind < argc) {
		r = jpfs_named_find(&site, &choice, argv[optind], &named, &error);
		if (r == 0)
			r = list_versions(&site, &named, as_json);
	} else if (r == 0) {
		r = list_all(&site, &choice, as_json);
	}
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
