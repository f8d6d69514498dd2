#!/usr/bin/env bash
# Publishes request events as JSON lines with kcat: a line is the key, a tab, and the event.
#
#     ./kcat.sh --bootstrap localhost:9092 --service shop --count 1000
#
# To publish events you have as JSON lines (events.jsonl), replace the generator:
#
#     jq -r '[.event_id, tojson] | join("\t")' events.jsonl | kcat ...
set -euo pipefail

bootstrap=localhost:9092 topic=slipstream.request-events count=1000 service=shop errors=0.01
properties=()
while [ $# -gt 0 ]; do
  case $1 in
    --bootstrap) bootstrap=$2 ;;
    --topic) topic=$2 ;;
    --count) count=$2 ;;
    --service) service=$2 ;;
    --errors) errors=$2 ;;
    -X) properties+=(-X "$2") ;;
    *) echo "unknown argument: $1 (see the head of $0)" >&2; exit 2 ;;
  esac
  shift 2
done

# An event_id has to be unique and its own again when the same event is sent again: host, process, start, number.
events() {
  awk -v run="$(hostname)-$$-$(date +%s)" -v count="$count" -v service="$service" -v errors="$errors" \
    -v time="$(date -u +%Y-%m-%dT%H:%M:%SZ)" '
    BEGIN {
      srand()
      for (i = 0; i < count; i++) {
        id = run "-" i
        status = rand() < errors ? 503 : 200
        printf "%s\t{\"event_id\":\"%s\",\"time\":\"%s\",\"service\":\"%s\",\"environment\":\"production\",", id, id, time, service
        printf "\"endpoint\":\"/cart\",\"method\":\"GET\",\"status_code\":%d,\"latency_ms\":%.3f}\n", status, 5 + rand() * 50
      }
    }'
}

# Without -K kcat sends no key, and without the partitioner it uses another than Java's: copies of an event that was sent
# again would not meet. kcat exits with 1 if any event was not delivered.
events | kcat -P -b "$bootstrap" -t "$topic" -K '\t' -z lz4 \
  -X enable.idempotence=true -X acks=all -X partitioner=murmur2_random \
  -X linger.ms=20 -X delivery.timeout.ms=60000 "${properties[@]}"
echo "$count events delivered to $topic" >&2
