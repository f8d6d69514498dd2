"""Reads deliveries as receivers in Python do, and prints what each finds, as JSON."""
import json
import sys

from prometheus_alert_model import AlertGroup
from standardwebhooks import Webhook, WebhookVerificationError


def holds(secret, text, headers):
    try:
        Webhook(secret).verify(text, headers)
        return True
    except WebhookVerificationError:
        return False


asked = json.load(sys.stdin)
found = []
for delivery in asked["deliveries"]:
    text, headers = delivery["text"], delivery["headers"]
    group = AlertGroup(**json.loads(text))
    found.append({
        "holds": [holds(secret, text, headers) for secret in asked["secrets"]],
        "changed": [holds(secret, text + " ", headers) for secret in asked["secrets"]],
        "slo": group.common_labels["slo"],
        "status": group.status,
        "alerts": len(group.alerts),
    })
print(json.dumps(found))
