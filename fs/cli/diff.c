/*
 * `jpfs diff`: what two versions of a file do not have in common, in a person's words: events, or
 * keys, not lines of JSON.
 */
#include "core/base/io.h"
#include "core/event_diff.h"
#include "core/key_diff.h"
#include "core/managed.h"
#include "core/timestamp.h"
#include "fs/cli/command.h"
#include "fs/cli/json.h"
#include "fs/cli/named.h"
#include "fs/cli/table.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* One of the two. */
struct side {
	const struct jp_kept *kept; /* NULL: the current version */
	int fd;                     /* owned */
};

struct difference {
	const struct jpfs_named *named;
	const char *file;
	struct side old, new;
	bool as_json;
};

static void difference_release(struct difference *difference)
{
	jp_closep(&difference->old.fd);
	jp_closep(&difference->new.fd);
}

static json_t *make_string(const char *text)
{
	json_t *string = text != NULL ? json_string(text) : json_null();

	return string != NULL ? string : json_string("(not UTF-8)");
}

/* ---- events ---- */

static const char *const change_words[] = {
	[JP_EVENT_ADDED] = "added",
	[JP_EVENT_REMOVED] = "removed",
	[JP_EVENT_CHANGED] = "changed",
};

static json_t *event_json(const struct jp_event_change *change, const struct jp_events *old,
			  const struct jp_events *new)
{
	const struct jp_told_event *before =
		change->kind != JP_EVENT_ADDED ? &old->items[change->old_index] : NULL;
	const struct jp_told_event *after =
		change->kind != JP_EVENT_REMOVED ? &new->items[change->new_index] : NULL;
	const struct jp_told_event *any = after != NULL ? after : before;

	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "change", change_words[change->kind], "type",
			 make_string(any->type), "timestamp", make_string(any->time), "old",
			 make_string(before != NULL ? before->excerpt : NULL), "new",
			 make_string(after != NULL ? after->excerpt : NULL));
}

static int add_row(struct jpfs_table *table, enum jpfs_colour colour, const char *mark,
		   const struct jp_told_event *event, bool with_time)
{
	char when[JP_PHRASE_BYTES] = "";
	const char *const cells[] = {mark, when, with_time ? event->type : "", event->excerpt};
	int r = 0;

	if (with_time)
		jp_phrase_timestamp(event->time, when);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]) && r == 0; i++)
		r = jpfs_table_add(table, cells[i], colour);
	return r;
}

static int add_change(struct jpfs_table *table, const struct jp_event_change *change,
		      const struct jp_events *old, const struct jp_events *new)
{
	int r = 0;

	switch (change->kind) {
	case JP_EVENT_ADDED:
		return add_row(table, JPFS_PLAIN, "+", &new->items[change->new_index], true);
	case JP_EVENT_REMOVED:
		return add_row(table, JPFS_RED, "-", &old->items[change->old_index], true);
	case JP_EVENT_CHANGED:
		r = add_row(table, JPFS_YELLOW, "~", &old->items[change->old_index], true);
		if (r == 0 && strcmp(old->items[change->old_index].excerpt,
				     new->items[change->new_index].excerpt) != 0)
			r = add_row(table, JPFS_YELLOW, "", &new->items[change->new_index], false);
		break;
	}
	return r;
}

static int compare_events(const struct difference *difference, struct jpfs_table **ret_table,
			  json_t *array)
{
	static const struct jpfs_column columns[] = {
		{.title = " "},
		{.title = "TIME"},
		{.title = "EVENT"},
		{.title = "BEGINS", .columns_min = 20},
	};
	cleanup_events struct jp_events old = {0}, new = {0};
	struct jp_event_changes changes = {0};
	int r = jp_events_read(difference->old.fd, &old);

	if (r == 0)
		r = jp_events_read(difference->new.fd, &new);
	if (r == 0)
		r = jp_events_compare(&old, &new, &changes);
	if (r == 0 && changes.count > 0)
		r = jpfs_table_new(columns, sizeof(columns) / sizeof(columns[0]), ret_table);
	for (size_t i = 0; i < changes.count && r == 0; i++) {
		r = add_change(*ret_table, &changes.items[i], &old, &new);
		if (r == 0 &&
		    json_array_append_new(array, event_json(&changes.items[i], &old, &new)) < 0)
			r = -ENOMEM;
	}
	free(changes.items);
	return r;
}

/* ---- keys ---- */

static int compare_keys(const struct difference *difference, struct jpfs_table **ret_table,
			json_t *array)
{
	static const struct jpfs_column columns[] = {
		{.title = " "},
		{.title = "KEY", .columns_min = 12},
		{.title = "WAS", .columns_min = 12},
		{.title = "IS", .columns_min = 12},
	};
	cleanup_key_changes struct jp_key_changes changes = {0};
	int r = jp_keys_compare(difference->old.fd, difference->new.fd, &changes);

	if (r == 0 && changes.count > 0)
		r = jpfs_table_new(columns, sizeof(columns) / sizeof(columns[0]), ret_table);
	for (size_t i = 0; i < changes.count && r == 0; i++) {
		const struct jp_key_change *change = &changes.items[i];
		const char *const cells[] = {
			change->old == NULL   ? "+"
			: change->new == NULL ? "-"
					      : "~",
			change->path,
			change->old != NULL ? change->old : "",
			change->new != NULL ? change->new : "",
		};

		for (size_t k = 0; k < sizeof(cells) / sizeof(cells[0]) && r == 0; k++)
			r = jpfs_table_add(*ret_table, cells[k], JPFS_PLAIN);
		if (r == 0 &&
		    json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "key",
							   make_string(change->path), "old",
							   make_string(change->old), "new",
							   make_string(change->new))) < 0)
			r = -ENOMEM;
	}
	return r;
}

/* ---- both ---- */

static json_t *side_json(const struct side *side)
{
	char when[JP_TIMESTAMP_TEXT_BYTES];

	if (side->kept == NULL)
		return json_null();
	jp_timestamp_format(side->kept->kept_ns, when);
	return json_pack("{s:s, s:s}", "version", side->kept->version, "kept", when);
}

static void print_side(const struct difference *difference, const char *mark,
		       const struct side *side)
{
	char when[JP_TIMESTAMP_TEXT_BYTES];

	if (side->kept == NULL) {
		jpfs_print(mark, "%s/%s, the current version", difference->named->name,
			   difference->file);
		return;
	}
	jp_timestamp_format(side->kept->kept_ns, when);
	jpfs_print(mark, "%s/%s@%s, kept %s", difference->named->name, difference->file,
		   side->kept->version, when);
}

static int print_json(const struct difference *difference, json_t *changes)
{
	char id[32];
	json_t *root;
	int r = 0;

	(void)snprintf(id, sizeof(id), "%" PRIu64, difference->named->picked.id);
	root = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "id", id, "name",
			 make_string(difference->named->name), "file",
			 make_string(difference->file), "old", side_json(&difference->old), "new",
			 side_json(&difference->new), "changes", changes);
	if (root == NULL)
		return -ENOMEM;
	r = jpfs_print_json(root);
	json_decref(root);
	return r;
}

static int tell(const struct difference *difference, struct jp_error *error)
{
	cleanup_table struct jpfs_table *table = NULL;
	json_t *changes = json_array();
	int r;

	if (jp_managed_from_name(difference->file) == JP_EVENTS)
		r = compare_events(difference, &table, changes);
	else
		r = compare_keys(difference, &table, changes);
	if (r < 0) {
		json_decref(changes);
		jp_error_remedy(error, "`jpfs show` prints either of them");
		return jp_error_set(error, r, "%s/%s: cannot be compared: %s",
				    difference->named->name, difference->file,
				    r == -EBADMSG ? "jp would not accept one of them"
						  : strerrordesc_np(-r));
	}
	if (difference->as_json)
		return print_json(difference, changes);
	json_decref(changes);
	print_side(difference, "old", &difference->old);
	print_side(difference, "new", &difference->new);
	if (table != NULL)
		jpfs_table_print(table, stdout, jpfs_terminal_columns(), jpfs_has_colour());
	else
		(void)puts("no difference"); /* main() looks at stdout when all is done */
	return 0;
}

/* ---- what is meant ---- */

static int open_side(const struct jpfs_site *site, const struct jpfs_named *named, const char *file,
		     struct side *side, struct jp_error *error)
{
	side->fd = side->kept == NULL ? jpfs_open_current(site, &named->picked, file)
				      : jpfs_open_kept(site, side->kept, file);
	if (side->fd < 0)
		return jp_error_set(error, side->fd, "%s/%s: %s", named->name, file,
				    strerrordesc_np(-side->fd));
	return 0;
}

/* The newest version that is kept of the events. */
static int find_newest(const struct jpfs_named *named, struct jp_error *error)
{
	for (size_t i = 0; i < named->kept_count; i++) {
		if (jp_kept_is_called(&named->kept[i], jp_managed_name(JP_EVENTS)))
			return (int)i;
	}
	return jp_error_set(error, -ENOENT, "%s: no other version of its events is kept",
			    named->name);
}

static int compare(const struct jpfs_site *site, const struct jpfs_named *named, const char *second,
		   bool as_json, struct jp_error *error)
{
	__attribute__((cleanup(difference_release))) struct difference difference = {
		.named = named,
		.old = {.fd = -EBADF},
		.new = {.fd = -EBADF},
		.as_json = as_json,
	};
	int index = named->version[0] == '\0' ? find_newest(named, error)
					      : jp_kept_find(named->kept, named->kept_count,
							     named->version, NULL, error);
	int r = index;

	if (index < 0)
		return index;
	difference.old.kept = &named->kept[index];
	difference.file = jp_kept_is_conversation(difference.old.kept, NULL, NULL)
				  ? jp_managed_name(JP_EVENTS)
				  : jp_kept_file(difference.old.kept);
	if (jp_managed_from_name(difference.file) == JP_UNMANAGED) {
		jp_error_remedy(error, "`jpfs show` prints it");
		return jp_error_set(error, -EINVAL, "%s/%s: none of jp's files", named->name,
				    difference.file);
	}
	if (second != NULL) {
		r = jp_kept_find(named->kept, named->kept_count, second, difference.file, error);
		if (r < 0)
			return r;
		difference.new.kept = &named->kept[r];
	}
	r = open_side(site, named, difference.file, &difference.old, error);
	if (r == 0)
		r = open_side(site, named, difference.file, &difference.new, error);
	return r < 0 ? r : tell(&difference, error);
}

int jpfs_command_diff(int argc, char **argv)
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
	const char *second = NULL;
	bool as_json = false;
	int option, r;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		if (option == JSON) {
			as_json = true;
			continue;
		}
		r = jpfs_common_option("diff", option, argv);
		if (r >= 0)
			return r;
	}
	if (optind == argc || argc - optind > 2)
		return jpfs_fail_usage("diff", optind == argc ? "diff: which conversation?"
							      : "diff: two versions at most");
	if (argc - optind == 2) {
		second = argv[optind + 1][0] == '@' ? argv[optind + 1] + 1 : "";
		if (!jp_version_is_wellformed(second))
			return jpfs_fail_usage("diff", "diff: %s: a version begins with @",
					       argv[optind + 1]);
	}
	jpfs_log_open(true);
	r = jpfs_site_open(".", false, &site);
	if (r != 0)
		return r;
	r = jpfs_site_choose(&site, &choice);
	if (r == 0)
		r = jpfs_named_find(&site, &choice, argv[optind], &named, &error);
	if (r == 0)
		r = compare(&site, &named, second, as_json, &error);
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
