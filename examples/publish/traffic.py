"""What the examples publish: made-up requests of a service, and the arguments both have. Yours come from your service."""

import argparse
import random
import secrets
import time


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bootstrap", default="localhost:9092", help="brokers, host:port[,host:port]")
    parser.add_argument("--topic", default="slipstream.request-events", help="the installation's prefix, request-events")
    parser.add_argument("--count", type=int, default=1_000, help="events to publish")
    parser.add_argument("--service", default="shop", help="the service that answered")
    parser.add_argument("--errors", type=float, default=0.01, help="share of answers with status 503, 0 to 1")
    parser.add_argument("-X", action="append", default=[], metavar="KEY=VALUE", dest="properties",
                        help="a property of librdkafka, such as security.protocol=SASL_SSL")
    given = parser.parse_args()
    given.properties = dict(pair.split("=", 1) for pair in given.properties)
    return given


def uuid7():
    """Unique without coordination, and in the order of time (RFC 9562)."""
    millis = time.time_ns() // 1_000_000
    number = millis << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def requests(given):
    """Events by the names of the schema. What has a default there may be left out."""
    for _ in range(given.count):
        method, route = random.choice([("GET", "/products/{id}"), ("GET", "/cart"), ("POST", "/orders")])
        yield {
            "event_id": uuid7(),
            "time": time.time_ns() // 1_000,  # Microseconds: not seconds, not milliseconds.
            "service": given.service,
            "environment": "production",
            "endpoint": route,
            "method": method,
            "status_code": 503 if random.random() < given.errors else 200,
            "latency_ms": round(random.lognormvariate(3.5, 0.6), 3),
            "attributes": {"region": "eu-central"},
        }
