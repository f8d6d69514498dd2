"""Events of the Train Ticket day: python3 events.py Nezha/rca_data/2023-01-29 > events.ndjson

A request is a server span: a row of trace/*.csv whose operation is a route. The traces have no status: it is 500 where the
service logged under the same span that its servlet threw an exception, else 200; the gateway passes on what it got.
"""

import csv
import glob
import json
import re
import sys
from datetime import datetime, timezone

folder = sys.argv[1]
csv.field_size_limit(1 << 30)


def rows(pattern):
    for path in sorted(glob.glob(f"{folder}/{pattern}")):
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            yield from csv.DictReader(file)


def time(nanoseconds):
    second = datetime.fromtimestamp(nanoseconds // 10**9, timezone.utc)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09}Z"


thrown = re.compile(r"Servlet\.service\(\).*threw exception")
failed = {(row["TraceID"], row["SpanID"]) for row in rows("log/*.csv") if thrown.search(row["Log"] or "")}
spans = list(rows("trace/*.csv"))
by_id = {(span["TraceID"], span["SpanID"]): span for span in spans}
below = {}
# Minutes overlap: a span may be in two files.
for span in by_id.values():
    below.setdefault((span["TraceID"], span["ParentID"]), []).append(span)


def descendants(span):
    for child in below.get((span["TraceID"], span["SpanID"]), []):
        yield child
        yield from descendants(child)


for span in spans:
    route = span["OperationName"]
    if not route.startswith("/"):
        continue
    trace, own = span["TraceID"], span["SpanID"]
    parent = by_id.get((trace, span["ParentID"]))
    if parent:
        client, status = parent["OperationName"], 500 if (trace, own) in failed else 200
    else:
        beneath = list(descendants(span))
        client = next(s["OperationName"] for s in beneath if s["OperationName"].startswith("HTTP "))
        answered = [(s["TraceID"], s["SpanID"]) for s in beneath if s["OperationName"].startswith("/")]
        status = 500 if answered[0] in failed else 200
    begin, end = int(span["StartTimeUnixNano"]), int(span["EndTimeUnixNano"])
    event = {
        "event_id": f"{trace}-{own}",
        "time": time(begin),
        "service": span["PodName"].rsplit("-", 2)[0],
        "endpoint": route,
        "method": client.removeprefix("HTTP "),
        "status_code": status,
        "latency_ms": (end - begin) / 1e6,
        "trace_id": trace,
    }
    print(json.dumps(event))
