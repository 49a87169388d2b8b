"""Upgrade, removal, purge: keys and logs stay."""
import site_dub1
from machine import UNIT, expect
from restarting import use_sockets

KEPT = "/etc/bailiwick/keys /etc/bailiwick/tls /var/lib/bailiwick /srv/mail/dub1"


def kept(machine):
    """Every file that must survive, but those that a running log writes."""
    listing = machine.inside("sh", "-c", f"find {KEPT} -type f -printf '%p %U %m\n' | grep -v -e /wal/ -e /tile/ -e /policy/ -e /reserve | sort").stdout
    keys = machine.inside("sh", "-c", "sha256sum /etc/bailiwick/keys/* /etc/bailiwick/tls/*").stdout
    return listing + keys


def verify(machine):
    """The log in whole, and how many entries it has."""
    machine.inside("bailiwick", "log", "verify", site_dub1.LOG, "--key", (machine.work / "log.vkey").read_text())
    return int(machine.inside("sed", "-n", "2p", f"{site_dub1.LOG}/checkpoint").stdout)


def an_upgrade_keeps_settings_keys_and_log_and_refuses_nobody(machine):
    use_sockets(machine)
    before, settings, pid = kept(machine), machine.inside("cat", site_dub1.SETTINGS).stdout, machine.pid()
    # The same files as a following version.
    machine.inside("sh", "-c", "cd /root && rm -rf next && dpkg-deb -R bailiwick_*.deb next && "
                   "sed -i 's/^Version: .*/&+next/' next/DEBIAN/control && dpkg-deb -Znone -b next next.deb", seconds=120)
    with site_dub1.load(machine, 16) as result:
        machine.inside("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-i", "/root/next.deb", seconds=120)
        machine.until(lambda: machine.get() == 200, "it serves")
    expect(machine.inside("dpkg-query", "-W", "-f", "${Version}", "bailiwick").stdout.endswith("+next"), "it is the next version")
    expect(machine.active() == "active" and machine.pid() != pid, "it was restarted")
    expect(result["refused"] == 0 and result["truncated"] == 0 and set(result["answers"]) == {"200"}, f"{result}")
    expect(machine.inside("cat", site_dub1.SETTINGS).stdout == settings, "the settings are the operator's")
    expect(kept(machine) == before, "keys are as they were")


def a_removal_stops_it_and_keeps_keys_and_log(machine):
    before = kept(machine)
    with site_dub1.load(machine, 4):
        machine.inside("dpkg", "-r", "bailiwick")
        expect(machine.network("ss", "-Hltn", "sport", "=", ":8443").stdout == "", "nobody listens")
    expect(machine.inside("pgrep", "bailiwickd", check=False).returncode != 0, "nothing runs")
    expect(kept(machine) == before, "keys and logs are there")
    expect(machine.inside("test", "-f", site_dub1.SETTINGS).returncode == 0, "so are the settings")


def installed_again_it_goes_on(machine):
    machine.inside("sh", "-c", "dpkg -i /root/next.deb", seconds=120)
    machine.systemctl("start", UNIT)
    expect(machine.get() == 200, "what was there is served")
    machine.systemctl("stop", UNIT)
    expect(verify(machine) > 100, "the log continues")


def a_purge_takes_the_settings_and_keeps_keys_and_log(machine):
    before, entries = kept(machine), verify(machine)
    machine.inside("dpkg", "-P", "bailiwick")
    expect(machine.inside("test", "-e", site_dub1.SETTINGS, check=False).returncode != 0, "the settings are gone")
    expect(kept(machine) == before, "keys and logs are there")
    expect(machine.inside("id", "bailiwick", check=False).returncode == 0, "so is their owner")
    expect(machine.inside("sed", "-n", "2p", f"{site_dub1.LOG}/checkpoint").stdout.strip() == str(entries), "the log is whole")


def after_a_purge_a_new_installation_starts_closed_with_the_old_keys(machine):
    before = kept(machine)
    machine.inside("rm", "-r", site_dub1.DROP_INS)
    machine.systemctl("daemon-reload")
    machine.inside("sh", "-c", "dpkg -i /root/next.deb", seconds=120)
    expect(machine.active() == "active", f"it is {machine.active()}")
    expect(machine.get() == 0, "nobody gets in")
    expect(kept(machine) == before, "no key was made anew")


tests = [
    an_upgrade_keeps_settings_keys_and_log_and_refuses_nobody, a_removal_stops_it_and_keeps_keys_and_log, installed_again_it_goes_on,
    a_purge_takes_the_settings_and_keeps_keys_and_log, after_a_purge_a_new_installation_starts_closed_with_the_old_keys,
]
