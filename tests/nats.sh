#!/usr/bin/env bash
# NATS JetStream for the tests of a fleet: the server, and clusters of it on loopback, apart from any other.
#
#   tests/nats.sh get DIR                       unpacks a nats-server of 2.12 or later into DIR, unless it is there,
#                                               and prints its path
#   tests/nats.sh start DIR SERVER [N [CONF]]   starts N nodes (3) that keep everything in DIR, each with the text of the
#                                               file CONF among its settings, and prints their URLs when they answer
#   tests/nats.sh kill DIR K                    kills node K as a crash would
#   tests/nats.sh restart DIR K                 starts it again, on the data of before
#   tests/nats.sh pause DIR K                   has node K hang: it keeps its connections, and says nothing
#   tests/nats.sh resume DIR K                  lets it go on
#   tests/nats.sh stop DIR                      ends all nodes; DIR/n*.log stay
#
# `get` installs nothing, and exits with 3 and says why where no such server can be had or what can be had does not run.
# A node syncs its disk before it acknowledges, as a fleet's must.
set -euo pipefail

readonly OLDEST=2.12.0
readonly WAIT_SECONDS=60
readonly PORT_TRIES=20
# Ids of the processes that this call has started, by node.
started=()

fail() {
    echo "nats.sh: $*" >&2
    exit 1
}

# Whether the server runs here and is not too old.
fits() {
    local version
    version=$("$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1) || return 1
    [[ -n $version && $(printf '%s\n' "$OLDEST" "$version" | sort -V | head -n 1) == "$OLDEST" ]]
}

get() {
    local server=$DIR/root/usr/sbin/nats-server
    [[ -x $server ]] && fits "$server" || "$(dirname "$0")/newer.sh" "$DIR" "$0" nats-server || exit
    echo "$server"
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port on which nobody listens, and which was not given before.
free_port() {
    local port try
    for ((try = 0; try < PORT_TRIES; try++)); do
        port=$((20000 + RANDOM % 12000))
        if [[ " $given " != *" $port "* ]] && ! is_taken "$port"; then
            given="$given $port"
            return
        fi
    done
    fail "no free port was found"
}

# Id of a node's process, which has its settings as a whole argument, so that nobody else's is ever meant.
process() {
    local directory argument
    for directory in /proc/[0-9]*; do
        while IFS= read -r -d '' argument; do
            [[ $argument != "$DIR/n$1.conf" ]] || echo "${directory#/proc/}"
        done 2>/dev/null <"$directory/cmdline" || true # it ended meanwhile
    done
}

configure() {
    local nodes=$1 extra=$2 given="" clients=() routes=() watched=() k urls=""
    for ((k = 1; k <= nodes; k++)); do
        free_port && clients+=("${given##* }")
        free_port && routes+=("${given##* }")
        free_port && watched+=("${given##* }")
    done
    for ((k = 0; k < nodes; k++)); do urls+="nats://127.0.0.1:${routes[k]}, "; done
    for ((k = 0; k < nodes; k++)); do
        {
            echo "server_name: n$((k + 1))"
            echo "listen: 127.0.0.1:${clients[k]}"
            echo "http: 127.0.0.1:${watched[k]}"
            echo "jetstream { store_dir: \"$DIR/n$((k + 1))\", max_mem: 64MB, max_file: 4GB, sync_interval: always }"
            ((nodes == 1)) || echo "cluster { name: fleet, listen: 127.0.0.1:${routes[k]}, routes: [ ${urls%, } ] }"
            [[ -z $extra ]] || cat "$extra"
        } >"$DIR/n$((k + 1)).conf"
    done
}

# What a node was set to listen on: listen or http.
address() { sed -n "s/^$2: //p" "$DIR/n$1.conf"; }

is_healthy() {
    local address answer
    address=$(address "$1" http)
    answer=$(
        exec 2>/dev/null 3<>"/dev/tcp/${address%:*}/${address##*:}" && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && timeout 2 cat <&3
    ) || return 1
    [[ $answer == *'"ok"'* ]]
}

# A session of its own, and no inherited output, so that whoever reads ours sees its end.
run() {
    [[ -z $(process "$1") ]] || fail "node $1 runs in $DIR already"
    setsid "$(cat "$DIR/server")" -c "$DIR/n$1.conf" -l "$DIR/n$1.log" </dev/null >/dev/null 2>&1 &
    started[$1]=$!
}

# For a moment the process is still this shell's, and not found by what it runs.
is_running() { [[ -n $(process "$1") ]] || kill -0 "${started[$1]}" 2>/dev/null; }

await() {
    local deadline=$((SECONDS + WAIT_SECONDS))
    until is_healthy "$1"; do
        is_running "$1" || { tail -n 5 "$DIR/n$1.log" >&2; fail "node $1 ended; see $DIR/n$1.log"; }
        ((SECONDS < deadline)) || fail "node $1 did not answer within $WAIT_SECONDS s; see $DIR/n$1.log"
        sleep 0.1
    done
}

start() {
    local server=$1 nodes=${2:-3} extra=${3:-} k urls=()
    fits "$server" || fail "$server is no nats-server of $OLDEST or later"
    mkdir -p "$DIR"
    echo "$server" >"$DIR/server"
    configure "$nodes" "$extra"
    for ((k = 1; k <= nodes; k++)); do run "$k"; done
    for ((k = 1; k <= nodes; k++)); do
        (await "$k") || { stop; exit 1; }
        urls+=("nats://$(address "$k" listen)")
    done
    (IFS=,; echo "${urls[*]}")
}

running() {
    local id
    id=$(process "$1")
    [[ -n $id ]] || fail "node $1 does not run in $DIR"
    echo "$id"
}

kill_node() {
    local id deadline=$((SECONDS + 10))
    id=$(running "$1")
    kill -KILL "$id"
    while [[ -s /proc/$id/cmdline ]]; do # empty for a zombie
        ((SECONDS < deadline)) || fail "node $1 does not end"
        sleep 0.02
    done
}

stop() {
    local settings k
    for settings in "$DIR"/n*.conf; do
        k=${settings##*/n}
        k=${k%.conf}
        [[ -z $(process "$k") ]] || kill_node "$k"
    done
    rm -rf "${DIR:?}"/n*[0-9]
}

usage() { fail "usage: tests/nats.sh get DIR | start DIR SERVER [N [CONF]] | kill|restart|pause|resume DIR K | stop DIR"; }

(($# >= 2)) || usage
DIR=$(realpath -m -- "$2")
readonly DIR
[[ $DIR != / ]] || fail "not in /"
case "$1 $#" in
    "get 2") get ;;
    "fits 2") fits "$DIR/usr/sbin/nats-server" ;;
    "start 3" | "start 4" | "start 5") start "${@:3}" ;;
    "kill 3") kill_node "$3" ;;
    "restart 3") run "$3" && await "$3" ;;
    "pause 3") kill -STOP "$(running "$3")" ;;
    "resume 3") kill -CONT "$(running "$3")" ;;
    "stop 2") stop ;;
    *) usage ;;
esac
