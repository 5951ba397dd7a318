#!/usr/bin/env python3
"""Figures beside a real Docker Engine, by hand; as root, on Debian with docker.io, busybox-static, curl and e2fsprogs.

    cargo build --release
    benches/engine.py stalled [ROUNDS]   # API calls a second: alone, recorded, recorded to a disk that stands still, beside a reader that does
    benches/engine.py idle [SECONDS]     # what recording a quiet host with five containers takes
    benches/engine.py back [KILLS]       # how soon shipslog is there again after the daemon is

SHIPSLOG_BIN names another binary, CALLS_PER_SECOND the rate aimed at for `stalled` (500; 0: as fast as it goes). Everything is made in a directory of its own below /tmp and taken down again.
"""

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHIPSLOG = os.environ.get("SHIPSLOG_BIN", str(ROOT / "target/release/shipslog"))
PATIENCE = 60
PHASE_SECONDS = 10
# Aimed at; 0: as fast as it goes, where shipslog's share of the processors shows as well.
CALLS_PER_SECOND = int(os.environ.get("CALLS_PER_SECOND", "500"))
BUSYBOX = "busybox:test"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()


def wait_for(what, probe):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.01)
    raise SystemExit(f"waited in vain for {what}")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=PATIENCE):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, target, body=None):
        self.request(method, target, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = self.getresponse()
        answer.read()
        return answer.status


class Engine:
    """A Docker Engine of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.start()
        self.socket = self.url.removeprefix("unix://")

    def start(self):
        self.url = run(ROOT / "tests/dockerd.sh", "start", self.directory)

    def stop(self):
        run(ROOT / "tests/dockerd.sh", "stop", self.directory)

    def signal(self, number):
        pid = int((self.directory / "dockerd.pid").read_text())
        os.kill(pid, number)
        if number == signal.SIGKILL:
            gone = lambda: not (line := pathlib.Path(f"/proc/{pid}/cmdline")).exists() or not line.read_bytes()
            wait_for("the daemon's end", gone)

    def docker(self, *words):
        return run("docker", "-H", self.url, *words)

    def first_answer(self):
        """When it answers a ping."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = UnixConnection(self.socket, timeout=0.25)
                if connection.call("GET", "/_ping") == 200:
                    return time.time()
            time.sleep(0.002)


class Ship:
    """shipslog at work."""

    def __init__(self, data, engine):
        words = [SHIPSLOG, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data), "--docker-host", engine.url]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "SHIPSLOG_LOG": "error"})
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")
        # Which comes after the daemon's ring.
        wait_for("the first look at everything", lambda: self.own("baseline"))

    def get(self, target):
        with urllib.request.urlopen(self.url + target, timeout=PATIENCE) as answer:
            return json.load(answer)

    def stats(self):
        return self.get("/api/v1/stats")

    def own(self, action):
        """The recorder's records of this action."""
        filters = urllib.parse.quote(json.dumps({"type": ["recorder"], "event": [action]}))
        return self.get(f"/api/v1/events?limit=1000&filters={filters}")["records"]

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def calls(engine):
    """API calls for a phase, each of which makes an event. Gives how many there were."""
    connection = UnixConnection(engine.socket)
    done, began = 0, time.monotonic()
    while time.monotonic() < began + PHASE_SECONDS:
        if CALLS_PER_SECOND:
            time.sleep(max(0, began + done / CALLS_PER_SECOND - time.monotonic()))
        name = f"v{done}"
        assert connection.call("POST", "/volumes/create", {"Name": name}) == 201
        assert connection.call("DELETE", f"/volumes/{name}") == 204
        done += 2
    return done


@contextlib.contextmanager
def frozen(disk):
    run("fsfreeze", "--freeze", disk)
    try:
        yield
    finally:
        run("fsfreeze", "--unfreeze", disk)


def recorded(engine, disk, stalls):
    ship = Ship(pathlib.Path(tempfile.mkdtemp(dir=disk)), engine)
    try:
        before = ship.stats()
        with frozen(disk) if stalls else contextlib.nullcontext():
            done = calls(engine)
            assert not stalls or ship.stats()["log"]["head"] - before["log"]["head"] < done / 2, "the disk did not stand still"
            read = lambda: (s := ship.stats())["sources"][0]["events"] - before["sources"][0]["events"] == done and s
            stats = wait_for("all to be read", read)
            waiting = done + before["log"]["head"] - stats["log"]["head"]
        stored = lambda: ship.stats()["log"]["head"] - before["log"]["head"] >= done
        wait_for("all to be stored", stored)
        after = ship.stats()
        assert after["ingest"]["lost"] == 0 and after["sources"][0]["connects"] == 1, after
        print(f"    all {done} events recorded, one connection, none lost; {waiting} of them not stored yet at the end of the phase")
        return done
    finally:
        ship.stop()


def beside_a_reader_that_stands_still(engine):
    reader = subprocess.Popen(["curl", "-sN", "--unix-socket", engine.socket, "http://docker/events"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        reader.send_signal(signal.SIGSTOP)
        return calls(engine)
    finally:
        reader.kill()
        reader.wait()


def stalled(engine, directory, rounds):
    image, disk = directory / "image", directory / "disk"
    disk.mkdir()
    with open(image, "wb") as file:
        file.truncate(512 << 20)
    run("mkfs.ext4", "-q", "-F", image)
    run("mount", "-o", "loop", image, disk)
    try:
        ways = {
            "alone": lambda: calls(engine),
            "recorded": lambda: recorded(engine, disk, False),
            "recorded, disk stalled": lambda: recorded(engine, disk, True),
            "beside a stopped curl": lambda: beside_a_reader_that_stands_still(engine),
        }
        calls(engine)  # to be warm
        rates = {way: [] for way in ways}
        for number in range(rounds):
            for way in random.sample(list(ways), len(ways)):
                rates[way].append(ways[way]() / PHASE_SECONDS)
                print(f"round {number + 1}: {way}: {rates[way][-1]:.0f} calls/s", flush=True)
        alone = rates["alone"]
        for way, of_it in rates.items():
            ratios = [rate / beside for rate, beside in zip(of_it, alone)]
            print(f"{way}: median {statistics.median(of_it):.0f} calls/s, median of the ratios to alone {statistics.median(ratios):.3f}")
    finally:
        run("umount", "-l", disk)


def usage(pid):
    """Nanoseconds on a processor, and times it went to sleep."""
    tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    on_cpu = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    slept = sum(int(line.split()[1]) for task in tasks for line in (task / "status").read_text().splitlines() if line.startswith("voluntary_"))
    return on_cpu, slept


def field(pid, name):
    return next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))


def idle(engine, directory, seconds):
    sleeper = ("run", "--detach", "--network", "none")
    for _ in range(4):
        engine.docker(*sleeper, BUSYBOX, "sleep", "100000")
    for variant, options in (("quiet", ()), ("one health check each 30 s", ("--health-cmd", "true", "--health-interval", "30s"))):
        last = engine.docker(*sleeper, *options, BUSYBOX, "sleep", "100000")
        ship = Ship(directory / variant.split()[0], engine)
        time.sleep(10)  # the first look at everything
        events, before, began = ship.stats()["sources"][0]["events"], usage(ship.process.pid), time.monotonic()
        time.sleep(seconds)
        after, took = usage(ship.process.pid), time.monotonic() - began
        resident, events = int(field(ship.process.pid, "VmRSS:")), ship.stats()["sources"][0]["events"] - events
        cpu, wakeups = (after[0] - before[0]) / 1e9 / took, (after[1] - before[1]) / took
        print(f"{variant}: {took:.0f} s, {events} events: {100 * cpu:.4f}% of a core, {wakeups:.1f} wake-ups/s, {resident / 1000:.1f} MB resident", flush=True)
        ship.stop()
        engine.docker("rm", "--force", last)


def back(engine, directory, kills):
    ship = Ship(directory / "data", engine)
    try:
        for way, times in (("kill -9 and start", kills), ("SIGSTOP and SIGCONT", 3)):
            delays = []
            for _ in range(times):
                connects = len(ship.own("connect"))
                if way.startswith("kill"):
                    engine.signal(signal.SIGKILL)
                    starting = subprocess.Popen([ROOT / "tests/dockerd.sh", "start", engine.directory], stdout=subprocess.DEVNULL)
                else:
                    engine.signal(signal.SIGSTOP)
                    wait_for("the disconnect", lambda: len(ship.own("disconnect")) >= connects)
                    time.sleep(random.uniform(0, 10))
                    starting = None
                    engine.signal(signal.SIGCONT)
                answered = engine.first_answer()
                record = wait_for("the connection", lambda: ship.own("connect")[connects:])[0]
                received = datetime.datetime.fromisoformat(record["received"][:26] + "+00:00").timestamp()
                delays.append(received - answered)
                if starting:
                    starting.wait(PATIENCE)
            shown = " ".join(f"{delay:.3f}" for delay in delays)
            print(f"{way}, {times} times: median {statistics.median(delays):.3f} s, worst {max(delays):.3f} s ({shown})", flush=True)
    finally:
        ship.stop()


def main():
    whats = {"stalled": (stalled, 5), "idle": (idle, 120), "back": (back, 10)}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in whats:
        raise SystemExit(__doc__)
    measure, usual = whats[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="dk", dir="/tmp") as directory, contextlib.ExitStack() as taken_down:
        directory = pathlib.Path(directory)
        home = directory / "e"
        home.mkdir()
        # The daemon syncs a database for each volume: with memory for a disk it makes some hundred events a second, and has none to share.
        run("mount", "-t", "tmpfs", "engine", home)
        taken_down.callback(lambda: run("umount", "-l", home))
        engine = Engine(home)
        taken_down.callback(engine.stop)
        measure(engine, directory, int(sys.argv[2]) if len(sys.argv) == 3 else usual)


if __name__ == "__main__":
    main()
