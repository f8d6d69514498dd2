#!/usr/bin/env bash
# Slipstream on Kafka and PostgreSQL, from a Python producer to the alert at a webhook: starts a Kafka and a PostgreSQL in a
# temporary folder (Docker where a daemon answers, else native processes), runs pipeline.sh beside them, and ends all of it.
#
#     examples/kafka/run.sh                              from a fresh clone; the first time it builds what it needs, but
#                                                        for the binary in BIN, if that is given
#     examples/kafka/pipeline.sh HOST:PORT POSTGRES_URL  the same against services you have
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
target="${CARGO_TARGET_DIR:-$root/target}"

"$root/scripts/setup" test
cd "$root"
if [ -z "${BIN:-}" ]; then
  cargo build --locked --release --bin slipstream
  BIN="$target/release/slipstream"
fi
cargo build --locked --package slipstream-testkit --bin slipstream-test-services
export BIN
exec "$target/debug/slipstream-test-services" "$here/pipeline.sh"
