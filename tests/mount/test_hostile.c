/*
 * A workspace whose author means harm: links where directories and files should be, also put there
 * while jpfs works. Semantics, section 10. What else such a workspace may hold is in
 * test_hostile_content.c.
 *
 * Beside the project lies what is none of its business: ../outside, with conversations that are
 * as good as real ones, and ../.ssh. Each file there says SECRET. After each test nothing there has
 * changed, and nothing of it is in the store.
 */
#include "tests/mount/fixture.h"

#include <poll.h>
#include <sys/wait.h>
#include <time.h>

static const char LIBRARY[] =
	"cat > ../lib.sh <<'END'\n"
	"picture_of_outside() { ! grep \"${P%/*}/[^/]*side/\" /proc/self/mountinfo || fail "
	"'mounted there'\n"
	"   find ../outside ../.ssh -printf '%p %y %m %T@ %s %l\\n' | sort\n"
	"  find ../outside ../.ssh -type f -exec cksum {} + | sort; }\n"
	"untouched() { picture_of_outside > ../picture.after\n"
	"  diff ../picture ../picture.after || fail 'something outside was changed'\n"
	"  [ ! -e ../data ] || ! grep -rl SECRET ../data || fail 'the store has what was outside'\n"
	"  [ ! -e ../data ] || [ -z \"$(find ../data -path '*/staging' -prune -o -type l -print)\" "
	"] || fail 'the store has a link'\n"
	"}\n"
	"refused() { if \"$J\" \"$@\" > ../said 2>&1; then cat ../said; fail \"done: $*\"; fi\n"
	"  not grep -q SECRET ../said || fail 'it shows what is outside'; }\n"
	"END\n"
	". ../lib.sh; mkdir ../outside ../.ssh; cp -a .jp ../outside/; mkdir ../outside/empty\n"
	"sed -i 's/Title/SECRET/' ../outside/.jp/conversations/*/*.json\n"
	"for n in " FIRST " " SECOND " " THIRD "; do\n"
	"  mv \"../outside/.jp/conversations/$n\" \"../outside/.jp/conversations/9$n\"; done\n"
	"echo SECRET > ../.ssh/id_rsa; picture_of_outside > ../picture\n";

static bool begin(struct fixture *f)
{
	if (!fixture_begin(f))
		return false;
	STEP(f, LIBRARY);
	return true;
}

static void a_link_in_place_of_a_directory_is_refused_and_named(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../lib.sh; mv .jp ../jp\n"
	     "for target in ../outside/.jp ../.ssh /etc ../data .jp .; do\n"
	     "  ln -s \"$target\" .jp\n"
	     "  for command in mount sync ls allow status; do refused $command .\n"
	     "    grep -q '/\\.jp: ' ../said || { cat ../said; fail \"$command, $target\"; }; "
	     "done\n"
	     "  [ ! -e ../data ] || fail 'a store was made'; rm .jp; done\n"
	     "mv ../jp .jp; mv .jp/conversations ../conversations\n"
	     "for target in ../../outside/.jp/conversations ../../.ssh /etc . conversations; do\n"
	     "  ln -s \"$target\" .jp/conversations\n"
	     "  for command in mount sync; do refused $command .\n"
	     "    grep -q '/\\.jp/conversations: a symbolic link' ../said ||\n"
	     "      { cat ../said; fail \"$command, $target\"; }; done\n"
	     "  \"$J\" ls . > ../said 2>&1 || :; not grep -q SECRET ../said\n"
	     "  rm .jp/conversations; done\n"
	     "not grep -q fuse.jpfs.*\"$P\" /proc/self/mountinfo; untouched\n"
	     "mv ../conversations .jp/conversations");
	fixture_mount(&f);
	/* A first use that was refused is still the first one: everything is imported. */
	STEP(&f, "for n in $X " SECOND " " THIRD "; do until_ok test -d \"$D/$n\"; done");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	STEP(&f, ". ../lib.sh; untouched");
}

static void an_id_that_is_a_link_is_refused(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, ". ../lib.sh; for target in ../../outside/.jp/.id /etc/passwd .id /dev/zero; do\n"
		 "  rm .jp/.id; ln -s \"$target\" .jp/.id\n"
		 "  for command in mount sync ls; do refused $command .\n"
		 "    grep -q '/\\.jp/\\.id: not a regular file, but a symbolic link' ../said ||\n"
		 "      { cat ../said; fail \"$command, $target\"; }; done; done\n"
		 "[ ! -e ../data ] || fail 'a store was made'; untouched");
}

static void a_conversation_that_is_a_link_is_not_one(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "ln -s ../../../outside/.jp/conversations/9$X .jp/conversations/917457886050-a\n"
		 "ln -s \"$P/../outside/.jp/conversations/9$X\" .jp/conversations/917457886051-b\n"
		 "ln -s 17457886052-self .jp/conversations/17457886052-self\n"
		 "ln -s \"$D/$X\" .jp/conversations/17457886053-silo\n"
		 "ln -s " SECOND " .jp/conversations/17457886054-other\n"
		 "ln -s ../../../outside/.jp/conversations .jp/conversations/.archive");
	fixture_mount(&f);
	/* What a person does with such a link is theirs; jpfs leaves it as git put it there. */
	STEP(&f, ". ../lib.sh; \"$J\" ls . > ../said 2>&1; not grep -q SECRET ../said\n"
		 "\"$J\" sync . > /dev/null 2>&1 || :\n"
		 "for n in 917457886050-a 917457886051-b 17457886052-self 17457886053-silo\\\n"
		 "  17457886054-other; do\n"
		 "  [ ! -d \"$D/$n\" ] || fail \"imported: $n\"; done\n"
		 "until_ok test -d \"$D/$X\"; [ \"$(ls -A \"$D\" | wc -l)\" = 3 ]\n"
		 "[ -L \"$V/.archive\" ]; [ -L \"$V/17457886052-self\" ]; untouched");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; untouched; \"$J\" sync .; \"$J\" ls --archived . > ../said 2>&1; "
		 "untouched\n"
		 "not grep -q SECRET ../said");
}

static void an_archive_that_becomes_a_link_takes_nothing_out_of_the_workspace(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f, "mkdir .jp/conversations/.archive\n"
		 "mv .jp/conversations/$X .jp/conversations/.archive/");
	fixture_mount(&f);
	/* Swapped beneath the mount, as somebody in another mount namespace could, under the feet of a
	 * process that is in there: what it names goes to the daemon, by the old directory. */
	STEP(&f,
	     ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"; cp \"$V/" THIRD
	     "/events.json\" ../e\n"
	     "mkdir ../below; mount --bind . ../below || { echo 'not root: skipped'; exit 0; }\n"
	     "B=$P/../below/.jp/conversations; O=$P; cd \"$V/.archive\"\n"
	     "mv \"$B/.archive\" \"$O/../archive\"; ln -s ../../../outside/empty \"$B/.archive\"\n"
	     "if mkdir 17457886060-made; then fail made; fi\n"
	     "if mv -T ../" SECOND " ./" SECOND "; then fail moved; fi\n"
	     "[ -d \"$D/" SECOND "\" ] || fail 'archived in the store only'\n"
	     "if mkdir other; then fail 'made another'; fi\n"
	     "rm -r ./$X || :; cp \"$O/../e\" ./$X/events.json || :\n"
	     "cd \"$O\"; \"$J\" sync . || :; untouched\n"
	     "rm \"$B/.archive\"; mv ../archive \"$B/.archive\"; untouched\n"
	     "until_ok umount ../below; until_ok \"$J\" umount .; untouched");
	fixture_kill(&f, f.project); /* it ended by itself; its log names the link, as it should */
	CHECK_INVARIANTS(&f);
	STEP(&f, ". ../lib.sh; untouched; [ -d \"$D/.archive/$X\" ]; [ -d \"$D/" SECOND "\" ]");
}

static void managed_files_that_are_links_are_neither_read_nor_written_through(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	/* On a workspace ID's first use everything is imported: a link is not a file of it. */
	STEP(&f,
	     "cd .jp/conversations; i=17457886060; O=../../../../outside/.jp/conversations/9$X\n"
	     "for file in metadata.json base_config.json events.json; do\n"
	     "  for target in /etc/passwd \"$O/$file\" \"$file\" \"$D/" SECOND "/$file\"\\\n"
	     "    \"../" SECOND
	     "/$file\" ../../../../.ssh/id_rsa /dev/zero /proc/self/environ; do\n"
	     "    i=$((i+1)); cp -a $X $i-link; ln -sf \"$target\" $i-link/$file\n"
	     "  done; done; rm -f */*~");
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; until_ok test -d \"$D/" THIRD "\"\n"
	     "for d in \"$D\"/*-link; do [ ! -e \"$d\" ] || fail \"imported: $d\"; done\n"
	     "\"$J\" ls . > ../said 2>&1; not grep -q SECRET ../said\n"
	     "for d in \"$V\"/*-link; do \"$J\" show \"${d##*/}\" > ../said 2>&1 || :\n"
	     "  not grep -q 'SECRET\\|root:' ../said || fail \"shown: $d\"; done\n"
	     "for d in \"$V\"/*-link; do for file in metadata base_config events; do\n"
	     "  [ -L \"$d/$file.json\" ] || continue\n"
	     "  cp \"$V/$X/$file.json\" \"$d/new\"; mv \"$d/new\" \"$d/$file.json\"\n"
	     "  done; done; untouched\n"
	     "for d in \"$V\"/*-link; do cmp \"$d/events.json\" \"$V/$X/events.json\"\n"
	     "  until_ok cmp \"$D/${d##*/}/events.json\" \"$V/$X/events.json\"; done; untouched");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
	STEP(&f, ". ../lib.sh; untouched");
}

static void a_projection_replaced_by_links_is_written_anew_and_not_through_them(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, "until_ok test -d \"$D/" THIRD "\"; echo note > \"$V/$X/NOTE\"\n"
		 "until_ok test -e \"$D/$X/NOTE\"");
	fixture_umount(&f);
	STEP(&f, "cd .jp/conversations; O=../../../../outside/.jp/conversations/9$X\n"
		 "for file in metadata.json base_config.json events.json; do\n"
		 "  ln -sf $O/$file $X/$file; done; ln -sf ../../../../.ssh/id_rsa $X/NOTE\n"
		 "rm -r " SECOND "; ln -s ../../../outside/.jp/conversations/9" SECOND " " SECOND
		 "\nrm -r " THIRD "; ln -s ../../../outside/empty " THIRD);
	fixture_mount(&f);
	STEP(&f,
	     ". ../lib.sh; for n in $X " SECOND " " THIRD "; do\n"
	     "  [ ! -L \"$D/$n\" ]; [ -f \"$D/$n/events.json\" ]; [ ! -L \"$D/$n/events.json\" ]\n"
	     "  done; untouched\n"
	     "cp \"$D/$X/metadata.json\" ../m; sed 's/First/Changed/' ../m > ../n\n"
	     "cp ../n \"$V/$X/new\"; mv \"$V/$X/new\" \"$V/$X/metadata.json\"\n"
	     "until_ok cmp ../n \"$D/$X/metadata.json\"; cmp ../n \"$V/$X/metadata.json\"\n"
	     "\"$J\" ls . > ../said 2>&1; not grep -q SECRET ../said; untouched");
	fixture_umount(&f);
	STEP(&f, ". ../lib.sh; untouched; cmp ../n \"$D/$X/metadata.json\"");
}

/* ---- links that come and go ---- */

/* Two names that are exchanged, each beneath a descriptor: a path could lead into the mount. */
struct swapped {
	int dirfd, other_dirfd;
	const char *name, *other_name;
};

/*
 * Exchange them again and again, some 100,000 times at most, until the other end of `until_fd` is
 * closed; what was there at the start is there at the end. A mount point cannot be renamed: not then.
 */
static void swap(const struct swapped *pair, int until_fd)
{
	struct pollfd other_end = {.fd = until_fd};
	bool is_swapped = false;
	unsigned swaps = 0;

	for (unsigned i = 0; i < 200000 && (is_swapped || poll(&other_end, 1, 0) == 0); i++) {
		struct timespec pause = {.tv_nsec = (long)(i * 7919 % 200000)};

		if (renameat2(pair->dirfd, pair->name, pair->other_dirfd, pair->other_name,
			      RENAME_EXCHANGE) == 0) {
			is_swapped = !is_swapped;
			swaps++;
		} else if (errno != EBUSY) {
			_exit(1);
		}
		(void)nanosleep(&pause, NULL); /* not in step with anything */
	}
	_exit(swaps > 100 ? 0 : 2);
}

/* Run a script while that happens. `place` and `other_place` are below the fixture's base. */
static void run_swapping(struct fixture *f, const char *place, const char *name,
			 const char *other_name, const char *script)
{
	cleanup_close int base = open(f->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int dirfd = openat(base, place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct swapped pair = {dirfd, base, name, other_name};
	int ends[2], status = -1;
	pid_t pid;

	CU_ASSERT(dirfd >= 0);
	CU_ASSERT_EQUAL(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[1]);
		swap(&pair, ends[0]);
	}
	(void)close(ends[0]);
	STEP(f, script);
	(void)close(ends[1]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(status == 0, "%s/%s: %#x", place, name, (unsigned)status);
}

/* What jpfs does that looks at the workspace's side; any of it may fail, none may go astray. */
static const char LOOK_AROUND[] =
	". ../lib.sh; for i in 1 2 3; do for command in ls sync status history; do\n"
	"  timeout 100 \"$J\" $command . > ../said 2>&1 || [ $? -lt 124 ] || fail \"$command "
	"hangs\"\n"
	"  not grep -q SECRET ../said || { cat ../said; fail \"$command shows it\"; }; done\n"
	"  if timeout 100 \"$J\" mount . > ../said 2>&1; then\n"
	"    timeout 100 \"$J\" umount . > /dev/null 2>&1 || umount -l \"$V\" || :\n"
	"  else [ $? -lt 124 ] || fail 'mount hangs'; fi; done; untouched\n";

static void links_that_are_swapped_in_while_jpfs_starts_lead_nowhere(void)
{
	static const struct {
		const char *place, *name, *target;
	} rows[] = {
		{"project", ".jp", "outside/.jp"},
		{"project/.jp", "conversations", "outside/.jp/conversations"},
		{"project/.jp", ".id", "outside/.jp/.id"},
		{"project/.jp/conversations", FIRST, "outside/.jp/conversations/9" FIRST},
		{"project/.jp/conversations", ".archive", "outside/.jp/conversations"},
		{"project/.jp/conversations/" FIRST, "events.json",
		 "outside/.jp/conversations/9" FIRST "/events.json"},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cleanup_fixture struct fixture f = {0};
		char place[600], target[700];

		if (!begin(&f))
			return;
		STEP(&f, "mkdir .jp/conversations/.archive\n"
			 "cp -r .jp/conversations/$X .jp/conversations/.archive/17457886060-kept");
		(void)snprintf(place, sizeof(place), "%s/link", f.base);
		(void)snprintf(target, sizeof(target), "%s/%s", f.base, rows[i].target);
		CU_ASSERT_EQUAL(symlink(target, place), 0);
		run_swapping(&f, rows[i].place, rows[i].name, "link", LOOK_AROUND);
		STEP(&f, ". ../lib.sh; rm ../link; ! is_mounted \"$V\" || \"$J\" umount .\n"
			 "untouched; until_ok not is_mounted \"$V\"");
		fixture_mount(&f);
		/* The one that was a link when everything was imported is imported later. */
		STEP(&f, ". ../lib.sh; for n in " SECOND " " THIRD "; do\n"
			 "  until_ok cmp \"$V/$n/events.json\" \"$D/$n/events.json\"; done\n"
			 "git show HEAD:.jp/conversations/$X/events.json | cmp - "
			 "\"$V/$X/events.json\"\n"
			 "untouched");
		fixture_umount(&f);
		CHECK_INVARIANTS(&f);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(a_link_in_place_of_a_directory_is_refused_and_named),
		TEST(an_id_that_is_a_link_is_refused),
		TEST(a_conversation_that_is_a_link_is_not_one),
		TEST(an_archive_that_becomes_a_link_takes_nothing_out_of_the_workspace),
		TEST(managed_files_that_are_links_are_neither_read_nor_written_through),
		TEST(a_projection_replaced_by_links_is_written_anew_and_not_through_them),
		TEST(links_that_are_swapped_in_while_jpfs_starts_lead_nowhere),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("hostile", tests);
}
