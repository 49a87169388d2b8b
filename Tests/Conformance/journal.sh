#!/bin/bash
# journal.sh FOLDER PORT DAEMON: in a mount namespace of its own, a real systemd-journald and a gateway that exports to it. Prints the
# journal's entries as JSON lines, then `missed N`: what the gateway counted once the journal was gone.
set -euo pipefail
folder=$1 port=$2 daemon=$3
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal "/run/log/journal/$(cat /etc/machine-id)"
/lib/systemd/systemd-journald & journald=$!
gateway=
trap '[ -z "$gateway" ] || kill -9 $gateway 2> /dev/null || true; kill -9 $journald 2> /dev/null || true' EXIT
until [ -S /run/systemd/journal/socket ]; do sleep 0.05; done
JOURNAL_STREAM=1:1 "$daemon" --config "$folder/dub1-gw1.toml" 2> "$folder/daemon.out" & gateway=$!
call() { # call WHO ADDRESS CURL-ARGUMENTS...
  curl -sS -o "$folder/answer" -w '%{http_code} %{time_total}\n' --max-time 20 --cacert "$folder/pki/servers-ca.crt" \
    --cert "$folder/pki/$1.crt" --key "$folder/pki/$1.key" --interface "$2" "${@:3}" >&2
}
until curl -sf -o /dev/null --unix-socket "$folder/run/dub1-gw1.sock" http://localhost/ready; do sleep 0.05; done
url=https://127.0.0.1:$port/mail-dub1/alice/1
echo content > "$folder/content"
call dub1-mailserver 127.0.10.5 -T "$folder/content" "$url"
call iad1-ediscovery 127.0.20.5 "$url"
# A journal that does not take anything delays no answer.
kill -STOP $journald
for _ in 1 2 3 4 5; do call dub1-mailserver 127.0.10.5 --max-time 2 "$url"; done
kill -CONT $journald
sleep 1.5
journalctl -D /run/log/journal -o json --no-pager BAILIWICK_INDEX=0 + _PID=$gateway
# One that is gone is counted.
kill -9 $journald
call dub1-mailserver 127.0.10.5 "$url"
for _ in $(seq 100); do
  call dub1-operator 127.0.10.5 "https://127.0.0.1:$((port + 1))/metrics"
  missed=$(sed -n 's/^bailiwick_journal_missed_total //p' "$folder/answer")
  [ "${missed:-0}" -eq 0 ] || break
  sleep 0.1
done
echo "missed $missed"
kill -TERM $gateway
wait $gateway
gateway=
