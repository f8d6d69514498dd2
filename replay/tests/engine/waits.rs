//! R1 of rules that wait before they fire, and of alerts that stay when their condition has ended: at the beginning of the
//! range they are as far as they were then.

use slipstream_replay::outcome::Outcome;
use slipstream_replay::{Asked, Told, replay};
use slipstream_schemas::records::{AlertTransition, TransitionKind};
use slipstream_schemas::{EventTime, LogTime, RequestEvent};

use crate::slos::loaded;
use crate::world::{What, World, second};

const MINUTE: i64 = 60;
/// Seconds between two requests.
const APART: i64 = 5;

fn slos(policy: &str) -> String {
    format!(
        r#"
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {{name: burns}}
spec:
  alertWhenBreaching: true
  alertWhenResolved: true
  conditions:
    - kind: AlertCondition
      metadata:
        name: burns
        annotations: {{slipstream.dev/short-window: 5m, slipstream.dev/keep-firing-for: {policy}}}
      spec:
        severity: page
        condition: {{kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 30m}}
  notificationTargets:
    - kind: AlertNotificationTarget
      metadata: {{name: on-call}}
      spec: {{target: webhook}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: answered}}
spec:
  service: shop
  indicator:
    metadata: {{name: answered}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: slipstream, spec: {{filter: status_code < 500}}}}}}
        total: {{metricSource: {{type: slipstream, spec: {{filter: status_code > 0}}}}}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: answered, target: 0.9}}]
  alertPolicies: [burns]
"#
    )
}

/// Everything fails from one minute to another.
async fn failing(slos: &str, bad: std::ops::Range<i64>, minutes: i64) -> World {
    let mut world = World::with(1, &loaded(slos)).await;
    for at in (0..minutes * MINUTE).step_by(APART as usize) {
        let event = RequestEvent {
            event_id: at.to_string(),
            time: EventTime(second(at).0 * 1_000),
            service: "shop".to_owned(),
            environment: String::new(),
            endpoint: "/".to_owned(),
            method: "GET".to_owned(),
            status_code: if bad.contains(&(at / MINUTE)) { 503 } else { 200 },
            latency_ms: None,
            weight: 1,
            trace_id: None,
            user_ref: None,
            attributes: [].into(),
        };
        world.publish(second(at), vec![(0, What::Event(event))]).await;
    }
    world
}

fn transitions(outcome: &Outcome) -> Vec<AlertTransition> {
    outcome.alerts.iter().flat_map(|alert| alert.records.clone()).collect()
}

fn tick_of(transitions: &[AlertTransition], kind: TransitionKind) -> i64 {
    let found = transitions.iter().find(|t| t.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind:?} in {transitions:#?}")).tick
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_rule_that_waits_fires_when_it_did_though_the_range_begins_meanwhile() {
    let world = failing(&slos("0s"), 100..190, 190).await;
    let live = transitions(&world.replay(Asked::default()).await);
    let (pending, firing) = (tick_of(&live, TransitionKind::Pending), tick_of(&live, TransitionKind::Firing));
    assert_eq!(firing - pending, 30 * MINUTE);
    world.tell(&live).await;
    for minutes in [1, 10, 25, 29] {
        let from = Some(LogTime((pending + minutes * MINUTE) * 1_000));
        let found = transitions(&world.replay(Asked { from, ..Asked::default() }).await);
        assert_eq!(found, live, "{minutes} minutes after its pending");
    }
}

/// By definitions that were not there then: what was open when the range began is what the warm-up makes of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_stays_is_there_though_the_range_begins_when_its_condition_has_ended() {
    let document = slos("20m");
    let world = failing(&slos("0s"), 100..160, 200).await;
    let of_given = async |from: Option<LogTime>| {
        let asked = Asked { from, slos: Some(loaded(&document).slos), ..Asked::default() };
        match replay(&world.shared(), &asked, &Default::default()).await.unwrap().told {
            Told::Both(what_if) => transitions(&what_if.after),
            Told::One(_) => panic!("definitions were in force then"),
        }
    };
    let whole = of_given(None).await;
    let (keeping, resolved) = (tick_of(&whole, TransitionKind::Keeping), tick_of(&whole, TransitionKind::Resolved));
    // What does not change is published, and so decided about, once a minute.
    assert!((20 * MINUTE..21 * MINUTE).contains(&(resolved - keeping)), "{}", resolved - keeping);
    for minutes in [1, 10, 19] {
        let found = of_given(Some(LogTime((keeping + minutes * MINUTE) * 1_000))).await;
        assert_eq!(tick_of(&found, TransitionKind::Keeping), keeping, "{minutes} minutes after its condition ended");
        assert_eq!(tick_of(&found, TransitionKind::Resolved), resolved, "{minutes} minutes after its condition ended");
    }
}
