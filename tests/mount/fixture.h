/*
 * A private world for a test that mounts: a project with git, its worktrees, a user data directory,
 * daemons. Everything lies below one directory that is removed at the end, whatever happens; only
 * daemons that were started here are ended.
 *
 * Most steps are shell, because that is how people and git reach the mount. In every script:
 *
 *     $P  the project (git, branch main)          $V  its .jp/conversations
 *     $W  where a second worktree goes: $P/../wt  $WV its .jp/conversations
 *     $D  the silo's conversations/               $S  the silo
 *     $X  the first conversation's directory      $J  the jpfs program
 *
 * and the functions of PRELUDE in fixture.c: `until_ok COMMAND...` (tries for 20 s), `fail TEXT`.
 */
#pragma once

#include "tests/unit/harness.h"

#include <sys/types.h>

#define MOUNTS_MAX 4
#define FIRST "17457886043-first-title"
#define SECOND "17457886044-second-title"
#define THIRD "17457886045-third-title"

struct fixture {
	char base[256];
	char project[300];
	char view[340];     /* project/.jp/conversations */
	char output[65536]; /* of the last script */
	struct {
		pid_t pid;
		char root[300];
		char log[300];
	} mounts[MOUNTS_MAX];
};

/* Make the world, with three conversations committed. False: no mounts are to be had here. */
bool fixture_begin(struct fixture *fixture);
/* Unmount, end, remove. */
void fixture_end(struct fixture *fixture);
#define cleanup_fixture __attribute__((cleanup(fixture_end)))

/* Mount a workspace; `options` as for jpfs mount, or "": those in JPFS_MOUNT_OPTIONS, if any. Asserts that it worked. */
void fixture_mount_at(struct fixture *fixture, const char *root, const char *options);
void fixture_mount(struct fixture *fixture);
/* Unmount with `jpfs umount`; asserts that the daemon ended well and said nothing bad. */
void fixture_umount_at(struct fixture *fixture, const char *root);
void fixture_umount(struct fixture *fixture);
/* The daemon of a root is to end by itself, well. */
void fixture_wait_end(struct fixture *fixture, const char *root);
/* SIGKILL it and take the dead mount away. */
void fixture_kill(struct fixture *fixture, const char *root);

/* Run a script in the project's directory. Returns its exit code. */
int fixture_run(struct fixture *fixture, const char *script);
/* Run it and assert that it succeeds; its output is shown when it does not. */
void fixture_step(struct fixture *fixture, const char *file, int line, const char *script);
#define STEP(fixture, script) fixture_step(fixture, __FILE__, __LINE__, script)

/*
 * The contract's invariants, with nothing mounted: every projected conversation of `root` is the
 * same on both sides (bytes, times, modes), every managed file of the store is valid, mounting and
 * unmounting once more changes nothing outside <silo>/jpfs.
 */
void fixture_check_at(struct fixture *fixture, const char *root, const char *file, int line);
#define CHECK_INVARIANTS(fixture) fixture_check_at(fixture, (fixture)->project, __FILE__, __LINE__)

/* The runner: exit code 77 where nothing can be mounted. */
int fixture_run_suite(const char *name, CU_TestInfo tests[]);
