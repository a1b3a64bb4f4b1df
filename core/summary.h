/*
 * What a person wants to know of one conversation, from its files as jp writes them.
 *
 * Whatever the files are like there is a summary: what cannot be told is left out, and the files
 * that jp would not take as they are, are named. Nothing is decided by a summary; it is for lists.
 */
#pragma once

#include "core/base/cleanup.h"
#include "core/timestamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jp_summary {
	char *title;  /* valid UTF-8, any characters but NUL; NULL: none; owned */
	char *origin; /* where it was made, as metadata.json has it; the same; owned */

	/* Nanoseconds since the epoch, JP_TIME_UNKNOWN when not known. */
	int64_t created_ns;        /* the ID's own time */
	int64_t last_event_ns;     /* of the last element of events.json, of any kind */
	int64_t last_activated_ns; /* as metadata.json has it */
	int64_t expires_ns;        /* jp deletes it then */

	uint64_t events; /* without the base configuration that older files begin with */
	uint64_t turns;
	uint64_t bytes; /* of all regular files in the directory, at any depth */
	bool is_pinned;
	unsigned damaged; /* 1 << enum jp_managed: missing, unreadable, or jp would refuse it */
};

/*
 * Sum up what is in a conversation's directory.
 *
 * Costs one pass over events.json, without keeping any of it. base_config.json is not read.
 *
 * Shape:   dirfd        the directory, O_RDONLY or O_PATH; borrowed
 *          id           the conversation's
 *          ret_summary  filled; jp_summary_release() it
 * Returns: 0, also when not one file is as it should be; -ENOMEM; what opening or reading the
 *          directory itself failed with.
 * Source:  jp_storage/src/load.rs:412-491 for what counts and which time is the last. jp's own
 *          list also counts the base configuration of older files; its `show` does not.
 */
must_check int jp_summary_read(int dirfd, uint64_t id, struct jp_summary *ret_summary);

/* Only what metadata.json tells: the title, the origin, its times. 0, -ENOMEM. */
must_check int jp_summary_read_metadata(int dirfd, uint64_t id, struct jp_summary *ret_summary);

/* The summary of a conversation whose directory cannot be read. */
struct jp_summary jp_summary_of_unreadable(uint64_t id);

/* Free what it holds. Any state, also all zeros and after an earlier release. */
void jp_summary_release(struct jp_summary *summary);

/*
 * When something last happened in it: the last event, as jp's list has it. Without one, the last
 * activation and then the creation, so that there is always an answer.
 */
int64_t jp_summary_activity_ns(const struct jp_summary *summary);

#define cleanup_summary __attribute__((cleanup(jp_summary_release)))
