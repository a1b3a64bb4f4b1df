/*
 * History and trash by command: listing, showing, comparing, restoring, removing, pruning. Mounted,
 * not mounted, and from another worktree. Semantics, sections 6 and 7.
 */
#include "tests/mount/two_worktrees.h"

/*
 * Beside two_worktrees.h, for scripts: $I the first conversation's ID, $H its history, $T its trash;
 * `version FILE [N]` the N-th newest version that is kept of a file, by its name; `having TEXT` the newest
 * that is told by it; `says TEXT COMMAND...`; `refused CODE TEXT COMMAND...`.
 */
static const char FUNCTIONS[] =
	"I=17457886043 H=$S/jpfs/history/17457886043 T=$S/jpfs/trash/17457886043\n"
	"version() { \"$J\" history --json ${3-$I} | python3 -c 'import json, sys\n"
	"all = [v[\"version\"] for v in json.load(sys.stdin)[\"versions\"]\n"
	"       if v[\"file\"] == sys.argv[1]]\n"
	"print(all[int(sys.argv[2])])' $1 ${2-0}; }\n"
	"having() { \"$J\" history --json $I | python3 -c 'import json, sys\n"
	"print([v[\"version\"] for v in json.load(sys.stdin)[\"versions\"]\n"
	"       if v[\"what\"].startswith(sys.argv[1])][0])' \"$1\"; }\n"
	"says() { text=$1; shift; \"$@\" > ../out 2> ../err || fail \"$*: $(cat ../err)\"\n"
	"  grep -qF -- \"$text\" ../out || fail \"no '$text' of $*: $(cat ../out)\"; }\n"
	"refused() { code=$1 text=$2; shift 2; got=0; \"$@\" > ../out 2> ../err || got=$?\n"
	"  [ $got = $code ] || fail \"exit code $got of $*: $(cat ../out ../err)\"\n"
	"  grep -qF -- \"$text\" ../err || fail \"no '$text' of $*: $(cat ../err)\"; }\n";

struct world {
	struct fixture f;
	char other[300];
};

static void end(struct world *world)
{
	fixture_end(&world->f);
}
#define cleanup_world __attribute__((cleanup(end)))

/* The store has all three, with three events more in the first than in the beginning, of which two
 * were cut again, and another title; nothing is mounted. Another worktree is there. */
static bool begin(struct world *world)
{
	if (!fixture_begin(&world->f))
		return false;
	(void)snprintf(world->other, sizeof(world->other), "%.255s/wt", world->f.base);
	two_functions(&world->f, FUNCTIONS);
	fixture_mount(&world->f);
	STEP(&world->f,
	     ". ../lib.sh; until_ok test -e \"$DE\"; until_ok test -e \"$D/" THIRD "\"\n"
	     "n=$(python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' \"$e\")\n"
	     "echo $n > ../n; append one; append two; append three; until_ok grep -q three "
	     "\"$DE\"\n"
	     "cp \"$DE\" ../long; trim $((n + 1)); until_ok not grep -q three \"$DE\"\n"
	     "cp \"$DE\" ../short; sed -i s/First/Other/ \"$V/$X/metadata.json\"\n"
	     "until_ok grep -q Other \"$DM\"; git worktree add -q -b side \"$W\"\n"
	     "until_ok quiet; until_ok cmp \"$DE\" \"$e\"");
	fixture_umount(&world->f);
	return true;
}

/* Run a script without a mount, with one, and from the other worktree, mounted there or not. */
static void each_way(struct world *world, const char *script)
{
	cleanup_free char *elsewhere = NULL;

	CU_ASSERT(asprintf(&elsewhere, "cd \"$W\"; %s", script) >= 0);
	STEP(&world->f, script);
	STEP(&world->f, elsewhere);
	fixture_mount(&world->f);
	STEP(&world->f, script);
	STEP(&world->f, elsewhere);
	fixture_mount_at(&world->f, world->other, "");
	STEP(&world->f, elsewhere);
	fixture_umount_at(&world->f, world->other);
	fixture_umount(&world->f);
}

static void what_is_kept_is_listed(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	each_way(
		&w,
		". \"$P/../lib.sh\"; \"$J\" history --json > \"$P/../all\"\n"
		"python3 - \"$P/../all\" $I <<'E'\n"
		"import json, sys\n"
		"all = json.load(open(sys.argv[1]))\n"
		"one = [c for c in all if c['id'] == sys.argv[2]]\n"
		"assert len(one) == 1 and one[0]['versions'] == 2 and one[0]['trash'] == 0, all\n"
		"assert one[0]['name'].endswith('-first-title') and one[0]['size'] > 0, all\n"
		"E\n"
		"\"$J\" history --json 1745788604\"3\" > \"$P/../one\"; python3 - \"$P/../one\" "
		"<<'E'\n"
		"import json, sys, os\n"
		"one = json.load(open(sys.argv[1]))\n"
		"m, e = one['versions']\n"
		"assert m['file'] == 'metadata.json' and m['what'] == 'title: \"First Title\"', m\n"
		"assert e['file'] == 'events.json', e\n"
		"assert e['what'] == '2 events more, ends 2026-03-06 10:00', e\n"
		"assert e['events'] == {'more': 2, 'other': 0, 'fewer': 0}, e\n"
		"assert m['kept'] > e['kept'] and e['place'] == 'history', one\n"
		"assert os.path.getsize(e['path']) == e['size'], e\n"
		"assert len(e['version']) == 8 and e['version'] != m['version'], one\n"
		"E\n"
		"\"$J\" history $I > \"$P/../table\"; grep -q '^VERSION  *KEPT' \"$P/../table\"\n"
		"grep -q 'events.json .*2 events more, ends 2026-03-06 10:00' \"$P/../table\"\n"
		"[ \"$(\"$J\" history 17457886044)\" = 'nothing is kept: " SECOND "' ]");
	STEP(&w.f,
	     ". ../lib.sh; refused 1 'no such conversation' \"$J\" history 999\n"
	     "refused 2 'one conversation' \"$J\" history 1 2; refused 3 workspace \"$J\" -C / "
	     "history");
	CHECK_INVARIANTS(&w.f);
}

static void a_version_is_shown_byte_for_byte(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	each_way(
		&w,
		". \"$P/../lib.sh\"; v=$(version events.json)\n"
		"\"$J\" show $I@$v | cmp - \"$P/../long\"; \"$J\" show \"$X@$v\" events.json | cmp "
		"- \"$P/../long\"\n"
		"\"$J\" show $I@$(echo $v | cut -c 1-4) events.json | cmp - \"$P/../long\"\n"
		"\"$J\" show $I events.json | cmp - \"$P/../short\"\n"
		"\"$J\" show $I metadata.json | cmp - \"$DM\"; m=$(version metadata.json)\n"
		"\"$J\" show $I@$m | grep -q 'First Title'\n"
		"t=$(ls \"$H\" | grep events | cut -c 1-20); \"$J\" show $I@$t events.json | cmp - "
		"\"$P/../long\"");
	STEP(&w.f,
	     ". ../lib.sh; v=$(version events.json)\n"
	     "refused 1 'no such version' \"$J\" show $I@kkkkkkkk\n"
	     "refused 1 'no such version of metadata.json' \"$J\" show $I@$v metadata.json\n"
	     "refused 1 'several versions' \"$J\" show $I@2; grep -q \"$v (events.json)\" ../err\n"
	     "refused 1 nothing: \"$J\" show $I nothing; refused 2 'which' \"$J\" show\n"
	     "refused 1 .. \"$J\" show $I ../../../jpfs/trust");
	CHECK_INVARIANTS(&w.f);
}

/* The current version in a worktree with a draft is the draft. */
static void what_this_worktree_shows_is_the_current_version(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	fixture_mount(&w.f);
	STEP(&w.f, ". ../lib.sh; echo '[{' > \"$e\"; [ \"$(\"$J\" show $I events.json)\" = '[{' ]\n"
		   "\"$J\" -C \"$W\" show $I events.json | cmp - ../short; cat ../short > \"$e\"; "
		   "until_ok quiet");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

static void a_terminal_is_never_spoken_to(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, ". ../lib.sh; printf "
		   "'a\\033[31mb\\tc\\r\\n\\302\\233d\\342\\200\\256e\\n\\377f\\000g\\303"
		   "\\244\\n\\303\\244' > \"$D/$X/note\"\n"
		   "\"$J\" show $I note | cmp - \"$D/$X/note\"\n"
		   "python3 - \"$J\" $I > ../seen <<'E'\n"
		   "import os, pty, sys\n"
		   "pty.spawn([sys.argv[1], 'show', sys.argv[2], 'note'],\n"
		   "          lambda fd: os.read(fd, 1024), lambda fd: b'')\n"
		   "E\n"
		   "printf 'a?[31mb\\tc?\\r\\n?d?e\\r\\n?f?g??\\r\\n\\303\\244' | cmp - ../seen");
	CHECK_INVARIANTS(&w.f);
}

/* ---- restoring ---- */

/* The long version is current, on both sides of a worktree, and the short one is kept. */
static const char IS_LONG[] =
	". ../lib.sh; cmp \"$DE\" ../long; cmp \"$V/$X/events.json\" ../long\n"
	"\"$J\" show $I@$(having '2 events fewer') | cmp - ../short";

static void restoring_is_undone_by_restoring(void)
{
	static const char RESTORE[] = ". ../lib.sh; v=$(having '2 events more')\n"
				      "says \"restored: $X/events.json\" \"$J\" restore $I@$v\n"
				      "says 'nothing to do' \"$J\" restore $I@$v";
	static const char UNDO[] =
		". ../lib.sh; says restored: \"$J\" restore $I events.json; cmp \"$DE\" ../short\n"
		"cmp \"$V/$X/events.json\" ../short";
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, RESTORE);
	STEP(&w.f, IS_LONG);
	STEP(&w.f, UNDO);
	fixture_mount(&w.f);
	STEP(&w.f, RESTORE);
	STEP(&w.f, IS_LONG);
	STEP(&w.f, UNDO);
	/* From another worktree, and both are mounted: each shows it. */
	fixture_mount_at(&w.f, w.other, "");
	STEP(&w.f, ". ../lib.sh; v=$(having '2 events more'); \"$J\" -C \"$W\" restore $I@$v\n"
		   "cmp \"$DE\" ../long; cmp \"$WV/$X/events.json\" ../long\n"
		   "until_ok cmp \"$V/$X/events.json\" ../long; until_ok quiet");
	fixture_umount_at(&w.f, w.other);
	fixture_umount(&w.f);
	STEP(&w.f, "cmp \"$V/$X/events.json\" ../long");
	CHECK_INVARIANTS(&w.f);
}

static void a_restoration_ends_a_draft_and_keeps_it(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	fixture_mount(&w.f);
	STEP(&w.f, ". ../lib.sh; v=$(version events.json); echo '[{ half' > \"$e\"\n"
		   "\"$J\" restore $I@$v; cmp \"$e\" ../long; cmp \"$DE\" ../long\n"
		   "grep -q half \"$H\"/*; \"$J\" status --json | grep -q '\"drafts\": \\[\\]'");
	fixture_umount(&w.f);
	/* Without a mount; what jp would refuse is never restored. */
	STEP(&w.f, ". ../lib.sh; trim 1 \"$V/$X/events.json\"; \"$J\" sync > ../synced\n"
		   "[ \"$(wc -c < \"$DE\")\" = \"$(wc -c < ../long)\" ]; cmp \"$DE\" ../long\n"
		   "\"$J\" restore $I@$(having '2 events fewer'); cmp \"$DE\" ../short; cmp "
		   "\"$V/$X/events.json\" ../short\n"
		   "refused 1 'would not accept' \"$J\" restore $I@$(having nothing); cmp \"$DE\" "
		   "../short");
	CHECK_INVARIANTS(&w.f);
}

/* A local one, and metadata, and several files of a moment. */
static void what_is_not_in_this_worktree_is_restored_too(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, ". ../lib.sh; \"$J\" unproject $I; \"$J\" restore $I events.json metadata.json\n"
		   "cmp \"$DE\" ../long; grep -q 'First Title' \"$DM\"; [ ! -e \"$V/$X\" ]");
	fixture_mount(&w.f);
	STEP(&w.f,
	     ". ../lib.sh; \"$J\" restore $I events.json metadata.json; cmp \"$DE\" ../short\n"
	     "grep -q Other \"$DM\"; cmp \"$V/.jpfs/local/$X/events.json\" ../short");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

static void another_file_comes_back_from_the_trash(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	fixture_mount(&w.f);
	STEP(&w.f, ". ../lib.sh; mkdir \"$V/$X/sub\"; echo note > \"$V/$X/sub/note\"; echo top > "
		   "\"$V/$X/top\"\n"
		   "until_ok test -e \"$D/$X/sub/note\"; until_ok quiet\n"
		   "rm \"$V/$X/sub/note\" \"$V/$X/top\"; until_ok test ! -e \"$D/$X/sub/note\"\n"
		   "until_ok test ! -e \"$D/$X/top\"; \"$J\" restore $I sub/note\n"
		   "[ \"$(cat \"$V/$X/sub/note\")\" = note ]; until_ok test -e \"$D/$X/sub/note\"\n"
		   "refused 1 'there is one' \"$J\" restore $I sub/note; until_ok quiet");
	fixture_umount(&w.f);
	STEP(&w.f,
	     ". ../lib.sh; \"$J\" restore $I@$(version top); [ \"$(cat \"$V/$X/top\")\" = top ]\n"
	     "cmp \"$V/$X/top\" \"$D/$X/top\"; \"$J\" show $I@$(version sub%note) | grep -q note");
	CHECK_INVARIANTS(&w.f);
}

/* ---- removing ---- */

static void a_removed_conversation_is_in_the_trash_and_comes_back(void)
{
	static const char REMOVE[] =
		". \"$P/../lib.sh\"; echo own > \"$D/$X/note\"; cp -a \"$D/$X\" \"$P/../kept\"\n"
		"refused 1 'nobody can be asked' \"$J\" rm $I; [ -e \"$D/$X\" ]\n"
		"says \"removed: $X\" \"$J\" rm --force $I; [ ! -e \"$D/$X\" ]\n"
		"[ ! -e .jp/conversations/$X ]; diff -r \"$P/../kept\" \"$T\"/*Z.$X\n"
		"refused 1 'no such conversation' \"$J\" rm -f $I\n"
		"says 'in the trash, whole' \"$J\" history $I; says $I \"$J\" history\n"
		"\"$J\" show $I@$(version $X) | cmp - \"$P/../kept/events.json\"\n"
		"refused 1 'not there any more' \"$J\" show $I\n"
		"says \"restored: $X\" \"$J\" restore $I; diff -r \"$P/../kept\" \"$D/$X\"\n"
		"refused 1 'which version' \"$J\" restore $I\n"
		"\"$J\" project $I; cmp \"$D/$X/events.json\" .jp/conversations/$X/events.json\n"
		"rm -r \"$P/../kept\"";
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	/* The other worktree would keep its copy, and bring it back. */
	STEP(&w.f, "git worktree remove --force \"$W\"");
	STEP(&w.f, REMOVE);
	fixture_mount(&w.f);
	STEP(&w.f, REMOVE);
	STEP(&w.f, ". ../lib.sh; mkdir -p \"$V/.archive\"; mv \"$V/$X\" \"$V/.archive/\"\n"
		   "until_ok test -e \"$D/.archive/$X\"; \"$J\" rm -f $I " SECOND "\n"
		   "[ ! -e \"$V/.archive/$X\" ]; [ ! -e \"$V/" SECOND "\" ]; \"$J\" restore $I\n"
		   "[ -e \"$D/.archive/$X/events.json\" ]; [ ! -e \"$D/$X\" ]\n"
		   "[ -e \"$V/.jpfs/local/.archive/$X\" ]; \"$J\" project $I; until_ok quiet");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

static void a_wrong_name_removes_nothing(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, ". ../lib.sh; refused 1 'no such' \"$J\" rm -f $I 999; [ -e \"$D/$X\" ]\n"
		   "refused 1 'more than one' \"$J\" rm -f 1745; refused 2 which \"$J\" rm -f\n"
		   "[ -e \"$V/$X\" ]; [ ! -e \"$T\" ]");
	CHECK_INVARIANTS(&w.f);
}

static void a_terminal_is_asked(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f,
	     ". ../lib.sh; cat > ../ask.py <<'E'\n"
	     "import os, pty, sys\n"
	     "pid, fd = pty.fork()\n"
	     "if pid == 0:\n"
	     "    os.execv(sys.argv[2], sys.argv[2:])\n"
	     "seen = b''\n"
	     "while b'[y/N]' not in seen:\n"
	     "    seen += os.read(fd, 1024)\n"
	     "assert b'-first-title' in seen, seen\n"
	     "os.write(fd, sys.argv[1].encode() + b'\\n')\n"
	     "try:\n"
	     "    while os.read(fd, 1024): pass\n"
	     "except OSError: pass\n"
	     "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
	     "E\n"
	     "for a in '' n nonsense; do got=0; python3 ../ask.py \"$a\" \"$J\" rm $I || got=$?\n"
	     "  [ $got = 1 ] && [ -e \"$D/$X\" ] && [ -e \"$V/$X\" ]; done\n"
	     "python3 ../ask.py y \"$J\" rm $I; [ ! -e \"$D/$X\" ]; [ ! -e \"$V/$X\" ]");
	CHECK_INVARIANTS(&w.f);
}

/* By hand, through the mount: the same, and what was not stored yet goes along. */
static void rm_in_local_is_undone_by_restore(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "git worktree remove --force \"$W\"");
	fixture_mount(&w.f);
	STEP(&w.f, ". ../lib.sh; mv \"$V/$X\" \"$V/.jpfs/local/\"; rm -r \"$V/.jpfs/local/$X\"\n"
		   "[ ! -e \"$D/$X\" ]; \"$J\" restore $I; cmp \"$DE\" ../short\n"
		   "cmp \"$V/.jpfs/local/$X/events.json\" ../short\n"
		   "mv \"$V/.jpfs/local/$X\" \"$V/.jpfs/local/.archive/\"\n"
		   "rm -r \"$V/.jpfs/local/.archive/$X\"; [ ! -e \"$D/.archive/$X\" ]\n"
		   "\"$J\" restore $I; cmp \"$D/.archive/$X/events.json\" ../short");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

/* ---- comparing ---- */

static void versions_are_compared_in_words(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	each_way(
		&w,
		". \"$P/../lib.sh\"; v=$(version events.json); m=$(version metadata.json)\n"
		"\"$J\" diff $I > \"$P/../d\"; \"$J\" diff $I@$v | cmp - \"$P/../d\"\n"
		"grep -q \"^old: $X/events.json@$v, kept 20\" \"$P/../d\"\n"
		"grep -q \"^new: $X/events.json, the current\" \"$P/../d\"\n"
		"grep -q '^-  *2026-03-06 10:00  *chat_request  *two$' \"$P/../d\"\n"
		"grep -q '^-  *2026-03-06 10:00  *chat_request  *three$' \"$P/../d\"\n"
		"[ \"$(grep -c '^[-+~]' \"$P/../d\")\" = 2 ]\n"
		"\"$J\" diff $I@$m | grep -q '^~  *title  *\"First Title\"  *\"Other Title\"$'\n"
		"says 'no difference' \"$J\" diff $I@$v @$v\n"
		"\"$J\" diff --json $I@$m | python3 -c 'import json, sys\n"
		"d = json.load(sys.stdin)\n"
		"assert d[\"changes\"] == [{\"key\": \"title\", \"old\": \"\\\"First Title\\\"\",\n"
		"                         \"new\": \"\\\"Other Title\\\"\"}], d\n"
		"assert d[\"new\"] is None and d[\"file\"] == \"metadata.json\", d'\n"
		"\"$J\" diff --json $I | python3 -c 'import json, sys\n"
		"a, b = json.load(sys.stdin)[\"changes\"]\n"
		"assert b == {\"change\": \"removed\", \"type\": \"chat_request\", \"old\": "
		"\"three\",\n"
		"  \"new\": None, \"timestamp\": \"2026-03-06 10:00:00.0\"}, b'");
	STEP(&w.f,
	     ". ../lib.sh; v=$(version events.json); refused 1 'no other version' \"$J\" "
	     "diff " SECOND "\n"
	     "refused 2 'begins with @' \"$J\" diff $I $v; refused 2 which \"$J\" diff\n"
	     "refused 1 'no such version' \"$J\" diff $I@$v @kkkk\n"
	     "refused 1 'no such version of events.json' \"$J\" diff $I@$v @$(version "
	     "metadata.json)\n"
	     /* Another title of the same time is a changed event. */
	     "python3 - \"$DE\" <<'E'\n"
	     "import json, sys\n"
	     "events = json.load(open(sys.argv[1]))\n"
	     "events[-1]['content'] = 'another'\n"
	     "json.dump(events, open(sys.argv[1], 'w'), indent=2)\n"
	     "E\n"
	     "\"$J\" diff $I > ../d; grep -A1 '^~.* one$' ../d | tail -n 1 | grep -qx ' *another'\n"
	     "\"$J\" restore $I@$v; printf '[{' > ../bad; \"$J\" rm -f $I; \"$J\" diff "
	     "$I@$(version "
	     "$X) @$v > ../d; grep -qx 'no difference' ../d\n"
	     "refused 1 'No such file' \"$J\" diff $I@$v; \"$J\" restore $I");
	CHECK_INVARIANTS(&w.f);
}

/* ---- as files ---- */

/* The kernel keeps what it has read until it is told; whoever waits for the command need not wait for that. */
static void what_discard_or_restore_has_brought_back_is_read_at_once(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD "\"; m=$V/$X/metadata.json\n"
	     "has_draft() { \"$J\" status | grep -qi draft; }\n"
	     "for k in 1 2 3 4 5 6 7 8; do\n"
	     "  sed -i \"s/First[0-9]*/First$k/\" \"$m\"; until_ok grep -q First$k "
	     "\"$D/$X/metadata.json\"\n"
	     "  echo '{' > \"$m\"; until_ok has_draft; cat \"$m\" > ../half; \"$J\" discard $X\n"
	     "  grep -q First$k \"$m\" || fail \"discarded and still there: $k\"\n"
	     "  echo '{' > \"$m\"; until_ok has_draft; cat \"$m\" > ../half\n"
	     "  \"$J\" restore $X@$(\"$J\" history --json $X | python3 -c 'import json, sys\n"
	     "for one in json.load(sys.stdin)[\"versions\"]:\n"
	     "    if one[\"file\"] == \"metadata.json\" and one[\"size\"] > 10:\n"
	     "        print(one[\"version\"])\n"
	     "        break')\n"
	     "  if grep -q First$k \"$m\" || ! grep -q First \"$m\"; then fail \"not restored: "
	     "$k\"; fi\n"
	     "done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void versions_are_files_that_can_be_read(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	fixture_mount(&w.f);
	STEP(&w.f, ". ../lib.sh; K=$V/.jpfs/history; [ \"$(ls \"$K\")\" = $X ]; ls \"$V/.jpfs\" | "
		   "grep -qx "
		   "history\n"
		   "[ \"$(ls \"$K/$X\" | wc -l)\" = 2 ]; v=$(version events.json)\n"
		   "f=$(echo \"$K/$X\"/*Z.$v.events.json); cmp \"$f\" ../long; cd \"$K/$X\"; [ "
		   "\"$PWD\" = "
		   "\"$(pwd -P)\" ]\n"
		   "grep -l three *; cd \"$P\"; diff \"$f\" \"$e\" > ../d && fail same; grep -q "
		   "three ../d; "
		   "cd \"$P\"\n"
		   /* When it was put there, not when it was written. */
		   "k=$(ls \"$H\" | grep events | cut -c 1-15)\n"
		   "[ \"$(date -u -d @$(stat -c %Y \"$f\") +%Y%m%dT%H%M%S)\" = $k ]\n"
		   "[ \"$(stat -c '%A %s' \"$f\")\" = \"-r--r--r-- $(stat -c %s ../long)\" ]\n"
		   "[ \"$(stat -c %i \"$f\")\" = \"$(stat -c %i \"$f\")\" ]\n"
		   "[ ! -e \"$K/$X/nothing\" ]; [ ! -e \"$K/" SECOND "\" ]; [ ! -e \"$K/$I\" ]\n"
		   /* Nothing can be changed. */
		   "for c in \"rm -f $f\" \"touch $f\" \"chmod 600 $f\" \"mkdir $K/x\" \"touch "
		   "$K/$X/x\"\\\n"
		   "  \"rmdir $K/$X\" \"mv $f $V/note\" \"mv $V/$X $K/\" \"cp $e $f\" \"ln -s x "
		   "$K/$X/y\"\\\n"
		   "  \"ln $f $K/$X/z\" \"rm -r $K\" \"truncate -s 0 $f\"\n"
		   "do $c 2> ../err && fail \"$c\"; done; cmp \"$f\" ../long; [ -e \"$V/$X\" ]\n"
		   "[ ! -e \"$V/note\" ]; grep -rl three \"$V\" && fail 'it is walked into'\n"
		   /* Another name, another worktree's doing, and pruning are seen at once. */
		   "mv \"$V/$X\" \"$V/$I-renamed\"; [ \"$(ls \"$K\")\" = $I-renamed ]\n"
		   "cmp \"$K/$I-renamed/${f##*/}\" ../long; mv \"$V/$I-renamed\" \"$V/$X\"\n"
		   "exec 3< \"$f\"; rm \"$H\"/*events*; [ ! -e \"$f\" ]; cat <&3 | cmp - ../long\n"
		   "[ \"$(ls \"$K/$X\" | wc -l)\" = 1 ]; rm \"$H\"/*; [ -z \"$(ls \"$K\")\" ]");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

/* ---- pruning ---- */

/* `aged DAYS FILE...`: as if they had been put there so many days ago. */
static const char AGED[] =
	"aged() { days=$1; shift; for f; do n=${f##*/}; mv \"$f\" "
	"\"${f%/*}/$(date -u -d \"$days days ago\" +%Y%m%dT%H%M%S).${n#*.}\"; done; }\n";

static void old_things_are_pruned_while_daemons_run(void)
{
	cleanup_world struct world w = {0};
	cleanup_free char *script = NULL;

	if (!begin(&w))
		return;
	STEP(&w.f, "git worktree remove --force \"$W\"");
	fixture_mount(&w.f);
	CU_ASSERT(asprintf(&script,
			   ". ../lib.sh; %s"
			   "\"$J\" rm -f " SECOND "; T2=$S/jpfs/trash/17457886044\n"
			   "exec 3>> \"$e\"; echo ' ' >&3; find \"$S/jpfs/staging\" -type f "
			   "-printf '%%i %%s\\n' > "
			   "../staged\n"
			   "[ -s ../staged ]; says 'freed: 0; 3 with' \"$J\" gc\n"
			   "says '; 2 with' \"$J\" gc --age 0 -n --size 0\n"
			   "aged 91 \"$H\"/*.events.json \"$T2\"/*; says ' 17457886044@' \"$J\" gc "
			   "--dry-run\n"
			   "[ -e \"$T2\"/*" SECOND
			   " ]; says '; 2 with' \"$J\" gc; [ ! -e \"$T2\"/*" SECOND " ]\n"
			   "refused 1 'no such' \"$J\" restore 17457886044\n"
			   "JPFS_GC_KEEP=0 \"$J\" gc -n --json | python3 -c 'import json, sys\n"
			   "d = json.load(sys.stdin); p, = d[\"pruned\"]\n"
			   "assert d[\"dry_run\"] and p[\"reason\"] == \"age\" and p[\"file\"] == "
			   "\"events.json\", d\n"
			   "assert d[\"left\"][\"count\"] == 1 and d[\"freed\"] == p[\"size\"] > "
			   "0, d'\n"
			   "says pruned \"$J\" gc --keep 0; says '; 1 with' \"$J\" gc --keep 0\n"
			   "find \"$S/jpfs/staging\" -type f -printf '%%i %%s\\n' | cmp - "
			   "../staged; exec 3>&-\n"
			   /* What is kept after that is kept as ever. */
			   "trim 1; until_ok version events.json; until_ok quiet",
			   AGED) >= 0);
	STEP(&w.f, script);
	fixture_umount(&w.f);
	STEP(&w.f, ". ../lib.sh; refused 2 'not such' \"$J\" gc --age soon\n"
		   "JPFS_GC_SIZE=many refused 2 JPFS_GC_SIZE=many \"$J\" gc; says freed \"$J\" gc\n"
		   "refused 2 one \"$J\" gc a b; says freed \"$J\" gc \"$P\"");
	CHECK_INVARIANTS(&w.f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_kept_is_listed),
		TEST(a_version_is_shown_byte_for_byte),
		TEST(what_this_worktree_shows_is_the_current_version),
		TEST(a_terminal_is_never_spoken_to),
		TEST(restoring_is_undone_by_restoring),
		TEST(a_restoration_ends_a_draft_and_keeps_it),
		TEST(what_is_not_in_this_worktree_is_restored_too),
		TEST(another_file_comes_back_from_the_trash),
		TEST(a_removed_conversation_is_in_the_trash_and_comes_back),
		TEST(a_wrong_name_removes_nothing),
		TEST(a_terminal_is_asked),
		TEST(rm_in_local_is_undone_by_restore),
		TEST(versions_are_compared_in_words),
		TEST(what_discard_or_restore_has_brought_back_is_read_at_once),
		TEST(versions_are_files_that_can_be_read),
		TEST(old_things_are_pruned_while_daemons_run),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("history", tests);
}
