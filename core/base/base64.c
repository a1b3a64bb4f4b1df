/* Base64, strictly. See base64.h. */
#include "core/base/base64.h"

#include "core/base/utf8.h"

#include <stdint.h>
#include <string.h>

/* What a character stands for, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int jp_base64_decode(const char *text, size_t size, char **ret_data, size_t *ret_size)
{
	cleanup_free char *data = NULL;
	size_t padding = 0, used = 0;

	if (size % 4 != 0)
		return -EINVAL;
	while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
		padding++;
	data = malloc(size / 4 * 3 + 1);
	if (data == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < size; i += 4) {
		size_t missing = i + 4 == size ? padding : 0;
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			int value = j < 4 - missing ? value_of(text[i + j]) : 0;

			if (value < 0)
				return -EINVAL;
			bits = bits << 6 | (uint32_t)value;
		}
		if (missing > 0 && (bits & ((1U << (8 * missing)) - 1)) != 0)
			return -EINVAL; /* two texts would mean the same bytes */
		for (size_t j = 0; j < 3 - missing; j++)
			data[used++] = (char)(bits >> (16 - 8 * j) & 0xff);
	}
	data[used] = '\0';
	*ret_data = TAKE_PTR(data);
	*ret_size = used;
	return 0;
}

int jp_base64_to_text(const char *text, size_t size, char **ret_data, size_t *ret_size)
{
	cleanup_free char *data = NULL;
	int r = jp_base64_decode(text, size, &data, ret_size);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !jp_utf8_is_valid(data, *ret_size)) {
		free(data);
		data = malloc(size + 1);
		if (data == NULL)
			return -ENOMEM;
		memcpy(data, text, size);
		data[size] = '\0';
		*ret_size = size;
	}
	*ret_data = TAKE_PTR(data);
	return 0;
}
