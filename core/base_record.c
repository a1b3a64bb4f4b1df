/* The record of what both sides last had in common: a log of checked lines. See base_record.h. */
#include "core/base_record.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <xxhash.h>

#define HEADER "jpfs base 2\n"
/* 100,000 conversations are 60 MB; more than this is not one of ours. */
#define FILE_BYTES_MAX (256 * 1024 * 1024)
#define LINE_BYTES 1152
/* Lines that no longer count before the file is written anew. */
#define STALE_LINES_MAX 1000

struct known {
	uint64_t id;
	bool is_forgotten;
	struct jp_base base;
};

/* The same as it is kept in memory, for each of many thousand conversations. As a rule both files are
 * as long as the content that they had in common, and neither is a draft. */
struct kept_file {
	struct jp_content_id content;
	uint64_t durable_ino, workspace_ino;
	int64_t durable_mtime_ns, workspace_mtime_ns, workspace_ctime_ns;
};

struct kept {
	uint64_t id;
	bool is_forgotten;
	bool is_there[JP_MANAGED_COUNT];
	struct kept_file files[JP_MANAGED_COUNT];
	struct jp_base *exception; /* all of it, where the rule does not hold; or NULL */
};

struct jp_base_record {
	pthread_mutex_t lock; /* a leaf */
	int directory_fd;     /* owned */
	bool is_read_only;
	int fd; /* owned; -EBADF when read-only, or when it could not be opened for writing */
	char name[JP_BASE_NAME_BYTES];
	/* protected by lock from here on */
	struct kept *items; /* by ID */
	size_t count, room;
	size_t lines; /* in the file */
	off_t end;    /* of the file: one process writes it, who holds the worktree's lock */
	bool is_unsynced;
	bool is_behind; /* the file lacks what is in memory */
};

/* ---- stamps ---- */

static int64_t ctime_ns(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

struct jp_stamp jp_stamp_of(const struct stat *st, bool with_ctime)
{
	return (struct jp_stamp){st->st_ino, (uint64_t)st->st_size, jp_mtime_ns(st),
				 with_ctime ? ctime_ns(st) : 0};
}

bool jp_stamp_matches(const struct jp_stamp *stamp, const struct stat *st)
{
	return stamp->ino == st->st_ino && stamp->size == (uint64_t)st->st_size &&
	       stamp->mtime_ns == jp_mtime_ns(st) &&
	       (stamp->ctime_ns == 0 || stamp->ctime_ns == ctime_ns(st));
}

/* ---- lines ---- */

static size_t format_line(const struct known *known, char line[LINE_BYTES])
{
	size_t used = (size_t)snprintf(line, LINE_BYTES, "%" PRIu64, known->id);

	if (known->is_forgotten)
		used += (size_t)snprintf(line + used, LINE_BYTES - used, " forgotten");
	for (int i = 0; i < JP_MANAGED_COUNT && !known->is_forgotten; i++) {
		const struct jp_base_file *file = &known->base.files[i];
		const struct jp_stamp *d = &file->durable, *w = &file->workspace;
		const struct jp_stamp *own = &file->draft;

		if (!file->is_there) {
			used += (size_t)snprintf(line + used, LINE_BYTES - used, " -");
			continue;
		}
		used += (size_t)snprintf(line + used, LINE_BYTES - used,
					 " %" PRIu64 ":%" PRIx64 ":%" PRIx64 ":%" PRIu64 ":%" PRIu64
					 ":%" PRId64 ":%" PRIu64 ":%" PRIu64 ":%" PRId64 ":%" PRId64
					 ":%" PRIu64 ":%" PRIu64 ":%" PRId64 ":%" PRId64,
					 file->content.size, file->content.high, file->content.low,
					 d->ino, d->size, d->mtime_ns, w->ino, w->size, w->mtime_ns,
					 w->ctime_ns, own->ino, own->size, own->mtime_ns,
					 own->ctime_ns);
	}
	used += (size_t)snprintf(line + used, LINE_BYTES - used, " =%016" PRIx64 "\n",
				 (uint64_t)XXH3_64bits(line, used));
	return used;
}

/* A number and the character after it. */
static bool take_number(const char **text, int base, char after, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(*text, &end, base);
	if (end == *text || errno != 0 || *end != after)
		return false;
	*text = end + 1;
	return true;
}

static bool take_file(const char **text, struct jp_base_file *ret)
{
	struct jp_stamp *d = &ret->durable, *w = &ret->workspace, *own = &ret->draft;
	uint64_t durable_time, workspace_time, changed, own_time, own_changed;

	if (strncmp(*text, "- ", 2) == 0) {
		*text += 2;
		return true;
	}
	if (!take_number(text, 10, ':', &ret->content.size) ||
	    !take_number(text, 16, ':', &ret->content.high) ||
	    !take_number(text, 16, ':', &ret->content.low) ||
	    !take_number(text, 10, ':', &d->ino) || !take_number(text, 10, ':', &d->size) ||
	    !take_number(text, 10, ':', &durable_time) || !take_number(text, 10, ':', &w->ino) ||
	    !take_number(text, 10, ':', &w->size) || !take_number(text, 10, ':', &workspace_time) ||
	    !take_number(text, 10, ':', &changed) || !take_number(text, 10, ':', &own->ino) ||
	    !take_number(text, 10, ':', &own->size) || !take_number(text, 10, ':', &own_time) ||
	    !take_number(text, 10, ' ', &own_changed))
		return false;
	ret->is_there = true;
	/* Times before 1970 are negative; strtoull takes the sign and wraps, and this undoes it. */
	d->mtime_ns = (int64_t)durable_time;
	w->mtime_ns = (int64_t)workspace_time;
	w->ctime_ns = (int64_t)changed;
	own->mtime_ns = (int64_t)own_time;
	own->ctime_ns = (int64_t)own_changed;
	return true;
}

/* `line` ends where its final LF was. */
static bool parse_line(const char *line, size_t size, struct known *ret)
{
	const char *text = line, *check = size > 18 ? line + size - 17 : NULL;
	uint64_t sum;

	*ret = (struct known){0};
	if (check == NULL || check[0] != '=' || check[-1] != ' ')
		return false;
	text = check + 1;
	if (!take_number(&text, 16, '\0', &sum) ||
	    sum != XXH3_64bits(line, (size_t)(check - 1 - line)))
		return false;
	text = line;
	if (!take_number(&text, 10, ' ', &ret->id))
		return false;
	if (strncmp(text, "forgotten ", 10) == 0) {
		ret->is_forgotten = true;
		return true;
	}
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		if (!take_file(&text, &ret->base.files[i]))
			return false;
	}
	return text == check;
}

/* ---- in memory ---- */

/* As kept_file has it. */
static bool is_the_rule(const struct jp_base *base)
{
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const struct jp_base_file *file = &base->files[i];
		const struct jp_stamp *draft = &file->draft;

		if (file->durable.size != file->content.size ||
		    file->workspace.size != file->content.size || draft->ino != 0 ||
		    draft->size != 0 || draft->mtime_ns != 0 || draft->ctime_ns != 0)
			return false;
	}
	return true;
}

/* 0, or -ENOMEM and nothing has changed. */
static int pack(const struct known *known, struct kept *ret)
{
	struct kept kept = {.id = known->id, .is_forgotten = known->is_forgotten};

	if (!is_the_rule(&known->base)) {
		kept.exception = malloc(sizeof(*kept.exception));
		if (kept.exception == NULL)
			return -ENOMEM;
		*kept.exception = known->base;
		for (int i = 0; i < JP_MANAGED_COUNT; i++)
			kept.exception->files[i].durable.ctime_ns = 0;
	}
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const struct jp_base_file *file = &known->base.files[i];

		kept.is_there[i] = file->is_there;
		kept.files[i] = (struct kept_file){
			.content = file->content,
			.durable_ino = file->durable.ino,
			.durable_mtime_ns = file->durable.mtime_ns,
			.workspace_ino = file->workspace.ino,
			.workspace_mtime_ns = file->workspace.mtime_ns,
			.workspace_ctime_ns = file->workspace.ctime_ns,
		};
	}
	*ret = kept;
	return 0;
}

static void unpack(const struct kept *kept, struct known *ret)
{
	*ret = (struct known){.id = kept->id, .is_forgotten = kept->is_forgotten};
	if (kept->exception != NULL) {
		ret->base = *kept->exception;
		return;
	}
	for (int i = 0; i < JP_MANAGED_COUNT; i++) {
		const struct kept_file *file = &kept->files[i];

		ret->base.files[i] = (struct jp_base_file){
			.is_there = kept->is_there[i],
			.content = file->content,
			.durable = {file->durable_ino, file->content.size, file->durable_mtime_ns,
				    0},
			.workspace = {file->workspace_ino, file->content.size,
				      file->workspace_mtime_ns, file->workspace_ctime_ns},
		};
	}
}

/* The exception that was there before goes. */
static void put(struct kept *place, const struct kept *kept)
{
	free(place->exception);
	*place = *kept;
}

/* Where an ID is, or would be. */
static size_t find(const struct jp_base_record *record, uint64_t id)
{
	size_t low = 0, high = record->count;

	/* Most come in order: at mounting, and the newest conversation is the one that grows. */
	if (high > 0 && record->items[high - 1].id < id)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (record->items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int insert(struct jp_base_record *record, const struct known *known)
{
	size_t at = find(record, known->id);
	struct kept kept;

	if (at < record->count && record->items[at].id == known->id) {
		int r = pack(known, &kept);

		if (r == 0)
			put(&record->items[at], &kept);
		return r;
	}
	if (record->count == record->room) {
		size_t more = record->room == 0 ? 64 : record->room * 2;
		struct kept *grown = reallocarray(record->items, more, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		record->items = grown;
		record->room = more;
	}
	if (pack(known, &kept) < 0)
		return -ENOMEM;
	memmove(&record->items[at + 1], &record->items[at],
		(record->count - at) * sizeof(*record->items));
	record->items[at] = kept;
	record->count++;
	return 0;
}

/* ---- the file ---- */

static int write_anew(struct jp_base_record *record)
{
	cleanup_free char *text = malloc(sizeof(HEADER) + record->count * LINE_BYTES);
	size_t used = sizeof(HEADER) - 1, lines = 0;
	int fd, r;

	record->is_behind = true;
	if (text == NULL)
		return -ENOMEM;
	memcpy(text, HEADER, used);
	for (size_t i = 0; i < record->count; i++) {
		struct known known;

		if (record->items[i].is_forgotten)
			continue;
		unpack(&record->items[i], &known);
		used += format_line(&known, text + used);
		lines++;
	}
	r = jp_replace_file(record->directory_fd, record->name, text, used, 0600);
	if (r < 0)
		return r;
	fd = openat(record->directory_fd, record->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	jp_closep(&record->fd);
	record->fd = fd;
	record->lines = lines;
	record->end = (off_t)used;
	record->is_unsynced = false;
	record->is_behind = false;
	return 0;
}

static int append(struct jp_base_record *record, const struct known *known)
{
	char line[LINE_BYTES];
	size_t size = format_line(known, line);
	int r;

	if (record->is_read_only)
		return 0;
	if (record->fd < 0) {
		record->is_behind = true;
		return 0;
	}
	/* Half a line is written over by the next one. */
	r = jp_write_all(record->fd, line, size, record->end);
	if (r < 0) {
		record->is_behind = true;
		return r;
	}
	record->end += (off_t)size;
	record->is_unsynced = true;
	record->lines++;
	return 0;
}

/* Whether all of it was as it should be: 1, 0; -ENOMEM. */
static int parse(struct jp_base_record *record, char *text, size_t size)
{
	char *line = text + sizeof(HEADER) - 1, *end = text + size;
	bool is_whole = true;

	if (size < sizeof(HEADER) - 1 || memcmp(text, HEADER, sizeof(HEADER) - 1) != 0)
		return 0;
	while (line < end) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		struct known known;

		if (stop == NULL)
			return 0;
		*stop = '\0';
		if (!parse_line(line, (size_t)(stop - line), &known))
			is_whole = false;
		else if (insert(record, &known) < 0)
			return -ENOMEM;
		record->lines++;
		line = stop + 1;
	}
	return is_whole;
}

int jp_base_name(int root_fd, char ret_name[JP_BASE_NAME_BYTES])
{
	struct statx stx;

	if (statx(root_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &stx) < 0)
		return -errno;
	(void)snprintf(
		ret_name, JP_BASE_NAME_BYTES, "%jx-%jx-%jx.base",
		(uintmax_t)makedev(stx.stx_dev_major, stx.stx_dev_minor), (uintmax_t)stx.stx_ino,
		(stx.stx_mask & STATX_BTIME) == 0
			? (uintmax_t)0
			: (uintmax_t)stx.stx_btime.tv_sec * 1000000000U + stx.stx_btime.tv_nsec);
	return 0;
}

static int load(struct jp_base_record *record)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	int whole = 0, r;

	r = jp_read_file(record->directory_fd, record->name, FILE_BYTES_MAX, &text, &size);
	if (r == 0)
		r = whole = parse(record, text, size);
	if (r < 0 && r != -EFBIG && !jp_is_absent(r))
		return r;
	if (record->is_read_only)
		return 0;
	if (whole != 1 || record->lines > 2 * record->count + STALE_LINES_MAX) {
		jp_ignore(write_anew(record)); /* it is tried again when it is synced */
		return 0;
	}
	record->fd = openat(record->directory_fd, record->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	record->is_behind = record->fd < 0;
	record->end = (off_t)size;
	return 0;
}

int jp_base_open(int workspaces_fd, int root_fd, bool read_only, struct jp_base_record **ret_record)
{
	struct jp_base_record *record = calloc(1, sizeof(*record));
	int r;

	if (record == NULL)
		return -ENOMEM;
	record->fd = -EBADF;
	record->is_read_only = read_only;
	pthread_mutex_init(&record->lock, NULL);
	record->directory_fd = jp_open_beneath(workspaces_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	r = record->directory_fd < 0 ? record->directory_fd : jp_base_name(root_fd, record->name);
	if (r == 0)
		r = load(record);
	if (r < 0) {
		jp_base_close(record);
		return r;
	}
	*ret_record = record;
	return 0;
}

void jp_base_close(struct jp_base_record *record)
{
	if (record == NULL)
		return;
	jp_closep(&record->fd);
	jp_closep(&record->directory_fd);
	pthread_mutex_destroy(&record->lock);
	for (size_t i = 0; i < record->count; i++)
		free(record->items[i].exception);
	free(record->items);
	free(record);
}

int jp_base_find(struct jp_base_record *record, uint64_t id, struct jp_base *ret)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	struct known known;
	size_t at;

	if (record == NULL)
		return -ENOENT;
	held = jp_lock(&record->lock);
	at = find(record, id);
	if (at == record->count || record->items[at].id != id || record->items[at].is_forgotten)
		return -ENOENT;
	unpack(&record->items[at], &known);
	*ret = known.base;
	return 0;
}

int jp_base_put(struct jp_base_record *record, uint64_t id, const struct jp_base *base)
{
	const struct known known = {.id = id, .base = *base};
	cleanup_unlock pthread_mutex_t *held = NULL;
	int r;

	if (record == NULL)
		return 0;
	held = jp_lock(&record->lock);
	r = insert(record, &known);
	return r < 0 ? r : append(record, &known);
}

int jp_base_forget(struct jp_base_record *record, uint64_t id)
{
	const struct known known = {.id = id, .is_forgotten = true};
	cleanup_unlock pthread_mutex_t *held = NULL;
	size_t at;

	if (record == NULL)
		return 0;
	held = jp_lock(&record->lock);
	at = find(record, id);
	if (at == record->count || record->items[at].id != id || record->items[at].is_forgotten)
		return 0;
	put(&record->items[at], &(struct kept){.id = id, .is_forgotten = true});
	return append(record, &known);
}

int jp_base_forget_others(struct jp_base_record *record, bool (*keep)(uint64_t id, void *closure),
			  void *closure)
{
	cleanup_unlock pthread_mutex_t *held = NULL;
	int r = 0;

	if (record == NULL)
		return 0;
	held = jp_lock(&record->lock);
	for (size_t i = 0; i < record->count && r == 0; i++) {
		const struct known known = {.id = record->items[i].id, .is_forgotten = true};

		if (record->items[i].is_forgotten || keep(known.id, closure))
			continue;
		put(&record->items[i], &(struct kept){.id = known.id, .is_forgotten = true});
		r = append(record, &known);
	}
	return r;
}

int jp_base_sync(struct jp_base_record *record)
{
	cleanup_unlock pthread_mutex_t *held = NULL;

	if (record == NULL)
		return 0;
	held = jp_lock(&record->lock);
	if (record->is_read_only || (!record->is_unsynced && !record->is_behind))
		return 0;
	if (record->is_behind || record->lines > 2 * record->count + STALE_LINES_MAX)
		return write_anew(record);
	if (jp_sys->fsync(record->fd) < 0)
		return -errno;
	record->is_unsynced = false;
	return 0;
}
