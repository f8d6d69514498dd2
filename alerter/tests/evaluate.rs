//! Stories of the alerter on a log in memory.
#![allow(clippy::unwrap_used)] // In a test that is how to fail.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use slipstream_log::faults::CommitFault;
use slipstream_log::memory::MemoryLog;
use slipstream_schemas::Topic;
use slipstream_schemas::records::TransitionKind::{Firing, Pending, Resolved};
use slipstream_schemas::records::{
    AlertTransition, BudgetUnit, BurnRates, ConditionSince, Definition, Settings, TransitionKind,
};
use support::{Running, all, eventually, log, publish};

const RULE: &str = "1h/5m";

fn document(name: &str) -> String {
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
spec:
  service: payments
  indicator:
    metadata:
      name: requests
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: slipstream
            spec:
              filter: status_code < 500
        total:
          metricSource:
            type: slipstream
            spec:
              filter: 'true'
  timeWindow:
    - duration: 28d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: availability
      target: 0.99
"
    )
}

async fn define(log: &MemoryLog, kind: &str, name: &str, document: Option<String>) {
    let definition = Definition { kind: kind.to_owned(), name: name.to_owned(), document, author: "test".to_owned() };
    publish(log, Topic::SloDefinitions, &format!("{kind}/{name}"), &definition).await;
}

async fn installed(log: &MemoryLog) {
    let settings = Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 };
    define(log, "Settings", "installation", Some(serde_json::to_string(&settings).unwrap())).await;
    for slo in ["checkout", "search"] {
        define(log, "SLO", slo, Some(document(slo))).await;
    }
}

/// Second `n` after the definitions came.
fn tick(n: i64) -> i64 {
    1_769_940_001 + n
}

async fn burns(log: &MemoryLog, slo: &str, n: i64, since: Option<i64>, revision: i64) {
    let rates = BurnRates {
        slo: slo.to_owned(),
        objective: "availability".to_owned(),
        group: Vec::new(),
        generation: 0,
        tick: tick(n),
        revision,
        complete: true,
        retired: false,
        windows: Vec::new(),
        sli: None,
        budget_total: 0.0,
        budget_remaining: 1.0,
        exhaustion_at: None,
        conditions: vec![ConditionSince { rule: RULE.to_owned(), holds: since.is_some(), since: since.map(tick) }],
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
    publish(log, Topic::BurnRates, slo, &rates).await;
}

type Story = Vec<(i64, i32, TransitionKind)>;

async fn story(log: &MemoryLog, slo: &str) -> Story {
    let transitions: Vec<AlertTransition> = all(log, Topic::Alerts).await;
    transitions.iter().filter(|t| t.slo == slo).map(|t| (t.tick - tick(0), t.seq, t.kind)).collect()
}

async fn told(log: &Arc<MemoryLog>, alerter: &mut Running, slo: &str, count: usize) -> Story {
    eventually(&format!("{count} transitions of {slo}"), async || {
        alerter.runs();
        let found = story(log, slo).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

#[tokio::test]
async fn burn_rates_become_transitions() {
    let (log, _) = log();
    installed(&log).await;
    let mut alerter = Running::alerter(&log);
    burns(&log, "checkout", 0, None, 3).await;
    burns(&log, "checkout", 1, Some(1), 3).await;
    burns(&log, "search", 1, Some(1), 3).await;
    burns(&log, "checkout", 9, None, 3).await;
    let found = told(&log, &mut alerter, "checkout", 3).await;
    told(&log, &mut alerter, "search", 2).await;
    alerter.stop().await;
    assert_eq!(found, [(1, 1, Pending), (1, 2, Firing), (9, 3, Resolved)]);
    let transitions: Vec<AlertTransition> = all(&log, Topic::Alerts).await;
    let ids: BTreeSet<&str> = transitions.iter().map(|t| t.alert_id.as_str()).collect();
    assert_eq!(ids.len(), 2);
    assert!(transitions.iter().all(|t| t.service == "payments" && t.rule_set == "burn"));
}

#[tokio::test]
async fn a1_a2_restarts_faults_and_lost_partitions_change_nothing() {
    let (log, _) = log();
    installed(&log).await;
    let faults = [
        CommitFault::Aborted,
        CommitFault::InDoubtDone,
        CommitFault::InDoubtNot,
        CommitFault::InDoubtDone,
        CommitFault::Aborted,
    ];
    let mut alerter = Running::alerter(&log);
    for round in 0..12i64 {
        log.faults().fail_commits("alerter", [faults[round as usize % faults.len()]]);
        for slo in ["checkout", "search"] {
            burns(&log, slo, 10 * round + 1, Some(10 * round + 1), 3).await;
            burns(&log, slo, 10 * round + 5, None, 3).await;
        }
        // Somewhere between reading, deciding and committing.
        tokio::time::sleep(std::time::Duration::from_micros(150 * round as u64)).await;
        match round % 3 {
            0 => log.expel("alerter"),
            1 => {
                alerter.kill().await;
                alerter = Running::alerter(&log);
            }
            _ => {}
        }
    }
    for slo in ["checkout", "search"] {
        let want: Story = (0..12)
            .flat_map(|n| [(10 * n + 1, 1, Pending), (10 * n + 1, 2, Firing), (10 * n + 5, 3, Resolved)])
            .collect();
        assert_eq!(told(&log, &mut alerter, slo, want.len()).await, want, "{slo}");
    }
    alerter.stop().await;
    assert_eq!(all::<AlertTransition>(&log, Topic::Alerts).await.len(), 72);
}

#[tokio::test]
async fn a2_a_deleted_slo_resolves_its_alert() {
    let (log, clock) = log();
    installed(&log).await;
    let mut alerter = Running::alerter(&log);
    burns(&log, "checkout", 1, Some(1), 3).await;
    told(&log, &mut alerter, "checkout", 2).await;
    clock.advance(20_000);
    define(&log, "SLO", "checkout", None).await;
    burns(&log, "checkout", 30, Some(1), 4).await;
    let found = told(&log, &mut alerter, "checkout", 3).await;
    alerter.stop().await;
    assert_eq!(found[2], (30, 3, Resolved));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_the_alerter_and_says_where() {
    let (log, _) = log();
    publish(&log, Topic::BurnRates, "x", &support::transition("a", 1, 1, Firing)).await;
    let error = Running::alerter(&log).ended().await.unwrap_err().to_string();
    assert!(error.starts_with("burn-rates/") && error.contains("at offset 0"), "{error}");
}
