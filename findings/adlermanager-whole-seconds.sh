#!/usr/bin/env bash
# AdlerManager 25.4.0 (PyPI), a status page for what Prometheus posts to an Alertmanager, does not notice the end of an alert whose
# endsAt has whole seconds. It reads a time as what stands before the first dot, with "+00:00" behind it, so "12:00:00Z" becomes
# "12:00:00Z+00:00", which is none, and the alert counts as one without an end: it stays red until nothing came for five minutes
# (ALERT_RESOLVE_MINUTES). RFC 3339 allows both, and Go leaves out a fraction that is zero. Needs Python 3 with venv.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check adlermanager==25.4.0
venv/bin/python - >seen <<'END'
from adlermanager.model import Alert

for ends in ("2026-01-01T12:00:00.001Z", "2026-01-01T12:00:00Z"):
    alert = Alert.import_alert({"labels": {"severity": "critical"}, "annotations": {}, "endsAt": ends})
    print(ends, alert.status.name)
END
cat seen
diff seen - <<'END'
2026-01-01T12:00:00.001Z OK
2026-01-01T12:00:00Z ERROR
END
