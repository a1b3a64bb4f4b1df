"""
Conversations for a bench: made up, but of the shape of real ones, and the same for the same seed.

Each has the three files of jp. Their sizes are drawn from those of ten conversations that jp's authors
have committed (EVENTS_SIZES, CONFIG_SIZES), made smaller by SCALE: those were kept because they are
long, and a tree of many is harder to serve quickly when its files are small, so this errs on the side
that is worse for us. Contents are valid for jp. Times lie in the past, so that git need not look at a
file twice because it may have been written within the same second as its index.
"""

import json
import os
import random

EVENTS_SIZES = (20042, 31418, 87469, 102465, 120520, 166921, 249127, 452694, 533934, 684045)
CONFIG_SIZES = (38669, 39919, 43367, 43528, 85999, 102412, 109466, 118614, 128090, 303678)
SCALE = 1 / 3
FIRST_ID = 17_500_000_000  # tenths of a second since 1970: the middle of June 2025
ID_STEP = 1_237
SPECIAL_SIZE = 1_000_000

WORDS = (
    "the a file directory mount kernel cache request answer reader writer conversation event turn "
    "tool call result error path name size time version copy store worktree branch commit history "
    "draft archive index lock thread queue buffer byte page inode entry attribute timeout watch "
    "notify invalidate rename unlink create open close read write sync journal block device test "
    "measure compare explain design choose prefer avoid because however therefore instead before "
    "after while until unless when where which that this those each every some any none all is are "
    "was were has have will would can could must should may might not only also again still already"
).split()


def _sentence(rng):
    words = rng.choices(WORDS, k=rng.randint(6, 18))
    return " ".join(words).capitalize() + "."


def _text(rng, size):
    parts = []
    while size > 0:
        parts.append(_sentence(rng))
        size -= len(parts[-1]) + 1
    return " ".join(parts)


def _event(rng, kind, size):
    stamp = "2026-03-%02d %02d:%02d:%02d.%06d" % (rng.randint(1, 28), rng.randint(0, 23),
                                                 rng.randint(0, 59), rng.randint(0, 59),
                                                 rng.randint(1, 999999))
    event = {"timestamp": stamp, "type": kind}
    if kind == "chat_request":
        event["content"] = _text(rng, size)
    elif kind == "chat_response":
        event["message"] = _text(rng, size)
    elif kind == "tool_call_request":
        event.update(id="call_%08x" % rng.getrandbits(32), name="fs_read_file", arguments={})
    elif kind == "tool_call_response":
        event.update(id="call_%08x" % rng.getrandbits(32), content=_text(rng, size),
                     is_error=False)
    return "  " + json.dumps(event, indent=2).replace("\n", "\n  ")


class Tree:
    """What the files are made of: some hundred events and paragraphs, put together anew each time."""

    def __init__(self, seed, scale=SCALE):
        self.rng = random.Random(seed)
        self.scale = scale
        kinds = ("turn_start", "chat_request", "chat_response", "chat_response",
                 "tool_call_request", "tool_call_response")
        self.events = [_event(self.rng, kinds[i % len(kinds)],
                              int(self.rng.lognormvariate(7.6, 1.0))) for i in range(240)]
        self.paragraphs = [_text(self.rng, 1500) for _ in range(80)]

    def size_like(self, sizes):
        """A size between two neighbours of the real ones, made smaller."""
        at = self.rng.random() * (len(sizes) - 1)
        low = int(at)
        return int((sizes[low] + (sizes[low + 1] - sizes[low]) * (at - low)) * self.scale)

    def make_events(self, size):
        """A valid events.json of about this size."""
        parts = [_event(self.rng, "turn_start", 0)]
        used = len(parts[0]) + 6
        while used < size:
            parts.append(self.rng.choice(self.events))
            used += len(parts[-1]) + 2
        return "[\n" + ",\n".join(parts) + "\n]\n"

    def make_config(self, size):
        """A valid base_config.json of about this size."""
        sections = []
        while size > 0:
            sections.append(self.rng.choice(self.paragraphs))
            size -= len(sections[-1]) + 8
        config = {"inherit": False, "extends": ["config/mcp/tools/**/*.toml"],
                  "assistant": {"name": "Software Architect", "instructions": sections}}
        return json.dumps(config, indent=2) + "\n"

    def write(self, directory, identity, title, events=None):
        """One conversation; returns its directory's name."""
        name = "%d-%s" % (identity, title.replace(" ", "-"))
        path = os.path.join(directory, name)
        os.mkdir(path)
        metadata = json.dumps({"title": title, "last_activated_at": "2026-03-29 10:00:00.%06d"
                               % self.rng.randint(1, 999999)}, indent=2) + "\n"
        files = (("metadata.json", metadata),
                 ("base_config.json", self.make_config(self.size_like(CONFIG_SIZES))),
                 ("events.json", events or self.make_events(self.size_like(EVENTS_SIZES))))
        when = identity // 10
        for file_name, text in files:
            file_path = os.path.join(path, file_name)
            with open(file_path, "w", encoding="ascii") as file:
                file.write(text)
            os.utime(file_path, (when, when))
        return name


def generate(directory, count, seed, scale=SCALE, special=0):
    """
    Make `count` conversations in an empty directory, and `special` more whose events.json has
    SPECIAL_SIZE bytes. Returns the names of the special ones.
    """
    tree = Tree("%d conversations, seed %s" % (count, seed), scale)
    identity = FIRST_ID
    for _ in range(count):
        identity += tree.rng.randint(1, ID_STEP)
        tree.write(directory, identity, " ".join(tree.rng.choices(WORDS, k=5)))
    names = []
    for index in range(special):
        identity += tree.rng.randint(1, ID_STEP)
        names.append(tree.write(directory, identity, "one megabyte %d" % index,
                                tree.make_events(SPECIAL_SIZE)))
    return names


def write_large(directory, size, seed):
    """One conversation more, with a very large events.json; returns its name."""
    tree = Tree("large, seed %s" % seed)
    name = tree.write(directory, FIRST_ID + 99_999_999, "very large")
    path = os.path.join(directory, name, "events.json")
    block = (",\n" + ",\n".join(tree.events)).encode("ascii")
    with open(path, "wb") as file:
        file.write(b"[\n" + tree.events[0].encode("ascii"))
        while file.tell() < size:
            file.write(block)
        file.write(b"\n]\n")
    when = (FIRST_ID + 99_999_999) // 10
    os.utime(path, (when, when))
    return name
