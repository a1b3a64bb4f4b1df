/*
 * What is kept of a conversation, as a list: the versions in the history and what is in the trash
 * (history.h has the layout).
 *
 * Whatever is kept has a *version*: eight letters from k to z, made from the name that it is kept
 * under. They never change, are the same on every machine that has the store, and cannot be
 * mistaken for digits. A person types as many of them as tell it from the others, or the beginning
 * of its time.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JP_VERSION_LETTERS 8
#define JP_VERSION_BYTES (JP_VERSION_LETTERS + 1)
/* Of an `ID@VERSION` on a command line: the longest version, a whole time with its fraction. */
#define JP_VERSION_TEXT_BYTES 32

struct jp_kept {
	uint64_t id;              /* the conversation's; 0: of none */
	int64_t kept_ns;          /* since the epoch: when it was put there */
	uint64_t size;            /* of all regular files in it */
	size_t file;              /* where in `entry` its own name begins */
	char entry[NAME_MAX + 1]; /* its name in `<id>/` of the history or the trash */
	char version[JP_VERSION_BYTES];
	bool is_trash;
	bool is_directory;
};

/* The name that it had in its conversation ('%' for '/'), or its conversation's directory name.
 * Borrowed. */
const char *jp_kept_file(const struct jp_kept *kept);

/*
 * Whether it is a conversation's whole directory, in the trash.
 *
 * Shape:   ret_name         the directory's name; borrowed; may be NULL, as the next
 *          ret_is_archived  where it was
 */
bool jp_kept_is_conversation(const struct jp_kept *kept, const char **ret_name,
			     bool *ret_is_archived);

/* Whether it is called so: a path in a conversation, with '/' or as it is written here. */
bool jp_kept_is_called(const struct jp_kept *kept, const char *file);

/* ---- names; pure ---- */

/*
 * Take apart the name of something kept.
 *
 * Shape:   ret_file  points into `entry`
 * Returns: 0, -EINVAL it is no such name
 */
must_check int jp_kept_parse(const char *entry, int64_t *ret_kept_ns, const char **ret_file);

/* The version of an entry. `ret_version` has JP_VERSION_BYTES of room. */
void jp_kept_version(const char *entry, char *ret_version);

/* The name of the file that shows it to people: "20261123T162201Z.kmwzptrs.events.json".
 * `ret_name` has NAME_MAX + 1 bytes of room. -EINVAL it is no such name. */
must_check int jp_kept_shown_name(const char *entry, char *ret_name);

/*
 * Divide `WORD[@VERSION]`. A word may have an '@' of its own: only what can be a version is one.
 *
 * Shape:   ret_word_size  bytes of `text` that are the word
 *          ret_version    the rest after the '@', "" if there is none
 */
void jp_version_split(const char *text, size_t *ret_word_size, const char **ret_version);

/* Whether a text can be (the beginning of) a version: letters, or a time's digits. */
bool jp_version_is_wellformed(const char *text);

/* Whether it means this one. */
bool jp_version_means(const char *text, const struct jp_kept *kept);

/*
 * The one of a list that is meant.
 *
 * Shape:   file  only those of this name; NULL: any
 * Returns: its index; -ENOENT none; -ENOTUNIQ several, and `error` names them
 */
must_check int jp_kept_find(const struct jp_kept *list, size_t count, const char *version,
			    const char *file, struct jp_error *error);

/* ---- the store ---- */

/*
 * What is kept of a conversation, newest first. What has another kind of name is left out.
 *
 * Shape:   history_fd, trash_fd  the silo's; -EBADF: it has none
 *          ret_list              new, free() it
 */
must_check int jp_kept_read(int history_fd, int trash_fd, uint64_t id, struct jp_kept **ret_list,
			    size_t *ret_count);

/* The same of all conversations, sorted by ID. */
must_check int jp_kept_read_all(int history_fd, int trash_fd, struct jp_kept **ret_list,
				size_t *ret_count);

/* The entry of a conversation's history that is shown under a name; `ret_entry` has NAME_MAX + 1
 * bytes of room. -ENOENT there is none. */
must_check int jp_kept_find_shown(int history_fd, uint64_t id, const char *shown_name,
				  char *ret_entry);

/* The directory that it is in. A new descriptor. */
must_check int jp_kept_open_place(int history_fd, int trash_fd, const struct jp_kept *kept);
