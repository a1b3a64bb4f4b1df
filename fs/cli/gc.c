/*
 * `jpfs gc`: prunes the history and the trash. core/prune.h has what goes, and why these limits.
 *
 * It looks at nothing but the two directories, so it runs beside daemons, and needs no mount. What is
 * being staged is none of its business.
 */
#include "core/prune.h"
#include "core/timestamp.h"
#include "fs/cli/command.h"
#include "fs/cli/json.h"
#include "fs/cli/named.h"
#include "fs/cli/phrase.h"
#include "fs/log.h"
#include "include/jpfs.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct arguments {
	struct jp_limits limits;
	bool is_dry, as_json;
};

enum limit { AGE, KEEP, SIZE };

static int set_limit(struct jp_limits *limits, enum limit which, const char *text)
{
	int r = which == AGE    ? jp_limit_parse_age(text, &limits->age_ns)
		: which == KEEP ? jp_limit_parse_count(text, &limits->keep)
				: jp_limit_parse_size(text, &limits->size);

	/* Who asks for less than the grace means it. */
	if (r == 0 && which == AGE && limits->age_ns < limits->grace_ns)
		limits->grace_ns = limits->age_ns;
	return r;
}

/* What the environment says. 0 or an exit code. */
static int read_environment(struct jp_limits *limits)
{
	static const char *const names[] = {
		[AGE] = "JPFS_GC_AGE",
		[KEEP] = "JPFS_GC_KEEP",
		[SIZE] = "JPFS_GC_SIZE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *text = getenv(names[i]);

		if (text != NULL && text[0] != '\0' && set_limit(limits, (enum limit)i, text) < 0)
			return jpfs_fail_usage("gc", "%s=%s: not such a limit", names[i], text);
	}
	return 0;
}

static json_t *describe(const struct jp_kept *kept, enum jp_prune fate)
{
	const char *file = jp_kept_file(kept);
	char id[32], when[JP_TIMESTAMP_TEXT_BYTES];
	json_t *name = json_string(file);

	(void)snprintf(id, sizeof(id), "%" PRIu64, kept->id);
	jp_timestamp_format(kept->kept_ns, when);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:s}", "id", id, "version", kept->version,
			 "place", kept->is_trash ? "trash" : "history", "file",
			 name != NULL ? name : json_string("(not UTF-8)"), "kept", when, "size",
			 (json_int_t)kept->size, "reason", fate == JP_PRUNE_AGE ? "age" : "size");
}

/* What was done, for programs. */
static int print_json(const struct arguments *arguments, json_t *pruned, uint64_t freed,
		      uint64_t left, size_t left_count)
{
	json_t *root = json_pack("{s:b, s:o, s:I, s:{s:I, s:I}}", "dry_run", arguments->is_dry,
				 "pruned", pruned, "freed", (json_int_t)freed, "left", "count",
				 (json_int_t)left_count, "size", (json_int_t)left);
	int r = root == NULL ? -ENOMEM : 0;

	if (r == 0)
		r = jpfs_print_json(root);
	json_decref(root);
	return r;
}

static int prune(const struct jpfs_site *site, const struct arguments *arguments,
		 struct jp_error *error)
{
	const struct jp_silo *silo = &site->silo;
	cleanup_free struct jp_kept *list = NULL;
	cleanup_free enum jp_prune *fates = NULL;
	char size[JPFS_PHRASE_BYTES], rest[JPFS_PHRASE_BYTES];
	json_t *pruned = json_array();
	uint64_t freed = 0, left = 0;
	size_t count = 0, gone = 0;
	struct timespec now;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (site->has_silo)
		r = jp_kept_read_all(silo->history_fd, silo->trash_fd, &list, &count);
	fates = calloc(count + 1, sizeof(*fates));
	if (r == 0)
		r = fates == NULL ? -ENOMEM
				  : jp_prune_decide(list, count, &arguments->limits,
						    (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
						    fates);
	for (size_t i = 0; i < count && r == 0; i++) {
		const struct jp_kept *kept = &list[i];

		if (fates[i] == JP_PRUNE_NOT) {
			left += kept->size;
			continue;
		}
		if (!arguments->is_dry)
			r = jp_prune_remove(silo->history_fd, silo->trash_fd, kept);
		if (r < 0) {
			jp_error_set(error, r, "%s/jpfs/%s/%" PRIu64 "/%s: %s", silo->path,
				     kept->is_trash ? "trash" : "history", kept->id, kept->entry,
				     strerrordesc_np(-r));
			break;
		}
		gone++;
		freed += kept->size;
		if (arguments->as_json)
			(void)json_array_append_new(pruned, describe(kept, fates[i]));
		else
			jpfs_print(arguments->is_dry ? "would be pruned" : "pruned",
				   "%" PRIu64 "@%s %s", kept->id, kept->version,
				   jp_kept_file(kept));
	}
	if (r < 0) {
		json_decref(pruned);
		return r;
	}
	if (arguments->as_json)
		return print_json(arguments, pruned, freed, left, count - gone);
	json_decref(pruned);
	jpfs_phrase_size(freed, size);
	jpfs_phrase_size(left, rest);
	jpfs_print(arguments->is_dry ? "would be freed" : "freed", "%s; %zu with %s stay", size,
		   count - gone, rest);
	return 0;
}

/* -1 go on, or an exit code. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	enum { JSON = 256, LIMITS };
	static const struct option long_options[] = {
		{"json", no_argument, NULL, JSON},
		{"dry-run", no_argument, NULL, 'n'},
		{"age", required_argument, NULL, LIMITS + AGE},
		{"keep", required_argument, NULL, LIMITS + KEEP},
		{"size", required_argument, NULL, LIMITS + SIZE},
		JPFS_COMMON_LONG,
	};
	int option, r;

	while ((option = getopt_long(argc, argv, ":n" JPFS_COMMON_SHORT, long_options, NULL)) !=
	       -1) {
		switch (option) {
		case JSON:
			arguments->as_json = true;
			break;
		case 'n':
			arguments->is_dry = true;
			break;
		case LIMITS + AGE:
		case LIMITS + KEEP:
		case LIMITS + SIZE:
			if (set_limit(&arguments->limits, (enum limit)(option - LIMITS), optarg) <
			    0)
				return jpfs_fail_usage("gc", "gc: %s: not such a limit", optarg);
			break;
		default:
			r = jpfs_common_option("gc", option, argv);
			if (r >= 0)
				return r;
		}
	}
	return -1;
}

int jpfs_command_gc(int argc, char **argv)
{
	struct arguments arguments = {.limits = JP_LIMITS_DEFAULT};
	cleanup_site struct jpfs_site site = {0};
	struct jp_error error = {0};
	const char *directory;
	int r = read_environment(&arguments.limits);

	if (r != 0)
		return r;
	r = read_arguments(argc, argv, &arguments);
	if (r >= 0)
		return r;
	r = jpfs_directory_argument("gc", argc, argv, &directory);
	if (r != 0)
		return r;
	jpfs_log_open(true);
	r = jpfs_site_open(directory, false, &site);
	if (r != 0)
		return r;
	r = prune(&site, &arguments, &error);
	return r < 0 ? jpfs_fail(r, &error) : JPFS_EXIT_DONE;
}
