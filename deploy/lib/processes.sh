# What runs in a sandbox, found by what cannot be mistaken: our programs are executed from the sandbox's own directory, and
# PostgreSQL works in it. So no pid file has to be believed, and a process that somebody restarted by hand is found too.
# shellcheck shell=bash

# processes_with LINK PATTERN: whose /proc/PID/LINK points there. Processes end while we look, and others' are not ours to see.
processes_with() {
	{ find /proc/[0-9]*/"$1" -maxdepth 0 -lname "$2" 2>/dev/null || true; } | cut -d/ -f3
}

program_pids() {
	processes_with exe "$1/bin/*"
}

postgres_pids() {
	local pid
	for pid in $(processes_with cwd "$1/data*"); do
		if [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == */postgres* ]]; then
			echo "$pid"
		fi
	done
}

# end_all FINDER DIR SIGNAL SECONDS: asks with SIGNAL, and kills what is still there after SECONDS.
end_all() {
	local finder=$1 dir=$2 signal=$3 deadline=$((SECONDS + $4)) pids
	pids=$("$finder" "$dir")
	[[ -n $pids ]] || return 0
	# shellcheck disable=SC2086 # one word a pid
	kill -s "$signal" $pids 2>/dev/null || true
	while pids=$("$finder" "$dir") && [[ -n $pids ]]; do
		if ((SECONDS >= deadline)); then
			# shellcheck disable=SC2086
			kill -s KILL $pids 2>/dev/null || true
		fi
		sleep 0.05
	done
}

# A postmaster that was killed leaves a System V segment behind, whose id is in its pid file. A standby's data is beside data/.
remove_shared_memory() {
	local data id
	for data in "$1"/data*; do
		id=$(sed -n '7s/^ *[0-9]* *//p' "$data/postmaster.pid" 2>/dev/null || true)
		[[ -z $id ]] || ipcrm -m "$id" 2>/dev/null || true
	done
}

# A TCP port of the loopback interface that nobody listens on, below those that the kernel gives to clients.
free_port() {
	local port
	while :; do
		port=$((15000 + RANDOM % 15000))
		if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

# http_status PORT PATH: the status of a plain GET on loopback; nothing when nobody answers.
http_status() {
	(
		exec 3<>"/dev/tcp/127.0.0.1/$1"
		printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
		read -r -t 2 _ status _ <&3
		echo "$status"
	) 2>/dev/null || true
}
