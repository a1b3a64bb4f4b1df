/*
 * What dead daemons have left in staging: each file brought to where it belongs.
 *
 * `<silo>/jpfs/staging/` has a directory for each daemon, and one that nobody has locked is a dead
 * one's. Its versions become durable, go to history or to the trash (recover.h has the rules), and
 * the directory goes. A conversation that was just being made, and has its files there complete and
 * valid, gets its durable copy.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/silo.h"

struct jp_recovered {
	unsigned current; /* versions that are durable now */
	unsigned history; /* kept there */
	unsigned trash;   /* kept there: half received, or no version */
	unsigned failed;  /* could not be moved; still in staging */
	int failure;      /* why, the first time: -errno */
};

/*
 * Recover all of it, in the order in which it was written.
 *
 * Shape:   ret_recovered  what was done; all zeros when there was nothing
 * Returns: 0, also when something failed by itself (`failed`); -errno staging cannot be read.
 *          Ended at any point, it goes on the next time; in between each version is in staging or
 *          where it belongs.
 * Threads: any; several processes do each directory once.
 */
must_check int jp_leftovers_recover(const struct jp_silo *silo, struct jp_recovered *ret_recovered);
