"""
One episode: a world, and what is known about it.

What is expected is kept small. For the store: for each managed file the versions that it may have at
this moment, oldest first (a write that was closed is on its way, so there may be several), or ANY
where the contract leaves it to the content (git, mounting) until it was looked at. For a worktree:
which directories it shows, and `own`, the files that it shows differently from the store: its writes on
their way, its drafts, and the files of conversations that only it has.
"""

import os
import random as randoms

from content import BASE, EVENTS, MANAGED, METADATA, Writer, contains, is_earlier, is_valid, slug
from ledger import Ledger, text
from world import Failure, Unforeseen, World, conversations_in, poll, read

ANY = None


class Side:
    """What is expected of one worktree's view."""

    def __init__(self):
        self.places = {}  # digits: (is archived, directory); what it shows while mounted
        self.own = {}  # (digits, name): bytes
        self.made_anew = set()  # (digits, name): created as git does it, and perhaps not stored yet
        self.went_back = set()  # (digits, name): drafts that git made, or that were there when it was mounted
        self.were_drafts = {}  # (digits, name): {bytes}; shown by a daemon that was killed
        self.beside = {}  # (digits, name): {bytes}; of the stream, and shown beside a draft of it
        self.hidden = set()  # (digits, name): removed here
        self.notes = {}  # (digits, name): bytes of unmanaged files put in here
        self.removed_notes = {}  # (digits, name): bytes that must come to the trash
        self.incomplete = set()  # digits that may be left out of the listing for a while
        self.was_archived = {}  # digits: place; where it was archived when it was last shown so
        self.doubles = {}  # digits: {places}; of IDs that had several directories when it was mounted
        self.gone = {}  # (digits, name): [bytes]; written here, and perhaps not stored when it was removed
        self.is_untouched = False  # the workspace directory is as a clean unmount left it
        self.was_durable = set()  # (digits, name): had a durable copy at that unmount
        self.base = {}  # (digits, name): the bytes of both sides then, where they were equal

    def move(self, digits, place):
        """The directory itself was moved; there is none where it was."""
        self.places[digits] = place
        self.was_archived.pop(digits, None)

    def note_archived(self):
        """git and jp may make a live directory of what is archived here; the old one stays beneath."""
        for digits, place in self.places.items():
            if digits in self.doubles:  # where the one that is shown was moved to
                self.doubles[digits].add(place)
            if place[0]:
                self.was_archived[digits] = place
            elif digits in self.was_archived:
                self.doubles.setdefault(digits, set()).update((self.was_archived[digits], place))

    def leave(self, digits):
        """The conversation is not shown here any more."""
        self.places.pop(digits, None)
        self.incomplete.discard(digits)
        for table in (self.own, self.notes, self.removed_notes, self.beside):
            for key in [key for key in table if key[0] == digits]:
                del table[key]
        self.hidden = {key for key in self.hidden if key[0] != digits}
        self.went_back = {key for key in self.went_back if key[0] != digits}


class Case:
    is_strict = False  # whether known faults (NEEDSWORK) are failures

    def __init__(self, program, features, seed):
        self.features = features
        self.random = randoms.Random(seed)
        self.world = World(program)
        self.writer = Writer()
        self.ledger = Ledger(self.world)
        self.sides = {tree: Side() for tree in self.world.worktrees}
        self.expected = {}  # (digits, name): ANY or [bytes, ...]
        self.coming = {}  # (digits, name): (bytes, tree); closed in its mount, and to become durable
        self.left = {}  # (digits, name): versions that killed daemons have left, until they are recovered
        self.last_writer = {}  # digits: tree, or None for the store
        self.unended = {}  # digits: {trees} in which the durable bytes were written once more
        self.unsettled = set()  # trees whose view of something has to be looked at anew
        self.is_only_unforeseen = False
        self.adopted = {}  # (digits, name): the durable bytes of the last look
        self.step = 0
        self.replaced_by_jp = None  # (digits, step): a durable directory that jp has deleted and made again
        self.durable = set()  # digits that were ever durable
        self.removed_by_jp = set()  # digits
        self.remade_by_jp = set()  # digits whose durable directory was another one before
        self.removed_elsewhere = set()  # (digits, name) of unmanaged files that one worktree removed
        self.shared_notes = set()  # (digits, name) of unmanaged files that git may bring to both worktrees
        self.shape = {}  # digits: whether it has a base_config.json
        self.next_id = 17457886043
        self.commits = []
        try:
            self.populate()
        except BaseException:
            self.world.end()
            raise

    @property
    def trees(self):
        return self.world.worktrees

    def store_path(self, digits, name=""):
        archived, directory = self.ledger.places[digits][0]
        return "/".join([self.world.store] + ([".archive"] if archived else []) + [directory] +
                        ([name] if name else []))

    def mounted(self):
        return [tree for tree in self.trees if tree.is_mounted]

    # ---- the beginning ----

    def populate(self):
        """Two commits of a few conversations, the first one older; two branches for each worktree."""
        first, second = self.trees
        os.makedirs(first.view)
        with open(first.root + "/.jp/.id", "w", encoding="ascii") as file:
            file.write("DO NOT EDIT THIS FILE! IT IS AUTO-GENERATED BY JP.\nabc12\n")
        with open(first.root + "/README", "w", encoding="ascii") as file:
            file.write("hello\n")
        with open(first.view + "/README", "w", encoding="ascii") as file:
            file.write("conversations\n")
        count = self.random.randint(2, 4)
        for i in range(count):
            digits, title = self.new_id(), "title %d" % i
            self.shape[digits] = self.random.random() < 0.6
            place = (i == count - 1 and self.random.random() < 0.5, digits + "-" + slug(title))
            files = self.writer.conversation(self.random, title, self.shape[digits])
            os.makedirs(first.path(place))
            for name, data in files.items():
                put(first.path(place, name), data)
        first.git("init", "-q", "-b", "project-0", ".", check=True)
        first.git("config", "gc.auto", "0")
        first.git("add", "-A", check=True)
        first.git("commit", "-qm", "older", check=True)
        first.git("branch", "wt-1", check=True)
        first.git("branch", "project-1", check=True)
        for places in conversations_in(first.view).values():
            if self.random.random() < 0.7:
                path = first.path(places[0], EVENTS)
                put(path, self.writer.longer(self.random, read(path)))
                path = first.path(places[0], METADATA)
                put(path, self.writer.retitled(read(path), "newer", True))
        first.git("commit", "-qam", "newer")
        if self.random.random() < 0.5:
            second.world.worktrees[0].git("worktree", "add", "-q", "-b", "wt-0", second.root, check=True)
        else:
            first.git("branch", "wt-0", check=True)
            first.git("worktree", "add", "-q", second.root, "wt-1", check=True)
        self.world.notes.clear()

    def new_id(self):
        self.next_id += self.random.randint(1, 3)
        return str(self.next_id)

    # ---- looking ----

    def look(self):
        return self.ledger.look(MANAGED)

    def observe(self):
        """Look at the store, note what is new there; returns what is wrong, or ""."""
        now = self.look()
        wrong, unforeseen = [], []
        for digits in sorted(self.durable | set(self.ledger.places)):
            places = self.ledger.places.get(digits, [])
            if len(places) != 1:
                wrong.append("%s is %d times in the store: %s" % (digits, len(places), places))
                continue
            for name in MANAGED:
                data = now.get((digits, name))
                if data is None:
                    if name != BASE or (digits, BASE) in self.adopted:  # git may have brought it without
                        wrong.append("%s/%s is not durable" % (digits, name))
                    continue
                if not is_valid(name, data):
                    wrong.append("%s/%s is durable and jp would reject it:\n%s" % (digits, name, text(data)))
                    continue
                candidates = self.expected.get((digits, name), ANY)
                if candidates is not ANY and data not in candidates and data not in self.left_behind(digits, name):
                    unforeseen.append("%s/%s is durable as nobody wrote it last:\n%s\nexpected:\n%s" % (
                        digits, name, text(data), text(candidates[-1])))
        self.is_only_unforeseen = not wrong
        return "\n".join(wrong + unforeseen)

    def left_behind(self, digits, name):
        """A base configuration that was part of a draft becomes durable when its stream is none any more."""
        events = (digits, EVENTS)
        return [data for side in self.sides.values()
                if name == BASE and (events not in side.own or self.is_coming(side, events) or
                                     side.own[events] == self.ledger.durable.get(events))
                for data in side.beside.get((digits, name), set()) | {side.own.get((digits, name), b"")}
                if is_valid(name, data)]

    def adopt(self):
        """What the store has is seen, and what was before it can't come back."""
        for (digits, name), data in self.ledger.durable.items():
            if digits not in self.durable:
                self.durable.add(digits)
                self.unsettled.update(
                    tree for tree in self.mounted() if
                    any(key[0] == digits for key in self.sides[tree].own))
            if (digits, name) in self.coming and self.coming[digits, name][0] == data:
                self.sides[self.coming[digits, name][1]].made_anew.discard((digits, name))
                del self.coming[digits, name]
            self.ledger.enter(digits, name, data, "durable after step %d" % self.step)
            self.keep_beside_drafts(digits, name, data)
            for side in self.sides.values():
                if side.own.get((digits, name)) == data:
                    del side.own[digits, name]
                    side.went_back.discard((digits, name))
                    # The draft has ended: what stood beside it is the durable version again.
                    if name == EVENTS:
                        self.release_what_is_beside(side, digits)
            candidates = self.expected.get((digits, name), ANY)
            if candidates is ANY or data not in candidates:
                self.expected[digits, name] = [data]
            else:
                del candidates[:candidates.index(data)]

    def is_coming(self, side, key):
        """Whether a write in this worktree is on its way; one of another worktree may be as well."""
        return key in self.coming and self.sides[self.coming[key][1]] is side

    def keep_beside_drafts(self, digits, name, data):
        """A stream is taken from one side: beside a draft its other file stays as it was shown."""
        old, self.adopted[digits, name] = self.adopted.get((digits, name)), data
        if name == METADATA or old in (None, data):
            return
        for tree in self.mounted():
            side, other = self.sides[tree], (digits, BASE if name == EVENTS else EVENTS)
            is_draft = other in side.own and not self.is_coming(side, other)
            if digits in side.places and (is_draft or other in side.beside) and (digits, name) not in side.own:
                side.beside.setdefault((digits, name), set()).add(old)

    def check_store(self):
        try:
            poll(self.observe, "the store is wrong")
        except Failure as failure:
            if self.is_only_unforeseen and not self.ledger.missing():
                raise Unforeseen(str(failure)) from None
            raise
        self.adopt()
        def lost():
            self.look()
            return self.ledger.missing()
        if self.ledger.missing():
            poll(lost, "a version is lost")

    # ---- the views ----

    def listing(self, tree):
        """{digits: place} of what a worktree shows; one directory for each ID."""
        found = conversations_in(tree.view)
        for digits, places in found.items():
            if len(places) > 1:
                raise Failure("%s shows %s more than once: %s" % (tree.name, digits, places))
        return {digits: places[0] for digits, places in found.items()}

    def complete_again(self, tree):
        """What has all of its files is listed, whatever it lacked before."""
        side = self.sides[tree]
        for digits in side.incomplete & set(side.places) - set(side.doubles):
            if any(key[0] == digits for key in side.hidden) or not all(
                    os.path.exists(tree.path(side.places[digits], name)) for name in (METADATA, EVENTS)):
                continue
            poll(lambda: "" if self.listing(tree).get(digits) == side.places[digits] else "it is not listed",
                 "%s has all files of %s" % (tree.name, digits))
            side.incomplete.discard(digits)

    def check_view(self, tree):
        side = self.sides[tree]
        side.note_archived()
        self.take_in_seconds(tree)
        self.complete_again(tree)
        def without(places):
            return {digits: place for digits, place in places.items() if digits not in side.incomplete}
        def names():
            self.take_in_seconds(tree)  # it may come a moment after the first one has gone
            shown = self.listing(tree)
            return "" if without(shown) == without(side.places) else "shown: %s\nexpected: %s" % (shown, side.places)
        poll(names, "%s does not show what it should" % tree.name)
        for digits, place in list(side.places.items()):
            for name in MANAGED:
                self.check_file(tree, digits, place, name)
        for (digits, name), data in list(side.notes.items()):
            if digits in side.places:
                shown = read(tree.path(side.places[digits], name))
                if shown != data and (digits, name) in self.shared_notes and self.is_stored(digits, name, shown):
                    side.notes[digits, name] = shown  # git has just written it in another worktree
                elif shown != data:
                    raise Failure("%s shows %s/%s as\n%s\nand not as it was written:\n%s" % (
                        tree.name, digits, name, text(shown), text(data)))

    def check_file(self, tree, digits, place, name):
        side, key = self.sides[tree], (digits, name)
        shown = read(tree.path(place, name))
        if key in side.hidden:
            if shown is not None:
                raise Failure("%s shows %s/%s, which was removed" % (tree.name, digits, name))
        elif key in side.own:
            if shown != side.own[key] and digits not in self.durable and digits in conversations_in(self.world.store):
                self.check_store()  # another worktree's became durable a moment ago
                self.settle_what_became_durable()
            elif shown != side.own[key]:
                raise Failure("%s shows %s/%s as\n%s\nand not as it was written there:\n%s" % (
                    tree.name, digits, name, text(shown), text(side.own[key])))
        elif shown == self.ledger.durable.get(key):
            side.beside.pop(key, None)
        else:
            def differs():
                if not self.observe():
                    self.adopt()  # what is durable since a moment ago leaves the one before beside a draft
                shown, stored = read(tree.path(place, name)), self.ledger.durable.get(key)
                if shown is not None and shown in side.beside.get(key, ()) and digits in tree.drafts():
                    return ""  # beside a draft of its stream
                return "" if shown == stored else "shown:\n%s\ndurable:\n%s" % (text(shown), text(stored))
            poll(differs, "%s shows %s/%s otherwise than it is durable" % (tree.name, digits, name))

    def settle(self, tree, expect=None, may_hide=False):
        """
        After git or mounting: until each file is as durable or a draft. Then what is shown is
        known. `expect`: digits that must be there. `may_hide`: git may have removed a file of a
        directory that stays.
        """
        side = self.sides[tree]
        found, hidden = {}, set()
        was_draft = dict(side.own)
        tree.wait_quiet(is_whole=False)  # what is not decided yet may look like a draft
        def unsettled():
            found.clear()
            hidden.clear()
            wrong = []
            stored = self.look()
            shown = self.listing(tree)
            for digits in sorted(set(expect or ()) - set(shown)):
                wrong.append("%s is not shown" % digits)
            drafts = None
            for digits, place in shown.items():
                for name in MANAGED:
                    data = read(tree.path(place, name))
                    if digits not in self.ledger.places:
                        if data is not None:
                            found[digits, name] = data
                        continue
                    kept = stored.get((digits, name))
                    if data == kept:
                        continue
                    if data is None:
                        if may_hide or digits not in side.places:  # git brought only some of it, a while ago
                            hidden.add((digits, name))
                        elif (digits, name) not in side.hidden:
                            wrong.append("%s/%s is not shown" % (digits, name))
                        continue
                    drafts = tree.drafts() if drafts is None else drafts
                    is_draft = digits in drafts and (
                        kept is None or not is_valid(name, data) or is_earlier(name, data, kept) or
                        (name == BASE and read(tree.path(place, EVENTS)) != stored.get((digits, EVENTS))) or
                        self.went_before(digits, name, data) or was_draft.get((digits, name)) == data or
                        data in side.were_drafts.get((digits, name), ()) or
                        data in side.beside.get((digits, name), ()))
                    if not is_draft:
                        wrong.append("%s/%s is shown as\n%s\nand is durable as\n%s\n(drafts: %s)" % (
                            digits, name, text(data), text(kept), drafts))
                    found[digits, name] = data
            self.shown = shown
            return "\n".join(wrong)
        poll(unsettled, "%s does not settle" % tree.name)
        side.places = self.shown
        side.own = dict(found)
        side.went_back = {key for key in found if key[0] in self.ledger.places}
        for key in side.went_back:
            if key[1] == BASE and self.expected.get(key):  # it goes with its stream, and that is decided later
                self.expected[key] = [self.ledger.durable.get(key), found[key]]
        side.hidden = {key for key in side.hidden | hidden if key[0] in side.places and
                       read(tree.path(side.places[key[0]], key[1])) is None}
        side.incomplete.update(key[0] for key in side.hidden)
        self.find_notes(tree)

    def went_before(self, digits, name, data):
        """Whether a version is one that others took the place of, or is contained in such a one."""
        return any(contains(name, data, other) for other in self.ledger.history(digits, name))

    def find_notes(self, tree):
        """Which unmanaged files a worktree shows now."""
        side = self.sides[tree]
        side.notes = {}
        for digits, place in side.places.items():
            for name in os.listdir(tree.path(place)):
                data = read(tree.path(place, name))
                if name not in MANAGED and data is not None:
                    side.notes[digits, name] = data

    # ---- expectations ----

    def loosen(self, digits=None):
        """From now on, until it was looked at, the store decides by content."""
        for key in list(self.expected):
            if digits is None or key[0] == digits:
                self.expected[key] = ANY

    def flush(self, digits):
        """Wait until every write to a conversation is durable: writers do not race each other."""
        def behind():
            wrong = self.observe()
            if wrong:
                return wrong
            self.adopt()
            return "\n".join("%s/%s is durable as\n%s\nbut was written as\n%s" % (
                key + (text(self.ledger.durable.get(key)), text(data)))
                             for key, (data, _) in self.coming.items() if key[0] == digits)
        poll(behind, "a write does not become durable")
        for tree in self.unended.pop(digits, ()):  # nor does one that changes nothing race with the next one
            tree.wait_quiet(is_whole=False)
        if any(key[0] == digits and found is not ANY and len(found) > 1 for key, found in self.expected.items()):
            for tree in self.mounted():  # what goes on from a draft is decided
                tree.wait_quiet(is_whole=False)
            self.check_store()
            for key in [key for key in self.expected if key[0] == digits and key in self.ledger.durable]:
                self.expected[key] = [self.ledger.durable[key]]
        poll(lambda: self.unseen(digits), "a durable version is not seen")

    def unseen(self, digits):
        """
        What a mount does not show yet of what another worktree or jp has stored. Whoever writes in that
        moment writes to the version that is still shown: it is kept, and another one is current.
        """
        if not self.observe():
            self.adopt()  # what is durable since a moment ago leaves the one before beside a draft
        for tree in self.mounted():
            side = self.sides[tree]
            for name in MANAGED if digits in side.places and digits in self.ledger.places else ():
                key = (digits, name)
                if key in side.own or key in side.hidden or key in side.beside:
                    continue
                shown = read(tree.path(side.places[digits], name))
                if shown != self.ledger.durable.get(key):
                    return "%s shows %s/%s as\n%s\nand it is durable as\n%s" % (
                        tree.name, digits, name, text(shown), text(self.ledger.durable.get(key)))
        return ""

    def flush_all(self):
        undecided = {key[0] for key, found in self.expected.items() if found is not ANY and len(found) > 1}
        undecided.update(self.unended)
        for digits in sorted({key[0] for key in self.coming} | undecided):
            self.flush(digits)

    def change(self, tree, digits):
        """Somebody is about to change a conversation (None: any): in a worktree, or in the store."""
        if digits is None:
            self.flush_all()
        elif self.last_writer.get(digits) is not tree:
            self.flush(digits)
        self.last_writer[digits] = tree
        if tree is not None and not tree.is_mounted:
            self.sides[tree].is_untouched = False

    def release_what_is_beside(self, side, digits):
        """
        When the draft of the events ends, the base configuration that was shown with it is the durable
        one again, or is taken along; or it is a draft of its own, because it is an earlier version itself.
        """
        other = (digits, BASE)
        if other in side.own and digits in self.durable and not self.is_coming(side, other):
            side.beside.setdefault(other, set()).add(side.own.pop(other))
            self.expected[other] = [self.ledger.durable.get(other)] + [
                data for data in side.beside[other] if is_valid(BASE, data)]

    def write_is_coming(self, tree, digits, name, data):
        """A version was written through a mount and closed."""
        side = self.sides[tree]
        key = (digits, name)
        stored = self.ledger.durable.get(key)
        side.hidden.discard(key)
        has_draft_beside = name == BASE and (digits, EVENTS) in side.own
        side.own[key] = data
        if name == EVENTS:
            self.release_what_is_beside(side, digits)
        is_undecided = key in side.made_anew and key in self.coming
        self.coming.pop(key, None)
        if (self.features["git_drafts"] and (key in side.went_back or is_undecided) and stored is not None and is_valid(name, data) and
                (is_earlier(name, data, stored) or self.went_before(digits, name, data))):
            self.expected[key] = [stored, data]  # what goes on from a draft of git's and is earlier still is one
            return
        if has_draft_beside and digits in self.durable:
            # Of one unit with a draft, perhaps.
            self.expected[key] = [stored, data] if is_valid(name, data) else [stored]
            return
        base = side.own.get((digits, BASE))
        if (name == EVENTS and base is not None and digits in self.durable and
                not self.is_coming(side, (digits, BASE))):
            self.expected[digits, BASE] = [self.ledger.durable.get((digits, BASE)), base]
        if not is_valid(name, data):
            if digits not in self.durable:  # then none of it becomes durable, until this is repaired
                for other in MANAGED:
                    self.coming.pop((digits, other), None)
                    self.expected.pop((digits, other), None)
            return
        if digits in self.durable:
            candidates = self.expected.get(key, ANY)
            if candidates is ANY:
                candidates = self.expected[key] = [self.ledger.durable.get(key)]
            if candidates[-1] != data:
                candidates.append(data)
            if self.ledger.durable.get(key) != data or len(candidates) > 1:
                self.coming[key] = (data, tree)
            else:
                self.unended.setdefault(digits, set()).add(tree)
        elif self.is_whole(tree, digits):
            # Its first durable copy: the files that the worktree has.
            for other in MANAGED:
                if (digits, other) in side.own:
                    self.expected[digits, other] = [side.own[digits, other]]
                    self.coming[digits, other] = (side.own[digits, other], tree)

    def adopt_one(self, digits, name, data):
        """A version that was synced."""
        self.ledger.enter(digits, name, data, "synced in step %d" % self.step)
        self.expected[digits, name] = [data]
        self.coming.pop((digits, name), None)

    def forget(self, digits):
        """jp has removed it."""
        self.durable.discard(digits)
        self.removed_by_jp.add(digits)
        self.remade_by_jp.add(digits)
        for table in (self.expected, self.coming, self.ledger.open, self.adopted):
            for key in [key for key in table if key[0] == digits]:
                del table[key]
        self.forget_removed_notes(digits)

    def forget_removed_notes(self, digits):
        """What was on its way to the trash, jp has deleted."""
        for side in self.sides.values():
            for key in [key for key in side.removed_notes if key[0] == digits]:
                del side.removed_notes[key]

    def check_staging(self):
        """Whoever comes after a daemon that was killed leaves nothing of it in staging."""
        directory = self.world.silo + "/jpfs/staging"
        def left():
            found = os.listdir(directory) if os.path.isdir(directory) else []
            return "" if len(found) <= len(self.mounted()) else "%s: %s" % (directory, sorted(found))
        poll(left, "something is left in staging")

    def share_notes(self, tree):
        """Unmanaged files that both worktrees have may have changed in the store."""
        for other in self.trees:
            mine = set(self.sides[tree].notes) | self.shared_notes
            for key in set(self.sides[other].notes) & mine if other is not tree else ():
                del self.sides[other].notes[key]

    def wait_for_name(self, digits, name):
        def elsewhere():
            self.look()
            place = self.ledger.places.get(digits)
            return "" if place and len(place) == 1 and place[0][1] == name else str(place)
        poll(elsewhere, "%s is not %s in the store" % (digits, name))

    def wait_for_place(self, digits, place):
        def elsewhere():
            self.look()
            found = self.ledger.places.get(digits)
            return "" if found and len(found) == 1 and found[0][0] == place[0] else str(found)
        poll(elsewhere, "%s is not %s in the store" % (digits, "archived" if place[0] else "live"))

    def is_whole(self, tree, digits):
        own = self.sides[tree].own
        return all((digits, name) in own and is_valid(name, own[digits, name])
                   for name in MANAGED if name != BASE or self.shape.get(digits))

    # ---- the real directories ----

    def compare_sides(self, tree):
        """Invariant 4, with nothing mounted there."""
        side = self.sides[tree]
        stored = self.look()
        wrong = []
        found = conversations_in(tree.view)
        for digits, places in found.items():
            if len(places) > 1 and digits not in side.incomplete and not set(places) <= side.doubles.get(digits, set()):
                wrong.append("%s is more than once in %s: %s" % (digits, tree.name, places))
        shown = {digits: side.places[digits] if side.places.get(digits) in places else places[0]
                 for digits, places in found.items() if digits not in side.incomplete}
        shown = {digits: place for digits, place in shown.items() if digits in side.places or all(
            os.path.exists(tree.path(place, name)) for name in (METADATA, EVENTS))}  # git left something of it
        before = {digits: place for digits, place in side.places.items() if digits not in side.incomplete}
        if shown != before:
            wrong.append("in the workspace: %s\nshown before: %s" % (shown, before))
        for digits, place in shown.items():
            for name in MANAGED:
                key = (digits, name)
                data = read(tree.path(place, name))
                right = None if key in side.hidden else side.own.get(key, stored.get(key))
                if data != right and data not in side.beside.get(key, ()):
                    wrong.append("%s: %s/%s is\n%s\nand should be\n%s" % (
                        tree.name, digits, name, text(data), text(right)))
        for (digits, name), data in side.notes.items():
            if digits not in shown:
                continue
            here = read(tree.path(shown[digits], name))
            # NEEDSWORK: what another worktree wrote is shown here, and does not come to this workspace.
            if here != data and (self.is_strict or (digits, name) not in self.shared_notes):
                wrong.append("%s: %s/%s is %r and was written as %r" % (tree.name, digits, name, here, data))
            if digits in self.ledger.places and self.is_alone(tree, digits, name):
                archived, directory = self.ledger.places[digits][0]
                kept = read("/".join([self.world.store] + ([".archive"] if archived else []) +
                                     [directory, name]))
                # NEEDSWORK: what jp removed and a worktree has made anew lacks its unmanaged files in the
                # store until the next mounting; the workspace has them.
                if kept != data and (self.is_strict or digits not in self.removed_by_jp):
                    wrong.append("%s/%s is %r in the store and was written as %r" % (digits, name, kept, data))
        for (digits, name), data in side.removed_notes.items():
            kept = self.store_path(digits, name) if digits in self.ledger.places else ""
            if data not in self.ledger.trash(digits) and read(kept) != data:
                wrong.append("%s/%s was removed in %s and is neither in the trash nor in the store: %r" % (
                    digits, name, tree.name, data))
        return "\n".join(wrong)

    def is_stored(self, digits, name, data):
        return digits in self.ledger.places and read(self.store_path(digits, name)) == data

    def is_alone(self, tree, digits, name):
        if not self.is_strict and (digits, name) in self.shared_notes:
            return False
        return not any((digits, name) in side.notes for other, side in self.sides.items() if other is not tree)


    # ---- mounting and unmounting ----

    def check(self):
        """After every step."""
        self.check_store()
        self.settle_what_became_durable()
        for tree in self.mounted():
            self.check_view(tree)

    def settle_what_became_durable(self):
        if self.unsettled:  # what is not seen yet is no draft, though it may be in history by now
            self.flush_all()
            poll(lambda: "".join(self.unseen(digits) for digits in list(self.ledger.places)),
                 "a durable version is not seen")
        for tree in self.unsettled & set(self.mounted()):
            own = dict(self.sides[tree].own)
            self.settle(tree, may_hide=True)
            # NEEDSWORK: a conversation that only this worktree had got its durable copy from another
            # worktree; what this one had is replaced by that, and not kept.
            if self.is_strict:
                self.enter_losers(tree, own)
        self.unsettled.clear()

    def enter_losers(self, tree, files):
        """Versions that a worktree had and does not show any more must be somewhere."""
        side = self.sides[tree]
        for (digits, name), data in files.items():
            if digits in self.removed_by_jp and not self.is_strict:
                continue  # NEEDSWORK: a worktree's last copy gives way to a new durable one, and is not kept
            if digits in self.ledger.places and is_valid(name, data) and side.own.get((digits, name)) != data:
                self.ledger.enter(digits, name, data, "in %s before step %d" % (tree.name, self.step))

    def files_of(self, tree):
        """What lies in the workspace directory: places, and the bytes of managed files."""
        found = conversations_in(tree.view)
        files = {}
        for digits, places in found.items():
            for name in MANAGED:
                data = read(tree.path(places[0], name)) if len(places) == 1 else None
                if data is not None:
                    files[digits, name] = data
        return found, files

    def note_doubles(self, tree, found):
        """git can put a second directory of an ID beside a renamed one while nothing is mounted."""
        self.sides[tree].doubles = {digits: set(places) for digits, places in found.items() if len(places) > 1}
        for digits in self.sides[tree].doubles:
            self.loosen(digits)

    def take_in_seconds(self, tree):
        """A second directory is shown when the first one has gone."""
        side = self.sides[tree]
        came = {digits: place for digits, place in (self.listing(tree) if side.doubles else {}).items()
                if digits not in side.places and place in side.doubles.get(digits, ())}
        for digits, place in came.items():
            self.world.note("%s: the second directory %s is shown" % (tree.name, place[1]))
            self.loosen(digits)
            side.places[digits] = place
        if came:
            self.settle(tree, may_hide=True)
            self.check_store()

    def mount(self, tree):
        self.flush_all()
        before = dict(self.look())
        found, files = self.files_of(tree)
        self.note_doubles(tree, found)
        is_first = not os.path.isdir(self.world.silo)
        self.world.note("mount %s%s" % (tree.name, ", the first one" if is_first else ""))
        tree.mount()
        self.check_staging()
        self.brought_together(tree, before, found, files, is_first)

    def sync(self, tree):
        """`jpfs sync`: as mounting and unmounting."""
        self.flush_all()
        for other in self.mounted():  # what goes on from a draft is stored when that is decided
            other.wait_quiet(is_whole=not self.sides[other].incomplete)
        self.check_store()
        before = dict(self.look())
        found, files = self.files_of(tree)
        for _ in range(2):
            done = self.world.jpfs("sync", tree.root)
            self.world.note("jpfs sync %s: %d %s" % (tree.name, done.returncode, done.stdout.strip()))
            if done.returncode != 0:
                raise Failure("jpfs sync: exit %d\n%s" % (done.returncode, done.stdout))
            after = snapshot(self.world.store, tree.view)
            if _ == 1 and difference(first, after):
                raise Failure("jpfs sync for the second time changed\n" + difference(first, after))
            first = after
        self.check_staging()
        self.expect_either(tree, before, files)
        self.note_doubles(tree, found)
        self.check_store()
        for key, data in self.files_of(tree)[1].items():
            kept = self.ledger.durable.get(key)
            if kept is not None and data != kept and files.get(key) != data:
                raise Failure("%s/%s after jpfs sync is\n%s\nand durable as\n%s" % (key + (text(data), text(kept))))
        now = self.files_of(tree)[1]
        for key, data in now.items():
            if data != self.ledger.durable.get(key, data):  # a draft stays one
                self.sides[tree].were_drafts.setdefault(key, set()).add(data)
        for key, data in files.items():
            if key in self.ledger.durable and is_valid(key[1], data) and now.get(key) != data:
                self.ledger.enter(key[0], key[1], data, "in %s before jpfs sync" % tree.name)
        self.share_notes(tree)

    def expect_either(self, tree, before, files):
        """The store has what it had, or what the workspace had; W = B leaves it alone."""
        side = self.sides[tree]
        for key, data in files.items():
            kept = before.get(key)
            if kept is None:
                self.expected[key] = ANY
            elif self.features["base_records"] and side.is_untouched and key in side.was_durable:
                self.expected[key] = [kept]
            elif is_valid(key[1], data):
                goes_back = data == kept or self.goes_back(key, data, kept, before, files)
                self.expected[key] = [kept] if goes_back else [kept, data]
        for key, versions in self.left.items():  # whoever comes next recovers what is left
            found = self.expected.get(key)
            if found:
                found.extend(data for data in versions if data not in found)
        self.left.clear()
        self.ledger.is_after_kill = False

    @staticmethod
    def goes_back(key, data, kept, before, files):
        """
        An earlier version never becomes durable, with or without a base record. The metadata go with
        their stream, so they may when that one goes on from the durable one.
        """
        stream = (key[0], EVENTS)
        if key[1] == BASE or not is_earlier(key[1], data, kept):
            return False
        return key[1] == EVENTS or files.get(stream) == before.get(stream)

    def brought_together(self, tree, before, found, files, is_first):
        side = self.sides[tree]
        self.expect_either(tree, before, files)
        self.note_doubles(tree, found)
        whole = {digits for digits in found if (digits, METADATA) in files and (digits, EVENTS) in files}
        if is_first:
            good = {digits for digits in whole if all(
                is_valid(name, files[digits, name]) for name in MANAGED if (digits, name) in files)}
            def missing():
                self.look()
                return ", ".join(good - set(self.ledger.places))
            poll(missing, "the first mount does not import")
        drafts = {key: data for key, data in side.own.items() if key in before and not is_valid(key[1], data)}
        # What a directory lacks since it was last in step stays hidden; what a new one lacks is brought.
        self.settle(tree, whole, may_hide=self.features["base_records"])
        self.check_store()
        for digits, place in side.places.items():
            if place not in found.get(digits, ()):
                raise Failure("%s shows %s as %s, and it was %s" % (tree.name, digits, place, found.get(digits)))
        if side.is_untouched:
            for key, data in drafts.items():
                if side.own.get(key) != data:
                    raise Failure("%s: the draft %s/%s was\n%s\nand is shown as\n%s" % (
                        tree.name, key[0], key[1], text(data), text(side.own.get(key))))
        self.enter_losers(tree, files)
        for (digits, name), data in files.items():
            # W is not valid, D is: W is a draft, whatever else.
            if (digits, name) in before and name != BASE and not is_valid(name, data) and len(found[digits]) == 1:
                shown = read(tree.path(side.places[digits], name)) if digits in side.places else None
                if shown != data:
                    raise Failure("%s: %s/%s was not valid and is shown as\n%s\nand not as the draft\n%s" % (
                        tree.name, digits, name, text(shown), text(data)))
        side.incomplete = {digits for digits in found if digits not in whole or len(found[digits]) > 1}
        self.share_notes(tree)

    def drafts_of(self, tree):
        """Digits of durable conversations whose files differ here, and not because they are on their way."""
        return {key[0] for key, data in self.sides[tree].own.items()
                if key[0] in self.durable and not self.is_coming(self.sides[tree], key) and
                data != self.ledger.durable.get(key)}

    def picture(self, tree):
        """What was expected of a worktree's view, for who reads of a failure."""
        side = self.sides[tree]
        if os.environ.get("DEBUG_WORLD"):  # what is beneath the mount is seen through another one of its parent
            os.system("ls -laR %s/.jp %s | grep -v '^total'; cat %s/.jpfs/status.json" % (
                tree.root, self.world.silo, tree.view))
            os.system("mkdir -p %s/beneath && mount --bind %s %s/beneath && ls -laR %s/beneath/.jp; umount %s/beneath" % (
                (self.world.base, tree.root) + 3 * (self.world.base,)))
        return "places: %s\nown: %s\nhidden: %s\ndrafts: %s\n" % (
            side.places, {key: self.describe(key, data) for key, data in side.own.items()}, side.hidden, tree.drafts())

    def describe(self, key, data):
        if not is_valid(key[1], data):
            return "invalid"
        stored = self.ledger.durable.get(key)
        return ", ".join(word for word, is_it in (
            ("durable", data == stored), ("earlier", stored is not None and is_earlier(key[1], data, stored)),
            ("kept", data in self.ledger.history(*key)), ("on its way", key in self.coming)) if is_it) or "other"

    def umount(self, tree):
        self.flush_all()
        side = self.sides[tree]
        def unnamed():
            return ", ".join(self.drafts_of(tree) - tree.drafts())
        poll(unnamed, "the status of %s does not name the drafts" % tree.name)
        self.world.note("umount %s%s" % (tree.name, "".join(", draft " + digits for digits in self.drafts_of(tree))))
        tree.umount()
        self.check_store()
        wrong = self.compare_sides(tree)
        if wrong:
            raise Failure("after unmounting\n" + wrong)
        side.is_untouched = True
        side.was_archived.clear()
        side.was_durable = set(self.ledger.durable)
        side.removed_notes.clear()
        side.gone.clear()

    def kill(self, tree):
        side = self.sides[tree]
        self.world.note("kill -9 of the daemon of %s, %d writes on their way" % (tree.name, len(self.coming)))
        tree.kill()
        self.ledger.is_after_kill = True
        for key in [key for key, value in self.coming.items() if value[1] is tree]:
            self.left.setdefault(key, []).extend(self.expected.get(key) or [self.coming[key][0]])
            del self.coming[key]
        for key, versions in side.gone.items():
            self.left.setdefault(key, []).extend(versions)
        for key, data in side.own.items():
            side.were_drafts.setdefault(key, set()).add(data)
            self.left.setdefault(key, []).append(data)  # of a draft's unit, perhaps not decided yet
        for table in (side.own, side.notes, side.removed_notes, side.hidden, side.beside, side.gone):
            table.clear()
        side.is_untouched = False


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def snapshot(*directories):
    """Every byte, mode, time and inode; jpfs's own and git's apart."""
    found = {}
    for top in directories:
        for path, names, files in os.walk(top):
            names[:] = [name for name in names if not (name == "jpfs" and path == top)]
            for name in names + files:
                full = path + "/" + name
                st = os.lstat(full)
                found[full] = (oct(st.st_mode), st.st_mtime_ns, st.st_size, st.st_ino, read(full))
            st = os.lstat(path)
            found[path] = (oct(st.st_mode), st.st_mtime_ns, st.st_ino)
    return found


def difference(before, after):
    lines = []
    for path in sorted(set(before) | set(after)):
        if before.get(path) != after.get(path):
            lines.append("%s:\n  before %s\n  after  %s" % (path, short(before.get(path)), short(after.get(path))))
    return "\n".join(lines)


def short(facts):
    return None if facts is None else [str(fact)[:200] for fact in facts]
