/*
 * The text of `.jp/.id`. Pure.
 *
 * A workspace ID is exactly five characters of [0-9a-z]. The file's first line is jp's notice not
 * to edit it, its last line is the ID.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JP_WORKSPACE_ID_CHARACTERS 5

/* The whole file: 51 characters of notice, an ID, and a line feed after each. */
#define JP_WORKSPACE_ID_TEXT_BYTES 57

/* Whether it is exactly five characters of [0-9a-z]. */
bool jp_workspace_id_is_valid(const char *id);

/*
 * Read the ID from the file's text, as jp does: the text is UTF-8, lines end with LF or CRLF, one
 * final line end does not start another line, nothing is trimmed.
 *
 * Shape:   text    `size` bytes, any value, borrowed
 *          ret_id  JP_WORKSPACE_ID_CHARACTERS + 1 bytes, NUL-terminated
 * Returns: 0; -EBADMSG the last line is no ID, or the text is not UTF-8 (jp would then replace it).
 * Source:  jp_workspace/src/id.rs:41-47, 95-110.
 */
must_check int jp_workspace_id_parse(const char *text, size_t size, char *ret_id);

/*
 * A new ID: the five low base-36 digits of a time, zeros in front.
 *
 * Units:   milliseconds since the epoch; a time before it counts as the epoch
 * Source:  jp_workspace/src/id.rs:117-138. The digits repeat after 36^5 ms, 16.8 hours.
 */
void jp_workspace_id_from_time(int64_t unix_ms, char *ret_id);

/* The text of the file for a valid ID: JP_WORKSPACE_ID_TEXT_BYTES, and a NUL after them. */
void jp_workspace_id_text(const char *id, char *ret_text);
