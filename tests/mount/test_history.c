/*
 * History and trash by command: listing, showing, comparing, restoring, removing, pruning. Mounted,
 * not mounted, and from another worktree. Semantics, sections 6 and 7.
 */
#include "tests/mount/fixture.h"

/*
 * For every script, with `. ../lib.sh`: $I the first conversation's ID, $H its history, $T its
 * trash; `append TEXT [FILE]`, `trim N [FILE]` (leave N events), `quiet` (nothing is pending);
 * `version FILE [N]` the N-th newest version that is kept of a file, by its name; `field KEY`
 * (`history --json | field ...`); `says TEXT COMMAND...`; `refused CODE TEXT COMMAND...`.
 */
static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"I=17457886043 H=$S/jpfs/history/17457886043 T=$S/jpfs/trash/17457886043\n"
	"e=$V/$X/events.json DE=$D/$X/events.json DM=$D/$X/metadata.json\n"
	"append() { python3 - \"$1\" \"${2-$e}\" <<'E'\n"
	"import json, sys\n"
	"events = json.load(open(sys.argv[2]))\n"
	"events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	"               'content': sys.argv[1]})\n"
	"with open(sys.argv[2], 'w') as file:\n"
	"    file.write(json.dumps(events, indent=2) + '\\n')\n"
	"E\n"
	"}\n"
	"trim() { python3 - \"$1\" \"${2-$e}\" <<'E'\n"
	"import json, sys\n"
	"events = json.load(open(sys.argv[2]))[:int(sys.argv[1])]\n"
	"with open(sys.argv[2], 'w') as file:\n"
	"    file.write(json.dumps(events, indent=2) + '\\n')\n"
	"E\n"
	"}\n"
	"quiet() { \"$J\" status --json \"${1-$P}\" | python3 -c 'import json, sys\n"
	"p = json.load(sys.stdin)[0].get(\"pending\") or {\"commits\": 0, \"projections\": 0}\n"
	"sys.exit(p[\"commits\"] + p[\"projections\"] > 0)'\n"
	"}\n"
	"version() { \"$J\" history --json ${3-$I} | python3 -c 'import json, sys\n"
	"all = [v[\"version\"] for v in json.load(sys.stdin)[\"versions\"]\n"
	"       if v[\"file\"] == sys.argv[1]]\n"
	"print(all[int(sys.argv[2])])' $1 ${2-0}; }\n"
	"says() { text=$1; shift; \"$@\" > ../out 2> ../err || fail \"$*: $(cat ../err)\"\n"
	"  grep -qF -- \"$text\" ../out || fail \"no '$text' of $*: $(cat ../out)\"; }\n"
	"refused() { code=$1 text=$2; shift 2; got=0; \"$@\" > ../out 2> ../err || got=$?\n"
	"  [ $got = $code ] || fail \"exit code $got of $*: $(cat ../out ../err)\"\n"
	"  grep -qF -- \"$text\" ../err || fail \"no '$text' of $*: $(cat ../err)\"; }\n"
	"END\n";

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
	STEP(&world->f, LIBRARY);
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
	cleanup_world struct world w;

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
	cleanup_world struct world w;

	if (!begin(&w))
		return;
	each_way(
		&w,
		". \"$P/../lib.sh\"; v=$(version events.json)\n"
		"\"$J\" show $I@$v | cmp - \"$P/../long\"; \"$J\" show \"$X@$v\" events.json | cmp "
		"- \"$P/../long\"\n"
		"\"$J\" show $I@$(echo $v | cut -c 1-4) events.json | cmp - \"$P/../long\"\n"
		"\"$J\" show $I | cmp - \"$P/../short\"\n"
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
	cleanup_world struct world w;

	if (!begin(&w))
		return;
	fixture_mount(&w.f);
	STEP(&w.f,
	     ". ../lib.sh; echo '[{' > \"$e\"; [ \"$(\"$J\" show $I)\" = '[{' ]\n"
	     "\"$J\" -C \"$W\" show $I | cmp - ../short; cat ../short > \"$e\"; until_ok quiet");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

static void a_terminal_is_never_spoken_to(void)
{
	cleanup_world struct world w;

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

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_kept_is_listed),
		TEST(a_version_is_shown_byte_for_byte),
		TEST(what_this_worktree_shows_is_the_current_version),
		TEST(a_terminal_is_never_spoken_to),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("history", tests);
}
