"""
A private world: a repository with two worktrees, a user data directory, and the daemons.

Everything lies below one directory, which goes at the end; whatever is mounted below it is detached
and whoever served it is ended, by the process number that `jpfs status` told or that we started.
"""

import ctypes
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

DEADLINE = 30.0  # for what has to happen "within moments", on a machine that does other things
ID = "abc12"


class Failure(Exception):
    """The contract is broken; the text tells how."""


class Unforeseen(Failure):
    """Another version than the model foresaw is current, whole and valid, and none is lost."""


def poll(question, what, deadline=None):
    """Ask until the answer is empty; then it was right. The last answer is the failure."""
    deadline = DEADLINE if deadline is None else deadline
    end = time.monotonic() + deadline
    pause = 0.001
    while True:
        answer = question()
        if not answer:
            return
        if time.monotonic() > end:
            raise Failure("%s, after %d s:\n%s" % (what, deadline, answer))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def read(path):
    """The bytes, or None when there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def digits_of(name):
    head = name.split("-")[0]
    return head if head.isdigit() else None


def conversations_in(directory):
    """{digits: [(is archived, name)]} of one side."""
    found = {}
    for archived in (False, True):
        try:
            names = os.listdir(directory + "/.archive" if archived else directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            digits = digits_of(name)
            if digits:
                found.setdefault(digits, []).append((archived, name))
    return found


class Worktree:
    """One checkout: where it is, and its daemon if it has one."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.root = world.base + "/" + name
        self.view = self.root + "/.jp/conversations"
        self.daemon = None
        self.log = None

    @property
    def is_mounted(self):
        return self.daemon is not None

    def path(self, place, name=""):
        archived, directory = place
        parts = [self.view] + ([".archive"] if archived else []) + [directory] + ([name] if name else [])
        return "/".join(parts)

    def git(self, *arguments, check=False, is_noted=False):
        done = subprocess.run(("git",) + arguments, cwd=self.root, env=self.world.git_environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if is_noted:
            self.world.note("git -C %s %s: %d %s" % (
                self.name, " ".join(arguments), done.returncode, done.stdout.strip().replace("\n", " | ")[:300]))
        if check and done.returncode != 0:
            raise RuntimeError("git %s: %s" % (arguments, done.stdout))
        return done

    # ---- the daemon ----

    def mount(self):
        ready, notify = os.pipe()
        self.log = "%s/log-%s-%d" % (self.world.base, self.name, time.monotonic_ns())
        with open(self.log, "wb") as log:
            self.daemon = subprocess.Popen(
                (self.world.program, "mount", "-f", "--notify-fd=%d" % notify, self.root),
                cwd="/", env=self.world.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(notify,), preexec_fn=end_with_parent)
        os.close(notify)
        try:
            is_ready = os.read(ready, 1) != b""
        finally:
            os.close(ready)
        if not is_ready:
            code = self.daemon.wait()
            self.daemon = None
            raise Failure("%s cannot be mounted: exit %d\n%s" % (self.name, code, self.read_log()))
        self.world.pids[self.daemon.pid] = self.daemon

    def umount(self):
        # NEEDSWORK: once in some thousand times it is said to be in use by jpfs itself.
        for _ in range(20):
            done = self.world.jpfs("umount", self.root)
            if done.returncode == 0 or "(jpfs)" not in done.stdout:
                break
            time.sleep(0.1)
        if done.returncode != 0:
            raise Failure("jpfs umount %s: exit %d\n%s%s" % (self.name, done.returncode, done.stdout,
                                                            self.read_log()))
        self.reap(is_clean=True)

    def kill(self):
        """SIGKILL, by the process number that the status tells; then the dead mount goes."""
        pid = self.status_by_command().get("pid")
        if pid != self.daemon.pid:
            raise Failure("status tells process %s, but %d serves %s" % (pid, self.daemon.pid, self.name))
        os.kill(pid, signal.SIGKILL)
        self.reap(is_clean=False)
        self.world.detach(self.view)

    def reap(self, is_clean):
        daemon, self.daemon = self.daemon, None
        try:
            code = daemon.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
            raise Failure("the daemon of %s does not end\n%s" % (self.name, self.read_log())) from None
        finally:
            self.world.pids.pop(daemon.pid, None)
        log = self.read_log()
        if is_clean and (code != 0 or "error:" in log):
            raise Failure("the daemon of %s ended with %d\n%s" % (self.name, code, log))
        if "Sanitizer" in log or "runtime error" in log:
            raise Failure("the daemon of %s\n%s" % (self.name, log))

    def read_log(self):
        return (read(self.log) or b"").decode(errors="replace")[-8000:] if self.log else ""

    def status_by_command(self):
        done = self.world.jpfs("status", "--json", self.root)
        try:
            return json.loads(done.stdout)[0]
        except (ValueError, IndexError):
            raise Failure("jpfs status --json %s: exit %d\n%s" % (
                self.name, done.returncode, done.stdout)) from None

    def status(self):
        """The same from the mount itself, without a process."""
        data = read(self.view + "/.jpfs/status.json")
        return json.loads(data) if data else {}

    def drafts(self):
        return set(self.status().get("conversations", {}).get("drafts", []))

    def wait_quiet(self, is_whole=True):
        """Until nothing is pending; with files removed from a conversation that stays, until all is stored."""
        def busy():
            pending = self.status().get("pending", {"commits": "no status"})
            return pending if pending["commits"] or (is_whole and pending["projections"]) else None
        if self.is_mounted:
            poll(busy, "%s is not quiet" % self.name)


def end_with_parent():
    """A daemon of ours does not outlive us, even if we are killed (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)


class World:
    place = None  # the directory for all worlds; None: $TMPDIR
    alive = set()  # whoever is interrupted at any point ends them all

    def __init__(self, program):
        self.program = program
        self.base = os.path.realpath(tempfile.mkdtemp(prefix="jpfs-model-", dir=self.place))
        self.pids = {}
        self.alive.add(self)
        self.notes = []
        self.git_runs = 0
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.base, "LC_ALL": "C.UTF-8",
            "JP_USER_DATA_DIR": self.base + "/data", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1", "TMPDIR": self.base,
        }
        for key in os.environ:  # sanitizers' options
            if key.endswith("SAN_OPTIONS"):
                self.environment[key] = os.environ[key]
        for who in ("AUTHOR", "COMMITTER"):
            self.environment["GIT_%s_NAME" % who] = "A Tester"
            self.environment["GIT_%s_EMAIL" % who] = "tester@example.org"
        self.worktrees = [Worktree(self, "project"), Worktree(self, "wt")]

    def git_environment(self):
        """Commits have the same names each time: what is chosen among them is chosen again."""
        self.git_runs += 1
        date = "%d +0000" % (1772700000 + self.git_runs)
        return dict(self.environment, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)

    def note(self, text):
        """What a step did, for the history of a failure."""
        self.notes.append(text)

    def jpfs(self, *arguments):
        return subprocess.run((self.program,) + arguments, cwd="/", env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=4 * DEADLINE, check=False)

    @property
    def silo(self):
        found = glob.glob(self.base + "/data/workspace/*-" + ID)
        return found[0] if found else self.base + "/data/workspace/none"

    @property
    def store(self):
        return self.silo + "/conversations"

    # ---- the end ----

    def mounts_left(self):
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            places = [line.split()[4] for line in file]
        return [place for place in places if place.startswith(self.base + "/")]

    def detach(self, place):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
        if os.geteuid() == 0:
            subprocess.run(("umount", "-l", place), **quiet)
        else:
            subprocess.run(("fusermount3", "-u", "-z", place), **quiet)

    def end(self):
        """Whatever happened, nothing stays."""
        for daemon in list(self.pids.values()):
            daemon.kill()
        for place in reversed(self.mounts_left()):
            self.detach(place)
        for daemon in list(self.pids.values()):
            daemon.wait()
        self.pids.clear()
        for _ in range(50):
            shutil.rmtree(self.base, ignore_errors=True)
            if not os.path.lexists(self.base):
                self.alive.discard(self)
                return
            time.sleep(0.1)
        raise Failure("%s stays" % self.base)
