#!/usr/bin/env bash
# A newer Docker Engine than the one that is installed, with its command and Compose 2, from a newer suite of this
# Debian's own mirror.
#
#   tests/engine.sh DIR     unpacks it into DIR, unless it is there, and prints what to put in front of PATH
#
# Nothing is installed: the machine keeps its own. Only runc stays the machine's, since the newer one wants a newer C
# library. Exits with 3, and says why, where no newer Engine can be had or what can be had does not run here.
set -euo pipefail

folders() { echo "$1/usr/bin:$1/usr/sbin"; }

fits() {
    local folders
    folders=$(folders "$1")
    PATH=$folders:$PATH dockerd --version && PATH=$folders:$PATH containerd --version && PATH=$folders:$PATH docker --version &&
        PATH=$folders:$PATH docker-compose version
}

case "$#:${1:-}" in
    2:fits) fits "$2" ;;
    1:*)
        dir=$(realpath -m -- "$1")
        [[ -x $dir/root/usr/sbin/dockerd ]] ||
            "$(dirname "$0")/newer.sh" "$dir" "$0" docker.io containerd docker-cli docker-compose || exit
        folders "$dir/root"
        ;;
    *) echo "usage: tests/engine.sh DIR" >&2; exit 2 ;;
esac
