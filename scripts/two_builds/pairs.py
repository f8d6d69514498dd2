"""Benchmarks in pairs: BASE and NEW take turns, so that other load on the machine affects both."""

import argparse
import http.client
import os
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from . import builds
from .running import PLAIN, Process, until

PORT = 18_640
# Events of one request to the gateway.
AT_ONCE = 1_000
# Lines of the table of bench/.
TICK = re.compile(r"(?:a (tick) in which all were tallied[^|]*|(CPU) time of such a tick) \| ([0-9.]+) (ms|s) \|")
SINK = re.compile(r"^sink: .* ([0-9.]+) s of this process and ([0-9.]+) s of the server", re.M)


def main():
    parser = argparse.ArgumentParser(description="CPU seconds of two builds for the same work.")
    parser.add_argument("base", help="revision of BASE")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(WORKS))
    parser.add_argument("--built", action="store_true", help="both are built: do not ask cargo")
    args = parser.parse_args()
    base, new = builds.base(args.base), builds.new()
    for build in (base, new):
        build.built = args.built
        build.build()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {args.events:,} events, {args.pairs} pairs", flush=True
    )
    print(f"{'':34} {'BASE':>9} {'NEW':>9} {'NEW/BASE':>9} {'of least':>9}   of each pair")
    with tempfile.TemporaryDirectory(prefix="bench-pairs-") as folder:
        bench = Bench(Path(folder), base, args.events)
        for name in args.only:
            began = time.monotonic()
            work, unit = WORKS[name]
            took = {build.name: [] for build in (base, new)}
            for pair in range(args.pairs):
                # The one that goes first changes from pair to pair.
                for build in (base, new) if pair % 2 == 0 else (new, base):
                    took[build.name].append(work(bench, build))
            report(name, unit, took, time.monotonic() - began)
    return 0


def report(name, unit, took, seconds):
    for what in took["BASE"][0]:
        ours, theirs = ([run[what] for run in took[who]] for who in ("BASE", "NEW"))
        ratios = " ".join(f"{new / base:.2f}" for base, new in zip(ours, theirs))
        base, new = statistics.median(ours), statistics.median(theirs)
        label = f"{name}: {what}, {unit}" if what else f"{name}, {unit}"
        print(
            f"{label:34} {base:9.3f} {new:9.3f} {new / base:9.3f} {min(theirs) / min(ours):9.3f}   {ratios}  ({seconds:.0f} s)",
            flush=True,
        )


class Bench:
    """The input, created once: events as lines, and a directory whose log has them, not yet processed."""

    def __init__(self, home, base, events):
        self.home, self.base, self.events = home, base, events
        self.slos = base.tree / "examples" / "shop" / "slos.yaml"
        self.lines = home / "events.ndjson"
        write(self.lines, events)
        self.undigested = None

    def millions(self, seconds):
        return seconds * 1_000_000 / self.events

    def filled(self):
        """Filled through BASE's gateway, without the other roles."""
        if not self.undigested:
            self.undigested = self.home / "undigested"
            gateway(self, self.base, self.undigested)
        return self.undigested


def write(path, events):
    dice, now = random.Random(7), int(time.time())
    shop = [("storefront", "GET"), ("catalog", "GET"), ("cart", "GET"), ("payment", "POST"), ("shipping", "PUT")]
    with open(path, "w") as out:
        for i in range(events):
            service, method = dice.choice(shop)
            at = (now - 3_600) * 1_000_000 + i * 3_600_000_000 // events
            status = 500 if dice.random() < 0.01 else 200
            out.write(
                f'{{"event_id":"bench-{i:09}","time":{at},"service":"{service}","endpoint":"/v1/{service}/{dice.randrange(10)}",'
                f'"method":"{method}","status_code":{status},"latency_ms":{5 + dice.expovariate(1 / 40):.3f}}}\n'
            )


def cpu(child):
    """Waits for a process; its user and system time."""
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"it exited with {child.returncode}")
    return used.ru_utime + used.ru_stime


def import_(bench, build):
    data = bench.home / "import"
    args = [build.program, "import", "--format", "json", "--slos", bench.slos, "--data", data, bench.lines]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    used = cpu(subprocess.Popen(args, env={**PLAIN, "HOME": str(bench.home)}, **quiet))
    shutil.rmtree(data)
    return {"": bench.millions(used)}


def gateway(bench, build, keep=None):
    """Posts everything on four connections."""
    data = keep or bench.home / "gateway"
    process = Process(build, bench.home, ["--roles", "gateway", "--slos", str(bench.slos), "--data", str(data)], PORT)
    with open(bench.lines, "rb") as lines:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        while body := b"".join(line for _, line in zip(range(AT_ONCE), lines)):
            connection.request("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {said[:300]}")
    connection.close()
    used = stopped(process)
    if not keep:
        shutil.rmtree(data)
    return {"": bench.millions(used)}


def stopped(process):
    process.child.send_signal(signal.SIGTERM)
    return cpu(process.child)


def role(bench, build, name, done):
    """One role on a copy of the directory, until it has read everything."""
    data = bench.home / name
    shutil.copytree(bench.filled(), data)
    process = Process(build, bench.home, ["--roles", name, "--data", str(data)], PORT)
    until(lambda: process.alive() and done(data) >= bench.events, f"{name} has read everything", 300, pause=0.1)
    used = stopped(process)
    shutil.rmtree(data)
    return {"": bench.millions(used)}


def asked(file, sql):
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchone()[0] or 0
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


def tally(bench, build):
    sql = "SELECT offset FROM positions WHERE consumer_group = 'tally' AND topic = 'request-events'"
    return role(bench, build, "tally", lambda data: asked(data / "log.db", f"SELECT sum(offset) FROM ({sql})"))


def sink(bench, build):
    sql = "SELECT sum(next_offset) FROM positions WHERE topic = 'request-events'"
    return role(bench, build, "sink", lambda data: asked(data / "store.db", sql))


def postgres(bench, build):
    """The sink on PostgreSQL, as its example measures it against COPY; the testkit starts what it needs."""
    program = build.target / "release" / "examples" / "against_copy"
    told = subprocess.run(
        [program, str(bench.events // 2)], cwd=build.tree, capture_output=True, text=True, check=True
    ).stdout
    runs = [(float(own), float(server)) for own, server in SINK.findall(told)]
    return {"process": statistics.median(r[0] for r in runs), "server": statistics.median(r[1] for r in runs)}


def tick(bench, build):
    """All of 100,000 series are evaluated; the benchmark's own figures, for one thread."""
    told = subprocess.run(
        [build.target / "release" / "slipstream-bench", "series"], capture_output=True, text=True, check=True
    ).stdout
    names = {"tick": "time", "CPU": "CPU"}
    found = {
        names[wall or busy]: float(figure) * (1 if unit == "s" else 0.001)
        for wall, busy, figure, unit in TICK.findall(told)
    }
    if "CPU" not in found:
        raise RuntimeError(f"{build.name} does not report the CPU time of a tick (BASE_PATCH): {told}")
    return found


MILLION = "CPU s a million"
WORKS = {
    "import": (import_, MILLION),
    "gateway": (gateway, MILLION),
    "tally": (tally, MILLION),
    "sink": (sink, MILLION),
    "postgres": (postgres, MILLION),
    "tick": (tick, "s"),
}
