"""
Clocks and numbers: one command's time, pairs of two in turn, what of many times is told.

A machine has moods: another program, a warm processor, a disk that tidies up. So nothing is measured
alone. What is looked at (B) and what it is compared with (A) run in turn, A B A B, and each B is divided
by the A just before it. The median of these ratios is the result, the least and the greatest tell how
far to trust it.
"""

import os
import signal
import statistics
import subprocess
import sys
import time


class CannotMeasure(Exception):
    """What is to be measured does not work; the text tells why."""


BEGAN = time.monotonic()


def say(text):
    """Progress, for whoever waits, with the seconds since the start."""
    print("%5.0f  %s" % (time.monotonic() - BEGAN, text), file=sys.stderr, flush=True)


def run(*command, env=None, cwd=None):
    """Run to the end, not measured; returns what it printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.PIPE, text=True, errors="replace", env=env, cwd=cwd)
    if done.returncode != 0:
        raise CannotMeasure("%s: exit code %d: %s" % (" ".join(command), done.returncode,
                                                     done.stderr.strip()))
    return done.stdout


class Took(float):
    """Seconds by the clock; `cpu` are those of processors that were busy with it."""

    def __new__(cls, seconds, cpu):
        took = super().__new__(cls, seconds)
        took.cpu = cpu
        return took


def time_command(command, accepted=(0,)):
    """From before a process is made until it has ended, its output going nowhere."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setpgroup=0)
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:  # we are to end: so are they, a pipeline's others too
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    took = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    if code not in accepted:
        raise CannotMeasure("%s: exit code %d" % (" ".join(command), code))
    return Took(took, usage.ru_utime + usage.ru_stime)


def run_numbers(*command):
    """A program that prints one number of nanoseconds in each line: seconds. See act.c."""
    return [int(line) / 1e9 for line in run(*command).split()]


def attempt(key, measure_row):
    """
    The results of one row, a generator's; or, where it cannot be measured, one that says so: the
    others can be all the same.
    """
    try:
        yield from measure_row
    except CannotMeasure as failure:
        say("%s: %s" % (key, failure))
        yield {"row": key, "failure": str(failure)}


class Pairs:
    """Times of A and of B, each B with the A just before it."""

    def __init__(self):
        self.base = []
        self.times = []

    def add(self, base, took):
        self.base.append(base)
        self.times.append(took)

    def result(self):
        ratios = [took / base for base, took in zip(self.base, self.times)]
        told = {"base_ms": statistics.median(self.base) * 1e3,
                "ms": statistics.median(self.times) * 1e3,
                "value": statistics.median(ratios), "min": min(ratios), "max": max(ratios),
                "pairs": len(ratios), "unit": "x"}
        if all(isinstance(took, Took) for took in self.base + self.times):
            told["cpu"] = statistics.median(took.cpu / base.cpu for base, took
                                            in zip(self.base, self.times) if base.cpu > 0)
        return told


def in_turn(base, others, pairs):
    """
    base() and each of others {name: function} return seconds. Returns {name: Pairs}, after one round
    that does not count, where there is more than one.
    """
    results = {name: Pairs() for name in others}
    warm_up = 1 if pairs > 1 else 0
    for index in range(warm_up + pairs):
        for name, function in others.items():
            first = base()
            second = function()
            if index >= warm_up:
                results[name].add(first, second)
    return results


def percentile(values, part):
    """The value that `part` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, int(part * len(ordered) + 0.5) - 1))]


def latencies(seconds, unit="ms"):
    """p50 and p99 of many; p99 is what a goal is about."""
    return {"value": percentile(seconds, 0.99) * 1e3, "p50": percentile(seconds, 0.5) * 1e3,
            "min": min(seconds) * 1e3, "max": max(seconds) * 1e3, "times": len(seconds),
            "unit": unit}


def wait_until(question, what, seconds=60.0):
    """Ask until it is true."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise CannotMeasure("%s: not within %d s" % (what, seconds))
        time.sleep(0.02)
