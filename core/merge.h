/*
 * Moving what one directory has into another, where each may have what the other has, too.
 *
 * An entry that the target lacks is renamed into it, whole, whatever it is. Two directories of one
 * name are merged in the same way. Of two other things of one name the target's own stands, and the
 * other one goes to a trash directory (history.h), unless it is a file with the same bytes, which
 * goes. No symbolic link is followed, nothing is copied, and nothing is removed but a second file
 * of the same bytes and a directory that is empty: whatever interrupts it, everything is in one
 * place or the other, and doing it again goes on from there.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* The first thing that could not be done, for a message. All zeros at first. */
struct jp_merge_failure {
	int r;          /* -errno; 0 while nothing failed */
	char what[512]; /* what was being moved, relative to the silo; cut when it is longer */
};

struct jp_merge {
	int trash_fd;      /* borrowed */
	uint64_t trash_id; /* under which number things go there; 0 for none's */
	bool newer_stands; /* of two files of one name the newer one stands, on either side */
	struct jp_merge_failure *failure; /* borrowed */
	/*
	 * What is no case for the rule above, or NULL. Asked about each entry of the directory that
	 * a function below was called for, not about those further down. 0 the rule is for it, 1
	 * not: it has been dealt with, or stays; -errno it could not be dealt with.
	 */
	int (*except)(const struct jp_merge *merge, int from_fd, const char *name, int to_fd);
};

/* Note a failure, unless there was one before. Returns `r`. */
int jp_merge_fail(struct jp_merge_failure *failure, int r, const char *what);

/*
 * Move all that a directory has into another, with the exceptions, and sync that.
 *
 * Shape:   as  its path, for messages and for names in the trash; may be empty
 * Returns: 0 nothing but exceptions is left, perhaps by somebody else's doing;
 *          -ENOTEMPTY a directory has got something new meanwhile, doing it again may help;
 *          other -errno, and `failure` says what stays where it is. All else has moved.
 *          -EXDEV it would be to another filesystem.
 */
must_check int jp_merge_contents(const struct jp_merge *merge, int from_fd, int to_fd,
				 const char *as);

/* The same for a directory that is opened here and removed when it is empty. 0 also when there is
 * none; -ENOTEMPTY when something is left in it. */
must_check int jp_merge_directory(const struct jp_merge *merge, int parent_fd, const char *name,
				  int to_fd, const char *as);
