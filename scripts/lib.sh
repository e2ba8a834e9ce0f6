# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that source this
# Shared by the scripts. Sourcing it moves to the root of the repository.

set -euo pipefail
umask 022 # whatever the caller's: the servers' user has to read what is made here
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The Postgres to build for, to copy and to install into.
export PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}

# Connections are described in full; other settings in the caller's environment would interfere.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE PGOPTIONS PGDATA PGCLIENTENCODING

# Private copies and servers live here, a folder for each clone of this repository. Not in the clone: root's home is
# closed to the unprivileged user, and the path of a Unix socket may have 107 bytes at most.
run_dir=${CHECKOUT_SESSIONS_RUN_DIR:-/var/tmp/checkout_sessions-$(id -un)-$(cksum <<<"$PWD" | cut -d ' ' -f 1)}
[[ $run_dir =~ ^/[A-Za-z0-9/._-]+$ ]] || { echo "$run_dir: use letters, digits, /, ., _ and - only" >&2 && exit 1; }
# Each other Postgres has a folder of its own for what is built. In one folder cargo would take the library that was
# built for the other major version for its own.
if [ "$PG_CONFIG" != /usr/lib/postgresql/15/bin/pg_config ] && [ -z "${CARGO_TARGET_DIR:-}" ]; then
    export CARGO_TARGET_DIR
    CARGO_TARGET_DIR=target/pg$("$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
fi
# What was built: by `make build`, or for `make demo` alone.
build_dir=${CARGO_TARGET_DIR:-target}/${BUILD_PROFILE:-release}
library=$build_dir/libcheckout_sessions.so
version=$(sed -n '/^version = /{s/.*"\(.*\)".*/\1/p;q}' Cargo.toml)
install_script=sql/install/checkout_sessions--$version.sql

# Postgres refuses to run as root. Root's servers run as this user, those of any other user as that user.
server_user=$(id -un)
[ "$server_user" != root ] || server_user=postgres

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Runs a command as the user of the servers, from a folder that this user can enter.
as_server_user() (
    cd /
    if [ "$server_user" = "$(id -un)" ]; then "$@"; else runuser -u "$server_user" -- "$@"; fi
)

# The major version of PG_CONFIG: 15.
pg_major() {
    "$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
}

# The programs' folder in PG_CONFIG's private copy, which scripts/private-postgres makes.
private_bin() {
    echo "$run_dir/$(pg_major)/postgres$("$PG_CONFIG" --bindir)"
}

# The path of pg_regress or pg_isolation_regress, whose folder has what else it needs. A Postgres that is not Debian's
# is tested with those of Debian's 15: of others some crash, or are not built.
driver() {
    local config=/usr/lib/postgresql/15/bin/pg_config
    case $PG_CONFIG in /usr/lib/postgresql/*) config=$PG_CONFIG ;; esac
    local program
    program=$(dirname "$("$config" --pgxs)")/../test/$1
    [ -x "$program" ] || die "$program is not there: run 'scripts/setup test'"
    echo "$program"
}

# Makes the folder of PG_CONFIG's private copy and servers, and prints its name.
make_major_dir() {
    local dir
    dir=$run_dir/$(pg_major)
    mkdir -p "$run_dir"
    # Any user could have put something of this name into /var/tmp.
    if [ -L "$run_dir" ] || [ ! -O "$run_dir" ]; then die "$run_dir is not a folder of user $(id -un)"; fi
    mkdir -p "$dir"
    as_server_user test -x "$dir" || die "user $server_user cannot enter $dir; set CHECKOUT_SESSIONS_RUN_DIR"
    echo "$dir"
}
