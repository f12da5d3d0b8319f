# What the scripts here say, on standard error: progress for people. Standard output is kept for values.
# shellcheck shell=bash

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' blue=$'\e[34m' plain=$'\e[0m'
else
	bold='' dim='' red='' green='' yellow='' blue='' plain=''
fi
# Not every script uses every colour.
export bold dim red green yellow blue plain

say() {
	printf '%s\n' "$*" >&2
}

note() {
	printf '%s%s%s\n' "$dim" "$*" "$plain" >&2
}

# What went wrong, then a line each of what to do about it. Ends the script.
die() {
	printf '%s%s: %s%s\n' "$red" "${0##*/}" "$1" "$plain" >&2
	shift
	[[ $# -eq 0 ]] || printf '  %s\n' "$@" >&2
	exit 1
}

# quietly LOG COMMAND...: what the command prints goes to LOG alone; its end is shown when it fails.
quietly() {
	local log=$1
	shift
	"$@" >>"$log" 2>&1 </dev/null && return
	local status=$?
	say "${red}failed (exit $status): $*${plain}"
	say "${dim}--- the end of $log${plain}"
	tail -n 30 "$log" >&2
	return "$status"
}
