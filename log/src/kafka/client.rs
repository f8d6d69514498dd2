//! What librdkafka tells its clients besides records: logs, and which partitions there are.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

/// How long a look at a topic may take.
const LOOK: Duration = Duration::from_secs(5);

/// A consumer whose events we read ourselves.
pub(super) type Reader = BaseConsumer<ClientLog>;

/// Passes on to tracing what librdkafka logs. It logs as warnings and errors what passes by itself (a broker that
/// restarts); what matters comes as an error of a call.
pub(super) struct ClientLog;

impl ClientContext for ClientLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_line(level as i32, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka reports");
    }
}

impl ConsumerContext for ClientLog {}

/// A log line of librdkafka; `level` as syslog counts.
pub(super) fn log_line(level: i32, facility: &str, text: &str) {
    // CONFWARN: properties of producers on consumers and the other way round; one set of the user's goes to both.
    match level {
        ..=3 if facility != "CONFWARN" => tracing::warn!(facility, "librdkafka: {text}"),
        4..=5 if facility != "CONFWARN" => tracing::info!(facility, "librdkafka: {text}"),
        _ => tracing::debug!(facility, "librdkafka: {text}"),
    }
}

/// Asks for the partitions of a topic, which makes them known to this client.
pub(super) fn look_again<C: ClientContext>(client: &Client<C>, topic: &str) {
    if let Err(error) = client.fetch_metadata(Some(topic), LOOK) {
        tracing::info!(%error, topic, "partitions that came are not known yet");
    }
}
