//! L1 to L7 on Apache Kafka: the suite, and what only a broker can do.

#![allow(clippy::unwrap_used, reason = "a test")]

mod kafka_subject;

slipstream_log::conformance!(kafka_subject::OnKafka);
