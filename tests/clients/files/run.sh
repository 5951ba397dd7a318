#!/usr/bin/env bash
# httpx, pandas and duckdb read the exports of a real server: see read.py. Used by ../run.sh.
#
# Needs python3 with venv.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$(dirname "$0")/../common.sh"
python files
begin
"$python/bin/python" "$clients/files/make.py" >"$work/log.jsonl"
"$program" import "$work/log.jsonl" --data-dir "$work/data" >/dev/null
serve --read-only "$work/data"
"$python/bin/python" "$clients/files/read.py" "$url" "$work"
