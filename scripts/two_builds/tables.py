"""Reads `store.db`: rows by the names they stand for, since ids of dimensions and series are assigned at random."""

import json
import math
import sqlite3

DIMENSIONS = "d.service, d.environment, d.endpoint, d.method"
# Table, columns, and which of them are log times; `{until}` is a tick.
QUERIES = {
    "dimensions": f"SELECT {DIMENSIONS} FROM dimensions d ORDER BY 1, 2, 3, 4",
    "events": f"SELECT e.time, e.partition, e.offset, {{log_time}}, {DIMENSIONS}, e.status_code, e.latency_ms, "
    "e.weight, e.event_id, hex(e.trace_id), e.user_ref, e.attributes FROM events e "
    "JOIN dimensions d ON d.id = e.dimensions ORDER BY e.time, e.partition, e.offset",
    "minutes": "SELECT minute, events, {newest_log}, raw_gone FROM minutes ORDER BY 1",
    "rollups": f"SELECT r.minute, {DIMENSIONS}, r.status_class, r.hits, r.errors, r.latency_count, "
    "r.latency_sum, r.latency_min, r.latency_max, hex(r.sketch) FROM rollups r "
    "JOIN dimensions d ON d.id = r.dimensions ORDER BY 1, 2, 3, 4, 5, 6",
    "series": "SELECT slo, objective, group_values FROM series ORDER BY 1, 2, 3",
    "burn_rates": "SELECT s.slo, s.objective, s.group_values, b.tick, b.generation, b.complete, b.retired, b.sli, "
    "b.budget_remaining, b.good, b.total, hex(b.body) FROM burn_rates b JOIN series s ON s.id = b.series "
    "WHERE b.tick <= {until} ORDER BY 1, 2, 3, 4, 5",
    "alert_transitions": "SELECT * FROM alert_transitions WHERE tick <= {until} ORDER BY alert_id, episode, seq",
    "notifications": "SELECT * FROM notifications WHERE at <= {until} * 1000 "
    "ORDER BY alert_id, episode, seq, receiver, at, outcome",
}
# What depends only on the log's clock.
OF_EVENTS = ["dimensions", "events", "minutes", "rollups"]
SUM = 9


def schema(directory):
    """Tables, indices and views as they were created, and the version."""
    db = sqlite3.connect(directory / "store.db")
    made = [
        f"{kind} {name}: {sql}"
        for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")
    ]
    return made + [
        f"{pragma} {db.execute(f'PRAGMA {pragma}').fetchone()[0]}"
        for pragma in ("application_id", "user_version", "page_size")
    ]


def rows(directory, names, log_times=True, until=2**40):
    """Rows of these tables as text, one per line."""
    db = sqlite3.connect(directory / "store.db")
    found = {}
    for name in names:
        log_time, newest = ("e.log_time", "newest_log") if log_times else ("'-'", "'-'")
        sql = QUERIES[name].format(log_time=log_time, newest_log=newest, until=until)
        found[name] = [list(row) for row in db.execute(sql)]
    if "rollups" in found:
        exact_sums(db, found["rollups"])
    db.close()
    return {name: [json.dumps(row, ensure_ascii=False) for row in lines] for name, lines in found.items()}


def exact_sums(db, rollups):
    """The last bits of a sum of floats depend on how many events were written at a time: if it is the sum of the
    raw rows except for those, it is replaced by the exact one."""
    sql = (
        f"SELECT e.time / 60000000, {DIMENSIONS}, e.status_code / 100, e.latency_ms * e.weight FROM events e "
        "JOIN dimensions d ON d.id = e.dimensions WHERE e.latency_ms IS NOT NULL"
    )
    sums = {}
    for *key, latency in db.execute(sql):
        sums.setdefault(tuple(key), []).append(latency)
    for row in rollups:
        exact = math.fsum(sums.get(minute_key(row), []))
        if math.isclose(row[SUM], exact, rel_tol=1e-12, abs_tol=1e-12):
            row[SUM] = exact


def minute_key(row):
    return tuple(row[:6])
