#!/usr/bin/env python3
"""What somebody with a fresh account sees at a terminal: `session.py bash|zsh|fish`.

A home directory with one line for jpfs in the shell's profile, a project, a worktree, a conversation in
it; the worktree goes, and the conversation is found, read and brought back.
"""
import os
import re
import sys

from terminal import PROGRAM, Terminal, mounts, run, until

PROFILES = {
    'bash': 'PROMPT_COMMAND="other_hook;"\nother_hook() { seen=yes; }\n'
            'eval "$(jpfs shell-init bash)"\neval "$(jpfs shell-init bash)"\n',
    'zsh': 'precmd_functions=(other_hook)\nother_hook() { seen=yes; }\n'
           'eval "$(jpfs shell-init zsh)"\neval "$(jpfs shell-init zsh)"\n',
    'fish': 'function other_hook --on-event fish_prompt\n    set -g seen yes\nend\n'
            'jpfs shell-init fish | source\njpfs shell-init fish | source\n',
}


def tell(world):
    terminal = Terminal(world, world.project)
    code, _ = terminal.type('test "$seen" = yes')
    assert code == 0, 'the other hook does not run'
    assert terminal.type('false')[0] == 1, 'the exit code is lost'

    # Never seen before: one line, once, and nothing else happened.
    hint = 'run `jpfs allow '
    until('the hint', lambda: hint in terminal.screen())
    terminal.type('cd .jp')
    terminal.type('cd /')
    terminal.type(f'cd {world.project}')
    assert terminal.screen().count(hint) == 1, terminal.screen()
    assert not mounts(world.base) and not (world.home / '.local/share/jp').exists()

    code, text = terminal.type('jpfs allow')
    assert code == 0 and 'mounted: ' in text, text
    world.wait_mounted(world.project)

    # What `jpfs umount` took away stays so until it is entered anew.
    assert terminal.type('jpfs umount')[0] == 0
    terminal.type('true')
    terminal.type('cd .jp')
    assert not mounts(world.base)
    terminal.type('cd /')
    terminal.type(f'cd {world.project}/.jp')
    world.wait_mounted(world.project)

    # A new terminal in it, and a daemon that dies under it.
    assert terminal.type('jpfs -C .. umount')[0] == 0
    other = Terminal(world, world.project)
    world.wait_mounted(world.project)
    other.type('true')
    pid = re.search(r'"pid": (\d+)', world.run(PROGRAM, 'status', '--json', world.project)).group(1)
    os.kill(int(pid), 9)
    until('it is dead', lambda: 'dead' in world.run(PROGRAM, 'status', world.project))
    # What the kernel was told of the root holds for a second.
    until('it is seen to be dead', lambda: not os.path.exists(world.project / '.jp' / 'conversations'))
    other.type('true')
    other.type('true')
    world.wait_mounted(world.project)

    # JPFS_AUTOMOUNT=0.
    off = 'set -gx JPFS_AUTOMOUNT 0' if world.shell == 'fish' else 'export JPFS_AUTOMOUNT=0'
    other.type(off)
    assert terminal.type('git -C .. worktree add ../shop-export')[0] == 0
    other.type(f'cd {world.worktree}')
    other.type('true')
    assert len(mounts(world.base)) == 1, mounts(world.base)
    other.type('cd /')

    # The story: a worktree, a conversation in it, and the worktree goes.
    terminal.type(f'cd {world.worktree}')
    world.wait_mounted(world.worktree)
    world.conversation(world.worktree, '17457886099-export', 'Export orders')
    terminal.type('cd .jp/conversations/17457886099-export')
    code, text = terminal.type('git rev-parse --show-toplevel')
    assert code == 0 and text.strip() == str(world.worktree), text
    terminal.type(f'cd {world.project}')
    code, text = terminal.type(f'git worktree remove --force {world.worktree}')
    assert code == 0 and not world.worktree.exists(), text
    code, text = terminal.type('jpfs ls')
    assert re.search(r'^17457886099 .* local .*Export orders$', text, re.M), text
    code, text = terminal.type('jpfs show 17457886099')
    assert code == 0 and text.startswith('# Export orders\n') and 'Export orders?' in text, text
    again = world.base / 'again'
    assert terminal.type(f'git worktree add {again}')[0] == 0
    terminal.type(f'cd {again}')
    world.wait_mounted(again)
    assert terminal.type('jpfs project 17457886099')[0] == 0
    code, text = terminal.type('cat .jp/conversations/17457886099-export/metadata.json')
    assert code == 0 and '"Export orders"' in text, text
    terminal.type('cd /')
    for root in (again, world.project):
        assert terminal.type(f'jpfs umount {root}')[0] == 0
    assert not mounts(world.base)
    assert terminal.screen().count('jpfs: ') == 1, terminal.screen()


run(tell, sys.argv[1], PROFILES[sys.argv[1]])
print(f'{sys.argv[1]}: ok')
