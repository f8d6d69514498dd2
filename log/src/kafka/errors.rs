//! What librdkafka's errors mean for whoever called.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use slipstream_schemas::Cause;

use super::names::Names;
use crate::port::LogError;

/// An error of reading or asking. A partition that a client does not know may have come of late: it will hear of it.
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

/// Whether a partition is not there, by what this client knows: another one may have heard of partitions that came.
pub(super) fn is_new_partition(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition)
}

/// Whether an error stays until somebody does something about it.
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

/// What somebody wanted to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

/// What to do about a lasting error. Rights have the names that `kafka-acls.sh` has for them.
pub(super) fn advice(names: &Names, code: RDKafkaErrorCode, wanted: Right) -> String {
    use RDKafkaErrorCode as E;
    let prefix = names.prefix();
    let right = match wanted {
        Right::Read => "Read",
        Right::Write => "Write",
    };
    let allow = |what: &str| format!("allow {what} that begin with `{prefix}` (docs/operations-kafka.md, \"Rights\")");
    match code {
        E::UnknownTopic | E::UnknownPartition | E::UnknownTopicOrPartition => {
            format!("topics begin with `{prefix}`: `slipstream topics ensure` makes them")
        }
        E::TopicAuthorizationFailed => allow(&format!("{right} and Describe on topics")),
        // What an idempotent producer is told that may write to no topic at all.
        E::ClusterAuthorizationFailed => allow("Write and Describe on topics"),
        E::GroupAuthorizationFailed => allow("Read on groups"),
        E::TransactionalIdAuthorizationFailed => allow("Write and Describe on transactional ids"),
        _ => format!("topics begin with `{prefix}`: `slipstream doctor` looks for the reason"),
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
        let make = "; topics begin with `p.`: `slipstream topics ensure` makes them";
        for (code, advice) in [
            (E::UnknownTopicOrPartition, Some(make)),
            (E::UnknownTopic, Some(make)),
            (
                E::TopicAuthorizationFailed,
                Some("; allow Read and Describe on topics that begin with `p.` (docs/operations-kafka.md, \"Rights\")"),
            ),
            (
                E::GroupAuthorizationFailed,
                Some("; allow Read on groups that begin with `p.` (docs/operations-kafka.md, \"Rights\")"),
            ),
            (E::InvalidConfig, Some("; topics begin with `p.`: `slipstream doctor` looks for the reason")),
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
