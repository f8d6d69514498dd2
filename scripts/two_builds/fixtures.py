"""Data directories that BASE created, kept with its recordings: every build gets copies of the same ones."""

import json
import shutil
import time

from .builds import cache
from .running import Process, must, output, until

NAMES = ["simulated", "stopped", "killed"]
PORT = 18_610
# Seconds; records of sli-tallies are kept for three days.
OLDEST = 86_400


def home(base):
    return cache() / "fixtures" / base.home.name


def copied(base, scratch):
    """Copies of all of them; their names."""
    for name in NAMES:
        shutil.copytree(home(base) / name, scratch / name)
    return NAMES


def age(base):
    """When they were created: recordings of them are valid only for these."""
    return int((home(base) / NAMES[-1]).stat().st_mtime)


def make(base, scratch):
    """Creates those that are missing, or so old that retention would remove what is compared."""
    if all((home(base) / name).is_dir() for name in NAMES) and time.time() - age(base) < OLDEST:
        return
    shutil.rmtree(home(base), ignore_errors=True)
    home(base).mkdir(parents=True)
    shop = str(base.tree / "examples" / "shop" / "slos.yaml")
    must(
        base,
        ["simulate", "--fast", "--rate", "20", "--for", "2h", "--seed", "3", "--slos", shop, "--data", "simulated"],
        scratch,
    )
    burning(base, scratch, shop, "stopped", Process.stop)
    burning(base, scratch, shop, "killed", Process.kill)
    for name in NAMES:
        shutil.move(scratch / name, home(base) / name)


def burning(build, cwd, slos, name, end):
    """A run in which payment fails until its alert fires; then it is stopped, or killed."""
    process = Process(build, cwd, ["--slos", slos, "--data", name, "--webhook", "http://127.0.0.1:9/nobody"], PORT)
    try:
        for second in range(6):
            status, _, said = process.post(events(name, second))
            assert status == 200, said
            time.sleep(1)
        until(lambda: firing(build, cwd, name), "an alert fires")
    finally:
        end(process)


def events(name, number, failing=0.5, count=100, late=0):
    """Requests to payment and cart, now; the given share of payment's fail."""
    now = time.time_ns() // 1_000 - late * 1_000_000
    made = [
        {
            "event_id": f"{name}-{number}-{i}",
            "time": now - i,
            "service": "payment" if i % 2 else "cart",
            "endpoint": f"/v1/{i % 4}",
            "method": "POST" if i % 3 else "GET",
            "status_code": 503 if i % 2 and i < failing * count else 200,
            "latency_ms": i * 1.5,
            "trace_id": f"{number:016x}{i:016x}",
            "attributes": {"region": f"eu-{i % 3}"},
        }
        for i in range(count)
    ]
    return json.dumps({"events": made}).encode()


def alerts(build, cwd, name):
    told = must(build, ["query", "alerts", "--json", "--data", name], cwd)
    return json.loads(output(told))["alerts"]


def firing(build, cwd, name):
    return any(alert["state"] == "firing" for alert in alerts(build, cwd, name))
