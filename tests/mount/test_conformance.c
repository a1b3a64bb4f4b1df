/*
 * What jp does ends the same on disk, whether jpfs is there or not.
 *
 * Each case is a sequence of jp's own system calls on its two sides (acted_jp.c), and is run three
 * times from the same beginning: with nothing mounted; with the workspace mounted; and with a second
 * worktree of the project mounted as well. Afterwards, with nothing mounted, both sides must hold the
 * same names and the same bytes as without jpfs, what jp trashed included. The cases are those of
 * jp's own storage tests that mean something with a mount.
 *
 * jp's own test or sequence                         here, or in test_jp.c (*) or another file
 *
 * persist: all files, both roots, converging        a_save_reaches_both_roots; * a_new_conversation_is_saved_...
 * many persists of one query                        * a_query_saves_many_times_and_the_view_is_never_behind
 * unchanged files keep mtime; directory's inode     saving_the_same_again_moves_no_time_and_no_directory
 * a tie goes to the user's side                     the same: equal to the nanosecond
 * base configuration edited by hand, compact        an_edit_of_the_base_configuration_by_hand_survives_a_save
 * files that are not managed survive; title change  a_title_change_renames_both_and_carries_other_files
 * dual write clobbers nothing                       two_saves_do_not_touch_each_other
 * persist without user storage                      a_save_in_the_workspace_alone_is_whole
 * import of somebody else's, other files included   the_first_save_of_somebody_elses_imports_all_its_files
 * index: one entry for an ID, its presence          presence_is_told_and_nothing_is_imported_by_looking
 * first run imports live and archived, later not    test_import.c: the_first_use_imports_everything_as_it_is,
 *                                                   what_others_committed_is_read_from_the_workspace
 * newer side wins by mtime (metadata, stream, base) a mount shows a tie; unmounted: test_import.c
 *                                                   changes_made_while_unmounted_are_taken_from_either_side
 * second clone, one silo; a silo that is folded     test_worktrees.c: a_silo_that_is_folded_away_is_found_again
 * local-only persist, the query being typed         a_local_save_skips_the_workspace_and_leaves_the_query,
 *                                                   the_query_being_typed_stays_in_the_store
 * projection toggle                                 the_toggle_adds_and_removes_the_workspaces_copy_only
 * remove, twice, and what is not there              a_removed_one_is_gone_from_both
 * archive and unarchive, on every root; not found   archiving_acts_on_every_root, unarchiving_brings_both_back
 * unarchive of a local one                          a_local_one_stays_local_over_the_archive
 * save of what is archived here, or on both sides   what_is_archived_here_is_saved_live_and_archived_again
 * sync_projection; of a local one                   managed_editing_takes_the_edit_to_the_store,
 *                                                   the_toggle_...; * the_view_serves_what_jp_deleted_until_...
 * restore_snapshots of a cancelled edit             an_edit_that_is_taken_back_leaves_everything_as_it_was
 * validate: dot directories, files, whole ones      a_start_leaves_dot_directories_files_and_whole_ones_alone
 * orphaned *.tmp; directories ending so             a_start_removes_orphaned_temporary_files
 * trash: broken ones, names taken (-1, -2)          what_is_broken_in_the_workspace_goes_to_its_trash,
 *                                                   what_is_no_conversation_goes_to_the_trash
 * validate: whose lock is held                      what_is_locked_stays_however_broken
 * an empty store: start, first save                 an_empty_store_takes_its_first_conversation
 * names of directories from titles                  every_name_that_a_title_gives_is_taken
 * starts while others save                          * starts_in_the_middle_of_saves_trash_nothing
 * value: EISDIR, ENOENT, EEXIST, utimensat          the_errors_that_jp_relies_on_are_the_same
 * reads that see turns since                        * a_save_in_a_second_worktree_is_what_the_first_one_loads
 *
 * Of locks, sessions, slugs and workspace discovery nothing passes a mount.
 *
 * Where the contract wants something else than plain jp does, a case says so in `differs`: a script
 * that takes exactly that difference out of the picture of the mounted runs.
 */
#include "tests/mount/acted_jp.h"
#include "tests/mount/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DIGITS "17457886043"
#define SECOND_DIGITS "17457886044"
#define NEW_DIGITS "17600000000"
#define NEW_NAME NEW_DIGITS "-a-new-one"

enum setting {
	NOTHING_MOUNTED,
	MOUNTED,
	TWO_MOUNTED,
	SETTINGS,
};

struct world {
	struct fixture f;
	struct acted_jp jp;
	struct acted_memory memory;
	char other[300];
	enum setting setting;
};

struct sequence {
	const char *prepare; /* a script, before anything is mounted; NULL: none */
	void (*act)(struct world *w);
	const char *
		differs; /* a script on the picture `../picture`, for the mounted runs; NULL: none */
};

static void world_end(struct world *world)
{
	fixture_end(&world->f);
}
#define cleanup_world __attribute__((cleanup(world_end)))

static bool begin(struct world *w, enum setting setting, const char *prepare)
{
	if (!fixture_begin(&w->f))
		return false;
	w->setting = setting;
	(void)snprintf(w->jp.user, sizeof(w->jp.user),
		       "%s/data/workspace/project-abc12/conversations", w->f.base);
	(void)snprintf(w->jp.locks, sizeof(w->jp.locks), "%s/data/workspace/project-abc12/locks",
		       w->f.base);
	(void)snprintf(w->jp.work, sizeof(w->jp.work), "%s", w->f.view);
	(void)snprintf(w->other, sizeof(w->other), "%.255s/wt", w->f.base);
	/* The store is there, as after jp's first start. */
	fixture_mount(&w->f);
	STEP(&w->f, "for n in $X " SECOND " " THIRD "; do until_ok test -d \"$D/$n\"; done\n"
		    "git worktree add -q -b side \"$W\"");
	fixture_umount(&w->f);
	if (prepare != NULL)
		STEP(&w->f, prepare);
	if (setting != NOTHING_MOUNTED)
		fixture_mount(&w->f);
	if (setting == TWO_MOUNTED)
		fixture_mount_at(&w->f, w->other, "");
	return true;
}

/* Names and bytes of both sides, and nothing mounted any more. */
static void take_picture(struct world *w, const struct sequence *sequence, char *ret, size_t size)
{
	if (w->setting == TWO_MOUNTED)
		fixture_umount_at(&w->f, w->other);
	if (w->setting != NOTHING_MOUNTED)
		fixture_umount(&w->f);
	STEP(&w->f, "for side in \"$D\" \"$V\"; do (cd \"$side\" && echo \"${side##*/.}:\"\n"
		    "  find . -mindepth 1 -type d | LC_ALL=C sort\n"
		    "  find . -type f -exec md5sum {} + | LC_ALL=C sort -k 2); done > ../picture");
	if (w->setting != NOTHING_MOUNTED && sequence->differs != NULL)
		STEP(&w->f, sequence->differs);
	STEP(&w->f, "sed \"s|${D%/conversations}|store|\" ../picture");
	(void)snprintf(ret, size, "%s", w->f.output);
}

static void run(const struct sequence *sequence)
{
	static char plain[sizeof(((struct fixture *)NULL)->output)];

	for (int setting = NOTHING_MOUNTED; setting < SETTINGS; setting++) {
		static char picture[sizeof(plain)];
		cleanup_world struct world w = {0};

		if (!begin(&w, (enum setting)setting, sequence->prepare))
			return;
		sequence->act(&w);
		take_picture(&w, sequence, setting == NOTHING_MOUNTED ? plain : picture,
			     sizeof(plain));
		if (setting != NOTHING_MOUNTED && strcmp(plain, picture) != 0) {
			/* CUnit keeps the first lines only. */
			printf("\nplain:\n%s\nmounted:\n%s\n", plain, picture);
			CHECK(false, "setting %d: it is not the same picture", setting);
		}
	}
}

#define DONE(call) CU_ASSERT_EQUAL(call, 0)

/* ---- saving ---- */

static void save_new(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 2);

	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT(acted_jp_has(w->jp.user, &what));
	CU_ASSERT(acted_jp_has(w->jp.work, &what));
	what = acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 5);
	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT(acted_jp_has(w->jp.work, &what));
}

static void a_save_reaches_both_roots(void)
{
	run(&(struct sequence){.act = save_new});
}

static void stat_file(struct world *w, const char *side, const char *path, struct stat *ret)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", side, path);
	*ret = (struct stat){0};
	CHECK(stat(full, ret) == 0, "%s, setting %d", full, (int)w->setting);
}

static void save_the_same(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, DIGITS, FIRST, "First Title", 3);
	const char *const sides[] = {w->jp.user, w->jp.work};
	struct stat before[2][2];

	DONE(acted_jp_save(&w->jp, &what));
	for (size_t i = 0; i < 2; i++) {
		stat_file(w, sides[i], FIRST "/events.json", &before[i][0]);
		stat_file(w, sides[i], FIRST, &before[i][1]);
	}
	DONE(acted_jp_save(&w->jp, &what));
	DONE(acted_jp_save(&w->jp, &what));
	for (size_t i = 0; i < 2; i++) {
		struct stat file, directory;

		stat_file(w, sides[i], FIRST "/events.json", &file);
		stat_file(w, sides[i], FIRST, &directory);
		CU_ASSERT(file.st_mtim.tv_sec == before[i][0].st_mtim.tv_sec &&
			  file.st_mtim.tv_nsec == before[i][0].st_mtim.tv_nsec);
		CU_ASSERT_EQUAL(directory.st_ino, before[i][1].st_ino);
	}
	if (w->setting != NOTHING_MOUNTED) { /* a tie, to the nanosecond: jp takes the store's */
		CU_ASSERT(before[0][0].st_mtim.tv_sec == before[1][0].st_mtim.tv_sec &&
			  before[0][0].st_mtim.tv_nsec == before[1][0].st_mtim.tv_nsec);
	}
}

static void saving_the_same_again_moves_no_time_and_no_directory(void)
{
	run(&(struct sequence){.act = save_the_same});
}

static void save_changed_base(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, DIGITS, FIRST, "First Title", 3);

	what.base_config = "{\"assistant\":{\"name\":\"by hand\"}}";
	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT(acted_jp_has(w->jp.user, &what));
	CU_ASSERT(acted_jp_has(w->jp.work, &what));
}

/* Its formatting as well: compact, and without a newline at its end. */
static void an_edit_of_the_base_configuration_by_hand_survives_a_save(void)
{
	run(&(struct sequence){.prepare = "printf '{\"assistant\":{\"name\":\"by hand\"}}' > "
					  "\"$V/$X/base_config.json\"",
			       .act = save_changed_base});
}

static void save_two(struct world *w)
{
	static struct acted_memory memory;
	struct acted_conversation one =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 2);
	struct acted_conversation two =
		acted_in_memory(&memory, "17600000001", "17600000001", "Two", 1);

	DONE(acted_jp_save(&w->jp, &one));
	DONE(acted_jp_save(&w->jp, &two));
	CU_ASSERT(acted_jp_has(w->jp.work, &one));
	CU_ASSERT(acted_jp_has(w->jp.work, &two));
}

static void two_saves_do_not_touch_each_other(void)
{
	run(&(struct sequence){.act = save_two});
}

static void retitle(struct world *w)
{
	static const char *const names[] = {DIGITS "-another", DIGITS "-and-another", DIGITS};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct acted_conversation what =
			acted_in_memory(&w->memory, DIGITS, names[i], names[i], (int)i + 2);

		DONE(acted_jp_save(&w->jp, &what));
		CU_ASSERT_EQUAL(acted_jp_count(w->jp.work, DIGITS), 1);
		CU_ASSERT_EQUAL(acted_jp_count(w->jp.user, DIGITS), 1);
		CU_ASSERT(acted_jp_has(w->jp.work, &what));
	}
}

static void a_title_change_renames_both_and_carries_other_files(void)
{
	run(&(struct sequence){
		.prepare = "for side in \"$D\" \"$V\"; do echo note > \"$side/$X/NOTE.md\"; done",
		.act = retitle});
}

static void save_external(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 4);

	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_EXTERNAL);
	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_PROJECTED);
}

static void the_first_save_of_somebody_elses_imports_all_its_files(void)
{
	run(&(struct sequence){.prepare = "cp -a \"$V/$X\" \"$V/" NEW_NAME
					  "\"; echo note > \"$V/" NEW_NAME
					  "/NOTE.md\"; mkdir \"$V/" NEW_NAME "/sub\"\n"
					  "echo deep > \"$V/" NEW_NAME "/sub/file\"",
			       .act = save_external});
}

static void only_look(struct world *w)
{
	struct acted_start start = acted_jp_start(&w->jp);

	CU_ASSERT_EQUAL(start.trashed, 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_EXTERNAL);
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_PROJECTED);
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, "17600000002"), ACTED_LOCAL);
}

static void presence_is_told_and_nothing_is_imported_by_looking(void)
{
	run(&(struct sequence){.prepare = "cp -a \"$V/$X\" \"$V/" NEW_NAME "\"\n"
					  "cp -a \"$D/$X\" \"$D/17600000002-local\"",
			       .act = only_look});
}

/* ---- local ones, toggling, the query being typed ---- */

static void save_local(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 2);

	DONE(acted_jp_save_local(&w->jp, &what));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_LOCAL);
	STEP(&w->f,
	     "echo typing > \"$D/" NEW_NAME "/QUERY_MESSAGE.md\"; [ ! -e \"$V/" NEW_NAME "\" ]");
	what = acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 3);
	DONE(acted_jp_save_local(&w->jp, &what));
	CU_ASSERT(acted_jp_has(w->jp.user, &what));
}

static void a_local_save_skips_the_workspace_and_leaves_the_query(void)
{
	run(&(struct sequence){.act = save_local});
}

static void type_a_query(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, DIGITS, FIRST, "First Title", 3);

	STEP(&w->f,
	     "echo typing > \"$D/$X/QUERY_MESSAGE.md\"; [ ! -e \"$V/$X/QUERY_MESSAGE.md\" ]");
	DONE(acted_jp_save(&w->jp, &what));
	STEP(&w->f, "[ ! -e \"$V/$X/QUERY_MESSAGE.md\" ]; [ -e \"$D/$X/QUERY_MESSAGE.md\" ]");
}

static void the_query_being_typed_stays_in_the_store(void)
{
	run(&(struct sequence){.act = type_a_query});
}

static void toggle(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, DIGITS, FIRST, "First Title", 3);
	struct acted_conversation other;
	static struct acted_memory memory;

	DONE(acted_jp_save_local(&w->jp, &what));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_LOCAL);
	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT(acted_jp_has(w->jp.work, &what));
	other = acted_in_memory(&memory, SECOND_DIGITS, SECOND, "Second Title", 2);
	DONE(acted_jp_save_local(&w->jp, &other));
	DONE(acted_jp_sync_projection(&w->jp, SECOND_DIGITS)); /* nothing to be done */
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, SECOND_DIGITS), ACTED_LOCAL);
}

static void the_toggle_adds_and_removes_the_workspaces_copy_only(void)
{
	run(&(struct sequence){.act = toggle});
}

/* ---- removing, archiving ---- */

static void remove_some(struct world *w)
{
	DONE(acted_jp_remove(&w->jp, DIGITS));
	DONE(acted_jp_remove(&w->jp, DIGITS)); /* nobody misses it */
	DONE(acted_jp_remove(&w->jp, "17600000009"));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_ABSENT);
}

static void a_removed_one_is_gone_from_both(void)
{
	run(&(struct sequence){.act = remove_some});
}

static void archive(struct world *w)
{
	DONE(acted_jp_archive(&w->jp, DIGITS));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_ABSENT);
	STEP(&w->f, "for side in \"$D\" \"$V\"; do [ -e \"$side/.archive/$X/events.json\" ]; done");
	DONE(acted_jp_archive(&w->jp, SECOND_DIGITS));
	CU_ASSERT_EQUAL(acted_jp_archive(&w->jp, "17600000009"), -ENOENT);
}

static void archiving_acts_on_every_root(void)
{
	run(&(struct sequence){.act = archive});
}

static void unarchive(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, DIGITS, FIRST, "First Title", 4);

	DONE(acted_jp_archive(&w->jp, DIGITS));
	DONE(acted_jp_unarchive(&w->jp, DIGITS));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_PROJECTED);
	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT(acted_jp_has(w->jp.work, &what));
	CU_ASSERT_EQUAL(acted_jp_unarchive(&w->jp, DIGITS), -ENOENT);
}

static void unarchiving_brings_both_back(void)
{
	run(&(struct sequence){.act = unarchive});
}

static void archive_local(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 2);

	DONE(acted_jp_save_local(&w->jp, &what));
	DONE(acted_jp_archive(&w->jp, NEW_DIGITS));
	DONE(acted_jp_unarchive(&w->jp, NEW_DIGITS));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_LOCAL);
}

static void a_local_one_stays_local_over_the_archive(void)
{
	run(&(struct sequence){.act = archive_local});
}

/* jp looks for a live directory, finds none, and makes one: the ID is live and archived then, until it
 * is archived once more. test_second.c has the same with another title. */
static void save_over_the_archived(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		struct acted_conversation what =
			acted_in_memory(&w->memory, DIGITS, FIRST, "First Title", i + 3);

		DONE(acted_jp_save(&w->jp, &what));
		CU_ASSERT(acted_jp_has(w->jp.user, &what));
		CU_ASSERT(acted_jp_has(w->jp.work, &what));
		CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_PROJECTED);
		DONE(acted_jp_archive(&w->jp, DIGITS));
		CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, DIGITS), ACTED_ABSENT);
	}
}

static void what_is_archived_here_is_saved_live_and_archived_again(void)
{
	run(&(struct sequence){.prepare = "mkdir \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"",
			       .act = save_over_the_archived});
	run(&(struct sequence){.prepare = "for side in \"$D\" \"$V\"; do mkdir \"$side/.archive\"\n"
					  "  mv \"$side/$X\" \"$side/.archive/\"; done",
			       .act = save_over_the_archived});
}

/* ---- without a store of jp's own ---- */

static void save_in_the_workspace_alone(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 2);
	struct acted_jp alone = w->jp;

	STEP(&w->f, "mkdir -p ../elsewhere/conversations ../elsewhere/locks");
	(void)snprintf(alone.user, sizeof(alone.user), "%s/elsewhere/conversations", w->f.base);
	(void)snprintf(alone.locks, sizeof(alone.locks), "%s/elsewhere/locks", w->f.base);
	DONE(acted_jp_save(&alone, &what));
	what = acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 3);
	DONE(acted_jp_save(&alone, &what));
	CU_ASSERT(acted_jp_has(w->jp.work, &what));
}

/* Through a mount it gets its durable copy, as whatever is written there. */
static void a_save_in_the_workspace_alone_is_whole(void)
{
	run(&(struct sequence){.act = save_in_the_workspace_alone,
			       .differs = "awk '/:$/ { side++ } !(side == 1 && /" NEW_DIGITS
					  "/)' ../picture > ../other; mv ../other ../picture"});
}

/* ---- editing ---- */

static void cancel_an_edit(struct world *w)
{
	STEP(&w->f, "cp \"$V/$X/metadata.json\" ../snapshot; echo '{' > \"$V/$X/metadata.json\"\n"
		    "cat ../snapshot > \"$V/$X/metadata.json\"\n"
		    "mv \"$V/" SECOND "/base_config.json\" ../base\n"
		    "cat ../base > \"$V/" SECOND "/base_config.json\"\n"
		    "echo new > \"$V/" SECOND "/extra\"; rm \"$V/" SECOND "/extra\"");
}

static void an_edit_that_is_taken_back_leaves_everything_as_it_was(void)
{
	run(&(struct sequence){.act = cancel_an_edit});
}

static void edit(struct world *w)
{
	STEP(&w->f, "printf '[]' > \"$V/$X/events.json\"");
	DONE(acted_jp_sync_projection(&w->jp, DIGITS));
	STEP(&w->f, "[ \"$(cat \"$D/$X/events.json\")\" = '[]' ]\n"
		    "sed -i 's/Second/Edited/' \"$V/" SECOND "/metadata.json\"");
	DONE(acted_jp_sync_projection(&w->jp, SECOND_DIGITS));
	STEP(&w->f, "grep -q Edited \"$D/" SECOND "/metadata.json\"");
}

static void managed_editing_takes_the_edit_to_the_store(void)
{
	run(&(struct sequence){.act = edit});
}

/* ---- the check at every start ---- */

static void start_clean(struct world *w)
{
	struct acted_start start = acted_jp_start(&w->jp);

	CU_ASSERT_EQUAL(start.trashed, 0);
	CU_ASSERT_EQUAL(start.listed, 6);
}

static void a_start_leaves_dot_directories_files_and_whole_ones_alone(void)
{
	run(&(struct sequence){
		.prepare = "mkdir \"$V/.trash\" \"$V/.hidden\"; echo x > \"$V/some-file.txt\"",
		.act = start_clean});
}

static void start_with_temporaries(struct world *w)
{
	STEP(&w->f, "mkdir \"$V/$X/kept.tmp\"; echo half > \"$V/$X/out.tmp\"\n"
		    "echo half > \"$V/$X/events.json.tmp\"");
	CU_ASSERT_EQUAL(acted_jp_start(&w->jp).trashed, 0);
	STEP(&w->f,
	     "[ -d \"$V/$X/kept.tmp\" ]; [ ! -e \"$V/$X/out.tmp\" ]; rmdir \"$V/$X/kept.tmp\"\n"
	     "rm -f \"$V/$X/events.json.tmp\"");
}

/* `<managed file>.tmp` is not listed by a mount (semantics, section 3), so it is another's save. */
static void a_start_removes_orphaned_temporary_files(void)
{
	run(&(struct sequence){.act = start_with_temporaries});
}

static void start_with_broken(struct world *w)
{
	struct acted_start start = acted_jp_start(&w->jp);

	CU_ASSERT_EQUAL(start.trashed, 2);
	CU_ASSERT_EQUAL(acted_jp_count(w->jp.work, DIGITS), 0);
	CU_ASSERT_EQUAL(acted_jp_count(w->jp.user, DIGITS), 1); /* that one is whole */
	CU_ASSERT_EQUAL(acted_jp_start(&w->jp).trashed, 0);
}

static void what_is_broken_in_the_workspace_goes_to_its_trash(void)
{
	run(&(struct sequence){
		.prepare = "echo '{' > \"$V/$X/metadata.json\"; echo '{}' > \"$V/" SECOND
			   "/events.json\"; mkdir \"$V/.trash\" \"$V/.trash/$X\"",
		.act = start_with_broken});
}

static void start_with_all_that_is_no_conversation(struct world *w)
{
	CU_ASSERT_EQUAL(acted_jp_start(&w->jp).trashed, 5);
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, "17600000001"), ACTED_ABSENT);
	CU_ASSERT_EQUAL(acted_jp_start(&w->jp).trashed, 0);
}

/* Each reason that jp has, in what the store knows nothing of; and a name that the trash has twice. */
static void what_is_no_conversation_goes_to_the_trash(void)
{
	run(&(struct sequence){
		.prepare = "mkdir -p \"$V/notes\" \"$V/.trash/notes\" \"$V/.trash/notes-1\"; echo "
			   "x > \"$V/notes/x\"\n"
			   "for n in 1 2 3 4; do cp -a \"$V/$X\" \"$V/1760000000$n-theirs\"; done\n"
			   "rm \"$V/17600000001-theirs/metadata.json\" "
			   "\"$V/17600000002-theirs/events.json\"\n"
			   "echo '{' > \"$V/17600000003-theirs/metadata.json\"\n"
			   "echo '[{\"type\": 1}]' > \"$V/17600000004-theirs/events.json\"",
		.act = start_with_all_that_is_no_conversation});
}

static void start_while_locked(struct world *w)
{
	cleanup_close int lock = -EBADF;
	char path[PATH_MAX];

	(void)mkdir(w->jp.locks, 0777);
	(void)snprintf(path, sizeof(path), "%s/jp-c" NEW_DIGITS ".lock", w->jp.locks);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	CU_ASSERT_EQUAL_FATAL(flock(lock, LOCK_EX | LOCK_NB), 0);
	CU_ASSERT_EQUAL(acted_jp_start(&w->jp).trashed, 0);
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_EXTERNAL);
	CU_ASSERT_EQUAL(flock(lock, LOCK_UN), 0);
	CU_ASSERT_EQUAL(acted_jp_start(&w->jp).trashed, 1);
}

static void what_is_locked_stays_however_broken(void)
{
	run(&(struct sequence){.prepare = "cp -a \"$V/$X\" \"$V/" NEW_NAME
					  "\"; echo '[' > \"$V/" NEW_NAME "/events.json\"",
			       .act = start_while_locked});
}

static void start_with_nothing(struct world *w)
{
	struct acted_conversation what =
		acted_in_memory(&w->memory, NEW_DIGITS, NEW_NAME, "A new one", 2);
	struct acted_start start = acted_jp_start(&w->jp);

	CU_ASSERT_EQUAL(start.listed, 0);
	CU_ASSERT_EQUAL(start.trashed, 0);
	DONE(acted_jp_save(&w->jp, &what));
	CU_ASSERT_EQUAL(acted_jp_presence(&w->jp, NEW_DIGITS), ACTED_PROJECTED);
}

/* A mount with nothing in it gets out of the way of whoever lists it, and jp goes on all the same. */
static void an_empty_store_takes_its_first_conversation(void)
{
	run(&(struct sequence){.prepare = "rm -r \"$D\"/* \"$V\"/*", .act = start_with_nothing});
}

/* ---- what a directory must be able to do for jp ---- */

/* As titles give them: jp-compat's table. A name of one ID follows another, so each is a rename as well. */
static void save_under_every_name(struct world *w)
{
	static const char *const names[] = {
		NEW_DIGITS "-simple-title",
		NEW_DIGITS "-title-with-spaces---chars",
		NEW_DIGITS "-a-very-long-title-that-definitely-exceeds-the-sixty",
		NEW_DIGITS,
		NEW_DIGITS "---lead",
		NEW_DIGITS "-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		NEW_DIGITS "-日本語-の-タイトル",
		NEW_DIGITS "-½-²-ⅷ-①",
		NEW_DIGITS "-σας",
		NEW_DIGITS "-e-clair",
		NEW_DIGITS "-𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩𝕩",
	};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct acted_conversation what =
			acted_in_memory(&w->memory, NEW_DIGITS, names[i], "A title", (int)i + 1);

		DONE(acted_jp_save(&w->jp, &what));
		CU_ASSERT_EQUAL(acted_jp_count(w->jp.work, NEW_DIGITS), 1);
		CU_ASSERT(acted_jp_has(w->jp.work, &what));
	}
}

static void every_name_that_a_title_gives_is_taken(void)
{
	run(&(struct sequence){.act = save_under_every_name});
}

static void ask_for_errors(struct world *w)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct timespec times[2] = {{.tv_sec = 1700000000, .tv_nsec = 123456789},
				    {.tv_sec = 1700000000, .tv_nsec = 123456789}};
	struct stat st;

	/* A directory where the temporary file goes. */
	(void)snprintf(from, sizeof(from), "%s/%s/out.json.tmp", w->jp.work, FIRST);
	CU_ASSERT_EQUAL(mkdir(from, 0777), 0);
	CU_ASSERT_EQUAL(open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), -1);
	CU_ASSERT_EQUAL(errno, EISDIR);
	CU_ASSERT_EQUAL(rmdir(from), 0);
	/* What is not there can't be renamed; what is there is made only once. */
	(void)snprintf(from, sizeof(from), "%s/17600000009-none", w->jp.work);
	(void)snprintf(to, sizeof(to), "%s/.trash", w->jp.work);
	CU_ASSERT_EQUAL(rename(from, to), -1);
	CU_ASSERT_EQUAL(errno, ENOENT);
	(void)snprintf(from, sizeof(from), "%s/%s", w->jp.work, FIRST);
	CU_ASSERT_EQUAL(mkdir(from, 0777), -1);
	CU_ASSERT_EQUAL(errno, EEXIST);
	/* A time that is set stays. */
	(void)snprintf(from, sizeof(from), "%s/%s/events.json", w->jp.work, FIRST);
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, from, times, 0), 0);
	CU_ASSERT_EQUAL(stat(from, &st), 0);
	CU_ASSERT(st.st_mtim.tv_sec == times[1].tv_sec && st.st_mtim.tv_nsec == times[1].tv_nsec);
}

static void the_errors_that_jp_relies_on_are_the_same(void)
{
	run(&(struct sequence){.act = ask_for_errors});
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_save_reaches_both_roots),
		TEST(saving_the_same_again_moves_no_time_and_no_directory),
		TEST(an_edit_of_the_base_configuration_by_hand_survives_a_save),
		TEST(two_saves_do_not_touch_each_other),
		TEST(a_title_change_renames_both_and_carries_other_files),
		TEST(the_first_save_of_somebody_elses_imports_all_its_files),
		TEST(presence_is_told_and_nothing_is_imported_by_looking),
		TEST(a_local_save_skips_the_workspace_and_leaves_the_query),
		TEST(the_query_being_typed_stays_in_the_store),
		TEST(the_toggle_adds_and_removes_the_workspaces_copy_only),
		TEST(a_removed_one_is_gone_from_both),
		TEST(archiving_acts_on_every_root),
		TEST(unarchiving_brings_both_back),
		TEST(a_local_one_stays_local_over_the_archive),
		TEST(what_is_archived_here_is_saved_live_and_archived_again),
		TEST(a_save_in_the_workspace_alone_is_whole),
		TEST(an_edit_that_is_taken_back_leaves_everything_as_it_was),
		TEST(managed_editing_takes_the_edit_to_the_store),
		TEST(a_start_leaves_dot_directories_files_and_whole_ones_alone),
		TEST(a_start_removes_orphaned_temporary_files),
		TEST(what_is_broken_in_the_workspace_goes_to_its_trash),
		TEST(what_is_no_conversation_goes_to_the_trash),
		TEST(what_is_locked_stays_however_broken),
		TEST(an_empty_store_takes_its_first_conversation),
		TEST(every_name_that_a_title_gives_is_taken),
		TEST(the_errors_that_jp_relies_on_are_the_same),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("conformance", tests);
}
