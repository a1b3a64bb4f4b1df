/*
 * Gathering what is in a workspace and in its store. See catalog.h.
 *
 * First the two directories are listed and matched, which is cheap and decides what is asked for at
 * all; then each conversation is read. That takes as long as reading its events takes, so several
 * threads share the rows, each taking the next one that nobody has.
 */
#include "fs/cli/catalog.h"

#include "core/base/io.h"
#include "core/base/utf8.h"
#include "core/dir_index.h"
#include "core/origin.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <wctype.h>

enum {
	THREADS_MAX = 8,
	ROWS_FOR_A_THREAD = 32, /* fewer are read before another one runs */
};

/* One of the two directories. */
struct side {
	int fd; /* borrowed; -EBADF: there is none */
	struct jp_index_entry *entries;
	size_t count;
};

static void release_side(struct side *side)
{
	jp_index_entries_free(side->entries, side->count);
	*side = (struct side){.fd = -EBADF};
}
#define cleanup_side __attribute__((cleanup(release_side)))

static int read_side(int fd, struct side *side)
{
	side->fd = fd;
	return fd < 0 ? 0 : jp_dir_index_read(fd, &side->entries, &side->count);
}

/* ---- matching ---- */

static void release_row(struct jpfs_listed *row)
{
	free(row->workspace_path);
	free(row->durable_path);
	free(row->origin);
	jp_summary_release(&row->summary);
	*row = (struct jpfs_listed){0};
}

void jpfs_catalog_release(struct jpfs_catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++)
		release_row(&catalog->rows[i]);
	free(catalog->rows);
	*catalog = (struct jpfs_catalog){0};
}

static int path_of(const struct jp_index_entry *entry, char **ret_path)
{
	if (entry == NULL)
		return 0;
	if (asprintf(ret_path, "%s%s", entry->is_archived ? JP_ARCHIVE_NAME "/" : "", entry->name) <
	    0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int compare_ids(const void *first, const void *second)
{
	const uint64_t *a = first, *b = second;

	return *a < *b ? -1 : *a > *b;
}

/* A row for what is here, there, or in both places. */
static int add_row(const struct jpfs_catalog_request *request, const struct jp_index_entry *durable,
		   const struct jp_index_entry *workspace, struct jpfs_catalog *catalog)
{
	const struct jp_index_entry *shown = workspace != NULL ? workspace : durable;
	struct jpfs_listed *row = &catalog->rows[catalog->count];

	assert(shown != NULL); /* an ID comes from one of them */
	if ((shown->is_archived && !request->with_archived) ||
	    (workspace != NULL && request->only_local))
		return 0;
	*row = (struct jpfs_listed){.id = shown->id, .is_archived = shown->is_archived};
	if (workspace == NULL)
		row->presence = JPFS_LOCAL;
	else if (durable == NULL)
		row->presence = JPFS_WORKSPACE_ONLY;
	row->is_draft =
		request->draft_count > 0 && bsearch(&row->id, request->drafts, request->draft_count,
						    sizeof(row->id), compare_ids) != NULL;
	catalog->count++;
	return path_of(workspace, &row->workspace_path) < 0 ||
			       path_of(durable, &row->durable_path) < 0
		       ? -ENOMEM
		       : 0;
}

/* The next entry of an ID, past others that it has: the live one goes first. */
static const struct jp_index_entry *take_entry(const struct side *side, size_t *at, uint64_t id)
{
	const struct jp_index_entry *entry = NULL;

	for (; *at < side->count && side->entries[*at].id == id; (*at)++) {
		if (entry == NULL)
			entry = &side->entries[*at];
	}
	return entry;
}

static int match(const struct jpfs_catalog_request *request, const struct side *durable,
		 const struct side *workspace, struct jpfs_catalog *catalog)
{
	size_t i = 0, k = 0;

	catalog->rows = calloc(durable->count + workspace->count + 1, sizeof(*catalog->rows));
	if (catalog->rows == NULL)
		return -ENOMEM;
	while (i < durable->count || k < workspace->count) {
		uint64_t id = i < durable->count ? durable->entries[i].id : UINT64_MAX;
		const struct jp_index_entry *there, *here;
		int r;

		if (k < workspace->count && workspace->entries[k].id < id)
			id = workspace->entries[k].id;
		there = take_entry(durable, &i, id);
		here = take_entry(workspace, &k, id);
		r = add_row(request, there, here, catalog);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- reading ---- */

struct reading {
	struct jpfs_copies copies;
	struct jpfs_catalog *catalog; /* each row is its taker's */
	atomic_size_t next;           /* row that nobody has taken */
	atomic_int failure;
};

int jpfs_copies_init(struct jpfs_copies *copies, const struct jpfs_catalog_request *request)
{
	int r;

	*copies = (struct jpfs_copies){.request = request};
	r = jp_dir_index_new(request->durable_fd, &copies->durable_index);
	return r < 0 ? r : jp_dir_index_new(request->workspace_fd, &copies->work_index);
}

void jpfs_copies_release(struct jpfs_copies *copies)
{
	jp_dir_index_free(copies->durable_index);
	jp_dir_index_free(copies->work_index);
	*copies = (struct jpfs_copies){0};
}

int jpfs_copies_open(struct jpfs_copies *copies, const struct jpfs_listed *row, bool on_other_side)
{
	const struct jpfs_catalog_request *request = copies->request;
	bool in_workspace = row->is_draft || request->prefers_workspace;
	char moved[JP_CONVERSATION_PATH_BYTES];
	const char *path;
	int dir, fd, r;

	if (row->presence == JPFS_WORKSPACE_ONLY || row->presence == JPFS_LOCAL)
		in_workspace = row->presence == JPFS_WORKSPACE_ONLY;
	in_workspace = in_workspace != on_other_side;
	path = in_workspace ? row->workspace_path : row->durable_path;
	fd = in_workspace ? request->workspace_fd : request->durable_fd;
	if (path == NULL)
		return -ENOENT;
	dir = jp_open_beneath(fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir != -ENOENT)
		return dir;
	/* Renamed since it was listed, with a new title or to the archive? */
	r = jp_dir_index_find(in_workspace ? copies->work_index : copies->durable_index, row->id,
			      moved, NULL);
	return r < 0 ? r : jp_open_beneath(fd, moved, O_RDONLY | O_DIRECTORY, 0);
}

/* Sum up a copy; -ENOENT there is none any more. */
static int read_copy(struct reading *reading, const struct jpfs_listed *row, bool on_other_side,
		     struct jp_summary *ret)
{
	cleanup_close int dir = jpfs_copies_open(&reading->copies, row, on_other_side);

	return dir < 0 ? dir : jp_summary_read(dir, row->id, ret);
}

static bool is_fatal(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

static int read_summary(struct reading *reading, struct jpfs_listed *row)
{
	cleanup_summary struct jp_summary other = {0};
	int r, r2;

	r = read_copy(reading, row, false, &row->summary);
	if (is_fatal(r) || (r == 0 && (row->summary.damaged == 0 || row->is_draft)))
		return r;
	r2 = read_copy(reading, row, true, &other);
	if (is_fatal(r2))
		return r2;
	if (r2 == 0 && (r < 0 || other.damaged == 0)) {
		jp_summary_release(&row->summary);
		row->summary = other;
		other = (struct jp_summary){0}; /* the row has it now */
		return 0;
	}
	return r;
}

/* What the store noted of it, else what its metadata say. */
static int read_origin(int own_fd, struct jpfs_listed *row)
{
	char name[NAME_MAX + 1];
	int r = own_fd < 0 ? -ENOENT : jp_origin_read(own_fd, row->id, name);

	if (is_fatal(r))
		return r;
	if (r < 0) {
		row->origin = TAKE_PTR(row->summary.origin);
		return 0;
	}
	jp_utf8_make_valid(name);
	row->origin = strdup(name);
	return row->origin != NULL ? 0 : -ENOMEM;
}

static int read_row(struct reading *reading, struct jpfs_listed *row)
{
	int r = read_summary(reading, row);

	if (r == -ENOENT) {
		row->is_gone = true;
		return 0;
	}
	if (is_fatal(r))
		return r;
	if (r < 0)
		row->summary = jp_summary_of_unreadable(row->id);
	return read_origin(reading->copies.request->own_fd, row);
}

static void *read_rows(void *context)
{
	struct reading *reading = context;
	size_t i;

	while (atomic_load(&reading->failure) == 0 &&
	       (i = atomic_fetch_add(&reading->next, 1)) < reading->catalog->count) {
		int r = read_row(reading, &reading->catalog->rows[i]);

		if (r < 0)
			atomic_store(&reading->failure, r);
	}
	return NULL;
}

static int read_all(struct reading *reading)
{
	size_t wanted = reading->catalog->count / ROWS_FOR_A_THREAD, running = 0, kept = 0;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[THREADS_MAX];

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (processors > 0 && wanted > (size_t)processors)
		wanted = (size_t)processors;
	/* This thread is one of them; where others can't be had it does all. */
	while (running + 1 < wanted &&
	       pthread_create(&threads[running], NULL, read_rows, reading) == 0)
		running++;
	(void)read_rows(reading);
	while (running > 0)
		(void)pthread_join(threads[--running], NULL);
	for (size_t i = 0; i < reading->catalog->count; i++) {
		if (reading->catalog->rows[i].is_gone)
			release_row(&reading->catalog->rows[i]);
		else
			reading->catalog->rows[kept++] = reading->catalog->rows[i];
	}
	reading->catalog->count = kept;
	return atomic_load(&reading->failure);
}

int jpfs_catalog_read(const struct jpfs_catalog_request *request, struct jpfs_catalog *ret_catalog)
{
	cleanup_side struct side durable = {.fd = -EBADF}, workspace = {.fd = -EBADF};
	cleanup_catalog struct jpfs_catalog catalog = {0};
	struct reading reading = {.catalog = &catalog};
	int r;

	r = read_side(request->durable_fd, &durable);
	if (r == 0)
		r = read_side(request->workspace_fd, &workspace);
	if (r == 0)
		r = match(request, &durable, &workspace, &catalog);
	if (r == 0 && !request->without_summaries)
		r = jpfs_copies_init(&reading.copies, request);
	if (r == 0 && !request->without_summaries)
		r = read_all(&reading);
	jpfs_copies_release(&reading.copies);
	if (r < 0)
		return r;
	*ret_catalog = catalog;
	catalog = (struct jpfs_catalog){0}; /* the caller has it now */
	return 0;
}

/* ---- order ---- */

struct ordering {
	enum jpfs_catalog_order order;
	bool is_reversed;
	locale_t locale; /* for letters; 0: only ASCII's are known */
};

/* The first character of a text, as a small letter; *text is moved past it. */
static wint_t next_letter(const struct ordering *ordering, const char **text, size_t *size)
{
	uint32_t code;
	size_t step = jp_utf8_next(*text, *size, &code);

	*text += step;
	*size -= step;
	if (ordering->locale != (locale_t)0)
		return towlower_l((wint_t)code, ordering->locale);
	return code >= 'A' && code <= 'Z' ? code - 'A' + 'a' : code;
}

static int compare_titles(const struct ordering *ordering, const char *first, const char *second)
{
	size_t first_size, second_size;

	first = first != NULL ? first : "";
	second = second != NULL ? second : "";
	first_size = strlen(first);
	second_size = strlen(second);
	while (first_size > 0 && second_size > 0) {
		wint_t a = next_letter(ordering, &first, &first_size);
		wint_t b = next_letter(ordering, &second, &second_size);

		if (a != b)
			return a < b ? -1 : 1;
	}
	return first_size > 0 ? 1 : second_size > 0 ? -1 : 0;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_times(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_rows(const void *first, const void *second, void *context)
{
	const struct jpfs_listed *a = first, *b = second;
	const struct ordering *ordering = context;
	int r = 0;

	switch (ordering->order) {
	case JPFS_BY_ACTIVITY:
		r = compare_times(jp_summary_activity_ns(&a->summary),
				  jp_summary_activity_ns(&b->summary));
		break;
	case JPFS_BY_CREATED:
	case JPFS_BY_ID:
		break;
	case JPFS_BY_TITLE:
		r = compare_titles(ordering, a->summary.title, b->summary.title);
		break;
	case JPFS_BY_SIZE:
		r = compare_numbers(a->summary.bytes, b->summary.bytes);
		break;
	case JPFS_BY_EVENTS:
		r = compare_numbers(a->summary.events, b->summary.events);
		break;
	}
	if (r == 0)
		r = compare_numbers(a->id, b->id); /* which is also when it was made */
	return ordering->is_reversed ? -r : r;
}

void jpfs_catalog_sort(struct jpfs_catalog *catalog, enum jpfs_catalog_order order,
		       bool is_reversed)
{
	struct ordering ordering = {
		.order = order,
		.is_reversed = is_reversed,
		.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0),
	};

	if (catalog->count > 0)
		qsort_r(catalog->rows, catalog->count, sizeof(*catalog->rows), compare_rows,
			&ordering);
	if (ordering.locale != (locale_t)0)
		freelocale(ordering.locale);
}
