/*
 * UTF-8, as strictly as Rust takes it: what jp cannot hold in a string it treats as absent, and
 * whoever wants to find the same workspace and the same store as jp has to draw the same line.
 */
#include "core/base/utf8.h"

#include <string.h>

/* The bytes that a character starting with `lead` takes; 0 when none starts so. */
static size_t sequence_size(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

bool jp_utf8_is_valid(const char *text, size_t size)
{
	/* The smallest code point that needs so many bytes: what is below is overlong. */
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;

	for (size_t i = 0, count; i < size; i += count) {
		uint32_t code;

		count = sequence_size(bytes[i]);
		if (count == 1)
			continue;
		if (count == 0 || count > size - i)
			return false;
		code = bytes[i] & (0xffU >> (count + 1));
		for (size_t k = 1; k < count; k++) {
			if ((bytes[i + k] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (bytes[i + k] & 0x3f);
		}
		if (code < smallest[count] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
	}
	return true;
}

size_t jp_utf8_next(const char *text, size_t size, uint32_t *ret_code)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t count = sequence_size(bytes[0]);
	uint32_t code = count == 1 ? bytes[0] : bytes[0] & (0xffU >> (count + 1));

	for (size_t k = 1; k < count && k < size; k++)
		code = code << 6 | (bytes[k] & 0x3f);
	*ret_code = code;
	return count;
}

bool jp_utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || (code >= 0xe0000 && code <= 0xe007f);
}

void jp_utf8_make_valid(char *text)
{
	if (jp_utf8_is_valid(text, strlen(text)))
		return;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text >= 0x80)
			*text = '?';
	}
}
