"""The whole: both builds, the parts one after the other, the table and the closing line."""

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

from . import (
    avro,
    builds,
    commands,
    demo,
    directories,
    fixtures,
    imports,
    normalise,
    recording,
    simulation,
)
from .recording import Recording

# What no part looks at, or only in part.
LEFT_OUT = [
    "what needs Kafka or PostgreSQL: topics ensure and list, roles on a broker, rows in PostgreSQL",
    "imports: log times; offsets in sli-tallies; records of burn-rates, alerts and burn-snapshots (worlds by seed have them)",
    "demo: requests within 1.5 s of where the fault begins or ends, or beyond the time that both ran; ticks and burn rates",
    "directories that go on: log times, ticks, burn rates by window, keeping and resumed, fields of log lines",
]
SOURCES = Path(__file__).resolve().parent
ANEW = "made-again"


def main():
    args = arguments()
    base, new = builds.base(args.base), builds.new()
    began = time.monotonic()
    for build in (base, new):
        build.built = args.built
        say(f"building {build.name}: {build.tree}")
        build.build()
    say(f"built in {time.monotonic() - began:.0f} s")
    whole = Whole(base, new, args)
    results = []
    for name in args.only:
        began = time.monotonic()
        results += PARTS[name](whole)
        say(f"{name}: {time.monotonic() - began:.0f} s")
    for result in results:
        for example in result.examples:
            print(f"DIFFERENT  {result.part}: {result.kind}: {example}")
    print(recording.table(results))
    for name, times in sorted(normalise.USED.items()):
        print(f"not compared: {name} ({times:,} times in NEW)")
    for text in LEFT_OUT:
        print(f"not compared: {text}")
    return 1 if any(r.different for r in results) else 0


def arguments():
    parser = argparse.ArgumentParser(description="Shows that two builds do the same.")
    parser.add_argument("base", help="revision of BASE")
    parser.add_argument("--data", type=lambda d: Path(d).resolve() if d else None, help="folder with the real files")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--built", action="store_true", help="both are built: do not ask cargo")
    args = parser.parse_args()
    unknown = [name for name in args.only if name not in PARTS]
    if unknown or (args.data and not args.data.is_dir()):
        parser.error(f"unknown part: {unknown}; parts are {list(PARTS)}" if unknown else f"no such folder: {args.data}")
    return args


def say(text):
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


class Whole:
    """Both builds, what was asked for, and where BASE's recordings are kept."""

    def __init__(self, base, new, args):
        self.base, self.new, self.args = base, new, args

    def recorded(self, part, record, *parts_of_key):
        """BASE's recording, from before where it is of the same recorder and inputs; and NEW's."""
        key = "-".join([fingerprint(part), *map(str, parts_of_key)])
        kept = self.base.home / "recorded" / f"{part}-{key}.json"
        if not kept.exists():
            say(f"{part}: recording BASE")
            used = normalise.USED.copy()
            self.in_scratch(lambda scratch: record(self.base, scratch)).save(kept)
            normalise.USED.clear()
            normalise.USED.update(used)
        say(f"{part}: recording NEW")
        return Recording.load(kept), self.in_scratch(lambda scratch: record(self.new, scratch))

    def in_scratch(self, work):
        """In a folder of its own, from where paths are the same for both."""
        with tempfile.TemporaryDirectory(prefix="same-output-") as scratch:
            return work(Path(scratch))


# What a recording depends on: what another recorder recorded says nothing.
RECORDERS = {
    commands.PART: ["commands", "fixtures", "gateway", "imports", "logfile", "mistakes", "normalise", "running"],
    imports.PART: ["avro", "imports", "logfile", "normalise", "running", "tables"],
    ANEW: ["directories", "fixtures", "logfile", "normalise", "running", "tables"],
}


def fingerprint(part):
    digest = hashlib.sha256()
    for name in RECORDERS[part]:
        digest.update((SOURCES / f"{name}.py").read_bytes())
    return digest.hexdigest()[:12]


def part_commands(whole):
    whole.in_scratch(lambda scratch: fixtures.make(whole.base, scratch))
    base, new = whole.recorded(
        commands.PART,
        lambda build, scratch: commands.record(build, whole.base, whole.args.data, scratch),
        bool(whole.args.data),
        fixtures.age(whole.base),
    )
    return recording.compare(commands.PART, base, new)


def part_simulation(whole):
    seeds = whole.args.seeds
    kept = whole.base.home / "recorded" / f"worlds-{seeds}"
    if simulation.worlds(kept) != seeds:
        say(f"simulation: {seeds} worlds of BASE")
        simulation.record(whole.base, seeds, kept)
    say(f"simulation: {seeds} worlds of NEW")
    return whole.in_scratch(lambda scratch: of_worlds(whole, kept, scratch / "worlds"))


def of_worlds(whole, kept, fresh):
    simulation.record(whole.new, whole.args.seeds, fresh)
    return simulation.compare(kept, fresh, avro.schemas(whole.base.tree))


def part_imports(whole):
    if not whole.args.data:
        say("imports: left out, because there is no DATA")
        return []
    base, new = whole.recorded(
        imports.PART, lambda build, scratch: imports.record(build, whole.base, whole.args.data, scratch)
    )
    return recording.compare(imports.PART, base, new)


def part_demo(whole):
    return recording.compare(demo.PART, *whole.in_scratch(lambda scratch: demo.record(whole.base, whole.new, scratch)))


def part_directories(whole):
    whole.in_scratch(lambda scratch: fixtures.make(whole.base, scratch))
    pair = whole.in_scratch(lambda scratch: directories.goes_on(whole.base, whole.new, scratch))
    again = whole.recorded(
        ANEW, lambda build, scratch: directories.remade(build, whole.base, scratch), fixtures.age(whole.base)
    )
    return recording.compare(directories.PART, *pair) + recording.compare(directories.PART, *again)


PARTS = {
    "commands": part_commands,
    "simulation": part_simulation,
    "imports": part_imports,
    "demo": part_demo,
    "directories": part_directories,
}
