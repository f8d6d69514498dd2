//! The log on Kafka: brokers and topics, the installation's settings, the broker's clock, the groups of the roles.

use bytes::Bytes;
use slipstream_definitions::definition::Document;
use slipstream_log::kafka::admin::{self, Finding, Severity};
use slipstream_log::kafka::{KafkaLog, KafkaOptions};
use slipstream_log::{Log, LogError, Outgoing, SharedLog};
use slipstream_query::definitions::{in_force, revisions};
use slipstream_role::definitions::read_settings;
use slipstream_schemas::Topic;

use super::clocks::{self, Ahead, now_ms};
use super::positions::{self, Examined};
use crate::output;

/// Key of the record that asks for the broker's time: a tombstone in a compacted topic, which leaves nothing behind.
const CLOCK_KEY: &[u8] = b"clock";

/// Examines a cluster; what is missing on it ends the examination early.
pub async fn examine(options: &KafkaOptions) -> (Vec<Finding>, Option<Examined>) {
    let cluster = match admin::inspect(options).await {
        Ok(cluster) => cluster,
        Err(error) => return (vec![unreachable(options, &error)], None),
    };
    let mut findings = admin::judge_cluster(&cluster, &options.brokers);
    if cluster.topics.iter().any(|topic| topic.there.is_err()) {
        return (findings, None);
    }
    let kafka = KafkaLog::new(options.clone());
    let log: SharedLog = kafka.clone();
    findings.extend(installation(log.as_ref()).await);
    let (found, clock) = clock(log.as_ref()).await;
    findings.push(found);
    let groups = match admin::groups(options).await {
        Ok(groups) => groups,
        Err(error) => {
            findings.push(Finding::warn("groups", error.to_string(), "allow this user Describe on groups"));
            Vec::new()
        }
    };
    findings.extend(positions::roles(log.as_ref(), &groups, clock).await);
    (findings, Some(Examined { log, clock, groups }))
}

fn unreachable(options: &KafkaOptions, error: &LogError) -> Finding {
    let todo = match options.properties.get("security.protocol") {
        None => "is the address right, and is a broker up? Does it need TLS or a password (kafka.properties)?",
        Some(_) => {
            "is the address right, and is a broker up? Are user, password and certificates right (kafka.properties)?"
        }
    };
    let message = match error {
        LogError::Transient { doing, cause } | LogError::Fatal { doing, cause } => format!("{doing}: {cause}"),
        error => error.to_string(),
    };
    Finding::error("kafka", message, todo)
}

/// Settings, and definitions in force.
async fn installation(log: &dyn Log) -> Vec<Finding> {
    match read_settings(log).await {
        Err(error) => {
            return vec![Finding::error("settings", error.to_string(), "allow this user Read on slo-definitions")];
        }
        Ok(None) => {
            let message = "the installation has no settings, so no role can start";
            return vec![Finding::error("settings", message, "slipstream topics ensure")];
        }
        Ok(Some(_)) => {}
    }
    let definitions = match revisions(log).await.map(|revisions| in_force(&revisions)) {
        Ok(slos) if slos.is_empty() => Finding::warn("definitions", "no SLOs", "slipstream run --slos PATH"),
        Ok(found) => {
            let rules = found.iter().filter(|slo| slo.document == Document::Rule).count();
            let beside = if rules > 0 { format!(", {rules} Rules") } else { String::new() };
            Finding::ok("definitions", format!("{} SLOs{beside} in force", found.len() - rules))
        }
        Err(error) => Finding::error(
            "definitions",
            output::causes(&error.into()),
            "upgrade this program, or remove the definition it names",
        ),
    };
    vec![Finding::ok("settings", "found"), definitions]
}

/// Gets the broker's time by writing a record: the response contains its append time.
async fn clock(log: &dyn Log) -> (Finding, Option<Ahead>) {
    let probe = Outgoing {
        topic: Topic::ImportPositions,
        partition: Some(0),
        key: Some(Bytes::from_static(CLOCK_KEY)),
        value: None,
        headers: Vec::new(),
    };
    // The first one connects, the second one measures.
    let connected = log.publish(vec![probe.clone()]).await;
    let before = now_ms();
    let written = match connected {
        Ok(_) => log.publish(vec![probe]).await,
        failed => failed,
    };
    let after = now_ms();
    match written {
        Ok(appended) => match appended.first() {
            Some(appended) => {
                let ahead = Ahead::of(before, appended.log_time.0, after);
                (clocks::broker(ahead), Some(ahead))
            }
            None => (Finding::ok(clocks::BROKER, "the broker did not report its time"), None),
        },
        Err(error) => {
            let todo = "allow this user Write, or see the findings on topics";
            let finding = Finding { severity: Severity::Error, ..Finding::warn("writing", error.to_string(), todo) };
            (finding, None)
        }
    }
}
