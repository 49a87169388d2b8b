"""The decision log under systemd: closed, damaged, after a crash."""
import time

import site_dub1
from machine import UNIT, expect
from site_dub1 import LOG, WATCHDOG_SECONDS


def a_log_that_failed_closed_stays_up_and_fed(machine):
    restarts, pid = machine.restarts(), machine.pid()
    # Replaced under the daemon: the folder is not the one that it has opened.
    machine.inside("sh", "-c", f"mv {LOG} {LOG}.away && install -d -o bailiwick -g bailiwick -m 700 {LOG}")
    try:
        machine.until(lambda: machine.get() == 503, "every request is answered 503")
        began = time.monotonic()
        machine.until(lambda: time.monotonic() - began > 3 * WATCHDOG_SECONDS, "three periods of the watchdog", 5 * WATCHDOG_SECONDS)
        expect(machine.active() == "active" and machine.restarts() == restarts and machine.pid() == pid, "it stays up, unrestarted")
        expect(machine.get() == 503, "and closed")
        expect("THE LOG IS CLOSED" in machine.show("StatusText"), machine.show("StatusText"))
        status, body = machine.ready()
        expect(status == 503 and "log" in body, f"/ready: {status} {body}")
        expect(machine.curl("dub1-operator", "/metrics", port=8444)[0] == 200, "/metrics answers")
    finally:
        machine.systemctl("stop", UNIT)
        machine.inside("sh", "-c", f"rm -r {LOG} && mv {LOG}.away {LOG}")
    machine.systemctl("start", UNIT)
    expect(machine.get() == 200, "an operator's restart opens it")


def a_damaged_log_ends_with_2_and_is_not_restarted(machine):
    machine.systemctl("stop", UNIT)
    machine.inside("sh", "-c", f"cp -a {LOG} {LOG}.whole")
    cursor, restarts = machine.cursor(), machine.restarts()
    try:
        # One byte of the last bundle. Its earlier partial forms stay until it is full: 695.p/197 is later than 695.p/96.
        machine.inside("sh", "-c", f'file=$(find {LOG}/tile/entries -type f | sort -V | tail -n 1) && '
                       'printf X | dd of="$file" bs=1 seek=40 conv=notrunc status=none')
        expect(machine.systemctl("start", UNIT, check=False).returncode != 0, "the start fails")
        expect(machine.show("ExecMainStatus") == "2", f"it ended with {machine.show('ExecMainStatus')}")
        began = time.monotonic()
        machine.until(lambda: time.monotonic() - began > 2, "twenty times RestartSec")
        expect(machine.active() == "failed" and machine.restarts() == restarts, f"it is {machine.active()}, restarted {machine.restarts()} times")
        expect(any("log.directory" in line for line in machine.messages(cursor)), "the journal says why")
    finally:
        machine.inside("sh", "-c", f"rm -r {LOG} && mv {LOG}.whole {LOG}")


def a_killed_daemon_is_restarted_and_its_log_continues(machine):
    def entries():
        return int(machine.inside("sed", "-n", "2p", f"{LOG}/checkpoint").stdout)

    before, restarts = entries(), machine.restarts()
    for _ in range(5):
        expect(machine.get() == 200, "it serves")
    machine.systemctl("kill", "-s", "KILL", UNIT)
    machine.until(lambda: machine.restarts() == restarts + 1 and machine.active() == "active", "it is back")
    expect(machine.get() == 200, "it serves again")
    machine.systemctl("stop", UNIT)
    machine.inside("bailiwick", "log", "verify", LOG, "--key", (machine.work / "log.vkey").read_text())
    expect(entries() >= before + 6, f"what was answered before the kill is in the log: {before}, {entries()}")


tests = [a_log_that_failed_closed_stays_up_and_fed, a_damaged_log_ends_with_2_and_is_not_restarted, a_killed_daemon_is_restarted_and_its_log_continues]
