//! A day and a half of a shop in which everything goes slowly: windows of days, an alert of eight hours, a clock that is fast.

use std::sync::Arc;

use bytes::Bytes;
use slipstream_definitions::document::SourceFile;
use slipstream_definitions::openslo::{Loaded, load};
use slipstream_log::clock::{Clock, ManualClock};
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, Outgoing};
use slipstream_replay::Sources;
use slipstream_replay::outcome::{AlertHistory, Outcome};
use slipstream_role::definitions::{SLO_KIND, ensure_settings, publish_changed};
use slipstream_schemas::records::{Definition, Settings};
use slipstream_schemas::{EventTime, LogTime, RequestEvent, Topic, codec};
use slipstream_store::text;

/// 2026-01-05T00:00:00Z.
const START: i64 = 1_767_571_200;
/// Between two requests of a service, seconds.
pub const APART: i64 = 10;
/// The world's length, seconds.
pub const SECONDS: i64 = 34 * HOUR;
pub const HOUR: i64 = 3_600;
pub const MINUTE: i64 = 60;
/// How much the clock of one producer is fast, seconds.
pub const FAST: i64 = 600;

/// Each service: its rule's long window, short window, threshold, and for how long its condition has to hold.
const SERVICES: [(&str, &str, &str, &str, &str); 5] = [
    ("slow", "3d", "6h", "1", "0m"),
    ("long", "1h", "5m", "2", "0m"),
    ("ahead", "30m", "5m", "2", "0m"),
    ("creeping", "1h", "5m", "2", "0m"),
    ("brief", "30m", "5m", "2", "2h"),
];

/// Seconds after the beginning in which every `n`th request of a service fails.
const BAD: [(&str, std::ops::Range<i64>, i64); 7] = [
    ("slow", 24 * HOUR..28 * HOUR, 1),
    ("long", 20 * HOUR..28 * HOUR, 1),
    ("ahead", 10 * HOUR..11 * HOUR, 1),
    ("creeping", 25 * HOUR..25 * HOUR + APART, 1),
    ("creeping", 30 * HOUR..30 * HOUR + 40 * MINUTE, 6),
    ("creeping", 30 * HOUR + 40 * MINUTE..31 * HOUR + 10 * MINUTE, 1),
    ("brief", 5 * HOUR..5 * HOUR + 20 * MINUTE, 1),
];

/// So many seconds after the beginning.
pub fn second(after: i64) -> LogTime {
    LogTime((START + after) * 1_000)
}

/// The same, as it is told.
pub fn told(after: i64) -> String {
    text::seconds(START + after)
}

/// The log with all requests; no alerter ever looked at it.
pub async fn world() -> Sources {
    Sources::of_log(log().await)
}

/// The same as the log that it is.
pub async fn log() -> Arc<MemoryLog> {
    let clock = ManualClock::at((START - 10) * 1_000);
    let partitions = [(Topic::RequestEvents, 2), (Topic::SliTallies, 1), (Topic::Alerts, 1)].into();
    let log = MemoryLog::new(MemoryOptions { clock: Clock::Manual(clock.clone()), partitions });
    ensure_settings(log.as_ref(), &Settings { redelivery_window_ms: 60_000, cut_delay_ms: 0 }).await.unwrap();
    let definition = |document: &slipstream_definitions::openslo::CanonicalDocument| Definition {
        kind: SLO_KIND.to_owned(),
        name: document.name.clone(),
        document: Some(document.text.clone()),
        author: "test".to_owned(),
    };
    publish_changed(log.as_ref(), slos().documents.iter().map(definition).collect()).await.unwrap();
    for at in (0..SECONDS).step_by(APART as usize) {
        clock.set(second(at).0);
        let outgoing = |(service, ..): &(&str, &str, &str, &str, &str)| Outgoing {
            topic: Topic::RequestEvents,
            partition: Some((at / APART % 2) as u32),
            key: None,
            value: Some(Bytes::from(codec::encode(&event(service, at)))),
            headers: Vec::new(),
        };
        log.publish(SERVICES.iter().map(outgoing).collect()).await.unwrap();
    }
    log
}

fn event(service: &str, at: i64) -> RequestEvent {
    let number = at / APART;
    let is_bad = BAD.iter().any(|(of, when, each)| *of == service && when.contains(&at) && number % each == 0);
    // Every other request of this service is told by the producer whose clock is fast.
    let fast = if service == "ahead" && number % 2 == 0 { FAST } else { 0 };
    RequestEvent {
        event_id: format!("{service}-{number}"),
        time: EventTime((second(at).0 + fast * 1_000) * 1_000),
        service: service.to_owned(),
        environment: String::new(),
        endpoint: "/".to_owned(),
        method: "GET".to_owned(),
        status_code: if is_bad { 503 } else { 200 },
        latency_ms: None,
        weight: 1,
        trace_id: None,
        user_ref: Some(format!("u-{}", number % 100)),
        attributes: [].into(),
    }
}

/// The alert of a service that fired, or the one that did not where none did.
pub fn alert<'a>(outcome: &'a Outcome, service: &str) -> &'a AlertHistory {
    let mut alerts = outcome.alerts.iter().filter(|alert| alert.episode.slo == service);
    let alert = alerts.next().unwrap();
    assert!(alerts.next().is_none(), "{service} has several");
    alert
}

/// The definitions: an SLO for each service, with a target of 90 %.
pub fn slos() -> Loaded {
    let documents: Vec<String> = SERVICES.iter().map(slo).collect();
    loaded(&documents.join("---"))
}

/// The same, but what was bad is good.
pub fn lenient() -> Loaded {
    let documents: Vec<String> = SERVICES.iter().map(slo).collect();
    loaded(&documents.join("---").replace("status_code < 500", "status_code < 600"))
}

fn loaded(text: &str) -> Loaded {
    let loaded = load(&[SourceFile { path: "slos.yaml".to_owned(), text: text.to_owned() }]);
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    loaded
}

fn slo((name, long, short, threshold, wait): &(&str, &str, &str, &str, &str)) -> String {
    format!(
        r#"
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: {name}
  indicator:
    metadata: {{name: {name}}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: status_code < 500}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: 'service == "{name}"'}}}}}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: answered, target: 0.9}}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{name: {name}-burn}}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata:
              name: {name}-burn
              annotations: {{slipstream.dev/short-window: {short}}}
            spec:
              severity: page
              condition: {{kind: burnrate, op: gt, threshold: {threshold}, lookbackWindow: {long}, alertAfter: {wait}}}
        notificationTargets:
          - kind: AlertNotificationTarget
            metadata: {{name: on-call}}
            spec: {{target: webhook}}
"#
    )
}
