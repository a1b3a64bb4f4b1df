/*
 * What bringing the workspace up to date (project.c) and what was put off until then (put_off.c)
 * share.
 */
#pragma once

#include "fs/conversation.h"

#include <stdbool.h>
#include <stdint.h>

/* The workspace's directory that holds a path; a new descriptor. *ret_name points into path. */
must_check int jpfs_open_workspace_parent(struct jpfs_conversation *conversation, const char *path,
					  const char **ret_name);
/* Come back in this many milliseconds at the latest; *wait_ms less than 0: nobody asked yet. */
void jpfs_wait_at_most(int64_t *wait_ms, int64_t ms);

/* ---- put_off.c; `is_final`: nothing is served any more, and nothing more is waited for ---- */

/* Managed and other files that were removed while their directory stayed, where the workspace still
 * has them. */
must_check int jpfs_carry_out_removals(struct jpfs_conversation *conversation, bool is_final,
				       int64_t *wait_ms);
/* The same of the durable copy: only files that are not jp's. */
must_check int jpfs_carry_out_doomed(struct jpfs_conversation *conversation, bool is_final,
				     int64_t *wait_ms);
