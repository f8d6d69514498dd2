//! What the facts of one topic mean.

use std::time::Duration;

use slipstream_schemas::Topic;
use slipstream_schemas::topics::{Kept, TopicSpec};

use super::super::facts::{Absent, Settings, TopicState, TopicThere, Untold};
use super::super::finding::Finding;
use super::super::{LARGEST_BATCH, config_of};
use super::{ENSURE, number};

/// A batch of our producers, uncompressed (librdkafka's batch.size): below this, batches are refused at random.
const LEAST_MESSAGE: u64 = 1_000_000;
/// Below this, a restart may find a gap: roles rebuild their memory from the log.
const LEAST_RETENTION: Duration = Duration::from_secs(3_600);

/// What is wrong with a topic; empty if nothing is. `brokers`: how many there are.
pub fn topic(state: &TopicState, brokers: usize, bootstrap: &str) -> Vec<Finding> {
    let check = format!("topic {}", state.name);
    let there = match &state.there {
        Ok(there) => there,
        Err(Absent::Missing) => return vec![Finding::error(check, "is missing", ENSURE)],
        Err(Absent::Hidden) => {
            let todo = "allow this user Describe on the topic";
            return vec![Finding::error(check, "may be missing, or this user may not see it", todo)];
        }
    };
    let spec = state.topic.spec();
    let mut findings = partitions(&check, spec, there);
    findings.extend(replication(&check, state, there, brokers, bootstrap));
    match &there.settings {
        // Reported once for all of them: see `unread`.
        Err(Untold::Refused) => {}
        Err(Untold::Failed(why)) => {
            let todo = "retry; if it persists, see the findings on brokers";
            findings.push(Finding::warn(&check, format!("its settings could not be read: {why}"), todo));
        }
        Ok(settings) => {
            let context = Context { check: &check, name: &state.name, spec, settings, bootstrap };
            findings.extend(context.times());
            findings.extend(context.cleanup());
            findings.extend(context.sizes());
        }
    }
    findings
}

/// A setting on which roles would silently count wrong: producers' timestamps, or records deleted before they are read.
pub fn miscounts(topic: Topic, name: &str, settings: &Settings, bootstrap: &str) -> Option<Finding> {
    let check = format!("topic {name}");
    let context = Context { check: &check, name, spec: topic.spec(), settings, bootstrap };
    context.times().into_iter().next().or_else(|| context.compacted())
}

fn partitions(check: &str, spec: &TopicSpec, there: &TopicThere) -> Vec<Finding> {
    let mut findings = Vec::new();
    let n = there.partitions.len();
    if spec.topic == Topic::SloDefinitions && n != 1 {
        let message = format!("has {n} partitions: definitions need a total order, so only the first one is read");
        let todo = "leave it as it is if all definitions are in force; otherwise move to a new installation beside this one: \
                    docs/operations-kafka.md, \"Another number of partitions\"";
        findings.push(Finding::error(check, message, todo));
    }
    let unled = there.partitions.iter().filter(|p| !p.led).count();
    if unled > 0 {
        let message = format!("{unled} of {n} partitions have no leader: they can be neither read nor written");
        findings.push(Finding::error(check, message, "bring back the brokers that have their replicas"));
    }
    findings
}

/// Replication against acks=all, as far as it is known.
fn replication(check: &str, state: &TopicState, there: &TopicThere, brokers: usize, bootstrap: &str) -> Vec<Finding> {
    let replicas = there.replication();
    let least: Option<usize> = there.setting("min.insync.replicas").and_then(|v| v.parse().ok());
    if let Some(least) = least.filter(|least| *least > replicas) {
        let message = format!("min.insync.replicas={least}, but replicas: {replicas}; nothing can be written");
        return vec![Finding::error(check, message, set_in_sync(state, bootstrap, replicas.saturating_sub(1).max(1)))];
    }
    let mut findings = in_sync(check, there, least);
    if replicas == 1 && brokers > 1 {
        let message = "has one replica although there are more brokers: without one of them part of it stops, and is lost \
                       with its disk (L1)";
        let todo = "raise its replication to 3 with kafka-reassign-partitions.sh, then min.insync.replicas to 2";
        findings.push(Finding::warn(check, message, todo));
    } else if let Some(least) = least {
        findings.extend(acknowledged(check, state, bootstrap, least, replicas));
    }
    findings
}

/// How many replicas must have a record before it is acknowledged.
fn acknowledged(check: &str, state: &TopicState, bootstrap: &str, least: usize, replicas: usize) -> Option<Finding> {
    if least == replicas && replicas > 1 {
        let message = format!("min.insync.replicas={least} of {replicas}: one broker down stops writing");
        return Some(Finding::warn(check, message, set_in_sync(state, bootstrap, replicas - 1)));
    }
    (least == 1 && replicas > 2).then(|| {
        let message = format!(
            "min.insync.replicas=1 of {replicas}: with acks=all a single broker may acknowledge what is lost with it (L1)"
        );
        Finding::warn(check, message, set_in_sync(state, bootstrap, 2))
    })
}

fn set_in_sync(state: &TopicState, bootstrap: &str, least: usize) -> String {
    set_topic(bootstrap, &state.name, "min.insync.replicas", &least.to_string())
}

fn in_sync(check: &str, there: &TopicThere, least: Option<usize>) -> Vec<Finding> {
    let led = || there.partitions.iter().filter(|p| p.led);
    let least = least.unwrap_or_default();
    let short = led().filter(|p| p.in_sync < least).count();
    if short > 0 {
        let message = format!(
            "{short} partitions have fewer replicas in sync than min.insync.replicas={least}: nothing can be written to \
             them"
        );
        return vec![Finding::error(check, message, "bring back the brokers that have their replicas")];
    }
    let behind = led().filter(|p| p.in_sync < p.replicas).count();
    if behind > 0 {
        let message = format!("{behind} partitions have replicas that are not in sync");
        return vec![Finding::warn(check, message, "is a broker down or overloaded?")];
    }
    Vec::new()
}

/// How a setting of a topic is changed.
pub(in crate::kafka) fn set_topic(bootstrap: &str, name: &str, setting: &str, value: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {name} \
         --add-config {setting}={value}"
    )
}

/// A topic's settings, and what is said about them.
struct Context<'a> {
    check: &'a str,
    name: &'a str,
    spec: &'a TopicSpec,
    settings: &'a Settings,
    bootstrap: &'a str,
}

impl Context<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// The advice that sets a setting as `topics ensure` would have.
    fn as_made(&self, setting: &str) -> String {
        let value = config_of(self.spec).into_iter().find(|(name, _)| *name == setting).map(|(_, value)| value);
        set_topic(self.bootstrap, self.name, setting, &value.unwrap_or_default())
    }

    fn times(&self) -> Vec<Finding> {
        match self.get("message.timestamp.type") {
            Some(kind) if self.spec.log_append_time && kind != "LogAppendTime" => {
                let message = format!(
                    "keeps producers' timestamps (message.timestamp.type={kind}): ticks, redelivery and horizons need the \
                     broker's (L7)"
                );
                let todo =
                    format!("{}; existing records keep their timestamps", self.as_made("message.timestamp.type"));
                vec![Finding::error(self.check, message, todo)]
            }
            _ => Vec::new(),
        }
    }

    fn policy(&self) -> &str {
        self.get("cleanup.policy").unwrap_or("delete")
    }

    /// Compaction where every record counts.
    fn compacted(&self) -> Option<Finding> {
        let policy = self.policy();
        let counts = matches!(self.spec.kept, Kept::For(_) | Kept::Forever);
        (counts && policy.contains("compact")).then(|| {
            let message = format!("cleanup.policy={policy}: only the newest record of each key would be kept (L1)");
            Finding::error(self.check, message, self.as_made("cleanup.policy"))
        })
    }

    fn cleanup(&self) -> Vec<Finding> {
        let policy = self.policy();
        let compacts = policy.contains("compact");
        let deletes = policy.contains("delete");
        if let Some(finding) = self.compacted() {
            return vec![finding];
        }
        match self.spec.kept {
            Kept::For(time) => self.retention(time),
            Kept::Forever => match self.get("retention.ms") {
                Some("-1") | None => self.bytes(),
                Some(ms) => {
                    let message = format!("retention.ms={ms}: definitions and settings would be deleted");
                    vec![Finding::error(self.check, message, self.as_made("retention.ms"))]
                }
            },
            Kept::Compacted { .. } if !compacts => {
                let message = format!(
                    "cleanup.policy={policy}: it is not compacted, and records older than its retention are lost"
                );
                vec![Finding::error(self.check, message, self.as_made("cleanup.policy"))]
            }
            Kept::Compacted { .. } if deletes => {
                let message = format!(
                    "cleanup.policy={policy}: records older than its retention are lost, even the newest of a key"
                );
                vec![Finding::error(self.check, message, self.as_made("cleanup.policy"))]
            }
            Kept::Compacted { floor } => match number(self.settings, "min.compaction.lag.ms") {
                Some(ms) if u128::from(ms) < floor.as_millis() => {
                    let message =
                        format!("min.compaction.lag.ms={ms}: readers that are behind miss intermediate records");
                    vec![Finding::warn(self.check, message, self.as_made("min.compaction.lag.ms"))]
                }
                _ => Vec::new(),
            },
        }
    }

    fn retention(&self, wanted: Duration) -> Vec<Finding> {
        let mut findings = self.bytes();
        // -1: forever.
        let Some(ms) = number(self.settings, "retention.ms") else { return findings };
        let kept = Duration::from_millis(ms);
        let message = format!("retention.ms={ms}: records are kept for {}, expected {}", days(kept), days(wanted));
        if kept < LEAST_RETENTION {
            let message = format!("{message}; a role that is down for longer loses what it has not read");
            findings.push(Finding::error(self.check, message, self.as_made("retention.ms")));
        } else if kept < wanted {
            findings.push(Finding::warn(self.check, message, self.as_made("retention.ms")));
        }
        findings
    }

    /// Retention by size deletes records early when there are many of them.
    fn bytes(&self) -> Vec<Finding> {
        match number(self.settings, "retention.bytes") {
            Some(bytes) => {
                let message =
                    format!("retention.bytes={bytes}: when a partition grows larger, records are deleted early");
                let todo = set_topic(self.bootstrap, self.name, "retention.bytes", "-1");
                vec![Finding::warn(self.check, message, todo)]
            }
            None => Vec::new(),
        }
    }

    fn sizes(&self) -> Vec<Finding> {
        let Some(most) = number(self.settings, "max.message.bytes") else { return Vec::new() };
        let todo = || self.as_made("max.message.bytes");
        if most < LEAST_MESSAGE {
            let message = format!("max.message.bytes={most}: our batches would be refused");
            return vec![Finding::error(self.check, message, todo())];
        }
        if most < LARGEST_BATCH as u64 {
            let message = format!("max.message.bytes={most}: a larger record would be refused, which stops its role");
            return vec![Finding::warn(self.check, message, todo())];
        }
        Vec::new()
    }
}

fn days(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{:.1} h", seconds as f64 / 3_600.0),
        _ => format!("{:.1} d", seconds as f64 / 86_400.0),
    }
}

/// The finding if a topic has another number of partitions than was requested; `None` if it has that number, or is
/// missing.
pub fn wanted_partitions(state: &TopicState, wanted: u32, bootstrap: &str) -> Option<Finding> {
    let has = state.there.as_ref().ok()?.partitions.len();
    if has == wanted as usize {
        return None;
    }
    let check = format!("topic {}", state.name);
    let message = format!("has {has} partitions, {wanted} were requested");
    let grown =
        format!("kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {} --partitions {wanted}", state.name);
    let fewer = "partitions cannot be removed; leave it as it is";
    let fixed = "their number is fixed once the installation runs, because it decides the partition of each key";
    let todo = match state.topic {
        Topic::SliTallies | Topic::BurnSnapshots => return Some(moves(&check, &message, state.topic, wanted)),
        _ if has > wanted as usize => fewer.to_owned(),
        Topic::RequestEvents => format!("{grown}; for two minutes around that, copies of an event are not recognised"),
        Topic::Notifications | Topic::DeadLetters => grown,
        _ => fixed.to_owned(),
    };
    Some(Finding::warn(check, message, todo))
}

/// Their number cannot change: the sums of an SLO, and burn's state of it, are in one partition.
fn moves(check: &str, message: &str, topic: Topic, wanted: u32) -> Finding {
    let message = format!(
        "{message}: refused, nothing was changed; their number is fixed because it decides the partition of an SLO, where its \
         sums so far (P1) and burn's state are"
    );
    let todo = format!(
        "leave it as it is, or move to a new installation beside this one: another `kafka.prefix`, a database of its own, \
         `slipstream topics ensure --partitions {}={wanted}` there, then its roles, then the producers; step by step: \
         docs/operations-kafka.md, \"Another number of partitions\"",
        topic.name()
    );
    Finding::error(check, message, todo)
}
