"""figures.py FOLDER PORT [NAME...]: see run. Only the standard library is used; seals are computed here, independently of Sources/."""
import base64
import hashlib
import hmac
import http.client
import os
import re
import shutil
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time

folder, port, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:] or ["binary", "start", "idle", "large", "pages"]
misses = []


def report(what, value, bound, unit):
    met = value <= bound
    print(f"{'ok  ' if met else 'MISS'} {what}: {value:,.1f} {unit} (at most {bound:,} {unit})", flush=True)
    if not met:
        misses.append(what)


class Gateway:
    def __init__(self, settings="dub1-gw1.toml", environment=None):
        self.started = time.monotonic()
        self.output = open(f"{folder}/run/figures.out", "w")
        self.process = subprocess.Popen(["bailiwickd", "--config", f"{folder}/{settings}"], stdout=self.output, stderr=self.output)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if self.process.poll() is not None:
                sys.exit(open(f"{folder}/run/figures.out").read())
            time.sleep(0.0005)
        self.listening_after = time.monotonic() - self.started

    def resident(self, field="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(field + r":\s+(\d+)", status.read())[1]) * 1024

    def stop(self):
        self.process.terminate()
        if self.process.wait() != 0:
            sys.exit(open(f"{folder}/run/figures.out").read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def connect(who="dub1-mailserver", address="127.0.10.5"):
    context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
    context.check_hostname = False
    context.load_cert_chain(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, source_address=(address, 0), timeout=120)
    connection.connect()
    return connection


def call(connection, method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, (answer.status, data[:500])
    return data


def framed(*parts):
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def seal_keys():
    name, key = open(f"{folder}/keys/seal-dub1").read().strip().split(":")
    return name.encode(), base64.b64decode(key)


def place(root, key, content, keys, now=int(time.time())):
    """Puts an object where the gateway looks for it, with its tag, as docs/FORMATS.md says it."""
    rest = b"\x01" + framed(hashlib.md5(content).hexdigest().encode())
    text = b"v1;%s;dub1;IE;%d;%d;%d;%s;%s" % (
        keys[0], now, now, len(content), url64(hashlib.sha256(content).digest()), url64(hashlib.sha256(rest).digest()))
    seal = hmac.digest(keys[1], framed(b"bailiwick-tag-v1", text, key.encode()), "sha256")
    path = f"{root}/{key}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.write(descriptor, content)
    os.setxattr(descriptor, "user.bailiwick", text + b";" + url64(seal) + b"\n" + rest)
    os.close(descriptor)


def add_stores(count):
    path = f"{folder}/dub1-gw1.toml"
    text = open(path).read()
    for number in range(count):
        os.makedirs(f"{folder}/store/extra{number}")
        text += f'\n[[store]]\nbucket = "extra-{number}"\ndatacenter = "dub1"\ndriver = "directory"\npath = "{folder}/store/extra{number}"\n'
    open(path, "w").write(text)


def figure_binary():
    report("the static binary, stripped", os.path.getsize(shutil.which("bailiwickd")) / 1e6, 25, "MB")


def figure_start():
    add_stores(2)
    with Gateway():
        connection = connect()
        call(connection, "PUT", "/mail-dub1/alice/1", b"x")
        for _ in range(10_000):
            call(connection, "GET", "/mail-dub1/alice/1")
    times = []
    for _ in range(11):
        with Gateway() as gateway:
            times.append(gateway.listening_after * 1000)
    report("from exec to listening, three stores and a log of 10,000 entries, median of 11", statistics.median(times), 50, "ms")


def figure_idle():
    with Gateway() as gateway:
        time.sleep(1.5)
        report("idle, resident", gateway.resident() / 1e6, 25, "MB")


def figure_large():
    size = 2 << 30
    block = os.urandom(1 << 20)
    with Gateway() as gateway:
        connection = connect()
        call(connection, "PUT", "/mail-dub1/alice/small", b"x")
        call(connection, "GET", "/mail-dub1/alice/small")
        before = gateway.resident()
        started = time.monotonic()
        call(connection, "PUT", "/mail-dub1/alice/large", (block for _ in range(size >> 20)), {"Content-Length": str(size)})
        put = time.monotonic() - started
        started = time.monotonic()
        connection.request("GET", "/mail-dub1/alice/large")
        answer = connection.getresponse()
        received = 0
        while piece := answer.read(1 << 20):
            received += len(piece)
        assert received == size
        get = time.monotonic() - started
        print(f"     2 GiB put in {put:.1f} s, got in {get:.1f} s")
        report("growth of peak memory by a 2 GiB object put and got", (gateway.resident("VmHWM") - before) / 1e6, 32, "MB")
        os.unlink(f"{folder}/store/dub1/alice/large")


def pages(connection, bucket, prefix, count, delimiter=""):
    """Milliseconds of each of the first pages, and the keys."""
    times, keys, token = [], [], ""
    while len(times) < count:
        path = f"/{bucket}?list-type=2&max-keys=1000&prefix={prefix}" + (f"&continuation-token={token}" if token else "")
        started = time.monotonic()
        page = call(connection, "GET", path).decode()
        times.append((time.monotonic() - started) * 1000)
        keys += re.findall("<Key>([^<]*)</Key>", page)
        found = re.search("<NextContinuationToken>([^<]*)<", page)
        if not found:
            break
        token = found[1]
    return times, keys


def disk_reads():
    """Reads that the disk below the store has done; None where the system does not say."""
    device = os.stat(folder).st_dev
    try:
        return int(open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read().split()[0])
    except OSError:
        return None


def figure_pages():
    root, keys = f"{folder}/store/dub1", seal_keys()
    mailboxes, messages, many = 1000, int(os.environ.get("FIGURES_MESSAGES", "1000")), 100_000
    started = time.monotonic()
    for box in range(mailboxes):
        os.makedirs(f"{root}/box{box:04}")
        for message in range(messages):
            place(root, f"box{box:04}/{message:06}", b"m", keys)
    os.makedirs(f"{root}/zz")
    for message in range(many):
        place(root, f"zz/{message:06}", b"m", keys)
    print(f"     {mailboxes * messages + many:,} objects laid out in {time.monotonic() - started:.0f} s")
    # What the layout left to be written is not part of a page.
    os.sync()
    with Gateway():
        connection = connect()
        before = disk_reads()
        times, listed = pages(connection, "mail-dub1", "", 30)
        after = disk_reads()
        assert listed == sorted(listed) and len(set(listed)) == len(listed) == 1000 * len(times)
        report(f"a page of 1,000 keys of a store of 1,000 mailboxes of {messages:,} messages, median of {len(times)}", statistics.median(times), 10, "ms")
        if before is not None:
            print(f"     {(after - before) / len(times):,.0f} reads of the disk for each of these pages")
        times, _ = pages(connection, "mail-dub1", "", 30)
        report("the same pages again, median", statistics.median(times), 10, "ms")
        times, listed = pages(connection, "mail-dub1", "zz/", 1000)
        assert listed == [f"zz/{message:06}" for message in range(many)]
        report("the first page of one folder of 100,000", times[0], 150, "ms")
        report("a following page of it, median", statistics.median(times[1:]), 10, "ms")


for name in names:
    globals()[f"figure_{name}"]()
sys.exit(1 if misses else 0)
