#!/usr/bin/env python3
"""
Is it as fast as the directory itself? `scripts/bench` builds what this needs and starts it.

Makes trees of conversations from a seed, mounts jpfs, bindfs and libfuse's passthrough_ll, measures the
rows of rows.py against the same command on the directory itself, in turn, and prints a table with each
goal. Being slow is no failure: the exit code is 0 when everything could be measured, 1 when something
could not, 2 for wrong usage.
"""

import argparse
import collections
import datetime
import json
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
import plot
import report
import rows
import saves
import serving
import tree
import walks
from measure import CannotMeasure, say
from world import World, allow_many_files, filesystem_of, find_disk

SOURCE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
OTHERS = ("bindfs", "passthrough")
# How many changes are followed, bytes of the large file, small files, seconds of idleness.
Size = collections.namedtuple("Size", "times large files idle_s")
SIZES = {"whole": Size(200, 100_000_000, 3000, 5), "quick": Size(40, 100_000_000, 500, 2),
         "tiny": Size(3, 2_000_000, 20, 1)}
MOUNT_SCALE = 1 / 100  # for trees that are only mounted: nobody reads their files


class Tools:
    """The programs: from the environment, as scripts/bench sets it."""

    def __init__(self, arguments):
        self.jpfs = os.environ.get("JPFS_PROGRAM") or shutil.which("jpfs")
        self.act = os.environ.get("JPFS_BENCH_ACT")
        self.answers = os.environ.get("JPFS_BENCH_ANSWERS")
        self.bindfs = shutil.which("bindfs")
        self.passthrough = os.environ.get("JPFS_BENCH_PASSTHROUGH")
        self.left_out = []  # and why
        self.descriptors = allow_many_files()
        self.seed = arguments.seed
        self.directory = arguments.directory or find_disk()
        if not self.jpfs or not self.act:
            raise CannotMeasure("JPFS_PROGRAM and JPFS_BENCH_ACT name the programs: start it as "
                                "scripts/bench")


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300 conversations, in two minutes")
    parser.add_argument("--tiny", action="store_true",
                        help="as small as can be: only to see whether it works")
    parser.add_argument("--long", action="store_true", help="also mount 100,000 conversations")
    parser.add_argument("--conversations", metavar="N,...", help="sizes of trees (3000,10000)")
    parser.add_argument("--only", metavar="ROW,...", help="these rows: " + ", ".join(rows.ROWS))
    parser.add_argument("--against", metavar="LIST",
                        help="also measure these: bindfs,passthrough (the default), or none")
    parser.add_argument("--runs", type=int, help="how many pairs of each (5)")
    parser.add_argument("--seed", default="1", help="another tree (1)")
    parser.add_argument("--directory", help="where to make the trees; not in memory")
    parser.add_argument("--json", metavar="FILE", help="write what was measured")
    parser.add_argument("--from", dest="source", metavar="FILE",
                        help="measure nothing, tell what --json has written")
    parser.add_argument("--markdown", action="store_true",
                        help="put the tables and the plot into docs/")
    arguments = parser.parse_args(argv)
    try:
        default = "5" if arguments.tiny else "300" if arguments.quick else "3000,10000"
        arguments.counts = [int(n) for n in (arguments.conversations or default).split(",")]
    except ValueError:
        parser.error("--conversations: numbers, separated by commas")
    arguments.wanted = set(arguments.only.split(",") if arguments.only else rows.ROWS)
    if not arguments.wanted <= set(rows.ROWS):
        parser.error("--only: there is no row %s; there are %s"
                     % (", ".join(arguments.wanted - set(rows.ROWS)), ", ".join(rows.ROWS)))
    if arguments.runs is None:
        arguments.runs = 1 if arguments.tiny else 5
    names = OTHERS if arguments.against is None else arguments.against.split(",")
    arguments.others = [name for name in names if name != "none"]
    if not set(arguments.others) <= set(OTHERS):
        parser.error("--against: bindfs, passthrough or none")
    if arguments.runs < 1 or min(arguments.counts) < 1:
        parser.error("--runs and --conversations: at least 1")
    return arguments


def plan(arguments, tools):
    """(function that makes a world, [function that measures in it]) for each tree."""
    wanted, pairs = arguments.wanted, arguments.runs
    size = SIZES["tiny" if arguments.tiny else "quick" if arguments.quick else "whole"]
    reading = {row.key for row in rows.WALKS + rows.FIRST} | {"mount", "memory", "memory-forgotten"}
    writing = {row.key for row in rows.SAVES + rows.LATENCIES} | {"idle"}
    for index, count in enumerate(arguments.counts):
        steps = [lambda world: walks.measure_walks(world, pairs, wanted),
                 lambda world: walks.measure_first(world, pairs, wanted),
                 lambda world: serving.measure_mount(world, pairs, wanted),
                 lambda world: serving.measure_memory(world, wanted)]
        is_first = index == 0
        if is_first:
            burst = min(1000, count)
            steps += [lambda world: serving.measure_idle(world, size.idle_s, wanted),
                      lambda world: saves.measure_saves(world, tools.act, pairs, size.files,
                                                        wanted),
                      lambda world: serving.measure_latencies(world, tools.act, size.times, burst,
                                                              wanted)]
        if wanted & (reading | writing if is_first else reading):
            yield (lambda count=count, is_first=is_first: World(
                tools, count, arguments.others, special=is_first)), steps
    if wanted & {row.key for row in rows.LARGE}:
        yield (lambda: World(tools, 10, arguments.others, large=size.large, has_git=False)), [
            lambda world: walks.measure_large(world, pairs, wanted)]
    more = [] if size is not SIZES["whole"] or arguments.conversations else [1000]
    for count in more + ([100_000] if arguments.long else []):
        if "mount" in wanted:
            yield (lambda count=count: World(tools, count, [], scale=MOUNT_SCALE, has_git=False)), [
                lambda world: serving.measure_mount(world, pairs, wanted)]


def measure(arguments):
    """Everything that was asked for: (what was measured, whether all could be)."""
    tools = Tools(arguments)
    left_out = tools.left_out
    for name in list(arguments.others):
        if not getattr(tools, name):
            left_out.append("%s is not installed" % name)
            arguments.others.remove(name)
    machine = report.describe_machine(tools, filesystem_of(tools.directory))
    results, is_whole = [], True
    for make, steps in plan(arguments, tools):
        world = make()
        for step in steps:
            try:
                for result in step(world):
                    if "failure" in result:
                        left_out.append("%s: %s" % (result["row"], result["failure"]))
                        is_whole = False
                    else:
                        results.append(result)
            except CannotMeasure as failure:
                say("could not be measured: %s" % failure)
                left_out.append(str(failure))
                is_whole = False
        world.close()
    # A new table for a reader: by row, as rows.py has them, then by size.
    order = list(rows.ROWS)
    results.sort(key=lambda result: (order.index(result["row"]), result["conversations"]))
    measured = {"date": datetime.date.today().isoformat(), "seed": arguments.seed,
                "scale": tree.SCALE, "machine": machine, "results": results, "left_out": left_out}
    return measured, is_whole


def main():
    arguments = parse(sys.argv[1:])

    def stop(number, _):
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    is_whole = True
    try:
        if arguments.source:
            with open(arguments.source, encoding="utf-8") as file:
                measured = json.load(file)
        else:
            measured, is_whole = measure(arguments)
    except CannotMeasure as failure:
        say("bench: %s" % failure)
        return 1
    finally:
        World.close_all()
    if arguments.json:
        report.write_json(arguments.json, measured)
    if arguments.markdown:
        report.update_document(os.path.join(SOURCE, "docs", "performance.md"), measured)
        with open(os.path.join(SOURCE, "docs", "performance.svg"), "w", encoding="utf-8") as file:
            file.write(plot.draw(measured))
    print(report.to_text(measured), end="")
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
