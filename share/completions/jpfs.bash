# jpfs: completions for bash. `jpfs complete` knows commands, options and conversations.

_jpfs() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' i candidates id name
	local ask=("${COMP_WORDS[0]}") ids=() names=()
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-C)
			((i++))
			# Conversations are those of that directory.
			((i == COMP_CWORD)) || ask+=(-C "${COMP_WORDS[i]/#\~\//$HOME/}")
			;;
		-*) ;;
		*) command=${command:-${COMP_WORDS[i]}} ;;
		esac
	done
	if [[ $previous == -C ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
	fi
	if [[ -z $command || $command == help ]]; then
		candidates=$("${ask[@]}" complete commands 2>/dev/null | cut -f1)
		[[ $word != -* ]] || candidates='-C --help --version'
	elif [[ $word == -* ]]; then
		candidates=$("${ask[@]}" complete options "$command" 2>/dev/null)
	else
		case $command in
		shell-init) candidates='bash zsh fish' ;;
		mount | umount | status | ls | sync | allow | doctor | gc)
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			return
			;;
		*)
			# Not by `compgen -W`: it would run what is in a name, which somebody else has chosen.
			while IFS=$'\t' read -r id name; do
				[[ $name == "$word"* ]] || continue
				ids+=("$id")
				names+=("$name")
			done < <("${ask[@]}" complete ids 2>/dev/null | sort -u -k1,1)
			COMPREPLY=("${ids[@]}")
			# Who is shown a list (the types say so) learns nothing from numbers.
			if [[ $word == *-* || ${#names[@]} -gt 1 && ${COMP_TYPE-} == @(63|33|64) ]]; then
				COMPREPLY=("${names[@]}")
			fi
			return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}
complete -o filenames -F _jpfs jpfs
