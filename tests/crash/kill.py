#!/usr/bin/env python3
"""
Sudden death of the daemon: SIGKILL at random points of a mixed load, and what is there afterwards.

An episode is a fresh world: one store, two worktrees, both mounted. A round lets everybody work
(load.py) for a random time, kills one daemon or both, mounts again, and checks (semantics.md,
section 11):

- each conversation that was ever durable is durable, once, its managed files complete and valid;
- each version that was seen in the store, or whose fsync had returned, is the current one,
  contained in it, or in history;
- with `--strict`, the last version of each file that was closed is there, too: current, in history, a
  draft or in the trash, and both sides are equal after unmounting, drafts apart;
- nothing is left half: no temporary file in a worktree, nothing in staging but what lives.

Some rounds kill the daemon while it mounts, and recovers what the one before has left. The seed of a
run gives each episode and each round its own; `--seed N --episode I` does the same again, as far as
threads do.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "model"))
# pylint: disable=wrong-import-position
import world
from content import MANAGED
from load import Load, short
from world import DEADLINE, Failure, World, conversations_in, poll, read

EPISODE_KILLS = 30
TEMPORARY = ".jpfs-"


def kill(tree):
    """SIGKILL, and the dead mount goes."""
    os.kill(tree.daemon.pid, signal.SIGKILL)


def bury(tree):
    tree.reap(is_clean=False)
    tree.world.detach(tree.view)


def kill_while_mounting(tree, chooser):
    """Start it, and end it a moment later, wherever it is."""
    with open("%s/log-%s-%d" % (tree.world.base, tree.name, time.monotonic_ns()), "wb") as log:
        daemon = subprocess.Popen((tree.world.program, "mount", "-f", tree.root), cwd="/",
                                  env=tree.world.environment, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, preexec_fn=world.end_with_parent)
    tree.world.pids[daemon.pid] = daemon
    time.sleep(chooser.random() * 0.04)
    daemon.kill()
    daemon.wait()
    del tree.world.pids[daemon.pid]
    tree.world.detach(tree.view)


class Episode:
    def __init__(self, options, seed, kills):
        self.options = options
        self.chooser = random.Random("%s episode" % seed)
        self.kills_wanted = kills
        self.kills = 0
        self.recovered = {"current": 0, "history": 0, "trash": 0}
        self.world = World(options.program)
        self.load = Load(self.world, seed)
        self.load.is_strict = options.strict
        self.book = self.load.book
        self.failure = None

    def run(self):
        try:
            self.load.populate()
            for tree in self.load.trees:
                self.mount(tree)
            self.settle()
            while self.kills < self.kills_wanted:
                self.round()
            for tree in self.load.trees:
                tree.umount()
            self.check(is_live=False)
        except Failure as error:
            self.failure = str(error)
            for tree in self.load.trees:
                self.failure += "\n--- the daemon of %s\n%s" % (tree.name, tree.read_log())
            if self.options.keep:
                print("kept: %s" % self.world.base, flush=True)
                input("enter ends it ")
        finally:
            self.load.stop.set()
            self.world.end()
        return self.failure is None

    def mount(self, tree):
        tree.mount()
        for key, count in tree.status().get("recovered", {}).items():
            self.recovered[key] += count

    def settle(self):
        # A conversation is brought together when it is first looked at. That is no moment to write to it
        # in place, or to compare: what was read before may not be what is there then.
        for tree in self.load.trees:
            for found in conversations_in(tree.view).values():
                for place in found:
                    os.listdir(tree.path(place))
        for tree in self.load.trees:
            # One that is on its way in or out stays pending for some seconds.
            poll(lambda tree=tree: tree.status().get("pending", {"commits": 1})["commits"],
                 "%s is not quiet" % tree.name)
        self.book.look()

    def round(self):
        trees = self.load.trees
        self.load.begin(self.kills)
        time.sleep(self.chooser.random() ** 2 * self.options.seconds)
        victims = [self.chooser.choice(trees)] if self.chooser.random() < 0.6 else trees
        for tree in victims:
            kill(tree)
        self.load.end()  # before the dead mounts go: what is written beneath them then, jpfs never saw
        for tree in victims:
            bury(tree)
            self.kills += 1
        self.book.look()  # what anybody could see now
        if self.chooser.random() < 0.25:
            kill_while_mounting(victims[0], self.chooser)
            self.kills += 1
        for tree in victims:
            self.mount(tree)
        self.settle()
        self.check()
        if self.chooser.random() < 0.3:
            self.check_unmounted(self.chooser.choice(trees))

    def fail_if(self, wrong):
        if wrong:
            raise Failure("\n".join(wrong))

    def check(self, is_live=True):
        """
        A conversation that was taken out while its durable copy was on its way is stored some seconds
        later, and nobody counts it as pending: what a live daemon has in staging is on its way.
        """
        def wrong():
            found = self.book.check_store() + self.book.check_versions(is_live)
            return "\n".join(found + (self.book.check_closed(is_live) if self.options.strict else []))
        # A live daemon moves versions while they are looked for: what is lost stays lost.
        poll(wrong, "what was promised is not there", DEADLINE if is_live else 0)
        staged = os.listdir(self.world.silo + "/jpfs/staging")
        if len(staged) != (len(self.load.trees) if is_live else 0):
            raise Failure("in staging, with%s daemons: %s" % ("" if is_live else "out", staged))

    def check_unmounted(self, tree):
        """Nothing of ours is left in the worktree, no conversation is there twice, and both sides are equal."""
        tree.wait_quiet()  # both sides of each have been brought together: all drafts are known
        drafts = tree.drafts()
        tree.umount()
        wrong = []
        for path, names, files in os.walk(tree.root + "/.jp"):
            wrong += ["left in the worktree: %s/%s" % (path, name) for name in names + files
                      if name.startswith(TEMPORARY)]
        places = conversations_in(tree.view)
        wrong += ["twice in %s: %s" % (tree.name, found) for found in places.values() if len(found) != 1]
        stored = conversations_in(self.world.store)
        # NEEDSWORK: once in some 600 kills a worktree lacks a base configuration that nobody has removed.
        for digits in set(places) & set(stored) - drafts if self.options.strict else ():
            wrong += self.differences(tree, digits, places[digits][0], stored[digits][0])
        self.fail_if(wrong)
        self.mount(tree)

    def differences(self, tree, digits, place, stored):
        """Byte for byte: no draft was named. (What was the same when it was mounted keeps its time.)"""
        wrong = []
        for name in MANAGED:
            here, there = tree.path(place, name), self.book.store_path(stored, name)
            one, other = read(here), read(there)
            if one != other:
                wrong.append("%s/%s differs in %s, and is no draft; last: %s\n%s\nand in the store\n%s" % (
                    digits, name, tree.name, self.book.doing.get((digits, name)), short(one), short(other)))
        return wrong


def parse_options():
    parser = argparse.ArgumentParser(description="Kill jpfs at random points, and look at what is left.")
    parser.add_argument("--program", default=os.environ.get("JPFS_PROGRAM"), help="jpfs (default: $JPFS_PROGRAM)")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)), help="default: a fresh one")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=0.3, help="longest load before a kill (default: %(default)s)")
    parser.add_argument("--episode", type=int, help="only this one")
    parser.add_argument("--strict", action="store_true", help="don't look away from a known fault (NEEDSWORK)")
    parser.add_argument("--keep", action="store_true", help="wait before a failed world is removed")
    options = parser.parse_args()
    if not options.program:
        parser.error("no program: set JPFS_PROGRAM or use --program")
    options.program = os.path.abspath(options.program)
    return options


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.umask(0o022)
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        print("skipped: /dev/fuse cannot be opened by this user")
        return 77
    print("seed %s, %d kills" % (options.seed, options.kills), flush=True)
    began, kills, steps, versions, number = time.monotonic(), 0, 0, 0, options.episode or 0
    recovered = {}
    while kills < options.kills:
        episode = Episode(options, "%s.%d" % (options.seed, number), min(EPISODE_KILLS, options.kills - kills))
        is_good = episode.run()
        kills += episode.kills
        steps += episode.load.steps
        versions += episode.book.entered
        for key, count in episode.recovered.items():
            recovered[key] = recovered.get(key, 0) + count
        if not is_good:
            print("\nFAILED after kill %d\nagain: kill.py --seed %s --episode %d\n%s" % (
                episode.kills, options.seed, number, episode.failure))
            return 1
        number += 1
        if options.episode is not None:
            break
    print("%d kills in %d s, %d steps, %d versions to be found; recovered %s" % (
        kills, time.monotonic() - began, steps, versions,
        ", ".join("%d %s" % (count, key) for key, count in recovered.items())))
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    try:
        sys.exit(main())
    finally:
        for left in list(World.alive):
            left.end()
