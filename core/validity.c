/*
 * jp's check of a conversation's files, byte for byte. See validity.h.
 *
 * What this says decides what becomes durable, and jp throws away what it does not like, so the
 * two must agree. Where they cannot be made to agree cheaply this one is the stricter: jp's
 * generated reader also takes a two-element array for an event, and this one does not. No program
 * writes that, and what is refused here stays where it was written, as a draft.
 */
#include "core/validity.h"

#include "core/base/io.h"
#include "core/base/sys.h"

#include <fcntl.h>
#include <string.h>

enum {
	READ_BYTES = 64 * 1024,
};

enum event_keys {
	HAS_TIMESTAMP = 1 << 0,
	HAS_TYPE = 1 << 1,
};

static int see_key(struct jp_event_check *check, const char *key, size_t size)
{
	static const struct {
		const char *name;
		unsigned flag;
	} wanted[] = {
		{"timestamp", HAS_TIMESTAMP},
		{"type", HAS_TYPE},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (size != strlen(wanted[i].name) || memcmp(key, wanted[i].name, size) != 0)
			continue;
		if ((check->keys & wanted[i].flag) != 0)
			return -EBADMSG;
		check->keys |= wanted[i].flag;
	}
	return 0;
}

int jp_event_check_token(struct jp_event_check *check, const struct jp_json_token *token)
{
	if (token->depth == JP_EVENT_KEY_DEPTH)
		return token->kind == JP_JSON_KEY ? see_key(check, token->key, token->key_size) : 0;
	if (token->kind == JP_JSON_END) {
		if (token->depth == JP_EVENT_DEPTH && check->keys != (HAS_TIMESTAMP | HAS_TYPE))
			return -EBADMSG;
		return 0;
	}
	if (token->depth == JP_EVENT_DEPTH) {
		check->keys = 0;
		return token->kind == JP_JSON_OBJECT ? 0 : -EBADMSG;
	}
	return token->kind == JP_JSON_ARRAY ? 0 : -EBADMSG;
}

static int see_token(void *context, const struct jp_json_token *token)
{
	return jp_event_check_token(context, token);
}

static void init_lexer(struct jp_json_lexer *lexer, enum jp_managed which,
		       struct jp_event_check *check)
{
	if (which == JP_EVENTS)
		jp_json_lexer_init(lexer, see_token, check, JP_EVENT_KEY_DEPTH);
	else
		jp_json_lexer_init(lexer, NULL, NULL, 0);
}

int jp_validity_of_text(enum jp_managed which, const char *text, size_t size)
{
	struct jp_event_check check = {0};
	cleanup_json_lexer struct jp_json_lexer lexer;
	int r;

	init_lexer(&lexer, which, &check);
	r = jp_json_lexer_feed(&lexer, text, size);
	if (r == 0)
		r = jp_json_lexer_finish(&lexer);
	return r == 0; /* without memory too the answer is no: nothing is lost by it */
}

int jp_validity_of_file(enum jp_managed which, int fd)
{
	struct jp_event_check check = {0};
	cleanup_json_lexer struct jp_json_lexer lexer;
	cleanup_free char *piece = malloc(READ_BYTES);
	off_t offset = 0;
	int r;

	init_lexer(&lexer, which, &check);
	if (piece == NULL)
		return -ENOMEM;
	for (;;) {
		ssize_t n = jp_sys->pread(fd, piece, READ_BYTES, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = n == 0 ? jp_json_lexer_finish(&lexer)
			   : jp_json_lexer_feed(&lexer, piece, (size_t)n);
		if (n == 0 || r < 0)
			break;
		offset += n;
	}
	if (r == -EBADMSG)
		return 0;
	return r < 0 ? r : 1;
}

int jp_validity_at(enum jp_managed which, int dirfd, const char *path)
{
	cleanup_close int fd = jp_open_regular(dirfd, path, O_RDONLY);

	if (fd < 0)
		return jp_is_absent(fd) ? 0 : fd;
	return jp_validity_of_file(which, fd);
}
