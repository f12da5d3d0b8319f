# Who runs what. PostgreSQL refuses root, and a daemon has no business being root: as root, both run as an account of their own.
# shellcheck shell=bash disable=SC2034 # its variables are for whoever sources it

# The account, and its group: `postgres` where Debian's package made it, else `nobody`; ourselves when we are not root.
if [[ $EUID -ne 0 ]]; then
	account=$(id -un)
elif id postgres >/dev/null 2>&1; then
	account=postgres
else
	account=nobody
fi
account_group=$(id -gn "$account")

# run_as USER COMMAND...: becomes the command (no process in between, so $! is the command's own), away from our directory.
run_as() {
	local user=$1
	shift
	cd /
	if [[ $(id -un) == "$user" ]]; then
		exec "$@"
	fi
	exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --no-new-privs -- "$@"
}

as_account() {
	(run_as "$account" "$@")
}
