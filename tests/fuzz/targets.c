/*
 * What parses text that others wrote, under libFuzzer.
 *
 * One program; JPFS_FUZZ names the target. Each target states a law and aborts when an input breaks
 * it; that nothing crashes, leaks or runs past its end is the sanitizers' law, for all of them. The
 * laws are those of the headers: where jansson and the lexer must agree they are compared, what is
 * written must read back the same, and relations of two versions must be relations.
 */
#include "core/base/cleanup.h"
#include "core/base/io.h"
#include "core/base_record.h"
#include "core/conversation_id.h"
#include "core/metadata.h"
#include "core/origin.h"
#include "core/search.h"
#include "core/stream.h"
#include "core/summary.h"
#include "core/timestamp.h"
#include "core/transcript.h"
#include "core/validity.h"
#include "core/workspace_id.h"
#include "fs/mountinfo.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAW(condition)                                                                             \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__,           \
				      #condition);                                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static int memory_file(const char *text, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	LAW(fd >= 0 && jp_write_all(fd, text, size, 0) == 0);
	return fd;
}

/* The text with a NUL after it. */
static char *terminated(const char *text, size_t size)
{
	char *copy = malloc(size + 1);

	LAW(copy != NULL);
	if (size > 0)
		memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

static bool are_events(const json_t *root)
{
	const json_t *event;
	size_t i;

	if (!json_is_array(root))
		return false;
	json_array_foreach(root, i, event)
	{
		if (json_object_get(event, "timestamp") == NULL ||
		    json_object_get(event, "type") == NULL)
			return false;
	}
	return true;
}

/* jansson is stricter in four ways that validity.h allows (lone surrogates, UTF-8, numbers beyond
 * range, depth), and takes a key twice unless told otherwise; in all else the two agree. */
static void validity(const char *text, size_t size)
{
	static const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	int is_json = jp_validity_of_text(JP_METADATA, text, size);
	int is_stream = jp_validity_of_text(JP_EVENTS, text, size);
	cleanup_close int fd = memory_file(text, size);
	json_error_t error;
	json_auto_t *root = json_loadb(text, size, flags, &error);
	json_auto_t *unique = json_loadb(text, size, flags | JSON_REJECT_DUPLICATES, NULL);

	LAW(jp_validity_of_text(JP_BASE_CONFIG, text, size) == is_json);
	LAW(jp_validity_of_file(JP_METADATA, fd) == is_json);
	LAW(jp_validity_of_file(JP_EVENTS, fd) == is_stream);
	LAW(is_json || !is_stream);
	if (size > 0 && memchr(text, '\0', size) != NULL) {
		LAW(!is_json); /* jansson takes a raw NUL for the end */
	} else if (root != NULL) {
		LAW(is_json);
		LAW(!is_stream || are_events(root));
		LAW(unique == NULL || is_stream == are_events(root));
	} else if (is_json) {
		enum json_error_code code = json_error_code(&error);

		LAW(code == json_error_numeric_overflow || code == json_error_stack_overflow ||
		    code == json_error_invalid_utf8 || memmem(text, size, "\\u", 2) != NULL);
	}
}

/* The input is two versions with a NUL between them; without one it is compared with itself. */
static void stream(const char *text, size_t size)
{
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : size;
	const char *second = cut != NULL ? cut + 1 : text;
	size_t second_size = cut != NULL ? size - first_size - 1 : size;
	cleanup_close int a = memory_file(text, first_size);
	cleanup_close int b = memory_file(second, second_size);
	int contains = jp_stream_contains(a, b);
	int earlier = jp_stream_is_earlier(a, b);
	const char *last = first_size > 0 ? memrchr(text, ']', first_size) : NULL;

	LAW(contains >= 0 && earlier >= 0);
	LAW(jp_stream_contains(a, a) == 1);
	LAW(jp_stream_is_earlier(a, a) == 0);
	LAW(!earlier || contains);
	LAW(!earlier || jp_stream_is_earlier(b, a) == 0);
	/* Contained in its own extension, where jansson can tell what an event is. */
	if (last != NULL && jp_validity_of_text(JP_EVENTS, text, first_size) == 1) {
		static const char more[] =
			"{\"timestamp\":\"2026-03-05 19:31:47.0\",\"type\":\"fuzz\"}]";
		size_t kept = (size_t)(last - text), longer_size = kept + 1 + sizeof(more) - 1;
		json_auto_t *root =
			json_loadb(text, first_size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
		cleanup_free char *longer = malloc(longer_size);
		cleanup_close int c = -EBADF;

		if (root == NULL)
			return;
		LAW(longer != NULL);
		memcpy(longer, text, kept);
		longer[kept] = json_array_size(root) > 0 ? ',' : ' ';
		memcpy(longer + kept + 1, more, sizeof(more) - 1);
		c = memory_file(longer, longer_size);
		LAW(jp_stream_contains(a, c) == 1);
		LAW(jp_stream_is_earlier(a, c) == 1);
		LAW(jp_stream_is_earlier(c, a) == 0);
	}
}

static void metadata(const char *text, size_t size)
{
	static const char later[] = "{\"last_activated_at\":\"2262-01-01 00:00:00.0\"}";
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : size;
	cleanup_close int a = memory_file(text, first_size);
	cleanup_close int b = cut != NULL ? memory_file(cut + 1, size - first_size - 1)
					  : memory_file(later, sizeof(later) - 1);
	int earlier = jp_metadata_is_earlier(a, b);

	LAW(earlier >= 0);
	LAW(jp_metadata_is_earlier(a, a) == 0);
	LAW(!earlier || jp_metadata_is_earlier(b, a) == 0);
}

static void timestamp(const char *text, size_t size)
{
	char written[JP_TIMESTAMP_TEXT_BYTES];
	int64_t ns, again;
	int r = jp_timestamp_parse(text, size, &ns);

	LAW(r == 0 || r == -EINVAL || r == -ERANGE);
	if (r < 0)
		return;
	jp_timestamp_format(ns, written);
	LAW(jp_timestamp_parse(written, strlen(written), &again) == 0 && again == ns);
}

static void conversation_id(const char *text, size_t size)
{
	cleanup_free char *name = terminated(text, size);
	char digits[32];
	uint64_t id;
	int n;

	if (jp_conversation_id_parse(name, &id) < 0)
		return;
	LAW(id <= JP_CONVERSATION_ID_MAX);
	LAW(jp_conversation_id_begins(id, name));
	n = snprintf(digits, sizeof(digits), "%" PRIu64, id);
	LAW(n > 0 && n < JP_CONVERSATION_ID_TEXT_BYTES);
	LAW(strncmp(name, digits, (size_t)n) == 0 && (name[n] == '-' || name[n] == '\0'));
}

static void workspace_id(const char *text, size_t size)
{
	char id[JP_WORKSPACE_ID_CHARACTERS + 1], again[JP_WORKSPACE_ID_CHARACTERS + 1];
	char whole[JP_WORKSPACE_ID_TEXT_BYTES + 1];
	int r = jp_workspace_id_parse(text, size, id);

	LAW(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	LAW(jp_workspace_id_is_valid(id));
	jp_workspace_id_text(id, whole);
	LAW(jp_workspace_id_parse(whole, strlen(whole), again) == 0 && strcmp(id, again) == 0);
}

static void mountinfo(const char *text, size_t size)
{
	cleanup_mountinfo struct jpfs_mountinfo info = {0};
	int r = jpfs_mountinfo_parse(terminated(text, size), &info);

	LAW(r == 0 || r == -EBADMSG);
	for (size_t i = 0; r == 0 && i < info.count; i++) {
		const struct jpfs_mount *top =
			jpfs_mountinfo_top(&info, info.mounts[i].mount_point);

		/* None: the text says that two lie on each other. The kernel never does. */
		LAW(top == NULL || strcmp(top->mount_point, info.mounts[i].mount_point) == 0);
		(void)jpfs_mount_is_jpfs(&info.mounts[i]); /* it reads the whole type */
	}
}

/* JPFS_FUZZ_SCRATCH, a directory for what reads files by name. Whoever made it removes it: a program
 * that aborts cannot. */
static int scratch_fd = -EBADF;

static void put(int dirfd, const char *name, const char *text, size_t size)
{
	cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	LAW(fd >= 0 && jp_write_all(fd, text, size, 0) == 0);
}

static void summary(const char *text, size_t size)
{
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : size;
	const char *events = cut != NULL ? cut + 1 : text;
	size_t events_size = cut != NULL ? size - first_size - 1 : size;
	cleanup_summary struct jp_summary read = {0};

	put(scratch_fd, "metadata.json", text, first_size);
	put(scratch_fd, "events.json", events, events_size);
	LAW(jp_summary_read(scratch_fd, 17727391057, &read) == 0);
	LAW(read.bytes == first_size + events_size);
	/* One way only: a summary reads the timestamps and types, and also calls damaged what is no
	 * UTF-8 there, which jp's check at its start skips. */
	LAW(((read.damaged >> JP_EVENTS) & 1) != 0 ||
	    jp_validity_of_text(JP_EVENTS, events, events_size) == 1);
}

static void origin(const char *text, size_t size)
{
	char name[NAME_MAX + 1];

	LAW(mkdirat(scratch_fd, "origins", 0700) == 0 || errno == EEXIST);
	put(scratch_fd, "origins/7", text, size);
	if (jp_origin_read(scratch_fd, 7, name) == 0)
		LAW(strlen(name) <= NAME_MAX && strchr(name, '\n') == NULL);
}

/* What is read of a record with this text in it is still known after it was put and read again. */
static void base_record(const char *text, size_t size)
{
	static char name[NAME_MAX + 1];
	struct jp_base_record *record = NULL;
	struct jp_base found, again;
	int was_known;

	if (name[0] == '\0') { /* its name is the record's own affair: let it make one */
		const struct dirent *entry;
		DIR *list;

		LAW(jp_base_open(scratch_fd, scratch_fd, false, &record) == 0);
		LAW(jp_base_put(record, 1, &(struct jp_base){0}) == 0 && jp_base_sync(record) == 0);
		jp_base_close(record);
		list = fdopendir(openat(scratch_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		LAW(list != NULL);
		while ((entry = readdir(list)) != NULL) {
			if (entry->d_name[0] != '.')
				(void)snprintf(name, sizeof(name), "%s", entry->d_name);
		}
		(void)closedir(list);
		LAW(name[0] != '\0');
	}
	put(scratch_fd, name, text, size);
	LAW(jp_base_open(scratch_fd, scratch_fd, false, &record) == 0);
	was_known = jp_base_find(record, 17727391057, &found);
	LAW(was_known == 0 || was_known == -ENOENT);
	if (was_known == 0)
		LAW(jp_base_put(record, 17727391057, &found) == 0);
	LAW(jp_base_sync(record) == 0);
	jp_base_close(record);
	LAW(jp_base_open(scratch_fd, scratch_fd, true, &record) == 0);
	LAW(jp_base_find(record, 17727391057, &again) == was_known);
	jp_base_close(record);
}

/* What a search has found, as one number. */
static int count_found(void *context, const struct jp_found *found)
{
	uint64_t *sum = context;

	for (size_t i = 0; i < found->size; i++)
		*sum = *sum * 31 + (unsigned char)found->line[i];
	*sum = *sum * 31 + found->turn * 8 + found->by;
	return 0;
}

/*
 * A pattern, a NUL, and a file: what is found by reading only what may match is what is found by
 * reading all. The first byte of the pattern says how it is meant. Expressions that the C library
 * takes for ever with are left out.
 */
static void search(const char *text, size_t size)
{
	const struct jp_search_options options = {
		.by = (1U << JP_SAID_BY_COUNT) - 1, .after = 1, .lines_max = 100};
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	struct jp_pattern_options how = {0};
	struct jp_search_result quick, slow;
	uint64_t sums[2] = {0};
	struct jp_error error = {0};
	int results[2] = {0};

	if (cut == NULL || cut - text < 2 || cut - text > 24)
		return;
	how.ignore_case = (text[0] & 1) != 0;
	how.is_word = (text[0] & 2) != 0;
	how.is_fixed = (text[0] & 4) != 0;
	if (!how.is_fixed && strpbrk(text + 1, "{\\(") != NULL && (text[0] & 8) != 0)
		return;
	if (!how.is_fixed && (strchr(text + 1, '{') != NULL || strchr(text + 1, '\\') != NULL) &&
	    strpbrk(text + 1, "23456789") != NULL)
		return;
	for (int i = 0; i < 2; i++) {
		cleanup_close int fd = memory_file(cut + 1, size - (size_t)(cut - text) - 1);
		cleanup_pattern struct jp_pattern pattern = {0};

		if (jp_pattern_init(&pattern, text + 1, &how, &error) < 0)
			return;
		pattern.has_sieves &= i == 0;
		results[i] = jp_search_file(fd, &pattern, &options, count_found, &sums[i],
					    i == 0 ? &quick : &slow);
	}
	LAW(results[0] == 0 && results[1] == 0);
	LAW(sums[0] == sums[1] && quick.lines == slow.lines);
}

static int see_piece(void *context, const struct jp_transcript_piece *piece)
{
	size_t *size = context;

	for (size_t i = 0; i < piece->size; i++) {
		unsigned char byte = (unsigned char)piece->text[i];

		LAW((byte >= 0x20 || byte == '\n' || byte == '\t') && byte != 0x7f);
		/* U+0080 to U+009F, which a terminal obeys, too */
		LAW(byte != 0xc2 || i + 1 == piece->size ||
		    (unsigned char)piece->text[i + 1] >= 0xa0);
	}
	*size += piece->size;
	return 0;
}

/* Metadata, a NUL, and events: there is a text, the same each time, that no terminal obeys. */
static void transcript(const char *text, size_t size)
{
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : size;
	cleanup_close int metadata_fd = memory_file(text, first_size);
	cleanup_close int events_fd =
		cut != NULL ? memory_file(cut + 1, size - first_size - 1) : memory_file(text, size);
	struct jp_transcript_files files = {17727391057, metadata_fd, -EBADF, events_fd};
	size_t first = 0, second = 0;

	LAW(jp_transcript_render(&files, see_piece, &first) == 0);
	LAW(jp_transcript_render(&files, see_piece, &second) == 0);
	LAW(first == second && first > 0);
}

static const struct target {
	const char *name;
	void (*run)(const char *text, size_t size);
	bool needs_scratch;
} targets[] = {
	{"validity", validity, false},
	{"stream", stream, false},
	{"metadata", metadata, false},
	{"summary", summary, true},
	{"timestamp", timestamp, false},
	{"conversation_id", conversation_id, false},
	{"workspace_id", workspace_id, false},
	{"mountinfo", mountinfo, false},
	{"origin", origin, true},
	{"base_record", base_record, true},
	{"search", search, false},
	{"transcript", transcript, false},
};
static const struct target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *wanted = getenv("JPFS_FUZZ");

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (wanted != NULL && strcmp(targets[i].name, wanted) == 0)
			target = &targets[i];
	}
	if (target == NULL) {
		(void)fprintf(stderr, "JPFS_FUZZ must name a target of tests/fuzz/targets.c\n");
		exit(2);
	}
	if (target->needs_scratch) {
		const char *scratch = getenv("JPFS_FUZZ_SCRATCH");

		LAW(scratch != NULL);
		scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		LAW(scratch_fd >= 0);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target->run((const char *)data, size);
	return 0;
}
