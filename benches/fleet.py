#!/usr/bin/env python3
"""A fleet on one machine: three nodes of NATS (tests/nats.sh), a host, servers.

    benches/fleet.py PROGRAM NATS_SERVER EXPORT.jsonl.zst

Measures, from an export with many records: a host that catches up with an empty hub, bytes at a node, a server that
folds the whole stream beside `import` of the same lines; then, live with the demo host, the time from a record's frame
at its host to that at a server. One machine does it all, so read ratios.
"""
import http.client, json, os, re, socket, statistics, sys, threading, time

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


def blocks(url, count, size, subject):
    """Messages of so many bytes, each after the hub has the one before, as a host sends blocks; a second's worth of them."""
    host, port = url.removeprefix("nats://").split(":")
    server = socket.create_connection((host, int(port)))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = server.makefile("rb")
    server.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB _INBOX.blocks 1\r\n')
    place, payload, began = 0, os.urandom(size), time.time()
    for _ in range(count):
        head = b"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: %d\r\n\r\n" % place
        server.sendall(b"HPUB slog.v1.default.%s.00000001 _INBOX.blocks %d %d\r\n%s%s\r\n" % (subject, len(head), len(head) + size, head, payload))
        answer = b""
        while b'"seq":' not in answer:
            answer = answers.readline()
            if answer == b"PING\r\n":
                server.sendall(b"PONG\r\n")
            if b'"error"' in answer:
                raise SystemExit(answer.decode())
        place = int(answer.split(b'"seq":')[1].split(b",")[0].split(b"}")[0])
    server.close()
    return count / (time.time() - began)


def overheard(url, published, acknowledged):
    """Notes when the hub hears each host's message, by the newest record in it, and when it says that it has it."""
    host, port = url.removeprefix("nats://").split(":")
    server = socket.create_connection((host, int(port)))
    server.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB slog.v1.> 1\r\nSUB _INBOX_demo.> 2\r\n')
    lines, waits = server.makefile("rb"), {}
    for line in lines:
        words = line.split()
        if line == b"PING\r\n":
            server.sendall(b"PONG\r\n")
        if words[:1] not in ([b"MSG"], [b"HMSG"]):
            continue
        now, body = time.time(), lines.read(int(words[-1]) + 2)
        if words[1] in waits:
            acknowledged[waits.pop(words[1])] = now
        elif words[0] == b"HMSG" and len(words) == 6 and words[1].startswith(b"slog.v1."):
            told = re.search(rb"\r\n[Ss]log[^:]*: *\d+ (\d+) (\d+) ", body)
            if told:
                last = int(told[1]) + int(told[2]) - 1
                published[last], waits[words[3]] = now, last


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
    frame = parts.node_bytes() // (records // 768)
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

    # As large as a frame of a segment, and what larger ones would give.
    for times in (1, 2, 4, 1, 2, 4):
        rate = blocks(parts.urls[0], 400, times * frame, b"floor%d" % time.time_ns())
        print(f"messages of {times} x {frame} B one by one, of any client: {rate:.0f}/s, as many as {rate * times * 768 / 1e3:.0f} k records/s")

    host, at_host = start("serve", "--demo", "--data-dir", f"{work}/demo", *forward, "--forward-name", "demo")
    server, at_server = start("fleet", "serve", *hub, "--data-dir", f"{work}/server0")
    until(f"{at_server}/readyz", lambda ready: ready["fleet"]["state"] == "live")
    there, here_, published, acknowledged = {}, {}, {}, {}
    threading.Thread(target=overheard, args=(parts.urls[0], published, acknowledged), daemon=True).start()
    threading.Thread(target=frames, args=(at_host, there, lambda record: record["id"]), daemon=True).start()
    threading.Thread(target=frames, args=(at_server, here_, lambda record: record["origin"]["id"]), daemon=True).start()
    time.sleep(60)
    delays = sorted(1e3 * (here_[one] - there[one]) for one in there if one in here_)
    print(f"live, {len(delays)} records: from a frame at the host to that at a server p50 {statistics.median(delays):.0f} ms, p99 {delays[len(delays) * 99 // 100]:.0f} ms (250 ms of it the linger, at most)")
    number = lambda one: int(one.split("-")[1])
    at_server_of = {number(one): at for one, at in here_.items()}
    both = [last for last in published if last in acknowledged and last in at_server_of]
    waits = [1e3 * statistics.median(at[last] - published[last] for last in both) for at in (acknowledged, at_server_of)]
    print(f"of {len(both)} messages, from when the hub hears one: acknowledged p50 {waits[0]:.2f} ms, on a server's disk and told to its client p50 {waits[1]:.2f} ms, {waits[1] / waits[0]:.2f} times")
