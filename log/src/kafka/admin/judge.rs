//! What the facts of a cluster mean. Pure: facts in, findings out.

mod topic;

use super::facts::{Absent, Broker, Cluster, Settings, TopicState, Untold};
use super::finding::Finding;
pub(in crate::kafka) use topic::set_topic;
pub use topic::{miscounts, topic, wanted_partitions};

/// The oldest Kafka with the transactions and groups that we need.
const OLDEST: (u32, u32) = (3, 0);
/// Timeout of our transactions and group sessions, milliseconds.
const TIMEOUT_MS: u64 = 10_000;

/// What is wrong with the cluster itself, and with each topic; a finding says if nothing is. `bootstrap`:
/// brokers for the commands in the advice.
pub fn cluster(cluster: &Cluster, bootstrap: &str) -> Vec<Finding> {
    let mut findings = brokers(&cluster.brokers);
    findings.extend(internal(cluster));
    let many = cluster.brokers.len();
    let missing: Vec<&str> =
        cluster.topics.iter().filter(|t| t.there == Err(Absent::Missing)).map(|t| t.name.as_str()).collect();
    if missing.len() == cluster.topics.len() {
        let message = "no topic of the installation exists (is `kafka.prefix` right?)";
        findings.push(Finding::error("topics", message, ENSURE));
        return findings;
    }
    let mut wrong: Vec<Finding> = cluster.topics.iter().flat_map(|state| topic(state, many, bootstrap)).collect();
    wrong.extend(unread(&cluster.topics));
    if wrong.is_empty() {
        findings
            .push(Finding::ok("topics", format!("all {} exist and are configured correctly", cluster.topics.len())));
    }
    findings.extend(wrong);
    findings
}

const ENSURE: &str = "slipstream topics ensure";

/// The right that the user of an installation lacks on its topics, in the terms of `kafka-acls.sh`.
pub fn allow(prefix: &str, operation: &str) -> String {
    format!("allow this user {operation} on topics that start with `{prefix}` (docs/operations-kafka.md, \"Rights\")")
}

/// Topics whose settings may not be read, which is not their fault.
pub fn unread(topics: &[TopicState]) -> Option<Finding> {
    let refused = |state: &&TopicState| matches!(&state.there, Ok(there) if there.settings == Err(Untold::Refused));
    let names: Vec<&str> = topics.iter().filter(refused).map(|state| state.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let message = format!("this user may not read their settings, so they were not checked: {}", names.join(", "));
        Finding::warn("topics", message, "allow this user DescribeConfigs on these topics")
    })
}

fn brokers(brokers: &[Broker]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for broker in brokers {
        findings.extend(self::broker(broker));
    }
    // Who does not let us read its settings answers, too.
    let answering = brokers.iter().filter(|b| !matches!(b.settings, Err(Untold::Failed(_)))).count();
    match brokers.len() {
        1 => findings.push(Finding::warn(
            "brokers",
            "one broker: while it is down nothing is accepted, and its disk holds the only copy",
            "fine for a trial; for production, use three brokers, and topics with --replication 3",
        )),
        n => findings.push(Finding::ok("brokers", format!("{answering} of {n} respond"))),
    }
    findings
}

fn broker(broker: &Broker) -> Vec<Finding> {
    let check = format!("broker {} ({})", broker.id, broker.address);
    let settings = match &broker.settings {
        Ok(settings) => settings,
        Err(Untold::Refused) => {
            let message = "responds; this user may not read its settings, so they were not checked";
            return vec![Finding::warn(check, message, "allow this user DescribeConfigs on the cluster")];
        }
        Err(Untold::Failed(why)) => {
            let todo = "is it up? Can its advertised address (advertised.listeners) be reached from this machine?";
            return vec![Finding::error(check, format!("does not respond: {why}"), todo)];
        }
    };
    let mut findings = Vec::new();
    if settings.get("auto.create.topics.enable").is_some_and(|v| v == "true") {
        let message = "creates topics when a client names them (auto.create.topics.enable=true): such a topic keeps \
                       producers' timestamps and the default retention";
        let todo =
            "set auto.create.topics.enable=false on the brokers, and look for topics that were created by accident";
        findings.push(Finding::warn(&check, message, todo));
    }
    findings.extend(timeouts(&check, settings));
    // Written by brokers up to 3.x only.
    let protocol = settings.get("inter.broker.protocol.version");
    if let Some(old) = protocol.filter(|v| older_than(v, OLDEST)) {
        let message = format!("speaks protocol {old}: Slipstream needs Kafka 3.0 or newer");
        findings.push(Finding::error(&check, message, "upgrade the brokers"));
    }
    if findings.is_empty() {
        let version = protocol.map_or_else(|| "Kafka 4 or later".to_owned(), |v| format!("protocol {v}"));
        findings.push(Finding::ok(check, format!("responds ({version})")));
    }
    findings
}

/// Limits of the cluster for our timeouts.
fn timeouts(check: &str, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, limit_ok, why) in [
        ("transaction.max.timeout.ms", Bound::AtLeast(TIMEOUT_MS), "our transactions would be refused"),
        ("group.max.session.timeout.ms", Bound::AtLeast(TIMEOUT_MS), "roles could not join their groups"),
        ("group.min.session.timeout.ms", Bound::AtMost(TIMEOUT_MS), "roles could not join their groups"),
    ] {
        if let Some(value) = number(settings, name).filter(|value| !limit_ok.holds(*value)) {
            let message = format!("{name}={value}: {why}");
            findings.push(Finding::error(check, message, format!("set {name}={TIMEOUT_MS} on the brokers")));
        }
    }
    findings
}

enum Bound {
    AtLeast(u64),
    AtMost(u64),
}

impl Bound {
    fn holds(&self, value: u64) -> bool {
        match self {
            Bound::AtLeast(least) => value >= *least,
            Bound::AtMost(most) => value <= *most,
        }
    }
}

fn number(settings: &Settings, name: &str) -> Option<u64> {
    settings.get(name)?.parse().ok()
}

/// Whether `3.7-IV4` is older than a version.
fn older_than(text: &str, version: (u32, u32)) -> bool {
    let mut parts = text.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < version,
        _ => false,
    }
}

/// The topics in which the cluster keeps positions and transactions.
fn internal(cluster: &Cluster) -> Vec<Finding> {
    let single = cluster.internal.iter().filter(|(_, replicas)| **replicas == 1 && cluster.brokers.len() > 1);
    let told = single.map(|(name, _)| {
        let message =
            "has one replica: without its broker, positions and transactions stop; they are lost with its disk";
        let todo = format!("raise the replication of {name} with kafka-reassign-partitions.sh");
        Finding::warn(format!("topic {name}"), message, todo)
    });
    told.collect()
}

#[cfg(test)]
mod tests;
