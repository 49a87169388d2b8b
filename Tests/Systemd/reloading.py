"""Reloads: whole or not at all, and without a dropped request."""
import contextlib
import re
import subprocess

import site_dub1
from machine import UNIT, expect


def settings_of_a_reload_are_in_force_when_it_returns(machine):
    machine.write(site_dub1.SETTINGS, site_dub1.settings(principals=site_dub1.SUPPORT))
    machine.systemctl("reload", UNIT)
    expect(machine.get("dub1-support") == 200, "who stayed is served")
    expect(machine.get("dub1-mailserver") == 403, "who is no principal any more is not")


def a_broken_file_changes_nothing_and_says_where_and_why(machine):
    cursor = machine.cursor()
    machine.write(site_dub1.SETTINGS, site_dub1.settings().replace('driver = "directory"', 'driver = "directoy"'))
    result = machine.systemctl("reload", UNIT, check=False)
    expect(result.returncode != 0, "systemctl reload itself fails")
    expect(machine.active() == "active" and machine.get() == 200, "the old settings serve")
    expect(any("NOT reloaded" in line and "store[0].driver" in line and "directoy" in line for line in machine.messages(cursor)), "the journal tells")
    event = machine.until(lambda: machine.journal(cursor, "BAILIWICK_EVENT=reload-failed"), "the log has an event")[0]
    expect("store[0].driver" in event["MESSAGE"] and event["PRIORITY"] == "4", f"{event}")
    text = machine.inside("journalctl", "-x", f"--cursor={cursor}", "BAILIWICK_EVENT=reload-failed").stdout
    expect("Subject: A reload was not taken" in text, text)
    machine.until(lambda: "NOT TAKEN" in machine.show("StatusText") and "store[0].driver" in machine.show("StatusText"), "STATUS tells")
    _, metrics = machine.curl("dub1-operator", "/metrics", port=8444)
    expect('bailiwick_reloads_total{outcome="failed"} 1' in metrics and "bailiwick_last_reload_successful 0" in metrics,
           "a metric tells: " + " ".join(line for line in metrics.split("\n") if "reload" in line))


def a_principal_that_a_reload_takes_away_is_refused_on_open_connections_too(machine):
    with connection(machine, "dub1-support") as ask:
        expect(ask() == 200, "before")
        machine.write(site_dub1.SETTINGS, site_dub1.settings(principals=site_dub1.MAILSERVER))
        machine.systemctl("reload", UNIT)
        expect(ask() in (403, None), "after")


def a_certificate_withdrawn_by_a_revocation_list_is_nobody_on_open_connections_too(machine):
    with connection(machine, "dub1-revoked") as ask:
        expect(ask() == 200, "before")
        machine.write(site_dub1.SETTINGS, site_dub1.settings(lists="clients-revoked.crl"))
        machine.systemctl("reload", UNIT)
        expect(ask() in (403, None), "after, on the connection from before")
    expect(machine.get("dub1-revoked") in (403, 0), "after, on a new connection")
    expect(machine.get() == 200, "the others are served")


def a_store_comes_and_goes_by_a_reload(machine):
    machine.inside("install", "-d", "-o", "bailiwick", "-g", "bailiwick", "-m", "700", "/srv/mail/dub1-b")
    second = site_dub1.settings().replace("[[principal]]", """[[store]]
bucket = "mail-dub1-b"
datacenter = "dub1"
driver = "directory"
path = "/srv/mail/dub1-b"

[[principal]]""", 1).replace('stores = ["mail-dub1"]', 'stores = ["mail-dub1", "mail-dub1-b"]', 1)

    def put():
        return machine.curl("dub1-mailserver", "/mail-dub1-b/alice/1", "--data-binary", "content", "-X", "PUT")[0]

    expect(put() == 404, "before there is none")
    machine.write(site_dub1.SETTINGS, second)
    machine.systemctl("reload", UNIT)
    expect(put() == 200, "it is there")
    machine.write(site_dub1.SETTINGS, site_dub1.settings())
    machine.systemctl("reload", UNIT)
    expect(put() == 404, "it is gone again")


def a_new_certificate_is_shown_after_a_reload(machine):
    def shown():
        answer = machine.network("sh", "-c", "openssl s_client -connect 127.0.0.1:8443 < /dev/null 2> /dev/null", check=False).stdout
        return re.search(r"^subject=.*CN = (\S+)", answer, re.M)[1]

    expect(shown() == "dub1-gw1", "before")
    use_certificate(machine, "iad1-gw1")
    machine.systemctl("reload", UNIT)
    try:
        expect(shown() == "iad1-gw1" and machine.get() == 200, "after")
    finally:
        use_certificate(machine, "dub1-gw1")


def what_others_renew_is_taken_when_it_changes_where_that_is_configured(machine):
    """gateway.watch_files: no reload is asked for."""
    machine.write(site_dub1.SETTINGS, site_dub1.settings(extra="watch_files = true"))
    machine.systemctl("restart", UNIT)
    expect(machine.get("dub1-revoked") == 200, "before")
    revoked, nobody = ((machine.pki / name).read_text() for name in ("clients-revoked.crl", "clients.crl"))
    machine.write("/etc/bailiwick/tls/clients.crl", revoked)
    try:
        machine.until(lambda: machine.get("dub1-revoked") in (403, 0), "the revocation is in force")
        expect(machine.get() == 200, "the others are served")
    finally:
        machine.write("/etc/bailiwick/tls/clients.crl", nobody)


def a_hundred_reloads_drop_no_request_and_no_connection(machine):
    with site_dub1.load(machine) as result:
        for round in range(100):
            # Two snapshots by turns, so that each reload changes something.
            principals = site_dub1.MAILSERVER + (site_dub1.SUPPORT if round % 2 else "") + site_dub1.OPERATOR
            machine.write(site_dub1.SETTINGS, site_dub1.settings(principals=principals))
            if round in (30, 60):
                use_certificate(machine, "iad1-gw1" if round == 30 else "dub1-gw1")
            machine.systemctl("reload", UNIT)
    expect(set(result["answers"]) == {"200"} and result["answers"]["200"] > 500, f"{result}")
    expect(result["connections"] == 64, f"no connection was made again: {result}")
    expect(not any(result[name] for name in ("refused", "handshakes", "unanswered", "truncated", "closed")), f"{result}")


def use_certificate(machine, name):
    """Another certificate with its key, where the settings say that the gateway's are."""
    machine.write("/etc/bailiwick/tls/dub1-gw1.crt", (machine.pki / f"{name}.crt").read_text())
    machine.write("/etc/bailiwick/tls/dub1-gw1.key", (machine.pki / f"{name}.key").read_text(), "400", "bailiwick:")


@contextlib.contextmanager
def connection(machine, who):
    """A keep-alive connection that lives through the block: each call of what it yields is one GET's status, None where it was ended."""
    program = f"""
import http.client, ssl, sys
context = ssl.create_default_context(cafile="{machine.pki}/servers-ca.crt")
context.load_cert_chain("{machine.pki}/{who}.crt", "{machine.pki}/{who}.key")
connection = http.client.HTTPSConnection("127.0.0.1", 8443, context=context, source_address=("127.0.10.5", 0), timeout=20)
connection.connect()
raw = connection.sock
for line in sys.stdin:
    try:
        connection.request("GET", "/mail-dub1/alice/1")
        answer = connection.getresponse()
        answer.read()
        same = connection.sock in (raw, None)
        print(answer.status if same else "other", flush=True)
    except (OSError, http.client.HTTPException):
        print("ended", flush=True)
        break
"""
    process = subprocess.Popen(["nsenter", "-t", machine.leader, "-n", "python3", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)

    def ask():
        process.stdin.write("\n")
        process.stdin.flush()
        line = process.stdout.readline().strip()
        expect(line != "other", "the connection is the one from before")
        return int(line) if line.isdigit() else None

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait(30)


tests = [
    settings_of_a_reload_are_in_force_when_it_returns, a_broken_file_changes_nothing_and_says_where_and_why,
    a_principal_that_a_reload_takes_away_is_refused_on_open_connections_too,
    a_certificate_withdrawn_by_a_revocation_list_is_nobody_on_open_connections_too, a_store_comes_and_goes_by_a_reload,
    a_new_certificate_is_shown_after_a_reload, what_others_renew_is_taken_when_it_changes_where_that_is_configured, a_hundred_reloads_drop_no_request_and_no_connection,
]
