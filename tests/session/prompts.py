#!/usr/bin/env python3
"""What a prompt costs, whom it leaves alone, and every way in: `prompts.py bash|zsh|fish`.

Where there is nothing to do the hook starts no process: a shell that has waited for a child has the
child's page faults on its account, and after a thousand prompts there are none more. How long a
prompt took is printed. A workspace is mounted however a prompt came to be in it, and a shell that is in there already gets
into the mount. And what belongs to somebody else is not mounted, not even looked into.
"""
import json
import os
import signal
import subprocess
import sys

from terminal import PROGRAM, Terminal, mounts, run, until

PROMPTS = 1000
SCRIPTS = {
    'bash': '''eval "$(jpfs shell-init bash)"
account() { read -r line < /proc/$$/stat; echo "$line"; read -r line < /proc/$$/schedstat; echo "$line"; }
prompts() { for ((i = 0; i < %d; i++)); do _jpfs_hook; done; }
for place; do cd "$place"; _jpfs_hook; account; prompts; account; done
account; for ((i = 0; i < 100; i++)); do pushd -- "$1" > /dev/null; _jpfs_hook; popd > /dev/null; _jpfs_hook; done; account
account; /bin/true; account; account
''',
    'zsh': '''eval "$(jpfs shell-init zsh)"
account() { read -r line < /proc/$$/stat; echo "$line"; read -r line < /proc/$$/schedstat; echo "$line"; }
prompts() { repeat %d _jpfs_hook; }
for place; do cd "$place"; _jpfs_hook; account; prompts; account; done
account; repeat 100 { pushd -q "$1"; _jpfs_hook; popd -q; _jpfs_hook; }; account
account; /bin/true; account; account
''',
    'fish': '''jpfs shell-init fish | source
function account
    read -l line < /proc/$fish_pid/stat; echo $line; read line < /proc/$fish_pid/schedstat; echo $line
end
function prompts
    set -l i 0
    while test $i -lt %d
        _jpfs_hook
        set i (math $i + 1)
    end
end
for place in $argv; cd $place; _jpfs_hook; account; prompts; account; end
function moves
    set -l i 0
    while test $i -lt 100
        pushd $argv[1]; _jpfs_hook; popd; _jpfs_hook
        set i (math $i + 1)
    end
end
account; moves $argv[1]; account
account; /bin/true; account; account
''',
}


def accounts(text):
    """Pairs of what was reported: the faults of children, and the time on a processor in ns."""
    lines = text.splitlines()
    return [(int(stat.rsplit(')', 1)[1].split()[8]), int(sched.split()[0]))
            for stat, sched in zip(lines[::2], lines[1::2])]


def prompts_are_cheap(world):
    deep = world.project / '.jp' / 'conversations' / '17457886043-first'
    world.run(PROGRAM, 'mount', world.project)
    world.wait_mounted(world.project)
    script = world.base / 'prompts'
    script.write_text(SCRIPTS[world.shell] % PROMPTS)
    places = [world.project, deep, '/']
    options = {'bash': ['--norc'], 'zsh': ['-f'], 'fish': ['--no-config']}[world.shell]
    text = subprocess.run([world.shell, *options, str(script), *map(str, places)], env=world.environment,
                          check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    found = accounts(text)
    assert len(found) == 2 * len(places) + 5, text
    for place, before, after in zip(places, found[:-5:2], found[1:-5:2]):
        assert before[0] == after[0], f'in {place} a process was started'
        print(f'{world.shell}: {(after[1] - before[1]) / PROMPTS / 1e6:.4f} ms a prompt in '
              f'{os.path.relpath(place, world.base) if place != "/" else "/"}')
    assert found[-5][0] == found[-4][0], 'a process was started where something is mounted already'
    assert found[-3][0] < found[-1][0], 'a process that is started is not noticed here'
    world.run(PROGRAM, 'umount', world.project)


def every_way_in_mounts(world):
    world.run(PROGRAM, 'mount', world.project)
    deep = world.project / 'src' / 'deep'
    deep.mkdir(parents=True)
    (world.base / 'link').symlink_to(deep)
    terminal = Terminal(world, '/')

    def leave():
        assert mounts(world.base)
        terminal.type('cd /')
        until('it is unmounted', lambda: terminal.type(f'jpfs umount {world.project}')[0] == 0)
        assert not mounts(world.base)

    leave()
    for before, way_in in (('', f'cd {world.project}'), ('', f'pushd {deep}'), (f'pushd {deep}', 'popd'),
                           (f'cd {deep}', 'cd -'), ('', f'cd {world.base}/link'), ('', f'cd {world.project}/.jp'),
                           ('', f'test -d {deep}; and cd {deep}' if world.shell == 'fish' else f'[ -d {deep} ] && cd {deep}')):
        if before:
            terminal.type(before)
            world.wait_mounted(world.project)
            if way_in == 'popd':
                terminal.type('pushd /')
            leave()
        terminal.type(way_in)
        world.wait_mounted(world.project)
        leave()
    # A new terminal, and a shell that another program (an editor) has started there.
    new = Terminal(world, deep)
    world.wait_mounted(world.project)
    new.type('cd /')
    leave()
    terminal.begin(f'env -C {deep} {world.shell} -i')
    world.wait_mounted(world.project)
    terminal.type('exit')
    leave()
    screen = terminal.screen()
    assert 'jpfs: ' not in screen, screen


def who_was_in_there_is_in_the_mount(world):
    """In a conversation's directory when it is mounted, and when its daemon dies."""
    place = world.project / '.jp' / 'conversations' / '17457886043-first'
    world.run(PROGRAM, 'mount', world.project)
    world.run(PROGRAM, 'umount', world.project)
    terminal = Terminal(world, '/')
    terminal.type(f'cd {place}')
    for _ in range(2):
        world.wait_mounted(world.project)
        terminal.type('true')
        code, device = terminal.type('stat -c %d .')
        assert code == 0 and int(device) == place.stat().st_dev, 'the shell is beneath the mount, or in a dead one'
        status = json.loads(world.run(PROGRAM, 'status', '--json', world.project))
        os.kill(status[0]['pid'], signal.SIGKILL)
        until('the mount is dead', lambda: not os.path.exists(place / 'metadata.json'))
        terminal.type('true')
    world.wait_mounted(world.project)
    terminal.type('cd -')
    assert terminal.type('pwd') == (0, '/\n'), 'the way back is lost'
    until('it is unmounted', lambda: terminal.type(f'jpfs umount {world.project}')[0] == 0)


def strangers_are_left_alone(world):
    """Used before, but now it is another user's."""
    world.run(PROGRAM, 'mount', world.project)
    world.run(PROGRAM, 'umount', world.project)
    os.chown(world.project / '.jp', 65534, 65534)
    terminal = Terminal(world, world.project)
    terminal.type('true')
    terminal.type('cd .jp')
    terminal.type('cd /')
    terminal.type(f'cd {world.project}')
    terminal.type('true')
    assert not mounts(world.base)
    assert 'jpfs: ' not in terminal.screen(), terminal.screen()
    # The same where the shell does not look: a git hook asks in this way.
    code = subprocess.run([PROGRAM, 'mount', '--automount', world.project], env=world.environment, check=False,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert not mounts(world.base) and not code.stdout, code
    os.chown(world.project / '.jp', os.geteuid(), os.getegid())
    terminal.type('cd /')
    terminal.type(f'cd {world.project}')
    world.wait_mounted(world.project)
    terminal.type('cd /')
    assert terminal.type(f'jpfs umount {world.project}')[0] == 0


shell = sys.argv[1]
PROFILE = {'bash': 'eval "$(jpfs shell-init bash)"\n', 'zsh': 'eval "$(jpfs shell-init zsh)"\n',
           'fish': 'jpfs shell-init fish | source\n'}[shell]
run(prompts_are_cheap, shell, '')
run(every_way_in_mounts, shell, PROFILE)
run(who_was_in_there_is_in_the_mount, shell, PROFILE)
if os.geteuid() == 0:
    run(strangers_are_left_alone, shell, PROFILE)
print(f'{shell}: ok')
