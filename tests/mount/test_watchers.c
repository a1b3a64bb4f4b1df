/*
 * Who watches the mount with inotify hears of what changed outside it: in the store, or through
 * another worktree's mount. Exactly that, when it can be read, and of nothing that did not change.
 *
 * Opening and reading are not watched here: the scripts do that themselves.
 */
#include "tests/mount/fixture.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>

#define EVENTS                                                                                     \
	(IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE | IN_CREATE | IN_DELETE |                \
	 IN_DELETE_SELF | IN_MOVE_SELF)
/* Only a failure waits so long. */
#define PATIENCE_MS 60000
/* What should not come is waited for so long. */
#define QUIET_MS 200

/* The functions that every script here may use: `turn FILE TEXT` gives a conversation's file another
 * turn as jp does it, `retitle FILE TITLE` another title. */
static const char HELPERS[] =
	"turn() { python3 - \"$1\" \"$2\" <<'E'\n"
	"import json, os, sys\n"
	"events = json.load(open(sys.argv[1]))\n"
	"events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	"               'content': sys.argv[2]})\n"
	"with open(sys.argv[1] + '.tmp', 'w') as file:\n"
	"    json.dump(events, file, indent=2, ensure_ascii=False)\n"
	"os.rename(sys.argv[1] + '.tmp', sys.argv[1])\n"
	"E\n"
	"}\n"
	"retitle() { sed \"s/\\\"title\\\": \\\".*\\\"/\\\"title\\\": \\\"$2\\\"/\" \"$1\" > ../m\n"
	"  cp ../m \"$1.tmp\"; mv \"$1.tmp\" \"$1\"; }\n";

static void step(struct fixture *fixture, int line, const char *script)
{
	cleanup_free char *text = NULL;

	if (asprintf(&text, "%s%s", HELPERS, script) >= 0)
		fixture_step(fixture, __FILE__, line, text);
}

/* ---- watching ---- */

struct watcher {
	int fd;
	char heard[65536]; /* a line for each event: what, and the name in the directory */
	size_t used;
};

static void watcher_end(struct watcher *watcher)
{
	if (watcher->fd >= 0)
		(void)close(watcher->fd);
}
#define cleanup_watcher __attribute__((cleanup(watcher_end)))

/* Watch `directory`/`name`, or the directory itself. */
static void watch(struct watcher *watcher, const char *directory, const char *name)
{
	char path[800];

	if (watcher->fd <= 0)
		watcher->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	CU_ASSERT(inotify_add_watch(watcher->fd, path, EVENTS) >= 0);
}

static void note(struct watcher *watcher, const struct inotify_event *event)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{IN_MODIFY, "MODIFY"},           {IN_ATTRIB, "ATTRIB"},
		{IN_CLOSE_WRITE, "CLOSE_WRITE"}, {IN_MOVED_FROM, "MOVED_FROM"},
		{IN_MOVED_TO, "MOVED_TO"},       {IN_CREATE, "CREATE"},
		{IN_DELETE, "DELETE"},           {IN_DELETE_SELF, "DELETE_SELF"},
		{IN_MOVE_SELF, "MOVE_SELF"},     {IN_Q_OVERFLOW, "OVERFLOW"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((event->mask & names[i].bit) != 0 &&
		    watcher->used < sizeof(watcher->heard) - 300)
			watcher->used +=
				(size_t)sprintf(watcher->heard + watcher->used, "%s %s\n",
						names[i].name, event->len > 0 ? event->name : ".");
	}
}

/* Take what has come, waiting at most so long for something. Whether there was something. */
static bool listen_for(struct watcher *watcher, int wait_ms)
{
	char buffer[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd fd = {.fd = watcher->fd, .events = POLLIN};
	ssize_t size;

	if (poll(&fd, 1, wait_ms) <= 0)
		return false;
	size = read(watcher->fd, buffer, sizeof(buffer));
	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(buffer + at);

		at += (ssize_t)(sizeof(*event) + event->len);
		note(watcher, event);
	}
	return true;
}

/* Until the text was heard. */
static void wait_for(struct watcher *watcher, int line, const char *text)
{
	struct timespec now;
	time_t end;

	if (text == NULL)
		return; /* never; a sanitizer's build wants to be told */
	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + PATIENCE_MS / 1000;
	while (strstr(watcher->heard, text) == NULL && now.tv_sec < end) {
		(void)listen_for(watcher, 1000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	if (strstr(watcher->heard, text) == NULL)
		printf("\nline %d: never heard: %s--- but\n%.*s", line, text,
		       (int)sizeof(watcher->heard), watcher->heard);
	CU_ASSERT_PTR_NOT_NULL(strstr(watcher->heard, text));
}

/* Exactly this is heard, and is forgotten. */
static void expect(struct watcher *watcher, int line, const char *text)
{
	const char *last = text + strlen(text);

	while (last > text + 1 && last[-2] != '\n')
		last--;
	if (text[0] != '\0')
		wait_for(watcher, line, last - (last > text));
	while (listen_for(watcher, QUIET_MS))
		continue;
	if (strcmp(watcher->heard, text) != 0)
		printf("\nline %d: expected\n%s--- heard\n%s", line, text, watcher->heard);
	CU_ASSERT_STRING_EQUAL(watcher->heard, text);
	watcher->heard[0] = '\0';
	watcher->used = 0;
}

static unsigned count(const struct watcher *watcher, const char *text)
{
	unsigned found = 0;

	for (const char *at = watcher->heard; (at = strstr(at, text)) != NULL; at++)
		found++;
	return found;
}

/* ---- the tests ---- */

#define WRITTEN(name) "MODIFY " name "\nCLOSE_WRITE " name "\n"

static void mount_with_all_stored(struct fixture *f)
{
	fixture_mount(f);
	step(f, __LINE__,
	     "for x in \"$X\" " SECOND " " THIRD "; do until_ok test -d \"$D/$x\"; "
	     "ls \"$V/$x\" > /dev/null; cmp \"$D/$x/events.json\" \"$V/$x/events.json\"; done");
}

static void a_change_in_the_store_is_heard_in_the_directory(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	watch(&w, f.view, FIRST);
	watch(&w, f.view, "");
	step(&f, __LINE__, "turn \"$D/$X/events.json\" 'from outside'");
	expect(&w, __LINE__, WRITTEN("events.json"));
	step(&f, __LINE__,
	     "grep -q 'from outside' \"$V/$X/events.json\"; cat \"$V/$X\"/* > ../all");
	/* Those that the kernel has, and again. */
	step(&f, __LINE__, "retitle \"$D/$X/metadata.json\" Another");
	expect(&w, __LINE__, WRITTEN("metadata.json"));
	step(&f, __LINE__, "cat \"$V/$X\"/* > ../all; retitle \"$D/$X/metadata.json\" Third");
	expect(&w, __LINE__, WRITTEN("metadata.json"));
	step(&f, __LINE__, "[ \"$(title \"$V/$X\")\" = Third ]");
	/* One that nobody may write: it cannot be opened as its writer does, except by root. */
	step(&f, __LINE__,
	     "chmod 444 \"$D/$X/metadata.json\"; retitle \"$D/$X/metadata.json\" Fourth\n"
	     "chmod 444 \"$D/$X/metadata.json\"");
	wait_for(&w, __LINE__, " metadata.json\n");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_change_is_heard_when_it_can_be_read(void)
{
	cleanup_fixture struct fixture f = {0};
	char path[800];

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	(void)snprintf(path, sizeof(path), "%s/%s", f.view, FIRST);
	for (int i = 0; i < 20; i++) {
		cleanup_watcher struct watcher w = {.fd = -1};
		cleanup_close int fd = -EBADF;
		char script[200], wanted[40], text[4096] = "";

		watch(&w, path, i % 2 == 0 ? "" : "metadata.json");
		(void)snprintf(script, sizeof(script),
			       "retitle \"$D/$X/metadata.json\" 'Number %d'", i);
		(void)snprintf(wanted, sizeof(wanted), "Number %d\"", i);
		step(&f, __LINE__, script);
		CU_ASSERT(listen_for(&w, PATIENCE_MS));
		(void)snprintf(script, sizeof(script), "%.150s", path);
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/metadata.json");
		fd = open(path, O_RDONLY | O_CLOEXEC);
		path[strlen(path) - strlen("/metadata.json")] = '\0';
		CU_ASSERT(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
	}
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void who_watches_a_file_hears_that_it_was_replaced(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	watch(&w, f.view, FIRST "/metadata.json");
	step(&f, __LINE__, "retitle \"$D/$X/metadata.json\" Another");
	expect(&w, __LINE__, WRITTEN(".") "DELETE_SELF .\n");
	/* As after a rename over it, the watch is gone; a new one hears the next. */
	watch(&w, f.view, FIRST "/metadata.json");
	step(&f, __LINE__, "retitle \"$D/$X/metadata.json\" Third");
	expect(&w, __LINE__, WRITTEN(".") "DELETE_SELF .\n");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void what_one_worktree_writes_is_heard_once_in_the_other_and_not_repeated_at_home(void)
{
	cleanup_watcher struct watcher here = {.fd = -1}, there = {.fd = -1};
	cleanup_fixture struct fixture f = {0};
	char other[300], other_view[340];

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__, "git worktree add -q \"$W\"");
	(void)snprintf(other, sizeof(other), "%.280s/wt", f.base);
	(void)snprintf(other_view, sizeof(other_view), "%s/.jp/conversations", other);
	fixture_mount_at(&f, other, "");
	step(&f, __LINE__, "cat \"$V/$X\"/* \"$WV/$X\"/* > ../all");
	watch(&here, f.view, FIRST);
	watch(&there, other_view, FIRST);

	step(&f, __LINE__, "retitle \"$WV/$X/metadata.json\" There");
	expect(&here, __LINE__, WRITTEN("metadata.json"));
	expect(&there, __LINE__,
	       "CREATE metadata.json.tmp\nMODIFY metadata.json.tmp\nCLOSE_WRITE metadata.json.tmp\n"
	       "MOVED_FROM metadata.json.tmp\nMOVED_TO metadata.json\n");
	step(&f, __LINE__,
	     "sed 's/There/Here/' \"$V/$X/metadata.json\" > ../m; cp ../m \"$V/$X/metadata.json\"");
	expect(&there, __LINE__, WRITTEN("metadata.json"));
	wait_for(&here, __LINE__, "CLOSE_WRITE metadata.json\n");
	while (listen_for(&here, QUIET_MS))
		continue;
	CU_ASSERT_EQUAL(count(&here, "CLOSE_WRITE metadata.json\n"), 1);
	here.heard[here.used = 0] = '\0';

	/* A file of a user's, which the other worktree has, too, once it has it. */
	step(&f, __LINE__,
	     "echo one > \"$V/$X/notes.md\"; until_ok cmp \"$V/$X/notes.md\" \"$D/$X/notes.md\"");
	while (listen_for(&here, QUIET_MS))
		continue;
	CU_ASSERT_EQUAL(count(&here, "CLOSE_WRITE notes.md\n"), 1);
	here.heard[here.used = 0] = '\0';
	step(&f, __LINE__,
	     "cp \"$V/$X/notes.md\" \"$WV/$X/notes.md\"; sleep 0.1; echo two > ../n\n"
	     "cp ../n \"$WV/$X/notes.md\"; until_ok cmp ../n \"$V/$X/notes.md\"");
	wait_for(&here, __LINE__, WRITTEN("notes.md"));
	fixture_umount_at(&f, other);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/*
 * The store goes back to the older layout, which has no base_config.json, and on again. With
 * `somebody_looks` others ask for the name through the mount all the while, so that the kernel has mostly
 * found out by itself before it could be told.
 */
static void change_layouts(struct fixture *f, struct watcher *w, bool somebody_looks)
{
	step(f, __LINE__,
	     "cat > ../layout.py <<'E'\n"
	     "import json, os, sys\n"
	     "how, place = sys.argv[1:]\n"
	     "events = json.load(open(place + '/events.json'))\n"
	     "def put(name, value):\n"
	     "    with open(place + '/' + name + '.tmp', 'w') as file:\n"
	     "        file.write(json.dumps(value, indent=2) + '\\n')\n"
	     "    os.rename(place + '/' + name + '.tmp', place + '/' + name)\n"
	     "if how == 'pack':\n"
	     "    base = json.load(open(place + '/base_config.json'))\n"
	     "    events.insert(0, {'type': 'config_delta', 'timestamp': '2025-04-23 00:00:00.0',\n"
	     "                      'delta': base})\n"
	     "    os.unlink(place + '/base_config.json')\n"
	     "else:\n"
	     "    put('base_config.json', events.pop(0)['delta'])\n"
	     "events.append({'timestamp': '2026-03-06 10:00:00.0', 'type': 'chat_request',\n"
	     "               'content': how})\n"
	     "put('events.json', events)\n"
	     "E\n");
	if (somebody_looks)
		step(f, __LINE__,
		     "(until [ -e ../enough ]; do test -e \"$V/$X/base_config.json\" || :; done) "
		     "> /dev/null 2>&1 &");
	for (int i = 0; i < 2; i++) {
		step(f, __LINE__, "python3 ../layout.py pack \"$WV/$X\"");
		wait_for(w, __LINE__, "DELETE base_config.json\n");
		wait_for(w, __LINE__, "CLOSE_WRITE events.json\n");
		CU_ASSERT_EQUAL(count(w, "CREATE"), 0);
		step(f, __LINE__,
		     "[ ! -e \"$V/$X/base_config.json\" ]; grep -q pack "
		     "\"$V/$X/events.json\"");
		while (listen_for(w, QUIET_MS))
			continue;
		w->heard[w->used = 0] = '\0';
		step(f, __LINE__, "python3 ../layout.py unpack \"$WV/$X\"");
		wait_for(w, __LINE__, "CREATE base_config.json\n");
		wait_for(w, __LINE__, "CLOSE_WRITE base_config.json\n");
		wait_for(w, __LINE__, "CLOSE_WRITE events.json\n");
		CU_ASSERT_EQUAL(count(w, "DELETE"), 0);
		step(f, __LINE__, "cmp \"$V/$X/base_config.json\" \"$D/$X/base_config.json\"");
		while (listen_for(w, QUIET_MS))
			continue;
		w->heard[w->used = 0] = '\0';
	}
	step(f, __LINE__, ": > ../enough");
}

static void change_layouts_in_another_worktree(bool somebody_looks)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};
	char other[300];

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__, "git worktree add -q \"$W\"");
	(void)snprintf(other, sizeof(other), "%.280s/wt", f.base);
	fixture_mount_at(&f, other, "");
	step(&f, __LINE__, "cat \"$V/$X\"/* \"$WV/$X\"/* > ../all");
	watch(&w, f.view, FIRST);
	change_layouts(&f, &w, somebody_looks);
	fixture_umount_at(&f, other);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_file_that_comes_or_goes_outside_is_heard_to(void)
{
	change_layouts_in_another_worktree(false);
}

static void a_file_that_comes_or_goes_is_heard_though_others_have_looked_for_it(void)
{
	change_layouts_in_another_worktree(true);
}

static void what_is_written_here_is_heard_as_it_was_done_and_not_again(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	watch(&w, f.view, FIRST);
	step(&f, __LINE__,
	     "turn \"$V/$X/events.json\" 'from here'; until_ok cmp \"$V/$X/events.json\" "
	     "\"$D/$X/events.json\"");
	expect(&w, __LINE__,
	       "CREATE events.json.tmp\nMODIFY events.json.tmp\nCLOSE_WRITE events.json.tmp\n"
	       "MOVED_FROM events.json.tmp\nMOVED_TO events.json\n");
	step(&f, __LINE__,
	     "echo note > \"$V/$X/note\"; until_ok test -e \"$D/$X/note\"; rm \"$V/$X/note\"");
	expect(&w, __LINE__, "CREATE note\nMODIFY note\nCLOSE_WRITE note\nDELETE note\n");
	/* jp ends its editing by putting the workspace's files, as it reads them here, into the store. */
	step(&f, __LINE__,
	     "rm -r \"$D/$X\"; mkdir \"$D/$X\"; for m in metadata base_config events; do\n"
	     "cat \"$V/$X/$m.json\" > ../copy; cp ../copy \"$D/$X/$m.json\"; done");
	expect(&w, __LINE__, "");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void what_does_not_change_this_view_is_not_heard(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};
	char other[300];

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__, "git worktree add -q \"$W\"");
	(void)snprintf(other, sizeof(other), "%.280s/wt", f.base);
	fixture_mount_at(&f, other, "");
	step(&f, __LINE__, "cat \"$V\"/*/* \"$WV\"/*/* > ../all; mkdir -p \"$WV/.archive\"");
	watch(&w, f.view, "");
	watch(&w, f.view, FIRST);
	watch(&w, f.view, SECOND);
	watch(&w, f.view, THIRD);
	step(&f, __LINE__,
	     /* Archived, renamed, removed there, and made there. */
	     "mv \"$WV/" SECOND "\" \"$WV/.archive/\"; mv \"$WV/" THIRD
	     "\" \"$WV/17457886045-new\"\n"
	     "rm -r \"$WV/17457886045-new\"; mkdir \"$WV/17457886046-made\"\n"
	     "cp \"$WV/$X\"/* \"$WV/17457886046-made/\"\n"
	     "until_ok test -e \"$D/17457886046-made/events.json\"\n"
	     /* Of jp alone, touched, and the same bytes once more. */
	     "echo what > \"$D/$X/QUERY_MESSAGE.md\"; touch \"$D/$X/events.json\"\n"
	     "cp -p \"$D/$X/metadata.json\" \"$D/$X/metadata.json.tmp\"\n"
	     "mv \"$D/$X/metadata.json.tmp\" \"$D/$X/metadata.json\"");
	expect(&w, __LINE__, "");
	/* It does hear. */
	step(&f, __LINE__, "retitle \"$D/.archive/" SECOND "/metadata.json\" Archived");
	expect(&w, __LINE__, WRITTEN("metadata.json"));
	/* A draft is this worktree's own, until it is given up. */
	step(&f, __LINE__,
	     "cp \"$V/$X/metadata.json\" ../whole; echo '{' > \"$V/$X/metadata.json\"\n"
	     "until_ok sh -c '\"$J\" status \"$P\" | grep -i draft'");
	while (listen_for(&w, QUIET_MS))
		continue;
	w.heard[w.used = 0] = '\0';
	step(&f, __LINE__, "retitle \"$D/$X/metadata.json\" Elsewhere");
	expect(&w, __LINE__, "");
	step(&f, __LINE__,
	     "\"$J\" discard 17457886043; until_ok grep -q Elsewhere \"$V/$X/metadata.json\"");
	wait_for(&w, __LINE__, WRITTEN("metadata.json"));
	fixture_umount_at(&f, other);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_storm_of_changes_ends_with_the_last_one(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};
	unsigned heard;

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	watch(&w, f.view, FIRST);
	step(&f, __LINE__,
	     "python3 - \"$D/$X/metadata.json\" <<'E'\n"
	     "import os, sys\n"
	     "path = sys.argv[1]\n"
	     "text = open(path).read()\n"
	     "for k in range(300):\n"
	     "    open(path + '.tmp', 'w').write(text.replace('First', 'Turn %d' % k))\n"
	     "    os.rename(path + '.tmp', path)\n"
	     "E\n"
	     "until_ok grep -q 'Turn 299' \"$V/$X/metadata.json\"");
	while (listen_for(&w, QUIET_MS))
		continue;
	heard = count(&w, "CLOSE_WRITE metadata.json\n");
	CU_ASSERT(heard >= 1 && heard <= 300);
	CU_ASSERT_EQUAL(count(&w, "\n"), 2 * heard);
	/* And then nothing more. */
	w.heard[w.used = 0] = '\0';
	CU_ASSERT_FALSE(listen_for(&w, 1000));
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void where_nobody_can_watch_nothing_is_repeated(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	fixture_umount(&f);
	fixture_mount(&f);
	/* The kernel knows one directory, and not the other. */
	step(&f, __LINE__, "ls \"$V/$X\" > ../list; echo 0 > ../before");
	watch(&w, f.view, FIRST);
	step(&f, __LINE__,
	     "asked() { python3 -c 'import json, sys\n"
	     "print(json.load(open(sys.argv[1]))[\"requests\"].get(\"setattr\", 0))' "
	     "\"$V/.jpfs/status.json\"; }\n"
	     "asked > ../before; for k in 1 2 3 4 5; do\n"
	     "retitle \"$D/" SECOND "/metadata.json\" \"Number $k\"; done\n"
	     "retitle \"$D/$X/metadata.json\" Last");
	/* One after the other: what came before was seen to. */
	expect(&w, __LINE__, WRITTEN("metadata.json"));
	step(&f, __LINE__,
	     "asked() { python3 -c 'import json, sys\n"
	     "print(json.load(open(sys.argv[1]))[\"requests\"].get(\"setattr\", 0))' "
	     "\"$V/.jpfs/status.json\"; }\n"
	     "[ $(asked) = $(($(cat ../before) + 1)) ] || fail \"$(cat ../before), $(asked)\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void changes_outside_are_no_use_of_the_mount(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	fixture_umount(&f);
	fixture_mount_at(&f, f.project, "idle_timeout=2");
	/* It ends by itself, though what is changed all the while is repeated. */
	step(&f, __LINE__,
	     "ls \"$V/$X\" > ../list; n=0\n"
	     "ends() { n=$((n+1)); retitle \"$D/$X/metadata.json\" \"Number $n\"; not is_mounted "
	     "\"$V\"; }\n"
	     "until_ok ends");
	fixture_wait_end(&f, f.project);
	/* What was changed since waits for the next mount. */
	fixture_mount(&f);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_killed_daemon_leaves_no_process_that_repeats(void)
{
	cleanup_watcher struct watcher w = {.fd = -1};
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	mount_with_all_stored(&f);
	for (int i = 0; i < 5; i++) {
		if (i > 0)
			fixture_mount(&f);
		watch(&w, f.view, FIRST);
		step(&f, __LINE__,
		     "companions() { for p in /proc/[0-9]*; do\n"
		     "  [ \"$(cat $p/comm 2>/dev/null)\" = jpfs-companion ] || continue\n"
		     "  [ \"$(readlink $p/cwd)\" != '' ] && echo ${p#/proc/} "
		     "$(sed 's/.*) . \\([0-9]*\\).*/\\1/' $p/stat); done; }\n"
		     "daemon=$(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' "
		     "\"$V/.jpfs/status.json\" | head -1)\n"
		     "companions | sed -n \"s/ $daemon\\$//p\" > ../companion; [ -s ../companion "
		     "]\n"
		     "python3 - \"$D/$X/metadata.json\" > /dev/null 2>&1 <<'E' &\n"
		     "import os, sys\n"
		     "path = sys.argv[1]\n"
		     "text = open(path).read()\n"
		     "for k in range(400):\n"
		     "    open(path + '.tmp', 'w').write(text.replace('title\": \"', 'title\": \"' "
		     "+ "
		     "str(k % 10)))\n"
		     "    os.rename(path + '.tmp', path)\n"
		     "    k == 100 and open('../begun', 'w')\n"
		     "open('../written', 'w')\n"
		     "E\n"
		     "until_ok test -e ../begun; rm ../begun");
		fixture_kill(&f, f.project);
		step(&f, __LINE__,
		     "until_ok test -e ../written; rm ../written\n"
		     "until_ok test ! -d /proc/$(cat ../companion)");
	}
	/* What had been projected last is earlier than what is stored by now: by the rules a draft. */
	fixture_mount(&f);
	step(&f, __LINE__, "cat \"$V/$X\"/* > ../all; \"$J\" discard 17457886043 || :");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

/* Whether a program is there; said when not. */
static bool has(struct fixture *fixture, const char *program)
{
	char script[200];

	(void)snprintf(script, sizeof(script), "command -v %s", program);
	if (fixture_run(fixture, script) == 0)
		return true;
	printf("(no %s: skipped) ", program);
	return false;
}

static void inotifywait_hears_all_kinds_of_waiting(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f) || !has(&f, "inotifywait"))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__,
	     "for how in '-e close_write' '-e modify' '-r -e modify,create,delete,move' ''; do\n"
	     "  inotifywait $how \"$V/$X\" > ../heard 2> ../said & waits=$!\n"
	     "  until_ok grep -q 'established' ../said; turn \"$D/$X/events.json\" \"$how\"\n"
	     "  wait $waits; grep -q events.json ../heard; done\n"
	     "inotifywait -e delete_self \"$V/$X/events.json\" > ../heard 2> ../said & waits=$!\n"
	     "until_ok grep -q established ../said; turn \"$D/$X/events.json\" again; wait $waits\n"
	     "grep -q DELETE_SELF ../heard");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void entr_runs_its_command_for_each_change(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f) || !has(&f, "entr"))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__,
	     "echo \"$V/$X/metadata.json\" | entr -n -p cp \"$V/$X/metadata.json\" ../copy > "
	     "../log "
	     "2>&1 & entr=$!\n"
	     "watches() { grep -q 'inotify wd' /proc/$entr/fdinfo/*; }\n"
	     /* Between two runs it does not watch for a moment: then it hears the next change. */
	     "again() { n=$((n+1)); retitle \"$D/$X/metadata.json\" \"Number $k, $n\"; sleep 0.2\n"
	     "  grep -q \"Number $k\" ../copy; }\n"
	     "until_ok watches; n=0; for k in 1 2 3; do until_ok again; done\n"
	     "kill $entr; wait $entr || :");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void tail_follows_a_file_by_its_name(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f) || !has(&f, "tail"))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__,
	     /* On FUSE it looks at the times, and watches nothing. */
	     "tail -s 0.1 -n 2 -F \"$V/$X/events.json\" > ../tail 2> ../said & tail=$!\n"
	     "until_ok test -s ../tail\n"
	     "for k in 1 2 3; do turn \"$D/$X/events.json\" \"Number $k\"\n"
	     "  until_ok grep -q \"Number $k\" ../tail; done; kill $tail; wait $tail || :");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void watch_shows_what_is_there(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f) || !has(&f, "watch"))
		return;
	mount_with_all_stored(&f);
	step(&f, __LINE__,
	     "TERM=xterm watch -t -n 0.1 -g grep title \"$V/$X/metadata.json\" > ../shown 2>&1 & "
	     "watch=$!\n"
	     "until_ok grep -q First ../shown; retitle \"$D/$X/metadata.json\" Changed\n"
	     "wait $watch; grep -q Changed ../shown || grep -q title \"$V/$X/metadata.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_change_in_the_store_is_heard_in_the_directory),
		TEST(a_change_is_heard_when_it_can_be_read),
		TEST(who_watches_a_file_hears_that_it_was_replaced),
		TEST(what_one_worktree_writes_is_heard_once_in_the_other_and_not_repeated_at_home),
		TEST(a_file_that_comes_or_goes_outside_is_heard_to),
		TEST(a_file_that_comes_or_goes_is_heard_though_others_have_looked_for_it),
		TEST(what_is_written_here_is_heard_as_it_was_done_and_not_again),
		TEST(what_does_not_change_this_view_is_not_heard),
		TEST(a_storm_of_changes_ends_with_the_last_one),
		TEST(where_nobody_can_watch_nothing_is_repeated),
		TEST(changes_outside_are_no_use_of_the_mount),
		TEST(a_killed_daemon_leaves_no_process_that_repeats),
		TEST(inotifywait_hears_all_kinds_of_waiting),
		TEST(entr_runs_its_command_for_each_change),
		TEST(tail_follows_a_file_by_its_name),
		TEST(watch_shows_what_is_there),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("watchers", tests);
}
