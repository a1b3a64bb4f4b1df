#!/usr/bin/env python3
"""What somebody with a fresh account sees at a terminal: `session.py bash|zsh|fish`.

The shell is a real one in tmux, with a home directory of its own that has one line for jpfs in the
shell's profile. Everything lies below one directory that is removed at the end, and only what was
started here is ended. Exits 77, with the reason, where something is missing.

Each step types a line and waits until it is done, however long that takes on a busy machine; what
happens in the background is waited for by looking, never by time.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

SHELL = sys.argv[1]
PROGRAM = pathlib.Path(os.environ['JPFS_PROGRAM']).resolve()
PROFILES = {
    'bash': ('.bashrc', 'PROMPT_COMMAND="other_hook;"\nother_hook() { seen=yes; }\n'
                        'eval "$(jpfs shell-init bash)"\neval "$(jpfs shell-init bash)"\n'),
    'zsh': ('.zshrc', 'precmd_functions=(other_hook)\nother_hook() { seen=yes; }\n'
                      'eval "$(jpfs shell-init zsh)"\neval "$(jpfs shell-init zsh)"\n'),
    'fish': ('.config/fish/config.fish', 'function other_hook --on-event fish_prompt\n'
             '    set -g seen yes\nend\n'
             'jpfs shell-init fish | source\njpfs shell-init fish | source\n'),
}
PATIENCE = 120  # seconds; only a failure waits for so long


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(77)


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'never true: {what}')
        time.sleep(0.05)


def mounts(below):
    with open('/proc/self/mountinfo', encoding='utf-8') as lines:
        return [words[4] for words in map(str.split, lines)
                if words[4].startswith(f'{below}/') and 'fuse.jpfs' in words]


class Terminal:
    """A shell in tmux, started in a directory."""

    def __init__(self, world, directory):
        self.world = world
        self.socket = str(world.base / f'tmux-{len(world.terminals)}')
        self.count = 0
        world.terminals.append(self)
        # tmux goes by ZDOTDIR, HOME and so on of who starts its server.
        subprocess.run(['tmux', '-f', '/dev/null', '-S', self.socket, 'new-session', '-d', '-x', '200', '-y',
                        '50', '-c', str(directory), shutil.which(SHELL), '-i'],
                       env=world.environment, check=True)

    def tmux(self, *arguments):
        return subprocess.run(['tmux', '-S', self.socket, *arguments], env=self.world.environment,
                              check=True, capture_output=True, text=True).stdout

    def screen(self):
        return self.tmux('capture-pane', '-p', '-J', '-S', '-')

    def type(self, line):
        """Type a line; what it prints and its exit code when the next prompt's hooks have run."""
        self.count += 1
        done = self.world.base / f'done-{os.path.basename(self.socket)}-{self.count}'
        out = done.with_suffix('.out')
        status = '$status' if SHELL == 'fish' else '$?'
        self.tmux('send-keys', '-l', f'{line} >{out} 2>&1')
        self.tmux('send-keys', 'Enter')
        # Typed ahead: it is run after the next prompt, with the exit code that the hooks left.
        self.tmux('send-keys', '-l', f'echo {status} >{done}')
        self.tmux('send-keys', 'Enter')
        until(f'`{line}` ends', lambda: done.exists() and done.read_text().strip())
        return int(done.read_text()), out.read_text()

    def end(self):
        subprocess.run(['tmux', '-S', self.socket, 'kill-server'], env=self.world.environment,
                       check=False, capture_output=True)


class World:
    def __init__(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix='jpfs-session.')).resolve()
        self.terminals = []
        self.home = self.base / 'home'
        self.project = self.base / 'shop'
        self.worktree = self.base / 'shop-export'
        (self.base / 'bin').mkdir()
        (self.base / 'bin' / 'jpfs').symlink_to(PROGRAM)
        name, text = PROFILES[SHELL]
        profile = self.home / name
        profile.parent.mkdir(parents=True)
        profile.write_text(text)
        self.environment = {
            'HOME': str(self.home), 'PATH': f'{self.base}/bin:{os.environ["PATH"]}', 'TERM': 'screen',
            'LANG': 'C.UTF-8', 'SHELL': '/bin/sh', 'USER': os.environ.get('USER', 'somebody'),
            'GIT_CONFIG_NOSYSTEM': '1', 'TMPDIR': str(self.base),
            **{f'GIT_{who}_{what}': text for who in ('AUTHOR', 'COMMITTER')
               for what, text in (('NAME', 'A Tester'), ('EMAIL', 'tester@example.org'))}}
        for option in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
            if option in os.environ:
                self.environment[option] = os.environ[option]
        self.make_project()

    def run(self, *command, cwd=None):
        return subprocess.run(command, cwd=cwd or self.base, env=self.environment, check=True,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout

    def make_project(self):
        (self.project / '.jp' / 'conversations').mkdir(parents=True)
        (self.project / '.jp' / '.id').write_text(
            'DO NOT EDIT THIS FILE! IT IS AUTO-GENERATED BY JP.\nshop7\n')
        self.conversation(self.project, '17457886043-first', 'First')
        self.run('git', 'init', '-q', '-b', 'main', cwd=self.project)
        self.run('git', 'add', '-A', cwd=self.project)
        self.run('git', 'commit', '-qm', 'first', cwd=self.project)

    def conversation(self, root, name, title):
        directory = root / '.jp' / 'conversations' / name
        directory.mkdir()
        (directory / 'metadata.json').write_text(
            f'{{\n  "title": "{title}",\n  "last_activated_at": "2025-04-27T10:00:00.0Z"\n}}\n')
        (directory / 'base_config.json').write_text('{}\n')
        (directory / 'events.json').write_text(
            '[\n  {"timestamp": "2025-04-27T10:00:00.0Z", "type": "turn_start"}\n]\n')

    def wait_mounted(self, root):
        until(f'{root} is mounted',
              lambda: str(root / '.jp' / 'conversations') in mounts(self.base)
              and (root / '.jp' / 'conversations' / '.jpfs').exists())

    def end(self):
        for terminal in self.terminals:
            terminal.end()
        for place in mounts(self.base):
            subprocess.run([PROGRAM, 'umount', '--lazy', str(pathlib.Path(place).parents[1])],
                           env=self.environment, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.base)


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
    other.type('true')
    other.type('true')
    world.wait_mounted(world.project)

    # JPFS_AUTOMOUNT=0.
    off = 'set -gx JPFS_AUTOMOUNT 0' if SHELL == 'fish' else 'export JPFS_AUTOMOUNT=0'
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


def main():
    for program in (SHELL, 'tmux', 'git'):
        if shutil.which(program) is None:
            skip(f'{program} is not installed')
    if not os.access('/dev/fuse', os.R_OK | os.W_OK):
        skip('/dev/fuse cannot be opened')
    world = World()
    try:
        tell(world)
    except BaseException:
        for terminal in world.terminals:
            print(terminal.screen().rstrip())
        raise
    finally:
        world.end()
    print(f'{SHELL}: ok')


main()
