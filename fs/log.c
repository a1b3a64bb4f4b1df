/*
 * The daemon's voice. It holds no buffer and no lock of its own: a message is made whole on the
 * caller's stack and handed over in one call, so that threads cannot mix their lines and a daemon
 * that dies loses none.
 */
#include "fs/log.h"

#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

enum {
	LINE_BYTES_MAX = 4096, /* a path and a sentence; longer ones are cut */
};

/* Written once, before any thread starts. */
static bool to_syslog;
static bool debug_is_on;

void jpfs_log_open(bool foreground)
{
	const char *debug = getenv("JPFS_DEBUG");

	debug_is_on = debug != NULL && strcmp(debug, "1") == 0;
	to_syslog = !foreground;
	if (to_syslog)
		openlog("jpfs", LOG_PID, LOG_USER);
}

void jpfs_log(enum jpfs_log_level level, const char *format, ...)
{
	static const struct {
		int priority;
		const char *prefix;
	} levels[] = {
		[JPFS_LOG_ERROR] = {LOG_ERR, "error: "},
		[JPFS_LOG_WARNING] = {LOG_WARNING, "warning: "},
		[JPFS_LOG_INFO] = {LOG_INFO, ""},
		[JPFS_LOG_DEBUG] = {LOG_DEBUG, "debug: "},
	};
	char line[LINE_BYTES_MAX];
	va_list arguments;
	int saved = errno;

	if (level == JPFS_LOG_DEBUG && !debug_is_on)
		return;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	jp_make_printable(line);
	if (to_syslog)
		syslog(levels[level].priority, "%s", line);
	else
		(void)dprintf(STDERR_FILENO, "jpfs: %s%s\n", levels[level].prefix, line);
	errno = saved;
}
