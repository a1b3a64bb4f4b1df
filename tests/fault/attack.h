/*
 * One operation, attacked at each of its system calls, and what has to be true afterwards.
 *
 * A scenario prepares a small world (a project, a silo, some conversations), and has one operation.
 * For each fault of a list it is done with the first, second, third ... call going wrong, until it
 * is over before that call comes. Each time, on a world of its own:
 *
 *     the operation, with the fault     in this process, or in one that ends at that call
 *     looked at as it is on disk        nothing that was ever durable, or promised by fsync, is gone
 *     what failed is tried again        (unless the process ended) by the same view, as a daemon does
 *     opened anew, and synced           both sides agree, staging is empty, versions are current,
 *                                       contained or kept, and once more changes nothing
 *     the operation, without a fault    and the scenario's own end
 *
 * That is section 11 of the contract, as far as it can be seen without a mount.
 */
#pragma once

#include "fs/offline.h"
#include "tests/unit/silo_tree.h"

#define ID 17457886043
#define NAME "17457886043-first"
#define OTHER_ID 17457886044
#define OTHER_NAME "17457886044-second"
#define HERE "project/.jp/conversations/"
#define SILO "data/workspace/project-abc12/"
#define STORE SILO "conversations/"
#define HISTORY SILO "jpfs/history/"
#define TRASH SILO "jpfs/trash/"
#define STAGING SILO "jpfs/staging"

#define ATTACK_VERSIONS_MAX 16

/* What a version needs to be looked for. */
enum attack_when {
	ATTACK_ALWAYS,  /* it was committed before */
	ATTACK_PROMISED /* when the operation has said so: attack_promise() */
};

struct attack_version {
	uint64_t id;
	const char *file, *text;
	enum attack_when when;
};

struct attack_world {
	struct jp_test_dir dir;
	struct attack_version versions[ATTACK_VERSIONS_MAX];
	size_t version_count;
	bool *promised; /* one for each version; shared with a process that ends */
	uint64_t durable[4];
	size_t durable_count;
	bool removes; /* what is durable may go to the trash, whole */
	/* When the process ends half way, no file of a conversation is hidden afterwards: it is there, or
	 * all of it is taken out. */
	bool is_all_or_nothing;
};

struct attack_scenario {
	const char *name;
	void (*prepare)(struct attack_world *world);
	/* One of both. With a view, it is synced afterwards. 0 or -errno. */
	int (*in_view)(struct attack_world *world, struct jpfs_view *view);
	int (*in_silo)(struct attack_world *world, struct jp_silo *silo);
	/* After the operation was done again without a fault. */
	void (*end)(const struct attack_world *world);
	int done; /* what it returns when it was done before; 0 as well */
};

/* Attack it with all faults, and say how many runs that were. */
void attack(const struct attack_scenario *scenario);

/* ---- for scenarios ---- */

/* A version that must not get lost. */
void attack_keep(struct attack_world *world, uint64_t id, const char *file, const char *text,
		 enum attack_when when);
/* The operation was told that its version is safe. */
void attack_promise(struct attack_world *world, const char *text);
/* A conversation that has a durable copy, from here on. */
void attack_durable(struct attack_world *world, uint64_t id);
/* The same files in the store and in the project, of which nothing is known yet. */
void attack_both(struct attack_world *world, const char *name, const char *events);
/* Open, sync and close without a fault: what both sides are is noted. */
void attack_settle(struct attack_world *world);
/* Do something in a view that is neither synced nor closed afterwards: for a process that ends. */
void attack_in_view(struct attack_world *world,
		    void (*work)(struct attack_world *world, struct jpfs_view *view));
/* The same in a world of its own, which `prepare` fills. */
void attack_alone(void (*prepare)(struct attack_world *world),
		  void (*work)(struct attack_world *world, struct jpfs_view *view));
/* A time later than all others so far, for put(). */
time_t attack_later(void);

/* Whether a version is on one of the sides, contained in what is, or kept. */
bool attack_has(const struct attack_world *world, uint64_t id, const char *file, const char *text);

/* Assert, and say during which attack it failed. */
#define ATTACK_CHECK(condition) attack_check((condition), __LINE__, __FILE__, #condition)
void attack_check(bool holds, int line, const char *file, const char *condition);

/* Whether the fault is one of reading: then something may not be known. */
bool attack_is_reading(void);

/* The runner: in memory where there is room, with the engine's messages left out. */
int attack_run_suite(const char *name, CU_TestInfo tests[]);
