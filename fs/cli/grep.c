/*
 * `jpfs grep`: search in what was said, in all conversations of a project.
 *
 * They are read where `jpfs ls` reads them: from the store, drafts through the mount, what is only
 * in the worktree there. Several threads search, each the next conversation that nobody has. What
 * they find is printed in the order of the conversations: a thread keeps what it has found until it
 * is its conversation's turn, and when that is much it waits for it.
 *
 * Exit codes are grep's own, so that `if jpfs grep -q` means what one thinks.
 */
#include "fs/cli/command.h"

#include "core/base/io.h"
#include "core/managed.h"
#include "fs/cli/grep_output.h"
#include "include/jpfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
	THREADS_MAX = 8,
	ROWS_FOR_A_THREAD = 8,   /* fewer are searched before another one runs */
	KEPT_BYTES = 256 * 1024, /* found by one thread before its turn; then it waits */

	EXIT_FOUND = 0,
	EXIT_NOT_FOUND = 1,
	EXIT_TROUBLE = 2,
};

struct arguments {
	char *pattern; /* owned; several with line ends between them; NULL: none was given yet */
	const char *directory;
	struct jp_pattern_options how;
	struct jp_search_options search;
	struct jpfs_grep_output output;
	bool is_quiet, without_archived, only_local;
	int colour; /* 1 always, 0 never, -1 where there is somebody to see it */
};

struct grep {
	const struct arguments *arguments;
	struct jpfs_sources sources;
	struct jpfs_catalog_request request;
	struct jpfs_catalog catalog;
	struct jpfs_copies copies;
	atomic_size_t next; /* row that nobody has taken */
	atomic_bool is_found, has_failed, is_over;
	pthread_mutex_t lock;
	pthread_cond_t turns;
	size_t turn;     /* row whose turn it is; protected by lock */
	bool is_printed; /* something was; whose turn it is */
};

/* One thread, and the conversation that it is at. */
struct worker {
	struct grep *grep;
	struct jp_pattern pattern;
	size_t row;
	struct jpfs_grep_place place;
	struct jp_summary metadata;
	int dir;       /* the conversation's */
	bool is_begun; /* something of it was found */
	bool is_out;   /* ... and is on stdout */
	bool is_turn;
	FILE *memory; /* what waits for its turn, in `text` */
	char *text;
	size_t size;
};

/* ---- whose turn it is ---- */

static void wait_for_turn(struct worker *worker)
{
	struct grep *grep = worker->grep;

	if (worker->is_turn)
		return;
	pthread_mutex_lock(&grep->lock);
	while (grep->turn != worker->row)
		pthread_cond_wait(&grep->turns, &grep->lock);
	pthread_mutex_unlock(&grep->lock);
	worker->is_turn = true;
}

/* What was kept goes out. */
static void print_kept(struct worker *worker)
{
	const struct jpfs_grep_output *output = &worker->grep->arguments->output;

	if (fflush(worker->memory) != 0 || worker->size == 0)
		return; /* no memory: its stream remembers that */
	if (worker->grep->is_printed && !worker->is_out && output->form == JPFS_GREP_LINES &&
	    !output->as_json && !output->without_heading)
		(void)putchar('\n');
	worker->grep->is_printed = worker->is_out = true;
	(void)fwrite(worker->text, 1, worker->size, stdout); /* looked at when all is done */
	rewind(worker->memory);
}

static void end_turn(struct worker *worker)
{
	struct grep *grep = worker->grep;

	wait_for_turn(worker);
	print_kept(worker);
	worker->is_turn = false;
	pthread_mutex_lock(&grep->lock);
	grep->turn++;
	pthread_cond_broadcast(&grep->turns);
	pthread_mutex_unlock(&grep->lock);
}

/* ---- one conversation ---- */

/* The first that was found of it. */
static int begin_conversation(struct worker *worker)
{
	int r = jp_summary_read_metadata(worker->dir, worker->place.row->id, &worker->metadata);

	if (r < 0)
		return r;
	worker->place.title = worker->metadata.title;
	worker->is_begun = true;
	jpfs_grep_print_heading(&worker->grep->arguments->output, &worker->place, worker->memory);
	return 0;
}

static int take_line(void *context, const struct jp_found *found)
{
	struct worker *worker = context;
	const struct jpfs_grep_output *output = &worker->grep->arguments->output;
	int r = 0;

	if (worker->grep->arguments->is_quiet || output->form != JPFS_GREP_LINES)
		return 0;
	if (!worker->is_begun)
		r = begin_conversation(worker);
	if (r == 0)
		r = jpfs_grep_print_line(output, &worker->place, found, &worker->pattern,
					 worker->memory);
	if (r == 0 && ftello(worker->memory) > KEPT_BYTES) {
		wait_for_turn(worker);
		print_kept(worker);
	}
	return r;
}

/* Open its events.json, and its directory in worker->dir: of the copy that a reader gets, else of
 * the other. A descriptor or -errno. */
static int open_events(struct worker *worker)
{
	int fd = -ENOENT;

	for (int other = 0; other < 2 && fd < 0; other++) {
		int dir = jpfs_copies_open(&worker->grep->copies, worker->place.row, other != 0);

		if (dir == -EMFILE || dir == -ENFILE)
			return dir;
		if (dir < 0) {
			fd = other == 0 || fd == -ENOENT ? dir : fd;
			continue;
		}
		jp_closep(&worker->dir);
		worker->dir = dir;
		fd = jp_open_regular(dir, jp_managed_name(JP_EVENTS), O_RDONLY);
	}
	return fd;
}

static void complain(struct worker *worker, int r)
{
	const struct jpfs_listed *row = worker->place.row;

	atomic_store(&worker->grep->has_failed, true);
	jpfs_tell("%s: %s", row->workspace_path != NULL ? row->workspace_path : row->durable_path,
		  strerrordesc_np(-r));
}

static int search(struct worker *worker)
{
	const struct arguments *arguments = worker->grep->arguments;
	cleanup_close int fd = open_events(worker);
	struct jp_search_result result = {0};
	int r = fd;

	if (fd >= 0)
		r = jp_search_file(fd, &worker->pattern, &arguments->search, take_line, worker,
				   &result);
	if (r < 0)
		return r == -ENOENT ? 0 : r; /* it has gone, or nothing was said */
	if (result.unread > 0)
		complain(worker, -EFBIG);
	if (result.lines == 0)
		return 0;
	atomic_store(&worker->grep->is_found, true);
	if (arguments->is_quiet) {
		atomic_store(&worker->grep->is_over, true);
		return 0;
	}
	if (arguments->output.form == JPFS_GREP_LINES)
		return 0;
	r = begin_conversation(worker);
	return r < 0 ? r
		     : jpfs_grep_print_conversation(&arguments->output, &worker->place,
						    result.lines, worker->memory);
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct grep *grep = worker->grep;

	while (!atomic_load(&grep->is_over) &&
	       (worker->row = atomic_fetch_add(&grep->next, 1)) < grep->catalog.count) {
		int r;

		worker->place = (struct jpfs_grep_place){.row = &grep->catalog.rows[worker->row]};
		worker->is_begun = worker->is_out = false;
		r = search(worker);
		if (r < 0)
			complain(worker, r);
		jp_summary_release(&worker->metadata);
		end_turn(worker);
	}
	return NULL;
}

/* ---- all of them ---- */

static void worker_release(struct worker *worker)
{
	if (worker->memory != NULL && fclose(worker->memory) != 0)
		atomic_store(&worker->grep->has_failed, true);
	free(worker->text);
	jp_closep(&worker->dir);
	jp_pattern_release(&worker->pattern);
}

static int worker_init(struct worker *worker, struct grep *grep, struct jp_error *error)
{
	*worker = (struct worker){.grep = grep, .dir = -EBADF};
	worker->memory = open_memstream(&worker->text, &worker->size);
	if (worker->memory == NULL)
		return -ENOMEM;
	return jp_pattern_init(&worker->pattern, grep->arguments->pattern, &grep->arguments->how,
			       error);
}

static int search_all(struct grep *grep, struct jp_error *error)
{
	size_t wanted = grep->catalog.count / ROWS_FOR_A_THREAD + 1, ready = 0, running = 0;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct worker workers[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	int r = 0;

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (processors > 0 && wanted > (size_t)processors)
		wanted = (size_t)processors;
	while (r == 0 && ready < wanted)
		r = worker_init(&workers[ready++], grep, error);
	/* This thread is one of them; where others can't be had it does all. */
	while (r == 0 && running + 1 < wanted &&
	       pthread_create(&threads[running], NULL, work, &workers[running + 1]) == 0)
		running++;
	if (r == 0)
		(void)work(&workers[0]);
	while (running > 0)
		(void)pthread_join(threads[--running], NULL);
	while (ready > 0)
		worker_release(&workers[--ready]);
	return r;
}

static int run(struct grep *grep, struct jp_error *error)
{
	const struct arguments *arguments = grep->arguments;
	int r = jpfs_sources_open(arguments->directory, &grep->sources, error);

	if (r < 0)
		return r;
	grep->request = jpfs_sources_request(&grep->sources);
	grep->request.with_archived = !arguments->without_archived;
	grep->request.only_local = arguments->only_local;
	grep->request.without_summaries = true;
	r = jpfs_catalog_read(&grep->request, &grep->catalog);
	if (r == 0)
		r = jpfs_copies_init(&grep->copies, &grep->request);
	return r == 0 ? search_all(grep, error) : r;
}

static void release(struct grep *grep)
{
	jpfs_copies_release(&grep->copies);
	jpfs_catalog_release(&grep->catalog);
	jpfs_sources_release(&grep->sources);
}

/* ---- what was asked for ---- */

static int add_pattern(struct arguments *arguments, const char *text)
{
	char *before = arguments->pattern;

	if (before == NULL)
		arguments->pattern = strdup(text);
	else if (asprintf(&arguments->pattern, "%s\n%s", before, text) < 0)
		arguments->pattern = NULL;
	free(before);
	return arguments->pattern != NULL ? 0 : -ENOMEM;
}

/* -1 go on, or an exit code. */
static int read_number(const char *option, const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		return jpfs_fail_usage("grep", "grep: %s wants a number, not '%s'", option, text);
	return -1;
}

static int read_role(struct arguments *arguments, const char *text)
{
	for (int by = 0; by < JP_SAID_BY_COUNT; by++) {
		if (strcmp(text, jp_said_by_name((enum jp_said_by)by)) == 0) {
			arguments->search.by |= 1U << by;
			return -1;
		}
	}
	return jpfs_fail_usage("grep", "grep: there is no role '%s'", text);
}

static int read_colour(struct arguments *arguments, const char *text)
{
	static const char *const words[] = {"never", "always", "auto"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(text, words[i]) == 0) {
			arguments->colour = i < 2 ? i : -1;
			return -1;
		}
	}
	return jpfs_fail_usage("grep", "grep: colour is auto, always or never, not '%s'", text);
}

static int read_lines(struct arguments *arguments, int option, const char *text)
{
	uint64_t lines;
	int r = read_number(option == 'A'   ? "-A"
			    : option == 'B' ? "-B"
			    : option == 'm' ? "-m"
					    : "--context",
			    text, &lines);

	if (option == 'm') {
		arguments->search.lines_max = lines;
		return r;
	}
	if (option != 'B')
		arguments->search.after = (size_t)lines;
	if (option != 'A')
		arguments->search.before = (size_t)lines;
	return r;
}

enum { JSON = 256, NO_ARCHIVED, LOCAL, ROLE, COLOUR, CONTEXT, NO_HEADING };

/* -1 go on, or an exit code. */
static int read_option(struct arguments *arguments, int option, char **argv)
{
	switch (option) {
	case 'i':
		arguments->how.ignore_case = true;
		return -1;
	case 'w':
		arguments->how.is_word = true;
		return -1;
	case 'F':
	case 'E':
		arguments->how.is_fixed = option == 'F';
		return -1;
	case 'l':
	case 'c':
		arguments->output.form = option == 'l' ? JPFS_GREP_CONVERSATIONS : JPFS_GREP_COUNTS;
		return -1;
	case 'n': /* a habit; the turn always stands there */
		return -1;
	case 'q':
		arguments->is_quiet = true;
		return -1;
	case 'e':
		return add_pattern(arguments, optarg) < 0 ? EXIT_TROUBLE : -1;
	case 'm':
	case 'A':
	case 'B':
	case CONTEXT:
		return read_lines(arguments, option, optarg);
	case ROLE:
		return read_role(arguments, optarg);
	case COLOUR:
		return read_colour(arguments, optarg);
	case JSON:
		arguments->output.as_json = true;
		return -1;
	case NO_ARCHIVED:
		arguments->without_archived = true;
		return -1;
	case LOCAL:
		arguments->only_local = true;
		return -1;
	case NO_HEADING:
		arguments->output.without_heading = true;
		return -1;
	default:
		return jpfs_common_option("grep", option, argv);
	}
}

/* -1 go on, or an exit code. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option long_options[] = {
		{"ignore-case", no_argument, NULL, 'i'},
		{"fixed-strings", no_argument, NULL, 'F'},
		{"extended-regexp", no_argument, NULL, 'E'},
		{"word-regexp", no_argument, NULL, 'w'},
		{"regexp", required_argument, NULL, 'e'},
		{"files-with-matches", no_argument, NULL, 'l'},
		{"count", no_argument, NULL, 'c'},
		{"quiet", no_argument, NULL, 'q'},
		{"max-count", required_argument, NULL, 'm'},
		{"after-context", required_argument, NULL, 'A'},
		{"before-context", required_argument, NULL, 'B'},
		{"context", required_argument, NULL, CONTEXT},
		{"role", required_argument, NULL, ROLE},
		{"local", no_argument, NULL, LOCAL},
		{"no-archived", no_argument, NULL, NO_ARCHIVED},
		{"no-heading", no_argument, NULL, NO_HEADING},
		{"color", required_argument, NULL, COLOUR},
		{"colour", required_argument, NULL, COLOUR},
		{"json", no_argument, NULL, JSON},
		JPFS_COMMON_LONG,
	};
	int option, r;

	while ((option = getopt_long(argc, argv, ":iFEwe:lcnqm:A:B:" JPFS_COMMON_SHORT,
				     long_options, NULL)) != -1) {
		r = read_option(arguments, option, argv);
		if (r >= 0)
			return r;
	}
	if (arguments->pattern == NULL && optind == argc)
		return jpfs_fail_usage("grep", "grep: what is to be searched for?");
	if (arguments->pattern == NULL && add_pattern(arguments, argv[optind++]) < 0)
		return EXIT_TROUBLE;
	r = jpfs_directory_argument("grep", argc, argv, &arguments->directory);
	return r != 0 ? r : -1;
}

static void settle(struct arguments *arguments)
{
	if (arguments->search.by == 0)
		arguments->search.by = (1U << JP_SAID_BY_COUNT) - 1;
	/* One is enough to know. */
	if (arguments->is_quiet ||
	    (arguments->output.form == JPFS_GREP_CONVERSATIONS && arguments->search.lines_max > 0))
		arguments->search.lines_max = 1;
	arguments->output.has_colour =
		arguments->colour < 0 ? jpfs_has_colour() : arguments->colour > 0;
}

int jpfs_command_grep(int argc, char **argv)
{
	struct arguments arguments = {.search.lines_max = UINT64_MAX, .colour = -1};
	struct grep grep = {
		.arguments = &arguments,
		.sources = JPFS_NO_SOURCES,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turns = PTHREAD_COND_INITIALIZER,
	};
	struct jp_error error = {0};
	int r = read_arguments(argc, argv, &arguments);

	if (r < 0) {
		settle(&arguments);
		arguments.output.sources = &grep.sources;
		r = run(&grep, &error);
		release(&grep);
		r = r < 0 ? jpfs_fail(r, &error) : -1;
		if (r == JPFS_EXIT_FAILED)
			r = EXIT_TROUBLE;
	}
	free(arguments.pattern);
	if (r >= 0)
		return r;
	if (arguments.is_quiet && atomic_load(&grep.is_found))
		return EXIT_FOUND;
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		jpfs_tell("stdout: %s", strerrordesc_np(errno));
		return EXIT_TROUBLE;
	}
	if (atomic_load(&grep.has_failed))
		return EXIT_TROUBLE;
	return atomic_load(&grep.is_found) ? EXIT_FOUND : EXIT_NOT_FOUND;
}
