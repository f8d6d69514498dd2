"""Part 5: directories that BASE created, stopped in order or killed, are opened by BASE and NEW and continue: the same events
arrive, with the same results. And from one log each build creates the same tables."""

import json
import re
import shutil
import time
from collections import Counter

from . import avro, fixtures, logfile, tables, webhooks
from .imports import standing
from .recording import Recording
from .running import Process, must, run, until

PART = "directories"
PORTS = {"BASE": 18_620, "NEW": 18_630}
ENDS = {"stopped": Process.stop, "killed": Process.kill}


def goes_on(base, new, scratch):
    """Recordings of both, of directories that were created just now: an alert is firing in them."""
    recordings = {"BASE": Recording(), "NEW": Recording()}
    shop = base.tree / "examples" / "shop" / "slos.yaml"
    shutil.copyfile(shop, scratch / "slos.yaml")
    for name, end in ENDS.items():
        fixtures.burning(base, scratch, "slos.yaml", name, end)
        for build in (base, new):
            (scratch / build.name).mkdir(exist_ok=True)
            shutil.copytree(scratch / name, scratch / build.name / name)
            shutil.copyfile(shop, scratch / build.name / "slos.yaml")
        both(name, [base, new], scratch, recordings, avro.schemas(base.tree))
    return recordings["BASE"], recordings["NEW"]


def both(name, builds, scratch, recordings, schemas):
    """Both continue at the same time, each with its copy."""
    receivers = {b.name: webhooks.Receiver() for b in builds}
    began = {b.name: logfile.records(scratch / b.name / name) for b in builds}
    running = []
    try:
        for b in builds:
            # With an explicit name: else its name is its address, which differs.
            receiver = {"name": "on-call", "url": receivers[b.name].url}
            (scratch / b.name / "slipstream.yaml").write_text(json.dumps({"receivers": [receiver]}))
            args = ["--slos", "slos.yaml", "--data", name, "--config", "slipstream.yaml"]
            running.append((b, Process(b, scratch / b.name, args, PORTS[b.name])))
        for second in range(8):
            body = fixtures.events(f"{name}-on", second, failing=0.5 if second < 3 else 0.0, late=4)
            for b, process in running:
                status, _, said = process.post(body)
                recordings[b.name].add("gateway's answers", f"{name} {second}", f"{status} {said}")
            time.sleep(1)
        for b, _ in running:
            until(lambda b=b: not fixtures.firing(b, scratch / b.name, name), f"{b.name}: alerts are resolved", 150)
        time.sleep(2)
        for b, process in running:
            recordings[b.name].add("exit codes", f"{name} SIGTERM", str(process.stop()))
    finally:
        for _, process in running:
            process.kill()
    for b, process in running:
        receivers[b.name].close()
        heard(recordings[b.name], name, receivers[b.name], process)
        told(recordings[b.name], name, scratch / b.name, began[b.name], schemas, b)
        recordings[b.name].add("what is said on standard error", name, "\n".join(messages(process.stderr())))


def messages(stderr):
    """Each kind of line once: level and message; what comes by chance of time is in their fields."""
    found = set()
    for line in stderr.splitlines():
        try:
            said = json.loads(line)
            found.add(
                json.dumps(
                    [
                        said.get("level"),
                        said.get("target"),
                        said.get("message") or said.get("fields", {}).get("message"),
                    ]
                )
            )
        except ValueError:
            found.add(re.sub(r"\d+", "#", line))
    return sorted(found)


def heard(recording, name, receiver, process):
    """Notifications as they came, by status and labels: one SLO is one group, and one of its series burns."""
    addresses = (receiver.address, process.gateway.removeprefix("http://"))
    for delivery in receiver.came:
        body = json.loads(delivery[2])
        key = " ".join([name, body["status"], *(json.dumps(alert["labels"]) for alert in body["alerts"])])
        recording.kinds.setdefault("webhook bodies", {})[key] = webhooks.normalised(delivery, *addresses)


def told(recording, name, home, began, schemas, build):
    """What became of the events, over both lives of the directory."""
    records = logfile.records(home / name)
    before = {(r.topic, r.partition, r.offset): logfile.line(r, log_time=True) for r in began}
    kept = {(r.topic, r.partition, r.offset): logfile.line(r, log_time=True) for r in records}
    lost = [line for key, line in before.items() if key in kept and kept[key] != line]
    gone = Counter(
        key[0]
        for key in before
        if key not in kept and key[0] not in ("burn-snapshots", "burn-rates", "import-positions")
    )
    recording.add("records of before, untouched", name, f"changed {lost}, gone {dict(gone)}")
    cells, machines = Counter(), {}
    ends = {}
    for r in records:
        if r.topic in ("request-events", "slo-definitions", "dead-letters"):
            recording.add(f"topic {r.topic}", f"{name} {r.partition}@{r.offset}", logfile.line(r))
        if r.topic == "request-events":
            ends[r.partition] = r.offset + 1
        if r.topic == "sli-tallies":
            batch, _ = avro.decode(schemas, r.topic, r.value)
            for e in batch["entries"]:
                for what in ("good", "total", "unknown"):
                    cells[e["slo"], e["objective"], *e["group"], e["slot"], what] += e[what]
            ends["tallied"] = max(ends.get("tallied", 0), batch["to"])
        if r.topic == "alerts":
            step = avro.decode(schemas, r.topic, r.value)[0]
            machines.setdefault(
                (
                    step["slo"],
                    step["objective"],
                    *(g["value"] for g in step["group"]),
                    step["alert_id"],
                    step["episode"],
                ),
                [],
            ).append(step)
    for key, count in sorted(cells.items()):
        recording.add("sli-tallies: sums by series and second", f"{name} {key}", str(count))
    recording.add("offsets tallied", name, str(ends))
    standing(recording, build, home, name)
    for (*key, _), steps in sorted(machines.items()):
        recording.kinds.setdefault("alerts: their machines", {})[
            f"{name} {key} of {'BASE' if steps[0]['seq'] == 1 else '?'}"
        ] = machine(steps)
    for table, lines in tables.rows(
        home / name, ["dimensions", "events", "minutes", "rollups"], log_times=False
    ).items():
        recording.add_lines(f"table {table}", name, lines)
    alerts = [
        {k: v for k, v in a.items() if k not in ("fired_at", "resolved_at", "value", "episode")}
        for a in fixtures.alerts(build, home, name)
    ]
    recording.add("query alerts", name, "\n".join(json.dumps(a) for a in sorted(alerts, key=str)))


def machine(steps):
    """The history of an alert: started by BASE, ended by the build that continues."""
    kinds = [s["kind"] for s in steps if s["kind"] not in ("keeping", "resumed")]
    numbered = [s["seq"] for s in steps] == list(range(1, len(steps) + 1))
    fired = {s["fired_at"] for s in steps if s["fired_at"]}
    same = [
        {k: s[k] for k in ("service", "rule_set", "rule", "severity", "generation", "complete", "labels")}
        for s in (steps[0], steps[-1])
    ]
    texts = [re.sub(r"\d+(\.\d+)?", "#", json.dumps(s["annotations"])) for s in (steps[0], steps[-1])]
    return (
        f"{kinds}, numbered without a gap: {numbered}, fired at one tick: {len(fired) == 1}, {json.dumps(same)} {texts}"
    )


def remade(build, base, scratch):
    """A directory without its store recreates it from its log: rows up to the log's end, including log times."""
    recording = Recording()
    (scratch / "empty.ndjson").write_text("")
    for name in fixtures.copied(base, scratch):
        newest = max(r.log_time for r in logfile.records(scratch / name)) // 1_000
        for file in (scratch / name).glob("store.db*"):
            file.unlink()
        must(build, ["import", "--format", "json", "--data", name, "empty.ndjson"], scratch)
        found = tables.rows(scratch / name, list(tables.QUERIES), until=newest - 5)
        for table, lines in found.items():
            recording.add_lines(f"made again: table {table}", name, lines)
        recording.add(
            "made again: KPIs",
            name,
            run(build, ["query", "kpis", "--by", "endpoint", "--json", "--data", name], scratch),
        )
    return recording
