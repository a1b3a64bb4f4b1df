/*
 * Objects: what the kernel can hold of us. Whatever has a nodeid begins with one.
 *
 * They are counted, and live while the kernel, a directory in memory or a pending write refers to
 * them. A serial is never used again in this process, so it is the nodeid.
 */
#pragma once

#include "core/base/cleanup.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct jpfs_conversation;
struct jpfs_entry;
struct jpfs_outsider;
struct jpfs_view;

#define JPFS_ROOT_SERIAL 1 /* FUSE_ROOT_ID */

enum jpfs_kind {
	JPFS_ROOT,
	JPFS_ARCHIVE,             /* .archive */
	JPFS_CONTROL,             /* .jpfs */
	JPFS_STATUS,              /* .jpfs/status.json, as it was at one moment */
	JPFS_LOCAL,               /* .jpfs/local */
	JPFS_LOCAL_ARCHIVE,       /* .jpfs/local/.archive */
	JPFS_HISTORY,             /* .jpfs/history */
	JPFS_KEPT_OF,             /* a conversation's directory in it */
	JPFS_KEPT,                /* a version in that */
	JPFS_TRANSCRIPTS,         /* .jpfs/transcripts */
	JPFS_TRANSCRIPTS_ARCHIVE, /* .jpfs/transcripts/.archive */
	JPFS_TRANSCRIPT,          /* a conversation's text in either */
	JPFS_CONVERSATION,        /* a conversation's directory */
	JPFS_ENTRY,               /* anything in one */
	JPFS_OUTSIDER,            /* anything that is no conversation: passed through */
};

struct jpfs_object {
	enum jpfs_kind kind; /* immutable */
	atomic_uint refs;
	uint64_t serial; /* immutable; never used again in this process: the nodeid */
};

void jpfs_object_init(struct jpfs_view *view, struct jpfs_object *object, enum jpfs_kind kind);
struct jpfs_object *jpfs_object_ref(struct jpfs_object *object);
bool jpfs_object_try_ref(struct jpfs_object *object); /* false: it is going, leave it alone */
void jpfs_object_unref(struct jpfs_object *object);   /* NULL is fine */
void jpfs_object_unrefp(struct jpfs_object **object);
#define cleanup_object __attribute__((cleanup(jpfs_object_unrefp)))

struct jpfs_conversation *jpfs_as_conversation(struct jpfs_object *object);
struct jpfs_entry *jpfs_as_entry(struct jpfs_object *object);
struct jpfs_outsider *jpfs_as_outsider(struct jpfs_object *object);
