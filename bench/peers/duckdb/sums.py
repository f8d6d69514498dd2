"""What a what-if has to know, by DuckDB: good and total of each of the 40 SLOs of the bench (bench/src/kafka/slos.rs), a row a
second, from events as JSON lines. Prints how many events it saw.

Usage: sums.py EVENTS.ndjson [once]     once: of events with the same event_id only one counts
"""

import sys

import duckdb

SERVICES = [f"service-{number:02}" for number in range(20)]
GOOD = {"availability": "status_code < 500", "latency": "latency_ms <= 300"}

# Columns are named: nothing is inferred, and what no filter reads is passed over.
COLUMNS = {
    "time": "BIGINT",
    "service": "VARCHAR",
    "status_code": "INTEGER",
    "latency_ms": "DOUBLE",
    "weight": "BIGINT",
}

file, *once = sys.argv[1:]
if once:
    COLUMNS = {"event_id": "VARCHAR"} | COLUMNS

sums = []
for service in SERVICES:
    for kind, good in GOOD.items():
        of = f"service = '{service}'"
        sums.append(f"sum(weight) FILTER ({of} AND {good}) AS \"good of {service}-{kind}\"")
        sums.append(f"sum(weight) FILTER ({of}) AS \"total of {service}-{kind}\"")

events = f"read_json(?, format = 'newline_delimited', columns = {COLUMNS})"
if once:
    events = f"(SELECT DISTINCT ON (event_id) * FROM {events})"
seconds = duckdb.execute(
    f"""
    SELECT time // 1000000 AS second, count(*) AS events, {", ".join(sums)}
    FROM {events}
    GROUP BY second ORDER BY second
    """,
    [file],
).fetchall()
print(sum(second[1] for second in seconds))
