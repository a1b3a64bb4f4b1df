/*
 * Where jp keeps what belongs to the user and not to a workspace.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"

/*
 * The user data directory: `$JP_USER_DATA_DIR` verbatim if non-empty (made absolute against the
 * current directory, as a daemon has none); else `$XDG_DATA_HOME/jp` if that is an absolute path;
 * else `~/.local/share/jp`, where the home is `$HOME` or, without it, the password database's.
 *
 * Shape:   ret_path  new; free() it. The directory need not exist.
 * Returns: 0; -ENOENT there is no home to be found, and `error` says so.
 */
must_check int jp_user_data_dir(char **ret_path, struct jp_error *error);
