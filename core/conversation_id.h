/*
 * The identity of a conversation: the decimal deciseconds at the start of its directory's name.
 *
 * `17727391057-some-title` is conversation 17727391057 and so is plain `17727391057`. The rest of
 * the name is a title slug and may change; two names with the same number are one conversation.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* The largest that jp accepts: more deciseconds overflow its nanoseconds (RFD 031 sources,
 * `try_from_dirname`). */
#define JP_CONVERSATION_ID_MAX UINT64_C(92233720368)
/* Decimal digits of the largest ID, and the NUL. */
#define JP_CONVERSATION_ID_TEXT_BYTES 12

/*
 * Read the ID from a directory's name.
 *
 * Returns: 0, or -EINVAL when the name is no conversation's: the digits must be the canonical
 *          decimal form (no sign, no leading zero), at most JP_CONVERSATION_ID_MAX, and be followed
 *          by '-' or the end. The name may hold any other bytes.
 */
must_check int jp_conversation_id_parse(const char *name, uint64_t *ret_id);

/* Whether jp's loader would take an entry of this name for that conversation: its name begins with
 * the digits, whatever follows. */
bool jp_conversation_id_begins(uint64_t id, const char *name);
