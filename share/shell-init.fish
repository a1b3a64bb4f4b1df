# jpfs for interactive fish: a jp workspace is mounted when a prompt appears in it.
#
# The line for ~/.config/fish/config.fish:
#
#     jpfs shell-init fish | source
#
# Each prompt asks with builtins alone whether there is something to do, and only then starts a
# process. A workspace that is there but not mounted is mounted when it is entered; one that `jpfs
# umount` took away stays so until then; one whose daemon died is mounted anew at the next prompt.
# What goes wrong is told once.

# git does not look beyond a mount point for its repository, unless told to.
set -q GIT_DISCOVERY_ACROSS_FILESYSTEM; or set -gx GIT_DISCOVERY_ACROSS_FILESYSTEM 1
set -q JPFS_AUTOMOUNT; or set -gx JPFS_AUTOMOUNT 1
set -q _jpfs_tried; or set -g _jpfs_tried # roots
set -q _jpfs_pwd; or set -g _jpfs_pwd ''
set -q _jpfs_root; or set -g _jpfs_root ''

# The root of the workspace that the current directory is in, or nothing. Along the real path, as
# jp looks for it, and not along $PWD.
function _jpfs_find
    set -g _jpfs_root ''
    # A directory that was removed has no path.
    set -l root (builtin pwd -P 2>/dev/null | string collect)
    or return
    test "$root" != /; or set root ''
    while not test -d "$root/.jp"
        test -n "$root"; or return
        set root (string replace -r '/[^/]*$' '' -- "$root" | string collect)
    end
    set _jpfs_root "$root/"
end

# Whether something is mounted on a path, if it is known that nothing answers there.
function _jpfs_is_dead
    set -l name (string replace -a \\ '\\134' -- $argv[1] | string replace -a ' ' '\\040')
    read -z -l mounts </proc/self/mountinfo
    contains -- "$name" (string split ' ' -- "$mounts")
end

function _jpfs_hook --on-event fish_prompt
    set -l result $status
    set -l before "$_jpfs_root"
    test "$JPFS_AUTOMOUNT" != 0; or return $result
    if test "$PWD" != "$_jpfs_pwd"; or begin
            test -z "$_jpfs_root"; and test -d .jp
        end
        _jpfs_find
        set -g _jpfs_pwd "$PWD"
    end
    test -n "$_jpfs_root"; or return $result
    set -l place "$_jpfs_root".jp/conversations
    if test -e "$place/.jpfs"
        set -l at (contains -i -- "$_jpfs_root" $_jpfs_tried)
        and set -e _jpfs_tried[$at]
        # A shell that was in there when the mount came is in the directory beneath it, and one whose
        # daemon died in a mount that is dead for ever: by its name it gets to where it seems to be.
        if string match -q '*/.jp/conversations/*' -- "$PWD/"; and not test . -ef "$PWD" 2>/dev/null
            builtin cd "$PWD" 2>/dev/null
        end
    else if not test -O "$_jpfs_root".jp
    else if not contains -- "$_jpfs_root" $_jpfs_tried
        # The kernel may still know what a dead mount's root was like, but nothing is in it.
        if test "$_jpfs_root" != "$before"; or not test -e "$place"; or _jpfs_is_dead "$place"
            set -ga _jpfs_tried "$_jpfs_root"
            $_jpfs_program mount --automount "$_jpfs_root" </dev/null
        end
    else if test "$_jpfs_root" != "$before"
        $_jpfs_program mount --automount "$_jpfs_root" </dev/null 2>/dev/null
    end
    return $result
end
