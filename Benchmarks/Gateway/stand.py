"""stand.py: the test stand that `run`, `budget` and `bench` share: a folder, a gateway in it, and the load generator. Only the standard
library is used."""
import atexit
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = Path(os.environ.get("BENCH_FOLDER", ROOT / ".bench/gateway")).resolve()
RELEASE = Path(os.environ.get("BENCH_BIN", ROOT / ".build/release")).resolve()
SERVER_CPU, LOAD_CPU = 0, 1
SIZES = {"4 KiB": 4 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20}
# On a machine that others use too: servers and load before everything else. Threads of one priority do not preempt each other then, so that
# figures to be told are measured without it, when nobody else is there.
REALTIME = ["chrt", "--rr", "1"] if os.environ.get("REALTIME", "") not in ("", "0") else []
LOG_BYTES_MAX = 8 << 30  # a log that has grown beyond it is begun anew

# The three reads that the issue names, and a fourth that it implies: who calls, from where, with which tokens.
DOMESTIC = {"who": "dub1-mailserver", "source": "127.0.10.5"}
SEEN = {"who": "iad1-ediscovery", "source": "127.0.20.5", "tokens": "token"}
NEW = {"who": "iad1-ediscovery", "source": "127.0.20.5", "tokens": "tokens"}
FIRST = {"who": "iad1-ediscovery", "source": "127.0.20.5", "tokens": "tokens.first"}
# More objects than the gateway remembers of: what it knows of the last one helps with none of them.
APART = dict(DOMESTIC, path="/mail-dub1/apart/", objects=8192)
CASES = {"domestic": DOMESTIC, "apart": APART, "seen": SEEN, "new": NEW, "first": FIRST}
CASE_TITLES = {
    "domestic": "domestic read",
    "apart": "domestic read, another object each time",
    "seen": "cross-border, token seen before",
    "new": "cross-border, new token each time",
    "first": "the same, and the token kept as evidence",
}

processes = []


def end_all():
    """Asks first: a master that is killed leaves its workers behind."""
    left = [process for process in processes if process.poll() is None]
    for process in left:
        process.terminate()
    for process in left:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


atexit.register(end_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(arguments, output, cpus=None):
    """Starts a process of ours; it ends with us at the latest."""
    pinned = [*REALTIME, "taskset", "-c", ",".join(map(str, cpus))] if cpus is not None else REALTIME
    process = subprocess.Popen(pinned + [str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    processes.append(process)
    return process


def wait_for_port(port, process, output, seconds=30):
    until = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"it does not listen on {port}:\n{Path(output).read_text(errors='replace')[-3000:]}")
        time.sleep(0.01)


class Gateway:
    """A bailiwickd of the release build, in FOLDER, on one processor unless told otherwise."""

    def __init__(self, settings="one.toml", cpus=(SERVER_CPU,), under=(), binary=None, wait_seconds=30):
        self.port = prepared_port()
        self.output = FOLDER / "run/bailiwickd.out"
        with open(self.output, "w") as output:
            self.process = start([*under, binary or RELEASE / "bailiwickd", "--config", FOLDER / settings], output, cpus)
        wait_for_port(self.port, self.process, self.output, wait_seconds)
        self.pids = [self.process.pid]

    def stop(self, seconds=60):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(seconds) != 0:
            sys.exit(f"bailiwickd ended with {self.process.returncode}:\n{self.output.read_text()[-3000:]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def load(server, mode="get", size="4 KiB", who="dub1-mailserver", source="127.0.10.5", tokens=None, bearer=False, connections=64,
         seconds=3.0, warm=0.7, requests=0, warm_requests=0, when_warm=None, path=None, objects=0, label="", cpu=LOAD_CPU):
    """One run of the load generator against a server (anything with `port` and `pids`); its line of JSON."""
    arguments = [*REALTIME, "taskset", "-c", str(cpu), FOLDER / "bin/loadgen", "-m", mode, "-p", server.port, "-s", source, "-n", connections,
                 "-A", FOLDER / "pki/servers-ca.crt", "-c", FOLDER / f"pki/{who}.crt", "-k", FOLDER / f"pki/{who}.key",
                 "-u", path or object_path(size), "-w", warm, "-d", seconds, "-N", requests, "-O", objects,
                 "-l", label]
    if when_warm:
        arguments += ["-W", warm_requests, "-X", when_warm]
    for pid in server.pids:
        arguments += ["-P", pid]
    if tokens:
        arguments += ["-t", FOLDER / tokens] + (["-B"] if bearer else [])
    result = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=300 + seconds)
    if result.returncode != 0:
        sys.exit(f"{label or mode}: {result.stderr}{result.stdout}")
    return json.loads(result.stdout)


def object_path(size):
    return f"/mail-dub1/alice/{SIZES[size]}.eml"


def fresh_prefix():
    """A folder where no object is yet; see `remove_at_exit`."""
    remove_at_exit(FOLDER / "store/put")
    return f"/mail-dub1/put/{time.time_ns()}/"


def remove_at_exit(folder):
    """Removes what was written when all is measured. ext4 without a journal, looking for a free inode, passes over each that was
    deleted in the last five minutes: after some thousand deletions that is three quarters of what a durable write costs."""
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def wait_for_deletions(say):
    """Waits until what the last build deleted slows no writer of files any more: see `remove_at_exit`."""
    built = max((path.stat().st_mtime for path in (ROOT / ".build").glob("*/*/bailiwick*") if path.is_file()), default=0)
    seconds = built + 300 - time.time()
    if seconds > 0:
        say(f"waiting {seconds:.0f} s: ext4 without a journal makes files slowly for five minutes after a build has deleted some")
        time.sleep(seconds)


def durable(*arguments, cpu=SERVER_CPU):
    """One run of `load/durable`, what the disk and the kernel alone can do; its line of JSON."""
    folder = FOLDER / f"durable/{time.time_ns()}"
    folder.mkdir(parents=True)
    remove_at_exit(folder.parent)
    # A write that is done waits for no processor: what is asked for is the disk's own time.
    first = ["chrt", "--fifo", "1"] if arguments[0] == "write" and may_run_first() else REALTIME
    command = [*first, "taskset", "-c", cpu, FOLDER / "bin/durable", arguments[0], folder, *arguments[1:]]
    result = subprocess.run([str(a) for a in command], check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def may_run_first():
    return subprocess.run(["chrt", "--fifo", "1", "true"], capture_output=True).returncode == 0


def prepared_port():
    return int((FOLDER / "port").read_text())


def prepare(more=()):
    """Lays the folder out and puts one object of each size through the gateway, and those of `APART`, once."""
    for name in ("bailiwickd", "bailiwick"):
        if not (RELEASE / name).exists():
            sys.exit(f"{RELEASE / name} is not there: make release")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "port").write_text(str(free_port()))
    environment = dict(os.environ, PATH=f"{RELEASE}:{os.environ['PATH']}")
    subprocess.run([HERE / "setup", FOLDER, str(prepared_port())], check=True, env=environment)
    log = sum(f.stat().st_size for f in (FOLDER / "log").rglob("*") if f.is_file())
    if log > LOG_BYTES_MAX:
        old = FOLDER / f"log.{time.time_ns()}"
        (FOLDER / "log").rename(old)
        remove_at_exit(old)
    if all((FOLDER / f"store/alice/{size}.eml").exists() for size in SIZES.values()) and \
            (FOLDER / f"store/apart/{APART['objects'] - 1:09}").exists():
        return
    with Gateway() as gateway:
        for size in SIZES.values():
            body = FOLDER / "run/body"
            body.write_bytes(os.urandom(size))
            subprocess.run(
                ["curl", "-sS", "--fail-with-body", "--interface", "127.0.10.5", "--cacert", FOLDER / "pki/servers-ca.crt",
                 "--cert", FOLDER / "pki/dub1-mailserver.crt", "--key", FOLDER / "pki/dub1-mailserver.key",
                 "-T", body, f"https://localhost:{gateway.port}/mail-dub1/alice/{size}.eml",
                 "--resolve", f"localhost:{gateway.port}:127.0.0.1"], check=True)
        load(gateway, mode="put", requests=APART["objects"], path=APART["path"], who=APART["who"], source=APART["source"])


def warm_tokens(gateway, count=20000):
    """Shows every token once, so that all are kept as evidence: `new` then measures the signature, `first` also the keeping."""
    load(gateway, requests=count, **NEW)


def mint_first(count=40000):
    """Tokens that no gateway has seen yet."""
    with open(FOLDER / "tokens.first", "w") as output:
        subprocess.run([FOLDER / "bin/mint", FOLDER / "keys/issuer-ie.pem", "ie-bench", str(count), str(time.time_ns())],
                       stdout=output, check=True)
