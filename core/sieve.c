/* Bits that move along with what is read. See sieve.h. */
#include "core/sieve.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum {
	PLACES = 64,
	PLAIN_BYTES_MAX = 16, /* three times 14 for base64, and 4 for the escapes are the rest */
	ENCODED_BYTES_MAX = 10,
	SEXTET_BITS = 6,
	PARTS = 4,
	PART_BYTES = 1024,
	CASE_BIT = 'a' - 'A',
};

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A place that the next form has; `is_last`: it ends there. */
struct builder {
	struct jp_sieve *sieve;
	unsigned used;
	bool is_first;
};

static void begin_form(struct builder *builder)
{
	builder->is_first = true;
}

static uint64_t next_place(struct builder *builder)
{
	uint64_t place = UINT64_C(1) << builder->used++;

	if (builder->is_first)
		builder->sieve->starts |= place;
	builder->is_first = false;
	return place;
}

static void end_form(struct builder *builder)
{
	builder->sieve->ends |= UINT64_C(1) << (builder->used - 1);
}

static void fit(struct builder *builder, uint64_t place, char byte)
{
	builder->sieve->masks[(unsigned char)byte] |= place;
}

static bool is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static void add_plain(struct builder *builder, const char *text, size_t size, bool ignore_case)
{
	begin_form(builder);
	for (size_t i = 0; i < size; i++) {
		uint64_t place = next_place(builder);

		fit(builder, place, text[i]);
		if (ignore_case && is_letter(text[i]))
			fit(builder, place, (char)(text[i] ^ CASE_BIT));
	}
	end_form(builder);
}

/* Six bits of the text from bit `first` on, and those of them that may be either. */
static void take_sextet(const char *text, bool ignore_case, size_t first, unsigned *ret_bits,
			unsigned *ret_either)
{
	*ret_bits = *ret_either = 0;
	for (size_t i = first; i < first + SEXTET_BITS; i++) {
		unsigned shift = CHAR_BIT - 1 - (unsigned)(i % CHAR_BIT);
		char byte = text[i / CHAR_BIT];
		bool is_either = ignore_case && is_letter(byte) && 1U << shift == CASE_BIT;

		*ret_bits = *ret_bits << 1 | ((unsigned)(unsigned char)byte >> shift & 1U);
		*ret_either = *ret_either << 1 | (is_either ? 1U : 0U);
	}
}

/* The characters that stand for nothing but the text, with `before` bytes in front of it. */
static void add_encoded(struct builder *builder, const char *text, size_t size, bool ignore_case,
			size_t before)
{
	size_t skipped = before * CHAR_BIT;
	size_t first = (skipped + SEXTET_BITS - 1) / SEXTET_BITS;
	size_t end = (skipped + size * CHAR_BIT) / SEXTET_BITS;

	begin_form(builder);
	for (size_t i = first; i < end; i++) {
		uint64_t place = next_place(builder);
		unsigned bits, either;

		take_sextet(text, ignore_case, i * SEXTET_BITS - skipped, &bits, &either);
		for (unsigned value = 0; value < sizeof(base64_alphabet) - 1; value++) {
			if (((value ^ bits) & ~either) == 0)
				fit(builder, place, base64_alphabet[value]);
		}
	}
	end_form(builder);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

void jp_sieve_init_for_file(struct jp_sieve *sieve, const char *text, size_t size, bool ignore_case)
{
	struct builder builder = {.sieve = sieve};

	*sieve = (struct jp_sieve){0};
	add_plain(&builder, text, smaller(size, PLAIN_BYTES_MAX), ignore_case);
	for (size_t before = 0; before < 3; before++)
		add_encoded(&builder, text, smaller(size, ENCODED_BYTES_MAX), ignore_case, before);
	add_plain(&builder, "\\u", 2, false);
	add_plain(&builder, "\\/", 2, false);
}

void jp_sieve_init_for_text(struct jp_sieve *sieve, const char *text, size_t size, bool ignore_case)
{
	struct builder builder = {.sieve = sieve};

	*sieve = (struct jp_sieve){0};
	add_plain(&builder, text, smaller(size, PLACES), ignore_case);
}

static uint64_t step(const struct jp_sieve *sieve, uint64_t places, unsigned char byte)
{
	return (places << 1 | sieve->starts) & sieve->masks[byte];
}

/*
 * Look at a block, of which the parts are looked at side by side: a processor waits for one step
 * before it does the next, but not for those of another part. Each part begins so many bytes early
 * that it knows all that could reach into it. False: a form ends somewhere in it; else *places is
 * where it has come to at its end.
 */
static bool pass_block(const struct jp_sieve *sieve, const unsigned char *bytes, uint64_t *places)
{
	const unsigned char *second = bytes + PART_BYTES, *third = second + PART_BYTES;
	const unsigned char *fourth = third + PART_BYTES;
	uint64_t a = *places, b = 0, c = 0, d = 0, seen = 0;

	for (size_t i = PART_BYTES - PLACES; i < PART_BYTES; i++) {
		b = step(sieve, b, bytes[i]);
		c = step(sieve, c, second[i]);
		d = step(sieve, d, third[i]);
	}
	for (size_t i = 0; i < PART_BYTES; i++) {
		a = step(sieve, a, bytes[i]);
		b = step(sieve, b, second[i]);
		c = step(sieve, c, third[i]);
		d = step(sieve, d, fourth[i]);
		seen |= a | b | c | d;
	}
	*places = d;
	return (seen & sieve->ends) == 0;
}

size_t jp_sieve_find(const struct jp_sieve *sieve, struct jp_sieve_state *state, const char *data,
		     size_t size)
{
	const unsigned char *bytes = (const unsigned char *)data;
	uint64_t places = state->places;
	size_t i = 0;

	while (i < size) {
		size_t end = smaller(size, i + PARTS * PART_BYTES);
		uint64_t after = places;

		if (end - i == PARTS * PART_BYTES && pass_block(sieve, bytes + i, &after)) {
			places = after;
			i = end;
			continue;
		}
		for (; i < end; i++) {
			places = step(sieve, places, bytes[i]);
			if ((places & sieve->ends) == 0)
				continue;
			state->places = places;
			return i + 1;
		}
	}
	state->places = places;
	return 0;
}
