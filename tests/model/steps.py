"""
The steps: what people, editors, git, jp and a power cut do, one at a time.

A step is a function of the case and of its own random numbers, with a weight and a question whether
it makes sense now. It does the thing through ordinary system calls, and tells the case what is to be
expected; the checks that follow every step are in model.py.
"""

import os
import shutil
import subprocess

from case import ANY, difference, put, snapshot
from content import BASE, EVENTS, MANAGED, METADATA, contains, is_earlier, is_valid, slug
from ledger import text
from world import Failure, conversations_in, digits_of, poll, read

STEPS = {}


def step(weight, applies=lambda case: True, feature=None):
    def register(function):
        STEPS[function.__name__] = (function, weight, applies, feature)
        return function
    return register


# ---- choosing ----

def places(case, tree):
    """{digits: place} as somebody in the worktree finds them."""
    if tree.is_mounted:
        found = dict(case.sides[tree].places)
    else:
        found = {digits: where[0] for digits, where in conversations_in(tree.view).items()}
    if not case.is_strict:
        # NEEDSWORK: of what two worktrees show and the store never had, the version that was written
        # first may become the durable one last. Neither is lost.
        others = [conversations_in(other.view) for other in case.trees if other is not tree]
        found = {digits: place for digits, place in found.items()
                 if digits in case.durable or not any(digits in other for other in others)}
    return found


def any_conversation(case):
    return any(places(case, tree) for tree in case.trees)


def choose(case, random, trees=None):
    """A worktree and a conversation in it; mounted ones more often."""
    candidates = [tree for tree in trees or case.trees if places(case, tree)]
    mounted = [tree for tree in candidates if tree.is_mounted]
    tree = random.choice(mounted if mounted and random.random() < 0.85 else candidates)
    found = places(case, tree)
    digits = random.choice(sorted(found))
    return tree, digits, found[digits]


def some_mounted(case):
    return any(places(case, tree) for tree in case.mounted())


def describe(tree):
    return tree.name if tree.is_mounted else tree.name + " (not mounted)"


# ---- writing a managed file in a worktree ----

def write_bytes(path, data, how, sync):
    """The ways in which programs save."""
    def fill(file):
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    if how == "truncate":
        with open(path, "wb") as file:
            fill(file)
    elif how == "in place":
        with open(path, "r+b") as file:
            file.write(data[:len(data) // 2])
            file.flush()
            file.write(data[len(data) // 2:])
            file.truncate()
            file.flush()
            if sync:
                os.fsync(file.fileno())
    elif how == "append":
        old = read(path)
        same = os.path.commonprefix([old, data])
        os.truncate(path, len(same))
        with open(path, "ab") as file:
            file.write(data[len(same):])
            if sync:
                file.flush()
                os.fsync(file.fileno())
    elif how == "backup":
        os.rename(path, path + "~")
        with open(path, "wb") as file:
            fill(file)
        os.unlink(path + "~")
    else:  # beside, and as jp does
        other = path + (".tmp" if how == "jp" else ".new")
        with open(other, "wb") as file:
            fill(file)
        os.rename(other, path)


def write(case, random, tree, digits, place, name, data, how=None):
    path = tree.path(place, name)
    exists = os.path.exists(path)
    how = how or random.choice(("truncate", "in place", "beside", "jp", "append", "backup"))
    if not exists and how in ("in place", "append", "backup"):
        how = "truncate"
    sync = random.random() < 0.15
    case.world.note("%s: %s/%s %s%s, %d bytes%s" % (describe(tree), "/".join(map(str, place)), name, how,
                    ", synced" if sync else "", len(data), "" if is_valid(name, data) else ", invalid"))
    case.change(tree, digits)
    write_bytes(path, data, how, sync)
    wrote(case, tree, digits, place, name, data, sync)


def wrote(case, tree, digits, place, name, data, sync=False):
    shown = read(tree.path(place, name))
    if shown != data:
        raise Failure("%s: %s/%s reads back as\n%s\nand was written as\n%s" % (
            tree.name, digits, name, text(shown), text(data)))
    if not tree.is_mounted:
        return
    was_durable = digits in case.durable
    case.write_is_coming(tree, digits, name, data)
    if sync and was_durable and is_valid(name, data) and (digits, name) in case.coming:
        stored = case.look().get((digits, name))
        if stored != data and case.replaced_by_jp == (digits, case.step - 1):
            return  # a directory that jp is just replacing, for all that is known: synced in staging, it follows
        if stored != data:
            raise Failure("%s: %s/%s was synced and is durable as\n%s\nbut was written as\n%s" % (
                tree.name, digits, name, text(stored), text(data)))
        case.adopt_one(digits, name, data)


def change_file(case, random, name, how_to):
    tree, digits, place = choose(case, random)
    old = read(tree.path(place, name))
    if old is None:
        return
    write(case, random, tree, digits, place, name, how_to(old))


@step(14, any_conversation)
def append_turn(case, random):
    change_file(case, random, EVENTS, lambda old: case.writer.longer(random, old))


@step(3, any_conversation)
def trim(case, random):
    change_file(case, random, EVENTS, lambda old: case.writer.shorter(random, old))


@step(4, any_conversation)
def edit_in_the_middle(case, random):
    change_file(case, random, EVENTS,
                lambda old: case.writer.edited(old) if is_valid(EVENTS, old) else case.writer.longer(random, old))


@step(5, any_conversation)
def edit_metadata(case, random):
    change_file(case, random, METADATA, lambda old: case.writer.retitled(
        old, "edited %d" % random.randrange(1000), random.random() < 0.5))


@step(2, any_conversation)
def edit_base_config(case, random):
    change_file(case, random, BASE, lambda old: old[:1] + b"\n  \"x%d\": 1," % random.randrange(10**6) + old[1:])


@step(3, any_conversation)
def break_a_file(case, random):
    tree, digits, place = choose(case, random)
    name = random.choice((EVENTS, EVENTS, METADATA))
    old = read(tree.path(place, name))
    if old is not None and is_valid(name, old):
        write(case, random, tree, digits, place, name, case.writer.broken(random, old))


@step(3, any_conversation)
def repair_a_file(case, random):
    for tree in case.trees:
        for digits, place in sorted(places(case, tree).items()):
            for name in (METADATA, EVENTS):
                data = read(tree.path(place, name))
                if data is None or is_valid(name, data):
                    continue
                good = case.ledger.durable.get((digits, name))
                if name == EVENTS:
                    good = case.writer.longer(random, good or b"[]")
                elif good is None or random.random() < 0.7:
                    good = case.writer.metadata("repaired")
                return write(case, random, tree, digits, place, name, good)
    return None


def when_it_rests(path):
    """The file's time, when it is no more on its way here from another worktree."""
    times = [None, os.stat(path).st_mtime_ns]
    def moves():
        times.append(os.stat(path).st_mtime_ns)
        return "" if len(set(times[-5:])) == 1 else str(times[-5:])
    poll(moves, "the time of %s does not rest" % path)
    return times[-1]


@step(2, some_mounted)
def write_the_same(case, random):
    """What changes nothing changes no time."""
    tree, digits, place = choose(case, random, case.mounted())
    name = random.choice(MANAGED)
    path = tree.path(place, name)
    data = read(path)
    if data is None or digits not in case.durable:
        return
    case.flush(digits)
    for other in case.mounted():  # what is a draft is in its place, and nobody stores the same bytes once more
        other.wait_quiet(is_whole=False)
    data = read(path)
    before = when_it_rests(path)
    case.world.note("%s: %s/%s written with the same bytes" % (tree.name, digits, name))
    write_bytes(path, data, random.choice(("truncate", "in place", "jp")), False)
    if read(path) != data:
        raise Failure("%s: %s/%s reads back as\n%s" % (tree.name, digits, name, text(read(path))))
    def moved():
        after = os.stat(path).st_mtime_ns
        return "" if after == before else "it was %d and is %d" % (before, after)
    tree.wait_quiet(is_whole=False)
    poll(moved, "writing the same bytes changed the time of %s/%s" % (digits, name), 5)


@step(2, some_mounted)
def remove_and_make_anew(case, random):
    """As git writes, and some editors: unlink, then O_EXCL. An earlier version may become a draft."""
    tree, digits, place = choose(case, random, case.mounted())
    name = random.choice((EVENTS, METADATA))
    path = tree.path(place, name)
    old = read(path)
    if old is None or not is_valid(name, old):
        return
    data = case.writer.longer(random, old) if name == EVENTS else case.writer.retitled(old, "anew", True)
    case.world.note("%s: %s/%s removed and made anew" % (tree.name, digits, name))
    case.change(tree, digits)
    os.unlink(path)
    if read(path) is not None:
        raise Failure("%s: %s/%s is still there after unlink" % (tree.name, digits, name))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
        file.write(data)
    wrote(case, tree, digits, place, name, data)
    case.sides[tree].made_anew.add((digits, name))


@step(1, some_mounted)
def remove_a_managed_file(case, random):
    tree, digits, place = choose(case, random, case.mounted())
    name = random.choice((EVENTS, METADATA))
    path = tree.path(place, name)
    if digits not in case.durable or read(path) is None or (digits, name) in case.sides[tree].own:
        return
    case.world.note("%s: %s/%s removed" % (tree.name, digits, name))
    case.flush(digits)
    os.unlink(path)
    case.sides[tree].hidden.add((digits, name))
    case.sides[tree].incomplete.add(digits)


@step(3, any_conversation)
def touch(case, random):
    """A clock that jumps: times in the past, in the future, and the same as the other side's."""
    tree, digits, place = choose(case, random)
    name = random.choice(MANAGED)
    path = tree.path(place, name)
    if not os.path.exists(path):
        return
    seconds = 1772700000 + random.choice((0, -86400 * 400, 86400 * 4000, random.randrange(10**6)))
    is_store = random.random() < 0.4 and (digits, name) in case.ledger.durable
    if is_store:
        path = case.store_path(digits, name)
    case.world.note("%s: %s/%s gets the time %d" % ("store" if is_store else describe(tree), digits, name, seconds))
    case.change(tree, digits)
    os.utime(path, ns=(seconds * 10**9 + 5, seconds * 10**9 + 5))


# ---- whole conversations ----

@step(3)
def make_a_conversation(case, random):
    tree = random.choice(case.mounted() or case.trees)
    digits, title = case.new_id(), "made %d" % random.randrange(1000)
    case.shape[digits] = random.random() < 0.7
    place = (False, digits + "-" + slug(title))
    files = case.writer.conversation(random, title, case.shape[digits])
    how = random.choice(("truncate", "jp"))
    case.world.note("%s: %s made (%s)" % (describe(tree), place[1], how))
    case.change(tree, digits)
    os.makedirs(tree.path(place))
    for name in (METADATA, BASE, EVENTS):
        if name in files:
            write_bytes(tree.path(place, name), files[name], how, False)
    if tree.is_mounted:
        case.sides[tree].places[digits] = place
    for name, data in files.items():
        wrote(case, tree, digits, place, name, data)


@step(3, any_conversation)
def remove_a_conversation(case, random):
    tree, digits, place = choose(case, random)
    case.world.note("%s: rm -r %s" % (describe(tree), place[1]))
    side = case.sides[tree]
    case.change(tree, digits)
    if random.random() < 0.3:
        case.flush(digits)
    drafts = {key: data for key, data in side.own.items() if key[0] == digits}
    was_whole = tree.is_mounted and all(
        is_valid(name, read(tree.path(place, name)) or b"") for name in MANAGED
        if name != BASE or case.shape.get(digits)) and not any(key[0] == digits for key in side.hidden)
    if tree.is_mounted and was_whole and digits not in case.durable:
        for (_, name), data in drafts.items():  # it gets a durable copy at this moment
            case.expected[digits, name] = [None, data]
            case.coming[digits, name] = (data, tree)
    last = {name: read(tree.path(place, name)) for name in MANAGED if os.path.exists(tree.path(place, name))}
    shutil.rmtree(tree.path(place))
    if not tree.is_mounted:
        return
    if os.path.lexists(tree.path(place)):
        raise Failure("%s: %s is still there" % (tree.name, place[1]))
    for key, data in drafts.items():
        side.gone.setdefault(key, []).append(data)
    notes = {name: data for (other, name), data in side.notes.items()
             if other == digits and case.is_alone(tree, digits, name)}
    side.leave(digits)
    if digits in case.durable or was_whole:
        def incomplete():
            case.look()
            if digits not in case.ledger.places:
                # jp had removed the durable copy a moment before. What was written since is in history.
                trash = case.ledger.trash(digits)
                if digits in case.removed_by_jp and all(
                        data in trash or data in case.ledger.history(digits, name) for name, data in last.items()):
                    case.forget(digits)
                    return ""
                return "it is not durable"
            return ", ".join(name for name, data in notes.items() if read(case.store_path(digits, name)) != data)
        poll(incomplete, "%s was removed in %s and is not durable with every file" % (digits, tree.name))
    if digits in case.durable:
        for (_, name), data in drafts.items():
            case.ledger.enter(digits, name, data, "a draft or a write in %s when it was removed" % tree.name)


@step(2, lambda case: any(set(case.ledger.places) - set(case.sides[tree].places) for tree in case.mounted()))
def show_a_conversation(case, random):
    """cp -r from the store: mkdir means "show it here", and the bytes are the same."""
    tree = random.choice([tree for tree in case.mounted()
                          if set(case.ledger.places) - set(case.sides[tree].places)])
    digits = random.choice(sorted(set(case.ledger.places) - set(case.sides[tree].places)))
    case.flush(digits)
    archived, directory = case.ledger.places[digits][0]
    if archived or os.path.lexists(tree.path((False, directory))):
        return
    case.world.note("%s: %s copied in from the store" % (tree.name, directory))
    files = {name: case.ledger.durable[digits, name] for name in MANAGED if (digits, name) in case.ledger.durable}
    case.change(tree, digits)
    try:
        os.mkdir(tree.path((False, directory)))
    except FileExistsError:
        if digits in case.sides[tree].incomplete:
            return  # it is here by another name, and not listed
        raise
    for name, data in files.items():
        put(tree.path((False, directory), name), data)
    case.sides[tree].places[digits] = (False, directory)
    tree.wait_quiet(is_whole=False)  # what is on its way may come after what another worktree writes now
    case.settle(tree, [digits])


@step(3, any_conversation)
def rename_a_conversation(case, random):
    tree, digits, place = choose(case, random)
    new = (place[0], "%s-renamed-%d" % (digits, random.randrange(1000)))
    case.world.note("%s: mv %s %s" % (describe(tree), place[1], new[1]))
    case.change(tree, digits)
    os.rename(tree.path(place), tree.path(new))
    if tree.is_mounted:
        case.sides[tree].places[digits] = new
        if digits in case.durable:
            case.wait_for_name(digits, new[1])


@step(3, any_conversation)
def archive_or_unarchive(case, random):
    tree, digits, place = choose(case, random)
    new = (not place[0], place[1])
    if os.path.lexists(tree.path(new)):
        return
    case.world.note("%s: %s %s" % (describe(tree), place[1], "archived" if new[0] else "unarchived"))
    case.change(tree, digits)
    os.makedirs(tree.view + "/.archive", exist_ok=True)
    os.rename(tree.path(place), tree.path(new))
    if tree.is_mounted:
        case.sides[tree].move(digits, new)
        if digits in case.durable:
            case.wait_for_place(digits, new)


# ---- unmanaged files ----

@step(4, any_conversation)
def write_a_note(case, random):
    tree, digits, place = choose(case, random)
    # NEEDSWORK: a removal that is carried out seconds later takes what another worktree wrote meanwhile.
    name = random.choice(("notes", "QUESTION")) + ("" if case.is_strict else "-" + tree.name) + ".md"
    data = b"a note %d\n" % random.randrange(10**6)
    path = tree.path(place, name)
    case.world.note("%s: %s/%s written" % (describe(tree), digits, name))
    case.change(tree, digits)
    write_bytes(path, data, random.choice(("truncate", "beside")), random.random() < 0.2)
    if read(path) != data:
        raise Failure("%s: %s/%s reads back as %r" % (tree.name, digits, name, read(path)))
    if tree.is_mounted:
        for side in case.sides.values():  # whoever shows it follows
            side.notes.pop((digits, name), None)
        case.sides[tree].notes[digits, name] = data
        case.sides[tree].removed_notes.pop((digits, name), None)


@step(2, lambda case: any(case.sides[tree].notes for tree in case.mounted()))
def remove_a_note(case, random):
    tree = random.choice([tree for tree in case.mounted() if case.sides[tree].notes])
    side = case.sides[tree]
    digits, name = random.choice(sorted(side.notes))
    if digits not in side.places:
        return
    case.world.note("%s: %s/%s removed" % (tree.name, digits, name))
    data = side.notes.pop((digits, name))
    case.removed_elsewhere.add((digits, name))
    if (digits in case.ledger.places and case.is_alone(tree, digits, name) and
            read(case.store_path(digits, name)) == data):
        side.removed_notes[digits, name] = data
    os.unlink(tree.path(side.places[digits], name))
    if os.path.lexists(tree.path(side.places[digits], name)):
        raise Failure("%s: %s/%s is still there after unlink" % (tree.name, digits, name))


# ---- jp ----

def save_side(directory, files):
    """jp's own way: the same bytes are left alone, others are written beside and renamed."""
    os.makedirs(directory, exist_ok=True)
    for name in (METADATA, BASE, EVENTS):
        if name in files and read(directory + "/" + name) != files[name]:
            write_bytes(directory + "/" + name, files[name], "jp", False)


def next_version(case, random, digits):
    """What jp would save: the durable version, changed."""
    files = {name: case.ledger.durable[digits, name] for name in MANAGED if (digits, name) in case.ledger.durable}
    how = random.choice(("turn", "turn", "turn", "trim", "edit", "title"))
    if how == "turn":
        files[EVENTS] = case.writer.longer(random, files[EVENTS])
        files[METADATA] = case.writer.retitled(files[METADATA], "jp %d" % random.randrange(100), True)
    elif how == "trim":
        files[EVENTS] = case.writer.shorter(random, files[EVENTS])
    elif how == "edit":
        files[EVENTS] = case.writer.edited(files[EVENTS])
    else:
        files[METADATA] = case.writer.retitled(files[METADATA], "title %d" % random.randrange(100), False)
    return files, how


def in_store(case):
    return bool(case.ledger.places)


def changed_in_store(case, digits, files):
    """The store has it from this moment on, whoever watches."""
    is_watched = any(digits in case.sides[tree].places for tree in case.mounted())
    case.look()
    for name, data in files.items():
        case.ledger.enter(digits, name, data, "written by jp in step %d" % case.step)
        case.expected[digits, name] = [data]
        case.coming.pop((digits, name), None)
    if not (is_watched and case.features["keeps_what_jp_overwrites"]):
        case.ledger.forgive(digits)


@step(5, in_store)
def jp_saves(case, random):
    """The store first, directly; then the workspace, through the mount if there is one."""
    digits = random.choice(sorted(case.ledger.places))
    case.flush(digits)
    files, how = next_version(case, random, digits)
    tree = random.choice(case.mounted() or case.trees)
    is_local = random.random() < 0.4
    case.world.note("jp saves %s (%s) in the store%s" % (digits, how, "" if is_local else " and in " + describe(tree)))
    case.change(None, digits)
    archived, directory = case.ledger.places[digits][0]
    save_side(case.store_path(digits), files)
    changed_in_store(case, digits, files)
    if is_local or archived:
        return
    place = places(case, tree).get(digits, (False, directory))
    if not tree.is_mounted:
        case.sides[tree].is_untouched = False
    try:
        save_side(tree.path(place), files)
    except FileExistsError:
        if tree.is_mounted and digits in case.sides[tree].incomplete:
            return  # it is here by another name, and not listed
        raise
    if tree.is_mounted:
        side = case.sides[tree]
        side.places[digits] = place
        for name in files:
            side.own.pop((digits, name), None)
            side.hidden.discard((digits, name))


@step(1, in_store)
def jp_makes_a_local_one(case, random):
    digits, title = case.new_id(), "local %d" % random.randrange(100)
    case.shape[digits] = True
    files = case.writer.conversation(random, title, True)
    case.world.note("jp makes %s in the store only" % digits)
    directory = case.world.store + "/" + digits + "-" + slug(title)
    save_side(directory, files)
    changed_in_store(case, digits, files)


@step(2, lambda case: any(set(case.sides[tree].places) & set(case.ledger.places) for tree in case.mounted()))
def jp_edits(case, random):
    """`jp conversation edit`: the editor writes; jp deletes the durable one and copies the view's over it."""
    tree = random.choice([tree for tree in case.mounted()
                          if set(case.sides[tree].places) & set(case.ledger.places)])
    side = case.sides[tree]
    digits = random.choice(sorted(set(side.places) & set(case.ledger.places)))
    if any(key[0] == digits for key in [*side.own, *side.hidden, *side.beside]) or side.places[digits][0]:
        return
    if any(key[0] == digits for other in case.trees for key in case.sides[other].notes if other is not tree):
        return  # what only another worktree shows would be deleted by jp
    case.flush(digits)
    if case.ledger.places[digits][0][0]:
        return
    if any(key[0] == digits for key in side.notes) and not case.is_strict:
        # NEEDSWORK: an unmanaged file that the workspace does not have yet goes with jp's deletion.
        tree.wait_quiet(is_whole=not side.incomplete)
    place = side.places[digits]
    case.world.note("jp edits %s in %s" % (place[1], tree.name))
    files = {name: case.ledger.durable[digits, name] for name in MANAGED if (digits, name) in case.ledger.durable}
    case.change(tree, digits)
    if random.random() < 0.7:
        files[EVENTS] = case.writer.longer(random, files[EVENTS])
        write_bytes(tree.path(place, EVENTS), files[EVENTS], random.choice(("truncate", "beside")), False)
    else:
        files[METADATA] = case.writer.retitled(files[METADATA], "by hand", True)
        write_bytes(tree.path(place, METADATA), files[METADATA], "truncate", False)
    os.listdir(tree.view)
    for _ in range(20):
        try:
            shutil.rmtree(case.store_path(digits))
            break
        except OSError as error:  # NEEDSWORK: a commit in between; jp itself would give up here
            if case.is_strict:
                raise
            case.world.note("jp could not remove it: %s" % error)
    target = case.world.store + "/" + place[1]
    os.mkdir(target)
    for name in os.listdir(tree.path(place)):
        data = read(tree.path(place, name))
        if data is None:
            raise Failure("%s: %s/%s is listed and cannot be read" % (tree.name, digits, name))
        if name in files and data != files[name]:
            raise Failure("%s: %s/%s reads as\n%s\nwhile jp copies it, and was\n%s" % (
                tree.name, digits, name, text(data), text(files[name])))
        put(target + "/" + name, data)
    case.forget_removed_notes(digits)
    changed_in_store(case, digits, files)
    case.last_writer[digits] = None  # jp: who writes next waits until it is seen
    case.replaced_by_jp = (digits, case.step)
    case.remade_by_jp.add(digits)
    case.unended.setdefault(digits, set()).add(tree)  # what the editor wrote may not be stored yet


@step(2, in_store)
def jp_archives(case, random):
    """The workspace first, then the store if it is still live there; the reverse the same way."""
    tree = random.choice(case.mounted() or case.trees)
    found = set(places(case, tree)) & set(case.ledger.places)
    if not found:
        return
    digits = random.choice(sorted(found))
    case.flush(digits)
    place = places(case, tree)[digits]
    new = (not place[0], place[1])
    if os.path.lexists(tree.path(new)):
        return
    case.world.note("jp %s %s in %s" % ("archives" if new[0] else "unarchives", place[1], describe(tree)))
    case.change(tree, digits)
    os.makedirs(tree.view + "/.archive", exist_ok=True)
    os.rename(tree.path(place), tree.path(new))
    if tree.is_mounted:
        case.sides[tree].move(digits, new)
    archived, directory = conversations_in(case.world.store)[digits][0]
    if archived != new[0]:
        os.makedirs(case.world.store + "/.archive", exist_ok=True)
        parts = [[case.world.store] + ([".archive"] if flag else []) + [directory] for flag in (archived, new[0])]
        os.rename("/".join(parts[0]), "/".join(parts[1]))


@step(1.5, in_store)
def jp_renames(case, random):
    """A new title: the store's directory first, then that of one worktree. Another one keeps its name."""
    tree = random.choice(case.mounted() or case.trees)
    digits = random.choice(sorted(case.ledger.places))
    case.flush(digits)
    place = places(case, tree).get(digits)
    new = "%s-retitled-%d" % (digits, random.randrange(1000))
    if case.ledger.places[digits][0][0] or (place and place[0]):
        return
    case.world.note("jp renames %s to %s in the store%s" % (digits, new, " and in " + describe(tree) if place else ""))
    case.change(tree, digits)
    os.rename(case.store_path(digits), case.world.store + "/" + new)
    if place:
        os.rename(tree.path(place), tree.path((False, new)))
        if tree.is_mounted:
            case.sides[tree].places[digits] = (False, new)


@step(0.5, in_store)
def jp_removes(case, random):
    """Really: from the workspace, then from the store. Another worktree keeps what it shows."""
    tree = random.choice(case.mounted() or case.trees)
    digits = random.choice(sorted(case.ledger.places))
    if case.ledger.places[digits][0][0]:
        return
    case.flush(digits)
    case.world.note("jp removes %s in %s" % (digits, describe(tree)))
    case.change(tree, digits)
    for other in case.mounted():
        side = case.sides[other]
        if other is not tree and digits in side.places:
            for name in MANAGED:
                data = read(other.path(side.places[digits], name))
                if data is not None:
                    side.own[digits, name] = data
    if digits in places(case, tree):
        shutil.rmtree(tree.path(places(case, tree)[digits]))
        if tree.is_mounted:
            case.sides[tree].leave(digits)
    shutil.rmtree(case.store_path(digits))
    case.forget(digits)


# ---- git ----

def git_runs(case, random, tree, *arguments):
    """Run git; then the worktree shows what git put there, or a durable version."""
    case.flush_all()
    side = case.sides[tree]
    before = dict(case.look())
    tracked, removed, directories = tracked_in(tree), removed_in(tree), directories_in(tree)
    shown = set(side.places)
    case.change(tree, None)
    if tree.is_mounted:
        drafts = {key: data for key, data in side.own.items() if key[0] in case.durable}
        case.loosen()
    done = tree.git(*arguments, is_noted=True)
    if not tree.is_mounted:
        return
    wait_for_mount(tree)
    expect = (shown - tracked) if arguments[0] != "clean" else set()
    if arguments[0] == "clean":
        shown = set()
    if done.returncode == 0:
        expect |= tracked_in(tree) & whole_in(tree) & shown - removed
    case.settle(tree, expect, may_hide=True)
    case.share_notes(tree)
    for digits, directory in directories | directories_in(tree):
        if digits not in side.places and os.path.lexists(tree.root + "/" + directory):
            side.incomplete.add(digits)  # git left something of it, or brought only some of it
    if not case.features["git_drafts"]:
        return
    for key, data in case.look().items():
        if key in before and data != before[key] and is_earlier(key[1], data, before[key]):
            raise Failure("git took the durable %s/%s back to\n%s\nfrom\n%s" % (key + (text(data), text(before[key]))))
    for key, data in drafts.items():
        if side.own.get(key) != data and is_valid(key[1], data):
            case.ledger.enter(key[0], key[1], data, "a draft in %s before git ran" % tree.name)


def directories_in(tree):
    """(digits, path) of the conversations that git tracks here, or tracked before it ran the last time."""
    names = tree.git("ls-files", "-z", ".jp/conversations").stdout.split("\0")
    names += tree.git("ls-tree", "-r", "-z", "--name-only", "ORIG_HEAD", ".jp/conversations").stdout.split("\0")
    names += tree.git("ls-tree", "-r", "-z", "--name-only", "HEAD@{1}", ".jp/conversations").stdout.split("\0")
    found = {os.path.dirname(name) for name in names if name.endswith(".json")}
    return {(digits_of(os.path.basename(path)), path) for path in found if digits_of(os.path.basename(path))}


def tracked_in(tree):
    """Digits of the conversations that git tracks here."""
    names = tree.git("ls-files", "-z", ".jp/conversations").stdout.split("\0")
    return {digits_of(part) for name in names for part in name.split("/")[2:4] if digits_of(part)}


def removed_in(tree):
    """
    Digits of which git tracks a directory that is not here: a reset may leave it so. It is archived, say,
    and jp or git has made it live, too: only one of the two is shown.
    """
    names = tree.git("ls-files", "-z", ".jp/conversations").stdout.split("\0")
    paths = {os.path.dirname(name) for name in names}
    return {digits_of(os.path.basename(path)) for path in paths if not os.path.isdir(tree.root + "/" + path)}


def whole_in(tree):
    """Digits that git has with both files that every conversation needs."""
    names = tree.git("ls-files", "-z", ".jp/conversations").stdout.split("\0")
    found = {}
    for name in names:
        directory, _, file = name.rpartition("/")
        found.setdefault(digits_of(directory.rpartition("/")[2]), set()).add(file)
    return {digits for digits, files in found.items() if digits and {EVENTS, METADATA} <= files}


def wait_for_mount(tree):
    """A removal that leaves the root empty detaches the mount; when git has filled it, it comes back."""
    def is_away():
        if tree.daemon.poll() is not None:
            return "its daemon ended\n" + tree.read_log()
        return "" if tree.view in tree.world.mounts_left() else "it is detached"
    poll(is_away, "%s is not mounted after git" % tree.name)


@step(4)
def git_commits(case, random):
    tree = random.choice(case.mounted() or case.trees)
    for digits, place in places(case, tree).items():
        case.shared_notes.update((digits, name) for name in os.listdir(tree.path(place)) if name not in MANAGED)
    tree.git("add", "-A", ".jp", is_noted=True)
    tree.git("commit", "-qm", "a step", is_noted=True)


@step(4)
def git_checks_out_an_old_version(case, random):
    tree = random.choice(case.mounted() or case.trees)
    commits = tree.git("rev-list", "--all").stdout.split()
    commit = random.choice(sorted(commits))
    paths = [".jp/conversations"]
    if random.random() < 0.5:
        names = [name for name in tree.git("ls-tree", "-r", "--name-only", "-z", commit, ".jp/conversations")
                 .stdout.split("\0") if name.endswith(".json")]
        paths = [random.choice(names)] if names else paths
    git_runs(case, random, tree, "checkout", "-q", commit, "--", *paths)


@step(4)
def git_switches(case, random):
    tree = random.choice(case.mounted() or case.trees)
    here = tree.git("branch", "--show-current").stdout.strip()
    names = [name for name in tree.git("for-each-ref", "--format=%(refname:short)", "refs/heads").stdout.split()
             if name.startswith(tree.name + "-") and name != here]
    force = ("-f",) if random.random() < 0.5 else ()
    if not names or random.random() < 0.3:
        commit = random.choice(sorted(tree.git("rev-list", "--all").stdout.split()))
        git_runs(case, random, tree, "switch", "-q", *force, "--detach", commit)
    else:
        git_runs(case, random, tree, "switch", "-q", *force, random.choice(names))


@step(1)
def git_cleans(case, random):
    tree = random.choice(case.mounted() or case.trees)
    git_runs(case, random, tree, "clean", "-fdq", ".jp/conversations")


@step(1)
def git_resets(case, random):
    tree = random.choice(case.mounted() or case.trees)
    git_runs(case, random, tree, "reset", "-q", "--hard")


@step(1)
def git_merges(case, random):
    """A conflict leaves its markers: a draft."""
    tree = random.choice(case.mounted() or case.trees)
    branch = random.choice(sorted(tree.git("for-each-ref", "--format=%(refname:short)", "refs/heads").stdout.split()))
    git_runs(case, random, tree, "merge", "-q", "-m", "merged", branch)
    if random.random() < 0.6:
        git_runs(case, random, tree, "reset", "-q", "--merge")


# ---- the life of a mount ----

def unmounted(case):
    return len(case.mounted()) < len(case.trees)


@step(6, unmounted)
def mount(case, random):
    tree = random.choice([tree for tree in case.trees if not tree.is_mounted])
    case.mount(tree)


@step(2, lambda case: case.mounted())
def umount(case, random):
    tree = random.choice(case.mounted())
    case.umount(tree)


def forget_what_others_dropped(case, before, after):
    """
    NEEDSWORK: jp deletes a durable directory and makes it again from one worktree (or another worktree
    does), or another worktree removes a file that both have, which is carried out seconds later. The
    unmanaged files that only this worktree shows come back into the store when it is mounted.
    """
    for path in set(after) - set(before):
        directory, name = os.path.split(path)
        digits = digits_of(os.path.basename(directory))
        if (path.startswith(case.world.store + "/") and name not in MANAGED and
                (digits in case.remade_by_jp or (digits, name) in case.removed_elsewhere)):
            del after[path]
            if before.get(directory) and after.get(directory):
                after[directory] = before[directory]


def has_pieces(case, tree, before):
    """Whether git has brought some of a conversation's files: what a new directory lacks comes at mounting."""
    return any(name in MANAGED and directory.startswith(tree.view + "/") and
               digits_of(os.path.basename(directory)) in case.sides[tree].incomplete
               for directory, name in map(os.path.split, before))


@step(1, lambda case: case.mounted() and not case.left)  # recovering is a change
def umount_and_mount_idly(case, random):
    """Invariant 5."""
    tree = random.choice(case.mounted())
    case.umount(tree)
    for other in case.mounted():
        other.wait_quiet(is_whole=not case.sides[other].incomplete)
    before = snapshot(case.world.store, tree.view)
    case.world.note("%s: mounted and unmounted again" % tree.name)
    tree.mount()
    os.listdir(tree.view)
    if random.random() < 0.5:
        tree.wait_quiet(is_whole=not case.sides[tree].incomplete)
    tree.umount()
    after = snapshot(case.world.store, tree.view)
    if not case.is_strict:
        forget_what_others_dropped(case, before, after)
    changed = difference(before, after)
    if changed and not has_pieces(case, tree, before):
        raise Failure("mounting and unmounting changed\n" + changed)
    case.mount(tree)


@step(1.5, lambda case: case.mounted())
def kill(case, random):
    tree = random.choice(case.mounted())
    if random.random() < 0.5:
        case.flush_all()
        if random.random() < 0.3:
            tree.wait_quiet(is_whole=not case.sides[tree].incomplete)
    case.kill(tree)
    if random.random() < 0.6:
        case.mount(tree)


@step(3, unmounted, feature="sync")
def sync(case, random):
    tree = random.choice([tree for tree in case.trees if not tree.is_mounted])
    case.sync(tree)


def named_drafts(case, tree):
    """Those that a command finds by ID: what misses a file is not listed for a while."""
    return case.drafts_of(tree) - case.sides[tree].incomplete


def drafts_known(case):
    return any(named_drafts(case, tree) for tree in case.mounted())


def choose_draft(case, random):
    tree = random.choice([tree for tree in case.mounted() if named_drafts(case, tree)])
    return tree, random.choice(sorted(named_drafts(case, tree)))


@step(3, drafts_known, feature="discard")
def discard_a_draft(case, random):
    tree, digits = choose_draft(case, random)
    side = case.sides[tree]
    case.flush_all()
    case.change(tree, digits)
    drafts = {key: data for key, data in side.own.items() if key[0] == digits}
    done = case.world.jpfs("discard", "-C", tree.root, digits)
    case.world.note("jpfs discard %s in %s: %d %s" % (digits, tree.name, done.returncode, done.stdout.strip()))
    if done.returncode != 0:
        raise Failure("jpfs discard %s: exit %d: %s" % (digits, done.returncode, done.stdout))
    for key, data in drafts.items():
        del side.own[key]
        case.ledger.enter(key[0], key[1], data, "a draft in %s that was discarded" % tree.name)
    case.check_store()
    case.flush(digits)  # the kernel is told of the durable version a moment later


@step(3, drafts_known, feature="commit")
def commit_a_draft(case, random):
    tree, digits = choose_draft(case, random)
    side = case.sides[tree]
    case.flush_all()
    case.change(tree, digits)
    drafts = {key: data for key, data in side.own.items() if key[0] == digits}
    is_good = all(is_valid(key[1], data) for key, data in drafts.items())
    for name in (BASE, EVENTS):  # what is shown beside the draft goes with it
        shown = read(tree.path(side.places[digits], name))
        if shown is not None and (digits, name) not in drafts and shown != case.ledger.durable.get((digits, name)):
            case.expected[digits, name] = [case.ledger.durable.get((digits, name)), shown]
    done = case.world.jpfs("commit", "-C", tree.root, digits)
    case.world.note("jpfs commit %s in %s: %d %s" % (digits, tree.name, done.returncode, done.stdout.strip()))
    if is_good != (done.returncode == 0):
        raise Failure("jpfs commit %s: exit %d: %s" % (digits, done.returncode, done.stdout))
    if is_good:
        for key, data in drafts.items():
            case.write_is_coming(tree, key[0], key[1], data)
