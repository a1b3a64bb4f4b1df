"""
What is measured, and what is wanted of it.

A goal of unit "x" is a ratio to the same command on the directory itself (or to what the row names),
the median of pairs. Others are what they say; of many latencies, the 99th percentile.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """`key` is for programs and --only; `at_most` is the goal, None where there is none."""

    key: str
    title: str
    at_most: float = None
    unit: str = "x"

    def is_met(self, value):
        """None where nothing was asked for."""
        return None if self.at_most is None else value <= self.at_most


# In the order in which they are told.
WALKS = (
    Row("find", "find", 1.10),
    Row("ls", "ls -lR", 1.10),
    Row("du", "du -s", 1.10),
    Row("git-status", "git status", 1.10),
    Row("rg", "rg, no match", 1.10),
    Row("grep", "grep -r, no match", 1.10),
    Row("cat", "cat of every file", 1.10),
    Row("tar", "tar c", 1.10),
    Row("readers", "4 readers at once", 1.15),
)
FIRST = (
    Row("first-find", "first find after mounting", 4),
    Row("first-ls", "first ls -lR after mounting", 4),
)
LARGE = (
    Row("large-first", "one 100 MB file, first time", 1.5),
    Row("large-again", "one 100 MB file, again", 1.05),
    Row("large-floor", "the same on the disk itself: cached page by page"),
)
SAVES = (
    Row("save", "jp's save of 1 MB, against two without jpfs", 1.0),
    Row("save-fsync", "the same with fsync of file and directory", 1.0),
    Row("save-both", "jp saves 1 MB in the store and in the mount"),
    Row("sed", "sed -i on 1 MB", 2),
    Row("append", "append 200 bytes to 1 MB, against copying it", 1.5),
    Row("churn", "create and remove small files", 4),
)
SERVING = (
    Row("mount", "mounting, in step, per conversation", 10, "us"),
    Row("memory", "memory after a walk, per conversation", 2048, "bytes"),
    Row("memory-forgotten", "the same after the kernel forgot", None, "bytes"),
    Row("idle", "wake-ups per second when idle", 0, "/s"),
)
LATENCIES = (
    Row("visible", "a change in the store until a reader sees it", 20, "ms"),
    Row("stale", "older versions read after a newer one", 0, "reads"),
    Row("durable", "durable after close", 20, "ms"),
    Row("durable-burst", "durable after close, 1,000 saves at once", 20, "ms"),
    Row("burst-floor", "the same on the disk itself: one syncfs, and renames", None, "ms"),
    Row("fsync", "durable with fsync, until it returns", None, "ms"),
)
ROWS = {row.key: row for group in (WALKS, FIRST, LARGE, SAVES, SERVING, LATENCIES)
        for row in group}
