# jpfs: completions for bash. `jpfs complete` knows commands, options and conversations.

_jpfs() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' i candidates
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-C) ((i++)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [[ $previous == -C ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
	fi
	if [[ -z $command || $command == help ]]; then
		candidates=$("${COMP_WORDS[0]}" complete commands 2>/dev/null | cut -f1)
		[[ $word != -* ]] || candidates='-C --help --version'
	elif [[ $word == -* ]]; then
		candidates=$("${COMP_WORDS[0]}" complete options "$command" 2>/dev/null)
	else
		case $command in
		shell-init) candidates='bash zsh fish' ;;
		mount | umount | status | ls | sync | allow | doctor | gc)
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			return
			;;
		*) candidates=$("${COMP_WORDS[0]}" complete ids 2>/dev/null | cut -f1 | sort -u) ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}
complete -o filenames -F _jpfs jpfs
