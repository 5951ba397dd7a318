#!/usr/bin/env python3
"""A fleet on one machine: three nodes of NATS (tests/nats.sh), a host, servers.

    benches/fleet.py PROGRAM NATS_SERVER EXPORT.jsonl.zst

Measures, from an export with many records: a host that catches up with an empty hub, bytes at a node, a server that
folds the whole stream beside `import` of the same lines; then, live with the demo host, the time from a record's frame
at its host to that at a server. One machine does it all, so read ratios.
"""
import http.client, json, os, socket, statistics, sys, threading, time

from support.fleet import Parts, get, size, until

program, nats, export = sys.argv[1:4]


def frames(url, seen, field):
    """Notes when each record comes, under its id at the host."""
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("GET", "/api/v1/stream")
    for line in connection.getresponse():
        if line.startswith(b"data: {") and b'"event":' in line:
            record = json.loads(line[6:])
            seen.setdefault(field(record), time.time())


def singly(url, count, in_flight):
    """Events a message each, as a collector sends them, so many without an answer at a time; a second's worth of them."""
    host, port = url.removeprefix("nats://").split(":")
    server = socket.create_connection((host, int(port)))
    server.sendall(b'CONNECT {"verbose":false}\r\nSUB _INBOX.bench.> 1\r\n')
    sent, told, rest, payload = 0, 0, b"", os.urandom(260).hex().encode() * 2
    began = time.time()
    while told < count:
        wanted = min(count, told + in_flight) - sent
        server.sendall(b"".join(b"PUB slog.v1.default.single.00000001 _INBOX.bench.%d %d\r\n%s\r\n" % (n, len(payload), payload) for n in range(sent, sent + wanted)))
        sent += wanted
        rest += server.recv(1 << 16)
        told += rest.count(b'"seq":')
        rest = rest[rest.rfind(b'"seq":') + 6:]
        if b"PING\r\n" in rest:
            server.sendall(b"PONG\r\n")
            rest = rest.replace(b"PING\r\n", b"")
    server.close()
    return count / (time.time() - began)


with Parts(program, nats) as parts:
    start, stop, work, hub, forward = parts.start, parts.stop, parts.work, parts.hub, parts.forward
    parts.run("import", export, "--data-dir", f"{work}/host")
    segments = size(f"{work}/host/log")
    # What is derived from the log is made first, for it would be made meanwhile.
    host, url = start("serve", "--docker-host", "unix:///nonexistent.sock", "--data-dir", f"{work}/host")
    until(f"{url}/api/v1/stats", lambda stats: stats["derived"]["ready"])
    stop(host)
    began = time.time()
    host, url = start("serve", "--docker-host", "unix:///nonexistent.sock", "--data-dir", f"{work}/host", *forward, "--forward-name", "big")
    until(f"{url}/api/v1/stats", lambda stats: (stats["forward"] or {}).get("behind_records") == 0 and stats["forward"]["acknowledged"])
    took, records = time.time() - began, get(f"{url}/api/v1/stats")["forward"]["acknowledged"]
    print(f"{records} records of a host that catches up: {took:.1f} s, {records / took / 1e3:.0f} k/s")
    print(f"a node: {parts.node_bytes() / records:.1f} B a record; the host's log {segments / records:.1f} B")
    stop(host)
    # The servers pass these over: they are none of shipslog's.
    alone = singly(parts.urls[0], 20_000, 256)
    print(f"events one by one, 256 in flight: {alone / 1e3:.1f} k/s; blocks are {records / took / alone:.0f} times as quick")

    for nth in range(2):
        began = time.time()
        server, url = start("fleet", "serve", *hub, "--data-dir", f"{work}/server{nth}")
        until(f"{url}/api/v1/stats", lambda stats: stats["log"]["head"] >= records)
        folding = time.time() - began
        if nth == 0:
            parts.run("export", "--url", url, "-O", f"{work}/all.jsonl.zst")
        stop(server)
        began = time.time()
        parts.run("import", f"{work}/all.jsonl.zst", "--data-dir", f"{work}/import{nth}")
        importing = time.time() - began
        print(f"a server folds all: {records / folding / 1e3:.0f} k/s; import of its lines: {records / importing / 1e3:.0f} k/s, {importing / folding:.2f}; "
              f"its log {size(f'{work}/server{nth}/log') / records:.1f} B a record")

    host, at_host = start("serve", "--demo", "--data-dir", f"{work}/demo", *forward, "--forward-name", "demo")
    server, at_server = start("fleet", "serve", *hub, "--data-dir", f"{work}/server0")
    until(f"{at_server}/readyz", lambda ready: ready["fleet"]["state"] == "live")
    there, here_ = {}, {}
    threading.Thread(target=frames, args=(at_host, there, lambda record: record["id"]), daemon=True).start()
    threading.Thread(target=frames, args=(at_server, here_, lambda record: record["origin"]["id"]), daemon=True).start()
    time.sleep(60)
    delays = sorted(1e3 * (here_[one] - there[one]) for one in there if one in here_)
    print(f"live, {len(delays)} records: from a frame at the host to that at a server p50 {statistics.median(delays):.0f} ms, p99 {delays[len(delays) * 99 // 100]:.0f} ms (250 ms of it the linger, at most)")
