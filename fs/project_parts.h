/*
 * What bringing the workspace up to date (project.c) and what was put off until then (put_off.c)
 * share.
 */
#pragma once

#include "fs/conversation.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- put_off.c; `is_final`: nothing is served any more, and nothing more is waited for ---- */

/* Managed and other files that were removed while their directory stayed, where the workspace still
 * has them. */
must_check int jpfs_carry_out_removals(struct jpfs_conversation *conversation, bool is_final,
				       int64_t *wait_ms);
/* The same of the durable copy: only files that are not jp's. */
must_check int jpfs_carry_out_doomed(struct jpfs_conversation *conversation, bool is_final,
				     int64_t *wait_ms);
