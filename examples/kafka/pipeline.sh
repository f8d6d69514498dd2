#!/usr/bin/env bash
# Two processes on Kafka and PostgreSQL, a Python producer straight to Kafka, the rows, the alert at a webhook receiver.
#
#     pipeline.sh HOST:PORT POSTGRES_URL
#
# It creates its own topics and database on the given services; the topics are kept, the database is dropped.
# Without arguments it uses what run.sh has started. BIN is the binary, by default the one built by `make build`.
# Needs Python 3 with venv, and psql. Exit code 0: every event was counted, and the alert fired and resolved.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
target="${CARGO_TARGET_DIR:-$root/target}"
slipstream="${BIN:-$target/release/slipstream}"
kafka="${1:-${SLIPSTREAM_TEST_KAFKA:-}}"
postgres="${2:-${SLIPSTREAM_TEST_POSTGRES:-}}"

# To slipstream they are no settings.
unset "${!SLIPSTREAM_@}"

say() { printf '\n== %s\n' "$*"; }
die() { printf 'pipeline.sh: %s\n' "$*" >&2; exit 1; }

[ -n "$kafka" ] && [ -n "$postgres" ] || die "usage: $0 HOST:PORT POSTGRES_URL (or examples/kafka/run.sh, which starts both)"
[ -x "$slipstream" ] || die "no $slipstream: run \`make build\` first"
command -v psql >/dev/null || die "psql is missing (Debian: postgresql-client)"

# --- what has to end with this script: processes by their ids, the folder, the database ---------------------------------

work="$(mktemp -d)"
name="example_$$_$(date +%s)"
processes=()

finish() {
  local code=$?
  trap - EXIT
  # Roles first, so that what they were told is delivered before the receiver ends.
  for ((i = ${#processes[@]} - 1; i >= 0; i--)); do
    kill "${processes[i]}" 2>/dev/null || true
    wait "${processes[i]}" 2>/dev/null || true
  done
  psql "$postgres" --quiet -c "DROP DATABASE IF EXISTS $name WITH (FORCE)" 2>/dev/null || true
  if [ "$code" != 0 ]; then
    for log in "$work"/*.log; do
      [ ! -s "$log" ] || { echo "--- end of $(basename "$log")"; tail -n 20 "$log"; } >&2
    done
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start LOG COMMAND...: in the background, until the end of this script.
start() {
  local log="$1"; shift
  "$@" >"$work/$log" 2>&1 </dev/null &
  processes+=("$!")
}

# until_true SECONDS WHAT COMMAND...: waits for a condition.
until_true() {
  local deadline=$((SECONDS + $1)) what="$2"; shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || die "waited in vain: $what"
    sleep 0.2
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
ready() { python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "http://$1/readyz" 2>/dev/null; }

# --- producers: confluent-kafka and fastavro, as any Python service would have them --------------------------------------

venv="$target/example-venv"
requirements="$root/examples/publish/requirements.txt"
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
  say "Python packages of the producers"
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/requirements.txt"
fi

# publish FORMAT ARGUMENTS...: straight to Kafka.
publish() {
  PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$root/examples/publish/python_$1.py" \
    --bootstrap "$kafka" --topic "$name.request-events" "${@:2}"
}

# --- the installation ------------------------------------------------------------------------------------------------------

say "an installation: topics $name.* at $kafka, database $name"
psql "$postgres" --quiet -c "CREATE DATABASE $name"
database="$(sed -E "s|^([a-z]+://[^/?]+)(/[^?]*)?|\1/$name|" <<<"$postgres")"
cat >"$work/slipstream.yaml" <<YAML
log: kafka://$kafka
store: $database
kafka:
  prefix: $name.
YAML
at=(--config "$work/slipstream.yaml")
"$slipstream" topics ensure "${at[@]}"

say "two processes share the roles, and a receiver waits for alerts"
start receiver.log python3 "$here/receiver.py" "$work/receiver.url"
until_true 20 "the webhook receiver listens" test -s "$work/receiver.url"
counting="127.0.0.1:$(free_port)" telling="127.0.0.1:$(free_port)"
start counting.log "$slipstream" run "${at[@]}" --roles tally,burn --ops-listen "$counting" --slos "$here/slos.yaml"
start telling.log "$slipstream" run "${at[@]}" --roles sink,alerter,notifier --ops-listen "$telling" \
  --webhook "$(cat "$work/receiver.url")"
# The first is ready when its definitions apply: five seconds after it published them.
until_true 60 "the first process is ready" ready "$counting"
until_true 60 "the second process is ready" ready "$telling"
echo "process ${processes[1]}: tally, burn; process ${processes[2]}: sink, alerter, notifier"
"$slipstream" doctor "${at[@]}" || die "the doctor finds what has to be done first"

# --- the story ---------------------------------------------------------------------------------------------------------------

hits() { "$slipstream" query kpis "${at[@]}" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["hits"])'; }
stored() { [ "$(hits)" -ge "$1" ]; }
told() { grep -q "^$1	payment-availability	" "$work/receiver.log"; }

say "good requests: Python straight to Kafka, as JSON and as Avro"
publish json --service payment --count 2000 --errors 0
publish avro --service catalogue --count 2000 --errors 0.001
until_true 60 "4000 events are stored" stored 4000

say "a fault: half of the payments fail"
fault_began=$SECONDS
publish json --service payment --count 1000 --errors 0.5
until_true 60 "the alert comes" told firing
fired_after=$((SECONDS - fault_began))
until_true 60 "5000 events are stored" stored 5000

say "the rows: slipstream query kpis, and SQL"
"$slipstream" query kpis "${at[@]}" --by service
psql "$database" -P pager=off -c "SELECT time, service, endpoint, method, status_code, round(latency_ms::numeric, 1) AS latency_ms
  FROM slipstream.request_events WHERE status_code >= 500 ORDER BY time DESC LIMIT 5"
"$slipstream" query slos "${at[@]}"

say "the fault is over: good payments again"
publish json --service payment --count 1000 --errors 0
until_true 60 "6000 events are stored" stored 6000
until_true 90 "the alert is resolved" told resolved

say "what the webhook receiver got"
cat "$work/receiver.log"
psql "$database" -P pager=off -c "SELECT slo, state, severity, round(value::numeric, 1) AS burn_rate, fired_at, ended_at FROM slipstream.alerts"

say "summary"
counted="$(hits)"
echo "6000 events published to Kafka, $counted stored in PostgreSQL"
echo "the alert came $fired_after s after the fault had begun, and was resolved"
[ "$counted" = 6000 ] || die "not every event is there once"
