/*
 * The trash of file managers on a mount: what they move there is out of the worktree and of git's
 * sight, in the store, and can be brought back. Semantics, sections 3, 6 and 7.
 *
 * `trash NAME` does what GLib, KDE and trash-cli do: it makes the directories, the note where it was,
 * and renames. The real programs follow, where they are installed.
 */
#include "tests/mount/fixture.h"

static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"T=.Trash-$(id -u)\n"
	"clean() { git -C \"${1-$P}\" status --porcelain -uall > ../status\n"
	"  [ ! -s ../status ] || fail \"git sees: $(cat ../status)\"; }\n"
	"quiet() { ! git -C \"$P\" status --porcelain -uall | grep '^[?][?]' || fail 'git sees "
	"it'\n"
	"  ! ls -A \"${1-$V}\" | grep -i trash || fail 'it is listed'; }\n"
	"END\n"
	"cat > ../trash.py <<'END'\n"
	"import os, sys\n"
	"root, path = sys.argv[1:]\n"
	"trash = '%s/.Trash-%d' % (root, os.getuid())\n"
	"for name in trash, trash + '/files', trash + '/info':\n"
	"    if not os.path.isdir(name):\n"
	"        os.mkdir(name, 0o700)\n"
	"name = os.path.basename(path)\n"
	"note = '%s/info/%s.trashinfo' % (trash, name)\n"
	"fd = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)\n"
	"os.write(fd, ('[Trash Info]\\nPath=%s\\nDeletionDate=2026-11-26T08:00:00\\n' % "
	"path).encode())\n"
	"os.close(fd)\n"
	"os.rename(root + '/' + path, '%s/files/%s' % (trash, name))\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	fixture_mount(fixture);
	STEP(fixture, "until_ok test -d \"$D/" THIRD "\"");
	return true;
}

static void a_conversation_in_the_trash_is_out_of_gits_sight_and_comes_back(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; sed -i s/First/Edited/ \"$V/$X/metadata.json\"; git commit -qam edited\n"
	     "echo note > \"$V/$X/note.txt\"; cp -a \"$V/$X\" ../copy\n"
	     "python3 ../trash.py \"$V\" $X; quiet; [ ! -e \"$V/$X\" ]\n"
	     "diff -r ../copy \"$V/$T/files/$X\"; grep -q \"^Path=$X\" "
	     "\"$V/$T/info/$X.trashinfo\"\n"
	     "[ \"$(stat -c %a \"$V/$T\")\" = 700 ]\n"
	     "diff -r ../copy \"$S/jpfs/desktop-trash/$T/files/$X\"; diff -r ../copy \"$D/$X\"\n"
	     "[ \"$(git status --porcelain | cut -c1-3 | sort -u)\" = ' D ' ]");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; quiet; [ ! -e \"$V/$T\" ]; [ ! -e \"$V/$X\" ]; diff -r ../copy "
		 "\"$D/$X\"");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; [ ! -e \"$V/$X\" ]; mv \"$V/$T/files/$X\" \"$V/$X\"\n"
		 "rm \"$V/$T/info/$X.trashinfo\"; diff -r ../copy \"$V/$X\"; rm "
		 "\"$V/$X/note.txt\"; clean\n"
		 "rmdir \"$V/$T/files\" \"$V/$T/info\" \"$V/$T\"; [ ! -e \"$V/$T\" ]");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean");
	CHECK_INVARIANTS(&f);
}

static void files_go_to_the_trash_one_by_one(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; echo note > \"$V/$X/note.txt\"; touch -d 2026-01-02T03:04:05 "
	     "\"$V/$X/note.txt\"\n"
	     "echo readme > \"$V/README\"; cp \"$V/$X/metadata.json\" ../metadata.json\n"
	     "until_ok test -e \"$D/$X/note.txt\"\n"
	     "for n in $X/note.txt $X/metadata.json README; do python3 ../trash.py \"$V\" $n\n"
	     "  [ ! -e \"$V/$n\" ]; done; quiet\n"
	     "[ \"$(cat \"$V/$T/files/note.txt\" \"$V/$T/files/README\" | tr '\\n' ,)\" = "
	     "note,readme, ]\n"
	     "[ \"$(date -r \"$V/$T/files/note.txt\" +%FT%T)\" = 2026-01-02T03:04:05 ]\n"
	     "cmp ../metadata.json \"$V/$T/files/metadata.json\"; cmp ../metadata.json "
	     "\"$D/$X/metadata.json\"\n"
	     /* A name that is taken is nobody's to replace; other places are reached by copying. */
	     "echo other > \"$V/$X/note.txt\"\n"
	     "python3 -c 'import os, sys; os.rename(*sys.argv[1:])' \"$V/$X/note.txt\" "
	     "\"$V/$T/files/note.txt\" 2>/dev/null && fail 'replaced'\n"
	     "[ \"$(cat \"$V/$T/files/note.txt\")\" = note ]; mv \"$V/$X/note.txt\" \"$V/moved\"\n"
	     "[ \"$(cat \"$V/moved\")\" = other ]; rm \"$V/moved\"\n"
	     "for n in note.txt metadata.json; do mv \"$V/$T/files/$n\" \"$V/$X/$n\"; done\n"
	     "[ \"$(cat \"$V/$X/note.txt\")\" = note ]; rm \"$V/$X/note.txt\"; clean");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean");
	CHECK_INVARIANTS(&f);
}

static void the_trash_outlives_the_worktree_that_filled_it(void)
{
	cleanup_fixture struct fixture f = {0};
	char worktree[300];

	if (!begin(&f))
		return;
	(void)snprintf(worktree, sizeof(worktree), "%.255s/wt", f.base);
	STEP(&f, "git worktree add -q \"$W\"");
	fixture_mount_at(&f, worktree, "");
	STEP(&f, ". ../lib.sh; n=17457886400-only-here; cp -r \"$WV/$X\" \"$WV/$n\"; echo x > "
		 "\"$WV/$n/x\"\n"
		 "cp -r \"$WV/$n\" ../copy; python3 ../trash.py \"$WV\" $n; [ ! -e \"$WV/$n\" ]\n"
		 "quiet \"$WV\"; git worktree remove \"$W\"; [ ! -e \"$W\" ]\n"
		 "diff -r ../copy \"$V/$T/files/$n\"; mv \"$V/$T/files/$n\" \"$V/\"\n"
		 "diff -r ../copy \"$V/$n\"; until_ok diff -r ../copy \"$D/$n\"");
	fixture_wait_end(&f, worktree);
	fixture_umount(&f);
	STEP(&f, "diff -r ../copy \"$V\"/17457886400-*");
	CHECK_INVARIANTS(&f);
}

static void a_trash_that_the_worktree_really_has_is_passed_through(void)
{
	cleanup_fixture struct fixture f = {0};
	char worktree[300];

	if (!begin(&f))
		return;
	(void)snprintf(worktree, sizeof(worktree), "%.255s/wt", f.base);
	STEP(&f, ". ../lib.sh; git worktree add -q \"$W\"; mkdir -p \"$WV/$T/files\"; echo old > "
		 "\"$WV/$T/files/old\"");
	fixture_mount_at(&f, worktree, "");
	STEP(&f, ". ../lib.sh; ls -A \"$WV\" | grep -qx -e \"$T\"; [ \"$(cat "
		 "\"$WV/$T/files/old\")\" = old ]\n"
		 "python3 ../trash.py \"$WV\" $X; [ -d \"$WV/$T/files/$X\" ]\n"
		 "[ ! -e \"$S/jpfs/desktop-trash\" ]; rm -rf \"$W\"; [ ! -e \"$W\" ]");
	fixture_wait_end(&f, worktree);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void the_trash_may_lie_on_another_filesystem(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	if (fixture_run(
		    &f,
		    "[ -w /dev/shm ] && [ \"$(stat -c %d /dev/shm)\" != \"$(stat -c %d .)\" ]") !=
	    0) {
		printf("(no second filesystem here: skipped) ");
		return;
	}
	STEP(&f, LIBRARY);
	STEP(&f, "d=$(mktemp -d /dev/shm/jpfs-trash.XXXXXX); ln -s \"$d\" ../data");
	fixture_mount(&f);
	STEP(&f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"\n"
		 "mkdir -p \"$V/.archive\"; mv \"$V/" SECOND
		 "\" \"$V/.archive/\"; echo readme > \"$V/README\"\n"
		 "cp -a \"$V\" ../copy\n"
		 "for n in $X .archive/" SECOND
		 " README; do python3 ../trash.py \"$V\" $n; [ ! -e \"$V/$n\" ]\n"
		 "done; quiet; diff -r ../copy/$X \"$V/$T/files/$X\"\n"
		 "diff -r ../copy/.archive/" SECOND " \"$V/$T/files/" SECOND "\"\n"
		 "[ \"$(cat \"$V/$T/files/README\")\" = readme ]\n"
		 "mkfifo \"$V/pipe\"; python3 ../trash.py \"$V\" pipe 2>/dev/null && fail 'a FIFO "
		 "was lost'\n"
		 "[ -p \"$V/pipe\" ]; rm \"$V/pipe\"; [ ! -e \"$V/$T/files/pipe\" ]\n"
		 "for n in $X README; do python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "
		 "\"$V/$T/files/$n\" \"$V/$n\"; done\n"
		 "python3 -c 'import os, sys; os.rename(*sys.argv[1:])' \"$V/$T/files/" SECOND "\" "
		 "\"$V/.archive/" SECOND "\"\n"
		 "diff -r ../copy \"$V\"; [ -z \"$(ls \"$V/$T/files\")\" ]; rm \"$V/README\"\n"
		 "mv \"$V/.archive/" SECOND "\" \"$V/\"; rmdir \"$V/.archive\"; clean");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; clean");
	CHECK_INVARIANTS(&f);
	STEP(&f, "d=$(readlink ../data); rm ../data; rm -r \"$d\"");
}

/* One of the real programs, on a conversation, a file of one, and another file. `bring_back` is a
 * script, or "" where it needs a desktop to do that. */
static void throw_away_by(const char *command, const char *bring_back)
{
	cleanup_fixture struct fixture f = {0};
	char script[1024];

	if (!begin(&f))
		return;
	(void)snprintf(script, sizeof(script), "command -v %s", command);
	if (fixture_run(&f, script) != 0) {
		printf("(no %s here: skipped) ", command);
		return;
	}
	(void)snprintf(script, sizeof(script),
		       ". ../lib.sh; export XDG_DATA_HOME=\"$P/../desktop\"; echo note > "
		       "\"$V/$X/note.txt\"\n"
		       "echo readme > \"$V/README\"; cp -a \"$V\" ../copy\n"
		       "for n in $X/note.txt " SECOND
		       " README; do %s \"$V/$n\"; [ ! -e \"$V/$n\" ]; done; quiet\n"
		       "ls -A \"$V/$T/files\" > ../there; diff -r ../copy/" SECOND
		       " \"$V/$T/files/" SECOND "\" || fail \"$(cat ../there)\"\n"
		       "cmp ../copy/README \"$V/$T/files/README\"\n"
		       "cmp ../copy/$X/note.txt \"$V/$T/files/note.txt\"\n"
		       "diff -r ../copy/" SECOND " \"$D/" SECOND "\"",
		       strcmp(command, "gio") == 0 ? "gio trash" : command);
	STEP(&f, script);
	STEP(&f, bring_back);
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; quiet; git checkout -q .; clean");
	CHECK_INVARIANTS(&f);
}

static void gio_trash_throws_away(void)
{
	throw_away_by("gio", "");
}

static void trash_put_throws_away_and_trash_restore_brings_back(void)
{
	throw_away_by("trash-put",
		      ". ../lib.sh; export XDG_DATA_HOME=\"$P/../desktop\"; cd \"$V\"\n"
		      "for n in " SECOND " $X/note.txt README; do\n"
		      "  echo n | trash-restore > ../../../list 2>&1 || :\n"
		      "  i=$(sed -n \"s|^ *\\([0-9]*\\) .*/$n\\$|\\1|p\" ../../../list)\n"
		      "  echo \"$i\" | trash-restore > /dev/null; done\n"
		      "diff -r ../../../copy .; rm $X/note.txt README; cd \"$P\"; clean");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_conversation_in_the_trash_is_out_of_gits_sight_and_comes_back),
		TEST(files_go_to_the_trash_one_by_one),
		TEST(the_trash_outlives_the_worktree_that_filled_it),
		TEST(a_trash_that_the_worktree_really_has_is_passed_through),
		TEST(the_trash_may_lie_on_another_filesystem),
		TEST(gio_trash_throws_away),
		TEST(trash_put_throws_away_and_trash_restore_brings_back),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("desktop trash", tests);
}
