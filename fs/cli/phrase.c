/* Times and sizes in few words. See phrase.h. */
#include "fs/cli/phrase.h"

#include "core/timestamp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

enum {
	SECOND_NS = 1000000000,
	MINUTE_S = 60,
	HOUR_S = 60 * MINUTE_S,
	DAY_S = 24 * HOUR_S,
	DATE_AFTER_S = 30 * DAY_S, /* further away, a date says more */
};

static void write_date(int64_t when_ns, char *ret_phrase)
{
	time_t seconds = when_ns / SECOND_NS - (when_ns % SECOND_NS < 0 ? 1 : 0);
	struct tm local;

	ret_phrase[0] = '\0';
	if (localtime_r(&seconds, &local) != NULL)
		(void)strftime(ret_phrase, JPFS_PHRASE_BYTES, "%Y-%m-%d", &local);
}

void jpfs_phrase_time(int64_t when_ns, int64_t now_ns, char *ret_phrase)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{DAY_S, "day"}, {HOUR_S, "hour"}, {MINUTE_S, "minute"}, {1, "second"}};
	int64_t distance, count;
	bool is_past;
	size_t i = 0;

	if (when_ns == JP_TIME_UNKNOWN) {
		ret_phrase[0] = '\0';
		return;
	}
	if (__builtin_sub_overflow(now_ns, when_ns, &distance) || distance == INT64_MIN) {
		write_date(when_ns, ret_phrase);
		return;
	}
	is_past = distance >= 0;
	distance = (is_past ? distance : -distance) / SECOND_NS;
	if (distance > DATE_AFTER_S) {
		write_date(when_ns, ret_phrase);
		return;
	}
	if (distance == 0 || (is_past && distance < MINUTE_S)) {
		(void)snprintf(ret_phrase, JPFS_PHRASE_BYTES, "%s", "just now");
		return;
	}
	while (distance < units[i].seconds)
		i++;
	count = distance / units[i].seconds;
	(void)snprintf(ret_phrase, JPFS_PHRASE_BYTES, "%s%" PRId64 " %s%s%s", is_past ? "" : "in ",
		       count, units[i].name, count == 1 ? "" : "s", is_past ? " ago" : "");
}

void jpfs_phrase_size(uint64_t bytes, char *ret_phrase)
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(ret_phrase, JPFS_PHRASE_BYTES, "%" PRIu64, bytes);
		return;
	}
	/* Up to the unit in which it will not be rounded to 1024 of one. */
	while (value >= 1023.5) {
		value /= 1024;
		i++;
	}
	(void)snprintf(ret_phrase, JPFS_PHRASE_BYTES, value < 9.95 ? "%.1f%c" : "%.0f%c", value,
		       units[i]);
}
