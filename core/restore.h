/*
 * Taking conversations out of the store and bringing back what was kept of them.
 *
 * Nothing goes that cannot be brought back: a removed conversation lies whole in the trash, and
 * what a restored version replaces goes to history, also where the new one contains it.
 */
#pragma once

#include "core/base/error.h"
#include "core/kept.h"
#include "core/silo.h"

/*
 * Move a conversation's durable directory to the trash, whole.
 *
 * Returns: 0; -ENOENT the store does not have it; -EBUSY jp is working on it; others, then it is
 *          where it was. What is projected of it stays.
 */
must_check int jp_remove_conversation(const struct jp_silo *silo, uint64_t id);

/*
 * Bring a conversation back from the trash, whole.
 *
 * Shape:   kept      one of its directories there
 *          ret_name  the directory's name, NAME_MAX + 1 bytes of room
 * Returns: 0; -EEXIST the store has one of this ID; -EBADMSG jp would not accept it; others, then
 *          it is in the trash.
 */
must_check int jp_restore_conversation(const struct jp_silo *silo, const struct jp_kept *kept,
				       char *ret_name);

/*
 * Make a kept version of a managed file the durable one. It gets the present time, so that jp
 * without jpfs takes it for the latest, which it is.
 *
 * Shape:   kept  a version; or a directory of the trash that has one
 *          file  a managed file's name
 * Returns: 0; -EALREADY it is the durable one; -EBADMSG jp would not accept it; -ENOENT the store
 *          does not have the conversation; -EBUSY jp is working on it; others, then it is the
 *          old version or the new one, and the old one is kept or still in staging.
 */
must_check int jp_restore_file(const struct jp_silo *silo, const struct jp_kept *kept,
			       const char *file);
