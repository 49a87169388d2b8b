"""The container, from outside: commands in it, clients in its network, its journal."""
import json
import pathlib
import re
import subprocess
import time

UNIT = "bailiwick.service"


class Failure(Exception):
    """What a test expected and did not see."""


def expect(condition, what):
    if not condition:
        raise Failure(what)


class Machine:
    def __init__(self, leader, work):
        self.leader = leader
        self.work = pathlib.Path(work)
        self.root = self.work / "root"
        self.pki = self.work / "pki"

    # Commands

    def inside(self, *command, check=True, text=None, seconds=90):
        """Runs a command in the container, as root; its result has text."""
        return self._run(["nsenter", "-t", self.leader, "-a", *command], check, text, seconds)

    def network(self, *command, check=True, seconds=60):
        """Runs a command of this machine in the container's network."""
        return self._run(["nsenter", "-t", self.leader, "-n", *command], check, None, seconds)

    def _run(self, command, check, text, seconds):
        result = subprocess.run(command, input=text, stdin=None if text else subprocess.DEVNULL, capture_output=True, text=True,
                                errors="replace", timeout=seconds)
        if check and result.returncode:
            raise Failure(f"{' '.join(command[4:])}: status {result.returncode}: {result.stderr.strip()[-800:]}")
        return result

    def write(self, path, text, mode="644", owner="root:root"):
        self.inside("sh", "-c", 'mkdir -p "$(dirname "$1")" && umask 077 && cat > "$1.new" && chown "$3" "$1.new" && chmod "$2" "$1.new" &&'
                    ' mv "$1.new" "$1"', "write", path, mode, owner, text=text)

    def systemctl(self, *arguments, check=True, seconds=90):
        return self.inside("systemctl", *arguments, check=check, seconds=seconds)

    # What systemd and the journal say

    def show(self, name, unit=UNIT):
        return self.systemctl("show", "--value", "--property", name, unit).stdout.strip()

    def active(self):
        return self.systemctl("is-active", UNIT, check=False).stdout.strip()

    def restarts(self):
        return int(self.show("NRestarts"))

    def pid(self):
        return int(self.show("MainPID"))

    def outer_pid(self):
        """The daemon's process id on this machine."""
        inner = self.pid()
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            ids = re.search(r"^NSpid:\s+(.*)$", text, re.M)
            same = re.search(r"^Name:\s+bailiwickd$", text, re.M)
            if ids and same and ids[1].split()[1:] == [str(inner)] and self._is_ours(status.parent.name):
                return int(status.parent.name)
        raise Failure(f"process {inner} of the container was not found")

    def _is_ours(self, pid):
        return pathlib.Path(f"/proc/{pid}/ns/net").readlink() == pathlib.Path(f"/proc/{self.leader}/ns/net").readlink()

    def cursor(self):
        self.inside("journalctl", "--sync")
        output = self.inside("journalctl", "-n", "0", "--show-cursor").stdout
        return output.rsplit("cursor: ", 1)[1].strip()

    def journal(self, cursor, *matches):
        """What the journal got since, as dictionaries."""
        self.inside("journalctl", "--sync")
        # Not --after-cursor: with matches, systemd 252 leaves out the first entry that they find.
        output = self.inside("journalctl", "-o", "json", "--all", f"--cursor={cursor}", *matches).stdout
        return [entry for entry in map(json.loads, output.splitlines()) if entry["__CURSOR"] != cursor]

    def messages(self, cursor):
        return [entry.get("MESSAGE", "") for entry in self.journal(cursor, "_SYSTEMD_UNIT=" + UNIT, "+", "UNIT=" + UNIT)]

    def until(self, condition, what, seconds=20):
        """Waits until the condition holds, and gives what it gave."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Failure(f"not within {seconds} s: {what}")
            time.sleep(0.05)

    # Clients

    def curl(self, who, path, *arguments, port=8443, source="127.0.10.5"):
        """One request; its status (0 where there was no answer) and its body."""
        result = self.network(
            "curl", "-s", "--max-time", "20", "--cacert", f"{self.pki}/servers-ca.crt", "--cert", f"{self.pki}/{who}.crt",
            "--key", f"{self.pki}/{who}.key", "--interface", source, "-w", "\n%{http_code}", *arguments,
            f"https://127.0.0.1:{port}{path}", check=False)
        body, _, status = result.stdout.rpartition("\n")
        return int(status or 0), body

    def get(self, who="dub1-mailserver", key="alice/1", **options):
        return self.curl(who, f"/mail-dub1/{key}", **options)[0]

    def ready(self):
        """Status and body of /ready, on the Unix socket."""
        result = self.inside("bash", "-c", "true", check=False)
        expect(result.returncode == 0, "the container is gone")
        socket = f"/proc/{self.leader}/root/run/bailiwick/operators.sock"
        result = subprocess.run(["curl", "-s", "--max-time", "10", "-w", "\n%{http_code}", "--unix-socket", socket, "http://localhost/ready"],
                                capture_output=True, text=True)
        body, _, status = result.stdout.rpartition("\n")
        return int(status or 0), body
