//! What librdkafka reports besides records: logs, and partitions.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

/// How long looking up a topic may take.
const LOOK: Duration = Duration::from_secs(5);

/// A consumer whose events we read ourselves.
pub(super) type Reader = BaseConsumer<ClientLog>;

/// Forwards librdkafka's logs to tracing. It logs temporary problems as warnings and errors (a broker that
/// restarts); what matters is returned as an error of a call.
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
    // CONFWARN: producer properties on consumers and vice versa; the user's one set goes to both.
    match level {
        ..=3 if facility != "CONFWARN" => tracing::warn!(facility, "librdkafka: {text}"),
        4..=5 if facility != "CONFWARN" => tracing::info!(facility, "librdkafka: {text}"),
        _ => tracing::debug!(facility, "librdkafka: {text}"),
    }
}

/// Looks up the partitions of a topic, which makes them known to this client. Returns whether it worked.
pub(super) fn look_again<C: ClientContext>(client: &Client<C>, topic: &str) -> bool {
    let found = client.fetch_metadata(Some(topic), LOOK);
    if let Err(error) = &found {
        tracing::info!(%error, topic, "new partitions are not known yet");
    }
    found.is_ok()
}
