# A private PostgreSQL cluster in a directory: no TCP, a socket that only its account (and root) can reach, fsync on.
# shellcheck shell=bash disable=SC2154 # $root and the account are set before

# The newest server that is installed.
postgres_bin() {
	local server
	server=$(find /usr/lib/postgresql/*/bin/postgres -maxdepth 0 2>/dev/null | sort -V | tail -n 1)
	[[ -n $server ]] || server=$(command -v postgres || true)
	[[ -n $server ]] || die "PostgreSQL's server is not installed" "as root: $root/deploy/install-packages run"
	dirname "$server"
}

# new_cluster DIR: DIR/data, which belongs to the account.
new_cluster() {
	local dir=$1
	install -d -m 0700 -o "$account" -g "$account_group" "$dir/data" "$dir/socket"
	install -m 0640 -o "$account" -g "$account_group" /dev/null "$dir/postgres.log"
	# `trust` is bounded by the socket's directory; a real installation uses peer, certificates or passwords.
	quietly "$dir/setup.log" as_account "$(postgres_bin)/initdb" --no-sync -D "$dir/data" -U postgres -A trust \
		-E UTF8 --locale=C.UTF-8
	as_account tee -a "$dir/data/postgresql.conf" >/dev/null <<-CONF
		cluster_name = 'needtoknow-sandbox'
		listen_addresses = ''
		unix_socket_directories = '$dir/socket'
		unix_socket_permissions = 0700
		fsync = on
		synchronous_commit = on
		shared_buffers = '${SANDBOX_SHARED_BUFFERS:-256MB}'
		max_wal_size = '4GB'
		log_line_prefix = '%m [%p] %q%u@%d '
		# Shared memory in files of the data directory: nothing of it outlives the directory.
		dynamic_shared_memory_type = mmap
	CONF
}

start_postgres() {
	# One that was killed a moment ago is still in the process table; its pid file would refuse us.
	local before deadline=$((SECONDS + 5))
	before=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null || true)
	while [[ -n $before ]] && kill -0 "$before" 2>/dev/null && ((SECONDS < deadline)); do
		sleep 0.05
	done
	quietly "$1/setup.log" as_account "$(postgres_bin)/pg_ctl" start -w -t 60 -s -D "$1/data" -l "$1/postgres.log" || {
		tail -n 20 "$1/postgres.log" >&2
		return 1
	}
}

# pguri DIR [ROLE]: the company's database, as the superuser or as a role.
pguri() {
	echo "postgresql:///company?host=$1/socket&port=5432&user=${2:-postgres}"
}

# run_sql DIR PSQL-OPTIONS...: as the superuser; the first error ends it.
run_sql() {
	local dir=$1
	shift
	quietly "$dir/setup.log" psql -X -q -v ON_ERROR_STOP=1 -d "$(pguri "$dir")" "$@"
}
