# shellcheck shell=bash
# What the scripts here share. Each sources it after `set -euo pipefail`, from wherever it is called.

clients=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$clients/../..")
# What is installed is kept there for the next run.
kept=$root/target/clients
program=${SHIPSLOG_BIN:-$root/target/debug/shipslog}

# python NAME: the requirements of the folder NAME in an environment of their own; puts that into $python. Two runs at a time would spoil
# each other's installation, so they take turns.
python() {
    python=$kept/$1
    mkdir -p "$python"
    exec 9>"$python.lock"
    flock 9
    # One that was made by another Python does not run any more.
    "$python/bin/python" -c "" 2>/dev/null || python3 -m venv --clear "$python"
    if ! cmp --silent "$clients/$1/requirements.txt" "$python/installed"; then
        "$python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$clients/$1/requirements.txt"
        cp "$clients/$1/requirements.txt" "$python/installed"
    fi
    exec 9>&-
}

# A directory for what a run needs, in $work. It goes at the end, and so does the server.
begin() {
    work=$(mktemp -d)
    server=
    trap '[[ -z $server ]] || kill "$server"; wait; rm -rf "$work"' EXIT
}

# serve ARGUMENTS: starts the program with them, and puts its address into $url and its process into $server.
serve() {
    "$program" serve --listen 127.0.0.1:0 "$@" >"$work/out" 2>"$work/err" &
    server=$!
    for _ in $(seq 300); do
        url=$(sed -n 's/^listening on //p' "$work/out")
        [[ -z $url ]] || return 0
        sleep 0.1
    done
    echo "the program does not say where it listens: $(cat "$work/err")" >&2
    return 1
}
