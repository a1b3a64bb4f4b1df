/* Filesystems of a test's own. See disk.h. */
#include "tests/mount/disk.h"

static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"e=$V/$X/events.json; DE=$D/$X/events.json\n"
	"fill() { dd if=/dev/zero of=\"$1/filler\" bs=64k 2>/dev/null || :\n"
	"  while echo x >> \"$1/filler2\"; do :; done 2>/dev/null; :; }\n"
	"events() { printf '[\\n'; sed -n '2,$p' ../old | sed '$d' | sed '$s/$/,/'\n"
	"  printf '  {\"timestamp\": \"2026-03-06 10:00:00.0\", \"type\": \"chat_request\", "
	"\"content\": \"%s\"}\\n]\\n' \"$1\"; }\n"
	"save() { events \"$1\" > ../new; cat ../new > \"$e\"; }\n"
	"saved() { grep -q \"$1\" \"$DE\"; }\n"
	"problem() { \"$J\" status \"$P\" > ../status || :; grep -q \"$1\" ../status; }\n"
	"quiet() { \"$J\" status --json \"$P\" | python3 -c 'import json, sys\n"
	"p = json.load(sys.stdin)[0][\"pending\"]; sys.exit(p[\"commits\"] + p[\"projections\"] > "
	"0)'\n"
	"}\n"
	"soon() { timeout 60 \"$@\" || { [ $? -ne 124 ] || fail \"it hangs: $*\"; return 1; }; }\n"
	/* EXT4_IOC_SHUTDOWN, with and without the journal: from then on nothing can be read or written. */
	"die() { python3 -c 'import fcntl, os, struct, sys\n"
	"fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack(\"I\", 2))' "
	"\"$1\"; }\n"
	"fsynced() { soon python3 - \"$1\" \"$2\" <<'E'\n"
	"import os, sys\n"
	"data = open(sys.argv[2], 'rb').read()\n"
	"file = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)\n"
	"os.write(file, data)\n"
	"os.fsync(file)\n"
	"E\n"
	"}\n"
	/* Everything below a directory: names, times and bytes. */
	"picture_of() { (cd \"$1\" && find . -printf '%p %y %m %T@ %s\\n' | sort &&\n"
	"  find . -type f | sort | xargs md5sum); }\n"
	"END\n";

bool disk_has(const char *command, const char *what)
{
	char script[512];
	bool has;

	(void)snprintf(script, sizeof(script),
		       "{ PATH=$PATH:/usr/sbin:/sbin; %s; } >/dev/null 2>&1", command);
	has = system(script) == 0;
	if (!has)
		printf("(no %s here: skipped) ", what);
	return has;
}

bool disk_begin(struct fixture *f, enum disk_place place, const char *make)
{
	char script[1024];

	if (!fixture_begin(f))
		return false;
	STEP(f, LIBRARY);
	(void)snprintf(script, sizeof(script), "%s\n%s\n%s",
		       place == DISK_STORE ? "at=$P/../data; mkdir ../data"
					   : "at=$P; mv .git README .jp ..",
		       make, place == DISK_STORE ? ":" : "mv ../.git ../README ../.jp \"$P\"");
	STEP(f, script);
	fixture_mount(f);
	STEP(f, ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; until_ok quiet; cp \"$e\" ../old");
	return true;
}

void disk_end(struct fixture *f)
{
	STEP(f, "\"$J\" umount \"$P\"");
	fixture_end(f);
}
