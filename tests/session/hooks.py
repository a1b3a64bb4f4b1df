#!/usr/bin/env python3
"""Other programs' prompt hooks beside ours: `hooks.py bash|zsh|fish`.

Each profile has hooks as direnv, starship and others set them up, before our line or after it. They
all run, each sees the last command's exit code, and so does the prompt; the workspace is mounted
when it is entered. A profile that turns it off in a directory, as direnv does, has its say.
"""
import sys

from terminal import PROGRAM, Terminal, mounts, run, until

OURS = {'bash': 'eval "$(jpfs shell-init bash)"\n', 'zsh': 'eval "$(jpfs shell-init zsh)"\n',
        'fish': 'jpfs shell-init fish | source\n'}
# Each notes the exit code that it saw.
HOOKS = 'seen=\none() { local s=$?; seen+=" one=$s"; return $s; }\ntwo() { local s=$?; seen+=" two=$s"; return $s; }\n'

# What `direnv hook bash` and `starship init bash` print, in short: with their own order of things.
DIRENV = '''_direnv_hook() {
  local previous_exit_status=$?
  if [[ $PWD == */shop* ]]; then export JPFS_AUTOMOUNT=0; else unset JPFS_AUTOMOUNT; fi
  return $previous_exit_status
}
if [[ ";${PROMPT_COMMAND[*]:-};" != *";_direnv_hook;"* ]]; then
  if [[ "$(declare -p PROMPT_COMMAND 2>&1)" == "declare -a"* ]]; then
    PROMPT_COMMAND=(_direnv_hook "${PROMPT_COMMAND[@]}")
  else
    PROMPT_COMMAND="_direnv_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
fi
'''
STARSHIP = '''_starship_set_return() { return "${1:-0}"; }
starship_precmd() {
  STARSHIP_CMD_STATUS=$? STARSHIP_PIPE_STATUS=(${PIPESTATUS[@]})
  seen+=" one=$STARSHIP_CMD_STATUS"
  if [[ -n "${STARSHIP_PROMPT_COMMAND-}" ]]; then
    _starship_set_return "$STARSHIP_CMD_STATUS"
    eval "$STARSHIP_PROMPT_COMMAND"
  fi
  seen+=" two=$STARSHIP_CMD_STATUS"
  PS1="\\$ "
}
if [[ -z "${PROMPT_COMMAND-}" ]]; then
  PROMPT_COMMAND="starship_precmd"
elif [[ "$PROMPT_COMMAND" != *"starship_precmd"* ]]; then
  STARSHIP_PROMPT_COMMAND="$PROMPT_COMMAND"
  PROMPT_COMMAND="starship_precmd"
fi
'''
FISH = '''function one --on-event fish_prompt
    set -l s $status
    set -g seen "$seen one=$s"
end
'''
FISH_PROMPT = '''function fish_prompt
    set -l s $status
    set -g seen "$seen two=$s"
    echo '> '
end
'''

PROFILES = {
    'bash': {
        'a string': HOOKS + 'PROMPT_COMMAND="one; two"\n' + OURS['bash'],
        'a string with a comment': HOOKS + 'PROMPT_COMMAND="one; two # and no more"\n' + OURS['bash'],
        'an array': HOOKS + 'PROMPT_COMMAND=(one two)\n' + OURS['bash'],
        'a string, later': HOOKS + OURS['bash'] + 'PROMPT_COMMAND="one; two; $PROMPT_COMMAND"\n',
        'an array, later': HOOKS + 'PROMPT_COMMAND=()\n' + OURS['bash'] + 'PROMPT_COMMAND=(one "${PROMPT_COMMAND[@]}" two)\n',
        'starship before': STARSHIP + OURS['bash'],
        'starship after': OURS['bash'] + STARSHIP,
        'strict': HOOKS + 'PROMPT_COMMAND="one; two"\nset -u -o noclobber\n' + OURS['bash'],
        'twice': HOOKS + 'PROMPT_COMMAND=(one two)\n' + OURS['bash'] * 2,
    },
    'zsh': {
        'arrays': HOOKS + 'precmd_functions=(one two)\nchpwd() { true; }\nchpwd_functions=(chpwd)\n' + OURS['zsh'],
        'later': HOOKS + OURS['zsh'] + 'precmd_functions=(one $precmd_functions two)\n',
        'a function': HOOKS + 'precmd() { one; }\nprecmd_functions+=(two)\n' + OURS['zsh'],
        'add-zsh-hook': HOOKS + 'autoload -Uz add-zsh-hook\nadd-zsh-hook precmd one\nadd-zsh-hook precmd two\n'
                        + OURS['zsh'] * 2,
        'options': HOOKS + 'precmd_functions=(one two)\nsetopt ksh_arrays no_unset no_clobber sh_word_split glob_subst\n'
                   + OURS['zsh'],
    },
    'fish': {
        'before': FISH + FISH_PROMPT + OURS['fish'],
        'after': OURS['fish'] + FISH + FISH_PROMPT,
    },
}
SILENT = {
    'bash': {
        'direnv before': HOOKS + 'PROMPT_COMMAND=(one two)\n' + DIRENV + OURS['bash'],
        'direnv after': HOOKS + 'PROMPT_COMMAND="one; two"\n' + OURS['bash'] + DIRENV,
    },
    'zsh': {
        'direnv': HOOKS + 'precmd_functions=(one two)\n_direnv_hook() { '
                  '[[ $PWD == */shop* ]] && export JPFS_AUTOMOUNT=0 || unset JPFS_AUTOMOUNT; }\n'
                  + OURS['zsh'] + 'precmd_functions=(_direnv_hook $precmd_functions)\n',
    },
    'fish': {
        'direnv': 'function __direnv --on-event fish_prompt\n    if string match -q "*/shop*" $PWD\n'
                  '        set -gx JPFS_AUTOMOUNT 0\n    else\n        set -e JPFS_AUTOMOUNT\n    end\nend\n'
                  + FISH + FISH_PROMPT + OURS['fish'],
    },
}


def use_once(world):
    """What was mounted by hand once is mounted unasked from then on."""
    world.run(PROGRAM, 'mount', world.project)
    world.run(PROGRAM, 'umount', world.project)


def hooks_run(terminal):
    """At the prompt after `false`, both hooks saw its exit code, and so does the command typed next."""
    terminal.type('set -g seen' if terminal.world.shell == 'fish' else 'seen=')
    assert terminal.type('false')[0] == 1, 'the exit code is lost'
    code, text = terminal.type('echo "$seen"')
    hooks = [word.split('=')[0] for word in text.split()]
    assert code == 0 and 'one=1' in text and 'two=1' in text, text
    assert hooks == ['one', 'two'] * (len(hooks) // 2), f'not each of them once at each prompt: {text}'


def mounts_it(world):
    use_once(world)
    terminal = Terminal(world, world.project)
    world.wait_mounted(world.project)
    hooks_run(terminal)
    assert terminal.type('jpfs umount')[0] == 0
    terminal.type('cd /')
    terminal.type(f'cd {world.project}/.jp')
    world.wait_mounted(world.project)
    hooks_run(terminal)
    screen = terminal.screen()
    assert 'jpfs: ' not in screen and 'not found' not in screen and 'syntax' not in screen, screen
    assert terminal.type(f'cd / && jpfs umount {world.project}')[0] == 0


def mounts_nothing(world):
    use_once(world)
    terminal = Terminal(world, world.project)
    terminal.type('true')
    terminal.type('cd .jp')
    hooks_run(terminal)
    assert not mounts(world.base)
    terminal.type('cd /')
    terminal.type(f'cd {world.project}')
    terminal.type('true')
    assert not mounts(world.base), 'mounted where it is turned off'
    # Where it is not turned off, it is on.
    other = world.base / 'other'
    world.run('git', 'worktree', 'add', '-q', other, cwd=world.project)
    terminal.type(f'cd {other}')
    world.wait_mounted(other)
    terminal.type('cd /')
    until('it ends', lambda: terminal.type(f'jpfs umount {other}')[0] == 0)


shell = sys.argv[1]
for name, profile in PROFILES[shell].items():
    run(mounts_it, shell, profile)
    print(f'{shell}, {name}: ok')
for name, profile in SILENT[shell].items():
    run(mounts_nothing, shell, profile)
    print(f'{shell}, {name}: ok')
