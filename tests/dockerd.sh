#!/usr/bin/env bash
# A Docker Engine for the stories in tests/it/docker.rs, apart from any other on this machine.
#
#   tests/dockerd.sh start DIR   starts one that keeps everything in DIR, and prints its URL (unix://…) when it answers
#   tests/dockerd.sh stop DIR    ends it and what it left behind; DIR/dockerd.log stays
#
# DOCKERD_OPTIONS holds more of its options. Needs root. `start` after the daemon was killed goes on with the data of before. The image is busybox:test.
set -euo pipefail

readonly WAIT_SECONDS=30

fail() {
    echo "dockerd.sh: $*" >&2
    exit 1
}

# Ids of the processes that have one of the given texts as a whole argument, so that nobody else's Engine is ever meant.
processes() {
    local directory argument wanted
    for directory in /proc/[0-9]*; do
        while IFS= read -r -d '' argument; do
            for wanted; do
                [[ $argument != "$wanted" ]] || echo "${directory#/proc/}"
            done
        done 2>/dev/null <"$directory/cmdline" || true # it ended meanwhile
    done | sort -u
}

daemons() { processes "$DIR/dockerd.pid"; }
containerds() { processes "$DIR/exec/containerd/containerd.toml"; }
# One per container, which it outlives its daemon with.
shims() { processes "$DIR/exec/containerd/containerd.sock"; }

# Waits until the processes given have ended.
wait_for_end() {
    local pid deadline=$((SECONDS + $1))
    shift
    for pid in "$@"; do
        while [[ -s /proc/$pid/cmdline ]]; do # empty for a zombie
            ((SECONDS < deadline)) || return 1
            sleep 0.05
        done
    done
}

# Kills the processes given, if any, and waits until they are gone.
finish() {
    (($#)) || return 0
    kill -KILL "$@" 2>/dev/null || true
    wait_for_end 10 "$@" || fail "cannot end $*"
}

start() {
    [[ $(id -u) == 0 ]] || fail "a Docker Engine needs root"
    command -v dockerd >/dev/null || fail "dockerd is not installed (Debian: apt-get install docker.io)"
    command -v docker >/dev/null || fail "the docker CLI is not installed"
    # A Unix socket's path has 107 bytes at most, and containerd's lies below DIR.
    ((${#DIR} <= 60)) || fail "the path $DIR is too long for sockets in it: 60 bytes at most"
    mkdir -p "$DIR"
    [[ -z $(daemons) ]] || fail "an Engine runs in $DIR already"
    # A killed daemon leaves the numbers of its processes, which by now may be zombies or somebody else's: the next one
    # would refuse to start, or wait for them in vain.
    # shellcheck disable=SC2046
    finish $(containerds)
    rm -f "$DIR/dockerd.pid" "$DIR/exec/containerd/containerd.pid"
    # No iptables and no default bridge: this Engine must not change the machine's network. vfs works on any file system.
    # A session of its own, and no inherited output, so that whoever reads ours sees its end.
    # shellcheck disable=SC2086
    setsid dockerd --host "$URL" --pidfile "$DIR/dockerd.pid" --data-root "$DIR/data" --exec-root "$DIR/exec" \
        --bridge none --iptables=false --ip6tables=false --ip-masq=false --storage-driver vfs ${DOCKERD_OPTIONS:-} \
        </dev/null >>"$DIR/dockerd.log" 2>&1 &
    local daemon=$! deadline=$((SECONDS + WAIT_SECONDS))
    until docker -H "$URL" version >/dev/null 2>&1; do
        kill -0 "$daemon" 2>/dev/null || { tail -n 5 "$DIR/dockerd.log" >&2; fail "dockerd ended; see $DIR/dockerd.log"; }
        ((SECONDS < deadline)) || { stop; fail "dockerd did not answer within $WAIT_SECONDS s; see $DIR/dockerd.log"; }
        sleep 0.1
    done
    docker -H "$URL" image inspect busybox:test >/dev/null 2>&1 || make_image
    echo "$URL"
}

# busybox:test from the static busybox of this machine (Debian: busybox-static).
make_image() {
    local busybox root applet
    busybox=$(command -v busybox) || fail "busybox is not installed (Debian: apt-get install busybox-static)"
    root=$(mktemp -d "$DIR/image.XXXXXX")
    mkdir "$root/bin"
    cp -L "$busybox" "$root/bin/busybox"
    for applet in sh sleep true false cat echo tail touch rm mv kill; do
        ln -s busybox "$root/bin/$applet"
    done
    tar -C "$root" -c . | docker -H "$URL" import - busybox:test >/dev/null
    rm -rf "$root"
    docker -H "$URL" run --rm --network none busybox:test true || fail "containers do not run here (is busybox static?); see $DIR/dockerd.log"
}

stop() {
    local containers pid mount bridge
    # In good order where there is somebody who can.
    containers=$(timeout 5 docker -H "$URL" ps -aq 2>/dev/null || true)
    if [[ -n $containers ]]; then
        # shellcheck disable=SC2086
        timeout 30 docker -H "$URL" rm -fv $containers >/dev/null 2>&1 || true
    fi
    # shellcheck disable=SC2046
    if kill -TERM $(daemons) 2>/dev/null; then
        wait_for_end 10 $(daemons) || true
    fi
    # shellcheck disable=SC2046
    finish $(daemons) $(containerds)
    for pid in $(shims); do
        # The containers' processes first: a shim that is killed leaves them running.
        # shellcheck disable=SC2046
        finish $(cat "/proc/$pid/task/"*/children 2>/dev/null || true)
        finish "$pid"
    done
    # Innermost first.
    while read -r mount; do
        umount "$mount" 2>/dev/null || umount --lazy "$mount"
    done < <(cut -d' ' -f2 /proc/self/mounts | grep -F -e "$DIR/data" -e "$DIR/exec" | sort -r)
    # Its networks are in a database; the bridges' names can be read without the daemon.
    for bridge in $(grep -aohE 'br-[0-9a-f]{12}' "$DIR/data/network/files/local-kv.db" 2>/dev/null | sort -u); do
        ip link delete "$bridge" 2>/dev/null || true
    done
    rm -rf "${DIR:?}/data" "${DIR:?}/exec" "$DIR/docker.sock" "$DIR/dockerd.pid"
}

[[ $# == 2 && ($1 == start || $1 == stop) ]] || fail "usage: tests/dockerd.sh start|stop DIR"
DIR=$(realpath -m -- "$2")
readonly DIR
[[ $DIR != / ]] || fail "not in /"
readonly URL=unix://$DIR/docker.sock
"$1"
