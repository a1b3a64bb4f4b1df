/* A project and a second worktree of it. See two_worktrees.h. */
#include "tests/mount/two_worktrees.h"

static const char LIBRARY[] =
	"e=$V/$X/events.json; m=$V/$X/metadata.json; b=$V/$X/base_config.json\n"
	"DE=$D/$X/events.json; DM=$D/$X/metadata.json; DB=$D/$X/base_config.json\n"
	"WE=$WV/$X/events.json; WB=$WV/$X/base_config.json\n"
	"rewrite_events() { python3 - \"$@\" <<'E'\n"
	"import json, sys\n"
	"how, what, path = sys.argv[1:]\n"
	"events = json.load(open(path))\n"
	"if how == 'trim':\n"
	"    events = events[:int(what)]\n"
	"else:\n"
	"    events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	"                   'content': what})\n"
	"with open(path, 'w') as file:\n"
	"    file.write(json.dumps(events, indent=2) + '\\n')\n"
	"E\n"
	"}\n"
	"append() { rewrite_events append \"$1\" \"${2-$e}\"; }\n"
	"trim() { rewrite_events trim \"$1\" \"${2-$e}\"; }\n"
	"retitle() { sed -i \"s/\\\"title\\\": \\\".*\\\"/\\\"title\\\": \\\"$2\\\"/\" "
	"\"$1/metadata.json\"; }\n"
	"titled() { [ \"$(title \"$1\")\" = \"$2\" ]; }\n"
	"has() { grep -q \"$1\" \"$2\"; }\n"
	"gone_from() { ! grep -q \"$1\" \"$2\"; }\n"
	"same() { cmp -s \"$1\" \"$2\"; }\n"
	"gone() { [ ! -e \"$1\" ]; }\n"
	"kept() { grep -rqF \"$1\" \"$S/jpfs/history\"; }\n"
	"nothing_kept() { [ -z \"$(find \"$S/jpfs/history\" -type f)\" ] ||\n"
	"  fail \"kept: $(find \"$S/jpfs/history\" -type f)\"; }\n"
	"of_status() { \"$J\" status --json \"$2\" | python3 -c 'import json, sys\n"
	"status = json.load(sys.stdin)[0]\n'\"$1\"; }\n"
	"drafts() { [ \"$(of_status 'print(len(status[\"conversations\"][\"drafts\"]))' "
	"\"${2-$P}\")\" = $1 ]; }\n"
	"quiet() { of_status 'p = status.get(\"pending\") or {\"commits\": 0, \"projections\": 0}\n"
	"sys.exit(p[\"commits\"] + p[\"projections\"] > 0)' \"${1-$P}\"; }\n"
	"clean() { git -C \"${1-$P}\" status --porcelain > ../status\n"
	"  [ ! -s ../status ] || fail \"git sees: $(cat ../status)\"; }\n";

void two_functions(struct fixture *fixture, const char *more)
{
	cleanup_free char *script = NULL;

	CU_ASSERT_FATAL(asprintf(&script, "cat > ../lib.sh <<'END'\n%s%sEND\n", LIBRARY, more) > 0);
	STEP(fixture, script);
}

bool two_begin(struct two *two, const char *more)
{
	if (!fixture_begin(&two->f))
		return false;
	(void)snprintf(two->other, sizeof(two->other), "%.255s/wt", two->f.base);
	two_functions(&two->f, more);
	return true;
}

void two_end(struct two *two)
{
	fixture_end(&two->f);
}

void two_mount_other(struct two *two)
{
	STEP(&two->f, "git worktree add -q -b side \"$W\"");
	fixture_mount_at(&two->f, two->other, "");
	STEP(&two->f, ". ../lib.sh; until_ok quiet \"$W\"");
}

void two_end_both(struct two *two)
{
	fixture_umount_at(&two->f, two->other);
	fixture_umount(&two->f);
	CHECK_INVARIANTS(&two->f);
	fixture_check_at(&two->f, two->other, __FILE__, __LINE__);
}
