//! Finding brokers and topics, or why none can be reached: librdkafka's calls report that they failed, its log says why.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use slipstream_schemas::Cause;

use super::super::client::log_line;
use super::super::errors::log_error;
use super::super::names::Names;
use super::super::settings::{self, KafkaOptions};
use super::facts::Absent;
use crate::port::LogError;

/// A running broker responds within this, even three times in a row.
const TRY: Duration = Duration::from_secs(5);
const TRIES: usize = 3;
/// How long, and over how many events, to listen for a cause.
const LISTEN: Duration = Duration::from_millis(20);
const EVENTS: usize = 1_000;

/// Lists all brokers and topics; also returns the client. Blocks.
///
/// # Errors
/// `Transient` when no broker can be reached, `Fatal` when the login is refused: with the cause from the log.
pub(super) fn metadata(options: &KafkaOptions) -> Result<(Asker, Metadata), LogError> {
    let doing = || format!("connecting to Kafka at {}", options.brokers);
    let made = settings::ranges(options).create_with_context(Hearing::default());
    let asker: Asker = made.map_err(|e| log_error(&Names::new(&options.prefix), doing(), &e))?;
    let mut cause = Cause::from("");
    for _ in 0..TRIES {
        match asker.fetch_metadata(None, TRY) {
            Ok(metadata) => return Ok((asker, metadata)),
            Err(error) => cause = Cause::worded(heard(&asker, &error), error),
        }
        if is_lasting(cause.text()) {
            let cause = cause.and("; see `kafka.properties` in the configuration");
            return Err(LogError::Fatal { doing: doing(), cause });
        }
    }
    Err(LogError::Transient { doing: doing(), cause })
}

/// Why a topic is not among those that were listed; `None` if it exists after all. Blocks.
///
/// # Errors
/// When there is no response.
pub(super) fn absence(asker: &Asker, name: &str) -> Result<Option<Absent>, LogError> {
    let failed = |cause| LogError::Transient { doing: format!("looking up the topic {name}"), cause };
    let metadata = asker.fetch_metadata(Some(name), TRY).map_err(|e| failed(Cause::of(e)))?;
    let found = metadata.topics().iter().find(|found| found.name() == name);
    Ok(match found.and_then(|found| found.error()).map(RDKafkaErrorCode::from) {
        // A user that may not see a topic does not learn whether it exists.
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Some(Absent::Hidden),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Some(Absent::Missing),
        _ if found.is_none() => Some(Absent::Missing),
        _ => None,
    })
}

/// Logs and errors arrive as events of a queue that has to be read.
fn heard(asker: &BaseConsumer<Hearing>, error: &KafkaError) -> String {
    for _ in 0..EVENTS {
        if asker.poll(LISTEN).is_none() {
            break;
        }
    }
    asker.context().cause(error)
}

/// Distinct causes that are kept.
const KEPT: usize = 3;

/// A client for metadata.
pub(super) type Asker = BaseConsumer<Hearing>;

/// A context that remembers what failed.
#[derive(Debug, Default)]
pub(super) struct Hearing(Mutex<Vec<String>>);

impl Hearing {
    /// What failed, for people; the error if nothing was logged.
    fn cause(&self, error: &KafkaError) -> String {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.is_empty() { error.to_string() } else { heard.join("; ") }
    }

    fn hear(&self, text: &str) {
        let cause = cause_in(text);
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < KEPT && !heard.contains(&cause) {
            heard.push(cause);
        }
    }
}

impl ClientContext for Hearing {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        if facility == "FAIL" {
            self.hear(text);
        }
        log_line(level as i32, facility, text);
    }

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Hearing {}

/// `[thrd:b:1/bootstrap]: b:1/bootstrap: Connect failed: refused (after 0ms in state CONNECT)` without the parts
/// about threads and states.
fn cause_in(text: &str) -> String {
    let text = text.split_once("]: ").map_or(text, |(_, rest)| rest);
    let text = text.split_once(" (after ").map_or(text, |(cause, _)| cause);
    text.replace("/bootstrap", "")
}

/// Whether waiting will not help: a login that is refused now will be refused later.
fn is_lasting(cause: &str) -> bool {
    ["uthentication", "SSL handshake", "certificate", "SASL"].iter().any(|sign| cause.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes() {
        for (text, cause, lasting) in [
            (
                "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused \
                 (after 0ms in state CONNECT)",
                "127.0.0.1:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
                false,
            ),
            (
                "[thrd:sasl_ssl://b:9093/bootstrap]: sasl_ssl://b:9093/bootstrap: SASL authentication error: Authentication \
                 failed (after 5ms in state AUTH_REQ)",
                "sasl_ssl://b:9093: SASL authentication error: Authentication failed",
                true,
            ),
            ("odd", "odd", false),
        ] {
            assert_eq!((cause_in(text).as_str(), is_lasting(text)), (cause, lasting));
        }
    }
}
