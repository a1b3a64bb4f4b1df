/* Writing through the mount: the store goes from one whole version to the next. Sections 4 and 5. */
#include "tests/mount/fixture.h"

#include <sys/file.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* A path in the view, in a buffer that the next call but three uses again. */
static const char *at(const struct fixture *f, const char *relative)
{
	static char paths[4][2 * PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", f->view, relative);
	return path;
}

static void every_way_of_saving_reaches_both_sides(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; m=\"$V/$X/metadata.json\"\n"
		 "check() { [ \"$(title \"$V/$X\")\" = \"$1\" ] || fail \"view: $1\"\n"
		 "  until_ok grep -q \"$1\" \"$D/$X/metadata.json\"; }\n"
		 "t() { printf '{\\n  \"title\": \"%s\",\\n  \"last_activated_at\": \"2026-03-05 "
		 "19:31:45.7\"\\n}\\n' \"$1\"; }\n"
		 "t rewritten > \"$m\"; check rewritten\n"
		 "t beside > \"$V/$X/.tmpfile\"; mv \"$V/$X/.tmpfile\" \"$m\"; check beside\n"
		 "mv \"$m\" \"$m~\"; t backed > \"$m\"; rm \"$m~\"; check backed\n"
		 "rm \"$m\"; t exclusive > \"$m\"; check exclusive\n"
		 "sed -i s/exclusive/streamed/ \"$m\"; check streamed\n"
		 "python3 - \"$m\" <<'E'\n"
		 "import os, sys\n"
		 "fd = os.open(sys.argv[1], os.O_RDWR)\n"
		 "b = os.read(fd, 4096).replace(b'streamed', b'inplace')\n"
		 "os.ftruncate(fd, 0); os.pwrite(fd, b, 0); os.fdatasync(fd); os.close(fd)\n"
		 "E\n"
		 "check inplace");
	fixture_umount(&f);
	STEP(&f, "[ \"$(ls -A \"$V/$X\" | wc -l)\" = 3 ]; grep -q inplace \"$V/$X/metadata.json\"");
	CHECK_INVARIANTS(&f);
}

static void appending_a_turn_keeps_nothing_in_history(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; python3 - \"$V/$X/events.json\" <<'E'\n"
		 "import json, sys\n"
		 "f = sys.argv[1]; d = json.load(open(f))\n"
		 "d.append({'timestamp': '2026-03-05 19:40:00.0', 'type': 'turn_start'})\n"
		 "open(f, 'w').write(json.dumps(d, indent=2) + '\\n')\n"
		 "E\n"
		 "two() { [ \"$(turns \"$D/$X\")\" = 2 ]; }; until_ok two; [ \"$(turns "
		 "\"$V/$X\")\" = 2 ]");
	fixture_umount(&f);
	STEP(&f, "[ ! -e \"$S/jpfs/history/17457886043\" ]");
	CHECK_INVARIANTS(&f);
}

static void a_trim_is_durable_at_once_and_what_it_cut_is_kept(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; echo '[]' > \"$V/$X/events.json\"\n"
		 "until_ok grep -q '^\\[\\]' \"$D/$X/events.json\"\n"
		 "grep -rq 'First Title?' \"$S/jpfs/history/17457886043\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void the_same_bytes_again_change_no_time_on_either_side(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	/* Once it is known that the writer has closed it. */
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; cp \"$V/$X/events.json\" ../e\n"
		 "both() { stat -c %.Y \"$D/$X/events.json\" \"$V/$X/events.json\"; }; both > "
		 "../before\n"
		 "same() { both > ../after; cmp -s ../before ../after; }\n"
		 "cat ../e > \"$V/$X/events.json\"; until_ok same\n"
		 "cp ../e \"$V/$X/events.json.tmp\"; mv \"$V/$X/events.json.tmp\" "
		 "\"$V/$X/events.json\"\n"
		 "until_ok same; rm \"$V/$X/events.json\"\n"
		 /* Made anew, it shows the time that whoever made it has seen, until unmounting. */
		 "cp ../e \"$V/$X/events.json\"; stored() { both | head -1 > ../after\n"
		 "  head -1 ../before | cmp -s - ../after; }; until_ok stored");
	fixture_umount(&f);
	STEP(&f, "stat -c %.Y \"$D/$X/events.json\" \"$V/$X/events.json\" > ../after\n"
		 "cmp ../before ../after");
	CHECK_INVARIANTS(&f);
}

static void what_jp_would_reject_is_shown_here_and_never_durable(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; cp \"$D/$X/events.json\" ../e\n"
		 "printf '<<<<<<< HEAD\\n' | cat - ../e > \"$V/$X/events.json\"\n"
		 "is_draft() { grep -A1 drafts \"$V/.jpfs/status.json\" | grep -q 17457886043; }\n"
		 "until_ok is_draft; grep -q '<<<<' \"$V/$X/events.json\"; cmp ../e "
		 "\"$D/$X/events.json\"");
	STEP(&f, "sync; cmp ../e \"$D/$X/events.json\"");
	fixture_umount(&f);
	STEP(&f, "grep -q '<<<<' \"$V/$X/events.json\"; cmp ../e \"$D/$X/events.json\"");
	fixture_mount(&f);
	STEP(&f, "grep -q '<<<<' \"$V/$X/events.json\"; sed -i 1d \"$V/$X/events.json\"\n"
		 "cmp ../e \"$V/$X/events.json\"; until_ok grep -q 'drafts\": \\[\\]' "
		 "\"$V/.jpfs/status.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void after_fsync_the_store_has_it(void)
{
	cleanup_fixture struct fixture f = {0};
	char durable[PATH_MAX];
	int fd;

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"");
	fd = open(at(&f, FIRST "/events.json"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	CU_ASSERT_EQUAL(write(fd, "[\n]\n", 4), 4);
	CU_ASSERT_EQUAL(fsync(fd), 0);
	(void)snprintf(durable, sizeof(durable), "%s/data/workspace/project-abc12/conversations/%s",
		       f.base, FIRST "/events.json");
	{
		cleanup_close int stored = open(durable, O_RDONLY | O_CLOEXEC);
		char text[8] = "";

		CU_ASSERT_EQUAL(read(stored, text, 7), 4);
		CU_ASSERT_STRING_EQUAL(text, "[\n]\n");
	}
	/* And the writer goes on, without touching what is stored. */
	CU_ASSERT_EQUAL(pwrite(fd, "[ ]\n", 4, 0), 4);
	CU_ASSERT_EQUAL(close(fd), 0);
	STEP(&f, "until_ok grep -q '\\[ \\]' \"$D/$X/events.json\"");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_reader_of_the_store_never_meets_half_a_version(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "until_ok test -d \"$D/" THIRD
	     "\"; python3 - \"$V/$X/events.json\" \"$D/$X/events.json\" "
	     "<<'E'\n"
	     "import json, os, sys\n"
	     "view, store = sys.argv[1:]\n"
	     "pid = os.fork()\n"
	     "if pid == 0:\n"
	     "    for n in range(200):\n"
	     "        e = [{'timestamp': '2026-03-05 19:40:00.0', 'type': 'turn_start', 'n': i} "
	     "for i in range(n + 1)]\n"
	     "        with open(view, 'w') as f:\n"
	     "            for part in json.dumps(e, indent=2).split('n'):\n"
	     "                f.write(part if part is e else part); f.flush()\n"
	     "                break\n"
	     "            f.seek(0); f.truncate(); f.write(json.dumps(e, indent=2) + '\\n')\n"
	     "    os._exit(0)\n"
	     "last = 0\n"
	     "while os.waitpid(pid, os.WNOHANG)[0] == 0:\n"
	     "    n = len(json.load(open(store)))\n"
	     "    assert n >= last or last <= 2, (n, last)\n"
	     "    last = n\n"
	     "E");
	fixture_umount(&f);
	STEP(&f, "python3 -c 'import json,sys; assert len(json.load(open(sys.argv[1]))) == 200' "
		 "\"$V/$X/events.json\"");
	CHECK_INVARIANTS(&f);
}

static void files_do_what_files_do(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX], other[PATH_MAX], text[64] = "";
		const char *directory = i == 0 ? FIRST : ".";
		struct timespec times[2] = {{.tv_sec = 1000000000}, {1000000001, 123456789}};
		struct stat st;
		char *map;
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s/file", f.view, directory);
		(void)snprintf(other, sizeof(other), "%s/%s/other", f.view, directory);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		CHECK(fd >= 0, "%s", path);
		CU_ASSERT_EQUAL(open(path, O_RDWR | O_CREAT | O_EXCL, 0640), -1);
		CU_ASSERT_EQUAL(errno, EEXIST);
		CU_ASSERT_EQUAL(ftruncate(fd, 8192), 0);
		map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CU_ASSERT_PTR_NOT_EQUAL(map, MAP_FAILED);
		memcpy(map + 4096, "mapped", 6);
		CU_ASSERT_EQUAL(msync(map, 8192, MS_SYNC), 0);
		CU_ASSERT_EQUAL(munmap(map, 8192), 0);
		CU_ASSERT_EQUAL(pread(fd, text, 6, 4096), 6);
		CU_ASSERT_STRING_EQUAL(text, "mapped");
		CU_ASSERT_EQUAL(fallocate(fd, 0, 0, 16384), 0);
		CU_ASSERT_EQUAL(fstat(fd, &st), 0);
		CU_ASSERT_EQUAL(st.st_size, 16384);
		CU_ASSERT_EQUAL(ftruncate(fd, 1 << 20), 0);
		/* A hole is data here: nobody need ask where it is. */
		CU_ASSERT_EQUAL(lseek(fd, 65536, SEEK_HOLE), 1 << 20);
		CU_ASSERT_EQUAL(lseek(fd, 65536, SEEK_DATA), 65536);
		CU_ASSERT_EQUAL(fchmod(fd, 0600), 0);
		CU_ASSERT_EQUAL(futimens(fd, times), 0);
		CU_ASSERT_EQUAL(fsetxattr(fd, "user.test", "value", 5, 0), 0);
		CU_ASSERT_EQUAL(close(fd), 0);
		CU_ASSERT_EQUAL(stat(path, &st), 0);
		CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
		CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 1000000001);
		CU_ASSERT_EQUAL(st.st_mtim.tv_nsec, 123456789);
		CU_ASSERT_EQUAL(getxattr(path, "user.test", text, sizeof(text)), 5);

		CU_ASSERT_EQUAL(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_NOREPLACE), 0);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		CU_ASSERT_EQUAL(write(fd, "new", 3), 3);
		CU_ASSERT_EQUAL(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_NOREPLACE), -1);
		CU_ASSERT_EQUAL(errno, EEXIST);
		CU_ASSERT_EQUAL(renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE), 0);
		CU_ASSERT_EQUAL(stat(other, &st), 0);
		CU_ASSERT_EQUAL(st.st_size, 3);
		CU_ASSERT_EQUAL(stat(path, &st), 0);
		CU_ASSERT_EQUAL(st.st_size, 1 << 20);
		/* Unlinked but open. */
		CU_ASSERT_EQUAL(unlink(other), 0);
		CU_ASSERT_EQUAL(pwrite(fd, "still", 5, 0), 5);
		CU_ASSERT_EQUAL(pread(fd, text, 5, 0), 5);
		CU_ASSERT_EQUAL(fstat(fd, &st), 0);
		CU_ASSERT_EQUAL(st.st_nlink, 0);
		CU_ASSERT_EQUAL(st.st_size, 5);
		CU_ASSERT_EQUAL(close(fd), 0);
		CU_ASSERT_EQUAL(access(other, F_OK), -1);
		CU_ASSERT_EQUAL(link(path, other), -1);
		CU_ASSERT_EQUAL(errno, EPERM);
		CU_ASSERT_EQUAL(symlink("file", other), 0);
		CU_ASSERT_EQUAL(readlink(other, text, sizeof(text)), 4);
		CU_ASSERT_EQUAL(unlink(other), 0);
		/* A mode that forbids its owner nothing that is open already. */
		fd = open(other, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
		CU_ASSERT_EQUAL(write(fd, "sealed", 6), 6);
		CU_ASSERT_EQUAL(close(fd), 0);
	}
	STEP(&f, "cat \"$V/$X/other\" \"$V/other\"; until_ok cmp \"$V/$X/other\" \"$D/$X/other\"\n"
		 "df \"$V\" | tail -n 1 | grep -q jpfs");
	fixture_umount(&f);
	STEP(&f,
	     "[ \"$(cat \"$D/$X/other\" \"$V/other\" \"$V/$X/other\")\" = sealedsealedsealed ]\n"
	     "cmp \"$D/$X/file\" \"$V/$X/file\"; [ \"$(stat -c '%a %.Y' \"$V/$X/file\")\" = "
	     "'600 1000000001.123456789' ] || stat \"$V/$X/file\"");
	CHECK_INVARIANTS(&f);
}

static void names_may_be_anything(void)
{
	cleanup_fixture struct fixture f = {0};
	char longest[256], name[PATH_MAX];
	static const char *const odd[] = {"new\nline", "\xff\xfe bytes", " blank ", "-dash",
					  "\033[31m",  "quote\"'`",      "日本語"};

	if (!fixture_begin(&f))
		return;
	memset(longest, 'n', 255);
	longest[255] = '\0';
	fixture_mount(&f);
	for (size_t i = 0; i <= COUNT_OF(odd); i++) {
		cleanup_close int fd = -EBADF;

		(void)snprintf(name, sizeof(name), "%s/%s", FIRST,
			       i < COUNT_OF(odd) ? odd[i] : longest);
		fd = open(at(&f, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		CHECK(fd >= 0, "name %zu", i);
		CU_ASSERT_EQUAL(write(fd, "x", 1), 1);
	}
	(void)snprintf(name, sizeof(name), "%s/%sn", FIRST, longest);
	CU_ASSERT_EQUAL(open(at(&f, name), O_WRONLY | O_CREAT, 0644), -1);
	CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
	STEP(&f, "[ \"$(ls -A \"$V/$X\" | wc -l)\" -ge 11 ]; [ ! -e \"$V/$X/nope\" ]");
	fixture_umount(&f);
	STEP(&f,
	     "find \"$D/$X\" \"$V/$X\" -type f -print0 | tr -cd '\\0' | wc -c | grep -q '^22$'\n"
	     "diff -r \"$D/$X\" \"$V/$X\"");
	CHECK_INVARIANTS(&f);
}

static void subdirectories_and_links_are_kept_on_both_sides(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "cd \"$V/$X\"; mkdir -p a/b; echo 1 > a/b/one; ln -s b/one a/link; echo 2 > a/two\n"
	     "mv a c; grep -q 1 c/link; mv c/two c/b/; echo 3 >> c/b/two\n"
	     "until_ok grep -q 3 \"$D/$X/c/b/two\"; rm c/link; rmdir c 2>/dev/null && fail "
	     "removed; :");
	fixture_umount(&f);
	STEP(&f, "[ ! -e \"$V/$X/c/link\" ]; grep -q 3 \"$V/$X/c/b/two\"; cmp \"$V/$X/c/b/one\" "
		 "\"$D/$X/c/b/one\"");
	CHECK_INVARIANTS(&f);
}

static void locks_work_between_processes(void)
{
	cleanup_fixture struct fixture f = {0};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, status = 0;
	pid_t pid;

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	fd = open(at(&f, FIRST "/events.json"), O_RDWR | O_CLOEXEC);
	CU_ASSERT_EQUAL(flock(fd, LOCK_EX | LOCK_NB), 0);
	CU_ASSERT_EQUAL(fcntl(fd, F_SETLK, &lock), 0);
	pid = fork();
	if (pid == 0) {
		int other = open(at(&f, FIRST "/events.json"), O_RDWR | O_CLOEXEC);
		bool is_locked = flock(other, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK &&
				 fcntl(other, F_SETLK, &lock) < 0;

		_exit(is_locked ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(close(fd), 0);
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void copies_keep_their_directories_times(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     "n=17457886400-copied; cp -r \"$V/$X\" ../c; touch -d '2001-02-03' ../c/* ../c\n"
	     "cp -a ../c \"$V/$n\"; until_ok test -e \"$D/$n/events.json\"; echo x > \"$V/NEXT\"\n"
	     "[ \"$(stat -c %Y \"$V/$n\")\" = \"$(stat -c %Y ../c)\" ]");
	fixture_umount(&f);
	STEP(&f, "[ \"$(stat -c %Y \"$V/17457886400-copied\")\" = \"$(stat -c %Y ../c)\" ]");
	CHECK_INVARIANTS(&f);
}

static void touch_and_chmod_reach_both_sides(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; touch -d '2001-02-03 04:05:06.789' "
		 "\"$V/$X/events.json\"\n"
		 "chmod 640 \"$V/$X/metadata.json\"; chmod 750 \"$V/$X\"");
	fixture_umount(&f);
	STEP(&f, "for d in \"$V/$X\" \"$D/$X\"; do [ \"$(stat -c %.3Y $d/events.json)\" = "
		 "\"$(date -d '2001-02-03 04:05:06' +%s).789\" ]; [ \"$(stat -c %a "
		 "$d/metadata.json)\" = 640 ]\n"
		 "[ \"$(stat -c %a $d)\" = 750 ]; done");
	CHECK_INVARIANTS(&f);
}

/* Somebody sets the time of the durable file, and it is still the file that whoever writes has. */
static void a_file_that_is_touched_in_the_store_is_written_to_like_any_other(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -e \"$D/" THIRD "\"; python3 - <<'E'\n"
		 "import json, os, time\n"
		 "path = '/' + os.environ['X'] + '/metadata.json'\n"
		 "view, store = os.environ['V'] + path, os.environ['D'] + path\n"
		 "status = os.environ['V'] + '/.jpfs/status.json'\n"
		 "def is_pending():\n"
		 "    pending = json.load(open(status))['pending']\n"
		 "    return pending['commits'] + pending['projections'] > 0\n"
		 "for i in range(60):\n"
		 "    while is_pending():\n"
		 "        time.sleep(0.005)\n"
		 "    with open(view, 'r+b') as file:\n"
		 "        os.utime(store, (1700000000 + i, 1700000000 + i))\n"
		 "        os.stat(view)\n"
		 "        data = b'{\"title\": \"title %03d\"}' % i\n"
		 "        file.write(data)\n"
		 "        file.truncate()\n"
		 "        file.flush()\n"
		 "        os.fsync(file.fileno())\n"
		 "    assert open(view, 'rb').read() == data, (i, open(view, 'rb').read())\n"
		 "    assert open(store, 'rb').read() == data, (i, open(store, 'rb').read())\n"
		 "E\n");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(every_way_of_saving_reaches_both_sides),
		TEST(appending_a_turn_keeps_nothing_in_history),
		TEST(a_trim_is_durable_at_once_and_what_it_cut_is_kept),
		TEST(the_same_bytes_again_change_no_time_on_either_side),
		TEST(what_jp_would_reject_is_shown_here_and_never_durable),
		TEST(after_fsync_the_store_has_it),
		TEST(a_reader_of_the_store_never_meets_half_a_version),
		TEST(files_do_what_files_do),
		TEST(names_may_be_anything),
		TEST(subdirectories_and_links_are_kept_on_both_sides),
		TEST(locks_work_between_processes),
		TEST(copies_keep_their_directories_times),
		TEST(touch_and_chmod_reach_both_sides),
		TEST(a_file_that_is_touched_in_the_store_is_written_to_like_any_other),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("write", tests);
}
