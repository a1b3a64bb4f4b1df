/* A terminal of one's own. See terminal.h. */
#include "tests/mount/terminal.h"

static const char SCRIPT[] =
	"cat > ../terminal.sh <<'END'\n"
	"export TERM=xterm\n"
	"typed() { python3 \"$P/../typed.py\" \"$@\" > \"$P/../screen\" 2>&1 ||\n"
	"  fail \"$(cat -v \"$P/../screen\")\"; }\n"
	"END\n"
	"cat > ../typed.py <<'END'\n"
	"import fcntl, os, pty, select, struct, sys, termios, time\n"
	"end = sys.argv.index('--')\n"
	"talk = sys.argv[1:end]\n"
	"pid, fd = pty.fork()\n"
	"if pid == 0:\n"
	"    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])\n"
	"fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))\n"
	"deadline = time.monotonic() + 120\n"
	"def hear(until):\n"
	"    seen = b''\n"
	"    while until is None or until not in seen:\n"
	"        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:\n"
	"            sys.exit('never seen: %r' % until)\n"
	"        try:\n"
	"            got = os.read(fd, 4096)\n"
	"        except OSError:\n"
	"            got = b''\n"
	"        os.write(1, got)\n"
	"        if not got:\n"
	"            if until is not None:\n"
	"                sys.exit('it ended before %r was seen' % until)\n"
	"            return\n"
	"        seen += got\n"
	"for expect, keys in zip(talk[::2], talk[1::2]):\n"
	"    hear(expect.encode())\n"
	"    os.write(fd, keys.encode().decode('unicode_escape').encode('latin-1'))\n"
	"hear(None)\n"
	"sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
	"END\n";

void fixture_terminal(struct fixture *fixture)
{
	STEP(fixture, SCRIPT);
}
