/*
 * Filesystems of a test's own, for what a disk can do to a store or a worktree: fill up, be over its
 * quota, turn read-only, die, lose a sector. Only root can make them; fixture_end() takes them away.
 *
 * In every script, with `. ../lib.sh`: $e is a conversation's events through the mount and $DE in the
 * store, whose directory is $P/../data; `fill DIR` leaves no room there, `save TEXT` writes a turn as
 * an editor does, `saved TEXT`: the store has it, `problem TEXT`: status tells of it, `quiet`: nothing
 * is waiting, `soon COMMAND...` fails when it takes a minute.
 */
#pragma once

#include "tests/mount/fixture.h"

enum disk_place { DISK_STORE, DISK_WORKTREE };

/* A small one in memory; one on a disk, which is the file ../image. */
#define DISK_MEMORY "mount -t tmpfs -o size=2m,mode=755 jpfs-test \"$at\""
#define DISK_EXT4                                                                                  \
	"truncate -s 32M ../image; mkfs.ext4 -q -F -E lazy_itable_init=0 ../image\n"               \
	"mount -o loop,errors=remount-ro ../image \"$at\""

/* Whether a command succeeds here; says what is missing when not. */
bool disk_has(const char *command, const char *what);

/*
 * The world, with one of both on a filesystem of its own, mounted and in step.
 *
 * Shape:   make  a script that mounts it at "$at"
 * Returns: false when no mounts are to be had here.
 */
bool disk_begin(struct fixture *f, enum disk_place place, const char *make);

/* Unmount, end and remove, without asking whether the daemon's log is clean: it was given something
 * to complain about. */
void disk_end(struct fixture *f);
