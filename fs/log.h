/*
 * Where the daemon's messages go: stderr in the foreground, syslog in the background. Each says what
 * happened, to which path, and what to do next. Control characters never pass.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>

enum jpfs_log_level {
	JPFS_LOG_ERROR,
	JPFS_LOG_WARNING,
	JPFS_LOG_INFO,
	JPFS_LOG_DEBUG, /* only with JPFS_DEBUG=1 in the environment */
};

/* Choose the target; called once, before any thread starts. */
void jpfs_log_open(bool foreground);

/* Any thread. */
void jpfs_log(enum jpfs_log_level level, const char *format, ...) printf_like(2, 3);
