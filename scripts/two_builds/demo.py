"""Part 4: the demo with a seed, and `simulate`. Requests are a function of the seed and of their time, so that what two
builds made at the same time is equal where their times overlap, byte for byte."""

import json
import re
import subprocess

from . import avro, logfile, tables
from .recording import Recording
from .running import PLAIN, run

PART = "demo"
SECONDS = 100
SEED = "7"
# Microseconds: the fault is switched by hand, so requests around it may or may not be hit.
AROUND = 1_500_000


def record(base, new, scratch):
    """Both at the same time."""
    schemas, found = avro.schemas(base.tree), {}
    programs = {
        "demo": ["demo", "--headless", "--json", "--for", f"{SECONDS}s", "--seed", SEED, "--data", "demo"],
        "simulate": ["simulate", "--rate", "50", "--for", "20s", "--seed", SEED, "--data", "simulate"],
        "fast": ["simulate", "--rate", "50", "--for", "10m", "--fast", "--seed", SEED, "--data", "fast"],
    }
    started = []
    for build in (base, new):
        home = scratch / build.name
        home.mkdir()
        for name, args in programs.items():
            out, err = open(home / f"{name}.out", "w"), open(home / f"{name}.err", "w")
            env = {**PLAIN, "HOME": str(home)}
            started.append(
                (build, name, subprocess.Popen([build.program, *args], cwd=home, stdout=out, stderr=err, env=env))
            )
    for build, name, child in started:
        if child.wait(SECONDS + 120):
            raise RuntimeError(f"{build.name}: {name}: {(scratch / build.name / f'{name}.err').read_text()}")
    for build in (base, new):
        found[build.name] = Recording()
    for name in programs:
        requests(name, {b.name: scratch / b.name for b in (base, new)}, schemas, found)
    for build in (base, new):
        said(found[build.name], scratch / build.name)
        alerts(found[build.name], scratch / build.name / "demo", schemas)
    for question in (["query", "alerts"], ["query", "slos"], ["doctor"]):
        for build in (base, new):
            text = re.sub(r"\d", "#", run(build, [*question, "--data", "demo"], scratch / build.name))
            found[build.name].add(
                "commands on it: shape", " ".join(question), re.sub(r"[ -]+|#+", lambda m: m.group()[0], text)
            )
    return found["BASE"], found["NEW"]


def requests(name, homes, schemas, found):
    """Requests of each generator (the start of their ids) in the time range that both have."""
    logs = {who: logfile.records(home / name) for who, home in homes.items()}
    events = {who: by_generator(records, schemas) for who, records in logs.items()}
    edges = [at for home in homes.values() for at in switched(home / f"{name}.err", events)]
    for generator in sorted(events["BASE"].keys() | events["NEW"].keys()):
        made = {who: events[who].get(generator, []) for who in homes}
        begin = max(min((at for at, _ in of), default=0) for of in made.values())
        end = min(max((at for at, _ in of), default=0) for of in made.values())
        for who, of in made.items():
            lines = [
                line for at, line in of if begin <= at <= end and not any(abs(at - edge) < AROUND for edge in edges)
            ]
            found[who].add_lines(f"request-events of {name}", generator, lines)
    for who, records in logs.items():
        for r in records:
            if r.topic in ("slo-definitions", "dead-letters"):
                found[who].add(f"topic {r.topic} of {name}", f"{r.partition}@{r.offset}", logfile.line(r))


def by_generator(records, schemas):
    """Time, and key and bytes of each request, in the order of the log."""
    found = {}
    for r in records:
        if r.topic == "request-events":
            event, _ = avro.decode(schemas, r.topic, r.value)
            key = "-" if r.key is None else r.key.hex()
            found.setdefault(event["event_id"].rsplit("-", 2)[0], []).append(
                (event["time"], f"{key} {r.value.hex()} {r.headers}")
            )
    return found


def switched(stderr, events):
    """When the fault began and ended: to the second of the day on which the requests lie."""
    newest = max((at for of in events.values() for made in of.values() for at, _ in made), default=0)
    day = newest - newest % 86_400_000_000
    for clock in re.findall(r"^(\d\d:\d\d:\d\d)  FAULT", stderr.read_text(), re.M):
        hours, minutes, seconds = map(int, clock.split(":"))
        yield day + (hours * 3_600 + minutes * 60 + seconds) * 1_000_000 + 500_000


def said(recording, home):
    """The kinds of lines that it shows, and of its summary the names and everything that is not a figure."""
    lines = {
        re.sub(r" +", " ", re.sub(r"-?[\d,]+(\.\d+)?", "#", line))
        for line in (home / "demo.err").read_text().splitlines()
    }
    recording.add("what the demo shows: kinds of lines", "standard error", "\n".join(sorted(lines)))
    summary = json.loads((home / "demo.out").read_text())
    alerts_ = sorted(
        json.dumps(
            {k: v if isinstance(v, (str, dict)) and not re.search(r"\d{4}-", str(v)) else "#" for k, v in a.items()}
        )
        for a in summary["alerts"]
    )
    recording.add(
        "what the demo shows: summary",
        "standard output",
        "\n".join(
            [
                str(list(summary)),
                f"dead letters {summary['dead_letters']}",
                f"failed {summary['deliveries']['failed']}",
                f"stored all: {summary['events_stored'] == summary['events_accepted']}",
                *alerts_,
            ]
        ),
    )
    for name in ("simulate", "fast"):
        text = (home / f"{name}.out").read_text() + (home / f"{name}.err").read_text()
        recording.add("what simulate says: kinds of lines", name, re.sub(r"[\d,]+(\.\d+)?", "#", text))


def alerts(recording, directory, schemas):
    """Ids, severities, texts and histories of the alerts; times and burn rates differ between runs."""
    ways, words = {}, {}
    for r in logfile.records(directory):
        if r.topic == "alerts":
            step, head = avro.decode(schemas, r.topic, r.value)
            ways.setdefault((r.key.decode(), step["episode"]), []).append(step["kind"])
            kept = {
                k: v
                for k, v in step.items()
                if k not in ("episode", "seq", "tick", "fired_at", "values", "generation", "exemplars", "annotations")
            }
            rules = [(v["rule"], v["window_seconds"], v["threshold"]) for v in step["values"]]
            annotations = re.sub(r"\d+(\.\d+)?", "#", json.dumps(step["annotations"]))
            words[step["alert_id"], step["kind"]] = f"{head} {json.dumps(kept)} {rules} {annotations}"
        if r.topic == "notifications":
            note, head = avro.decode(schemas, r.topic, r.value)
            recording.kinds.setdefault("notifications of the demo", {})[f"{note['alert_id']} {note['seq']}"] = (
                f"{head} {note['receiver']} {note['outcome']} {note['status']} {note['detail']}"
            )
    for (alert, _), kinds in sorted(ways.items()):
        recording.kinds.setdefault("alerts of the demo: ways", {})[alert] = str(
            [k for k in kinds if k not in ("keeping", "resumed")]
        )
    for key, text in sorted(words.items()):
        recording.add("alerts of the demo: records", str(key), text)
    recording.add_lines("series of the demo", "store.db", tables.rows(directory, ["series"])["series"])
