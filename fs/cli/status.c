/*
 * `jpfs status`: what is mounted, for people and for scripts.
 *
 * A mount tells about itself in `.jpfs/status.json`, and this passes it on. What has no daemon to
 * ask (not mounted, dead, detached) gets the same object with what can be told from outside, so
 * that a script has one shape to read.
 */
#include "fs/cli/command.h"

#include "core/base/utf8.h"
#include "core/silo.h"
#include "core/workspace.h"
#include "fs/cli/json.h"
#include "fs/cli/place.h"
#include "fs/lockfile.h"
#include "fs/mountinfo.h"
#include "include/jpfs.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	WORD_WIDTH = 15, /* "conversations: " */
	LINE_BYTES_MAX = 8192,
};

/* ---- gathering ---- */

/* A path as JSON, new. JSON is text; bytes that are none become '?'. */
static json_t *path_to_json(const char *path)
{
	cleanup_free char *text = strdup(path);

	if (text == NULL)
		return json_null();
	jp_utf8_make_valid(text);
	return json_string(text);
}

/* A daemon knows where its worktree was when it began; it may have been moved since. */
static void set_root(json_t *object, const char *mount_point)
{
	static const char below[] = "/.jp/conversations";
	cleanup_free char *root = strdup(mount_point);
	size_t size = strlen(mount_point), below_size = sizeof(below) - 1;

	if (root == NULL || size <= below_size || strcmp(root + size - below_size, below) != 0)
		return; /* what it says is all there is */
	root[size - below_size] = '\0';
	(void)json_object_set_new(object, "root", path_to_json(root));
}

/* The object of a place, new; the daemon's own words first. NULL when there is no memory. */
static json_t *describe(const struct jpfs_place *place, const char *state)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "mount_point", path_to_json(place->mount_point)) < 0 ||
	    json_object_set_new(object, "state", json_string(state)) < 0 ||
	    (place->status != NULL && json_object_update(object, place->status) < 0)) {
		json_decref(object);
		return NULL;
	}
	if (place->status != NULL)
		set_root(object, place->mount_point);
	return object;
}

static const char *state_name(enum jpfs_place_state state)
{
	switch (state) {
	case JPFS_PLACE_MOUNTED:
		return "mounted";
	case JPFS_PLACE_DEAD:
		return "dead";
	case JPFS_PLACE_NOT_MOUNTED:
		break;
	}
	return "not mounted";
}

/* Who has the lock of a workspace that is not mounted, or how the last one ended. */
static void add_lock_state(json_t *object, const struct jp_silo *silo,
			   const struct jp_workspace *workspace)
{
	struct jpfs_lock_state state = {0};
	bool is_held = jpfs_lockfile_wait(silo, workspace, 0) == -ETIMEDOUT;

	if (jpfs_lockfile_read(silo, workspace, &state) < 0)
		return;
	if (is_held) {
		(void)json_object_set_new(object, "state", json_string("detached"));
		(void)json_object_set_new(object, "pid", json_integer(state.pid));
	} else if (strcmp(state.state, "failed") == 0) {
		(void)json_object_set_new(
			object, "last_error",
			json_pack("{s:n, s:s, s:s}", "when", "message", state.error, "remedy",
				  "mount it again, and what is missing is tried again"));
	}
}

/* What can be told without a daemon. Whatever cannot is null. */
static void add_outside(json_t *object, const struct jp_workspace *workspace, bool is_dead)
{
	cleanup_silo struct jp_silo silo = {0};
	const char *const keys[] = {"silo", "pid", "last_error"};

	(void)json_object_set_new(object, "version", json_string(JPFS_VERSION));
	(void)json_object_set_new(object, "workspace_id",
				  workspace->id[0] != '\0' ? json_string(workspace->id)
							   : json_null());
	(void)json_object_set_new(object, "root", path_to_json(workspace->root_path));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		(void)json_object_set_new(object, keys[i], json_null());
	if (jpfs_find_silo(workspace, &silo, NULL) < 0)
		return;
	(void)json_object_set_new(object, "silo", path_to_json(silo.path));
	if (!is_dead)
		add_lock_state(object, &silo, workspace);
}

static int gather_workspace(const struct jp_workspace *workspace, json_t *list,
			    struct jp_error *error)
{
	cleanup_place struct jpfs_place place = {0};
	json_t *object;
	int r = jpfs_place_find(workspace->root_path, &place, error);

	if (r < 0)
		return r;
	object = describe(&place, state_name(place.state));
	if (object == NULL)
		return -ENOMEM;
	if (place.state != JPFS_PLACE_MOUNTED)
		add_outside(object, workspace, place.state == JPFS_PLACE_DEAD);
	return json_array_append_new(list, object) < 0 ? -ENOMEM : 0;
}

/* One mount of many: where it does not answer, that is told and the others follow. */
static int gather_mount(const char *mount_point, json_t *list, int *exit_code)
{
	cleanup_place struct jpfs_place place = {0};
	struct jp_error error = {0};
	json_t *object;
	int r = jpfs_place_look(mount_point, &place, &error);

	if (r < 0) {
		*exit_code = jpfs_fail(r, &error);
		return 0;
	}
	if (place.state == JPFS_PLACE_NOT_MOUNTED)
		return 0; /* unmounted meanwhile, or beneath another filesystem */
	object = describe(&place, state_name(place.state));
	if (object == NULL)
		return -ENOMEM;
	return json_array_append_new(list, object) < 0 ? -ENOMEM : 0;
}

static int gather_all(json_t *list, int *exit_code, struct jp_error *error)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	int r = jpfs_mountinfo_read(&info);

	if (r < 0)
		return jp_error_set(error, r, "/proc/self/mountinfo: %s", strerrordesc_np(-r));
	for (size_t i = 0; i < info.count && r == 0; i++) {
		const struct jpfs_mount *mount = &info.mounts[i];

		if (jpfs_mount_is_jpfs(mount) && mount->user_id == geteuid())
			r = gather_mount(mount->mount_point, list, exit_code);
	}
	return r;
}

/* ---- printing ---- */

enum colour { PLAIN, GREEN, YELLOW, RED };

printf_like(3, 4) static void print_line(const char *word, enum colour colour, const char *format,
					 ...)
{
	static const char *const codes[] = {
		[PLAIN] = "", [GREEN] = "\033[32m", [YELLOW] = "\033[33m", [RED] = "\033[31m"};
	char line[LINE_BYTES_MAX];
	bool coloured = colour != PLAIN && jpfs_has_colour();
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	jp_make_printable(line);
	(void)printf("%s:%*s%s%s%s\n", word, WORD_WIDTH - (int)strlen(word) - 1, "",
		     coloured ? codes[colour] : "", line, coloured ? "\033[0m" : "");
}

/* A string of an object, or "". Borrowed. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void print_text(const char *word, const json_t *object, const char *key)
{
	const char *text = text_of(object, key);

	if (text[0] != '\0')
		print_line(word, PLAIN, "%s", text);
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_state(const json_t *object)
{
	const char *state = text_of(object, "state");
	bool is_mounted = strcmp(state, "mounted") == 0;

	if (strcmp(state, "dead") == 0)
		print_line("state", RED, "dead: its daemon is gone; `jpfs mount` mounts it anew");
	else if (strcmp(state, "detached") == 0)
		print_line("state", YELLOW,
			   "detached: its daemon lives, but nothing is mounted here");
	else
		print_line("state", is_mounted ? GREEN : PLAIN, "%s%s", state,
			   json_is_true(json_object_get(object, "read_only")) ? ", read-only" : "");
}

static void print_daemon(const json_t *object)
{
	const char *since = text_of(object, "mounted_since");

	if (number_of(object, "pid") != 0)
		print_line("daemon", PLAIN, "process %" JSON_INTEGER_FORMAT "%s%s",
			   number_of(object, "pid"), since[0] != '\0' ? ", since " : "", since);
}

static void print_conversations(const json_t *object)
{
	const json_t *counts = json_object_get(object, "conversations");
	const json_t *pending = json_object_get(object, "pending");
	const json_t *drafts = json_object_get(counts, "drafts");
	const json_t *draft;
	size_t i;

	if (counts == NULL)
		return;
	print_line("conversations", PLAIN,
		   "%" JSON_INTEGER_FORMAT " projected, %" JSON_INTEGER_FORMAT
		   " workspace-only, %" JSON_INTEGER_FORMAT " local; %" JSON_INTEGER_FORMAT
		   " archived",
		   number_of(counts, "projected"), number_of(counts, "workspace_only"),
		   number_of(counts, "local"), number_of(counts, "archived"));
	json_array_foreach(drafts, i, draft)
	{
		if (json_string_value(draft) != NULL)
			print_line("draft", YELLOW, "%s", json_string_value(draft));
	}
	if (number_of(pending, "commits") + number_of(pending, "projections") == 0)
		print_line("pending", PLAIN, "nothing");
	else
		print_line("pending", YELLOW,
			   "%" JSON_INTEGER_FORMAT " to the store, %" JSON_INTEGER_FORMAT
			   " to the workspace",
			   number_of(pending, "commits"), number_of(pending, "projections"));
}

/* Said only where it makes things slower. */
static void print_kernel_cache(const json_t *object)
{
	const json_t *cache = json_object_get(object, "kernel_cache");

	if (json_is_null(cache))
		print_line("cache", YELLOW,
			   "none: every access asks the daemon (changes of the store are not "
			   "heard of, or -o uncached)");
	else if (json_is_false(json_object_get(cache, "complete")))
		print_line("cache", YELLOW,
			   "of a part: no inotify watches were left; raise "
			   "fs.inotify.max_user_watches and mount again");
}

/* What a killed daemon had received, when this one began. */
static void print_recovered(const json_t *object)
{
	const json_t *counts = json_object_get(object, "recovered");
	json_int_t all = number_of(counts, "current") + number_of(counts, "history") +
			 number_of(counts, "trash");

	if (all > 0)
		print_line("recovered", YELLOW,
			   "from a daemon that was killed: %" JSON_INTEGER_FORMAT
			   " current, %" JSON_INTEGER_FORMAT " in history, %" JSON_INTEGER_FORMAT
			   " in the trash",
			   number_of(counts, "current"), number_of(counts, "history"),
			   number_of(counts, "trash"));
}

static void print_error(const json_t *object)
{
	const json_t *last = json_object_get(object, "last_error");
	const char *when = text_of(last, "when"), *remedy = text_of(last, "remedy");

	if (!json_is_object(last))
		return;
	print_line("last error", RED, "%s%s%s", when, when[0] != '\0' ? " " : "",
		   text_of(last, "message"));
	if (remedy[0] != '\0')
		print_line("hint", PLAIN, "%s", remedy);
}

static void print_object(const json_t *object)
{
	print_text("mount point", object, "mount_point");
	print_state(object);
	print_text("workspace", object, "root");
	print_text("id", object, "workspace_id");
	print_text("kept in", object, "silo");
	print_daemon(object);
	print_conversations(object);
	print_kernel_cache(object);
	print_recovered(object);
	print_error(object);
}

static int print_all(const json_t *list, bool as_json)
{
	const json_t *object;
	size_t i;

	if (as_json)
		return jpfs_print_json(list);
	if (json_array_size(list) == 0)
		(void)puts("nothing is mounted");
	json_array_foreach(list, i, object)
	{
		if (i > 0)
			(void)putchar('\n');
		print_object(object);
	}
	return 0;
}

int jpfs_command_status(int argc, char **argv)
{
	enum { JSON = 256 };
	static const struct option long_options[] = {
		{"json", no_argument, NULL, JSON},
		JPFS_COMMON_LONG,
	};
	cleanup_workspace struct jp_workspace workspace = {0};
	json_auto_t *list = json_array();
	struct jp_error error = {0};
	const char *directory;
	bool as_json = false;
	int option, r, exit_code = JPFS_EXIT_DONE;

	while ((option = getopt_long(argc, argv, ":" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		if (option == JSON) {
			as_json = true;
			continue;
		}
		r = jpfs_common_option("status", option, argv);
		if (r >= 0)
			return r;
	}
	r = jpfs_directory_argument("status", argc, argv, &directory);
	if (r != 0)
		return r;
	r = jp_workspace_find(directory, &workspace, &error);
	if (r == 0)
		r = gather_workspace(&workspace, list, &error);
	else if (r == -ENOMEDIUM && optind == argc)
		r = gather_all(list, &exit_code, &error);
	if (r == 0)
		r = print_all(list, as_json);
	return r < 0 ? jpfs_fail(r, &error) : exit_code;
}
