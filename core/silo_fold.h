/*
 * Folding the silos of one workspace ID into one.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/silo.h"

/*
 * Move all that the other silos of an ID have into this one, and remove them when they are empty.
 *
 * Of each conversation one copy stands, and what the others have more is kept (core/merge.h,
 * core/conversation_fold.h). Lists of allowed roots become one. jp's `storage` link is never
 * followed; the sibling's goes when the survivor has one.
 *
 * Shape:   silos_fd  `<user data dir>/workspace/`; the caller holds its lock
 *          silo      the survivor, with all its parts; `folded` counts the siblings that went
 * Returns: 0 there is one silo now; -errno with `error` naming what could not be moved, and from
 *          where: that sibling stays, with what is left of it. Nothing is lost whenever it ends, and
 *          doing it again goes on.
 */
must_check int jp_silo_fold(int silos_fd, const char *id, struct jp_silo *silo,
			    struct jp_error *error);
