"""Restarts: requests in hand are finished, and with systemd's sockets no connection is refused."""
import subprocess

import site_dub1
from machine import UNIT, expect

SOCKETS = ["bailiwick.socket", "bailiwick-operators.socket", "bailiwick-operators-unix.socket"]


def requests_in_hand_are_finished(machine):
    """A slow upload begins before the stop and ends after it."""
    upload = subprocess.Popen(
        ["nsenter", "-t", machine.leader, "-n", "curl", "-s", "--max-time", "30", "--cacert", f"{machine.pki}/servers-ca.crt", "--cert",
         f"{machine.pki}/dub1-mailserver.crt", "--key", f"{machine.pki}/dub1-mailserver.key", "--interface", "127.0.10.5", "--limit-rate", "200k",
         "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-", "-X", "PUT", "https://127.0.0.1:8443/mail-dub1/alice/slow"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    upload.stdin.write("x" * 600_000)
    upload.stdin.close()
    machine.until(lambda: site_dub1.established(machine) > 0, "the upload has begun")
    pid = machine.pid()
    machine.systemctl("restart", UNIT)
    expect(machine.pid() != pid, "it was restarted")
    expect(upload.wait(30) == 0 and upload.stdout.read() == "200", "the upload was finished")
    expect(len(machine.curl("dub1-mailserver", "/mail-dub1/alice/slow")[1]) == 600_000, "and is whole")


def with_sockets_a_restart_refuses_no_connection(machine):
    use_sockets(machine)
    try:
        with site_dub1.load(machine) as result:
            for _ in range(3):
                pid = machine.pid()
                answered(machine)
                machine.systemctl("restart", UNIT)
                expect(machine.pid() != pid, "it was restarted")
                answered(machine)
        expect(result["refused"] == 0, f"a connection was refused: {result}")
        expect(result["truncated"] == 0, f"an answer was cut off: {result}")
        expect(result["handshakes"] == 0, f"a handshake was broken off: {result}")
        expect(set(result["answers"]) == {"200"}, f"{result}")
        expect(result["unanswered"] == 0, f"a request was not answered: {result}")
        expect(machine.curl("dub1-operator", "/metrics", port=8444)[0] == 200, "the operators' listener is back")
        expect(machine.ready()[0] == 200, "so is the Unix socket")
    finally:
        use_no_sockets(machine)


def a_caller_starts_a_stopped_service_by_its_socket(machine):
    use_sockets(machine)
    try:
        machine.systemctl("stop", UNIT)
        expect(machine.active() == "inactive", "it is stopped")
        expect(machine.get() == 200, "a caller is served all the same")
    finally:
        use_no_sockets(machine)


def with_sockets_it_serves_without_a_network_of_its_own(machine):
    """examples/sockets-only.conf."""
    site_dub1.drop_in(machine, "sockets-only.conf")
    try:
        use_sockets(machine)
        answered(machine)
        inner = machine.inside("nsenter", "-t", str(machine.pid()), "-n", "ss", "-Htln").stdout
        expect(inner == "" and machine.ready()[0] == 200, f"it listens nowhere itself: {inner}")
        expect(machine.curl("dub1-operator", "/metrics", port=8444)[0] == 200, "the operators' listener serves")
    finally:
        site_dub1.no_drop_in(machine, "sockets-only.conf")
        use_no_sockets(machine)


def sockets_and_settings_that_differ_are_refused(machine):
    machine.write("/etc/systemd/system/bailiwick.socket.d/other.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:8445\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("stop", UNIT)
    machine.systemctl("start", "bailiwick.socket")
    cursor = machine.cursor()
    try:
        expect(machine.systemctl("start", UNIT, check=False).returncode != 0, "the start fails")
        expect(any("127.0.0.1:8445" in line and "gateway.listen" in line for line in machine.messages(cursor)), "the journal says which differ")
    finally:
        machine.inside("rm", "-r", "/etc/systemd/system/bailiwick.socket.d")
        machine.systemctl("daemon-reload")
        use_no_sockets(machine)


def use_sockets(machine):
    """As bailiwick.socket tells."""
    machine.systemctl("stop", UNIT)
    machine.systemctl("enable", "--now", *SOCKETS)
    machine.systemctl("start", UNIT)
    expect(machine.network("ss", "-Hltnp", "sport", "=", ":8443").stdout.count("systemd") == 1, "systemd holds the listener")


def use_no_sockets(machine):
    machine.systemctl("disable", "--now", *SOCKETS, check=False)
    machine.systemctl("stop", UNIT)
    machine.systemctl("reset-failed", check=False)
    machine.systemctl("start", UNIT)


def answered(machine):
    expect(machine.get() == 200, "it serves")


tests = [
    requests_in_hand_are_finished, with_sockets_a_restart_refuses_no_connection, a_caller_starts_a_stopped_service_by_its_socket,
    with_sockets_it_serves_without_a_network_of_its_own, sockets_and_settings_that_differ_are_refused,
]
