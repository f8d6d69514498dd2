"""Part 2: worlds by seed. Time is virtual, so all output is the same, byte for byte."""

import os
import shutil
import subprocess
from collections import Counter

from . import avro
from .recording import Result

PART = "simulation"
TEST = "hold_whatever_happens"


def record(build, seeds, folder):
    """Runs the worlds; the result of each is in the folder."""
    program = build.simulation()
    shutil.rmtree(folder, ignore_errors=True)
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    env = {**os.environ, "SLIPSTREAM_SIM_DUMP": str(unfinished), "SLIPSTREAM_SIM_SEEDS": str(seeds)}
    done = subprocess.run(
        [program, TEST, "--nocapture"], cwd=build.tree / "sim", env=env, stdout=subprocess.PIPE, text=True
    )
    dumped = len(list(unfinished.glob("*.trace")))
    if dumped != seeds:
        asked = "does its simulation know SLIPSTREAM_SIM_DUMP? (BASE_PATCH)"
        raise SystemExit(f"{build.name}: {dumped} of {seeds} worlds were dumped; {asked}\n{done.stdout[-2000:]}")
    told = [line for line in done.stdout.splitlines() if line.startswith("simulation:")]
    (unfinished / "summary").write_text("\n".join(told) + "\n")
    unfinished.rename(folder)


def compare(base, new, schemas):
    """Results by kind: lines of the traces, records of each topic, deliveries and verdicts."""
    results, found = {}, Counter()
    for path in sorted({p.name for p in base.iterdir()} | {p.name for p in new.iterdir()}):
        ours, theirs = lines(base / path), lines(new / path)
        if path.endswith(".trace"):
            found["worlds"] += 1
        for number in range(max(len(ours), len(theirs))):
            left, right = at(ours, number), at(theirs, number)
            kind = kind_of(path, left if left is not None else right)
            result = results.setdefault(kind, Result(PART, kind))
            if left == right:
                result.same += 1
            else:
                result.differs(f"{path}:{number + 1}", shown(left, schemas), shown(right, schemas))
    results["worlds"] = Result(PART, "worlds played", same=found["worlds"])
    return [results[kind] for kind in sorted(results)]


def lines(path):
    """In a verdict, the name of its type does not matter."""
    return [line.replace("Ok(Told {", "Ok(WorldSummary {") for line in path.read_text().splitlines()] if path.exists() else []


def at(lines, number):
    return lines[number] if number < len(lines) else None


def kind_of(path, line):
    match path.rsplit(".")[-1]:
        case "records":
            return f"records of {line.split(' ', 1)[0]}"
        case "trace":
            return "lines of traces"
        case "verdict":
            return "deliveries and verdicts"
        case _:
            return "closing lines"


def shown(line, schemas):
    """A record with its value decoded, for people."""
    parts = (line or "").split(" ")
    if line is None or len(parts) < 6 or not parts[5].startswith("xc301"):
        return line
    value = avro.told(schemas, parts[0], bytes.fromhex(parts[5][1:]))
    return "\n".join([" ".join(parts[:5] + parts[6:]), *value]) if value else line


def worlds(folder):
    return len(list(folder.glob("*.trace"))) if folder.exists() else 0
