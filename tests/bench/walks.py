"""
Reading: many small files, again and again, as people, git and jp do it; the first walk after mounting;
one very large file.
"""

import functools
import mmap
import os
import shutil

import rows
from measure import CannotMeasure, attempt, in_turn, say, time_command

NOWHERE = "nowhere to be found"
READERS = 4


def _list_files(world):
    """All files of the tree, for xargs; the same names in each front end."""
    path = os.path.join(world.directory, "files")
    names = []
    for directory, _, files in os.walk(world.plain.view):
        names += [os.path.relpath(os.path.join(directory, name), world.plain.view)
                  for name in files]
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(name + "\0" for name in sorted(names)))
    return path


def _commands(world, front_end):
    """{row: (command, exit codes that are right)}"""
    view, files = front_end.view, os.path.join(world.directory, "files")
    cat = "cd '%s' && xargs -0 cat <'%s' >/dev/null" % (view, files)
    return {
        "find": (("find", view), (0,)),
        "ls": (("ls", "-lR", view), (0,)),
        "du": (("du", "-s", view), (0,)),
        "git-status": (("git", "-C", front_end.root, "status", "--porcelain"), (0,)),
        "rg": (("rg", NOWHERE, view), (1,)),
        "grep": (("grep", "-r", NOWHERE, view), (1,)),
        "cat": (("sh", "-c", cat), (0,)),
        # tar reads nothing when it sees that it writes to /dev/null.
        "tar": (("sh", "-c", "tar c -C '%s' . | cat >/dev/null" % view), (0,)),
        "readers": (("sh", "-c", "(%s) & " % cat * READERS + "wait"), (0,)),
    }


def tell(world, row, results, action):
    """A row's result for each front end; for jpfs with the requests that `action` makes."""
    for name, result in results.items():
        told = dict(result.result(), row=row.key, front=name, conversations=world.count)
        yield world.jpfs.counted(told, action) if name == "jpfs" else told


def measure_walks(world, pairs, wanted):
    """Everything in the kernel's caches, as far as the front end lets it be."""
    _list_files(world)
    world.jpfs.settle()
    base = _commands(world, world.plain)
    commands = {front_end.name: _commands(world, front_end)
                for front_end in world.front_ends()}
    os.environ["GIT_OPTIONAL_LOCKS"] = "0"  # or git status writes an index now and then
    for row in rows.WALKS:
        if row.key not in wanted:
            continue
        if shutil.which(base[row.key][0][0]) is None:
            say("%s is not installed: left out" % base[row.key][0][0])
            continue
        yield from attempt(row.key, _measure_walk(world, row, base[row.key], {
            name: commands[name][row.key] for name in commands}, pairs))


def _measure_walk(world, row, base, commands, pairs):
    say("%d conversations: %s" % (world.count, row.title))
    results = in_turn(functools.partial(world.plain.time, *base),
                      {front_end.name: functools.partial(front_end.time,
                                                         *commands[front_end.name])
                       for front_end in world.front_ends()}, pairs)
    yield from tell(world, row, results, functools.partial(time_command, *commands["jpfs"]))


def measure_first(world, pairs, wanted):
    """Mounted anew each time; what lies beneath is in the page cache, nothing of the mount is."""
    for row in rows.FIRST:
        if row.key in wanted:
            yield from attempt(row.key, _measure_first(world, row, pairs))


def _measure_first(world, row, pairs):
    say("%d conversations: %s" % (world.count, row.title))
    command = {"first-find": ("find",), "first-ls": ("ls", "-lR")}[row.key]

    def walk(front_end):
        front_end.umount()
        front_end.mount()
        return front_end.time((*command, front_end.view))

    front_ends = world.front_ends()
    if world.answers.program:
        world.answers.prepare()
        front_ends.append(world.answers)
    results = in_turn(functools.partial(time_command, (*command, world.plain.view)),
                      {front_end.name: functools.partial(walk, front_end)
                       for front_end in front_ends}, pairs)
    world.answers.umount()
    world.jpfs.umount()
    world.jpfs.mount()
    yield from tell(world, row, results,
                    functools.partial(time_command, (*command, world.jpfs.view)))


def _evict(path):
    """Let go of the pages that the kernel has of this file, there and nowhere else."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def measure_large(world, pairs, wanted):
    """One large file: with its pages not in the mount's cache, but in that of the disk below; and in
    both."""
    for row, is_first in zip(rows.LARGE, (True, False)):
        if row.key in wanted:
            yield from attempt(row.key, _measure_large(world, row, is_first, pairs))
    if "large-floor" in wanted:
        yield from attempt("large-floor", _measure_large_floor(world, pairs))


def _measure_large(world, row, is_first, pairs):
    say(row.title)
    world.jpfs.settle()

    def path(view):
        return os.path.join(view, world.large, "events.json")

    if os.path.getsize(path(world.jpfs.view)) != os.path.getsize(path(world.plain.view)):
        raise CannotMeasure("%s: not the same file" % path(world.jpfs.view))

    def read(front_end, is_first):
        file = path(front_end.view)
        if is_first:
            _evict(file)
            time_command(("cat", path(world.jpfs.store)))  # warm below
        return front_end.time(("cat", file))

    results = in_turn(functools.partial(read, world.plain, False),
                      {front_end.name: functools.partial(read, front_end, is_first)
                       for front_end in world.front_ends()}, pairs)
    yield from tell(world, row, results, functools.partial(read, world.jpfs, is_first))


def _read_page_by_page(path):
    """Into the kernel's cache without reading ahead: then each page is by itself there, as those of a
    FUSE filesystem are, and not many in one piece."""
    _evict(path)
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        for offset in range(0, os.fstat(fd).st_size, mmap.PAGESIZE):
            os.pread(fd, 1, offset)
    finally:
        os.close(fd)


def _measure_large_floor(world, pairs):
    """The least that reading the cached pages of FUSE can take: nobody serves anything here."""
    say(rows.ROWS["large-floor"].title)
    original = os.path.join(world.plain.view, world.large, "events.json")
    copy = os.path.join(world.directory, "page-by-page")
    shutil.copy(original, copy)
    os.sync()  # only what is on the disk can be evicted
    _read_page_by_page(copy)
    results = in_turn(functools.partial(world.plain.time, ("cat", original)),
                      {"jpfs": functools.partial(world.plain.time, ("cat", copy))}, pairs)
    os.unlink(copy)
    yield dict(results["jpfs"].result(), row="large-floor", front="jpfs",
               conversations=world.count)
