/*
 * Where the conversations of a workspace are, for commands that look at all of them.
 *
 * What is in the workspace is what its directory lists: the mount's root when it is mounted, as the
 * real directory is beneath it then, and the real one otherwise. Everything else comes from the
 * store. It is only looked at: nothing is made or imported. A workspace that is new to the store is
 * asked about, as at mounting.
 */
#pragma once

#include "fs/cli/catalog.h"
#include "fs/cli/place.h"

#include <stdio.h>

struct jpfs_sources {
	struct jp_workspace workspace;
	struct jpfs_place place;
	char *silo_path; /* NULL: there is no silo */
	int durable_fd, workspace_fd, own_fd;
	uint64_t *drafts; /* sorted */
	size_t draft_count;
};

#define JPFS_NO_SOURCES                                                                            \
	{                                                                                          \
		.durable_fd = -EBADF, .workspace_fd = -EBADF, .own_fd = -EBADF                     \
	}

/* Open them. `ret_sources` is JPFS_NO_SOURCES before, and to be released whatever comes of it. */
must_check int jpfs_sources_open(const char *directory, struct jpfs_sources *ret_sources,
				 struct jp_error *error);
void jpfs_sources_release(struct jpfs_sources *sources);
#define cleanup_sources __attribute__((cleanup(jpfs_sources_release)))

/* A request for the catalog of them, without archived ones and summaries. */
struct jpfs_catalog_request jpfs_sources_request(const struct jpfs_sources *sources);

/* Where a conversation's files are, for a script to open: new text, UTF-8; NULL: no memory. */
char *jpfs_sources_path(const struct jpfs_sources *sources, const struct jpfs_listed *row);

/* "projected", "local" or "workspace-only". */
const char *jpfs_presence_name(enum jpfs_presence presence);
