#!/bin/sh
# Checks that this machine has what the Makefile needs, and installs what is missing where it knows how:
# with apt-get on Debian and its relatives, with Homebrew on macOS. Elsewhere it says in one line what to install.
#
# Usage: scripts/need.sh [go] [git] [postgres] [cc]     without arguments: go git postgres
set -eu

cd "$(dirname "$0")/.."

say() { printf 'need: %s\n' "$*" >&2; }

fail() {
	say "$*"
	exit 1
}

# as_root runs a command as root, through sudo when this is another user.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		fail "root is needed, and there is no sudo: run as root: $*"
	fi
}

# apt_install says what it installs and why. The package lists are fetched only when they do not know the package,
# which on a bare image is always and on a machine in use never.
apt_install() {
	package=$1 why=$2
	say "installing the Debian package $package ($why)"
	if ! apt-cache show "$package" >/dev/null 2>&1; then
		as_root apt-get update -qq
	fi
	set -- env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
	# A list that is out of date names versions that are gone, which a fresh list repairs.
	as_root "$@" >&2 || { as_root apt-get update -qq && as_root "$@" >&2; }
}

# install_package takes the name for Debian, the name for Homebrew, the reason, and the sentence for everyone else.
install_package() {
	if command -v apt-get >/dev/null 2>&1; then
		apt_install "$1" "$3"
	elif command -v brew >/dev/null 2>&1; then
		say "installing the Homebrew package $2 ($3)"
		brew install --quiet "$2" >&2
	else
		fail "$4"
	fi
}

need_go() {
	wanted=$(sed -n 's/^go //p' devstack/temporald/go.mod)
	command -v go >/dev/null 2>&1 ||
		fail "Go is missing: install Go $wanted or newer from https://go.dev/dl/ and put its bin folder on the PATH"
	# Go itself knows whether it is new enough for this module; since 1.21 it fetches a newer one unless told not to.
	(cd devstack/temporald && GOWORK=off go list -m >/dev/null 2>&1) ||
		fail "Go $wanted or newer is needed, and this is $(go env GOVERSION) with GOTOOLCHAIN=$(go env GOTOOLCHAIN): install it from https://go.dev/dl/"
}

need_git() {
	command -v git >/dev/null 2>&1 ||
		install_package git git "Go stamps programs with the version of the source" "git is missing: install it with your system's package manager"
}

# has_postgres looks in the same places as devstack/programs.go.
has_postgres() {
	if found=$(command -v postgres 2>/dev/null) && [ -x "$(dirname "$(readlink -f "$found" || echo "$found")")/initdb" ]; then
		return 0
	fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
		if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ]; then
			return 0
		fi
	done
	return 1
}

need_postgres() {
	if has_postgres; then
		return 0
	fi
	if command -v apt-get >/dev/null 2>&1; then
		keep_debian_from_creating_a_cluster
	fi
	install_package postgresql postgresql@17 "curbstop runs a private cluster with its server programs" \
		"PostgreSQL's server programs are missing: install your system's package of the PostgreSQL server (Fedora: postgresql-server)"
	has_postgres || fail "PostgreSQL was installed, but its programs initdb and postgres are in none of the usual places: put them on the PATH"
}

# Debian's package would create a cluster of its own and start it at every boot. Where somebody has already decided about
# that, the decision stays.
keep_debian_from_creating_a_cluster() {
	settings=/etc/postgresql-common/createcluster.conf
	if [ -e "$settings" ]; then
		return 0
	fi
	say "writing $settings, so that the package creates no cluster of its own"
	as_root mkdir -p "$(dirname "$settings")"
	echo 'create_main_cluster = false' | as_root tee "$settings" >/dev/null
}

# The race detector is the only part that needs a C compiler.
need_cc() {
	command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || {
		install_package gcc gcc "the race detector needs a C compiler" "a C compiler is missing: install gcc or clang"
		if command -v apt-get >/dev/null 2>&1; then
			apt_install libc6-dev "the C library's headers for the race detector"
		fi
	}
}

if [ $# -eq 0 ]; then
	set -- go git postgres
fi
for need in "$@"; do
	case $need in
	go | git | postgres | cc) "need_$need" ;;
	*) fail "unknown need $need: want go, git, postgres or cc" ;;
	esac
done
