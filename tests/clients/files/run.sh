#!/usr/bin/env bash
# httpx, pandas and duckdb read the exports of a real server: see read.py. Used by ../run.sh.
#
# Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")"
root=$(readlink -f ../../..)
kept=$root/target/clients/files
program=${SHIPSLOG_BIN:-$root/target/debug/shipslog}
"$kept/bin/python" -c "" 2>/dev/null || python3 -m venv --clear "$kept"
if ! cmp --silent requirements.txt "$kept/installed"; then
    "$kept/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt "$kept/installed"
fi

work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; wait; rm -rf "$work"' EXIT
"$kept/bin/python" make.py >"$work/log.jsonl"
"$program" import "$work/log.jsonl" --data-dir "$work/data" >/dev/null
"$program" serve --read-only "$work/data" --listen 127.0.0.1:0 >"$work/out" 2>"$work/err" &
server=$!
for _ in $(seq 200); do
    url=$(sed -n 's/^listening on //p' "$work/out")
    [[ -z $url ]] || break
    sleep 0.1
done
"$kept/bin/python" read.py "$url" "$work"
