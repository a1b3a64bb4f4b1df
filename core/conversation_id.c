/*
 * Conversation IDs in directory names. See conversation_id.h.
 *
 * jp is laxer when it reads than when it writes: its index takes `+5-x` and `0017…-x`, which Rust's
 * integer parser accepts, but everything that looks for a conversation compares with the canonical
 * digits and never finds those. Two spellings of one number would be two directories for one
 * conversation, so only the spelling that jp writes is an ID here.
 */
#include "core/conversation_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9'; /* isdigit() asks the locale */
}

int jp_conversation_id_parse(const char *name, uint64_t *ret_id)
{
	const char *next = name;
	uint64_t id = 0;

	if (!is_digit(name[0]) || (name[0] == '0' && is_digit(name[1])))
		return -EINVAL;
	for (; is_digit(*next); next++) {
		/* The limit is far below UINT64_MAX / 10, so this cannot wrap before it is seen. */
		id = id * 10 + (uint64_t)(*next - '0');
		if (id > JP_CONVERSATION_ID_MAX)
			return -EINVAL;
	}
	if (*next != '-' && *next != '\0')
		return -EINVAL;
	*ret_id = id;
	return 0;
}

bool jp_conversation_id_begins(uint64_t id, const char *name)
{
	char digits[24]; /* any uint64_t, also one that is no ID */
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, id);

	return length > 0 && strncmp(name, digits, (size_t)length) == 0;
}
