/*
 * What parses text that others wrote, under libFuzzer.
 *
 * One program; JPFS_FUZZ names the target. Each target states a law and aborts when an input breaks
 * it; that nothing crashes, leaks or runs past its end is the sanitizers' law, for all of them. The
 * laws are those of the headers: where jansson and the lexer must agree they are compared, what is
 * written must read back the same, and relations of two versions must be relations.
 */
#include "core/base/base64.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/io.h"
#include "core/base/utf8.h"
#include "core/base_record.h"
#include "core/conversation_id.h"
#include "core/event_diff.h"
#include "core/git_worktree.h"
#include "core/kept.h"
#include "core/key_diff.h"
#include "core/managed.h"
#include "core/metadata.h"
#include "core/origin.h"
#include "core/search.h"
#include "core/staged_name.h"
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

/* What is base64 is exactly what encoding gives: decoded and encoded again it is the same text. */
static void base64(const char *text, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	cleanup_free char *data = NULL;
	size_t count = 0;
	int r = jp_base64_decode(text, size, &data, &count);

	LAW(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	LAW(data[count] == '\0' && size == (count + 2) / 3 * 4);
	for (size_t i = 0; i < size; i++) {
		size_t byte = i / 4 * 3 + i % 4 * 6 / 8, shift = i % 4 * 6 % 8;
		unsigned high = byte < count ? (unsigned char)data[byte] : 0;
		unsigned low = byte + 1 < count ? (unsigned char)data[byte + 1] : 0;
		bool is_padding = i / 4 * 3 + i % 4 > count;

		LAW(text[i] ==
		    (is_padding ? '=' : digits[(high << 8 | low) >> (10 - shift) & 0x3f]));
	}
}

/* A name that says something says the same when it is put together from what it said. */
static void staged_name(const char *text, size_t size)
{
	cleanup_free char *name = terminated(text, size);
	cleanup_free char *whole = malloc(3 * sizeof(((struct jp_staged *)0)->path) + 100);
	struct jp_staged staged, again;
	size_t used = 0;

	if (!jp_staged_parse(name, &staged))
		return;
	LAW(whole != NULL && staged.path[0] != '\0');
	LAW(jp_staged_is_marked(name) == (staged.state != JP_STAGED_OPEN));
	if (staged.state == JP_STAGED_OPEN) {
		used = (size_t)sprintf(whole, "%" PRIu64 ".%" PRIu64 ".", staged.number, staged.id);
	} else {
		used = (size_t)sprintf(whole, "%c%" PRIu64 ".%" PRIu64 "-%" PRIu64 ".%" PRIu64 ".",
				       (char)staged.state, staged.number, staged.ino, staged.size,
				       staged.id);
	}
	for (const char *at = staged.path; *at != '\0'; at++) {
		if (staged.state == JP_STAGED_OPEN || (*at != '/' && *at != '%'))
			whole[used++] = *at;
		else
			used += (size_t)sprintf(whole + used, "%%%02X", (unsigned)*at);
	}
	whole[used] = '\0';
	LAW(jp_staged_parse(whole, &again));
	LAW(again.state == staged.state && again.number == staged.number && again.id == staged.id &&
	    again.ino == staged.ino && again.size == staged.size &&
	    strcmp(again.path, staged.path) == 0);
}

static void kept_name(const char *text, size_t size)
{
	cleanup_free char *name = terminated(text, size);
	const char *file = NULL;
	int64_t kept_ns;
	int r = jp_kept_parse(name, &kept_ns, &file);

	LAW(r == 0 || r == -EINVAL);
	LAW(r < 0 || (file > name && file < name + strlen(name)));
}

static void managed(const char *text, size_t size)
{
	cleanup_free char *name = terminated(text, size);
	cleanup_free char *base = strdup(name);
	size_t length = strlen(name);
	enum jp_managed which = jp_managed_from_name(name);

	LAW(base != NULL);
	LAW(which == JP_UNMANAGED || strcmp(jp_managed_name(which), name) == 0);
	LAW(which == JP_UNMANAGED || !jp_name_is_temporary(name));
	if (length > 4)
		base[length - 4] = '\0';
	LAW(jp_name_is_managed_temporary(name) ==
	    (length > 4 && strcmp(name + length - 4, ".tmp") == 0 &&
	     jp_managed_from_name(base) != JP_UNMANAGED));
}

/* Harmless, no longer than before, the same when it was harmless, and done once for all. */
static void printable(const char *text, size_t size)
{
	cleanup_free char *line = terminated(text, size);
	cleanup_free char *once = strdup(line), *twice = NULL;
	bool was_harmless = jp_utf8_is_valid(line, strlen(line));
	uint32_t code;

	for (size_t at = 0; was_harmless && line[at] != '\0';) {
		at += jp_utf8_next(line + at, strlen(line + at), &code);
		was_harmless = !jp_utf8_is_control(code);
	}
	LAW(once != NULL);
	jp_make_printable(once);
	twice = strdup(once);
	LAW(twice != NULL);
	jp_make_printable(twice);
	LAW(strcmp(once, twice) == 0 && strlen(once) <= strlen(line));
	LAW(jp_utf8_is_valid(once, strlen(once)));
	LAW(was_harmless == (strcmp(once, line) == 0) || strchr(line, '?') != NULL);
	for (size_t at = 0; once[at] != '\0';) {
		at += jp_utf8_next(once + at, strlen(once + at), &code);
		LAW(!jp_utf8_is_control(code));
	}
}

/* The input is metadata and events with a NUL between them. */
struct rendered {
	uint64_t hash;
	uint64_t turn;
};

static int take_piece(void *context, const struct jp_transcript_piece *piece)
{
	struct rendered *rendered = context;

	LAW(jp_utf8_is_valid(piece->text, piece->size));
	LAW(piece->turn >= rendered->turn);
	rendered->turn = piece->turn;
	for (size_t at = 0; at < piece->size;) {
		uint32_t code;

		at += jp_utf8_next(piece->text + at, piece->size - at, &code);
		LAW(code == '\n' || code == '\t' || (code >= 0x20 && (code < 0x7f || code > 0x9f)));
		rendered->hash = rendered->hash * 1099511628211U + code;
	}
	return 0;
}

static void transcript(const char *text, size_t size)
{
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : 0;
	const char *events = cut != NULL ? cut + 1 : text;
	cleanup_close int metadata_fd = memory_file(text, first_size);
	cleanup_close int events_fd = memory_file(events, size - (size_t)(events - text));
	const struct jp_transcript_files files = {17727391057, metadata_fd, -EBADF, events_fd};
	struct rendered first = {0}, second = {0};

	LAW(jp_transcript_render(&files, take_piece, &first) == 0);
	LAW(jp_transcript_render(&files, take_piece, &second) == 0);
	LAW(first.hash == second.hash);
}

/* The input is two versions with a NUL between them. What one has more, the other has less. */
static void event_diff(const char *text, size_t size)
{
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : size;
	const char *second = cut != NULL ? cut + 1 : text;
	cleanup_close int a_fd = memory_file(text, first_size);
	cleanup_close int b_fd = memory_file(second, size - (size_t)(second - text));
	cleanup_events struct jp_events a = {0}, b = {0};
	struct jp_event_changes same = {0}, there = {0}, back = {0};
	char phrase[JP_PHRASE_BYTES];

	if (jp_events_read(a_fd, &a) < 0 || jp_events_read(b_fd, &b) < 0)
		return;
	LAW(jp_events_compare(&a, &a, &same) == 0 && same.count == 0);
	LAW(jp_events_compare(&a, &b, &there) == 0 && jp_events_compare(&b, &a, &back) == 0);
	LAW(there.count == there.added + there.removed + there.changed);
	LAW(a.count - there.removed + there.added == b.count);
	LAW(b.count - back.removed + back.added == a.count);
	jp_events_phrase(&there, &a, phrase);
	LAW(strlen(phrase) < sizeof(phrase) && jp_utf8_is_valid(phrase, strlen(phrase)));
	free(same.items);
	free(there.items);
	free(back.items);
}

static void key_diff(const char *text, size_t size)
{
	const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t first_size = cut != NULL ? (size_t)(cut - text) : size;
	const char *second = cut != NULL ? cut + 1 : text;
	cleanup_close int a = memory_file(text, first_size);
	cleanup_close int b = memory_file(second, size - (size_t)(second - text));
	cleanup_key_changes struct jp_key_changes same = {0}, there = {0}, back = {0};

	if (jp_keys_compare(a, a, &same) == 0)
		LAW(same.count == 0);
	if (jp_keys_compare(a, b, &there) == 0)
		LAW(jp_keys_compare(b, a, &back) == 0 && there.count == back.count);
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

/* What somebody's repository says of itself: `.git`, `gitdir` and `commondir`, with NULs between
 * them. Only the directory that holds the entry is ever answered. */
static void git_file(const char *text, size_t size)
{
	static const char *const places[] = {"tree/.git", "common/worktrees/w/gitdir",
					     "common/worktrees/w/commondir"};
	cleanup_close int root = -EBADF, common = -EBADF, found = -EBADF;
	struct stat expected, st;

	LAW(mkdirat(scratch_fd, "tree", 0700) == 0 || errno == EEXIST);
	LAW(mkdirat(scratch_fd, "common", 0700) == 0 || errno == EEXIST);
	LAW(mkdirat(scratch_fd, "common/worktrees", 0700) == 0 || errno == EEXIST);
	LAW(mkdirat(scratch_fd, "common/worktrees/w", 0700) == 0 || errno == EEXIST);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *cut = size > 0 ? memchr(text, '\0', size) : NULL;
		size_t part = cut != NULL ? (size_t)(cut - text) : size;

		put(scratch_fd, places[i], text, part);
		text = cut != NULL ? cut + 1 : text + part;
		size -= cut != NULL ? part + 1 : part;
	}
	root = openat(scratch_fd, "tree", O_PATH | O_DIRECTORY | O_CLOEXEC);
	common = openat(scratch_fd, "common", O_PATH | O_DIRECTORY | O_CLOEXEC);
	LAW(root >= 0 && common >= 0 && fstat(common, &expected) == 0);
	found = jp_git_open_common_dir(root);
	LAW(found >= 0 || found == -ENOENT);
	LAW(found < 0 || (fstat(found, &st) == 0 && st.st_ino == expected.st_ino &&
			  st.st_dev == expected.st_dev));
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
	{"base64", base64, false},
	{"staged_name", staged_name, false},
	{"kept_name", kept_name, false},
	{"managed", managed, false},
	{"printable", printable, false},
	{"transcript", transcript, false},
	{"event_diff", event_diff, false},
	{"key_diff", key_diff, false},
	{"git_file", git_file, true},
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
