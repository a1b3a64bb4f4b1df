/*
 * Reading and writing timestamps. See timestamp.h.
 *
 * strptime(3) knows no fractions and takes blanks and other digits than it should, and mktime(3)
 * asks for the local zone, so the few fields are read here. The two forms differ in the letter
 * between day and time and in whether a zone follows; what has a zone is RFC 3339, and only there
 * may a 'T' stand.
 */
#include "core/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum {
	SECOND_NS = 1000000000,
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	FRACTION_DIGITS = 9,
};

/* What is left to be read. */
struct reader {
	const char *next;
	size_t left;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9'; /* isdigit() asks the locale */
}

static bool take(struct reader *reader, char c)
{
	if (reader->left == 0 || *reader->next != c)
		return false;
	reader->next++;
	reader->left--;
	return true;
}

/* Exactly so many digits, their value between the bounds. */
static bool take_number(struct reader *reader, unsigned digits, int low, int high, int *ret)
{
	int value = 0;

	if (reader->left < digits)
		return false;
	for (unsigned i = 0; i < digits; i++) {
		if (!is_digit(reader->next[i]))
			return false;
		value = value * 10 + (reader->next[i] - '0');
	}
	reader->next += digits;
	reader->left -= digits;
	*ret = value;
	return value >= low && value <= high;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

static bool take_date(struct reader *reader, struct tm *ret)
{
	int year, month, day;

	if (!take_number(reader, 4, 0, 9999, &year) || !take(reader, '-') ||
	    !take_number(reader, 2, 1, 12, &month) || !take(reader, '-') ||
	    !take_number(reader, 2, 1, days_in_month(year, month), &day))
		return false;
	*ret = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	return true;
}

static bool take_time(struct reader *reader, struct tm *ret, int64_t *ret_fraction_ns)
{
	int64_t fraction = 0;
	int digits = 0;

	if (!take_number(reader, 2, 0, 23, &ret->tm_hour) || !take(reader, ':') ||
	    !take_number(reader, 2, 0, 59, &ret->tm_min) || !take(reader, ':') ||
	    !take_number(reader, 2, 0, 60, &ret->tm_sec))
		return false;
	*ret_fraction_ns = 0;
	if (!take(reader, '.'))
		return true;
	if (reader->left == 0 || !is_digit(*reader->next))
		return false;
	for (; reader->left > 0 && is_digit(*reader->next); reader->next++, reader->left--) {
		if (digits < FRACTION_DIGITS) {
			fraction = fraction * 10 + (*reader->next - '0');
			digits++;
		}
	}
	for (; digits < FRACTION_DIGITS; digits++)
		fraction *= 10;
	*ret_fraction_ns = fraction;
	return true;
}

/* Seconds that local time is ahead of UTC. */
static bool take_zone(struct reader *reader, int64_t *ret_offset_s)
{
	bool is_behind;
	int hours, minutes;

	*ret_offset_s = 0;
	if (take(reader, 'Z') || take(reader, 'z'))
		return true;
	is_behind = take(reader, '-');
	if ((!is_behind && !take(reader, '+')) || !take_number(reader, 2, 0, 23, &hours) ||
	    !take(reader, ':') || !take_number(reader, 2, 0, 59, &minutes))
		return false;
	*ret_offset_s = (int64_t)hours * HOUR_S + minutes * MINUTE_S;
	if (is_behind)
		*ret_offset_s = -*ret_offset_s;
	return true;
}

int jp_timestamp_parse(const char *text, size_t size, int64_t *ret_ns)
{
	struct reader reader = {.next = text, .left = size};
	int64_t fraction, offset = 0, seconds, ns;
	bool has_blank;
	struct tm fields;

	if (!take_date(&reader, &fields))
		return -EINVAL;
	has_blank = take(&reader, ' ');
	if ((!has_blank && !take(&reader, 'T') && !take(&reader, 't')) ||
	    !take_time(&reader, &fields, &fraction))
		return -EINVAL;
	if (!(has_blank && reader.left == 0) && !take_zone(&reader, &offset))
		return -EINVAL;
	if (reader.left > 0)
		return -EINVAL;
	seconds = (int64_t)timegm(&fields) - offset;
	if (__builtin_mul_overflow(seconds, (int64_t)SECOND_NS, &ns) ||
	    __builtin_add_overflow(ns, fraction, &ns) || ns == JP_TIME_UNKNOWN)
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

void jp_timestamp_format(int64_t ns, char *ret_text)
{
	int64_t fraction = ns % SECOND_NS;
	time_t seconds = ns / SECOND_NS;
	int digits = FRACTION_DIGITS;
	char after[FRACTION_DIGITS + 2] = "";
	struct tm utc;

	if (fraction < 0) {
		fraction += SECOND_NS;
		seconds--;
	}
	for (; digits > 0 && fraction % 10 == 0; digits--)
		fraction /= 10;
	if (digits > 0)
		(void)snprintf(after, sizeof(after), ".%0*" PRId64, digits, fraction);
	gmtime_r(&seconds, &utc);
	(void)snprintf(ret_text, JP_TIMESTAMP_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
		       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		       utc.tm_sec, after);
}
