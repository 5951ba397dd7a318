#!/usr/bin/env bash
# Installs the clients, and runs the stories in files/, openapi/ and main.mjs with the program that is built already.
#
#   tests/clients/run.sh                       two or three minutes
#   SHIPSLOG_CLIENTS=10 tests/clients/run.sh   ten times as much of it
#   SHIPSLOG_SEED=1 tests/clients/run.sh       with the cuts of an earlier run, as far as time allows
#
# Needs node, npm, python3 with venv, chromium, and a Rust toolchain.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

(cd "$clients/node" && npm ci --no-audit --no-fund --silent)
python python
cargo build --locked --quiet --manifest-path "$clients/rust/Cargo.toml" --target-dir "$kept/rust"

"$clients/files/run.sh"
"$clients/openapi/run.sh"
SHIPSLOG_BIN=$program node "$clients/main.mjs"
