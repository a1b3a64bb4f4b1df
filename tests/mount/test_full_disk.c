/*
 * A store or a worktree that is full, read-only or gone, while it is mounted.
 *
 * Each lies on a small tmpfs of its own, so only root can run this. What a writer has to be told it
 * is told; what it need not know fails no write; the old version stands; status names the problem;
 * and when the cause is gone, everything goes on by itself.
 */
#include "tests/mount/disk.h"

static void a_full_store_tells_the_writer_and_goes_on_when_there_is_room(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	/* The first change copies the file, and for that there is no room. */
	STEP(&f, ". ../lib.sh; fill ../data; events 'no room' > ../new\n"
		 "python3 - \"$e\" ../new <<'E'\n"
		 "import errno, os, sys\n"
		 "data = open(sys.argv[2], 'rb').read() * 40\n"
		 "try:\n"
		 "    file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
		 "    os.write(file, data)\n"
		 "    os.fsync(file)\n"
		 "    sys.exit('nobody was told')\n"
		 "except OSError as error:\n"
		 "    assert error.errno in (errno.ENOSPC, errno.EDQUOT), error\n"
		 "E\n"
		 "cmp ../old \"$DE\"; timeout 60 cat \"$V/" SECOND "/events.json\" > /dev/null");
	STEP(&f, ". ../lib.sh; rm ../data/filler*; save 'there is room'\n"
		 "until_ok saved 'there is room'; until_ok quiet; cmp ../new \"$e\"");
	disk_end(&f);
}

static void what_was_closed_before_the_store_was_full_is_stored_when_there_is_room(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	/* In pieces, as jp leaves it for a moment: it waits in staging until the disk is full. */
	STEP(&f, ". ../lib.sh; mv \"$D/$X/metadata.json\" ../data/aside; save 'in time'\n"
		 "fill ../data; cmp ../new \"$e\"; mv ../data/aside \"$D/$X/metadata.json\"\n"
		 "cmp ../new \"$e\"; rm ../data/filler*; until_ok saved 'in time'; until_ok quiet");
	disk_end(&f);
}

static void a_store_that_is_renamed_away_and_put_back_is_served_again(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	STEP(&f, ". ../lib.sh; mv \"$S\" \"$S.away\"; timeout 60 cat \"$e\" > ../seen; cmp ../seen "
		 "../old\n"
		 "timeout 60 ls \"$V\" > /dev/null; mv \"$S.away\" \"$S\"\n"
		 "save 'back'; until_ok saved 'back'; until_ok quiet");
	disk_end(&f);
}

static void a_store_that_is_unmounted_under_the_daemon_hangs_nobody(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	/* Lazily: who has descriptors there goes on with them. */
	STEP(&f,
	     ". ../lib.sh; umount -l ../data; timeout 60 cat \"$e\" > ../seen; cmp ../seen ../old\n"
	     "events 'out of sight' > ../new; timeout 60 sh -c 'cat ../new > \"$1\"' sh \"$e\"\n"
	     "timeout 60 cat \"$e\" > ../seen; cmp ../seen ../new");
	/* Its descriptors are all that leads there: end it while they do. */
	STEP(&f, ". ../lib.sh; timeout 60 umount \"$V\" || umount -l \"$V\"");
	fixture_end(&f);
}

static void a_full_worktree_fails_no_write_and_follows_when_there_is_room(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_WORKTREE, DISK_MEMORY))
		return;
	STEP(&f, ". ../lib.sh; cd \"$P\"; fill .\n"
		 "save 'no room here'; until_ok saved 'no room here'; cmp ../new \"$e\"\n"
		 "until_ok problem 'No space left'; cmp ../new \"$DE\"\n"
		 "rm filler*; until_ok quiet; cmp ../new \"$e\"");
	STEP(&f, "\"$J\" umount \"$P\"; cmp ../new \"$V/$X/events.json\"; cmp ../new "
		 "\"$D/$X/events.json\"");
	fixture_end(&f);
}

static void a_read_only_worktree_fails_no_write_and_follows_when_it_is_writable(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_WORKTREE, DISK_MEMORY))
		return;
	STEP(&f, ". ../lib.sh; mount -o remount,ro \"$P\"; save 'read only here'\n"
		 "until_ok saved 'read only here'; cmp ../new \"$e\"\n"
		 "until_ok problem 'Read-only file system'\n"
		 "mount -o remount,rw \"$P\"; until_ok quiet; cmp ../new \"$e\"");
	STEP(&f, "\"$J\" umount \"$P\"; cmp ../new \"$V/$X/events.json\"; cmp ../new "
		 "\"$D/$X/events.json\"");
	fixture_end(&f);
}

/* It is an older checkout and there is no room to bring it up to date: what is shown is in the store alone. Then
 * jp deletes the durable directory, and copies back what it reads here. */
static void what_a_full_worktree_does_not_have_is_shown_while_jp_replaces_it(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_WORKTREE, DISK_MEMORY))
		return;
	STEP(&f, ". ../lib.sh; save 'a turn more'; until_ok saved 'a turn more'; until_ok quiet");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; cmp ../new \"$DE\"\n"
		 "rm -rf \"$S/jpfs/workspaces/\"*; cp ../old \"$e\"; cd \"$P\"; fill .");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; cmp ../new \"$e\"; ls -l \"$V/$X\"; cmp ../new \"$e\"; cp -a \"$D/$X\" "
	     "../copy\n"
	     "rm -r \"$D/$X\"; cmp ../new \"$e\"; mkdir \"$D/$X\"; cp \"$V/$X/\"*.json \"$D/$X/\"\n"
	     "for f in metadata base_config events; do cmp ../copy/$f.json \"$D/$X/$f.json\"; "
	     "done\n"
	     "cd \"$P\"; rm filler*; until_ok quiet; cmp ../new \"$e\"");
	disk_end(&f);
}

static void a_worktree_that_has_no_room_is_named(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_WORKTREE, DISK_MEMORY))
		return;
	/* A draft has its home there, and what was stored follows there. */
	STEP(&f,
	     ". ../lib.sh; cd \"$P\"; fill .; printf '[ \"half\"' > \"$e\"\n"
	     "until_ok problem 'No space left'; cat ../status\n"
	     "grep -qF \"$X/events.json cannot be written to $P/.jp/conversations: No\" ../status\n"
	     "grep -q 'make room in the worktree' ../status; grep -qF \"$S:\" ../status && fail "
	     "store\n"
	     "save 'no room'; until_ok problem 'brought up to date: No'; cat ../status\n"
	     "grep -q 'make room in the worktree' ../status; rm filler*; until_ok quiet");
	disk_end(&f);
}

static void a_store_that_has_no_room_for_what_the_worktree_loses_is_named(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	/* jp replaces the durable file, and what it replaced is kept before the worktree follows. The link
	 * keeps that from making room. */
	STEP(&f,
	     ". ../lib.sh; events 'by jp' | sed '0,/content/s/content/Content/' > ../data/aside\n"
	     "ln \"$DE\" ../data/held; fill ../data; mv ../data/aside \"$DE\"\n"
	     "until_ok problem 'No space left'; cat ../status\n"
	     "grep -qF \"cannot be brought up to date, because $S cannot be written: No\" "
	     "../status\n"
	     "grep -q 'make room in the store' ../status\n"
	     "rm ../data/filler*; until_ok quiet; until_ok grep -q 'by jp' \"$e\"\n"
	     "find \"$S/jpfs/history\" -type f | while read -r kept; do cmp -s ../old \"$kept\" && "
	     "echo found; done | grep -q found");
	disk_end(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_full_store_tells_the_writer_and_goes_on_when_there_is_room),
		TEST(what_was_closed_before_the_store_was_full_is_stored_when_there_is_room),
		TEST(a_store_that_is_renamed_away_and_put_back_is_served_again),
		TEST(a_store_that_is_unmounted_under_the_daemon_hangs_nobody),
		TEST(a_full_worktree_fails_no_write_and_follows_when_there_is_room),
		TEST(a_read_only_worktree_fails_no_write_and_follows_when_it_is_writable),
		TEST(what_a_full_worktree_does_not_have_is_shown_while_jp_replaces_it),
		TEST(a_worktree_that_has_no_room_is_named),
		TEST(a_store_that_has_no_room_for_what_the_worktree_loses_is_named),
		CU_TEST_INFO_NULL,
	};

	if (geteuid() != 0) {
		printf("skipped: only root can mount a small filesystem\n");
		return 77;
	}
	return fixture_run_suite("full_disk", tests);
}
