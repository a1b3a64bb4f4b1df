/*
 * `jpfs doctor`: each thing that a support thread would ask for is brought about, found, and told with
 * its remedy, in words and in JSON; what is as it should be has none.
 *
 * What is the machine's (devices, limits of the kernel) is changed for the asking process alone, in a
 * mount namespace, and so only by root.
 */
#include "tests/mount/fixture.h"

/*
 *     finds CHECK VERDICT TEXT [COMMAND...]   `jpfs doctor` (after COMMAND, like `env A=b`) has this,
 *                                             with a hint where it is no "ok", unless TEXT ends in '.'
 *     hint CHECK                              the hint of it
 */
static const char LIBRARY[] =
	"cat > ../doctor.py <<'END'\n"
	"import json, sys\n"
	"how, name, verdict, text = sys.argv[1:5]\n"
	"found = [c for c in json.load(sys.stdin) if c['check'] == name]\n"
	"if not any(c['verdict'] == verdict and text in c['message'] and\n"
	"           (c['verdict'] == 'ok' or how == 'no-hint') == ('remedy' not in c) for c in "
	"found):\n"
	"    sys.exit('%s %s %s: %s' % (name, verdict, text, found))\n"
	"END\n"
	"cat > ../doctor.sh <<'END'\n"
	"asks() { \"$@\" \"$J\" doctor --json ${WHERE-} > ../found 2> ../err || [ $? = 1 ] || fail "
	"\"$(cat ../err)\"; }\n"
	"finds() { n=$1 v=$2 t=$3; shift 3; asks \"$@\"; python3 ../doctor.py ${H-hint} \"$n\" "
	"\"$v\" "
	"\"$t\" < ../found || fail \"$*\"; }\n"
	"hint() { python3 -c 'import json, sys\n"
	"print([c.get(\"remedy\") for c in json.load(sys.stdin) if c[\"check\"] == sys.argv[1]])' "
	"$1 < "
	"../found; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	STEP(fixture, LIBRARY);
	return true;
}

static void what_is_as_it_should_be_needs_nothing(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f, ". ../doctor.sh; e='env JPFS_AUTOMOUNT=1 GIT_DISCOVERY_ACROSS_FILESYSTEM=1'\n"
		 "until_ok test -d \"$D/" THIRD "\"\n"
		 "finds versions ok \"$(\"$J\" --version)\" $e; finds versions ok Linux $e\n"
		 "finds fuse ok /dev/fuse $e; finds descriptors ok files $e\n"
		 "finds shell ok entered $e; finds git ok repository $e\n"
		 "finds store ok \"${P%/project}/data\" $e; finds workspace ok \"$P\" $e\n"
		 "finds mount ok \"$V\" $e; finds drafts ok none $e; finds silo ok \"$S\" $e\n"
		 "finds trust ok may $e\n"
		 /* In words: a line for each, and no hint. */
		 "$e \"$J\" doctor > ../words || :; grep -q '^ok  *silo  *'\"$S\" ../words");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void what_the_account_lacks_is_told_with_its_remedy(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	STEP(&f,
	     ". ../doctor.sh; u='env -u JPFS_AUTOMOUNT -u GIT_DISCOVERY_ACROSS_FILESYSTEM'\n"
	     "finds shell note 'not mounted' $u; hint shell | grep -q shell-init\n"
	     "finds git note 'no repository' $u; hint git | grep -q DISCOVERY_ACROSS\n"
	     "finds shell note 'not mounted' env JPFS_AUTOMOUNT=0\n"
	     "H=no-hint; finds store note 'first mount makes it'\n"
	     "H=no-hint; finds silo note 'first mount'; unset H\n"
	     "echo > ../file; finds store wrong 'Not a directory' env "
	     "JP_USER_DATA_DIR=\"$P/../file\"\n"
	     "hint store | grep -q JP_USER_DATA_DIR\n"
	     "low() { prlimit --nofile=512:512 \"$@\"; }\n"
	     "if command -v prlimit; then finds descriptors wrong ' 512 ' low\n"
	     "  hint descriptors | grep -q ulimit; fi\n"
	     "WHERE=/; finds workspace note ''; unset WHERE\n"
	     "finds mount note 'not mounted'; hint mount | grep -q 'jpfs mount'\n"
	     /* Of somebody else's, and what only root can make so. */
	     "[ \"$(id -u)\" = 0 ] || exit 0\n"
	     "mkdir ../full; if mount -t tmpfs -o size=64k none ../full; then\n"
	     "  (finds store wrong megabyte env JP_USER_DATA_DIR=\"$P/../full\") || full=fail\n"
	     "  umount ../full; [ -z \"${full-}\" ]; fi\n"
	     "mkdir ../theirs; chown 65534 ../theirs\n"
	     "finds store wrong 'ID 65534' env JP_USER_DATA_DIR=\"$P/../theirs\"\n"
	     "hint store | grep -q yourself\n"
	     "chown 65534 .jp; finds workspace note 'ID 65534'; hint workspace | grep -q never\n"
	     "chown 0 .jp");
}

static void what_is_open_in_a_workspace_is_told_with_its_remedy(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	STEP(&f,
	     ". ../doctor.sh; until_ok test -d \"$D/" THIRD "\"\n"
	     "cp \"$V/$X/metadata.json\" ../whole; echo '{' > \"$V/$X/metadata.json\"\n"
	     "drafted() { (finds drafts note '1: '); }; until_ok drafted; hint drafts | grep -q "
	     "'jpfs discard'\n"
	     "cp ../whole \"$V/$X/metadata.json\"; settled() { (finds drafts ok none); }; "
	     "until_ok settled\n"
	     /* The next version of the program, as after an upgrade. */
	     "v=$(\"$J\" --version); v=${v#jpfs }; python3 -c 'import sys\n"
	     "old, new = (v.encode() + bytes(1) for v in (sys.argv[2], \"9\" + sys.argv[2][1:]))\n"
	     "open(\"../next\", \"wb\").write(open(sys.argv[1], \"rb\").read().replace(old, new))' "
	     "\"$J\" \"$v\"\n"
	     "chmod +x ../next; (J=../next; finds mount note \"jpfs $v\"; hint mount | grep -q "
	     "'jpfs "
	     "umount'); rm ../next\n"
	     "mkdir ../elsewhere; finds mount wrong 'another user data' env "
	     "JP_USER_DATA_DIR=\"$P/../elsewhere\"\n"
	     "hint mount | grep -q JP_USER_DATA_DIR; rmdir ../elsewhere\n"
	     "ln -s data ../link; (finds mount ok \"$V\" env JP_USER_DATA_DIR=\"$P/../link\"); rm "
	     "../link\n"
	     "chmod 755 \"$S\"; finds silo note 'look into'; hint silo | grep -q chmod; chmod "
	     "700 \"$S\"\n"
	     /* A clone claims the same ID. */
	     "git clone -q . ../clone; WHERE=../clone; finds trust note 'may not yet'\n"
	     "hint trust | grep -q 'jpfs allow'; unset WHERE\n"
	     /* A malformed ID. */
	     "printf '<<<<<<< HEAD\\n' >> ../clone/.jp/.id; WHERE=../clone; finds workspace "
	     "wrong ''");
	fixture_umount(&f);
	CHECK_INVARIANTS(&f);
}

static void a_failure_of_the_daemon_is_told(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	fixture_mount(&f);
	/* The projection cannot follow: something is in its place. */
	STEP(&f,
	     ". ../doctor.sh; until_ok test -d \"$D/" THIRD "\"; [ \"$(id -u)\" = 0 ] || exit 0\n"
	     "command -v unshare || exit 0\n"
	     "until_ok sh -c '\"$J\" status | grep -q \"pending: *nothing\"'\n"
	     "mkdir ../under; mount --bind \"$P/.jp\" ../under; under=$P/../under/conversations\n"
	     "rm -r \"$under/$X\"; echo in the way > \"$under/$X\"; umount ../under\n"
	     "sed -i s/First/Blocked/ \"$V/$X/metadata.json\"\n"
	     "told() { (finds mount wrong \"$X\"); }; until_ok told; hint mount > ../hint\n"
	     "mount --bind \"$P/.jp\" ../under; rm \"$under/$X\"; umount ../under; rmdir ../under\n"
	     "until_ok sh -c '\"$J\" status | grep -q \"pending: *nothing\"'");
	/* What the daemon has said is no more than what it was made to say. */
	STEP(&f, "\"$J\" umount; diff -r \"$V/$X\" \"$D/$X\"");
}

static void what_the_machine_lacks_is_told_with_its_remedy(void)
{
	cleanup_fixture struct fixture f = {0};

	if (!begin(&f))
		return;
	if (geteuid() != 0 || fixture_run(&f, "unshare -m true") != 0) {
		printf("(no mount namespaces here: skipped) ");
		return;
	}
	STEP(&f,
	     ". ../doctor.sh; cat > ../without.sh <<'END'\n"
	     "#!/bin/sh\n"
	     "mount --make-rprivate /; what=$1; shift\n"
	     "case $what in\n"
	     "  watches) mount -t tmpfs none /proc/sys/fs/inotify\n"
	     "    echo 100 > /proc/sys/fs/inotify/max_user_watches;;\n"
	     "  device) mount -t tmpfs none /dev;;\n"
	     "  access|fusermount) mount -t tmpfs none /dev\n"
	     "    [ $what = access ] && mode=600 || mode=666; mknod -m $mode /dev/fuse c 10 229\n"
	     "    : > ../plain; f=$(command -v fusermount3) && mount --bind ../plain \"$f\"\n"
	     "    exec setpriv --reuid=65534 --regid=65534 --clear-groups env PATH=/nowhere "
	     "\"$@\";;\n"
	     "  capability) exec setpriv --bounding-set=-sys_admin \"$@\";;\n"
	     "  privileges) exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "
	     "\"$@\";;\n"
	     "esac\n"
	     "exec \"$@\"\n"
	     "END\n"
	     "without() { unshare -m sh ../without.sh \"$@\"; }\n"
	     "finds watches note ' 100 ' without watches; hint watches | grep -q sysctl\n"
	     "finds fuse wrong /dev/fuse without device; hint fuse | grep -q modprobe\n"
	     "finds fuse wrong CAP_SYS_ADMIN without capability; hint fuse | grep -q cap-add\n"
	     "setpriv --reuid=65534 --regid=65534 --clear-groups test -x \"$J\" || exit 0\n"
	     "[ ! -w /dev/fuse ] || setpriv --reuid=65534 --regid=65534 --clear-groups test ! -w "
	     "/dev/fuse ||\n"
	     "  finds fuse wrong no_new_privs without privileges\n"
	     "finds fuse wrong 'may not be opened' without access; hint fuse | grep -q 'chmod "
	     "666'\n"
	     "finds fuse wrong fusermount3 without fusermount; hint fuse | grep -q 'apt install'");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(what_is_as_it_should_be_needs_nothing),
		TEST(what_the_account_lacks_is_told_with_its_remedy),
		TEST(what_is_open_in_a_workspace_is_told_with_its_remedy),
		TEST(a_failure_of_the_daemon_is_told),
		TEST(what_the_machine_lacks_is_told_with_its_remedy),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("doctor", tests);
}
