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
#include "fs/cli/open.h"
#include "fs/cli/phrase.h"
#include "fs/cli/place.h"
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

/* What is open while the workspace is listed. */
struct sources {
	struct jp_workspace workspace;
	struct jpfs_place place;
	char *silo_path; /* NULL: there is no silo */
	int durable_fd, workspace_fd, own_fd;
	uint64_t *drafts; /* sorted */
	size_t draft_count;
};

static void release_sources(struct sources *sources)
{
	jp_workspace_release(&sources->workspace);
	jpfs_place_release(&sources->place);
	free(sources->silo_path);
	free(sources->drafts);
	jp_closep(&sources->durable_fd);
	jp_closep(&sources->workspace_fd);
	jp_closep(&sources->own_fd);
}
#define cleanup_sources __attribute__((cleanup(release_sources)))

/* ---- where to look ---- */

/* The silo by its path, as the daemon of a mount names it. */
static int open_named_silo(const char *path, struct sources *sources)
{
	cleanup_close int silo =
		openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd;

	if (silo < 0)
		return -errno;
	fd = jp_open_beneath(silo, "conversations", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	sources->durable_fd = fd;
	sources->own_fd = jp_open_beneath(silo, "jpfs", O_PATH | O_DIRECTORY, 0);
	sources->silo_path = strdup(path);
	return sources->silo_path == NULL ? -ENOMEM : 0;
}

/* The daemon's environment may have been another one than ours, so its word goes first. But jp may
 * have folded its silo into another one since. */
static int open_silo(struct sources *sources, struct jp_error *error)
{
	const char *named = json_string_value(json_object_get(sources->place.status, "silo"));
	cleanup_silo struct jp_silo silo = {0};
	int r = -ENOENT;

	if (named != NULL)
		r = open_named_silo(named, sources);
	if (r != -ENOENT)
		return r < 0 ? jp_error_set(error, r, "%s: %s", named, strerrordesc_np(-r)) : r;
	r = jpfs_open_existing_silo(&sources->workspace, &silo, error);
	if (r == -ENOENT) { /* nothing was kept yet */
		*error = (struct jp_error){0};
		return 0;
	}
	if (r < 0)
		return r;
	sources->durable_fd = TAKE_FD(silo.conversations_fd);
	sources->own_fd = TAKE_FD(silo.own_fd);
	sources->silo_path = TAKE_PTR(silo.path);
	return 0;
}

static json_int_t count_of(const json_t *status, const char *object, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(status, object), key));
}

/* The mount's root, unless nothing is in it: whoever lists an empty view makes it go away. */
static int open_view(struct sources *sources, struct jp_error *error)
{
	const char *path = sources->place.mount_point;
	const json_t *status = sources->place.status;

	if (count_of(status, "conversations", "projected") +
		    count_of(status, "conversations", "workspace_only") ==
	    0)
		return 0;
	sources->workspace_fd =
		openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sources->workspace_fd < 0)
		return jp_error_set(error, -errno, "%s: %s", path, strerrordesc_np(errno));
	return 0;
}

static int open_real_directory(struct sources *sources, struct jp_error *error)
{
	int fd = jp_workspace_open_conversations(&sources->workspace, false, error);

	if (fd == -ENOENT) {
		*error = (struct jp_error){0};
		return 0;
	}
	if (fd < 0)
		return fd;
	sources->workspace_fd = fd;
	return 0;
}

static int compare_ids(const void *first, const void *second)
{
	const uint64_t *a = first, *b = second;

	return *a < *b ? -1 : *a > *b;
}

static int read_drafts(struct sources *sources)
{
	const json_t *list =
		json_object_get(json_object_get(sources->place.status, "conversations"), "drafts");
	const json_t *draft;
	size_t i;

	sources->drafts = calloc(json_array_size(list) + 1, sizeof(*sources->drafts));
	if (sources->drafts == NULL)
		return -ENOMEM;
	json_array_foreach(list, i, draft)
	{
		const char *id = json_string_value(draft);

		if (id != NULL &&
		    jp_conversation_id_parse(id, &sources->drafts[sources->draft_count]) == 0)
			sources->draft_count++;
	}
	qsort(sources->drafts, sources->draft_count, sizeof(*sources->drafts), compare_ids);
	return 0;
}

static int open_sources(const char *directory, struct sources *sources, struct jp_error *error)
{
	int r = jp_workspace_find(directory, &sources->workspace, error);

	if (r == 0)
		r = jpfs_place_find(sources->workspace.root_path, &sources->place, error);
	if (r < 0)
		return r;
	if (sources->place.state == JPFS_PLACE_DEAD) {
		jp_error_remedy(error, "`jpfs mount` mounts it anew");
		return jp_error_set(error, -ENOTCONN, "%s: its daemon is gone",
				    sources->place.mount_point);
	}
	r = open_silo(sources, error);
	if (r == 0)
		r = sources->place.state == JPFS_PLACE_MOUNTED
			    ? open_view(sources, error)
			    : open_real_directory(sources, error);
	return r == 0 ? read_drafts(sources) : r;
}

/* ---- telling scripts ---- */

static const char *presence_name(enum jpfs_presence presence)
{
	switch (presence) {
	case JPFS_LOCAL:
		return "local";
	case JPFS_WORKSPACE_ONLY:
		return "workspace-only";
	case JPFS_PROJECTED:
		break;
	}
	return "projected";
}

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

/* Where a conversation's files are, for a script to open: new text. */
static char *path_of(const struct sources *sources, const struct jpfs_listed *row)
{
	char *path = NULL;
	int n = row->workspace_path != NULL
			? asprintf(&path, "%s/%s", sources->place.mount_point, row->workspace_path)
			: asprintf(&path, "%s/conversations/%s", sources->silo_path,
				   row->durable_path);

	if (n < 0)
		return NULL;
	jp_utf8_make_valid(path);
	return path;
}

static json_t *json_row(const struct sources *sources, const struct jpfs_listed *row)
{
	const struct jp_summary *summary = &row->summary;
	cleanup_free char *path = path_of(sources, row);
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	char id[24];

	(void)snprintf(id, sizeof(id), "%" PRIu64, row->id);
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:I, s:I, s:I, s:o, s:o, "
			 "s:o, s:o}",
			 "id", id, "title", json_text(summary->title), "directory",
			 slash != NULL ? slash + 1 : "", "path", path != NULL ? path : "",
			 "presence", presence_name(row->presence), "archived", row->is_archived,
			 "draft", row->is_draft, "pinned", summary->is_pinned, "damaged",
			 json_damaged(summary->damaged), "events", (json_int_t)summary->events,
			 "turns", (json_int_t)summary->turns, "size", (json_int_t)summary->bytes,
			 "created", json_time(summary->created_ns), "last_activity",
			 json_time(jp_summary_activity_ns(summary)), "expires_at",
			 json_time(summary->expires_ns), "origin", json_text(row->origin));
}

static int print_json(const struct sources *sources, const struct jpfs_catalog *catalog)
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
		presence_name(row->presence),
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
	cleanup_sources struct sources sources = {
		.durable_fd = -EBADF, .workspace_fd = -EBADF, .own_fd = -EBADF};
	cleanup_catalog struct jpfs_catalog catalog = {0};
	struct arguments arguments = {.order = JPFS_BY_ACTIVITY};
	struct jpfs_catalog_request request;
	struct jp_error error = {0};
	int r = read_arguments(argc, argv, &arguments);

	if (r >= 0)
		return r;
	r = open_sources(arguments.directory, &sources, &error);
	if (r < 0)
		return jpfs_fail(r, &error);
	request = (struct jpfs_catalog_request){
		.durable_fd = sources.durable_fd,
		.workspace_fd = sources.workspace_fd,
		.own_fd = sources.own_fd,
		.drafts = sources.drafts,
		.draft_count = sources.draft_count,
		/* What is on its way to the store is seen through the mount already. */
		.prefers_workspace = count_of(sources.place.status, "pending", "commits") > 0,
		.with_archived = arguments.with_archived,
		.only_local = arguments.only_local,
	};
	r = jpfs_catalog_read(&request, &catalog);
	if (r == 0) {
		jpfs_catalog_sort(&catalog, arguments.order, arguments.is_reversed);
		r = arguments.as_json ? print_json(&sources, &catalog) : print_table(&catalog);
	}
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
