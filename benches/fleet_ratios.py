#!/usr/bin/env python3
"""What a fleet costs beside one host, as ratios within one run: three nodes of NATS (tests/nats.sh), a host, servers.

    benches/fleet_ratios.py PROGRAM NATS_SERVER EXPORT.jsonl.zst

Measures a filtered page of a server beside the same of the host's own log, an answer that nothing matches beside
reading the stream, bytes at a node beside the messages as Docker sends them, the gap of a client whose server is
killed, recording with forwarding and with a dead hub beside recording alone, and how long a thousand hosts wait for
the hub that each send a message a second. A B A B; medians.
"""
import http.client, http.server, json, os, random, socketserver, statistics, subprocess, sys, threading, time, urllib.parse, urllib.request

from support.fleet import Parts, get, until

program, nats, export = sys.argv[1:4]
TURNS = 200
FLOOD = 500_000
HOSTS = 1_000
DEAD = "nats://127.0.0.1:9"


def took(url):
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=120) as answer:
        answer.read()
    return 1e3 * (time.perf_counter() - began)


def pages(urls, heads):
    """Pages of deaths from random places, from each in turn; their medians in milliseconds."""
    times = [[] for _ in urls]
    for _ in range(TURNS):
        part = random.random()
        for url, (log, head), times_of in zip(urls, heads, times):
            query = urllib.parse.urlencode({"filters": '{"event":["die"]}', "limit": 50, "after": f"{log[:8]}-{int(part * head * 0.9)}"})
            times_of.append(took(f"{url}/api/v1/events?{query}"))
    return [statistics.median(times_of) for times_of in times]


def frames(url, after=None):
    """Records of a live stream, each with its time of arrival; ends when the server does."""
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", "/api/v1/stream", headers={"Last-Event-ID": after} if after else {})
    retry = None
    for line in connection.getresponse():
        if line.startswith(b"retry:"):
            retry = int(line[6:])
        if line.startswith(b"data: {") and b'"event":' in line:
            yield time.time(), json.loads(line[6:]), retry


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A Docker daemon that sends what it has as fast as it is taken."""

    daemon_threads = True

    def __init__(self, path, lines):
        self.lines, self.began = lines, None
        super().__init__(path, Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def address_string(self):
        return ""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/events"):
            self.send_response(200)
            self.end_headers()
            # Once: whoever lists no container to a recorder that heard of many is asked again.
            lines = [] if self.server.began else self.server.lines
            self.server.began = self.server.began or time.time()
            try:
                for at in range(0, len(lines), 1000):
                    self.wfile.write(b"".join(lines[at:at + 1000]))
                time.sleep(600)
            except OSError:
                # The recorder has enough.
                pass
            return
        bodies = {"/version": {"Version": "28.0.0", "ApiVersion": "1.51", "MinAPIVersion": "1.24"}, "/info": {}, "/containers/json": []}
        body = next((body for end, body in bodies.items() if path.endswith(end)), [])
        data = b"OK" if path.endswith("/_ping") else json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(data)


def seconds(process):
    """Of processors, that it has used."""
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flood(parts, lines, nth, *forward):
    """Records a second of a recorder whose daemon never pauses, and the seconds of processors that it takes until all is
    forwarded, where it forwards."""
    path = f"{parts.work}/daemon{nth}.sock"
    daemon = Daemon(path, lines)
    host, url = parts.start("serve", "--docker-host", f"unix://{path}", "--data-dir", f"{parts.work}/flood{nth}", *forward)
    until(f"{url}/api/v1/stats", lambda stats: stats["log"]["head"] >= len(lines), 120)
    rate = len(lines) / (time.time() - daemon.began)
    if forward and DEAD not in forward:
        until(f"{url}/api/v1/stats", lambda stats: stats["forward"]["behind_records"] == 0, 120)
    used = seconds(host)
    parts.stop(host)
    daemon.shutdown()
    return rate, used


with Parts(program, nats) as parts:
    work = parts.work
    parts.run("import", export, "--data-dir", f"{work}/host")
    host, at_host = parts.start("serve", "--docker-host", "unix:///nonexistent.sock", "--data-dir", f"{work}/host", *parts.forward, "--forward-name", "big")
    until(f"{at_host}/api/v1/stats", lambda stats: (stats["forward"] or {}).get("behind_records") == 0 and stats["forward"]["acknowledged"])
    records = get(f"{at_host}/api/v1/stats")["forward"]["acknowledged"]
    began = time.time()
    server, at_server = parts.start("fleet", "serve", *parts.hub, "--data-dir", f"{work}/server")
    until(f"{at_server}/api/v1/stats", lambda stats: stats["log"]["head"] >= records)
    reading = time.time() - began
    for url in (at_host, at_server):
        until(f"{url}/api/v1/stats", lambda stats: stats["derived"]["ready"])
    logs = [get(f"{url}/api/v1/stats")["log"] for url in (at_host, at_server)]
    alone, served = pages([at_host, at_server], [(log["id"], log["head"]) for log in logs])
    print(f"{records} records; a page of 50 deaths: host {alone:.1f} ms, server {served:.1f} ms, {served / alone:.2f} times")
    query = urllib.parse.urlencode({"filters": '{"container":["nobody-has-this-name"]}', "limit": 50})
    nothing = statistics.median(took(f"{at_server}/api/v1/events?{query}") for _ in range(15))
    print(f"nothing matches: {nothing:.1f} ms; reading the stream {reading:.1f} s, {1e3 * reading / nothing:.0f} times as long")
    parts.stop(host)
    parts.stop(server)

    stored = parts.node_bytes()
    host, at_host = parts.start("serve", "--demo", "--data-dir", f"{work}/demo", *parts.forward, "--forward-name", "demo")
    servers = [parts.start("fleet", "serve", *parts.hub, "--data-dir", f"{work}/server{end}") for end in ("", "-b")]
    for _, url in servers:
        until(f"{url}/readyz", lambda ready: ready["fleet"]["state"] == "live")
    gaps, retry, last = [], 1, None
    for nth in range(6):
        (process, url), (_, other) = servers
        killed = []
        for at, record, told in frames(url, last):
            last, retry = record["id"], told or retry
            if time.time() - at < 1 and not killed and random.random() < 0.2:
                killed.append(at)
                break
        parts.stop(process, kill=True)
        ended = time.time()
        time.sleep(retry / 1e3)
        for at, record, told in frames(other, last):
            gaps.append(at - ended)
            last = record["id"]
            break
        again = parts.start("fleet", "serve", *parts.hub, "--data-dir", f"{work}/server{'-b' if nth % 2 else ''}")
        servers = [servers[1], again]
        until(f"{again[1]}/readyz", lambda ready: ready["fleet"]["state"] == "live")
    print(f"retry {retry} ms; from a server's kill to the next record at another: p50 {1e3 * statistics.median(gaps):.0f} ms, "
          f"worst {1e3 * max(gaps):.0f} ms, {1e3 * statistics.median(gaps) / retry:.2f} times retry")
    with urllib.request.urlopen(f"{at_host}/api/v1/events?limit=5000", timeout=120) as answer:
        page = json.load(answer)
    raw = sum(len(json.dumps(record["event"], separators=(",", ":"))) for record in page["records"]) / len(page["records"])
    head = get(f"{at_host}/api/v1/stats")["forward"]["acknowledged"]
    at_node = (parts.node_bytes() - stored) / head
    print(f"live, {head} records: {at_node:.0f} B a record at a node, {raw:.0f} B as Docker sends it, {at_node / raw:.2f}")
    parts.stop(host)

    lines, containers, now = [], [f"{n:064x}" for n in range(1, 200)], time.time_ns()
    for n in range(FLOOD):
        at = now + n * 1000
        lines.append((json.dumps({"status": "start", "id": containers[n % 199], "from": "acme/api:7", "Type": "container", "Action": "start", "Actor": {
            "ID": containers[n % 199], "Attributes": {"image": "acme/api:7", "name": f"api-{n % 199}", "com.docker.compose.project": "shop", "n": str(n)}},
            "scope": "local", "time": at // 10**9, "timeNano": at}, separators=(",", ":")) + "\n").encode())
    ways = {"alone": [], "forwarding": [*parts.forward, "--forward-name", "flood"], "dead hub": ["--forward", DEAD, "--forward-name", "flood"]}
    turns = {name: [] for name in ways}
    for turn in range(9):
        # Nodes work on for a while: nobody comes behind them each time.
        for nth, (name, flags) in sorted(enumerate(ways.items()), key=lambda way: (way[0] + turn) % 3):
            turns[name].append(flood(parts, lines, f"{turn}-{nth}", *flags))
    alone = statistics.median(rate for rate, _ in turns["alone"])
    for name, all in turns.items():
        rate, used = (statistics.median(each) for each in zip(*all))
        print(f"recording, {name}: {rate / 1e3:.0f} k/s, {rate / alone:.2f} of alone; {1e6 * used / len(lines):.1f} s of processors a million")

    subprocess.run(["cargo", "bench", "-q", "--bench", "hosts", "--", ",".join(parts.urls), str(HOSTS), "30"], check=True)
