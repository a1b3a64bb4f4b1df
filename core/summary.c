/*
 * One conversation in a few numbers. See summary.h.
 *
 * A list wants this of thousands of conversations, each of up to some megabytes, so events.json
 * goes through the lexer: it counts what begins in the outermost array and has the texts of two
 * keys told, and everything else is passed over. metadata.json is small and goes through jansson.
 *
 * What jp's check of events.json asks for (core/validity.h) is asked for here along the way, as
 * both look at the same tokens; a file that stops being JSON in the middle has the events before.
 */
#include "core/summary.h"

#include "core/base/io.h"
#include "core/base/sys.h"
#include "core/json_lexer.h"
#include "core/managed.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>

enum {
	DECISECOND_NS = 100000000,
	READ_BYTES = 64 * 1024,
	/* jp writes some hundred bytes; labels may make it more. */
	METADATA_BYTES_MAX = 1024 * 1024,
	/* Levels of directories that are measured; jp makes none, and deeper ones are left out. */
	TREE_DEPTH_MAX = 16,
	EVENT_DEPTH = 1, /* elements of the outermost array */
	KEY_DEPTH = 2,   /* their own keys */
};

/* ---- events.json ---- */

enum wanted {
	NOTHING = 0,
	TIMESTAMP = 1 << 0,
	TYPE = 1 << 1,
};

enum event_kind {
	OTHER_EVENT,   /* of no turn: a compaction, or a kind that is not known */
	CONFIG_DELTA,  /* of no turn either */
	TURN_START,    /* begins one */
	PART_OF_A_TURN /* of one, also when none has begun */
};

struct count {
	uint64_t events;
	uint64_t turns;
	int64_t last_ns;         /* of the last event that is whole */
	bool begins_with_config; /* the first event is a config_delta */
	bool is_damaged;

	/* of the element being read */
	bool is_object;
	unsigned keys; /* set of enum wanted: those it has */
	enum wanted awaited;
	int64_t time_ns;
	enum event_kind kind;
};

static enum event_kind kind_of(const char *type, size_t size)
{
	static const struct {
		const char *type;
		enum event_kind kind;
	} known[] = {
		{"config_delta", CONFIG_DELTA},        {"turn_start", TURN_START},
		{"chat_request", PART_OF_A_TURN},      {"chat_response", PART_OF_A_TURN},
		{"tool_call_request", PART_OF_A_TURN}, {"tool_call_response", PART_OF_A_TURN},
		{"inquiry_request", PART_OF_A_TURN},   {"inquiry_response", PART_OF_A_TURN},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (size == strlen(known[i].type) && memcmp(type, known[i].type, size) == 0)
			return known[i].kind;
	}
	return OTHER_EVENT;
}

static bool is_key(const struct jp_json_token *token, const char *name)
{
	return token->key_size == strlen(name) && memcmp(token->key, name, token->key_size) == 0;
}

static void see_key(struct count *count, const struct jp_json_token *token)
{
	count->awaited = NOTHING;
	if (is_key(token, "timestamp"))
		count->awaited = TIMESTAMP;
	else if (is_key(token, "type"))
		count->awaited = TYPE;
	if ((count->keys & count->awaited) != 0)
		count->is_damaged = true; /* each once, for jp */
	count->keys |= count->awaited;
}

static void see_text(struct count *count, const struct jp_json_token *token)
{
	if (count->awaited == TYPE)
		count->kind = kind_of(token->text, token->text_size);
	else if (jp_timestamp_parse(token->text, token->text_size, &count->time_ns) < 0)
		count->time_ns = JP_TIME_UNKNOWN;
}

/* What stands in the outermost array begins, whatever it is. */
static void begin_element(struct count *count, bool is_object)
{
	count->is_object = is_object;
	count->keys = 0;
	count->awaited = NOTHING;
	count->time_ns = JP_TIME_UNKNOWN;
	count->kind = OTHER_EVENT;
	if (is_object)
		return;
	count->is_damaged = true;
	count->events++;
	count->last_ns = JP_TIME_UNKNOWN;
}

static void end_event(struct count *count)
{
	if (count->keys != (TIMESTAMP | TYPE))
		count->is_damaged = true;
	if (count->events == 0 && count->kind == CONFIG_DELTA)
		count->begins_with_config = true;
	/* What comes before the first start is a turn without one; jp_conversation/src/stream.rs,
	 * 1038-1070. */
	if (count->kind == TURN_START || (count->kind == PART_OF_A_TURN && count->turns == 0))
		count->turns++;
	count->last_ns = count->time_ns;
	count->events++;
}

static int see_token(void *context, const struct jp_json_token *token)
{
	struct count *count = context;

	if (token->depth == KEY_DEPTH) {
		if (token->kind == JP_JSON_KEY)
			see_key(count, token);
		else if (token->kind == JP_JSON_TEXT)
			see_text(count, token);
		return token->kind == JP_JSON_STRING && count->awaited != NOTHING ? 1 : 0;
	}
	if (token->depth == EVENT_DEPTH) {
		/* An array that stands where an event should was counted when it began. */
		if (token->kind != JP_JSON_END)
			begin_element(count, token->kind == JP_JSON_OBJECT);
		else if (count->is_object)
			end_event(count);
		return 0;
	}
	return token->kind == JP_JSON_ARRAY || token->kind == JP_JSON_END ? 0 : -EBADMSG;
}

/* Count what is in events.json. 0, or why it is not counted to its end. */
static int count_events(int fd, struct count *count)
{
	cleanup_json_lexer struct jp_json_lexer lexer;
	cleanup_free char *piece = malloc(READ_BYTES);
	off_t offset = 0;

	jp_json_lexer_init(&lexer, see_token, count, KEY_DEPTH);
	if (piece == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = jp_sys->pread(fd, piece, READ_BYTES, offset);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return jp_json_lexer_finish(&lexer);
		r = jp_json_lexer_feed(&lexer, piece, (size_t)n);
		if (r < 0)
			return r;
		offset += n;
	}
}

static int read_events(int dirfd, struct jp_summary *summary)
{
	struct count count = {.last_ns = JP_TIME_UNKNOWN};
	cleanup_close int fd = jp_open_regular(dirfd, jp_managed_name(JP_EVENTS), O_RDONLY);
	struct stat st;
	int r = fd < 0 ? fd : count_events(fd, &count);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || count.is_damaged)
		summary->damaged |= 1U << JP_EVENTS;
	/* Where there is no base configuration beside it, the first element is it. */
	if (count.begins_with_config &&
	    fstatat(dirfd, jp_managed_name(JP_BASE_CONFIG), &st, AT_SYMLINK_NOFOLLOW) < 0)
		count.events--;
	summary->events = count.events;
	summary->turns = count.turns;
	summary->last_event_ns = count.last_ns;
	return 0;
}

/* ---- metadata.json ---- */

/* A string, new; NULL when there is none. jansson's are UTF-8 and may hold NULs. */
static int copy_string(const json_t *object, const char *key, char **ret)
{
	const json_t *value = json_object_get(object, key);
	size_t size = json_string_length(value);
	char *copy;

	*ret = NULL;
	if (size == 0)
		return 0;
	copy = malloc(size + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, json_string_value(value), size + 1);
	for (char *nul = copy; (nul = memchr(nul, '\0', (size_t)(copy + size - nul))) != NULL;)
		*nul = '?';
	*ret = copy;
	return 0;
}

static int64_t read_time(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	int64_t ns;

	if (!json_is_string(value) ||
	    jp_timestamp_parse(json_string_value(value), json_string_length(value), &ns) < 0)
		return JP_TIME_UNKNOWN;
	return ns;
}

static int read_metadata(int dirfd, struct jp_summary *summary)
{
	cleanup_free char *text = NULL;
	json_auto_t *root = NULL;
	size_t size = 0;
	int r = jp_read_file(dirfd, jp_managed_name(JP_METADATA), METADATA_BYTES_MAX, &text, &size);

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		root = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(root)) {
		summary->damaged |= 1U << JP_METADATA;
		return 0;
	}
	r = copy_string(root, "title", &summary->title);
	if (r == 0)
		r = copy_string(root, "origin", &summary->origin);
	summary->last_activated_ns = read_time(root, "last_activated_at");
	summary->expires_ns = read_time(root, "expires_at");
	summary->is_pinned = json_is_string(json_object_get(root, "pinned_at"));
	return r;
}

/* ---- all files ---- */

/* Add up the regular files of a directory. What goes while it is looked at is not there. */
static int measure(int dirfd, unsigned depth, uint64_t *bytes)
{
	cleanup_closedir DIR *dir = NULL;
	int fd = jp_open_beneath(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (dir == NULL) {
		jp_closep(&fd);
		return -ENOMEM;
	}
	for (;;) {
		struct dirent *entry;
		struct stat st;

		errno = 0;
		entry = jp_sys->readdir(dir);
		if (entry == NULL)
			return -errno;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			*bytes += (uint64_t)st.st_size;
		if (S_ISDIR(st.st_mode) && depth < TREE_DEPTH_MAX) {
			cleanup_close int below =
				jp_open_beneath(fd, entry->d_name, O_PATH | O_DIRECTORY, 0);

			if (below >= 0 && measure(below, depth + 1, bytes) == -ENOMEM)
				return -ENOMEM;
		}
	}
}

static struct jp_summary begin(uint64_t id)
{
	return (struct jp_summary){
		.created_ns = (int64_t)(id * DECISECOND_NS), /* no ID overflows it */
		.last_event_ns = JP_TIME_UNKNOWN,
		.last_activated_ns = JP_TIME_UNKNOWN,
		.expires_ns = JP_TIME_UNKNOWN,
	};
}

struct jp_summary jp_summary_of_unreadable(uint64_t id)
{
	struct jp_summary summary = begin(id);

	summary.damaged = 1U << JP_METADATA | 1U << JP_EVENTS;
	return summary;
}

int jp_summary_read_metadata(int dirfd, uint64_t id, struct jp_summary *ret_summary)
{
	cleanup_summary struct jp_summary summary = begin(id);
	int r = read_metadata(dirfd, &summary);

	if (r < 0)
		return r;
	*ret_summary = summary;
	summary = (struct jp_summary){0}; /* the caller has it now */
	return 0;
}

int jp_summary_read(int dirfd, uint64_t id, struct jp_summary *ret_summary)
{
	cleanup_summary struct jp_summary summary = begin(id);
	int r = measure(dirfd, 0, &summary.bytes);

	if (r == 0)
		r = read_metadata(dirfd, &summary);
	if (r == 0)
		r = read_events(dirfd, &summary);
	if (r < 0)
		return r;
	*ret_summary = summary;
	summary = (struct jp_summary){0}; /* the caller has it now */
	return 0;
}

void jp_summary_release(struct jp_summary *summary)
{
	free(summary->title);
	free(summary->origin);
	summary->title = NULL;
	summary->origin = NULL;
}

int64_t jp_summary_activity_ns(const struct jp_summary *summary)
{
	if (summary->last_event_ns != JP_TIME_UNKNOWN)
		return summary->last_event_ns;
	return summary->last_activated_ns != JP_TIME_UNKNOWN ? summary->last_activated_ns
							     : summary->created_ns;
}
