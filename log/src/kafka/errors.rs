//! What librdkafka's errors mean for the caller.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use slipstream_schemas::Cause;

use super::names::Names;
use crate::port::LogError;

/// An error of reading or a lookup. A partition that a client does not know may be new: it will learn of it.
pub(super) fn log_error(names: &Names, doing: impl Into<String>, error: &KafkaError) -> LogError {
    of_code(names, doing, error.rdkafka_error_code(), Cause::of(error.clone()))
}

/// An error of a code.
pub(super) fn of_code(
    names: &Names,
    doing: impl Into<String>,
    code: Option<RDKafkaErrorCode>,
    cause: Cause,
) -> LogError {
    let doing = doing.into();
    match code {
        Some(RDKafkaErrorCode::UnknownPartition) => LogError::Transient { doing, cause },
        Some(code) if is_lasting(code) || code == RDKafkaErrorCode::UnknownTopicOrPartition => {
            LogError::Fatal { doing, cause: cause.and(&format!("; {}", advice(names, code, Right::Read))) }
        }
        _ => LogError::Transient { doing, cause },
    }
}

/// Whether this client does not know a partition: another one may already know new partitions.
pub(super) fn is_new_partition(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition)
}

/// Whether an error persists until someone fixes the cause.
pub(super) fn is_lasting(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as E;
    matches!(
        code,
        E::TopicAuthorizationFailed
            | E::ClusterAuthorizationFailed
            | E::GroupAuthorizationFailed
            | E::TransactionalIdAuthorizationFailed
            | E::UnknownTopic
            | E::UnknownPartition
            | E::InvalidTopic
            | E::UnsupportedSASLMechanism
            | E::UnsupportedVersion
            | E::NotImplemented
            | E::InvalidConfig
    )
}

/// What was to be done with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

/// What to do about a permanent error. Rights are named as in `kafka-acls.sh`.
pub(super) fn advice(names: &Names, code: RDKafkaErrorCode, wanted: Right) -> String {
    use RDKafkaErrorCode as E;
    let prefix = names.prefix();
    let right = match wanted {
        Right::Read => "Read",
        Right::Write => "Write",
    };
    let allow = |what: &str| format!("allow {what} that start with `{prefix}` (docs/operations-kafka.md, \"Rights\")");
    match code {
        E::UnknownTopic | E::UnknownPartition | E::UnknownTopicOrPartition => {
            format!("topics start with `{prefix}`: run `slipstream topics ensure`")
        }
        E::TopicAuthorizationFailed => allow(&format!("{right} and Describe on topics")),
        // The error of an idempotent producer that may write to no topic at all.
        E::ClusterAuthorizationFailed => allow("Write and Describe on topics"),
        E::GroupAuthorizationFailed => allow("Read on groups"),
        E::TransactionalIdAuthorizationFailed => allow("Write and Describe on transactional ids"),
        _ => format!("topics start with `{prefix}`: run `slipstream doctor` to find the reason"),
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::cause;

    use super::*;

    #[test]
    fn what_lasts_says_what_to_do_and_keeps_the_librarys_code() {
        use RDKafkaErrorCode as E;
        let names = Names::new("p.");
        let make = "; topics start with `p.`: run `slipstream topics ensure`";
        for (code, advice) in [
            (E::UnknownTopicOrPartition, Some(make)),
            (E::UnknownTopic, Some(make)),
            (
                E::TopicAuthorizationFailed,
                Some("; allow Read and Describe on topics that start with `p.` (docs/operations-kafka.md, \"Rights\")"),
            ),
            (
                E::GroupAuthorizationFailed,
                Some("; allow Read on groups that start with `p.` (docs/operations-kafka.md, \"Rights\")"),
            ),
            (E::InvalidConfig, Some("; topics start with `p.`: run `slipstream doctor` to find the reason")),
            (E::UnknownPartition, None),
            (E::BrokerTransportFailure, None),
        ] {
            let error = log_error(&names, "asking", &KafkaError::MetadataFetch(code));
            let line = format!("asking: Meta data fetch error: {code}{}", advice.unwrap_or_default());
            assert_eq!(cause::chain(&error), line);
            assert_eq!(matches!(error, LogError::Fatal { .. }), advice.is_some(), "{code}");
            assert_eq!(cause::find::<RDKafkaErrorCode>(&error), Some(&code));
        }
    }
}
