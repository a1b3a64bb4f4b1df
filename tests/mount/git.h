/* What tests of git have in common. */
#pragma once

/*
 * The functions that every script may use once GIT_LIBRARY was run, with `. ../lib.sh` at its start:
 *
 *     clean              git sees no difference, by times and by content
 *     drafts             how many drafts the mount of $1 names
 *     append             adds one event to the events.json $1, with the text $2
 */
static const char GIT_LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"export PYTHONDONTWRITEBYTECODE=1\n"
	"clean() { git -C \"${1-$P}\" status --porcelain > ../status\n"
	"  [ ! -s ../status ] || fail \"git sees: $(cat ../status)\"; }\n"
	"drafts() { \"$J\" status --json \"$1\" | python3 -c 'import json, sys\n"
	"print(len(json.load(sys.stdin)[0][\"conversations\"][\"drafts\"]))'; }\n"
	"[ ! -e ../terminal.sh ] || . ../terminal.sh\n"
	"append() { python3 - \"$@\" <<'E'\n"
	"import json, sys\n"
	"events = json.load(open(sys.argv[1]))\n"
	"events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	"               'content': sys.argv[2]})\n"
	"with open(sys.argv[1], 'w') as file:\n"
	"    json.dump(events, file, indent=2, ensure_ascii=False)\n"
	"E\n"
	"}\n"
	"END\n";
