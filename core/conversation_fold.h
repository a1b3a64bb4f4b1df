/*
 * Bringing the conversations of two silos into one, so that there is one directory for each ID and
 * it is the newer one.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/merge.h"
#include "core/silo.h"

/*
 * Move the conversations of a sibling, live and archived, to the survivor. Where both have one, the
 * better one (conversation_fold.c has the order) stands, under its own name, live or archived as it
 * was, and the other one is set aside (conversation_remains.h). What else there is follows by the
 * rule of core/merge.h. `conversations/` itself goes last.
 *
 * Shape:   sibling_fd  the sibling, which may have no conversations/
 * Returns: 0 there is none any more; -ENOTEMPTY something came in meanwhile, doing it again may
 *          help; other -errno, and `failure` says what stays where it is. Whatever is returned, no
 *          conversation is in neither of the two.
 */
must_check int jp_fold_conversations(const struct jp_silo *survivor, int sibling_fd,
				     struct jp_merge_failure *failure);
