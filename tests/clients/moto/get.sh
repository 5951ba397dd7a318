#!/usr/bin/env bash
# Installs moto, which speaks S3, and prints the path of its server.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../common.sh
source "$(dirname "$0")/../common.sh"

python moto >&2
echo "$python/bin/moto_server"
