"""Part 1: the output of every command on good and bad input: exit code, standard output, standard error."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

from . import fixtures, gateway, mistakes
from .imports import plain
from .recording import Recording
from .running import run

PART = "commands"
SHELLS = ["bash", "elvish", "fish", "powershell", "zsh"]
SHOP = "examples/shop/slos.yaml"

# Wrong usage, and requests that cannot be fulfilled; none of these starts anything.
WRONG = [
    [],
    ["frobnicate"],
    ["--version"],
    ["-V"],
    ["query"],
    ["slo"],
    ["topics"],
    ["slo", "valdate", "x"],
    ["query", "kpi"],
    ["import", "x.log"],
    ["import", "--format", "common", "x.log"],
    ["import", "--format", "clf", "x.log"],
    ["import", "--format", "combined", "--service", "", "x.log"],
    ["import", "--format", "json"],
    ["import", "--format", "json", "--data", "made", "no-such-file"],
    ["demo", "--for", "soon"],
    ["demo", "--for", "0s"],
    ["demo", "--rate", "0"],
    ["demo", "--rate", "-1"],
    ["demo", "--seed", "x"],
    ["simulate", "--rate", "1"],
    ["simulate", "--rate", "nan", "--for", "1s"],
    ["simulate", "--rate", "inf", "--for", "1s"],
    ["simulate", "--rate", "1e12", "--for", "1s"],
    ["simulate", "--rate", "1", "--for", "0s"],
    ["simulate", "--rate", "1", "--for", "9000000h", "--fast"],
    ["simulate", "--rate", "1", "--for", "1s", "--data", "a-file"],
    ["simulate", "--rate", "1", "--for", "1s", "--slos", "nothing", "--data", "made"],
    ["simulate", "--rate", "1", "--for", "1s", "--scenario", "nothing", "--data", "made"],
    ["simulate", "--rate", "1", "--for", "1s", "--scenario", SHOP, "--data", "made"],
    ["run", "--roles", "tally,cook"],
    ["run", "--listen", "nowhere"],
    ["run", "--ops-listen", "1.2.3.4.5:6"],
    ["run", "--data", "a-file"],
    ["run", "--slos", "nothing", "--data", "made"],
    ["run", "--webhook", "not a url", "--data", "made"],
    ["run", "--webhook", "ftp://127.0.0.1/", "--data", "made"],
    ["run", "--config", "nothing.yaml"],
    ["run", "--store", "mysql://x", "--data", "made"],
    ["run", "--log", "kafka:/x", "--data", "made"],
    ["run", "--log-level", "loud=?", "--data", "made", "--config", "nothing.yaml"],
    ["query", "kpis", "--data", "a-file"],
    ["query", "kpis", "--data", "nothing"],
    ["query", "events", "--data", "nothing"],
    ["query", "slos", "--data", "nothing"],
    ["query", "alerts", "--data", "nothing"],
    ["slo", "status", "--data", "nothing"],
    ["slo", "list", "--data", "nothing"],
    ["slo", "validate", "nothing"],
    ["slo", "validate"],
    ["slo", "test", "nothing"],
    ["slo", "test", "empty"],
    ["slo", "validate", "empty"],
    ["slo", "list", "empty"],
    ["slo", "validate", "a-file"],
    ["topics", "ensure", "--partitions", "request-event=3", "--log", "kafka://127.0.0.1:1"],
    ["topics", "ensure", "--partitions", "slo-definitions=2", "--log", "kafka://127.0.0.1:1"],
    ["topics", "ensure", "--partitions", "request-events=0", "--log", "kafka://127.0.0.1:1"],
    ["topics", "ensure", "--replication", "0", "--log", "kafka://127.0.0.1:1"],
    ["topics", "list", "--log", "kafka://nobody"],
    ["topics", "list", "--data", "nothing"],
    ["topics", "ensure", "--data", "nothing"],
    ["topics", "list", "--data", "stopped"],
    ["topics", "ensure", "--data", "stopped", "--json"],
    ["query", "kpis", "--store", "mysql://me:secret@db"],
    ["query", "kpis", "--store", "postgres://me:secret@127.0.0.1:1/db"],
    ["doctor", "--store", "postgres://me:secret@127.0.0.1:1/db", "--log", "sqlite:stopped"],
    ["doctor", "--data", "nothing"],
    ["doctor", "--data", "a-file"],
    ["doctor", "--data", "nothing", "--json"],
    ["completions", "tcsh"],
]

# Run on data directories; each also with --json.
FROM, TO = "2026-01-31T10:00:00Z", "2126-01-31T11:00:00Z"
QUESTIONS = [
    *(
        ["query", "kpis", *more]
        for more in (
            [],
            ["--by", "service"],
            ["--by", "endpoint"],
            ["--by", "method"],
            ["--by", "status-code"],
            ["--by", "status_code"],
            ["--step", "5m"],
            ["--step", "1m", "--service", "payment"],
            ["--step", "7s"],
            ["--step", "0s"],
            ["--step", "90s"],
            ["--service", "payment", "--by", "endpoint"],
            ["--service", "nobody"],
            ["--method", "POST", "--status-code", "200"],
            ["--endpoint", "/orders"],
            ["--environment", "production"],
            ["--environment", ""],
            ["--from", FROM, "--to", TO],
            ["--from", TO],
            ["--to", FROM],
            ["--from", TO, "--to", FROM],
            ["--from", "yesterday"],
            ["--by", "service", "--step", "5m"],
            ["--by", "user"],
            ["--status-code", "99999"],
            ["--status-code", "503", "--by", "service"],
        )
    ),
    *(
        ["query", "events", *more]
        for more in (
            ["--limit", "20"],
            [],
            ["--limit", "5000"],
            ["--limit", "0"],
            ["--limit", "-1"],
            ["--service", "payment", "--limit", "7"],
            ["--status-code", "503"],
            ["--after", "1795214669000000-0-0", "--limit", "3"],
            ["--after", "x"],
            ["--method", "PUT"],
            ["--from", FROM, "--limit", "2"],
            ["--from", TO],
        )
    ),
    ["query", "slos"],
    ["slo", "status"],
    ["slo", "list"],
    *(
        ["query", "alerts", *more]
        for more in (
            [],
            ["--slo", "payment-availability"],
            ["--slo", "nobody"],
            ["--from", FROM],
            ["--from", TO],
            ["--to", FROM],
            ["--from", "x"],
        )
    ),
    ["doctor"],
]


def record(build, base, data, scratch):
    """Everything of this part; inputs and directories come from BASE."""
    recording = Recording()
    shutil.copytree(base.tree / "examples", scratch / "examples")
    (scratch / "a-file").write_text("")
    (scratch / "empty").mkdir()
    directories = fixtures.copied(base, scratch)
    asked = [("help", args) for args in helps(build, scratch)]
    asked += [("completions", ["completions", shell]) for shell in SHELLS]
    asked += [("wrong use", args) for args in WRONG]
    asked += [
        ("queries and doctor", [*q, *json, "--data", d])
        for d in directories
        for q in QUESTIONS
        for json in ([], ["--json"])
    ]
    asked += [
        ("definitions: examples", args) for args in definitions(sorted((scratch / "examples").rglob("*.yaml")), scratch)
    ]
    asked += mistakes.asked(base, data, scratch)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda pair: run(build, pair[1], scratch), asked))
    for (kind, args), text in zip(asked, told):
        recording.add(kind, "slipstream " + " ".join(args), text)
    recording.kinds.update(imports(build, base, scratch).kinds)
    recording.kinds.update(gateway.record(build, scratch).kinds)
    return recording


def helps(build, cwd):
    """--help of every command, as the program itself lists them, -h, and `help`."""
    found, open_ = [], [[]]
    while open_:
        command = open_.pop(0)
        text = run(build, [*command, "--help"], cwd)
        found += [[*command, "--help"], [*command, "-h"], ["help", *command]]
        listed = re.search(r"\nCommands:\n(.*?)\n\n", text, re.S)
        names = re.findall(r"^  ([a-z-]+)  ", listed.group(1), re.M) if listed else []
        open_ += [[*command, name] for name in names if name != "help"]
    return found


def definitions(paths, scratch):
    """Commands on files of definitions, and on their folders."""
    names = [str(path.relative_to(scratch)) for path in paths]
    names += sorted({str(path.parent.relative_to(scratch)) for path in paths} | {"examples"})
    verbs = [["slo", "validate"], ["slo", "list"], ["slo", "test"]]
    asked = [[*verb, *json, name] for name in names for verb in verbs for json in ([], ["--json"])]
    asked += [
        ["slo", "test", "examples", "--filter", word, *json]
        for word in ("outage", "nothing like it")
        for json in ([], ["--json"])
    ]
    return asked + [["slo", "validate", *names[:3]], ["slo", "list", *names[:3]]]


def imports(build, base, scratch):
    """Small files of each format, with lines that are not requests, one after the other into one directory."""
    recording = Recording()
    for number, (name, text, args) in enumerate(mistakes.small_files()):
        (scratch / name).write_bytes(text)
        for again in ("first", "again"):
            for json in ([], ["--json"]):
                into = f"small-{number}{'-json' if json else ''}"
                told = run(build, ["import", *args, *json, "--data", into, name], scratch)
                recording.add("import of small files", f"{name} {args} {json} {again}", told)
        if (scratch / f"small-{number}").is_dir():
            plain(recording, scratch / f"small-{number}", name)
        for question in (["query", "kpis", "--by", "status-code"], ["query", "events", "--limit", "1000"]):
            recording.add(
                "import of small files",
                f"{name} {question}",
                run(build, [*question, "--json", "--data", f"small-{number}"], scratch),
            )
    return recording
