#!/usr/bin/env bash
# Unpacks packages of a newer suite of this Debian, from its own mirror. Nothing is installed: the machine keeps its own.
#
#   tests/newer.sh DIR CHECK PACKAGE...     unpacks them into DIR/root. CHECK is a script; `CHECK fits ROOT` says whether
#                                           what lies below ROOT will do
#
# Exits with 3, and says why, where they cannot be had or none that can be had will do.
set -euo pipefail

# The first that has them, and will do.
readonly SUITES=(testing sid)
readonly KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
# A mirror that answers so late is as good as none.
readonly FETCH_SECONDS=180

none() {
    echo "newer.sh: no ${packages[*]}: $*" >&2
    exit 3
}

apt() {
    timeout "$FETCH_SECONDS" apt-get --quiet --quiet -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Acquire::Retries=2 "$@" >>"$work/log" 2>&1
}

(($# >= 3)) || { echo "usage: tests/newer.sh DIR CHECK PACKAGE..." >&2; exit 2; }
dir=$(realpath -m -- "$1")
check=$2
packages=("${@:3}")
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
    (cd "$work/debs" && apt download "${packages[@]}") || continue
    for package in "$work"/debs/*.deb; do
        dpkg-deb --extract "$package" "$work/root" || continue 2
    done
    "$check" fits "$work/root" >>"$work/log" 2>&1 || continue
    rm -rf "$dir/root"
    mv "$work/root" "$dir/root"
    exit
done
tail -n 5 "$work/log" >&2
none "neither of ${SUITES[*]} has any that will do here"
