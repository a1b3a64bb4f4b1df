"""
The daemon itself: how long mounting takes, what memory it needs, whether it sleeps; and how long a
change is on its way, from the store to a reader and from a writer to the store.
"""

import os
import statistics
import time

from measure import attempt, latencies, run_numbers, say, time_command, wait_until

PAUSE_S = 0.5
REST_S = 10


def measure_mount(world, times, wanted):
    """Everything in step, so that there is nothing to be done but to look."""
    if "mount" not in wanted:
        return
    say("%d conversations: mounting" % world.count)
    took = []
    for _ in range(times):
        world.jpfs.settle()
        world.jpfs.umount()
        took.append(world.jpfs.mount() * 1e6 / world.count)
    world.jpfs.settle()
    yield {"row": "mount", "front": "jpfs", "conversations": world.count, "unit": "us",
           "value": statistics.median(took), "min": min(took), "max": max(took),
           "times": len(took), "ms": statistics.median(took) * world.count / 1e3}


def _family(pid):
    """A process, and those that it has started."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended meanwhile
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _status_number(path, key):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def _private_bytes(pid):
    """Resident memory that is the daemon's own: not the program, not shared libraries."""
    return sum(_status_number("/proc/%d/status" % member, "RssAnon") * 1024
               for member in _family(pid))


def _forget():
    """The kernel forgets every name, inode and page that nobody uses, of all filesystems. (Without the
    pages it would keep the directories whose listings are among them.)"""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def measure_memory(world, wanted):
    """All of the daemon's memory, after everything was looked at, and after the kernel forgot."""
    if not {"memory", "memory-forgotten"} & wanted:
        return
    say("%d conversations: memory" % world.count)
    world.jpfs.umount()
    world.jpfs.mount()
    world.jpfs.settle()
    before = _private_bytes(world.jpfs.pid)
    time_command(("ls", "-lR", world.jpfs.view))
    walked = _private_bytes(world.jpfs.pid)
    told = {"front": "jpfs", "conversations": world.count, "unit": "bytes"}
    yield dict(told, row="memory", value=walked / world.count,
               before=before / world.count)
    if "memory-forgotten" not in wanted:
        return
    if os.geteuid() != 0:
        say("only root can make the kernel forget: left out")
        return
    _forget()
    seen = []

    def is_still():
        time.sleep(0.2)
        seen.append(_private_bytes(world.jpfs.pid))
        return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]

    wait_until(is_still, "the daemon's memory stays as it is")
    yield dict(told, row="memory-forgotten", value=seen[-1] / world.count,
               met=seen[-1] < walked)
    # Warm again, for whatever is measured next.
    for front_end in [world.plain] + world.front_ends():
        time_command(("ls", "-lR", front_end.view))


def _switches(pid):
    """How often the daemon's threads have gone to sleep: each wake-up ends so."""
    return sum(_status_number("/proc/%d/task/%s/status" % (member, thread),
                              "voluntary_ctxt_switches")
               for member in _family(pid) for thread in os.listdir("/proc/%d/task" % member))


def measure_idle(world, seconds, wanted):
    """Nobody does anything; so should the daemon."""
    if "idle" not in wanted:
        return
    say("idle for %d s" % seconds)
    world.jpfs.settle()
    # What it still has to do after what went before may take some seconds. If it never rests, it is
    # measured as it is.
    end = time.monotonic() + REST_S
    before = -1
    while time.monotonic() < end and before != _switches(world.jpfs.pid):
        before = _switches(world.jpfs.pid)
        time.sleep(PAUSE_S)
    before = _switches(world.jpfs.pid)
    time.sleep(seconds)
    yield {"row": "idle", "front": "jpfs", "conversations": world.count, "unit": "/s",
           "value": (_switches(world.jpfs.pid) - before) / seconds}


def measure_latencies(world, act, times, burst, wanted):
    """How long changes take, in both directions."""
    if {"visible", "stale"} & wanted:
        yield from attempt("visible", _measure_visible(world, act, times))
    here, there = _metadata(world)
    for key, command, text in (
            ("durable", ("durable", here, there, str(times)),
             "a change in the mount until it is durable, %d times" % times),
            ("fsync", ("durable", "-s", here, there, str(times)),
             "the same with fsync, %d times" % times),
            ("durable-burst", ("burst", world.jpfs.view, world.jpfs.store, str(burst)),
             "%d saves at once" % burst),
            ("burst-floor", ("floor", _empty_directory(world), str(burst)),
             "as many renames on the disk itself")):
        if key in wanted:
            say(text)
            yield from attempt(key, _measure_latency(world, key, (act, *command)))


def _empty_directory(world):
    path = os.path.join(world.directory, "floor")
    os.makedirs(path, exist_ok=True)
    return path


def _metadata(world):
    """A conversation's metadata.json: through the mount, and its durable copy."""
    return (os.path.join(world.jpfs.special(), "metadata.json"),
            os.path.join(world.jpfs.durable(), "metadata.json"))


def _measure_visible(world, act, times):
    say("a change in the store until it is seen, %d times" % times)
    world.jpfs.settle()
    here, there = _metadata(world)
    numbers = run_numbers(act, "visible", there, here, str(times))
    stale = round(numbers.pop() * 1e9)
    told = {"front": "jpfs", "conversations": world.count}
    yield dict(told, row="visible", **latencies(numbers))
    yield dict(told, row="stale", value=stale, unit="reads")


def _measure_latency(world, key, command):
    world.jpfs.settle()
    yield dict(latencies(run_numbers(*command)), row=key, front="jpfs", conversations=world.count)
    world.jpfs.settle()
