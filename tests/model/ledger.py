"""
The book of versions: what was seen durable, and where it must still be found.

Invariant 2: every version of a managed file that a reader could have seen committed is the current
one, contained in it, or in history. A version may be contained in one that is itself in history, so
a version is looked for in what the current one and all kept ones contain.

What is kept never goes during a test (nothing is pruned), so a version found in history is done with.
"""

import json
import os

from content import contains
from world import conversations_in, read


class Ledger:
    def __init__(self, world):
        self.world = world
        self.open = {}  # (digits, name): {bytes: where it was seen}; not yet in history
        self.durable = {}  # (digits, name): the current bytes, from the last look
        self.places = {}  # digits: [(is archived, directory)]
        self.is_after_kill = False  # a killed daemon's staging counts as kept, ARCHITECTURE.md

    def look(self, managed):
        """Read the store; {(digits, name): bytes}."""
        self.places = conversations_in(self.world.store)
        self.durable = {}
        for digits, places in self.places.items():
            archived, directory = places[0]
            parts = [self.world.store] + ([".archive"] if archived else []) + [directory]
            for name in managed:
                data = read("/".join(parts + [name]))
                if data is not None:
                    self.durable[digits, name] = data
        return self.durable

    def enter(self, digits, name, data, where):
        """From now on this version must be found."""
        if data:  # there is nothing in an empty one to be kept
            self.open.setdefault((digits, name), {}).setdefault(data, where)

    def forgive(self, digits):
        """What jp removed, or overwrote while nobody watched, is jp's own affair; pins come and go."""
        is_after_kill, self.is_after_kill = self.is_after_kill, False
        for (other, name), versions in self.open.items():
            if other == digits:
                for data in [data for data in versions if not self.is_kept(digits, name, data)]:
                    del versions[data]
        self.is_after_kill = is_after_kill

    def is_kept(self, digits, name, data, kept=None):
        current = self.durable.get((digits, name))
        if current is not None and contains(name, data, current):
            return True
        kept = self.kept(digits, name) if kept is None else kept
        return data in kept or any(contains(name, data, other) for other in kept)

    def history(self, digits, name):
        found = set()
        directory = self.world.silo + "/jpfs/history/" + digits
        for entry in os.listdir(directory) if os.path.isdir(directory) else ():
            if entry.endswith("." + name) or name in entry:
                found.add(read(directory + "/" + entry))
        found.discard(None)
        return found

    def kept(self, digits, name):
        """Versions in history, and after a kill in what was left in staging."""
        found = self.history(digits, name)
        if self.is_after_kill:
            for path, _, entries in os.walk(self.world.silo + "/jpfs/staging"):
                found.update(read(path + "/" + entry) for entry in entries)
        found.discard(None)
        return found

    def trash(self, digits):
        """The bytes of every file in the silo's trash for a conversation."""
        found = set()
        for path, _, entries in os.walk(self.world.silo + "/jpfs/trash/" + digits):
            found.update(read(path + "/" + entry) for entry in entries)
        return found

    def missing(self):
        """A text for each version that is nowhere; "" when all is well."""
        lost = []
        for (digits, name), versions in self.open.items():
            current = self.durable.get((digits, name))
            doubtful = [data for data in versions if current is None or not contains(name, data, current)]
            if not doubtful:
                continue
            kept = self.kept(digits, name)
            for data in doubtful:
                if not self.is_kept(digits, name, data, kept):
                    lost.append("lost: %s/%s as it was %s:\n%s\nnow it is:\n%s\nkept are %d others" % (
                        digits, name, versions[data], text(data), text(current), len(kept)))
                elif data in kept and not self.is_after_kill:
                    del versions[data]
        return "\n".join(lost)


def text(data):
    """For a reader: what is the same all over an events.json is left away."""
    if data is None:
        return "(absent)"
    try:
        events = json.loads(data)
        if isinstance(events, list):
            return "%d events in %d bytes:" % (len(events), len(data)) + "".join(
                "\n    " + "/".join(str(value)[:40] for key, value in sorted(event.items())) for event in events)
    except (ValueError, AttributeError):
        pass
    short = data if len(data) < 1500 else data[:500] + b"\n[...]\n" + data[-900:]
    return short.decode(errors="replace")
