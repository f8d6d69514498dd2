//! A rule names what it inhibits: from its document through the log to who is told.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::Arc;

use slipstream_alerter::ReceiverConfig;
use slipstream_log::memory::MemoryLog;
use slipstream_runtime::config::Routing;
use slipstream_schemas::Topic;
use slipstream_schemas::records::{
    BudgetUnit, BurnRates, ConditionSince, Definition, Notification, NotificationReason, Settings,
};
use support::{Got, Hook, Running, all, config, eventually, log, publish};

const DOWN: &str = "apiVersion: slipstream/v1
kind: Rule
metadata: {name: ServiceDown}
spec:
  service: payment
  indicator:
    metadata: {name: requests}
    spec: {thresholdMetric: {metricSource: {type: slipstream, spec: {filter: service == \"payment\"}}}}
  inhibits: {dependants: true}
  conditions:
    - {severity: page, noTraffic: {over: 1m}}
";

const CHECKOUT: &str = "apiVersion: slipstream/v1
kind: Rule
metadata: {name: CheckoutSilent}
spec:
  service: checkout
  indicator:
    metadata: {name: requests}
    spec: {thresholdMetric: {metricSource: {type: slipstream, spec: {filter: service == \"checkout\"}}}}
  conditions:
    - {severity: page, noTraffic: {over: 1m}}
";

async fn define(log: &MemoryLog, kind: &str, name: &str, document: String) {
    let (kind, name, author) = (kind.to_owned(), name.to_owned(), "test".to_owned());
    let key = format!("{kind}/{name}");
    publish(log, Topic::SloDefinitions, &key, &Definition { kind, name, document: Some(document), author }).await;
}

/// A log with both Rules.
async fn installed() -> Arc<MemoryLog> {
    let (log, _) = log();
    let settings = Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 };
    define(&log, "Settings", "installation", serde_json::to_string(&settings).unwrap()).await;
    define(&log, "Rule", "ServiceDown", DOWN.to_owned()).await;
    define(&log, "Rule", "CheckoutSilent", CHECKOUT.to_owned()).await;
    log
}

/// Second `n` after the definitions came: nothing comes to a service since `since`.
async fn silent(log: &MemoryLog, rule: &str, n: i64, since: Option<i64>) {
    let tick = |n: i64| 1_769_940_001 + n;
    let rates = BurnRates {
        slo: rule.to_owned(),
        objective: "rule".to_owned(),
        group: Vec::new(),
        generation: 0,
        tick: tick(n),
        revision: 3,
        complete: true,
        retired: false,
        windows: Vec::new(),
        sli: None,
        budget_total: 0.0,
        budget_remaining: 1.0,
        exhaustion_at: None,
        conditions: vec![ConditionSince { rule: rule.to_owned(), holds: since.is_some(), since: since.map(tick) }],
        unknown: 0,
        too_late: 0,
        covered_from: 0,
        sources_current: 1,
        sources: 1,
        exemplars: Vec::new(),
        unit: BudgetUnit::Events,
        target: None,
        period_start: None,
        previous: None,
    };
    publish(log, Topic::BurnRates, rule, &rates).await;
}

fn receiver(hook: &Hook) -> ReceiverConfig {
    let dependencies = [("checkout".to_owned(), ["payment".to_owned()].into())].into();
    config("ops", &hook.url()).routed(Arc::new(Routing { dependencies, ..Routing::default() }))
}

/// What was told, in order: alert and status. Nobody outside is told what it holds back.
fn told(got: &[Got]) -> Vec<(String, String)> {
    let alerts = || got.iter().flat_map(|got| &got.message.alerts);
    assert!(alerts().all(|alert| !alert.annotations.keys().any(|name| name.contains("inhibits"))));
    alerts().map(|alert| (alert.labels["alertname"].clone(), format!("{:?}", alert.status))).collect()
}

async fn noted(log: &MemoryLog, alert: &str, count: usize) -> Vec<Notification> {
    eventually(&format!("{count} outcomes of {alert}"), async || {
        let all: Vec<Notification> = all(log, Topic::Notifications).await;
        let of: Vec<Notification> = all.into_iter().filter(|n| n.slo == alert).collect();
        (of.len() >= count).then_some(of)
    })
    .await
}

#[tokio::test]
async fn a_service_that_is_down_holds_back_its_dependants_until_it_is_up_also_over_a_restart() {
    let log = installed().await;
    let (hook, alerter) = (Hook::open([]).await, Running::alerter(&log));
    let first = Running::notifier(&log, receiver(&hook));
    silent(&log, "ServiceDown", 1, Some(1)).await;
    let down = noted(&log, "ServiceDown", 1).await;
    silent(&log, "CheckoutSilent", 2, Some(2)).await;
    let held = noted(&log, "CheckoutSilent", 1).await;
    assert_eq!((held[0].reason, &held[0].by), (NotificationReason::Inhibited, &down[0].alert_id));
    first.stop().await;

    let second = Running::notifier(&log, receiver(&hook));
    silent(&log, "ServiceDown", 9, None).await;
    noted(&log, "CheckoutSilent", 2).await;
    silent(&log, "CheckoutSilent", 19, None).await;
    noted(&log, "CheckoutSilent", 3).await;
    second.stop().await;
    alerter.stop().await;
    let firing = |alert: &str| (alert.to_owned(), "Firing".to_owned());
    let over = |alert: &str| (alert.to_owned(), "Resolved".to_owned());
    let mut got = told(&hook.got());
    // Both are due when the service is up again.
    got[1..3].sort_by(|a, b| b.cmp(a));
    let want = [firing("ServiceDown"), over("ServiceDown"), firing("CheckoutSilent"), over("CheckoutSilent")];
    assert_eq!(got, want);
}

#[tokio::test]
async fn the_end_of_what_is_held_back_meanwhile_is_never_held_back() {
    let log = installed().await;
    let (hook, alerter) = (Hook::open([]).await, Running::alerter(&log));
    let notifier = Running::notifier(&log, receiver(&hook));
    silent(&log, "CheckoutSilent", 1, Some(1)).await;
    noted(&log, "CheckoutSilent", 1).await;
    silent(&log, "ServiceDown", 2, Some(2)).await;
    noted(&log, "ServiceDown", 1).await;
    silent(&log, "CheckoutSilent", 9, None).await;
    noted(&log, "CheckoutSilent", 2).await;
    notifier.stop().await;
    alerter.stop().await;
    assert_eq!(told(&hook.got()).last().unwrap(), &("CheckoutSilent".to_owned(), "Resolved".to_owned()));
}
