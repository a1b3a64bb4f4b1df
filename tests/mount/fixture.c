/* The private world of a mount test. See fixture.h. */
#include "tests/mount/fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#define SCRIPT_SECONDS 300

static const char PRELUDE[] =
	"set -eu\n"
	"fail() { echo \"FAIL: $*\" >&2; exit 1; }\n"
	/* Long enough for a disk that is busy with other things; only a failure waits for it. */
	"until_ok() { i=0; until \"$@\" >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 2000 ] ||\n"
	"  { picture; fail \"never true: $*\"; }; sleep 0.05; done; }\n"
	/* What the daemons of this test are doing, for whoever reads the log of a failure. */
	"picture() { \"$J\" status --json > ../status.json; cat ../status.json\n"
	"  for p in $(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' ../status.json); do\n"
	"    cat /proc/$p/task/*/wchan /proc/$p/task/*/stack; done; ls -lR \"$S/jpfs/staging\"\n"
	"  cat /proc/pressure/io; } 2>&1\n"
	"is_mounted() { grep -q \" $(cd \"$1/..\" && pwd -P)/conversations fuse.jpfs\\| $1 "
	".*fuse.jpfs\" "
	"/proc/self/mountinfo || grep \" $1 \" /proc/self/mountinfo | grep -q fuse.jpfs; }\n"
	"not() { ! \"$@\"; }\n"
	"title() { sed -n 's/.*\"title\": \"\\(.*\\)\",/\\1/p' \"$1/metadata.json\"; }\n"
	"turns() { grep -c turn_start \"$1/events.json\"; }\n";

static const char *program(void)
{
	const char *path = getenv("JPFS_PROGRAM");

	return path != NULL ? path : JPFS_PROGRAM_DEFAULT;
}

static void set_environment(struct fixture *fixture)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "%s/data", fixture->base);
	setenv("JP_USER_DATA_DIR", text, 1);
	setenv("HOME", fixture->base, 1);
	unsetenv("XDG_DATA_HOME");
	unsetenv("JPFS_AUTOMOUNT"); /* somebody's shell may have set it */
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	for (const char *const *name = (const char *const[]){"AUTHOR", "COMMITTER", NULL};
	     *name != NULL; name++) {
		(void)snprintf(text, sizeof(text), "GIT_%s_NAME", *name);
		setenv(text, "A Tester", 1);
		(void)snprintf(text, sizeof(text), "GIT_%s_EMAIL", *name);
		setenv(text, "tester@example.org", 1);
	}
	setenv("P", fixture->project, 1);
	setenv("V", fixture->view, 1);
	(void)snprintf(text, sizeof(text), "%s/wt", fixture->base);
	setenv("W", text, 1);
	(void)snprintf(text, sizeof(text), "%s/wt/.jp/conversations", fixture->base);
	setenv("WV", text, 1);
	(void)snprintf(text, sizeof(text), "%s/data/workspace/project-abc12", fixture->base);
	setenv("S", text, 1);
	(void)snprintf(text, sizeof(text), "%s/data/workspace/project-abc12/conversations",
		       fixture->base);
	setenv("D", text, 1);
	setenv("X", FIRST, 1);
	setenv("J", program(), 1);
	setenv("TERM", "dumb", 1);
	setenv("SHELL", "/bin/sh", 1); /* an account without a login has one that vim obeys */
}

/* Read what comes from a descriptor until its end, as much as there is room for. */
static void collect(int fd, char *buffer, size_t room)
{
	size_t used = 0;
	char rest[4096];

	for (;;) {
		ssize_t n = used + 1 < room ? read(fd, buffer + used, room - used - 1)
					    : read(fd, rest, sizeof(rest));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (used + 1 < room)
			used += (size_t)n;
	}
	buffer[used] = '\0';
}

int fixture_run(struct fixture *fixture, const char *script)
{
	cleanup_free char *text = NULL;
	int ends[2], status = -1;
	pid_t pid;

	if (asprintf(&text, "%s%s", PRELUDE, script) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], 1);
		(void)dup2(ends[1], 2);
		(void)close(0);
		(void)open("/dev/null", O_RDONLY);
		alarm(SCRIPT_SECONDS);
		if (chdir(fixture->project) < 0)
			_exit(126);
		(void)execl("/bin/sh", "sh", "-c", text, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	collect(ends[0], fixture->output, sizeof(fixture->output));
	(void)close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void fixture_step(struct fixture *fixture, const char *file, int line, const char *script)
{
	int code = fixture_run(fixture, script);

	if (code != 0)
		printf("\n%s:%d: exit %d\n--- script\n%s\n--- output\n%s\n", file, line, code,
		       script, fixture->output);
	(void)CU_assertImplementation(code == 0, (unsigned)line, "the script succeeds", file, "",
				      CU_FALSE);
}

static bool can_mount(void)
{
	return access("/dev/fuse", R_OK | W_OK) == 0;
}

bool fixture_begin(struct fixture *fixture)
{
	const char *temporary = getenv("TMPDIR");
	char base[sizeof(fixture->base)];

	*fixture = (struct fixture){0};
	umask(022);
	(void)snprintf(fixture->base, sizeof(fixture->base), "%s/jpfs-mount-XXXXXX",
		       temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
	if (mkdtemp(fixture->base) == NULL) {
		fixture->base[0] = '\0';
		CU_FAIL("no temporary directory");
		return false;
	}
	(void)snprintf(base, sizeof(base), "%s", fixture->base);
	(void)snprintf(fixture->project, sizeof(fixture->project), "%s/project", base);
	(void)snprintf(fixture->view, sizeof(fixture->view), "%s/project/.jp/conversations", base);
	(void)mkdir(fixture->project, 0755);
	set_environment(fixture);
	STEP(fixture,
	     "mkdir -p .jp/conversations\n"
	     "printf 'DO NOT EDIT THIS FILE! IT IS AUTO-GENERATED BY JP.\\nabc12\\n' > .jp/.id\n"
	     "echo hello > README\n"
	     "make_one() { d=.jp/conversations/$1; mkdir $d\n"
	     "printf '{\\n  \"title\": \"%s\",\\n  \"last_activated_at\": \"2026-03-05 "
	     "19:31:45.777733\"\\n}\\n' \"$2\" > $d/metadata.json\n"
	     "printf '{\\n  \"assistant\": {\\n    \"name\": \"jp\"\\n  }\\n}\\n' > "
	     "$d/base_config.json\n"
	     "printf '[\\n  {\\n    \"timestamp\": \"2026-03-05 19:31:45.0\",\\n    \"type\": "
	     "\"turn_start\"\\n  },\\n  {\\n    \"timestamp\": \"2026-03-05 19:31:46.5\",\\n    "
	     "\"type\": \"chat_request\",\\n    \"content\": \"%s\"\\n  }\\n]\\n' \"$2?\" > "
	     "$d/events.json\n"
	     "touch -d '2026-03-05 20:00:00.123456789' $d/*.json; }\n"
	     "make_one " FIRST " 'First Title'\n"
	     "make_one " SECOND " 'Second Title'\n"
	     "make_one " THIRD " 'Third Title'\n"
	     "git init -q -b main .\n"
	     "git add -A\n"
	     "git commit -qm one\n");
	return true;
}

/* ---- daemons ---- */

static int find_mount(struct fixture *fixture, const char *root)
{
	for (int i = 0; i < MOUNTS_MAX; i++) {
		if (fixture->mounts[i].pid > 0 && strcmp(fixture->mounts[i].root, root) == 0)
			return i;
	}
	return -1;
}

static void show_log(const char *path)
{
	char text[8192] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	collect(fd, text, sizeof(text));
	(void)close(fd);
	printf("--- the daemon's log\n%s\n", text);
}

/* Sanitizers and our own errors; what a test provokes, it says by killing or by its options. */
static bool is_log_clean(const char *path)
{
	char text[65536] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	collect(fd, text, sizeof(text));
	(void)close(fd);
	return strstr(text, "Sanitizer") == NULL && strstr(text, "runtime error") == NULL &&
	       strstr(text, "error:") == NULL;
}

void fixture_mount_at(struct fixture *fixture, const char *root, const char *options)
{
	int ends[2], slot = 0;
	struct pollfd ready;
	char byte = 0, notify[32], base[sizeof(fixture->base)];
	bool is_ready;

	if (options[0] == '\0' && getenv("JPFS_MOUNT_OPTIONS") != NULL)
		options = getenv("JPFS_MOUNT_OPTIONS");
	while (slot < MOUNTS_MAX && fixture->mounts[slot].pid > 0)
		slot++;
	if (slot == MOUNTS_MAX || pipe2(ends, O_CLOEXEC) < 0) {
		CU_FAIL("no room for another mount");
		return;
	}
	(void)snprintf(fixture->mounts[slot].root, sizeof(fixture->mounts[slot].root), "%s", root);
	(void)snprintf(base, sizeof(base), "%s", fixture->base);
	(void)snprintf(fixture->mounts[slot].log, sizeof(fixture->mounts[slot].log), "%s/log%d-%ld",
		       base, slot, (long)time(NULL));
	(void)snprintf(notify, sizeof(notify), "--notify-fd=%d", ends[1]);
	fixture->mounts[slot].pid = fork();
	if (fixture->mounts[slot].pid == 0) {
		int log = open(fixture->mounts[slot].log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
			       0600);

		(void)dup2(log, 1);
		(void)dup2(log, 2);
		(void)fcntl(ends[1], F_SETFD, 0);
		if (chdir("/") < 0)
			_exit(126);
		if (options[0] != '\0')
			(void)execl(program(), "jpfs", "mount", "-f", notify, "-o", options, root,
				    (char *)NULL);
		else
			(void)execl(program(), "jpfs", "mount", "-f", notify, root, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	ready = (struct pollfd){.fd = ends[0], .events = POLLIN};
	/* The byte, or the end of the file when the daemon died. */
	is_ready = poll(&ready, 1, 60000) > 0 && read(ends[0], &byte, 1) == 1;
	(void)close(ends[0]);
	CU_ASSERT(is_ready);
	if (!is_ready)
		show_log(fixture->mounts[slot].log);
}

void fixture_mount(struct fixture *fixture)
{
	fixture_mount_at(fixture, fixture->project, "");
}

static void reap(struct fixture *fixture, int slot, bool must_be_well)
{
	int status = -1;
	bool is_well;

	/* Half a minute, then it hangs. */
	for (int i = 0; i < 600; i++) {
		if (waitpid(fixture->mounts[slot].pid, &status, WNOHANG) ==
		    fixture->mounts[slot].pid)
			break;
		status = -1;
		(void)poll(NULL, 0, 50);
	}
	if (status == -1) {
		(void)kill(fixture->mounts[slot].pid, SIGKILL);
		(void)waitpid(fixture->mounts[slot].pid, &status, 0);
		CU_FAIL("the daemon does not end");
	}
	fixture->mounts[slot].pid = 0;
	if (!must_be_well)
		return;
	is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
		  is_log_clean(fixture->mounts[slot].log);
	CU_ASSERT(is_well);
	if (!is_well) {
		printf("\nthe daemon ended with status %#x\n", (unsigned)status);
		show_log(fixture->mounts[slot].log);
	}
}

void fixture_umount_at(struct fixture *fixture, const char *root)
{
	int slot = find_mount(fixture, root);
	char script[400];

	(void)snprintf(script, sizeof(script), "\"$J\" umount '%s'", root);
	STEP(fixture, script);
	if (slot >= 0)
		reap(fixture, slot, true);
}

void fixture_umount(struct fixture *fixture)
{
	fixture_umount_at(fixture, fixture->project);
}

void fixture_wait_end(struct fixture *fixture, const char *root)
{
	int slot = find_mount(fixture, root);

	CU_ASSERT(slot >= 0);
	if (slot >= 0)
		reap(fixture, slot, true);
}

/* Take away whatever is mounted below our own directory. */
static void detach_all(struct fixture *fixture)
{
	static const char script[] = "while read -r _ _ _ _ place _; do case $place in \"$1\"/*)\n"
				     "umount -l \"$place\" 2>/dev/null || fusermount3 -uz "
				     "\"$place\" 2>/dev/null;; esac\n"
				     "done < /proc/self/mountinfo; :";
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", script, "sh", fixture->base, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

void fixture_kill(struct fixture *fixture, const char *root)
{
	int slot = find_mount(fixture, root);

	CU_ASSERT(slot >= 0);
	if (slot < 0)
		return;
	(void)kill(fixture->mounts[slot].pid, SIGKILL);
	reap(fixture, slot, false);
	detach_all(fixture);
}

void fixture_end(struct fixture *fixture)
{
	cleanup_close int parent = -EBADF;
	char *name;

	if (fixture->base[0] == '\0')
		return;
	detach_all(fixture);
	for (int i = 0; i < MOUNTS_MAX; i++) {
		if (fixture->mounts[i].pid <= 0)
			continue;
		(void)kill(fixture->mounts[i].pid, SIGTERM);
		reap(fixture, i, false);
	}
	detach_all(fixture);
	name = strrchr(fixture->base, '/');
	*name = '\0';
	parent = open(fixture->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* A test may have left a directory that only root could empty. */
	CU_ASSERT_EQUAL(jp_remove_tree(parent, name + 1), 0);
	fixture->base[0] = '\0';
}

/* ---- the invariants ---- */

void fixture_check_at(struct fixture *fixture, const char *root, const char *file, int line)
{
	/* One process for all of it: every test ends here, some with hundreds of conversations. */
	static const char sides[] =
		"python3 - \"$R/.jp/conversations\" \"$D\" <<'E'\n"
		"import json, os, sys\n"
		"work, store = sys.argv[1:]\n"
		"def conversations(side):\n"
		"    found = {}\n"
		"    for place in side, side + '/.archive':\n"
		"        for name in os.listdir(place) if os.path.isdir(place) else []:\n"
		"            path = os.path.join(place, name)\n"
		"            if name.split('-')[0].isdigit() and os.path.isdir(path):\n"
		"                found.setdefault(name.split('-')[0], []).append(path)\n"
		"    return found\n"
		"def facts(path):\n"
		"    if not os.path.lexists(path):\n"
		"        return None\n"
		"    st = os.stat(path)\n"
		"    with open(path, 'rb') as file:\n"
		"        return file.read(), oct(st.st_mode), st.st_mtime_ns\n"
		"wrong = []\n"
		"here, durable = conversations(work), conversations(store)\n"
		"checkout = os.stat(os.path.dirname(work) + '/.id').st_mtime_ns\n"
		"managed = 'metadata.json', 'base_config.json', 'events.json'\n"
		"for id, paths in durable.items():\n"
		"    if len(paths) > 1:\n"
		"        wrong.append('twice in the store: %s' % paths)\n"
		"    for name in managed:\n"
		"        data = facts(paths[0] + '/' + name)\n"
		"        if data is None and name == 'base_config.json':\n"
		"            continue\n"
		"        try:\n"
		"            value = json.loads(data[0])\n"
		"            assert name != 'events.json' or isinstance(value, list)\n"
		"        except Exception as error:\n"
		"            wrong.append('not whole: %s/%s: %r' % (paths[0], name, error))\n"
		"    if len(here.get(id, [paths[0]])) > 1:\n"
		"        wrong.append('twice in the workspace: %s' % here[id])\n"
		"    for name in managed if id in here else []:\n"
		"        ours, theirs = (facts(d + '/' + name) for d in (here[id][0], paths[0]))\n"
		"        # Equal files of a later checkout stay as they are: section 8, D = W.\n"
		"        if ours and theirs and theirs[2] < min(checkout, ours[2]):\n"
		"            ours, theirs = ours[:2], theirs[:2]\n"
		"        if ours != theirs:\n"
		"            wrong.append('the sides differ: %s/%s: %s, %s' % (here[id][0], name,\n"
		"                ours and ours[1:], theirs and theirs[1:]))\n"
		"sys.exit('\\n'.join(wrong) or 0)\n"
		"E\n"
		"snapshot() { find \"$R\" \"$S\" -path \"$S/jpfs\" -prune -o -path '*/.git' -prune "
		"-o \\\n"
		"  -printf '%p %y %m %T@ %s\\n' | sort; }\n"
		"snapshot > \"$R/../before\"\n";
	static const char unchanged[] =
		"snapshot() { find \"$R\" \"$S\" -path \"$S/jpfs\" -prune -o -path '*/.git' -prune "
		"-o \\\n"
		"  -printf '%p %y %m %T@ %s\\n' | sort; }\n"
		"snapshot > \"$R/../after\"\n"
		"diff \"$R/../before\" \"$R/../after\" || fail 'mounting changed something'\n";

	setenv("R", root, 1);
	fixture_step(fixture, file, line, sides);
	fixture_mount_at(fixture, root, "");
	fixture_umount_at(fixture, root);
	fixture_step(fixture, file, line, unchanged);
}

/* ---- the runner ---- */

int fixture_run_suite(const char *name, CU_TestInfo tests[])
{
	if (!can_mount()) {
		printf("skipped: /dev/fuse cannot be opened by this user\n");
		return 77;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	return jp_run_suite(name, tests);
}
