"""The package, from an empty machine to a gateway."""
import json
import pathlib
import re
import subprocess

import site_dub1
from machine import UNIT, expect

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def the_package_installs_and_starts_closed(machine):
    machine.inside("sh", "-c", "dpkg -i /root/bailiwick_*.deb")
    expect(machine.active() == "active", f"the service is {machine.active()}")
    expect(machine.systemctl("is-enabled", UNIT).stdout.strip() == "enabled", "it will start with the machine")
    expect(machine.restarts() == 0, "it started at once")
    status, body = machine.ready()
    expect(status == 200, f"/ready: {status} {body}")
    listening = [line.split()[3] for line in machine.network("ss", "-Hltn").stdout.splitlines()]
    expect(listening == ["127.0.0.1:8443"], f"it listens on loopback alone: {listening}")
    # The authority that it trusts has signed nobody: a good certificate of ours ends in the handshake.
    expect(machine.curl("dub1-mailserver", "/", "--insecure")[0] == 0, "nobody gets in")
    expect(machine.show("StatusText").startswith("serving 0 stores"), machine.show("StatusText"))


def keys_are_made_for_this_machine_and_are_nobody_elses_to_read(machine):
    modes = machine.inside("stat", "-c", "%n %a %U", "/etc/bailiwick/keys", "/etc/bailiwick/keys/log-signing-key",
                           "/etc/bailiwick/tls/gateway.key", "/var/lib/bailiwick").stdout.split("\n")
    expect(modes[:4] == ["/etc/bailiwick/keys 700 root", "/etc/bailiwick/keys/log-signing-key 600 root",
                         "/etc/bailiwick/tls/gateway.key 400 bailiwick", "/var/lib/bailiwick 700 bailiwick"], f"{modes}")
    shipped = machine.inside("dpkg", "-L", "bailiwick").stdout
    expect(not re.search(r"\.(key|crt)$|signing-key", shipped, re.M), "no key is in the package")


def the_settings_as_installed_are_checked_by_hand(machine):
    result = machine.inside("env", "CREDENTIALS_DIRECTORY=/etc/bailiwick/keys", "bailiwickd", "--check")
    expect("the settings are good: 0 store(s), 0 principal(s)" in result.stdout, result.stdout)


def the_version_is_one(machine):
    version = machine.inside("dpkg-query", "-W", "-f", "${Version}", "bailiwick").stdout
    for program in ("bailiwickd", "bailiwick"):
        said = machine.inside(program, "--version").stdout.strip()
        expect(said == version, f"{program} says {said}, the package {version}")


def pages_completions_and_documents_are_there(machine):
    files = set(machine.inside("dpkg", "-L", "bailiwick").stdout.split())
    for name in ["man/man8/bailiwickd.8.gz", "man/man1/bailiwick.1.gz", "man/man5/bailiwick.toml.5.gz", "zsh/vendor-completions/_bailiwick",
                 "fish/vendor_completions.d/bailiwick.fish", "bash-completion/completions/bailiwickd", "doc/bailiwick/MANUAL.md.gz",
                 "bailiwick/bailiwick-alerts.yml", "bailiwick/bailiwick-dashboard.json", "doc/bailiwick/FORMATS.md.gz", "doc/bailiwick/README.Debian", "doc/bailiwick/copyright", "doc/bailiwick/changelog.gz"]:
        expect(f"/usr/share/{name}" in files, f"{name} is in the package")
    for program, word, candidate in [("bailiwick", "tok", "token"), ("bailiwickd", "--ch", "--check")]:
        script = f"""source /usr/share/bash-completion/completions/{program}
            COMP_WORDS=({program} {word}); COMP_CWORD=1; _{program} {program} {word} {program}; echo "${{COMPREPLY[@]}}" """
        said = machine.inside("bash", "-c", script).stdout.split()
        expect(said == [candidate], f"bash completes {program} {word} to {said}")
    # As dpkg was told for this image, which has no documents: read from the package itself.
    page = subprocess.run("dpkg-deb --fsys-tarfile .build/deb/bailiwick_*.deb | tar -xO ./usr/share/man/man5/bailiwick.toml.5.gz | gzip -d",
                          shell=True, cwd=REPOSITORY, capture_output=True, text=True).stdout
    expect("store.untagged" in page and "log.signing_keys" in page, "bailiwick.toml(5) tells the settings")


def debug_symbols_lie_beside_the_package_and_belong_to_it(machine):
    package, = REPOSITORY.glob(".build/deb/bailiwick-dbgsym_*.deb")
    control = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True).stdout
    ids = re.search(r"^Build-Ids: (.*)$", control, re.M)[1].split()
    binary = machine.root / "usr/sbin/bailiwickd"
    notes = subprocess.run(["readelf", "-nS", binary], capture_output=True, text=True).stdout
    expect(re.search(r"Build ID: (\w+)", notes)[1] in ids, "the symbols are those of the binary")
    expect(".debug_info" not in notes, "the binary is stripped")


def hardening_scores_and_each_gap_is_explained(machine):
    def score(*options):
        return json.loads(machine.inside("systemd-analyze", "security", "--offline=true", "--json=short", *options, "--threshold=100",
                                         "/lib/systemd/system/bailiwick.service").stdout)

    unit = machine.inside("cat", "/lib/systemd/system/bailiwick.service").stdout
    for row in score():
        if row["set"] is False and row.get("exposure") not in (None, "0.0"):
            expect(row["name"].replace("=", "") in unit.replace("=", ""), f"{row['name']} is left out and not explained")

    def overall():
        output = machine.inside("systemd-analyze", "security", "--no-pager", UNIT).stdout
        return float(re.search(r"Overall exposure level.*: ([0-9.]+)", output)[1])

    expect(overall() <= 1.2, f"as shipped: {overall()}")
    site_dub1.drop_in(machine, "sockets-only.conf")
    expect(overall() <= 1.0, f"with examples/sockets-only.conf: {overall()}")
    site_dub1.no_drop_in(machine, "sockets-only.conf")


def every_message_id_is_explained(machine):
    source = (REPOSITORY / "Sources/bailiwickd").glob("*.swift")
    sent = {found for file in source for found in re.findall(r'"([0-9a-f]{32})"', file.read_text())}
    expect(len(sent) >= 3, "there are message ids in the source")
    catalog = set(re.findall(r"^-- ([0-9a-f]{32})$", (REPOSITORY / "systemd/bailiwick.catalog").read_text(), re.M))
    expect(sent == catalog, f"sent and not explained: {sent - catalog}; explained and not sent: {catalog - sent}")
    for message in sent:
        text = machine.inside("journalctl", "--dump-catalog", message).stdout
        expect("Defined-By: bailiwick" in text, f"{message} is not in the machine's catalog")


def a_gateway_is_set_up_as_readme_debian_says(machine):
    site_dub1.configure(machine)
    expect(machine.get() == 200, "an object is served")
    expect(machine.get(source="127.0.0.1") == 403, "from nowhere it is refused")


first = [the_package_installs_and_starts_closed]
tests = [
    keys_are_made_for_this_machine_and_are_nobody_elses_to_read, the_settings_as_installed_are_checked_by_hand, the_version_is_one,
    pages_completions_and_documents_are_there, debug_symbols_lie_beside_the_package_and_belong_to_it,
    hardening_scores_and_each_gap_is_explained, every_message_id_is_explained,
]
