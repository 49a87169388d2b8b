"""systemd's watchdog: one thread that stands, whichever it is, is a restart; work that is merely long is not."""
import re

import site_dub1
from machine import expect


def blocked(name):
    def test(machine):
        cursor, restarts = machine.cursor(), machine.restarts()
        with site_dub1.stopped_thread(machine, name):
            machine.until(lambda: machine.restarts() > restarts, f"systemd restarts a daemon whose {name} stands", 10 * site_dub1.WATCHDOG_SECONDS)
        machine.until(lambda: machine.active() == "active", "it is back")
        messages = machine.messages(cursor)
        expect(any("Watchdog timeout" in line for line in messages), "by the watchdog")
        # Who gives the pool a token may himself have to wait (in glibc's pthread_cond_signal) for a thread that stands in pthread_cond_wait;
        # the watchdog is then as unfed, but nobody is left to say for whom.
        if not name.startswith("file-"):
            expect(any(re.search(rf"\b{name}\b.*did nothing", line) for line in messages), f"the journal names {name}: {messages}")

    test.__name__ = f"a_blocked_{name.replace('-', '_')}_is_seen_and_restarted"
    return test


def an_idle_gateway_and_a_busy_one_are_fed(machine):
    restarts, pid = machine.restarts(), machine.pid()
    began = machine.show("WatchdogTimestampMonotonic")
    machine.until(lambda: int(machine.show("WatchdogTimestampMonotonic")) > int(began) + 2_000_000 * site_dub1.WATCHDOG_SECONDS,
                  "two periods, idle", 4 * site_dub1.WATCHDOG_SECONDS)
    with site_dub1.load(machine):
        began = machine.show("WatchdogTimestampMonotonic")
        machine.until(lambda: int(machine.show("WatchdogTimestampMonotonic")) > int(began) + 2_000_000 * site_dub1.WATCHDOG_SECONDS,
                      "two periods, busy", 4 * site_dub1.WATCHDOG_SECONDS)
    expect(machine.restarts() == restarts and machine.pid() == pid, "nothing was restarted")


tests = [an_idle_gateway_and_a_busy_one_are_fed] + [blocked(name) for name in ("loop-0", "loop-1", "operators", "log-writer", "log-integrator", "file-0")]
