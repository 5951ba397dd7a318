#!/usr/bin/env bash
# A newer Docker Engine than the one that is installed, with its command and Compose 2, from a newer suite of this
# Debian's own mirror.
#
#   tests/engine.sh DIR     unpacks it into DIR, unless it is there, and prints what to put in front of PATH
#
# Nothing is installed: the machine keeps its own. Only runc stays the machine's, since the newer one wants a newer C
# library. Exits with 3, and says why, where no newer Engine can be had or what can be had does not run here.
set -euo pipefail

# The first that has it and runs.
readonly SUITES=(testing sid)
readonly PACKAGES=(docker.io containerd docker-cli docker-compose)
readonly KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
# A mirror that answers so late is as good as none.
readonly FETCH_SECONDS=180

none() {
    echo "engine.sh: no newer Docker Engine: $*" >&2
    exit 3
}

apt() {
    timeout "$FETCH_SECONDS" apt-get --quiet --quiet -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Acquire::Retries=2 "$@" >>"$work/log" 2>&1
}

runs() {
    local folders
    folders=$(folders "$1")
    PATH=$folders:$PATH dockerd --version && PATH=$folders:$PATH containerd --version && PATH=$folders:$PATH docker --version &&
        PATH=$folders:$PATH docker-compose version
} >>"$work/log" 2>&1

folders() { echo "$1/usr/bin:$1/usr/sbin"; }

[[ $# == 1 ]] || { echo "usage: tests/engine.sh DIR" >&2; exit 2; }
dir=$(realpath -m -- "$1")
if [[ -x $dir/root/usr/sbin/dockerd ]]; then
    folders "$dir/root"
    exit
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || none "this is no Debian"
[[ -r $KEYS ]] || none "Debian's keys are not installed ($KEYS)"
from=$("$(dirname "$0")/mirror.sh")
[[ -n $from ]] || none "apt's sources name no mirror of Debian"
mkdir -p "$dir"
work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
for suite in "${SUITES[@]}"; do
    rm -rf "$work/lists" "$work/cache" "$work/root" "$work/debs"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
    echo "deb [signed-by=$KEYS] $from $suite main" >"$work/sources.list"
    apt update || continue
    (cd "$work/debs" && apt download "${PACKAGES[@]}") || continue
    for package in "$work"/debs/*.deb; do
        dpkg-deb --extract "$package" "$work/root" || continue 2
    done
    if runs "$work/root"; then
        rm -rf "$dir/root"
        mv "$work/root" "$dir/root"
        folders "$dir/root"
        exit
    fi
done
tail -n 5 "$work/log" >&2
none "neither of ${SUITES[*]} has one that runs here"
