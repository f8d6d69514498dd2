//! What librdkafka's errors mean for whoever called.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::names::Names;
use super::publisher::{advice, is_lasting};
use crate::port::LogError;

/// An error of reading or asking. A partition that a client does not know may have come of late: it will hear of it.
pub(super) fn log_error(names: &Names, doing: impl Into<String>, error: &KafkaError) -> LogError {
    of_code(names, doing, error.rdkafka_error_code(), error.to_string())
}

/// An error of a code.
pub(super) fn of_code(
    names: &Names,
    doing: impl Into<String>,
    code: Option<RDKafkaErrorCode>,
    text: String,
) -> LogError {
    let doing = doing.into();
    match code {
        Some(RDKafkaErrorCode::UnknownPartition) => LogError::Transient { doing, cause: text },
        Some(code) if is_lasting(code) || code == RDKafkaErrorCode::UnknownTopicOrPartition => {
            LogError::Fatal { doing, cause: format!("{text}; topics {}", advice(names, code)) }
        }
        _ => LogError::Transient { doing, cause: text },
    }
}
