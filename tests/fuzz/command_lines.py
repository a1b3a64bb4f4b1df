#!/usr/bin/env python3
"""Random command lines: `command_lines.py PROGRAM SECONDS [SEED]`.

In an empty directory outside of all workspaces, with a user data directory of its own, so that a
command line is taken apart and nothing is done: no word has a slash in it, and none asks for all
mounts. The laws: the program ends by itself with one of its exit codes, says why when that is not
0, makes no file, and prints nothing that a terminal would obey, whatever the words are.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
import unicodedata

CODES = 0, 1, 2, 3
# `status` asks every mount of this user, and other people's tests would see that.
UNWANTED = "status", "complete"
WORDS = [
    "-h", "--help", "--version", "-C", ".", "..", "", "-", "--", "-x", "-rr", "-rfC", "--json=1", "=",
    "0", "-1", "1", "7d", "10G", "1e999", "99999999999999999999999", "17457886043", "17457886043-a",
    "17457886043@", "@", "@@", "17457886043@abcdefgh", "a@1@2", "17457886043@20261123T162201.1Z",
    "events.json", "metadata.json", "bash", "zsh", "fish", "-o", "ro", "ro,,x=", "idle_timeout=-1",
    "idle_timeout=99999999999", "max_read=x", "-f", "%s%n%1000000d", "x" * 5000,
    "\x1b[31m", "\x1b]0;t\x07", "new\nline", "\x9b31m", "\u202egnp", "\u2066", b"\xff\xfe", b"-\xc2\x9b",
    b"--\xff", b"-\x1b", "--\u202e", "世界",
]


def options(program):
    """The commands, and every option that their help names."""
    overview = subprocess.run([program, "help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    commands = sorted(set(re.findall(r"(?m)^  ([a-z-]+) .*  ", overview)) - set(UNWANTED))
    commands += ["unproject", "discard", "show", "diff", "restore", "gc", "umount"]
    found = set()
    for command in commands:
        text = subprocess.run([program, "help", command], stdout=subprocess.PIPE, text=True).stdout
        found.update(re.findall(r"--?[a-z][a-z-]*", text))
    return commands, sorted(found)


def is_harmless(word):
    """Names no other place, and not all of them: getopt_long takes `--a` for `--all`."""
    text = os.fsencode(word)
    return b"/" not in text and not text.startswith(b"--a") and word != ".."


def check(ended, words):
    text = (ended.stdout + ended.stderr).decode("utf-8")
    assert ended.returncode in CODES, ended.returncode
    assert ended.returncode == 0 or ended.stderr.strip() or ended.stdout.strip(), "it does not say why"
    for character in text:
        kind = unicodedata.category(character)
        assert character in "\n\t" or kind not in ("Cc", "Zl", "Zp"), character
        assert unicodedata.bidirectional(character) not in ("RLO", "LRO", "RLI", "LRI"), character
    assert os.listdir(".") == [] and os.listdir("..") == ["here"], os.listdir("..")


def main():
    program, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1000000)
    chance = random.Random(seed)
    commands, found = options(program)
    pool = [word for word in WORDS + found if is_harmless(word)]
    count = 0
    with tempfile.TemporaryDirectory(prefix="jpfs-fuzz.") as place:
        os.mkdir(place + "/here")
        os.chdir(place + "/here")
        environment = {"HOME": place, "JP_USER_DATA_DIR": place + "/data", "PATH": os.environ["PATH"]}
        environment.update((k, v) for k, v in os.environ.items() if k.endswith("SAN_OPTIONS"))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            words = [chance.choice(commands)] if chance.random() < 0.9 else []
            words += [chance.choice(pool) for _ in range(chance.randrange(6))]
            # An option and its value in one word, or a word that is cut.
            if words and chance.random() < 0.3:
                cut = os.fsencode(words[-1])
                words[-1] = cut[: chance.randrange(len(cut) + 1)] + os.fsencode(chance.choice(pool))
            if not all(is_harmless(word) for word in words) or words[:1] == ["status"]:
                continue
            try:
                check(subprocess.run([program] + words, stdin=subprocess.DEVNULL, env=environment,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60), words)
            except Exception:
                print("seed", seed, "after", count, "words:", words, flush=True)
                raise
            count += 1
        os.chdir("/")
    print("%d command lines, seed %d" % (count, seed))


main()
