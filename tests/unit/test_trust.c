/* Who may use a silo without asking: real git repositories, and forged ones. */
#include "tests/unit/harness.h"

#include "core/git_worktree.h"
#include "core/trust.h"
#include "tests/fault/fault.h"

#include <pthread.h>
#include <sys/wait.h>

/* Run a shell script in a directory, away from the configuration of whoever runs the test. */
static int run(const char *directory, const char *script)
{
	static const char *const unset[] = {"GIT_DIR",        "GIT_WORK_TREE",
					    "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
					    "GIT_PREFIX",     "GIT_COMMON_DIR"};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t i = 0; i < COUNT_OF(unset); i++)
			(void)unsetenv(unset[i]);
		(void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
		(void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
		(void)setenv("GIT_AUTHOR_NAME", "t", 1);
		(void)setenv("GIT_AUTHOR_EMAIL", "t@example.org", 1);
		(void)setenv("GIT_COMMITTER_NAME", "t", 1);
		(void)setenv("GIT_COMMITTER_EMAIL", "t@example.org", 1);
		if (chdir(directory) == 0)
			(void)execlp("sh", "sh", "-euc", script, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool has_git(void)
{
	if (run("/", "git --version >/dev/null 2>&1") == 0)
		return true;
	(void)printf("(no git here: skipped) ");
	return false;
}

/* A directory with a silo in it, made as if long ago. */
static void open_silo(const struct jp_test_dir *dir, struct jp_silo *ret)
{
	struct jp_error error = {0};
	char user_data[PATH_MAX + 16];

	(void)snprintf(user_data, sizeof(user_data), "%s/data", dir->path);
	CHECK(jp_silo_open(user_data, "otvo8", "proj", true, ret, &error) == 0, "%s",
	      error.message);
	ret->was_made = false;
}

static bool find(const struct jp_test_dir *dir, const char *root, struct jp_workspace *ret)
{
	struct jp_error error = {0};
	char path[PATH_MAX + NAME_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir->path, root);
	return CHECK(jp_workspace_find(path, ret, &error) == 0, "%s: %s", root, error.message);
}

static int check(const struct jp_test_dir *dir, const struct jp_silo *silo, const char *root)
{
	cleanup_workspace struct jp_workspace workspace = {0};

	return find(dir, root, &workspace) ? jp_trust_check(silo, &workspace) : -ENOMEDIUM;
}

static void allow(const struct jp_test_dir *dir, const struct jp_silo *silo, const char *root)
{
	cleanup_workspace struct jp_workspace workspace = {0};
	struct jp_error error = {0};

	if (find(dir, root, &workspace))
		CHECK(jp_trust_add(silo, &workspace, &error) == 0, "%s: %s", root, error.message);
}

/* A repository with a workspace committed in it. */
static const char make_repository[] =
	"mkdir proj && cd proj && git init -q . && mkdir .jp && printf 'otvo8\\n' >.jp/.id &&"
	"git add . && git commit -qm one";

static void only_a_listed_root_is_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp two/.jp"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "two"), 0);
	allow(&dir, &silo, "two");
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "two"), 1);
}

static void first_root_of_a_silo_just_made_is_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp two/.jp"), 0);
	silo.was_made = true;
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 1);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(check(&dir, &silo, "two"), 0);
}

static void listing_twice_changes_nothing(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	struct stat before, after;

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp"), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(fstatat(silo.own_fd, "allowed.json", &before, 0), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(fstatat(silo.own_fd, "allowed.json", &after, 0), 0);
	CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
	CU_ASSERT_EQUAL(before.st_mode, S_IFREG | 0600);
}

static void moved_root_stays_trusted_and_its_old_path_is_not(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	cleanup_free char *text = NULL;

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp"), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(run(dir.path, "mv one moved && mkdir -p one/.jp"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "moved"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);

	/* Listed again, it has its new path and is still one entry. */
	allow(&dir, &silo, "moved");
	CU_ASSERT_EQUAL(jp_read_file(silo.own_fd, "allowed.json", 1 << 16, &text, NULL), 0);
	CU_ASSERT(text != NULL && strstr(text, "/moved\"") != NULL);
	CU_ASSERT(text != NULL && strstr(text, "/one\"") == NULL);
}

static void new_directory_with_the_old_inode_is_not_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	struct statx st = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp"), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(statx(dir.fd, "one", 0, STATX_BTIME, &st), 0);
	if ((st.stx_mask & STATX_BTIME) == 0) {
		(void)printf("(no birth times here: skipped) ");
		return;
	}
	/* ext4 gives a freed inode to the next directory that is made. */
	CU_ASSERT_EQUAL(run(dir.path, "rm -r one && mkdir -p one/.jp"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);
}

static void linked_worktree_of_a_listed_root_is_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
	CU_ASSERT_EQUAL(run(dir.path, "cd proj && git worktree add -q ../linked &&"
				      "git worktree add -q ../other"),
			0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "linked"), 0);
	allow(&dir, &silo, "proj");
	CU_ASSERT_EQUAL(check(&dir, &silo, "linked"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "other"), 1);

	/* A pointer may be relative, as newer versions of git write it. */
	CU_ASSERT_EQUAL(run(dir.path, "echo 'gitdir: ../proj/.git/worktrees/linked' >linked/.git &&"
				      "echo ../../../../linked/.git "
				      ">proj/.git/worktrees/linked/gitdir &&"
				      "git -C linked status >/dev/null"),
			0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "linked"), 1);
}

static void worktrees_of_a_root_that_became_a_repository_are_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p proj/.jp && echo otvo8 >proj/.jp/.id"), 0);
	allow(&dir, &silo, "proj");
	CU_ASSERT_EQUAL(run(dir.path, "cd proj && git init -q . && git add . &&"
				      "git commit -qm one && git worktree add -q ../linked"),
			0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "linked"), 1);
}

static void main_worktree_of_a_listed_linked_one_is_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
	CU_ASSERT_EQUAL(run(dir.path, "cd proj && git worktree add -q ../linked"), 0);
	allow(&dir, &silo, "linked");
	CU_ASSERT_EQUAL(check(&dir, &silo, "proj"), 1);
}

static void bare_repositorys_worktrees_are_trusted_also_when_the_first_is_gone(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
	CU_ASSERT_EQUAL(run(dir.path, "git clone -q --bare proj bare.git && cd bare.git &&"
				      "git worktree add -q -b one ../one &&"
				      "git worktree add -q -b two ../two"),
			0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(check(&dir, &silo, "two"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "proj"), 0);
	CU_ASSERT_EQUAL(run(dir.path, "git -C bare.git worktree remove ../one &&"
				      "git -C bare.git worktree add -q -b three ../three"),
			0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "three"), 1);
}

static void clone_is_not_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
	allow(&dir, &silo, "proj");
	CU_ASSERT_EQUAL(run(dir.path, "git clone -q proj clone && git clone -q -s proj shared &&"
				      "git clone -q --separate-git-dir=apart proj separate &&"
				      "cp -a proj copy"),
			0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "clone"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "shared"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "separate"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "copy"), 0);
}

static void forged_pointers_are_not_trusted(void)
{
	/* Each makes a directory `evil` that claims to be a worktree of `proj`. `linked` is one. */
	static const char *const forgeries[] = {
		/* pointing at another worktree's entry */
		"echo \"gitdir: $PWD/proj/.git/worktrees/linked\" >evil/.git",
		"cp linked/.git evil/.git",
		/* pointing at the repository itself, or at nothing */
		"echo \"gitdir: $PWD/proj/.git\" >evil/.git",
		"echo 'gitdir: ../proj/.git' >evil/.git",
		"echo 'gitdir: /proc/self/cwd' >evil/.git",
		"echo gitdir: >evil/.git",
		": >evil/.git",
		"printf 'gitdir: ../proj/.git/worktrees/linked\\0x' >evil/.git",
		"mkfifo evil/.git",
		/* the `.git` of another directory by a link */
		"ln -s ../linked/.git evil/.git",
		"ln -s ../proj/.git evil/.git",
		/* a look-alike inside, which agrees with everything and names the real repository
		 */
		"mkdir -p evil/fake/worktrees/w && echo 'gitdir: fake/worktrees/w' >evil/.git &&"
		"echo ../../../.git >evil/fake/worktrees/w/gitdir &&"
		"echo \"$PWD/proj/.git\" >evil/fake/worktrees/w/commondir",
		/* the same, with its `worktrees` a link to the real one's */
		"mkdir -p evil/fake/w && echo 'gitdir: fake/w' >evil/.git &&"
		"echo ../../.git >evil/fake/w/gitdir &&"
		"ln -s \"$PWD/proj/.git/worktrees\" evil/fake/worktrees &&"
		"echo .. >evil/fake/w/commondir",
		"mkdir -p evil/fake && echo 'gitdir: fake/worktrees/linked' >evil/.git &&"
		"ln -s \"$PWD/proj/.git/worktrees\" evil/fake/worktrees",
		/* a directory `.git` that says its common directory is the real one */
		"mkdir evil/.git && echo \"$PWD/proj/.git\" >evil/.git/commondir &&"
		"echo \"$PWD/evil/.git\" >evil/.git/gitdir",
	};

	if (!has_git())
		return;
	for (size_t i = 0; i < COUNT_OF(forgeries); i++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0};

		jp_test_dir_open(&dir);
		open_silo(&dir, &silo);
		CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
		CU_ASSERT_EQUAL(run(dir.path, "git -C proj worktree add -q ../linked &&"
					      "mkdir -p evil/.jp"),
				0);
		allow(&dir, &silo, "proj");
		CHECK(run(dir.path, forgeries[i]) == 0, "forgery %zu", i);
		CHECK(check(&dir, &silo, "evil") == 0, "forgery %zu", i);
		CHECK(check(&dir, &silo, "linked") == 1, "forgery %zu", i);
	}
}

static void worktree_copied_elsewhere_is_not_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
	CU_ASSERT_EQUAL(run(dir.path, "git -C proj worktree add -q ../linked && cp -a linked copy"),
			0);
	allow(&dir, &silo, "proj");
	CU_ASSERT_EQUAL(check(&dir, &silo, "copy"), 0);
}

static void root_that_jps_link_names_is_trusted_until_one_is_listed(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	char target[PATH_MAX + 16];

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp two/.jp"), 0);
	(void)snprintf(target, sizeof(target), "%s/one/.jp", dir.path);
	CU_ASSERT_EQUAL(symlinkat(target, silo.fd, "storage"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "two"), 0);
	allow(&dir, &silo, "two");
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);
}

static void worktree_of_the_root_that_jps_link_names_is_trusted(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	char target[PATH_MAX + 16];

	jp_test_dir_open(&dir);
	if (!has_git())
		return;
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, make_repository), 0);
	CU_ASSERT_EQUAL(run(dir.path, "git -C proj worktree add -q ../linked &&"
				      "git clone -q proj clone"),
			0);
	(void)snprintf(target, sizeof(target), "%s/proj/.jp", dir.path);
	CU_ASSERT_EQUAL(symlinkat(target, silo.fd, "storage"), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "linked"), 1);
	CU_ASSERT_EQUAL(check(&dir, &silo, "clone"), 0);
}

static void odd_storage_entries_trust_nobody(void)
{
	static const char *const targets[] = {"one/.jp", "../../../one/.jp", "/.jp", ".jp", "/one"};
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp"), 0);
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		CU_ASSERT_EQUAL(symlinkat(targets[i], silo.fd, "storage"), 0);
		CHECK(check(&dir, &silo, "one") == 0, "%s", targets[i]);
		CU_ASSERT_EQUAL(unlinkat(silo.fd, "storage", 0), 0);
	}
	CU_ASSERT_EQUAL(mkdirat(silo.fd, "storage", 0700), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);
}

static void damaged_list_trusts_nobody_and_is_not_overwritten(void)
{
	static const char *const texts[] = {"", "{", "[]", "null", "{\"roots\":{}}", "\xff"};
	static const char odd[] = "{\"roots\":[1,null,{},{\"path\":7}]}";
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	silo.was_made = true;
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp"), 0);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		cleanup_workspace struct jp_workspace workspace = {0};
		cleanup_free char *text = NULL;
		struct jp_error error = {0};

		CU_ASSERT_EQUAL(jp_replace_file(silo.own_fd, "allowed.json", texts[i],
						strlen(texts[i]), 0600),
				0);
		CHECK(check(&dir, &silo, "one") == 0, "text %zu", i);
		if (!find(&dir, "one", &workspace))
			continue;
		CHECK(jp_trust_add(&silo, &workspace, &error) == -EBADMSG, "text %zu", i);
		CHECK(strstr(error.message, "/jpfs/allowed.json: ") != NULL, "%s", error.message);
		CU_ASSERT(strstr(error.remedy, "remove it") != NULL);
		CU_ASSERT_EQUAL(jp_read_file(silo.own_fd, "allowed.json", 4096, &text, NULL), 0);
		CHECK(text != NULL && strcmp(text, texts[i]) == 0, "text %zu", i);
	}
	/* Entries that say nothing are no reason to forget the others. */
	CU_ASSERT_EQUAL(jp_replace_file(silo.own_fd, "allowed.json", odd, strlen(odd), 0600), 0);
	allow(&dir, &silo, "one");
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 1);
}

static void silo_without_our_directory_lists_nobody(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	cleanup_workspace struct jp_workspace workspace = {0};
	struct jp_error error = {0};

	jp_test_dir_open(&dir);
	CU_ASSERT_EQUAL(run(dir.path, "mkdir -p workspace/proj-otvo8 one/.jp"), 0);
	CU_ASSERT_EQUAL(jp_silo_open(dir.path, "otvo8", "proj", false, &silo, NULL), 0);
	CU_ASSERT_EQUAL(check(&dir, &silo, "one"), 0);
	if (find(&dir, "one", &workspace))
		CU_ASSERT_EQUAL(jp_trust_add(&silo, &workspace, &error), -ENOENT);
}

static void path_that_is_no_text_can_be_listed(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "r\xff\"\n", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(dir.fd, "r\xff\"\n/.jp", 0700), 0);
	allow(&dir, &silo, "r\xff\"\n");
	CU_ASSERT_EQUAL(check(&dir, &silo, "r\xff\"\n"), 1);
}

struct adder {
	pthread_t thread;
	const struct jp_silo *silo;
	struct jp_workspace workspace;
	int r;
};

static void *add(void *argument)
{
	struct adder *adder = argument;

	adder->r = jp_trust_add(adder->silo, &adder->workspace, NULL);
	return NULL;
}

static void racing_additions_lose_no_entry(void)
{
	cleanup_test_dir struct jp_test_dir dir;
	cleanup_silo struct jp_silo silo = {0};
	struct adder adders[8] = {0};

	jp_test_dir_open(&dir);
	open_silo(&dir, &silo);
	for (size_t i = 0; i < COUNT_OF(adders); i++) {
		char script[64], root[8];

		(void)snprintf(script, sizeof(script), "mkdir -p r%zu/.jp", i);
		(void)snprintf(root, sizeof(root), "r%zu", i);
		CU_ASSERT_EQUAL(run(dir.path, script), 0);
		(void)find(&dir, root, &adders[i].workspace);
		adders[i].silo = &silo;
	}
	for (size_t i = 0; i < COUNT_OF(adders); i++)
		CU_ASSERT_EQUAL(pthread_create(&adders[i].thread, NULL, add, &adders[i]), 0);
	for (size_t i = 0; i < COUNT_OF(adders); i++) {
		CU_ASSERT_EQUAL(pthread_join(adders[i].thread, NULL), 0);
		CU_ASSERT_EQUAL(adders[i].r, 0);
	}
	for (size_t i = 0; i < COUNT_OF(adders); i++) {
		CHECK(jp_trust_check(&silo, &adders[i].workspace) == 1, "root %zu", i);
		jp_workspace_release(&adders[i].workspace);
	}
}

static void list_is_the_old_or_the_new_one_at_every_fault(void)
{
	bool is_done = false;

	for (int n = 1; !is_done && n < 100; n++) {
		cleanup_test_dir struct jp_test_dir dir;
		cleanup_silo struct jp_silo silo = {0};
		cleanup_workspace struct jp_workspace workspace = {0};
		int r;

		jp_test_dir_open(&dir);
		open_silo(&dir, &silo);
		CU_ASSERT_EQUAL(run(dir.path, "mkdir -p one/.jp two/.jp"), 0);
		allow(&dir, &silo, "one");
		if (!find(&dir, "two", &workspace))
			return;
		jp_fault_begin(n, JP_FAIL_ONCE, EIO);
		r = jp_trust_add(&silo, &workspace, NULL);
		is_done = jp_fault_end();
		CHECK(r == 0 || (r == -EIO && !is_done), "n %d: %d", n, r);
		CHECK(check(&dir, &silo, "one") == 1, "n %d", n);
		CHECK(r < 0 || check(&dir, &silo, "two") == 1, "n %d", n);
		allow(&dir, &silo, "two");
		CHECK(check(&dir, &silo, "two") == 1, "n %d", n);
	}
	CU_ASSERT(is_done);
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(only_a_listed_root_is_trusted),
		TEST(first_root_of_a_silo_just_made_is_trusted),
		TEST(listing_twice_changes_nothing),
		TEST(moved_root_stays_trusted_and_its_old_path_is_not),
		TEST(new_directory_with_the_old_inode_is_not_trusted),
		TEST(linked_worktree_of_a_listed_root_is_trusted),
		TEST(worktrees_of_a_root_that_became_a_repository_are_trusted),
		TEST(main_worktree_of_a_listed_linked_one_is_trusted),
		TEST(bare_repositorys_worktrees_are_trusted_also_when_the_first_is_gone),
		TEST(clone_is_not_trusted),
		TEST(forged_pointers_are_not_trusted),
		TEST(worktree_copied_elsewhere_is_not_trusted),
		TEST(root_that_jps_link_names_is_trusted_until_one_is_listed),
		TEST(worktree_of_the_root_that_jps_link_names_is_trusted),
		TEST(odd_storage_entries_trust_nobody),
		TEST(damaged_list_trusts_nobody_and_is_not_overwritten),
		TEST(silo_without_our_directory_lists_nobody),
		TEST(path_that_is_no_text_can_be_listed),
		TEST(racing_additions_lose_no_entry),
		TEST(list_is_the_old_or_the_new_one_at_every_fault),
		CU_TEST_INFO_NULL,
	};

	return jp_run_suite("trust", tests);
}
