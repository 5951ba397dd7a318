"""Parts of a fleet for the benches: programs that end with the bench, and the hub of tests/nats.sh."""
import json, os, re, shutil, subprocess, tempfile, time, urllib.request

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/nats.sh")


class Parts:
    """A hub of three nodes, and programs beside it; all of them end with the block."""

    def __init__(self, program, nats):
        self.program, self.nats = program, nats
        self.work = tempfile.mkdtemp(prefix="shipslog-fleet.")
        self.cluster = f"{self.work}/hub"
        self.running = []

    def __enter__(self):
        told = subprocess.run([SCRIPT, "start", self.cluster, self.nats, "3"], check=True, capture_output=True, text=True)
        self.urls = told.stdout.strip().split(",")
        self.hub = [flag for url in self.urls for flag in ("--nats", url)]
        self.forward = [flag for url in self.urls for flag in ("--forward", url)]
        self.run("fleet", "init", *self.hub)
        return self

    def __exit__(self, *_):
        for process in self.running[:]:
            process.kill()
            process.wait()
        subprocess.run([SCRIPT, "stop", self.cluster])
        shutil.rmtree(self.work)

    def run(self, *arguments):
        """Runs the program to its end."""
        subprocess.run([self.program, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, *arguments):
        """Starts a program that serves; the process, and its URL."""
        arguments = [self.program, *arguments, "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.running.append(process)
        return process, process.stdout.readline().split()[-1]

    def stop(self, process, kill=False):
        process.kill() if kill else process.terminate()
        process.wait()
        self.running.remove(process)

    def node_bytes(self):
        """Bytes of the stream on a node."""
        settings = open(f"{self.cluster}/n1.conf").read()
        page = get("http://" + re.search(r"^http: (.*)$", settings, re.M)[1] + "/jsz?streams=true")
        return page["account_details"][0]["stream_detail"][0]["state"]["bytes"]


def get(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return json.load(answer)


def until(url, is_there, patience=600):
    began = time.time()
    while time.time() - began < patience:
        try:
            if is_there(get(url)):
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"not within {patience} s: {url}")


def size(directory):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(directory) for name in names)
