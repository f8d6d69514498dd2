//! Two processes with the notifier: one of them speaks, of all partitions of alerts, and the other one when the first is dead.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{Log, Outgoing};
use slipstream_schemas::records::TransitionKind::{Firing, Resolved};
use slipstream_schemas::records::{AlertTransition, Notification, NotificationReason, Outcome, TransitionKind};
use slipstream_schemas::{Topic, codec};
use slipstream_testkit::process::{PATIENCE, Slipstream};
use slipstream_testkit::verdict;
use slipstream_testkit::webhook::{Delivery, Receiver};
use tokio::time::{Instant, sleep};

use crate::place::{Place, started};
use crate::stream::{log_of, metric};

const PARTITIONS: u32 = 4;
/// Longer than it takes to publish to all partitions.
const GROUP_WAIT: &str = "2s";

fn configure(place: &Place, url: &str) {
    let more = format!(
        "receivers: [{{name: ops, url: '{url}'}}]\n\
         route: {{receiver: ops, group_by: [slo], group_wait: {GROUP_WAIT}, group_interval: 200ms}}\n\
         inhibit_rules:\n\
         - {{source_matchers: [severity=page], target_matchers: [severity=ticket], equal: [slo]}}\n"
    );
    place.configure_kafka("properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 500}", &more);
}

/// An alert of the SLO `shop`, of an objective of its own.
fn transition(id: &str, severity: &str, seq: i32, kind: TransitionKind) -> AlertTransition {
    let now = jiff::Timestamp::now().as_second();
    AlertTransition {
        alert_id: id.to_owned(),
        episode: 1_800_000_000,
        seq,
        slo: "shop".to_owned(),
        service: "shop".to_owned(),
        objective: id.to_owned(),
        group: Vec::new(),
        rule_set: "burn".to_owned(),
        rule: "1h/5m".to_owned(),
        severity: severity.to_owned(),
        kind,
        tick: now,
        fired_at: Some(now),
        values: Vec::new(),
        generation: 0,
        complete: true,
        labels: Vec::new(),
        annotations: Vec::new(),
        exemplars: Vec::new(),
        rule_kind: "burnrate".to_owned(),
        withdrawn: false,
        holds_since: None,
    }
}

async fn happens(log: &dyn Log, partition: u32, transition: &AlertTransition) {
    let record = Outgoing {
        topic: Topic::Alerts,
        partition: Some(partition),
        key: Some(Bytes::copy_from_slice(transition.alert_id.as_bytes())),
        value: Some(Bytes::from(codec::encode(transition))),
        headers: Vec::new(),
    };
    log.publish(vec![record]).await.unwrap();
}

/// Each alert of each delivery that was taken: objective and status.
fn told(deliveries: &[Delivery]) -> Vec<BTreeMap<String, String>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let alerts = |d: &Delivery| {
        let alerts = d.body["alerts"].as_array().unwrap();
        alerts.iter().map(|alert| (text(&alert["labels"]["objective"]), text(&alert["status"]))).collect()
    };
    deliveries.iter().filter(|d| d.accepted()).map(alerts).collect()
}

fn all(alerts: &[(&str, &str)]) -> BTreeMap<String, String> {
    alerts.iter().map(|(alert, status)| ((*alert).to_owned(), (*status).to_owned())).collect()
}

/// Waits until one of the processes says that so many alerts fire at the receiver; which it is.
async fn speaker(processes: &[Slipstream], firing: f64) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut fire = Vec::new();
        for process in processes {
            fire.push(metric(process, "slipstream_notifier_firing{", "ops").await);
        }
        let others = fire.iter().filter(|n| **n > 0.0).count();
        if let (Some(speaker), 1) = (fire.iter().position(|n| *n == firing), others) {
            return speaker;
        }
        assert!(Instant::now() < deadline, "{firing} alerts fire at neither: {fire:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until an outcome of an alert is recorded.
async fn recorded(log: &dyn Log, alert: &str, outcome: Outcome) -> Notification {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all: Vec<Notification> = verdict::all(log, Topic::Notifications).await.unwrap();
        if let Some(found) = all.iter().find(|n| n.alert_id == alert && n.outcome == outcome) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "no {outcome:?} of {alert}: {all:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn one_of_two_notifiers_speaks_of_all_partitions() {
    let place = Place::new().await;
    let hook = Receiver::start().await.unwrap();
    configure(&place, hook.url());
    place.json(&["topics", "ensure", "--partitions", &format!("alerts={PARTITIONS},burn-rates={PARTITIONS}")], 0).await;
    let log = log_of(&place);
    let log: &dyn Log = log.as_ref();
    let (one, other) = tokio::join!(started(place.process("notifier")), started(place.process("notifier")));
    let mut processes = vec![one, other];

    for (partition, alert) in (0..).zip(["a", "b", "c", "d"]) {
        happens(log, partition, &transition(alert, "page", 2, Firing)).await;
    }
    let came = hook.until(PATIENCE, |came| !came.is_empty()).await.unwrap();
    let four = all(&[("a", "firing"), ("b", "firing"), ("c", "firing"), ("d", "firing")]);
    assert_eq!(told(&came), [four], "a group is one notification, wherever its alerts are in the log");

    happens(log, 1, &transition("t", "ticket", 2, Firing)).await;
    let held = recorded(log, "t", Outcome::HeldBack).await;
    assert_eq!(held.reason, NotificationReason::Inhibited, "by an alert of another partition: {held:?}");

    let mut dead = processes.remove(speaker(&processes, 4.0).await);
    dead.kill().await.unwrap();
    happens(log, 3, &transition("d", "page", 3, Resolved)).await;
    let came = hook.until(PATIENCE, |came| told(came).len() == 2).await.unwrap();
    assert_eq!(told(&came)[1]["d"], "resolved");
    assert_eq!(speaker(&processes, 3.0).await, 0);
    recorded(log, "d", Outcome::Delivered).await;

    for (partition, alert) in (0..).zip(["a", "b", "c"]) {
        happens(log, partition, &transition(alert, "page", 3, Resolved)).await;
    }
    recorded(log, "t", Outcome::Delivered).await;
    let came = told(&hook.deliveries());
    let starts =
        |alert: &str| came[1..].iter().filter(|alerts| alerts.get(alert).is_some_and(|s| s == "firing")).count();
    assert!(starts("t") > 0, "what its page held back is told when it is over: {came:?}");
    assert!(processes[0].stop().await.unwrap().success(), "{}", processes[0].stderr());
    let all: Vec<Notification> = verdict::all(log, Topic::Notifications).await.unwrap();
    let twice = |alert: &str, seq: i32| {
        let taken = |n: &&Notification| n.alert_id == alert && n.seq == seq && n.outcome == Outcome::Delivered;
        all.iter().filter(taken).count() != 1
    };
    for alert in ["a", "b", "c", "d"] {
        assert!(!twice(alert, 2) && !twice(alert, 3), "{alert} was told once of each: {all:#?}");
    }
}
