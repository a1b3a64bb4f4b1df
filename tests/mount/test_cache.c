/*
 * What the kernel keeps: that a warm walk asks nothing, that whatever changes behind its back is seen
 * within moments, and that a writer's end is found out where nobody tells it.
 */
#include "tests/mount/fixture.h"

/*
 * `asked COMMAND...`: how many requests it makes, without those that asking itself costs (measured
 * on `true` each time). `warm N COMMAND...` runs it until it makes no more than N: the daemon's own
 * work after mounting takes things back for a moment. One statfs of find and others, and two attributes that ls
 * asks for once, are not of the tree.
 */
static const char HELPERS[] =
	"total() { python3 -c 'import json, sys\n"
	"r = json.load(open(sys.argv[1] + \"/.jpfs/status.json\"))[\"requests\"]\n"
	"print(r[\"total\"])' \"$V\"; }\n"
	"grown() { before=$(total); \"$@\" >/dev/null 2>&1 || :; after=$(total); echo $((after - "
	"before)); "
	"}\n"
	"asked() { base=$(grown true); n=$(grown \"$@\"); echo $((n - base)); }\n"
	"few() { most=$1; shift; [ $(asked \"$@\") -le $most ]; }\n"
	"warm() { until_ok few \"$@\"; }\n";

static void step(struct fixture *fixture, int line, const char *script)
{
	cleanup_free char *text = NULL;

	if (asprintf(&text, "%s%s", HELPERS, script) >= 0)
		fixture_step(fixture, __FILE__, line, text);
}

static void a_warm_walk_asks_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "mkdir \"$V/notes\"; echo text > \"$V/notes/one\"; git status --short\n"
	     /* Large enough for grep to look for holes. */
	     "head -c 300000 /dev/zero | tr '\\0' a > \"$V/$X/long\"; until_ok test -e "
	     "\"$D/$X/long\"\n"
	     "warm 1 find \"$V\"; warm 2 ls -lR \"$V\"; warm 1 du -s \"$V\"; warm 0 git status "
	     "--short\n"
	     "warm 0 sh -c 'cat \"$V\"/*/*.json'; warm 1 grep -r nothing-like-this \"$V\"\n"
	     "warm 1 tar -cf ../archive.tar -C \"$V\" .");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_first_walk_asks_for_listings_and_not_for_names(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	/* Mounted anew, with everything in step and nothing asked for yet. */
	step(&f, __LINE__, "until_ok test -d \"$D/" THIRD "\"");
	fixture_umount(&f);
	fixture_mount(&f);
	step(&f, __LINE__,
	     "lookups() { python3 -c 'import json, sys\n"
	     "r = json.load(open(sys.argv[1] + \"/.jpfs/status.json\"))[\"requests\"]\n"
	     "print(r[\"lookup\"])' \"$V\"; }\n"
	     "lookups > ../first; before=$(lookups); ls -lR \"$V\" > ../listed; after=$(lookups)\n"
	     /* Two of them for the status itself; without the listings' help twelve more. */
	     "[ $((after - before)) -le 4 ] || fail \"$before, then $after\"\n"
	     "[ $(grep -c json ../listed) = 9 ]; [ $(grep -c ' 188 .*events.json' ../listed) = 2 "
	     "]");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* A walk is seen ahead, and what comes next is looked at before it is asked for. Then it changes. */
static void what_changes_ahead_of_a_walk_is_seen_by_it(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "for i in $(seq 10 59); do cp -R \"$V/$X\" \"$V/175000000$i-walked\"; done\n");
	fixture_umount(&f);
	fixture_mount(&f);
	step(&f, __LINE__,
	     "[ $(ls \"$V\" | grep -c walked) = 50 ]\n"
	     "for i in 10 11 12 13 14 15 16; do ls -l \"$V/175000000$i-walked\" >/dev/null; done\n"
	     /* There is nothing to be seen of it from here; it takes a millisecond. */
	     "sleep 0.3\n"
	     "{ cat \"$D/17500000031-walked/events.json\"; echo; } > ../other\n"
	     "cp ../other \"$D/17500000031-walked/.tmp\"\n"
	     "mv \"$D/17500000031-walked/.tmp\" \"$D/17500000031-walked/events.json\"\n"
	     "printf longer > \"$V/17500000032-walked/metadata.json\"\n"
	     "rm \"$V/17500000033-walked/base_config.json\"\n"
	     "sleep 0.3\n"
	     "for i in $(seq 17 59); do ls -l \"$V/175000000$i-walked\"; done > ../listed\n"
	     "[ $(ls -l \"$V/17500000031-walked\" | grep -c \" $(stat -c %s ../other) .*events\") "
	     "= 1 ]\n"
	     "[ $(ls -l \"$V/17500000032-walked\" | grep -c \" 6 .*metadata\") = 1 ]\n"
	     "[ $(ls \"$V/17500000033-walked\" | grep -c base_config) = 0 ]\n"
	     "cp \"$V/$X/metadata.json\" \"$V/17500000032-walked\"\n"
	     "cp \"$V/$X/base_config.json\" \"$V/17500000033-walked\"\n");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void memory_goes_back_when_the_kernel_forgets(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	if (geteuid() != 0) {
		(void)printf("(only root can make the kernel forget: skipped) ");
		return;
	}
	STEP(&f, "for k in $(seq 500); do cp -r \"$V/$X\" \"$V/$((17457900000 + k))-more\"; done");
	fixture_mount(&f);
	step(&f, __LINE__,
	     "daemon=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[\"pid\"])' "
	     "\"$V/.jpfs/status.json\")\n"
	     /* A sanitizer keeps what is freed, to find who still uses it. */
	     "if grep -q 'lib[at]san' /proc/$daemon/maps; then exit 0; fi\n"
	     "anonymous() { sed -n 's/RssAnon:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$daemon/status; "
	     "}\n"
	     "until_ok test -d \"$D/17457900500-more\"; ls -lR \"$V\" > ../listed\n"
	     /* Others may have made it forget in between: then once more. */
	     "shrinks() { ls -lR \"$V\" > ../again; walked=$(anonymous)\n"
	     "  echo 3 > /proc/sys/vm/drop_caches; sleep 0.2; [ $(anonymous) -lt $((walked - 100)) "
	     "]; }\n"
	     "until_ok shrinks; ls -lR \"$V\" | cmp - ../listed");
	fixture_umount(&f);
}

static void what_is_changed_in_the_store_is_seen(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "until_ok test -d \"$D/" THIRD "\"; warm 0 sh -c 'cat \"$V\"/*/*.json; ls \"$V\"/*'\n"
	     /* By rename, as jp does it, and in place. */
	     "for k in 1 2 3 4 5; do\n"
	     "  sed \"s/First/Turn $k/\" \"$D/$X/metadata.json\" > \"$D/$X/metadata.json.tmp\"\n"
	     "  sed -i \"s/Turn [0-9]*/Turn $k/\" \"$D/$X/metadata.json.tmp\"\n"
	     "  mv \"$D/$X/metadata.json.tmp\" \"$D/$X/metadata.json\"\n"
	     "  until_ok grep -q \"Turn $k\" \"$V/$X/metadata.json\"\n"
	     "  until_ok cmp \"$D/$X/metadata.json\" \"$V/$X/metadata.json\"; done\n"
	     "sed 's/Turn/Place/' \"$V/$X/metadata.json\" > ../m; cat ../m > "
	     "\"$D/$X/metadata.json\"\n"
	     "until_ok grep -q Place \"$V/$X/metadata.json\"\n"
	     "size() { [ \"$(stat -c %s \"$V/$X/metadata.json\")\" = \"$(stat -c %s ../m)\" ]; }\n"
	     "until_ok size\n"
	     /* A file that was not there when it was asked for, and one that goes. */
	     "[ ! -e \"$V/$X/base_config.json~\" ]; rm \"$D/" SECOND "/base_config.json\"\n"
	     "cp \"$D/" THIRD "/base_config.json\" \"$D/" SECOND "/base_config.json\"\n"
	     "until_ok test -e \"$V/" SECOND "/base_config.json\"\n"
	     "mv \"$D/" THIRD "\" \"$D/"
	     "17457886045-renamed\"\n"
	     "sed -i s/Third/Other/ \"$D/17457886045-renamed/metadata.json\"\n"
	     "until_ok grep -q Other \"$V/" THIRD "/metadata.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_change_in_one_worktree_is_seen_in_the_other(void)
{
	cleanup_fixture struct fixture f = {0};
	char other[300];

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__, "until_ok test -d \"$D/" THIRD "\"; git worktree add -q \"$W\"");
	(void)snprintf(other, sizeof(other), "%.280s/wt", f.base);
	fixture_mount_at(&f, other, "");
	step(&f, __LINE__,
	     "cat \"$V\"/*/*.json \"$WV\"/*/*.json > ../all\n"
	     "for k in 1 2 3; do\n"
	     "  sed -i \"s/\\\"title\\\": \\\".*\\\"/\\\"title\\\": \\\"Here $k\\\"/\" "
	     "\"$V/$X/metadata.json\"\n"
	     "  until_ok grep -q \"Here $k\" \"$WV/$X/metadata.json\"\n"
	     "  sed \"s/Here/There/\" \"$WV/$X/metadata.json\" > ../m; cat ../m > "
	     "\"$WV/$X/metadata.json\"\n"
	     "  until_ok grep -q \"There $k\" \"$V/$X/metadata.json\"; done\n"
	     "echo note > \"$V/$X/NOTE\"; until_ok test -e \"$D/$X/NOTE\"");
	fixture_umount_at(&f, other);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* The store has no archive until then, and so nobody hears what comes into it at that moment. */
static void what_was_archived_when_it_was_imported_is_followed_like_any_other(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	step(&f, __LINE__,
	     "mkdir .jp/conversations/.archive; for i in $(seq 50 79); do\n"
	     "  cp -a .jp/conversations/$X .jp/conversations/.archive/174578860$i-a; done");
	fixture_mount(&f);
	step(&f, __LINE__,
	     "cat \"$V\"/.archive/*/*.json > /dev/null; until_ok test -d "
	     "\"$D/.archive/17457886079-a\"\n"
	     "for i in $(seq 50 79); do until_ok test -e "
	     "\"$D/.archive/174578860$i-a/metadata.json\"; done\n"
	     "cat \"$V\"/.archive/*/*.json > /dev/null; for i in $(seq 50 79); do\n"
	     "  m=$D/.archive/174578860$i-a/metadata.json; sed s/First/Other/ \"$m\" > ../m; mv "
	     "../m \"$m\"; done\n"
	     "for i in $(seq 50 79); do\n"
	     "  until_ok grep -q Other \"$V/.archive/174578860$i-a/metadata.json\"; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void who_has_a_replaced_file_open_reads_on_in_it(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "until_ok test -d \"$D/" THIRD
	     "\"; cp \"$V/$X/events.json\" ../old; e=\"$V/$X/events.json\"\n"
	     "exec 3< \"$e\"; head -c 10 <&3 > ../begin\n"
	     /* Replaced in the store, seen, projected; and nothing of it was in the kernel's pages. */
	     "sed 's/turn_start/turn_other/' ../old > \"$D/$X/events.json.tmp\"\n"
	     "mv \"$D/$X/events.json.tmp\" \"$D/$X/events.json\"\n"
	     "until_ok grep -q turn_other \"$e\"; [ \"$(id -u)\" != 0 ] || echo 1 > "
	     "/proc/sys/vm/drop_caches\n"
	     "cat <&3 > ../rest; cat ../begin ../rest | cmp - ../old; exec 3<&-\n"
	     /* Removed, and written over through the mount. */
	     "cp \"$e\" ../old; exec 3< \"$e\"; cp ../old ../new; sed -i s/turn_other/turn_third/ "
	     "../new\n"
	     "cp ../new \"$e.tmp\"; mv \"$e.tmp\" \"$e\"; cmp \"$e\" ../new; cat <&3 | cmp - "
	     "../old\n"
	     "exec 3< \"$e\"; rm \"$e\"; cat <&3 | cmp - ../new; cp ../new \"$e\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_file_is_stored_when_its_writer_closes_it_and_not_before(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "until_ok test -d \"$D/" THIRD
	     "\"; m=\"$V/$X/metadata.json\"; s=\"$D/$X/metadata.json\"\n"
	     "sed s/First/Slow/ \"$m\" > ../m; exec 4> \"$m\"; cat ../m >&4\n"
	     /* Whole and valid, but not closed. */
	     "grep -q Slow \"$m\"; sleep 1; grep -q First \"$s\"; exec 5>> \"$m\"; exec 4>&-\n"
	     "sleep 1; grep -q First \"$s\"; exec 5>&-; until_ok cmp ../m \"$s\"\n"
	     /* truncate(2) closes nothing. */
	     "echo long > \"$V/$X/NOTE\"; until_ok test -e \"$D/$X/NOTE\"; truncate -s 2 "
	     "\"$V/$X/NOTE\"\n"
	     "short() { [ \"$(stat -c %s \"$D/$X/NOTE\")\" = 2 ]; }; until_ok short\n"
	     "python3 -c 'import os, sys; os.truncate(sys.argv[1], 1)' \"$V/$X/NOTE\"\n"
	     "shorter() { [ \"$(stat -c %s \"$D/$X/NOTE\")\" = 1 ]; }; until_ok shorter");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void without_its_second_process_nothing_is_lost(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	step(&f, __LINE__,
	     "until_ok test -d \"$D/" THIRD
	     "\"; cat \"$V/$X/\"*; exec 4>> \"$V/$X/NOTE\"; echo one >&4\n"
	     "daemon=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[\"pid\"])' "
	     "\"$V/.jpfs/status.json\")\n"
	     "for p in $(cat /proc/$daemon/task/*/children); do\n"
	     "  [ \"$(cat /proc/$p/comm)\" != jpfs-companion ] || kill -9 $p; done\n"
	     "echo two >&4; exec 4>&-; sed -i s/First/Alone/ \"$V/$X/metadata.json\"\n"
	     "until_ok grep -q two \"$D/$X/NOTE\"; until_ok grep -q Alone \"$D/$X/metadata.json\"\n"
	     "sed s/Alone/Store/ \"$V/$X/metadata.json\" > ../m; cp ../m "
	     "\"$D/$X/metadata.json.tmp\"\n"
	     "mv \"$D/$X/metadata.json.tmp\" \"$D/$X/metadata.json\"\n"
	     "until_ok grep -q Store \"$V/$X/metadata.json\"; \"$J\" umount . ");
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_warm_walk_asks_nothing),
		TEST(a_first_walk_asks_for_listings_and_not_for_names),
		TEST(what_changes_ahead_of_a_walk_is_seen_by_it),
		TEST(memory_goes_back_when_the_kernel_forgets),
		TEST(what_is_changed_in_the_store_is_seen),
		TEST(a_change_in_one_worktree_is_seen_in_the_other),
		TEST(what_was_archived_when_it_was_imported_is_followed_like_any_other),
		TEST(who_has_a_replaced_file_open_reads_on_in_it),
		TEST(a_file_is_stored_when_its_writer_closes_it_and_not_before),
		TEST(without_its_second_process_nothing_is_lost),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("cache", tests);
}
