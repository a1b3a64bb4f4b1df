/*
 * `jpfs ls`: the conversations of a workspace, for people and for scripts.
 *
 * What is in the workspace is what its directory lists: the mount's root when it is mounted, as the
 * real directory is beneath it then, and the real one otherwise. Everything else comes from the
 * store, so the list is the same before and after mounting. It is only looked at: nothing is made
 * or imported. A workspace that is new to the store is asked about, as at mounting.
 */
#include "fs/cli/command.h"

#include "core/base/io.h"
#include "core/base/utf8.h"
#include "core/conversation_id.h"
#include "core/managed.h"
#include "core/silo.h"
#include "core/workspace.h"
#include "fs/cli/catalog.h"
#include "fs/cli/json.h"
#include "fs/cli/phrase.h"
#include "fs/cli/sources.h"
#include "fs/cli/table.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct arguments {
	const char *directory;
	enum jpfs_catalog_order order;
	bool is_reversed, as_json, with_archived, only_local;
};

/* ---- telling scripts ---- */

static json_t *json_text(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *json_time(int64_t ns)
{
	char text[JP_TIMESTAMP_TEXT_BYTES];

	if (ns == JP_TIME_UNKNOWN)
		return json_null();
	jp_timestamp_format(ns, text);
	return json_string(text);
}

static json_t *json_damaged(unsigned damaged)
{
	json_t *list = json_array();

	for (int which = 0; which < JP_MANAGED_COUNT; which++) {
		if ((damaged & 1U << which) != 0)
			(void)json_array_append_new(
				list, json_string(jp_managed_name((enum jp_managed)which)));
	}
	return list;
}

static json_t *json_row(const struct jpfs_sources *sources, const struct jpfs_listed *row)
{
	const struct jp_summary *summary = &row->summary;
	cleanup_free char *path = jpfs_sources_path(sources, row);
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	char id[24];

	(void)snprintf(id, sizeof(id), "%" PRIu64, row->id);
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:I, s:I, s:I, s:o, s:o, "
			 "s:o, s:o}",
			 "id", id, "title", json_text(summary->title), "directory",
			 slash != NULL ? slash + 1 : "", "path", path != NULL ? path : "",
			 "presence", jpfs_presence_name(row->presence), "archived",
			 row->is_archived, "draft", row->is_draft, "pinned", summary->is_pinned,
			 "damaged", json_damaged(summary->damaged), "events",
			 (json_int_t)summary->events, "turns", (json_int_t)summary->turns, "size",
			 (json_int_t)summary->bytes, "created", json_time(summary->created_ns),
			 "last_activity", json_time(jp_summary_activity_ns(summary)), "expires_at",
			 json_time(summary->expires_ns), "origin", json_text(row->origin));
}

static int print_json(const struct jpfs_sources *sources, const struct jpfs_catalog *catalog)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; i < catalog->count; i++) {
		if (json_array_append_new(list, json_row(sources, &catalog->rows[i])) < 0)
			return -ENOMEM;
	}
	return jpfs_print_json(list);
}

/* ---- telling people ---- */

/* In the order in which add_cells() fills them. */
static const struct jpfs_column columns[] = {
	{.title = "ID"},
	{.title = "EVENTS", .is_right = true, .importance = 3},
	{.title = "ACTIVITY", .importance = 1},
	{.title = "SIZE", .is_right = true, .importance = 5},
	{.title = "PRESENCE", .importance = 2},
	{.title = "STATE"},
	{.title = "EXPIRES", .importance = 4},
	{.title = "ORIGIN", .columns_min = 8, .importance = 6},
	{.title = "TITLE", .columns_min = 16},
};
enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

static enum jpfs_colour describe_state(const struct jpfs_listed *row, char *text, size_t size)
{
	const struct {
		const char *word;
		enum jpfs_colour colour;
		bool is_so;
	} states[] = {
		{"pinned", JPFS_BOLD, row->summary.is_pinned},
		{"archived", JPFS_DIM, row->is_archived},
		{"draft", JPFS_YELLOW, row->is_draft},
		{"damaged", JPFS_RED, row->summary.damaged != 0},
	};
	enum jpfs_colour colour = JPFS_PLAIN;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]) && used < size; i++) {
		if (!states[i].is_so)
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
					 states[i].word);
		colour = states[i].colour;
	}
	return colour;
}

static int add_cells(struct jpfs_table *table, const struct jpfs_listed *row, int64_t now_ns)
{
	const struct jp_summary *summary = &row->summary;
	enum jpfs_colour colour = row->is_archived ? JPFS_DIM : JPFS_PLAIN, state_colour;
	char id[24], events[24], size[JPFS_PHRASE_BYTES], state[64];
	char activity[JPFS_PHRASE_BYTES], expiry[JPFS_PHRASE_BYTES];
	const char *const cells[COLUMN_COUNT] = {
		id,
		events,
		activity,
		size,
		jpfs_presence_name(row->presence),
		state,
		expiry,
		row->origin != NULL ? row->origin : "",
		summary->title != NULL ? summary->title : "",
	};
	int r = 0;

	(void)snprintf(id, sizeof(id), "%" PRIu64, row->id);
	(void)snprintf(events, sizeof(events), "%" PRIu64, summary->events);
	jpfs_phrase_size(summary->bytes, size);
	jpfs_phrase_time(jp_summary_activity_ns(summary), now_ns, activity);
	jpfs_phrase_time(summary->expires_ns, now_ns, expiry);
	state_colour = describe_state(row, state, sizeof(state));
	for (size_t i = 0; i < COLUMN_COUNT && r == 0; i++)
		r = jpfs_table_add(table, cells[i], cells[i] == state ? state_colour : colour);
	return r;
}

static int print_table(const struct jpfs_catalog *catalog)
{
	cleanup_table struct jpfs_table *table = NULL;
	struct timespec now;
	int r;

	if (catalog->count == 0) {
		(void)puts("no conversations");
		return 0;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	r = jpfs_table_new(columns, COLUMN_COUNT, &table);
	for (size_t i = 0; i < catalog->count && r == 0; i++)
		r = add_cells(table, &catalog->rows[i],
			      (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	if (r == 0)
		jpfs_table_print(table, stdout, jpfs_terminal_columns(), jpfs_has_colour());
	return r;
}

/* ---- what was asked for ---- */

static bool find_order(const char *name, enum jpfs_catalog_order *ret)
{
	static const char *const names[] = {
		[JPFS_BY_ACTIVITY] = "activity", [JPFS_BY_CREATED] = "created",
		[JPFS_BY_TITLE] = "title",       [JPFS_BY_SIZE] = "size",
		[JPFS_BY_EVENTS] = "events",     [JPFS_BY_ID] = "id",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum jpfs_catalog_order)i;
			return true;
		}
	}
	return false;
}

/* -1 go on, or an exit code. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	enum { JSON = 256, ARCHIVED, LOCAL, SORT };
	static const struct option long_options[] = {
		{"json", no_argument, NULL, JSON},   {"archived", no_argument, NULL, ARCHIVED},
		{"local", no_argument, NULL, LOCAL}, {"sort", required_argument, NULL, SORT},
		{"reverse", no_argument, NULL, 'r'}, JPFS_COMMON_LONG,
	};
	int option, r;

	while ((option = getopt_long(argc, argv, ":r" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		switch (option) {
		case JSON:
			arguments->as_json = true;
			break;
		case ARCHIVED:
			arguments->with_archived = true;
			break;
		case LOCAL:
			arguments->only_local = true;
			break;
		case SORT:
			if (!find_order(optarg, &arguments->order))
				return jpfs_fail_usage("ls", "ls: it cannot be sorted by '%s'",
						       optarg);
			break;
		case 'r':
			arguments->is_reversed = true;
			break;
		default:
			r = jpfs_common_option("ls", option, argv);
			if (r >= 0)
				return r;
		}
	}
	r = jpfs_directory_argument("ls", argc, argv, &arguments->directory);
	return r != 0 ? r : -1;
}

int jpfs_command_ls(int argc, char **argv)
{
	cleanup_sources struct jpfs_sources sources = JPFS_NO_SOURCES;
	cleanup_catalog struct jpfs_catalog catalog = {0};
	struct arguments arguments = {.order = JPFS_BY_ACTIVITY};
	struct jpfs_catalog_request request;
	struct jp_error error = {0};
	int r = read_arguments(argc, argv, &arguments);

	if (r >= 0)
		return r;
	r = jpfs_sources_open(arguments.directory, &sources, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	request = jpfs_sources_request(&sources);
	request.with_archived = arguments.with_archived;
	request.only_local = arguments.only_local;
	r = jpfs_catalog_read(&request, &catalog);
	if (r == 0) {
		jpfs_catalog_sort(&catalog, arguments.order, arguments.is_reversed);
		r = arguments.as_json ? print_json(&sources, &catalog) : print_table(&catalog);
	}
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
