"""
Where it is measured: projects with the same conversations, one for each front end.

    ext4/           the project itself, a git repository with everything committed: what all are
                    compared with
    jpfs/           a worktree of it with the same files, over which jpfs is mounted, in step with
    data/           the store
    bindfs/         worktrees whose .jp/conversations is empty, and over which ext4's is mounted
    passthrough/

Everything lies below one directory on a disk, and goes at the end; whatever was mounted is unmounted,
and only processes that were started here are ended.
"""

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

import tree
from measure import CannotMeasure, Took, run, say, time_command, wait_until

ID = "bench"
SPECIALS = ("ext4", "jpfs", "bindfs", "passthrough")
GIT = ("git", "-c", "core.looseCompression=0", "-c", "gc.auto=0", "-c", "user.name=bench",
       "-c", "user.email=bench@example.org", "-c", "init.defaultBranch=main")
EMPTY_REQUESTS = 300
MEMORY_FILESYSTEMS = ("tmpfs", "ramfs")


def filesystem_of(path):
    """The type of the filesystem that a directory is on, as the kernel calls it."""
    device = os.stat(path).st_dev
    wanted = "%d:%d" % (os.major(device), os.minor(device))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split()
            if words[2] == wanted:
                return words[words.index("-") + 1]
    return "unknown"


def find_disk():
    """A directory for temporary files that is not in memory."""
    tried = []
    for place in (os.environ.get("TMPDIR"), "/var/tmp", "/tmp", os.getcwd()):
        if place and os.access(place, os.W_OK):
            if filesystem_of(place) not in MEMORY_FILESYSTEMS:
                return place
            tried.append(place)
    raise CannotMeasure("no directory on a disk: tried %s; name one with --directory"
                        % ", ".join(tried))


def allow_many_files():
    """passthrough_ll keeps a descriptor open for everything that it was asked about. As many as this
    process may have; returns how many."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1_048_576, 1_048_576))
        return 1_048_576
    except ValueError:  # not everywhere is root allowed to
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        return limit


def is_alive(pid):
    """Whether a process has not ended; nobody may have asked how it ended yet."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class FrontEnd:
    """A project, and what serves its conversations; as it is, the directory itself."""

    name = "ext4"

    def __init__(self, world):
        self.world = world
        self.root = os.path.join(world.directory, self.name)
        self.view = os.path.join(self.root, ".jp", "conversations")
        self.pid = None

    def prepare(self):
        """Make the project; mounted afterwards."""

    def add_worktree(self):
        """Make the directory, without files in it."""
        if self.world.has_git:
            run(*GIT, "-C", self.world.plain.root, "worktree", "add", "-q", "--no-checkout", "-B",
                self.name, self.root)
        else:
            os.mkdir(self.root)

    def read_index(self):
        """The files are there: let git find out that nothing has changed."""
        if self.world.has_git:
            # With its trees, as after a commit: `git status` compares with HEAD by them.
            run(*GIT, "-C", self.root, "read-tree", "HEAD")
            # Whatever a measurement before has asked for: what it finds out is to be written.
            run(*GIT, "-C", self.root, "status", "--porcelain",
                env=dict(os.environ, GIT_OPTIONAL_LOCKS="1"))

    def mount(self):
        """Mount it; returns how many seconds it took until it could be used."""
        return 0.0

    def umount(self):
        """Unmount it if it is mounted."""

    def settle(self):
        """Wait until nothing is going on in the background."""

    def time(self, command, accepted=(0,)):
        """Run a command; the processor's time is its own and what the daemon spent meanwhile."""
        before = self._cpu_seconds()
        took = time_command(command, accepted)
        return Took(took, took.cpu + self._cpu_seconds() - before)

    def _cpu_seconds(self):
        """Of all its threads, those that have ended as well: the process's clock (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self.pid << 3 | 2) if self.pid is not None else 0.0

    def special(self):
        """The conversation that only this front end writes to: its directory."""
        return os.path.join(self.view, self.world.specials[SPECIALS.index(self.name)])


class Other(FrontEnd):
    """Another filesystem that mirrors a directory; started in the foreground, so it is ours."""

    def __init__(self, world, program):
        super().__init__(world)
        self.program = program
        self.process = None

    def command(self):
        raise NotImplementedError

    def prepare(self):
        self.add_worktree()
        os.makedirs(self.view)
        shutil.copy(os.path.join(self.world.plain.root, ".jp", ".id"),
                    os.path.join(self.root, ".jp"))
        self.mount()
        self.read_index()

    def mount(self):
        began = time.perf_counter()
        device = os.stat(self.view).st_dev
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=allow_many_files)
        self.pid = self.process.pid
        while os.stat(self.view).st_dev == device:
            if self.process.poll() is not None:
                raise CannotMeasure("%s ended with exit code %d" % (self.name,
                                                                    self.process.returncode))
            if time.perf_counter() - began > 30:
                raise CannotMeasure("%s: not mounted within 30 s" % self.name)
            time.sleep(0.001)
        return time.perf_counter() - began

    def umount(self):
        if self.process is None:
            return
        run("fusermount3", "-u", "-z", self.view)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Bindfs(Other):
    name = "bindfs"

    def command(self):
        return (self.program, "-f", self.world.plain.view, self.view)


class Passthrough(Other):
    """With everything that may be cached, for as long as it likes (a day)."""

    name = "passthrough"

    def command(self):
        return (self.program, "-f", "-o", "source=%s,cache=always" % self.world.plain.view,
                self.view)


class Answers(Other):
    """The least that a first walk can cost: answers.c."""

    name = "answers"

    def command(self):
        return (self.program, self.world.plain.view, self.view)

    def prepare(self):
        os.makedirs(self.view, exist_ok=True)
        self.mount()


class Jpfs(FrontEnd):
    """Ours: a worktree with all the files, in step with a store that has the same."""

    name = "jpfs"

    def __init__(self, world, program):
        super().__init__(world)
        self.program = program
        self.silo = os.path.join(world.directory, "data", "workspace", "jpfs-" + ID)
        self.store = os.path.join(self.silo, "conversations")
        self.env = dict(os.environ, JP_USER_DATA_DIR=os.path.join(world.directory, "data"))

    def prepare(self):
        self.add_worktree()
        run("cp", "-a", os.path.join(self.world.plain.root, ".jp"), self.root)
        self.read_index()
        os.makedirs(self.silo, mode=0o700)
        run("cp", "-a", self.view, self.store)
        # jp's own note of whose store this is: nobody need be asked then.
        os.symlink(os.path.join(self.root, ".jp"), os.path.join(self.silo, "storage"))
        run(self.program, "sync", self.root, env=self.env)
        self.mount()
        self.settle()

    def status(self):
        with open(os.path.join(self.view, ".jpfs", "status.json"), encoding="utf-8") as file:
            return json.load(file)

    def mount(self):
        began = time.perf_counter()
        run(self.program, "mount", self.root, env=self.env)
        took = time.perf_counter() - began
        self.pid = self.status()["pid"]
        return took

    def umount(self):
        if self.pid is None:
            return
        run(self.program, "umount", self.root, env=self.env)
        wait_until(lambda pid=self.pid: not is_alive(pid), "the daemon of %s ends" % self.root)
        self.pid = None

    def settle(self):
        wait_until(lambda: not any(self.status()["pending"].values()), "everything is written")
        time.sleep(0.05)

    def count_requests(self, action):
        """How many requests the kernel makes while `action` runs, by kind; none that are 0."""
        def snapshot():
            time.sleep(0.03)  # RELEASE comes when nobody waits for it any more
            return self.status().get("requests", {})

        snapshot()
        first, second = snapshot(), snapshot()
        action()
        third = snapshot()
        # What was counted between the first two is what a look costs.
        counts = {kind: third[kind] - 2 * second[kind] + first[kind] for kind in third}
        return {kind: count for kind, count in counts.items() if count != 0 or kind == "total"}

    def counted(self, result, action):
        """
        A row's result with its requests, and with its floor: the ratio that there would be if the
        daemon did nothing for each of them. What that takes, the way to it and back, is measured now.
        """
        counts = self.count_requests(action)
        took = []
        for _ in range(EMPTY_REQUESTS):
            began = time.perf_counter()
            os.statvfs(self.view)  # the kernel keeps no answer of this one
            took.append(time.perf_counter() - began)
        empty_ms = statistics.median(took) * 1e3
        return dict(result, requests=counts, empty_request_us=empty_ms * 1e3,
                    floor=1 + counts["total"] * empty_ms / result["base_ms"])

    def durable(self):
        """The durable copy of special()."""
        return os.path.join(self.store, os.path.basename(self.special()))


class World:
    """
    One tree of conversations for all front ends. `others` are names of those that are compared as
    well, `special` asks for the conversations that are written to, `large` is the size of the
    events.json of one conversation more, or 0.
    """

    alive = []

    def __init__(self, tools, count, others, special=False, large=0, scale=tree.SCALE,
                 has_git=True):
        self.count = count
        self.has_git = has_git
        self.directory = tempfile.mkdtemp(prefix="jpfs-bench-", dir=tools.directory)
        self.plain = FrontEnd(self)
        self.jpfs = Jpfs(self, tools.jpfs)
        self.answers = Answers(self, tools.answers)
        if "passthrough" in others and count * 4 + 100 > tools.descriptors:
            tools.left_out.append("passthrough_ll with %d conversations: it needs a descriptor for "
                                  "each file, and may have %d" % (count, tools.descriptors))
            others = [name for name in others if name != "passthrough"]
        kinds = {"bindfs": (Bindfs, tools.bindfs), "passthrough": (Passthrough, tools.passthrough)}
        self.others = [kind(self, program) for name, (kind, program) in kinds.items()
                       if name in others]
        World.alive.append(self)
        say("making %d conversations" % count)
        os.makedirs(self.plain.view)
        with open(os.path.join(self.plain.root, ".jp", ".id"), "w", encoding="ascii") as file:
            file.write(ID)
        self.specials = tree.generate(self.plain.view, count, tools.seed, scale,
                                      len(SPECIALS) if special else 0)
        self.large = tree.write_large(self.plain.view, large, tools.seed) if large else None
        if has_git:
            git = (*GIT, "-C", self.plain.root)
            run(*git, "init", "-q")
            run(*git, "add", ".")
            run(*git, "commit", "-q", "-m", "All conversations")
        for front_end in self.front_ends():
            front_end.prepare()
        # What was written so far shall not be on its way to the disk while something is measured.
        os.sync()

    def front_ends(self):
        return [self.jpfs] + self.others

    def close(self):
        """Unmount, end, remove."""
        World.alive.remove(self)
        all_of_them = self.front_ends() + [self.answers]
        for front_end in all_of_them:
            try:
                front_end.umount()
            except CannotMeasure as failure:
                say(str(failure))
                subprocess.run(("fusermount3", "-u", "-z", front_end.view), check=False)
                if front_end.pid is not None and is_alive(front_end.pid):
                    os.kill(front_end.pid, signal.SIGKILL)
        if any(os.path.ismount(front_end.view) for front_end in all_of_them):
            say("%s stays: something is still mounted in it" % self.directory)
            return
        shutil.rmtree(self.directory)

    @staticmethod
    def close_all():
        for world in list(World.alive):
            world.close()
