//! Creating the topics that are missing, and nothing else: if all exist, the user needs no right to create topics.

use std::sync::{Mutex, PoisonError};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::error::RDKafkaErrorCode;
use slipstream_schemas::Cause;
use slipstream_schemas::topics::TopicSpec;
use tokio::time::{Duration, Instant};

use super::super::client::ClientLog;
use super::super::errors::log_error;
use super::super::names::Names;
use super::super::settings::{self, KafkaOptions};
use super::{CALL, config_of, judge, missing};
use crate::port::LogError;

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// With three replicas or more, how many must have a record before it is acknowledged: one may be down, and a record
/// that only one broker has is not acknowledged (L1).
const LEAST_IN_SYNC: (&str, &str) = ("min.insync.replicas", "2");

fn in_sync_of(replication: Option<i32>) -> Option<(&'static str, &'static str)> {
    replication.filter(|replicas| *replicas > 2).map(|_| LEAST_IN_SYNC)
}

/// Makes the topics that are missing, and notes the names of those it made, also where it fails afterwards. `replication`: `None` for the brokers' default, as is
/// then how many replicas must be in sync.
///
/// # Errors
/// `Transient` if the cluster may respond later; `Fatal` if it refuses a topic, or hides them: with the
/// right that is missing.
pub async fn ensure(
    options: &KafkaOptions,
    partitions: impl Fn(&TopicSpec) -> u32,
    replication: Option<i32>,
    made: &Mutex<Vec<String>>,
) -> Result<(), LogError> {
    let missing = missing(options).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let names = Names::new(&options.prefix);
    let configs: Vec<Vec<(&str, String)>> = missing.iter().map(|spec| config_of(spec)).collect();
    let new = missing.iter().zip(&configs).map(|(spec, config)| {
        let replicas = TopicReplication::Fixed(replication.unwrap_or(-1));
        let topic = NewTopic::new(names.of(spec.topic), partitions(spec) as i32, replicas);
        let topic = in_sync_of(replication).into_iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
    });
    let results = make(options, &names, new.collect()).await?;
    note(&options.prefix, results, made)?;
    visible(options).await
}

async fn make(options: &KafkaOptions, names: &Names, new: Vec<NewTopic<'_>>) -> Result<Vec<TopicResult>, LogError> {
    let admin: AdminClient<ClientLog> = settings::common(options)
        .create_with_context(ClientLog)
        .map_err(|e| log_error(names, "creating a Kafka client", &e))?;
    let patience = AdminOptions::new().operation_timeout(Some(CALL)).request_timeout(Some(CALL));
    admin.create_topics(&new, &patience).await.map_err(|e| log_error(names, "making topics", &e))
}

/// Notes every topic that was made before it says why another one was not: who asks again finds these there.
fn note(prefix: &str, results: Vec<TopicResult>, made: &Mutex<Vec<String>>) -> Result<(), LogError> {
    let mut failed = None;
    for result in results {
        match result {
            Ok(name) => made.lock().unwrap_or_else(PoisonError::into_inner).push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => failed = failed.or_else(|| Some(refused(prefix, &name, code))),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Why a topic was not created, and what to do.
fn refused(prefix: &str, name: &str, code: RDKafkaErrorCode) -> LogError {
    use RDKafkaErrorCode as E;
    let doing = format!("creating the topic {name}");
    match code {
        E::TopicAuthorizationFailed | E::ClusterAuthorizationFailed => {
            let cause = Cause::of(code).and(&format!("; {}", judge::allow(prefix, "Create")));
            LogError::Fatal { doing, cause }
        }
        E::InvalidReplicationFactor => {
            let cause = Cause::of(code).and("; does --replication exceed the number of brokers?");
            LogError::Fatal { doing, cause }
        }
        E::RequestTimedOut | E::OperationTimedOut | E::NotController | E::ThrottlingQuotaExceeded => {
            LogError::Transient { doing, cause: Cause::of(code) }
        }
        _ => LogError::Fatal { doing, cause: Cause::of(code) },
    }
}

/// Waits until the brokers know the new topics: they learn of them a moment after their creation.
async fn visible(options: &KafkaOptions) -> Result<(), LogError> {
    let deadline = Instant::now() + CALL;
    while !missing(options).await?.is_empty() {
        if Instant::now() >= deadline {
            let doing = format!("connecting to Kafka at {}", options.brokers);
            let cause = "the brokers do not list the new topics yet".into();
            return Err(LogError::Transient { doing, cause });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_single_broker_has_is_not_acknowledged_where_there_are_enough() {
        let table = [(None, None), (Some(1), None), (Some(2), None), (Some(3), Some("2")), (Some(5), Some("2"))];
        for (replication, expected) in table {
            assert_eq!(in_sync_of(replication).map(|(_, least)| least), expected, "{replication:?}");
        }
    }

    #[test]
    fn what_was_made_is_noted_though_another_one_was_not() {
        use RDKafkaErrorCode as E;
        let made = Mutex::default();
        let one = |name: &str| Ok(name.to_owned());
        let results = vec![one("a"), Err(("b".to_owned(), E::RequestTimedOut)), one("c")];
        assert!(matches!(note("p.", results, &made), Err(LogError::Transient { .. })));
        note("p.", vec![Err(("a".to_owned(), E::TopicAlreadyExists)), one("b")], &made).unwrap();
        assert_eq!(made.into_inner().unwrap(), ["a", "c", "b"]);
    }

    #[test]
    fn a_refused_topic_says_what_to_do() {
        use RDKafkaErrorCode as E;
        for (code, passes, said) in [
            (E::TopicAuthorizationFailed, false, "allow this user Create on topics that start with `p.`"),
            (E::ClusterAuthorizationFailed, false, "allow this user Create on topics that start with `p.`"),
            (E::InvalidReplicationFactor, false, "--replication"),
            (E::RequestTimedOut, true, "creating the topic p.alerts"),
            (E::PolicyViolation, false, "Policy"),
        ] {
            let error = refused("p.", "p.alerts", code);
            assert_eq!(matches!(error, LogError::Transient { .. }), passes, "{code}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
