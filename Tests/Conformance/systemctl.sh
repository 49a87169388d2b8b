#!/bin/bash
# systemctl VERB [UNIT]: what the blocks of docs/OPERATING.md ask of systemd, done to the one daemon below $SITE. As systemd 252 does it,
# credentials are handed over at a start and not refreshed by a reload; start and reload return when the daemon has come up, or taken it.
set -euo pipefail
run=$SITE/run/test
mkdir -p "$run"
touch "$run/out"
alive() { [ -s "$run/pid" ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$(cat "$run/pid")/stat" 2> /dev/null || echo Z)" != Z ]; }
count() { grep -c "$1" "$run/out" || true; }
stop() {
  alive || return 0
  kill "$(cat "$run/pid")"
  while alive; do sleep 0.02; done
}
start() {
  rm -rf "$run/credentials"
  mkdir -m 700 "$run/credentials"
  local name path
  while IFS=: read -r name path; do cp "$path" "$run/credentials/$name"; done \
    < <(sed -n 's/^LoadCredential=//p' "$SITE"/etc/systemd/system/bailiwick.service.d/*.conf)
  (
    # Whoever waits for this script must not wait for the daemon, which would inherit the descriptors that it waits by.
    for descriptor in /proc/$BASHPID/fd/*; do
      [ "${descriptor##*/}" -le 2 ] || eval "exec ${descriptor##*/}>&-"
    done
    export CREDENTIALS_DIRECTORY=$run/credentials
    exec setsid "$PRODUCTS/bailiwickd" --config "$SITE/etc/bailiwick/bailiwick.toml" >> "$run/out" 2>&1 < /dev/null
  ) &
  echo $! > "$run/pid"
  until curl -s --fail -o /dev/null --unix-socket "$SITE/run/bailiwick/operators.sock" http://localhost/ready; do
    if ! alive; then
      wait $! || status=$?
      tail -n 5 "$run/out" >&2
      exit "${status:-1}"
    fi
    sleep 0.05
  done
}
reload() {
  local taken refused
  taken=$(count 'settings reloaded') refused=$(count 'NOT reloaded')
  kill -HUP "$(cat "$run/pid")"
  until [ "$(count 'settings reloaded')" -gt "$taken" ]; do
    if [ "$(count 'NOT reloaded')" -gt "$refused" ]; then tail -n 5 "$run/out" >&2; exit 1; fi
    alive || { echo 'the daemon ended' >&2; exit 1; }
    sleep 0.02
  done
}
case $1 in
  daemon-reload) ;;
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  reload) reload ;;
  *) echo "systemctl $1 is not for tests" >&2; exit 64 ;;
esac
