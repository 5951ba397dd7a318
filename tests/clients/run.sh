#!/usr/bin/env bash
# Installs the clients, and runs the stories in files/, openapi/ and main.mjs with the program that is built already.
#
#   tests/clients/run.sh                       two or three minutes
#   SHIPSLOG_CLIENTS=10 tests/clients/run.sh   ten times as much of it
#   SHIPSLOG_SEED=1 tests/clients/run.sh       with the cuts of an earlier run, as far as time allows
#
# Needs node, npm, python3 with venv, chromium, and a Rust toolchain.
set -euo pipefail
cd "$(dirname "$0")"
root=$(readlink -f ../..)
kept=$root/target/clients

(cd node && npm ci --no-audit --no-fund --silent)
# One that was made by another Python does not run any more.
"$kept/python/bin/python" -c "" 2>/dev/null || python3 -m venv --clear "$kept/python"
"$kept/python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement python/requirements.txt
cargo build --locked --quiet --manifest-path rust/Cargo.toml --target-dir "$kept/rust"

files/run.sh
openapi/run.sh
SHIPSLOG_BIN=${SHIPSLOG_BIN:-$root/target/debug/shipslog} node main.mjs
