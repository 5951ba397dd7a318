#!/usr/bin/env bash
# Schemathesis asks a real server with a small log by docs/openapi.yaml: no server error, and no status, header, type of content or shape
# that is not described. Used by ../run.sh.
#
# Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")"
root=$(readlink -f ../../..)
kept=$root/target/clients/openapi
program=${SHIPSLOG_BIN:-$root/target/debug/shipslog}
"$kept/bin/python" -c "" 2>/dev/null || python3 -m venv --clear "$kept"
if ! cmp --silent requirements.txt "$kept/installed"; then
    "$kept/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt "$kept/installed"
fi

work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; wait; rm -rf "$work"' EXIT
"$kept/bin/python" records.py >"$work/log.jsonl"
"$program" import "$work/log.jsonl" --data-dir "$work/data" >/dev/null
export SHIPSLOG_TOKEN=correct-horse-battery-staple
echo "$SHIPSLOG_TOKEN" >"$work/tokens"
chmod 600 "$work/tokens"
"$program" serve --data-dir "$work/data" --docker-host unix:///nonexistent/docker.sock --token-file "$work/tokens" --listen 127.0.0.1:0 \
    >"$work/out" 2>"$work/err" &
server=$!
for _ in $(seq 200); do
    url=$(sed -n 's/^listening on //p' "$work/out")
    [[ -z $url ]] || break
    sleep 0.1
done
curl --silent --show-error --fail --max-time 10 --header "Authorization: Bearer $SHIPSLOG_TOKEN" "$url/api/v1/openapi.json" >"$work/sent.json"
"$kept/bin/python" tighten.py "$root/docs/openapi.yaml" "$work/sent.json" >"$work/openapi.json"
# What it leaves behind stays there.
cp hooks.py schemathesis.toml "$work"
cd "$work"
# Less than a minute on an idle machine; whatever it finds, it ends.
PYTHONDONTWRITEBYTECODE=1 timeout 600 "$kept/bin/st" --config-file schemathesis.toml run openapi.json --url "$url" \
    ${SHIPSLOG_SEED:+--seed "$SHIPSLOG_SEED"}
kill -0 "$server"
