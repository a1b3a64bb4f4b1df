#!/usr/bin/env python3
"""
That the bench works: each row is measured, told and drawn, and nothing is left behind. How fast it was
is of no interest here.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.dom.minidom

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
# pylint: disable=wrong-import-position
import plot
import report
import rows
import tree

SKIPPED = 77


def check(is_right, text):
    if not is_right:
        sys.exit("bench: " + text)


def same_seed_same_tree(scratch):
    """One tree made twice, one of another seed."""
    trees = []
    for index, seed in enumerate(("7", "7", "8")):
        path = os.path.join(scratch, "tree%d" % index)
        os.mkdir(path)
        tree.generate(path, 3, seed)
        trees.append([(name, sorted(os.listdir(os.path.join(path, name))),
                       os.stat(os.path.join(path, name, "events.json")).st_mtime,
                       open(os.path.join(path, name, "events.json"), "rb").read())
                      for name in sorted(os.listdir(path))])
        for name in os.listdir(path):
            for file in os.listdir(os.path.join(path, name)):
                with open(os.path.join(path, name, file), encoding="utf-8") as opened:
                    json.load(opened)
    check(trees[0] == trees[1], "one seed made two different trees")
    check(trees[0] != trees[2], "two seeds made the same tree")


def run_bench(*arguments, env=None):
    """Five conversations, jpfs alone."""
    return subprocess.run((sys.executable, "-B", os.path.join(HERE, "bench.py"), "--tiny", "--against",
                           "none", *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, env=env)


def every_row_is_measured(scratch):
    """A tiny run; returns what it wrote."""
    disk, path = os.path.join(scratch, "disk"), os.path.join(scratch, "measured.json")
    os.mkdir(disk)
    left = ["rg"] if shutil.which("rg") is None else []
    if os.geteuid() != 0:
        left.append("memory-forgotten")  # only root can make the kernel forget
    done = run_bench("--directory", disk, "--json", path)
    check(done.returncode == 0, "exit code %d:\n%s%s" % (done.returncode, done.stdout, done.stderr))
    with open(path, encoding="utf-8") as file:
        measured = json.load(file)
    told = {result["row"] for result in measured["results"]}
    check(told == set(rows.ROWS) - set(left), "rows: %s\n%s" % (sorted(told), done.stderr))
    for result in measured["results"]:
        check(math.isfinite(result["value"]) and result["value"] >= 0, str(result))
        check(result["unit"] != "x" or result["value"] > 0, str(result))
        check(result["title"] in done.stdout, "not in the table: %s" % result["title"])
    counts = {result["row"]: result["requests"] for result in measured["results"]
              if "requests" in result}
    # The root's attributes are asked for once a second: what noting itself costs differs by so many.
    check(all(count["total"] >= -3 for count in counts.values()), str(counts))
    check(counts["sed"]["rename"] == 1, "sed -i renames once: %s" % counts["sed"])
    check(counts["churn"]["unlink"] == counts["churn"]["create"] > 1, str(counts["churn"]))
    check(os.listdir(disk) == [], "left behind: %s" % os.listdir(disk))
    return measured


def what_cannot_be_measured_is_said_and_the_rest_is_measured(scratch):
    """As if append could not be done."""
    disk = os.path.join(scratch, "failing")
    os.mkdir(disk)
    done = run_bench("--only", "append,sed", "--directory", disk,
                     env=dict(os.environ, JPFS_BENCH_ACT="false"))
    check(done.returncode == 1, "exit code %d:\n%s" % (done.returncode, done.stderr))
    check("left out: append: " in done.stdout, done.stdout)
    check(rows.ROWS["sed"].title in done.stdout, done.stdout)
    check(os.listdir(disk) == [], "left behind: %s" % os.listdir(disk))


def who_stops_it_finds_nothing_left(scratch):
    """A signal in the middle of a row."""
    disk = os.path.join(scratch, "stopped")
    os.mkdir(disk)
    with subprocess.Popen(
            (sys.executable, "-B", os.path.join(HERE, "bench.py"), "--tiny", "--against", "none",
             "--runs", "1000000", "--only", "cat", "--directory", disk), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as bench:
        told = ""
        while rows.ROWS["cat"].title not in told:
            line = bench.stderr.readline()
            check(line != "", "it ended before it was stopped:\n" + told)
            told += line
        bench.send_signal(signal.SIGTERM)
        told += bench.stderr.read()
        check(bench.wait() == 128 + signal.SIGTERM, "exit code %d:\n%s" % (bench.returncode, told))
    check(os.listdir(disk) == [], "left behind: %s\n%s" % (os.listdir(disk), told))


def what_was_measured_is_put_into_a_document(scratch, measured):
    path = os.path.join(scratch, "document.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("before\n%s\nold\n%s\nafter\n" % (report.MARK % "begin", report.MARK % "end"))
    report.update_document(path, measured)
    report.update_document(path, measured)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check(text.startswith("before\n") and text.endswith("\nafter\n"), text)
    check("old" not in text.split() and text.count("| find |") == 1, text)
    picture = plot.draw(measured)
    xml.dom.minidom.parseString(picture)
    check(rows.ROWS["find"].title in picture, picture)


def main():
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        print("no /dev/fuse here: skipped")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="jpfs-bench-test-") as scratch:
        same_seed_same_tree(scratch)
        measured = every_row_is_measured(scratch)
        what_was_measured_is_put_into_a_document(scratch, measured)
        what_cannot_be_measured_is_said_and_the_rest_is_measured(scratch)
        who_stops_it_finds_nothing_left(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
