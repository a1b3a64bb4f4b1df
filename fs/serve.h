/*
 * Who serves the kernel's requests: one thread, as long as one is enough.
 *
 * libfuse's own loop has all of its threads wait for the next request, and the kernel wakes the one that
 * has waited longest: of two requests of the same walk, one after the other, each is served by another
 * thread, on whatever processor that was last, and while the first one tidies up after its answer a third
 * is woken for the next. That cost more than the work itself: half of the daemon's time and a third of the
 * walk's own.
 *
 * Here one thread has the seat: it alone waits for requests, and serves what it gets. It gives the seat
 * away where it would keep others waiting: at once when a second request is there already, or when the
 * first one is to wait for the disk; and it is taken from it when a request takes longer than a moment,
 * for whatever reason (a lock, a dying disk, an answer that needs another request to be served first).
 * Then a spare thread sits down, and there are as many at work as there is work for. Who watches that
 * sleeps while nobody asks for anything.
 */
#pragma once

#include "core/base/cleanup.h"

struct fuse_session;

/*
 * Serve a session until it ends: it is unmounted, or cut off.
 *
 * Returns: 0; -errno of what ended it; -EAGAIN, -ENOMEM: no thread could be started.
 */
must_check int jpfs_serve_requests(struct fuse_session *session);
