/*
 * Finding the conversation that a person means: by ID, by the beginning of an ID that only one
 * has, by a directory's name, or by a path to it or into it.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/dir_index.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* A conversation, where the store and where this workspace have it. */
struct jpfs_picked {
	uint64_t id;
	bool is_durable, is_here;
	bool durable_is_archived, here_is_archived;
	char durable_name[NAME_MAX + 1], here_name[NAME_MAX + 1];
};

/* What there is to choose from; both sorted by ID. */
struct jpfs_choice {
	struct jp_index_entry *durable, *here;
	size_t durable_count, here_count;
};

/*
 * Read what there is.
 *
 * Shape:   conversations_fd  the silo's; -EBADF: it has none
 *          workspace_fd      .jp/conversations, real or mounted; -EBADF: nothing is there
 */
must_check int jpfs_choice_read(int conversations_fd, int workspace_fd,
				struct jpfs_choice *ret_choice);
void jpfs_choice_release(struct jpfs_choice *choice);
#define cleanup_choice __attribute__((cleanup(jpfs_choice_release)))

/* The conversation that `text` means. Returns 0; -ENOENT none; -ENOTUNIQ several, which are named. */
must_check int jpfs_pick(const struct jpfs_choice *choice, const char *text,
			 struct jpfs_picked *ret_picked, struct jp_error *error);
