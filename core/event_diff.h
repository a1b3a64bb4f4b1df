/*
 * Which events two versions of an `events.json` do not have in common, for people.
 *
 * Nothing is decided by this: what is contained in what, and therefore kept, is `stream.h`'s alone.
 * As there, an event's own `metadata` does not count, nor how a value is spelled.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

struct jp_told_event {
	char *type, *time, *excerpt; /* as they are written, valid UTF-8, never NULL; owned */
	uint64_t key[2];             /* the same for the same event, its metadata apart */
};

struct jp_events {
	struct jp_told_event *items;
	size_t count;
};

enum jp_event_change_kind {
	JP_EVENT_ADDED,   /* only the new one has it */
	JP_EVENT_REMOVED, /* only the old one has it */
	JP_EVENT_CHANGED, /* both have one of this type and time, and they differ */
};

struct jp_event_change {
	enum jp_event_change_kind kind;
	size_t old_index, new_index; /* of an added one the second, of a removed one the first */
};

struct jp_event_changes {
	struct jp_event_change *items; /* in the order of the streams */
	size_t count;
	size_t added, removed, changed;
};

/*
 * Read a file's events.
 *
 * Returns: 0; -EBADMSG it is no array of objects, or nothing that could be compared; -EFBIG;
 *          others. jp_events_release() it.
 */
must_check int jp_events_read(int fd, struct jp_events *ret_events);
void jp_events_release(struct jp_events *events);
#define cleanup_events __attribute__((cleanup(jp_events_release)))

/* What to do to the old one to get the new one; free `items`. Pure. */
must_check int jp_events_compare(const struct jp_events *old, const struct jp_events *new,
				 struct jp_event_changes *ret_changes);

/* What is enough for any sentence below, and the NUL. */
#define JP_PHRASE_BYTES 160

/*
 * What a version has, as seen from the current one, in words: "3 events more, ends 2026-03-05
 * 19:31". Pure.
 *
 * Shape:   changes  from the version to the current one
 *          version  its events
 */
void jp_events_phrase(const struct jp_event_changes *changes, const struct jp_events *version,
		      char ret_phrase[JP_PHRASE_BYTES]);

/* A timestamp as jp writes them, to the minute: "2026-03-05 19:31"; what is none, as it is. */
void jp_phrase_timestamp(const char *text, char ret_phrase[JP_PHRASE_BYTES]);
