#!/usr/bin/env python3
"""Publishes request events as JSON straight to Kafka, with confluent-kafka and nothing else.

    python python_json.py --bootstrap localhost:9092 --service shop --count 1000
"""

import json
import sys

import traffic
from publisher import Publisher


def main():
    given = traffic.arguments("Publishes made-up request events to Slipstream as JSON.")
    with Publisher(given.bootstrap, given.topic, given.properties) as publisher:
        for event in traffic.requests(given):
            publisher.publish(event["event_id"], json.dumps(event))
    return publisher.exit_code()


if __name__ == "__main__":
    sys.exit(main())
