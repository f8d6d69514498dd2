//! Tables: one fact changed in a healthy cluster, and the finding.

use std::collections::BTreeMap;

use slipstream_schemas::Topic;
use slipstream_schemas::topics::{TOPICS, TopicSpec};

use super::super::config_of;
use super::super::facts::{PartitionState, TopicState, TopicThere};
use super::super::finding::Severity;
use super::*;

const BOOTSTRAP: &str = "b:9092";

fn settings(of: &[(&str, &str)]) -> Settings {
    of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Three brokers, three replicas, two in sync at least, everything as created by `topics ensure`.
fn healthy() -> Cluster {
    let broker = |id: i32| Broker {
        id,
        address: format!("b{id}:9092"),
        settings: Ok(settings(&[("auto.create.topics.enable", "false"), ("transaction.max.timeout.ms", "900000")])),
    };
    let topics = TOPICS.iter().map(|spec| TopicState {
        topic: spec.topic,
        name: format!("slipstream.{}", spec.name),
        there: Ok(TopicThere { partitions: vec![whole(); spec.partitions as usize], settings: Ok(made(spec)) }),
    });
    let internal = BTreeMap::from([("__consumer_offsets".to_owned(), 3), ("__transaction_state".to_owned(), 3)]);
    Cluster { brokers: (1..=3).map(broker).collect(), topics: topics.collect(), internal }
}

fn whole() -> PartitionState {
    PartitionState { led: true, replicas: 3, in_sync: 3 }
}

fn made(spec: &TopicSpec) -> Settings {
    let mut made = settings(&[("min.insync.replicas", "2"), ("retention.bytes", "-1")]);
    made.extend(config_of(spec).into_iter().map(|(k, v)| (k.to_owned(), v)));
    made
}

/// Findings that are not `ok`.
fn wrong(cluster: &Cluster) -> Vec<Finding> {
    super::cluster(cluster, BOOTSTRAP).into_iter().filter(|f| f.severity != Severity::Ok).collect()
}

fn there(cluster: &mut Cluster, topic: Topic) -> &mut TopicThere {
    cluster.topics[topic as usize].there.as_mut().unwrap()
}

#[test]
fn a_healthy_cluster_is_healthy() {
    assert_eq!(wrong(&healthy()), []);
    let checks: Vec<String> = super::cluster(&healthy(), BOOTSTRAP).into_iter().map(|f| f.check).collect();
    assert_eq!(checks, ["broker 1 (b1:9092)", "broker 2 (b2:9092)", "broker 3 (b3:9092)", "brokers", "topics"]);
}

#[test]
fn one_setting_of_a_topic() {
    use Severity::{Error, Warn};
    let table = [
        (Topic::RequestEvents, "message.timestamp.type", "CreateTime", Error, "keeps producers' timestamps"),
        (Topic::RequestEvents, "cleanup.policy", "compact", Error, "only the newest record of each key"),
        (Topic::RequestEvents, "cleanup.policy", "compact,delete", Error, "only the newest record of each key"),
        (Topic::RequestEvents, "retention.ms", "86400000", Warn, "records are kept for 1.0 d, expected 7.0 d"),
        (Topic::RequestEvents, "retention.ms", "60000", Error, "records are kept for 1 min"),
        (Topic::RequestEvents, "retention.bytes", "1073741824", Warn, "records are deleted early"),
        (Topic::SloDefinitions, "retention.ms", "604800000", Error, "definitions and settings would be deleted"),
        (Topic::BurnSnapshots, "cleanup.policy", "delete", Error, "older than its retention are lost"),
        (Topic::BurnSnapshots, "cleanup.policy", "compact,delete", Error, "older than its retention are lost"),
        (Topic::BurnRates, "min.compaction.lag.ms", "0", Warn, "readers that are behind"),
        (Topic::BurnSnapshots, "max.message.bytes", "1048588", Warn, "a larger record would be refused"),
        (Topic::SliTallies, "max.message.bytes", "65536", Error, "our batches would be refused"),
        (Topic::Alerts, "min.insync.replicas", "1", Warn, "a single broker may acknowledge"),
        (Topic::Alerts, "min.insync.replicas", "3", Warn, "one broker down stops writing"),
        (Topic::Alerts, "min.insync.replicas", "4", Error, "nothing can be written"),
    ];
    for (topic, name, value, severity, expected) in table {
        let mut cluster = healthy();
        let there = there(&mut cluster, topic);
        there.settings.as_mut().unwrap().insert(name.to_owned(), value.to_owned());
        let found = wrong(&cluster);
        assert_eq!(found.len(), 1, "{topic} {name}={value}: {found:?}");
        let Finding { check, severity: how, message, todo } = &found[0];
        assert_eq!((check, *how), (&format!("topic slipstream.{topic}"), severity), "{name}={value}");
        assert!(message.contains(expected), "{name}={value}: {message}");
        let todo = todo.as_ref().unwrap();
        assert!(todo.contains(&format!("--entity-name slipstream.{topic} --add-config {name}=")), "{todo}");
        assert!(todo.contains("--bootstrap-server b:9092"), "{todo}");
    }
}

#[test]
fn longer_retention_is_nobodys_business() {
    for ms in ["-1", "999999999999"] {
        let mut cluster = healthy();
        let events = there(&mut cluster, Topic::RequestEvents);
        events.settings.as_mut().unwrap().insert("retention.ms".into(), ms.into());
        assert_eq!(wrong(&cluster), [], "{ms}");
    }
}

#[test]
fn partitions_and_replicas() {
    use Severity::{Error, Warn};
    let unled = PartitionState { led: false, replicas: 3, in_sync: 0 };
    let lagging = PartitionState { led: true, replicas: 3, in_sync: 2 };
    let stopped = PartitionState { led: true, replicas: 3, in_sync: 1 };
    let single = PartitionState { led: true, replicas: 1, in_sync: 1 };
    let table = [
        (Topic::SloDefinitions, vec![whole(); 2], Error, "need a total order"),
        (Topic::RequestEvents, vec![whole(), unled], Error, "1 of 2 partitions have no leader"),
        (Topic::RequestEvents, vec![whole(), lagging], Warn, "1 partitions have replicas that are not in sync"),
        (Topic::RequestEvents, vec![whole(), stopped], Error, "nothing can be written to them"),
        (Topic::RequestEvents, vec![single], Error, "min.insync.replicas=2, but replicas: 1"),
    ];
    for (topic, partitions, severity, expected) in table {
        let mut cluster = healthy();
        there(&mut cluster, topic).partitions = partitions;
        let found = wrong(&cluster);
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].severity == severity && found[0].message.contains(expected), "{found:?}");
    }
}

#[test]
fn one_replica_where_there_could_be_more() {
    let mut cluster = healthy();
    let events = there(&mut cluster, Topic::RequestEvents);
    events.partitions = vec![PartitionState { led: true, replicas: 1, in_sync: 1 }];
    events.settings.as_mut().unwrap().insert("min.insync.replicas".into(), "1".into());
    let found = wrong(&cluster);
    assert!(found.len() == 1 && found[0].message.contains("one replica although there are more brokers"), "{found:?}");
}

#[test]
fn missing_topics_are_made_by_ensure() {
    let mut cluster = healthy();
    cluster.topics[Topic::Alerts as usize].there = Err(Absent::Missing);
    let found = wrong(&cluster);
    assert_eq!((found.len(), found[0].message.as_str()), (1, "is missing"));
    for topic in &mut cluster.topics {
        topic.there = Err(Absent::Missing);
    }
    let found = wrong(&cluster);
    assert_eq!((found.len(), found[0].todo.as_deref()), (1, Some("slipstream topics ensure")));
}

#[test]
fn brokers() {
    use Severity::{Error, Warn};
    let table = [
        (Err(Untold::Failed("OperationTimedOut".to_owned())), Error, "does not respond: OperationTimedOut"),
        (Err(Untold::Refused), Warn, "were not checked"),
        (Ok(("auto.create.topics.enable", "true")), Warn, "creates topics when a client names them"),
        (Ok(("transaction.max.timeout.ms", "5000")), Error, "our transactions would be refused"),
        (Ok(("group.min.session.timeout.ms", "30000")), Error, "could not join"),
        (Ok(("group.max.session.timeout.ms", "5000")), Error, "could not join"),
        (Ok(("inter.broker.protocol.version", "2.8-IV1")), Error, "needs Kafka 3.0"),
    ];
    for (fact, severity, expected) in table {
        let mut cluster = healthy();
        match fact {
            Err(why) => cluster.brokers[1].settings = Err(why),
            Ok((name, value)) => {
                cluster.brokers[1].settings.as_mut().unwrap().insert(name.to_owned(), value.to_owned());
            }
        }
        let found = wrong(&cluster);
        assert_eq!(found.len(), 1, "{expected}: {found:?}");
        assert!(found[0].severity == severity && found[0].message.contains(expected), "{found:?}");
        assert_eq!(found[0].check, "broker 2 (b2:9092)");
    }
    for (version, old) in [("2.8-IV1", true), ("3.0-IV0", false), ("3.9-IV0", false), ("10.0", false), ("x", false)] {
        assert_eq!(older_than(version, OLDEST), old, "{version}");
    }
}

#[test]
fn who_does_not_tell_its_settings_answers_and_who_is_away_does_not() {
    for (settings, expected) in
        [(Untold::Refused, "3 of 3 respond"), (Untold::Failed("timed out".to_owned()), "2 of 3 respond")]
    {
        let mut cluster = healthy();
        cluster.brokers[1].settings = Err(settings);
        let found = super::cluster(&cluster, BOOTSTRAP);
        let brokers = found.iter().find(|f| f.check == "brokers").unwrap();
        assert_eq!(brokers.message, expected);
    }
}

/// Three replicas, and nothing known of `min.insync.replicas`: nothing is said of it.
#[test]
fn settings_that_may_not_be_read_are_one_warning_and_no_finding() {
    let mut cluster = healthy();
    for topic in [Topic::BurnSnapshots, Topic::BurnRates] {
        there(&mut cluster, topic).settings = Err(Untold::Refused);
        assert_eq!(there(&mut cluster, topic).replication(), 3);
    }
    let found = wrong(&cluster);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Warn), "{found:?}");
    assert!(found[0].message.ends_with("slipstream.burn-snapshots, slipstream.burn-rates"), "{found:?}");
    assert!(found[0].todo.as_ref().unwrap().contains("DescribeConfigs"), "{found:?}");
    there(&mut cluster, Topic::Alerts).settings = Err(Untold::Failed("timed out".to_owned()));
    assert!(wrong(&cluster).iter().any(|f| f.message.ends_with("its settings could not be read: timed out")));
}

#[test]
fn a_topic_that_may_not_be_seen_is_not_missing() {
    let mut cluster = healthy();
    for topic in &mut cluster.topics {
        topic.there = Err(Absent::Hidden);
    }
    let found = wrong(&cluster);
    assert_eq!(found.len(), TOPICS.len(), "{found:?}");
    for Finding { severity, message, todo, .. } in found {
        assert!(severity == Severity::Error && message.contains("may not see it"), "{message}");
        assert!(todo.unwrap().contains("Describe"));
    }
}

#[test]
fn what_makes_roles_count_wrong_keeps_them_from_starting() {
    let table = [
        (Topic::RequestEvents, "message.timestamp.type", "CreateTime", Some("keeps producers' timestamps")),
        (Topic::BurnRates, "message.timestamp.type", "CreateTime", Some("keeps producers' timestamps")),
        (Topic::RequestEvents, "cleanup.policy", "compact,delete", Some("only the newest record of each key")),
        (Topic::SloDefinitions, "cleanup.policy", "compact", Some("only the newest record of each key")),
        (Topic::BurnSnapshots, "cleanup.policy", "delete", None),
        (Topic::RequestEvents, "retention.ms", "60000", None),
    ];
    for (topic, name, value, expected) in table {
        let mut settings = made(topic.spec());
        assert_eq!(miscounts(topic, "t", &settings, BOOTSTRAP), None, "{topic}");
        settings.insert(name.to_owned(), value.to_owned());
        let found = miscounts(topic, "t", &settings, BOOTSTRAP);
        assert_eq!(found.is_some(), expected.is_some(), "{topic} {name}={value}: {found:?}");
        if let (Some(found), Some(expected)) = (found, expected) {
            assert!(found.message.contains(expected) && found.todo.unwrap().contains("--entity-name t "), "{expected}");
        }
    }
}

#[test]
fn internal_topics_with_one_replica_are_told_where_there_could_be_more() {
    let mut cluster = healthy();
    cluster.internal.insert("__transaction_state".to_owned(), 1);
    assert_eq!(wrong(&cluster)[0].check, "topic __transaction_state");
}

#[test]
fn one_broker_is_a_risk_and_not_an_error() {
    let mut cluster = healthy();
    cluster.brokers.truncate(1);
    cluster.internal.clear();
    for topic in &mut cluster.topics {
        let there = topic.there.as_mut().unwrap();
        there.partitions.fill(PartitionState { led: true, replicas: 1, in_sync: 1 });
        there.settings.as_mut().unwrap().insert("min.insync.replicas".into(), "1".into());
    }
    let found = wrong(&cluster);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].check.as_str(), found[0].severity), ("brokers", Severity::Warn));
}

#[test]
fn another_number_of_partitions_is_told_with_what_can_be_done() {
    let cluster = healthy();
    let told = |topic: Topic, wanted| {
        wanted_partitions(&cluster.topics[topic as usize], wanted, BOOTSTRAP).and_then(|f| f.todo)
    };
    assert_eq!(told(Topic::RequestEvents, 8), None);
    assert!(told(Topic::RequestEvents, 12).unwrap().contains("--partitions 12; for two minutes"));
    assert!(told(Topic::RequestEvents, 4).unwrap().contains("cannot be removed"));
    assert!(told(Topic::BurnRates, 8).unwrap().contains("fixed"));
    assert!(told(Topic::SliTallies, 8).unwrap().contains("sli-tallies=8"), "how to move");
    assert!(told(Topic::DeadLetters, 8).unwrap().ends_with("--partitions 8"));
}
