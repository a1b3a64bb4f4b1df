/*
 * The companion: a process of the daemon's own that does what the daemon may not do itself.
 *
 * Some things can only be found out, or brought about, by a system call on our own mount, and such a
 * call may wait for a lock in the kernel that somebody holds who waits for an answer of ours. If the
 * daemon is killed just then, its waiting thread cannot end, its connection stays open, and both wait
 * for ever. The companion has no connection open: when the daemon dies, the kernel aborts the
 * connection, and whatever the companion waits for fails. It does three things:
 *
 * - *Prodding*: told a path, it tries to make a directory there. For that the kernel asks for the
 *   name anew, whatever it keeps (LOOKUP_EXCL, Documentation/filesystems/path-lookup.rst), and finds
 *   that there is one, or is told so by the daemon, which knows the companion by its process number:
 *   nothing is ever made.
 * - *Repeating*: told what changed outside the mount, it does what looks like it through the mount, so
 *   that those are woken who watch. The daemon answers, and nothing is changed by it; see repeat.h.
 * - *Waiting for writers*: where opening and closing are no requests, it tells when nobody has a file
 *   open for writing any more. inotify tells of the closing, and a read lease, which the kernel grants
 *   only while there is no writer, tells whether that was the last one (fcntl(2), F_SETLEASE). What
 *   inotify misses (truncate(2) closes nothing) is found by looking again after a while.
 *
 * It has no lock of ours, and ends when the daemon does, in whatever way.
 */
#pragma once

#include "core/base/cleanup.h"
#include "fs/repeat.h"

#include <stdint.h>
#include <sys/types.h>

/* That a file has no writer; also when it cannot be found out, or its name leads elsewhere. */
struct jpfs_companion_answer {
	uint64_t serial, generation; /* as asked */
};

/*
 * Start it. Before any thread: it is a fork that goes on without exec.
 *
 * Shape:   workspace_fd  the workspace's root; borrowed
 *          ret_pid       its process, which ends when the socket is closed
 * Returns: a new descriptor, the socket to tell it by; -errno.
 */
must_check int jpfs_companion_start(int workspace_fd, pid_t *ret_pid);

/* Have it prod `path`, from the root of the mount of this device: 0; -EAGAIN it has much to do;
 * -EPIPE it is gone. */
must_check int jpfs_companion_prod(int socket, dev_t device, const char *path);

/* Have it repeat a change; `st` is what the file has now, of one that went nothing. As above; it prods
 * the name, too. */
must_check int jpfs_companion_repeat(int socket, dev_t device, const char *path,
				     enum jpfs_change change, const struct stat *st);

/*
 * Have it tell when the file of this inode number at `path` has no writer.
 *
 * Shape:   serial, generation  come with the answer; asking again with the same serial asks anew
 * Returns: as above.
 */
must_check int jpfs_companion_await(int socket, dev_t device, const char *path, uint64_t ino,
				    uint64_t serial, uint64_t generation);

/* The next answer: 1 and it is there; 0 none yet; -EPIPE it is gone. */
must_check int jpfs_companion_answer(int socket, struct jpfs_companion_answer *ret);
