"""What systemd and the journal are told of a running gateway."""
import os
import re
import socket
import subprocess
import time

import site_dub1
from machine import UNIT, expect


def ready_is_said_when_it_listens(machine):
    for _ in range(5):
        machine.systemctl("restart", UNIT)
        # No waiting between: READY came, so that a connection is accepted.
        machine.network("bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/8443")


def what_hinders_a_start_is_said(machine):
    cursor = machine.cursor()
    machine.systemctl("stop", UNIT)
    holder = subprocess.Popen(["nsenter", "-t", machine.leader, "-n", "python3", "-c",
                               "import socket; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 8443)); s.listen(); print(flush=True); input()"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect(holder.stdout.readline() == b"\n", "somebody else has the port (with SO_REUSEADDR, past connections that wait for their end)")
        expect(machine.systemctl("start", UNIT, check=False).returncode != 0, "the start fails")
        expect(any("gateway.listen[0]: 127.0.0.1:8443: the address is in use" in line for line in machine.messages(cursor)), "the journal says why")
    finally:
        holder.communicate(b"\n")
    # Restart= tries again, and now it can.
    machine.until(lambda: machine.active() == "active", "it came up by itself")


def an_unwritable_log_is_not_ready(machine):
    cursor = machine.cursor()
    machine.systemctl("stop", UNIT)
    # What StateDirectory= would mend at once, were it the state directory itself.
    machine.inside("sh", "-c", f"mv {site_dub1.LOG} {site_dub1.LOG}.away && touch {site_dub1.LOG}")
    try:
        expect(machine.systemctl("start", UNIT, check=False).returncode != 0, "the start fails")
        expect(any("log.directory" in line for line in machine.messages(cursor)), "the journal says why")
    finally:
        machine.systemctl("stop", UNIT)
        machine.inside("sh", "-c", f"rm {site_dub1.LOG} && mv {site_dub1.LOG}.away {site_dub1.LOG}")


def the_status_tells_what_is_served(machine):
    status = machine.until(lambda: re.match(r"serving 1 store, .*checkpoint \d+s ago", machine.show("StatusText")), "STATUS")
    expect(status, machine.show("StatusText"))


def notifications_are_those_of_sd_notify(machine):
    """A daemon of its own, whose notifications are read here."""
    folder = "/root/notified"
    machine.inside("mkdir", "-p", folder)
    text = site_dub1.settings(listen="127.0.0.1:9443").replace(site_dub1.LOG, f"{folder}/log").replace("127.0.0.1:8444", "127.0.0.1:9444")
    text = text.replace("/run/bailiwick/operators.sock", f"{folder}/operators.sock").replace("/srv/mail/dub1", f"{folder}/store")
    machine.inside("mkdir", "-p", f"{folder}/store")
    machine.write(f"{folder}/bailiwick.toml", text)
    path = machine.root / "root/notified/socket"
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(path))
    notified.settimeout(20)

    def next_state(name):
        while True:
            state = dict(line.split("=", 1) for line in notified.recv(65536).decode().split("\n") if line)
            if name in state:
                return state

    daemon = subprocess.Popen(["nsenter", "-t", machine.leader, "-a", "env", f"NOTIFY_SOCKET={folder}/socket", "CREDENTIALS_DIRECTORY=/etc/bailiwick/keys",
                               "bailiwickd", "--config", f"{folder}/bailiwick.toml"], stderr=subprocess.DEVNULL)
    try:
        expect(next_state("READY")["READY"] == "1", "READY")
        # nsenter waits for it; the child is the daemon.
        child = int(open(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read().split()[0])
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        os.kill(child, 1)
        state = next_state("RELOADING")
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        expect(before <= int(state["MONOTONIC_USEC"]) <= after, f"RELOADING has the monotonic time in it: {state}")
        expect("READY" in next_state("READY"), "READY ends the reload")
        os.kill(child, 15)
        expect(next_state("STOPPING")["STOPPING"] == "1", "STOPPING")
        expect(daemon.wait(30) == 0, "it ended with 0")
    finally:
        daemon.poll() is None and daemon.kill()
        notified.close()
        machine.inside("rm", "-r", folder)


def decisions_are_in_the_journal_with_fields_and_explained(machine):
    cursor = machine.cursor()
    expect(machine.get() == 200 and machine.get(source="127.0.0.1") == 403, "one is served, one refused")
    refused = machine.until(lambda: machine.journal(cursor, "BAILIWICK_DECISION=refuse"), "the refusal is in the journal")[0]
    expect(refused["BAILIWICK_REASON"] == "authorization-required" and refused["BAILIWICK_PRINCIPAL"] == "mailserver", f"{refused}")
    expect(refused["BAILIWICK_STORE"] == "mail-dub1" and refused["_SYSTEMD_UNIT"] == UNIT, f"{refused}")
    text = machine.inside("journalctl", "-x", f"--cursor={cursor}", "BAILIWICK_DECISION=refuse").stdout
    expect("Subject: GetObject: refuse, authorization-required" in text and "man:bailiwickd(8)" in text, text[-600:])


def keys_come_as_credentials_that_the_daemons_user_cannot_read_on_disk(machine):
    for name in site_dub1.KEYS:
        path = f"/etc/bailiwick/keys/{name}"
        result = machine.inside("setpriv", "--reuid=bailiwick", "--regid=bailiwick", "--clear-groups", "cat", path, check=False)
        expect(result.returncode != 0, f"the daemon's user reads {path}")
    held = machine.inside("sh", "-c", f"ls /run/credentials/{UNIT}", check=False).stdout.split()
    expect(set(site_dub1.KEYS) <= set(held), f"systemd handed over {held}")


def the_doctor_finds_the_gateway_well(machine):
    result = machine.inside("env", "CREDENTIALS_DIRECTORY=/etc/bailiwick/keys", "bailiwick", "doctor", check=False)
    expect(result.returncode == 0 and "1 stores, 3 principals" in result.stdout, result.stdout + result.stderr)


def a_key_sealed_to_the_machine_is_a_credential_too(machine):
    name, store = "seal-dub1", "/etc/credstore.encrypted"
    machine.inside("sh", "-c", f"mkdir -p -m 700 {store} && systemd-creds setup && "
                   f"systemd-creds encrypt --with-key=host --name={name} /etc/bailiwick/keys/{name} {store}/{name}")
    machine.write(f"{site_dub1.DROP_INS}/sealed.conf", "[Service]\nLoadCredential=\nLoadCredential=log-signing-key:/etc/bailiwick/keys/log-signing-key\n"
                  + "".join(f"LoadCredential={key}:/etc/bailiwick/keys/{key}\n" for key in site_dub1.KEYS if key != name)
                  + f"LoadCredentialEncrypted={name}:{store}/{name}\n")
    machine.inside("mv", f"/etc/bailiwick/keys/{name}", f"/root/{name}")
    try:
        machine.systemctl("daemon-reload")
        machine.systemctl("restart", UNIT)
        expect(machine.get() == 200, "what the key sealed is served")
    finally:
        machine.inside("sh", "-c", f"mv /root/{name} /etc/bailiwick/keys/{name}; rm {site_dub1.DROP_INS}/sealed.conf")
        machine.systemctl("daemon-reload")
        machine.systemctl("restart", UNIT)


tests = [
    ready_is_said_when_it_listens, what_hinders_a_start_is_said, an_unwritable_log_is_not_ready, the_status_tells_what_is_served,
    notifications_are_those_of_sd_notify, decisions_are_in_the_journal_with_fields_and_explained,
    keys_come_as_credentials_that_the_daemons_user_cannot_read_on_disk, the_doctor_finds_the_gateway_well,
    a_key_sealed_to_the_machine_is_a_credential_too,
]
