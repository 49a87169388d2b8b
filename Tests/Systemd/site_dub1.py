"""One gateway of Dublin, as an operator would set it up in the container after reading README.Debian."""
import contextlib
import json
import pathlib
import subprocess

from machine import UNIT, expect

LOG = "/var/lib/bailiwick/log"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
SETTINGS = "/etc/bailiwick/bailiwick.toml"
KEYS = ["log-dub1-gw1", "seal-dub1", "pseudonym-dub1-2026"]
# Short, so that a blocked thread is seen in seconds.
WATCHDOG_SECONDS = 3

PRINCIPAL = """
[[principal]]
name = "{name}"
datacenter = "dub1"
certificate = {{ uri = "spiffe://example.org/dub1/{name}" }}
roles = [{roles}]
stores = [{stores}]
"""
MAILSERVER = PRINCIPAL.format(name="mailserver", roles='"reader", "writer", "deleter", "deliverer"', stores='"mail-dub1"')
SUPPORT = PRINCIPAL.format(name="support", roles='"reader"', stores='"mail-dub1"')
OPERATOR = PRINCIPAL.format(name="operator", roles='"operator"', stores="")


def settings(principals=MAILSERVER + SUPPORT + OPERATOR, listen="127.0.0.1:8443", lists="clients.crl", extra=""):
    return f"""
[gateway]
name = "dub1-gw1"
datacenter = "dub1"
listen = ["{listen}"]
operators_listen = "127.0.0.1:8444"
operators_socket = "/run/bailiwick/operators.sock"
{extra}
[tls]
certificate = "/etc/bailiwick/tls/dub1-gw1.crt"
private_key = "/etc/bailiwick/tls/dub1-gw1.key"
client_authorities = "/etc/bailiwick/tls/clients-ca.crt"
revocation_lists = ["/etc/bailiwick/tls/{lists}"]

[[datacenter]]
name = "dub1"
jurisdiction = "IE"
networks = ["127.0.10.0/24"]
seal_keys = ["credential:seal-dub1"]
pseudonym_keys = ["credential:pseudonym-dub1-2026"]

[[store]]
bucket = "mail-dub1"
datacenter = "dub1"
driver = "directory"
path = "/srv/mail/dub1"
{principals}
[log]
directory = "{LOG}"
origin = "logs.example.org/dub1-gw1"
signing_keys = ["credential:log-dub1-gw1"]
"""


def configure(machine):
    """From an installed package to a gateway that serves."""
    for name, mode, owner in [("dub1-gw1.crt", "644", "root:root"), ("dub1-gw1.key", "400", "bailiwick:"), ("clients-ca.crt", "644", "root:root"),
                              ("clients.crl", "644", "root:root"), ("clients-revoked.crl", "644", "root:root")]:
        machine.write(f"/etc/bailiwick/tls/{name}", (machine.pki / name).read_text(), mode, owner)
    for name, kind, identity in zip(KEYS, ["log", "seal", "pseudonym"], [("--name", "logs.example.org/dub1-gw1"), ("--id", "dub1-2026"), ("--id", "dub1-2026")]):
        made = machine.inside("bailiwick", "keys", "new", "--kind", kind, *identity, "--private", f"/etc/bailiwick/keys/{name}")
        if kind == "log":
            (machine.work / "log.vkey").write_text(made.stdout.strip())
    machine.write(f"{DROP_INS}/keys.conf", "[Service]\n" + "".join(f"LoadCredential={name}:/etc/bailiwick/keys/{name}\n" for name in KEYS))
    machine.write(f"{DROP_INS}/test.conf", f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\nRestartSec=100ms\n[Unit]\nStartLimitBurst=1000\n")
    machine.inside("install", "-d", "-o", "bailiwick", "-g", "bailiwick", "-m", "700", "/srv/mail/dub1")
    machine.write(SETTINGS, settings())
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", UNIT)
    expect(machine.curl("dub1-mailserver", "/mail-dub1/alice/1", "--data-binary", "x" * 4096, "-X", "PUT")[0] == 200, "the first PUT is served")


def renew(machine):
    """The settings and the service as `configure` left them, whatever a test did."""
    machine.write(SETTINGS, settings())
    machine.systemctl("reset-failed", check=False)
    if machine.active() != "active":
        machine.systemctl("restart", UNIT)
    else:
        machine.systemctl("reload", UNIT)
    expect(machine.get() == 200, f"the service is back: {machine.show('StatusText')}")


def drop_in(machine, name):
    """One of the package's examples, in force from the next start on."""
    machine.write(f"{DROP_INS}/{name}", machine.inside("cat", f"/usr/share/doc/bailiwick/examples/{name}").stdout)
    machine.systemctl("daemon-reload")


def no_drop_in(machine, name):
    machine.inside("rm", f"{DROP_INS}/{name}")
    machine.systemctl("daemon-reload")


@contextlib.contextmanager
def load(machine, connections=64):
    """64 connections that ask all the time; when the block ends, the yielded dictionary says what came of it."""
    result = {}
    script = pathlib.Path(__file__).with_name("load.py")
    process = subprocess.Popen(["nsenter", "-t", machine.leader, "-n", "python3", script, machine.pki, "8443", str(connections)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        machine.until(lambda: established(machine) >= connections, f"{connections} connections are there")
        yield result
        output, _ = process.communicate("", timeout=60)
        result.update(json.loads(output))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def established(machine):
    return machine.network("ss", "-Htn", "state", "established", "dport", "=", ":8443").stdout.count("\n")


@contextlib.contextmanager
def stopped_thread(machine, name):
    """A thread of the daemon, by name, that stands while the block runs."""
    folder = pathlib.Path(f"/proc/{machine.outer_pid()}/task")
    threads = {task.name: (task / "comm").read_text().strip() for task in folder.iterdir()}
    found = [task for task, comm in threads.items() if comm == name]
    expect(found, f"there is a thread {name} among {sorted(set(threads.values()))}")
    process = subprocess.Popen([machine.work / "stop-thread", found[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        expect(process.stdout.readline() == "stopped\n", f"the thread {name} was stopped")
        yield
    finally:
        process.stdin.close()
        process.wait()
