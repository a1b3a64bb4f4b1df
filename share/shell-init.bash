# jpfs for interactive bash: a jp workspace is mounted when a prompt appears in it.
#
# The line for ~/.bashrc, after those of other prompt hooks (direnv's has a say in JPFS_AUTOMOUNT):
#
#     eval "$(jpfs shell-init bash)"
#
# Each prompt asks with builtins alone whether there is something to do, and only then starts a
# process. A workspace is looked for from `.` upwards, as jp does it, and not along $PWD, which may
# have come through symbolic links. One that is there but not mounted is mounted when it is entered;
# one that `jpfs umount` took away stays so until then; one whose daemon died is mounted anew at the
# next prompt. What goes wrong is told once.

# git does not look beyond a mount point for its repository, unless told to.
export GIT_DISCOVERY_ACROSS_FILESYSTEM=${GIT_DISCOVERY_ACROSS_FILESYSTEM-1}
export JPFS_AUTOMOUNT=${JPFS_AUTOMOUNT-1}
_jpfs_tried=${_jpfs_tried-$'\n'} # roots, each between newlines
_jpfs_pwd=${_jpfs_pwd-}
_jpfs_root=${_jpfs_root-}

# The root of the workspace that the current directory is in, or nothing.
_jpfs_find() {
	local up='' root=$PWD rest
	until [[ -d ${up}.jp ]]; do
		# Neither at the top nor in a directory that was removed.
		if [[ ! -e ${up}.. || ${up}. -ef ${up}.. ]]; then
			_jpfs_root=''
			return
		fi
		up=../$up
	done
	for ((rest = ${#up}; rest > 0; rest -= 3)); do
		root=${root%/*}
	done
	[[ $root/.jp -ef ${up}.jp ]] || root=$PWD/${up%/} # it is not where its name says
	_jpfs_root=${root%/}/
}

# A shell that was in there when the mount came is in the directory beneath it, and one whose daemon
# died in a mount that is dead for ever: by its name it gets to where it seems to be.
_jpfs_enter() {
	local before=${OLDPWD-}
	builtin cd -- "$PWD" 2>/dev/null && OLDPWD=$before
}

_jpfs_hook() {
	local status=$? before=$_jpfs_root place
	[[ ${JPFS_AUTOMOUNT-} != 0 ]] || return "$status"
	if [[ $PWD != "$_jpfs_pwd" ]] || [[ -z $_jpfs_root && -d .jp ]]; then
		_jpfs_find
		_jpfs_pwd=$PWD
	fi
	[[ -n $_jpfs_root ]] || return "$status"
	place=${_jpfs_root}.jp/conversations
	if [[ -e $place/.jpfs ]]; then
		_jpfs_tried=${_jpfs_tried/$'\n'"$_jpfs_root"$'\n'/$'\n'}
		[[ $PWD/ != */.jp/conversations/* || . -ef $PWD ]] || _jpfs_enter
	elif [[ ! -O ${_jpfs_root}.jp ]]; then
		:
	elif [[ $_jpfs_tried != *$'\n'"$_jpfs_root"$'\n'* ]]; then
		# The kernel may still know what a dead mount's root was like; opening it asks.
		if [[ $_jpfs_root != "$before" ]] || ! { true <"$place"; } 2>/dev/null; then
			_jpfs_tried+=$_jpfs_root$'\n'
			# shellcheck disable=SC2154 # `jpfs shell-init` prints it before this
			"$_jpfs_program" mount --automount "$_jpfs_root" </dev/null || :
		fi
	elif [[ $_jpfs_root != "$before" ]]; then
		"$_jpfs_program" mount --automount "$_jpfs_root" </dev/null 2>/dev/null || :
	fi
	return "$status"
}

if [[ "${PROMPT_COMMAND[*]-} ${STARSHIP_PROMPT_COMMAND-}" != *_jpfs_hook* ]]; then
	if [[ "$(declare -p PROMPT_COMMAND 2>/dev/null)" == 'declare -a'* ]]; then
		PROMPT_COMMAND+=(_jpfs_hook)
	else
		# A newline goes after whatever a string may end with.
		# shellcheck disable=SC2178,SC2128 # it is a string here
		PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}_jpfs_hook
	fi
fi
