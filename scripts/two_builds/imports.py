"""Part 3: real files into fresh directories: every topic, every table, and the results of SLOs."""

import gzip
import json
import re
import shutil
import time
from collections import Counter
from datetime import datetime

from . import avro, logfile, tables
from .recording import Recording
from .running import must, output, run

PART = "imports"
SLOS = "cli/tests/real_files/slos.yaml"
CASES = [
    ("trainticket", "requests/trainticket-2023-01-29.events.ndjson.gz", ["--format", "json"]),
    ("onlineboutique", "requests/onlineboutique-frontend-2022-08-22.events.ndjson.gz", ["--format", "json"]),
    ("nasa", "access-logs/nasa-ksc-1995-08-01.common.log.gz", ["--format", "common", "--service", "www"]),
    ("zanbil", "access-logs/zanbil-shop.nginx-combined.log.gz", ["--format", "combined", "--service", "shop"]),
    ("zanbil-as-common", "access-logs/zanbil-shop.nginx-combined.log.gz", ["--format", "common", "--service", "shop"]),
]
# Of a series: when it was evaluated, since when it is complete, and when its budget will be spent.
OF_NOW = ("as_of", "covered_from", "exhaustion_at")
# Topics whose records do not depend on the clock.
PLAIN = ("request-events", "dead-letters", "import-positions", "slo-definitions")
QUESTIONS = [
    ["kpis"],
    *(["kpis", "--by", by] for by in ("service", "endpoint", "method", "status-code")),
    ["kpis", "--step", "10m"],
    ["events", "--limit", "500"],
]


def record(build, base, data, scratch):
    """Each file unchanged, a second time, without kills; then one whose events ended just now, with SLOs."""
    recording = Recording()
    for name, file, args in CASES:
        path = scratch / file.rsplit("/", 1)[-1]
        shutil.copyfile(data / file, path)
        for json_flag in ([], ["--json"]):
            for time_ in ("first", "again"):
                into = f"{name}{'-json' if json_flag else ''}"
                told = run(build, ["import", *args, *json_flag, "--data", into, path.name], scratch)
                recording.add("what import says", f"{into} {time_}", told)
        for question in QUESTIONS:
            told = run(build, ["query", *question, "--json", "--data", name], scratch)
            recording.add("queries", f"{name} {question}", told)
        plain(recording, scratch / name, name)
        for table, lines in tables.rows(scratch / name, tables.OF_EVENTS, log_times=False).items():
            recording.add_lines(f"table {table}", name, lines)
    recording.add_lines("the store's schema", "store.db", tables.schema(scratch / CASES[0][0]))
    recording.add_lines("the log's schema", "log.db", schema_of_log(scratch / CASES[0][0]))
    evaluated(build, base, recording, data, scratch)
    return recording


def plain(recording, directory, name):
    """For a compacted topic, the newest record of each key: when the others are removed is random."""
    records = [record for record in logfile.records(directory) if record.topic in PLAIN]
    newest = {(r.topic, r.key): r.offset for r in records}
    for record in records:
        if record.topic != "import-positions" or newest[record.topic, record.key] == record.offset:
            recording.add(f"topic {record.topic}", f"{name} {record.partition}@{record.offset}", logfile.line(record))


def schema_of_log(directory):
    db = logfile.sqlite3.connect(directory / "log.db")
    made = [
        f"{kind} {name}: {sql}"
        for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")
    ]
    return made + [
        f"{pragma} {db.execute(f'PRAGMA {pragma}').fetchone()[0]}"
        for pragma in ("application_id", "user_version", "page_size")
    ]


def evaluated(build, base, recording, data, scratch):
    """Train Ticket, moved by whole seconds so that it ended just now: sums by second relative to that end, and
    where each series stands."""
    shutil.copyfile(base.tree / SLOS, scratch / "slos.yaml")
    end = moved(data / CASES[0][1], scratch / "moved.ndjson")
    must(build, ["import", "--format", "json", "--slos", "slos.yaml", "--data", "moved", "moved.ndjson"], scratch)
    schemas = avro.schemas(base.tree)
    cells, covered = Counter(), []
    for found in logfile.records(scratch / "moved"):
        if found.topic == "sli-tallies":
            batch, head = avro.decode(schemas, found.topic, found.value)
            covered.append((batch["from"], batch["to"]))
            for e in batch["entries"]:
                key = (head, e["slo"], e["objective"], *e["group"], e["slot"] - end)
                for what in ("good", "total", "unknown"):
                    cells[*key, what] += e[what]
        elif found.topic == "slo-definitions":
            recording.add("topic slo-definitions", f"moved {found.offset}", logfile.line(found))
    for key, count in sorted(cells.items()):
        recording.add("sli-tallies: sums by series and second", str(key), str(count))
    recording.add(
        "sli-tallies: offsets covered",
        "from and to",
        f"{min(covered)[0]} {max(to for _, to in covered)} {sum(to - at for at, to in covered)}",
    )
    standing(recording, build, scratch, "moved")


def standing(recording, build, cwd, directory):
    """The status of each series, except for what depends on the time of the query: the budget's period contains everything."""
    told = must(build, ["query", "slos", "--json", "--data", directory], cwd)
    for series in json.loads(output(told))["slos"]:
        name = f"{directory} {series['name']} {series['objective']} {json.dumps(series.get('group'))}"
        series["burn_rates"] = list(series["burn_rates"])
        recording.add(
            "query slos: each series", name, json.dumps({k: "#" if k in OF_NOW and v else v for k, v in series.items()})
        )


def moved(source, to):
    """Writes events so that the last one ended at a whole second just now; that second."""
    lines = [json.loads(line) for line in gzip.open(source, "rt")]
    instants = [micros(line["time"]) for line in lines]
    end = int(time.time())
    newest = -(-max(instants) // 1_000_000) * 1_000_000
    with open(to, "w") as out:
        for line, instant in zip(lines, instants):
            out.write(json.dumps(line | {"time": instant - newest + end * 1_000_000}) + "\n")
    return end


def micros(text):
    """Microseconds of an RFC 3339 time, truncated."""
    whole, fraction = re.fullmatch(r"([^.Z]+)(?:\.(\d+))?Z", text).groups()
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 1_000_000 + int((fraction or "0").ljust(6, "0")[:6])
