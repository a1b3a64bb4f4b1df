"""
Writing: what jp does when it saves, editors, and many small files.

jp writes a conversation twice, to its user's directory and to the workspace. With jpfs one save through
the mount does both, so this is what two are compared with. Each front end writes to a conversation of
its own, and after each time it is waited until nothing is going on in the background.
"""

import functools
import os
import shutil

import rows
from measure import attempt, in_turn, run_numbers, say, time_command
from walks import tell


class Saves:
    """The rows that write, in one world."""

    def __init__(self, world, act, files):
        self.world = world
        self.act = act
        self.files = files
        self.counter = 0
        self.is_counting = False  # requests: then nobody asks how far the daemon is
        # jp's own other copy, where there is no jpfs.
        self.second = os.path.join(world.directory, "second")
        shutil.copytree(world.plain.special(), self.second)

    def quiet(self):
        if not self.is_counting:
            self.world.jpfs.settle()

    def save(self, *paths, flags=()):
        self.quiet()
        return run_numbers(self.act, "save", *flags, *paths)[0]

    def sed(self, front_end):
        self.quiet()
        self.counter += 1
        script = "3s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"2026-03-01 00:00:00.%d\"/" % (
            self.counter)
        return time_command(("sed", "-i", script, self.events(front_end)))

    def append(self, front_end):
        self.quiet()
        return run_numbers(self.act, "append", self.events(front_end))[0]

    def copy(self):
        self.quiet()
        return run_numbers(self.act, "copy", self.events(self.world.plain),
                           os.path.join(self.second, "copy"))[0]

    def churn(self, front_end):
        self.quiet()
        return run_numbers(self.act, "churn", front_end.special(), str(self.files))[0]

    @staticmethod
    def events(front_end):
        return os.path.join(front_end.special(), "events.json")

    def functions(self, key):
        """(what it is compared with, {front end: what is compared})"""
        plain, jpfs = self.world.plain, self.world.jpfs
        front_ends = self.world.front_ends()
        flags = ("-s",) if key == "save-fsync" else ()
        two = functools.partial(self.save, self.events(plain),
                                os.path.join(self.second, "events.json"), flags=flags)

        def each(function):
            return {front_end.name: functools.partial(function, front_end)
                    for front_end in front_ends}

        if key in ("save", "save-fsync"):
            return two, each(lambda front_end: self.save(self.events(front_end), flags=flags))
        if key == "save-both":
            return two, {"jpfs": functools.partial(
                self.save, os.path.join(jpfs.durable(), "events.json"), self.events(jpfs))}
        if key == "sed":
            return functools.partial(self.sed, plain), each(self.sed)
        if key == "append":
            return self.copy, each(self.append)
        return functools.partial(self.churn, plain), each(self.churn)


def measure_saves(world, act, pairs, files, wanted):
    """Each row of SAVES; so many small files."""
    saves = Saves(world, act, files)
    for row in rows.SAVES:
        if row.key in wanted:
            yield from attempt(row.key, _measure_save(saves, row, pairs))


def _measure_save(saves, row, pairs):
    say(row.title)
    world = saves.world
    base, others = saves.functions(row.key)
    results = in_turn(base, others, pairs)
    world.jpfs.settle()
    saves.is_counting = True
    told = list(tell(world, row, results, others["jpfs"]))
    saves.is_counting = False
    yield from told
    saves.quiet()
