/*
 * A store or a worktree whose disk is over its quota, turns read-only, loses a sector or dies, while it
 * is mounted: real filesystems on images, so only root can run this, where there are loop devices.
 *
 * Nobody hangs. Who writes is told; what is told to be safe is there when the disk is well again; the
 * other side is never changed because of what cannot be read; and a daemon can always be ended.
 *
 * A disk that fails for a moment needs the device mapper, which not every kernel has. That each single
 * call may fail, and is tried again, is what tests/fault is for.
 */
#include "tests/mount/disk.h"

#include <sys/wait.h>

#define HAS_LOOP "losetup -f && command -v mkfs.ext4 e2fsck debugfs"

/* The jpfs mount is let go, whatever it cannot do any more, and its daemon ends. */
#define LET_GO                                                                                     \
	"timeout 100 \"$J\" umount --lazy \"$P\" > ../said 2>&1 || [ $? -ne 124 ]\n"               \
	"not is_mounted \"$V\"\n"
/* The disk goes, too, is repaired, and comes back. */
#define MEND                                                                                       \
	"e2fsck -fy ../image > ../fsck 2>&1 || [ $? -le 1 ]\n"                                     \
	"mount -o loop,errors=remount-ro ../image \"$at\"\n"
#define REPAIR "until_ok umount \"$at\"\n" MEND

/* One that has ended, and not well: it could not do what it had to. */
static void forget_daemon(struct fixture *f)
{
	for (int i = 0; i < MOUNTS_MAX; i++) {
		if (f->mounts[i].pid > 0) {
			CU_ASSERT_EQUAL(waitpid(f->mounts[i].pid, NULL, 0), f->mounts[i].pid);
			f->mounts[i].pid = 0;
		}
	}
}

/* ---- quota ---- */

#define HAS_BTRFS "command -v mkfs.btrfs btrfs && grep -q btrfs /proc/filesystems && losetup -f"

/* Of all quotas that Linux has, this one holds for root as well. */
#define DISK_QUOTA                                                                                 \
	"truncate -s 128M ../image; mkfs.btrfs -q -f -M ../image > ../mkfs 2>&1\n"                 \
	"mount -o loop,commit=1 ../image \"$at\"\n"                                                \
	"btrfs -q quota enable \"$at\"; btrfs -q subvolume create \"$at/workspace\"\n"             \
	"btrfs -q qgroup limit 2M \"$at/workspace\""

static void a_store_over_its_quota_tells_the_writer_and_goes_on_when_there_is_room(void)
{
	struct fixture f;

	if (!disk_has(HAS_BTRFS, "btrfs") || !disk_begin(&f, DISK_STORE, DISK_QUOTA))
		return;
	STEP(&f, ". ../lib.sh; events 'over the quota' > ../new\n"
		 "soon python3 - \"$e\" ../new <<'E'\n"
		 "import errno, os, sys\n"
		 "data = open(sys.argv[2], 'rb').read()\n"
		 "try:\n"
		 "    file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n"
		 "    for i in range(64): os.write(file, os.urandom(65536))\n"
		 "    os.fsync(file)\n"
		 "    sys.exit('nobody was told')\n"
		 "except OSError as error:\n"
		 "    assert error.errno == errno.EDQUOT, error\n"
		 "E\n"
		 "cmp ../old \"$DE\"; soon cat \"$V/" SECOND "/events.json\" > /dev/null");
	/* What the writer left is a draft: a whole version ends it, and then it is kept, if there is room. */
	STEP(&f, ". ../lib.sh; until_ok btrfs qgroup limit 64M ../data/workspace\n"
		 "until_ok save 'within the quota'; until_ok saved 'within the quota'\n"
		 "until_ok quiet; cmp ../new \"$e\"");
	disk_end(&f);
}

static void what_was_closed_before_the_quota_was_reached_is_stored_when_there_is_room(void)
{
	struct fixture f;

	if (!disk_has(HAS_BTRFS, "btrfs") || !disk_begin(&f, DISK_STORE, DISK_QUOTA))
		return;
	/* In pieces, as jp leaves it for a moment: it waits in staging until there is no room. */
	STEP(&f, ". ../lib.sh; mv \"$D/$X/metadata.json\" ../data/aside; save 'in time'\n"
		 "fill ../data/workspace; cmp ../new \"$e\"\n"
		 "cp -p ../data/aside \"$D/$X/metadata.json\" || :; soon cmp ../new \"$e\"\n"
		 "rm ../data/workspace/filler*; cp -p ../data/aside \"$D/$X/metadata.json\"\n"
		 "until_ok saved 'in time'; until_ok quiet; cmp ../new \"$e\"");
	disk_end(&f);
}

/* ---- read-only ---- */

static void a_store_that_turns_read_only_is_read_and_tells_the_writer(void)
{
	struct fixture f;

	if (!disk_has(HAS_LOOP " && ls /sys/fs/ext4/*/trigger_fs_error", "ext4 on a loop device") ||
	    !disk_begin(&f, DISK_STORE, DISK_EXT4))
		return;
	/* As it does when it finds itself damaged. */
	STEP(&f,
	     ". ../lib.sh; picture_of \"$D\" > ../before\n"
	     "echo x > /sys/fs/ext4/$(basename $(findmnt -no SOURCE ../data))/trigger_fs_error\n"
	     "for n in $X " SECOND " " THIRD "; do soon cat \"$V/$n/\"*.json > /dev/null; done\n"
	     "soon cmp ../old \"$e\"; ! save 'too late' 2> ../said\n"
	     "grep -q 'Read-only file system' ../said; soon cmp ../old \"$e\"\n"
	     "soon rm -r \"$V/" THIRD "\"; soon \"$J\" ls \"$P\" > /dev/null\n"
	     "picture_of \"$D\" > ../after; cmp ../before ../after");
	/* It does not end as if all were well, says where and why, and lets go when it is told to. */
	STEP(&f, ". ../lib.sh; ! soon \"$J\" umount \"$P\" 2> ../said\n"
		 "grep -q 'Read-only file system' ../said; grep -q \"$S\" ../said\n"
		 "grep -q -e --lazy ../said; " LET_GO "at=$P/../data; " REPAIR
		 "picture_of \"$D\" > ../after; cmp ../before ../after");
	forget_daemon(&f);
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; save 'well again'; until_ok saved 'well again'; until_ok quiet\n"
		 "not test -e \"$V/" THIRD "\"; test -e \"$V/.jpfs/local/" THIRD "\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_end(&f);
}

static void a_store_that_is_read_only_from_the_start_is_refused_by_name(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; mount -o remount,ro ../data; picture_of \"$P\" > ../before\n"
		 "for how in '-o rw' '-o ro'; do ! soon \"$J\" mount $how \"$P\" 2> ../said\n"
		 "  grep -q \"$S.*Read-only file system\" ../said; not is_mounted \"$V\"; done\n"
		 "! soon \"$J\" sync \"$P\" 2> ../said; grep -q 'Read-only file system' ../said\n"
		 "soon \"$J\" ls \"$P\" | grep -q 'First Title'\n"
		 "picture_of \"$P\" > ../after; cmp ../before ../after\n"
		 "mount -o remount,rw ../data");
	fixture_mount(&f);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_end(&f);
}

/* ---- I/O errors ---- */

static void a_store_whose_disk_dies_hangs_nobody_and_has_what_was_synced(void)
{
	struct fixture f;

	if (!disk_has(HAS_LOOP, "ext4 on a loop device") || !disk_begin(&f, DISK_STORE, DISK_EXT4))
		return;
	STEP(&f,
	     ". ../lib.sh; events 'synced' > ../new; fsynced \"$e\" ../new; until_ok quiet\n"
	     "die ../data; soon ls -R \"$V\" > /dev/null || :; soon cat \"$e\" > /dev/null || :\n"
	     "! save 'too late' 2> ../said; grep -q 'Input/output error' ../said\n"
	     "events 'synced' > ../new; ! fsynced \"$e\" ../new 2> ../said\n"
	     "grep -q 'Input/output error' ../said\n"
	     "soon \"$J\" status \"$P\" > /dev/null; soon \"$J\" ls \"$P\" > /dev/null || :\n"
	     "! soon \"$J\" umount \"$P\" 2> ../said; grep -q -e --lazy ../said\n" LET_GO
	     /* The worktree is what it was: nothing was taken out of it, nothing taken for empty. */
	     "cmp ../new .jp/conversations/$X/events.json; [ \"$(git status --porcelain)\" = "
	     "\" M .jp/conversations/$X/events.json\" ]\n"
	     "at=$P/../data; " REPAIR "cmp ../new \"$DE\"");
	forget_daemon(&f);
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; cmp ../new \"$e\"; save 'well again'; until_ok saved 'well again'");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_end(&f);
}

/* A damaged inode: its checksum does not fit, and opening the file is an error. */
#define DAMAGE                                                                                     \
	"set -- $(debugfs -R \"imap <$ino>\" ../image 2>/dev/null |\n"                             \
	"  sed -n 's/.*located at block \\([0-9]*\\), offset \\(0x[0-9a-f]*\\).*/\\1 \\2/p')\n"    \
	"size=$(dumpe2fs -h ../image 2>/dev/null | sed -n 's/^Block size: *//p')\n"                \
	"byte=$(($1 * size + $2 + 124))\n"

static void what_cannot_be_read_in_the_store_is_not_decided_about(void)
{
	struct fixture f;

	if (!disk_has(HAS_LOOP " && command -v dumpe2fs", "ext4 on a loop device") ||
	    !disk_begin(&f, DISK_STORE, DISK_EXT4))
		return;
	fixture_umount(&f);
	/* The worktree's version is another one by now, as if a person had edited it. */
	STEP(&f,
	     ". ../lib.sh; cp \"$DE\" ../stored; ino=$(stat -c %i \"$DE\"); umount ../data\n" DAMAGE
	     "dd if=../image of=../good bs=1 skip=$byte count=2 2> /dev/null\n"
	     "printf '\\252\\125' | dd of=../image bs=1 seek=$byte conv=notrunc 2> /dev/null\n"
	     "echo $byte > ../byte; mount -o loop,errors=continue ../image ../data\n"
	     "! cat \"$DE\" 2> /dev/null\n"
	     "sed 's/First Title?/Another?/' ../old > .jp/conversations/$X/events.json\n"
	     "cp .jp/conversations/$X/events.json ../edited; not cmp -s ../old ../edited");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; until_ok problem 'Input/output error'; problem \"$X\"\n"
	     "soon cat \"$e\" > /dev/null || :; soon cmp ../stored \"$V/$X/events.json\" || :\n"
	     "for n in " SECOND " " THIRD "; do soon cmp \"$D/$n/events.json\" "
	     "\"$V/$n/events.json\"; done\n"
	     "sed 's/Second/Changed/' \"$V/" SECOND "/metadata.json\" > ../m\n"
	     "cat ../m > \"$V/" SECOND "/metadata.json\"\n"
	     "until_ok cmp ../m \"$D/" SECOND "/metadata.json\"\n"
	     "soon \"$J\" umount \"$P\" > ../said 2>&1 || " LET_GO
	     "cmp ../edited .jp/conversations/$X/events.json; ls \"$D/$X\" | grep -qx events.json\n"
	     "[ -z \"$(ls -A \"$S/jpfs/trash\")\" ]; not grep -r 'Another' \"$S/jpfs/history\"");
	/* The sector comes back: now it is what it always would have been. */
	STEP(&f, ". ../lib.sh; until_ok umount ../data\n"
		 "dd if=../good of=../image bs=1 seek=$(cat ../byte) conv=notrunc 2> /dev/null\n"
		 "at=$P/../data; " MEND "cmp ../stored \"$DE\"");
	forget_daemon(&f);
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok cmp ../edited \"$DE\"; cmp ../edited \"$e\"\n"
		 "grep -rq 'First Title?' \"$S/jpfs/history\"; until_ok quiet");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_end(&f);
}

static void a_record_that_cannot_be_read_is_not_taken_for_none(void)
{
	struct fixture f;

	if (!disk_has(HAS_LOOP " && command -v dumpe2fs", "ext4 on a loop device") ||
	    !disk_begin(&f, DISK_STORE, DISK_EXT4))
		return;
	fixture_umount(&f);
	/* A trim by hand is a draft. Without the record it would be an older checkout, and gone. */
	STEP(&f,
	     ". ../lib.sh; python3 - \"$e\" <<'E'\n"
	     "import json, sys\n"
	     "events = json.load(open(sys.argv[1]))\n"
	     "assert len(events) > 1\n"
	     "json.dump(events[:1], open(sys.argv[1], 'w'))\n"
	     "E\n"
	     "cp \"$e\" ../trimmed; cp \"$DE\" ../stored\n"
	     "ino=$(stat -c %i \"$S\"/jpfs/workspaces/*.base); umount ../data\n" DAMAGE
	     "dd if=../image of=../good bs=1 skip=$byte count=2 2> /dev/null\n"
	     "printf '\\252\\125' | dd of=../image bs=1 seek=$byte conv=notrunc 2> /dev/null\n"
	     "echo $byte > ../byte; mount -o loop,errors=continue ../image ../data\n"
	     "! cat \"$S\"/jpfs/workspaces/*.base 2> /dev/null\n"
	     "for how in mount sync 'sync --dry-run'; do\n"
	     "  soon \"$J\" $how \"$P\" > ../said 2>&1 && fail \"$how did not say it\"\n"
	     "  grep -F \"$S/jpfs/workspaces/\" ../said | grep -q '[.]base, .*cannot be read' || "
	     "fail \"$how: $(cat ../said)\"\n"
	     "  grep -q '^hint: nothing was changed' ../said\n"
	     "done; cmp ../trimmed \"$e\"; cmp ../stored \"$DE\"\n"
	     "soon \"$J\" mount -o ro \"$P\"; cmp ../stored \"$e\"; \"$J\" umount \"$P\"");
	STEP(&f, ". ../lib.sh; until_ok umount ../data\n"
		 "dd if=../good of=../image bs=1 seek=$(cat ../byte) conv=notrunc 2> /dev/null\n"
		 "at=$P/../data; " MEND);
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok quiet; cmp ../trimmed \"$e\"; cmp ../stored \"$DE\"\n"
		 "\"$J\" commit 17457886043; cmp ../trimmed \"$DE\"; until_ok quiet");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_end(&f);
}

/* ---- the worktree ---- */

static void a_worktree_that_is_renamed_away_is_served_where_it_is(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_STORE, DISK_MEMORY))
		return;
	STEP(&f, ". ../lib.sh; picture_of \"$D\" > ../before; mv \"$P\" \"$P.away\"; sleep 1\n"
		 "picture_of \"$D\" > ../after; cmp ../before ../after\n"
		 "e=$P.away/.jp/conversations/$X/events.json; soon cmp ../old \"$e\"\n"
		 "save 'elsewhere'; until_ok saved 'elsewhere'; mv \"$P.away\" \"$P\"\n"
		 "cmp ../new \"$V/$X/events.json\"; until_ok quiet");
	disk_end(&f);
}

static void a_worktree_that_is_unmounted_lazily_ends_its_daemon_and_leaves_the_store(void)
{
	struct fixture f;

	if (!disk_begin(&f, DISK_WORKTREE, DISK_MEMORY))
		return;
	STEP(&f, ". ../lib.sh; save 'the last one'; until_ok saved 'the last one'; until_ok quiet\n"
		 "picture_of \"$D\" > ../before; cd ..; umount -l \"$P\"");
	fixture_wait_end(&f, f.project);
	STEP(&f, ". ../lib.sh; picture_of \"$D\" > ../after; cmp ../before ../after");
	fixture_end(&f);
}

static void a_worktree_whose_disk_dies_takes_nothing_from_the_store(void)
{
	struct fixture f;

	if (!disk_has(HAS_LOOP, "ext4 on a loop device") ||
	    !disk_begin(&f, DISK_WORKTREE, DISK_EXT4))
		return;
	/* Its own directories lead to the mount; who stands in it goes on. */
	STEP(&f, ". ../lib.sh; b=$(cd ..; pwd -P); mkdir \"$b/beside\"; sync -f \"$P\"\n"
		 "cd \"$V\"; die \"$P\"; soon cat $X/events.json > \"$b/seen\"; cmp \"$b/old\" "
		 "\"$b/seen\"\n"
		 "cd \"$b/beside\"; events 'on a dead disk' > ../new; cd \"$V\"\n"
		 "soon cp \"$b/new\" $X/events.json; until_ok saved 'on a dead disk'\n"
		 "soon cat $X/events.json > \"$b/seen\"; cmp \"$b/new\" \"$b/seen\"\n"
		 "soon ls -R . > /dev/null || :; cd \"$b/beside\"; [ $(ls \"$D\" | wc -l) = 3 "
		 "]\n" LET_GO "at=$P; " REPAIR
		 "saved 'on a dead disk'; cmp ../old \"$V/$X/events.json\"");
	forget_daemon(&f);
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok quiet; cmp \"$DE\" \"$e\"; saved 'on a dead disk'");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	fixture_end(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_store_over_its_quota_tells_the_writer_and_goes_on_when_there_is_room),
		TEST(what_was_closed_before_the_quota_was_reached_is_stored_when_there_is_room),
		TEST(a_store_that_turns_read_only_is_read_and_tells_the_writer),
		TEST(a_store_that_is_read_only_from_the_start_is_refused_by_name),
		TEST(a_store_whose_disk_dies_hangs_nobody_and_has_what_was_synced),
		TEST(what_cannot_be_read_in_the_store_is_not_decided_about),
		TEST(a_record_that_cannot_be_read_is_not_taken_for_none),
		TEST(a_worktree_that_is_renamed_away_is_served_where_it_is),
		TEST(a_worktree_that_is_unmounted_lazily_ends_its_daemon_and_leaves_the_store),
		TEST(a_worktree_whose_disk_dies_takes_nothing_from_the_store),
		CU_TEST_INFO_NULL,
	};

	if (geteuid() != 0) {
		printf("skipped: only root can mount a filesystem\n");
		return 77;
	}
	return fixture_run_suite("sick_disk", tests);
}
