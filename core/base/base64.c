/* Base64, strictly. See base64.h. */
#include "core/base/base64.h"

#include "core/base/utf8.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

/* What a character stands for, and one more; 0: nothing. */
static const unsigned char values[UCHAR_MAX + 1] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

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
			unsigned value = j < 4 - missing ? values[(unsigned char)text[i + j]] : 1;

			if (value == 0)
				return -EINVAL;
			bits = bits << 6 | (value - 1);
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
