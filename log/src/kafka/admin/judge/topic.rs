//! What the facts of one topic mean.

use std::time::Duration;

use slipstream_schemas::Topic;
use slipstream_schemas::topics::{Kept, TopicSpec};

use super::super::facts::{Absent, Settings, TopicState, TopicThere, Untold};
use super::super::finding::Finding;
use super::super::{LARGEST_BATCH, config_of};
use super::{ENSURE, number};

/// A batch of our producers, uncompressed (librdkafka's batch.size): with less, records are refused at random.
const LEAST_MESSAGE: u64 = 1_000_000;
/// Less than this and a restart may find a gap: roles rebuild from the log what they had in memory.
const LEAST_RETENTION: Duration = Duration::from_secs(3_600);

/// What is wrong with a topic; nothing if it is as it must be. `brokers`: how many there are.
pub fn topic(state: &TopicState, brokers: usize, bootstrap: &str) -> Vec<Finding> {
    let check = format!("topic {}", state.name);
    let there = match &state.there {
        Ok(there) => there,
        Err(Absent::Missing) => return vec![Finding::error(check, "is missing", ENSURE)],
        Err(Absent::Hidden) => {
            let todo = "allow Describe on the topic to this user";
            return vec![Finding::error(check, "may not be seen by this user, if it is there", todo)];
        }
    };
    let spec = state.topic.spec();
    let mut findings = partitions(&check, spec, there);
    findings.extend(replication(&check, state, there, brokers, bootstrap));
    match &there.settings {
        // Said once for all of them: see `unread`.
        Err(Untold::Refused) => {}
        Err(Untold::Failed(why)) => {
            let todo = "ask again; if it goes on, see the findings on brokers";
            findings.push(Finding::warn(&check, format!("does not tell its settings: {why}"), todo));
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

/// A setting on which roles would count wrong without a word: producers' times, or records that go before they were read.
pub fn miscounts(topic: Topic, name: &str, settings: &Settings, bootstrap: &str) -> Option<Finding> {
    let check = format!("topic {name}");
    let context = Context { check: &check, name, spec: topic.spec(), settings, bootstrap };
    context.times().into_iter().next().or_else(|| context.compacted())
}

fn partitions(check: &str, spec: &TopicSpec, there: &TopicThere) -> Vec<Finding> {
    let mut findings = Vec::new();
    let n = there.partitions.len();
    if spec.topic == Topic::SloDefinitions && n != 1 {
        let message = format!("has {n} partitions: definitions need one order, all but the first are not read");
        let todo = "leave it as it is if what was published counts; otherwise move to a new installation beside this one: \
                    docs/operations-kafka.md, \"Another number of partitions\"";
        findings.push(Finding::error(check, message, todo));
    }
    let unled = there.partitions.iter().filter(|p| !p.led).count();
    if unled > 0 {
        let message = format!("{unled} of {n} partitions have no leader: nothing is read from them or written to them");
        findings.push(Finding::error(check, message, "bring the brokers with their replicas back"));
    }
    findings
}

/// Replication against acks=all.
fn replication(check: &str, state: &TopicState, there: &TopicThere, brokers: usize, bootstrap: &str) -> Vec<Finding> {
    let replicas = there.replication();
    let least: usize = there.setting("min.insync.replicas").and_then(|v| v.parse().ok()).unwrap_or(1);
    let set = |n: usize| set_topic(bootstrap, &state.name, "min.insync.replicas", &n.to_string());
    if least > replicas {
        let message = format!("min.insync.replicas={least}, but replicas: {replicas}; nothing can be written");
        return vec![Finding::error(check, message, set(replicas.saturating_sub(1).max(1)))];
    }
    let mut findings = in_sync(check, there, least);
    if replicas == 1 && brokers > 1 {
        let message = "has one replica though there are more brokers: with one of them part of it stops, and is lost \
                       with its disk (L1)";
        let todo = "raise its replication to 3 with kafka-reassign-partitions.sh, then min.insync.replicas to 2";
        findings.push(Finding::warn(check, message, todo));
    } else if least == replicas && replicas > 1 {
        let message = format!("min.insync.replicas={least} of {replicas}: one broker down stops writing");
        findings.push(Finding::warn(check, message, set(replicas - 1)));
    } else if least == 1 && replicas > 2 {
        let message = format!(
            "min.insync.replicas=1 of {replicas}: with acks=all a single broker may acknowledge what is lost with it (L1)"
        );
        findings.push(Finding::warn(check, message, set(2)));
    }
    findings
}

fn in_sync(check: &str, there: &TopicThere, least: usize) -> Vec<Finding> {
    let led = || there.partitions.iter().filter(|p| p.led);
    let short = led().filter(|p| p.in_sync < least).count();
    let behind = led().filter(|p| p.in_sync < p.replicas).count();
    if short > 0 {
        let message = format!(
            "{short} partitions have fewer replicas in sync than min.insync.replicas={least}: nothing can be written to \
             them"
        );
        return vec![Finding::error(check, message, "bring the brokers with their replicas back")];
    }
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
                    "takes producers' times (message.timestamp.type={kind}): ticks, redelivery and horizons need the \
                     broker's (L7)"
                );
                let todo = format!(
                    "{}; records that are in it keep the times they have",
                    self.as_made("message.timestamp.type")
                );
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
            let message = format!("cleanup.policy={policy}: of records with one key only the newest would stay (L1)");
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
                    let message = format!("retention.ms={ms}: definitions and settings would vanish");
                    vec![Finding::error(self.check, message, self.as_made("retention.ms"))]
                }
            },
            Kept::Compacted { .. } if !compacts => {
                let message =
                    format!("cleanup.policy={policy}: it grows, and what is older than its retention is lost");
                vec![Finding::error(self.check, message, self.as_made("cleanup.policy"))]
            }
            Kept::Compacted { .. } if deletes => {
                let message =
                    format!("cleanup.policy={policy}: what is older than its retention is lost, newest or not");
                vec![Finding::error(self.check, message, self.as_made("cleanup.policy"))]
            }
            Kept::Compacted { floor } => match number(self.settings, "min.compaction.lag.ms") {
                Some(ms) if u128::from(ms) < floor.as_millis() => {
                    let message =
                        format!("min.compaction.lag.ms={ms}: readers that are behind miss what happened between");
                    vec![Finding::warn(self.check, message, self.as_made("min.compaction.lag.ms"))]
                }
                _ => Vec::new(),
            },
        }
    }

    fn retention(&self, wanted: Duration) -> Vec<Finding> {
        let mut findings = self.bytes();
        // -1: for ever.
        let Some(ms) = number(self.settings, "retention.ms") else { return findings };
        let kept = Duration::from_millis(ms);
        let message = format!("retention.ms={ms}: records stay {}, the table says {}", days(kept), days(wanted));
        if kept < LEAST_RETENTION {
            let message = format!("{message}; a role that was away for longer loses what it did not read");
            findings.push(Finding::error(self.check, message, self.as_made("retention.ms")));
        } else if kept < wanted {
            findings.push(Finding::warn(self.check, message, self.as_made("retention.ms")));
        }
        findings
    }

    /// Retention by size ends records early, whenever there is much of them.
    fn bytes(&self) -> Vec<Finding> {
        match number(self.settings, "retention.bytes") {
            Some(bytes) => {
                let message =
                    format!("retention.bytes={bytes}: when a partition grows larger, records go before their time");
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
            let message =
                format!("max.message.bytes={most}: a larger record would be refused, and its role would stop");
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

/// What to say where a topic has another number of partitions than somebody asked for; `None` if it has that number, or is
/// missing.
pub fn wanted_partitions(state: &TopicState, wanted: u32, bootstrap: &str) -> Option<Finding> {
    let has = state.there.as_ref().ok()?.partitions.len();
    if has == wanted as usize {
        return None;
    }
    let check = format!("topic {}", state.name);
    let message = format!("has {has} partitions, {wanted} were asked for");
    let grown =
        format!("kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {} --partitions {wanted}", state.name);
    let fewer = "partitions cannot be taken away; leave it as it is";
    let fixed = "their number is fixed once the installation runs, because keys have their partitions by it";
    let todo = match state.topic {
        Topic::SliTallies | Topic::BurnSnapshots => return Some(moves(&check, &message, state.topic, wanted)),
        _ if has > wanted as usize => fewer.to_owned(),
        Topic::RequestEvents => format!("{grown}; for two minutes copies of one event are not recognised over it"),
        Topic::Notifications | Topic::DeadLetters => grown,
        _ => fixed.to_owned(),
    };
    Some(Finding::warn(check, message, todo))
}

/// Neither more nor fewer: the sums of an SLO, and burn's state of it, are in one partition.
fn moves(check: &str, message: &str, topic: Topic, wanted: u32) -> Finding {
    let message = format!(
        "{message}: refused, nothing was changed; their number is fixed, because an SLO has its partition by it, its sums so \
         far are there (P1), and burn's state of it too"
    );
    let todo = format!(
        "leave it as it is, or move to a new installation beside this one: another `kafka.prefix`, a database of its own, \
         `slipstream topics ensure --partitions {}={wanted}` there, then its roles, then the producers; step by step: \
         docs/operations-kafka.md, \"Another number of partitions\"",
        topic.name()
    );
    Finding::error(check, message, todo)
}
