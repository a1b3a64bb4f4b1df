"""
What of the contract the program has already: each feature is probed by what it does.

A feature that is REQUIRED and missing is a failure by itself; for any other one the model is lenient,
and says so. Who builds a feature moves it to REQUIRED.
"""

import os

from case import Case, put
from content import EVENTS
from world import poll, read

REQUIRED = ("sync", "commit", "discard", "base_records", "git_drafts", "keeps_what_jp_overwrites")

MEANING = {
    "sync": "`jpfs sync`",
    "commit": "`jpfs commit ID`",
    "discard": "`jpfs discard ID`",
    "keeps_what_jp_overwrites": "a version that jp overwrites in the store under a live mount goes to history",
    "base_records": "section 8's B: a workspace untouched since it was in step never wins",
    "git_drafts": "section 5: an earlier version that git puts there is a draft",
}


def with_one(program, question):
    """Ask a question of a fresh world, with a conversation that is live on both sides."""
    features = dict.fromkeys(MEANING, False)
    case = Case(program, features, "probe")
    try:
        tree = case.trees[0]
        case.mount(tree)
        digits, place = next((digits, place) for digits, place in sorted(case.sides[tree].places.items())
                             if not place[0])
        return question(case, tree, digits, tree.path(place, EVENTS))
    finally:
        case.world.end()


def edit_in_store(case, digits, time=None):
    path = case.store_path(digits, EVENTS)
    old = read(path)
    new = case.writer.edited(old)
    put(path + ".tmp", new)
    os.rename(path + ".tmp", path)
    if time:
        os.utime(path, (time, time))
    return old, new


def keeps_what_jp_overwrites(case, tree, digits, path):
    tree.wait_quiet()
    old, new = edit_in_store(case, digits)
    poll(lambda: "" if read(path) == new else "it is not shown", "a version that jp puts in the store")
    tree.wait_quiet()
    tree.umount()
    return old in case.ledger.kept(digits, EVENTS)


def base_records(case, tree, digits, path):
    tree.wait_quiet()
    tree.umount()
    _, new = edit_in_store(case, digits, 1600000000)
    os.utime(path)
    tree.mount()
    return read(path) == new


def git_drafts(case, tree, digits, path):
    put(path, case.writer.longer(case.random, read(path)))
    tree.wait_quiet()
    new = read(path)
    tree.git("checkout", "-q", "HEAD", "--", path)
    tree.wait_quiet()
    return read(case.store_path(digits, EVENTS)) == new


def probe(program):
    features = dict.fromkeys(MEANING, False)
    for name in ("sync", "commit", "discard"):
        features[name] = with_one(program, lambda case, *_, name=name: case.world.jpfs("help", name).returncode == 0)
    for question in (base_records, git_drafts, keeps_what_jp_overwrites):
        features[question.__name__] = with_one(program, question)
    return features
