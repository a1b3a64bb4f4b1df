#!/usr/bin/env python3
"""README's tour, typed line by line into a bash as it is there: `tour.py SOURCE`.

Every `$ ` line succeeds, and where output is shown, that is its output; a command that only looks is
repeated until it is, because the tour says `within moments`. Around it, README and help are held
against each other: each command and each option that README names exists, each command is in README.
"""
import os
import pathlib
import re
import sys

from terminal import PROGRAM, Terminal, mounts, run, until

SOURCE = pathlib.Path(sys.argv[1]).resolve()
README = (SOURCE / 'README.md').read_text(encoding='utf-8')
LOOKS = ('ls ', 'grep ', 'jpfs doctor')


def section(title):
    return README.split(f'\n## {title}\n', 1)[1].split('\n## ', 1)[0]


def steps(text):
    """(command, lines of output that are shown) of each `$ ` line."""
    found = []
    for line in text.splitlines():
        if line.startswith('    $ '):
            found.append((line[6:], []))
        elif line.startswith('    ') and found:
            found[-1][1].append(line[4:])
    return found


def words(lines):
    """A terminal has columns, a file has not; and mounts are counted on the whole machine."""
    return re.sub(r'\b\d+ of yours', '1 of yours', ' '.join(lines)).split()


def take_the_tour(world):
    demo = world.base / 'demo'
    terminal = Terminal(world, SOURCE)
    taken = steps(section('A tour in 60 seconds'))
    assert len(taken) > 20, taken
    for command, shown in taken:
        line = re.sub(r'\s+# .*', '', command).replace('/tmp/demo', str(demo))
        code, text = terminal.type(line)
        if line.startswith(LOOKS):
            until(f'{command} shows {shown}', lambda: words(terminal.type(line)[1].splitlines()) == words(shown))
        elif shown:
            assert words(text.splitlines()) == words(shown), f'{command}: {text}'
        assert code == 0, f'{command}: {code}\n{text}'
        # What it types next comes after a prompt, and a person's next line after more than that.
        if 'worktree add' in command:
            world.wait_mounted(demo / 'shop-returns')
    assert not demo.exists() and not mounts(world.base)
    screen = terminal.screen()
    assert 'jpfs: ' not in screen, screen


def compare_with_help(world):
    commands = [line.split()[0] for line in world.run(PROGRAM, 'complete', 'commands').splitlines()]
    code = re.findall(r'`(jpfs [^`]*)`', README) + re.findall(r'^    (?:\$ )?(jpfs .*)', README, re.M)
    named = {match[1] for match in (re.match(r'jpfs (?:-C \S+ )?([a-z][a-z-]+)', line) for line in code) if match}
    for name in named:
        assert name in commands, f'README has `jpfs {name}`, which is no command'
    for name in commands:
        usage = world.run(PROGRAM, 'help', name)
        assert usage.startswith(f'usage: jpfs {name}'), usage
        assert name in named or f'`{name}`' in README, f'README does not tell of `jpfs {name}`'
        for line in code:
            for option in re.findall(r'(?<!\S)(--[a-z-]+|-[a-zA-Z])\b', line) if line.startswith(f'jpfs {name} ') else []:
                assert option in usage, f'README has `{line}`, and `jpfs help {name}` no {option}'
    # Keys of tables for scripts.
    world.run(PROGRAM, 'mount', world.project)
    world.run(PROGRAM, 'umount', world.project)
    text = world.run(PROGRAM, 'ls', '--json', world.project)
    rows = [line for line in section('Which conversations there are').splitlines() if line.startswith('| `')]
    keys = [key for row in rows for key in re.findall(r'`([a-z_]+)`', row.split('|')[1])]
    assert len(keys) > 10 and all(f'"{key}":' in text for key in keys), text
    # The heads of the tables that are shown.
    head = next(lines[0] for line, lines in steps(section('Which conversations there are')) if line == 'jpfs ls')
    assert set(head.split()) - {'ORIGIN'} <= set(world.run(PROGRAM, 'ls', world.project).splitlines()[0].split()), head


def tell(world):
    take_the_tour(world)
    compare_with_help(world)


run(tell, 'bash', '')
print('tour: ok')
