#!/usr/bin/env python3
"""
Power cuts: the store on a filesystem of its own that stops at a random point, without its journal.

An image file is loop-mounted, everybody works on it through two mounts of jpfs (load.py), and then the
filesystem is told to stop at once (EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN, no log flush): nothing that
was not on the disk by then ever gets there. It is unmounted and mounted again, which replays its
journal as after a power cut, and looked at before and after jpfs is mounted on it:

- each conversation that was ever durable and synced is durable, its managed files complete and valid;
- each version whose fsync had returned, or whose rename after fsync had returned, is the current one,
  contained in it, or in history (before jpfs is mounted: or in staging).

Filesystems: ext4; ext4 with noauto_da_alloc, which does not save programs that rename without syncing;
XFS. The workspaces are on the same filesystem in every second episode, and elsewhere in the others.
Needs root, loop devices, mkfs.ext4 and mkfs.xfs; what is missing is said and skipped.
"""

import argparse
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "model"))
# pylint: disable=wrong-import-position
import kill as kills
from load import Load
from world import Failure, World, poll

EPISODE_CUTS = 6
SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), for both filesystems
NO_LOG_FLUSH = 2
FILESYSTEMS = {
    "ext4": (("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"), 64, "ext4", "loop"),
    "ext4 noauto_da_alloc": (("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"), 64, "ext4",
                             "loop,noauto_da_alloc"),
    "xfs": (("mkfs.xfs", "-q", "-f"), 320, "xfs", "loop"),
}


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise Failure("%s: %d %s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


class Disk:
    """An image file, and where it is mounted. The loop device goes with the mount (autoclear)."""

    alive = set()

    def __init__(self, kind):
        make, megabytes, self.type, self.options = FILESYSTEMS[kind]
        self.directory = tempfile.mkdtemp(prefix="jpfs-disk-")
        self.alive.add(self)
        self.image = self.directory + "/image"
        self.place = None
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        run(*make, self.image)

    def mount(self, place):
        run("mount", "-t", self.type, "-o", self.options, self.image, place)
        self.place = place

    def cut(self):
        fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def umount(self):
        """Really: what still uses it would keep its unwritten data in memory."""
        def busy():
            done = subprocess.run(("umount", self.place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            return done.stdout if done.returncode != 0 else ""
        poll(busy, "%s cannot be unmounted" % self.place)
        self.place = None

    def end(self):
        if self.place is not None:
            subprocess.run(("umount", "-l", self.place), stdin=subprocess.DEVNULL, check=False)
            self.place = None
        shutil.rmtree(self.directory)
        self.alive.discard(self)


class Episode:
    def __init__(self, options, seed, kind, is_shared, cuts):
        self.options = options
        self.chooser = random.Random("%s episode" % seed)
        self.kind, self.is_shared, self.cuts_wanted = kind, is_shared, cuts
        self.cuts = 0
        self.recovered = {}
        self.failure = None
        self.disk = Disk(kind)
        self.world = World(options.program)
        # Of a version that nobody synced nothing is promised: the book is of those that were.
        self.load = Load(self.world, seed, sync=0.6)
        self.load.is_watched = False
        self.load.is_strict = True
        # What jp writes to the store by itself it does not sync, and nobody can for it.
        self.load.has_jp = False
        self.book = self.load.book

    def run(self):
        try:
            self.disk.mount(self.place())
            os.chmod(self.place(), 0o700)
            self.load.populate()
            self.mount_all()
            self.settle()
            os.sync()
            self.book.look()
            while self.cuts < self.cuts_wanted:
                self.round()
            for tree in self.load.trees:
                tree.umount()
        except Failure as error:
            self.failure = "%s, the workspaces %s\n%s" % (
                self.kind, "on it" if self.is_shared else "elsewhere", error)
            for tree in self.load.trees:
                self.failure += "\n--- the daemon of %s\n%s" % (tree.name, tree.read_log())
        finally:
            self.load.stop.set()
            for tree in self.load.trees:
                if tree.daemon is not None:
                    tree.daemon.kill()
                    self.world.detach(tree.view)
            for thread in self.load.threads:
                thread.join()
            for daemon in list(self.world.pids.values()):
                daemon.wait()
            self.disk.end()
            self.world.end()
        return self.failure is None

    def place(self):
        """The silo's, or everybody's."""
        if self.is_shared:
            return self.world.base
        os.makedirs(self.world.base + "/data", exist_ok=True)
        return self.world.base + "/data"

    def mount_all(self):
        for tree in self.load.trees:
            tree.mount()
            for key, count in tree.status().get("recovered", {}).items():
                self.recovered[key] = self.recovered.get(key, 0) + count

    def settle(self):
        for tree in self.load.trees:
            poll(lambda tree=tree: tree.status().get("pending", {"commits": 1})["commits"],
                 "%s is not quiet" % tree.name)

    def round(self):
        self.load.begin(self.cuts)
        time.sleep(self.chooser.random() ** 2 * self.options.seconds)
        place = self.disk.place
        with self.book.lock:  # who enters a version has its fsync's answer from before
            pass
        self.disk.cut()
        self.load.stop.set()
        for tree in self.load.trees:
            kills.kill(tree)
        for tree in self.load.trees:  # its log may be on what was cut off
            tree.daemon.wait()
            self.world.pids.pop(tree.daemon.pid)
            tree.daemon = None
            self.world.detach(tree.view)
        self.load.end(is_cut=True)
        self.cuts += 1
        self.disk.umount()
        self.disk.mount(place)
        self.mend_git()
        self.fail_if("before mounting", self.book.check_store() + self.book.check_versions(with_staging=True))
        self.mount_all()
        self.settle()
        self.fail_if("after mounting", self.book.check_store() + self.book.check_versions())
        os.sync()
        self.book.look()

    def mend_git(self):
        """git syncs little; its own files are not what this is about."""
        main, second = self.load.trees
        for tree in (main, second):
            gitdir = main.root + "/.git" if tree is main else main.root + "/.git/worktrees/wt"
            for name in ("index", "index.lock", "HEAD.lock"):
                if os.path.exists(gitdir + "/" + name):
                    os.unlink(gitdir + "/" + name)

    @staticmethod
    def fail_if(when, wrong):
        if wrong:
            raise Failure("%s:\n%s" % (when, "\n".join(wrong)))


def parse_options():
    parser = argparse.ArgumentParser(description="Cut the power of the filesystem that has the store.")
    parser.add_argument("--program", default=os.environ.get("JPFS_PROGRAM"), help="jpfs (default: $JPFS_PROGRAM)")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)), help="default: a fresh one")
    parser.add_argument("--cuts", type=int, default=108)
    parser.add_argument("--seconds", type=float, default=0.4, help="longest load before a cut (default: %(default)s)")
    parser.add_argument("--episode", type=int, help="only this one")
    options = parser.parse_args()
    if not options.program:
        parser.error("no program: set JPFS_PROGRAM or use --program")
    options.program = os.path.abspath(options.program)
    return options


def reason_to_skip(kind):
    """Why this filesystem cannot be had here, or None."""
    if os.geteuid() != 0:
        return "only root can mount images"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    make = FILESYSTEMS[kind][0][0]
    if shutil.which(make, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
        return "%s is not installed" % make
    directory = tempfile.mkdtemp(prefix="jpfs-disk-")
    disk = None
    try:
        disk = Disk(kind)
        disk.mount(directory)
        disk.cut()
        disk.umount()
    except (Failure, OSError) as error:
        return str(error).strip()
    finally:
        if disk is not None:
            disk.end()
        os.rmdir(directory)
    return None


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.umask(0o022)
    kinds = []
    for kind in FILESYSTEMS:
        reason = reason_to_skip(kind)
        if reason:
            print("skipped: %s: %s" % (kind, reason))
        else:
            kinds.append(kind)
    if not kinds:
        return 77
    print("seed %s, %d cuts" % (options.seed, options.cuts), flush=True)
    began, done, number = time.monotonic(), dict.fromkeys(kinds, 0), options.episode or 0
    steps = versions = 0
    recovered = {}
    while sum(done.values()) < options.cuts:
        kind = kinds[number % len(kinds)]
        episode = Episode(options, "%s.%d" % (options.seed, number), kind, (number // len(kinds)) % 2 == 1,
                          min(EPISODE_CUTS, options.cuts - sum(done.values())))
        is_good = episode.run()
        done[kind] += episode.cuts
        steps += episode.load.steps
        versions += episode.book.entered
        for key, count in episode.recovered.items():
            recovered[key] = recovered.get(key, 0) + count
        if not is_good:
            print("\nFAILED after cut %d\nagain: cut.py --seed %s --episode %d\n%s" % (
                episode.cuts, options.seed, number, episode.failure))
            return 1
        number += 1
        if options.episode is not None:
            break
    print("%s in %d s, %d steps, %d versions to be found; recovered %s" % (
        ", ".join("%d cuts of %s" % (count, kind) for kind, count in done.items()),
        time.monotonic() - began, steps, versions,
        ", ".join("%d %s" % (count, key) for key, count in recovered.items())))
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    try:
        sys.exit(main())
    finally:
        for left in list(World.alive):
            left.end()
        for left in list(Disk.alive):
            left.end()
