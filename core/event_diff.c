/*
 * Two streams of events side by side, for people. See event_diff.h.
 *
 * What both begin and end with is left aside first, which is nearly all of them; of the rest the
 * longest common part is found the plain way. Where that would take too long, the rest counts as
 * replaced.
 */
#include "core/event_diff.h"

#include "core/base/sys.h"
#include "core/timestamp.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

enum {
	EXCERPT_CHARACTERS = 120,
	CELLS_MAX = 4 * 1024 * 1024, /* of the table of common lengths: 16 MiB */
};
#define FILE_BYTES_MAX ((off_t)256 * 1024 * 1024)

static int read_all(int fd, char **ret_text, size_t *ret_size)
{
	cleanup_free char *text = NULL;
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > FILE_BYTES_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return -ENOMEM;
	while (got < (size_t)st.st_size) {
		ssize_t n = jp_sys->pread(fd, text + got, (size_t)st.st_size - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret_size = got;
	*ret_text = TAKE_PTR(text);
	return 0;
}

/* ---- one event ---- */

static const char *text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text != NULL ? text : "";
}

/* What a person knows it by. */
static const char *telling_text(const json_t *event)
{
	static const char *const keys[] = {"content", "message", "reasoning", "name"};
	const json_t *question = json_object_get(event, "question");

	if (strcmp(text_of(event, "type"), "tool_call_response") == 0)
		return ""; /* encoded */
	if (question != NULL)
		return json_is_string(question) ? json_string_value(question)
						: text_of(question, "text");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *text = text_of(event, keys[i]);

		if (text[0] != '\0')
			return text;
	}
	return "";
}

/* The beginning of a text in one line. New, or NULL. */
static char *make_excerpt(const char *text)
{
	cleanup_free char *excerpt = malloc((size_t)EXCERPT_CHARACTERS * 4 + 4);
	size_t used = 0, characters = 0;
	bool is_blank = true; /* the one before */

	if (excerpt == NULL)
		return NULL;
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		bool is_start = (*c & 0xc0) != 0x80;

		if (is_start && characters == EXCERPT_CHARACTERS) {
			memcpy(excerpt + used, "...", 3);
			used += 3;
			break;
		}
		if (*c <= ' ' || *c == 0x7f) {
			if (!is_blank) {
				excerpt[used++] = ' ';
				characters++;
			}
			is_blank = true;
			continue;
		}
		is_blank = false;
		excerpt[used++] = (char)*c;
		characters += is_start ? 1 : 0;
	}
	while (used > 0 && excerpt[used - 1] == ' ')
		used--;
	excerpt[used] = '\0';
	return TAKE_PTR(excerpt);
}

static int fill(const json_t *value, struct jp_told_event *event)
{
	json_auto_t *bare = json_copy((json_t *)value); /* shallow */
	cleanup_free char *text = NULL;
	XXH128_hash_t hash;

	if (!json_is_object(value))
		return -EBADMSG;
	if (bare == NULL)
		return -ENOMEM;
	(void)json_object_del(bare, "metadata"); /* if there are any */
	text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL)
		return -ENOMEM;
	hash = XXH3_128bits(text, strlen(text));
	event->key[0] = hash.low64;
	event->key[1] = hash.high64;
	event->type = strdup(text_of(value, "type"));
	event->time = strdup(text_of(value, "timestamp"));
	event->excerpt = make_excerpt(telling_text(value));
	return event->type == NULL || event->time == NULL || event->excerpt == NULL ? -ENOMEM : 0;
}

int jp_events_read(int fd, struct jp_events *ret_events)
{
	cleanup_events struct jp_events events = {0};
	cleanup_free char *text = NULL;
	json_auto_t *root = NULL;
	size_t size = 0;
	int r = read_all(fd, &text, &size);

	if (r < 0)
		return r;
	root = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
	if (!json_is_array(root))
		return -EBADMSG;
	events.items = calloc(json_array_size(root) + 1, sizeof(*events.items));
	if (events.items == NULL)
		return -ENOMEM;
	for (; events.count < json_array_size(root) && r == 0; events.count++)
		r = fill(json_array_get(root, events.count), &events.items[events.count]);
	if (r < 0)
		return r;
	*ret_events = events;
	events = (struct jp_events){0}; /* the caller has it now */
	return 0;
}

void jp_events_release(struct jp_events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		free(events->items[i].type);
		free(events->items[i].time);
		free(events->items[i].excerpt);
	}
	free(events->items);
	*events = (struct jp_events){0};
}

/* ---- two streams ---- */

static bool are_same(const struct jp_told_event *a, const struct jp_told_event *b)
{
	return a->key[0] == b->key[0] && a->key[1] == b->key[1];
}

/* A part of either stream. */
struct window {
	const struct jp_told_event *old, *new;
	size_t old_start, new_start, old_count, new_count;
};

static struct window find_window(const struct jp_events *old, const struct jp_events *new)
{
	struct window w = {old->items, new->items, 0, 0, old->count, new->count};

	while (w.old_count > 0 && w.new_count > 0 &&
	       are_same(&old->items[w.old_start], &new->items[w.new_start])) {
		w.old_start++;
		w.new_start++;
		w.old_count--;
		w.new_count--;
	}
	while (w.old_count > 0 && w.new_count > 0 &&
	       are_same(&old->items[w.old_start + w.old_count - 1],
			&new->items[w.new_start + w.new_count - 1])) {
		w.old_count--;
		w.new_count--;
	}
	return w;
}

/* For each pair of places, how long the longest common part from there on is; NULL: too large.
 * *ret_failed: out of memory. */
static uint32_t *common_lengths(const struct window *w, bool *ret_failed)
{
	size_t width = w->new_count + 1;
	uint32_t *lengths = NULL;

	*ret_failed = false;
	if (w->old_count == 0 || w->new_count == 0 || w->old_count + 1 > (size_t)CELLS_MAX / width)
		return NULL;
	lengths = calloc((w->old_count + 1) * width, sizeof(*lengths));
	*ret_failed = lengths == NULL;
	for (size_t i = w->old_count; lengths != NULL && i-- > 0;) {
		for (size_t k = w->new_count; k-- > 0;) {
			uint32_t down = lengths[(i + 1) * width + k];
			uint32_t right = lengths[i * width + k + 1];

			if (are_same(&w->old[w->old_start + i], &w->new[w->new_start + k]))
				lengths[i * width + k] = lengths[(i + 1) * width + k + 1] + 1;
			else
				lengths[i * width + k] = down > right ? down : right;
		}
	}
	return lengths;
}

/* Between two common events: so many of the old one gave way to so many of the new one. Those of
 * the same kind and time are the same ones, changed. */
static void add_gap(struct jp_event_changes *changes, const struct window *w, size_t old_from,
		    size_t old_to, size_t new_from, size_t new_to)
{
	size_t next = new_from;

	for (size_t i = old_from; i < old_to; i++) {
		const struct jp_told_event *old = &w->old[i];
		size_t k = next;

		while (k < new_to && (strcmp(old->type, w->new[k].type) != 0 ||
				      strcmp(old->time, w->new[k].time) != 0))
			k++;
		if (k == new_to) {
			changes->removed++;
			changes->items[changes->count++] =
				(struct jp_event_change){JP_EVENT_REMOVED, i, 0};
			continue;
		}
		for (; next < k; next++, changes->added++)
			changes->items[changes->count++] =
				(struct jp_event_change){JP_EVENT_ADDED, 0, next};
		changes->changed++;
		changes->items[changes->count++] =
			(struct jp_event_change){JP_EVENT_CHANGED, i, next++};
	}
	for (; next < new_to; next++, changes->added++)
		changes->items[changes->count++] =
			(struct jp_event_change){JP_EVENT_ADDED, 0, next};
}

int jp_events_compare(const struct jp_events *old, const struct jp_events *new,
		      struct jp_event_changes *ret_changes)
{
	struct window w = find_window(old, new);
	size_t i = 0, k = 0, old_from = 0, new_from = 0, width = w.new_count + 1;
	cleanup_free uint32_t *lengths = NULL;
	bool has_failed;

	*ret_changes = (struct jp_event_changes){0};
	lengths = common_lengths(&w, &has_failed);
	ret_changes->items = calloc(w.old_count + w.new_count + 1, sizeof(*ret_changes->items));
	if (ret_changes->items == NULL || has_failed) {
		free(ret_changes->items);
		*ret_changes = (struct jp_event_changes){0};
		return -ENOMEM;
	}
	while (lengths != NULL && i < w.old_count && k < w.new_count) {
		if (are_same(&w.old[w.old_start + i], &w.new[w.new_start + k])) {
			add_gap(ret_changes, &w, w.old_start + old_from, w.old_start + i,
				w.new_start + new_from, w.new_start + k);
			old_from = ++i;
			new_from = ++k;
		} else if (lengths[(i + 1) * width + k] >= lengths[i * width + k + 1]) {
			i++;
		} else {
			k++;
		}
	}
	add_gap(ret_changes, &w, w.old_start + old_from, w.old_start + w.old_count,
		w.new_start + new_from, w.new_start + w.new_count);
	return 0;
}

/* ---- in words ---- */

void jp_phrase_timestamp(const char *text, char ret_phrase[JP_PHRASE_BYTES])
{
	char whole[JP_TIMESTAMP_TEXT_BYTES];
	int64_t ns;

	if (jp_timestamp_parse(text, strlen(text), &ns) < 0) {
		(void)snprintf(ret_phrase, JP_PHRASE_BYTES, "%.40s", text);
		return;
	}
	jp_timestamp_format(ns, whole);
	(void)snprintf(ret_phrase, JP_PHRASE_BYTES, "%.10s %.5s", whole, whole + 11);
}

void jp_events_phrase(const struct jp_event_changes *changes, const struct jp_events *version,
		      char ret_phrase[JP_PHRASE_BYTES])
{
	const struct {
		size_t count;
		const char *word;
	} parts[] = {
		{changes->removed, "more"},
		{changes->changed, "other"},
		{changes->added, "fewer"},
	};
	char end[JP_PHRASE_BYTES];
	size_t used = 0;

	ret_phrase[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].count == 0)
			continue;
		used += (size_t)snprintf(ret_phrase + used, JP_PHRASE_BYTES - used, "%s%zu%s %s",
					 used > 0 ? ", " : "", parts[i].count,
					 used > 0              ? ""
					 : parts[i].count == 1 ? " event"
							       : " events",
					 parts[i].word);
	}
	if (used == 0)
		used = (size_t)snprintf(ret_phrase, JP_PHRASE_BYTES, "the same events");
	if (version->count == 0)
		return;
	jp_phrase_timestamp(version->items[version->count - 1].time, end);
	(void)snprintf(ret_phrase + used, JP_PHRASE_BYTES - used, ", ends %.40s", end);
}
