/*
 * What the name of a file in staging says; staging.h has how it is written. Pure.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum jp_staged_state {
	JP_STAGED_OPEN,           /* not closed by its writer yet: it is never a version */
	JP_STAGED_FLUSHED = 'f',  /* close(2) was called, perhaps not on its last descriptor */
	JP_STAGED_WRITTEN = 'w',  /* closed: to be committed */
	JP_STAGED_RESTORED = 'g', /* the same, made as git makes files, or in a draft's place */
	JP_STAGED_COPY = 'c',     /* a copy of what is elsewhere as well */
	JP_STAGED_PIN = 'p',      /* another name of a durable version */
};

/* What a name says. */
struct jp_staged {
	enum jp_staged_state state;
	uint64_t number, id;
	uint64_t ino, size; /* what was marked; 0 for OPEN and PIN */
	char path[NAME_MAX + 1];
};

/* Whether a name is a marked one. */
bool jp_staged_is_marked(const char *name);

/* What a name says; false: it is none of ours. */
bool jp_staged_parse(const char *name, struct jp_staged *ret_staged);
