/*
 * Programs that read and copy whole trees, the real ones, on a real mount: they find what they find
 * in an ordinary directory, and what they copy to and fro is the same, times and all. Semantics,
 * sections 3 to 5.
 */
#include "tests/mount/fixture.h"

/*
 *     stamps DIR     every name below it with type, mode, size and time
 *     same DIR DIR   those are the same, and so is the content
 */
static const char LIBRARY[] =
	"cat > ../tools.sh <<'END'\n"
	"stamps() { (cd \"$1\"; find . -mindepth 1 ! -type d -printf '%P %y %m %s %T@\\n' | sort\n"
	"  find . -mindepth 1 -type d -printf '%P %y %m\\n' | sort); }\n"
	"same() { diff -r \"$1\" \"$2\" || fail \"$3\"; stamps \"$1\" > ../one; stamps \"$2\" | "
	"diff ../one - || fail \"$3\"; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	STEP(fixture, "cp -a \"$V\" ../plain");
	fixture_mount(fixture);
	STEP(fixture, "until_ok test -d \"$D/" THIRD "\"");
	return true;
}

static bool is_here(struct fixture *fixture, const char *program)
{
	char script[128];

	(void)snprintf(script, sizeof(script), "command -v %s", program);
	if (fixture_run(fixture, script) == 0)
		return true;
	printf("(no %s here: skipped) ", program);
	return false;
}

static void rsync_copies_both_ways_and_a_second_run_transfers_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f) || !is_here(&f, "rsync"))
		return;
	STEP(&f,
	     ". ../tools.sh; rsync -a \"$V/\" ../out; same ../plain ../out 'out'\n"
	     "# The root's own time is that of the directory beneath, where projections come and "
	     "go.\n"
	     "again() { out=$(rsync -ai --delete \"$@\" | grep -vxF '.d..t...... ./') || true\n"
	     "[ -z \"$out\" ] || fail \"a second run: $out\"; }\n"
	     "again \"$V/\" ../out\n"
	     "# The other way: what was edited and added there, and what went.\n"
	     "sed -i s/First/Rsynced/ ../out/$X/metadata.json; echo note > ../out/$X/note.txt\n"
	     "cp -a ../out/$X ../out/17457886500-brought; rm -r ../out/" SECOND "\n"
	     "rsync -a --delete ../out/ \"$V/\"; same ../out \"$V\" 'back'; again ../out/ \"$V/\"\n"
	     "until_ok test -e \"$D/17457886500-brought/note.txt\"; same \"$D/" SECOND
	     "\" ../plain/" SECOND " 'it is lost'\n"
	     "until_ok cmp ../out/$X/metadata.json \"$D/$X/metadata.json\"; again \"$V/\" "
	     "../out\n");
	fixture_umount(&f);
	STEP(&f, ". ../tools.sh; same ../out \"$V\" 'after umount'; same ../out/$X \"$D/$X\" "
		 "'durable'\n"
		 "[ -z \"$(rsync -ai --delete \"$V/\" ../out)\" ]; [ -z \"$(find \"$S/jpfs/trash\" "
		 "-type f 2>/dev/null)\" ]\n");
	CHECK_INVARIANTS(&f);
}

static void cp_and_tar_copy_both_ways(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../tools.sh; cp -a \"$V\" ../copied; same ../plain ../copied 'cp'\n"
		 "tar -C \"$V\" --format=posix -cf ../all.tar .; mkdir ../untarred; tar -C "
		 "../untarred -xf ../all.tar\n"
		 "same ../plain ../untarred 'tar'; tar -C \"$V\" -df ../all.tar\n"
		 "# Over itself, and beside it.\n"
		 "cp -a ../copied/. \"$V/\"; same ../plain \"$V\" 'cp back'; git diff --quiet\n"
		 "tar -C \"$V\" -xf ../all.tar; same ../plain \"$V\" 'tar back'\n"
		 "cp -a \"$V/$X\" \"$V/17457886500-by-cp\"; same ../plain/$X "
		 "\"$V/17457886500-by-cp\" 'cp beside'\n"
		 "(cd ../plain; tar -c --format=posix --transform 's|^[^/]*|17457886501-by-tar|' "
		 "$X) | tar -C \"$V\" -x\n"
		 "same ../plain/$X \"$V/17457886501-by-tar\" 'tar beside'\n"
		 "until_ok test -e \"$D/17457886500-by-cp/events.json\"; until_ok test -e "
		 "\"$D/17457886501-by-tar/events.json\"\n");
	fixture_umount(&f);
	STEP(&f, ". ../tools.sh; for n in 17457886500-by-cp 17457886501-by-tar; do same "
		 "../plain/$X \"$V/$n\" 'umounted'\n"
		 "same ../plain/$X \"$D/$n\" 'durable'; done; [ -z \"$(find \"$S/jpfs/history\" "
		 "-type f)\" ] || fail 'history'\n");
	CHECK_INVARIANTS(&f);
}

static void searching_and_listing_find_what_they_find_anywhere(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../tools.sh; fd=$(command -v fdfind || command -v fd || :)\n"
	     "both() { (cd ../plain; \"$@\" 2>&1 | sort) > ../expected; [ -s ../expected ] || fail "
	     "\"$* finds nothing\"\n"
	     "  (cd \"$V\"; \"$@\" 2>&1 | sort) | diff ../expected - || fail \"$*\"; }\n"
	     "both grep -r Title .; both find . -name '*.json' -size +50c -printf '%p %y %m %s "
	     "%T@\\n'\n"
	     "both ls -lAR --time-style=full-iso --block-size=1 -G -g ./$X\n"
	     "both du -ab --apparent-size $X; both sh -c 'wc -c */*.json'\n"
	     "if command -v rg; then both rg --no-heading Title; both rg -uuu -c Title; both rg "
	     "--files --hidden\n"
	     "else echo '(no rg here)'; fi\n"
	     "if [ -n \"$fd\" ]; then both \"$fd\" -H json; both \"$fd\" -t d; else echo '(no fd "
	     "here)'; fi\n"
	     "if command -v tree; then both tree -a -s -D; else echo '(no tree here)'; fi\n"
	     "# What was changed since is newer, and nothing else.\n"
	     "touch ../stamp; sleep 0.02 # a tick of the clock that files have\n"
	     "sed -i s/First/Newer/ \"$V/$X/metadata.json\"\n"
	     "newer() { find \"$1\" -name '*.json' -newer ../stamp -printf '%P\\n'; }\n"
	     "[ \"$(newer \"$V\")\" = \"$X/metadata.json\" ] || fail \"newer: $(newer \"$V\")\"\n"
	     "until_ok grep -q Newer \"$D/$X/metadata.json\"; [ \"$(newer \"$D\")\" = "
	     "\"$X/metadata.json\" ]\n");
	fixture_umount(&f);
	STEP(&f, "newer() { find \"$1\" -name '*.json' -newer ../stamp -printf '%P\\n'; }\n"
		 "[ \"$(newer \"$V\")\" = \"$X/metadata.json\" ]\n");
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(rsync_copies_both_ways_and_a_second_run_transfers_nothing),
		TEST(cp_and_tar_copy_both_ways),
		TEST(searching_and_listing_find_what_they_find_anywhere),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("tools", tests);
}
