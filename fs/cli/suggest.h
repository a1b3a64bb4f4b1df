/*
 * What somebody may have meant who typed a command or an option that there is not.
 */
#pragma once

#include <stddef.h>

/*
 * Go to the next option that a help text describes.
 *
 * Shape:   text  where to look from; afterwards behind the option; begin with the whole text
 *          size  its length, dashes included
 * Returns: the option, not terminated; NULL: there are no more.
 */
const char *jpfs_next_option(const char **text, size_t *ret_size);

/* Say that there is no such command, and which is meant. Returns JPFS_EXIT_USAGE. */
int jpfs_fail_command(const char *name);

/* The same for an option of `command`, or, if that is NULL, for one before any command. */
int jpfs_fail_option(const char *command, const char *option);
