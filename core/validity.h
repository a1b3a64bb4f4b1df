/*
 * Would jp accept this file?
 *
 * jp checks each conversation at every start and moves what fails to its trash. The same check
 * decides here what may become the durable version: `metadata.json` and `base_config.json` must be
 * one JSON value, `events.json` an array of objects that each have `timestamp` and `type`, each
 * once. The lexing follows serde_json as jp uses it for values that it skips: white space is blank,
 * TAB, LF and CR; no byte order mark; strict number grammar without a range limit; raw control
 * characters below 0x20 are refused in strings; escapes are checked, lone surrogates and invalid
 * UTF-8 are tolerated in skipped strings; no depth limit.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/json_lexer.h"
#include "core/managed.h"

#include <stddef.h>

/*
 * Check one whole text.
 *
 * Shape:   which  one of the three managed files
 *          text   `size` bytes, any value, borrowed
 * Returns: 1 jp would accept it, 0 it would not.
 */
int jp_validity_of_text(enum jp_managed which, const char *text, size_t size);

/*
 * Check a regular file, from its beginning; the offset is not moved. The file is not read into
 * memory whole: a gigabyte costs no more memory than a kilobyte. Nesting costs at most one bit a
 * level.
 *
 * Returns: 1 accepted, 0 not, -errno the file could not be read.
 */
must_check int jp_validity_of_file(enum jp_managed which, int fd);

/*
 * The same of a file by its name, which is opened as jp_open_regular() does.
 *
 * Returns: 1 accepted, 0 not, or there is no regular file of that name, -errno nobody can tell: what
 *          cannot be read is neither invalid nor absent.
 */
must_check int jp_validity_at(enum jp_managed which, int dirfd, const char *path);

/* Where things are in events.json, as the lexer counts. */
enum {
	JP_EVENT_DEPTH = 1,     /* events: the elements of the outermost array */
	JP_EVENT_KEY_DEPTH = 2, /* their own keys and values */
};

/* What is known of the event being read. Begins as {0}. */
struct jp_event_check {
	unsigned keys;
};

/*
 * The same check, of one token of an events.json: for who reads its events anyway.
 *
 * Shape:   token  every one down to JP_EVENT_KEY_DEPTH, in order
 * Returns: 0 or -EBADMSG: jp would not accept it.
 */
must_check int jp_event_check_token(struct jp_event_check *check,
				    const struct jp_json_token *token);
