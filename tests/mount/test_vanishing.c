/*
 * The durable directory goes and comes back while it is served, and nobody who reads through the mount
 * notices. jp does that at the end of each `jp conversation edit`: it deletes the durable directory and
 * copies back what it reads through the mount. It gives up at the first error, with the store empty.
 * Semantics, section 9.
 */
#include "tests/mount/acted_jp.h"
#include "tests/mount/fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

/* Of a script in Python: wait until a condition holds. */
#define PYTHON_UNTIL                                                                               \
	"def until(condition):\n"                                                                  \
	"    for _ in range(1200):\n"                                                              \
	"        if condition():\n"                                                                \
	"            return\n"                                                                     \
	"        time.sleep(0.05)\n"                                                               \
	"    sys.exit('never true')\n"

#define DIGITS "17457886043"
#define ROUNDS 250

struct world {
	struct fixture f;
	struct acted_jp jp;
};

static void world_end(struct world *world)
{
	fixture_end(&world->f);
}
#define cleanup_world __attribute__((cleanup(world_end)))

static bool begin(struct world *w)
{
	if (!fixture_begin(&w->f))
		return false;
	(void)snprintf(w->jp.user, sizeof(w->jp.user),
		       "%s/data/workspace/project-abc12/conversations", w->f.base);
	(void)snprintf(w->jp.locks, sizeof(w->jp.locks), "%s/data/workspace/project-abc12/locks",
		       w->f.base);
	(void)snprintf(w->jp.work, sizeof(w->jp.work), "%s", w->f.view);
	return true;
}

/* ---- somebody who reads all the time ---- */

/* What went wrong, as it goes through the pipe. */
struct trouble {
	char call[16];
	char path[64];
	int error;
};

static const char *const FILES[] = {"metadata.json", "base_config.json", "events.json", "NOTE.md",
				    "sub/file"};

struct reader {
	char directory[PATH_MAX];
	int trouble_fd;
	int held[COUNT_OF(FILES)]; /* open all along */
};

static void tell(const struct reader *reader, const char *call, const char *path)
{
	struct trouble trouble = {.error = errno};

	(void)snprintf(trouble.call, sizeof(trouble.call), "%s", call);
	(void)snprintf(trouble.path, sizeof(trouble.path), "%s", path);
	if (write(reader->trouble_fd, &trouble, sizeof(trouble)) < 0)
		_exit(1);
}

static void read_open(const struct reader *reader, int fd, const char *path)
{
	char bytes[4096];
	struct stat st;
	off_t at = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		tell(reader, "fstat", path);
	while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0)
		at += n;
	if (n < 0)
		tell(reader, "pread", path);
}

static void read_all(const struct reader *reader)
{
	static const char *const directories[] = {"", "/sub"};
	char path[PATH_MAX + 64], target[64];

	for (size_t i = 0; i < COUNT_OF(FILES); i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s", reader->directory, FILES[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			tell(reader, "open", FILES[i]);
			continue;
		}
		read_open(reader, fd, FILES[i]);
		(void)close(fd);
		if (reader->held[i] >= 0)
			read_open(reader, reader->held[i], FILES[i]);
	}
	(void)snprintf(path, sizeof(path), "%s/link", reader->directory);
	if (readlink(path, target, sizeof(target)) < 0)
		tell(reader, "readlink", "link");
	for (size_t i = 0; i < COUNT_OF(directories); i++) {
		struct dirent *entry = NULL;
		unsigned count = 0;
		DIR *stream;

		(void)snprintf(path, sizeof(path), "%s%s", reader->directory, directories[i]);
		stream = opendir(path);
		for (errno = 0; stream != NULL && (entry = readdir(stream)) != NULL; errno = 0)
			count += entry->d_name[0] == '.' ? 0 : 1;
		if (stream == NULL || errno != 0 || count != (i == 0 ? 6 : 1))
			tell(reader, stream == NULL ? "opendir" : "readdir",
			     directories[i][0] != '\0' ? directories[i] : "/");
		if (stream != NULL)
			(void)closedir(stream);
	}
}

/* A process that reads everything of the first conversation until it is killed. */
static pid_t keep_reading(const struct world *w, int trouble_fd)
{
	static struct reader reader;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	reader.trouble_fd = trouble_fd;
	(void)snprintf(reader.directory, sizeof(reader.directory), "%s/%s", w->jp.work, FIRST);
	for (size_t i = 0; i < COUNT_OF(FILES); i++) {
		char path[PATH_MAX + 64];

		(void)snprintf(path, sizeof(path), "%s/%s", reader.directory, FILES[i]);
		reader.held[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
	for (;;)
		read_all(&reader);
}

/* An editor that truncates and writes. */
static void edit(const struct world *w, const char *file, const char *text)
{
	char path[PATH_MAX + 64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", w->jp.work, FIRST, file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", file,
	      strerror(errno));
	(void)close(fd);
}

static void nobody_who_reads_notices_that_jp_replaces_the_durable_directory(void)
{
	cleanup_world struct world w = {0};
	struct trouble trouble;
	unsigned troubles = 0;
	int ends[2];
	pid_t pid;

	if (!begin(&w))
		return;
	STEP(&w.f, "cd \"$V/$X\"; echo note > NOTE.md; mkdir sub; echo deep > sub/file; ln -s "
		   "NOTE.md link");
	fixture_mount(&w.f);
	STEP(&w.f, "until_ok test -d \"$D/" THIRD "\"; until_ok test -e \"$D/$X/sub/file\"");
	CU_ASSERT_EQUAL(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	pid = keep_reading(&w, ends[1]);
	for (int i = 0; i < ROUNDS; i++) {
		char text[256];
		int r;

		(void)snprintf(text, sizeof(text),
			       "[\n  {\n    \"timestamp\": \"2026-03-05 19:31:45.0\",\n    "
			       "\"type\": \"turn_start\",\n    \"n\": %d\n  }\n]\n",
			       i);
		edit(&w, "events.json", text);
		edit(&w, "NOTE.md", text);
		/* From at once to when everything has been stored. */
		(void)usleep((useconds_t)(i * 7919 % 24) * 250);
		r = acted_jp_sync_projection(&w.jp, DIGITS);
		CHECK(r == 0, "round %d: %s", i, strerrorname_np(-r));
	}
	(void)kill(pid, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	while (read(ends[0], &trouble, sizeof(trouble)) == sizeof(trouble)) {
		if (troubles++ < 10)
			printf("\n%s %s: %s", trouble.call, trouble.path,
			       strerrorname_np(trouble.error));
	}
	CHECK(troubles == 0, "%u times", troubles);
	(void)close(ends[0]);
	(void)close(ends[1]);
	STEP(&w.f, "for f in events.json NOTE.md sub/file; do cmp \"$D/$X/$f\" \"$V/$X/$f\"; done");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

/* Somebody has found a link, and jp has made it anew and deleted it once more before he reads it. */
static void a_link_that_was_found_can_be_read(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "cd \"$V/$X\"; echo note > NOTE.md; ln -s NOTE.md link");
	fixture_mount(&w.f);
	STEP(&w.f, "until_ok test -L \"$D/$X/link\"; cat > ../link.py <<'E'\n"
		   "import os, sys\n"
		   "view, durable = (p + '/link' for p in sys.argv[1:])\n"
		   "found = os.open(view, os.O_PATH | os.O_NOFOLLOW)\n"
		   "for i in range(3):\n"
		   "    os.unlink(durable)\n"
		   "    os.symlink('NOTE.md', durable)\n"
		   "    os.lstat(view)\n"
		   "    os.unlink(durable)\n"
		   "    assert os.readlink('', dir_fd=found) == 'NOTE.md'\n"
		   "    assert os.readlink(view) == 'NOTE.md'\n"
		   "    os.symlink('NOTE.md', durable)\n"
		   "    assert os.readlink('', dir_fd=found) == 'NOTE.md'\n"
		   "E\n"
		   "python3 ../link.py \"$V/$X\" \"$D/$X\"");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

/* jp truncates what it copies, and fills it: until it is whole, nobody here is shown a part of it. A
 * reading that came late is not counted: what stays short for long is meant so. */
static void no_part_of_a_file_that_jp_copies_back_is_shown(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	STEP(&w.f, "cd \"$V/$X\"; mkdir sub; seq 30 > NOTE.md; seq 30 > sub/file");
	fixture_mount(&w.f);
	STEP(&w.f, "until_ok test -e \"$D/$X/sub/file\"; cat > ../copy.py <<'E'\n"
		   "import os, sys, time\n"
		   "view, durable = sys.argv[1:]\n"
		   "def read(path):\n"
		   "    with open(path, 'rb') as file:\n"
		   "        return os.fstat(file.fileno()).st_size, file.read()\n"
		   "count = 0\n"
		   "for name in ('/NOTE.md', '/sub/file') * 2:\n"
		   "    text = read(view + name)[1]\n"
		   "    os.unlink(durable + name)\n"
		   "    began = time.monotonic()\n"
		   "    with open(durable + name, 'wb', buffering=0) as file:\n"
		   "        for i in range(-1, len(text)):\n"
		   "            if i >= 0:\n"
		   "                began = time.monotonic()\n"
		   "                file.write(text[i:i + 1])\n"
		   "            result = read(view + name)\n"
		   "            if time.monotonic() - began < 0.4:\n"
		   "                assert result == (len(text), text), (name, i, result)\n"
		   "                count += 1\n"
		   "    assert read(view + name) == (len(text), text), name\n"
		   "assert count > 0\n"
		   /* And what is made shorter on purpose is seen. */
		   "with open(durable + '/NOTE.md', 'wb') as file:\n"
		   "    file.write(b'short')\n"
		   "while read(view + '/NOTE.md')[1] != b'short':\n"
		   "    time.sleep(0.02)\n"
		   "E\n"
		   "python3 ../copy.py \"$V/$X\" \"$D/$X\"\n"
		   "until_ok cmp \"$V/$X/NOTE.md\" \"$D/$X/NOTE.md\"");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

/* Its worktree is full, so that nothing is projected, and what was written is there as a link alone. */
static void what_only_a_link_was_held_to_is_read_on_when_the_worktree_has_it(void)
{
	cleanup_world struct world w = {0};

	if (geteuid() != 0) {
		printf("(only root can mount a small filesystem: skipped) ");
		return;
	}
	if (!begin(&w))
		return;
	STEP(&w.f, "mv .git README .jp ..; mount -t tmpfs -o size=2m,mode=755 jpfs-test \"$P\"\n"
		   "mv ../.git ../README ../.jp \"$P\"");
	fixture_mount(&w.f);
	STEP(&w.f, "until_ok test -d \"$D/" THIRD "\"; cat > ../read.py <<'E'\n"
		   "import json, os, shutil, sys, time\n"
		   "view, durable, project = sys.argv[1:]\n" PYTHON_UNTIL "def status():\n"
		   "    return json.load(open(view + '/../.jpfs/status.json'))\n"
		   "with open(project + '/filler', 'wb', buffering=0) as filler:\n"
		   "    try:\n"
		   "        while True:\n"
		   "            filler.write(bytes(4096))\n"
		   "    except OSError:\n"
		   "        pass\n"
		   "texts = {'events.json': '[]\\n' * 1 + ' ' * 5000, 'NOTE.md': 'a note\\n'}\n"
		   "for name, text in texts.items():\n"
		   "    with open(view + '/' + name, 'w') as file:\n"
		   "        file.write(text)\n"
		   "for name, text in texts.items():\n"
		   "    path = durable + '/' + name\n"
		   "    until(lambda: os.path.exists(path) and open(path).read() == text)\n"
		   "held = {name: os.open(view + '/' + name, os.O_RDONLY) for name in texts}\n"
		   "os.rename(durable, project + '/../aside')\n"
		   "def read(name):\n"
		   "    return os.pread(held[name], 10000, 0).decode()\n"
		   "for name, text in texts.items():\n"
		   "    assert open(view + '/' + name).read() == text, name\n"
		   "    assert read(name) == text, name\n"
		   "os.unlink(project + '/filler')\n"
		   /* Projected: the link has served, and is gone. */
		   "staging = durable + '/../../jpfs/staging'\n"
		   "until(lambda: not any(n.startswith('p') for _, _, all in os.walk(staging) for "
		   "n in all))\n"
		   "def drop():\n"
		   "    for fd in held.values():\n"
		   "        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n"
		   "for again in range(3):\n"
		   "    drop()\n"
		   "    for name, text in texts.items():\n"
		   "        assert read(name) == text, name\n"
		   "        assert os.fstat(held[name]).st_size == len(text), name\n"
		   "        assert open(view + '/' + name).read() == text, name\n"
		   "    if again == 0:\n"
		   "        os.rename(project + '/../aside', durable)\n"
		   "    time.sleep(0.2)\n"
		   "E\n"
		   "python3 ../read.py \"$V/$X\" \"$D/$X\" \"$P\"");
	/* Its log is not clean: it was given something to complain about. */
	STEP(&w.f, "\"$J\" umount .; diff -r \"$D/$X\" \"$V/$X\"");
}

/* The same bytes are there again, in other files: whoever has one open, or opens it a moment later, writes to the
 * conversation, and not to a version that nobody shows any more. */
static void who_writes_to_what_jp_has_copied_back_writes_to_the_conversation(void)
{
	cleanup_world struct world w = {0};

	if (!begin(&w))
		return;
	fixture_mount(&w.f);
	STEP(&w.f, "until_ok test -d \"$D/" THIRD "\"; cat > ../write.py <<'E'\n"
		   "import os, shutil, sys, time\n"
		   "view, durable = sys.argv[1:]\n" PYTHON_UNTIL "def read(path):\n"
		   "    with open(path, 'rb') as file:\n"
		   "        return file.read()\n"
		   "def copied_back():\n"
		   "    shutil.rmtree(durable)\n"
		   "    os.mkdir(durable)\n"
		   "    for name in 'metadata.json', 'base_config.json', 'events.json':\n"
		   "        shutil.copyfile(view + '/' + name, durable + '/' + name)\n"
		   "def is_met():\n"
		   "    return all(os.stat(view + '/' + name).st_mtime_ns ==\n"
		   "               os.stat(durable + '/' + name).st_mtime_ns for name in "
		   "('events.json', 'metadata.json'))\n"
		   "for i in range(20):\n"
		   "    for name in 'events.json', 'metadata.json':\n"
		   "        os.stat(view + '/' + name)\n"
		   "        before = read(view + '/' + name)\n"
		   "        held = os.open(view + '/' + name, os.O_RDWR) if i % 2 == 0 else -1\n"
		   "        copied_back()\n"
		   "        if i % 4 < 2:\n"
		   "            until(is_met)\n"
		   "        if held < 0:\n"
		   "            held = os.open(view + '/' + name, os.O_RDWR)\n"
		   "        assert read(view + '/' + name) == before, (i, name)\n"
		   "        text = before + b'\\n'\n"
		   "        assert os.pwrite(held, text, 0) == len(text)\n"
		   "        os.close(held)\n"
		   "        assert read(view + '/' + name) == text, (i, name)\n"
		   "        until(lambda: os.path.exists(durable + '/' + name) and\n"
		   "              read(durable + '/' + name) == text)\n"
		   "        assert read(view + '/' + name) == text, (i, name)\n"
		   "E\n"
		   "python3 ../write.py \"$V/$X\" \"$D/$X\"");
	fixture_umount(&w.f);
	CHECK_INVARIANTS(&w.f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(nobody_who_reads_notices_that_jp_replaces_the_durable_directory),
		TEST(a_link_that_was_found_can_be_read),
		TEST(no_part_of_a_file_that_jp_copies_back_is_shown),
		TEST(what_only_a_link_was_held_to_is_read_on_when_the_worktree_has_it),
		TEST(who_writes_to_what_jp_has_copied_back_writes_to_the_conversation),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("vanishing", tests);
}
