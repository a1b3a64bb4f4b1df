/*
 * Editors and tools, the real ones, on a real mount. Each edits a file of a conversation and the
 * same file in an ordinary directory, and both are to look the same afterwards: what the editor
 * wrote and what it leaves beside it, no more. Semantics, sections 5 to 7.
 *
 * A turn is added and cut off again: adding one leaves nothing in the history, cutting it one version.
 */
#include "tests/mount/terminal.h"

/*
 *     way_NAME add|cut FILE    one editor's way to do that, run in the file's directory
 *     drive NAME...            each of them on both sides, with all that is to be checked
 *     settled                  the store has what the view shows
 */
static const char LIBRARY[] =
	"cat > ../editors.sh <<'END'\n"
	". ../terminal.sh\n"
	"export E='{\"timestamp\": \"2026-03-06 10:00:00.0\", \"type\": \"chat_request\", "
	"\"content\": \"added\"}'\n"
	"add=\"\\$s/]/,$E]/\" cut='$s/,.*]/]/'\n"
	"substitution() { [ $1 = add ] && echo \"$add\" || echo \"$cut\"; }\n"
	"vi_in() { how=$1 editor=$2; shift 2\n"
	"  $editor -es -u NONE -i NONE --cmd \"set nocp $how\" -c \"$(substitution $1)\" -c wq "
	"\"$2\"; }\n"
	"way_vim_nobackup_copy() { vi_in 'nobackup writebackup backupcopy=yes' vim \"$@\"; }\n"
	"way_vim_nobackup_rename() { vi_in 'nobackup writebackup backupcopy=no' vim \"$@\"; }\n"
	"way_vim_nowritebackup() { vi_in 'nobackup nowritebackup' vim \"$@\"; }\n"
	"way_vim_backup_copy() { vi_in 'backup backupcopy=yes' vim \"$@\"; }\n"
	"way_vim_backup_rename() { vi_in 'backup backupcopy=no' vim \"$@\"; }\n"
	"way_vim_undofile() { vi_in 'undofile undodir=. backupcopy=auto' vim \"$@\"; }\n"
	"way_vim_swap() {\n"
	"  typed chat_request \":$(substitution $1)\\r:w\\r\" written ':!ls -A\\r' \".$2.swp\" "
	"'\\r:q\\r' -- \\\n"
	"    vim -u NONE -i NONE --cmd 'set nocp' \"$2\"; }\n"
	"nvim_in() { how=$1; shift\n"
	"  nvim --headless -u NONE -i NONE --cmd \"set $how\" -c \"$(substitution $1)\" -c wq "
	"\"$2\"; }\n"
	"way_nvim_copy() { nvim_in 'backup backupcopy=yes' \"$@\"; }\n"
	"way_nvim_rename() { nvim_in 'nobackup writebackup backupcopy=no' \"$@\"; }\n"
	"lisp() { [ $1 = add ] && echo '(progn (search-backward \"]\") (insert \",\" (getenv "
	"\"E\")))' ||\n"
	"  echo '(progn (search-backward \",{\") (kill-line) (insert \"]\"))'; }\n"
	"# No backups of its own accord: of what git has, and below /tmp.\n"
	"lisp_backups='(setq vc-handled-backends nil backup-enable-predicate (lambda (file) t))'\n"
	"way_emacs_batch() { emacs -batch -Q --eval \"$lisp_backups\" \"$2\" --eval \"(progn "
	"(goto-char (point-max)) $(lisp $1)\n"
	"  (setq backup-by-copying $3) (save-buffer))\"; }\n"
	"way_emacs_rename() { way_emacs_batch \"$1\" \"$2\" nil; }\n"
	"way_emacs_copy() { way_emacs_batch \"$1\" \"$2\" t; }\n"
	"way_emacs_terminal() {\n"
	"  typed 'All L' \"\\x1b>\\x1b:$(lisp $1)\\r\" '**' '\\x1bxdo-auto-save\\r' saving \\\n"
	"    '\\x1b!ls -A\\r' \"#$2#\" '\\x18\\x13' Wrote '\\x18\\x03' -- \\\n"
	"    emacs -nw -Q --eval \"$lisp_backups\" \"$2\"; }\n"
	"way_nano() { case $1 in\n"
	"  add) typed chat_request \"\\x1b/\\x1b[D\\x1b[D,$E\\x0f\" 'Write' '\\r' Wrote '\\x18' -- "
	"nano -I \"$2\";;\n"
	"  cut) typed chat_request '\\x1b/\\x1b[A\\x0b]\\r\\x0f' 'Write' '\\r' Wrote '\\x18' -- "
	"nano -I -L \"$2\";;\n"
	"  esac; }\n"
	"way_ed() { printf '%s\\nw\\nq\\n' \"$(substitution $1)\" | ed -s \"$2\"; }\n"
	"way_sed() { sed -i \"$(substitution $1)\" \"$2\"; }\n"
	"way_sed_backup() { sed -i.orig \"$(substitution $1)\" \"$2\"; }\n"
	"way_perl() { case $1 in add) perl -i -pe 's/]$/,$ENV{E}]/ if eof' \"$2\";;\n"
	"  cut) perl -i -pe 's/,.*]$/]/ if eof' \"$2\";; esac; }\n"
	"way_sponge() { sed \"$(substitution $1)\" \"$2\" | sponge \"$2\"; }\n"
	"way_jq() { case $1 in add) jq '. + [env.E | fromjson]' \"$2\";; cut) jq 'del(.[-1])' "
	"\"$2\";; esac > \"$2.new\"\n"
	"  mv \"$2.new\" \"$2\"; }\n"
	"way_code() { sed \"$(substitution $1)\" \"$2\" > \"$AWAY/new\"; python3 -c 'import os, "
	"sys\n"
	"data = open(sys.argv[1], \"rb\").read()\n"
	"fd = os.open(sys.argv[2], os.O_RDWR)\n"
	"os.ftruncate(fd, 0)\n"
	"os.write(fd, data)\n"
	"os.fdatasync(fd)\n"
	"os.close(fd)' \"$AWAY/new\" \"$2\"; }\n"
	"facts() { (cd \"$1\"; ls -A; stat -c '%a %s' *.json; sha256sum -- *.json | cut -c1-64); "
	"}\n"
	"settled() { facts \"$V/$X\" > ../there; facts \"$D/$X\" | cmp - ../there; }\n"
	"kept() { [ \"$(find \"$S/jpfs/history\" -name '*.events.json' | wc -l)\" = \"$1\" ]; }\n"
	"drive() { export AWAY=\"$P/..\"; cuts=0; mkdir \"$AWAY/plain\"\n"
	"  cp -a \"$V/$X/.\" \"$AWAY/plain\"; until_ok settled\n"
	"  for way; do for do in add cut; do\n"
	"    for place in \"$AWAY/plain\" \"$V/$X\"; do\n"
	"      (cd \"$place\"; way_$way $do events.json) 2>&1 || fail \"$way $do in $place\"\n"
	"    done\n"
	"    facts \"$AWAY/plain\" > \"$AWAY/expected\"\n"
	"    facts \"$V/$X\" | diff \"$AWAY/expected\" - || fail \"$way $do: not as in an ordinary "
	"directory\"\n"
	"    until_ok settled; [ $do = add ] || cuts=$((cuts+1))\n"
	"    until_ok kept $cuts || fail \"$way $do: the history has $(ls "
	"\"$S/jpfs/history\"/*)\"\n"
	"  done; done\n"
	"  [ ! -d \"$S/jpfs/trash\" ] || [ -z \"$(find \"$S/jpfs/trash\" -type f)\" ] || fail \"in "
	"the trash: $(\n"
	"    find \"$S/jpfs/trash\" -type f)\"; echo $cuts > ../cuts; }\n"
	"END\n";

static bool begin(struct fixture *fixture)
{
	if (!fixture_begin(fixture))
		return false;
	fixture_terminal(fixture);
	STEP(fixture, LIBRARY);
	fixture_mount(fixture);
	return true;
}

/* Every way of one editor, if it is here. */
static void edit_with(const char *program, const char *ways)
{
	cleanup_fixture struct fixture f = {0};
	char script[512];

	if (!begin(&f))
		return;
	(void)snprintf(script, sizeof(script), "command -v %s", program);
	if (fixture_run(&f, script) != 0) {
		printf("(no %s here: skipped) ", program);
		return;
	}
	(void)snprintf(script, sizeof(script), ". ../editors.sh; drive %s", ways);
	STEP(&f, script);
	fixture_umount(&f);
	STEP(&f, ". ../editors.sh; facts \"$V/$X\" | diff ../expected -; facts \"$D/$X\" | diff "
		 "../expected -\n"
		 "kept $(cat ../cuts) || fail 'the history has grown'");
	CHECK_INVARIANTS(&f);
}

static void vim_leaves_what_it_leaves_anywhere(void)
{
	edit_with("vim", "vim_nobackup_copy vim_nobackup_rename vim_nowritebackup vim_backup_copy "
			 "vim_backup_rename vim_undofile vim_swap");
}

static void neovim_leaves_what_it_leaves_anywhere(void)
{
	edit_with("nvim", "nvim_copy nvim_rename");
}

static void emacs_leaves_what_it_leaves_anywhere(void)
{
	edit_with("emacs", "emacs_rename emacs_copy emacs_terminal");
}

static void nano_leaves_what_it_leaves_anywhere(void)
{
	edit_with("nano", "nano");
}

static void ed_leaves_what_it_leaves_anywhere(void)
{
	edit_with("ed", "ed");
}

static void sed_and_perl_leave_nothing(void)
{
	edit_with("perl", "sed sed_backup perl");
}

static void sponge_leaves_nothing(void)
{
	edit_with("sponge", "sponge");
}

static void jq_by_way_of_another_file_leaves_nothing(void)
{
	edit_with("jq", "jq");
}

static void the_way_of_vs_code_leaves_nothing(void)
{
	edit_with("python3", "code");
}

int main(void)
{
	CU_TestInfo tests[] = {
		TEST(vim_leaves_what_it_leaves_anywhere),
		TEST(neovim_leaves_what_it_leaves_anywhere),
		TEST(emacs_leaves_what_it_leaves_anywhere),
		TEST(nano_leaves_what_it_leaves_anywhere),
		TEST(ed_leaves_what_it_leaves_anywhere),
		TEST(sed_and_perl_leave_nothing),
		TEST(sponge_leaves_nothing),
		TEST(jq_by_way_of_another_file_leaves_nothing),
		TEST(the_way_of_vs_code_leaves_nothing),
		CU_TEST_INFO_NULL,
	};

	return fixture_run_suite("editors", tests);
}
