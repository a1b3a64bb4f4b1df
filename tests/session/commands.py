#!/usr/bin/env python3
"""Every command that the documentation shows in a block is run, or is on a list: `commands.py SOURCE BUILD`.

README, HACKING, docs/ and the examples of the manual pages are read from the top, and what they show as
commands (indented or fenced; where lines begin with `$ `, those) is looked up here by how it begins:

    RUN        a script that does it, in one made-up project and in the order of the documents; what the
               documents leave open (DIR, ID) is filled in
    TESTS      the names and suites that are given to `meson test` exist
    OPTIONS    the program exists and its help has the options that are given; a suite runs it, or it
               takes long
    ELSEWHERE  why it is not run here

A command that nothing here is about fails the test, and so does an entry that no command begins like.
"""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(os.environ['JPFS_PROGRAM']).resolve()
SOURCE, BUILD = (pathlib.Path(path).resolve() for path in sys.argv[1:])
DOCUMENTS = ['README.md', 'HACKING.md', *sorted(str(path.relative_to(SOURCE)) for path in SOURCE.glob('docs/*.md'))]
# Drawings, in blocks for their columns.
DRAWINGS = ['ARCHITECTURE.md']

TESTS, OPTIONS = object(), object()


class Elsewhere(str):
    """Why a command is not run here."""


TOUR = Elsewhere('tour.py types the tour, and compares what is shown')
LISTED = {
    'git clone <this repository>': Elsewhere('it has no address'),
    'scripts/quickstart': Elsewhere('it installs packages'),
    'scripts/install-packages': Elsewhere('it installs packages'),
    'meson setup build &&': Elsewhere('package.sh configures, builds and installs'),
    'meson setup build-asan': Elsewhere('the CI builds it, which takes minutes'),
    'meson setup build-tsan': Elsewhere('the CI builds it, which takes minutes'),
    'meson test -C build': TESTS,
    'scripts/test': OPTIONS,
    'scripts/fuzz': Elsewhere('the CI runs it, some seconds for each target'),
    'scripts/bench': OPTIONS,
    'tests/model/model.py': OPTIONS,
    'tests/crash/kill.py': OPTIONS,
    'tests/crash/cut.py': OPTIONS,
    'tests/fuzz/command_lines.py': Elsewhere('the CI runs it for a minute; it has no options'),
    'export JPFS_PROGRAM=$PWD/build/fs/jpfs': 'test -x "$BUILD/fs/jpfs"',
    'build/tests/unit/test_conversation_id': '"$BUILD/tests/unit/test_conversation_id"',
    'JPFS_TEST=a_trim_is_durable_at_once_and_what_it_cut_is_kept build/':
        'JPFS_TEST=a_trim_is_durable_at_once_and_what_it_cut_is_kept "$BUILD/tests/mount/test_mount_write" > ../out\n'
        'grep "_is_kept .*passed" ../out || grep skipped ../out',
    'JPFS_FAULT=ENOSPC JPFS_TEST=an_edit_that_is_synced build/':
        'JPFS_FAULT=ENOSPC JPFS_TEST=an_edit_that_is_synced "$BUILD/tests/fault/test_fault_write" > ../out\n'
        'grep "an_edit_that_is_synced .*passed" ../out',
    'jpfs mount [DIR]': 'jpfs mount shop-export; until_ok stored $B; jpfs mount -C shop; cd shop; jpfs mount',
    'jpfs umount [DIR]': 'jpfs umount shop; cd shop-export; jpfs umount; jpfs mount; cd ../shop; jpfs mount',
    'jpfs doctor [DIR]': '(jpfs doctor shop || :) | grep mounts; cd shop; (jpfs doctor || :) | grep mounts',
    'jpfs shell-init bash|zsh|fish': 'for shell in bash zsh fish; do jpfs shell-init $shell > ../$shell; done',
    'jpfs status [DIR]': 'jpfs status shop; cd shop; jpfs status',
    'jpfs ls [DIR]': 'jpfs ls shop; cd shop; jpfs ls',
    'jpfs show ID  ': 'cd shop-export; jpfs show $B | grep "as CSV"',
    'jpfs grep PATTERN': 'cd shop; jpfs grep CSV | grep "as CSV"; jpfs grep -c CSV',
    'jpfs project ID...': 'cd shop; jpfs project $B; test -d .jp/conversations/$B-*',
    'jpfs unproject ID...': 'cd shop; jpfs unproject $B; test ! -e .jp/conversations/$B-*',
    'jpfs commit ID...': 'cd shop; draft commit; draft discard',
    'jpfs history [ID]': 'cd shop; jpfs history; jpfs history $A',
    'jpfs rm ID...': 'cd shop; jpfs rm --force $B; jpfs restore $B; jpfs project $B; jpfs gc --dry-run',
    'jpfs sync [DIR]': 'jpfs umount shop; jpfs sync shop; cd shop; jpfs sync; jpfs mount',
    '~/.bashrc ': 'bash --norc -ec \'eval "$(jpfs shell-init bash)"; type _jpfs_hook\'',
    '~/.zshrc ': '! command -v zsh || zsh -fec \'eval "$(jpfs shell-init zsh)"; whence _jpfs_hook\'',
    '~/.config/fish/config.fish': '! command -v fish ||\n'
                                  'fish --no-config -c \'jpfs shell-init fish | source; functions -q _jpfs_hook\'',
    'jpfs ls': 'cd shop; jpfs ls',
    'jpfs grep CSV shop-export': 'jpfs grep CSV shop-export',
    'jpfs history 17604331514': 'cd shop; jpfs history 17604331514 | grep VERSION',
    'jpfs show ID[@VERSION] [FILE]':
        'cd shop; jpfs show $A; jpfs show $A events.json | cmp - .jp/conversations/$A-*/events.json\n'
        'jpfs show $A@$(version) > ../kept; jpfs show $A@$(version) events.json | cmp - ../kept',
    'jpfs diff ID[@VERSION]': 'cd shop; jpfs diff $A@$(version); jpfs diff $A@$(version) @$(version)',
    'jpfs restore ID[@VERSION]':
        'cd shop; v=$(version); jpfs show $A@$v > ../kept; jpfs restore $A@$v events.json\n'
        'cmp ../kept .jp/conversations/$A-*/events.json; jpfs restore $A@$(version)',
    'jpfs rm [--force] ID...': 'cd shop-export; jpfs rm --force $B; test ! -e .jp/conversations/$B-*; jpfs restore $B',
    'jpfs gc [--dry-run] [DIR]': 'jpfs gc --dry-run shop; cd shop; jpfs gc',
    'jpfs /home/me/shop/.jp/conversations fuse.jpfs': Elsewhere('helpers.sh calls mount.jpfs as mount(8) does'),
}
PRELUDE = '''
A=17604331514 B=17605369887
until_ok() { for k in $(seq 1200); do "$@" > /dev/null 2>&1 && return; sleep 0.05; done; echo "never true: $*"; exit 1; }
stored() { ls -d "$JP_USER_DATA_DIR"/workspace/*/conversations/$1-*; }
version() { jpfs history $A | awk '$4 == "events.json" { print $1; exit }'; }
is_draft() { jpfs status --json | grep -A 3 '"drafts"' | grep $A; }
# In the current worktree, what git puts back while nothing is mounted, and then what is done with it.
draft() {
	events=$(echo .jp/conversations/$A-*/events.json)
	sed -i 's/^\\]$/, {"timestamp": "2026-03-06 10:00:00.0", "type": "chat_request", "content": "More"}\\n]/' "$events"
	until_ok grep -q '"More"' "$JP_USER_DATA_DIR"/workspace/*/conversations/$A-*/events.json
	jpfs umount
	git checkout -q -- .jp
	jpfs mount
	until_ok is_draft
	jpfs "$1" $A
	! is_draft
}
'''


def blocks(text):
    """Each block's lines, without what they are indented by."""
    block, is_fenced = [], False
    for line in [*text.splitlines(), '']:
        if line.startswith('```'):
            is_fenced = not is_fenced
        elif is_fenced:
            block.append(line)
            continue
        elif line.startswith('    '):
            block.append(line[4:])
            continue
        if block:
            yield block
        block = []


def commands(text):
    for block in blocks(text):
        shown = [line[2:] for line in block if line.startswith('$ ')]
        # What is indented further goes on with the line above.
        yield from shown or [line for line in block if not line.startswith(' ')]


def found():
    """(where, command, whether the tour has it) for all that is shown."""
    for name in DOCUMENTS:
        for section in re.split(r'^## ', (SOURCE / name).read_text(encoding='utf-8'), flags=re.M):
            is_tour = section.startswith('A tour')
            for line in commands(section):
                yield name, line, is_tour
        # What is given for doing by hand, in tables.
        for line in re.findall(r'`((?:meson|scripts/|tests/)[^`]* [^`]*)`', (SOURCE / name).read_text(encoding='utf-8')):
            yield name, line, False
    for path in sorted(SOURCE.glob('man/*.[0-9]')):
        for example in re.findall(r'^\.Sh EXAMPLES$(.*?)^\.Sh ', path.read_text(encoding='utf-8'), re.M | re.S):
            for block in re.findall(r'^\.Bd -literal.*?$\n(.*?)^\.Ed', example, re.M | re.S):
                for line in block.splitlines():
                    yield path.name, line, False


@functools.cache
def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def check_tests(line):
    """`meson test -C build [--suite SUITE] [-v] [NAME...]`"""
    known = json.loads(run('meson', 'introspect', '--tests', str(BUILD)))
    names = {test['name'] for test in known}
    suites = {suite.split(':')[-1] for test in known for suite in test['suite']}
    words = re.sub(r'\s+#.*', '', line).split()[4:]
    while words:
        word = words.pop(0)
        if word == '--suite':
            assert words[0] in suites, f'{line}: no suite {words[0]}'
            words.pop(0)
        elif not word.startswith('-'):
            assert word in names, f'{line}: no test {word}'


def check_options(line):
    words = re.sub(r'\s+#.*', '', line).split()
    text = run(SOURCE / words[0], '--help')
    for word in words[1:]:
        assert not word.startswith('--') or word in text, f'{line}: {words[0]} --help has no {word}'


def main(base):
    place = base / 'demo'
    binaries = base / 'bin'
    binaries.mkdir()
    (binaries / 'jpfs').symlink_to(PROGRAM)
    environment = {**os.environ, 'PATH': f'{binaries}:{os.environ["PATH"]}', 'HOME': str(base),
                   'BUILD': str(BUILD), 'JPFS_PROGRAM': str(PROGRAM), 'JP_USER_DATA_DIR': str(base / 'data'), 'GIT_CONFIG_GLOBAL': '/dev/null'}
    subprocess.run([SOURCE / 'scripts' / 'demo-project', place], env=environment, check=True, capture_output=True)
    used, count = set(), 0
    for where, line, is_tour in found():
        if is_tour:
            continue
        keys = [key for key in LISTED if line.startswith(key)]
        assert keys, f'{where}: nobody runs `{line}`; give it a line in {pathlib.Path(__file__).name}'
        key = max(keys, key=len)
        used.add(key)
        how = LISTED[key]
        if how is TESTS:
            check_tests(line)
        elif how is OPTIONS:
            check_options(line)
        elif not isinstance(how, Elsewhere):
            count += 1
            done = subprocess.run(['bash', '-euo', 'pipefail', '-c', PRELUDE + how], env=environment, cwd=place,
                                  check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            assert done.returncode == 0, f'{where}: {line}\n{how}\n{done.stdout}'
    stale = set(LISTED) - used
    assert not stale, f'no document has: {sorted(stale)}'
    print(f'{count} commands run, {len(LISTED)} known: ok; {TOUR}')


if not os.access('/dev/fuse', os.R_OK | os.W_OK):
    print('skipped: /dev/fuse cannot be opened by this user')
    sys.exit(77)
world = pathlib.Path(tempfile.mkdtemp(prefix='jpfs-commands-'))
try:
    main(world)
finally:
    for worktree in 'shop', 'shop-export':
        subprocess.run([PROGRAM, 'umount', '--lazy', world / 'demo' / worktree], check=False, capture_output=True,
                       env={**os.environ, 'JP_USER_DATA_DIR': str(world / 'data'), 'HOME': str(world)})
    shutil.rmtree(world)
