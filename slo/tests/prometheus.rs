//! `for` and `keep_firing_for` as Prometheus has them: the same conditions, second by second, through our machine and through
//! `promtool test rules`, which must find the same alerts firing at each second. docs/alerting.md lists where we differ, and why: not in
//! these.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write;
use std::process::Command;

use slipstream_definitions::definition::{
    Condition, Document, ERROR_RATIO, Indicator, Objective, Ratio, Rule, Severity, Side, Slo, Window,
};
use slipstream_schemas::records::{BudgetUnit, BurnRates, ConditionSince, WindowRates};
use slipstream_slo::alerts::{AlertState, Phase, step};
use slipstream_slo::rule::Kinds;

/// Seconds of each story.
const SECONDS: usize = 90;

/// An alert, and in which seconds its condition holds; `None`: nothing was scraped, nothing came.
struct Story {
    name: String,
    wait: i64,
    keep: i64,
    holds: Vec<Option<bool>>,
}

/// Pending that ends before its time, pending that ripens, flapping, coming back while it is kept, gaps: by hand, and at random.
fn stories() -> Vec<Story> {
    let by_hand = [
        (0, 0, "1111000011110000"),
        (3, 0, "1100111100011111"),
        (3, 2, "1111101111011111000"),
        (0, 4, "1000100010000011111"),
        (2, 3, "1110011100--111--00"),
        (1, 1, "1010101010111000111"),
    ];
    let mut all: Vec<Story> = by_hand
        .iter()
        .enumerate()
        .map(|(i, (wait, keep, text))| {
            let second = |c| match c {
                '1' => Some(true),
                '0' => Some(false),
                _ => None,
            };
            let mut holds: Vec<Option<bool>> = text.chars().map(second).collect();
            holds.resize(SECONDS, Some(false));
            Story { name: format!("ByHand{i}"), wait: *wait, keep: *keep, holds }
        })
        .collect();
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for i in 0..24 {
        let (wait, keep, lasts) = (roll(6) as i64, roll(6) as i64, 2 + roll(6));
        let mut holds = Vec::new();
        while holds.len() < SECONDS {
            let state = [Some(true), Some(false), Some(true), None][roll(4) as usize];
            holds.extend(std::iter::repeat_n(state, 1 + roll(lasts) as usize));
        }
        holds.truncate(SECONDS);
        all.push(Story { name: format!("Random{i}"), wait, keep, holds });
    }
    all
}

fn rule(story: &Story) -> Rule {
    Rule {
        name: story.name.clone(),
        rule_set: story.name.clone(),
        condition: Condition::of(ERROR_RATIO, 60, Ratio { num: 1, den: 20 }),
        severity: Severity::named("page"),
        wait: story.wait,
        keep: story.keep,
        labels: Vec::new(),
        annotations: Vec::new(),
    }
}

/// In which seconds our machine has the alert firing.
fn firing(story: &Story) -> Vec<bool> {
    let indicator = Indicator { total: "true".into(), side: Side::Good("true".into()) };
    let objective =
        Objective { rules: vec![rule(story)], ..Objective::new("rule", indicator, Ratio { num: 1, den: 2 }) };
    let slo = Slo {
        name: story.name.clone(),
        display_name: story.name.clone(),
        service: String::new(),
        description: String::new(),
        group_by: Vec::new(),
        window: Window::Rolling(60),
        objectives: vec![objective],
        composite: None,
        labels: Vec::new(),
        document: Document::Rule,
    };
    let (mut state, mut since) = (AlertState::default(), None);
    let mut firing = Vec::new();
    for (tick, holds) in (0..).zip(&story.holds) {
        since = holds.unwrap_or(false).then(|| since.unwrap_or(tick));
        let condition = ConditionSince { rule: story.name.clone(), holds: since.is_some(), since };
        let rates = rates(&story.name, tick, condition);
        state = step(&state, &rates, (&slo, &slo.objectives[0].rules), &story.name, Kinds::default()).0;
        firing.push(matches!(state.phase(), Phase::Firing | Phase::Keeping));
    }
    firing
}

fn rates(slo: &str, tick: i64, condition: ConditionSince) -> BurnRates {
    BurnRates {
        slo: slo.to_owned(),
        objective: "rule".into(),
        group: Vec::new(),
        generation: 1,
        tick,
        revision: 1,
        complete: true,
        retired: false,
        windows: vec![WindowRates { seconds: 60, slot_seconds: 1, good: 1, total: 2, burn: 1.0 }],
        sli: None,
        budget_total: 0.0,
        budget_remaining: 1.0,
        exhaustion_at: None,
        conditions: vec![condition],
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
    }
}

#[test]
fn the_machine_fires_when_prometheus_does() {
    let folder = tempfile::tempdir().unwrap();
    let stories = stories();
    let mut rules = "groups:\n- name: all\n  interval: 1s\n  rules:\n".to_owned();
    let mut series = String::new();
    let mut expected = String::new();
    let mut fired = 0;
    for story in &stories {
        let Story { name, wait, keep, holds } = story;
        write!(
            rules,
            "  - alert: {name}\n    expr: condition{{of=\"{name}\"}} == 1\n    for: {wait}s\n    keep_firing_for: {keep}s\n"
        )
        .unwrap();
        let sample = |holds: &Option<bool>| match holds {
            Some(true) => "1",
            Some(false) => "0",
            None => "stale",
        };
        let values: Vec<&str> = holds.iter().map(sample).collect();
        writeln!(series, "  - series: 'condition{{of=\"{name}\"}}'\n    values: '{}'", values.join(" ")).unwrap();
        for (second, fires) in firing(story).into_iter().enumerate() {
            let alerts = if fires { format!("[{{exp_labels: {{of: {name}}}}}]") } else { "[]".to_owned() };
            writeln!(expected, "  - eval_time: {second}s\n    alertname: {name}\n    exp_alerts: {alerts}").unwrap();
            fired += usize::from(fires);
        }
    }
    assert!(fired > 500, "only {fired} seconds with an alert");
    let tests = format!(
        "rule_files: [rules.yml]\nevaluation_interval: 1s\ntests:\n- interval: 1s\n  input_series:\n{series}  alert_rule_test:\n{expected}"
    );
    std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
    std::fs::write(folder.path().join("tests.yml"), tests).unwrap();
    let mut command = Command::new("promtool");
    let ran = command.args(["test", "rules", "tests.yml"]).current_dir(folder.path()).output();
    let ran = ran.unwrap_or_else(|e| panic!("this test needs promtool: {e}; run `scripts/setup test`"));
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
}
