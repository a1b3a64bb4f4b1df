/*
 * jp, acted: the system calls that jp makes on its two sides, in its order, so that what it needs
 * of a mount can be tried without it. Its weaknesses are acted too: no lock, no sync, the durable
 * directory deleted before it is copied anew. The two sides are both named by path, as in jp:
 *
 *     user    the silo's conversations/, reached directly
 *     work    the workspace's .jp/conversations, through the mount
 *
 * Everything returns 0 or -errno; an error ends a command where it would end jp's.
 */
#pragma once

#include "core/base/cleanup.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct acted_jp {
	char user[PATH_MAX - 256];
	char work[PATH_MAX - 256];
	char locks[PATH_MAX - 256]; /* the silo's locks/ */
};

/* What jp holds in memory between loading and saving. All borrowed. */
struct acted_conversation {
	const char *digits; /* its ID */
	const char *name;   /* the directory that its title gives, as of now */
	const char *metadata;
	const char *base_config;
	const char *events;
};

/* The text behind such a conversation. */
struct acted_memory {
	char metadata[4096];
	char base_config[4096];
	char events[65536];
};

/* A conversation with a title and so many turns; what it points to is in `memory`. */
struct acted_conversation acted_in_memory(struct acted_memory *memory, const char *digits,
					  const char *name, const char *title, int turns);

enum acted_presence {
	ACTED_ABSENT,
	ACTED_LOCAL,     /* `local Y`: only on the user's side */
	ACTED_PROJECTED, /* on both */
	ACTED_EXTERNAL,  /* only in the workspace */
};

/* What a start did; each counts things. */
struct acted_start {
	unsigned listed;  /* conversations, of both sides together */
	unsigned trashed; /* directories moved to .trash */
	unsigned removed; /* *.tmp files deleted */
};

/* Names in a directory that belong to an ID. jp takes any error for an empty directory. */
unsigned acted_jp_count(const char *directory, const char *digits);
enum acted_presence acted_jp_presence(const struct acted_jp *jp, const char *digits);

/* Does a side have exactly what jp holds, under that name? Says which file is otherwise. */
bool acted_jp_has(const char *side, const struct acted_conversation *what);

/* Save as projected: the silo first, then the workspace. Takes the conversation's lock. */
must_check int acted_jp_save(const struct acted_jp *jp, const struct acted_conversation *what);
/* Save as local: the silo, then the workspace's directory is removed. */
must_check int acted_jp_save_local(const struct acted_jp *jp,
				   const struct acted_conversation *what);
must_check int acted_jp_remove(const struct acted_jp *jp, const char *digits);
must_check int acted_jp_archive(const struct acted_jp *jp, const char *digits);
must_check int acted_jp_unarchive(const struct acted_jp *jp, const char *digits);
/* What `jp conversation edit` ends with: delete the durable directory, copy the workspace's. */
must_check int acted_jp_sync_projection(const struct acted_jp *jp, const char *digits);

/* The check at every start, of one side: delete *.tmp, look at every conversation, move what is
 * incomplete or no JSON to .trash unless somebody holds its lock. Adds to what is counted. */
void acted_jp_check_side(const struct acted_jp *jp, const char *side, struct acted_start *start);
/* Both sides, the workspace first. */
struct acted_start acted_jp_start(const struct acted_jp *jp);
