#!/usr/bin/env bash
# Schemathesis asks a real server with a small log by docs/openapi.yaml: no server error, and no status, header, type of content or shape
# that is not described. Used by ../run.sh.
#
# Needs python3 with venv.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$(dirname "$0")/../common.sh"
python openapi
begin
"$python/bin/python" "$clients/openapi/records.py" >"$work/log.jsonl"
"$program" import "$work/log.jsonl" --data-dir "$work/data" >/dev/null
export SHIPSLOG_TOKEN=correct-horse-battery-staple
echo "$SHIPSLOG_TOKEN" >"$work/tokens"
chmod 600 "$work/tokens"
serve --data-dir "$work/data" --docker-host unix:///nonexistent/docker.sock --token-file "$work/tokens"
curl --silent --show-error --fail --max-time 10 --header "Authorization: Bearer $SHIPSLOG_TOKEN" "$url/api/v1/openapi.json" >"$work/sent.json"
"$python/bin/python" "$clients/openapi/tighten.py" "$root/docs/openapi.yaml" "$work/sent.json" >"$work/openapi.json"
# What it writes stays there.
cp "$clients/openapi/hooks.py" "$clients/openapi/schemathesis.toml" "$work"
cd "$work"
# Less than a minute on an idle machine; whatever it finds, it ends.
PYTHONDONTWRITEBYTECODE=1 timeout 600 "$python/bin/st" --config-file schemathesis.toml run openapi.json --url "$url" \
    ${SHIPSLOG_SEED:+--seed "$SHIPSLOG_SEED"}
kill -0 "$server"
