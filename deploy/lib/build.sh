# Binaries, built where they are not.
# shellcheck shell=bash disable=SC2154 # $root is the script's

# build PRESET TARGET...: into build/PRESET. Two callers at once wait for each other.
build() {
	local preset=$1 log
	shift
	for tool in cmake ninja protoc-c pkg-config; do
		command -v "$tool" >/dev/null || die "cannot build: $tool is missing" "as root: $root/deploy/install-packages build"
	done
	mkdir -p "$root/build/$preset"
	log=$root/build/$preset/build.log
	(
		flock 9
		: >"$log"
		cd "$root"
		[[ -e build/$preset/build.ninja ]] || quietly "$log" cmake --preset "$preset"
		quietly "$log" ninja -C "build/$preset" "$@"
	) 9>"$root/build/$preset/.lock" || die "the $preset build failed" "the whole log: $log"
}
