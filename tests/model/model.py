#!/usr/bin/env python3
"""
A model of the contract, and a program that looks for the difference.

jpfs promises that no version of a conversation is lost, whatever programs, git, jp and power cuts do,
in whatever order. A test that was written by hand tries the orders that somebody thought of. This one
tries the others: it takes random steps in a small world, and after each compares what is there with
what the contract (semantics.md) says must be there.

The world is one store and two git worktrees of one repository, with a handful of small conversations
(world.py). The steps are what really happens to them, done by ordinary system calls: editors that save
in six ways, jp that writes the store first and then the workspace, `git switch`, clocks that jump,
mounting, unmounting, SIGKILL (steps.py). The model is as small as it can be (case.py, ledger.py): which
versions were seen durable, which one each file of the store may have now, and what each worktree shows
differently. Where the contract leaves a choice to the content (git wrote something; both sides were
changed while nothing was mounted) the model looks at what was chosen, and goes on checking that what
was not chosen is kept. So it doesn't compute the answer a second time: it knows what an answer must
never be. Every step ends with these questions:

1. Is every conversation that was ever durable durable, once, complete and valid?
2. Is every version that was seen durable, or was synced through a mount, the current one, contained in
   it, or in history? After a kill, and only then, what was closed but not yet stored may be missing,
   and what the dead daemon left in staging counts as kept.
3. Does each mount show its own writes, at once, and otherwise what the store has, within moments?
4. After unmounting: are both sides the same, byte for byte, drafts apart?
5. Does mounting and unmounting change nothing at all?

"Within moments" is a poll with a generous deadline, so a busy machine makes it slow and never red. The
steps come one after another, but daemons work in the background, and most steps run into work in
progress. What is waited for before a step is what two people or programs at once could not tell either:
who writes where another one has just written sees that first (Case.flush).

Each episode is a hundred steps in a fresh world. The seed of a run gives each episode its own, and
each step too; commits have the same dates and so the same names. So `--seed N --episode I` does the same
again, and `--shrink` takes steps away for as long as it still fails. (Daemons have a clock and threads of
their own: a race may need `--repeat`.)

What the program does not do yet is probed at the start (features.py), and the model is lenient there.
"""

import argparse
import os
import random
import signal
import sys
import threading
import time
import traceback

import features as known_features
from case import Case
from steps import STEPS
import world
from world import Failure, Unforeseen

EPISODE_STEPS = 100
STEP_SECONDS = 240  # then the step hangs, and its daemons are ended


class Episode:
    """A list of steps in a world of its own. `plan` is given, or made on the way."""

    def __init__(self, options, features, seed, count, plan=None):
        self.options = options
        self.features = features
        self.seed = seed
        self.count = count
        self.plan = plan
        self.done = []  # (kind, seed)
        self.notes = []
        self.failure = None
        self.is_unforeseen = False

    def choose(self, case, chooser):
        kinds, weights = [], []
        for kind, (_, weight, applies, feature) in STEPS.items():
            if kind not in self.options.without and (feature is None or self.features[feature]) and applies(case):
                kinds.append(kind)
                weights.append(weight)
        return chooser.choices(kinds, weights)[0], chooser.getrandbits(32)

    def steps(self, case):
        if self.plan is not None:
            for kind, seed in self.plan:
                if STEPS[kind][2](case):
                    yield kind, seed
            return
        chooser = random.Random("%s steps" % self.seed)
        for _ in range(self.count):
            yield self.choose(case, chooser)

    def run(self):
        """True when all is well."""
        case = Case(self.options.program, self.features, self.seed)
        watch = Watch(case)
        try:
            for kind, seed in self.steps(case):
                case.step += 1
                self.done.append((kind, seed))
                watch.touch()
                STEPS[kind][0](case, random.Random(seed))
                case.check()
                self.take_notes(case, kind)
            case.step += 1
            self.done.append(("(the end)", 0))
            for tree in list(case.mounted()):
                watch.touch()
                case.umount(tree)
                case.check()
            self.take_notes(case, "(the end)")
        except (Failure, OSError) as error:
            self.take_notes(case, self.done[-1][0] if self.done else "(the beginning)")
            self.failure = "%s\n%s" % (error, self.where(error))
            self.is_unforeseen = isinstance(error, Unforeseen)
            if watch.has_barked:
                self.failure = "a step took more than %d s\n%s" % (STEP_SECONDS, self.failure)
            for tree in case.mounted():
                self.failure += "\n--- the daemon of %s\n%s" % (tree.name, tree.read_log())
                self.failure += case.picture(tree)
        finally:
            watch.end()
            case.world.end()
        return self.failure is None

    @staticmethod
    def where(error):
        """Which line of which step; a Failure says the rest itself."""
        lines = traceback.extract_tb(error.__traceback__)
        return " < ".join("%s:%d" % (os.path.basename(line.filename), line.lineno) for line in reversed(lines))

    def take_notes(self, case, kind):
        for note in case.world.notes or ["(nothing to do)"]:
            self.notes.append("%4d %-28s %s" % (case.step, kind, note))
            if self.options.trace:
                print(self.notes[-1], flush=True)
        case.world.notes.clear()


class Watch:
    """Ends the daemons when a step hangs: who waits for a dead mount gets an error."""

    def __init__(self, case):
        self.case = case
        self.has_barked = False
        self.touch()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def touch(self):
        self.last = time.monotonic()

    def run(self):
        while not self.ending.wait(1):
            if time.monotonic() - self.last > STEP_SECONDS:
                self.has_barked = True
                for daemon in list(self.case.world.pids.values()):
                    daemon.kill()
                return

    def end(self):
        self.ending.set()
        self.thread.join()


def shrink(options, features, episode):
    """Leave out what is not needed: halves first, single steps last."""
    plan = [step for step in episode.done if step[0] in STEPS]
    best, size = episode, max(1, len(plan) // 2)
    while size >= 1:
        i, has_changed = 0, False
        while i < len(plan):
            shorter = plan[:i] + plan[i + size:]
            for _ in range(options.repeat):
                attempt = Episode(options, features, episode.seed, 0, shorter)
                if not attempt.run():
                    plan, best, has_changed = [step for step in attempt.done if step[0] in STEPS], attempt, True
                    break
            else:
                i += size
        if size == 1 and not has_changed:
            break
        size = max(1, size // 2)
        if not has_changed and size == 1 and len(plan) <= 1:
            break
    return best


def report(options, number, episode):
    print("\nFAILED: seed %s, episode %d, step %d" % (options.seed, number, len(episode.done)))
    print("again: model.py --seed %s --episode %d" % (options.seed, number))
    print("--- the episode\n%s" % "\n".join(episode.notes))
    print("--- the difference\n%s" % episode.failure, flush=True)


def parse_options():
    parser = argparse.ArgumentParser(description="Take random steps with jpfs, and compare with a model.")
    parser.add_argument("--program", default=os.environ.get("JPFS_PROGRAM"), help="jpfs (default: $JPFS_PROGRAM)")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)), help="default: a fresh one")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--episode", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print each step")
    parser.add_argument("--shrink", action="store_true", help="look for fewer steps that fail")
    parser.add_argument("--repeat", type=int, default=1, help="try an episode this often, for races")
    parser.add_argument("--keep-going", action="store_true", help="don't stop at the first failure")
    parser.add_argument("--unforeseen", type=int, default=0, metavar="N",
                        help="go on when another version than expected is current and none is lost, N times at most")
    parser.add_argument("--strict", action="store_true", help="don't look away from known faults (NEEDSWORK)")
    parser.add_argument("--deadline", type=float, default=world.DEADLINE,
                        help="seconds for what has to happen within moments (default: %(default)s)")
    parser.add_argument("--memory", action="store_true", help="work in /dev/shm if it is there, and not in $TMPDIR")
    parser.add_argument("--without", default="", help="kinds of steps that are left out, e.g. kill,edit_base_config")
    options = parser.parse_args()
    options.without = set(filter(None, options.without.split(",")))
    if options.without - set(STEPS):
        parser.error("no such steps: " + ", ".join(sorted(options.without - set(STEPS))))
    if options.memory and os.access("/dev/shm", os.W_OK | os.X_OK):
        world.World.place = "/dev/shm"
    world.DEADLINE = options.deadline
    Case.is_strict = options.strict
    if not options.program:
        parser.error("no program: set JPFS_PROGRAM or use --program")
    options.program = os.path.abspath(options.program)
    return options


def can_mount(program):
    """Whether mounts are to be had here at all; the reason if not."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened by this user"
    case = Case(program, dict.fromkeys(known_features.MEANING, False), "can mount")
    try:
        case.trees[0].mount()
        case.trees[0].umount()
    except Failure as error:
        if "Operation not permitted" in str(error) or "fusermount3" in str(error):
            return str(error)
        raise
    finally:
        case.world.end()
    return None


def interrupted(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the clean-up is not to be interrupted too
    sys.exit(143)


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, interrupted)
    os.umask(0o022)
    reason = can_mount(options.program)
    if reason:
        print("skipped: " + reason)
        return 77
    print("seed %s, %d steps" % (options.seed, options.steps), flush=True)
    features = known_features.probe(options.program)
    for name, is_there in features.items():
        if not is_there:
            print("missing: %s" % known_features.MEANING[name])
    missing = [name for name in known_features.REQUIRED if not features[name]]
    if missing:
        print("FAILED: required and missing: " + ", ".join(missing))
        return 1
    began, done, failures, unforeseen = time.monotonic(), 0, 0, 0
    episodes = range((options.steps + EPISODE_STEPS - 1) // EPISODE_STEPS)
    for number in episodes if options.episode is None else (options.episode,):
        count = EPISODE_STEPS if options.episode is not None else min(EPISODE_STEPS, options.steps - done)
        for _ in range(options.repeat):
            episode = Episode(options, features, "%s.%d" % (options.seed, number), count)
            is_good = episode.run()
            done += len(episode.done)
            if not is_good:
                break
        if is_good:
            continue
        failures += 0 if episode.is_unforeseen else 1
        unforeseen += 1 if episode.is_unforeseen else 0
        if options.shrink:
            world.DEADLINE = min(world.DEADLINE, 3)
            episode = shrink(options, features, episode)
        report(options, number, episode)
        if not options.keep_going and (failures or unforeseen > options.unforeseen):
            break
    seconds = time.monotonic() - began
    print("%d steps in %d s (%.0f per second), %d failures, %d times a version that was not foreseen" % (
        done, seconds, done / max(seconds, 1e-3), failures, unforeseen))
    return 1 if failures or unforeseen > options.unforeseen else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    try:
        sys.exit(main())
    finally:
        for left in list(world.World.alive):
            left.end()
