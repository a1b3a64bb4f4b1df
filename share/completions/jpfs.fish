# jpfs: completions for fish. `jpfs complete` knows commands, options and conversations.

function __jpfs_command
    set -l words (commandline -opc)[2..]
    while set -q words[1]
        switch $words[1]
            case -C
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
                return
        end
        set -e words[1]
    end
    return 1
end

# Conversations are those of the directory that -C names.
function __jpfs_ids
    set -l words (commandline -opc)[2..]
    set -l at (contains -i -- -C $words)
    and set -q words[(math $at + 1)]
    and set -l directory -C (string replace -r '^~/' "$HOME/" -- (string unescape -- $words[(math $at + 1)]))
    jpfs $directory complete ids 2>/dev/null
end

function __jpfs_takes
    set -l directories mount umount status ls sync allow doctor gc
    set -l command (__jpfs_command); or return
    switch $command
        case help
            test $argv[1] = commands
        case shell-init
            test $argv[1] = shells
        case $directories
            test $argv[1] = directories
        case '*'
            test $argv[1] = ids
    end
end

complete -c jpfs -f
complete -c jpfs -s C -x -a '(__fish_complete_directories)' -d 'as if started there'
complete -c jpfs -n 'not __jpfs_command' -l version -d 'the version'
complete -c jpfs -n 'not __jpfs_command' -l help -d 'what there is'
complete -c jpfs -n 'not __jpfs_command' -a '(jpfs complete commands 2>/dev/null)'
complete -c jpfs -n '__jpfs_takes commands' -a '(jpfs complete commands 2>/dev/null)'
complete -c jpfs -n '__jpfs_takes shells' -a 'bash zsh fish'
complete -c jpfs -n '__jpfs_takes directories' -a '(__fish_complete_directories)'
complete -c jpfs -n '__jpfs_takes ids' -a '(__jpfs_ids)'
complete -c jpfs -n '__jpfs_command; and string match -q -- "-*" (commandline -ct)' \
    -a '(jpfs complete options (__jpfs_command) 2>/dev/null)'
