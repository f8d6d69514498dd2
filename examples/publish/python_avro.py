#!/usr/bin/env python3
"""Publishes request events as Avro straight to Kafka, with confluent-kafka and fastavro.

    python python_avro.py --bootstrap localhost:9092 --service shop --count 1000
"""

import json
import sys
from io import BytesIO
from pathlib import Path

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

import traffic
from publisher import Publisher

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/avsc/request_event.avsc").read_text())
PARSED = fastavro.parse_schema(SCHEMA)
# Single-object encoding: C3 01, the schema's CRC-64-AVRO fingerprint (8 bytes, little-endian), then the body.
HEADER = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO"))


def encode(event):
    body = BytesIO()
    fastavro.schemaless_writer(body, PARSED, event)
    return HEADER + body.getvalue()


def main():
    given = traffic.arguments("Publishes made-up request events to Slipstream as Avro.")
    with Publisher(given.bootstrap, given.topic, given.properties) as publisher:
        for event in traffic.requests(given):
            publisher.publish(event["event_id"], encode(event))
    return publisher.exit_code()


if __name__ == "__main__":
    sys.exit(main())
