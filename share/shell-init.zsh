# jpfs for interactive zsh: a jp workspace is mounted when a prompt appears in it.
#
# The line for ~/.zshrc, after those of other prompt hooks (direnv's has a say in JPFS_AUTOMOUNT):
#
#     eval "$(jpfs shell-init zsh)"
#
# Each prompt asks with builtins alone whether there is something to do, and only then starts a
# process. A workspace that is there but not mounted is mounted when it is entered; one that `jpfs
# umount` took away stays so until then; one whose daemon died is mounted anew at the next prompt.
# What goes wrong is told once.

# git does not look beyond a mount point for its repository, unless told to.
export GIT_DISCOVERY_ACROSS_FILESYSTEM=${GIT_DISCOVERY_ACROSS_FILESYSTEM-1}
export JPFS_AUTOMOUNT=${JPFS_AUTOMOUNT-1}
typeset -gaU _jpfs_tried # roots
typeset -g _jpfs_pwd=${_jpfs_pwd-} _jpfs_root=${_jpfs_root-}

# The root of the workspace that the current directory is in, or nothing. Along the real path, as
# jp looks for it, and not along $PWD.
_jpfs_find() {
	emulate -L zsh
	local root=${PWD:A}
	root=${root%/}
	until [[ -d $root/.jp ]]; do
		if [[ -z $root ]]; then
			_jpfs_root=''
			return
		fi
		root=${root%/*}
	done
	_jpfs_root=$root/
}

# A shell that was in there when the mount came is in the directory beneath it, and one whose daemon
# died in a mount that is dead for ever: by its name it gets to where it seems to be.
_jpfs_enter() {
	local here=$PWD
	[[ -d $here ]] || return
	# By way of the one before, for `cd -`: $OLDPWD does not decide that.
	builtin cd -q -- "$OLDPWD" 2>/dev/null
	builtin cd -q -- "$here"
}

_jpfs_hook() {
	local result=$?
	emulate -L zsh
	local before=$_jpfs_root place
	[[ ${JPFS_AUTOMOUNT-} != 0 ]] || return $result
	if [[ $PWD != $_jpfs_pwd || ( -z $_jpfs_root && -d .jp ) ]]; then
		_jpfs_find
		_jpfs_pwd=$PWD
	fi
	[[ -n $_jpfs_root ]] || return $result
	place=${_jpfs_root}.jp/conversations
	if [[ -e $place/.jpfs ]]; then
		_jpfs_tried=("${(@)_jpfs_tried:#$_jpfs_root}")
		[[ $PWD/ != */.jp/conversations/* || . -ef $PWD ]] || _jpfs_enter
	elif [[ ! -O ${_jpfs_root}.jp ]]; then
		:
	elif (( ! ${_jpfs_tried[(Ie)$_jpfs_root]} )); then
		# The kernel may still know what a dead mount's root was like; opening it asks.
		if [[ $_jpfs_root != $before ]] || ! { true <$place } 2>/dev/null; then
			_jpfs_tried+=("$_jpfs_root")
			"$_jpfs_program" mount --automount "$_jpfs_root" </dev/null || :
		fi
	elif [[ $_jpfs_root != $before ]]; then
		"$_jpfs_program" mount --automount "$_jpfs_root" </dev/null 2>/dev/null || :
	fi
	return $result
}

# For a compinit that comes later: it looks there only if this was installed for everybody.
if [[ -r ${_jpfs_program:h:h}/share/zsh/site-functions/_jpfs ]] &&
	(( ! ${fpath[(Ie)${_jpfs_program:h:h}/share/zsh/site-functions]} )); then
	fpath+=("${_jpfs_program:h:h}/share/zsh/site-functions")
fi

typeset -ga precmd_functions
if (( ! ${precmd_functions[(Ie)_jpfs_hook]} )); then
	precmd_functions+=(_jpfs_hook)
fi
