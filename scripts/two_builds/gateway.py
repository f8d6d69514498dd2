"""The responses of the gateway and of the health and metrics endpoints, and what is in the log afterwards."""

import gzip
import json
import re

from . import logfile
from .normalise import USED
from .recording import Recording
from .running import Process, ask, until

PORT = 18_650
JSON = {"Content-Type": "application/json"}
START = 1_700_000_000_000_000


def event(**more):
    known = {
        "event_id": "e",
        "time": START,
        "service": "pay",
        "endpoint": "/x",
        "method": "GET",
        "status_code": 200,
        "latency_ms": 1.5,
    }
    return {k: v for k, v in (known | more).items() if v is not ...}


# Each value in turn instead of a good one; `...` omits the field.
VALUES = {
    "event_id": ["", "a" * 128, "a" * 129, 7, None, "ünï", " "],
    "time": [
        ...,
        None,
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.123456789+01:00",
        "2023-11-14",
        1_700_000_000,
        1_700_000_000_000,
        -1,
        1.5,
        2**63,
        "x",
        4_102_444_800_000_000,
    ],
    "service": [..., None, "", "a" * 300, 7, "a b"],
    "environment": [None, "", "production", 1, "a" * 300],
    "endpoint": [..., None, "", "x", "/" + "a" * 3000, 7],
    "method": [..., None, "", "get", "G E T", "a" * 100, 7],
    "status_code": [..., None, "200", 99, 100, 599, 600, 700, -1, 200.0, 200.5, 2**40],
    "latency_ms": [..., None, 0, -0.5, "1", 1e300, 86_400_001],
    "weight": [None, 0, 1, -1, 1_000_000, 2**31, 1.5, "2"],
    "trace_id": [None, "", "4bf92f3577b34da6a3ce929d0e0e4736", "4BF92F3577B34DA6A3CE929D0E0E4736", "x", "0" * 32],
    "user_ref": [None, "", "u", "a" * 1000],
    "attributes": [
        None,
        {},
        {"a": "b"},
        {"a": 1},
        {"": "x"},
        {"a": None},
        {f"k{i}": "v" for i in range(200)},
        {"a": "v" * 10_000},
        [],
        "x",
    ],
    "more": [1],
}


def requests():
    """Name, body, headers, path, method."""
    found = []

    def add(name, body, headers=JSON, path="/v1/events", method=None):
        found.append(
            (
                name,
                body if body is None or isinstance(body, bytes) else json.dumps(body).encode(),
                headers,
                path,
                method,
            )
        )

    for field, values in VALUES.items():
        for n, value in enumerate(values):
            for strict in ("", "?strict=true"):
                made = event(event_id=f"{field}-{n}{strict}") | {field: value}
                add(
                    f"{field} {n} {strict}", {k: v for k, v in made.items() if v is not ...}, path=f"/v1/events{strict}"
                )
    good = [event(event_id=f"many-{i}") for i in range(5)]
    mixed = [*good[:2], event(event_id="bad", status_code=700), {}, 7, event(event_id="late", method="")]
    lines = b"".join(json.dumps(e).encode() + b"\n" for e in good)
    for strict in ("", "?strict=true", "?strict=false", "?strict=perhaps", "?more=1"):
        path = f"/v1/events{strict}"
        add(f"a list {strict}", good, path=path)
        add(f"a mixed list {strict}", mixed, path=path)
        add(f"an object {strict}", {"events": mixed}, path=path)
    ndjson = {"Content-Type": "application/x-ndjson"}
    add("lines", lines, ndjson)
    add("lines, some of them bad", lines + b"\nno JSON\n{}\n" + lines, ndjson)
    add("lines as JSON", lines)
    add("gzip", gzip.compress(lines, mtime=0), ndjson | {"Content-Encoding": "gzip"})
    add("no gzip", lines, ndjson | {"Content-Encoding": "gzip"})
    add("torn gzip", gzip.compress(lines, mtime=0)[:-9], ndjson | {"Content-Encoding": "gzip"})
    add("zstd", lines, ndjson | {"Content-Encoding": "zstd"})
    add("nothing", b"")
    add("an empty list", [])
    add("an empty object", {})
    add("no JSON", b"{")
    add("not UTF-8", b'{"service":"\xff"}')
    add("plain text", lines, {"Content-Type": "text/plain"})
    add("no type", lines, {})
    add("too many", b"[" + b",".join([b"{}"] * 50_001) + b"]")
    add("too large", b" " * (17 << 20))
    add("the same identity twice", [good[0], good[0]])
    for path in ("/", "/v1/events", "/v1/event", "/v1/events/1", "/healthz", "/readyz", "/metrics"):
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
            add(f"{method} {path}", None, {}, path, method)
    return found


def record(build, scratch):
    recording = Recording()
    process = Process(
        build,
        scratch,
        ["--slos", "examples/shop/slos.yaml", "--data", "gateway", "--webhook", "http://127.0.0.1:9/nobody"],
        PORT,
    )
    try:
        for name, body, headers, path, method in requests():
            recording.add("gateway's answers", name, said(ask(process.gateway + path, body, headers, method)))
        # The last of them to come: the first snapshot of burn's state.
        until(
            lambda: "slipstream_burn_snapshot_chunks_total{" in ask(f"{process.ops}/metrics")[2],
            "all metrics are there",
        )
        for path in ("/", "/healthz", "/readyz", "/metrics", "/nothing"):
            text = said(ask(process.ops + path))
            recording.add("health and metrics", path, metrics(text) if path == "/metrics" else text)
    finally:
        stopped = process.stop()
    recording.add("exit code of run", "SIGTERM", str(stopped))
    for r in logfile.records(scratch / "gateway"):
        if r.topic in ("request-events", "dead-letters", "slo-definitions"):
            recording.add(
                f"topic {r.topic} behind the gateway", f"{r.partition}@{r.offset}", without_chance(logfile.line(r))
            )
    return recording


def said(answer):
    status, headers, body = answer
    kept = sorted(f"{name.lower()}: {value}" for name, value in headers.items() if name.lower() != "date")
    return without_chance("\n".join([str(status), *kept, body]))


def without_chance(text):
    """Ids assigned by the gateway start with the time and are random after it; also as bytes of a record."""
    text, times = re.subn(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid v7>", text)
    more = 0
    if not times:
        byte = "(?:3[0-9]|6[1-6])"
        uuid = f"{byte}{{8}}2d{byte}{{4}}2d37{byte}{{3}}2d{byte}{{4}}2d{byte}{{12}}"
        text, more = re.subn(uuid, "<uuid v7>", text)
    if times + more:
        USED["event_id that the gateway gave (UUIDv7)"] += times + more
    return text


def metrics(text):
    """Names, kinds, help and labels; figures differ between runs."""
    USED["figures of metrics"] += 1
    lines = [line if line.startswith("#") else re.sub(r" [^ ]+$", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines if "content-length" not in line)
