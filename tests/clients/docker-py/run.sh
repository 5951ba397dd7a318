#!/usr/bin/env bash
# Asks a Docker Engine and shipslog for the same events, by way of docker-py: see equal.py. Used by tests/it/engine_api/equality.rs.
#
#   tests/clients/docker-py/run.sh ENGINE_URL SHIPSLOG_URL QUERIES.json
#
# Needs python3 with venv.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$(dirname "$0")/../common.sh"
python docker-py
exec "$python/bin/python" "$clients/docker-py/equal.py" "$@"
