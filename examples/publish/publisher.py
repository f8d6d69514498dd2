"""A publisher of request events: the settings of confluent-kafka that matter, and deliveries that are checked."""

import sys

from confluent_kafka import Producer


class Publisher:
    """Publishes to `topic`; use it in a `with`, at whose end the last deliveries are awaited."""

    def __init__(self, bootstrap, topic, properties):
        self.topic = topic
        self.delivered = 0
        self.missing = 0
        self.producer = Producer({
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,  # What the client itself sends again is in the log once.
            "acks": "all",
            "partitioner": "murmur2_random",  # As Java's clients have it; librdkafka's default is another.
            "compression.type": "lz4",
            "linger.ms": 20,
            # Whoever publishes again what failed must do so within two minutes: this leaves one.
            "delivery.timeout.ms": 60_000,
            **properties,
        })

    def publish(self, event_id, value):
        """Queues an event. What comes of it is told by on_delivery; waits only while the queue is full."""
        while True:
            try:
                self.producer.produce(self.topic, key=event_id, value=value, on_delivery=self.on_delivery)
                break
            except BufferError:
                self.producer.poll(1.0)
        self.producer.poll(0)

    def on_delivery(self, error, message):
        if error is None:
            self.delivered += 1
            return
        self.missing += 1
        print(f"{message.key().decode()} was not delivered: {error}", file=sys.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        left = self.producer.flush(90)  # Calls on_delivery, which counts too.
        self.missing += left

    def exit_code(self):
        print(f"{self.delivered} events delivered to {self.topic}, {self.missing} not", file=sys.stderr)
        return 1 if self.missing else 0
