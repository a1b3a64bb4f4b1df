/*
 * Where the kernel cannot be told of changes, or only of some: no watches left, no inotify at all, no
 * second process, a store that others change unheard. Everything is slower then, and nothing is wrong.
 */
#include "tests/mount/fixture.h"

/*
 * In a user namespace of its own: its limits are nobody else's. `limited LIMIT VALUE` sets one of
 * user.max_inotify_*; `kept` is the word of status.json on whether all is kept.
 */
static const char HELPERS[] =
	"limited() { echo $2 > /proc/sys/user/max_inotify_$1; }\n"
	"kept() { python3 -c 'import json, sys\n"
	"k = json.load(open(sys.argv[1]))[\"kernel_cache\"]\n"
	"print(k and json.dumps(k[\"complete\"]))' \"$V/.jpfs/status.json\" | grep -qx $1; }\n";

/* What has to hold whatever is kept: changes of each kind in the store, and writes here. */
static const char COHERENT[] =
	"until_ok test -d \"$D/" THIRD "\"; cat \"$V\"/*/*.json > ../all; ls -lR \"$V\" > ../all\n"
	"for c in " FIRST " " SECOND " " THIRD "; do for k in 1 2 3; do\n"
	"  sed \"s/title\\\": \\\"[^\\\"]*/title\\\": \\\"Turn $k/\" \"$V/$c/metadata.json\" > "
	"../m\n"
	"  cp ../m \"$D/$c/metadata.json.tmp\"; mv \"$D/$c/metadata.json.tmp\" "
	"\"$D/$c/metadata.json\"\n"
	"  until_ok cmp ../m \"$V/$c/metadata.json\"\n"
	"  [ \"$(stat -c %s \"$V/$c/metadata.json\")\" = \"$(stat -c %s ../m)\" ]; done\n"
	/* Once seen, always seen. */
	"for k in 1 2 3 4 5 6 7 8 9; do cmp ../m \"$V/$c/metadata.json\"; done\n"
	/* Through the mount, the other way. */
	"sed -i 's/Turn 3/Mounted/' \"$V/$c/metadata.json\"; grep -q Mounted "
	"\"$V/$c/metadata.json\"\n"
	"until_ok grep -q Mounted \"$D/$c/metadata.json\"\n"
	"[ ! -e \"$V/$c/NOTE\" ]; echo one > \"$V/$c/NOTE\"; until_ok grep -q one \"$D/$c/NOTE\"\n"
	"echo two >> \"$V/$c/NOTE\"; until_ok grep -q two \"$D/$c/NOTE\"; rm \"$V/$c/NOTE\"\n"
	"until_ok test ! -e \"$D/$c/NOTE\"; done\n"
	"rm -r \"$V/" THIRD "\"; [ -d \"$D/" THIRD "\" ]; mv \"$V/.jpfs/local/" THIRD
	"\" \"$V\"; [ -e \"$V/" THIRD "/metadata.json\" ]\n"
	"git status --short > ../status; \"$J\" umount .\n";

/* `before` the mount, `checks` while it is there, in a user namespace; skipped where there is none. */
static void in_a_namespace(struct fixture *f, int line, const char *before, const char *checks)
{
	cleanup_free char *text = NULL;

	if (fixture_run(f, "unshare --user --map-root-user --mount true") != 0) {
		(void)printf("(no user namespaces here: skipped) ");
		return;
	}
	/* The shell's functions are there as well: it runs itself again, in the namespace. */
	if (asprintf(&text,
		     "if [ -z \"${inside-}\" ]; then export inside=1\n"
		     "  exec unshare --user --map-root-user --mount sh -c \"$(tr '\\0' '\\n' < "
		     "/proc/$$/cmdline | sed 1,2d)\"; fi\n"
		     "%s%s\n\"$J\" mount .\n%s%s",
		     HELPERS, before, checks, COHERENT) >= 0)
		fixture_step(f, __FILE__, line, text);
}

static void what_is_not_watched_is_asked_for_again(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	in_a_namespace(&f, __LINE__, "limited watches 3",
		       "until_ok kept false; \"$J\" status . | grep -q max_user_watches\n");
	CHECK_INVARIANTS(&f);
}

static void with_no_watches_at_all_nothing_is_kept(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	in_a_namespace(&f, __LINE__, "limited watches 0",
		       "until_ok kept false; \"$J\" status . | grep -q max_user_watches\n");
	CHECK_INVARIANTS(&f);
}

static void without_inotify_nothing_is_kept(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	in_a_namespace(&f, __LINE__, "limited instances 0",
		       "kept None; \"$J\" status . | grep -q 'every access asks'\n");
	CHECK_INVARIANTS(&f);
}

/* The store hears of its changes, and the second process has no inotify to see a writer's end by; or
 * the other way round: who was first. */
static void with_one_inotify_for_two_processes_all_is_stored(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	in_a_namespace(&f, __LINE__, "limited instances 1", "");
	CHECK_INVARIANTS(&f);
}

/* bindfs stands for a network filesystem: what others change beneath it makes no events. */
static void a_store_that_others_change_unheard_is_asked_each_time(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!fixture_begin(&f))
		return;
	if (fixture_run(&f, "mkdir ../data ../remote\n"
			    "bindfs -o attr_timeout=0,entry_timeout=0,negative_timeout=0 "
			    "../remote ../data") != 0) {
		(void)printf("(bindfs cannot be mounted here: skipped) ");
		return;
	}
	fixture_mount(&f);
	{
		cleanup_free char *text = NULL;

		if (asprintf(&text,
			     "%skept None; \"$J\" status . | grep -q 'every access asks'\n"
			     "D=$(cd ../remote && pwd)${D#*/data}\n%s",
			     HELPERS, COHERENT) >= 0)
			fixture_step(&f, __FILE__, __LINE__, text);
	}
	fixture_wait_end(&f, f.project);
	CHECK_INVARIANTS(&f);
	STEP(&f, "fusermount3 -u ../data || umount ../data");
}

static void on_request_the_kernel_keeps_nothing(void)
{
	cleanup_fixture struct fixture f = {0};
	cleanup_free char *text = NULL;

	if (!fixture_begin(&f))
		return;
	fixture_mount_at(&f, f.project, "uncached");
	if (asprintf(&text, "%skept None; \"$J\" status . | grep -q 'every access asks'\n%s",
		     HELPERS, COHERENT) >= 0)
		fixture_step(&f, __FILE__, __LINE__, text);
	fixture_wait_end(&f, f.project);
	CHECK_INVARIANTS(&f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_not_watched_is_asked_for_again),
		TEST(with_no_watches_at_all_nothing_is_kept),
		TEST(without_inotify_nothing_is_kept),
		TEST(with_one_inotify_for_two_processes_all_is_stored),
		TEST(a_store_that_others_change_unheard_is_asked_each_time),
		TEST(on_request_the_kernel_keeps_nothing),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("fallbacks", tests);
}
