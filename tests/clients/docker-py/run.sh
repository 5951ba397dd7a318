#!/usr/bin/env bash
# Asks a Docker Engine and shipslog for the same events, by way of docker-py: see equal.py. Used by tests/it/engine_api/equality.rs.
#
#   tests/clients/docker-py/run.sh ENGINE_URL SHIPSLOG_URL QUERIES.json
#
# Needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")"
kept=$(readlink -f ../../..)/target/clients/docker-py
mkdir -p "$kept"
# Two runs at a time would spoil each other's installation.
exec 9>"$kept.lock"
flock 9
# One that was made by another Python does not run any more.
"$kept/bin/python" -c "" 2>/dev/null || python3 -m venv --clear "$kept"
if ! cmp --silent requirements.txt "$kept/installed"; then
    "$kept/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt "$kept/installed"
fi
exec "$kept/bin/python" equal.py "$@" 9>&-
